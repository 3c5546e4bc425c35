// A run of several texts: each result as one padded tensor, and the run of each text.

import type { Cache } from "./cache.js";
import { createError } from "./errors.js";
import type { HeadVisOptions } from "./export/headvis.js";
import type { Captures } from "./export/named.js";
import type { NpzOptions } from "./export/npz.js";
import type { SafetensorsOptions } from "./export/safetensors.js";
import type { Run } from "./generated.js";
import { type PaddingSide, stackPadded } from "./padding.js";
import type { AnyRun } from "./results.js";
import type { HookSelector } from "./selectors.js";
import { Tensor, type TensorArray } from "./tensor.js";

/**
 * The runs of several texts as one. Every tensor has the axis `batch` first. The shorter texts are padded to the longest, with
 * NaN: the model computes no padding, so nothing there is a number of the model. `mask` says where the tokens are.
 */
export class BatchRun<Row extends AnyRun = Run> {
  /** where the shorter texts are padded */
  readonly paddingSide: PaddingSide;
  /** What was captured. */
  readonly cache: BatchCache;
  #rows;
  #stacked: Map<string, Tensor<TensorArray> | null> = new Map();

  /** @internal */
  constructor(rows: readonly Row[], paddingSide: PaddingSide) {
    this.#rows = rows;
    this.paddingSide = paddingSide;
    const caches = rows.map(({ cache }) => cache);
    this.cache = new BatchCache(caches, paddingSide);
  }

  /** How many texts there are. */
  get length(): number {
    return this.#rows.length;
  }

  /** The tokens over `batch pos`; 4294967295, which is no token, in the padding. */
  get ids(): Tensor<Uint32Array> {
    return this.#tensors(({ ids }) => ids, "ids");
  }

  /** 1 for a token, 0 for padding, over `batch pos`: the `attention_mask` of transformers. */
  get mask(): Tensor {
    return this.#tensors(({ ids }) => ids.map(() => 1), "mask", 0);
  }

  /** Over `batch pos vocab`; null if the runs stopped at a layer. */
  get logits(): Row["logits"] {
    return this.#tensors(({ logits }) => logits, "logits");
  }

  /** Over `batch pos d_model`, if the runs stopped at a layer; otherwise null. */
  get residual(): Row["residual"] {
    return this.#tensors(({ residual }) => residual, "residual");
  }

  /** The mean of -logProbs of each text, over `batch`; NaN for a single token, null if the runs stopped at a layer. */
  get loss(): Row["loss"] extends null ? null : Tensor {
    const of = ({ loss }: Row) => loss ?? Number.NaN;
    const stopped = this.#rows[0].logits === null;
    const loss = stopped
      ? null
      : new Tensor(Float32Array.from(this.#rows, of), [this.length], ["batch"]);
    return loss as Row["loss"] extends null ? null : Tensor;
  }

  /** The log-probability of each true next token in nats, over `batch pos`: one position fewer than `ids`. */
  get logProbs(): Tensor {
    return this.#tensors(({ logProbs }) => logProbs, "logProbs");
  }

  /** How many tokens have a greater logit than the true next token, over `batch pos`. NaN if the logits are not finite. */
  get ranks(): Tensor {
    return this.#tensors(({ ranks }) => ranks, "ranks");
  }

  /** The scores of heads, over `batch score layer head`; null unless the option asks for them. */
  get headScores(): Tensor | null {
    return this.#tensors(({ headScores }) => headScores, "headScores");
  }

  /**
   * The run of one text, without padding.
   * @param index negative from the end
   * @throws InputError if there is no such text
   */
  row(index: number): Row {
    return this.#rows[rowIndex(index, this.length)];
  }

  /** The run of each text. */
  [Symbol.iterator](): Iterator<Row> {
    return this.#rows[Symbol.iterator]();
  }

  #tensors<T extends Tensor<TensorArray> | null>(
    of: (row: Row) => T,
    name: string,
    fill?: number,
  ): T {
    return this.#once(name, () => {
      const parts = this.#rows.map(of);
      if (parts.every((part) => part === null)) return null;
      return stackPadded(parts.map(present), this.paddingSide, fill);
    }) as T;
  }

  #once(name: string, make: () => Tensor<TensorArray> | null) {
    const found = this.#stacked.get(name) ?? make();
    this.#stacked.set(name, found);
    return found;
  }
}

