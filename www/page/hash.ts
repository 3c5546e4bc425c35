// What is on show, as an address that can be shared: #prompt=…&layer=1&head=2

import type { Stretch } from "../draw/scale.js";

export interface Shown {
  /** a folder address, or a Hugging Face id as "hf:owner/name" */
  model?: string;
  prompt?: string;
  layer?: number;
  head?: number;
  view?: string;
  scale?: Stretch;
  direction?: "from" | "to";
  /** a cell, a row or a column */
  lock?: { query?: number; key?: number };
  /** heads that are switched off */
  off?: { layer: number; head: number }[];
  /** the hook point whose values are drawn */
  hook?: string;
}

/** @returns without the leading # */
export function write(shown: Shown): string {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(shown)) {
    if (value !== undefined) words.set(name, wordOf(value));
  }
  return words.toString();
}

function wordOf(value: Shown[keyof Shown]) {
  if (Array.isArray(value)) return value.map(({ layer, head }) => `${layer}.${head}`).join(",");
  return typeof value === "object" ? `${value.query ?? ""},${value.key ?? ""}` : String(value);
}

/**
 * Reads what it understands and leaves out the rest: an address typed by hand must not break the page.
 * @param hash with or without its #
 */
export function read(hash: string): Shown {
  const words = new URLSearchParams(hash.replace(/^#/, ""));
  const shown: Shown = {};
  for (const name of ["model", "prompt", "view", "hook"] as const) {
    const value = words.get(name);
    if (value !== null) shown[name] = value;
  }
  for (const name of ["layer", "head"] as const) {
    const value = words.get(name);
    if (value !== null && /^\d+$/.test(value)) shown[name] = Number(value);
  }
  const scale = words.get("scale");
  if (scale === "linear" || scale === "sqrt") shown.scale = scale;
  const direction = words.get("direction");
  if (direction === "from" || direction === "to") shown.direction = direction;
  const lock = /^(\d*),(\d*)$/.exec(words.get("lock") ?? "");
  if (lock?.[1]) shown.lock = { query: Number(lock[1]) };
  if (lock?.[2]) shown.lock = { ...shown.lock, key: Number(lock[2]) };
  const off = (words.get("off") ?? "").split(",").flatMap((word) => {
    const found = /^(\d+)\.(\d+)$/.exec(word);
    return found ? [{ layer: Number(found[1]), head: Number(found[2]) }] : [];
  });
  if (off.length > 0) shown.off = off;
  return shown;
}
