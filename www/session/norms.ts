// The norms of vectors, such as those of the parts of the residual stream.

import { type Matrix, sizeOf, type Tensor } from "../draw/matrix.js";

/** More numbers are not computed at once (128 MB). */
const MAX_NUMBERS = 32 * 2 ** 20;

/**
 * The Euclidean norm of each vector.
 * @param parts [component pos d_model]
 * @returns components down, positions across
 */
export function normsOf(parts: Tensor): Matrix {
  const [rows, columns, width] = ["component", "pos", "d_model"].map((axis) => sizeOf(parts, axis));
  const data = new Float32Array(rows * columns);
  for (let at = 0; at < data.length; at++) {
    let sum = 0;
    for (const value of parts.data.subarray(at * width, (at + 1) * width)) sum += value * value;
    data[at] = Math.sqrt(sum);
  }
  return { data, rows, columns };
}

/**
 * How many positions can be computed at once.
 * @param numbers of one position
 */
export function positionsThatFit(positions: number, numbers: number) {
  return Math.max(1, Math.min(positions, Math.floor(MAX_NUMBERS / Math.max(1, numbers))));
}
