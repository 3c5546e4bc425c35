// Plain-data options and results of the methods of `Model`. Written by hand until they are generated from the declarations
// in Rust; the names and shapes stay. Imports end in `.js`, as everywhere in www/.
//
// Not here: options that do not leave the page (`signal`, `onProgress`; see options.ts).

import type { Cache } from "./cache.js";
import type { HookName } from "./hook-names.js";
import type { Tensor } from "./tensor.js";

// ---- inputs ----

/** A text, or token ids. */
export type Input = string | Uint32Array | ArrayLike<number>;

/** A token's text, which must be a single token, or its id. */
export type Answer = string | number;

/** The logit of `answer`, less that of `against`, at `position`; or the loss. */
export interface Metric {
  answer?: Answer;
  against?: Answer;
  /** @default -1, the last */
  position?: number;
  /** the mean loss of the text, in nats, instead of a logit */
  loss?: boolean;
}

// ---- interventions ----

/** Numbers that broadcast to a selection by their last axes. */
export type Values = number | ArrayLike<number> | Tensor;

/** Activations by hook point name: a cache, or what one was stored as. */
export type Activations =
  | Pick<Cache, "names" | "get">
  | Readonly<Record<string, { shape: readonly number[]; data: ArrayLike<number> }>>;

/** An attention edge. What is left out selects all queries, or all keys. */
export interface Edge {
  query?: number;
  key?: number;
}

/** What a function of an intervention is told about the values that it gets. */
export interface Selected {
  name: string;
  axes: string[];
  shape: number[];
  positions: number[];
}

/**
 * A function of the selected values, or its source. It runs in the worker and sees none of the page's variables. It is code
 * with the rights of the page (network, storage): take none from strangers. A Content-Security-Policy must allow it by
 * 'unsafe-eval'.
 */
export type HookFunction =
  | string
  // biome-ignore lint/suspicious/noConfusingVoidType: a function that changes the values in place returns nothing
  | ((x: Float32Array, info: Selected) => ArrayLike<number> | void);

/** What is done to the selected values. */
export type Action =
  | "zero"
  | "mean"
  | { scale: number }
  | { add: Values }
  | { set: Values }
  | { from: Activations; fromPositions?: readonly number[] }
  | { mean: Activations }
  | { knockOut: readonly Edge[]; renormalize?: boolean }
  | { js: HookFunction };

/** One change to a run. What is left out selects everything. */
export interface Intervention {
  at: HookName;
  layer?: number | readonly number[];
  head?: number | readonly number[];
  /** of `d_mlp` */
  neuron?: number | readonly number[];
  /** of `d_model` or `d_head` */
  dim?: number | readonly number[];
  /** negative from the end of the prompt */
  positions?: number | readonly number[];
  /** of a generation: the prompt is step 0, then one token each */
  step?: number | readonly number[];
  do: Action;
}

// ---- what a model is ----

/** A GPT-2 config with Hugging Face field names. */
export interface Config {
  readonly n_layer: number;
  readonly n_head: number;
  /** d_model */
  readonly n_embd: number;
  /** d_mlp; null for four times `n_embd` */
  readonly n_inner: number | null;
  /** the longest context, in tokens */
  readonly n_positions: number;
  readonly vocab_size: number;
  readonly layer_norm_epsilon: number;
  readonly activation_function: string;
  readonly scale_attn_weights: boolean;
  readonly scale_attn_by_inverse_layer_idx: boolean;
  readonly reorder_and_upcast_attn: boolean;
  readonly tie_word_embeddings: boolean;
  readonly bos_token_id: number | null;
  readonly eos_token_id: number | null;
}

/** A tensor of the checkpoint. */
export interface Parameter {
  name: string;
  shape: number[];
  dtype: string;
  /** how many numbers */
  count: number;
}

/** A place in the forward pass. */
export interface HookPoint {
  name: string;
  axes: string[];
  /** computed only if a name or an intervention asks for it */
  onRequest: boolean;
}

/** How the model is computed. */
export interface Backend {
  build: "simd" | "relaxed" | "threads";
  threads: number;
  dtype: string;
  /** wasm memory once loaded, all models together */
  memoryBytes: number;
}

/** A remark about a model that loaded all the same. */
export interface Notice {
  kind: "nonFinite" | "ignored" | "used" | "assumed";
  /** a tensor, a field or a file */
  name: string;
  /** one full sentence */
  message: string;
  count?: number;
}

/** Tokens of a text, or the names of ids. */
export interface Tokens {
  ids: Uint32Array;
  strings: string[];
  /** those that each token spells, for a token that holds part of a character */
  bytes: number[][];
}

/** A rewriting of the weights that leaves the predictions as they are. */
export type Transform =
  | "fold_ln"
  | "center_writing_weights"
  | "center_unembed"
  | "fold_value_biases";

// ---- runs ----

/** Where a run starts instead of at the embeddings. */
export interface Start {
  layer: number;
  /** [1, T, d_model] before the block */
  resid: Tensor | { shape: readonly number[]; data: ArrayLike<number> };
}

