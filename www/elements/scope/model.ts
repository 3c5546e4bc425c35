// What a figure asks of its model, and of the function that loads it.

import type { Architecture, Describable } from "../../session/architecture.js";
import type { AnyNotice } from "../../session/notice.js";
import type { Answer } from "../../session/questions.js";
import type { Readable } from "../../session/reading.js";
import type { LoadContext } from "../../session/session.js";

/** What the figure needs. */
export type ScopeModel = Readable & {
  config: Readable["config"] & Architecture;
  report?: readonly AnyNotice[];
  /** the same model with a tokenizer */
  withTokenizer?: (files: File[]) => Promise<ScopeModel>;
} & Partial<Pick<Describable, "parameters" | "parameterCount" | "checkpoint">>;

/** `loadModel` of candlescope.js, or a function that gives a model in the same way. */
export type Load = (
  source: string,
  options: LoadContext & Answer & { dtype?: string; prefetch?: boolean },
) => Promise<ScopeModel>;
