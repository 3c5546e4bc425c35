// The public face: loadModel and the Model class. The model itself lives in one worker for the whole page.
//
// Shapes are written with B batch (1), T positions, V vocabulary. Log-probabilities and losses are in nats.
// Every failure rejects with an Error that has a stable `name` (see problem.js), and leaves the model usable.

import { checked, ids as asIds, isPlainObject, rule, split, textOrIds, wellFormed } from "./check.js";
import { abortable, connect } from "./connection.js";
import { LoadedModel, ModelHandle, notify } from "./model-handle.js";
import { hookName, nearest } from "./names.js";
import { serializeOptions } from "./plain.js";
import { problem, shown } from "./problem.js";
import { resolveSource, sourceKey } from "./source.js";
import { Tensor } from "./tensor.js";

export { Tensor };

/** @typedef {import("./source.js").Source} Source */
/** @typedef {import("./source.js").Files} Files */
/** @typedef {import("./names.js").HookName} HookName */
/** @typedef {import("./names.js").HookPoint} HookPoint */
/** @typedef {import("./check.js").Ids} Ids */
/** A text, or token ids. @typedef {string | Ids} Input */
/** @typedef {import("./connection.js").Api} Api */
/** signal: rejects with an AbortError as soon as it fires; a call that then does not come back has its worker restarted. @typedef {{ signal?: AbortSignal }} Cancellable */
/**
 * How far a load is.
 * @typedef {object} Progress
 * @property {"config" | "tokenizer" | "weights"} stage
 * @property {string} file its name or address
 * @property {number} loaded bytes
 * @property {number} [total] bytes; undefined where the server does not say
 */
/**
 * @typedef {object} LoadOptions
 * @property {"f32" | "f16" | "q8" | "q4"} [dtype] default f32
 * @property {boolean} [keep] use what an earlier visit kept in the browser, if the files have not changed since, and
 *   keep what comes from the network (default true); see storedModels
 * @property {(progress: Progress) => void} [onProgress]
 * @property {number} [timeout] milliseconds without a byte from a server, after which the load fails (default 30000);
 *   Infinity waits for ever. What may pass is tried again within it
 * @property {AbortSignal} [signal]
 */
/** A remark about a model that loaded all the same. `name` is a tensor, a field or a file. @typedef {{ kind: "nonFinite" | "ignored" | "used" | "assumed", name: string, message: string, count?: number }} Notice */
/** @typedef {import("./store.js").StoredModel} StoredModel */
/** @typedef {{ name: string, shape: number[], dtype: string, count: number }} Parameter */
/** @typedef {{ build: "simd" | "relaxed" | "threads", threads: number, dtype: string, memoryBytes: number }} Backend memoryBytes: wasm memory once loaded, all models together */
/** bytes: those that each token spells, for a token that holds part of a character. @typedef {{ ids: Uint32Array, strings: string[], bytes: number[][] }} Tokens */
/**
 * @typedef {object} RunOptions
 * @property {boolean} [prependBos] put the config's `bos_token_id` in front (default false)
 * @property {HookName[]} [names] what to capture: names, globs, /regular expressions/ or ["pattern", 2] (default none)
 * @property {readonly number[]} [positions] keep these rows of what is captured, negative from the end (default all)
 * @property {readonly Intervention[]} [interventions] what to change, in this order; a capture sees the changed values
 * @property {number} [stopAtLayer] stop before this block: `residual` instead of `logits`
 * @property {{ layer: number, resid: Tensor }} [startAt] start from a residual stream [1, T, d_model] before this block
 * @property {Metric} [gradientsOf] differentiate this with respect to all that `names` select: see Cache.gradient
 * @property {boolean} [headScores] measure the captured patterns, which must be those of every layer: see Model.headScores
 * @property {AbortSignal} [signal]
 */
