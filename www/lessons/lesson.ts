// What a lesson is: plain data. A step opens a state of the page and points at a control; nothing is checked.

import type { LabState } from "../state/state.js";
import type { PlaceName } from "./places.js";

/** A paper or an article. */
export interface Source {
  title: string;
  href: string;
}

export interface Step {
  title: string;
  /** What to look for, in two sentences. Its numbers are those of the bundled model; the tests measure them. */
  text: string;
  /** What the page opens. What is left out has its default, so that a step does not depend on those before it. */
  state: Partial<LabState>;
  /** The control that it is about. */
  place: PlaceName;
  source?: Source;
}

/** A text to try, near the text box. */
export interface Sample {
  label: string;
  /** What it changes; all else stays. */
  state: Partial<LabState>;
}

export interface Lesson {
  /** Its name in addresses. */
  name: string;
  title: string;
  /** What it shows, in one sentence. */
  sentence: string;
  minutes: number;
  steps: readonly Step[];
  samples: readonly Sample[];
}
