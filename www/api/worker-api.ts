// What the page asks of its worker: worker/worker.ts implements this interface, connection.ts calls it through Comlink.
//
// Arguments are plain data (serialize.ts) whose options are checked in Rust. Typed arrays in results are transferred. A
// model, a generation and a measurement are named by a key, which is valid until it is freed.

import type { ErrorDetails, ErrorName } from "./errors.js";
import type {
  Backend,
  Checkpoint,
  Choice,
  Config,
  HookPoint,
  Notice,
  Parameter,
  Tokens,
} from "./generated.js";
import type { LoadRequest } from "./load-request.js";
import type { ModelFile, ModelFiles } from "./model-files.js";
import type { PageFetch } from "./page-fetch.js";
import type { TensorArray } from "./tensor.js";

/**
 * How far a load is. A file of weights that cannot be read as a stream has two stages: "download", and "weights", in which its
 * tensors are read and converted. Within a stage, `loaded` never decreases.
 */
export interface Progress {
  stage: "config" | "tokenizer" | "download" | "weights";
  /** its name or address */
  file: string;
  /** bytes */
  loaded: number;
  /** bytes; undefined if the server does not say */
  total?: number;
}

/** A model that is kept in the browser. It is a source for loadModel and forgetStored. */
export interface StoredModel {
  /** names the copy */
  key: string;
  /** for people: the end of its address, or of the path of its files */
  name: string;
  /** the folder or file that it was loaded from; undefined for files from this machine */
  address: string | undefined;
  /** see Model.checkpoint */
  family: string;
  format: string;
  parameterCount: number;
  dtype: string;
  bytes: number;
  lastUsed: Date;
}

/** A model in the worker. */
export interface LoadedModel {
  /** names the model in later calls */
  key: number;
  /** the state of its files, as text; undefined if a server sends no strong validator */
  origins: string | undefined;
  isTransformed: boolean;
  config: Config;
  parameters: Parameter[];
  parameterCount: number;
  hookPoints: HookPoint[];
  backend: Backend;
  hasTokenizer: boolean;
  checkpoint: Checkpoint;
  report: Notice[];
}

/** The fields of a `Tensor`. */
export interface TensorData<Data extends TensorArray = Float32Array> {
  data: Data;
  shape: number[];
  axes: string[];
  labels?: Record<string, string[]>;
}

/** An activation that was captured. */
export interface Captured {
  name: string;
  value: TensorData;
}

/** A weight before its tensor is made. */
export interface WeightData {
  value: TensorData;
  name: string;
  note: string | null;
}

/** A weight to replace. */
export interface NewWeightData {
  name: string;
  shape: readonly number[];
  data: ArrayLike<number>;
  axes?: readonly string[];
}

/** A `Run` before its tensors and cache are made. */
export interface RunData {
  ids: TensorData<Uint32Array>;
  logits: TensorData | null;
  residual: TensorData | null;
  loss: number | null;
  logProbs: TensorData;
  ranks: TensorData;
  headScores: TensorData | null;
  cache: Captured[];
  gradients: Captured[];
}

/** A `Step` before its cache is made. */
export interface StepData {
  id: number;
  string: string;
  logProb: number;
  top: Choice[];
  cache: Captured[];
}

/** The result of a measurement before its tensors are made. */
export type MeasurementData = Record<string, unknown>;

/** What a function of an intervention showed. */
export interface ShownData {
  /** the number of the listener that it is for */
  listener: number;
  /** the selected values themselves, or any other data */
  value: unknown;
  isSelection: boolean;
  /** what was selected: the fields of `Selected` */
  name: string;
  axes: string[];
  shape: number[];
  positions: number[];
  indices: Record<string, number[]>;
  row: number;
}

/** How far a measurement is, in steps. */
export interface MeasurementProgress {
  /** whether steps are left */
  more: boolean;
  done: number;
  total: number;
}

/** Options that were made plain data. */
export type Request = Record<string, unknown>;
/** A text, or token ids. */
export type Prompt = string | Uint32Array;

/**
 * The functions of the worker. Each rejects with an error that has a stable name. The argument `listener` is the number of the
 * listener that gets what functions of interventions show meanwhile.
 */
