// Arrays of numbers with a shape and named axes, and indexing by name.

import { createError, describe } from "./errors.js";

/** An index along each named axis: one position (negative from the end), or a range [start, end). */
export type Index = Record<string, number | [number, number]>;

/** Numbers with a shape and named axes. */
export class Tensor {
  /** in row-major order: the last axis is contiguous */
  data: Float32Array;
  shape: readonly number[];
  axes: readonly string[];
  labels: Readonly<Record<string, readonly string[]>>;

  /**
   * @param data in row-major order: the last axis is contiguous
   * @param shape the length of each axis
   * @param axes the name of each axis
   * @param labels by axis, what its indices stand for, if numbers do not say it: the components of an attribution
   */
  constructor(
    data: Float32Array,
    shape: readonly number[],
    axes: readonly string[],
    labels: Readonly<Record<string, readonly string[]>> = {},
  ) {
    this.data = data;
    this.shape = shape;
    this.axes = axes;
    this.labels = labels;
  }

  /**
   * The part at `index`. An axis with one position is removed, one with a range stays; the other axes keep their names and
   * order. May share memory with this tensor.
   * @param index such as { head: 3, query: -1 }
   * @throws InputError for an axis that does not exist or a position out of range
   */
  at(index: Index): Tensor {
    for (const axis of Object.keys(index))
      if (!this.axes.includes(axis)) throw this.#unknownAxis(axis);
    const kept = this.axes.map((axis, i) => range(index[axis], axis, this.shape[i]));
    const left = this.axes.map((_, i) => i).filter((i) => typeof index[this.axes[i]] !== "number");
    const data = pick(this.data, this.shape, kept);
    return new Tensor(
      data,
      left.map((i) => kept[i].end - kept[i].start),
      left.map((i) => this.axes[i]),
    );
  }

  /**
   * The number of a tensor that holds one.
   * @throws InputError if it holds more
   */
  item(): number {
    if (this.data.length === 1) return this.data[0];
    throw createError(
      "InputError",
      `item() needs a tensor of one number, found shape [${this.shape}] over ${this.axes.join(", ")}`,
    );
  }

  /**
   * The length of an axis.
   * @throws InputError for an axis that does not exist
   */
  size(axis: string): number {
    const i = this.axes.indexOf(axis);
    if (i < 0) throw this.#unknownAxis(axis);
    return this.shape[i];
  }

  #unknownAxis(axis: string) {
    const axes = this.axes.length ? `expected ${this.axes.join(", ")}` : "it has none left";
    return createError("InputError", `the tensor has no axis ${describe(axis)}: ${axes}`);
  }
}

/** `end` is excluded. */
type Range = { start: number; end: number };

function range(index: number | [number, number] | undefined, axis: string, length: number): Range {
  if (index === undefined) return { start: 0, end: length };
  if (typeof index === "number") {
    const start = index < 0 ? index + length : index;
    if (!Number.isInteger(start) || start < 0 || start >= length) {
      throw createError(
        "InputError",
        `${axis} ${index} is out of range: expected a whole number from ${-length} to ${length - 1}`,
      );
    }
    return { start, end: start + 1 };
  }
  const [start, end] = Array.isArray(index)
    ? index.map((edge) => (edge < 0 ? edge + length : edge))
    : [];
  if (
    !(
      Number.isInteger(start) &&
      Number.isInteger(end) &&
      0 <= start &&
      start < end &&
      end <= length
    )
  ) {
    const found = JSON.stringify(index);
    throw createError(
      "InputError",
      `${axis} ${found} is not a range: expected [start, end] with start before end, within 0 to ${length}`,
    );
  }
  return { start, end };
}

/** The numbers in the box: a copy, or a view if they are contiguous. */
function pick(data: Float32Array, shape: readonly number[], box: Range[]) {
  let outer = shape.length;
  let run = 1; // how many contiguous values are copied at a time
  while (outer > 0 && box[outer - 1].end - box[outer - 1].start === shape[outer - 1])
    run *= shape[--outer];
  if (outer > 0) {
    outer -= 1;
    run *= box[outer].end - box[outer].start;
  }
  const offsets = offsetsOf(shape, box, outer);
  if (offsets.length === 1) return data.subarray(offsets[0], offsets[0] + run);
  const picked = new Float32Array(offsets.length * run);
  offsets.forEach((start, i) => picked.set(data.subarray(start, start + run), i * run));
  return picked;
}

/** The offset of each contiguous run of the box. */
function offsetsOf(shape: readonly number[], box: Range[], outer: number) {
  return box.reduce(
    (bases, { start, end }, axis) => {
      const count = axis < outer ? end - start : 1;
      return bases.flatMap((base) =>
        Array.from({ length: count }, (_, i) => base * shape[axis] + start + i),
      );
    },
    [0],
  );
}
