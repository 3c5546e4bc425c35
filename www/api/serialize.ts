// Options as plain data that can be sent to the worker: tensors, caches and the functions of interventions are spelled out.
//
// A value that is not plain data is refused here with its path: structured clone would drop it, or fail without a path. Only
// the worker knows the options and their types (src/wire.rs).

import { isPlainObject, wellFormed } from "./check.js";
import { isProblem, problem, shown } from "./errors.js";
import { Tensor } from "./tensor.js";
import type { HookName } from "./names.js";

/** numbers that broadcast to a selection by their last axes */
export type Values = number | readonly number[] | Float32Array | Tensor;
/** Activations by hook name: a cache, or what one was stored as. */
export type Source =
  | { names(): string[]; get(name: string): Tensor }
  | Record<string, { shape: readonly number[]; data: ArrayLike<number> }>;
/** An attention edge; what is left out means all of them. */
export type Edge = { query?: number; key?: number };
/** its text is what counts: it runs in the worker and sees none of the page's variables. It is code with the rights of the page (network, storage), so take none from strangers; a Content-Security-Policy must allow it by 'unsafe-eval' */
export type HookFunction =
  | string
  | ((
      x: Float32Array,
      info: { name: string; axes: string[]; shape: number[]; positions: number[] },
    ) => ArrayLike<number> | void);
export type Action =
  | "zero"
  | "mean"
  | { scale: number }
  | { add: Values }
  | { set: Values }
  | { from: Source; fromPositions?: readonly number[] }
  | { mean: Source }
  | { knockOut: readonly Edge[]; renormalize?: boolean }
  | { js: HookFunction };
/** One change to a run. What is left out selects everything. */
export interface Intervention {
  /** a hook point, glob or /regular expression/ */
  at: HookName;
  layer?: number | readonly number[];
  head?: number | readonly number[];
  /** of `d_mlp` */
  neuron?: number | readonly number[];
  /** of `d_model` or `d_head` */
  dim?: number | readonly number[];
  /** negative from the end of the prompt */
  positions?: number | readonly number[];
  /** of a generation: the prompt is step 0's, then one token each */
  step?: number | readonly number[];
  do: Action;
}

/** Entries of an array that is no typed array. */
const LONGEST_ARRAY = 2 ** 24;
/** Arrays and objects within each other. */
const DEEPEST = 32;

/** Where in the options of a call a value is. */
export type Place = { call: string; path: string; within: readonly object[] };

/**
 * The options of a call as they can be sent. `undefined` stands for an option that was not given.
 * @param call for messages
 * @throws InputError for what is no data; HookError for a short hook name that fits none
 */
export function serializeOptions(
  call: string,
  options: object,
  named: (name: HookName) => string,
): Record<string, any> {
  const place = { call, path: "", within: [options] };
  const field = (name: string, value: any, at: Place) => {
    if (name === "interventions" && Array.isArray(value))
      return items(value, at, (one, each) => serializeIntervention(one, named, each));
    if (name === "names" && Array.isArray(value))
      return items(value, at, (one) => wellFormed(named(one), "a hook name"));
    if (name === "stop" && typeof value === "string") return [wellFormed(value, spelled(at))];
    if (name === "at" && call === "mostActive" && Array.isArray(value)) return named(value as any);
    return serialize(value, at);
  };
  try {
    return fields(options, place, field);
  } catch (error) {
    if (isProblem(error)) throw error;
    throw problem("InputError", `the options of ${call} cannot be read: ${thrown(error)}`); // by a getter or a proxy
  }
}

/** What was thrown, in words. */
export function thrown(error: unknown) {
  return error instanceof Error
    ? `${error.name}: ${String(error.message).slice(0, 200)}`
    : shown(error);
}

function serializeIntervention(intervention: any, named: (name: HookName) => string, place: Place) {
  if (!isPlainObject(intervention))
    throw problem("InputError", `${spelled(place)} is ${shown(intervention)}, expected { at, do }`);
  const at = Array.isArray(intervention.at) ? named(intervention.at as any) : intervention.at;
  return fields(intervention, place, (name, value, inner) => {
    if (name === "at") return serialize(at, inner);
    return name === "do" && isPlainObject(value)
      ? serializeAction(value, at, inner)
      : serialize(value, inner);
  });
}

function serializeAction(action: object, at: unknown, place: Place) {
  return fields(action, place, (name, value, inner) => {
    if (name === "js" && typeof value === "function") return String(value);
    if ((name === "from" || name === "mean") && isCache(value))
      return serializeCache(value, at, inner);
    return serialize(value, inner);
  });
}

function isCache(value: any): value is { names(): string[]; get(name: string): Tensor } {
  return (
    typeof value === "object" &&
    value !== null &&
    typeof value.names === "function" &&
    typeof value.get === "function"
  );
}

