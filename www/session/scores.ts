// What a head attends to, as a sentence with an example from the text. The scores come from the model (Model.headScores).

import {
  countUnmaskedNotFinite,
  headMatrix,
  type Matrix,
  type Pair,
  type Tensor,
} from "../draw/matrix.js";
import { textOf, type Token } from "../draw/token.js";

/** The kinds that the model scores. */
export type Kind = "induction" | "previous" | "duplicate";
/** One head's scores; NaN if the text has no position that counts, or if the attention is not a number. */
export type HeadScore = { layer: number; head: number } & Record<Kind, number>;

/** The names of the scores in the model's results. */
const NAMES: Record<Kind, string> = {
  induction: "induction",
  previous: "previous_token",
  duplicate: "duplicate_token",
};

/**
 * The scores of every head, layer by layer.
 * @param table [score layer head]
 */
export function scoresOf({
  data,
  shape: [, layers, heads],
  labels,
}: Tensor & { labels: Readonly<Record<string, readonly string[]>> }): HeadScore[] {
  const score = (kind: Kind, at: number) =>
    data[labels.score.indexOf(NAMES[kind]) * layers * heads + at];
  return Array.from({ length: layers * heads }, (_, at) => ({
    layer: Math.floor(at / heads),
    head: at % heads,
    induction: score("induction", at),
    previous: score("previous", at),
    duplicate: score("duplicate", at),
  }));
}

const isWord = (token: Token | undefined) => token !== undefined && /\p{L}{3}/u.test(textOf(token));

/** The keys that a head of a kind attends to. */
const keysOf: Record<Kind | "first", (query: number, earlier: readonly number[]) => number[]> = {
  induction: (_, earlier) => earlier.map((at) => at + 1),
  previous: (query) => (query > 0 ? [query - 1] : []),
  duplicate: (_, earlier) => [...earlier],
  first: (query) => (query > 0 ? [0] : []),
};

/** For each position, the earlier positions that hold the same token. */
export function earlierSame(ids: ArrayLike<number>): number[][] {
  const seen: Map<number, number[]> = new Map();
  return Array.from(ids, (id, position) => {
    const before = seen.get(id) ?? [];
    seen.set(id, [...before, position]);
    return before;
  });
}

/** The clearest example of a kind: the edge with the most attention, where words count more than punctuation. */
export function clearest(
  pattern: Matrix,
  kind: Kind | "first",
  earlier: number[][],
  tokens: readonly Token[],
): Pair | null {
  let max = -1;
  let best: Pair | null = null;
  for (let query = 0; query < pattern.rows; query++) {
    for (const key of keysOf[kind](query, earlier[query])) {
      const value = pattern.data[query * pattern.columns + key];
      const weight = value * (isWord(tokens[query]) ? 1 : 0.5) * (isWord(tokens[key]) ? 1 : 0.7);
      if (weight > max) [max, best] = [weight, { query, key }];
    }
  }
  return best;
}

/** The mean attention on the first token, to which heads without a match attend. The model has no score for it. */
export function meanOnFirst(pattern: Matrix) {
  let sum = 0;
  for (let query = 1; query < pattern.rows; query++) sum += pattern.data[query * pattern.columns];
  return pattern.rows > 1 ? sum / (pattern.rows - 1) : 0;
}

/** The names of the scores that can be measured on a text. */
export function measurable(ids: ArrayLike<number>): Set<string> {
  const earlier = earlierSame(ids);
  const kinds = Object.keys(NAMES) as Kind[];
  return new Set(
    kinds
      .filter((kind) => earlier.some((before, query) => keysOf[kind](query, before).length > 0))
      .map((kind) => NAMES[kind]),
  );
}

/** The head with the highest induction score, or the first head if none has one. */
export function strongestInduction(scores: readonly HeadScore[]) {
  return scores.reduce(
    (best, one) => (one.induction > (best.induction || 0) ? one : best),
    scores[0],
  );
}

/** For each kind: the predicate of a sentence about such a head, and what the head attends to. */
const KINDS: [Kind | "first", string, string][] = [
  ["induction", "looks back to what followed this word last time", "what followed last time"],
  ["previous", "looks at the word just before", "the word before"],
  ["duplicate", "looks back to the same word, earlier in the text", "the same word earlier"],
  ["first", "attends to the very first word", "the first word"],
];

/** A head is called one of a kind if its mean attention of that kind is at least this. */
const CLEAR = 0.3;

/**
 * What a head does on a text, in words, with the clearest example.
 * @param patterns of its layer
 * @returns mean: attention on `what`; notNumbers: how many values of the pattern are not numbers. If there are any, the other
 *   fields are empty
 */
export function describe(
  score: HeadScore,
  patterns: Tensor,
  ids: ArrayLike<number>,
  tokens: readonly Token[],
): {
  does: string;
  mean: number;
  what: string;
  clear: boolean;
  example: Pair | null;
  notNumbers: number;
} {
  const pattern = headMatrix(patterns, score.head);
  const broken = countUnmaskedNotFinite(pattern);
  if (broken > 0)
    return {
      does: "has attention that is not a number",
      mean: NaN,
      what: "",
      clear: false,
      example: null,
      notNumbers: broken,
    };
  const all = {
    induction: score.induction || 0,
    previous: score.previous || 0,
    duplicate: score.duplicate || 0,
    first: meanOnFirst(pattern),
  };
  const [kind, does, what] = KINDS.reduce((best, one) => (all[one[0]] > all[best[0]] ? one : best));
  const clear = all[kind] >= CLEAR;
  const example = clearest(pattern, kind, earlierSame(ids), tokens);
  return {
    does: clear ? does : "fits none of the known kinds of head",
    mean: all[kind],
    what,
    clear,
    example,
    notNumbers: 0,
  };
}
