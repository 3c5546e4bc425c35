// The lessons, in the order of the tour.

import type { LabState } from "../state/state.js";
import { circuit } from "./circuit.js";
import { heads } from "./heads.js";
import { induction } from "./induction.js";
import { lens } from "./lens.js";
import type { Lesson, Step } from "./lesson.js";
import { patching } from "./patching.js";
import { steering } from "./steering.js";

export type { Lesson, Sample, Source, Step } from "./lesson.js";
export { findPlace, PLACES } from "./places.js";

export const LESSONS: readonly Lesson[] = [heads, induction, circuit, lens, patching, steering];

/** A lesson by its name in addresses; null if there is none. */
export function lessonOf(name: string): Lesson | null {
  return LESSONS.find((one) => one.name === name) ?? null;
}

/** A step of a lesson, counted from 1; null if there is none. */
export function stepOf(name: string, step: number): Step | null {
  return lessonOf(name)?.steps[step - 1] ?? null;
}

/** The state that a step opens: what it leaves out has its default. Null if there is no such step. */
export function stateOfStep(name: string, step: number): Partial<LabState> | null {
  const found = stepOf(name, step);
  return found && { ...found.state, lesson: name, step };
}

/** The address of a step, which opens its state. */
export function addressOfStep(name: string, step = 1): string {
  return `#lesson=${name}${step === 1 ? "" : `&step=${step}`}`;
}
