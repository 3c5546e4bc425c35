// The text of the prompt box is read, and the reading is shown.

import type { Head } from "../elements/heads.js";
import type { Reading } from "../session/reading.js";
import { strongestInduction } from "../session/scores.js";
import { updateAddress } from "./address.js";
import { clearError, showError } from "./errors.js";
import { clearInputError, showInputError } from "./input.js";
import { setHeadsOff, toggled } from "./heads-off.js";
import { clearNext, updateNext } from "./next.js";
import { page, session, state } from "./state.js";

/**
 * Reads the text of the prompt box. Until it is read, the last figure stays, dimmed. If it cannot be read, the figure stays
 * dimmed and the error says why.
 */
export async function readPrompt() {
  const { interventions, isCropped: crop } = state;
  try {
    const layer = page.figure.layer;
    const reading = await session.read(page.prompt.value, { layer, interventions, crop });
    if (!reading) return;
    state.isCropped = reading.dropped > 0;
    clearError();
    clearInputError();
  } catch (error) {
    clearNext();
    page.count.textContent = "";
    // The box of ids has its own place for what is wrong with them.
    if (state.isIds && (error as Error).name === "InputError") showInputError(error as Error);
    else showError(error);
  }
}

/** Shows the session's reading, or the layers of it that are there. */
export function showReading(reading: Reading) {
  if (!state.isHeadChosen && reading.scores.length > 0) {
    const { layer, head } = strongestInduction(reading.scores);
    Object.assign(page.figure, { layer, head });
  }
  clampHead();
  page.figure.reading = reading;
  page.figure.stale = session.isStale;
  page.next.disabled = false;
  updateCount(reading);
  updateNext();
  prepareView();
  setTimeout(updateAddress); // in another task, because browsers take long to change the address
}

/** A head from an address, or from a larger model, may not exist in this one. */
function clampHead() {
  const config = session.model?.config;
  if (!config) return;
  page.figure.layer = Math.min(page.figure.layer, config.n_layer - 1);
  page.figure.head = Math.min(page.figure.head, config.n_head - 1);
}

export function updateCount({ ids, dropped }: Reading) {
  page.count.textContent = dropped
    ? `the last ${ids.length} of ${ids.length + dropped} tokens; the model cannot read more at once`
    : `${ids.length} of ${session.model?.config.n_positions} tokens`;
}

/** Computes what the open view needs beyond the reading. */
export function prepareView() {
  session.prepare(state.generating ? {} : page.figure.requests);
}

/** Shows a layer whose pattern may not be there yet. */
export function showLayer(layer: number) {
  session.needLayer(layer).catch(showError);
}

/** Switches a head off or on again, and reads the text. */
export function toggleHead(head: Head) {
  if (!session.model || state.generating) return;
  state.isHeadChosen = true; // another head may become the strongest one
  readWithout(toggled(head));
}

/** Reads the text with exactly these heads switched off. */
export function readWithout(off: readonly Head[]) {
  if (state.generating) return;
  setHeadsOff(off);
  readPrompt();
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
