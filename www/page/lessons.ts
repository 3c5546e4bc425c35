// The lessons on the page: the card of the open step, the list of lessons, the line that offers the tour, and texts to try.

import "../elements/define/lesson-samples.js";
import "../elements/define/lesson-start.js";
import type { LessonList, LessonListEvents } from "../elements/lesson-list.js";
import type { LessonPanel, LessonPanelEvents, ShownStep } from "../elements/lesson-panel.js";
import type { LessonSamples, LessonSamplesEvents } from "../elements/lesson-samples.js";
import type { LessonStart, LessonStartEvents } from "../elements/lesson-start.js";
import { isAsOpened } from "../lessons/address.js";
import {
  addressOfStep,
  findPlace,
  LESSONS,
  lessonOf,
  PLACES,
  type Sample,
  stateOfStep,
  stepOf,
} from "../lessons/index.js";
import { openingSentence } from "../lessons/opening.js";
import { describe } from "../session/scores.js";
import { isSameHead } from "../state/interventions.js";
import { OPENING } from "../state/state.js";
import { toggleSection } from "./controls.js";
import { defineDeferred } from "./elements.js";
import { showError } from "./errors.js";
import { page, query, session, state, store, VIEW_FIELDS } from "./state.js";

const panel = query<LessonPanel>("lesson-panel");
const list = query<LessonList>("lesson-list");
const start = query<LessonStart>("lesson-start");
const samples = query<LessonSamples>("lesson-samples");

type Events = LessonPanelEvents & LessonListEvents & LessonSamplesEvents & LessonStartEvents;

/** Listens to the events of the lessons. */
export function listenToLessons() {
  const on = <Name extends keyof Events>(name: Name, act: (detail: Events[Name]) => unknown) =>
    document.addEventListener(name, (event) => act((event as CustomEvent).detail));
  list.lessons = LESSONS.map(({ steps, ...lesson }) => ({
    ...lesson,
    steps: steps.map(({ title }, at) => ({ title, href: addressOfStep(lesson.name, at + 1) })),
  }));
  on("tour-start", () => begin(LESSONS[0].name, 1));
  on("lesson-open", ({ lesson, step }) => begin(lesson, step));
  on("lesson-move", move);
  on("lesson-leave", leave);
  on("lesson-visit", visit);
  on("sample-choose", choose);
}

// ---- what the visitor does ----

/** Opens a step, and moves the keyboard to its card. */
function begin(lesson: string, step: number) {
  toggleSection("lessons", false);
  open(lesson, step);
  panel.focus();
}

/** Opens what a step shows: one step of the history, which can be undone. */
function open(lesson: string, step: number) {
  const opened = stateOfStep(lesson, step);
  if (!opened) return;
  state.generating?.abort();
  store.seal();
  store.dispatch({ type: "open", state: opened });
}

/** Goes on, back, or to the next lesson; by 0, the step is opened again. */
function move(by: 1 | -1 | 0) {
  const { lesson, step } = store.state;
  if (stepOf(lesson, step + by)) return open(lesson, step + by);
  const following = by === 1 ? after(lesson) : undefined;
  if (following) open(following.name, 1);
}

function after(lesson: string) {
  return LESSONS[LESSONS.findIndex(({ name }) => name === lesson) + 1];
}

/** The page stays as the lesson left it. */
function leave() {
  store.seal();
  store.dispatch({ type: "choose", choice: { lesson: "", step: OPENING.step } });
  start.updateComplete.then(() => start.focus());
}

/** Moves the keyboard to what the step is about. */
function visit() {
  const step = stepOf(store.state.lesson, store.state.step);
  const place = step && findPlace(step.place, document);
  if (place) focusableIn(place)?.focus();
}

const FOCUSABLE =
  ":is(button, input, select, textarea):not(:disabled), a[href], [tabindex]:not([tabindex='-1'])";

/** The first element in a place that takes the focus, through shadow roots. */
function focusableIn(place: Element): HTMLElement | null {
  if (place instanceof HTMLElement && place.matches(FOCUSABLE)) return place;
  for (const child of (place.shadowRoot ?? place).children) {
    const found = focusableIn(child);
    if (found?.checkVisibility()) return found;
  }
  return null;
}

/** Chooses a text to try; what else is chosen stays. */
function choose(at: number) {
  const sample = currentSamples()[at];
  if (!sample || state.generating) return;
  store.seal();
  const released = { lock: null, position: null, answer: null, against: null };
  store.dispatch({ type: "choose", choice: { ...released, ...sample.state } });
}

/** The texts of the open lesson, or one of each lesson. */
function currentSamples(): readonly Sample[] {
  const lesson = lessonOf(store.state.lesson);
  if (lesson) return lesson.samples;
  const opening = { label: "the opening text", state: { prompt: OPENING.prompt } };
  const found = [opening, ...LESSONS.map(({ samples: [first] }) => first)];
  return found.filter(
    ({ state: { prompt } }, place) =>
      found.findIndex((other) => other.state.prompt === prompt) === place,
  );
}

// ---- what the page shows ----

/** The step that `panel.find` is about. */
let found = "";

/** Shows the step that the state names, if it names one. */
export function showLesson() {
  const { lesson: name, step } = store.state;
  const lesson = lessonOf(name);
  const current = stepOf(name, step);
  const href = addressOfStep(name, step);
  panel.shown = lesson && current && shownStep(href);
  if (panel.shown) defineDeferred().catch(showError);
  if (current && href !== found) panel.find = () => findPlace(current.place, document);
  found = current ? href : "";
  Object.assign(list, { lesson: name, step });
  start.isOpen = lesson !== null;
  samples.samples = currentSamples().map(({ label, state }) => ({
    label,
    text: state.prompt ?? "",
  }));
  samples.disabled = state.isIds;
  showOpening();
}

function shownStep(href: string): ShownStep | null {
  const { lesson: name, step } = store.state;
  const [lesson, current] = [lessonOf(name), stepOf(name, step)];
  if (!lesson || !current) return null;
  const { title, text, source, place } = current;
  return {
    ...{ lesson: lesson.title, step, count: lesson.steps.length },
    ...{ title, text, place: PLACES[place].words, href },
    ...(source && { source }),
    following: after(name)?.title ?? "",
    isChanged: !isAsOpened(store.state, VIEW_FIELDS),
  };
}

/** Says in a line what the figure shows. */
export function showOpening() {
  const { reading } = session;
  const { layer, head } = page.figure;
  const score = reading?.scores.find((one) => isSameHead(one, { layer, head }));
  const pattern = reading?.patterns[layer];
  const described =
    reading && score && pattern ? describe(score, pattern, reading.ids, reading.tokens) : null;
  start.sentence = openingSentence(store.state.view, { layer, head }, described);
}

/** Moves the keyboard to the card of the open step. @returns whether one is open */
export function focusLesson(): boolean {
  if (panel.shown) panel.focus();
  return panel.shown !== null;
}
