// What a figure shows, to a snapshot.

import { createError } from "../errors.js";
import {
  causalLength,
  encodeNumber,
  encodeNumbers,
  encodeTensor,
  encodeValue,
  type PlainTensor,
  type Precision,
} from "./arrays.js";
import {
  SNAPSHOT_VERSION,
  type Snapshot,
  type SnapshotModel,
  type SnapshotState,
  type SnapshotText,
} from "./format.js";

/** One text that a model read. */
export interface TextParts {
  text: string;
  isIds: boolean;
  dropped: number;
  ids: ArrayLike<number>;
  tokens: readonly (string | { string: string; bytes: ArrayLike<number> })[];
  /** by layer, [batch head query key]; null for a layer that is not there */
  patterns: readonly (PlainTensor | null)[];
  /** [score layer head] */
  table: PlainTensor | null;
  logProbs: ArrayLike<number>;
  loss: number | null;
}

export interface FigureParts {
  caption?: string;
  model: SnapshotModel;
  reading: TextParts;
  corrupted?: TextParts | null;
  state: SnapshotState;
  /** what views got, with the keys of their requests */
  results?: Readonly<Record<string, readonly { key: string; value: unknown }[]>>;
}

/**
 * Bytes of base64 that the patterns of all layers may take in 12 bits, and in 8. With more, layers that are not shown are rounded to
 * 8 bits, then left out.
 */
const MAX_FINE = 100_000;
const MAX_COARSE = 400_000;
/** Bytes of base64 that the patterns of the shown layer may take in 16 bits, and in 8. With more, they are rounded to 8 bits, then refused. */
const MAX_FINE_LAYER = 200_000;
const MAX_LAYER = 4_000_000;

/** @throws InputError if the text is too long for one file */
export function writeSnapshot(parts: FigureParts): Snapshot {
  const { caption = "", model, reading, corrupted = null, state, results = {} } = parts;
  const layer = state.layer ?? 0;
  return {
    candlescope: SNAPSHOT_VERSION,
    caption,
    model,
    reading: writeText(reading, layer),
    corrupted: corrupted && writeText(corrupted, layer),
    state,
    results: Object.fromEntries(
      Object.entries(results).map(([view, list]) => [
        view,
        list.map(({ key, value }) => ({ key, value: encodeValue(value) })),
      ]),
    ),
  };
}

function writeText(parts: TextParts, layer: number): SnapshotText {
  const { text, isIds, dropped, ids, tokens, patterns, table, logProbs, loss } = parts;
  const precisions = precisionsOf(patterns, layer);
  return {
    ...{ text, isIds, dropped },
    ids: Array.from(ids),
    tokens: tokens.map((token) =>
      typeof token === "string" ? token : { string: token.string, bytes: Array.from(token.bytes) },
    ),
    patterns: patterns.map((pattern, at) => {
      const precision = precisions[at];
      return pattern && precision && encodeTensor(pattern, precision);
    }),
    scores: table && encodeTensor(table),
    logProbs: encodeNumbers(Float32Array.from(logProbs)),
    loss: loss === null ? null : encodeNumber(loss),
  };
}

/** How the pattern of each layer is rounded; null for one that is left out. The shown layer is kept as finely as it can be. */
export function precisionsOf(
  patterns: readonly (PlainTensor | null)[],
  shown: number,
): (Precision | null)[] {
  const sizes = patterns.map((pattern) => (pattern ? cells(pattern) : 0));
  const all = sizes.reduce((sum, size) => sum + size, 0);
  const own = sizes[shown] ?? 0;
  if (base64(own) > MAX_LAYER)
    throw createError(
      "InputError",
      `a snapshot of this text needs ${Math.ceil(base64(own) / 1e6)} MB for one layer's patterns, expected at most ${MAX_LAYER / 1e6} MB: export a shorter text`,
    );
  const ownPrecision = base64(own * 2) > MAX_FINE_LAYER ? "u8" : "u16";
  const others = base64(all * 1.5) <= MAX_FINE ? "u12" : base64(all) <= MAX_COARSE ? "u8" : null;
  return sizes.map((size, at) => (size === 0 ? null : at === shown ? ownPrecision : others));
}

/** How many numbers a causal pattern has. */
function cells({ data, shape }: PlainTensor) {
  return causalLength(data.length, shape.at(-1) ?? 1);
}

/** The length of so many bytes in base64. */
function base64(bytes: number) {
  return Math.ceil(bytes / 3) * 4;
}
