// Tensors: arrays with a shape and named axes, and arithmetic on them.
//
// docs/decisions/tensor.md says why this is not an array library. What the operations mean is in tensor/: indexing.ts, reduce.ts
// (sums, extremes, softmax), combine.ts (arithmetic, products, stacking), text.ts and formatter.ts.

import { createError, describe } from "./errors.js";
import type { CsvOptions } from "./export/csv.js";
import {
  combined,
  concatenated,
  contracted,
  masked,
  type Operator,
  stacked,
} from "./tensor/combine.js";
import { addFormatter } from "./tensor/formatter.js";
import { type AxisIndex, type Index, indexed, type Range } from "./tensor/indexing.js";
import { reduced, softmaxed } from "./tensor/reduce.js";
import { printed, spelledAxes } from "./tensor/text.js";
import {
  axisIndex,
  checkValues,
  countOf,
  type Labels,
  spelledShape,
  type TensorArray,
  transposed,
  type Values,
  numbersOf,
} from "./tensor/values.js";

export type { AxisIndex, Index, Labels, Range, TensorArray };

/** Numbers in arrays of arrays, as deep as there are axes. */
export type Nested = number | readonly Nested[];

/** Metadata of a tensor. */
export interface TensorDetails {
  /** what it is, such as "blocks.0.attn.W_Q" */
  name?: string;
  /** how its numbers differ from what the name says, such as "rounded to q8" */
  note?: string;
  /** whether `data` shares memory with another tensor */
  isView?: boolean;
  /** whether it has the axes, their order and the indices of what `name` says; true by default */
  isWhole?: boolean;
}

/** Numbers with a shape and named axes. `Data` is a Uint32Array for token ids, ranks and indices. */
export class Tensor<Data extends TensorArray = Float32Array> {
  /** the name of each axis */
  axes: readonly string[];
  /** the length of each axis */
  shape: readonly number[];
  /** by axis, what its indices stand for, if numbers do not say it: the components of an attribution */
  labels: Labels;
  /** what it is; kept by `at`, `rename`, `reorder`, `squeeze` and `withLabels`, and lost when numbers are computed */
  name?: string;
  /** how its numbers differ from what the name says; kept as `name` */
  note?: string;
  /** Whether `data` shares memory with another tensor, so that writing into one changes the other. */
  declare readonly isView: boolean;
  /**
   * Whether it has the axes, their order and the indices of what `name` says. Not if `at`, `rename`, `reorder` or `squeeze` made it,
   * if a weight was read in part, if it was captured at some positions or in a step of a generation, or if a function showed it.
   */
  declare readonly isWhole: boolean;
  /** in row-major order: the last axis is contiguous */
  data: Data;

  /**
   * @param data in row-major order: the last axis is contiguous
   * @param shape the length of each axis
   * @param axes the name of each axis
   * @param labels by axis, what its indices stand for
   * @throws InputError if they do not fit each other
   */
  constructor(
    data: Data,
    shape: readonly number[],
    axes: readonly string[],
    labels: Labels = {},
    { name, note, isView = false, isWhole = true }: TensorDetails = {},
  ) {
    checkValues({ data, shape, axes, labels });
    this.axes = axes;
    this.shape = shape;
    this.labels = labels;
    if (name !== undefined) this.name = name;
    if (note !== undefined) this.note = note;
    this.data = data;
    // These are not among what equal tensors have in common.
    Object.defineProperties(this, { isView: { value: isView }, isWhole: { value: isWhole } });
  }

  /**
   * A tensor of numbers in arrays: `Tensor.from([[1, 2], [3, 4]], ["head", "pos"])`.
   * @throws InputError if arrays of one axis have different lengths, or the axes do not fit
   */
  static from(
    nested: Nested,
    axes: readonly string[] = [],
    labels: Labels = {},
  ): Tensor<Float32Array> {
    const shape: number[] = [];
    for (let one: Nested = nested; typeof one !== "number"; one = one[0]) {
      if (!Array.isArray(one)) throw notNumbers(one);
      shape.push(one.length);
      if (one.length === 0) break;
    }
    const data = new Float32Array(countOf(shape));
    let to = 0;
    const add = (one: Nested, axis: number) => {
      if (axis === shape.length && typeof one === "number") data[to++] = one;
      else if (Array.isArray(one) && one.length === shape[axis])
        for (const inner of one) add(inner, axis + 1);
      else throw notNumbers(one, shape, axis);
    };
    add(nested, 0);
    return new Tensor(data, shape, axes, labels);
  }

