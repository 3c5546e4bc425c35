// The options and results of the calls, as Rust declares them. Generated: do not edit. To write it again, run
// `UPDATE_TYPES=1 cargo test --test typescript`.
//
// Options that do not leave the page (`signal`, `onProgress`, `onShow`) are declared in options.ts.

import type { Cache } from "./cache.js";
import type { HookSelector } from "./selectors.js";
import type { Tensor } from "./tensor.js";

/** A text, or token ids. */
export type Input = string | Uint32Array | ArrayLike<number> | Tensor<Uint32Array> | Tensor;

/** Several texts, each as text or as token ids: a batch. */
export type Inputs = readonly Input[];

/** A token's text, which must be a single token, or its id. */
export type Answer = string | number;

/** The sizes of a GPT-2 and the switches that change its arithmetic, under Hugging Face's names. */
export interface Config {
  /** The number of blocks. */
  n_layer: number;
  /** The number of attention heads in a block. */
  n_head: number;
  /** `d_model`, the width of the residual stream. */
  n_embd: number;
  /** `d_mlp`; four times `n_embd` when absent. */
  n_inner: number | null;
  /** The longest context, in tokens. */
  n_positions: number;
  /** The number of tokens. */
  vocab_size: number;
  /** Added to the variance in LayerNorm. */
  layer_norm_epsilon: number;
  /** The non-linearity of the MLP. */
  activation_function: "gelu_new" | "gelu" | "relu" | "silu" | "tanh" | "solu_ln";
  /** How positions enter. */
  position_embedding: "learned" | "sinusoidal" | "none" | "shortformer";
  /** The normalization in front of each part. */
  normalization_type: "LN" | "LNPre" | "none";
  /** Blocks have attention and no MLP. */
  attn_only: boolean;
  /** The logits have a bias for each token, which GPT-2 itself does not have. */
  unembed_bias: boolean;
  /** Divide attention scores by the square root of `d_head`. */
  scale_attn_weights: boolean;
  /** Divide attention scores by the layer's number, counted from 1, as well. */
  scale_attn_by_inverse_layer_idx: boolean;
  /** Compute attention scores in f32. They always are here, so this changes nothing. */
  reorder_and_upcast_attn: boolean;
  /** Unembed with the token embedding `wte` instead of a matrix `lm_head`. */
  tie_word_embeddings: boolean;
  /** The token at the beginning of a text. */
  bos_token_id: number | null;
  /** The token at the end of a text. */
  eos_token_id: number | null;
}

/** A tensor of the checkpoint. */
export interface Parameter {
  /** The checkpoint key, such as `h.0.attn.c_attn.weight`. */
  name: string;
  /** Its shape in the checkpoint. */
  shape: number[];
  /** The names of its axes. */
  axes: string[];
  /** The dtype in memory. */
  dtype: string;
  /** The number of elements. */
  count: number;
  /** The weights of TransformerLens that are this tensor or a part of it. */
  views: ParameterView[];
}

/** A weight under its name in TransformerLens. */
export interface ParameterView {
  /** Its name, such as `blocks.0.attn.W_Q`. */
  name: string;
  /** Its shape. */
  shape: number[];
  /** The names of its axes. */
  axes: string[];
}

/**
 * Which part of a weight to read. Along each axis, an index removes the axis and a list of indices keeps it; negative
 * ones count from the end. Only the part is copied.
 */
export interface ParameterOptions {
  /** The layer of a short name such as `W_Q`. */
  layer?: number | readonly number[];
  /** The head. */
  head?: number | readonly number[];
  /** The token id. */
  vocab?: number | readonly number[];
  /** The position. */
  pos?: number | readonly number[];
  /** The dimension of the residual stream. */
  d_model?: number | readonly number[];
  /** The dimension of a head. */
  d_head?: number | readonly number[];
  /** The neuron. */
  d_mlp?: number | readonly number[];
  /** The column of `c_attn`. */
  qkv?: number | readonly number[];
  /** The row of `attn.c_proj`. */
  d_attn?: number | readonly number[];
}

