// The address and the browser's history keep what the page shows, so that a reload, a link and the Back button show it again.

import { isEqual } from "../state/fields.js";
import { readLessonAddress, writeLessonAddress } from "../lessons/address.js";
import type { Address } from "../state/address.js";
import { completeState, type LabState } from "../state/state.js";
import type { Change } from "../state/store.js";
import { state, store, VIEW_FIELDS } from "./state.js";

/** Fields whose change makes an entry of the browser's history: they say what is studied. */
const STUDIED = [
  "model",
  "files",
  "dtype",
  "prompt",
  "ids",
  "corrupted",
  "view",
  "beside",
  "interventions",
  "lesson",
  "step",
] as const satisfies readonly (keyof LabState)[];

/** The present entry of the history is to be kept, and another one made. */
let pushes = false;
/** The text was typed since the box got the focus: what is typed from now on belongs to the same entry. */
let isTyped = false;
let timer: ReturnType<typeof setTimeout> | undefined;

/** Notes a change, and writes the address in another task, because browsers take long to change it. */
export function keepInHistory(next: LabState, former: LabState, change: Change) {
  const isStudied = STUDIED.some((name) => !isEqual(next[name], former[name]));
  const continues = state.isTyping && isTyped;
  if (state.isTyping) isTyped = true;
  if (isStudied && change !== "amend" && !continues && !isRestoring) pushes = true;
  clearTimeout(timer);
  timer = setTimeout(updateAddress);
}

/** The text box was left: typing in it again makes another entry. */
export function endTyping() {
  isTyped = false;
  store.seal();
}

/** Writes what the page shows to the address. What has its default value is left out. */
export function updateAddress() {
  clearTimeout(timer);
  const lab = store.state;
  try {
    // An entry that a link made has no state yet.
    history[pushes && history.state ? "pushState" : "replaceState"](
      { lab },
      "",
      `#${writeLessonAddress(lab, VIEW_FIELDS)}`,
    );
  } catch {
    // A sandboxed frame must not change the address, and browsers limit how often it changes.
  }
  pushes = false;
}

/** The state is set from the history, which has an entry of it. */
let isRestoring = false;

/** Opens a state that the history has, or that the visitor wrote into the address. This can be undone like any other step. */
export function restore(lab: LabState) {
  clearTimeout(timer);
  pushes = false;
  isRestoring = true;
  store.seal();
  store.dispatch({ type: "open", state: lab });
  isRestoring = false;
  updateAddress();
}

/** The state of the present entry; null if this page did not write it, as that of a link. */
export function stateOfHistory(): LabState | null {
  const { lab = null } = (history.state ?? {}) as { lab?: unknown };
  return lab === null ? null : completeState(lab, VIEW_FIELDS);
}

export function readAddress(): Address {
  return readLessonAddress(location.hash, VIEW_FIELDS);
}
