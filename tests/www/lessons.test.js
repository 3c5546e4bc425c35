// The lessons as data: what each step opens fits the fields of the state, and addresses open it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { isOver, lineBetween } from "../../www/draw/pointing.ts";
import { VIEWS } from "../../www/elements/views/index.ts";
import { isAsOpened, readLessonAddress, writeLessonAddress } from "../../www/lessons/address.ts";
import {
  addressOfStep,
  LESSONS,
  lessonOf,
  PLACES,
  stateOfStep,
  stepOf,
} from "../../www/lessons/index.ts";
import { reduce } from "../../www/state/reducer.ts";
import { FIELDS, OPENING } from "../../www/state/state.ts";

/** @typedef {import("../../www/state/state.ts").LabState} LabState */

/** @type {Record<string, import("../../www/state/fields.ts").Fields>} */
const VIEW_FIELDS = Object.fromEntries(
  Object.entries(VIEWS).map(([name, { settings }]) => [name, settings]),
);

const steps = LESSONS.flatMap((lesson) =>
  lesson.steps.map((step, at) => ({ lesson, step, at: at + 1, name: `${lesson.name} ${at + 1}` })),
);

/** @param {string} name @param {number} step @returns {LabState} */
const opened = (name, step) =>
  reduce(OPENING, { type: "open", state: stateOfStep(name, step) ?? {} }, VIEW_FIELDS);

/** @param {Partial<LabState>} state @param {string} where */
function assertFits(state, where) {
  const { views = {}, ...fields } = state;
  for (const [name, value] of Object.entries(fields)) {
    assert.ok(Object.hasOwn(FIELDS, name), `${where}: the state has no field ${name}`);
    const field = FIELDS[/** @type {keyof typeof FIELDS} */ (name)];
    assert.ok(
      field.accepts(value),
      `${where}: ${name} is ${JSON.stringify(value)}, expected ${field.expected}`,
    );
  }
  for (const view of [fields.view, ...Object.keys(views)])
    assert.ok(
      view === undefined || Object.hasOwn(VIEWS, view),
      `${where}: there is no view ${view}`,
    );
  for (const [view, settings] of Object.entries(views)) {
    for (const [name, value] of Object.entries(settings)) {
      const field = VIEW_FIELDS[view][name];
      assert.ok(field, `${where}: the view ${view} has no setting ${name}`);
      assert.ok(
        field.accepts(value),
        `${where}: ${view}.${name} is ${JSON.stringify(value)}, expected ${field.expected}`,
      );
    }
  }
}

test("there are six lessons of four or five steps, with names of their own", () => {
  assert.deepEqual(
    LESSONS.map(({ name }) => name),
    ["heads", "induction", "circuit", "lens", "patching", "steering"],
  );
  for (const { name, steps, minutes, samples } of LESSONS) {
    assert.ok(steps.length >= 4 && steps.length <= 5, `${name} has ${steps.length} steps`);
    assert.ok(minutes >= 2 && minutes <= 6, `${name} takes ${minutes} minutes`);
    assert.ok(samples.length >= 2, `${name} has ${samples.length} samples`);
    assert.ok(
      steps.some(({ source }) => source),
      `${name} links to no paper`,
    );
  }
});

test("every step says what to look for in two sentences, and points at a place that there is", () => {
  for (const { step, name } of steps) {
    // A sentence ends with a full stop, in front of the next one or at the end: not in "1.1" or after a quotation.
    const sentences = step.text.match(/[.!?](?=\s+[A-ZÀ-Ý·]|$)/g) ?? [];
    assert.equal(sentences.length, 2, `${name} has ${sentences.length} sentences`);
    assert.ok(Object.hasOwn(PLACES, step.place), `${name} points at ${step.place}`);
    assert.ok(step.text.length <= 330, `${name} has ${step.text.length} characters`);
  }
});

test("what a step or a sample opens fits the fields of the state and of the views", () => {
  for (const { step, name } of steps) assertFits(step.state, name);
  for (const { name, samples } of LESSONS)
    for (const { label, state } of samples) assertFits(state, `${name}, ${label}`);
});

