// Laws of the state under random actions: undo and redo lose nothing, an address and a stored visit give the state back, and no
// action changes a former state. A failure names its seed: SEED=… repeats it, RUNS=… makes more.

import assert from "node:assert/strict";
import { test } from "node:test";

import { VIEWS } from "../../www/elements/views/index.ts";
import { read, write } from "../../www/state/address.ts";
import {
  choice,
  flag,
  isEqual,
  json,
  list,
  number,
  optional,
  text,
  whole,
} from "../../www/state/fields.ts";
import { withoutScripts } from "../../www/state/interventions.ts";
import { reduce } from "../../www/state/reducer.ts";
import { completeState, FIELDS, OPENING } from "../../www/state/state.ts";
import { Store } from "../../www/state/store.ts";
import { Random } from "../fuzz/random.js";

/** @typedef {import("../../www/state/state.ts").LabState} LabState */
/** @typedef {import("../../www/state/reducer.ts").Action} Action */
/** @typedef {import("../../www/state/interventions.ts").LabIntervention} LabIntervention */
/** @typedef {import("../../www/state/fields.ts").Field<any>} Field */

const RUNS = Number(process.env.RUNS ?? 300);
const FIRST = Number(process.env.SEED ?? 1);

/** The settings of the page's views, and of one view that has a field of every kind. @type {import("../../www/state/fields.ts").ViewFields} */
const FIELDS_OF_VIEWS = {
  ...Object.fromEntries(
    Object.entries(VIEWS).map(([name, view]) => [name, /** @type {any} */ (view).settings ?? {}]),
  ),
  "every.kind": {
    at: choice(["z", "q", "resid_pre"], "z"),
    title: text("a title"),
    top: whole(5, { min: 1, max: 50 }),
    scale: number(1),
    each: flag(false),
    rows: optional(whole(0)),
    ids: list(whole(0), "ids"),
    slice: json({ rows: "pos" }, (value) => typeof value === "object" && value !== null, "a slice"),
  },
};

/** @param {(random: Random, seed: number) => void} law */
function always(law) {
  for (let seed = FIRST; seed < FIRST + (process.env.SEED ? 1 : RUNS); seed++) {
    try {
      law(new Random(seed), seed);
    } catch (error) {
      if (error instanceof Error) error.message = `SEED=${seed}: ${error.message}`;
      throw error;
    }
  }
}

/** Writing to a frozen object throws in a module. @template T @param {T} value @returns {T} */
function frozen(value) {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(frozen);
  }
  return value;
}

// ---- random values ----

const TEXTS = [
  "",
  " ",
  "to be, or not to be",
  "a & b = #c?\n 100% “moon” 🌙 +",
  "%23%2B%%",
  "שלום\u202e",
  "\u0000\r\n\t",
  "👩‍👩‍👧‍👦 e\u0301",
  "null",
  "007",
  "1,2",
  '"7"',
  "[]",
  "constructor",
  "__proto__",
];

/** @param {Random} random */
const anyText = (random) =>
  random.chance(0.7)
    ? random.pick(TEXTS)
    : String.fromCodePoint(...random.list(12, () => 0x20 + random.below(0x3000)));

/** @param {Random} random */
const anyNumber = (random) => random.pick([0, 1, -1, 0.5, 2, -3.25, 1e-9, 1e21, 0.1 + 0.2]);

/** Values that a field may have, by what it accepts. @param {Random} random @param {Field} field */
function fieldValue(random, field) {
  const words = /^one of (.*)$/.exec(field.expected)?.[1].split(", ") ?? [];
  const candidates = [
    ...[null, true, false, anyText(random), field.fallback, ...words, random.below(60)],
    ...[anyNumber(random), random.list(4, () => random.below(9)), { query: random.below(9) }],
    ...[
      { query: 1, key: 0 },
      { key: random.below(9) },
      random.list(3, () => anyIntervention(random)),
    ],
    ...[{ rows: "pos", columns: "d_model", index: { head: random.below(3) } }],
  ];
  return random.pick(candidates.filter((value) => field.accepts(value)));
}

/** @param {Random} random */
const anyDirection = (random) =>
  random.pick([
    { difference: [anyText(random), anyText(random)] },
    { head: { layer: random.below(4), head: random.below(4) } },
    { head: { layer: 0, head: 1, position: random.below(5) - 2 } },
    { neuron: { layer: random.below(4), neuron: random.below(99) } },
    {
      token: random.chance(0.5) ? anyText(random) : random.below(99),
      of: random.pick(["W_U", "W_E"]),
    },
    random.list(4, () => anyNumber(random)),
  ]);

