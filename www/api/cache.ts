// The activations that a run captured, by hook point.

import { createError, describe } from "./errors.js";
import type { HeadVisOptions, HeadVisRun } from "./export/headvis.js";
import type { Captures } from "./export/named.js";
import type { NpzOptions } from "./export/npz.js";
import type { Origin } from "./export/origin.js";
import type { SafetensorsOptions } from "./export/safetensors.js";
import { nearest, type SelectablePoint } from "./hook-names.js";
import { type HookSelector, listed, selectPoints } from "./selectors.js";
import type { Tensor } from "./tensor.js";

/** What a run captured. */
export class Cache {
  #tensors;
  #points;
  #gradients;
  /** The model and the text that it is of; null if they are unknown. @internal */
  readonly origin: Origin | null;

  /**
   * @param tensors by name, in firing order
   * @param points the model's
   */
  constructor(
    tensors: ReadonlyMap<string, Tensor>,
    points: readonly SelectablePoint[],
    gradients: ReadonlyMap<string, Tensor> = new Map(),
    origin: Origin | null = null,
  ) {
    this.origin = origin;
    this.#tensors = tensors;
    this.#points = points;
    this.#gradients = gradients;
  }

  /** The names of what was captured, in the order in which it was computed. */
  names(): string[] {
    return [...this.#tensors.keys()];
  }

  /**
   * The activation at a hook point, with the axes of the point.
   * @param selector selects one of the captured points: "blocks.2.attn.hook_pattern", ["pattern", -1], or "pattern" if only one
   *   layer's was captured
   * @throws HookError if none or several of what it selects were captured
   */
  get(selector: HookSelector): Tensor {
    return this.#only(selector, this.#tensors, (name) => {
      const near = nearest(name, this.names())
        .map((one) => `"${one}"`)
        .join(", ");
      return `${describe(name)} was not captured: ${near ? `the nearest that were are ${near}` : "nothing was; ask for it in `names`"}`;
    });
  }

  /**
   * The gradient of the run's `gradientsOf` with respect to the activation, which has the same shape and axes.
   * @param selector as that of `get`
   * @throws HookError if there is none, or if there are several
   */
  gradient(selector: HookSelector): Tensor {
    return this.#only(selector, this.#gradients, (name) => {
      const why = this.#gradients.size ? "it was not captured" : "ask for it in `gradientsOf`";
      return `there is no gradient at ${describe(name)}: ${why}`;
    });
  }

  /**
   * What was captured as a NumPy file: `numpy.load` gives each array under the name of its hook point, bit for bit, and gradients
   * with `_grad` behind it. If there were interventions, `interventions` is their JSON.
   * @throws InputError if nothing was captured, or it has 4 GiB or more
   */
  async toNpz(options?: NpzOptions): Promise<Blob> {
    const { npzFile } = await import("./export/npz.js");
    return npzFile(this.captures, this.origin?.interventions ?? "", options);
  }

  /**
   * What was captured as a safetensors file, bit for bit, under the names of `toNpz`. Its metadata has the model, the axes of each
   * array, the interventions, and the ids and texts of the tokens.
   * @throws InputError if nothing was captured
   */
  async toSafetensors(options?: SafetensorsOptions): Promise<Blob> {
    const { safetensorsFile } = await import("./export/safetensors.js");
    return safetensorsFile(this.captures, this.origin ? [this.origin] : [], false, options);
  }

  /**
   * The captured attention patterns as the folder `data/` of HeadVis (Luger et al. 2026), in a zip file. HeadVis keeps only the
   * strongest attention of each query, with four decimals.
   * @throws InputError if no pattern was captured, or one is not whole or not finite
   */
  async toHeadVis(options?: HeadVisOptions): Promise<Blob> {
    const { headVisFile } = await import("./export/headvis.js");
    return headVisFile([this.headVisRun], this.layers, options);
  }

  /** @internal */
  get captures(): Captures<Tensor> {
    return { activations: [...this.#tensors], gradients: [...this.#gradients] };
  }

  /** @internal */
  get headVisRun(): HeadVisRun {
    return { activations: this.captures.activations, origin: this.origin };
  }

  /** How many layers with attention the model has. @internal */
  get layers(): number {
    return this.#points.filter(({ name }) => name.endsWith(".attn.hook_pattern")).length;
  }

  /** @param missing the message if there is none at the point of this name */
  #only(
    selector: HookSelector,
    tensors: ReadonlyMap<string, Tensor>,
    missing: (name: string) => string,
  ): Tensor {
    const exact = typeof selector === "string" && tensors.get(selector);
    if (exact) return exact;
    const isWritten = typeof selector === "string" && !/[*?/]/.test(selector);
    const isName = isWritten && selector.includes("hook_");
    const names = isName
      ? [selector]
      : selectPoints(selector, this.#points).map(({ name }) => name);
    const kept = names.filter((name) => tensors.has(name));
    const found = kept.length === 1 && tensors.get(kept[0]);
    if (found) return found;
    if (kept.length === 0) throw createError("HookError", missing(names[0]));
    throw createError(
      "HookError",
      `the selector selects ${kept.length} of what was captured, expected one: ${listed(kept)}`,
    );
  }
}