/** A point of the forward pass whose value can be captured and changed. */
export interface HookPoint {
  /** Its name, as in TransformerLens. */
  name: string;
  /** The names of its axes. */
  axes: string[];
  /** Whether it is computed only if a name or an intervention asks for it. */
  onRequest: boolean;
}

/** How the model is computed. */
export interface Backend {
  /** The build of the compute kernels. */
  build: "simd" | "relaxed" | "threads";
  /** How many threads compute. */
  threads: number;
  /** The format of weight matrices. */
  dtype: string;
  /** The size of wasm memory, which all models share. It never shrinks, so it is the maximum so far. */
  memoryBytes: number;
}

/** What a model was read from. */
export interface Checkpoint {
  /** Whose names and layout its tensors have, such as "Hugging Face GPT-2" or "nanoGPT". */
  family: string;
  /** The format of its files, such as "safetensors" or "PyTorch". */
  format: string;
}

/** One notice about a loaded model. */
export interface Notice {
  /** What the notice is about. */
  kind: "nonFinite" | "ignored" | "used" | "assumed" | "renamed" | "transposed" | "joined" | "tied" | "filled" | "replaced" | "unknown";
  /** A tensor, a field or a file. */
  name: string;
  /** One full sentence. */
  message: string;
  /** How many values or names it is about, if it is about several. */
  count?: number;
  /** The keys in the file from which the tensor was made. */
  from?: string[];
}

/** Tokens of a text, or the names of ids. */
export interface Tokens {
  /** The ids. */
  ids: Uint32Array;
  /** The string of each. Those of a text, joined, are the text. */
  strings: string[];
  /** The bytes of each, for a token that holds part of a character. */
  bytes: number[][];
}

/** A rewriting of the weights that leaves the predictions as they are. */
export type Transform = "fold_ln" | "center_writing_weights" | "center_unembed" | "fold_value_biases";

/** Options of `runWithCache`. */
export interface RunOptions {
  /**
   * The values to capture.
   * @default []
   */
  names?: HookSelector;
  /**
   * Changes, applied in this order. A capture gets the changed values.
   * @default []
   */
  interventions?: readonly Intervention[];
  /** Capture only these rows along `pos` or `query`; negative ones count from the end. */
  positions?: readonly number[];
  /**
   * Stop before this block; a negative one counts from the last, so -1 leaves out the last block. The run returns the
   * residual stream there instead of logits.
   */
  stopAtLayer?: number;
  /** Start from a residual stream instead of the embeddings. */
  startAt?: Start;
  /** Differentiate this number with respect to every value that `names` selects. */
  gradientsOf?: Metric;
  /**
   * Put the config's `bos_token_id` in front of the input.
   * @default false
   */
  prependBos?: boolean;
  /**
   * Measure the captured patterns, which must be those of every layer: see `headScores`.
   * @default false
   */
  headScores?: boolean;
  /**
   * Where the results of a batch are padded, and the residual stream that it starts from. "right" if absent; one text has
   * no padding.
   */
  paddingSide?: "right" | "left";
}

/** One change to a run. */
export interface Intervention {
  /** The hook points: a name, a short name, a `*` glob or a `/regular expression/`, or several of them. */
  at: HookSelector;
  /** Only the points of these layers; negative ones count from the last. */
  layer?: number | readonly number[];
  /** Only these heads, at points with an axis `head`; negative ones count from the last. */
  head?: number | readonly number[];
  /** Only these neurons, at points with an axis `d_mlp`; negative ones count from the last. */
  neuron?: number | readonly number[];
  /** Only these dimensions of `d_model` or `d_head`; negative ones count from the last. */
  dim?: number | readonly number[];
  /** Only these positions (queries, at attention scores and patterns); negative ones count from the prompt's end. */
  positions?: number | readonly number[];
  /** Only the positions that are new at these steps of a generation: the prompt at step 0, then one token each. */
  step?: number | readonly number[];
  /** Only these texts of a batch, counted from 0; negative ones count from the end. */
  batch?: number | readonly number[];
  /** What is done to the selected values. */
  do: Action;
}

