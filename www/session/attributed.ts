// Direct logit attribution of one token, with what its picture needs: the target, the shares by component, head or neuron, and
// for one head the shares of the source tokens.

import type { Attribution, AttributionOptions, Intervention } from "../api/generated.js";
import type { Model } from "../api/model.js";
import { byMagnitude, sumOf } from "../draw/bars.js";
import type { Tensor } from "../draw/matrix.js";
import { sourceShares } from "./source-shares.js";
import { findTarget, type Target, type TargetChoice, type TargetText } from "./target.js";

export type By = NonNullable<AttributionOptions["by"]>;
export type LayerNormScale = NonNullable<AttributionOptions["layerNorm"]>;

export type Attributable = Pick<
  Model,
  "config" | "hookPoints" | "hasTokenizer" | "tokenize" | "runWithCache" | "attribution"
>;

/** One part of the residual stream and its share. `layer`, `head` and `neuron` are absent if the part has none. */
export interface Share {
  /** As in the API's labels. */
  label: string;
  value: number;
  layer?: number;
  head?: number;
  neuron?: number;
}

export interface Attributed {
  target: Target;
  by: By;
  layerNorm: LayerNormScale;
  shares: readonly Share[];
  /** Of all shares. */
  sum: number;
  /** The shares of heads, `layer head`; null unless by head. */
  heads: Tensor | null;
  /** For one head, if by head. */
  sources: SourcePart | null;
}

export interface SourcePart {
  layer: number;
  head: number;
  /** One for each key up to the query. */
  shares: Float32Array;
  pattern: Float32Array;
  /** The head's share with the frozen scale. */
  share: number;
  /** `share` less the sum over the keys: rounding, or an intervention at the head's output. */
  rest: number;
}

export interface AttributedOptions extends TargetChoice {
  by: By;
  layerNorm: LayerNormScale;
  /** The head whose source tokens are wanted. */
  layer: number;
  head: number;
}

/** @throws InputError; HookError; AbortError */
export async function attribute(
  model: Attributable,
  text: TargetText,
  options: AttributedOptions,
): Promise<Attributed> {
  const { by, layerNorm, layer, head } = options;
  const target = await findTarget(model, text, options);
  const attributed = (norm: LayerNormScale) => {
    const chosen = attributionOptions(target, { by, layerNorm: norm }, text);
    return remembered(model, text, JSON.stringify([norm, by, target]), () =>
      model.attribution(text.ids, chosen),
    );
  };
  const found = await attributed(layerNorm);
  const shares = sharesOf(found);
  const isByHead = by === "head";
  const sources = isByHead
    ? await sourcesOf(
        model,
        text,
        target,
        layerNorm === "frozen" ? shares : sharesOf(await attributed("frozen")),
        { layer, head },
      )
    : null;
  const { n_layer, n_head } = model.config;
  return {
    ...{ target, by, layerNorm, shares, sources },
    sum: sumOf(found.shares.data),
    heads: isByHead ? headTable(shares, n_layer, n_head) : null,
  };
}

/** The last results for a text, so that choosing another head computes only what is about that head. */
const memory: WeakMap<
  Uint32Array,
  {
    model: Attributable;
    interventions: readonly Intervention[];
    results: Map<string, Attribution>;
  }
> = new WeakMap();

/** A result for the same model, text and interventions, or else a new one, which is remembered. */
async function remembered(
  model: Attributable,
  { ids, interventions }: TargetText,
  key: string,
  compute: () => Promise<Attribution>,
): Promise<Attribution> {
  const former = memory.get(ids);
  const isSame = former?.model === model && former.interventions === interventions;
  const known = isSame ? former.results.get(key) : undefined;
  if (known) return known;
  const found = await compute();
  const results = isSame ? former.results : new Map<string, Attribution>();
  if (results.size >= MAX_REMEMBERED) results.clear();
  memory.set(ids, { model, interventions, results: results.set(key, found) });
  return found;
}

const MAX_REMEMBERED = 4;

