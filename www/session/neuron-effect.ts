// What a neuron does to the logits directly: the tokens that its row of W_out raises and lowers.

import type { Model } from "../api/model.js";

export type Probed = Pick<Model, "config" | "runWithCache">;

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
 * The row of W_out is what the MLP writes when only this neuron is 1, less what it writes when all are 0. The final LayerNorm and
 * the unembedding of the row and of its opposite differ by twice the row's effect: biases cancel out. So each value is the logit
 * that the row would add if the stream held nothing else.
 * @throws InputError; AbortError
 */
export async function neuronEffect(
  model: Probed,
  { layer, neuron }: { layer: number; neuron: number },
  count: number,
  signal?: AbortSignal,
): Promise<NeuronEffect> {
  const post = `blocks.${layer}.mlp.hook_post`;
  const out = `blocks.${layer}.hook_mlp_out`;
  const zero = { at: post, do: "zero" } as const;
  const written = async (value: number) => {
    const one = { at: post, neuron, do: { set: value } };
    const { cache } = await model.runWithCache([0], {
      names: [out],
      interventions: [zero, one],
      stopAtLayer: layer + 1,
      signal,
    });
    return cache.get(out).data;
  };
  const [on, off] = [await written(1), await written(0)];
  const row = on.map((value, i) => value - off[i]);
  const logits = async (sign: number) => {
    const { n_layer, n_embd } = model.config;
    const resid = { shape: [1, 1, n_embd], data: row.map((value) => sign * value) };
    return (await model.runWithCache([0], { startAt: { layer: n_layer, resid }, signal })).logits
      .data;
  };
  const [plus, minus] = [await logits(1), await logits(-1)];
  const effect = plus.map((value, id) => (value - minus[id]) / 2);
  const order = Array.from(effect.keys()).sort((a, b) => effect[b] - effect[a]);
  const entry = (id: number) => ({ id, value: effect[id] });
  return {
    raised: order.slice(0, count).map(entry),
    lowered: order.slice(-count).reverse().map(entry),
  };
}
