// How surprising each token was, as columns along the text, with the mean as a line.

import { fillStripes } from "./not-a-number.js";
import { colours, level, type Theme } from "./scale.js";

export interface Columns {
  /** one a token, null for none; NaN is drawn as stripes */
  values: ArrayLike<number | null>;
  /** the value that fills the height */
  most: number;
  /** device pixels */
  width: number;
  /** device pixels */
  height: number;
  theme: Theme;
}

/** Whole device pixels that one column takes, its gap included. */
export function columnWidth(count: number, width: number) {
  return Math.max(1, Math.floor(width / Math.max(1, count)));
}

/** @param context in device pixels */
export function drawColumns(
  context: CanvasRenderingContext2D,
  { values, most, width, height, theme }: Columns,
) {
  const step = columnWidth(values.length, width);
  const gap = step >= 5 ? Math.floor(step / 5) : 0;
  const table = colours(theme);
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (value === null) continue;
    if (Number.isNaN(value)) {
      fillStripes(context, i * step, 0, step - gap, height, theme);
      continue;
    }
    const share = Math.min(1, value / most);
    const tall = Math.max(1, Math.round(share * height));
    context.fillStyle = `rgb(${table[level(0.35 + 0.6 * share, "linear")].join(" ")})`;
    context.fillRect(i * step, height - tall, step - gap, tall);
  }
}