/** The options of `model.attribution`. */
function attributionOptions(
  { answer, against, position }: Target,
  { by, layerNorm }: { by: By; layerNorm: LayerNormScale },
  { interventions, signal }: { interventions: readonly Intervention[]; signal?: AbortSignal },
) {
  return {
    ...{ answer, position, by, layerNorm },
    ...(against !== null && { against }),
    ...(interventions.length > 0 && { interventions }),
    ...(signal && { signal }),
  };
}

async function sourcesOf(
  model: Attributable,
  { ids, interventions, signal }: TargetText,
  { answer, against, position }: Target,
  frozen: readonly Share[],
  { layer, head }: { layer: number; head: number },
): Promise<SourcePart> {
  const options = { layer, head, position, answer, against, interventions, signal };
  const { shares, pattern } = await sourceShares(model, ids, options);
  const share = frozen.find((one) => one.layer === layer && one.head === head)?.value ?? NaN;
  return { layer, head, shares, pattern, share, rest: share - sumOf(shares) };
}

/** The parts by their labels: "embed", "3_mlp_out", "L1H0", "L1N17". */
function sharesOf({ shares }: Attribution): Share[] {
  const labels = shares.labels?.component ?? [];
  return Array.from(shares.data, (value, at) => ({
    label: labels[at],
    value,
    ...partOf(labels[at]),
  }));
}

/** What a label says about the part. */
export function partOf(label: string): Pick<Share, "layer" | "head" | "neuron"> {
  const [, layer, kind, index] = /^L(\d+)([HN])(\d+)$/.exec(label) ?? [];
  if (layer !== undefined)
    return { layer: Number(layer), [kind === "H" ? "head" : "neuron"]: Number(index) };
  const [, ofLayer] = /^(\d+)_/.exec(label) ?? [];
  return ofLayer === undefined ? {} : { layer: Number(ofLayer) };
}

/** What a part is, in words. */
export function wordsFor(label: string): string {
  const { layer, head, neuron } = partOf(label);
  if (head !== undefined) return `head ${layer}.${head}`;
  if (neuron !== undefined) return `neuron ${layer}.${neuron}`;
  const kind = label.replace(/^\d+_/, "");
  const ofLayer = layer === undefined ? "" : ` of layer ${layer}`;
  return `${WORDS[kind] ?? label}${WORDS[kind] ? ofLayer : ""}`;
}

const WORDS: Record<string, string> = {
  embed: "token embedding",
  pos_embed: "position embedding",
  attn_out: "attention",
  mlp_out: "MLP",
  b_O: "attention bias",
  b_out: "MLP bias",
  ln_final_bias: "bias of the final LayerNorm",
  unembed_bias: "bias of the logits",
};

/** What each kind of part adds up to, in the order in which the kinds are written first. */
export function sumsByKind(shares: readonly Share[]): { kind: string; sum: number }[] {
  const sums: Map<string, number> = new Map();
  for (const share of shares) {
    const kind = kindOf(share);
    sums.set(kind, (sums.get(kind) ?? 0) + share.value);
  }
  return Array.from(sums, ([kind, sum]) => ({ kind, sum }));
}

function kindOf({ label, head, neuron }: Share): string {
  if (head !== undefined) return "heads";
  if (neuron !== undefined) return "neurons";
  if (/embed$/.test(label)) return "embeddings";
  if (/_attn_out$/.test(label)) return "attention";
  return /_mlp_out$/.test(label) ? "MLPs" : "biases";
}

function headTable(shares: readonly Share[], layers: number, heads: number): Tensor {
  const data = new Float32Array(layers * heads).fill(NaN);
  for (const { layer, head, value } of shares)
    if (layer !== undefined && head !== undefined) data[layer * heads + head] = value;
  return { data, shape: [layers, heads], axes: ["layer", "head"] };
}

/** The `count` shares that are farthest from zero, and what all others add up to. */
export function largestShares(
  shares: readonly Share[],
  count: number,
): { largest: Share[]; others: { count: number; sum: number } } {
  const order = byMagnitude(shares.map(({ value }) => value));
  const rest = order.slice(count).map((at) => shares[at].value);
  return {
    largest: order.slice(0, count).map((at) => shares[at]),
    others: { count: rest.length, sum: sumOf(rest) },
  };
}
