// Arguments, checked before they leave for the worker: what is no fit is an InputError that says what was expected.

import { problem, shown } from "./problem.js";
import { isAbortSignal } from "./source.js";

/** @typedef {{ expected: string, fits: (value: any) => boolean }} Rule */

/** @type {Record<string, Rule>} */
export const rule = {
  flag: { expected: "true or false", fits: (value) => typeof value === "boolean" },
  text: { expected: "a text", fits: (value) => typeof value === "string" },
  count: { expected: "a whole number from 0", fits: (value) => Number.isSafeInteger(value) && value >= 0 },
  texts: { expected: "a text or an array of texts", fits: (value) => [value].flat().every((one) => typeof one === "string") },
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
  if (!isPlainObject(options)) throw problem("InputError", `the options of ${call} are ${shown(options)}, expected an object without a class`);
  const given = Object.entries(copied(call, options)).filter(([, value]) => value !== undefined);
  for (const [name, value] of given) {
    if (!Object.hasOwn(rules, name)) throw problem("InputError", `${call} has no option \`${name}\`, expected ${Object.keys(rules).join(", ")}`);
    if (!rules[name].fits(value)) throw problem("InputError", `\`${name}\` of ${call} is ${shown(value)}, expected ${rules[name].expected}`);
  }
  return /** @type {Partial<T>} */ (Object.fromEntries(given));
}

/**
 * The options that do not leave the page, once each has its type, and all others as they are: those are checked where they
 * are read (src/wire.rs).
 * @param {string} call for the message @param {object | undefined} options @param {Record<string, Rule>} rules one for each option that stays
 * @returns {{ local: Record<string, any>, rest: Record<string, any> }}
 * @throws InputError
 */
export function split(call, options, rules) {
  if (options === undefined) return { local: {}, rest: {} };
  if (!isPlainObject(options)) throw problem("InputError", `the options of ${call} are ${shown(options)}, expected an object without a class`);
  const rest = copied(call, options);
  /** @type {Record<string, any>} */
  const local = {};
  for (const name of Object.keys(rules)) {
    local[name] = rest[/** @type {keyof typeof rest} */ (name)];
    delete rest[/** @type {keyof typeof rest} */ (name)];
  }
  return { local: checked(call, local, rules), rest };
}

/** An object without a class, of this window or another. @param {any} value @returns {value is Record<string, any>} */
export function isPlainObject(value) {
  if (typeof value !== "object" || value === null || Array.isArray(value) || ArrayBuffer.isView(value)) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || (Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, "isPrototypeOf"));
}

/** The options, whose getters may throw. @param {string} call @param {object} options @returns {Record<string, any>} */
function copied(call, options) {
  try {
    return { ...options };
  } catch (error) {
    throw problem("InputError", `the options of ${call} cannot be read: ${error instanceof Error ? String(error.message).slice(0, 200) : shown(error)}`);
  }
}

/**
 * The text, if it is Unicode: half of a surrogate pair has no UTF-8, so it would become another character on its way.
 * @param {string} text @param {string} what for the message
 * @throws InputError naming the index
 */
export function wellFormed(text, what) {
  const index = text.search(/\p{Surrogate}/u);
  if (index < 0) return text;
  const code = text.charCodeAt(index).toString(16).toUpperCase();
  throw problem("InputError", `${what} has a lone surrogate, U+${code}, at index ${index}, expected text that is valid Unicode`);
}

/** More than any context holds. */
const MOST_IDS = 2 ** 24;

/** The caller may change the array before it is sent. @param {Uint32Array} ids @returns {Uint32Array} @throws InputError */
function copyOf(ids) {
  try {
    return ids.slice();
  } catch {
    throw problem("InputError", "the token ids cannot be read: their memory was transferred to another thread");
  }
}

/** Token ids. @typedef {Uint32Array | ArrayLike<number>} Ids */

/** @param {unknown} input @returns {string | Uint32Array} @throws InputError */
export function textOrIds(input) {
  return typeof input === "string" ? wellFormed(input, "the input") : ids(input, "a text or token ids");
}

/** @param {unknown} input @param {string} [expected] @returns {Uint32Array} @throws InputError */
export function ids(input, expected = "token ids") {
  if (input instanceof Uint32Array) return copyOf(input);
  const isList = Array.isArray(input) || (ArrayBuffer.isView(input) && !(input instanceof DataView));
  if (Array.isArray(input) && (Array.isArray(input[0]) || ArrayBuffer.isView(input[0]))) {
    throw problem("InputError", `the input is a batch of ${input.length}, expected ${expected} of one text; run them one after the other`);
  }
  if (!isList) throw problem("InputError", `the input is ${shown(input)}, expected ${expected}`);
  const { length } = /** @type {ArrayLike<unknown>} */ (input);
  if (length > MOST_IDS) throw problem("InputError", `the input has ${length} token ids, expected at most ${MOST_IDS}`);
  const list = Array.from(/** @type {ArrayLike<unknown>} */ (input));
  const wrong = list.findIndex((id) => typeof id !== "number" || !Number.isInteger(id) || id < 0 || id > 0xffffffff);
  if (wrong >= 0) throw problem("InputError", `token id ${wrong} of the input is ${shown(list[wrong])}, expected a whole number from 0`);
  return Uint32Array.from(/** @type {number[]} */ (list));
}
