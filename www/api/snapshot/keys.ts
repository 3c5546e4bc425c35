// The keys of results that both the views and `Model.snapshot` compute. They are part of the format.

import type { Answer, LogitLensOptions } from "../generated.js";

/** Of the view `log-probability`: ranks and entropies. */
export const TOKEN_SCORES = "token scores";

/** Of the view `lens`. */
export function lensKey(of: NonNullable<LogitLensOptions["of"]>, answer: Answer | null) {
  return `${of} ${JSON.stringify(answer)}`;
}
