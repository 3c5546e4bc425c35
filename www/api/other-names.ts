// The names that other libraries give to activations, and what to write in their place, for errors. None of them is accepted:
// what it names differs in detail from library to library.

import { layerOf, longForm, shortForm, withoutLayer } from "./hook-names.js";

interface OtherName {
  /** a short name of a point in each block, or the full name of a point outside the blocks */
  to: string;
  /** the only layer that is meant */
  layer?: number;
  /** the reason, which follows what to write */
  why: string;
  /** in lower case, separated by spaces, as `plainName` leaves them */
  names: string;
}

const OTHER_NAMES: readonly OtherName[] = [
  // Hugging Face's modules, whose outputs one hooks in PyTorch and Flax
  {
    to: "pattern",
    why: "the dropout of attention receives the attention weights and changes nothing after training",
    names:
      "attn_dropout attn.attn_dropout attn.dropout attention.dropout dropout_0 attention_dropout",
  },
  {
    to: "attn_out",
    why: "an attention layer adds its output to the residual stream",
    names:
      "attn attention self_attn self_attention attn.c_proj attn.resid_dropout attn.out attn.output attention.out attn_output attn_value_to_output",
  },
  {
    to: "attn_out",
    why: "this is the output of `attn.c_proj`; that of `mlp.c_proj` is `mlp_out`",
    names: "c_proj",
  },
  {
    to: "attn_out",
    why: "the dropout after attention changes nothing after training",
    names: "resid_dropout",
  },
  {
    to: "q",
    why: "queries, keys and values are three points, q, k and v",
    names: "attn.c_attn c_attn qkv attn.qkv",
  },
  {
    to: "mlp_out",
    why: "an MLP adds its output to the residual stream",
    names: "mlp mlp.c_proj mlp.dropout mlp.out mlp_output ffn ff feed_forward",
  },
  {
    to: "pre",
    why: "the input weights of an MLP give its neurons before the activation function",
    names: "mlp.c_fc c_fc mlp.fc_in fc_in mlp_pre",
  },
  {
    to: "post",
    why: "the activation function gives the neurons",
    names: "mlp.act act gelu mlp.gelu mlp_post neurons activations mlp_acts",
  },
  {
    to: "ln1.normalized",
    why: "this is its value before weight and bias",
    names: "ln_1 ln1 ln1.out input_layernorm",
  },
  {
    to: "ln2.normalized",
    why: "this is its value before weight and bias",
    names: "ln_2 ln2 ln2.out post_attention_layernorm",
  },
  {
    to: "unembed.hook_in",
    why: "the unembedding reads the output of the final LayerNorm",
    names: "ln_f ln_final ln_final.out final_layernorm norm",
  },
  {
    to: "unembed.hook_out",
    why: "a run returns its logits as `logits`, without asking",
    names: "lm_head logits unembed output_logits embedding_decode",
  },
  {
    to: "hook_embed",
    why: "this is the embedding of each token",
    names:
      "wte embed.out token_embedding token_embed tok_embed embed_tokens embeddings embedding_lookup",
  },
  {
    to: "hook_pos_embed",
    why: "this is the embedding of each position",
    names: "wpe pos_embed.out position_embedding position_embeddings pos_embedding",
  },
  {
    to: "resid_pre",
    layer: 0,
    why: "the first block reads the sum of the embeddings",
    names: "drop inputs_embeds",
  },
  // Hugging Face's options and outputs
  {
    to: "pattern",
    why: "attention weights are called the pattern",
    names: "output_attentions attentions",
  },
  {
    to: "resid_post",
    why: "a block ends with this residual stream, and begins with `resid_pre`",
    names:
      "output_hidden_states hidden_states hidden_state last_hidden_state block resid residual residual_stream",
  },
  // other words, and the layers of Penzai's transformers
  {
    to: "pattern",
    why: "attention weights are called the pattern",
    names:
      "attn_weights attn.attn_weights attention.weights attention_weights attn.weights attn_probs attn.attn_probs attention_probs attn.probs softmax attn.softmax attn.attn attn_pattern attention_pattern query_key_to_attn",
  },
  {
    to: "attn_scores",
    why: "these are the scores before the softmax",
    names: "attention_scores attn.scores attention.scores attn_logits attn.attn_logits qk",
  },
  {
    to: "result",
    why: "this is the output of each head, and is computed only on request",
    names: "head_out attn.head_out head_output attn.head_result",
  },
  {
    to: "z",
    why: "these are the values that a head's pattern has mixed",
    names: "attn.mixed mixed_values",
  },
  {
    to: "q",
    why: "this is the query of each head",
    names: "query attn.query q_proj attn.q_proj input_to_query",
  },
  {
    to: "k",
    why: "this is the key of each head",
    names: "key attn.key k_proj attn.k_proj input_to_key",
  },
  {
    to: "v",
    why: "this is the value of each head",
    names: "value attn.value v_proj attn.v_proj input_to_value",
  },
  {
    to: "resid_post",
    layer: -1,
    why: "the last block ends with the final residual stream",
    names: "resid_final final_resid resid_last final_residual",
  },
  // TransformerBridge of TransformerLens 3 and 4
  {
    to: "attn_out",
    why: "attention layers have `hook_in` and `hook_out` in TransformerBridge only",
    names: "attn.hidden_states attn.o.out",
  },
  {
    to: "pattern",
    why: "attention weights are called the pattern",
    names: "attn.attention_weights",
  },
  { to: "q", why: "this is the query of each head", names: "attn.q.out" },
  { to: "k", why: "this is the key of each head", names: "attn.k.out" },
  { to: "v", why: "this is the value of each head", names: "attn.v.out" },
  { to: "z", why: "these are the values that a head's pattern has mixed", names: "attn.o.in" },
  { to: "pre", why: "these are the neurons before the activation function", names: "mlp.in.out" },
  { to: "post", why: "these are the neurons", names: "mlp.out.in" },
  { to: "mlp_out", why: "an MLP adds its output to the residual stream", names: "mlp.out.out" },
  { to: "resid_pre", why: "a block begins with this residual stream", names: "in ln1.in" },
  {
    to: "resid_mid",
    why: "the second LayerNorm reads this residual stream",
    names: "ln2.in mlp.in",
  },
  { to: "resid_post", why: "a block ends with this residual stream", names: "out" },
];

