// The products of a query and the keys, dimension by dimension: their sum, divided, is the attention score; the softmax of the
// scores is the query's row of the pattern.

import { sizeOf, type Matrix, type Tensor } from "../draw/matrix.js";

/** What the divisor of attention scores depends on; a field that is absent has the value of GPT-2. */
export interface ScoreScaling {
  n_embd: number;
  n_head: number;
  scale_attn_weights?: boolean;
  scale_attn_by_inverse_layer_idx?: boolean;
}

/** The divisor of attention scores, and how it is made. */
export interface Divisor {
  value: number;
  /** such as "√64" or "√64 × 3"; "1" if scores are not divided */
  text: string;
}

export function divisorOf(
  {
    n_embd,
    n_head,
    scale_attn_weights = true,
    scale_attn_by_inverse_layer_idx = false,
  }: ScoreScaling,
  layer: number,
): Divisor {
  const width = n_embd / n_head;
  const factors = [
    ...(scale_attn_weights ? [{ value: Math.sqrt(width), text: `√${width}` }] : []),
    ...(scale_attn_by_inverse_layer_idx ? [{ value: layer + 1, text: String(layer + 1) }] : []),
  ];
  return {
    value: factors.reduce((product, { value }) => product * value, 1),
    text: factors.map(({ text }) => text).join(" × ") || "1",
  };
}

export interface Products {
  /** the query's number */
  query: number;
  /** [d_head] */
  q: Float32Array;
  /** the keys that the query can attend to, by dimension */
  k: Matrix;
  /** q times k, by key and dimension */
  products: Matrix;
  /** by key: the sum of the products */
  sums: Float64Array;
  /** by key: the sum over the divisor */
  scores: Float64Array;
  /** by key: the softmax of the scores */
  attention: Float64Array;
}

/**
 * @param q,k [batch pos head d_head]; shortformer positions and biases are in them already
 * @param query the position that attends
 * @param divisor of the sums
 */
export function productsOf(
  q: Tensor,
  k: Tensor,
  { head, query, divisor }: { head: number; query: number; divisor: number },
): Products {
  const [heads, width] = [sizeOf(q, "head"), sizeOf(q, "d_head")];
  const vector = ({ data }: Tensor, pos: number) =>
    data.subarray((pos * heads + head) * width, (pos * heads + head + 1) * width);
  const count = query + 1;
  const [keys, products] = [new Float32Array(count * width), new Float32Array(count * width)];
  const own = vector(q, query);
  const sums = new Float64Array(count);
  for (let key = 0; key < count; key++) {
    const other = vector(k, key);
    keys.set(other, key * width);
    for (let dim = 0; dim < width; dim++) {
      products[key * width + dim] = own[dim] * other[dim];
      sums[key] += own[dim] * other[dim];
    }
  }
  const scores = sums.map((sum) => sum / divisor);
  const matrix = (data: Float32Array): Matrix => ({ data, rows: count, columns: width });
  return {
    ...{ query, q: own, k: matrix(keys), products: matrix(products) },
    ...{ sums, scores, attention: softmax(scores) },
  };
}

/** NaN everywhere if a score is NaN or all are −∞. */
export function softmax(scores: Float64Array): Float64Array {
  const max = scores.reduce(
    (most, score) => (score > most || Number.isNaN(score) ? score : most),
    -Infinity,
  );
  const weights = scores.map((score) => Math.exp(score - max));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

/** Rounding of f32 sums of a few hundred products, and of weights in a shorter format. */
const TOLERANCE = 2e-3;

/**
 * The keys whose captured score is not the sum of products: an intervention changed it in between.
 * @param captured the row of `hook_attn_scores`
 */
export function changedScores(
  { products, scores }: Products,
  captured: ArrayLike<number>,
  divisor: number,
): number[] {
  return Array.from(scores.keys()).filter((key) => {
    const row = products.data.subarray(key * products.columns, (key + 1) * products.columns);
    const size = row.reduce((sum, product) => sum + Math.abs(product), 0) / divisor;
    const [ours, theirs] = [scores[key], captured[key]];
    if (Number.isNaN(ours) || Number.isNaN(theirs))
      return Number.isNaN(ours) !== Number.isNaN(theirs);
    return !(Math.abs(ours - theirs) <= TOLERANCE * Math.max(1e-3, size));
  });
}

/**
 * The keys whose captured attention is not the softmax of the scores.
 * @param captured the row of `hook_pattern`
 */
export function changedAttention({ attention }: Products, captured: ArrayLike<number>): number[] {
  return Array.from(attention.keys()).filter((key) => {
    const [ours, theirs] = [attention[key], captured[key]];
    if (Number.isNaN(ours) || Number.isNaN(theirs))
      return Number.isNaN(ours) !== Number.isNaN(theirs);
    return !(Math.abs(ours - theirs) <= TOLERANCE);
  });
}
