// The Model class: the methods of a loaded model, which runs in the page's worker.

import type { BatchRun } from "./batch.js";
import { Cache } from "./cache.js";
import { createError } from "./errors.js";
import type {
  Attribution,
  AttributionOptions,
  Circuits,
  CircuitsOptions,
  CompositionScores,
  CompositionScoresOptions,
  GenerateOptions,
  HeadScores,
  HeadScoresOptions,
  Input,
  Inputs,
  IntegratedGradients,
  IntegratedGradientsOptions,
  LogitLens,
  LogitLensOptions,
  MeansOptions,
  MostActive,
  MostActiveOptions,
  ParameterOptions,
  PathPatching,
  PathPatchingOptions,
  Patching,
  PatchingOptions,
  Residual,
  ResidualOptions,
  Run,
  RunOptions,
  Step,
  TokenScores,
  TokenScoresOptions,
  Tokens,
  Transform,
} from "./generated.js";
import {
  type BatchStep,
  failingGeneration,
  generate,
  type Steps,
  withSampling,
} from "./generation.js";
import { checkUnicode, type Ids, readAnyInput, readIds, readInput } from "./input.js";
import type { Averaged, PatchingBatchOptions } from "./measurement.js";
import { ModelCalls } from "./model-calls.js";
import { ModelFacts, type ModelOrigin } from "./model-facts.js";
import { ModelHandle } from "./model-handle.js";
import {
  CANCELLABLE,
  type Cancellable,
  checkOptions,
  type Progressing,
  rule,
  SHOWING,
  type Showing,
  type ShowingProgress,
  splitOptions,
} from "./options.js";
import {
  type NewWeights,
  type ParameterName,
  readParameter,
  readTransforms,
  serializeWeights,
  type Weight,
} from "./parameters.js";
import { platform } from "./platform.js";
import { checkLoadable, type ModelCall, readCall } from "./python-call.js";
import { isIterable } from "./realms.js";
import type { AnyRun, StoppedRun } from "./results.js";
import { runCall, type Stops, type Whole } from "./run-call.js";
import { Selection } from "./selection.js";
import { type HookSelector, selectPoints } from "./selectors.js";
import type { Snapshot } from "./snapshot/format.js";
import type { SnapshotOptions } from "./snapshot/take.js";
import { type SourceFile, tokenizerFiles } from "./source.js";
import type { LoadedModel, WorkerApi } from "./worker-api.js";

/** A loaded model. */
export class Model extends ModelFacts {
  #calls;

  /**
   * Use loadModel.
   * @internal
   */
  constructor(
    handle: ModelHandle,
    loaded: LoadedModel,
    origin: ModelOrigin,
    transforms: readonly Transform[] = [],
  ) {
    super(loaded, origin, transforms);
    this.#calls = new ModelCalls(handle, loaded.hookPoints);
  }

  /**
   * The hook points that a selector selects: "pattern", ["z", [0, -1]], /mlp/, (point) => point.axes.includes("head").
   * @throws HookError if there is none
   */
  select(selector: HookSelector): Selection {
    return new Selection(selectPoints(selector, this.hookPoints), this.hookPoints);
  }

  /**
   * A weight, as a tensor with named axes: the numbers that the model computes with, and a `note` if they were rounded.
   * @param name "blocks.0.attn.W_Q", "h.0.attn.c_attn.weight", ["W_Q", 0]; "W_Q" has an axis `layer` in front
   * @param options an index or a list along any of its axes, so that only a part is copied: { head: 3 }
   * @throws InputError with the reason or the nearest names; MemoryError; AbortError
   */
  async parameter(name: ParameterName, options?: ParameterOptions & Cancellable): Promise<Weight> {
    return readParameter(this.#calls.handle, name, options);
  }

  /**
   * The tokens of a text, or the same ids with their strings. The strings of a text, joined, are the text.
   * @param options prependBos: put the config's `bos_token_id` in front (default false)
   * @throws InputError without a tokenizer; AbortError
   */
  async tokenize(input: Input, options?: { prependBos?: boolean } & Cancellable): Promise<Tokens> {
    const { prependBos = false, signal } = checkOptions("tokenize", options, {
      prependBos: rule.flag,
      ...CANCELLABLE,
    });
    const prompt = readInput(input);
    return this.#calls.call("tokenize", { signal }, (api, key) =>
      api.tokenize(key, prompt, prependBos),
    );
  }

