// What a Tensor holds, as plain data; checks and loops that its operations share.

import { createError, describe } from "../errors.js";
import { isPlainObject } from "../options.js";
import { NO_TOKEN } from "./no-token.js";

export { NO_TOKEN } from "./no-token.js";

/** The numbers of a tensor: real numbers, or ids and counts. */
export type TensorArray = Float32Array | Uint32Array;

/** By axis, what its indices stand for. */
export type Labels = Readonly<Record<string, readonly string[]>>;

/** Numbers with a shape and named axes: a Tensor is one. */
export interface Values<Data extends TensorArray = TensorArray> {
  /** in row-major order: the last axis is contiguous */
  readonly data: Data;
  readonly shape: readonly number[];
  readonly axes: readonly string[];
  readonly labels: Labels;
  /** whether `data` shares memory with another tensor */
  readonly isView?: boolean;
}

/** Whether a value has the fields of a tensor. `checkValues` says whether they fit each other. */
export function isValues(value: unknown): value is Values {
  if (typeof value !== "object" || value === null) return false;
  const { data, shape, axes, labels } = value as Partial<Values>;
  return (
    ArrayBuffer.isView(data) && Array.isArray(shape) && Array.isArray(axes) && isPlainObject(labels)
  );
}

/**
 * A tensor that is given to an operation.
 * @param what for messages, such as "add"
 * @throws InputError for another value, or one whose fields do not fit each other
 */
export function operand(value: unknown, what: string, expected: string): Values {
  if (!isValues(value))
    throw createError(
      "InputError",
      `${what}: the operand is ${describe(value)}, expected ${expected}`,
    );
  checkValues(value);
  return value;
}

export function countOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

/** The distance in `data` between neighbours along each axis. */
export function stridesOf(shape: readonly number[]): number[] {
  return shape.map((_, i) => countOf(shape.slice(i + 1)));
}

/** The stride of an axis by name; 0 for one that the values do not have. */
export function strideOf({
  axes,
  shape,
}: Pick<Values, "axes" | "shape">): (axis: string) => number {
  const strides = stridesOf(shape);
  return (axis: string) => strides[axes.indexOf(axis)] ?? 0;
}

/** Whether these are ids or counts. `instanceof` would not know the arrays of another frame. */
export function areIds(data: unknown): data is Uint32Array {
  return kindOf(data) === "Uint32Array";
}

function kindOf(data: unknown): string | null {
  return ArrayBuffer.isView(data) ? (data as TensorArray)[Symbol.toStringTag] : null;
}

/** The numbers to compute with: NaN in the place of ids that stand for no token. */
export function numbersOf(data: TensorArray): ArrayLike<number> {
  return areIds(data) ? Float64Array.from(data, (id) => (id === NO_TOKEN ? Number.NaN : id)) : data;
}

/** A number as an id: NaN as the id that stands for none. */
export function asId(value: number): number {
  return Number.isNaN(value) ? NO_TOKEN : value;
}

/** An array of the same type. */
export function arrayLike<Data extends TensorArray>(data: Data, length: number): Data {
  return (areIds(data) ? new Uint32Array(length) : new Float32Array(length)) as Data;
}

/** "[2, 3] over head, pos". */
export function spelledShape({ shape, axes }: Pick<Values, "shape" | "axes">): string {
  return axes.length ? `[${shape.join(", ")}] over ${axes.join(", ")}` : "one number without axes";
}

/** A text in JSON, cut to a length that fits into a message. */
export function spelled(value: unknown): string {
  const text =
    Array.isArray(value) || ArrayBuffer.isView(value)
      ? `[${Array.from(value as ArrayLike<unknown>, String).join(", ")}]`
      : describe(value);
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}

/**
 * The names of some axes, which the tensor has.
 * @param what for messages, such as "sum"
 * @throws InputError for another axis, or one that is named twice
 */
export function axesOf(
  values: Values,
  axes: string | readonly string[],
  what: string,
): readonly string[] {
  const list = typeof axes === "string" ? [axes] : axes;
  if (!Array.isArray(list))
    throw createError(
      "InputError",
      `${what}: found ${describe(axes)}, expected the name of an axis or an array of names`,
    );
  for (const axis of list) axisIndex(values, axis);
  if (new Set(list).size < list.length)
    throw createError("InputError", `${what}: an axis is named twice in ${list.join(", ")}`);
  return list;
}

/** The index of an axis. @throws InputError if it does not exist; the note of a tensor may say where its numbers are */
export function axisIndex(
  { axes, name, note }: Pick<Values, "axes"> & { name?: string; note?: string },
  axis: unknown,
): number {
  const index = typeof axis === "string" ? axes.indexOf(axis) : -1;
  if (index >= 0) return index;
  const expected = axes.length ? `expected ${axes.join(", ")}` : "it has none left";
  const tensor = ["the tensor", name, note && `(${note})`].filter(Boolean).join(" ");
  throw createError("InputError", `${tensor} has no axis ${describe(axis)}: ${expected}`);
}

/**
 * Checks that shape, axes and labels fit the numbers.
 * @throws InputError
 */
