// Options as plain data that structured clone can send to the worker. Tensors, caches and the functions of interventions
// become data.
//
// A value that is not plain data is refused here with its path: structured clone would drop it, or fail without a path. The
// names and types of the options are checked in Rust.

import { BatchCache } from "./batch.js";
import { createError, describe, hasStableName } from "./errors.js";
import { checkUnicode } from "./input.js";
import { isPlainObject } from "./options.js";
import type { HookSelector } from "./selectors.js";
import { Tensor } from "./tensor.js";

/** The longest array that is not a typed array. */
const MAX_ARRAY_LENGTH = 2 ** 24;
/** How deep arrays and objects may be nested. */
const MAX_DEPTH = 32;

/** The path of a value in the options of a call, and the objects that contain it. */
interface Place {
  call: string;
  path: string;
  ancestors: readonly object[];
}

type Convert = (value: unknown, place: Place) => unknown;
type ConvertField = (name: string, value: unknown, place: Place) => unknown;
/** What a selector is for the model. `one`: it must select one point. */
type Resolve = (selector: HookSelector, one?: string) => string[];

/**
 * The options of a call as they can be sent. An option that is `undefined` is left out.
 * @param call for messages
 * @param rows how many texts the call runs as a batch
 * @throws InputError for a value that is not plain data; HookError for a short hook name that fits no point
 */
export function serializeOptions(
  call: string,
  options: object,
  resolve: Resolve,
  rows = 1,
): Record<string, unknown> {
  const place = { call, path: "", ancestors: [options] };
  const field: ConvertField = (name, value, at) => {
    if (name === "interventions" && Array.isArray(value))
      return items(value, at, (one, each) =>
        byRow(one, rows, each).map((ofRow) => serializeIntervention(ofRow, resolve, each)),
      ).flat();
    if (name === "names") return patterns(resolve(value as HookSelector));
    if (name === "stop" && typeof value === "string") return [checkUnicode(value, spelled(at))];
    if (name === "at" && call === "mostActive")
      return patterns(resolve(value as HookSelector, spelled(at)))[0];
    return serialize(value, at);
  };
  try {
    return fields(options, place, field);
  } catch (error) {
    if (hasStableName(error)) throw error;
    throw createError("InputError", `the options of ${call} cannot be read: ${thrown(error)}`); // by a getter or a proxy
  }
}

function patterns(resolved: string[]) {
  return resolved.map((one) => checkUnicode(one, "a hook name"));
}

/** An exception in words. */
function thrown(error: unknown) {
  return error instanceof Error
    ? `${error.name}: ${String(error.message).slice(0, 200)}`
    : describe(error);
}

/**
 * An intervention whose values are from a batch, for each text that it changes: text i gets the values of text i. Any other
 * intervention as it is.
 * @throws InputError if the batch has another number of texts
 */
function byRow(intervention: unknown, rows: number, place: Place): unknown[] {
  if (!isPlainObject(intervention) || !isPlainObject(intervention.do)) return [intervention];
  const action = intervention.do;
  const name = ["from", "mean"].find((key) => action[key] instanceof BatchCache);
  if (!name) return [intervention];
  const cache = action[name] as BatchCache;
  if (cache.length !== rows)
    throw createError(
      "InputError",
      `${spelled({ ...place, path: `${place.path}.do.${name}` })} is of ${cache.length} texts and the call runs ${rows}, expected as many, or the cache of one text: row(0)`,
    );
  const { batch = Array.from({ length: rows }, (_, row) => row) } = intervention;
  const selected = ArrayBuffer.isView(batch) ? Array.from(batch as Float32Array) : [batch].flat();
  const from0 = selected.map((row) => (typeof row === "number" && row < 0 ? row + rows : row));
  const ofRow = (row: unknown, values: number) => ({
    ...intervention,
    batch: row,
    do: { ...action, [name]: cache.row(values) },
  });
  // Rust refuses the list as it is if a text does not exist or is listed twice, and an empty one.
  const exists = (row: unknown): row is number =>
    Number.isInteger(row) && Number(row) >= 0 && Number(row) < rows;
  const isSound = from0.length > 0 && new Set(from0).size === from0.length;
  return isSound && from0.every(exists) ? from0.map((row) => ofRow(row, row)) : [ofRow(batch, 0)];
}

function serializeIntervention(intervention: unknown, resolve: Resolve, place: Place) {
  if (!isPlainObject(intervention))
    throw createError(
      "InputError",
      `${spelled(place)} is ${describe(intervention)}, expected { at, do }`,
    );
  const names = "at" in intervention ? patterns(resolve(intervention.at as HookSelector)) : [];
  const at = names.length === 1 ? names[0] : names;
  return fields(intervention, place, (name, value, inner) => {
    if (name === "at") return at;
    return name === "do" && isPlainObject(value)
      ? serializeAction(value, names, inner)
      : serialize(value, inner);
  });
}

function serializeAction(action: object, at: readonly string[], place: Place) {
  return fields(action, place, (name, value, inner) => {
    if (name === "js" && typeof value === "function") return sourceOf(value);
    if ((name === "from" || name === "mean") && isCache(value))
      return serializeCache(value, at, inner);
    return serialize(value, inner);
  });
}

/** The beginning of a method: `js(x) {`, and not `function (x) {`, `(x) =>` or `async (x) =>`. */
const METHOD =
  /^(?:async\s+|get\s+|\*\s*)*(?!(?:async|function)\b)(?:[\p{ID_Start}$_][\p{ID_Continue}$]*|\[[^\]]*\]|"[^"]*"|'[^']*')\s*\(/u;