/** `h.0.`, `blocks.0.`, `block_0/`, `layers[0].` and the like, with any number or `*` in place of 0. */
const BLOCK = /(?:^|[./])(?:h|blocks?|layers?|transformer_?blocks?)[._/[]?(-?\d+|\*)\]?(?:[./]|$)/;

/** What to write in place of another library's name. */
export interface Replacement {
  /** selectors of the model: of one point, or of that point in all layers and in one */
  selectors: readonly (string | readonly [name: string, layer: number])[];
  /** why it is meant; absent if the name is only spelled in another way */
  why?: string;
  /** the layer of the name, which the model does not have, and the model's */
  absentLayer?: { layer: number; layers: readonly number[] };
}

/**
 * What another library's name means here. Undefined if it is not known, or if the model has no such point.
 * @param text as the user wrote it: a name, a glob or a regular expression
 * @param names the model's
 */
export function replacementOf(text: string, names: readonly string[]): Replacement | undefined {
  const { name, layer, isInBlock } = plainName(text);
  const spellings = names.filter(
    (one) => forms(one).includes(name) && (!isInBlock || layerOf(one) !== undefined),
  );
  const own = new Set(spellings.map(withoutLayer));
  const isOwnSpelling =
    layer !== undefined &&
    layer >= 0 &&
    [...own].some((kind) => text === `blocks.${layer}.${kind}`); // of a layer that is not there
  if (own.size === 1 && !isOwnSpelling) return spelled([...own][0], layer, names);
  const row = rowOf(name) ?? rowOf(name.replace(/^.*\.(?=.{4})/, "")); // the last part of a path, if it says enough
  const kind = row && names.find((one) => forms(one).includes(row.to));
  if (!kind) return undefined;
  return { ...spelled(withoutLayer(kind), row.layer ?? layer, names), why: row.why };
}

/** `replacementOf` as the end of an error. */
export function meaningOfOtherName(text: string, names: readonly string[]): string | undefined {
  const found = replacementOf(text, names);
  if (!found) return undefined;
  const { selectors, why, absentLayer } = found;
  const [whole, one] = selectors.map((selector) =>
    typeof selector === "string" ? `"${selector}"` : `["${selector[0]}", ${selector[1]}]`,
  );
  const meant = one ? `${whole} for all layers, or ${one}` : whole;
  const absent =
    absentLayer &&
    ` (there is no layer ${absentLayer.layer}: the layers are ${absentLayer.layers.join(", ")})`;
  return `expected ${meant}${absent ?? ""}${why ? `: ${why}` : ""}`;
}

function rowOf(name: string) {
  return OTHER_NAMES.find(({ names }) => names.split(" ").includes(name));
}

/** A name without its block, the classes around it, `hook_`, and the marks of patterns. */
function plainName(text: string) {
  const [, expression] = /^\/(.*)\/[a-z]*$/s.exec(text) ?? [];
  const unmarked = (expression?.replace(/[\\^$]|\.\*/g, "") ?? text).toLowerCase();
  const block = BLOCK.exec(unmarked);
  const rest = block ? unmarked.slice(block.index + block[0].length) || "block" : unmarked;
  const name = rest
    .replace(/\.?hook_/g, (hook) => (hook.startsWith(".") ? "." : ""))
    .replaceAll("/", ".")
    .replace(/^[*.]+|[*.]+$/g, "")
    .replace(/^(?:params|model|transformer|gpt2?)\./, "");
  const layer = block && block[1] !== "*" ? Number(block[1]) : undefined;
  return { name, layer, isInBlock: block !== null };
}

/** What a row or a user may call a point of the model. */
function forms(name: string) {
  return [name, longForm(name), shortForm(name)];
}

/** The point as it is written: with its layer, or for all layers and for one. A negative layer counts from the last. */
function spelled(kind: string, layer: number | undefined, names: readonly string[]): Replacement {
  if (names.includes(kind)) return { selectors: [kind] };
  const layers = names
    .filter((name) => withoutLayer(name) === kind)
    .flatMap((n) => layerOf(n) ?? []);
  // Not the place in the list: a kind of point may be missing in some layers.
  const wanted = layer !== undefined && layer < 0 ? Math.max(...layers) + 1 + layer : layer;
  if (wanted !== undefined && layers.includes(wanted))
    return { selectors: [`blocks.${wanted}.${kind}`] };
  const kinds = new Set(names.map(withoutLayer));
  const isOnly = [...kinds].filter((one) => shortForm(one) === shortForm(kind)).length === 1;
  const short = isOnly ? shortForm(kind) : longForm(kind);
  const found = { selectors: [short, [short, layers[0]] as const] };
  return wanted === undefined
    ? found
    : { ...found, absentLayer: { layer: layer ?? wanted, layers } };
}
