// Arguments, checked before they leave for the worker: what is no fit is an InputError that says what was expected.

import { problem, shown } from "./problem.js";
import { isAbortSignal } from "./source.js";

/** @typedef {{ expected: string, fits: (value: any) => boolean }} Rule */

/** @type {Record<string, Rule>} */
export const rule = {
  flag: { expected: "true or false", fits: (value) => typeof value === "boolean" },
  count: { expected: "a whole number from 0", fits: (value) => Number.isSafeInteger(value) && value >= 0 },
  number: { expected: "a number", fits: (value) => typeof value === "number" && !Number.isNaN(value) },
  text: { expected: "a text", fits: (value) => typeof value === "string" },
  texts: { expected: "a text or an array of texts", fits: (value) => [value].flat().every((one) => typeof one === "string") },
  array: { expected: "an array", fits: Array.isArray },
  positions: { expected: "an array of whole numbers", fits: (value) => (Array.isArray(value) || ArrayBuffer.isView(value)) && Array.from(/** @type {any} */ (value)).every(Number.isSafeInteger) },
  list: { expected: "an array or a typed array of numbers", fits: (value) => (Array.isArray(value) || ArrayBuffer.isView(value)) && Array.from(/** @type {any} */ (value)).every((one) => typeof one === "number") },
  object: { expected: "an object", fits: (value) => typeof value === "object" && value !== null },
  input: { expected: "a text or token ids", fits: (value) => typeof value === "string" || Array.isArray(value) || ArrayBuffer.isView(value) },
  token: { expected: "a token's text or its id", fits: (value) => typeof value === "string" || (Number.isSafeInteger(value) && value >= 0) },
  integer: { expected: "a whole number", fits: Number.isSafeInteger },
  anything: { expected: "anything", fits: () => true },
  listener: { expected: "a function", fits: (value) => typeof value === "function" },
  signal: { expected: "an AbortSignal", fits: isAbortSignal },
  timeout: { expected: "a number of milliseconds above 0, or Infinity", fits: (value) => typeof value === "number" && value > 0 },
};

/**
 * The options that were given (not undefined), once each has its type.
 * @template {object} T
 * @param {string} call for the message @param {T | undefined} options @param {Record<string, Rule>} rules one for each known option
 * @returns {Partial<T>}
 * @throws InputError
 */
export function checked(call, options, rules) {
  if (options === undefined) return {};
  if (options === null || typeof options !== "object") throw problem("InputError", `the options of ${call} are ${shown(options)}, expected an object`);
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  for (const [name, value] of given) {
    if (!Object.hasOwn(rules, name)) throw problem("InputError", `${call} has no option \`${name}\`, expected ${Object.keys(rules).join(", ")}`);
    if (!rules[name].fits(value)) throw problem("InputError", `\`${name}\` of ${call} is ${shown(value)}, expected ${rules[name].expected}`);
  }
  return /** @type {Partial<T>} */ (Object.fromEntries(given));
}

/** Token ids. @typedef {Uint32Array | ArrayLike<number>} Ids */

/** @param {unknown} input @returns {string | Uint32Array} @throws InputError */
export function textOrIds(input) {
  return typeof input === "string" ? input : ids(input, "a text or token ids");
}

/** @param {unknown} input @param {string} [expected] @returns {Uint32Array} @throws InputError */
export function ids(input, expected = "token ids") {
  if (input instanceof Uint32Array) return input;
  const isList = Array.isArray(input) || (ArrayBuffer.isView(input) && !(input instanceof DataView));
  if (!isList) throw problem("InputError", `the input is ${shown(input)}, expected ${expected}`);
  const list = Array.from(/** @type {ArrayLike<unknown>} */ (input));
  const wrong = list.findIndex((id) => typeof id !== "number" || !Number.isInteger(id) || id < 0 || id > 0xffffffff);
  if (wrong >= 0) throw problem("InputError", `token id ${wrong} of the input is ${shown(list[wrong])}, expected a whole number from 0`);
  return Uint32Array.from(/** @type {number[]} */ (list));
}
