// The public face: loadModel and the Model class. The model itself lives in one worker for the whole page.
//
// Shapes are written with B batch (1), T positions, V vocabulary. Log-probabilities and losses are in nats.
// Every failure rejects with an Error that has a stable `name` (see problem.js), and leaves the model usable.

import {
  checked,
  ids as asIds,
  isPlainObject,
  rule,
  split,
  textOrIds,
  wellFormed,
  type Ids,
  type Rule,
} from "./check.js";
import { abortable, connect, type Api } from "./connection.js";
import { LoadedModel, ModelHandle, notify, type Loaded, type LoadRequest } from "./model-handle.js";
import { hookName, nearest, type HookName, type HookPoint } from "./names.js";
import { serializeOptions, type Intervention } from "./serialize.js";
import { problem, shown } from "./errors.js";
import { resolveSource, sourceKey, type Source, type Files } from "./source.js";
import { Tensor } from "./tensor.js";
import type { StoredModel } from "../worker/store.js";

export { Tensor };

/** A text, or token ids. */
export type Input = string | Ids;
/** signal: rejects with an AbortError as soon as it fires; a call that then does not come back has its worker restarted. */
export type Cancellable = { signal?: AbortSignal };
/** How far a load is. */
export interface Progress {
  stage: "config" | "tokenizer" | "weights";
  /** its name or address */
  file: string;
  /** bytes */
  loaded: number;
  /** bytes; undefined where the server does not say */
  total?: number;
}
export interface LoadOptions {
  /** default f32 */
  dtype?: "f32" | "f16" | "q8" | "q4";
  /** use what an earlier visit kept in the browser, if the files have not changed since, and keep what comes from the network (default true); see storedModels */
  keep?: boolean;
  onProgress?: (progress: Progress) => void;
  /** milliseconds without a byte from a server, after which the load fails (default 30000); Infinity waits for ever. What may pass is tried again within it */
  timeout?: number;
  signal?: AbortSignal;
}
/** A remark about a model that loaded all the same. `name` is a tensor, a field or a file. */
export type Notice = {
  kind: "nonFinite" | "ignored" | "used" | "assumed";
  name: string;
  message: string;
  count?: number;
};
export type Parameter = { name: string; shape: number[]; dtype: string; count: number };
/** memoryBytes: wasm memory once loaded, all models together */
export type Backend = {
  build: "simd" | "relaxed" | "threads";
  threads: number;
  dtype: string;
  memoryBytes: number;
};
/** bytes: those that each token spells, for a token that holds part of a character. */
export type Tokens = { ids: Uint32Array; strings: string[]; bytes: number[][] };
export interface RunOptions {
  /** put the config's `bos_token_id` in front (default false) */
  prependBos?: boolean;
  /** what to capture: names, globs, /regular expressions/ or ["pattern", 2] (default none) */
  names?: HookName[];
  /** keep these rows of what is captured, negative from the end (default all) */
  positions?: readonly number[];
  /** what to change, in this order; a capture sees the changed values */
  interventions?: readonly Intervention[];
  /** stop before this block: `residual` instead of `logits` */
  stopAtLayer?: number;
  /** start from a residual stream [1, T, d_model] before this block */
  startAt?: { layer: number; resid: Tensor };
  /** differentiate this with respect to all that `names` select: see Cache.gradient */
  gradientsOf?: Metric;
  /** measure the captured patterns, which must be those of every layer: see Model.headScores */
  headScores?: boolean;
  signal?: AbortSignal;
}
/** A token's text, which must be a single token, or its id. */
export type Answer = string | number;
/** The logit of `answer`, less that of `against`, at `position` (default -1, the last); or the loss. */
export type Metric = { answer?: Answer; against?: Answer; position?: number; loss?: boolean };
/** What a measurement found: tensors, numbers, and texts beside tensors, by name. */
export type Findings = Record<string, any>;
export type Progressing = {
  signal?: AbortSignal;
  onProgress?: (progress: { done: number; total: number }) => void;
};
/** prompts with as many tokens */
export type Contrast = Metric & { clean: Input; corrupted: Input; direction?: "denoise" | "noise" };
export interface Run {
  /** the tokens that were run, T of them */
  ids: Uint32Array;
  /** [B, T, V] over batch, pos, vocab; null (in spite of this type) when the run stopped at a layer */
  logits: Tensor;
  /** [B, T, d_model] where the run stopped; null when it did not */
  residual: Tensor | null;
  /** mean of -logProbs; null for a single token */
  loss: number | null;
  /** of the true next token, T - 1 of them */
  logProbs: Float32Array;
  /** of the true next token: 0 when it was the first choice; null where the logits are not finite */
  ranks: (number | null)[];
  cache: Cache;
  /** (score layer head), where asked for */
  headScores: Tensor | null;
}
export interface GenerateOptions {
  /** put the config's `bos_token_id` in front (default false) */
  prependBos?: boolean;
  /** default 20 */
  maxNewTokens?: number;
  /** draw a token; else take the most probable one (default false) */
  doSample?: boolean;
  /** divides the logits before drawing (default 1) */
  temperature?: number;
  /** draw only among so many (default all) */
  topK?: number;
  /** draw only among the most probable that add up to this (default 1) */
  topP?: number;
  /** the same seed gives the same text on every machine (default 0) */
  seed?: number;
  /** stop after the token that completes one of these */
  stop?: string | string[];
  /** stop after the config's `eos_token_id` (default true) */
  stopAtEos?: boolean;
  /** how many of the most probable tokens each step lists (default 10) */
  top?: number;
  /** what to capture at each step */
  names?: HookName[];
  /** what to change at each step */
  interventions?: readonly Intervention[];
  /** keep keys and values from step to step (default true); the text is the same without */
  useCache?: boolean;
  signal?: AbortSignal;
}
export type IntegratedOptions = Metric & Progressing & { baseline?: Input; steps?: number };
export type PatchingOptions = Contrast &
  Progressing & {
    at?: "resid_pre" | "resid_mid" | "attn_out" | "mlp_out" | "z" | "q" | "k" | "v" | "pattern";
    method?: "activation" | "attribution";
    eachPosition?: boolean;
  };
