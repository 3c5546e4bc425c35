// The arrays of a cache under the names that files give them.

import { createError } from "../errors.js";
import type { Values } from "../tensor/values.js";

/** What a cache holds, as far as files of it need. */
export interface Captures<T extends Values = Values> {
  activations: readonly (readonly [name: string, value: T])[];
  gradients: readonly (readonly [name: string, value: T])[];
}

/**
 * Activations under the names of their hook points, and gradients with `_grad` behind it, as TransformerLens names them.
 * @param call for messages
 * @throws InputError if nothing was captured
 */
export function namedArrays<T extends Values>(
  { activations, gradients }: Captures<T>,
  call: string,
): (readonly [name: string, value: T])[] {
  const all = [
    ...activations,
    ...gradients.map(([name, value]) => [`${name}_grad`, value] as const),
  ];
  if (all.length === 0)
    throw createError("InputError", `${call}: nothing was captured; ask for it in \`names\``);
  return all;
}
