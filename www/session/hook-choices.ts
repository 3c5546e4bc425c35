// What the form of an intervention offers: the hook points of a model by what they are, and what can be done at each.

import type { HookPoint } from "../api/generated.js";

/** A hook point of every layer, or of the whole model. */
export interface PointChoice {
  /** The name without `blocks.{layer}.`. */
  key: string;
  title: string;
  group: string;
  axes: readonly string[];
  /** The layers that have it; none if it belongs to no layer. */
  layers: readonly number[];
}

const GROUPS = ["residual stream", "attention", "MLP", "LayerNorm", "embedding and output"];

/** What each point is, and its group. */
const TITLES: Record<string, [title: string, group: number]> = {
  hook_resid_pre: ["residual stream before the layer", 0],
  hook_resid_mid: ["residual stream between attention and MLP", 0],
  hook_resid_post: ["residual stream after the layer", 0],
  hook_attn_in: ["input of each head", 1],
  hook_q_input: ["input of each head's queries", 1],
  hook_k_input: ["input of each head's keys", 1],
  hook_v_input: ["input of each head's values", 1],
  "attn.hook_q": ["queries of heads", 1],
  "attn.hook_k": ["keys of heads", 1],
  "attn.hook_v": ["values of heads", 1],
  "attn.hook_attn_scores": ["attention scores, before the softmax", 1],
  "attn.hook_pattern": ["attention pattern", 1],
  "attn.hook_z": ["output of heads, before W_O", 1],
  "attn.hook_result": ["what each head writes", 1],
  hook_attn_out: ["output of attention, all heads", 1],
  hook_mlp_in: ["input of the MLP", 2],
  "mlp.hook_pre": ["neurons before the activation", 2],
  "mlp.hook_mid": ["neurons between activation and LayerNorm", 2],
  "mlp.hook_post": ["neurons after the activation", 2],
  hook_mlp_out: ["output of the MLP", 2],
  hook_embed: ["token embedding", 4],
  hook_pos_embed: ["position embedding", 4],
  "unembed.hook_in": ["input of the unembedding", 4],
  "unembed.hook_out": ["logits", 4],
};

const BLOCK = /^blocks\.(\d+)\.(.*)$/;

/** The points of a model, group by group, each group in firing order. */
export function pointChoices(points: readonly HookPoint[]): PointChoice[] {
  const found: Map<string, PointChoice & { layers: number[] }> = new Map();
  for (const { name, axes } of points) {
    const [, layer, rest] = BLOCK.exec(name) ?? [];
    const key = rest ?? name;
    const [title, group] = TITLES[key] ?? [key, /\bln/.test(key) ? 3 : 4];
    const choice = found.get(key) ?? { key, title, group: GROUPS[group], axes, layers: [] };
    if (layer !== undefined) choice.layers.push(Number(layer));
    found.set(key, choice);
  }
  return [...found.values()].sort((a, b) => GROUPS.indexOf(a.group) - GROUPS.indexOf(b.group));
}

/** The kinds of actions, by what the form calls them. */
export const KINDS = {
  zero: "set to zero",
  mean: "set to the mean over positions",
  texts: "set to the mean over reference texts",
  scale: "multiply",
  add: "add a vector (steer)",
  set: "set to numbers",
  from: "patch from another prompt",
  knockOut: "cut attention edges",
  js: "run a JavaScript function",
} as const;
export type Kind = keyof typeof KINDS;

/** The kinds of steering vectors. */
export const VECTORS = {
  difference: "the difference of two prompts",
  head: "what a head writes",
  neuron: "a neuron's direction (its row of W_out)",
  token: "a token's direction",
  numbers: "numbers",
} as const;
export type Vector = keyof typeof VECTORS;

const isAttention = (axes: readonly string[]) => axes.includes("key");

/** What can be done at a point with these axes. */
export function kindsAt(axes: readonly string[]): Kind[] {
  const unfit: Kind[] = isAttention(axes) ? ["mean", "texts"] : ["knockOut"];
  return (Object.keys(KINDS) as Kind[]).filter((kind) => !unfit.includes(kind));
}

/** The vectors that can be added at a point with these axes. A vector of the residual stream fits only there. */
export function vectorsAt(axes: readonly string[], hasNeurons: boolean): Vector[] {
  const isStream = axes.at(-1) === "d_model";
  return (Object.keys(VECTORS) as Vector[]).filter((vector) => {
    if (vector === "numbers") return true;
    if (vector === "difference") return !isAttention(axes);
    return isStream && (vector !== "neuron" || hasNeurons);
  });
}

/** The points at which something can be done. */
export function pointsFor(kind: Kind, choices: readonly PointChoice[]): PointChoice[] {
  return choices.filter(({ axes }) => kindsAt(axes).includes(kind));
}

/** The point that the form opens on, or turns to when an action does not fit the former one. */
export function preferredPoint(kind: Kind, choices: readonly PointChoice[]): string {
  const fitting = pointsFor(kind, choices).map(({ key }) => key);
  const preferred = {
    knockOut: "attn.hook_pattern",
    add: "hook_resid_post",
    from: "hook_resid_pre",
  } as Partial<Record<Kind, string>>;
  const first = [preferred[kind] ?? "attn.hook_z", "attn.hook_z"].find((key) =>
    fitting.includes(key),
  );
  return first ?? fitting[0] ?? "";
}