  /**
   * The name of each token, which depends only on its id. If a token is not whole UTF-8, its string has U+FFFD, and its bytes
   * identify it. An id that the model has and the tokenizer has not is called ⟨350⟩.
   * @throws InputError if an id is not in the vocabulary; AbortError
   */
  async tokenNames(ids: Ids, options?: Cancellable): Promise<Tokens> {
    const { signal } = checkOptions("tokenNames", options, CANCELLABLE);
    const list = readIds(ids);
    return this.#calls.call("tokenNames", { signal }, (api, key) => api.tokenNames(key, list));
  }

  /**
   * The text of token ids. Bytes that are not UTF-8 become U+FFFD.
   * @throws InputError if an id is not in the vocabulary; AbortError
   */
  async detokenize(ids: Ids, options?: Cancellable): Promise<string> {
    const { signal } = checkOptions("detokenize", options, CANCELLABLE);
    const list = readIds(ids);
    return this.#calls.call("detokenize", { signal }, (api, key) => api.detokenize(key, list));
  }

  /**
   * One forward pass over a text, or several as a batch, which captures the activations that `names` selects.
   * @throws HookError if a name matches nothing; InputError if the input does not fit the model; MemoryError; AbortError
   */
  async runWithCache(input: Input, options?: RunOptions & Showing & Whole): Promise<Run>;
  async runWithCache(input: Input, options: RunOptions & Showing & Stops): Promise<StoppedRun>;
  async runWithCache(input: Input, options?: RunOptions & Showing): Promise<AnyRun>;
  async runWithCache(inputs: Inputs, options?: RunOptions & Showing & Whole): Promise<BatchRun>;
  async runWithCache(
    inputs: Inputs,
    options: RunOptions & Showing & Stops,
  ): Promise<BatchRun<StoppedRun>>;
  async runWithCache(inputs: Inputs, options?: RunOptions & Showing): Promise<BatchRun<AnyRun>>;
  async runWithCache(input: Input | Inputs, options?: RunOptions & Showing) {
    const { local, sent } = splitOptions("runWithCache", options, SHOWING);
    const { send, toResult } = runCall(input, this, (rows) =>
      this.#calls.serialize("runWithCache", sent, rows),
    );
    return toResult(await this.#calls.call("runWithCache", local, send));
  }

  /**
   * Continues `input`, one step for each token; several inputs together, each as if alone. The generation is freed when the
   * caller leaves the loop or aborts it. Several may run at once. A list of seeds, one for each input, means `doSample: true`.
   * @throws at the first step: InputError; HookError; AbortError
   */
  generate(input: Input, options?: GenerateOptions & Showing): Steps<Step>;
  generate(inputs: Inputs, options?: GenerateOptions & Showing): Steps<BatchStep>;
  generate(input: Input | Inputs, options?: GenerateOptions & Showing): Steps<Step | BatchStep> {
    try {
      const { local, sent } = splitOptions("generate", withSampling(options), SHOWING);
      const serialize = (rows: number) => this.#calls.serialize("generate", sent, rows);
      return generate(() => this.#calls.handle, this.hookPoints, input, serialize, local);
    } catch (error) {
      return failingGeneration(error);
    }
  }

  /**
   * A Python script that does the same on TransformerLens 4 (TransformerBridge), with the tokens as ids and the values of
   * interventions as numbers. It prints its result as one line of JSON.
   * @param call such as { runWithCache: { input: "To be", names: ["*"] } }: a method and its options
   * @param options folder: the folder or Hugging Face id that the script loads the model from (default: the source of this
   *   model)
   * @throws HookError for an intervention that is a function; ConfigError if TransformerLens computes something else;
   *   otherwise as the method itself
   */
  async toPython(call: ModelCall, options?: { folder?: string } & Cancellable): Promise<string> {
    const { folder, signal } = checkOptions("toPython", options, {
      folder: rule.text,
      ...CANCELLABLE,
    });
    checkLoadable(this, folder);
    const { name, input, options: given } = readCall(call);
    const request = this.#calls.serialize(name, given);
    const source = checkUnicode(folder ?? this.source, "`folder` of toPython");
    return this.#calls.call("toPython", { signal }, (api, key) =>
      api.toPython(key, name, input, request, source),
    );
  }

  /**
   * The same model with weights that predict the same and are easier to read, as in TransformerLens. It is a separate
   * model in f32, which must be disposed of too.
   * @param transforms in the order in which they are applied, such as ["fold_ln", "center_writing_weights"]
   * @throws InputError if there is no such transform; MemoryError; AbortError
   */
  async transformed(transforms: readonly Transform[], options?: Cancellable): Promise<Model> {
    const { signal } = checkOptions("transformed", options, CANCELLABLE);
    const names = readTransforms(transforms);
    const all = [...this.transforms, ...names];
    return this.#derived((api, key) => api.transform(key, names), all, signal);
  }

  /**
   * The same model with other numbers in some weights, which `report` lists. All others are shared. It must be disposed of too.
   * @param weights by the names that `parameter` takes, such as { "blocks.0.attn.W_O": tensor }
   * @throws InputError for a shape or axes that the weight does not have; MemoryError; AbortError
   */
  async withParameters(weights: NewWeights, options?: Cancellable): Promise<Model> {
    const { signal } = checkOptions("withParameters", options, CANCELLABLE);
    const list = serializeWeights(weights);
    return this.#derived((api, key) => api.withParameters(key, list), this.transforms, signal);
  }

  /**
   * The same model with another tokenizer, or with its first. The weights are shared; it must be disposed of too.
   * @param files one file or several, such as tokenizer.json, vocab.json and merges.txt, or meta.pkl: what they hold decides
   * @throws TokenizerError if the files are no tokenizer; InputError; NetworkError; AbortError
   */
  async withTokenizer(
    files: SourceFile | Iterable<SourceFile>,
    options?: Cancellable,
  ): Promise<Model> {
    const { signal } = checkOptions("withTokenizer", options, CANCELLABLE);
    const list = tokenizerFiles(isIterable(files) ? [...files] : files, platform.baseAddress());
    if (list.length === 0)
      throw createError("InputError", "no file of a tokenizer was given, expected one or more");
    return this.#derived((api, key) => api.withTokenizer(key, list), this.transforms, signal);
  }

  /** A model that the worker makes of this one. After the worker was replaced, it makes it again. */
  async #derived(
    make: (api: WorkerApi, key: number) => Promise<LoadedModel>,
    transforms: readonly Transform[],
    signal: AbortSignal | undefined,
  ): Promise<Model> {
    const parent = this.#calls.handle;
    const handle = new ModelHandle(async () => {
      const { connection, value } = await parent.borrow(make, (api, late) => api.dispose(late.key));
      const origins = "those of its parent, which were compared";
      return { connection, loaded: { ...value, origins } };
    });
    const origin = { folder: this.source, address: null };
    return new Model(handle, await handle.join(signal), origin, transforms);
  }

