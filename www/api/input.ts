// Texts and token ids, checked before they leave for the worker.

import { createError, describe } from "./errors.js";
import { Tensor, type TensorArray } from "./tensor.js";

/** Token ids. */
export type Ids = Uint32Array | ArrayLike<number> | Tensor<TensorArray>;

/** More token ids than any context holds. */
const MAX_IDS = 2 ** 24;

/**
 * The text or a copy of the ids.
 * @param what for messages
 * @throws InputError
 */
export function readInput(input: unknown, what = "the input"): string | Uint32Array {
  return typeof input === "string"
    ? checkUnicode(input, what)
    : readIds(input, "a text or token ids", what);
}

/** Whether an input is a batch: an array of texts or of arrays of ids. An array of numbers is the ids of one text. */
export function isBatch(input: unknown): input is readonly unknown[] {
  if (!Array.isArray(input)) return false;
  const [first] = input;
  return (
    typeof first === "string" ||
    Array.isArray(first) ||
    ArrayBuffer.isView(first) ||
    first instanceof Tensor
  );
}

/**
 * The texts of a batch, or copies of their ids.
 * @throws InputError
 */
export function readInputs(inputs: readonly unknown[]): (string | Uint32Array)[] {
  return Array.from(inputs, (input, row) => readInput(input, `text ${row} of the batch`));
}

/**
 * One input, those of a batch, or none.
 * @throws InputError
 */
export function readAnyInput(input: unknown) {
  if (input === undefined) return undefined;
  return isBatch(input) ? readInputs(input) : readInput(input);
}

/**
 * The text, unless it has a lone surrogate: that has no UTF-8, so it would become another character on its way to the worker.
 * @param what for the message
 * @throws InputError with the index of the surrogate
 */
export function checkUnicode(text: string, what: string): string {
  const index = text.search(/\p{Surrogate}/u);
  if (index < 0) return text;
  const code = text.charCodeAt(index).toString(16).toUpperCase();
  throw createError(
    "InputError",
    `${what} has a lone surrogate, U+${code}, at index ${index}, expected text that is valid Unicode`,
  );
}

/**
 * A copy of token ids, because the caller may change the array before it is sent.
 * @param expected for the message
 * @param what for the message
 * @throws InputError
 */
export function readIds(input: unknown, expected = "token ids", what = "the input"): Uint32Array {
  if (input instanceof Tensor) return readIds(oneAxis(input, what).data, expected, what);
  if (input instanceof Uint32Array) return copyOf(input);
  if (isBatch(input))
    throw createError(
      "InputError",
      `${what} is a batch of ${input.length}, expected ${expected} of one text; run them one after the other`,
    );
  if (!isList(input))
    throw createError("InputError", `${what} is ${describe(input)}, expected ${expected}`);
  if (input.length > MAX_IDS)
    throw createError(
      "InputError",
      `${what} has ${input.length} token ids, expected at most ${MAX_IDS}`,
    );
  const list = Array.from(input);
  const wrong = list.findIndex((id) => !isId(id));
  if (wrong >= 0)
    throw createError(
      "InputError",
      `token id ${wrong} of ${what} is ${describe(list[wrong])}, expected a whole number from 0`,
    );
  return Uint32Array.from(list.filter(isId));
}

/** @throws InputError for a tensor that does not hold the ids of one text */
function oneAxis(ids: Tensor<TensorArray>, what: string): Tensor<TensorArray> {
  const one = ids.shape[0] === 1 && ids.axes[0] === "batch" ? ids.squeeze("batch") : ids;
  if (one.axes.length === 1) return one;
  throw createError(
    "InputError",
    `${what} is a Tensor over ${ids.axes.join(", ") || "no axis"}, expected token ids over one axis`,
  );
}

function isList(value: unknown): value is ArrayLike<unknown> {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}

function isId(id: unknown): id is number {
  return typeof id === "number" && Number.isInteger(id) && id >= 0 && id <= 0xffffffff;
}

/** @throws InputError */
function copyOf(ids: Uint32Array): Uint32Array {
  try {
    return ids.slice();
  } catch {
    throw createError(
      "InputError",
      "the token ids cannot be read: their memory was transferred to another thread",
    );
  }
}
