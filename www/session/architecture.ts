// What a model of the GPT-2 family has and does not have, in words: for the parameters, the hook points and the report.

import { formatCount } from "../draw/format.js";
import type { Config, Parameter } from "../api/generated.js";

/** The fields that distinguish members of the family. One that is absent has the value of GPT-2. */
export interface Architecture {
  position_embedding?: string;
  normalization_type?: string;
  attn_only?: boolean;
  unembed_bias?: boolean;
}

/** What each kind of position embedding does. */
export const POSITIONS: Record<string, string> = {
  learned: "A learned vector for each position is added to the token embedding, as in GPT-2.",
  sinusoidal:
    "Fixed sines and cosines of the position are added to the token embedding (Vaswani et al. 2017). They are not parameters.",
  none: "Nothing is added: only the causal mask depends on the position.",
  shortformer:
    "A learned vector for each position is added to the inputs of queries and keys, not to the residual stream.",
};

/** What each kind of normalization does. */
export const NORMALIZATIONS: Record<string, string> = {
  LN: "LayerNorm with a learned weight and bias, as in GPT-2.",
  LNPre: "LayerNorm without weight and bias.",
  none: "No normalization.",
};

/** Sentences about what the model does not have, or has in another way than GPT-2. */
export function differences({
  position_embedding: positions = "learned",
  normalization_type: normalization = "LN",
  attn_only: isAttentionOnly = false,
  unembed_bias: hasBias = false,
}: Architecture): string[] {
  const found: string[] = [];
  if (positions === "sinusoidal")
    found.push("Positions are fixed sines and cosines, which are not parameters.");
  if (positions === "none")
    found.push("It has no position embedding: only the causal mask depends on the position.");
  if (positions === "shortformer")
    found.push(
      "Positions are added to the inputs of queries and keys, not to the residual stream.",
    );
  if (isAttentionOnly) found.push("It has no MLPs: its blocks are attention only.");
  if (normalization === "LNPre") found.push("Its LayerNorms have no weight and no bias.");
  if (normalization === "none") found.push("It has no LayerNorm.");
  if (hasBias) found.push("Its logits have a bias, lm_head.bias.");
  return found;
}

/** Why a model does not have a hook point of the family: "it has no MLPs"; null if the config explains nothing. */
export function whyAbsent(hook: string, architecture: Architecture): string | null {
  const {
    position_embedding: positions = "learned",
    normalization_type: normalization = "LN",
    attn_only: isAttentionOnly = false,
  } = architecture;
  const point = hook.replace(/^blocks\.\d+\./, "");
  if (point === "hook_pos_embed" && positions === "none") return "it has no position embedding";
  if (point === "hook_pos_embed" && positions === "shortformer")
    return "its positions are added to the inputs of queries and keys, not to the residual stream";
  if (isAttentionOnly && /^(mlp\.|ln2\.|hook_mlp_|hook_resid_mid$)/.test(point))
    return "it has no MLPs";
  if (normalization === "none" && /^(ln1|ln2|ln_final)\.|^mlp\.ln\./.test(point))
    return "it has no LayerNorm";
  return null;
}

/** The sizes of a model as one line: "4 layers of 4 heads, 256 wide, …". */
export function sizesOf({
  n_layer: layers,
  n_head: heads,
  n_embd: width,
  n_inner: inner,
  n_positions: context,
  vocab_size: vocabulary,
  attn_only: isAttentionOnly = false,
}: Pick<Config, "n_layer" | "n_head" | "n_embd" | "n_inner" | "n_positions" | "vocab_size"> &
  Architecture): string {
  return [
    `${plural(layers, "layer")} of ${plural(heads, "head")}`,
    `${width} wide`,
    `${width / heads} a head`,
    isAttentionOnly ? "no MLPs" : `MLPs of ${inner ?? 4 * width}`,
    `context of ${plural(context, "token")}`,
    `vocabulary of ${plural(vocabulary, "token")}`,
  ].join(", ");
}

/** What a model is, in words. */
export interface ModelSummary {
  /** such as "nanoGPT" */
  family: string;
  /** such as "PyTorch" */
  format: string;
  /** "4 layers of 4 heads, 256 wide, …" */
  sizes: string;
  parameterCount: number;
  /** how many tensors have them */
  tensorCount: number;
  /** sentences about what distinguishes the model from GPT-2 */
  differences: readonly string[];
}

/** What is needed of a model to describe it. */
export interface Describable {
  config: Config & Architecture;
  parameters: readonly Parameter[];
  parameterCount: number;
  checkpoint: { family: string; format: string };
}

export function summaryOf({
  config,
  parameters,
  parameterCount,
  checkpoint: { family, format },
}: Describable): ModelSummary {
  return {
    ...{ family, format, sizes: sizesOf(config), differences: differences(config) },
    ...{ parameterCount, tensorCount: parameters.length },
  };
}

/** "1 layer", "2 layers". */
export function plural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** A number of parameters in three digits or fewer: "28.9M". */
export function roundedCount(count: number): string {
  const scales: [number, string][] = [
    [1e9, "B"],
    [1e6, "M"],
    [1e3, "k"],
  ];
  for (const [scale, unit] of scales) {
    const value = count / scale;
    if (value >= 0.9995)
      return `${value < 99.95 ? Number(value.toFixed(1)) : Math.round(value)}${unit}`;
  }
  return String(count);
}
