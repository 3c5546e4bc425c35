// A text of token ids, for models without a tokenizer: "17 4 92", "17, 4, 92" or a list in brackets.

import { createError, describe } from "../api/errors.js";
import type { Token } from "../draw/token.js";

/** A token that has no text. */
export function idToken(id: number): Token {
  return `⟨${id}⟩`;
}

/** What may stand between two ids, so that lists of JSON and Python and copied tokens (⟨17⟩⟨4⟩) can be pasted. */
const SEPARATORS = /[\s,;⟨⟩[\]()]+/u;

/**
 * The ids in a text.
 * @throws InputError if a word is no id of the vocabulary, or if there is none
 */
export function parseIds(text: string, vocabulary: number): Uint32Array {
  const words = text.split(SEPARATORS).filter((word) => word !== "");
  if (words.length === 0)
    throw createError(
      "InputError",
      `there are no token ids: expected whole numbers from 0 to ${vocabulary - 1}, separated by spaces or commas`,
    );
  return Uint32Array.from(words, (word, at) => {
    const id = /^\d+$/.test(word) ? Number(word) : NaN;
    if (id < vocabulary) return id;
    throw createError(
      "InputError",
      `${describe(word)}, at position ${at}, is not a token id: expected whole numbers from 0 to ${vocabulary - 1}, separated by spaces or commas`,
    );
  });
}

/** The text with one id more, separated as the others are. */
export function withId(text: string, id: number): string {
  const separator = text.includes(",") ? ", " : " ";
  const start = text.replace(/[\s,;]+$/, "");
  return start === "" ? String(id) : `${start}${separator}${id}`;
}

/** The most ids that the opening text repeats. */
const MAX_OPENING = 12;

/** Ids from all of the vocabulary, twice, so that an induction head can copy: the opening text of a model without a tokenizer. */
export function openingIds(config: { vocab_size: number; n_positions: number }): string {
  const { vocab_size: vocabulary, n_positions: context } = config;
  const count = Math.max(1, Math.min(MAX_OPENING, vocabulary, Math.floor(context / 2)));
  const once = Array.from({ length: count }, (_, i) =>
    Math.floor(((i + 0.5) * vocabulary) / count),
  );
  return (context >= 2 * count ? [...once, ...once] : once).join(" ");
}
