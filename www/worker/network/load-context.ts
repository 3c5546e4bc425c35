// What all requests of one load share.

import { createError } from "../../api/errors.js";
import type { Fetcher } from "./fetcher.js";

export interface LoadContext {
  signal: AbortSignal;
  /** the load fails after this many milliseconds without a byte */
  timeout: number;
  /** how requests are sent */
  fetcher: Fetcher;
  /** the browser's HTTP cache is known to be out of date */
  bypassCache?: boolean;
  /**
   * Filled with the validator of each file, by address: null if the file is absent, undefined if its server sends no
   * strong validator.
   */
  states?: Map<string, string | null | undefined>;
}

/** @throws AbortError */
export function throwIfAborted(signal: AbortSignal, name: string): void {
  if (signal.aborted) throw createError("AbortError", `while loading ${name}`);
}
