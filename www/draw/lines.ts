// Attention as lines between two columns of tokens: queries at the left, keys at the right (the head view of BertViz, Vig 2019). A
// line's opacity is its attention. In CSS pixels.

import { headMatrix, masked, type Band, type Matrix, type Tensor } from "./matrix.js";
import { nearestColour, type Stretch, type Theme } from "./scale.js";

/** The tokens that both columns show. */
export type Window = { first: number; count: number };

export interface Line {
  head: number;
  query: number;
  key: number;
  value: number;
  /** 0 to 1; 1 for a value that is not finite, which is drawn dashed */
  opacity: number;
  /** CSS pixels from the top of the window */
  from: number;
  to: number;
}

/** Lines of several heads between the same tokens lie side by side, this far apart at most. */
const HEAD_SPREAD = 2.5;

/** The opacity of a value. A square root makes small values more visible. */
export function lineOpacity(value: number, stretch: Stretch) {
  if (!Number.isFinite(value)) return 1;
  const clamped = Math.max(0, Math.min(1, value));
  return stretch === "sqrt" ? Math.sqrt(clamped) : clamped;
}

/**
 * The lines between the tokens of a window. Lines that are too faint for a screen (an opacity below 1/510) are left out.
 * @param patterns of one layer
 * @param only the lines of one query, of one key or of one pair
 * @param pitch CSS pixels from one token to the next
 */
export function linesOf(
  patterns: Tensor,
  heads: readonly number[],
  {
    window,
    only = {},
    stretch,
    pitch,
  }: { window: Window; only?: Band; stretch: Stretch; pitch: number },
): Line[] {
  const lines: Line[] = [];
  const end = window.first + window.count;
  const spread = Math.min(HEAD_SPREAD, (0.6 * pitch) / Math.max(1, heads.length));
  heads.forEach((head, order) => {
    const matrix = headMatrix(patterns, head);
    const shift = (order - (heads.length - 1) / 2) * spread;
    const middle = (at: number) => (at - window.first + 0.5) * pitch + shift;
    for (let query = window.first; query < end; query++) {
      if (only.query !== undefined && only.query !== query) continue;
      for (let key = window.first; key < end; key++) {
        if (only.key !== undefined && only.key !== key) continue;
        if (masked(matrix, query, key)) break;
        const value = matrix.data[query * matrix.columns + key];
        const opacity = lineOpacity(value, stretch);
        if (opacity >= 1 / 510)
          lines.push({ head, query, key, value, opacity, from: middle(query), to: middle(key) });
      }
    }
  });
  return lines;
}

/**
 * The window of `count` tokens in which a token stands three quarters down, because a query attends to the tokens before it.
 * @param length of the text
 */
export function windowAround(length: number, count: number, token: number): Window {
  const shown = Math.min(length, count);
  const first = Math.round(token - 0.75 * (shown - 1));
  return { first: Math.max(0, Math.min(length - shown, first)), count: shown };
}

/** The window, moved no farther than needed to contain a token. */
export function windowWith(length: number, { first, count }: Window, token: number): Window {
  const moved = Math.min(token, Math.max(first, token - count + 1));
  return { first: Math.max(0, Math.min(length - count, moved)), count };
}

/** How much of a query's attention goes to keys outside the window, and the strongest of them. */
export function attentionOutside(
  matrix: Matrix,
  query: number,
  { first, count }: Window,
): { sum: number; key: number; value: number } | null {
  let [sum, best, max] = [0, -1, -1];
  for (let key = 0; key < matrix.columns && !masked(matrix, query, key); key++) {
    if (key >= first && key < first + count) continue;
    const value = matrix.data[query * matrix.columns + key];
    sum += value;
    if (value > max || best < 0) [best, max] = [key, value];
  }
  return best < 0 ? null : { sum, key: best, value: max };
}

/** Hues that neighbours among up to six heads are easily told apart by, also with a colour vision deficiency. */
const HUES = [45, 255, 150, 330, 95, 200];

/**
 * The colour of a head's lines, when several are overlaid. Beyond six heads, hues return in another lightness.
 * @param order of the head among all heads of its layer
 */
export function headColour(order: number, theme: Theme): string {
  const round = Math.floor(order / HUES.length) % 2;
  const light = theme === "light" ? 0.56 - 0.14 * round : 0.76 + 0.1 * round;
  const colour = nearestColour(light, 0.16, HUES[order % HUES.length]);
  return `rgb(${colour.join(" ")})`;
}