  /** Frees the memory, unless the same model was loaded elsewhere on the page. Later calls reject with an InputError. */
  dispose(): void {
    this.#calls.end();
  }

  /**
   * What the model would predict if it stopped at each layer. The final LayerNorm is computed from each residual stream.
   * @throws InputError; HookError; MemoryError; AbortError
   */
  async logitLens(input: Input, options?: LogitLensOptions & ShowingProgress): Promise<LogitLens> {
    return this.#calls.measure("logitLens", options, { input: readInput(input) });
  }

  /**
   * Direct logit attribution: how much each part of the residual stream adds to a logit or a difference of two. The shares
   * add up to the logit or the difference.
   * @throws InputError; HookError; AbortError
   */
  async attribution(
    input: Input,
    options: AttributionOptions & ShowingProgress,
  ): Promise<Attribution> {
    return this.#calls.measure("attribution", options, { input: readInput(input) });
  }

  /**
   * The residual stream that a reader sees in parts: what was written into it ("decomposed": the parts add up to the stream),
   * its states layer by layer ("accumulated"), or what each head ("heads") or neuron ("neurons") wrote.
   * @throws InputError; HookError; MemoryError; AbortError
   */
  async residual(input: Input, options?: ResidualOptions & ShowingProgress): Promise<Residual> {
    return this.#calls.measure("residual", options, { input: readInput(input) });
  }

