// Where a channel of an activation is most active in a text of any length: the text is cut into pieces that fit the context, each
// piece is searched by itself, and the values around each place are captured.

import type { MostActive } from "../api/generated.js";
import type { Model } from "../api/model.js";
import { sizeOf, type Tensor } from "../draw/matrix.js";

export type Searchable = Pick<Model, "config" | "mostActive" | "runWithCache">;

/** One neuron, or another channel of an activation. */
export interface Channel {
  at: string;
  /** Null at points without heads. */
  head: number | null;
  index: number;
}

export interface ActivePlace {
  /** The piece of the text, and the position in it. */
  text: number;
  position: number;
  value: number;
  /** The ids around the place, and the channel's value at each. */
  ids: Uint32Array;
  values: Float32Array;
  /** The position in the piece of the first of them. */
  first: number;
}

export interface ActivePlaces {
  places: ActivePlace[];
  /** How many values are infinite or NaN. */
  notFinite: number;
  /** How many tokens were searched, and in how many pieces. */
  tokens: number;
  pieces: number;
  /** The most tokens of a piece. */
  pieceLength: number;
}

export interface SearchOptions extends Channel {
  count: number;
  signal?: AbortSignal;
  onProgress?: (progress: { done: number; total: number }) => void;
}

/** The longest piece: a longer one takes more than linearly longer. */
const MAX_PIECE = 256;
/** Tokens before and after a place. */
const BEFORE = 20;
const AFTER = 8;

function pieceLengthFor(context: number) {
  return Math.max(1, Math.min(MAX_PIECE, context));
}

/** The ids of a text in pieces that fit the context. */
export function cutToContext(ids: Uint32Array, context: number): Uint32Array[] {
  const length = pieceLengthFor(context);
  return Array.from({ length: Math.ceil(ids.length / length) }, (_, i) =>
    ids.slice(i * length, (i + 1) * length),
  );
}

/**
 * The places with the largest values, as `model.mostActive` finds them in all pieces: largest first, the earlier one on a tie.
 * Pieces are searched one by one, so that a long search shows its progress and can be stopped.
 * @throws InputError; HookError; AbortError
 */
export async function findMostActive(
  model: Searchable,
  ids: Uint32Array,
  { at, head, index, count, signal, onProgress }: SearchOptions,
): Promise<ActivePlaces> {
  const pieces = cutToContext(ids, model.config.n_positions);
  const channel = { at, index, ...(head !== null && { head }) };
  const found: Omit<ActivePlace, "ids" | "values" | "first">[] = [];
  let notFinite = 0;
  for (const [text, piece] of pieces.entries()) {
    const part = await model.mostActive({ ...channel, texts: [piece], count, signal });
    notFinite += part.notFinite;
    found.push(...placesOf(part, text));
    onProgress?.({ done: text + 1, total: pieces.length + 1 });
  }
  const largest = found.sort((a, b) => b.value - a.value || 0).slice(0, count); // stable, so earlier places stay in front
  const values: Map<number, Float32Array> = new Map();
  for (const text of new Set(largest.map((place) => place.text))) {
    const { cache } = await model.runWithCache(pieces[text], {
      names: [at],
      signal,
    });
    values.set(text, channelOf(cache.get(at), { at, head, index }));
  }
  onProgress?.({ done: pieces.length + 1, total: pieces.length + 1 });
  const places = largest.map((place) => {
    const first = Math.max(0, place.position - BEFORE);
    const end = place.position + AFTER + 1;
    return {
      ...{ ...place, first },
      ids: pieces[place.text].slice(first, end),
      values: (values.get(place.text) as Float32Array).slice(first, end),
    };
  });
  const pieceLength = pieceLengthFor(model.config.n_positions);
  return { places, notFinite, tokens: ids.length, pieces: pieces.length, pieceLength };
}

function placesOf({ position, value }: MostActive, text: number) {
  return Array.from(value.data, (one, i) => ({ text, position: position.data[i], value: one }));
}

/** The values of one channel along the positions of an activation `[1 pos (head) channel]`. */
function channelOf({ data, shape, axes }: Tensor, { head, index }: Channel): Float32Array {
  const width = shape[shape.length - 1];
  const heads = axes.includes("head") ? shape[axes.indexOf("head")] : 1;
  const positions = sizeOf({ data, shape, axes }, "pos");
  return Float32Array.from(
    { length: positions },
    (_, position) => data[(position * heads + (head ?? 0)) * width + index],
  );
}
