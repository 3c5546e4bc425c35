// The activations that a run captured, by hook point.

import { createError, describe } from "./errors.js";
import { nearest, type SelectablePoint } from "./hook-names.js";
import { type HookSelector, listed, selectPoints } from "./selectors.js";
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
    points: readonly SelectablePoint[],
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
