// Tokens to choose an answer from: the likeliest next tokens of both prompts.

import type { Token } from "../draw/token.js";
import { likeliest, logSumExp, rowAt } from "./logits.js";
import type { Reading } from "./reading.js";

/** A token, with its probability after each prompt; null without that prompt, or if its logits are not there. */
export interface Suggestion {
  id: number;
  string: Token;
  clean: number | null;
  corrupted: number | null;
}

/**
 * The likeliest next tokens of both prompts, those that are likelier after the clean one first.
 * @param position whose next token is studied; null for the last of each prompt
 * @param count of each prompt
 */
export async function suggestionsOf(
  {
    reading,
    corrupted,
    position,
  }: {
    reading: Reading | null;
    corrupted: Reading | null;
    position: number | null;
  },
  spell: (ids: number[]) => Promise<Token[]>,
  count = 5,
): Promise<Suggestion[]> {
  const rowOf = (one: Reading | null) =>
    rowAt(one?.logits ?? null, position ?? (one?.ids.length ?? 0) - 1);
  const [clean, other] = [rowOf(reading), rowOf(corrupted)];
  const best = [clean, other].flatMap((row) => (row ? likeliest(row, count) : []));
  const ids = [...new Set(best.map(({ id }) => id))];
  const probability = (row: Float32Array | null) => {
    const normalizer = row ? logSumExp(row) : 0;
    return (id: number) => (row ? Math.exp(row[id] - normalizer) : null);
  };
  const [ofClean, ofOther] = [probability(clean), probability(other)];
  const strings = await spell(ids);
  const all = ids.map((id, at) => ({
    ...{ id, string: strings[at] },
    ...{ clean: ofClean(id), corrupted: ofOther(id) },
  }));
  const lead = (one: Suggestion) => (one.clean ?? 0) - (one.corrupted ?? 0);
  return all.sort((a, b) => lead(b) - lead(a));
}
