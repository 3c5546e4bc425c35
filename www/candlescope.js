// The public face: loadModel and the Model class. The model itself lives in one worker for the whole page.
//
// Shapes are written with B batch (1), T positions, V vocabulary. Log-probabilities and losses are in nats.
// Every failure rejects with an Error that has a stable `name` (see problem.js), and leaves the model usable.

import * as Comlink from "comlink";

import { checked, ids as asIds, isPlainObject, rule, split, textOrIds, wellFormed } from "./check.js";
import { hookName, nearest } from "./names.js";
import { serializeOptions } from "./plain.js";
import { problem, shown } from "./problem.js";
import { candidatesOf, identity } from "./source.js";
import { Tensor } from "./tensor.js";

export { Tensor };

/** @typedef {import("./source.js").Source} Source */
/** @typedef {import("./source.js").Files} Files */
/** @typedef {import("./names.js").HookName} HookName */
/** @typedef {import("./names.js").HookPoint} HookPoint */
/** @typedef {import("./check.js").Ids} Ids */
/** A text, or token ids. @typedef {string | Ids} Input */
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
 * @property {AbortSignal} [signal]
 */
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
/** @typedef {{ id: number, string: string, logProb: number }} Choice logProb is before temperature, topK and topP */
/** @typedef {Choice & { top: Choice[], cache: Cache }} Step */

// ---- the worker ----

/** @typedef {Comlink.Remote<import("./worker.js").WorkerFace>} Face */
/** waiting: rejections of the calls under way. @type {{ face: Face, waiting: Set<(error: Error) => void> } | undefined} */
let started;

/** The page's one worker, started at the first call. */
function worker() {
  started ??= startWorker();
  return started;
}

function startWorker() {
  const address = new URL("./worker.js", import.meta.url);
  const thread = begunWorker() ?? new Worker(sameSite(address), { type: "module", name: "candlescope" });
  /** @type {Set<(error: Error) => void>} */
  const waiting = new Set();
  thread.addEventListener("error", (event) => {
    if (event.message) return; // an error inside it, which the call that met it reports
    started = undefined;
    const error = problem("NetworkError", `the worker cannot be started: expected ${address} and pkg/ beside it`);
    waiting.forEach((reject) => reject(error));
  });
  return { face: /** @type {Face} */ (Comlink.wrap(thread)), waiting };
}

/** The worker that a page started before its modules were there, in a global variable, if it did not fail since. @returns {Worker | null} */
function begunWorker() {
  const page = /** @type {{ candlescopeWorker?: Worker | null }} */ (globalThis);
  const begun = page.candlescopeWorker ?? null;
  page.candlescopeWorker = null; // one that fails is not taken again
  if (begun) begun.onerror = null;
  return begun;
}

/** A worker must come from the page's own site; one from elsewhere is imported by a line that does. @param {URL} address */
function sameSite(address) {
  if (address.origin === location.origin) return address;
  return URL.createObjectURL(new Blob([`import ${JSON.stringify(address.href)};`], { type: "text/javascript" }));
}

/** An answer of the worker, or the news that there is none. @template T @param {(face: Face) => Promise<T>} call @returns {Promise<T>} */
function ask(call) {
  const { face, waiting } = worker();
  return new Promise((resolve, reject) => {
    waiting.add(reject);
    call(face).then(resolve, reject).finally(() => waiting.delete(reject));
  });
}

// ---- loading ----

/** @typedef {Awaited<ReturnType<import("./worker.js").WorkerFace["load"]>>} Loaded */
/** A model in the worker, or on its way there, and those who use it. */
class Shared {
  /** @param {Files[]} candidates @param {{ dtype: string, keep: boolean }} options @param {() => void} forget called when nobody uses it any more */
  constructor(candidates, options, forget) {
    this.forget = forget;
    this.users = 0;
    this.job = ++Shared.jobs;
    /** @type {Set<(progress: Progress) => void>} */
    this.listeners = new Set();
    const onProgress = Comlink.proxy((/** @type {Progress} */ progress) => this.listeners.forEach((listener) => tell(listener, progress)));
    this.loaded = ask((face) => /** @type {Promise<any>} */ (face.load(candidates, options, this.job, onProgress)));
    this.loaded.catch(forget);
  }

  static jobs = 0;

  /** @param {((progress: Progress) => void) | undefined} listener @param {AbortSignal | undefined} signal */
  async join(listener, signal) {
    this.users += 1;
    if (listener) this.listeners.add(listener);
    try {
      return await abortable(this.loaded, signal, "loading");
    } catch (error) {
      this.leave();
      throw error;
    } finally {
      if (listener) this.listeners.delete(listener);
    }
  }

  /** The last one out frees the model, or stops the load. */
  leave() {
    this.users -= 1;
    if (this.users > 0) return;
    this.forget();
    ask((face) => face.abort(this.job)).catch(() => {});
    this.loaded.then(({ key }) => ask((face) => face.dispose(key))).catch(() => {});
  }
}

