// What interventions change: the next token, the loss, and how the model would go on. Each result says which reading it is
// about, so that it is never shown beside another one.

import type { Intervention } from "../api/generated.js";
import type { Token } from "../draw/token.js";
import { lossesOf, type Change, type Pair } from "./compare.js";
import { idToken } from "./ids.js";
import { likeliest, logSumExp, rowAt } from "./logits.js";
import { tokensOf, type Reading } from "./reading.js";

/** A token with its probability without and with the interventions. */
export type TokenChange = Pair & { id: number; string: Token };

export interface Effect extends Pick<Change, "loss" | "repeated"> {
  reading: Reading;
  /** The token after this position. */
  position: number;
  /** The likeliest tokens of both runs, the likeliest without interventions first; null if an output is not finite. */
  tokens: readonly TokenChange[] | null;
}

/** What an effect needs of a model: a part of the `Model` class. */
export interface Continuing {
  hasTokenizer: boolean;
  tokenNames: (ids: Uint32Array) => Promise<{ strings: string[]; bytes?: ArrayLike<number>[] }>;
  generate: (
    input: Uint32Array,
    options: {
      maxNewTokens: number;
      doSample: boolean;
      interventions?: readonly Intervention[];
      signal?: AbortSignal;
    },
  ) => AsyncIterable<{ id: number; string: string }>;
}

/** How many of each run's likeliest tokens are compared. */
const COMPARED = 3;

/**
 * The reading compared with the same text without interventions.
 * @returns null without interventions
 */
export async function effectOf(
  model: Pick<Continuing, "hasTokenizer" | "tokenNames">,
  reading: Reading,
  position: number,
): Promise<Effect | null> {
  const { plain, ids } = reading;
  if (!plain) return null;
  const [before, after] = [rowAt(plain.logits, position), rowAt(reading.logits, position)];
  const about = { reading, position, ...lossesOf(ids, plain, reading) };
  const best = [before, after].map((row) => (row ? likeliest(row, COMPARED) : []));
  if (!before || !after || best.some((list) => list.length === 0))
    return { ...about, tokens: null };
  const chosen = [...new Set(best.flat().map(({ id }) => id))];
  const [normalizer, normalizerAfter] = [logSumExp(before), logSumExp(after)];
  const names = await spell(model, chosen);
  const tokens = chosen.map((id, i) => ({
    id,
    string: names[i],
    before: Math.exp(before[id] - normalizer),
    after: Math.exp(after[id] - normalizerAfter),
  }));
  return { ...about, tokens: tokens.sort((a, b) => b.before - a.before) };
}

async function spell(
  model: Pick<Continuing, "hasTokenizer" | "tokenNames">,
  ids: readonly number[],
): Promise<Token[]> {
  return model.hasTokenizer
    ? tokensOf(await model.tokenNames(Uint32Array.from(ids)))
    : ids.map(idToken);
}

/** How the model goes on if it always takes the likeliest token. */
export interface Continuation {
  ids: readonly number[];
  strings: readonly Token[];
}
export interface Continuations {
  reading: Reading;
  before: Continuation;
  after: Continuation;
}

/** How many tokens are generated. */
export const CONTINUED = 12;

/** Computes continuations; that of the last text without interventions is kept. */
export class Continuer {
  #last: { model: Continuing; key: string; continuation: Continuation } | null = null;

  async compare(model: Continuing, reading: Reading, signal: AbortSignal): Promise<Continuations> {
    const key = reading.ids.join();
    let before =
      this.#last?.model === model && this.#last.key === key ? this.#last.continuation : null;
    if (!before) {
      before = await greedy(model, reading.ids, { signal });
      this.#last = { model, key, continuation: before };
    }
    const { interventions } = reading;
    const after = await greedy(model, reading.ids, { interventions, signal });
    return { reading, before, after };
  }
}

async function greedy(
  model: Continuing,
  input: Uint32Array,
  options: { interventions?: readonly Intervention[]; signal: AbortSignal },
): Promise<Continuation> {
  const [ids, strings]: [number[], Token[]] = [[], []];
  const given = { ...options, maxNewTokens: CONTINUED, doSample: false };
  for await (const { id, string } of model.generate(input, given)) {
    ids.push(id);
    strings.push(model.hasTokenizer ? string : idToken(id));
  }
  return { ids, strings };
}

/** How many tokens at the start are the same. */
export function commonLength({ before, after }: Pick<Continuations, "before" | "after">): number {
  const { length } = after.ids;
  const first = before.ids.findIndex((id, at) => at >= length || after.ids[at] !== id);
  return first < 0 ? before.ids.length : first;
}