/** Of a cache, only what is needed at `at`. */
function serializeCache(
  cache: { names(): string[]; get(name: string): Tensor },
  at: unknown,
  place: Place,
) {
  const names = typeof at === "string" && cache.names().includes(at) ? [at] : cache.names();
  return Object.fromEntries(names.map((name) => [name, serialize(cache.get(name), place)]));
}

/**
 * A value as data: texts, numbers, flags, arrays, typed arrays and objects without a class. Arrays of numbers become
 * typed arrays, which are copied in one go; tensors `{ shape, data }`.
 * @throws InputError
 */
function serialize(value: any, place: Place): any {
  if (typeof value === "string") return wellFormed(value, spelled(place));
  if (typeof value === "number" || typeof value === "boolean" || value === null) return value;
  if (typeof value !== "object") throw notData(value, place);
  if (place.within.includes(value))
    throw problem("InputError", `${spelled(place)} contains itself, expected plain data`);
  if (place.within.length > DEEPEST)
    throw problem(
      "InputError",
      `${spelled(place)} lies more than ${DEEPEST} levels deep, expected plain data`,
    );
  const within = { ...place, within: [...place.within, value] };
  if (value instanceof Tensor)
    return { shape: serialize(value.shape, within), data: serialize(value.data, within) };
  if (ArrayBuffer.isView(value)) return numbers(value, place);
  if (Array.isArray(value)) return numberList(value, place) ?? items(value, within, serialize);
  if (!isPlainObject(value)) throw notData(value, place);
  return fields(value, within, (_, inner, at) => serialize(inner, at));
}

/** Its own numbers, of a view that shares its memory with others. */
function numbers(view: ArrayBufferView, place: Place) {
  const kind = Object.prototype.toString.call(view).slice(8, -1); // of another window too
  if (["DataView", "BigInt64Array", "BigUint64Array"].includes(kind))
    throw notData(view, place, "an array or a typed array of numbers");
  const list = view as Float32Array;
  if (kind === "Float32Array" || kind === "Float16Array") return Float32Array.from(list);
  return kind === "Uint32Array" ? Uint32Array.from(list) : Float64Array.from(list);
}

/** An array that holds numbers only; undefined for any other. */
function numberList(array: any[], place: Place) {
  checkLength(array, place);
  if (array.length === 0 || typeof array[0] !== "number") return undefined;
  const list = new Float64Array(array.length);
  for (let i = 0; i < array.length; i++) {
    if (typeof array[i] !== "number") return undefined;
    list[i] = array[i];
  }
  return list;
}

/** Each entry of an array without holes. */
function items(array: any[], place: Place, convert: (value: any, place: Place) => any) {
  checkLength(array, place);
  const converted = [];
  for (let i = 0; i < array.length; i++) {
    const at = { ...place, path: `${place.path}[${i}]` };
    if (array[i] === undefined)
      throw problem(
        "InputError",
        `${spelled(at)} is ${i in array ? "undefined" : "missing from the array"}, expected a value`,
      );
    converted.push(convert(array[i], at));
  }
  return converted;
}

function checkLength(array: any[], place: Place) {
  if (array.length > LONGEST_ARRAY)
    throw problem(
      "InputError",
      `${spelled(place)} is an array of length ${array.length}, expected at most ${LONGEST_ARRAY}; a typed array may be longer`,
    );
}

/** The fields of an object that are not undefined. */
function fields(
  object: object,
  place: Place,
  convert: (name: string, value: any, place: Place) => any,
) {
  if (Object.getOwnPropertySymbols(object).length > 0)
    throw problem("InputError", `${spelled(place)} has a symbol among its names, expected texts`);
  const converted = [];
  for (const name of Object.keys(object)) {
    const at = { ...place, path: place.path ? `${place.path}.${name}` : name };
    const value = read(object, name, at);
    if (value !== undefined) converted.push([wellFormed(name, "a name"), convert(name, value, at)]);
  }
  return Object.fromEntries(converted);
}

/** A property, whose getter may throw. */
function read(object: any, name: string, place: Place) {
  try {
    return object[name];
  } catch (error) {
    throw problem("InputError", `${spelled(place)} cannot be read: ${thrown(error)}`);
  }
}

function notData(
  value: unknown,
  place: Place,
  expected: string = "plain data; only `js` of an intervention may be a function",
) {
  return problem(
    "InputError",
    `${spelled(place)} is ${typeof value === "bigint" ? `the BigInt ${shown(value)}` : shown(value)}, expected ${expected}`,
  );
}

/** "`interventions[0].at` of runWithCache". */
function spelled({ call, path }: Place) {
  const short = path.length > 200 ? `${path.slice(0, 200)}…` : path;
  return path ? `\`${short}\` of ${call}` : `the value of ${call}`;
}