/** What is done to the selected values. */
export type Action =
  | "zero"
  | "mean"
  | {
      /** The factor. */
      scale: number;
    }
  | {
      /** The summands. */
      add: Values;
    }
  | {
      /** The new values. */
      set: Values;
    }
  | {
      /** The other run's values. */
      from: Activations;
      /** The other run's positions that stand for the selected ones, one for each. The same positions if absent. */
      fromPositions?: readonly number[];
    }
  | {
      /** The means, as `means` computes them. */
      mean: Activations;
    }
  | {
      /** The edges. */
      knockOut: readonly Edge[];
      /** Whether the query's other probabilities are scaled so that their sum stays 1. True if absent. */
      renormalize?: boolean;
    }
  | {
      /** The source text of the function. */
      js: HookFunction;
    };

/**
 * Numbers that broadcast to a selection. The axes of a `Tensor` are matched by name with those of the hook point: their
 * order does not matter, one that it lacks is broadcast, and one that the hook point lacks is refused. Arrays without
 * names broadcast by their last axes. A length is 1, or that of the selected part.
 */
export type Values = number | ArrayLike<number> | { readonly shape: readonly number[]; readonly data: ArrayLike<number>; readonly axes?: readonly string[] };

/** Activations by hook name: a `Cache`, or a stored copy of one. */
export type Activations =
  | { names(): string[]; get(name: string): { readonly shape: readonly number[]; readonly data: ArrayLike<number>; readonly axes?: readonly string[] } }
  | Readonly<Record<string, { readonly shape: readonly number[]; readonly data: ArrayLike<number>; readonly axes?: readonly string[] }>>;

/** An attention edge. An absent query means all queries, an absent key all keys up to the query. */
export interface Edge {
  /** The position that attends. */
  query?: number;
  /** The position that is attended to. */
  key?: number;
}

/**
 * A function of selected values, or its source text. Only its text is sent to the worker, so it cannot use the
 * page's variables. It is code with the rights of the page (network, storage): do not run code from sources that
 * you do not trust. A Content-Security-Policy must allow it with 'unsafe-eval'. `show()` hands the selected values to
 * `onShow` of the call while it runs, as they are now, and `show(value)` a copy of any other value.
 */
export type HookFunction =
  | string
  | ((
      x: Float32Array,
      info: Selected & { show: (...values: unknown[]) => void },
    ) => ArrayLike<number> | void);

/** Describes the values that a JavaScript function gets: the selected part of a hook point's value. */
export interface Selected {
  /** The hook point's name. */
  name: string;
  /** The names of its axes, outermost first. */
  axes: string[];
  /** The number of selected indices along each axis. */
  shape: number[];
  /** The positions in the text of the rows along `pos` or `query`. */
  positions: number[];
  /** By axis, which indices of the whole activation they are, for the axes of which a part is selected: `{ head: [1, 3] }`. */
  indices: Record<string, number[]>;
  /** Which text of a batch that is run or generated; 0 in a run of one text. */
  row: number;
}

/** The start of a run that does not begin at the embeddings. */
export interface Start {
  /**
   * The first block to run, a negative one counted from the last; `n_layer` runs only the final LayerNorm and the
   * unembedding.
   */
  layer: number;
  /** `blocks.{layer}.hook_resid_pre` of another run, [1, T, d_model]; of a batch, [batch, T, d_model] with its padding. */
  resid: { readonly shape: readonly number[]; readonly data: ArrayLike<number>; readonly axes?: readonly string[] };
}

/** A number of a run's logits: the logit of `answer`, less that of `against`, at `position`; or the loss. */
export interface Metric {
  /** The token whose logit counts. */
  answer?: Answer;
  /** The token whose logit is subtracted. */
  against?: Answer;
  /** The position of the logits; negative ones count from the end. The last one if absent. */
  position?: number;
  /** The mean loss of the true next tokens, in nats, instead of a logit. */
  loss?: boolean;
}