export type PathOptions = Contrast &
  Progressing & {
    receivers: "logits" | { layer: number; head: number; input: "q" | "k" | "v" }[];
    mlps?: "frozen" | "recomputed";
  };
/** One call of the model by its name: the options of the method, and `input` where it takes one. */
export type Call =
  | { runWithCache: RunOptions & { input: Input } }
  | { generate: GenerateOptions & { input: Input } }
  | { patching: PatchingOptions }
  | { pathPatching: PathOptions }
  | { integratedGradients: IntegratedOptions & { input: Input } };
export type Transform =
  | "fold_ln"
  | "center_writing_weights"
  | "center_unembed"
  | "fold_value_biases";
/** string and bytes: as Model.tokenNames gives them. */
/** logProb is before temperature, topK and topP */
export type Choice = { id: number; string: string; bytes: number[]; logProb: number };
export type Step = Choice & { top: Choice[]; cache: Cache };

/** The option of every asynchronous method. */
const CANCELLABLE: Record<string, Rule> = { signal: rule.signal };

// ---- loading ----

/** Models by what they were loaded from, so that several on a page share one. */
const shared: Map<string, LoadedModel> = new Map();

/**
 * Loads a model. Loading the same address again gives the same weights, without another download, as long as one of
 * its models is not disposed of.
 * @param source a folder address relative to the page, a Hugging Face id as "hf:owner/name" or
 *   "hf:owner/name@revision", `{ config, tokenizer, weights }` as address, URL, File, Blob or bytes, or an array of Files
 * @throws NetworkError, ConfigError, WeightsError, TokenizerError, MemoryError; AbortError; InputError
 */
export async function loadModel(source: Source, options?: LoadOptions): Promise<Model> {
  const {
    dtype = "f32",
    keep = true,
    timeout = 30_000,
    onProgress,
    signal,
  } = checked("loadModel", options, {
    dtype: rule.text,
    keep: rule.flag,
    timeout: rule.timeout,
    onProgress: rule.listener,
    signal: rule.signal,
  });
  if (!DTYPES.includes(dtype))
    throw problem(
      "InputError",
      `\`dtype\` is ${shown(dtype)}, expected one of "${DTYPES.join('", "')}"`,
    );
  const files = resolveSource(source, base());
  const handle = handleOf(files, { dtype, keep, timeout });
  return new Model(handle, await handle.join(signal, onProgress), placeOf(source));
}

/** What another program would load the model from: its name here, or a folder to be filled in. */
function placeOf(source: Source) {
  if (typeof source === "string") return source.trim().replace(/^hf:/, "");
  return source instanceof URL ? source.href : "the model's folder";
}

