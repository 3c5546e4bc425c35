// Indexing by the names of axes.
//
// The definitions are those of xarray's `isel`: NumPy's basic indexing for numbers and ranges, a list along each axis by
// itself, and vectorised indexing for tensors.

import { createError, describe } from "../errors.js";
import { nearest } from "../hook-names.js";
import { isPlainObject } from "../options.js";
import {
  areIds,
  arrayLike,
  axisIndex,
  checkValues,
  countOf,
  isValues,
  type Labels,
  labelsOf,
  NO_TOKEN,
  pick,
  sharedLabels,
  spelled,
  strideOf,
  stridesOf,
  type TensorArray,
  type Values,
  walk,
} from "./values.js";

/**
 * The indices from `from` up to and without `to`, `step` apart; negative edges count from the end. Without `from` and `to` it
 * is the whole axis. A negative step goes backwards from `from`, by default the last index.
 */
export interface Range {
  from?: number;
  to?: number;
  step?: number;
}

/** Indices or labels along an axis. */
export type AxisIndex = number | string | Range | ArrayLike<number | string> | Values;

/**
 * What is picked along each named axis. A number (negative: from the end) or a label removes the axis. A `Range` or a list keeps
 * it. A tensor of indices puts its own axes in place of the axis; those that the indexed tensor has too are matched index by
 * index. At the id of padding, 4294967295, the result is NaN.
 */
export type Index = Readonly<Record<string, AxisIndex>>;

/** @throws InputError for an axis that does not exist, or an index that is not along it */
export function indexed<Data extends TensorArray>(
  values: Values<Data>,
  index: Index,
): Values<Data> {
  if (!isPlainObject(index))
    throw createError(
      "InputError",
      `the index is ${describe(index)}, expected an object by axis such as { pos: -1 }`,
    );
  const given = Object.entries(index);
  for (const [axis, along] of given) {
    axisIndex(values, axis);
    // A variable without a value would otherwise be the whole axis, and its numbers look right.
    if (along === undefined)
      throw createError(
        "InputError",
        `the index along ${axis} is undefined, expected a number, a label, a list, a range or a Tensor: write ${axis}: {} for the whole axis, or leave it out`,
      );
    if (isValues(along)) checkValues(along);
  }
  const lists = given.filter(([, along]) => isList(along));
  let found = sliced(values, new Map(given.filter(([, along]) => !isList(along))));
  for (const [axis, along] of inOrder(lists)) found = taken(found, axis, along);
  return found;
}

function isList(along: unknown): boolean {
  return (
    Array.isArray(along) ||
    ArrayBuffer.isView(along) ||
    (isValues(along) && (along.axes.length > 0 || isNoToken(along, 0)))
  );
}

/** Whether an index is that of padding. The ids of another batch have it, and argmax of NaN. */
function isNoToken({ data }: Values, at: number): boolean {
  return areIds(data) && data[at] === NO_TOKEN;
}

/**
 * Indices in an order in which one after the other is the same as all at once: an index whose tensor has the axis of
 * another one is applied after it.
 */
function inOrder(lists: readonly (readonly [string, unknown])[]) {
  const ordered: (readonly [string, unknown])[] = [];
  let left = [...lists];
  while (left.length > 0) {
    const next = left.find(
      ([axis, along]) =>
        !isValues(along) || left.every(([other]) => other === axis || !along.axes.includes(other)),
    );
    if (!next)
      throw createError(
        "InputError",
        `the indices along ${left.map(([axis]) => axis).join(" and ")} have each other's axis: apply them one after the other`,
      );
    ordered.push(next);
    left = left.filter((one) => one !== next);
  }
  return ordered;
}

/** The part at single indices, labels and ranges. */
function sliced<Data extends TensorArray>(
  values: Values<Data>,
  index: ReadonlyMap<string, unknown>,
): Values<Data> {
  const strides = stridesOf(values.shape);
  const labels: Record<string, readonly string[]> = {};
  const kept: { axis: string; length: number; stride: number }[] = [];
  let offset = 0;
  for (const [i, axis] of values.axes.entries()) {
    const along = index.get(axis);
    if (along === undefined || isRange(along)) {
      const { from, step, length } = range(along ?? {}, axis, values.shape[i]);
      if (length > 0) offset += from * strides[i];
      kept.push({ axis, length, stride: step * strides[i] });
      const own = values.labels[axis];
      if (own) labels[axis] = Array.from({ length }, (_, k) => own[from + k * step]);
    } else {
      const only = isValues(along) ? along.data[0] : along; // a tensor without axes
      offset += strides[i] * position(only, axis, values.shape[i], values.labels[axis]);
    }
  }
  const shape = kept.map(({ length }) => length);
  const picked = pick(
    values.data,
    shape,
    kept.map(({ stride }) => stride),
    offset,
  );
  return { ...picked, shape, axes: kept.map(({ axis }) => axis), labels };
}

function isRange(along: unknown): along is Range {
  return isPlainObject(along) && !isValues(along);
}

