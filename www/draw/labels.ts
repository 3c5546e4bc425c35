// Token labels along the two axes of a pattern, and the mark on the hovered pair. Drawn in CSS pixels.

import { pieces, type Token } from "./token.js";

export type Palette = { ink: string; faint: string; glow: string; accent: string; font: string };
/** A piece of a label and where it starts. */
export type Placed = { glyph: string; x: number; y: number };

/**
 * Which labels fit: every `step`-th, in letters of `size` pixels.
 * @param pitch CSS pixels from one token to the next
 */
export function labelling(pitch: number) {
  const size = Math.max(8.5, Math.min(13, pitch * 0.95));
  return { size, step: pitch >= 7.5 ? 1 : Math.ceil(11 / pitch) };
}

function clipped(token: Token, most: number) {
  const kept: { kind: string; glyph: string }[] = [];
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
 * @param tokens of the view
 * @param first position of the first of them
 * @param options axis: rows ("query") or columns ("key"); gutter: CSS pixels that the labels have; start: those before the first of
 *   them along the axis, the same where not said; most: characters of a label; only: draw this position alone, in bold
 *   and on a plate, so that its neighbours do not shine through
 */
export function axisLabels(
  context: CanvasRenderingContext2D,
  tokens: readonly Token[],
  first: number,
  {
    axis,
    pitch,
    gutter,
    start = gutter,
    most,
    palette,
    only,
  }: {
    axis: "query" | "key";
    pitch: number;
    gutter: number;
    start?: number;
    most: number;
    palette: Palette;
    only?: number;
  },
) {
  const { size, step } = labelling(pitch);
  context.save();
  context.font = `${only === undefined ? "" : "600 "}${only === undefined ? size : Math.max(size, 11)}px ${palette.font}`;
  context.textBaseline = "middle";
  if (only !== undefined)
    plate(context, axis, start + (only - first + 0.5) * pitch, gutter, palette);
  if (axis === "key") context.rotate(-Math.PI / 2);
  // Colour by colour, without a state for each label: a canvas takes longer for those than for the letters.
  const placed: Record<"ink" | "faint", Placed[]> = { ink: [], faint: [] };
  tokens.forEach((token, i) => {
    if (only === undefined ? (first + i) % step !== 0 : first + i !== only) return;
    const parts = clipped(token, most);
    const widths = parts.map((part) => context.measureText(part.glyph).width);
    let x =
      axis === "key" ? 6 - gutter : gutter - 6 - widths.reduce((sum, width) => sum + width, 0);
    parts.forEach(({ kind, glyph }, part) => {
      placed[kind === "text" ? "ink" : "faint"].push({ glyph, x, y: start + (i + 0.5) * pitch });
      x += widths[part];
    });
  });
  for (const colour of ["ink", "faint"] as const) {
    context.fillStyle = palette[colour];
    for (const { glyph, x, y } of placed[colour]) context.fillText(glyph, x, y);
  }
  context.restore();
}

function plate(
  context: CanvasRenderingContext2D,
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
