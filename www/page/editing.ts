// The text is edited in place: the box lies over the tokens while it has the focus.

import { textOf } from "../draw/token.js";
import { endTyping } from "./address.js";
import { choiceOfBox } from "./input.js";
import { readIfNeeded } from "./prompt.js";
import { typeCorrupted } from "./prompts.js";
import { sealAfter } from "./sealing.js";
import { page, session, state, store } from "./state.js";

/** Typing that rests for this long is a step of its own. */
const REST_MS = 1500;

/** Listens to the boxes of both prompts. */
export function editTexts() {
  page.prompt.addEventListener("input", () => {
    state.isTyping = true;
    store.dispatch({ type: "choose", choice: choiceOfBox() }, { merge: "prompt" });
    state.isTyping = false;
    readIfNeeded(); // ids may be written differently, or not be valid
    sealAfter(REST_MS);
  });
  page.corrupted.addEventListener("input", () => {
    typeCorrupted();
    sealAfter(REST_MS);
  });
  for (const box of [page.prompt, page.corrupted]) box.addEventListener("blur", endTyping);
  page.edit.addEventListener("click", () => editAt(page.prompt.value.length));
  page.figure.addEventListener("dblclick", editToken);
}

/** Shows the box, with the caret at a character. */
export function editAt(at: number) {
  page.prompt.focus();
  page.prompt.setSelectionRange(at, at);
}

/** A double click on a token puts the caret in front of it. */
function editToken(event: MouseEvent) {
  const path = event.composedPath();
  const isOfText = path.some((one) => one instanceof Element && one.localName === "token-strip");
  const token = path.find((one) => one instanceof HTMLElement && one.dataset.position) as
    | HTMLElement
    | undefined;
  if (!isOfText || !token || page.prompt.readOnly) return;
  event.preventDefault();
  getSelection()?.removeAllRanges(); // the browser selects the word
  editAt(characterOf(Number(token.dataset.position)));
}

/** Where a token begins in the box. */
function characterOf(position: number): number {
  const { reading } = session;
  const { value } = page.prompt;
  if (!reading) return value.length;
  if (reading.isIds) {
    const words = [...value.matchAll(/\d+/g)];
    return words[reading.dropped + position]?.index ?? value.length;
  }
  const texts = reading.tokens.map(textOf);
  const read = texts.join("");
  // A tokenizer may change the text, as to lower case: then the place is about right.
  const dropped = Math.max(0, value.length - read.length);
  return Math.min(value.length, dropped + texts.slice(0, position).join("").length);
}