function range(given: Range, axis: string, length: number) {
  const unknown = Object.keys(given).find((key) => !["from", "to", "step"].includes(key));
  if (unknown !== undefined)
    throw createError(
      "InputError",
      `the range along ${axis} has ${describe(unknown)}, expected from, to and step`,
    );
  const step = given.step ?? 1;
  if (!Number.isInteger(step) || step === 0)
    throw createError(
      "InputError",
      `the step along ${axis} is ${describe(step)}, expected a whole number other than 0`,
    );
  const max = step > 0 ? length : length - 1;
  const edge = (name: "from" | "to", absent: number) => {
    const value = given[name];
    if (value === undefined) return absent;
    const counted = value < 0 ? value + length : value;
    if (!Number.isInteger(counted) || counted < 0 || counted > max)
      throw createError(
        "InputError",
        `\`${name}\` along ${axis} is ${describe(value)}, expected a whole number from ${-length} to ${max}`,
      );
    return counted;
  };
  const [from, to] =
    step > 0 ? [edge("from", 0), edge("to", length)] : [edge("from", length - 1), edge("to", -1)];
  if (step > 0 ? from > to : from < to)
    throw createError(
      "InputError",
      `the range along ${axis} goes from ${from} to ${to} with step ${step}, expected an end ${step > 0 ? "after" : "before"} its start`,
    );
  return { from, step, length: Math.max(0, Math.ceil((to - from) / step)) };
}

/** An index or a label as an index from 0. */
function position(
  index: unknown,
  axis: string,
  length: number,
  labels: readonly string[] | undefined,
): number {
  if (typeof index === "string") return labelled(index, axis, labels);
  const counted = typeof index === "number" && index < 0 ? index + length : index;
  if (
    typeof counted !== "number" ||
    !Number.isInteger(counted) ||
    counted < 0 ||
    counted >= length
  ) {
    const expected =
      length > 0 ? `a whole number from ${-length} to ${length - 1}` : "no index: it has length 0";
    throw createError(
      "InputError",
      `${axis} ${spelled(index)} is out of range: expected ${expected}`,
    );
  }
  return counted;
}

function labelled(label: string, axis: string, labels: readonly string[] | undefined): number {
  if (!labels)
    throw createError(
      "InputError",
      `${axis} ${describe(label)} is a label, and the axis has none: expected a whole number`,
    );
  const place = labels.indexOf(label);
  if (place < 0) {
    const near = nearest(label, labels).map(describe).join(", ");
    throw createError(
      "InputError",
      `the axis ${axis} has no label ${describe(label)}: the nearest are ${near || "none"}`,
    );
  }
  const again = labels.indexOf(label, place + 1);
  if (again >= 0)
    throw createError(
      "InputError",
      `the axis ${axis} has the label ${describe(label)} at ${place} and at ${again}: give the index`,
    );
  return place;
}

/** The numbers at a list, or at a tensor, of indices along `axis`. */
function taken<Data extends TensorArray>(
  values: Values<Data>,
  axis: string,
  along: unknown,
): Values<Data> {
  const place = axisIndex(values, axis);
  const length = values.shape[place];
  const own = values.labels[axis];
  const read = (index: unknown) => position(index, axis, length, own);
  const index = isValues(along)
    ? {
        ...along,
        data: Uint32Array.from(along.data, (one, i) =>
          isNoToken(along, i) ? NO_TOKEN : read(one),
        ),
      }
    : listed(along as ArrayLike<unknown>, axis, read);
  const kept = { ...values, axes: values.axes.map((name) => (name === axis ? "" : name)) };
  const shared = sharedLabels(kept, index, `at ${axis}`);
  const axes = values.axes.flatMap((name) =>
    name === axis ? index.axes.filter((one) => one === axis || !values.axes.includes(one)) : [name],
  );
  const strides = strideOf(kept);
  const inIndex = strideOf(index);
  const shape = axes.map((name) => {
    const at = index.axes.indexOf(name);
    return at >= 0 ? index.shape[at] : values.shape[values.axes.indexOf(name)];
  });
  const stride = stridesOf(values.shape)[place];
  const data = arrayLike(values.data, countOf(shape));
  const missing = areIds(data) ? NO_TOKEN : Number.NaN;
  let to = 0;
  walk(shape, axes.map(strides), axes.map(inIndex), (from, at) => {
    const along = index.data[at];
    data[to++] = along === NO_TOKEN ? missing : values.data[from + along * stride];
  });
  const labels: Record<string, readonly string[]> = { ...labelsOf(shared, axes) };
  delete labels[axis];
  if (index.axes.includes(axis)) {
    const picked = own && index.axes.length === 1 && Array.from(index.data, (i) => own[i]);
    const found = index.labels[axis] ?? picked;
    if (found) labels[axis] = found;
  }
  return { data, shape, axes, labels, isView: false };
}

function listed(list: ArrayLike<unknown>, axis: string, read: (index: unknown) => number) {
  const data = Uint32Array.from(Array.from(list), read);
  const labels: Labels = {};
  return { data, shape: [data.length], axes: [axis], labels };
}