export function checkValues({ data, shape, axes, labels }: Values): void {
  const refuse = (found: string) => {
    throw createError("InputError", `a tensor ${found}`);
  };
  if (!areIds(data) && kindOf(data) !== "Float32Array")
    refuse(`has numbers in ${describe(data)}, expected a Float32Array or a Uint32Array`);
  if (!Array.isArray(shape) || !shape.every((length) => Number.isInteger(length) && length >= 0))
    refuse(`has the shape ${spelled(shape)}, expected an array of lengths`);
  if (!Array.isArray(axes) || !axes.every((axis) => typeof axis === "string" && axis !== ""))
    refuse(`has the axes ${spelled(axes)}, expected an array of names`);
  const reserved = axes.find((axis) => axis in Object.prototype);
  if (reserved !== undefined)
    refuse(`has the axis ${describe(reserved)}, which every object has: expected another name`);
  if (axes.length !== shape.length)
    refuse(
      `of shape ${spelled(shape)} has ${axes.length} axes (${axes}), expected ${shape.length}`,
    );
  const twice = axes.find((axis, i) => axes.indexOf(axis) !== i);
  if (twice !== undefined)
    refuse(`has the axis ${describe(twice)} twice, expected different names`);
  if (countOf(shape) !== data.length)
    refuse(`of shape ${spelled(shape)} has ${data.length} numbers, expected ${countOf(shape)}`);
  if (!isPlainObject(labels))
    refuse(`has the labels ${describe(labels)}, expected an object of arrays by axis`);
  for (const axis of Object.keys(labels)) {
    const place = axes.indexOf(axis);
    if (place < 0) refuse(`has labels for ${describe(axis)}, which is none of its axes ${axes}`);
    if (!Array.isArray(labels[axis]))
      refuse(`has the labels ${describe(labels[axis])} for the axis ${axis}, expected an array`);
    if (labels[axis].length !== shape[place])
      refuse(
        `has ${labels[axis].length} labels for the axis ${axis} of length ${shape[place]}, expected one for each index`,
      );
  }
}

/**
 * Calls `visit` with the offsets into two arrays at each index of `shape`, in row-major order.
 * @param a the strides in the first array, one for each axis
 * @param b those in the second array
 */
export function walk(
  shape: readonly number[],
  a: readonly number[],
  b: readonly number[],
  visit: (a: number, b: number) => void,
  axis = 0,
  fromA = 0,
  fromB = 0,
): void {
  if (axis === shape.length) visit(fromA, fromB);
  else
    for (let i = 0; i < shape[axis]; i++)
      walk(shape, a, b, visit, axis + 1, fromA + i * a[axis], fromB + i * b[axis]);
}

/** The numbers at `offset` + index · strides: a view if they are contiguous, otherwise a copy. */
export function pick<Data extends TensorArray>(
  data: Data,
  shape: readonly number[],
  strides: readonly number[],
  offset = 0,
): { data: Data; isView: boolean } {
  const count = countOf(shape);
  const contiguous = stridesOf(shape);
  if (shape.every((length, i) => length === 1 || strides[i] === contiguous[i]) || count === 0)
    return { data: data.subarray(offset, offset + count) as Data, isView: true };
  const copy = arrayLike(data, count);
  const inner = shape.length - 1;
  const [length, stride] = [shape[inner], strides[inner]];
  let to = 0;
  walk(shape.slice(0, inner), strides, strides, (from) => {
    for (let i = 0; i < length; i++) copy[to++] = data[offset + from + i * stride];
  });
  return { data: copy, isView: false };
}

/** The values with their axes in another order: a view if that moves no number. */
export function transposed<Data extends TensorArray>(
  values: Values<Data>,
  axes: readonly string[],
): Values<Data> {
  const places = axes.map((axis) => axisIndex(values, axis));
  const strides = stridesOf(values.shape);
  const shape = places.map((place) => values.shape[place]);
  const order = places.map((place) => strides[place]);
  return { ...pick(values.data, shape, order), shape, axes: [...axes], labels: values.labels };
}

/** The labels of some axes. */
export function labelsOf(labels: Labels, axes: readonly string[]): Labels {
  return Object.fromEntries(Object.entries(labels).filter(([axis]) => axes.includes(axis)));
}

/**
 * Labels of one axis that two tensors have.
 * @param what for messages, such as "add"
 * @throws InputError if they differ
 */
export function checkLabels(
  what: string,
  axis: string,
  one: readonly string[],
  other: readonly string[],
): void {
  const differs = one.findIndex((label, i) => label !== other[i]);
  if (differs >= 0)
    throw createError(
      "InputError",
      `${what}: the labels of the axis ${axis} differ at index ${differs}: ${describe(one[differs])} and ${describe(other[differs])}`,
    );
}

/**
 * The labels of two tensors that share axes.
 * @param what for messages, such as "add"
 * @throws InputError if a shared axis has two lengths, or labels that differ
 */
export function sharedLabels(a: Omit<Values, "data">, b: Values, what: string): Labels {
  for (const [i, axis] of a.axes.entries()) {
    const place = b.axes.indexOf(axis);
    if (place < 0) continue;
    if (a.shape[i] !== b.shape[place])
      throw createError(
        "InputError",
        `${what}: the axis ${axis} has length ${a.shape[i]} and length ${b.shape[place]}, expected the same; the shapes are ${spelledShape(a)}, and ${spelledShape(b)}`,
      );
    const [one, other] = [a.labels[axis], b.labels[axis]];
    if (one && other) checkLabels(what, axis, one, other);
  }
  return { ...b.labels, ...a.labels };
}