/** What the runs of several texts captured. */
export class BatchCache {
  #rows;
  #side;
  /** by the tensor of the first text */
  #stacked: WeakMap<Tensor, Tensor> = new WeakMap();

  /** @internal */
  constructor(rows: readonly Cache[], side: PaddingSide) {
    this.#rows = rows;
    this.#side = side;
  }

  /** How many texts there are. */
  get length(): number {
    return this.#rows.length;
  }

  /** The names of what was captured, in the order in which it was computed. */
  names(): string[] {
    return this.#rows[0].names();
  }

  /**
   * The activation at a hook point, with the axes of the point; NaN in the padding.
   * @param selector as that of `get` of a `Cache`
   * @throws HookError if none or several of what it selects were captured
   */
  get(selector: HookSelector): Tensor {
    return this.#stack((cache) => cache.get(selector));
  }

  /**
   * The gradient of each run's own `gradientsOf` with respect to the activation, which has the same shape and axes.
   * @throws HookError if there is none
   */
  gradient(selector: HookSelector): Tensor {
    return this.#stack((cache) => cache.gradient(selector));
  }

  /**
   * What the run of one text captured, without padding.
   * @param index negative from the end
   * @throws InputError if there is no such text
   */
  row(index: number): Cache {
    return this.#rows[rowIndex(index, this.length)];
  }

  /**
   * As `toNpz` of a `Cache`, of every text together: each array has the axis `batch` first, and NaN in the padding.
   * @throws InputError
   */
  async toNpz(options?: NpzOptions): Promise<Blob> {
    const { npzFile } = await import("./export/npz.js");
    return npzFile(this.#captures, this.#rows[0].origin?.interventions ?? "", options);
  }

  /**
   * As `toSafetensors` of a `Cache`, of every text together. `ids` and `tokens` in the metadata have a list for each text.
   * @throws InputError
   */
  async toSafetensors(options?: SafetensorsOptions): Promise<Blob> {
    const { safetensorsFile } = await import("./export/safetensors.js");
    const origins = this.#rows.flatMap(({ origin }) => origin ?? []);
    return safetensorsFile(this.#captures, origins, true, options);
  }

  /**
   * As `toHeadVis` of a `Cache`, with a sequence for each text.
   * @throws InputError
   */
  async toHeadVis(options?: HeadVisOptions): Promise<Blob> {
    const { headVisFile } = await import("./export/headvis.js");
    const runs = this.#rows.map((row) => row.headVisRun);
    return headVisFile(runs, this.#rows[0].layers, options);
  }

  get #captures(): Captures<Tensor> {
    const { activations, gradients } = this.#rows[0].captures;
    return {
      activations: activations.map(([name]) => [name, this.get(name)]),
      gradients: gradients.map(([name]) => [name, this.gradient(name)]),
    };
  }

  #stack(of: (cache: Cache) => Tensor): Tensor {
    const first = of(this.#rows[0]);
    const found = this.#stacked.get(first) ?? stackPadded(this.#rows.map(of), this.#side);
    this.#stacked.set(first, found);
    return found;
  }
}

/** A result that every row has if one does: without a row, the others would stand at the index of another text. */
function present(part: Tensor<TensorArray> | null, row: number): Tensor<TensorArray> {
  if (part) return part;
  throw new Error(`row ${row} of the batch lacks what other rows have`);
}

/** @throws InputError */
function rowIndex(index: number, length: number): number {
  const row = index < 0 ? index + length : index;
  if (Number.isInteger(row) && row >= 0 && row < length) return row;
  throw createError(
    "InputError",
    `there is no text ${index} in the batch: expected a whole number from ${-length} to ${length - 1}`,
  );
}
