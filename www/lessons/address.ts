// Addresses of lessons: #lesson=induction&step=2 opens what the step opens. An address that names more says all of the state.

import { read, write, type Address } from "../state/address.js";
import { isEqual, type ViewFields } from "../state/fields.js";
import { reduce } from "../state/reducer.js";
import { OPENING, type LabState } from "../state/state.js";
import { addressOfStep, lessonOf, stateOfStep } from "./index.js";

/** Whether a state is what its step of a lesson opens. */
export function isAsOpened(state: LabState, views: ViewFields): boolean {
  const opened = stateOfStep(state.lesson, state.step);
  return opened !== null && isEqual(state, reduce(OPENING, { type: "open", state: opened }, views));
}

/** Writes a state as the fragment of an address, without the leading #. */
export function writeLessonAddress(state: LabState, views: ViewFields): string {
  return isAsOpened(state, views)
    ? addressOfStep(state.lesson, state.step).slice(1)
    : write(state, views);
}

/** Reads the fragment of an address. */
export function readLessonAddress(hash: string, views: ViewFields): Address {
  const address = read(hash, views);
  const { state, named, problems } = address;
  const { lesson, step } = state;
  if (lesson === "") return address;
  const opened = stateOfStep(lesson, step);
  if (!opened)
    return {
      ...address,
      state: { ...state, lesson: "", step: OPENING.step },
      problems: [...problems, problemOf(lesson, step)],
    };
  const namesMore = [...named].some((name) => name !== "lesson" && name !== "step");
  return namesMore
    ? address
    : { ...address, state: reduce(OPENING, { type: "open", state: opened }, views) };
}

function problemOf(name: string, step: number) {
  const lesson = lessonOf(name);
  return lesson
    ? `The address asks for step ${step} of the lesson "${name}", which has ${lesson.steps.length}`
    : `The address asks for the lesson ${JSON.stringify(name.slice(0, 40))}, which this page does not have`;
}