/** A token's text, which must be a single token, or its id. @typedef {string | number} Answer */
/** The logit of `answer`, less that of `against`, at `position` (default -1, the last); or the loss. @typedef {{ answer?: Answer, against?: Answer, position?: number, loss?: boolean }} Metric */
/** @typedef {import("./plain.js").Intervention} Intervention */
/** What a measurement found: tensors, numbers, and texts beside tensors, by name. @typedef {Record<string, any>} Findings */
/** @typedef {{ signal?: AbortSignal, onProgress?: (progress: { done: number, total: number }) => void }} Progressing */
/** @typedef {Metric & { clean: Input, corrupted: Input, direction?: "denoise" | "noise" }} Contrast prompts with as many tokens */
/**
 * @typedef {object} Run
 * @property {Uint32Array} ids the tokens that were run, T of them
 * @property {Tensor} logits [B, T, V] over batch, pos, vocab; null (in spite of this type) when the run stopped at a layer
 * @property {Tensor | null} residual [B, T, d_model] where the run stopped; null when it did not
 * @property {number | null} loss mean of -logProbs; null for a single token
 * @property {Float32Array} logProbs of the true next token, T - 1 of them
 * @property {(number | null)[]} ranks of the true next token: 0 when it was the first choice; null where the logits are not finite
 * @property {Cache} cache
 * @property {Tensor | null} headScores (score layer head), where asked for
 */
/**
 * @typedef {object} GenerateOptions
 * @property {boolean} [prependBos] put the config's `bos_token_id` in front (default false)
 * @property {number} [maxNewTokens] default 20
 * @property {boolean} [doSample] draw a token; else take the most probable one (default false)
 * @property {number} [temperature] divides the logits before drawing (default 1)
 * @property {number} [topK] draw only among so many (default all)
 * @property {number} [topP] draw only among the most probable that add up to this (default 1)
 * @property {number} [seed] the same seed gives the same text on every machine (default 0)
 * @property {string | string[]} [stop] stop after the token that completes one of these
 * @property {boolean} [stopAtEos] stop after the config's `eos_token_id` (default true)
 * @property {number} [top] how many of the most probable tokens each step lists (default 10)
 * @property {HookName[]} [names] what to capture at each step
 * @property {readonly Intervention[]} [interventions] what to change at each step
 * @property {boolean} [useCache] keep keys and values from step to step (default true); the text is the same without
 * @property {AbortSignal} [signal]
 */
/** @typedef {Metric & Progressing & { baseline?: Input, steps?: number }} IntegratedOptions */
/** @typedef {Contrast & Progressing & { at?: "resid_pre" | "resid_mid" | "attn_out" | "mlp_out" | "z" | "q" | "k" | "v" | "pattern", method?: "activation" | "attribution", eachPosition?: boolean }} PatchingOptions */
/** @typedef {Contrast & Progressing & { receivers: "logits" | { layer: number, head: number, input: "q" | "k" | "v" }[], mlps?: "frozen" | "recomputed" }} PathOptions */
/**
 * One call of the model by its name: the options of the method, and `input` where it takes one.
 * @typedef {{ runWithCache: RunOptions & { input: Input } } | { generate: GenerateOptions & { input: Input } } | { patching: PatchingOptions } | { pathPatching: PathOptions } | { integratedGradients: IntegratedOptions & { input: Input } }} Call
 */
/** @typedef {"fold_ln" | "center_writing_weights" | "center_unembed" | "fold_value_biases"} Transform */
/** string and bytes: as Model.tokenNames gives them. @typedef {{ id: number, string: string, bytes: number[], logProb: number }} Choice logProb is before temperature, topK and topP */
/** @typedef {Choice & { top: Choice[], cache: Cache }} Step */

/** The option of every asynchronous method. @type {Record<string, import("./check.js").Rule>} */
const CANCELLABLE = { signal: rule.signal };

// ---- loading ----

/** @typedef {import("./model-handle.js").Loaded} Loaded */
/** Models by what they were loaded from, so that several on a page share one. @type {Map<string, LoadedModel>} */
const shared = new Map();

/**
 * Loads a model. Loading the same address again gives the same weights, without another download, as long as one of
 * its models is not disposed of.
 * @param {Source} source a folder address relative to the page, a Hugging Face id as "hf:owner/name" or
 *   "hf:owner/name@revision", `{ config, tokenizer, weights }` as address, URL, File, Blob or bytes, or an array of Files
 * @param {LoadOptions} [options]
 * @returns {Promise<Model>}
 * @throws NetworkError, ConfigError, WeightsError, TokenizerError, MemoryError; AbortError; InputError
 */
