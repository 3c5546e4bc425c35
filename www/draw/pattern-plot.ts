// The plot of an attention pattern: where its cells and labels are, and what is drawn over the cells. In CSS pixels.

import { fit, type Fit } from "./fit.js";
import { clip, fullView, type View } from "./heatmap.js";
import { axisLabels, gutterFor, type Palette } from "./labels.js";
import type { Band, Matrix } from "./matrix.js";
import type { Surface } from "./surface.js";
import type { Token } from "./token.js";

/** The largest size of the plot in CSS pixels, and its largest share of the window's height, so that it is visible at once. */
const MAX_SIZE = 680;
/** The largest cell in CSS pixels: the pattern of a few tokens is small, instead of a few large squares. */
const MAX_CELL = 56;
const MAX_HEIGHT_SHARE = 0.6;
/** CSS pixels of a compact plot without labels, while its cells have room for a label of each token; and while they have 8 px. */
const [LABELLED_SIZE, COMPACT_SIZE] = [120, 132];

/** The largest cell of a compact plot in CSS pixels: a figure of up to 18 tokens stays low, and a cell can be pointed at. */
export function compactCell(tokens: number) {
  const count = Math.max(1, tokens);
  const labelled = Math.max(12, Math.min(24, Math.floor(LABELLED_SIZE / count)));
  return Math.min(labelled, Math.max(8, Math.floor(COMPACT_SIZE / count)));
}

export type PatternGeometry = {
  /** device pixels per CSS pixel */
  ratio: number;
  /** CSS pixels that are reserved for the labels */
  gutter: number;
  view: View;
  fit: Fit;
  /** CSS pixels of the cells' side */
  size: number;
  /** CSS pixels from one token to the next */
  pitch: number;
};

/** @param space width: of the element; windowHeight; maxCell: in CSS pixels; ratio: device pixels per CSS pixel */
export function patternGeometry(
  matrix: Matrix,
  tokens: readonly Token[],
  zoomed: View | null,
  {
    width,
    windowHeight,
    ratio,
    maxCell = MAX_CELL,
  }: { width: number; windowHeight: number; ratio: number; maxCell?: number },
): PatternGeometry {
  const pitch = Math.min(maxCell, (width - 90) / Math.max(1, tokens.length));
  const gutter = gutterFor(tokens, pitch, 3);
  const height = Math.max(320, MAX_HEIGHT_SHARE * windowHeight);
  const room = Math.min(MAX_SIZE, height, width - 18 - gutter);
  const view = zoomed ? clip(matrix, zoomed) : fullView(matrix);
  const fitted = fit(view.count, Math.max(room, 40) * ratio, maxCell * ratio);
  return {
    ratio,
    gutter,
    view,
    fit: fitted,
    size: fitted.size / ratio,
    pitch: fitted.cell / fitted.factor / ratio,
  };
}

/** The labels of both axes. */
export function drawPatternLabels(
  context: Surface,
  tokens: readonly Token[],
  { gutter, view, pitch }: PatternGeometry,
  palette: Palette,
) {
  for (const [axis, first] of [
    ["query", view.row],
    ["key", view.column],
  ] as const) {
    const inView = tokens.slice(first, first + view.count);
    axisLabels(context, inView, first, { axis, pitch, gutter, palette });
  }
}

/** Outlines a row, a column or both and their cell, and draws their labels in bold. */
export function drawPatternOverlay(
  context: Surface,
  tokens: readonly Token[],
  { query, key }: Band,
  geometry: PatternGeometry,
  palette: Palette,
) {
  const { gutter, view, pitch, size, ratio } = geometry;
  context.strokeStyle = palette.ink;
  context.globalAlpha = 0.5;
  context.lineWidth = 1 / ratio;
  const inView = (at: number | undefined, first: number): at is number =>
    at !== undefined && at >= first && at < first + view.count;
  const band = Math.max(pitch, 3);
  const x = gutter + ((key ?? 0) - view.column) * pitch;
  const y = gutter + ((query ?? 0) - view.row) * pitch;
  if (inView(query, view.row)) {
    const width = Math.min(size, (query + 1 - view.column) * pitch); // up to the diagonal
    context.strokeRect(gutter, y, Math.max(0, width), band);
  }
  if (inView(key, view.column)) {
    const top = Math.max(0, (key - view.row) * pitch); // from the diagonal
    context.strokeRect(x, gutter + top, band, Math.max(0, size - top));
  }
  context.globalAlpha = 1;
  if (inView(query, view.row) && inView(key, view.column)) {
    context.strokeStyle = palette.accent;
    context.lineWidth = 2;
    context.strokeRect(x - 1, y - 1, band + 2, band + 2);
  }
  for (const [axis, at, first] of [
    ["query", query, view.row],
    ["key", key, view.column],
  ] as const) {
    if (!inView(at, first)) continue;
    const labels = tokens.slice(first, first + view.count);
    axisLabels(context, labels, first, { axis, pitch, gutter, palette, only: at });
  }
}