/** The source of a function, as an expression: `{ js(x) { … } }` has a method, whose text alone is none. */
function sourceOf(value: object): string {
  const source = String(value);
  return METHOD.test(source) ? `Object.values({ ${source} })[0]` : source;
}

/** A `Cache`, or an object with the same methods. */
interface CacheLike {
  names(): string[];
  get(name: string): Tensor;
}

function isCache(value: unknown): value is CacheLike {
  if (typeof value !== "object" || value === null) return false;
  const { names, get } = value as Partial<CacheLike>;
  return typeof names === "function" && typeof get === "function";
}

/** The activations at `at` only, if the cache has one of each name. */
function serializeCache(cache: CacheLike, at: readonly string[], place: Place) {
  const known = cache.names();
  const names = at.length > 0 && at.every((name) => known.includes(name)) ? at : known;
  return Object.fromEntries(names.map((name) => [name, serialize(cache.get(name), place)]));
}

/**
 * A value as data: texts, numbers, flags, arrays, typed arrays and objects without a class. Arrays of numbers become
 * typed arrays, which are sent as one block; tensors become `{ shape, data, axes }`.
 * @throws InputError
 */
function serialize(value: unknown, place: Place): unknown {
  if (typeof value === "string") return checkUnicode(value, spelled(place));
  if (typeof value === "number" || typeof value === "boolean" || value === null) return value;
  if (typeof value !== "object") throw notData(value, place);
  if (place.ancestors.includes(value))
    throw createError("InputError", `${spelled(place)} contains itself, expected plain data`);
  if (place.ancestors.length > MAX_DEPTH)
    throw createError(
      "InputError",
      `${spelled(place)} lies more than ${MAX_DEPTH} levels deep, expected plain data`,
    );
  const inside = { ...place, ancestors: [...place.ancestors, value] };
  if (value instanceof Tensor)
    return {
      shape: serialize(value.shape, inside),
      data: serialize(value.data, inside),
      axes: serialize([...value.axes], inside),
    };
  if (ArrayBuffer.isView(value)) return numbers(value, place);
  if (Array.isArray(value)) return numberList(value, place) ?? items(value, inside, serialize);
  if (!isPlainObject(value)) throw notData(value, place);
  return fields(value, inside, (_, inner, at) => serialize(inner, at));
}

/** A copy of the numbers of a view, which may share its buffer with other views. */
function numbers(view: ArrayBufferView, place: Place) {
  const kind = Object.prototype.toString.call(view).slice(8, -1); // works for other frames too
  if (["DataView", "BigInt64Array", "BigUint64Array"].includes(kind))
    throw notData(view, place, "an array or a typed array of numbers");
  const list = view as Float32Array;
  if (kind === "Float32Array" || kind === "Float16Array") return Float32Array.from(list);
  return kind === "Uint32Array" ? Uint32Array.from(list) : Float64Array.from(list);
}

/** An array that holds only numbers; undefined for any other. */
function numberList(array: readonly unknown[], place: Place) {
  checkLength(array, place);
  if (array.length === 0 || typeof array[0] !== "number") return undefined;
  const list = new Float64Array(array.length);
  for (let i = 0; i < array.length; i++) {
    const value = array[i];
    if (typeof value !== "number") return undefined;
    list[i] = value;
  }
  return list;
}

/** Each entry of an array without holes. */
function items(array: readonly unknown[], place: Place, convert: Convert) {
  checkLength(array, place);
  const converted = [];
  for (let i = 0; i < array.length; i++) {
    const at = { ...place, path: `${place.path}[${i}]` };
    if (array[i] === undefined)
      throw createError(
        "InputError",
        `${spelled(at)} is ${i in array ? "undefined" : "missing from the array"}, expected a value`,
      );
    converted.push(convert(array[i], at));
  }
  return converted;
}

function checkLength(array: readonly unknown[], place: Place) {
  if (array.length > MAX_ARRAY_LENGTH)
    throw createError(
      "InputError",
      `${spelled(place)} is an array of length ${array.length}, expected at most ${MAX_ARRAY_LENGTH}; a typed array may be longer`,
    );
}

/** The fields of an object that are not undefined. */
function fields(object: object, place: Place, convert: ConvertField): Record<string, unknown> {
  if (Object.getOwnPropertySymbols(object).length > 0)
    throw createError(
      "InputError",
      `${spelled(place)} has a symbol among its names, expected texts`,
    );
  const converted = [];
  for (const name of Object.keys(object)) {
    const at = { ...place, path: place.path ? `${place.path}.${name}` : name };
    const value = read(object, name, at);
    if (value !== undefined)
      converted.push([checkUnicode(name, "a name"), convert(name, value, at)]);
  }
  return Object.fromEntries(converted);
}

/** A property, whose getter may throw. */
function read(object: object, name: string, place: Place): unknown {
  try {
    return (object as Record<string, unknown>)[name];
  } catch (error) {
    throw createError("InputError", `${spelled(place)} cannot be read: ${thrown(error)}`);
  }
}

function notData(
  value: unknown,
  place: Place,
  expected = "plain data; only `js` of an intervention may be a function",
) {
  return createError(
    "InputError",
    `${spelled(place)} is ${typeof value === "bigint" ? `the BigInt ${describe(value)}` : describe(value)}, expected ${expected}`,
  );
}

/** "`interventions[0].at` of runWithCache". */
function spelled({ call, path }: Place) {
  const short = path.length > 200 ? `${path.slice(0, 200)}…` : path;
  return path ? `\`${short}\` of ${call}` : `the value of ${call}`;
}