/** @param {Random} random @returns {any} */
const anyRecipe = (random) =>
  random.pick([
    "zero",
    "mean",
    { scale: anyNumber(random) },
    { set: random.chance(0.5) ? anyNumber(random) : random.list(4, () => anyNumber(random)) },
    { knockOut: random.list(3, () => ({ query: random.below(9), key: random.below(9) })) },
    { knockOut: [{ query: 3 }], renormalize: random.chance(0.5) },
    { js: "(x) => x" },
    { add: anyDirection(random), times: anyNumber(random) },
    { from: "corrupted" },
    { from: { prompt: anyText(random) }, fromPositions: random.list(3, () => random.below(9) - 4) },
    { mean: { texts: random.list(3, () => anyText(random)) } },
  ]);

/** @param {Random} random @returns {LabIntervention} */
function anyIntervention(random) {
  // Heads that are switched off have an address of their own, so they are frequent.
  if (random.chance(0.4))
    return { at: `blocks.${random.below(3)}.attn.hook_z`, head: random.below(3), do: "zero" };
  /** @type {any} */
  const one = {
    at: random.pick(["blocks.0.hook_resid_pre", "blocks.1.attn.hook_z", ["z", 1], ["mlp_out", -1]]),
    do: anyRecipe(random),
  };
  if (random.chance(0.3)) one.name = anyText(random);
  if (random.chance(0.2)) one.disabled = true;
  if (random.chance(0.3)) one.head = random.chance(0.5) ? random.below(4) : [0, 2];
  if (random.chance(0.3))
    one.positions = random.chance(0.5) ? -1 : random.list(3, () => random.below(9) - 4);
  if (random.chance(0.2)) one.neuron = random.below(99);
  return one;
}

/** @param {Random} random @returns {Partial<LabState>} */
function anyChoice(random) {
  const names = Object.keys(FIELDS);
  const chosen = Object.fromEntries(
    random
      .list(3, () => random.pick(names))
      .map((name) => [name, fieldValue(random, /** @type {any} */ (FIELDS)[name])]),
  );
  if ("view" in chosen || random.chance(0.2))
    chosen.view = random.pick(Object.keys(FIELDS_OF_VIEWS));
  if (random.chance(0.3)) chosen.views = anySettings(random);
  return chosen;
}

/** @param {Random} random */
function anySettings(random) {
  const view = random.pick(Object.keys(FIELDS_OF_VIEWS));
  const names = Object.keys(FIELDS_OF_VIEWS[view]);
  if (names.length === 0) return {};
  const settings = random
    .list(3, () => random.pick(names))
    .map((name) => [name, fieldValue(random, FIELDS_OF_VIEWS[view][name])]);
  return { [view]: Object.fromEntries(settings) };
}

/** @param {Random} random @returns {Action} */
function anyAction(random) {
  const at = random.below(7) - 1; // some places do not exist
  /** @type {(() => Action)[]} */
  const kinds = [
    () => ({ type: "choose", choice: anyChoice(random) }),
    () => {
      const [[view, settings] = ["every.kind", {}]] = Object.entries(anySettings(random));
      return { type: "set-view", view, settings };
    },
    () => ({ type: "add-intervention", intervention: anyIntervention(random) }),
    () => ({ type: "remove-intervention", at }),
    () => ({ type: "toggle-intervention", at }),
    () => ({ type: "move-intervention", at, to: random.below(7) - 1 }),
    () => ({ type: "edit-intervention", at, intervention: anyIntervention(random) }),
    () => ({ type: "open", state: anyChoice(random) }),
  ];
  return frozen(random.pick(kinds)());
}

/** A state after some actions. @param {Random} random @returns {LabState} */
function anyState(random) {
  let state = frozen(OPENING);
  for (let left = random.below(20); left >= 0; left--)
    state = frozen(reduce(state, anyAction(random), FIELDS_OF_VIEWS));
  return state;
}

// ---- the laws ----

test("an action returns another state or the same object, and changes no former one", () => {
  let [changes, same] = [0, 0];
  always((random) => {
    let state = frozen(OPENING);
    for (let left = 30; left > 0; left--) {
      const before = structuredClone(state);
      const next = frozen(reduce(state, anyAction(random), FIELDS_OF_VIEWS));
      assert.deepEqual(state, before);
      if (next === state) same++;
      else {
        changes++;
        assert.ok(!isEqual(next, state), "an equal state is the same object");
      }
      assert.equal(next.layer === null, next.head === null, "a layer has a head");
      state = next;
    }
  });
  assert.ok(changes > 10 * RUNS || process.env.SEED, `${changes} changes`);
  assert.ok(same > RUNS || process.env.SEED, `${same} actions changed nothing`);
});

