// Does what a change of the state asks for. Everything that the visitor does changes the state, and everything else follows from it.

import type { LabState } from "../state/state.js";
import type { Change } from "../state/store.js";
import { keepInHistory } from "./address.js";
import { replaceGeneration } from "./generating.js";
import { showText } from "./input.js";
import { showLesson } from "./lessons.js";
import { cancelPending, openModel } from "./loading.js";
import { updateNext } from "./next.js";
import { prepareView, readIfNeeded, showLayer, showStale, showState } from "./prompt.js";
import { showPrompts } from "./prompts.js";
import { isOtherModel, page, state, store } from "./state.js";
import { showTexts } from "./texts.js";

/** Follows the store's state from now on. */
export function followState() {
  store.subscribe(follow);
  showHistory();
  showText();
  showState();
  showPrompts();
  showLesson();
}

function follow(next: LabState, former: LabState, change: Change) {
  if (isReplaced(next, former)) replaceGeneration();
  showHistory();
  if (!state.isTyping) showText();
  showState();
  showPrompts();
  showLesson();
  keepInHistory(next, former, change);
  if (isOtherModel(next)) {
    if (names(next) !== names(former)) openModel(change === "dispatch" ? "address" : "history");
    return;
  }
  cancelPending();
  readIfNeeded();
  showStale();
  if (next.layer !== former.layer) showLayer();
  if (next.position !== former.position) updateNext();
  prepareView();
  showTexts();
}

/** Whether a generation goes on with something that the state does not say any more. */
function isReplaced(next: LabState, former: LabState) {
  const fields = ["model", "files", "dtype", "prompt", "ids", "interventions"] as const;
  return state.generating !== null && fields.some((name) => next[name] !== former[name]);
}

/** What names the model of a state. */
function names({ model, files, dtype }: LabState) {
  return JSON.stringify([model, files, dtype]);
}

/** The buttons that undo a step, and do it again. */
function showHistory() {
  page.undo.disabled = !store.canUndo;
  page.redo.disabled = !store.canRedo;
}