export interface WorkerApi {
  /**
   * Loads a model.
   * @param job names the load for `abort`
   * @param onProgress a Comlink proxy, as `fetch` is; both are released at the end
   * @param fetch sends the requests in place of the worker
   */
  load(
    files: ModelFiles,
    request: LoadRequest,
    job: number,
    onProgress: (progress: Progress) => void,
    fetch?: PageFetch,
  ): Promise<LoadedModel>;
  /** Aborts a load. */
  abort(job: number): Promise<void>;
  /** The same model with its weights rewritten. */
  transform(key: number, transforms: readonly string[]): Promise<LoadedModel>;
  /** The same model with other numbers in some weights. */
  withParameters(key: number, weights: readonly NewWeightData[]): Promise<LoadedModel>;
  /** The same model with the tokenizer of these files. */
  withTokenizer(key: number, files: ModelFile[]): Promise<LoadedModel>;
  /**
   * A hash of config, tokenizer and weights. Undefined if the model is disposed of meanwhile, or if it is not needed and the rest
   * of the program would have to be fetched for it.
   */
  fingerprint(key: number, isNeeded: boolean): Promise<string | undefined>;
  /** Frees a model. */
  dispose(key: number): Promise<void>;

  /** Holds a Web Lock until the worker ends. False if the page may not use locks. */
  holdLock(name: string): Promise<boolean>;
  /** Resolves when the worker is not busy. */
  ping(): Promise<true>;

  /** The copies in the browser's storage, the last used first. */
  stored(): Promise<StoredModel[]>;
  /** Removes the copies of a model, or all; gives how many. */
  forgetStored(files?: ModelFiles): Promise<number>;

  parameter(key: number, name: string, options: Request): Promise<WeightData>;
  tokenize(key: number, input: Prompt, prependBos: boolean): Promise<Tokens>;
  tokenNames(key: number, ids: Uint32Array): Promise<Tokens>;
  detokenize(key: number, ids: Uint32Array): Promise<string>;
  runWithCache(
    key: number,
    input: Prompt,
    options: Request,
    listener: number | undefined,
  ): Promise<RunData>;
  /** One pass over several texts; gives what `runWithCache` gives for each. */
  runBatch(
    key: number,
    inputs: Prompt[],
    options: Request,
    listener: number | undefined,
  ): Promise<RunData[]>;
  toPython(
    key: number,
    call: string,
    input: Prompt | undefined,
    options: Request,
    folder: string,
  ): Promise<string>;

  /** Starts a generation; gives its key. */
  generate(key: number, input: Prompt, options: Request): Promise<number>;
  /** The next step of a generation; undefined at the end. */
  next(generation: number, listener: number | undefined): Promise<StepData | undefined>;
  /** Starts a generation of several texts; gives its key. */
  generateBatch(key: number, inputs: Prompt[], options: Request): Promise<number>;
  /** The next step of each of its texts, undefined for one that has ended; undefined at the end of all. */
  nextOfEach(
    generation: number,
    listener: number | undefined,
  ): Promise<(StepData | undefined)[] | undefined>;
  /** Frees a generation. */
  stop(generation: number): Promise<void>;

  /** Starts a measurement; gives its key. */
  measure(
    key: number,
    name: string,
    request: Request,
    listener: number | undefined,
  ): Promise<number>;
  /** Continues a measurement for about a frame, so that the worker can answer other calls in between. */
  advance(measurement: number, listener: number | undefined): Promise<MeasurementProgress>;
  /** The result of a measurement that has no steps left. */
  findings(measurement: number, listener: number | undefined): Promise<MeasurementData>;
  /** Frees a measurement. */
  forget(measurement: number): Promise<void>;
}

/** What the worker throws in place of an error with details. */
export interface SentError {
  sentError: { name: ErrorName; message: string; details: ErrorDetails };
}

/** Messages of the worker besides Comlink's. */
export interface WorkerMessage {
  /** the id of the Comlink message that the worker begins to handle */
  started?: string;
  /** why the worker must be replaced */
  failed?: string;
  shown?: ShownData;
}
