// The text box: a text, or token ids if the model has no tokenizer.

import { openingIds, parseIds } from "../session/ids.js";
import type { AddressState } from "./hash.js";
import { page, session, state, type Model } from "./state.js";

const SENTENCE =
  "You are gentlemen of brave metal; you would lift the moon out of her sphere, if she would continue in it five weeks without changing.";
/** A sentence twice, so that an induction head can copy. */
const DEFAULT_PROMPT = `${SENTENCE} ${SENTENCE}`;

/** The part of the address that says what is read. What has its default value is left out. */
export function inputOfAddress(): Pick<AddressState, "prompt" | "ids"> {
  const { value } = page.prompt;
  if (!state.isIds) return value === DEFAULT_PROMPT ? {} : { prompt: value };
  const ids = currentIds();
  return ids === null || (session.model && value === openingIds(session.model.config))
    ? {}
    : { ids };
}

/** The ids in the box; null if they are not valid. */
export function currentIds(): number[] | null {
  return session.model ? idsIn(page.prompt.value, session.model) : null;
}

function idsIn(text: string, { config }: Model): number[] | null {
  try {
    return [...parseIds(text, config.vocab_size)];
  } catch {
    return null;
  }
}

/** Puts what an address asks for into the box, as far as that needs no model. */
export function applyInput({ prompt, ids }: Pick<AddressState, "prompt" | "ids">) {
  const { model } = session;
  state.text = prompt ?? DEFAULT_PROMPT;
  if (ids) page.prompt.value = ids.join(" ");
  else if (state.isIds && model) page.prompt.value = openingIds(model.config);
  else page.prompt.value = state.text;
  state.isCropped = prompt !== undefined || ids !== undefined; // the model may have written a part of it
}

/**
 * Shows the box as the model reads it. Its content stays if the model can read it; otherwise it is what the address asks for,
 * the last text, or ids from all of the vocabulary. A text that is longer than the context shows its end.
 */
export async function showInput(model: Model, { ids }: Pick<AddressState, "ids"> = {}) {
  const wasIds = state.isIds;
  state.isIds = !model.hasTokenizer;
  state.isCropped = true;
  clearInputError();
  const { prompt, addTokenizer } = page;
  prompt.setAttribute("aria-label", state.isIds ? "token ids" : "the text");
  prompt.title = `Type any ${state.isIds ? "token ids" : "text"}; / comes back here`;
  prompt.classList.toggle("ids", state.isIds);
  Object.assign(addTokenizer, { hidden: !state.isIds, vocabulary: model.config.vocab_size });
  if (state.isIds) {
    if (!wasIds && !ids) state.text = prompt.value;
    const isOwn = wasIds && prompt.value !== state.opening && idsIn(prompt.value, model) !== null;
    state.opening = openingIds(model.config);
    prompt.value = ids?.join(" ") ?? (isOwn ? prompt.value : state.opening);
  } else if (ids) {
    const text = await model.detokenize(ids).catch(() => state.text);
    if (session.model === model) prompt.value = text;
  } else if (wasIds) prompt.value = state.text;
}

/** Reads on with the tokenizer that was added: the same tokens as text, or the former text if the ids were the opening ones. */
export async function showText(model: Model, ids: Uint32Array | null, former: string) {
  const isOpening = former === openingIds(model.config);
  await showInput(model, ids && !isOpening ? { ids: [...ids] } : {});
}

// ---- what is wrong with the ids ----

export function showInputError({ message }: Error) {
  page.promptError.textContent = message.replace(/[.!]?$/, ".");
  page.promptError.hidden = false;
  page.prompt.setAttribute("aria-invalid", "true");
}

export function clearInputError() {
  page.promptError.textContent = "";
  page.promptError.hidden = true;
  page.prompt.removeAttribute("aria-invalid");
}
