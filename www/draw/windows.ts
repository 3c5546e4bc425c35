// The visible part of a long axis: zooming and moving.

import { TOKEN_AXES, VISIBLE_TOKENS } from "./arrangement.js";
import type { Window } from "./lines.js";
import type { Side } from "./panel-plot.js";

/** The fewest positions that are visible. */
const FEWEST = 4;

/**
 * A window of another size in which one position stays where it is.
 * @param factor below 1 to see fewer positions, larger
 * @param at the position that stays
 */
export function zoomWindow(
  length: number,
  { first, count }: Window,
  factor: number,
  at: number,
): Window {
  const wanted = Math.round(count * factor);
  const size = Math.max(Math.min(FEWEST, length), Math.min(length, wanted));
  const share = count > 0 ? (at - first) / count : 0;
  return moveWindow(length, { first: Math.round(at - share * size), count: size }, 0);
}

export function moveWindow(length: number, { first, count }: Window, by: number): Window {
  return { first: Math.max(0, Math.min(length - count, Math.round(first + by))), count };
}

/** The visible part if the visitor has not chosen another: of a long text the last tokens, or if they are sorted the first ones. */
export function usualWindow(axis: string, side: Side, length: number, isSorted = false): Window {
  const isLong = side === "rows" && TOKEN_AXES.includes(axis) && length > VISIBLE_TOKENS;
  if (!isLong) return { first: 0, count: length };
  return { first: isSorted ? 0 : length - VISIBLE_TOKENS, count: VISIBLE_TOKENS };
}
