// The plot of a tensor slice: where its cells and labels are, and what is drawn over the cells. In CSS pixels.

import { fit, type Fit } from "./fit.js";
import { axisLabels, gutterFor, type Palette } from "./labels.js";
import type { Matrix } from "./matrix.js";
import type { Cell } from "./signed-heatmap.js";
import type { Token } from "./token.js";

/** The largest size of a cell and of the plot's width in CSS pixels, and the plot's largest share of the window's height. */
const MAX_CELL = 24;
const MAX_WIDTH = 860;
const MAX_HEIGHT_SHARE = 0.6;

export type Side = "rows" | "columns";
export type SliceGeometry = {
  /** device pixels per CSS pixel */
  ratio: number;
  /** CSS pixels that are reserved for the labels of the rows */
  left: number;
  /** CSS pixels that are reserved for the labels of the columns */
  top: number;
  down: Fit;
  across: Fit;
};
/** The labels of both axes. */
export type SliceLabels = Readonly<Record<Side, readonly Token[]>>;

/** @param space width: of the element; windowHeight: both in CSS pixels; ratio: device pixels per CSS pixel */
export function sliceGeometry(
  matrix: Matrix,
  labels: SliceLabels,
  { width, windowHeight, ratio }: { width: number; windowHeight: number; ratio: number },
): SliceGeometry {
  const height = MAX_HEIGHT_SHARE * windowHeight;
  const gutter = (side: Side, room: number) => {
    const pitch = Math.min(MAX_CELL, room / Math.max(1, labels[side].length));
    return gutterFor(labels[side], pitch, 1);
  };
  const [left, top] = [gutter("rows", height), gutter("columns", width - 60)];
  const roomAcross = Math.max(40, Math.min(MAX_WIDTH, width - 18 - left));
  return {
    ratio,
    left,
    top,
    across: fit(matrix.columns, roomAcross * ratio, MAX_CELL * ratio),
    down: fit(matrix.rows, Math.max(240, height) * ratio, MAX_CELL * ratio),
  };
}

/** The labels of one axis, or only one of them in bold. */
export function drawSliceLabels(
  context: CanvasRenderingContext2D,
  side: Side,
  labels: SliceLabels,
  { ratio, left, top, down, across }: SliceGeometry,
  palette: Palette,
  only?: number,
) {
  const fitted = side === "rows" ? down : across;
  const [gutter, start] = side === "rows" ? [left, top] : [top, left];
  axisLabels(context, labels[side], 0, {
    axis: side === "rows" ? "query" : "key",
    pitch: fitted.cell / fitted.factor / ratio,
    gutter,
    start,
    palette,
    only,
  });
}

/** Outlines a cell and draws its labels in bold. */
export function drawSliceOverlay(
  context: CanvasRenderingContext2D,
  { row, column }: Cell,
  labels: SliceLabels,
  geometry: SliceGeometry,
  palette: Palette,
) {
  const { ratio, left, top, down, across } = geometry;
  const offset = ({ factor, cell }: Fit, at: number) => (Math.floor(at / factor) * cell) / ratio;
  const [x, y] = [left + offset(across, column), top + offset(down, row)];
  context.strokeStyle = palette.accent;
  context.lineWidth = 2;
  context.strokeRect(x - 1, y - 1, across.cell / ratio + 2, down.cell / ratio + 2);
  drawSliceLabels(context, "rows", labels, geometry, palette, row);
  drawSliceLabels(context, "columns", labels, geometry, palette, column);
}
