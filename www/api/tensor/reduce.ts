// Reductions along axes, and softmax. Sums are accumulated in f64.
//
// The definitions are NumPy's, and SciPy's of softmax and log_softmax. NaN propagates, and the softmax of −∞ only is NaN. With +∞, both
// softmax and its logarithm are NaN along the whole axis; SciPy's log_softmax has −∞ beside the NaN. Of NaN, argmax
// and argmin have no index: NO_TOKEN, where NumPy has the index of the first one, which would be a token.

import { createError } from "../errors.js";
import {
  areIds,
  asId,
  axesOf,
  axisIndex,
  countOf,
  labelsOf,
  numbersOf,
  spelledShape,
  transposed,
  type Values,
} from "./values.js";

/** The numbers along the axes that are left out of the result: `data[start + i * stride]` for i below `length`. */
type Fold = (data: ArrayLike<number>, start: number, length: number, stride: number) => number;

const sumOf: Fold = (data, start, length, stride) => {
  let sum = 0;
  for (let i = 0, at = start; i < length; i++, at += stride) sum += data[at];
  return sum;
};

const meanOf: Fold = (data, start, length, stride) => sumOf(data, start, length, stride) / length;

const normOf: Fold = (data, start, length, stride) => {
  let sum = 0;
  for (let i = 0, at = start; i < length; i++, at += stride) sum += data[at] * data[at];
  return Math.sqrt(sum);
};

/** Of the whole population, as `numpy.std`. */
const deviationOf: Fold = (data, start, length, stride) => {
  const mean = meanOf(data, start, length, stride);
  let sum = 0;
  for (let i = 0, at = start; i < length; i++, at += stride) sum += (data[at] - mean) ** 2;
  return Math.sqrt(sum / length);
};

/** The index of the first greatest or least number; NaN if one is NaN: none of them is the greatest then. */
const extremeAt =
  (sign: 1 | -1): Fold =>
  (data, start, length, stride) => {
    let best = 0;
    for (let i = 0, at = start; i < length; i++, at += stride) {
      if (Number.isNaN(data[at])) return Number.NaN;
      if (sign * data[at] > sign * data[start + best * stride]) best = i;
    }
    return best;
  };

const extremeOf = (sign: 1 | -1): Fold => {
  const index = extremeAt(sign);
  return (data, start, length, stride) => {
    const at = index(data, start, length, stride);
    return Number.isNaN(at) ? Number.NaN : data[start + at * stride];
  };
};

const FOLDS = {
  sum: sumOf,
  mean: meanOf,
  norm: normOf,
  std: deviationOf,
  max: extremeOf(1),
  min: extremeOf(-1),
  argmax: extremeAt(1),
  argmin: extremeAt(-1),
};

/** The operations whose result is one of the numbers. */
const EXTREMES = ["max", "min"];
/** The operations that have no result for no numbers. */
const NEEDS_NUMBERS = [...EXTREMES, "argmax", "argmin"];

/**
 * The values without some axes, which the operation is applied along; without all if `axes` is undefined.
 * @throws InputError for an axis that does not exist or is named twice, or without numbers
 */
export function reduced(
  values: Values,
  operation: keyof typeof FOLDS,
  axes: string | readonly string[] | undefined,
): Values {
  const along = axes === undefined ? values.axes : axesOf(values, axes, operation);
  const places = along.map((axis) => axisIndex(values, axis));
  const left = values.axes.filter((axis) => !along.includes(axis));
  const shape = left.map((axis) => values.shape[values.axes.indexOf(axis)]);
  const length = countOf(places.map((place) => values.shape[place]));
  const count = countOf(shape);
  if (length === 0 && count > 0 && NEEDS_NUMBERS.includes(operation))
    throw createError(
      "InputError",
      `${operation}: there are no numbers along ${along.join(", ")} in ${spelledShape(values)}`,
    );
  const picksId = EXTREMES.includes(operation) && areIds(values.data);
  const isWhole = picksId || operation.startsWith("arg");
  const data = isWhole ? new Uint32Array(count) : new Float32Array(count);
  const fold = FOLDS[operation];
  const { source, inner } = arranged(values, places);
  for (let i = 0; i < count; i++) {
    const start = Math.floor(i / inner) * length * inner + (i % inner);
    const value = fold(source, start, length, inner);
    data[i] = isWhole ? asId(value) : value;
  }
  return { data, shape, axes: left, labels: labelsOf(values.labels, left) };
}

/** The numbers as [outer, along, inner]. Axes that are no neighbours are moved to the end. */
function arranged(values: Values, places: readonly number[]) {
  const { data, shape, axes } = values;
  const first = Math.min(...places, shape.length);
  const last = Math.max(...places, first - 1);
  if (last - first + 1 === places.length)
    return { source: numbersOf(data), inner: countOf(shape.slice(last + 1)) };
  const isAlong = (_: string, place: number) => places.includes(place);
  const left = axes.filter((axis, place) => !isAlong(axis, place));
  return {
    source: numbersOf(transposed(values, [...left, ...axes.filter(isAlong)]).data),
    inner: 1,
  };
}

/**
 * The softmax along an axis, or its logarithm.
 * @throws InputError for an axis that does not exist
 */
export function softmaxed(values: Values, axis: string, isLog: boolean): Values<Float32Array> {
  const place = axisIndex(values, axis);
  const { shape, axes, labels } = values;
  const from = numbersOf(values.data);
  const length = shape[place];
  const inner = countOf(shape.slice(place + 1));
  const outer = countOf(shape.slice(0, place));
  const data = new Float32Array(from.length);
  const largest = extremeOf(1);
  for (let i = 0; i < outer * inner && length > 0; i++) {
    const start = Math.floor(i / inner) * length * inner + (i % inner);
    const end = start + length * inner;
    const max = largest(from, start, length, inner);
    let sum = 0;
    for (let at = start; at < end; at += inner) sum += Math.exp(from[at] - max);
    const total = Math.log(sum);
    for (let at = start; at < end; at += inner) {
      const shifted = from[at] - max;
      data[at] = isLog ? shifted - total : Math.exp(shifted) / sum;
    }
  }
  return { data, shape, axes, labels };
}
