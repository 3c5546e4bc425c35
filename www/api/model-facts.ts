// What is known of a loaded model without a call to the worker.

import type {
  Backend,
  Checkpoint,
  Config,
  HookPoint,
  Notice,
  Parameter,
  Transform,
} from "./generated.js";
import type { LoadedModel } from "./worker-api.js";

/** Where a model was loaded from. */
export interface ModelOrigin {
  /** for scripts and files: the address or id; "the model's folder" if it was files */
  folder: string;
  /** what loadModel takes on any page: an absolute address or "hf:owner/name"; null if nobody else can load the same model */
  address: string | null;
}

export class ModelFacts {
  /** The address or id that it was loaded from; "the model's folder" if it was files. */
  readonly source: string;
  /**
   * What loadModel takes on any page to load the same model: an absolute address or "hf:owner/name". Null for files from this
   * machine, and for a model that was derived from another one.
   */
  readonly address: string | null;
  /** The transforms of the checkpoint's weights, in the order in which they were applied. */
  readonly transforms: readonly Transform[];
  /** Hugging Face field names. */
  readonly config: Readonly<Config>;
  /** Every tensor of the checkpoint once, in the order of the forward pass. */
  readonly parameters: readonly Parameter[];
  readonly parameterCount: number;
  /** In firing order. */
  readonly hookPoints: readonly HookPoint[];
  readonly backend: Readonly<Backend>;
  /** Whether the model takes text, or only token ids. */
  readonly hasTokenizer: boolean;
  /** What the model was read from: the family and the format of its files. */
  readonly checkpoint: Readonly<Checkpoint>;
  /** Notices about the model's files. */
  readonly report: readonly Notice[];

  /** @internal */
  constructor(
    loaded: LoadedModel,
    { folder, address }: ModelOrigin,
    transforms: readonly Transform[],
  ) {
    this.source = folder;
    this.address = address;
    this.transforms = transforms;
    this.config = loaded.config;
    this.parameters = loaded.parameters;
    this.parameterCount = loaded.parameterCount;
    this.hookPoints = loaded.hookPoints;
    this.backend = loaded.backend;
    this.hasTokenizer = loaded.hasTokenizer;
    this.checkpoint = loaded.checkpoint;
    this.report = loaded.report;
  }
}
