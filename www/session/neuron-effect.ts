// What a neuron does to the logits directly: the tokens that its row of W_out raises and lowers.

import type { Model } from "../api/model.js";
import { neuronOutput } from "./directions.js";

export type Probed = Pick<Model, "config" | "hookPoints" | "parameter" | "runWithCache">;

export interface NeuronEffect {
  /** Ids and logits, the most raised first. */
  raised: { id: number; value: number }[];
  /** The most lowered first. */
  lowered: { id: number; value: number }[];
}

/** The layer and the number of a neuron at a hook point after the activation function; null for any other channel. */
export function neuronAt(at: string, index: number): { layer: number; neuron: number } | null {
  const [, layer] = /^blocks\.(\d+)\.mlp\.hook_post$/.exec(at) ?? [];
  return layer === undefined ? null : { layer: Number(layer), neuron: index };
}

/**
 * The final LayerNorm and the unembedding of the neuron's row of W_out and of its opposite differ by twice the row's effect: biases
 * cancel out. So each value is the logit that the row would add if the stream held nothing else.
 * @throws InputError; AbortError
 */
export async function neuronEffect(
  model: Probed,
  { layer, neuron }: { layer: number; neuron: number },
  count: number,
  signal?: AbortSignal,
): Promise<NeuronEffect> {
  const row = await neuronOutput(model, { layer, neuron }, signal);
  const logits = async (sign: number) => {
    const { n_layer, n_embd } = model.config;
    const resid = { shape: [1, 1, n_embd], data: row.map((value) => sign * value) };
    return (await model.runWithCache([0], { startAt: { layer: n_layer, resid }, signal })).logits
      .data;
  };
  const [plus, minus] = [await logits(1), await logits(-1)];
  const effect = plus.map((value, id) => (value - minus[id]) / 2);
  // NaN compares with nothing: as the largest it is in sight, and the order of the others is right.
  const rank = (id: number) => (Number.isNaN(effect[id]) ? Infinity : effect[id]);
  const order = Array.from(effect.keys()).sort((a, b) =>
    rank(a) === rank(b) ? 0 : rank(b) - rank(a),
  );
  const entry = (id: number) => ({ id, value: effect[id] });
  return {
    raised: order.slice(0, count).map(entry),
    lowered: order.slice(-count).reverse().map(entry),
  };
}
