// Operations on several arrays, matched by the names of their axes: arithmetic with broadcasting, products, stacking.
//
// The definitions are those of xarray: an axis that one operand lacks is broadcast; the result has the axes of the first operand, then
// those that only the second has. Axes of one name must have one length, and labels that differ are an error.

import { createError, describe } from "../errors.js";
import {
  areIds,
  arrayLike,
  axesOf,
  axisIndex,
  checkLabels,
  checkValues,
  countOf,
  isValues,
  type Labels,
  labelsOf,
  NO_TOKEN,
  numbersOf,
  operand,
  sharedLabels,
  spelledShape,
  strideOf,
  transposed,
  type TensorArray,
  type Values,
  walk,
} from "./values.js";

export type Operator = "add" | "sub" | "mul" | "div";

const OPERATORS: Record<Operator, (a: number, b: number) => number> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
};

/**
 * Two arrays, or an array and a number, number by number.
 * @throws InputError if a shared axis has two lengths or labels that differ, or for another operand
 */
export function combined(a: Values, b: unknown, operator: Operator): Values<Float32Array> {
  const operate = OPERATORS[operator];
  const { shape, axes, labels } = a;
  const left = numbersOf(a.data);
  if (typeof b === "number")
    return { data: Float32Array.from(left, (x) => operate(x, b)), shape, axes, labels };
  const other = operand(b, operator, "a number or a Tensor");
  const all = broadcast(a, other, operator);
  const right = numbersOf(other.data);
  const data = new Float32Array(countOf(all.shape));
  const isSame =
    other.axes.length === axes.length && other.axes.every((axis, i) => axis === axes[i]);
  if (isSame) for (let i = 0; i < data.length; i++) data[i] = operate(left[i], right[i]);
  else {
    let to = 0;
    const [inA, inB] = [a, other].map((one) => all.axes.map(strideOf(one)));
    walk(all.shape, inA, inB, (i, j) => {
      data[to++] = operate(left[i], right[j]);
    });
  }
  return { data, ...all };
}

/**
 * The numbers of an array where a mask is not 0; where it is 0, another number, or those of another array. Axes are matched as those
 * of `combined`. Ids stay ids.
 * @throws InputError as `combined`; for a mask with NaN, or another number than an id among ids
 */
export function masked(a: Values, mask: unknown, other: unknown): Values {
  const chosen = operand(mask, "where", "a mask, a Tensor of 0 and 1");
  if (chosen.data.some(Number.isNaN))
    throw createError("InputError", "where: the mask has NaN, expected 0 and other numbers");
  const rest =
    typeof other === "number" ? scalar(other) : operand(other, "where", "a number or a Tensor");
  const isWhole = areIds(a.data);
  if (isWhole && !areIds(rest.data))
    throw createError(
      "InputError",
      `where: ${typeof other === "number" ? other : "the other"} cannot stand among ids, expected whole numbers from 0 to ${NO_TOKEN}`,
    );
  const both = broadcast(a, chosen, "where");
  const all = broadcast(both, rest, "where");
  const { axes, shape, labels } = all;
  const data = arrayLike(a.data, countOf(shape));
  const fallback = isWhole ? rest.data : numbersOf(rest.data);
  const [inA, inMask, inRest] = [a, chosen, rest].map((one) => axes.map(strideOf(one)));
  let to = 0;
  walk(shape, inA, inMask, (i, at) => {
    if (chosen.data[at] !== 0) data[to] = a.data[i];
    to++;
  });
  to = 0;
  walk(shape, inRest, inMask, (i, at) => {
    if (chosen.data[at] === 0) data[to] = fallback[i];
    to++;
  });
  return { data, shape, axes, labels };
}

/** The axes of two arrays that are matched by name, without numbers. */
function broadcast(a: Omit<Values, "data">, b: Values, what: string) {
  const labels = sharedLabels(a, b, what);
  const added = b.axes.filter((axis) => !a.axes.includes(axis));
  const shape = [...a.shape, ...added.map((axis) => lengthOf(b, axis))];
  return { axes: [...a.axes, ...added], shape, labels };
}

function scalar(number: number): Values {
  const isId = number === number >>> 0;
  const data = isId ? Uint32Array.of(number) : Float32Array.of(number);
  return { data, shape: [], axes: [], labels: {} };
}

/**
 * The sum over some axes of the products of two arrays. Other axes that both have are matched index by index. Accumulated in f64.
 * @throws InputError if an operand lacks an axis of the sum; as `combined`
 */