/** What weight matrices can be kept in. */
const DTYPES = ["f32", "f16", "q8", "q4"];

/** What addresses are relative to: the page, or the worker that this module is used in. */
function base() {
  return globalThis.document?.baseURI ?? location.href;
}

function handleOf(files: Files, request: LoadRequest) {
  const source = sourceKey(files);
  if (source === undefined) return new LoadedModel(files, request, () => {});
  const key = `${request.dtype} ${source}`;
  const known = shared.get(key);
  if (known) return known;
  const handle = new LoadedModel(files, request, () => {
    if (shared.get(key) === handle) shared.delete(key);
  });
  shared.set(key, handle);
  return handle;
}

/**
 * The models that this browser keeps for this site, the last used first. Each is removed when another needs its place
 * and it was not used for longest; the browser may remove all of them.
 * @returns none where the browser keeps nothing
 */
export async function storedModels(options?: Cancellable): Promise<StoredModel[]> {
  const { signal } = checked("storedModels", options, CANCELLABLE);
  return (await abortable(connect(), signal, "storedModels")).call((api) => api.stored(), {
    signal,
    what: "storedModels",
  });
}

/**
 * Removes what is kept of a model, in every dtype, or of all models. A model that is loaded stays usable.
 * @param source as for loadModel
 * @returns how many were removed
 */
export async function forgetStored(source?: Source, options?: Cancellable): Promise<number> {
  const { signal } = checked("forgetStored", options, CANCELLABLE);
  const files = source === undefined ? undefined : resolveSource(source, base());
  return (await abortable(connect(), signal, "forgetStored")).call(
    (api) => api.forgetStored(files),
    { signal, what: "forgetStored" },
  );
}

// ---- the model ----

export class Model {
  #handle: ModelHandle | undefined;
  #place;

  /** What was done to the checkpoint's weights, in this order. */
  transforms: readonly Transform[];
  /** Hugging Face field names. */
  config: Readonly<Record<string, any>>;
  /** Every tensor of the checkpoint once, in the order of the forward pass. */
  parameters: readonly Parameter[];
  parameterCount: number;
  /** In firing order. */
  hookPoints: readonly HookPoint[];
  backend: Readonly<Backend>;
  /** Whether text can be used, or ids alone. */
  hasTokenizer: boolean;
  /** Notices about the model's files. */
  report: readonly Notice[];

  /** Use loadModel. */
  constructor(
    handle: ModelHandle,
    loaded: Loaded,
    place: string,
    transforms: readonly Transform[] = [],
  ) {
    this.#handle = handle;
    this.#place = place;
    this.transforms = transforms;
    this.config = loaded.config;
    this.parameters = loaded.parameters;
    this.parameterCount = loaded.parameterCount;
    this.hookPoints = loaded.hookPoints;
    this.backend = loaded.backend;
    this.hasTokenizer = loaded.hasTokenizer;
    this.report = loaded.report;
  }

  /**
   * @param options put the config's `bos_token_id` in front (default false)
   * @returns of a text, the strings joined give it back exactly
   */
  async tokenize(input: Input, options?: { prependBos?: boolean } & Cancellable): Promise<Tokens> {
    const { prependBos = false, signal } = checked("tokenize", options, {
      prependBos: rule.flag,
      ...CANCELLABLE,
    });
    const tokens = textOrIds(input);
    return this.#call("tokenize", signal, (api, key) => api.tokenize(key, tokens, prependBos));
  }

  /**
   * The name of each token, which depends on its id only. Where a token is not whole UTF-8 its string has U+FFFD, and its
   * bytes tell what it is. An id that the model knows and the tokenizer does not is called ⟨350⟩.
   * @throws InputError when an id is not in the vocabulary
   */
  async tokenNames(ids: Ids, options?: Cancellable): Promise<Tokens> {
    const { signal } = checked("tokenNames", options, CANCELLABLE);
    const list = asIds(ids);
    return this.#call("tokenNames", signal, (api, key) => api.tokenNames(key, list));
  }

  /** @returns bytes that are no character become U+FFFD */
  async detokenize(ids: Ids, options?: Cancellable): Promise<string> {
    const { signal } = checked("detokenize", options, CANCELLABLE);
    const list = asIds(ids);
    return this.#call("detokenize", signal, (api, key) => api.detokenize(key, list));
  }

