// Changes with the same key that follow each other are one step, until nothing has changed for a while.

import { store } from "./state.js";

let timer = 0;

/** Ends the step if nothing has changed for this long. */
export function sealAfter(ms: number) {
  clearTimeout(timer);
  timer = window.setTimeout(() => store.seal(), ms);
}
