// What the page shows, as the fragment of an address: #prompt=…&layer=1&head=2

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
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(shown)) {
    if (value !== undefined) params.set(name, serialize(value));
  }
  return params.toString();
}

function serialize(value: Shown[keyof Shown]) {
  if (Array.isArray(value)) return value.map(({ layer, head }) => `${layer}.${head}`).join(",");
  return typeof value === "object" ? `${value.query ?? ""},${value.key ?? ""}` : String(value);
}

/**
 * Unknown names and values are ignored, because an address may be typed by hand.
 * @param hash with or without its #
 */
export function read(hash: string): Shown {
  const params = new URLSearchParams(hash.replace(/^#/, ""));
  const shown: Shown = {};
  for (const name of ["model", "prompt", "view", "hook"] as const) {
    const value = params.get(name);
    if (value !== null) shown[name] = value;
  }
  for (const name of ["layer", "head"] as const) {
    const value = params.get(name);
    if (value !== null && /^\d+$/.test(value)) shown[name] = Number(value);
  }
  const scale = params.get("scale");
  if (scale === "linear" || scale === "sqrt") shown.scale = scale;
  const direction = params.get("direction");
  if (direction === "from" || direction === "to") shown.direction = direction;
  const lock = /^(\d*),(\d*)$/.exec(params.get("lock") ?? "");
  if (lock?.[1]) shown.lock = { query: Number(lock[1]) };
  if (lock?.[2]) shown.lock = { ...shown.lock, key: Number(lock[2]) };
  const off = (params.get("off") ?? "").split(",").flatMap((word) => {
    const found = /^(\d+)\.(\d+)$/.exec(word);
    return found ? [{ layer: Number(found[1]), head: Number(found[2]) }] : [];
  });
  if (off.length > 0) shown.off = off;
  return shown;
}
