// The scores of heads (Model.headScores), and what a head does on a text in words, with an example. The words are true of short
// texts too: a text of one or two tokens, or without a repeated token, cannot show every kind of head.

import { formatAttention } from "../draw/format.js";
import {
  countUnmaskedNotFinite,
  headMatrix,
  type Matrix,
  type Pair,
  type Tensor,
} from "../draw/matrix.js";
import { textOf, type Token } from "../draw/token.js";
import { plural } from "./architecture.js";

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

/** The kinds that the model scores, and two that only the pattern shows: attention to the first token, and to the token itself. */
export type PatternKind = Kind | "first" | "self";

/** The keys that a head of a kind attends to. The first token has no choice, so it is no example of any kind. */
const keysOf: Record<PatternKind, (query: number, earlier: readonly number[]) => number[]> = {
  induction: (_, earlier) => earlier.map((at) => at + 1),
  previous: (query) => (query > 0 ? [query - 1] : []),
  duplicate: (_, earlier) => [...earlier],
  first: (query) => (query > 0 ? [0] : []),
  self: (query) => (query > 0 ? [query] : []),
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
  kind: PatternKind,
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

/** The mean attention of a token to itself, without the first token, which has no choice. */
export function meanOnSelf({ data, rows, columns }: Matrix) {
  let sum = 0;
  for (let query = 1; query < rows; query++) sum += data[query * columns + query];
  return rows > 1 ? sum / (rows - 1) : 0;
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

/** A piece of a sentence: words, or the token at a position. */
export type Part = string | { token: number };

export interface HeadDescription {
  /** The predicate of the sentence "Head 1.1 …". */
  does: string;
  /** The sentences after it. */
  evidence: readonly Part[];
  /** The kind of head that it is, or is most like; null if the text can show none. */
  kind: PatternKind | null;
  /** The mean attention that makes it one; NaN without a kind. */
  mean: number;
  /** Whether the head is one of that kind. */
  clear: boolean;
  /** An edge of that kind: the one with the most attention, where words count more than punctuation. */
  example: Pair | null;
  /** How many values of the pattern are not numbers. If there are any, nothing else is known. */
  notNumbers: number;
}

/** A head is called one of a kind if its mean attention of that kind is at least this, and like one from `SLIGHT` on. */
export const CLEAR = 0.3;
const SLIGHT = 0.1;

/** For each kind: the predicate of a sentence about such a head, and what the head attends to. */
const KINDS: Record<PatternKind, [does: string, what: string]> = {
  induction: ["looks back to what followed this word last time", "what followed last time"],
  previous: ["looks at the word just before", "the word before"],
  duplicate: ["looks back to the same word, earlier in the text", "the same word earlier"],
  first: ["attends to the very first word", "the first word"],
  self: ["attends to the word itself", "the word itself"],
};

/**
 * @param patterns of the head's layer
 * @param score NaN where the text has no place to measure it
 */
export function describe(
  score: HeadScore,
  patterns: Tensor,
  ids: ArrayLike<number>,
  tokens: readonly Token[],
): HeadDescription {
  const pattern = headMatrix(patterns, score.head);
  const none = { kind: null, mean: NaN, clear: false, example: null, notNumbers: 0 };
  const notNumbers = countUnmaskedNotFinite(pattern);
  if (notNumbers > 0)
    return { ...none, does: "has attention that is not a number", evidence: [], notNumbers };
  if (pattern.rows === 1)
    return {
      ...none,
      does: "can attend only to the one token that there is",
      evidence: [
        "So a text of one token shows nothing about a head: all of them look alike. Add words to see what each does.",
      ],
    };
  if (pattern.rows === 2) return { ...none, ...describeTwo(pattern, ids) };
  return describeLonger(score, pattern, ids, tokens);
}

/** Of two tokens, only the second one has a choice. */
function describeTwo({ data, columns }: Matrix, ids: ArrayLike<number>) {
  const [toFirst, toSelf] = [data[columns], data[columns + 1]];
  const also = ids[0] === ids[1] ? "also the first one, and the same word" : "also the first one";
  return {
    does: `gives ${formatAttention(toFirst)} of the second token's attention to the first token, and ${formatAttention(toSelf)} to itself`,
    evidence: [
      `Of two tokens, the word before is ${also}: a longer text shows which of them the head looks for.`,
    ],
    example: { query: 1, key: toFirst > toSelf ? 0 : 1 },
  };
}

function describeLonger(
  score: HeadScore,
  pattern: Matrix,
  ids: ArrayLike<number>,
  tokens: readonly Token[],
): HeadDescription {
  const earlier = earlierSame(ids);
  const repeats = earlier.filter((before) => before.length > 0).length;
  const means: Record<PatternKind, number> = {
    induction: score.induction,
    previous: score.previous,
    duplicate: score.duplicate,
    first: meanOnFirst(pattern),
    self: meanOnSelf(pattern),
  };
  const kinds = (Object.keys(KINDS) as PatternKind[]).filter((kind) => !Number.isNaN(means[kind]));
  const kind = kinds.reduce((best, one) => (means[one] > means[best] ? one : best));
  const mean = means[kind];
  const [does, what] = KINDS[kind];
  const example = clearest(pattern, kind, earlier, tokens);
  const found = { kind, mean, example, notNumbers: 0 };
  if (mean >= CLEAR)
    return {
      ...found,
      does,
      clear: true,
      evidence: [...evidenceOf(kind, mean, repeats), ...exampleOf(pattern, example)],
    };
  const names = listed(kinds.map((one) => KINDS[one][1]));
  const slight =
    mean >= SLIGHT
      ? `It is most like a head for ${what}, but gives that only ${formatAttention(mean)} of its attention.`
      : `On average it gives each of these less than ${formatAttention(SLIGHT)} of its attention: ${names}.`;
  const unknown =
    repeats === 0
      ? " No token occurs twice, so this text cannot show whether the head looks for repetitions."
      : "";
  return {
    ...found,
    clear: false,
    does:
      repeats === 0
        ? "fits none of the kinds of head that this text can show"
        : "fits none of the known kinds of head",
    evidence: [slight + unknown],
  };
}

/** What was measured, in a sentence without its end. */
function evidenceOf(kind: PatternKind, mean: number, repeats: number): string[] {
  const share = formatAttention(mean);
  const average = repeats === 1 ? "" : "on average ";
  const where = `Where a token occurs again (${plural(repeats, "place")}), ${average}${share} of its attention goes to`;
  const sentences: Record<PatternKind, string> = {
    induction: `${where} what followed it before`,
    duplicate: `${where} where it occurred before`,
    previous: `On average ${share} of a token's attention goes to the token before it`,
    first: `On average ${share} of a token's attention goes to the first token`,
    self: `On average ${share} of a token's attention stays on the token itself`,
  };
  return [sentences[kind]];
}

function exampleOf({ data, columns }: Matrix, example: Pair | null): Part[] {
  if (!example) return ["."];
  const { query, key } = example;
  const attention = formatAttention(data[query * columns + key]);
  return ["; for example from ", { token: query }, " to ", { token: key }, ` (${attention}).`];
}

/** "a, b and c" */
function listed(words: readonly string[]) {
  return words.length < 2 ? words.join() : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}
