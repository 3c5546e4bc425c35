// The check of a model's config: a figure has a cell for each head, so that sizes that no model has would stop the page.

import type { SnapshotModel } from "../../api/snapshot/format.js";
import { plain } from "./arrays.js";
import { type Check, recordOf, that, wrongField } from "./check.js";

/** More than any model has, and few enough to draw. */
const MAX_SIZES: Readonly<Record<string, number>> = {
  ...{ n_layer: 1000, n_head: 1000, vocab_size: 1e8 },
  ...{ n_embd: 1e6, n_inner: 1e7, n_positions: 1e8, n_ctx: 1e8 },
};
const NEEDED = ["n_layer", "n_head", "vocab_size"];

const bounded = that<number>(
  "a number of at most 1e12",
  (value) => typeof value !== "number" || Math.abs(value) <= 1e12,
);

export const config: Check<SnapshotModel["config"]> = (value, path) => {
  const found = recordOf(plain)(value, path);
  for (const [name, one] of Object.entries(found)) bounded(one, `${path}.${name}`);
  for (const [name, max] of Object.entries(MAX_SIZES)) {
    const size = found[name] ?? null;
    if (size === null && !NEEDED.includes(name)) continue;
    if (!Number.isSafeInteger(size) || Number(size) < 1 || Number(size) > max)
      throw wrongField(`${path}.${name}`, found[name], `a whole number from 1 to ${max}`);
  }
  return found;
};
