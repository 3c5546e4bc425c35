// A token that is given as its text or as its id.

import { createError, describe } from "../api/errors.js";
import type { Answer, Config } from "../api/generated.js";
import { parseIds } from "./ids.js";

/** What is needed of a model to find a token. */
export interface Tokenizing {
  config: Pick<Config, "vocab_size">;
  hasTokenizer: boolean;
  tokenize: (
    input: string,
    options?: { signal?: AbortSignal },
  ) => Promise<{ ids: Uint32Array; strings: string[] }>;
}

/**
 * The id of a token.
 * @throws InputError if the text is not a single token, or if the vocabulary has no such id
 */
export async function singleToken(
  model: Tokenizing,
  token: Answer,
  signal?: AbortSignal,
): Promise<number> {
  const { ids, strings } = await tokensIn(model, token, signal);
  if (ids.length === 1) return ids[0];
  throw createError(
    "InputError",
    `${describe(token)} is ${ids.length} tokens (${strings.map((one) => JSON.stringify(one)).join(", ")}), expected a single one; a leading space often belongs to the token`,
  );
}

async function tokensIn(model: Tokenizing, token: Answer, signal?: AbortSignal) {
  if (typeof token === "string" && model.hasTokenizer)
    return model.tokenize(token, signal && { signal });
  const ids = parseIds(String(token), model.config.vocab_size);
  return { ids, strings: Array.from(ids, String) };
}
