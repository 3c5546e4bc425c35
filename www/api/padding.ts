// Tensors of several texts as one, padded to the longest.

import { createError } from "./errors.js";
import { areIds, arrayLike, NO_TOKEN } from "./tensor/values.js";
import { Tensor, type TensorArray } from "./tensor.js";

/** The end at which the shorter texts of a batch are padded. */
export type PaddingSide = "right" | "left";

/**
 * The parts along a new first axis `batch`, or along theirs, which has length 1. An axis that differs in length is padded to the
 * longest.
 * @param parts with the same axes, at least one
 * @param fill what stands in the padding: by default NaN, and in ids NO_TOKEN, so that it is not mistaken for a number of the model
 * @throws MemoryError
 */
export function stackPadded<Data extends TensorArray>(
  parts: readonly Tensor<Data>[],
  side: PaddingSide,
  fill: number = areIds(parts[0].data) ? NO_TOKEN : Number.NaN,
): Tensor<Data> {
  const { axes, labels, name, note } = parts[0];
  const inner = axes[0] === "batch" ? 1 : 0;
  const shape = axes
    .slice(inner)
    .map((_, axis) => Math.max(...parts.map((part) => part.shape[inner + axis])));
  const size = shape.reduce((product, length) => product * length, 1);
  const data = filled(parts[0].data, parts.length * size, fill);
  parts.forEach((part, row) => {
    copy(
      part.data,
      part.shape.slice(inner),
      data.subarray(row * size, (row + 1) * size),
      shape,
      side,
    );
  });
  const stacked = ["batch", ...axes.slice(inner)];
  const isWhole = parts.every((part) => part.isWhole);
  return new Tensor(data, [parts.length, ...shape], stacked, labels, { name, note, isWhole });
}

/**
 * An array of the same type.
 * @throws MemoryError
 */
function filled<Data extends TensorArray>(like: Data, count: number, fill: number): Data {
  try {
    return arrayLike(like, count).fill(fill) as Data;
  } catch {
    throw createError(
      "MemoryError",
      `the padded batch needs ${Math.ceil(count / 2 ** 18)} MB, which cannot be allocated here: read it text by text, with row()`,
    );
  }
}

/** Copies an array into a larger one of the same number of axes, to its start or its end along each axis. */
function copy(
  from: TensorArray,
  small: readonly number[],
  to: TensorArray,
  large: readonly number[],
  side: PaddingSide,
) {
  let whole = small.length - 1; // the axes after it are copied at once
  while (whole >= 0 && small[whole] === large[whole]) whole--;
  if (whole < 0) return to.set(from);
  const offset = side === "left" ? large[whole] - small[whole] : 0;
  const run = large.slice(whole + 1).reduce((product, length) => product * length, 1);
  const copyRows = (axis: number, read: number, write: number) => {
    if (axis === whole) {
      const count = small[whole] * run;
      to.set(
        from.subarray(read * count, (read + 1) * count),
        (write * large[whole] + offset) * run,
      );
      return;
    }
    const start = side === "left" ? large[axis] - small[axis] : 0;
    for (let i = 0; i < small[axis]; i++)
      copyRows(axis + 1, read * small[axis] + i, write * large[axis] + start + i);
  };
  copyRows(0, 0, 0);
}
