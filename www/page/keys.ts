// The page's keys.

import { closeSection } from "./controls.js";
import { editAt } from "./editing.js";
import { toggleHead } from "./interventions.js";
import { focusLesson } from "./lessons.js";
import { page, query, state, store } from "./state.js";
import { closeTexts } from "./texts.js";

const KEY = "candlescope-shortcuts";

/** Whether single letters are shortcuts. */
const shortcuts = query<HTMLInputElement>("#shortcuts");

function isKeptOff() {
  try {
    return localStorage.getItem(KEY) === "off";
  } catch {
    return false;
  }
}

/** Listens to the keys. */
export function listenToKeys() {
  shortcuts.checked = !isKeptOff();
  shortcuts.addEventListener("change", () => {
    try {
      localStorage.setItem(KEY, shortcuts.checked ? "on" : "off");
    } catch {
      // Without storage the choice lasts until the page is closed.
    }
  });
  document.addEventListener("keydown", onKey);
  page.undo.addEventListener("click", undo);
  page.redo.addEventListener("click", redo);
  // The browser's own undo, as from its menu, does not know what the state says.
  for (const box of [page.prompt, page.corrupted])
    box.addEventListener("beforeinput", (event) => {
      if (event.inputType === "historyUndo") step(event, undo);
      if (event.inputType === "historyRedo") step(event, redo);
    });
}

function step(event: Event, act: () => void) {
  event.preventDefault();
  act();
}

/** Undoes the last step. The text that the model is writing becomes a step first. */
function undo() {
  if (state.generating) state.generating.abort();
  else store.undo();
}

function redo() {
  if (!state.generating) store.redo();
}

function onKey(event: KeyboardEvent) {
  if (event.defaultPrevented) return;
  const target = event.composedPath()[0];
  const field =
    target instanceof HTMLElement && target.matches("input, textarea, select") ? target : null;
  const hasModifier = event.ctrlKey || event.metaKey;
  const key = event.key.toLowerCase();
  if (hasModifier && !event.altKey && (key === "z" || key === "y")) {
    if (!hasOwnHistory(field)) step(event, key === "y" || event.shiftKey ? redo : undo);
  } else if (event.key === "Escape") leave(field);
  else if (hasModifier || event.altKey || field || !shortcuts.checked) return;
  else if (key === "/") step(event, () => editAt(page.prompt.value.length));
  else if (key === "x") toggleHead(page.figure.shownHead);
  else if (key === "l" && focusLesson()) event.preventDefault();
}

/** Boxes whose text is not a part of the state have the browser's undo. */
function hasOwnHistory(field: HTMLElement | null) {
  if (!field || field === page.prompt || field === page.corrupted) return false;
  return !field.matches("select, input:is([type=range], [type=checkbox], [type=radio])");
}

/** Leaves what is innermost: the menu of texts, a box, a section of the header, or the lock. */
function leave(field: HTMLElement | null) {
  if (!page.textList.hidden) closeTexts();
  else if (closeSection()) return;
  else if (field) field.blur();
  else store.dispatch({ type: "choose", choice: { lock: null } });
}
