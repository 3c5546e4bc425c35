// The folder data/ that HeadVis reads (Luger et al. 2026, https://github.com/anthropics/headvis), as a zip file. Its format is
// defined by the docstrings of data_pipeline.py there.
//
// HeadVis keeps only the strongest attention of each query, with four decimals: our other files have every bit.

import { createError } from "../errors.js";
import { checkOptions } from "../options.js";
import type { Values } from "../tensor/values.js";
import { type HeadText, headMetrics, maxActivation, METRICS, topTokens } from "./head-metrics.js";
import { type Origin, type TokenText, tokensOf } from "./origin.js";
import { zipFile } from "./zip.js";

export interface HeadVisOptions {
  /** how many keys of each query are kept, the strongest first @default 8 */
  keys?: number;
  /** attention below this is left out @default 0.005 */
  threshold?: number;
}

/** What one run captured. */
export interface HeadVisRun {
  activations: readonly (readonly [name: string, value: Values])[];
  origin: Origin | null;
}

/** HeadVis sorts texts into deciles by their largest attention; 10 has the largest. */
const INTERVALS = 10;
const TOP_TOKENS = 50;
const PATTERN = /^blocks\.(\d+)\.attn\.hook_pattern$/;

const WHOLE = (value: unknown) => Number.isInteger(value) && (value as number) > 0;

/**
 * @param runs of each text, with the patterns of the same layers
 * @param layers of the model
 * @throws InputError if no pattern was captured, a pattern is not whole or not finite, or a text has one token
 */
export async function headVisFile(
  runs: readonly HeadVisRun[],
  layers: number,
  options?: HeadVisOptions,
): Promise<Blob> {
  const { keys = 8, threshold = 0.005 } = checkOptions("toHeadVis", options, {
    keys: { expected: "a whole number above 0", fits: WHOLE },
    threshold: {
      expected: "a number from 0 to 1",
      fits: (value) => typeof value === "number" && value >= 0 && value <= 1,
    },
  });
  const texts = await Promise.all(runs.map(textOf));
  const captured = [...texts[0].patterns.keys()];
  if (captured.length === 0)
    throw createError(
      "InputError",
      'toHeadVis: no attention pattern was captured; ask for `names: "pattern"`',
    );
  const heads = captured.flatMap((layer) => {
    const count = (texts[0].patterns.get(layer) as Values).shape[1];
    return Array.from({ length: count }, (_, head) => ({ layer, head }));
  });
  const files: Record<string, unknown> = { "server_config.json": {} };
  files["attributions/manifest.json"] = {};
  const scatter: object[] = [];
  for (const { layer, head } of heads) {
    const own = texts.map((text) => headText(text, layer, head));
    scatter.push({ layer, head, ...headMetrics(own) });
    files[`heads/L${layer}H${head}.json`] = headJson(own, keys, threshold);
  }
  // HeadVis takes the axes of its scatter plot from the first row.
  const count = (row: object) => Object.keys(row).length;
  files["scatter_data.json"] = scatter.sort((a, b) => count(b) - count(a));
  files["config.json"] = configJson(texts[0].model, heads, layers);
  const encoder = new TextEncoder();
  const entries = Object.entries(files).map(([path, value]) => ({
    path: `data/${path}`,
    parts: [encoder.encode(JSON.stringify(value))],
  }));
  return zipFile(entries, true);
}

interface Text {
  model: string;
  tokens: readonly string[];
  patterns: ReadonlyMap<number, Values>;
}

async function textOf({ activations, origin }: HeadVisRun): Promise<Text> {
  const found = origin && (await tokensOf(origin));
  if (!origin || !found)
    throw createError(
      "InputError",
      "toHeadVis: the text of these activations is not known; use the cache of runWithCache",
    );
  const tokens = found.texts?.map(inWords) ?? found.ids.map((id) => `⟨${id}⟩`);
  if (tokens.length < 2)
    throw createError(
      "InputError",
      "toHeadVis: a text of one token has no attention to show, expected two tokens or more",
    );
  const patterns = new Map<number, Values>();
  for (const [name, value] of activations) {
    const layer = PATTERN.exec(name)?.[1];
    if (layer === undefined) continue;
    checkPattern(name, value, tokens.length);
    patterns.set(Number(layer), value);
  }
  return { model: modelOf(origin), tokens, patterns };
}

/** HeadVis shows the name of the model above everything, so that it says what was changed in it. */
function modelOf({ model, interventions = "" }: Origin) {
  const isLong = interventions.length > MAX_INTERVENTIONS;
  const shown = isLong ? `${interventions.slice(0, MAX_INTERVENTIONS)}…` : interventions;
  return shown ? `${model}, with interventions ${shown}` : model;
}

const MAX_INTERVENTIONS = 400;

