// What a head looks at, measured on one text and said in one sentence.

import { headMatrix, sizeOf } from "./draw/matrix.js";
import { textOf } from "./draw/token.js";

/** @typedef {import("./draw/matrix.js").Tensor} Tensor */
/** @typedef {import("./draw/matrix.js").Matrix} Matrix */
/** @typedef {{ query: number, key: number }} Pair */
/** A detector names the keys a query would look at if its head were of that kind. @typedef {(query: number, earlier: readonly number[]) => number[]} Detector */
/**
 * @typedef {{ score: number, example: Pair | null }} Score  mean attention on the detector's keys, over the queries that have any
 * @typedef {{ layer: number, head: number, induction: Score, previous: Score, duplicate: Score, first: Score }} HeadScore
 */

/** @param {import("./draw/token.js").Token | undefined} token */
const isWord = (token) => token !== undefined && /\p{L}{3}/u.test(textOf(token));

/** `earlier` are the positions before the query that hold the same token. @type {Record<"induction" | "previous" | "duplicate" | "first", Detector>} */
export const detectors = {
  induction: (query, earlier) => earlier.map((at) => at + 1).filter((key) => key < query),
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
 * @param {Matrix} pattern @param {number[][]} earlier @param {Detector} detector
 * @param {readonly import("./draw/token.js").Token[]} tokens an example is best seen on words @returns {Score}
 */
export function score(pattern, earlier, detector, tokens = []) {
  let sum = 0;
  let queries = 0;
  let most = -1;
  /** @type {Pair | null} */
  let example = null;
  for (let query = 0; query < pattern.rows; query++) {
    const keys = detector(query, earlier[query]);
    if (keys.length === 0) continue;
    queries += 1;
    for (const key of keys) {
      const value = pattern.data[query * pattern.columns + key];
      sum += value;
      const telling = value * (isWord(tokens[query]) ? 1 : 0.5) * (isWord(tokens[key]) ? 1 : 0.7);
      if (telling > most) [most, example] = [telling, { query, key }];
    }
  }
  return { score: queries ? sum / queries : 0, example };
}

/**
 * Every head of one layer.
 * @param {Tensor} pattern [batch head query key] @param {number} layer @param {number[][]} earlier
 * @param {readonly import("./draw/token.js").Token[]} tokens @returns {HeadScore[]}
 */
export function scoreLayer(pattern, layer, earlier, tokens = []) {
  return Array.from({ length: sizeOf(pattern, "head") }, (_, head) => {
    const matrix = headMatrix(pattern, head);
    return {
      layer,
      head,
      induction: score(matrix, earlier, detectors.induction, tokens),
      previous: score(matrix, earlier, detectors.previous, tokens),
      duplicate: score(matrix, earlier, detectors.duplicate, tokens),
      first: score(matrix, earlier, detectors.first, tokens),
    };
  });
}

/** The head with the highest induction score, or the first head where nothing repeats. @param {readonly HeadScore[]} scores */
export function strongestInduction(scores) {
  return scores.reduce((best, one) => (one.induction.score > best.induction.score ? one : best), scores[0]);
}

/** Which kind a head is most like, and how a sentence about it goes on. @type {[keyof typeof detectors, string, string][]} */
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
 * @param {HeadScore} head
 * @returns {{ does: string, mean: number, what: string, clear: boolean, example: Pair | null }} mean: attention on `what`
 */
export function describe(head) {
  const [kind, does, what] = KINDS.reduce((best, one) => (head[one[0]].score > head[best[0]].score ? one : best));
  const { score: mean, example } = head[kind];
  const clear = mean >= CLEAR;
  return { does: clear ? does : "spreads its attention in a way of its own", mean, what, clear, example };
}
