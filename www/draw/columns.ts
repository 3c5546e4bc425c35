// One column for each token of a text: its loss.

import { fillStripes } from "./not-finite.js";
import { colours, level, type Theme } from "./scale.js";

export interface Columns {
  /** one value for each token; null for none, NaN for stripes */
  values: ArrayLike<number | null>;
  /** the value whose column has the full height */
  max: number;
  /** device pixels */
  width: number;
  /** device pixels */
  height: number;
  theme: Theme;
}

/** Width of a column with its gap, in whole device pixels. */
export function columnWidth(count: number, width: number) {
  return Math.max(1, Math.floor(width / Math.max(1, count)));
}

/** @param context in device pixels */
export function drawColumns(
  context: CanvasRenderingContext2D,
  { values, max, width, height, theme }: Columns,
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
    const share = Math.min(1, value / max);
    const columnHeight = Math.max(1, Math.round(share * height));
    context.fillStyle = `rgb(${table[level(0.35 + 0.6 * share, "linear")].join(" ")})`;
    context.fillRect(i * step, height - columnHeight, step - gap, columnHeight);
  }
}
