// The head that is drawn of a text if none is chosen, and the sentence that says why. docs/embedding.md has the rule.

import { formatAttention } from "../draw/format.js";
import { countUnmaskedNotFinite, headMatrix, type Matrix } from "../draw/matrix.js";
import type { Reading } from "./reading.js";
import { CLEAR, strongestInduction, type HeadScore } from "./scores.js";

export interface TellingHead {
  layer: number;
  head: number;
  /** What was measured; null if the text shows no difference between heads. */
  by: "induction" | "focus" | "previous" | null;
  /** The head's score, the highest of all heads. */
  score: number;
  /** How many heads the model has. */
  heads: number;
}

const found: WeakMap<Reading, TellingHead> = new WeakMap();

/** The head that shows most on this text: the first one, until there is something to compare. */
export function tellingHead(reading: Reading): TellingHead {
  const known = found.get(reading) ?? choose(reading);
  found.set(reading, known);
  return known;
}

function choose({ scores, patterns }: Reading): TellingHead {
  const of = (best: HeadScore, by: TellingHead["by"], score: number): TellingHead => ({
    ...{ layer: best.layer, head: best.head, by, score },
    heads: scores.length,
  });
  if (scores.length === 0) return { layer: 0, head: 0, by: null, score: NaN, heads: 0 };
  const copying = strongestInduction(scores);
  if (copying.induction >= CLEAR) return of(copying, "induction", copying.induction);
  const hasAll = patterns.every((pattern) => pattern !== null);
  const by = hasAll ? "focus" : "previous"; // of a long text, one layer's patterns are kept
  const values = scores.map((one) => {
    const pattern = patterns[one.layer];
    return pattern && hasAll ? focusOf(headMatrix(pattern, one.head)) : one.previous;
  });
  const best = values.reduce((max, value, at) => (value > (values[max] || 0) ? at : max), 0);
  return values[best] > 0 ? of(scores[best], by, values[best]) : of(scores[0], null, NaN);
}

/**
 * How much a head attends to single earlier tokens: the mean over queries of the largest attention to a token that is neither the
 * first one, to which heads without a match attend, nor the query itself. NaN for texts of one or two tokens.
 */
export function focusOf(pattern: Matrix): number {
  if (pattern.rows < 3 || countUnmaskedNotFinite(pattern) > 0) return NaN;
  let sum = 0;
  for (let query = 2; query < pattern.rows; query++) {
    let max = 0;
    for (let key = 1; key < query; key++)
      max = Math.max(max, pattern.data[query * pattern.columns + key]);
    sum += max;
  }
  return sum / (pattern.rows - 2);
}

/** Why this head is drawn; empty if there is no reason. */
export function whyTelling({ layer, head, by, score, heads }: TellingHead): string {
  if (by === null || heads < 2) return "";
  const value = formatAttention(score);
  const measured = {
    induction: `has the highest induction score (${value})`,
    focus: `attends most to single earlier tokens (focus ${value})`,
    previous: `attends most to the token before (${value})`,
  };
  return `Of ${heads} heads, ${layer}.${head} ${measured[by]} here.`;
}
