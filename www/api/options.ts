// Options of the methods: which of them stay on the page, and whether those have their types. All others are checked in
// Rust, where they are declared.

import { createError, describe } from "./errors.js";
import { isAbortSignal } from "./realms.js";

/** A call that can be aborted. */
export interface Cancellable {
  /**
   * Rejects with an AbortError as soon as it fires. If the call then does not return in the worker, the worker is restarted.
   */
  signal?: AbortSignal;
}

/** A measurement that reports its progress and can be aborted. */
export interface Progressing extends Cancellable {
  /** called after each part, with how many of `total` steps are done */
  onProgress?: (progress: { done: number; total: number }) => void;
}

/** What a function of an intervention showed. */
export interface Shown {
  /** the selected values as a `Tensor`, after `show()` or `show(x)`; otherwise a copy of what the function passed to `show` */
  value: unknown;
  /** The hook point's name. */
  name: string;
  /** the axes, the shape and the positions of the selected values: see `Selected` */
  axes: readonly string[];
  shape: readonly number[];
  positions: readonly number[];
  /** by axis, which indices of the whole activation they are, for the axes of which a part is selected; as the labels of the tensor */
  indices: Readonly<Record<string, readonly number[]>>;
  /** Which text of a batch that is run or generated; 0 in a run of one text. */
  row: number;
  /** The step of a generation: 0 computes the prompt. */
  step?: number;
}

/** A call with interventions, whose functions may show values, that can be aborted. */
export interface Showing extends Cancellable {
  /**
   * called with what functions of interventions show, while the call goes on; all of it before the call resolves, and nothing
   * after it was aborted
   */
  onShow?: (shown: Shown) => void;
}

/** A measurement with interventions. */
export interface ShowingProgress extends Progressing, Showing {}

/** What an option must be: in words, and as a test. */
export interface Rule {
  expected: string;
  fits(value: unknown): boolean;
}

export const rule = {
  flag: { expected: "true or false", fits: (value) => typeof value === "boolean" },
  /** checked by the call itself */
  any: { expected: "anything", fits: () => true },
  text: { expected: "a text", fits: (value) => typeof value === "string" },
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
} satisfies Record<string, Rule>;

/** One rule for each option. */
export type Rules<T> = { [Name in keyof Required<T>]: Rule };

export const CANCELLABLE: Rules<Cancellable> = { signal: rule.signal };
export const SHOWING: Rules<Showing> = { ...CANCELLABLE, onShow: rule.listener };
export const PROGRESSING: Rules<Progressing> = { ...CANCELLABLE, onProgress: rule.listener };
export const SHOWING_PROGRESS: Rules<ShowingProgress> = { ...PROGRESSING, ...SHOWING };

/**
 * The options that are not undefined, each of which has its type.
 * @param call for messages
 * @throws InputError
 */
export function checkOptions<T extends object>(
  call: string,
  options: T | undefined,
  rules: Rules<T>,
): Partial<T> {
  if (options === undefined) return {};
  const known: Record<string, Rule> = rules;
  const given = Object.entries(copyOptions(call, options)).filter(
    ([, value]) => value !== undefined,
  );
  for (const [name, value] of given) {
    if (!Object.hasOwn(known, name))
      throw createError(
        "InputError",
        `${call} has no option \`${name}\`, expected ${Object.keys(known).join(", ")}`,
      );
    if (!known[name].fits(value))
      throw createError(
        "InputError",
        `\`${name}\` of ${call} is ${describe(value)}, expected ${known[name].expected}`,
      );
  }
  return Object.fromEntries(given) as Partial<T>;
}

/**
 * The options that stay on the page, each of which has its type, and the others, which are checked in Rust.
 * @param call for messages
 * @param rules one for each option that stays
 * @throws InputError
 */
export function splitOptions<Local extends object>(
  call: string,
  options: object | undefined,
  rules: Rules<Local>,
): { local: Partial<Local>; sent: Record<string, unknown> } {
  if (options === undefined) return { local: {}, sent: {} };
  const sent = copyOptions(call, options);
  const local: Record<string, unknown> = {};
  for (const name of Object.keys(rules)) {
    local[name] = sent[name];
    delete sent[name];
  }
  return { local: checkOptions(call, local as Local, rules), sent };
}

/** An object without a class, of this window or another. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (
    typeof value !== "object" ||
    value === null ||
    Array.isArray(value) ||
    ArrayBuffer.isView(value)
  )
    return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return (
    prototype === null ||
    (Object.getPrototypeOf(prototype) === null &&
      Object.hasOwn(prototype as object, "isPrototypeOf"))
  );
}

/** A copy of the options, whose getters may throw. */
function copyOptions(call: string, options: unknown): Record<string, unknown> {
  if (!isPlainObject(options))
    throw createError(
      "InputError",
      `the options of ${call} are ${describe(options)}, expected an object without a class`,
    );
  try {
    return { ...options };
  } catch (error) {
    throw createError(
      "InputError",
      `the options of ${call} cannot be read: ${error instanceof Error ? String(error.message).slice(0, 200) : describe(error)}`,
    );
  }
}

/** Calls a listener. Its exception is reported as one of the page, and does not end the call. */
export function notify<T>(listener: (value: T) => void, value: T): void {
  try {
    listener(value);
  } catch (error) {
    reportError(error);
  }
}
