// What the interventions change, beside their list. Nothing is shown that is about another text or other interventions.

import { Continuer, effectOf } from "../session/effect.js";
import type { Reading } from "../session/reading.js";
import { page, session, state, store } from "./state.js";

/** The text stays as it is for this long before its continuation is computed. */
const REST_MS = 300;
const continuer = new Continuer();
let timer = 0;
let continuing: { reading: Reading; controller: AbortController } | null = null;
/** The last position that was asked for. */
let question = 0;

/** There are interventions that act on the text. */
function isActive() {
  return store.state.interventions.some(({ disabled }) => !disabled);
}

/** Removes what is about another text or other interventions. */
export function showEffect() {
  const { effect } = page;
  const { reading } = session;
  const isCurrent =
    reading !== null && reading.plain !== null && !page.figure.stale && !state.generating;
  effect.active = isActive();
  if (!isCurrent || effect.effect?.reading !== reading) effect.effect = null;
  if (!isCurrent || effect.continuations?.reading !== reading) effect.continuations = null;
  if (!isCurrent || continuing?.reading !== reading) stopContinuing();
  if (effect.active && state.generating)
    effect.note = "is measured again when the model has written";
  else if (effect.note !== "" && isCurrent) effect.note = "";
}

/** The text could not be read. */
export function failEffect() {
  stopContinuing();
  Object.assign(page.effect, {
    active: isActive(),
    effect: null,
    continuations: null,
    note: "is unknown, because the text could not be read",
  });
}

/** Measures the effect at a position of the reading. */
export async function updateEffect(position: number) {
  showEffect();
  const { model, reading } = session;
  if (!model || !reading?.plain || page.figure.stale || state.generating) return;
  continueLater(reading);
  const asked = ++question;
  const found = await effectOf(model, reading, position);
  if (asked === question && session.reading === reading && !page.figure.stale)
    page.effect.effect = found;
}

/** Computes how the model goes on, once nothing has changed for a while. */
function continueLater(reading: Reading) {
  if (page.effect.continuations?.reading === reading || continuing?.reading === reading) return;
  stopContinuing();
  const controller = new AbortController();
  continuing = { reading, controller };
  page.effect.failure = "";
  timer = window.setTimeout(() => computeContinuations(reading, controller.signal), REST_MS);
}

async function computeContinuations(reading: Reading, signal: AbortSignal) {
  const { model } = session;
  if (!model) return;
  try {
    const found = await continuer.compare(model, reading, signal);
    if (!signal.aborted) page.effect.continuations = found;
  } catch (error) {
    if (!signal.aborted) page.effect.failure = (error as Error).message;
  } finally {
    if (continuing?.reading === reading) continuing = null;
  }
}

function stopContinuing() {
  clearTimeout(timer);
  continuing?.controller.abort();
  continuing = null;
}
