// Numbers with their shape and the names of their axes, and indexing by name.

import { problem, shown } from "./errors.js";

/** An index along each named axis: one position (negative from the end), or a range [start, end). */
export type Index = Record<string, number | [number, number]>;

export class Tensor {
  data: Float32Array;
  shape: readonly number[];
  axes: readonly string[];
  labels: Readonly<Record<string, readonly string[]>>;

  /**
   * @param data the last axis running fastest
   * @param axes one name for each number of the shape
   * @param labels by axis, what its places stand for where numbers do
   *   not say it: the components of an attribution
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
   * The part at `index`. An axis with one position is gone from it, one with a range stays; what is left keeps its
   * names and order. May share memory with this tensor.
   * @param index such as { head: 3, query: -1 }
   * @throws InputError for an axis that is not there or a position outside of it
   */
  at(index: Index): Tensor {
    for (const axis of Object.keys(index))
      if (!this.axes.includes(axis)) throw this.noSuchAxis(axis);
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
   * The number itself, of a tensor that holds one.
   * @throws InputError for one that holds more
   */
  item() {
    if (this.data.length === 1) return this.data[0];
    throw problem(
      "InputError",
      `item() needs a tensor of one number, found shape [${this.shape}] over ${this.axes.join(", ")}`,
    );
  }

  /** How long an axis is. */
  size(axis: string) {
    const i = this.axes.indexOf(axis);
    if (i < 0) throw this.noSuchAxis(axis);
    return this.shape[i];
  }

  noSuchAxis(axis: string) {
    const axes = this.axes.length ? `expected ${this.axes.join(", ")}` : "it has none left";
    return problem("InputError", `the tensor has no axis ${shown(axis)}: ${axes}`);
  }
}

export type Range = { start: number; end: number };

function range(index: number | [number, number] | undefined, axis: string, length: number): Range {
  if (index === undefined) return { start: 0, end: length };
  if (typeof index === "number") {
    const start = index < 0 ? index + length : index;
    if (!Number.isInteger(start) || start < 0 || start >= length) {
      throw problem(
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
    throw problem(
      "InputError",
      `${axis} ${found} is not a range: expected [start, end] with start before end, within 0 to ${length}`,
    );
  }
  return { start, end };
}

/**
 * Copies the box out, one run of the axes that are taken whole at a time; a single run is not copied.
 */
function pick(data: Float32Array, shape: readonly number[], box: Range[]) {
  let outer = shape.length;
  let run = 1; // the values that lie together
  while (outer > 0 && box[outer - 1].end - box[outer - 1].start === shape[outer - 1])
    run *= shape[--outer];
  if (outer > 0) {
    outer -= 1;
    run *= box[outer].end - box[outer].start;
  }
  const starts = startsOf(shape, box, outer);
  if (starts.length === 1) return data.subarray(starts[0], starts[0] + run);
  const picked = new Float32Array(starts.length * run);
  starts.forEach((start, i) => picked.set(data.subarray(start, start + run), i * run));
  return picked;
}

/** Where the box begins in each row of the axes before `outer`. */
function startsOf(shape: readonly number[], box: Range[], outer: number) {
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