  /**
   * Tensors of the same axes along a new first axis.
   * @param labels one for each tensor
   * @throws InputError if their axes or lengths differ, or there is none
   */
  static stack<Data extends TensorArray>(
    tensors: Iterable<Tensor<Data>>,
    axis: string,
    labels?: readonly string[],
  ): Tensor<Data> {
    return wrap(stacked([...tensors], axis, labels) as Values<Data>);
  }

  /**
   * Tensors one after the other along an axis that they have.
   * @throws InputError if their axes or other lengths differ, or there is none
   */
  static concat<Data extends TensorArray>(
    tensors: Iterable<Tensor<Data>>,
    axis: string,
  ): Tensor<Data> {
    return wrap(concatenated([...tensors], axis) as Values<Data>);
  }

  /**
   * The part at `index`. Along each axis that it names, a number (negative: from the end) or a label removes the axis; a list picks
   * those, and `{ from, to, step }` a range without its end. A Tensor of indices puts its own axes in place of the axis; those that
   * this tensor has too are matched index by index. Shares memory if the part is contiguous: see `isView`.
   * @param index such as { head: [0, 2], query: -1, key: { to: -1 } }
   * @throws InputError for an axis that does not exist or an index out of range
   */
  at(index: Index): Tensor<Data> {
    const { name, note } = this;
    return wrap(indexed<Data>(this, index), { name, note, isWhole: false });
  }

  /** The sum along some axes; of all numbers without an argument. NaN propagates, here and in mean, std and norm. */
  sum(axes?: string | readonly string[]): Tensor {
    return this.#reduce("sum", axes);
  }

  mean(axes?: string | readonly string[]): Tensor {
    return this.#reduce("mean", axes);
  }

  /** The standard deviation of the whole population, as `numpy.std`. */
  std(axes?: string | readonly string[]): Tensor {
    return this.#reduce("std", axes);
  }

  /** The square root of the sum of squares. */
  norm(axes?: string | readonly string[]): Tensor {
    return this.#reduce("norm", axes);
  }

  /** @throws InputError if there are no numbers */
  max(axes?: string | readonly string[]): Tensor<Data> {
    return wrap(reduced(this, "max", axes) as Values<Data>);
  }

  /** @throws InputError if there are no numbers */
  min(axes?: string | readonly string[]): Tensor<Data> {
    return wrap(reduced(this, "min", axes) as Values<Data>);
  }

  /**
   * The index of the greatest number along an axis, the first of several. Of numbers with NaN it is 4294967295, as in the padding of
   * ids: no index, where NumPy has that of the first NaN.
   * @throws InputError if there are no numbers
   */
  argmax(axis: string): Tensor<Uint32Array> {
    return wrap(reduced(this, "argmax", [axis]) as Values<Uint32Array>);
  }

  /** The index of the least number along an axis, as `argmax`. */
  argmin(axis: string): Tensor<Uint32Array> {
    return wrap(reduced(this, "argmin", [axis]) as Values<Uint32Array>);
  }

  /** exp(x) over the sum of exp(x) along the axis, as `scipy.special.softmax`; NaN if all are −∞. */
  softmax(axis: string): Tensor {
    return wrap(softmaxed(this, axis, false));
  }

  /** The natural logarithm of the softmax. More accurate than the logarithm of `softmax(axis)`. */
  logSoftmax(axis: string): Tensor {
    return wrap(softmaxed(this, axis, true));
  }

  /**
   * The sum with a number, or with a tensor whose axes are matched by name. An axis that one of them lacks is broadcast; new axes
   * come last. Results are f32, so that whole numbers above 2^24 are rounded; 4294967295 in ids is no token, and counts as NaN.
   * @throws InputError if a shared axis has two lengths, or labels that differ
   */
  add(other: number | Tensor<TensorArray>): Tensor {
    return this.#combine("add", other);
  }

