// The state of the page as the fragment of an address: #prompt=…&layer=1&head=2

import type { Stretch } from "../draw/scale.js";

export interface AddressState {
  /** a folder address, or a Hugging Face id as "hf:owner/name"; empty for files on a disk */
  model?: string;
  prompt?: string;
  /** the text of a model without a tokenizer */
  ids?: number[];
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
export function write(state: AddressState): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(state)) {
    if (value !== undefined) params.set(name, serialize(value));
  }
  return params.toString();
}

function serialize(value: AddressState[keyof AddressState]) {
  if (Array.isArray(value))
    return value
      .map((one) => (typeof one === "number" ? one : `${one.layer}.${one.head}`))
      .join(",");
  return typeof value === "object" ? `${value.query ?? ""},${value.key ?? ""}` : String(value);
}

/**
 * Unknown names and values are ignored, because an address may be typed by hand.
 * @param hash with or without its #
 */
export function read(hash: string): AddressState {
  const params = new URLSearchParams(hash.replace(/^#/, ""));
  const state: AddressState = {};
  for (const name of ["model", "prompt", "view", "hook"] as const) {
    const value = params.get(name);
    if (value !== null) state[name] = value;
  }
  for (const name of ["layer", "head"] as const) {
    const value = params.get(name);
    if (value !== null && /^\d+$/.test(value)) state[name] = Number(value);
  }
  const ids = params.get("ids") ?? "";
  if (/^\d+(,\d+)*$/.test(ids)) state.ids = ids.split(",").map(Number);
  const scale = params.get("scale");
  if (scale === "linear" || scale === "sqrt") state.scale = scale;
  const direction = params.get("direction") ?? params.get("look"); // its name in earlier addresses
  if (direction === "from" || direction === "to") state.direction = direction;
  const lock = /^(\d*),(\d*)$/.exec(params.get("lock") ?? "");
  if (lock?.[1]) state.lock = { query: Number(lock[1]) };
  if (lock?.[2]) state.lock = { ...state.lock, key: Number(lock[2]) };
  const off = (params.get("off") ?? "").split(",").flatMap((word) => {
    const found = /^(\d+)\.(\d+)$/.exec(word);
    return found ? [{ layer: Number(found[1]), head: Number(found[2]) }] : [];
  });
  if (off.length > 0) state.off = off;
  return state;
}