export interface RunOptions {
  /** put the config's `bos_token_id` in front @default false */
  prependBos?: boolean;
  /** what to capture @default [] */
  names?: readonly HookName[];
  /** keep these positions of what is captured, negative from the end @default all */
  positions?: readonly number[];
  /** what to change, in this order; a capture sees the changed values @default [] */
  interventions?: readonly Intervention[];
  /** stop before this block: `residual` instead of `logits` */
  stopAtLayer?: number;
  /** start from a residual stream before this block */
  startAt?: Start;
  /** differentiate this with respect to everything that `names` selects: see Cache.gradient */
  gradientsOf?: Metric;
  /** measure the captured patterns, which must be those of every layer: see Model.headScores @default false */
  headScores?: boolean;
}

/** One forward pass of T tokens. */
export interface Run {
  /** the tokens that were run, T of them */
  ids: Uint32Array;
  /** [1, T, V] over batch, pos, vocab */
  logits: Tensor;
  /** [1, T, d_model] of a run that stopped at a layer; otherwise null */
  residual: Tensor | null;
  /** mean of -logProbs; null for a single token */
  loss: number | null;
  /** of the true next token in nats, T - 1 of them */
  logProbs: Float32Array;
  /** of the true next token: 0 if it was the first choice; null if the logits are not finite */
  ranks: (number | null)[];
  cache: Cache;
  /** (score layer head), labelled; null unless the option asks for it */
  headScores: Tensor | null;
}

export interface GenerateOptions {
  /** put the config's `bos_token_id` in front @default false */
  prependBos?: boolean;
  /** @default 20 */
  maxNewTokens?: number;
  /** draw a token; otherwise take the most probable one @default false */
  doSample?: boolean;
  /** divides the logits before drawing @default 1 */
  temperature?: number;
  /** draw from this many of the most probable tokens @default all */
  topK?: number;
  /** draw from the most probable tokens whose probabilities add up to this @default 1 */
  topP?: number;
  /** the same seed gives the same text on every machine @default 0 */
  seed?: number;
  /** stop after the token that completes one of these @default [] */
  stop?: string | readonly string[];
  /** stop after the config's `eos_token_id` @default true */
  stopAtEos?: boolean;
  /** how many of the most probable tokens each step lists @default 10 */
  top?: number;
  /** what to capture at each step @default [] */
  names?: readonly HookName[];
  /** what to change at each step @default [] */
  interventions?: readonly Intervention[];
  /** keep keys and values from step to step; the text is the same without @default true */
  useCache?: boolean;
}

/** A probable next token. */
export interface Choice {
  id: number;
  string: string;
  /** UTF-8, for a token that holds part of a character */
  bytes: number[];
  /** in nats, before temperature, topK and topP */
  logProb: number;
}

/** One token of a generation. */
export interface Step {
  id: number;
  string: string;
  /** in nats, before temperature, topK and topP */
  logProb: number;
  /** the most probable tokens, the most probable first */
  top: Choice[];
  cache: Cache;
}

// ---- measurements ----

export interface LogitLensOptions {
  /** how many of the most probable tokens @default 5 */
  top?: number;
  /** which point of each layer @default "resid_post" */
  of?: "resid_pre" | "resid_mid" | "resid_post" | "attn_out" | "mlp_out";
  /** a token to follow besides the true next ones */
  answer?: Answer;
  interventions?: readonly Intervention[];
}

/** What the model would predict if it stopped at each layer. NaN where the logits are not finite. */
export interface LogitLens {
  /** (layer pos top) */
  topIds: Tensor;
  /** (layer pos top) */
  topProbabilities: Tensor;
  /** of `topIds`, in the order of its data; empty without a tokenizer */
  topStrings: string[];
  /** of the true next token (layer pos), T - 1 positions */
  nextProbability: Tensor;
  /** of the true next token (layer pos), T - 1 positions: 0 if it is the first choice */
  nextRank: Tensor;
  /** KL(final || lens) in nats (layer pos) */
  kl: Tensor;
  /** (layer pos), if there is an answer */
  answerProbability?: Tensor;
  /** (layer pos), if there is an answer */
  answerRank?: Tensor;
}

export interface AttributionOptions {
  answer?: Answer;
  against?: Answer;
  /** of `d_model`, instead of an answer */
  direction?: ArrayLike<number>;
  /** @default -1, the last */
  position?: number;
  /** @default "component" */
  by?: "component" | "head" | "neuron";
  /** the final LayerNorm, with the run's scale or with each part's own @default "frozen" */
  layerNorm?: "frozen" | "recomputed";
  interventions?: readonly Intervention[];
}

export interface Attribution {
  /** (component), labelled */
  shares: Tensor;
}

export interface ResidualOptions {
  /** @default "decomposed" */
  stack?: "decomposed" | "accumulated" | "heads" | "neurons";
  /** of a decomposed stream: how finely @default "component" */
  by?: "component" | "head" | "neuron";
  /** of an accumulated stream: also between attention and MLP @default false */
  sublayers?: boolean;
  /** which sublayer reads the stream @default the unembedding */
  reader?: { layer: number; part: "attn" | "mlp" };
  /**
   * through the reader's LayerNorm, with the run's scale or, before the unembedding, with each part's own
   * @default not at all
   */
  layerNorm?: "frozen" | "recomputed";
  /** of neurons, take few: they are d_mlp × d_model numbers each @default all */
  positions?: readonly number[];
  interventions?: readonly Intervention[];
}

