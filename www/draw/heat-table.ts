// A table of numbers as a heat map: layers, heads, neurons or positions down and across. The colour of the paper is in the middle
// of the scale, or at its start. A long table is shown in part.

import { signedLevel, signedPixels } from "./diverging.js";
import { fit, type Fit } from "./fit.js";
import { axisLabels, gutterFor, type Palette } from "./labels.js";
import type { Matrix } from "./matrix.js";
import { onStripe, stripePixel } from "./not-finite.js";
import { level, pixels, type Stretch, type Theme } from "./scale.js";
import { isInvalid, poolSigned, type Cell } from "./signed-heatmap.js";
import type { Surface } from "./surface.js";
import type { Token } from "./token.js";

/** Numbers by row and column. */
export interface Table extends Matrix {
  /** 1 for a cell that has no value; none if absent */
  absent?: ArrayLike<number>;
}

/** Which part of a side is shown. */
export interface Range {
  first: number;
  count: number;
}
export interface Part {
  rows: Range;
  columns: Range;
}

export interface TableScale {
  /** the value with the colour of the paper */
  middle: number;
  /** how far the ends of the scale are from `middle`; above 0 */
  max: number;
  /** whether values below `middle` have a colour of their own */
  isDiverging: boolean;
  stretch: Stretch;
}

export function wholeOf({ rows, columns }: Matrix): Part {
  return { rows: { first: 0, count: rows }, columns: { first: 0, count: columns } };
}

export function isAbsent({ absent, columns }: Table, { row, column }: Cell) {
  return absent?.[row * columns + column] === 1;
}

/** The cell's place in a part; null if it is not there. */
export function cellIn({ rows, columns }: Part, cell: Cell | null): Cell | null {
  if (!cell) return null;
  const [row, column] = [cell.row - rows.first, cell.column - columns.first];
  const isThere = row >= 0 && column >= 0 && row < rows.count && column < columns.count;
  return isThere ? { row, column } : null;
}

export function numberAt({ data, columns }: Matrix, { row, column }: Cell) {
  return data[row * columns + column];
}

/** How far the finite values are from the middle at most; 0 if there is none. */
export function reachOf(table: Table, middle: number) {
  let max = 0;
  table.data.forEach((value, at) => {
    const distance = Math.abs(value - middle);
    if (table.absent?.[at] !== 1 && Number.isFinite(distance)) max = Math.max(max, distance);
  });
  return max;
}

/** How many values that are there are not finite. */
export function countInvalid({ data, absent }: Table) {
  let count = 0;
  data.forEach((value, at) => {
    if (absent?.[at] !== 1 && !Number.isFinite(value)) count += 1;
  });
  return count;
}

/** A part of a table as differences from the middle: −∞ where there is no value, NaN where the value is not finite. */
export function partOf(table: Table, { rows, columns }: Part, middle: number): Matrix {
  const data = new Float32Array(rows.count * columns.count);
  for (let row = 0; row < rows.count; row++) {
    for (let column = 0; column < columns.count; column++) {
      const from = (rows.first + row) * table.columns + columns.first + column;
      const value = table.data[from];
      data[row * columns.count + column] =
        table.absent?.[from] === 1 ? -Infinity : Number.isFinite(value) ? value - middle : NaN;
    }
  }
  return { data, rows: rows.count, columns: columns.count };
}

// ---- geometry ----

/** The largest size of a cell in CSS pixels, and the plot's largest share of the window's height. */
const MAX_CELL = 30;
const MAX_HEIGHT_SHARE = 0.62;
const MIN_HEIGHT = 200;
/** Room for the outline of a cell, and for the title of the vertical axis. */
const MARGIN = 24;

/** Where cells and labels are, in CSS pixels, apart from the two fits. */
export interface TableGeometry {
  /** device pixels per CSS pixel */
  ratio: number;
  left: number;
  top: number;
  down: Fit;
  across: Fit;
}
/** The labels of the part that is shown. */
export interface TableLabels {
  rows: readonly Token[];
  columns: readonly Token[];
}

/** @param space width: of the element; windowHeight: both in CSS pixels; ratio: device pixels per CSS pixel */
export function tableGeometry(
  labels: TableLabels,
  { width, windowHeight, ratio }: { width: number; windowHeight: number; ratio: number },
): TableGeometry {
  const height = Math.max(MIN_HEIGHT, MAX_HEIGHT_SHARE * windowHeight);
  const gutter = (tokens: readonly Token[], room: number) =>
    gutterFor(tokens, Math.min(MAX_CELL, room / Math.max(1, tokens.length)), 1);
  const [left, top] = [
    gutter(labels.rows, height),
    gutter(labels.columns, Math.max(40, width - 60)),
  ];
  const room = Math.max(40, width - MARGIN - left);
  return {
    ...{ ratio, left, top },
    across: fit(labels.columns.length, room * ratio, MAX_CELL * ratio),
    down: fit(labels.rows.length, height * ratio, MAX_CELL * ratio),
  };
}