  /** The difference, as `add`. */
  sub(other: number | Tensor<TensorArray>): Tensor {
    return this.#combine("sub", other);
  }

  /** The product number by number, as `add`. */
  mul(other: number | Tensor<TensorArray>): Tensor {
    return this.#combine("mul", other);
  }

  /** The quotient, as `add`. Division by zero gives an infinity or NaN. */
  div(other: number | Tensor<TensorArray>): Tensor {
    return this.#combine("div", other);
  }

  /**
   * The sum over some axes of the products with another tensor: a matrix product. Other axes that both have are matched index by
   * index, as in `xarray.dot`.
   * @param axes that both have
   * @throws InputError as `add`
   */
  dot(other: Tensor<TensorArray>, axes: string | readonly string[]): Tensor {
    return wrap(contracted(this, other, axes));
  }

  /**
   * The numbers where a mask is not 0, and other ones where it is 0, as `xarray.where`: `logProbs.where(mask, 0)` is without padding.
   * Axes are matched as in `add`, and ids stay ids.
   * @param mask such as the `mask` of a batch
   * @param other a number, or a tensor
   * @throws InputError as `add`; for a mask with NaN
   */
  where(mask: Tensor<TensorArray>, other: number | Tensor<TensorArray>): Tensor<Data> {
    return wrap(masked(this, mask, other) as Values<Data>);
  }

  /**
   * @param f gets each number, and its place in `data`, and returns a number, which is rounded to f32
   * @throws InputError if it is no function, or returns another value
   */
  map(f: (value: number, place: number) => number): Tensor {
    if (typeof f !== "function")
      throw createError("InputError", `map: found ${describe(f)}, expected a function`);
    const { shape, axes, labels } = this;
    const number = (value: number, place: number) => {
      const found: unknown = f(value, place);
      if (typeof found === "number") return found;
      throw createError(
        "InputError",
        `map: the function returned ${describe(found)} at place ${place}, expected a number`,
      );
    };
    return wrap({ data: Float32Array.from(numbersOf(this.data), number), shape, axes, labels });
  }

  /**
   * The same numbers with other names of axes. Shares memory.
   * @param names by their present names
   * @throws InputError for an axis that does not exist, or two of one name
   */
  rename(names: Readonly<Record<string, string>>): Tensor<Data> {
    for (const axis of Object.keys(names)) axisIndex(this, axis);
    const named = (axis: string) => (Object.hasOwn(names, axis) ? names[axis] : axis);
    const labels = Object.entries(this.labels).map(([axis, own]) => [named(axis), own]);
    const { data, shape, name, note } = this;
    const axes = this.axes.map(named);
    const values = { data, shape, axes, labels: Object.fromEntries(labels), isView: true };
    return wrap(values, { name, note, isWhole: false });
  }

  /**
   * The same numbers with the axes in this order. Shares memory if no number moves.
   * @param axes every axis once
   * @throws InputError otherwise
   */
  reorder(...axes: string[]): Tensor<Data> {
    for (const axis of axes) axisIndex(this, axis);
    const isComplete = axes.length === this.axes.length && new Set(axes).size === axes.length;
    if (!isComplete)
      throw createError(
        "InputError",
        `reorder: found ${axes.join(", ") || "no axis"}, expected each of ${this.axes.join(", ")} once`,
      );
    const { name, note } = this;
    return wrap(transposed<Data>(this, axes), { name, note, isWhole: false });
  }

  /**
   * The same numbers without axes of length 1, or without one of them. Shares memory.
   * @throws InputError if the axis has another length
   */
  squeeze(axis?: string): Tensor<Data> {
    if (axis !== undefined && this.size(axis) !== 1)
      throw createError(
        "InputError",
        `squeeze: the axis ${axis} has length ${this.size(axis)}, expected 1`,
      );
    const removed = this.axes.filter((one, i) => (axis ?? one) === one && this.shape[i] === 1);
    return this.at(Object.fromEntries(removed.map((one) => [one, 0])));
  }

