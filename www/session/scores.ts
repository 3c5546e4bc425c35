// What a head looks at, said in one sentence. How much it is of a kind, the model says (Model.headScores); here is where
// on this text that is seen best.

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
/** One head's scores; NaN where the text has no place to measure one, or where the attention is not a number. */
export type HeadScore = { layer: number; head: number } & Record<Kind, number>;

/** As the model calls them. */
const NAMES: Record<Kind, string> = {
  induction: "induction",
  previous: "previous_token",
  duplicate: "duplicate_token",
};

/**
 * The model's table head by head, layer by layer.
 * @param table axes score, layer and head
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

/** The keys that a head of a kind looks at. */
const looked: Record<Kind | "first", (query: number, earlier: readonly number[]) => number[]> = {
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

/** Where a kind is seen best: the brightest of its edges, on words rather than on commas. */
export function clearest(
  pattern: Matrix,
  kind: Kind | "first",
  earlier: number[][],
  tokens: readonly Token[],
): Pair | null {
  let most = -1;
  let best: Pair | null = null;
  for (let query = 0; query < pattern.rows; query++) {
    for (const key of looked[kind](query, earlier[query])) {
      const value = pattern.data[query * pattern.columns + key];
      const telling = value * (isWord(tokens[query]) ? 1 : 0.5) * (isWord(tokens[key]) ? 1 : 0.7);
      if (telling > most) [most, best] = [telling, { query, key }];
    }
  }
  return best;
}

/**
 * The mean attention on the first token, where heads that find nothing rest: no kind of its own to the model.
 */
export function restsOnFirst(pattern: Matrix) {
  let sum = 0;
  for (let query = 1; query < pattern.rows; query++) sum += pattern.data[query * pattern.columns];
  return pattern.rows > 1 ? sum / (pattern.rows - 1) : 0;
}

/** The model's names of the scores that a text has a place for. */
export function measurable(ids: ArrayLike<number>): Set<string> {
  const earlier = earlierSame(ids);
  const kinds = Object.keys(NAMES) as Kind[];
  return new Set(
    kinds
      .filter((kind) => earlier.some((before, query) => looked[kind](query, before).length > 0))
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

/** Which kind a head is most like, and how a sentence about it goes on. */
const KINDS: [Kind | "first", string, string][] = [
  ["induction", "looks back to what followed this word last time", "what followed last time"],
  ["previous", "looks at the word just before", "the word before"],
  ["duplicate", "looks back to the same word, earlier in the text", "the same word earlier"],
  ["first", "rests on the very first word", "the first word"],
];

/** Attention that a kind must gather before the sentence says so. */
const CLEAR = 0.3;

/**
 * What a head does on this text, in words, with the clearest example.
 * @param patterns its layer's
 * @returns mean: attention on `what`; notNumbers: how many values of the pattern are not numbers: if any, nothing is said of the others
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
    first: restsOnFirst(pattern),
  };
  const [kind, does, what] = KINDS.reduce((best, one) => (all[one[0]] > all[best[0]] ? one : best));
  const clear = all[kind] >= CLEAR;
  const example = clearest(pattern, kind, earlierSame(ids), tokens);
  return {
    does: clear ? does : "spreads its attention in a way of its own",
    mean: all[kind],
    what,
    clear,
    example,
    notNumbers: 0,
  };
}
