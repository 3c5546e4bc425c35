// Token labels along the two axes of a plot. Drawn in CSS pixels.

import type { Surface } from "./surface.js";
import { glyphs, pieces, type Token } from "./token.js";

/** CSS colours and a font family. `faint` is for whitespace, `glow` for the background of a highlighted label. */
export type Palette = { ink: string; faint: string; glow: string; accent: string; font: string };

export type LabelOptions = {
  /** labels of rows ("query") or of columns ("key") */
  axis: "query" | "key";
  /** CSS pixels from one position to the next */
  pitch: number;
  /** CSS pixels that are reserved for the labels */
  gutter: number;
  /** CSS pixels before the first position; default: `gutter` */
  start?: number;
  palette: Palette;
  /** draws this position only, in bold and on a background that hides its neighbours */
  only?: number;
};

/** The maximal length of a label in characters. */
export const MAX_LENGTH = 11;
/** The mean width of a character in em, for monospaced fonts. */
export const CHARACTER_WIDTH = 0.61;

/**
 * The font size in CSS pixels, and how many positions lie between two labels.
 * @param pitch CSS pixels from one position to the next
 */
export function labelling(pitch: number) {
  const size = Math.max(8.5, Math.min(13, pitch * 0.95));
  return { size, step: pitch >= 7.5 ? 1 : round(11 / pitch) };
}

/** The smallest of 2, 5, 10, 20, 50, … that is no smaller. */
function round(step: number) {
  const power = 10 ** Math.floor(Math.log10(step));
  return power * ([1, 2, 5, 10].find((digit) => digit * power >= step) ?? 10);
}

/**
 * CSS pixels to reserve for labels.
 * @param pitch CSS pixels from one position to the next, approximately
 * @param minLength characters to reserve room for at least
 */
export function gutterFor(tokens: readonly Token[], pitch: number, minLength: number) {
  const lengths = tokens.map((token) => Math.min(MAX_LENGTH, [...glyphs(token)].length));
  return Math.ceil(Math.max(minLength, ...lengths) * labelling(pitch).size * CHARACTER_WIDTH) + 12;
}

/** The pieces of a token, with an ellipsis if they are longer than a label may be. */
function clipped(token: Token) {
  const kept: { kind: string; glyph: string }[] = [];
  let room = MAX_LENGTH;
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
 * Draws labels: those of rows end before the plot; those of columns are rotated and start there. Whitespace is faint.
 * @param tokens of the view
 * @param first position of the first of them
 */
export function axisLabels(
  context: Surface,
  tokens: readonly Token[],
  first: number,
  { axis, pitch, gutter, start = gutter, palette, only }: LabelOptions,
) {
  const { size, step } = labelling(pitch);
  context.save();
  context.font =
    only === undefined
      ? `${size}px ${palette.font}`
      : `600 ${Math.max(size, 11)}px ${palette.font}`;
  context.textBaseline = "middle";
  if (only !== undefined)
    background(context, axis, start + (only - first + 0.5) * pitch, gutter, palette);
  if (axis === "key") context.rotate(-Math.PI / 2);
  // Grouped by colour: changing the state of a canvas for each label takes longer than drawing the text.
  const groups: Record<"ink" | "faint", { glyph: string; x: number; y: number }[]> = {
    ink: [],
    faint: [],
  };
  tokens.forEach((token, i) => {
    if (only === undefined ? (first + i) % step !== 0 : first + i !== only) return;
    const parts = clipped(token);
    const widths = parts.map((part) => context.measureText(part.glyph).width);
    let x =
      axis === "key" ? 6 - gutter : gutter - 6 - widths.reduce((sum, width) => sum + width, 0);
    parts.forEach(({ kind, glyph }, part) => {
      groups[kind === "text" ? "ink" : "faint"].push({ glyph, x, y: start + (i + 0.5) * pitch });
      x += widths[part];
    });
  });
  for (const colour of ["ink", "faint"] as const) {
    context.fillStyle = palette[colour];
    for (const { glyph, x, y } of groups[colour]) context.fillText(glyph, x, y);
  }
  context.restore();
}

function background(
  context: Surface,
  axis: "query" | "key",
  middle: number,
  gutter: number,
  palette: Palette,
) {
  context.fillStyle = palette.glow;
  context.beginPath();
  if (axis === "query") context.roundRect(0, middle - 8, gutter - 2, 16, 4);
  else context.roundRect(middle - 8, 0, 16, gutter - 2, 4);
  context.fill();
}
