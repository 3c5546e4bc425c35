// Which choices a figure of a snapshot can draw.

import type { Request } from "../../session/results.js";
import type { Held } from "../../session/snapshot/held.js";
import { entryOf } from "./index.js";
import type { FigureChoice, FigureState } from "./view.js";

/** @param requestOf what a view needs computed in a state */
export function holds(
  held: Held,
  state: FigureState,
  choice: FigureChoice,
  requestOf: (view: string, state: FigureState) => Request | null,
): boolean {
  // Not a spread of the state: its getters take long.
  const next: FigureState = Object.create(state, Object.getOwnPropertyDescriptors(choice));
  const { layer, head } = next;
  Object.defineProperty(next, "shownHead", { value: { layer, head } });
  return [next.view, next.beside].filter(Boolean).every((name) => {
    if (!held.views.includes(name)) return false;
    if (entryOf(name).usesHead && !next.reading?.patterns[layer]) return false;
    const request = requestOf(name, next);
    return request === null || held.has(name, request.key);
  });
}