export function contracted(
  a: Values,
  other: unknown,
  over: string | readonly string[],
): Values<Float32Array> {
  const b = operand(other, "dot", "a Tensor");
  const along = axesOf(a, over, "dot");
  axesOf(b, along, "dot");
  const labels = sharedLabels(a, b, "dot");
  const own = a.axes.filter((axis) => !along.includes(axis));
  const added = b.axes.filter((axis) => !along.includes(axis) && !a.axes.includes(axis));
  // With the summed axes last, both operands are read in the order of memory.
  const [left, right] = [transposed(a, [...own, ...along]), byLast(b, along)];
  const [factors, others] = [numbersOf(left.data), numbersOf(right.data)];
  const axes = [...own, ...added];
  const shape = axes.map((axis) => (own.includes(axis) ? lengthOf(a, axis) : lengthOf(b, axis)));
  const count = countOf(along.map((axis) => lengthOf(a, axis)));
  const data = new Float32Array(countOf(shape));
  let to = 0;
  walk(shape, axes.map(strideOf(left)), axes.map(strideOf(right)), (i, j) => {
    let sum = 0;
    for (let k = 0; k < count; k++) sum += factors[i + k] * others[j + k];
    data[to++] = sum;
  });
  return { data, shape, axes, labels: labelsOf(labels, axes) };
}

function byLast(values: Values, last: readonly string[]): Values {
  return transposed(values, [...values.axes.filter((axis) => !last.includes(axis)), ...last]);
}

function lengthOf(values: Values, axis: string) {
  return values.shape[axisIndex(values, axis)];
}

/**
 * Arrays of one shape along a new first axis.
 * @throws InputError if their axes or lengths differ, there is none, or they have the axis already
 */
export function stacked(list: readonly Values[], axis: string, labels?: readonly string[]): Values {
  const first = checkedList(list, "stack");
  if (first.axes.includes(axis))
    throw createError(
      "InputError",
      `stack: the arrays have an axis ${axis} already, expected a new name; concat joins along it`,
    );
  const ordered = list.map((one, i) => matching(first, one, i, "stack", null));
  const own = agreedLabels(list, "stack", null);
  return {
    data: joined(ordered),
    shape: [list.length, ...first.shape],
    axes: [axis, ...first.axes],
    labels: labels ? { ...own, [axis]: labels } : own,
  };
}

/**
 * Arrays one after the other along an axis that they have.
 * @throws InputError if their axes or other lengths differ, or there is none
 */
export function concatenated(list: readonly Values[], axis: string): Values {
  const first = checkedList(list, "concat");
  axisIndex(first, axis);
  const order = [axis, ...first.axes.filter((one) => one !== axis)];
  const ordered = list.map((one, i) => transposed(matching(first, one, i, "concat", axis), order));
  const length = ordered.reduce((sum, { shape }) => sum + shape[0], 0);
  const labels = agreedLabels(list, "concat", axis);
  const all = list.flatMap((one) => one.labels[axis] ?? []);
  const found = transposed(
    {
      data: joined(ordered),
      shape: [length, ...ordered[0].shape.slice(1)],
      axes: order,
      labels: all.length === length && length > 0 ? { ...labels, [axis]: all } : labels,
    },
    first.axes,
  );
  return { ...found, isView: false };
}

function checkedList(list: readonly Values[], what: string): Values {
  if (list.length === 0)
    throw createError("InputError", `${what}: the list is empty, expected Tensors`);
  for (const [i, one] of [...list].entries()) {
    if (!isValues(one))
      throw createError("InputError", `${what}: entry ${i} is ${describe(one)}, expected a Tensor`);
    checkValues(one);
  }
  return list[0];
}

/** An array with the order of axes of the first; its lengths are the same, except along `free`. */
function matching(first: Values, one: Values, i: number, what: string, free: string | null) {
  const fits =
    one.axes.length === first.axes.length &&
    first.axes.every(
      (axis, at) =>
        one.axes.includes(axis) && (axis === free || lengthOf(one, axis) === first.shape[at]),
    );
  if (!fits)
    throw createError(
      "InputError",
      `${what}: entry ${i} is ${spelledShape(one)}, expected the axes of entry 0, ${spelledShape(first)}`,
    );
  return transposed(one, first.axes);
}

/**
 * The labels that any of the arrays has, except along `free`.
 * @throws InputError if two arrays have different ones
 */
function agreedLabels(list: readonly Values[], what: string, free: string | null): Labels {
  const found = new Map<string, { entry: number; labels: readonly string[] }>();
  for (const [entry, { labels: own }] of list.entries())
    for (const [axis, labels] of Object.entries(own)) {
      const known = found.get(axis);
      if (known)
        checkLabels(`${what}: entries ${known.entry} and ${entry}`, axis, known.labels, labels);
      else if (axis !== free) found.set(axis, { entry, labels });
    }
  return Object.fromEntries([...found].map(([axis, { labels }]) => [axis, labels]));
}

/** The numbers one after the other; ids and counts only if all are. */
function joined(list: readonly Values[]): TensorArray {
  const count = list.reduce((sum, { data }) => sum + data.length, 0);
  const isWhole = list.every(({ data }) => areIds(data));
  const data = isWhole ? new Uint32Array(count) : new Float32Array(count);
  let at = 0;
  for (const one of list) {
    data.set(one.data, at);
    at += one.data.length;
  }
  return data;
}
