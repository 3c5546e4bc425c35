// The activations that a run captured, by hook point.

import { createError, describe } from "./errors.js";
import { type HookName, hookName, nearest } from "./hook-names.js";
import type { Tensor } from "./tensor.js";

/** What a run captured. */
export class Cache {
  #tensors;
  #points;
  #gradients;

  /**
   * @param tensors by name, in firing order
   * @param points the model's
   */
  constructor(
    tensors: ReadonlyMap<string, Tensor>,
    points: readonly { name: string }[],
    gradients: ReadonlyMap<string, Tensor> = new Map(),
  ) {
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
   * @param name "blocks.2.attn.hook_pattern" or ["pattern", 2]
   * @throws HookError if it was not captured
   */
  get(name: HookName): Tensor {
    const full = hookName(name, this.#points);
    const found = this.#tensors.get(full);
    if (found) return found;
    const near = nearest(full, this.names())
      .map((one) => `"${one}"`)
      .join(", ");
    throw createError(
      "HookError",
      `${describe(full)} was not captured: ${near ? `the nearest that were are ${near}` : "nothing was; ask for it in `names`"}`,
    );
  }

  /**
   * The gradient of the run's `gradientsOf` with respect to the activation, which has the same shape and axes.
   * @throws HookError if there is none
   */
  gradient(name: HookName): Tensor {
    const full = hookName(name, this.#points);
    const found = this.#gradients.get(full);
    if (found) return found;
    const why = this.#gradients.size ? "it was not captured" : "ask for it in `gradientsOf`";
    throw createError("HookError", `there is no gradient at ${describe(full)}: ${why}`);
  }
}