/** HeadVis knows only texts: of a part of a character, its bytes. */
function inWords(token: TokenText) {
  if (typeof token === "string") return token;
  const hexadecimal = (byte: number) => byte.toString(16).toUpperCase().padStart(2, "0");
  return token.bytes.map((byte) => `0x${hexadecimal(byte)}`).join(" ");
}

function checkPattern(name: string, { data, shape }: Values, length: number) {
  if (shape[2] !== length || shape[3] !== length)
    throw createError(
      "InputError",
      `toHeadVis: ${name} has ${shape[2]} queries and ${shape[3]} keys, expected ${length}: capture every position`,
    );
  if (!data.every(Number.isFinite))
    throw createError(
      "InputError",
      `toHeadVis: ${name} has values that are not finite, which HeadVis cannot show; use toNpz`,
    );
}

function headText({ tokens, patterns }: Text, layer: number, head: number): HeadText {
  const pattern = patterns.get(layer);
  const size = tokens.length ** 2;
  const data = pattern?.data.subarray(head * size, (head + 1) * size) as Float32Array;
  return { tokens, pattern: data };
}

// ---- the file of a head ----

function headJson(texts: readonly HeadText[], keys: number, threshold: number) {
  const maxima = texts.map(maxActivation);
  const order = texts.map((_, at) => at).sort((a, b) => maxima[a] - maxima[b]);
  const rank = new Map(order.map((at, place) => [at, place]));
  // Of fewer texts than deciles, the largest is in the tenth.
  const interval = (at: number) =>
    INTERVALS -
    Math.floor(((texts.length - 1 - (rank.get(at) as number)) * INTERVALS) / texts.length);
  const sequences = texts.map((text, at) => ({
    sequence_id: at,
    interval: interval(at),
    tokens: text.tokens,
    ...sparse(text, keys, threshold),
    seq_len: text.tokens.length,
    max_activation: rounded(maxima[at]),
  }));
  return {
    sequences,
    qk_distance_histogram: distanceHistogram(sequences),
    top_query_tokens: topTokens(texts, "query", TOP_TOKENS),
    top_key_tokens: topTokens(texts, "key", TOP_TOKENS),
    histogram: {},
    statistics: {
      mean_max_activation: maxima.reduce((sum, value) => sum + value, 0) / maxima.length,
    },
  };
}

/** The strongest keys of each query, as flat indices query · T + key. */
function sparse({ pattern, tokens }: HeadText, count: number, threshold: number) {
  const length = tokens.length;
  const indices: number[] = [];
  for (let query = 0; query < length; query++) {
    const row = Array.from({ length: query + 1 }, (_, key) => query * length + key)
      .filter((at) => pattern[at] > 0 && pattern[at] >= threshold)
      .sort((a, b) => pattern[b] - pattern[a])
      .slice(0, count);
    indices.push(...row.sort((a, b) => a - b));
  }
  return {
    attention_indices: indices,
    attention_values: indices.map((at) => rounded(pattern[at])),
  };
}

/** Four decimals, as HeadVis's files have. */
function rounded(value: number) {
  return Math.round(value * 1e4) / 1e4;
}

/** How many of the kept pairs are how far apart: 0, 1, 2 to 3, 4 to 7, and so on. */
function distanceHistogram(
  sequences: readonly { seq_len: number; attention_indices: readonly number[] }[],
) {
  const longest = Math.max(...sequences.map(({ seq_len }) => seq_len));
  const edges = [0, 1];
  while (edges[edges.length - 1] < longest) edges.push(2 * edges[edges.length - 1]);
  const counts = edges.slice(1).map(() => 0);
  for (const { seq_len, attention_indices } of sequences)
    for (const at of attention_indices) {
      const distance = Math.floor(at / seq_len) - (at % seq_len);
      counts[distance === 0 ? 0 : Math.floor(Math.log2(distance)) + 1] += 1;
    }
  return { bin_edges: edges, bin_values: counts };
}

function configJson(
  model: string,
  heads: readonly { layer: number; head: number }[],
  layers: number,
) {
  return {
    model_name: model,
    heads: heads.map(({ layer, head }) => [layer, head]),
    n_layers: layers,
    n_heads: Math.max(...heads.map(({ head }) => head + 1)),
    n_intervals: INTERVALS,
    metrics: Object.keys(METRICS),
    metric_descriptions: METRICS,
    head_data_pattern: "L{layer}H{head}.json",
    has_umap: false,
    umap_heads: [],
    custom_plots: [{ key: "qk_distance_histogram", label: "Q-K distance" }],
    custom_tables: [
      { key: "top_query_tokens", label: "Top query tokens" },
      { key: "top_key_tokens", label: "Top key tokens" },
    ],
    statistics_display: {
      mean_max_activation: { label: "Mean max activation", format: "default" },
    },
  };
}
