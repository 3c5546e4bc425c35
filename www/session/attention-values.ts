// What the attention views need of a model beyond the patterns of a reading: values' norms, rollouts, and queries and keys.

import type { Intervention } from "../api/generated.js";
import type { Model } from "../api/model.js";
import type { Matrix, Tensor } from "../draw/matrix.js";
import { divisorOf, type Divisor } from "./products.js";
import { patternOf, type Reading } from "./reading.js";
import { identity, meanOverHeads, rolloutRows, valueNorms } from "./weighted-attention.js";
import type { ValueNorm } from "./weighted-pattern.js";

type Runner = Pick<Model, "config" | "runWithCache">;
interface Context {
  reading: Reading;
  interventions: readonly Intervention[];
  signal: AbortSignal;
  onProgress: (steps: { done: number; total: number }) => void;
}

const pointOf = (layer: number, name: string) => `blocks.${layer}.attn.hook_${name}`;

/** The norm of each key's value, for each head of a layer. */
export async function normsOf(
  model: Runner,
  layer: number,
  norm: ValueNorm,
  { reading, interventions, signal }: Context,
): Promise<Float32Array[]> {
  const name = pointOf(layer, "v");
  const options = { names: [name], interventions, stopAtLayer: layer + 1, signal };
  const { cache } = await model.runWithCache(reading.ids, options);
  const outputs = norm === "result" ? await outputWeights(model, layer, signal) : null;
  return valueNorms(cache.get(name), outputs);
}

/**
 * W_O of each head of a layer, [d_head d_model]. `hook_result` is `z W_O`, so a run whose z is the identity, a row for each position,
 * gives its rows. It depends on no text and on no intervention.
 */
export async function outputWeights(
  model: Runner,
  layer: number,
  signal: AbortSignal,
): Promise<Matrix[]> {
  const { n_head: heads, n_embd: columns, n_positions: context } = model.config;
  const width = columns / heads;
  const found = Array.from({ length: heads }, () => new Float32Array(width * columns));
  for (let from = 0; from < width; from += context) {
    const count = Math.min(context, width - from);
    const rows = new Float32Array(count * heads * width);
    for (let at = 0; at < count; at++)
      for (let head = 0; head < heads; head++) rows[(at * heads + head) * width + from + at] = 1;
    const identityRows = { shape: [count, heads, width], data: rows };
    const { cache } = await model.runWithCache(new Uint32Array(count), {
      names: [pointOf(layer, "result")],
      interventions: [{ at: pointOf(layer, "z"), do: { set: identityRows } }],
      stopAtLayer: layer + 1,
      signal,
    });
    const { data } = cache.get(pointOf(layer, "result"));
    for (let at = 0; at < count; at++)
      for (let head = 0; head < heads; head++) {
        const start = (at * heads + head) * columns;
        found[head].set(data.subarray(start, start + columns), (from + at) * columns);
      }
  }
  return found.map((data) => ({ data, rows: width, columns }));
}

/** Multiplications between two pauses in which the page can answer the visitor: about 10 ms. */
const SLICE = 4e6;

/** The multiplications that a rollout takes. */
export function rolloutWork(length: number, layers: number) {
  return (layers * length ** 3) / 6;
}

/** The attention rollout up to and with a layer. */
export async function rolloutUpTo(
  model: Runner,
  layer: number,
  { reading, interventions, signal, onProgress }: Context,
): Promise<Matrix> {
  const length = reading.ids.length;
  let rollout = identity(length);
  for (let at = 0; at <= layer; at++) {
    onProgress({ done: at, total: layer + 1 });
    const mean = meanOverHeads(reading.patterns[at] ?? (await patternsOf(at)));
    const next = identity(length);
    let work = 0;
    for (let row = 0; row < length; row++) {
      rolloutRows(next, mean, rollout, row, row + 1);
      work += row ** 2 / 2;
      if (work < SLICE) continue;
      work = 0;
      await new Promise((resume) => setTimeout(resume));
      signal.throwIfAborted();
    }
    rollout = next;
  }
  return rollout;

  async function patternsOf(at: number) {
    const options = { names: [patternOf(at)], interventions, stopAtLayer: at + 1, signal };
    return (await model.runWithCache(reading.ids, options)).cache.get(patternOf(at));
  }
}

/** Queries and keys of a layer, and what the run made of them. */
export interface QueriesAndKeys {
  layer: number;
  /** [batch pos head d_head] */
  q: Tensor;
  k: Tensor;
  /** [batch head query key], all queries or only `query` */
  scores: Tensor;
  pattern: Tensor;
  /** The only query of `scores` and `pattern`; null if they have all. */
  query: number | null;
  divisor: Divisor;
}

/** The scores of all queries of a layer are captured up to this many values (16 MB). */
const MAX_SCORES = 4 * 2 ** 20;

/** Whether the scores of all queries are captured together, or those of one. */
export function capturesAll(length: number, heads: number) {
  return heads * length ** 2 <= MAX_SCORES;
}

export async function queriesAndKeys(
  model: Runner,
  layer: number,
  query: number,
  { reading, interventions, signal }: Context,
): Promise<QueriesAndKeys> {
  const { ids } = reading;
  const isAll = capturesAll(ids.length, model.config.n_head);
  const vectors = [pointOf(layer, "q"), pointOf(layer, "k")];
  const edges = [pointOf(layer, "attn_scores"), pointOf(layer, "pattern")];
  const options = { interventions, stopAtLayer: layer + 1, signal };
  const names = isAll ? [...vectors, ...edges] : vectors;
  const { cache } = await model.runWithCache(ids, { names, ...options });
  const { cache: row } = isAll
    ? { cache }
    : await model.runWithCache(ids, { names: edges, positions: [query], ...options });
  return {
    layer,
    ...{ q: cache.get(vectors[0]), k: cache.get(vectors[1]) },
    ...{ scores: row.get(edges[0]), pattern: row.get(edges[1]), query: isAll ? null : query },
    divisor: divisorOf(model.config, layer),
  };
}

/** The captured scores and attention of one query of a head. */
export function capturedRow(
  { scores, pattern, query: only }: QueriesAndKeys,
  head: number,
  query: number,
) {
  const row = ({ data, shape: [, , queries, keys] }: Tensor) => {
    const from = (head * queries + (only === null ? query : 0)) * keys;
    return data.subarray(from, from + keys);
  };
  return { scores: row(scores), attention: row(pattern) };
}