/** One forward pass. T is the number of tokens, V the size of the vocabulary. */
export interface Run {
  /** The tokens that were run, over `pos`. */
  ids: Tensor<Uint32Array>;
  /** [1, T, V] over `batch pos vocab`; null if the run stopped at a layer. */
  logits: Tensor;
  /** [1, T, d_model] over `batch pos d_model`, if the run stopped at a layer; otherwise null. */
  residual: Tensor | null;
  /** The mean of -logProbs; null for a single token. */
  loss: number | null;
  /**
   * The log-probability of each true next token in nats, over `pos`: T - 1 numbers, the first of which is about the
   * second token.
   */
  logProbs: Tensor;
  /**
   * How many tokens have a greater logit than the true next token, as `logProbs`: 0 if it was the first choice, NaN if the
   * logits are not finite.
   */
  ranks: Tensor;
  /** What was captured. */
  cache: Cache;
  /** The scores of heads: axes `score layer head`, labelled; null unless the option asks for them. */
  headScores: Tensor | null;
}

/** Options of `generate`. */
export interface GenerateOptions {
  /**
   * The maximum number of tokens to generate.
   * @default 20
   */
  maxNewTokens?: number;
  /**
   * Draw from the distribution; otherwise take the most probable token, the lowest id on a tie.
   * @default false
   */
  doSample?: boolean;
  /**
   * Divides the logits before drawing. Above 0.
   * @default 1
   */
  temperature?: number;
  /**
   * Subtracted from a token's logit, after the temperature, for each time that the token occurs in the text so far,
   * prompt included. At least 0. Greedy choices ignore it, as in TransformerLens.
   * @default 0
   */
  frequencyPenalty?: number;
  /** Draw only among this many most probable tokens (more if the last of them ties). */
  topK?: number;
  /** Draw only among the fewest most probable tokens whose probabilities add up to at least this. In (0, 1]. */
  topP?: number;
  /**
   * The key of the random generator: the same seed gives the same text on every machine. It is ChaCha with 8
   * rounds. The seed is the first eight bytes of the key (little-endian), the rest of the key is zero. Each
   * drawn token takes one u64 of its stream, two words with the lower first; the upper 53 bits, as a fraction of
   * 1, choose by cumulative probability in the order of ids. Of several texts, each has its own draws. With a
   * list, text i uses seed i and gives what it gives alone with that seed. With one number, the nonce is the text's
   * place in the batch: text 0 is the one that the number gives alone.
   * @default 0
   */
  seed?: number | readonly number[];
  /**
   * Stop after the token that completes one of these texts.
   * @default []
   */
  stop?: string | readonly string[];
  /**
   * Stop after the config's `eos_token_id`.
   * @default true
   */
  stopAtEos?: boolean;
  /**
   * How many of the most probable tokens each step lists.
   * @default 10
   */
  top?: number;
  /**
   * What to capture at every step.
   * @default []
   */
  names?: HookSelector;
  /**
   * What to change at every step; their `step` and `positions` restrict them. The text is the same with and without
   * cached keys and values.
   * @default []
   */
  interventions?: readonly Intervention[];
  /**
   * Keep keys and values from step to step. Otherwise each step computes its whole context; the text is the same.
   * @default true
   */
  useCache?: boolean;
  /**
   * Put the config's `bos_token_id` in front of the input.
   * @default false
   */
  prependBos?: boolean;
}

/** One token of a generation. */
export interface Step {
  /** Its id. */
  id: number;
  /** The characters that are complete with this token; empty without a tokenizer. */
  string: string;
  /** Its log-probability in nats, before penalties, temperature, topK and topP. */
  logProb: number;
  /** The most probable tokens, the most probable first. */
  top: Choice[];
  /** What was captured: only the new positions if keys and values are cached. */
  cache: Cache;
}

/** A probable next token. */
export interface Choice {
  /** Its id. */
  id: number;
  /** Its string. */
  string: string;
  /** Its bytes, for a token that holds part of a character. */
  bytes: number[];
  /** Its log-probability in nats, before penalties, temperature, topK and topP. */
  logProb: number;
}