  /**
   * The means of activations over all positions of some texts, for interventions: { do: { mean: means } }. Each value has one
   * position.
   * @throws HookError at attention scores and patterns, whose keys differ from position to position; InputError; AbortError
   */
  async means(options: MeansOptions & Progressing): Promise<Cache> {
    const found = await this.#calls.measure("means", options);
    const points = this.hookPoints.filter(({ name }) => name in found);
    return new Cache(new Map(points.map(({ name }) => [name, found[name]])), this.hookPoints);
  }

  /**
   * Previous-token, duplicate-token and induction score of every head, and the similarity of its attention to `pattern`.
   * @param input default: random tokens repeated twice
   * @throws InputError; HookError; AbortError
   */
  async headScores(
    input?: Input,
    options?: HeadScoresOptions & ShowingProgress,
  ): Promise<HeadScores>;
  async headScores(
    inputs: Inputs,
    options?: HeadScoresOptions & ShowingProgress,
  ): Promise<Averaged<HeadScores>>;
  async headScores(input?: Input | Inputs, options?: HeadScoresOptions & ShowingProgress) {
    return this.#calls.measure("headScores", options, { input: readAnyInput(input) });
  }

  /**
   * The metric under every patch of one run's activations into the other's.
   * @throws InputError; HookError; MemoryError; AbortError
   */
  async patching(options: PatchingOptions & Progressing): Promise<Patching>;
  async patching(options: PatchingBatchOptions & Progressing): Promise<Averaged<Patching>>;
  async patching(options: (PatchingOptions | PatchingBatchOptions) & Progressing) {
    return this.#calls.measure("patching", options);
  }

  /**
   * The metric if one head's output reaches only the given receivers from the other run, and everything else is frozen.
   * @throws InputError; HookError; MemoryError; AbortError
   */
  async pathPatching(options: PathPatchingOptions & Progressing): Promise<PathPatching> {
    return this.#calls.measure("pathPatching", options);
  }

  /**
   * Each token's share in a metric, from zero embeddings or those of `baseline`.
   * @throws InputError; MemoryError; AbortError
   */
  async integratedGradients(
    input: Input,
    options: IntegratedGradientsOptions & Progressing,
  ): Promise<IntegratedGradients> {
    return this.#calls.measure("integratedGradients", options, { input: readInput(input) });
  }

  /**
   * What a head does on any text: singular values and vectors of W_V W_O and W_Q W_K^T, read as tokens.
   * @throws InputError if there is no such head; WeightsError if a weight is not finite; AbortError
   */
  async circuits(options: CircuitsOptions & Progressing): Promise<Circuits> {
    return this.#calls.measure("circuits", options);
  }

  /**
   * How much each head writes into what each later head reads.
   * @throws InputError; WeightsError if a weight is not finite; AbortError
   */
  async compositionScores(
    options: CompositionScoresOptions & Progressing,
  ): Promise<CompositionScores> {
    return this.#calls.measure("compositionScores", options);
  }

  /**
   * Loss and rank of each next token, and the entropy of each distribution.
   * @throws InputError; HookError; AbortError
   */
  async tokenScores(
    input: Input,
    options?: TokenScoresOptions & ShowingProgress,
  ): Promise<TokenScores> {
    return this.#calls.measure("tokenScores", options, { input: readInput(input) });
  }

  /**
   * The positions in some texts at which a neuron, or any other number of an activation, is greatest.
   * @throws HookError if the point has no positions or needs a head; InputError; AbortError
   */
  async mostActive(options: MostActiveOptions & Progressing): Promise<MostActive> {
    return this.#calls.measure("mostActive", options);
  }

  /**
   * What a figure of the text shows, as plain data: JSON.stringify writes the file that <candle-scope src> draws without a model.
   * The views "attention", "lines", "log-probability", "heads" and "lens" can be written; the page exports all of them.
   * @throws InputError for another view, a head that the model lacks or a text that is too long; HookError; MemoryError; AbortError
   */
  async snapshot(input: Input, options?: SnapshotOptions & Cancellable): Promise<Snapshot> {
    const prompt = readInput(input);
    const { takeSnapshot } = await import("./snapshot/take.js");
    return takeSnapshot(this, prompt, options);
  }
}
