// How surprising each token was, as columns along the text, with the mean as a line.

import { fillStripes } from "./not-a-number.js";
import { colours, level } from "./scale.js";

/**
 * @typedef {object} Columns
 * @property {ArrayLike<number | null>} values one a token, null for none; NaN is drawn as stripes
 * @property {number} most the value that fills the height
 * @property {number} width device pixels @property {number} height device pixels
 * @property {import("./scale.js").Theme} theme
 */

/** Whole device pixels that one column takes, its gap included. @param {number} count @param {number} width */
export function columnWidth(count, width) {
  return Math.max(1, Math.floor(width / Math.max(1, count)));
}

/**
 * @param {CanvasRenderingContext2D} context in device pixels
 * @param {Columns} columns
 */
export function drawColumns(context, { values, most, width, height, theme }) {
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