test("papers have their title and an https address, and one address has one title", () => {
  /** @type {Map<string, string>} */
  const titles = new Map();
  for (const { step, name } of steps) {
    if (!step.source) continue;
    const { title, href } = step.source;
    assert.match(title, /^[\w ]+( et al\.)? 20\d\d, \S/, name);
    assert.equal(new URL(href).protocol, "https:", name);
    assert.equal(titles.get(href) ?? title, title, name);
    titles.set(href, title);
  }
});

test("the address of a step opens its state, and a state as the step opened it has that address", () => {
  for (const { lesson, at, name } of steps) {
    const hash = addressOfStep(lesson.name, at);
    assert.equal(hash, at === 1 ? `#lesson=${lesson.name}` : `#lesson=${lesson.name}&step=${at}`);
    const { state, problems } = readLessonAddress(hash, VIEW_FIELDS);
    assert.deepEqual(problems, [], name);
    assert.deepEqual(state, opened(lesson.name, at), name);
    assert.equal(state.lesson, lesson.name);
    assert.equal(state.step, at);
    assert.equal(`#${writeLessonAddress(state, VIEW_FIELDS)}`, hash, name);
    assert.ok(isAsOpened(state, VIEW_FIELDS));
  }
});

test("a state that the visitor changed in a lesson has its whole address, which opens it again", () => {
  for (const { lesson, at, name } of steps) {
    for (const choice of [
      { lock: null, scale: /** @type {const} */ ("sqrt") },
      { interventions: [], direction: /** @type {const} */ ("to") },
    ]) {
      const state = reduce(opened(lesson.name, at), { type: "choose", choice }, VIEW_FIELDS);
      assert.ok(!isAsOpened(state, VIEW_FIELDS), name);
      const { state: again, problems } = readLessonAddress(
        writeLessonAddress(state, VIEW_FIELDS),
        VIEW_FIELDS,
      );
      assert.deepEqual(problems, [], name);
      assert.deepEqual(again, state, name);
    }
  }
});

test("a lesson or a step that does not exist is said, and the rest of the address is opened", () => {
  for (const [hash, problem] of [
    ["#lesson=magic", 'The address asks for the lesson "magic", which this page does not have'],
    ["#lesson=lens&step=6", 'The address asks for step 6 of the lesson "lens", which has 5'],
    [
      "#lesson=toString&prompt=To be",
      'The address asks for the lesson "toString", which this page does not have',
    ],
  ]) {
    const { state, problems } = readLessonAddress(hash, VIEW_FIELDS);
    assert.deepEqual(problems, [problem]);
    assert.equal(state.lesson, "");
    assert.equal(state.step, 1);
    assert.equal(state.prompt, hash.includes("To be") ? "To be" : OPENING.prompt);
  }
  const { problems } = readLessonAddress("#lesson=lens&step=0", VIEW_FIELDS);
  assert.match(problems.join(), /"0" for step, expected a whole number of at least 1/);
  assert.equal(lessonOf("magic"), null);
  assert.equal(stepOf("lens", 0), null);
  assert.equal(stepOf("lens", 1.5), null);
});

test("an address without a lesson is read and written as it is", () => {
  const { state, problems } = readLessonAddress("#prompt=To be&layer=1&off=1.1", VIEW_FIELDS);
  assert.deepEqual(problems, []);
  assert.equal(state.prompt, "To be");
  assert.deepEqual(
    readLessonAddress(writeLessonAddress(state, VIEW_FIELDS), VIEW_FIELDS).state,
    state,
  );
  assert.equal(writeLessonAddress(OPENING, VIEW_FIELDS), "");
});

test("the line between two boxes joins the parts that face each other", () => {
  const box = (/** @type {number} */ left, /** @type {number} */ top) => ({
    left,
    top,
    width: 10,
    height: 10,
  });
  assert.deepEqual(lineBetween(box(100, 100), box(0, 0)), {
    from: { x: 100, y: 100 },
    to: { x: 10, y: 10 },
  });
  assert.deepEqual(lineBetween(box(0, 0), box(50, 4)), {
    from: { x: 10, y: 7 },
    to: { x: 50, y: 7 },
  });
  assert.deepEqual(lineBetween(box(2, 0), box(0, 40)), {
    from: { x: 6, y: 10 },
    to: { x: 6, y: 40 },
  });
  assert.ok(isOver(box(0, 0), box(9, 9)));
  assert.ok(!isOver(box(0, 0), box(11, 0)));
});