  /**
   * One forward pass, captured where `names` say.
   * @throws HookError when a name matches nothing; InputError when the input does not fit the model
   */
  async runWithCache(input: Input, options?: RunOptions): Promise<Run> {
    const { local, rest } = split("runWithCache", options, CANCELLABLE);
    const tokens = textOrIds(input);
    const request = this.#request("runWithCache", rest);
    const { logits, residual, cache, gradients, headScores, ...scores } = await this.#call(
      "runWithCache",
      local.signal,
      (api, key) => api.runWithCache(key, tokens, request) as Promise<any>,
    );
    return {
      ...scores,
      logits: logits && tensor(logits),
      residual: residual && tensor(residual),
      headScores: headScores && tensor(headScores),
      cache: this.#cache(cache, gradients),
    };
  }

  /**
   * Goes on after `input`, one step for each token. Leaving the loop early, or aborting, frees the generation; several
   * may run at once.
   * @throws AbortError; InputError; HookError
   */
  generate(input: Input, options?: GenerateOptions): AsyncGenerator<Step, void, void> {
    // The arguments are read now; what is wrong with them is thrown where the caller waits, at the first step.
    try {
      const { local, rest } = split("generate", options, LOCAL.generate);
      return this.#generate(textOrIds(input), this.#request("generate", rest), local.signal);
    } catch (error) {
      return rejecting(error);
    }
  }

  async *#generate(
    tokens: string | Uint32Array,
    request: object,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Step, void, void> {
    const { connection, value: generation } = await this.#begin(
      "generate",
      signal,
      (api, key) => api.generate(key, tokens, request) as Promise<number>,
      (api, late) => api.stop(late),
    );
    try {
      for (;;) {
        const step = await connection.call((api) => api.next(generation) as Promise<any>, {
          signal,
          what: "generate",
        });
        if (step === undefined) return;
        yield { ...step, cache: this.#cache(step.cache) };
      }
    } finally {
      connection.call((api) => api.stop(generation)).catch(() => {});
    }
  }

  /**
   * "Copy as TransformerLens": a script that does the same on TransformerLens 4 (TransformerBridge), with the tokens as
   * ids and the values of interventions as numbers. It prints what it finds as one line of JSON.
   * @param call such as { runWithCache: { input: "To be", names: ["*"] } }: a method and its options
   * @param options where the script finds the model: a folder or a Hugging Face id (default
   *   what this model was loaded from)
   * @throws HookError for an intervention that is a function; ConfigError where TransformerLens computes something else;
   *   otherwise as the method itself
   */
  async toPython(call: Call, options?: { folder?: string } & Cancellable): Promise<string> {
    const { folder = this.#place, signal } = checked("toPython", options, {
      folder: rule.text,
      ...CANCELLABLE,
    });
    if (this.transforms.length > 0) {
      const done = this.transforms.join(", ");
      throw problem(
        "InputError",
        `the weights were rewritten (${done}), and Python would load the checkpoint's own: ask the model that was loaded`,
      );
    }
    const [name, { input, ...given }] = callOf(call);
    const takesInput = !name.endsWith("atching"); // patching and pathPatching have two
    const { rest } = split(name, takesInput ? given : { ...given, input }, LOCAL[name]);
    const tokens = takesInput ? textOrIds(input) : undefined;
    const request = {
      ...this.#request(name, rest),
      ...(name === "integratedGradients" && { input: tokens }),
    };
    const place = wellFormed(folder, "`folder` of toPython");
    return this.#call("toPython", signal, (api, key) =>
      api.toPython(key, name, tokens, request, place),
    );
  }

  /**
   * The same model with other weights that predict the same and are easier to read, as TransformerLens's: never done
   * unasked. It is a model of its own, to be disposed of by itself.
   * @param transforms one after the other, such as ["fold_ln", "center_writing_weights"]
   * @throws InputError when there is no such transform
   */
  async transformed(transforms: readonly Transform[], options?: Cancellable): Promise<Model> {
    const { signal } = checked("transformed", options, CANCELLABLE);
    if (!Array.isArray(transforms) || !rule.texts.fits(transforms))
      throw problem(
        "InputError",
        `the transforms are ${shown(transforms)}, expected an array of names such as "fold_ln"`,
      );
    const names = [...transforms];
    const parent = this.#inUse();
    const handle = new ModelHandle(async () => {
      const { connection, value } = await parent.borrow(
        (api, key) => api.transform(key, names) as Promise<any>,
        (api, late) => api.dispose(late.key),
      );
      return {
        connection,
        loaded: {
          ...value,
          isTransformed: true,
          origins: "those of its parent, which were compared",
        },
      };
    });
    return new Model(handle, await handle.join(signal), this.#place, [
      ...this.transforms,
      ...names,
    ]);
  }

  /** Frees the memory, unless the same model was loaded elsewhere on the page. Later calls reject with an InputError. */
  dispose() {
    this.#handle?.leave();
    this.#handle = undefined;
  }

  #inUse() {
    if (!this.#handle) throw problem("InputError", "the model was disposed of: load it again");
    return this.#handle;
  }

  /** @param what the method, for messages */
  async #call<T>(
    what: string,
    signal: AbortSignal | undefined,
    send: (api: Api, key: number) => Promise<T>,
  ): Promise<T> {
    return this.#inUse().call(send, { signal, what });
  }

  /** The same for a generation or a measurement, which goes on in the same worker. */
  async #begin<T>(
    what: string,
    signal: AbortSignal | undefined,
    send: (api: Api, key: number) => Promise<T>,
    release: (api: Api, late: T) => unknown,
  ) {
    return this.#inUse().begin(send, release, { signal, what });
  }

  /** Options as plain data, checked in the worker. */
  #request(call: string, options: object) {
    /** Of many interventions, most have the same names. */
    const known: Map<string, string> = new Map();
    return serializeOptions(call, options, (name) => {
      if (typeof name === "string") return name;
      const key = Array.isArray(name) && name.length === 2 ? name.map(String).join(" ") : "";
      const full = (key && known.get(key)) || hookName(name, this.hookPoints);
      if (key) known.set(key, full);
      return full;
    });
  }

  #cache(
    entries: { name: string; value: Numbers }[],
    gradients: { name: string; value: Numbers }[] = [],
  ) {
    const tensors = (list: { name: string; value: Numbers }[]) =>
      new Map(list.map(({ name, value }) => [name, tensor(value)]));
    return new Cache(tensors(entries), this.hookPoints, tensors(gradients));
  }

  /**
   * Runs a measurement in the worker, step by step.
   * @param fixed options that are arguments of the method
   */
  async #measure(
    name: string,
    options: object | undefined,
    fixed: Record<string, any> = {},
  ): Promise<Findings> {
    const { local, rest } = split(name, options, PROGRESSING);
    const { signal, onProgress } = local;
    const twice = Object.keys(fixed).find((key) => Object.hasOwn(rest, key));
    if (twice)
      throw problem("InputError", `${name} has no option \`${twice}\`: it is the first argument`);
    const request = this.#request(name, { ...rest, ...fixed });
    const { connection, value: measurement } = await this.#begin(
      name,
      signal,
      (api, key) => api.measure(key, name, request),
      (api, late) => api.forget(late),
    );
    const next = (send: (api: Api) => any) =>
      connection.call((api) => send(api) as Promise<any>, { signal, what: name });
    try {
      for (let more = true; more; ) {
        const progress = await next((api) => api.advance(measurement));
        if (onProgress) notify(onProgress, { done: progress.done, total: progress.total });
        more = progress.more;
      }
      const { tables, numbers, texts } = await next((api) => api.findings(measurement));
      const tensors = Object.entries(tables).map(([key, table]) => [key, tensor(table as Numbers)]);
      return { ...Object.fromEntries(tensors), ...numbers, ...texts };
    } finally {
      connection.call((api) => api.forget(measurement)).catch(() => {});
    }
  }

  /**
   * What the model would predict if it stopped at each layer, the final LayerNorm computed anew there.
   * @param options default resid_post, 5
   * @returns topIds, topProbabilities (layer pos top), topStrings (as flat as topIds),
   *   nextProbability, nextRank, kl (layer pos, nats), and answerProbability, answerRank
   */
  async logitLens(
    input: Input,
    options?: {
      of?: "resid_pre" | "resid_mid" | "resid_post" | "attn_out" | "mlp_out";
      top?: number;
      answer?: Answer;
      interventions?: readonly Intervention[];
    } & Progressing,
  ): Promise<Findings> {
    return this.#measure("logitLens", options, { input: textOrIds(input) });
  }

  /**
   * Direct logit attribution: how much each part of the residual stream adds to a logit or a difference of two.
   * @returns shares (component, labelled): they add up to the logit or the difference
   */
  async attribution(
    input: Input,
    options: {
      answer?: Answer;
      against?: Answer;
      direction?: ArrayLike<number>;
      position?: number;
      by?: "component" | "head" | "neuron";
      layerNorm?: "frozen" | "recomputed";
      interventions?: readonly Intervention[];
    },
  ): Promise<Findings> {
    return this.#measure("attribution", options, { input: textOrIds(input) });
  }

  /**
   * The residual stream that a reader sees, taken apart: into what was written into it ("decomposed": its parts add up
   * to the stream), into its states on the way ("accumulated"), or what each head ("heads") or neuron ("neurons") wrote.
   * @param options.stack default decomposed
   * @param options.by how finely it is decomposed (default component)
   * @param options.sublayers accumulated: also between attention and MLP
   * @param options.reader who reads the stream (default the unembedding)
   * @param options.layerNorm through the reader's LayerNorm, with the run's scale or, before
   *   the unembedding, one of each part's own (default not at all)
   * @param options.positions of neurons, take few: they are d_mlp × d_model numbers each
   * @returns parts (component pos d_model, labelled)
   */
  async residual(
    input: Input,
    options?: {
      stack?: "decomposed" | "accumulated" | "heads" | "neurons";
      by?: "component" | "head" | "neuron";
      sublayers?: boolean;
      reader?: { layer: number; part: "attn" | "mlp" };
      layerNorm?: "frozen" | "recomputed";
      positions?: readonly number[];
      interventions?: readonly Intervention[];
    },
  ): Promise<Findings> {
    return this.#measure("residual", options, { input: textOrIds(input) });
  }

  /**
   * The means of activations over all positions of some texts, for interventions: { do: { mean: means } }.
   * @returns values with one position
   * @throws HookError at attention scores and patterns, whose keys differ from position to position
   */
  async means(options: { texts: Input[]; names: HookName[] }): Promise<Cache> {
    const found = await this.#measure("means", options);
    const points = this.hookPoints.filter(({ name }) => name in found);
    return new Cache(
      new Map(points.map(({ name }) => [name, found[name]])),
      this.hookPoints,
      new Map(),
    );
  }

  /**
   * Previous-token, duplicate-token and induction score of every head, and its likeness to a pattern of one's own.
   * @param input default: random tokens repeated twice
   * @returns scores (score layer head, labelled; NaN where no position counts), similarity (layer head)
   */
  async headScores(
    input?: Input,
    options?: {
      pattern?: number[][];
      measure?: "mul" | "abs";
      excludeFirstToken?: boolean;
      excludeCurrentToken?: boolean;
      interventions?: readonly Intervention[];
    } & Progressing,
  ): Promise<Findings> {
    return this.#measure("headScores", options, {
      input: input === undefined ? undefined : textOrIds(input),
    });
  }

  /**
   * The metric under every patch of one run's activations into the other's.
   * @param options default resid_pre, by activation; eachPosition: heads by position too
   * @returns raw and normalized (layer pos, layer head or layer head pos; normalized only where clean and corrupted
   *   are finite and differ), clean, corrupted
   */
  async patching(options: PatchingOptions): Promise<Findings> {
    return this.#measure("patching", options);
  }

  /**
   * The metric when one head's output reaches only the given receivers from the other run, all else frozen.
   * @returns raw and normalized (layer head, by sender), clean, corrupted
   */
  async pathPatching(options: PathOptions): Promise<Findings> {
    return this.#measure("pathPatching", options);
  }

  /**
   * Each token's share in a metric, from zero embeddings or those of `baseline`.
   * @param options default 32 steps
   * @returns shares (pos), metric, baseline, error: what the shares fail to add up to
   */
  async integratedGradients(input: Input, options: IntegratedOptions): Promise<Findings> {
    return this.#measure("integratedGradients", options, { input: textOrIds(input) });
  }

  /**
   * What a head does whatever the text is: singular values and vectors of W_V W_O and W_Q W_K^T, read as tokens.
   * @param options default 8, 8
   * @returns ovSingularValues, qkSingularValues, ovEigenvalues, qkEigenvalues, copyingScore, and the
   *   tokens at both ends of each vector: ovReads, ovWrites, qkQueries, qkKeys (component end top) with ...Strings
   */
  async circuits(options: {
    layer: number;
    head: number;
    top?: number;
    components?: number;
  }): Promise<Findings> {
    return this.#measure("circuits", options);
  }

  /**
   * How much each head writes into what each later head reads.
   * @returns scores (writer_layer writer_head reader_layer reader_head)
   */
  async compositionScores(options: { path: "q" | "k" | "v" }): Promise<Findings> {
    return this.#measure("compositionScores", options);
  }

  /** @returns loss and rank of the next token, entropy of the distribution (pos, nats) */
  async tokenScores(
    input: Input,
    options?: { interventions?: readonly Intervention[] },
  ): Promise<Findings> {
    return this.#measure("tokenScores", options, { input: textOrIds(input) });
  }

  /**
   * Where in some texts a neuron, or any other number of an activation, is greatest.
   * @param options default 20
   * @returns text, position, value (place, the greatest first); notFinite: how many values are infinite or NaN, which is never listed
   */
  async mostActive(options: {
    texts: Input[];
    at: HookName;
    head?: number;
    index: number;
    count?: number;
  }): Promise<Findings> {
    return this.#measure("mostActive", options);
  }
}