/** The result of each measurement, by its name. */
export interface Measurements {
  /** The result of `logitLens`. */
  logitLens: LogitLens;
  /** The result of `attribution`. */
  attribution: Attribution;
  /** The result of `residual`. */
  residual: Residual;
  /** The result of `headScores`. */
  headScores: HeadScores;
  /** The result of `patching`. */
  patching: Patching;
  /** The result of `pathPatching`. */
  pathPatching: PathPatching;
  /** The result of `integratedGradients`. */
  integratedGradients: IntegratedGradients;
  /** The result of `circuits`. */
  circuits: Circuits;
  /** The result of `compositionScores`. */
  compositionScores: CompositionScores;
  /** The result of `tokenScores`. */
  tokenScores: TokenScores;
  /** The result of `mostActive`. */
  mostActive: MostActive;
  /** The result of `means`. */
  means: Means;
}

/** Options of `logitLens`. */
export interface LogitLensOptions {
  /**
   * The point of each layer.
   * @default "resid_post"
   */
  of?: "resid_pre" | "resid_mid" | "resid_post" | "attn_out" | "mlp_out";
  /** How many of the most probable tokens to list; 5 if absent, or all if there are fewer. */
  top?: number;
  /** A token to follow besides the true next ones. */
  answer?: Answer;
  /**
   * What to change in the run.
   * @default []
   */
  interventions?: readonly Intervention[];
}

/**
 * What the model would predict if it stopped at each layer. The axis `layer` is labelled with the points' names. Where the
 * logits of a point and position are not finite, the numbers are NaN.
 */
export interface LogitLens {
  /**
   * The ids of the most probable tokens: axes `layer pos top`. 4294967295, which is no token, if the logits are not
   * finite.
   */
  topIds: Tensor<Uint32Array>;
  /** Their probabilities: axes `layer pos top`. */
  topProbabilities: Tensor;
  /** Their strings, in the order of `topIds`; none without a tokenizer. */
  topStrings: string[];
  /** The probability of the true next token, at every position but the last: axes `layer pos`. */
  nextProbability: Tensor;
  /** How many tokens have a greater logit than the true next token: axes `layer pos`. */
  nextRank: Tensor;
  /** The probability of the answer, if one was given: axes `layer pos`. */
  answerProbability?: Tensor;
  /** How many tokens have a greater logit than the answer, if one was given: axes `layer pos`. */
  answerRank?: Tensor;
  /** `KL(final || lens)` in nats: axes `layer pos`. */
  kl: Tensor;
}

/** Options of `attribution`. */
export interface AttributionOptions {
  /** The token whose logit is attributed. */
  answer?: Answer;
  /** The token whose logit is subtracted. */
  against?: Answer;
  /** Instead of a logit: the dot product of the unembedding's input with these `d_model` numbers. */
  direction?: ArrayLike<number>;
  /**
   * The position whose prediction is attributed; negative ones count from the end.
   * @default -1
   */
  position?: number;
  /**
   * How finely the residual stream is decomposed.
   * @default "component"
   */
  by?: "component" | "head" | "neuron";
  /**
   * The scale of the final LayerNorm. "frozen": that of the whole stream, so shares are linear in the parts and
   * their order does not matter. "recomputed": that of the stream up to this part, so a share is the increase of
   * the target when the part is added to all earlier parts. The heads of a layer, and its neurons, are then added
   * in the order of their indices, although they act at once.
   * @default "frozen"
   */
  layerNorm?: "frozen" | "recomputed";
  /**
   * What to change in the run.
   * @default []
   */
  interventions?: readonly Intervention[];
}

/** How much each part of the residual stream adds to a logit, or to a difference of two. */
export interface Attribution {
  /**
   * The share of every part, in logits: axis `component`, labelled. Those of the final LayerNorm's bias and of the
   * bias of the logits come last, if the model has them. They add up to the target.
   */
  shares: Tensor;
}

