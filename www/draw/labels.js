// Token labels along the two axes of a pattern, and the mark on the hovered pair. Drawn in CSS pixels.

import { pieces } from "./token.js";

/** @typedef {import("./token.js").Token} Token */
/** @typedef {{ ink: string, faint: string, glow: string, accent: string, font: string }} Palette */
/** A piece of a label and where it starts. @typedef {{ glyph: string, x: number, y: number }} Placed */

/**
 * Which labels fit: every `step`-th, in letters of `size` pixels.
 * @param {number} pitch CSS pixels from one token to the next
 */
export function labelling(pitch) {
  const size = Math.max(8.5, Math.min(13, pitch * 0.95));
  return { size, step: pitch >= 7.5 ? 1 : Math.ceil(11 / pitch) };
}

/** @param {Token} token @param {number} most */
function clipped(token, most) {
  /** @type {{ kind: string, glyph: string }[]} */
  const kept = [];
  let room = most;
  for (const { kind, glyph } of pieces(token)) {
    const characters = [...glyph];
    if (characters.length > room) {
      kept.push({ kind, glyph: `${characters.slice(0, Math.max(0, room - 1)).join("")}…` });
      break;
    }
    kept.push({ kind, glyph });
    room -= characters.length;
  }
  return kept;
}

/**
 * Labels of rows end before the plot, those of columns, turned, start there; whitespace is faint. Returns nothing; draws
 * one line for each.
 * @param {CanvasRenderingContext2D} context
 * @param {readonly Token[]} tokens of the view @param {number} first position of the first of them
 * @param {{ axis: "query" | "key", pitch: number, gutter: number, start?: number, most: number, palette: Palette, only?: number }} options
 *   axis: rows ("query") or columns ("key"); gutter: CSS pixels that the labels have; start: those before the first of
 *   them along the axis, the same where not said; most: characters of a label; only: draw this position alone, in bold
 *   and on a plate, so that its neighbours do not shine through
 */
export function axisLabels(context, tokens, first, { axis, pitch, gutter, start = gutter, most, palette, only }) {
  const { size, step } = labelling(pitch);
  context.save();
  context.font = `${only === undefined ? "" : "600 "}${only === undefined ? size : Math.max(size, 11)}px ${palette.font}`;
  context.textBaseline = "middle";
  if (only !== undefined) plate(context, axis, start + (only - first + 0.5) * pitch, gutter, palette);
  if (axis === "key") context.rotate(-Math.PI / 2);
  // Colour by colour, without a state for each label: a canvas takes longer for those than for the letters.
  /** @type {Record<"ink" | "faint", Placed[]>} */
  const placed = { ink: [], faint: [] };
  tokens.forEach((token, i) => {
    if (only === undefined ? (first + i) % step !== 0 : first + i !== only) return;
    const parts = clipped(token, most);
    const widths = parts.map((part) => context.measureText(part.glyph).width);
    let x = axis === "key" ? 6 - gutter : gutter - 6 - widths.reduce((sum, width) => sum + width, 0);
    parts.forEach(({ kind, glyph }, part) => {
      placed[kind === "text" ? "ink" : "faint"].push({ glyph, x, y: start + (i + 0.5) * pitch });
      x += widths[part];
    });
  });
  for (const colour of /** @type {const} */ (["ink", "faint"])) {
    context.fillStyle = palette[colour];
    for (const { glyph, x, y } of placed[colour]) context.fillText(glyph, x, y);
  }
  context.restore();
}

/** @param {CanvasRenderingContext2D} context @param {"query" | "key"} axis @param {number} middle @param {number} gutter @param {Palette} palette */
function plate(context, axis, middle, gutter, palette) {
  context.fillStyle = palette.glow;
  context.beginPath();
  if (axis === "query") context.roundRect(0, middle - 8, gutter - 2, 16, 4);
  else context.roundRect(middle - 8, 0, 16, gutter - 2, 4);
  context.fill();
}