  /**
   * The same numbers with labels along an axis, or without. Shares memory.
   * @param labels one for each index
   * @throws InputError if their number is another
   */
  withLabels(axis: string, labels: readonly string[] | null): Tensor<Data> {
    axisIndex(this, axis);
    const { [axis]: _, ...others } = this.labels;
    const { data, shape, axes, name, note, isWhole } = this;
    const all = labels === null ? others : { ...others, [axis]: labels };
    return wrap({ data, shape, axes, labels: all, isView: true }, { name, note, isWhole });
  }

  /** The parts along an axis, one for each index. */
  *along(axis: string): Generator<Tensor<Data>, void, void> {
    const length = this.size(axis);
    for (let i = 0; i < length; i++) yield this.at({ [axis]: i });
  }

  /**
   * The numbers of a tensor with one axis.
   * @throws InputError if it has several, or none
   */
  *[Symbol.iterator](): Generator<number, void, void> {
    if (this.axes.length !== 1)
      throw createError(
        "InputError",
        `the iterator gives the numbers of a tensor with one axis, found ${spelledShape(this)}: use along(axis), or data`,
      );
    yield* this.data;
  }

  /**
   * The number of a tensor that holds one.
   * @throws InputError if it holds more
   */
  item(): number {
    if (this.data.length === 1) return this.data[0];
    throw createError(
      "InputError",
      `item() needs a tensor of one number, found shape ${spelledShape(this)}`,
    );
  }

  /**
   * The length of an axis.
   * @throws InputError for an axis that does not exist
   */
  size(axis: string): number {
    return this.shape[axisIndex(this, axis)];
  }

  /** The numbers in arrays of arrays, as deep as there are axes. */
  toArray(): Nested {
    const nested = (axis: number, start: number, count: number): Nested => {
      if (axis === this.shape.length) return this.data[start];
      const step = count / this.shape[axis];
      return Array.from({ length: this.shape[axis] }, (_, i) =>
        nested(axis + 1, start + i * step, step),
      );
    };
    return nested(0, 0, this.data.length);
  }

  /** A NumPy file (.npy) of the numbers in C order, bit for bit: f32, or u32 for ids. Axes and labels are not in it. */
  async toNpy(): Promise<Blob> {
    return (await import("./export/npy.js")).npyFile(this);
  }

  /**
   * The numbers as CSV (RFC 4180) with the labels of the axes, each number in the shortest text that it is read back from exactly.
   * A text that a spreadsheet would run as a formula stays as it is, unless `spreadsheet` is true.
   * @throws InputError for labels that do not fit, or a table of three axes
   */
  async toCSV(options?: CsvOptions): Promise<string> {
    return (await import("./export/csv.js")).csvText(this, options);
  }

  /** The axes with their lengths, the name, and the numbers; the middle of long axes is left out. */
  toString(): string {
    return printed(this);
  }

  /** What a console shows beside the class: "head: 4, pos: 13". */
  get [Symbol.toStringTag](): string {
    return spelledAxes(this);
  }

  /** What Node prints. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }

  #reduce(operation: Parameters<typeof reduced>[1], axes?: string | readonly string[]): Tensor {
    return wrap(reduced(this, operation, axes) as Values<Float32Array>);
  }

  #combine(operator: Operator, other: unknown): Tensor {
    return wrap(combined(this, other, operator));
  }
}

addFormatter((value) => value instanceof Tensor);

function wrap<Data extends TensorArray>(
  { data, shape, axes, labels, isView }: Values<Data>,
  details: TensorDetails = {},
): Tensor<Data> {
  return new Tensor(data, shape, axes, labels, { ...details, isView });
}

function notNumbers(found: unknown, shape?: readonly number[], axis = 0) {
  const length = shape?.[axis];
  const expected =
    length === undefined ? "a number or an array of them" : `an array of length ${length}`;
  return createError(
    "InputError",
    `Tensor.from: found ${Array.isArray(found) ? `an array of length ${found.length}` : describe(found)}, expected ${expected}`,
  );
}