test("undo to the beginning and redo to the end passes the same states and ends in the same one", () => {
  let steps = 0;
  always((random) => {
    const store = new Store(frozen(OPENING), FIELDS_OF_VIEWS);
    store.subscribe((state, former) => {
      frozen(state);
      assert.ok(!isEqual(state, former), "listeners hear of changes only");
    });
    let first = store.state;
    for (let left = 60; left > 0; left--) {
      const what = random.next();
      if (what < 0.7) {
        const merge = random.chance(0.4) ? random.pick(["typing", "slider"]) : undefined;
        store.dispatch(anyAction(random), { merge });
      } else if (what < 0.82) store.undo();
      else if (what < 0.92) store.redo();
      else if (what < 0.96) store.seal();
      else {
        store.amend(anyAction(random));
        if (!store.canUndo) first = store.state; // a correction before the first step
      }
    }
    while (store.redo());
    const last = store.state;
    const back = [last];
    while (store.undo()) back.push(store.state);
    steps += back.length;
    assert.deepEqual(store.state, first);
    assert.ok(!store.canUndo);
    const forth = [store.state];
    while (store.redo()) forth.push(store.state);
    assert.deepEqual(forth.reverse(), back);
    assert.deepEqual(store.state, last);
    assert.ok(!store.canRedo);
  });
  assert.ok(steps > 10 * RUNS || process.env.SEED, `${steps} steps`);
});

test("a step after an undo ends what could be done again", () => {
  always((random) => {
    const store = new Store(OPENING, FIELDS_OF_VIEWS);
    for (let left = 10; left > 0; left--) store.dispatch(anyAction(random));
    store.undo();
    if (store.dispatch(anyAction(random))) assert.ok(!store.canRedo && !store.redo());
  });
});

/** What an address can say: no files of a disk, and no code that runs. @param {LabState} state @returns {LabState} */
function shareable(state) {
  return {
    ...state,
    files: "",
    interventions: state.interventions.map((one) =>
      typeof one.do === "object" && "js" in one.do ? { ...one, disabled: true } : one,
    ),
    beside: Object.hasOwn(FIELDS_OF_VIEWS, state.beside) ? state.beside : "",
  };
}

test("an address gives the state back, and is written the same again", () => {
  let interventions = 0;
  always((random) => {
    const state = anyState(random);
    interventions += state.interventions.length;
    const written = write(state, FIELDS_OF_VIEWS);
    const address = read(`#${written}`, FIELDS_OF_VIEWS);
    assert.deepEqual(address.state, shareable(state), written);
    const isAltered = !isEqual({ ...state, files: "" }, shareable(state));
    assert.equal(address.problems.length > 0, isAltered, address.problems.join(" "));
    assert.equal(write(address.state, FIELDS_OF_VIEWS), write(shareable(state), FIELDS_OF_VIEWS));
    // As the bar of a browser keeps it.
    const { hash } = new URL(`#${written}`, "http://localhost/");
    assert.deepEqual(read(hash, FIELDS_OF_VIEWS).state, address.state);
  });
  assert.ok(interventions > RUNS / 3 || process.env.SEED, `${interventions} interventions`);
});

test("a stored visit gives the state back, with its code switched off", () => {
  always((random) => {
    const state = anyState(random);
    const { interventions } = withoutScripts(state.interventions);
    assert.deepEqual(completeState(JSON.parse(JSON.stringify(state)), FIELDS_OF_VIEWS), {
      ...state,
      interventions,
    });
  });
});

test("any text as an address gives a state that can be written, with a sentence about what does not fit", () => {
  let problems = 0;
  always((random) => {
    const names = [
      ...Object.keys(FIELDS),
      "off",
      "look",
      "every.kind.top",
      "every.kind.none",
      "x",
      "__proto__",
      "",
    ];
    const hash = random
      .list(
        8,
        () => `${encodeURIComponent(random.pick(names))}=${encodeURIComponent(anyText(random))}`,
      )
      .join("&");
    const address = read(hash, FIELDS_OF_VIEWS);
    problems += address.problems.length;
    for (const [name, field] of Object.entries(FIELDS))
      assert.ok(
        field.accepts(/** @type {any} */ (address.state)[name]),
        `${name} of ${hash}: ${JSON.stringify(/** @type {any} */ (address.state)[name])}`,
      );
    const again = read(write(address.state, FIELDS_OF_VIEWS), FIELDS_OF_VIEWS);
    assert.deepEqual(again.state, shareable(address.state), hash);
  });
  assert.ok(problems > RUNS || process.env.SEED, `${problems} problems`);
});
