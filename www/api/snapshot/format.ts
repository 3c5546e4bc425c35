// The format of a snapshot: what a figure shows, as one JSON file. docs/snapshots.md describes every field for other programs.

/** A change of any field makes a new version. Version 2 has arrays of 12 bits; a file of version 1 is read as well. */
export const SNAPSHOT_VERSION = 2;

export interface Snapshot {
  /** the version of the format */
  candlescope: 1 | typeof SNAPSHOT_VERSION;
  /** empty for none */
  caption: string;
  model: SnapshotModel;
  reading: SnapshotText;
  /** the second prompt, if there is one */
  corrupted: SnapshotText | null;
  state: SnapshotState;
  /** what the views show beyond the text, by the view's name */
  results: Readonly<Record<string, readonly SnapshotResult[]>>;
}

export interface SnapshotModel {
  /** what people call it */
  name: string;
  /** where it can be loaded from: an absolute address or "hf:owner/name"; null if nobody else can load it */
  source: string | null;
  dtype: string;
  parameterCount: number;
  /** Hugging Face field names; at least n_layer, n_head and vocab_size */
  config: Readonly<Record<string, unknown>>;
}

export interface SnapshotText {
  text: string;
  /** the text is a list of token ids, because the model has no tokenizer */
  isIds: boolean;
  /** how many tokens at the start of the text were not read */
  dropped: number;
  ids: readonly number[];
  tokens: readonly SnapshotToken[];
  /** by layer, [batch head query key]; null for a layer that is left out */
  patterns: readonly (EncodedArray | null)[];
  /** [score layer head] */
  scores: EncodedArray | null;
  /** [position], of each token but the first, given those before it, in nats; null if they are not known */
  logProbs: EncodedArray | null;
  /** the mean of -logProbs, in nats */
  loss: EncodedNumber | null;
}

/** A token's text; with its bytes if it holds only part of a character. */
export type SnapshotToken = string | { string: string; bytes: readonly number[] };

/** What is chosen, with the names of the state of the lab. What is missing has its default. */
export interface SnapshotState {
  view?: string;
  beside?: string;
  layer?: number | null;
  head?: number | null;
  hook?: string;
  scale?: "linear" | "sqrt";
  direction?: "from" | "to";
  lock?: { query?: number; key?: number } | null;
  measured?: "text" | "random";
  position?: number | null;
  answer?: string | number | null;
  against?: string | number | null;
  interventions?: readonly unknown[];
  views?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** What was computed for one choice of settings of a view. */
export interface SnapshotResult {
  /** which settings: the key of the view's request */
  key: string;
  /** plain data in which every array of numbers is an EncodedArray */
  value: unknown;
}

/** A number that JSON does not have. */
export type EncodedNumber = number | { number: "NaN" | "Infinity" | "-Infinity" };

/**
 * Numbers, row-major and little-endian, in base64. "f32", "f64", "i32" and "u32" are exact. "u8", "u12" and "u16" are codes of
 * rounded numbers: `offset + code × step`, and the largest code is NaN. Two codes of 12 bits are three bytes, the high bits first.
 */
export interface EncodedArray {
  encoding: "f32" | "f64" | "i32" | "u32" | "u8" | "u12" | "u16";
  data: string;
  step?: number;
  offset?: number;
  /** Only the cells whose key is not after their query are there, row by row; the others are 0. */
  causal?: true;
  /** a tensor; without a shape, a list */
  shape?: readonly number[];
  axes?: readonly string[];
  /** names of the positions of an axis */
  labels?: Readonly<Record<string, readonly string[]>>;
}
