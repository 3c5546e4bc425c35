// The text box: a text, or token ids if the model has no tokenizer. The state owns the text; the box shows it.

import { openingIds, parseIds } from "../session/ids.js";
import { isEqual } from "../state/fields.js";
import type { LabState } from "../state/state.js";
import { page, session, state, store, type Model } from "./state.js";

/** What the box asks for; nothing if it holds ids that are not valid. */
export function choiceOfBox(): Partial<LabState> {
  const { value } = page.prompt;
  if (!state.isIds) return { prompt: value };
  const ids = currentIds();
  if (ids === null) return {};
  const isOpening = session.model && ids.join(" ") === openingIds(session.model.config);
  return { ids: isOpening ? null : ids };
}

/** The ids in the box; null if they are not valid. */
export function currentIds(): number[] | null {
  return session.model ? idsIn(page.prompt.value, session.model.config.vocab_size) : null;
}

/** The text as the model reads it: ids, if it reads only its end or takes only ids. */
export function currentInput(): string | number[] {
  const { reading } = session;
  const isCurrent = reading !== null && reading.text === page.prompt.value;
  if (isCurrent && (reading.dropped > 0 || reading.isIds)) return [...reading.ids];
  return state.isIds ? (currentIds() ?? []) : page.prompt.value;
}

function idsIn(text: string, vocabulary: number): number[] | null {
  try {
    return [...parseIds(text, vocabulary)];
  } catch {
    return null;
  }
}

/** Writes the text of the state into the box. Ids that the box has in another notation stay as they are. */
export function showText() {
  const { prompt, ids } = store.state;
  const config = session.model?.config;
  if (!session.model) state.isIds = ids !== null;
  if (!state.isIds) return write(prompt);
  const text = ids?.join(" ") ?? (config ? openingIds(config) : "");
  const current = idsIn(page.prompt.value, config?.vocab_size ?? Infinity);
  if (!isEqual(current, text.split(" ").map(Number))) write(text);
}

/** Sets the box's text; the caret goes to the end of what changed. */
function write(text: string) {
  const { prompt } = page;
  const former = prompt.value;
  if (former === text) return;
  const isFocused = document.activeElement === prompt;
  prompt.value = text;
  if (!isFocused) return;
  let end = 0;
  const most = Math.min(former.length, text.length);
  while (end < most && former.at(-1 - end) === text.at(-1 - end)) end += 1;
  prompt.setSelectionRange(text.length - end, text.length - end);
}

/** Shows the box as the model reads it. */
export function showInput(model: Model) {
  state.isIds = !model.hasTokenizer;
  clearInputError();
  const { prompt, addTokenizer } = page;
  prompt.setAttribute("aria-label", state.isIds ? "token ids" : "the text");
  prompt.title = `Type any ${state.isIds ? "token ids" : "text"}; / comes back here`;
  prompt.classList.toggle("ids", state.isIds);
  Object.assign(addTokenizer, { hidden: !state.isIds, vocabulary: model.config.vocab_size });
  showText();
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
