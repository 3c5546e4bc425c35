// The texts are read, and the readings are shown.

import type { Reading } from "../session/reading.js";
import { changeWords } from "../session/intervention-words.js";
import { Resolution } from "../session/resolution.js";
import { strongestInduction } from "../session/scores.js";
import { isEqual } from "../state/fields.js";
import { FIELDS, type LabState } from "../state/state.js";
import { fromStart } from "../state/indices.js";
import { type LabIntervention, patchesFromCorrupted } from "../state/interventions.js";
import { clearAnswers, updateAnswers } from "./answers.js";
import { clearError, errorWithoutAdvice, showError } from "./errors.js";
import { failEffect, showEffect } from "./effect.js";
import { clearInputError, currentIds, showInputError } from "./input.js";
import { showInterventions, showShown } from "./interventions.js";
import { clearNext, updateNext } from "./next.js";
import { showTokens } from "./prompts.js";
import { generatedFrom, showTexts } from "./texts.js";
import { showTree } from "./tree.js";
import { page, session, state, store, type Model } from "./state.js";

// ---- what is read ----

/** What a reading is about. */
interface Task {
  model: Model;
  text: string;
  corrupted: string | null;
  interventions: readonly LabIntervention[];
}

/** What the last reading was asked to be about, and its end. */
let task: Task | null = null;
let reading: Promise<void> = Promise.resolve();
/** The interventions of the next reading are being computed. */
let isResolving = false;
/** The last reading failed, so that the figure shows a former one. */
let hasFailed = false;
/** What the last reading of the second prompt was asked to be about. */
let corruptedTask: { model: Model; text: string | null } | null = null;

/** The interventions that have an effect, without what only the list shows. */
function enabled(list: readonly LabIntervention[]): LabIntervention[] {
  return list.filter(({ disabled }) => !disabled).map(({ name: _, ...one }) => one);
}

function currentTask(model: Model): Task {
  const interventions = enabled(store.state.interventions);
  const corrupted = interventions.some(patchesFromCorrupted) ? store.state.corrupted : null;
  return { model, text: page.prompt.value, corrupted, interventions };
}

/** Reads the texts that are not the ones that were read last, unless another model is awaited. */
export function readIfNeeded() {
  const { model } = session;
  if (!model || state.isPending) return showStale();
  if (page.next.generating) return; // the model is writing the text, which is read when it has ended
  const next = currentTask(model);
  if (!task || next.model !== task.model || !isEqual({ ...next, model }, { ...task, model }))
    readPrompt();
  const corrupted = store.state.corrupted;
  if (corruptedTask?.model !== model || corruptedTask.text !== corrupted) readCorrupted();
}

/** Reads the texts again, because a generation that was broken off has added tokens to the reading. */
export function readAgain() {
  task = null;
  readIfNeeded();
}

/** The text and its interventions are read: resolves when they are, or cannot be. */
export async function whenRead() {
  readIfNeeded();
  await reading;
}

/**
 * Reads the text of the box. Until it is read, the last figure stays, dimmed. If it cannot be read, the figure stays dimmed and
 * the error says why.
 */
export function readPrompt(): Promise<void> {
  const { model } = session;
  if (!model) return Promise.resolve();
  const current = (task = currentTask(model));
  reading = read(current, () => task === current && session.model === model);
  return reading;
}

async function read({ model, text, interventions: list }: Task, isCurrent: () => boolean) {
  const all = store.state;
  const resolution = new Resolution(model, text, all.interventions, all.corrupted);
  isResolving = list.length > 0;
  hasFailed = false;
  showStale();
  try {
    const interventions = await resolution.resolve();
    if (!isCurrent()) return;
    isResolving = false;
    const { layer } = page.figure;
    const changes = changeWords(list);
    const found = await session.read(text, { layer, interventions, changes, crop: true });
    if (!found) return;
    clearError();
    clearInputError();
    showProblems();
  } catch (failure) {
    if (!isCurrent()) return;
    const error = await resolution.explain(failure);
    if (!isCurrent()) return;
    isResolving = false;
    hasFailed = true;
    clearNext();
    clearAnswers();
    failEffect();
    page.count.textContent = "";
    // The box of ids has its own place for what is wrong with them.
    if (state.isIds && (error as Error).name === "InputError" && currentIds() === null)
      showInputError(error as Error);
    else if (text === "") showError(errorWithoutAdvice("There is no text: write one to be read"));
    else showError(error);
  }
  showStale();
}

/** Says what the address has that the page or the model does not know, once the text is read. */
export function showProblems() {
  if (state.problems.length === 0) return;
  showError(Object.assign(new Error(state.problems.join("; ")), { name: "" }));
  state.problems = [];
}

// ---- the second prompt ----

async function readCorrupted() {
  const { model } = session;
  if (!model) return;
  const current = (corruptedTask = { model, text: store.state.corrupted });
  page.corruptedError.textContent = "";
  try {
    await session.readCorrupted(current.text, { layer: page.figure.layer, crop: true });
  } catch (error) {
    if (corruptedTask !== current) return;
    page.corruptedError.textContent = `The second prompt cannot be read: ${(error as Error).message}`;
  }
}