/** A listener that throws is the page's own trouble. @param {(progress: Progress) => void} listener @param {Progress} progress */
function tell(listener, progress) {
  try {
    listener(progress);
  } catch (error) {
    reportError(error);
  }
}

/** Models by what they were loaded from. @type {Map<string, Shared>} */
const shared = new Map();

/**
 * Loads a model. Loading the same address again gives the same weights, without another download, as long as one of
 * its models is not disposed of.
 * @param {Source} source a folder address relative to the page, a Hugging Face id, `{ config, tokenizer, weights }` as
 *   address, URL, File, Blob or bytes, or an array of Files; source.js has the rule that tells an address from an id
 * @param {LoadOptions} [options]
 * @returns {Promise<Model>}
 * @throws NetworkError, ConfigError, WeightsError, TokenizerError, MemoryError; AbortError; InputError
 */
export async function loadModel(source, options) {
  const { dtype = "f32", keep = true, onProgress, signal } = checked("loadModel", options, {
    dtype: rule.text,
    keep: rule.flag,
    onProgress: rule.listener,
    signal: rule.signal,
  });
  if (!DTYPES.includes(dtype)) throw problem("InputError", `\`dtype\` is ${shown(dtype)}, expected one of "${DTYPES.join('", "')}"`);
  const candidates = candidatesOf(source, base());
  throwIfAborted(signal, "loading");
  const of = sharedOf(candidates, { dtype, keep });
  return new Model(of, await of.join(onProgress, signal), placeOf(source));
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

/** @param {Files[]} candidates @param {{ dtype: string, keep: boolean }} options */
function sharedOf(candidates, options) {
  const files = identity(candidates);
  if (files === undefined) return new Shared(candidates, options, () => {});
  const address = `${options.dtype} ${files}`;
  const known = shared.get(address);
  if (known) return known;
  const fresh = new Shared(candidates, options, () => {
    if (shared.get(address) === fresh) shared.delete(address);
  });
  shared.set(address, fresh);
  return fresh;
}

/**
 * The models that this browser keeps for this site, the last used first. Each is removed when another needs its place
 * and it was not used for longest; the browser may remove all of them.
 * @returns {Promise<StoredModel[]>} none where the browser keeps nothing
 */
export async function storedModels() {
  return ask((face) => face.stored());
}

/**
 * Removes what is kept of a model, in every dtype, or of all models. A model that is loaded stays usable.
 * @param {Source} [source] as for loadModel
 * @returns {Promise<number>} how many were removed
 */
export async function forgetStored(source) {
  const candidates = source === undefined ? undefined : candidatesOf(source, base());
  return ask((face) => face.forgetStored(candidates));
}

// ---- the model ----

export class Model {
  /** @type {{ leave(): void } | undefined} */
  #shared;
  #key;
  #place;

  /** Use loadModel. @param {{ leave(): void }} of @param {Loaded} loaded @param {string} place @param {readonly Transform[]} [transforms] */
  constructor(of, loaded, place, transforms = []) {
    this.#shared = of;
    this.#key = loaded.key;
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
  }

  /**
   * @param {Input} input
   * @param {{ prependBos?: boolean }} [options] put the config's `bos_token_id` in front (default false)
   * @returns {Promise<Tokens>} of a text, the strings joined give it back exactly
   */
  async tokenize(input, options) {
    const { prependBos = false } = checked("tokenize", options, { prependBos: rule.flag });
    const tokens = textOrIds(input);
    return this.#ask((face, key) => face.tokenize(key, tokens, prependBos));
  }

  /** @param {Ids} ids @returns {Promise<string>} bytes that are no character become U+FFFD */
  async detokenize(ids) {
    const list = asIds(ids);
    return this.#ask((face, key) => face.detokenize(key, list));
  }

  /**
   * One forward pass, captured where `names` say.
   * @param {Input} input
   * @param {RunOptions} [options]
   * @returns {Promise<Run>}
   * @throws HookError when a name matches nothing; InputError when the input does not fit the model
   */
  async runWithCache(input, options) {
    const { rest } = split("runWithCache", options, {});
    const tokens = textOrIds(input);
    const plain = this.#request("runWithCache", rest);
    const { logits, residual, cache, gradients, headScores, ...scores } = await this.#ask((face, key) => face.runWithCache(key, tokens, plain));
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
  async *generate(input, options) {
    const { local, rest } = split("generate", options, LOCAL.generate);
    const { signal } = local;
    const tokens = textOrIds(input);
    const plain = this.#request("generate", rest);
    throwIfAborted(signal, "generating");
    const generation = await this.#ask((face, key) => face.generate(key, tokens, plain));
    try {
      for (;;) {
        const step = await abortable(ask((face) => /** @type {Promise<any>} */ (face.next(generation))), signal, "generating");
        if (step === undefined) return;
        yield { ...step, cache: this.#cache(step.cache) };
      }
    } finally {
      ask((face) => face.stop(generation)).catch(() => {});
    }
  }

  /**
   * "Copy as TransformerLens": a script that does the same on TransformerLens 4 (TransformerBridge), with the tokens as
   * ids and the values of interventions as numbers. It prints what it finds as one line of JSON.
   * @param {Call} call such as { runWithCache: { input: "To be", names: ["*"] } }: a method and its options
   * @param {{ folder?: string }} [options] where the script finds the model: a folder or a Hugging Face id (default
   *   what this model was loaded from)
   * @returns {Promise<string>}
   * @throws HookError for an intervention that is a function; ConfigError where TransformerLens computes something else;
   *   otherwise as the method itself
   */
  async toPython(call, options) {
    const { folder = this.#place } = checked("toPython", options, { folder: rule.text });
    if (this.transforms.length > 0) {
      const done = this.transforms.join(", ");
      throw problem("InputError", `the weights were rewritten (${done}), and Python would load the checkpoint's own: ask the model that was loaded`);
    }
    const [name, { input, ...given }] = callOf(call);
    const takesInput = !name.endsWith("atching"); // patching and pathPatching have two
    const { rest } = split(name, takesInput ? given : { ...given, input }, LOCAL[name]);
    const tokens = takesInput ? textOrIds(input) : undefined;
    const request = { ...this.#request(name, rest), ...(name === "integratedGradients" && { input: tokens }) };
    return this.#ask((face, key) => face.toPython(key, name, tokens, request, wellFormed(folder, "`folder` of toPython")));
  }

  /**
   * The same model with other weights that predict the same and are easier to read, as TransformerLens's: never done
   * unasked. It is a model of its own, to be disposed of by itself.
   * @param {readonly Transform[]} transforms one after the other, such as ["fold_ln", "center_writing_weights"]
   * @returns {Promise<Model>}
   * @throws InputError when there is no such transform
   */
  async transformed(transforms) {
    if (!Array.isArray(transforms) || !rule.texts.fits(transforms)) throw problem("InputError", `the transforms are ${shown(transforms)}, expected an array of names such as "fold_ln"`);
    const loaded = await this.#ask((face, key) => face.transform(key, transforms));
    const leave = () => void ask((face) => face.dispose(loaded.key)).catch(() => {});
    return new Model({ leave }, loaded, this.#place, [...this.transforms, ...transforms]);
  }

  /** Frees the memory, unless the same model was loaded elsewhere on the page. Later calls reject with an InputError. */
  dispose() {
    this.#shared?.leave();
    this.#shared = undefined;
  }

  /** @param {(face: Face, key: number) => Promise<any>} call @returns {Promise<any>} */
  async #ask(call) {
    if (!this.#shared) throw problem("InputError", "the model was disposed of: load it again");
    return ask((face) => call(face, this.#key));
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
    throwIfAborted(signal, name);
    const measurement = await this.#ask((face, key) => face.measure(key, name, request));
    /** @param {(face: Face) => any} call */
    const next = (call) => abortable(ask((face) => /** @type {Promise<any>} */ (call(face))), signal, name);
    try {
      for (let more = true; more; ) {
        const progress = await next((face) => face.advance(measurement));
        onProgress?.({ done: progress.done, total: progress.total });
        more = progress.more;
      }
      const { tables, numbers, texts } = await next((face) => face.findings(measurement));
      const tensors = Object.entries(tables).map(([key, table]) => [key, tensor(/** @type {Numbers} */ (table))]);
      return { ...Object.fromEntries(tensors), ...numbers, ...texts };
    } finally {
      ask((face) => face.forget(measurement)).catch(() => {});
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

/** Options that stay here, by method: all others are known where they are read (src/lab, src/wasm.rs). @type {Record<string, import("./check.js").Rule>} */
const PROGRESSING = { signal: rule.signal, onProgress: rule.listener };

/** The same of what can be printed as Python too. @type {Record<string, Record<string, import("./check.js").Rule>>} */
const LOCAL = {
  runWithCache: {},
  generate: { signal: rule.signal },
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

/** @typedef {{ data: Float32Array, shape: number[], axes: string[], labels?: Record<string, string[]> }} Numbers */
/** @param {Numbers} numbers */
function tensor({ data, shape, axes, labels }) {
  return new Tensor(data, shape, axes, labels);
}

// ---- aborting ----

/** @param {string} what @param {AbortSignal | undefined} signal */
function aborted(what, signal) {
  const reason = signal?.reason instanceof Error && signal.reason.name !== "AbortError" ? `: ${signal.reason.message}` : "";
  return problem("AbortError", `${what} was aborted${reason}`);
}

/** @param {AbortSignal | undefined} signal @param {string} what */
function throwIfAborted(signal, what) {
  if (signal?.aborted) throw aborted(what, signal);
}

/** The promise's outcome, or an AbortError as soon as the signal fires. @template T @param {Promise<T>} promise @param {AbortSignal | undefined} signal @param {string} what @returns {Promise<T>} */
function abortable(promise, signal, what) {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const stop = () => reject(aborted(what, signal));
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}