/**
 * The options of a measurement that are not sent to the worker. The worker checks all others (src/lab).
 */
const PROGRESSING: Record<string, Rule> = { ...CANCELLABLE, onProgress: rule.listener };

/**
 * The options that are not sent to the worker, by the name of each method that toPython takes.
 */
const LOCAL: Record<string, Record<string, Rule>> = {
  runWithCache: CANCELLABLE,
  generate: CANCELLABLE,
  patching: PROGRESSING,
  pathPatching: PROGRESSING,
  integratedGradients: PROGRESSING,
};

/** The method that a call names, and its options. */
function callOf(call: unknown): [string, Record<string, any>] {
  const expected = `expected one of ${Object.keys(LOCAL).join(", ")}, such as { runWithCache: { input: "To be" } }`;
  const names = isPlainObject(call) ? Object.keys(call) : [];
  if (names.length !== 1 || !Object.hasOwn(LOCAL, names[0])) {
    throw problem(
      "InputError",
      `the call is ${names.length ? `{ ${names.join(", ")} }` : shown(call)}, ${expected}`,
    );
  }
  const options = (call as any)[names[0]];
  if (!isPlainObject(options))
    throw problem(
      "InputError",
      `the options of ${names[0]} are ${shown(options)}, expected an object`,
    );
  return [names[0], options];
}

