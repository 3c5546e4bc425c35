// The menu of texts: picking a next token or generating makes a branch, which is left with one click. They last as long as the tab.

import { addText, findText, firstDifference, textsIn, type TextEntry } from "../state/texts.js";
import { page, session, state, store } from "./state.js";
import { openingIds, parseIds } from "../session/ids.js";

const KEY = "candlescope-texts";

let texts: readonly TextEntry[] = textsOfTab();

function textsOfTab() {
  try {
    return textsIn(JSON.parse(sessionStorage.getItem(KEY) ?? "[]"));
  } catch {
    return [];
  }
}

const current = () => ({ text: page.prompt.value, isIds: state.isIds });

/**
 * Notes that a text continues another one.
 * @param generated from which position on the model wrote it; null if the visitor chose its last token
 */
export function addBranch(text: string, parent: string, generated: number | null) {
  const { isIds } = state;
  const former = findText(texts, { text: parent, isIds });
  texts = addText(texts, {
    ...{ text: parent, isIds, parent: null, generated: null },
    ...former,
  });
  texts = addText(texts, { text, isIds, parent, generated });
  try {
    sessionStorage.setItem(KEY, JSON.stringify(texts));
  } catch {
    // The texts last until the page is closed.
  }
  showTexts();
}

/** From which position on the model wrote the text; Infinity if it did not. */
export function generatedFrom(text: string): number {
  return findText(texts, { text, isIds: state.isIds })?.generated ?? Infinity;
}

/** Shows the buttons as they are for the present text. */
export function showTexts() {
  const own = texts.filter(({ isIds }) => isIds === state.isIds);
  page.texts.hidden = own.length === 0;
  page.texts.textContent = `texts (${own.length})`;
  page.leave.hidden = (findText(texts, current())?.parent ?? null) === null;
  if (own.length === 0) closeTexts();
  else if (!page.textList.hidden) fillList();
}

function fillList() {
  const now = current();
  const buttons = texts
    .filter(({ isIds }) => isIds === state.isIds)
    .map((entry) => {
      const item = document.createElement("li");
      const button = document.createElement("button");
      const isCurrent = entry.text === now.text;
      const { before, after } = firstDifference(
        entry.text,
        isCurrent ? (entry.parent ?? "") : now.text,
      );
      const mark = document.createElement("b");
      mark.textContent = after;
      button.append(before, mark);
      if (isCurrent) button.setAttribute("aria-current", "true");
      button.title = entry.text.slice(-400);
      button.addEventListener("click", () => open(entry.text));
      item.append(button);
      return item;
    });
  page.textList.replaceChildren(...buttons);
}

function open(text: string) {
  closeTexts();
  page.texts.focus();
  chooseText(text);
}

/** Opens or closes the menu. */
export function toggleTexts() {
  if (!page.textList.hidden) return closeTexts();
  page.textList.hidden = false;
  page.texts.setAttribute("aria-expanded", "true");
  fillList();
  page.textList.querySelector("button")?.focus();
}

export function closeTexts() {
  if (page.textList.hidden) return;
  const hadFocus = page.textList.contains(document.activeElement);
  page.textList.hidden = true;
  page.texts.setAttribute("aria-expanded", "false");
  if (hadFocus) page.texts.focus();
}

/** Goes back to the text that the present one continues. */
export function leaveBranch() {
  const parent = findText(texts, current())?.parent;
  if (typeof parent === "string") chooseText(parent);
}

/** Studies a text: one step of the history. */
export function chooseText(text: string) {
  if (state.generating) return;
  store.seal();
  if (!state.isIds) return store.dispatch({ type: "choose", choice: { prompt: text } });
  const config = session.model?.config;
  if (!config) return;
  const ids = text === openingIds(config) ? null : [...parseIds(text, config.vocab_size)];
  store.dispatch({ type: "choose", choice: { ids } });
}
