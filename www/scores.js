// What a head looks at, said in one sentence. How much it is of a kind, the model says (Model.headScores); here is where
// on this text that is seen best.

import { headMatrix, masked } from "./draw/matrix.js";
import { textOf } from "./draw/token.js";

/** @typedef {import("./draw/matrix.js").Tensor} Tensor */
/** @typedef {import("./draw/matrix.js").Matrix} Matrix */
/** @typedef {import("./draw/token.js").Token} Token */
/** @typedef {{ query: number, key: number }} Pair */
/** The kinds that the model scores. @typedef {"induction" | "previous" | "duplicate"} Kind */
/** One head's scores; NaN where the text has no place to measure one, or where the attention is not a number. @typedef {{ layer: number, head: number } & Record<Kind, number>} HeadScore */

/** As the model calls them. @type {Record<Kind, string>} */
const NAMES = { induction: "induction", previous: "previous_token", duplicate: "duplicate_token" };

/**
 * The model's table head by head, layer by layer.
 * @param {Tensor & { labels: Readonly<Record<string, readonly string[]>> }} table axes score, layer and head @returns {HeadScore[]}
 */
export function scoresOf({ data, shape: [, layers, heads], labels }) {
  /** @param {Kind} kind @param {number} at */
  const score = (kind, at) => data[labels.score.indexOf(NAMES[kind]) * layers * heads + at];
  return Array.from({ length: layers * heads }, (_, at) => ({
    layer: Math.floor(at / heads),
    head: at % heads,
    induction: score("induction", at),
    previous: score("previous", at),
    duplicate: score("duplicate", at),
  }));
}

/** @param {import("./draw/token.js").Token | undefined} token */
const isWord = (token) => token !== undefined && /\p{L}{3}/u.test(textOf(token));

/** The keys that a head of a kind looks at. @type {Record<Kind | "first", (query: number, earlier: readonly number[]) => number[]>} */
const looked = {
  induction: (_, earlier) => earlier.map((at) => at + 1),
  previous: (query) => (query > 0 ? [query - 1] : []),
  duplicate: (_, earlier) => [...earlier],
  first: (query) => (query > 0 ? [0] : []),
};

/**
 * For each position, the earlier positions that hold the same token.
 * @param {ArrayLike<number>} ids @returns {number[][]}
 */
export function earlierSame(ids) {
  /** @type {Map<number, number[]>} */
  const seen = new Map();
  return Array.from(ids, (id, position) => {
    const before = seen.get(id) ?? [];
    seen.set(id, [...before, position]);
    return before;
  });
}

/**
 * Where a kind is seen best: the brightest of its edges, on words rather than on commas.
 * @param {Matrix} pattern @param {Kind | "first"} kind @param {number[][]} earlier @param {readonly Token[]} tokens @returns {Pair | null}
 */
export function clearest(pattern, kind, earlier, tokens) {
  let most = -1;
  /** @type {Pair | null} */
  let best = null;
  for (let query = 0; query < pattern.rows; query++) {
    for (const key of looked[kind](query, earlier[query])) {
      const value = pattern.data[query * pattern.columns + key];
      const telling = value * (isWord(tokens[query]) ? 1 : 0.5) * (isWord(tokens[key]) ? 1 : 0.7);
      if (telling > most) [most, best] = [telling, { query, key }];
    }
  }
  return best;
}

/** The mean attention on the first token, where heads that find nothing rest: no kind of its own to the model. @param {Matrix} pattern */
export function restsOnFirst(pattern) {
  let sum = 0;
  for (let query = 1; query < pattern.rows; query++) sum += pattern.data[query * pattern.columns];
  return pattern.rows > 1 ? sum / (pattern.rows - 1) : 0;
}

/**
 * The model's names of the scores that a text has a place for.
 * @param {ArrayLike<number>} ids @returns {Set<string>}
 */
export function measurable(ids) {
  const earlier = earlierSame(ids);
  const kinds = /** @type {Kind[]} */ (Object.keys(NAMES));
  return new Set(kinds.filter((kind) => earlier.some((before, query) => looked[kind](query, before).length > 0)).map((kind) => NAMES[kind]));
}

/** The head with the highest induction score, or the first head if none has one. @param {readonly HeadScore[]} scores */
export function strongestInduction(scores) {
  return scores.reduce((best, one) => (one.induction > (best.induction || 0) ? one : best), scores[0]);
}

/** How many of the values that a head's queries may see are not numbers. @param {Matrix} pattern */
function notNumbers(pattern) {
  let count = 0;
  pattern.data.forEach((value, at) => {
    if (!Number.isFinite(value) && !masked(pattern, Math.floor(at / pattern.columns), at % pattern.columns)) count += 1;
  });
  return count;
}

/** Which kind a head is most like, and how a sentence about it goes on. @type {[Kind | "first", string, string][]} */
const KINDS = [
  ["induction", "looks back to what followed this word last time", "what followed last time"],
  ["previous", "looks at the word just before", "the word before"],
  ["duplicate", "looks back to the same word, earlier in the text", "the same word earlier"],
  ["first", "rests on the very first word", "the first word"],
];

/** Attention that a kind must gather before the sentence says so. */
const CLEAR = 0.3;

/**
 * What a head does on this text, in words, with the clearest example.
 * @param {HeadScore} score @param {Tensor} patterns its layer's @param {ArrayLike<number>} ids @param {readonly Token[]} tokens
 * @returns {{ does: string, mean: number, what: string, clear: boolean, example: Pair | null, notNumbers: number }}
 *   mean: attention on `what`; notNumbers: how many values of the pattern are not numbers: if any, nothing is said of the others
 */
export function describe(score, patterns, ids, tokens) {
  const pattern = headMatrix(patterns, score.head);
  const broken = notNumbers(pattern);
  if (broken > 0) return { does: "has attention that is not a number", mean: NaN, what: "", clear: false, example: null, notNumbers: broken };
  const all = { induction: score.induction || 0, previous: score.previous || 0, duplicate: score.duplicate || 0, first: restsOnFirst(pattern) };
  const [kind, does, what] = KINDS.reduce((best, one) => (all[one[0]] > all[best[0]] ? one : best));
  const clear = all[kind] >= CLEAR;
  const example = clearest(pattern, kind, earlierSame(ids), tokens);
  return { does: clear ? does : "spreads its attention in a way of its own", mean: all[kind], what, clear, example, notNumbers: 0 };
}