/** What was captured. */
export class Cache {
  #tensors;
  #points;
  #gradients;

  /**
   * @param tensors in firing order
   * @param points the model's
   */
  constructor(
    tensors: Map<string, Tensor>,
    points: readonly HookPoint[],
    gradients: Map<string, Tensor>,
  ) {
    this.#tensors = tensors;
    this.#points = points;
    this.#gradients = gradients;
  }

  /** What was captured, in the order in which it was computed. */
  names() {
    return [...this.#tensors.keys()];
  }

  /**
   * @param name "blocks.2.attn.hook_pattern" or ["pattern", 2]
   * @returns with the axes of the hook point
   * @throws HookError when it was not captured
   */
  get(name: HookName): Tensor {
    const full = hookName(name, this.#points);
    const found = this.#tensors.get(full);
    if (found) return found;
    const near = nearest(full, this.names())
      .map((one) => `"${one}"`)
      .join(", ");
    throw problem(
      "HookError",
      `${shown(full)} was not captured: ${near ? `the nearest that were are ${near}` : "nothing was; ask for it in `names`"}`,
    );
  }

  /**
   * The gradient of what the run's `gradientsOf` said, with the axes of the value itself.
   * @throws HookError when there is none
   */
  gradient(name: HookName): Tensor {
    const full = hookName(name, this.#points);
    const found = this.#gradients.get(full);
    if (found) return found;
    const why = this.#gradients.size ? "it was not captured" : "ask for it in `gradientsOf`";
    throw problem("HookError", `there is no gradient at ${shown(full)}: ${why}`);
  }
}

/** A generation that fails at its first step. */
async function* rejecting(error: unknown): AsyncGenerator<never, void, void> {
  throw error;
}

export type Numbers = {
  data: Float32Array;
  shape: number[];
  axes: string[];
  labels?: Record<string, string[]>;
};
function tensor({ data, shape, axes, labels }: Numbers) {
  return new Tensor(data, shape, axes, labels);
}
