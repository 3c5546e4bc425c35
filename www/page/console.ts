// What the console of DevTools gets: candlescope.model, candlescope.reading, candlescope.state and candlescope.store.

import type { Reading } from "../session/reading.js";
import type { LabState } from "../state/state.js";
import type { Store } from "../state/store.js";
import { type Model, session, store } from "./state.js";

/** What is on show now: each property is read again at every use. */
export interface CandlescopeConsole {
  /** the model in use; null until one is there */
  readonly model: Model | null;
  /** the text as the model has read it; null until one is read */
  readonly reading: Reading | null;
  /** what the page shows, as plain data */
  readonly state: LabState;
  /** changes the state: store.dispatch({ type: "choose", choice: { layer: 1, head: 1 } }), store.undo() */
  readonly store: Store;
}

declare global {
  var candlescope: CandlescopeConsole | undefined;
}

/** Makes the global variable, and says once that it is there. */
export function openConsole() {
  globalThis.candlescope = {
    get model() {
      return session.model;
    },
    get reading() {
      return session.reading;
    },
    get state() {
      return store.state;
    },
    get store() {
      return store;
    },
  };
  console.info(
    'candlescope: candlescope.model, .reading, .state and .store are those of this page, such as: await candlescope.model.tokenize("To be")',
  );
}
