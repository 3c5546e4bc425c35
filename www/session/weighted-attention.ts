// What attention amounts to beyond one head's pattern: weighted by the norm of what is attended to, and rolled out over layers.
//
// - Value-weighted attention: each weight times the norm of the key's value. Kobayashi et al. 2020 ("Attention is not only a
//   weight") take the norm of `v W_O`, which is what the head would write if it attended to that key only.
// - Attention rollout (Abnar & Zuidema 2020, "Quantifying attention flow in transformers"): in each layer half the mean over its
//   heads and half the identity, for the residual connection; the layers are multiplied.

import { headMatrix, sizeOf, type Matrix, type Tensor } from "../draw/matrix.js";

/** The share of the residual connection in a rollout. */
const RESIDUAL = 0.5;

/**
 * The norm of each key's value, `[head pos]`.
 * @param v [batch pos head d_head] or [pos head d_head]
 * @param outputs W_O of each head, [d_head d_model]; without them the norm is that of `v` itself
 */
export function valueNorms(v: Tensor, outputs: readonly Matrix[] | null): Float32Array[] {
  const [positions, heads, width] = ["pos", "head", "d_head"].map((axis) => sizeOf(v, axis));
  return Array.from({ length: heads }, (_, head) => {
    const squares = outputs ? gram(outputs[head]) : null;
    return Float32Array.from({ length: positions }, (_, pos) => {
      const from = (pos * heads + head) * width;
      const value = v.data.subarray(from, from + width);
      return Math.sqrt(Math.max(0, squares ? quadratic(value, squares) : dot(value, value)));
    });
  });
}

/** W W^T, so that |v W|² = v W W^T v^T. */
function gram({ data, rows, columns }: Matrix): Float64Array {
  const row = (at: number) => data.subarray(at * columns, (at + 1) * columns);
  const found = new Float64Array(rows * rows);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j <= i; j++) found[i * rows + j] = found[j * rows + i] = dot(row(i), row(j));
  return found;
}

function quadratic(value: Float32Array, squares: Float64Array) {
  const width = value.length;
  let sum = 0;
  for (let i = 0; i < width; i++) {
    let inner = 0;
    for (let j = 0; j < width; j++) inner += squares[i * width + j] * value[j];
    sum += value[i] * inner;
  }
  return sum;
}

function dot(a: Float32Array, b: Float32Array) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** The mean of the patterns of a layer's heads. @param pattern [batch head query key] */
export function meanOverHeads(pattern: Tensor): Matrix {
  const heads = sizeOf(pattern, "head");
  const { rows, columns } = headMatrix(pattern, 0);
  const sums = new Float64Array(rows * columns);
  for (let head = 0; head < heads; head++) {
    const { data } = headMatrix(pattern, head);
    for (let at = 0; at < sums.length; at++) sums[at] += data[at];
  }
  return { data: Float32Array.from(sums, (sum) => sum / heads), rows, columns };
}

/** The rollout before the first layer: each position is itself. */
export function identity(size: number): Matrix {
  const data = new Float32Array(size * size);
  for (let at = 0; at < size; at++) data[at * size + at] = 1;
  return { data, rows: size, columns: size };
}

/**
 * Some rows of the rollout after one more layer. All rows of a text of 1000 tokens take about a tenth of a second, so a caller can
 * do other work in between.
 * @param next gets the rows `from` to `to`
 * @param mean over the heads of the layer
 * @param before the rollout up to the layer before
 */
export function rolloutRows(next: Matrix, mean: Matrix, before: Matrix, from: number, to: number) {
  const size = mean.columns;
  const sums = new Float64Array(size);
  for (let row = from; row < to; row++) {
    sums.fill(0);
    for (let middle = 0; middle <= row; middle++) {
      const residual = middle === row ? RESIDUAL : 0;
      const weight = (1 - RESIDUAL) * mean.data[row * size + middle] + residual;
      for (let key = 0; key <= middle; key++)
        sums[key] += weight * before.data[middle * size + key];
    }
    next.data.set(sums, row * size);
  }
}

/** The rollout after one more layer. */
export function rolloutStep(mean: Matrix, before: Matrix): Matrix {
  const next = { ...before, data: new Float32Array(before.data.length) };
  rolloutRows(next, mean, before, 0, before.rows);
  return next;
}