export interface Residual {
  /** (component pos d_model), labelled */
  parts: Tensor;
}

export interface MeansOptions {
  texts: readonly Input[];
  names: readonly HookName[];
}

export interface HeadScoresOptions {
  /** what the attention is compared with, T rows of T numbers */
  pattern?: readonly ArrayLike<number>[];
  /** how it is compared @default "mul" */
  measure?: "mul" | "abs";
  /** @default false */
  excludeFirstToken?: boolean;
  /** @default false */
  excludeCurrentToken?: boolean;
  interventions?: readonly Intervention[];
}

export interface HeadScores {
  /** (score layer head), labelled; NaN if no position counts */
  scores: Tensor;
  /** (layer head), if there is a `pattern` */
  similarity?: Tensor;
}

/** Two prompts with the same number of tokens, and what is measured. */
export interface Contrast extends Metric {
  clean: Input;
  corrupted: Input;
  /** @default "denoise" */
  direction?: "denoise" | "noise";
}

export interface PatchingOptions extends Contrast {
  /** @default "resid_pre" */
  at?: "resid_pre" | "resid_mid" | "attn_out" | "mlp_out" | "z" | "q" | "k" | "v" | "pattern";
  /** @default "activation" */
  method?: "activation" | "attribution";
  /** heads by position too @default false */
  eachPosition?: boolean;
}

export interface Patching {
  /** the metric under each patch (layer pos), (layer head) or (layer head pos) */
  raw: Tensor;
  /** 0 for the corrupted run, 1 for the clean one; absent unless both are finite and differ */
  normalized?: Tensor;
  /** the metric of the clean run */
  clean: number;
  /** the metric of the corrupted run */
  corrupted: number;
}

/** What a head reads. */
export interface Receiver {
  layer: number;
  head: number;
  input: "q" | "k" | "v";
}

export interface PathPatchingOptions extends Contrast {
  receivers: "logits" | readonly Receiver[];
  /** the MLPs between sender and receiver @default "frozen" */
  mlps?: "frozen" | "recomputed";
}

export interface PathPatching {
  /** the metric by sender (layer head) */
  raw: Tensor;
  /** 0 for the corrupted run, 1 for the clean one; absent unless both are finite and differ */
  normalized?: Tensor;
  clean: number;
  corrupted: number;
}

export interface IntegratedGradientsOptions extends Metric {
  /** a text with as many tokens @default zero embeddings */
  baseline?: Input;
  /** @default 32 */
  steps?: number;
}

export interface IntegratedGradients {
  /** (pos) */
  shares: Tensor;
  metric: number;
  /** the metric of the baseline */
  baseline: number;
  /** what the shares fail to add up to */
  error: number;
}

export interface CircuitsOptions {
  layer: number;
  head: number;
  /** tokens at each end of a vector @default 8 */
  top?: number;
  /** singular vectors @default 8 */
  components?: number;
}

/** What a head does, whatever the text is. Strings are in the order of the data beside them. */
export interface Circuits {
  /** (component) */
  ovSingularValues: Tensor;
  /** (component) */
  qkSingularValues: Tensor;
  /** (eigenvalue part), real and imaginary */
  ovEigenvalues: Tensor;
  /** (eigenvalue part), real and imaginary */
  qkEigenvalues: Tensor;
  ovPositiveShare: number;
  qkPositiveShare: number;
  /** near 1 for a head that copies */
  copyingScore: number;
  /** ids (component end top) */
  ovReads: Tensor;
  ovReadsStrings: string[];
  /** ids (component end top) */
  ovWrites: Tensor;
  ovWritesStrings: string[];
  /** ids (component end top) */
  qkQueries: Tensor;
  qkQueriesStrings: string[];
  /** ids (component end top) */
  qkKeys: Tensor;
  qkKeysStrings: string[];
}

export interface CompositionScoresOptions {
  path: "q" | "k" | "v";
}

export interface CompositionScores {
  /** (writer_layer writer_head reader_layer reader_head) */
  scores: Tensor;
}

export interface TokenScoresOptions {
  interventions?: readonly Intervention[];
}

/** About each token; NaN where the logits are not finite. */
export interface TokenScores {
  /** of the next token in nats (pos), T - 1 positions */
  loss: Tensor;
  /** of the next token (pos), T - 1 positions */
  rank: Tensor;
  /** of the distribution over the next token in nats (pos) */
  entropy: Tensor;
}

export interface MostActiveOptions {
  texts: readonly Input[];
  at: HookName;
  /** at points that have heads */
  head?: number;
  /** along the last axis */
  index: number;
  /** @default 20 */
  count?: number;
}

/** Where an activation is greatest, the greatest first. */
export interface MostActive {
  /** index of the text (place) */
  text: Tensor;
  /** (place) */
  position: Tensor;
  /** (place) */
  value: Tensor;
  /** how many values are infinite or NaN, which are never listed */
  notFinite: number;
}
