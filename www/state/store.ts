// The state with its history: what was done can be undone, and done again.

import { isEqual, type ViewFields } from "./fields.js";
import { reduce, type Action } from "./reducer.js";
import type { LabState } from "./state.js";

/** How the state changed. "amend" is a correction, which belongs to the last step. */
export type Change = "dispatch" | "undo" | "redo" | "amend";
export type Listener = (state: LabState, former: LabState, change: Change) => void;

export interface DispatchOptions {
  /** Consecutive actions with the same key are undone together, as typing or the moves of a slider, until `seal`. */
  merge?: string;
}

/** Older steps are forgotten. */
const MAX_STEPS = 1000;

export class Store {
  #state: LabState;
  #views: ViewFields;
  #past: LabState[] = [];
  #future: LabState[] = [];
  /** The key of the step that further actions may belong to. */
  #open: string | undefined;
  #listeners: Set<Listener> = new Set();

  /** @param views the settings of each view */
  constructor(state: LabState, views: ViewFields = {}) {
    this.#state = state;
    this.#views = views;
  }

  get state() {
    return this.#state;
  }

  get canUndo() {
    return this.#past.length > 0;
  }

  get canRedo() {
    return this.#future.length > 0;
  }

  /**
   * Changes the state. An action that changes nothing is no step.
   * @returns whether it changed
   */
  dispatch(action: Action, { merge }: DispatchOptions = {}): boolean {
    const former = this.#state;
    const next = reduce(former, action, this.#views);
    if (next === former) return false;
    const belongsToLast = merge !== undefined && merge === this.#open && this.canUndo;
    if (!belongsToLast) this.#past = [...this.#past, former].slice(-MAX_STEPS);
    // A step that ends where it began is none.
    else if (isEqual(this.#past.at(-1), next)) {
      this.#past = this.#past.slice(0, -1);
      merge = undefined;
    }
    this.#open = merge;
    this.#future = [];
    this.#set(next, "dispatch");
    return true;
  }

  /** Corrects the state: the correction is undone with the last step, and what was undone can still be done again. */
  amend(action: Action): boolean {
    const next = reduce(this.#state, action, this.#views);
    if (next === this.#state) return false;
    // A step that now leads to the same state is none.
    for (const steps of [this.#past, this.#future]) {
      if (!isEqual(steps.at(-1), next)) continue;
      steps.pop();
      this.seal(); // the step before it is complete
    }
    this.#set(next, "amend");
    return true;
  }

  /** Ends a step: the next action begins another one. */
  seal() {
    this.#open = undefined;
  }

  undo(): boolean {
    return this.#step(this.#past, this.#future, "undo");
  }

  redo(): boolean {
    return this.#step(this.#future, this.#past, "redo");
  }

  #step(from: LabState[], to: LabState[], change: Change) {
    this.seal();
    const next = from.pop();
    if (next === undefined) return false;
    to.push(this.#state);
    this.#set(next, change);
    return true;
  }

  #set(next: LabState, change: Change) {
    const former = this.#state;
    this.#state = next;
    for (const listener of [...this.#listeners]) listener(next, former, change);
  }

  /** @returns a function that ends the subscription */
  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
