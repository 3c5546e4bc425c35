// A pattern weighted by the norms of values, as it is drawn. weighted-attention.ts computes the norms, when they are asked for.

import type { Matrix } from "../draw/matrix.js";

/** The norm that value-weighted attention takes: of `v W_O` (`hook_result` for a weight of 1), or of `v` itself (`hook_v`). */
export type ValueNorm = "result" | "v";

/** A pattern whose columns are multiplied by the norms of their keys. A masked edge stays 0. */
export function weightedBy({ data, rows, columns }: Matrix, norms: ArrayLike<number>): Matrix {
  const weighted = new Float32Array(data.length);
  for (let row = 0; row < rows; row++)
    for (let key = 0; key <= row + columns - rows; key++)
      weighted[row * columns + key] = data[row * columns + key] * norms[key];
  return { data: weighted, rows, columns };
}
