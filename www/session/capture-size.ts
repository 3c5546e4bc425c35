// How large what a run captures is, before it runs.

import type { HookPoint } from "../api/generated.js";
import { createError } from "../api/errors.js";
import { formatBytes } from "../draw/format.js";
import { lengthOf } from "./model-outline.js";

/** The page holds the numbers twice while it makes a file of them. */
export const MAX_CAPTURED_BYTES = 2 ** 30;

/**
 * The bytes of the numbers at some hook points, for a text of `length` tokens.
 * @param names of `points`
 * @throws InputError if they are more than the page makes a file of
 */
export function capturedBytes(
  names: readonly string[],
  points: readonly HookPoint[],
  config: Parameters<typeof lengthOf>[1],
  length: number,
): number {
  const wanted = new Set(names);
  const sizes: Readonly<Record<string, number>> = {
    ...{ batch: 1, pos: length, query: length, key: length, "1": 1 },
  };
  const bytes = points
    .filter(({ name }) => wanted.has(name))
    .map(({ axes }) =>
      axes.reduce((product, axis) => product * (sizes[axis] ?? lengthOf(axis, config) ?? NaN), 4),
    )
    .reduce((sum, one) => sum + one, 0);
  if (bytes > MAX_CAPTURED_BYTES)
    throw createError(
      "InputError",
      `the chosen hook points have ${formatBytes(bytes)} for this text, expected at most ${formatBytes(MAX_CAPTURED_BYTES)}: choose fewer of them, or a shorter text`,
    );
  return bytes;
}