/** Options of `residual`. */
export interface ResidualOptions {
  /**
   * The components: everything that was written into the stream, which adds up to it ("decomposed"), its states
   * before each layer and after the last ("accumulated"), or what each head or neuron wrote. A model with attention
   * only has no neurons.
   * @default "decomposed"
   */
  stack?: "decomposed" | "accumulated" | "heads" | "neurons";
  /** How finely it is decomposed; `component` if absent. For "decomposed" only. */
  by?: "component" | "head" | "neuron";
  /** Also the states between attention and MLP; false if absent. For "accumulated" only, in a model with MLPs. */
  sublayers?: boolean;
  /** The sublayer that reads the stream; the unembedding if absent. */
  reader?: Sublayer;
  /**
   * Apply the reader's LayerNorm to each component: with the scale of the whole stream in the run ("frozen"), or,
   * only before the unembedding, with the component's own scale ("recomputed"). Not applied if absent. Shortformer
   * positions, which queries and keys add behind it, are part of no component. Not for a model without normalization.
   */
  layerNorm?: "frozen" | "recomputed";
  /**
   * Only these positions, negative ones from the end; all if absent. Select few for neurons: each position has
   * n_layer × d_mlp × d_model numbers.
   */
  positions?: readonly number[];
  /**
   * What to change in the run.
   * @default []
   */
  interventions?: readonly Intervention[];
}

/** A sublayer that reads the residual stream. */
export interface Sublayer {
  /** The layer; a negative one counts from the last. */
  layer: number;
  /** Its attention or its MLP. */
  part: "attn" | "mlp";
}

/** The components of the residual stream. */
export interface Residual {
  /** The components: axes `component pos d_model`, components labelled. */
  parts: Tensor;
}

/** Options of `headScores`. */
export interface HeadScoresOptions {
  /** A pattern to compare each head's attention with: the weight from each query (row) to each key. */
  pattern?: readonly ArrayLike<number>[];
  /**
   * How the attention is compared with the pattern; "mul" if absent. "mul" is the share of all attention that the
   * pattern selects; "abs" is 1 for the same pattern, and less the more they differ.
   */
  measure?: "mul" | "abs";
  /** Leave out attention to the first token, to which heads attend if nothing else matches; false if absent. */
  excludeFirstToken?: boolean;
  /** Leave out attention of each token to itself; false if absent. */
  excludeCurrentToken?: boolean;
  /**
   * What to change in the run.
   * @default []
   */
  interventions?: readonly Intervention[];
}

/** The scores of each head for known kinds of heads, from its attention. */
export interface HeadScores {
  /**
   * Attention to the previous token, to duplicates of the token, and to tokens after an earlier duplicate: axes
   * `score layer head`, scores labelled. NaN if no query counts.
   */
  scores: Tensor;
  /** How similar the attention is to `pattern`, if one was given: axes `layer head`. */
  similarity?: Tensor;
  /**
   * The result of each text, if there are several: the others are their means. A text without a query that counts for
   * a score does not count in its mean.
   */
  prompts?: HeadScores[];
}

/** Options of `patching`. */
export interface PatchingOptions {
  /** The token whose logit counts. */
  answer?: Answer;
  /** The token whose logit is subtracted. */
  against?: Answer;
  /** The position of the logits; negative ones count from the end. The last one if absent. */
  position?: number;
  /** The mean loss of the true next tokens, in nats, instead of a logit. */
  loss?: boolean;
  /** The prompt that gives the clean answer. */
  clean: Input;
  /** The prompt that does not. */
  corrupted: Input;
  /**
   * Which run is patched: the corrupted one with clean values ("denoise"), or the clean one with corrupted values.
   * @default "denoise"
   */
  direction?: "denoise" | "noise";
  /**
   * The activation that is patched.
   * @default "resid_pre"
   */
  at?: "resid_pre" | "resid_mid" | "attn_out" | "mlp_out" | "z" | "q" | "k" | "v" | "pattern" | "post";
  /**
   * Run each patch ("activation"), or estimate all of them from one backward pass ("attribution").
   * @default "activation"
   */
  method?: "activation" | "attribution";
  /**
   * For activations of heads and neurons: patch each position separately, instead of all at once. The residual stream,
   * and the outputs of layers, are always patched by position.
   * @default false
   */
  eachPosition?: boolean;
  /** For "post" only: the layer whose neurons are patched, one at a time; a negative one counts from the last. */
  layer?: number;
}

