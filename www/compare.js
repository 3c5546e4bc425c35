// What an intervention changed: one reading of a text beside the reading of the same text without it.

/** @typedef {import("./draw/token.js").Token} Token */
/** @typedef {{ before: number, after: number }} Pair */
/**
 * Losses in nats a token; `repeated` over the tokens that the text itself foretells, `next` about the token that was the
 * likeliest at the end.
 * @typedef {{ loss: Pair | null, repeated: (Pair & { count: number }) | null, next: (Pair & { token: Token }) | null }} Change
 */
/** @typedef {{ logProbs: ArrayLike<number> }} Read */

/**
 * The positions whose token followed the same token before: what a head that copies can foresee.
 * @param {ArrayLike<number>} ids @returns {number[]}
 */
export function foretold(ids) {
  /** @type {Set<string>} */
  const seen = new Set();
  const found = [];
  for (let at = 1; at < ids.length; at++) {
    const pair = `${ids[at - 1]} ${ids[at]}`;
    if (seen.has(pair)) found.push(at);
    seen.add(pair);
  }
  return found;
}

/** The mean loss of the tokens at some positions. @param {Read} read @param {readonly number[]} positions from 1 */
export function lossAt({ logProbs }, positions) {
  return -positions.reduce((sum, at) => sum + logProbs[at - 1], 0) / positions.length;
}

/**
 * @param {ArrayLike<number>} ids @param {Read} before @param {Read} after
 * @returns {Pick<Change, "loss" | "repeated">}
 */
export function lossesOf(ids, before, after) {
  const all = Array.from({ length: Math.max(0, ids.length - 1) }, (_, i) => i + 1);
  const known = foretold(ids);
  const pair = (/** @type {number[]} */ positions) => ({ before: lossAt(before, positions), after: lossAt(after, positions) });
  return { loss: all.length ? pair(all) : null, repeated: known.length ? { count: known.length, ...pair(known) } : null };
}
