// Rows of logits: from [position vocab] to the most probable tokens.

import { sizeOf, type Tensor } from "../draw/matrix.js";

/**
 * The logits after a position; null if there are none.
 * @param logits [position vocab]
 */
export function rowAt(logits: Tensor | null, position: number) {
  const rows = logits ? sizeOf(logits, "pos") : 0;
  if (!logits || position < 0 || position >= rows) return null;
  const vocabulary = logits.data.length / rows;
  return logits.data.subarray(position * vocabulary, (position + 1) * vocabulary);
}

/**
 * The logarithm of the sum of the exponentials.
 * @param logits one row
 */
export function logSumExp(logits: Float32Array) {
  let max = -Infinity;
  for (const logit of logits) if (logit > max) max = logit;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - max);
  return max + Math.log(sum);
}

/**
 * The `count` largest logits as log-probabilities.
 * @param logits one row; −∞ is a probability of 0
 * @returns none if a logit is NaN or +∞, because then no probability is known
 */
export function likeliest(logits: Float32Array, count: number): { id: number; logProb: number }[] {
  const normaliser = logSumExp(logits);
  if (!Number.isFinite(normaliser)) return [];
  const best: { id: number; logProb: number }[] = [];
  for (let id = 0; id < logits.length; id++) {
    if (best.length === count && logits[id] <= best[count - 1].logProb) continue;
    let at = best.length;
    while (at > 0 && best[at - 1].logProb < logits[id]) at -= 1;
    best.splice(at, 0, { id, logProb: logits[id] });
    best.length = Math.min(best.length, count);
  }
  return best.map((one) => ({ id: one.id, logProb: one.logProb - normaliser }));
}