/** The metric under every patch. */
export interface Patching {
  /**
   * The metric: axes `layer pos`, `layer head` or `layer head pos`, and `neuron` or `pos neuron` for the neurons of a
   * layer; if attention patterns are patched, `pos` is the query.
   */
  raw: Tensor;
  /** 1 for the clean run's metric, 0 for the corrupted run's; absent if both are the same or one is not finite. */
  normalized?: Tensor;
  /** The metric of the clean run. A loss scores the tokens of the patched prompt, in both runs. */
  clean: number;
  /** The metric of the corrupted run. */
  corrupted: number;
  /**
   * The result of each pair of prompts, if there are several. `raw`, `clean` and `corrupted` are then their means, and
   * `normalized` follows from these, as in TransformerLens: it is not the mean of the shares, of which a pair whose
   * runs hardly differ would be the greatest part.
   */
  prompts?: Patching[];
}

/** Options of `pathPatching`. */
export interface PathPatchingOptions {
  /** The token whose logit counts. */
  answer?: Answer;
  /** The token whose logit is subtracted. */
  against?: Answer;
  /** The position of the logits; negative ones count from the end. The last one if absent. */
  position?: number;
  /** The mean loss of the true next tokens, in nats, instead of a logit. */
  loss?: boolean;
  /** The prompt that gives the clean answer. */
  clean: Input;
  /** The prompt that does not. */
  corrupted: Input;
  /**
   * Which run is patched: the corrupted one with clean values ("denoise"), or the clean one with corrupted values.
   * @default "denoise"
   */
  direction?: "denoise" | "noise";
  /** The receivers of the sender's change: the logits, or inputs of heads. */
  receivers: "logits" | readonly Receiver[];
  /**
   * Whether the MLPs between sender and receiver keep their output of the base run, or are recomputed.
   * @default "frozen"
   */
  mlps?: "frozen" | "recomputed";
}

/** One input of a head. */
export interface Receiver {
  /** The head's layer; a negative one counts from the last. */
  layer: number;
  /** The head's number in its layer; a negative one counts from the last. */
  head: number;
  /** Which of its inputs. */
  input: "q" | "k" | "v";
}

/** The metric if only the receivers get one head's output from the other run. */
export interface PathPatching {
  /** The metric, by sender: axes `layer head`. */
  raw: Tensor;
  /** 1 for the clean run's metric, 0 for the corrupted run's; absent if both are the same or one is not finite. */
  normalized?: Tensor;
  /** The metric of the clean run. A loss scores the tokens of the patched prompt, in both runs. */
  clean: number;
  /** The metric of the corrupted run. */
  corrupted: number;
}

/** Options of `integratedGradients`. */
export interface IntegratedGradientsOptions {
  /** The token whose logit counts. */
  answer?: Answer;
  /** The token whose logit is subtracted. */
  against?: Answer;
  /** The position of the logits; negative ones count from the end. The last one if absent. */
  position?: number;
  /** The mean loss of the true next tokens, in nats, instead of a logit. */
  loss?: boolean;
  /** The tokens whose embeddings the path starts from, as many as the prompt has; zero embeddings if absent. */
  baseline?: Input;
  /**
   * How many steps the path has.
   * @default 32
   */
  steps?: number;
}

/** Each token's share of a metric's change from a baseline to the prompt. */
export interface IntegratedGradients {
  /** The shares: axis `pos`. */
  shares: Tensor;
  /** The metric of the prompt. */
  metric: number;
  /** The metric of the baseline. */
  baseline: number;
  /** The sum of the shares minus the metric's change. It tends to 0 as `steps` grows. */
  error: number;
}

/** Options of `circuits`. */
export interface CircuitsOptions {
  /** The head's layer; a negative one counts from the last. */
  layer: number;
  /** The head's number in its layer; a negative one counts from the last. */
  head: number;
  /** How many tokens to list at each end of a vector; 8 if absent, or all if there are fewer. */
  top?: number;
  /** How many singular vectors to read as tokens; 8 if absent, or all if there are fewer. */
  components?: number;
}

/**
 * The circuits of a head, which do not depend on the text: its matrices OV (`W_V W_O`) and QK (`W_Q W_K^T`), read as
 * tokens.
 *
 * The axis `end` is labelled `positive` and `negative`: the sign of a singular vector is arbitrary.
 */