/** Shows the session's reading of the second prompt. */
export function showCorrupted() {
  const { corrupted } = session;
  page.figure.corrupted = corrupted;
  showTokens();
  page.corruptedCount.textContent = corrupted ? countOf(corrupted) : "";
  updateAnswers();
  prepareView();
}

// ---- what is shown ----

/** Shows the session's reading, or the layers of it that are there. */
export function showReading(found: Reading) {
  page.figure.reading = found;
  page.figure.stale = session.isStale;
  page.figure.generated = Math.max(0, generatedFrom(found.text) - found.dropped);
  showState();
  page.next.disabled = false;
  updateCount(found);
  updateNext();
  prepareView();
  showTexts();
  updateAnswers();
  dropLock(found);
}

/** The last lock that the text had. */
let formerLock: LabState["lock"] = null;

/** A part of the pattern that a shorter text does not have is not locked. An address that locks one is wrong about its text. */
function dropLock({ ids }: Reading) {
  const { lock } = store.state;
  if (!lock) return;
  if (Math.max(lock.query ?? 0, lock.key ?? 0) < ids.length) {
    formerLock = lock;
    return;
  }
  if (lock !== formerLock) {
    const name = FIELDS.lock.write(lock);
    state.problems = [
      ...state.problems,
      `lock=${name} is outside of the text, which has ${ids.length} tokens: nothing is locked`,
    ];
  }
  store.amend({ type: "choose", choice: { lock: null } });
}

/** The head that is drawn: the chosen one, otherwise the strongest induction head. */
function shownHead() {
  const { layer, head } = store.state;
  const config = session.model?.config;
  const scores = session.reading?.scores ?? [];
  const found =
    layer !== null && head !== null
      ? { layer, head }
      : scores.length > 0
        ? strongestInduction(scores)
        : { layer: page.figure.layer, head: page.figure.head };
  if (!config) return { layer: Math.max(0, found.layer), head: Math.max(0, found.head) };
  // An undone step may name a head of a model that is still being loaded.
  const within = (index: number, length: number) =>
    Math.max(0, Math.min(fromStart(index, length), length - 1));
  return { layer: within(found.layer, config.n_layer), head: within(found.head, config.n_head) };
}

/** Gives the elements what the state says. */
export function showState() {
  const { view, beside, views, scale, direction, lock, hook, measured } = store.state;
  const { position, answer, against } = store.state;
  const layers = session.model?.config.n_layer ?? 0;
  Object.assign(page.figure, {
    ...shownHead(),
    ...{ view, beside, views, scale, direction, lock, measured, position, answer, against },
    hook: hook || (layers > 0 ? `blocks.${layers - 1}.hook_resid_post` : ""),
  });
  showInterventions();
  showTree();
  const { doSample, temperature, topK, topP, seed, maxNewTokens } = store.state;
  const sampling = { doSample, temperature, seed, maxNewTokens };
  page.next.sampling = { ...sampling, topK: topK ?? undefined, topP: topP ?? undefined };
}

export function updateCount(found: Reading) {
  page.count.textContent = countOf(found);
}

function countOf({ ids, dropped }: Reading) {
  return dropped
    ? `the last ${ids.length} of ${ids.length + dropped} tokens; the model cannot read more at once`
    : `${ids.length} of ${session.model?.config.n_positions} tokens`;
}

/** How long a figure may be out of date before a line says so. */
const STALE_AFTER_MS = 400;
let staleTimer = 0;

/** Dims a figure that is out of date, and says what it shows. */
export function showStale() {
  const isStale =
    session.isStale || isResolving || hasFailed || (state.isPending && session.reading !== null);
  page.figure.stale = isStale;
  // A text that cannot be read is not that of the tokens below its box.
  const isUnread = hasFailed && session.reading?.text !== page.prompt.value;
  page.prompt.parentElement?.classList.toggle("open", isUnread);
  showEffect();
  showShown();
  clearTimeout(staleTimer);
  if (!isStale) page.stale.textContent = "";
  else staleTimer = window.setTimeout(sayStale, STALE_AFTER_MS);
}

function sayStale() {
  const { reading: drawn } = session;
  if (!drawn) return;
  const text =
    drawn.text.length > 60 ? `${drawn.text.slice(0, 28)} … ${drawn.text.slice(-28)}` : drawn.text;
  const isOtherText = drawn.text !== page.prompt.value;
  page.stale.textContent = state.isPending
    ? `The figure shows the former model, ${state.name}.`
    : isOtherText
      ? `The figure shows the former text, “${text}”.`
      : "The figure shows the text before the last change of the interventions.";
}

/** Computes what the open view needs beyond the reading. */
export function prepareView() {
  session.prepare(state.generating ? {} : page.figure.requests);
}

/** Shows a layer whose pattern may not be there yet. */
export function showLayer() {
  session.needLayer(page.figure.layer).catch(showError);
}

// ---- the button that stops a reading ----

/** A reading that takes longer than this can be stopped. */
const STOP_AFTER_MS = 1000;

/** Shows the button while a reading takes long. */
export function updateStop() {
  const since = session.readingSince;
  const wait = since === null ? 0 : since + STOP_AFTER_MS - performance.now();
  page.stop.hidden = since === null || wait > 0;
  if (wait > 0) setTimeout(updateStop, Math.ceil(wait));
}
