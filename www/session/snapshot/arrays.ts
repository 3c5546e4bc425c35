// Checks of the arrays in a snapshot: their fields fit each other, and the data hold as many numbers as the shape says.

import { createError } from "../../api/errors.js";
import {
  causalLength,
  ENCODINGS,
  fromBase64,
  hasCodes,
  isEncodedArray,
  isEncodedNumber,
} from "../../api/snapshot/arrays.js";
import type { EncodedArray, EncodedNumber } from "../../api/snapshot/format.js";
import {
  type Check,
  count,
  finite,
  listOf,
  object,
  optional,
  recordOf,
  text,
  that,
  wrongField,
} from "./check.js";

const encodings = Object.keys(ENCODINGS);

const fields = object({
  encoding: that<EncodedArray["encoding"]>(`one of ${encodings.join(", ")}`, (value) =>
    encodings.includes(value as string),
  ),
  data: text,
  step: optional(
    that<number>(
      "a number from 1e-60 to 1e60",
      (one) => typeof one === "number" && one >= 1e-60 && one <= 1e60,
    ),
  ),
  offset: optional(finite),
  causal: optional(that<true>("true, or no such field", (value) => value === true)),
  shape: optional(listOf(count)),
  axes: optional(listOf(text)),
  labels: optional(recordOf(listOf(text))),
});

/** An array of any form. */
export const array: Check<EncodedArray> = (value, path) => {
  const found = fields(value, path) as EncodedArray;
  checkRounding(found, path);
  checkAxes(found, path);
  checkLength(found, path);
  return found;
};

/** A tensor with these axes, and these sizes where a number says them. */
export function tensor(
  axes: readonly string[],
  sizes: readonly (number | null)[] = [],
): Check<EncodedArray> {
  return (value, path) => {
    const found = array(value, path);
    if (found.axes?.join() !== axes.join())
      throw wrongField(`${path}.axes`, found.axes?.join(" "), axes.join(" "));
    sizes.forEach((size, at) => {
      if (size !== null && found.shape?.[at] !== size)
        throw wrongField(`${path}.shape[${at}]`, found.shape?.[at], `${size} (${axes[at]})`);
    });
    return found;
  };
}

function checkRounding({ encoding, step, offset }: EncodedArray, path: string) {
  const isRounded = hasCodes(encoding);
  if (isRounded && step === undefined)
    throw wrongField(`${path}.step`, step, `the step of the codes of ${encoding}`);
  if (!isRounded && (step !== undefined || offset !== undefined))
    throw wrongField(`${path}.step`, step ?? offset, `none, because ${encoding} is exact`);
}

function checkAxes({ shape, axes, labels, causal }: EncodedArray, path: string) {
  if ((shape === undefined) !== (axes === undefined))
    throw wrongField(
      `${path}.${shape ? "axes" : "shape"}`,
      undefined,
      "both `shape` and `axes`, or none of them",
    );
  if (shape && axes && shape.length !== axes.length)
    throw wrongField(`${path}.axes`, axes, `${shape.length}, one for each size of \`shape\``);
  for (const [axis, names] of Object.entries(labels ?? {})) {
    const size = shape?.[axes?.indexOf(axis) ?? -1];
    if (size !== names.length)
      throw wrongField(`${path}.labels.${axis}`, names, `one for each index of an axis ${axis}`);
  }
  const isSquare = shape && shape.length >= 2 && shape.at(-1) === shape.at(-2);
  if (causal && !(isSquare && axes?.at(-2) === "query" && axes.at(-1) === "key"))
    throw wrongField(`${path}.causal`, causal, "the last axes to be query and key, of one size");
}

function checkLength({ encoding, data, shape, causal }: EncodedArray, path: string) {
  let bytes: number;
  try {
    bytes = fromBase64(data).length;
  } catch {
    throw createError("InputError", `the snapshot's \`${path}.data\` is damaged: it is no base64`);
  }
  const size = ENCODINGS[encoding];
  const all = shape?.reduce((product, one) => product * one, 1);
  const expected = all && causal ? causalLength(all, shape?.at(-1) ?? 1) : all;
  // An odd number of codes of 12 bits ends in half a byte.
  const count = expected ?? Math.floor(bytes / size);
  const isWhole = bytes === Math.ceil(count * size);
  if (!isWhole)
    throw createError(
      "InputError",
      `the snapshot's \`${path}.data\` is damaged: it has ${bytes} bytes, expected ${expected === undefined ? `a multiple of ${size}` : Math.ceil(expected * size)}`,
    );
}

export const number: Check<EncodedNumber> = (value, path) => {
  if (Number.isFinite(value)) return value as number;
  const names = ["NaN", "Infinity", "-Infinity"];
  const isNamed = typeof value === "object" && value !== null && isEncodedNumber(value);
  if (isNamed && names.includes(value.number)) return value as EncodedNumber;
  throw wrongField(path, value, `a number, or { "number": one of ${names.join(", ")} }`);
};

/** Values that are nested deeper are no result of a view. */
const MAX_DEPTH = 16;

/** Plain data with arrays in it. */
export function plain(value: unknown, path: string, depth = 0): unknown {
  if (depth > MAX_DEPTH) throw wrongField(path, value, `at most ${MAX_DEPTH} levels`);
  if (typeof value === "number") return finite(value, path);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((one, at) => plain(one, `${path}[${at}]`, depth + 1));
  if (isEncodedArray(value)) return array(value, path);
  if (isEncodedNumber(value)) return number(value, path);
  const entries = Object.entries(value);
  return Object.fromEntries(
    entries.map(([name, one]) => [name, plain(one, `${path}.${name}`, depth + 1)]),
  );
}