export interface Circuits {
  /**
   * How much the head favours the tokens that it attends to: the sum of the eigenvalues of the full OV circuit over
   * the sum of their magnitudes, from -1 to 1. Near 1 for a head that copies.
   */
  copyingScore: number;
  /** Ids of the tokens that OV reads: axes `component end top`. */
  ovReads: Tensor<Uint32Array>;
  /** Their strings, in the same order; none without a tokenizer. */
  ovReadsStrings: string[];
  /** Ids of the tokens that OV writes: axes `component end top`. */
  ovWrites: Tensor<Uint32Array>;
  /** Their strings, in the same order; none without a tokenizer. */
  ovWritesStrings: string[];
  /** Ids of the tokens whose queries QK matches: axes `component end top`. */
  qkQueries: Tensor<Uint32Array>;
  /** Their strings, in the same order; none without a tokenizer. */
  qkQueriesStrings: string[];
  /** Ids of the tokens whose keys QK matches: axes `component end top`. */
  qkKeys: Tensor<Uint32Array>;
  /** Their strings, in the same order; none without a tokenizer. */
  qkKeysStrings: string[];
  /** The sum of OV's eigenvalues over the sum of their magnitudes, from -1 to 1. */
  ovPositiveShare: number;
  /** The same for QK. */
  qkPositiveShare: number;
  /** Axis `component`, largest first. */
  ovSingularValues: Tensor;
  /** Axis `component`, largest first. */
  qkSingularValues: Tensor;
  /** Axes `eigenvalue part`, with parts `re` and `im`; largest magnitude first. */
  ovEigenvalues: Tensor;
  /** The same for QK. */
  qkEigenvalues: Tensor;
}

/** Options of `compositionScores`. */
export interface CompositionScoresOptions {
  /** The input through which the later head reads. */
  path: "q" | "k" | "v";
}

/** How much each head writes into what each later head reads. */
export interface CompositionScores {
  /**
   * `|W_OV M| / (|W_OV| |M|)` with Frobenius norms, where M is the later head's W_QK, its transpose, or W_OV. 0 if the
   * reader's layer is not after the writer's. Two random heads have about `1 / sqrt(d_model)`. Axes
   * `writer_layer writer_head reader_layer reader_head`.
   */
  scores: Tensor;
}

/** Options of `tokenScores`. */
export interface TokenScoresOptions {
  /**
   * What to change in the run.
   * @default []
   */
  interventions?: readonly Intervention[];
}

/** How well each token of a text was predicted. Losses and entropies are in nats. */
export interface TokenScores {
  /** The loss of the token after each position but the last: axis `pos`. NaN if the logits are not finite. */
  loss: Tensor;
  /** How many tokens have a greater logit than that token: axis `pos`. NaN if the logits are not finite. */
  rank: Tensor;
  /** The entropy of the distribution over the next token, at every position: axis `pos`. */
  entropy: Tensor;
}

/** Options of `mostActive`. */
export interface MostActiveOptions {
  /** The hook point. */
  at: HookSelector;
  /** The head, at points with an axis `head`; a negative one counts from the last. */
  head?: number;
  /** The index along the last axis; a negative one counts from the end. */
  index: number;
  /** The texts to search. */
  texts: readonly Input[];
  /**
   * How many positions to list.
   * @default 20
   */
  count?: number;
}

/** The positions of texts with the largest values of a channel: largest first, the earlier one on a tie. */
export interface MostActive {
  /** The index of the text: axis `place`. */
  text: Tensor<Uint32Array>;
  /** The position in it: axis `place`. */
  position: Tensor<Uint32Array>;
  /** The value there: axis `place`. NaN is never listed. */
  value: Tensor;
  /** How many of all values are infinite or NaN. */
  notFinite: number;
}

/** Options of `means`. */
export interface MeansOptions {
  /** The texts to average over. */
  texts: readonly Input[];
  /** What to average. */
  names: HookSelector;
}

/** Mean activations by hook name, each with the axes of its hook point and one position. */
export type Means = Record<string, Tensor>;
