// What interventions changed: a reading with them compared with a reading of the same text without them.

import type { Token } from "../draw/token.js";

export type Pair = { before: number; after: number };
/**
 * Losses in nats per token. `repeated` is about tokens whose bigram occurred before; `next` is the probability of the token
 * that is the likeliest without interventions.
 */
export type Change = {
  loss: Pair | null;
  repeated: (Pair & { count: number }) | null;
  next: (Pair & { token: Token }) | null;
};
export type Read = { logProbs: ArrayLike<number> };

/**
 * The positions whose token followed the same token before: an induction head can predict them.
 */
export function repeatedBigrams(ids: ArrayLike<number>): number[] {
  const seen: Set<string> = new Set();
  const found = [];
  for (let at = 1; at < ids.length; at++) {
    const pair = `${ids[at - 1]} ${ids[at]}`;
    if (seen.has(pair)) found.push(at);
    seen.add(pair);
  }
  return found;
}

/**
 * The mean loss of the tokens at some positions.
 * @param positions from 1
 */
export function lossAt({ logProbs }: Read, positions: readonly number[]) {
  return -positions.reduce((sum, at) => sum + logProbs[at - 1], 0) / positions.length;
}

export function lossesOf(
  ids: ArrayLike<number>,
  before: Read,
  after: Read,
): Pick<Change, "loss" | "repeated"> {
  const all = Array.from({ length: Math.max(0, ids.length - 1) }, (_, i) => i + 1);
  const known = repeatedBigrams(ids);
  const pair = (positions: number[]) => ({
    before: lossAt(before, positions),
    after: lossAt(after, positions),
  });
  return {
    loss: all.length ? pair(all) : null,
    repeated: known.length ? { count: known.length, ...pair(known) } : null,
  };
}