/**
 * A part around a cell, half or twice as large where that shows more or less.
 * @param factor 0.5 to come closer, 2 to go back
 */
export function zoomed(
  { rows, columns }: Part,
  whole: Matrix,
  factor: number,
  { row, column }: Cell,
): Part {
  const side = (range: Range, all: number, at: number): Range => {
    const count = Math.min(all, Math.max(Math.min(all, 8), Math.round(range.count * factor)));
    const share = (at - range.first) / Math.max(1, range.count);
    return clampRange({ first: Math.round(at - share * count), count }, all);
  };
  return { rows: side(rows, whole.rows, row), columns: side(columns, whole.columns, column) };
}

/** The part, moved as little as possible so that it contains a cell. */
export function partWith({ rows, columns }: Part, whole: Matrix, { row, column }: Cell): Part {
  const side = ({ first, count }: Range, all: number, at: number) => {
    const moved = at < first ? at : at >= first + count ? at - count + 1 : first;
    return clampRange({ first: moved, count }, all);
  };
  return { rows: side(rows, whole.rows, row), columns: side(columns, whole.columns, column) };
}

function clampRange({ first, count }: Range, all: number): Range {
  return { first: Math.max(0, Math.min(all - count, first)), count };
}

// ---- drawing ----

/**
 * Paints a part. A cell without a value stays transparent, and one that is not finite gets stripes. A cell that covers several
 * shows the one farthest from the middle.
 * @param image `across.size` pixels a row
 * @param part as `partOf` returns it
 */
export function paintTable(
  image: Uint32Array<ArrayBufferLike>,
  part: Matrix,
  { down, across }: Pick<TableGeometry, "down" | "across">,
  { max, isDiverging, stretch }: TableScale,
  theme: Theme,
) {
  const ink = isDiverging ? signedPixels(theme) : pixels(theme);
  const cells = poolSigned(part, down.factor, across.factor, true);
  const stripe = stripePixel(theme);
  for (let row = 0; row < cells.rows; row++) {
    for (let column = 0; column < cells.columns; column++) {
      const value = cells.data[row * cells.columns + column];
      if (value === -Infinity) continue;
      const isStriped = isInvalid(value);
      const at = isDiverging ? signedLevel(value, max, stretch) : level(value / max, stretch);
      for (let y = row * down.cell; y < (row + 1) * down.cell; y++) {
        const [from, to] = [column * across.cell, (column + 1) * across.cell];
        if (!isStriped) image.fill(ink[at], y * across.size + from, y * across.size + to);
        else
          for (let x = from; x < to; x++) if (onStripe(x, y)) image[y * across.size + x] = stripe;
      }
    }
  }
}

/** The labels of both axes, or only those of one cell in bold. */
export function drawTableLabels(
  context: Surface,
  labels: TableLabels,
  { ratio, left, top, down, across }: TableGeometry,
  palette: Palette,
  only?: Cell,
) {
  const pitch = ({ cell, factor }: Fit) => cell / factor / ratio;
  const shared = { palette };
  axisLabels(context, labels.rows, 0, {
    ...{ ...shared, axis: "query", pitch: pitch(down), gutter: left, start: top },
    only: only?.row,
  });
  axisLabels(context, labels.columns, 0, {
    ...{ ...shared, axis: "key", pitch: pitch(across), gutter: top, start: left },
    only: only?.column,
  });
}

/** Outlines the locked cell and the one under the pointer, and names one of them in bold. */
export function drawTableOverlay(
  context: Surface,
  labels: TableLabels,
  geometry: TableGeometry,
  palette: Palette,
  { locked, focused }: Record<"locked" | "focused", Cell | null>,
) {
  if (locked) outlineCell(context, locked, geometry, palette, focused !== null);
  if (focused) outlineCell(context, focused, geometry, palette);
  const named = focused ?? locked;
  if (named) drawTableLabels(context, labels, geometry, palette, named);
}

/** Outlines a cell of the part. @param isDashed for a cell that is not the one under the pointer */
function outlineCell(
  context: Surface,
  { row, column }: Cell,
  { ratio, left, top, down, across }: TableGeometry,
  palette: Palette,
  isDashed = false,
) {
  const offset = ({ factor, cell }: Fit, at: number) => (Math.floor(at / factor) * cell) / ratio;
  context.save();
  context.strokeStyle = isDashed ? palette.ink : palette.accent;
  context.lineWidth = 2;
  if (isDashed) context.setLineDash([4, 3]);
  const [x, y] = [left + offset(across, column), top + offset(down, row)];
  context.strokeRect(x - 1, y - 1, across.cell / ratio + 2, down.cell / ratio + 2);
  context.restore();
}
