// Interventions of the API as the page keeps them: plain data, which a snapshot says and a live figure repeats.

import { createError } from "../errors.js";
import type { Intervention } from "../generated.js";

/** @throws InputError for one that is no plain data, such as a function or a value from a cache */
export function plainInterventions(interventions: readonly Intervention[]): unknown[] {
  return [...interventions].map((one, place) => {
    const { at, do: action, ...selection } = one;
    const plain = plainAction(action);
    const selected = JSON.stringify(selection);
    if (typeof at !== "string" || plain === null || selected.includes("null"))
      throw createError(
        "InputError",
        `intervention ${place} cannot be written to a snapshot: expected the name of a hook point, and "zero", "mean", { scale }, { set }, { add } or { knockOut } with numbers`,
      );
    return { at, ...JSON.parse(selected), do: plain };
  });
}

function plainAction(action: Intervention["do"]): unknown {
  if (action === "zero" || action === "mean") return action;
  if (typeof action !== "object" || action === null) return null;
  if ("scale" in action || "knockOut" in action) return JSON.parse(JSON.stringify(action));
  if ("set" in action) {
    const set = numbersOf(action.set);
    return set === null ? null : { set };
  }
  if ("add" in action) {
    const add = numbersOf(action.add);
    return Array.isArray(add) ? { add, times: 1 } : null;
  }
  return null;
}

/** A number or a list of numbers; null for a tensor with several axes, whose meaning a list would not tell. */
function numbersOf(value: unknown): number | number[] | null {
  if (typeof value === "number") return value;
  if (ArrayBuffer.isView(value)) return Array.from(value as Float32Array);
  const isList = Array.isArray(value) && value.every((one) => typeof one === "number");
  return isList ? value : null;
}
