// What each source token contributes to a logit through one head.
//
// A head writes z W_O at the query, and z is the sum over keys of pattern[query, key] v[key]. While the scale of the final
// LayerNorm is that of the run, the head's share of a logit is linear in what it writes, so it is the sum of the keys' shares:
//
//   share(key) = (w - mean(w)) . gained / scale,   w = pattern[query, key] v[key] W_O,   gained = gain * (u_answer - u_against)
//
// The products with W_O come from one run in which z is replaced with pattern[query, key] v[key] at the position of each key. So
// they are computed with the weights in the format in which the model has them. After Elhage et al. 2021.

import type { Metric } from "../api/generated.js";
import type { Intervention } from "../api/generated.js";
import type { Model } from "../api/model.js";
import { headMatrix, sizeOf, type Tensor } from "../draw/matrix.js";

/** What the decomposition needs of a model. */
export type Sourced = Pick<Model, "config" | "hookPoints" | "runWithCache">;

export interface SourceShares {
  /** One for each key up to the query, in logits. */
  shares: Float32Array;
  /** The attention of the query to each of these keys. */
  pattern: Float32Array;
}

export interface SourceOptions {
  layer: number;
  head: number;
  /** The query. */
  position: number;
  answer: number;
  against: number | null;
  interventions: readonly Intervention[];
  signal?: AbortSignal;
}

/** @throws InputError; HookError; AbortError */
export async function sourceShares(
  model: Sourced,
  ids: Uint32Array,
  { layer, head, position, answer, against, interventions, signal }: SourceOptions,
): Promise<SourceShares> {
  const at = (name: string) => `blocks.${layer}.attn.${name}`;
  const hasScale = model.hookPoints.some(({ name }) => name === "ln_final.hook_scale");
  const run = await model.runWithCache(ids, {
    names: [at("hook_pattern"), at("hook_v"), ...(hasScale ? ["ln_final.hook_scale"] : [])],
    interventions,
    signal,
  });
  const scale = hasScale ? run.cache.get("ln_final.hook_scale").data[position] : 1;
  const matrix = headMatrix(run.cache.get(at("hook_pattern")), head);
  const row = position * matrix.columns;
  const pattern = matrix.data.slice(row, row + position + 1);
  const moved = weighted(run.cache.get(at("hook_v")), head, pattern);
  const prefix = ids.slice(0, position + 1);
  const set = { shape: [pattern.length, 1, moved.length / pattern.length], data: moved };
  const writing = await model.runWithCache(prefix, {
    names: [at("hook_result")],
    interventions: [{ at: at("hook_z"), head, do: { set } }],
    stopAtLayer: layer + 1,
    signal,
  });
  const written = writing.cache.get(at("hook_result"));
  const metric = { answer, ...(against !== null && { against }) };
  const direction = await logitDirection(model, metric, signal);
  return { shares: alongDirection(written, head, direction, scale), pattern };
}

/**
 * The direction whose dot product with the centred stream over its scale is the logit, less the biases: the unembedding times
 * the gain of the final LayerNorm, and centred, so that what is written need not be.
 */
async function logitDirection(
  model: Sourced,
  metric: Metric,
  signal?: AbortSignal,
): Promise<Float64Array> {
  const { n_layer: layer, n_embd: width } = model.config;
  const normalized = "ln_final.hook_normalized";
  const hasNorm = model.hookPoints.some(({ name }) => name === normalized);
  const name = hasNorm ? normalized : "unembed.hook_in";
  // Behind the last block a logit is linear in what this point holds, so that any stream gives the same gradient.
  const resid = { shape: [1, 1, width], data: new Float32Array(width) };
  const { cache } = await model.runWithCache([metric.answer as number], {
    names: [name],
    startAt: { layer, resid },
    gradientsOf: metric,
    signal,
  });
  const direction = Float64Array.from(cache.gradient(name).data);
  if (!hasNorm) return direction;
  const mean = direction.reduce((sum, value) => sum + value, 0) / width;
  return direction.map((value) => value - mean);
}

/** Each key's value times the attention to it: `[key d_head]`. */
function weighted(values: Tensor, head: number, pattern: Float32Array): Float32Array {
  const [heads, width] = [sizeOf(values, "head"), sizeOf(values, "d_head")];
  const moved = new Float32Array(pattern.length * width);
  for (let key = 0; key < pattern.length; key++) {
    const from = (key * heads + head) * width;
    for (let i = 0; i < width; i++) moved[key * width + i] = pattern[key] * values.data[from + i];
  }
  return moved;
}

/** @param written hook_result, `[1 pos head d_model]` */
function alongDirection(
  written: Tensor,
  head: number,
  direction: Float64Array,
  scale: number,
): Float32Array {
  const [heads, width] = [sizeOf(written, "head"), direction.length];
  return Float32Array.from({ length: sizeOf(written, "pos") }, (_, key) => {
    const from = (key * heads + head) * width;
    let sum = 0;
    for (let i = 0; i < width; i++) sum += written.data[from + i] * direction[i];
    return sum / scale;
  });
}
