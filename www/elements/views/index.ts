// The views of <scope-figure>, by the name that the address and the attribute `view` use. A new view is one more line.

import { attention } from "./attention-view.js";
import { losses } from "./loss-view.js";
import { lens } from "./lens-view.js";
import { scores } from "./scores-view.js";
import { activations } from "./activations-view.js";
import type { ViewDefinition } from "./view.js";

export const VIEWS: Record<string, ViewDefinition> = {
  attention,
  "log-probability": losses,
  lens,
  heads: scores,
  activations,
};

/** Whether there is a view of this name. */
export function isView(name: string) {
  return Object.hasOwn(VIEWS, name);
}
