// Arguments, checked before they leave for the worker: what is no fit is an InputError that says what was expected.

import { problem, shown } from "./errors.js";
import { isAbortSignal } from "./source.js";

export type Rule = { expected: string; fits: (value: any) => boolean };

export const rule: Record<string, Rule> = {
  flag: { expected: "true or false", fits: (value) => typeof value === "boolean" },
  text: { expected: "a text", fits: (value) => typeof value === "string" },
  count: {
    expected: "a whole number from 0",
    fits: (value) => Number.isSafeInteger(value) && value >= 0,
  },
  texts: {
    expected: "a text or an array of texts",
    fits: (value) => [value].flat().every((one) => typeof one === "string"),
  },
  listener: { expected: "a function", fits: (value) => typeof value === "function" },
  signal: { expected: "an AbortSignal", fits: isAbortSignal },
  timeout: {
    expected: "a number of milliseconds above 0, or Infinity",
    fits: (value) => typeof value === "number" && value > 0,
  },
};

/**
 * The options that were given (not undefined), once each has its type.
 * @param call for the message
 * @param rules one for each known option
 * @throws InputError
 */
export function checked<T extends object>(
  call: string,
  options: T | undefined,
  rules: Record<string, Rule>,
): Partial<T> {
  if (options === undefined) return {};
  if (!isPlainObject(options))
    throw problem(
      "InputError",
      `the options of ${call} are ${shown(options)}, expected an object without a class`,
    );
  const given = Object.entries(copied(call, options)).filter(([, value]) => value !== undefined);
  for (const [name, value] of given) {
    if (!Object.hasOwn(rules, name))
      throw problem(
        "InputError",
        `${call} has no option \`${name}\`, expected ${Object.keys(rules).join(", ")}`,
      );
    if (!rules[name].fits(value))
      throw problem(
        "InputError",
        `\`${name}\` of ${call} is ${shown(value)}, expected ${rules[name].expected}`,
      );
  }
  return Object.fromEntries(given) as Partial<T>;
}

/**
 * The options that do not leave the page, once each has its type, and all others as they are: those are checked where they
 * are read (src/wire.rs).
 * @param call for the message
 * @param rules one for each option that stays
 * @throws InputError
 */
export function split(
  call: string,
  options: object | undefined,
  rules: Record<string, Rule>,
): { local: Record<string, any>; rest: Record<string, any> } {
  if (options === undefined) return { local: {}, rest: {} };
  if (!isPlainObject(options))
    throw problem(
      "InputError",
      `the options of ${call} are ${shown(options)}, expected an object without a class`,
    );
  const rest = copied(call, options);
  const local: Record<string, any> = {};
  for (const name of Object.keys(rules)) {
    local[name] = rest[name as keyof typeof rest];
    delete rest[name as keyof typeof rest];
  }
  return { local: checked(call, local, rules), rest };
}

/** An object without a class, of this window or another. */
export function isPlainObject(value: any): value is Record<string, any> {
  if (
    typeof value !== "object" ||
    value === null ||
    Array.isArray(value) ||
    ArrayBuffer.isView(value)
  )
    return false;
  const prototype = Object.getPrototypeOf(value);
  return (
    prototype === null ||
    (Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, "isPrototypeOf"))
  );
}

/** The options, whose getters may throw. */
function copied(call: string, options: object): Record<string, any> {
  try {
    return { ...options };
  } catch (error) {
    throw problem(
      "InputError",
      `the options of ${call} cannot be read: ${error instanceof Error ? String(error.message).slice(0, 200) : shown(error)}`,
    );
  }
}

/**
 * The text, if it is Unicode: half of a surrogate pair has no UTF-8, so it would become another character on its way.
 * @param what for the message
 * @throws InputError naming the index
 */
export function wellFormed(text: string, what: string) {
  const index = text.search(/\p{Surrogate}/u);
  if (index < 0) return text;
  const code = text.charCodeAt(index).toString(16).toUpperCase();
  throw problem(
    "InputError",
    `${what} has a lone surrogate, U+${code}, at index ${index}, expected text that is valid Unicode`,
  );
}

/** More than any context holds. */
const MOST_IDS = 2 ** 24;

/**
 * The caller may change the array before it is sent.
 * @throws InputError
 */
function copyOf(ids: Uint32Array): Uint32Array {
  try {
    return ids.slice();
  } catch {
    throw problem(
      "InputError",
      "the token ids cannot be read: their memory was transferred to another thread",
    );
  }
}

/** Token ids. */
export type Ids = Uint32Array | ArrayLike<number>;

/** @throws InputError */
export function textOrIds(input: unknown): string | Uint32Array {
  return typeof input === "string"
    ? wellFormed(input, "the input")
    : ids(input, "a text or token ids");
}

/** @throws InputError */
export function ids(input: unknown, expected: string = "token ids"): Uint32Array {
  if (input instanceof Uint32Array) return copyOf(input);
  const isList =
    Array.isArray(input) || (ArrayBuffer.isView(input) && !(input instanceof DataView));
  if (Array.isArray(input) && (Array.isArray(input[0]) || ArrayBuffer.isView(input[0]))) {
    throw problem(
      "InputError",
      `the input is a batch of ${input.length}, expected ${expected} of one text; run them one after the other`,
    );
  }
  if (!isList) throw problem("InputError", `the input is ${shown(input)}, expected ${expected}`);
  const { length } = input as ArrayLike<unknown>;
  if (length > MOST_IDS)
    throw problem("InputError", `the input has ${length} token ids, expected at most ${MOST_IDS}`);
  const list = Array.from(input as ArrayLike<unknown>);
  const wrong = list.findIndex(
    (id) => typeof id !== "number" || !Number.isInteger(id) || id < 0 || id > 0xffffffff,
  );
  if (wrong >= 0)
    throw problem(
      "InputError",
      `token id ${wrong} of the input is ${shown(list[wrong])}, expected a whole number from 0`,
    );
  return Uint32Array.from(list as number[]);
}