export async function loadModel(source, options) {
  const { dtype = "f32", keep = true, timeout = 30_000, onProgress, signal } = checked("loadModel", options, {
    dtype: rule.text,
    keep: rule.flag,
    timeout: rule.timeout,
    onProgress: rule.listener,
    signal: rule.signal,
  });
  if (!DTYPES.includes(dtype)) throw problem("InputError", `\`dtype\` is ${shown(dtype)}, expected one of "${DTYPES.join('", "')}"`);
  const files = resolveSource(source, base());
  const handle = handleOf(files, { dtype, keep, timeout });
  return new Model(handle, await handle.join(signal, onProgress), placeOf(source));
}

/** What another program would load the model from: its name here, or a folder to be filled in. @param {Source} source */
function placeOf(source) {
  if (typeof source === "string") return source.trim().replace(/^hf:/, "");
  return source instanceof URL ? source.href : "the model's folder";
}

/** What weight matrices can be kept in. */
const DTYPES = ["f32", "f16", "q8", "q4"];

/** What addresses are relative to: the page, or the worker that this module is used in. */
function base() {
  return globalThis.document?.baseURI ?? location.href;
}

/** @param {Files} files @param {import("./model-handle.js").LoadRequest} request */
function handleOf(files, request) {
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
 * @param {Cancellable} [options]
 * @returns {Promise<StoredModel[]>} none where the browser keeps nothing
 */
export async function storedModels(options) {
  const { signal } = checked("storedModels", options, CANCELLABLE);
  return (await abortable(connect(), signal, "storedModels")).call((api) => api.stored(), { signal, what: "storedModels" });
}

/**
 * Removes what is kept of a model, in every dtype, or of all models. A model that is loaded stays usable.
 * @param {Source} [source] as for loadModel
 * @param {Cancellable} [options]
 * @returns {Promise<number>} how many were removed
 */
export async function forgetStored(source, options) {
  const { signal } = checked("forgetStored", options, CANCELLABLE);
  const files = source === undefined ? undefined : resolveSource(source, base());
  return (await abortable(connect(), signal, "forgetStored")).call((api) => api.forgetStored(files), { signal, what: "forgetStored" });
}

// ---- the model ----

export class Model {
  /** @type {ModelHandle | undefined} */
  #handle;
  #place;

  /** Use loadModel. @param {ModelHandle} handle @param {Loaded} loaded @param {string} place @param {readonly Transform[]} [transforms] */
  constructor(handle, loaded, place, transforms = []) {
    this.#handle = handle;
    this.#place = place;
    /** What was done to the checkpoint's weights, in this order. @type {readonly Transform[]} */
    this.transforms = transforms;
    /** Hugging Face field names. @type {Readonly<Record<string, any>>} */
    this.config = loaded.config;
    /** Every tensor of the checkpoint once, in the order of the forward pass. @type {readonly Parameter[]} */
    this.parameters = loaded.parameters;
    /** @type {number} */
    this.parameterCount = loaded.parameterCount;
    /** In firing order. @type {readonly HookPoint[]} */
    this.hookPoints = loaded.hookPoints;
    /** @type {Readonly<Backend>} */
    this.backend = loaded.backend;
    /** Whether text can be used, or ids alone. @type {boolean} */
    this.hasTokenizer = loaded.hasTokenizer;
    /** Notices about the model's files. @type {readonly Notice[]} */
    this.report = loaded.report;
  }

  /**
   * @param {Input} input
   * @param {{ prependBos?: boolean } & Cancellable} [options] put the config's `bos_token_id` in front (default false)
   * @returns {Promise<Tokens>} of a text, the strings joined give it back exactly
   */
  async tokenize(input, options) {
    const { prependBos = false, signal } = checked("tokenize", options, { prependBos: rule.flag, ...CANCELLABLE });
    const tokens = textOrIds(input);
    return this.#call("tokenize", signal, (api, key) => api.tokenize(key, tokens, prependBos));
  }

  /**
   * The name of each token, which depends on its id only. Where a token is not whole UTF-8 its string has U+FFFD, and its
   * bytes tell what it is. An id that the model knows and the tokenizer does not is called ⟨350⟩.
   * @param {Ids} ids @param {Cancellable} [options]
   * @returns {Promise<Tokens>}
   * @throws InputError when an id is not in the vocabulary
   */
  async tokenNames(ids, options) {
    const { signal } = checked("tokenNames", options, CANCELLABLE);
    const list = asIds(ids);
    return this.#call("tokenNames", signal, (api, key) => api.tokenNames(key, list));
  }

  /** @param {Ids} ids @param {Cancellable} [options] @returns {Promise<string>} bytes that are no character become U+FFFD */
  async detokenize(ids, options) {
    const { signal } = checked("detokenize", options, CANCELLABLE);
    const list = asIds(ids);
    return this.#call("detokenize", signal, (api, key) => api.detokenize(key, list));
  }

  /**
   * One forward pass, captured where `names` say.
   * @param {Input} input
   * @param {RunOptions} [options]
   * @returns {Promise<Run>}
   * @throws HookError when a name matches nothing; InputError when the input does not fit the model
   */
  async runWithCache(input, options) {
    const { local, rest } = split("runWithCache", options, CANCELLABLE);
    const tokens = textOrIds(input);
    const request = this.#request("runWithCache", rest);
    const { logits, residual, cache, gradients, headScores, ...scores } = await this.#call("runWithCache", local.signal, (api, key) => /** @type {Promise<any>} */ (api.runWithCache(key, tokens, request)));
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
   * @param {Input} input
   * @param {GenerateOptions} [options]
   * @returns {AsyncGenerator<Step, void, void>}
   * @throws AbortError; InputError; HookError
   */
  generate(input, options) {
    // The arguments are read now; what is wrong with them is thrown where the caller waits, at the first step.
    try {
      const { local, rest } = split("generate", options, LOCAL.generate);
      return this.#generate(textOrIds(input), this.#request("generate", rest), local.signal);
    } catch (error) {
      return rejecting(error);
    }
  }

  /** @param {string | Uint32Array} tokens @param {object} request @param {AbortSignal | undefined} signal @returns {AsyncGenerator<Step, void, void>} */
  async *#generate(tokens, request, signal) {
    const { connection, value: generation } = await this.#begin("generate", signal, (api, key) => /** @type {Promise<number>} */ (api.generate(key, tokens, request)), (api, late) => api.stop(late));
    try {
      for (;;) {
        const step = await connection.call((api) => /** @type {Promise<any>} */ (api.next(generation)), { signal, what: "generate" });
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
   * @param {Call} call such as { runWithCache: { input: "To be", names: ["*"] } }: a method and its options
   * @param {{ folder?: string } & Cancellable} [options] where the script finds the model: a folder or a Hugging Face id (default
   *   what this model was loaded from)
   * @returns {Promise<string>}
   * @throws HookError for an intervention that is a function; ConfigError where TransformerLens computes something else;
   *   otherwise as the method itself
   */
  async toPython(call, options) {
    const { folder = this.#place, signal } = checked("toPython", options, { folder: rule.text, ...CANCELLABLE });
    if (this.transforms.length > 0) {
      const done = this.transforms.join(", ");
      throw problem("InputError", `the weights were rewritten (${done}), and Python would load the checkpoint's own: ask the model that was loaded`);
    }
    const [name, { input, ...given }] = callOf(call);
    const takesInput = !name.endsWith("atching"); // patching and pathPatching have two
    const { rest } = split(name, takesInput ? given : { ...given, input }, LOCAL[name]);
    const tokens = takesInput ? textOrIds(input) : undefined;
    const request = { ...this.#request(name, rest), ...(name === "integratedGradients" && { input: tokens }) };
    const place = wellFormed(folder, "`folder` of toPython");
    return this.#call("toPython", signal, (api, key) => api.toPython(key, name, tokens, request, place));
  }

  /**
   * The same model with other weights that predict the same and are easier to read, as TransformerLens's: never done
   * unasked. It is a model of its own, to be disposed of by itself.
   * @param {readonly Transform[]} transforms one after the other, such as ["fold_ln", "center_writing_weights"]
   * @param {Cancellable} [options]
   * @returns {Promise<Model>}
   * @throws InputError when there is no such transform
   */
  async transformed(transforms, options) {
    const { signal } = checked("transformed", options, CANCELLABLE);
    if (!Array.isArray(transforms) || !rule.texts.fits(transforms)) throw problem("InputError", `the transforms are ${shown(transforms)}, expected an array of names such as "fold_ln"`);
    const names = [...transforms];
    const parent = this.#inUse();
    const handle = new ModelHandle(async () => {
      const { connection, value } = await parent.borrow((api, key) => /** @type {Promise<any>} */ (api.transform(key, names)), (api, late) => api.dispose(late.key));
      return { connection, loaded: { ...value, isTransformed: true, origins: "those of its parent, which were compared" } };
    });
    return new Model(handle, await handle.join(signal), this.#place, [...this.transforms, ...names]);
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

  /** @template T @param {string} what the method, for messages @param {AbortSignal | undefined} signal @param {(api: Api, key: number) => Promise<T>} send @returns {Promise<T>} */
  async #call(what, signal, send) {
    return this.#inUse().call(send, { signal, what });
  }

  /** The same for a generation or a measurement, which goes on in the same worker. @template T @param {string} what @param {AbortSignal | undefined} signal @param {(api: Api, key: number) => Promise<T>} send @param {(api: Api, late: T) => unknown} release */
  async #begin(what, signal, send, release) {
    return this.#inUse().begin(send, release, { signal, what });
  }

  /** Options as plain data, checked in the worker. @param {string} call @param {object} options */
  #request(call, options) {
    /** Of many interventions, most have the same names. @type {Map<string, string>} */
    const known = new Map();
    return serializeOptions(call, options, (name) => {
      if (typeof name === "string") return name;
      const key = Array.isArray(name) && name.length === 2 ? name.map(String).join(" ") : "";
      const full = (key && known.get(key)) || hookName(name, this.hookPoints);
      if (key) known.set(key, full);
      return full;
    });
  }

  /** @param {{ name: string, value: Numbers }[]} entries @param {{ name: string, value: Numbers }[]} [gradients] */
  #cache(entries, gradients = []) {
    const tensors = (/** @type {{ name: string, value: Numbers }[]} */ list) => new Map(list.map(({ name, value }) => [name, tensor(value)]));
    return new Cache(tensors(entries), this.hookPoints, tensors(gradients));
  }

  /**
   * Runs a measurement in the worker, step by step.
   * @param {string} name @param {object | undefined} options
   * @param {Record<string, any>} [fixed] options that are arguments of the method @returns {Promise<Findings>}
   */
  async #measure(name, options, fixed = {}) {
    const { local, rest } = split(name, options, PROGRESSING);
    const { signal, onProgress } = local;
    const twice = Object.keys(fixed).find((key) => Object.hasOwn(rest, key));
    if (twice) throw problem("InputError", `${name} has no option \`${twice}\`: it is the first argument`);
    const request = this.#request(name, { ...rest, ...fixed });
    const { connection, value: measurement } = await this.#begin(name, signal, (api, key) => api.measure(key, name, request), (api, late) => api.forget(late));
    /** @param {(api: Api) => any} send */
    const next = (send) => connection.call((api) => /** @type {Promise<any>} */ (send(api)), { signal, what: name });
    try {
      for (let more = true; more; ) {
        const progress = await next((api) => api.advance(measurement));
        if (onProgress) notify(onProgress, { done: progress.done, total: progress.total });
        more = progress.more;
      }
      const { tables, numbers, texts } = await next((api) => api.findings(measurement));
      const tensors = Object.entries(tables).map(([key, table]) => [key, tensor(/** @type {Numbers} */ (table))]);
      return { ...Object.fromEntries(tensors), ...numbers, ...texts };
    } finally {
      connection.call((api) => api.forget(measurement)).catch(() => {});
    }
  }

  /**
   * What the model would predict if it stopped at each layer, the final LayerNorm computed anew there.
   * @param {Input} input
   * @param {{ of?: "resid_pre" | "resid_mid" | "resid_post" | "attn_out" | "mlp_out", top?: number, answer?: Answer, interventions?: readonly Intervention[] } & Progressing} [options] default resid_post, 5
   * @returns {Promise<Findings>} topIds, topProbabilities (layer pos top), topStrings (as flat as topIds),
   *   nextProbability, nextRank, kl (layer pos, nats), and answerProbability, answerRank
   */
  async logitLens(input, options) {
    return this.#measure("logitLens", options, { input: textOrIds(input) });
  }

  /**
   * Direct logit attribution: how much each part of the residual stream adds to a logit or a difference of two.
   * @param {Input} input
   * @param {{ answer?: Answer, against?: Answer, direction?: ArrayLike<number>, position?: number, by?: "component" | "head" | "neuron", layerNorm?: "frozen" | "recomputed", interventions?: readonly Intervention[] }} options
   * @returns {Promise<Findings>} shares (component, labelled): they add up to the logit or the difference
   */
  async attribution(input, options) {
    return this.#measure("attribution", options, { input: textOrIds(input) });
  }

  /**
   * The residual stream that a reader sees, taken apart: into what was written into it ("decomposed": its parts add up
   * to the stream), into its states on the way ("accumulated"), or what each head ("heads") or neuron ("neurons") wrote.
   * @param {Input} input
   * @param {object} [options]
   * @param {"decomposed" | "accumulated" | "heads" | "neurons"} [options.stack] default decomposed
   * @param {"component" | "head" | "neuron"} [options.by] how finely it is decomposed (default component)
   * @param {boolean} [options.sublayers] accumulated: also between attention and MLP
   * @param {{ layer: number, part: "attn" | "mlp" }} [options.reader] who reads the stream (default the unembedding)
   * @param {"frozen" | "recomputed"} [options.layerNorm] through the reader's LayerNorm, with the run's scale or, before
   *   the unembedding, one of each part's own (default not at all)
   * @param {readonly number[]} [options.positions] of neurons, take few: they are d_mlp × d_model numbers each
   * @param {readonly Intervention[]} [options.interventions]
   * @returns {Promise<Findings>} parts (component pos d_model, labelled)
   */
  async residual(input, options) {
    return this.#measure("residual", options, { input: textOrIds(input) });
  }

  /**
   * The means of activations over all positions of some texts, for interventions: { do: { mean: means } }.
   * @param {{ texts: Input[], names: HookName[] }} options
   * @returns {Promise<Cache>} values with one position
   * @throws HookError at attention scores and patterns, whose keys differ from position to position
   */
  async means(options) {
    const found = await this.#measure("means", options);
    const points = this.hookPoints.filter(({ name }) => name in found);
    return new Cache(new Map(points.map(({ name }) => [name, found[name]])), this.hookPoints, new Map());
  }

  /**
   * Previous-token, duplicate-token and induction score of every head, and its likeness to a pattern of one's own.
   * @param {Input} [input] default: random tokens repeated twice
   * @param {{ pattern?: number[][], measure?: "mul" | "abs", excludeFirstToken?: boolean, excludeCurrentToken?: boolean, interventions?: readonly Intervention[] } & Progressing} [options]
   * @returns {Promise<Findings>} scores (score layer head, labelled; NaN where no position counts), similarity (layer head)
   */
  async headScores(input, options) {
    return this.#measure("headScores", options, { input: input === undefined ? undefined : textOrIds(input) });
  }

  /**
   * The metric under every patch of one run's activations into the other's.
   * @param {PatchingOptions} options
   *   default resid_pre, by activation; eachPosition: heads by position too
   * @returns {Promise<Findings>} raw and normalized (layer pos, layer head or layer head pos; normalized only where clean and corrupted
   *   are finite and differ), clean, corrupted
   */
  async patching(options) {
    return this.#measure("patching", options);
  }

  /**
   * The metric when one head's output reaches only the given receivers from the other run, all else frozen.
   * @param {PathOptions} options
   * @returns {Promise<Findings>} raw and normalized (layer head, by sender), clean, corrupted
   */
  async pathPatching(options) {
    return this.#measure("pathPatching", options);
  }

  /**
   * Each token's share in a metric, from zero embeddings or those of `baseline`.
   * @param {Input} input
   * @param {IntegratedOptions} options default 32 steps
   * @returns {Promise<Findings>} shares (pos), metric, baseline, error: what the shares fail to add up to
   */
  async integratedGradients(input, options) {
    return this.#measure("integratedGradients", options, { input: textOrIds(input) });
  }

  /**
   * What a head does whatever the text is: singular values and vectors of W_V W_O and W_Q W_K^T, read as tokens.
   * @param {{ layer: number, head: number, top?: number, components?: number }} options default 8, 8
   * @returns {Promise<Findings>} ovSingularValues, qkSingularValues, ovEigenvalues, qkEigenvalues, copyingScore, and the
   *   tokens at both ends of each vector: ovReads, ovWrites, qkQueries, qkKeys (component end top) with ...Strings
   */
  async circuits(options) {
    return this.#measure("circuits", options);
  }

  /**
   * How much each head writes into what each later head reads.
   * @param {{ path: "q" | "k" | "v" }} options
   * @returns {Promise<Findings>} scores (writer_layer writer_head reader_layer reader_head)
   */
  async compositionScores(options) {
    return this.#measure("compositionScores", options);
  }

  /**
   * @param {Input} input @param {{ interventions?: readonly Intervention[] }} [options]
   * @returns {Promise<Findings>} loss and rank of the next token, entropy of the distribution (pos, nats)
   */
  async tokenScores(input, options) {
    return this.#measure("tokenScores", options, { input: textOrIds(input) });
  }

  /**
   * Where in some texts a neuron, or any other number of an activation, is greatest.
   * @param {{ texts: Input[], at: HookName, head?: number, index: number, count?: number }} options default 20
   * @returns {Promise<Findings>} text, position, value (place, the greatest first); notFinite: how many values are infinite or NaN, which is never listed
   */
  async mostActive(options) {
    return this.#measure("mostActive", options);
  }
}

/** The options of a measurement that are not sent to the worker. The worker checks all others (src/lab). @type {Record<string, import("./check.js").Rule>} */
const PROGRESSING = { ...CANCELLABLE, onProgress: rule.listener };

/** The options that are not sent to the worker, by the name of each method that toPython takes. @type {Record<string, Record<string, import("./check.js").Rule>>} */
const LOCAL = {
  runWithCache: CANCELLABLE,
  generate: CANCELLABLE,
  patching: PROGRESSING,
  pathPatching: PROGRESSING,
  integratedGradients: PROGRESSING,
};

/** The method that a call names, and its options. @param {unknown} call @returns {[string, Record<string, any>]} */
function callOf(call) {
  const expected = `expected one of ${Object.keys(LOCAL).join(", ")}, such as { runWithCache: { input: "To be" } }`;
  const names = isPlainObject(call) ? Object.keys(call) : [];
  if (names.length !== 1 || !Object.hasOwn(LOCAL, names[0])) {
    throw problem("InputError", `the call is ${names.length ? `{ ${names.join(", ")} }` : shown(call)}, ${expected}`);
  }
  const options = /** @type {any} */ (call)[names[0]];
  if (!isPlainObject(options)) throw problem("InputError", `the options of ${names[0]} are ${shown(options)}, expected an object`);
  return [names[0], options];
}

/** What was captured. */
export class Cache {
  #tensors;
  #points;
  #gradients;

  /**
   * @param {Map<string, Tensor>} tensors in firing order @param {readonly HookPoint[]} points the model's
   * @param {Map<string, Tensor>} gradients
   */
  constructor(tensors, points, gradients) {
    this.#tensors = tensors;
    this.#points = points;
    this.#gradients = gradients;
  }

  /** What was captured, in the order in which it was computed. */
  names() {
    return [...this.#tensors.keys()];
  }

  /**
   * @param {HookName} name "blocks.2.attn.hook_pattern" or ["pattern", 2]
   * @returns {Tensor} with the axes of the hook point
   * @throws HookError when it was not captured
   */
  get(name) {
    const full = hookName(name, this.#points);
    const found = this.#tensors.get(full);
    if (found) return found;
    const near = nearest(full, this.names()).map((one) => `"${one}"`).join(", ");
    throw problem("HookError", `${shown(full)} was not captured: ${near ? `the nearest that were are ${near}` : "nothing was; ask for it in `names`"}`);
  }

  /**
   * The gradient of what the run's `gradientsOf` said, with the axes of the value itself.
   * @param {HookName} name
   * @returns {Tensor}
   * @throws HookError when there is none
   */
  gradient(name) {
    const full = hookName(name, this.#points);
    const found = this.#gradients.get(full);
    if (found) return found;
    const why = this.#gradients.size ? "it was not captured" : "ask for it in `gradientsOf`";
    throw problem("HookError", `there is no gradient at ${shown(full)}: ${why}`);
  }
}

/** A generation that fails at its first step. @param {unknown} error @returns {AsyncGenerator<never, void, void>} */
async function* rejecting(error) {
  throw error;
}

/** @typedef {{ data: Float32Array, shape: number[], axes: string[], labels?: Record<string, string[]> }} Numbers */
/** @param {Numbers} numbers */
function tensor({ data, shape, axes, labels }) {
  return new Tensor(data, shape, axes, labels);
}
