// How long runs of a model take, for the sentence beside "Compute".

/** Multiplications and additions in a second: what two threads did in Chromium on a shared server, 2026-11-28. */
const RATE = 3e10;
/** A request that takes longer waits for the visitor. */
const LONG_SECONDS = 3;
/** A backward pass takes about twice as long as the forward pass. */
export const WITH_BACKWARD = 3;

export interface Effort {
  seconds: number;
  isLong: boolean;
  /** "33 runs, about 40 s" */
  estimate: string;
}

/** @param passes forward passes over all tokens */
export function effortOf(passes: number, parameterCount: number, tokens: number): Effort {
  const seconds = (2 * parameterCount * tokens * passes) / RATE;
  return effortFor(seconds, `${passes} ${passes === 1 ? "run" : "runs"}`);
}

export function effortFor(seconds: number, what: string): Effort {
  return {
    seconds,
    isLong: seconds > LONG_SECONDS,
    estimate: `${what}, about ${inWords(seconds)}`,
  };
}

function inWords(seconds: number) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  const minutes = seconds / 60;
  return minutes < 90 ? `${Math.round(minutes)} min` : `${Math.round(minutes / 60)} hours`;
}
