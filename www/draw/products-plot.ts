// The plot of query-key products: two panels of cells, keys down and dimensions across, beside each other or only one. In device
// pixels, except where noted.

import { fit, type Fit } from "./fit.js";
import { paintSigned } from "./signed-heatmap.js";
import { maxAbs, type Matrix } from "./matrix.js";
import type { Stretch, Theme } from "./scale.js";

/** CSS pixels of a row of cells before they are rounded to device pixels, and the largest width of a cell. */
const ROW_HEIGHT = 18;
const MAX_CELL = 14;
/** The fewest CSS pixels for the cells of a dimension, so that two panels beside each other can still be read. */
const MIN_CELL = 4;

export interface ProductsGeometry {
  /** device pixels per CSS pixel */
  ratio: number;
  /** the dimensions of a panel */
  across: Fit;
  /** CSS pixels of a row: a whole number of device pixels, so that labels and numbers stand beside their cells */
  rowHeight: number;
  /** whether both panels have room beside each other */
  isWide: boolean;
}

/**
 * @param dims the number of dimensions
 * @param space CSS pixels for the panels, without labels and numbers; gap: between them
 */
export function productsGeometry(
  dims: number,
  { width, gap, ratio }: { width: number; gap: number; ratio: number },
): ProductsGeometry {
  const half = (width - gap) / 2;
  const isWide = half >= MIN_CELL * dims;
  const room = Math.max(40, isWide ? half : width);
  const rowHeight = Math.round(ROW_HEIGHT * ratio) / ratio;
  return { ratio, isWide, rowHeight, across: fit(dims, room * ratio, MAX_CELL * ratio) };
}

/** The rows of a matrix in another order. */
export function rowsOf({ data, columns }: Matrix, rows: readonly number[]): Matrix {
  const picked = new Float32Array(rows.length * columns);
  rows.forEach((row, i) =>
    picked.set(data.subarray(row * columns, (row + 1) * columns), i * columns),
  );
  return { data: picked, rows: rows.length, columns };
}

/** Paints the rows of a panel. @returns `across.size` pixels a row */
export function paintRows(
  matrix: Matrix,
  {
    across,
    ratio,
    rowHeight,
    max,
    theme,
    stretch,
  }: Omit<ProductsGeometry, "isWide"> & { max: number; theme: Theme; stretch: Stretch },
) {
  const cell = Math.round(rowHeight * ratio);
  const down: Fit = { factor: 1, cells: matrix.rows, cell, size: matrix.rows * cell };
  const image = new Uint32Array(across.size * down.size);
  paintSigned(image, matrix, { down, across, max: max || 1, theme, stretch });
  return { image, width: across.size, height: down.size };
}

/** The value at the ends of one scale for all of these. */
export function commonMax(...matrices: readonly Matrix[]) {
  return Math.max(...matrices.map(maxAbs));
}

/** The dimension under a point; of several that a cell covers, the one with the largest magnitude in `row`. @param x device pixels */
export function dimensionAt(
  { data, columns }: Matrix,
  row: number,
  { cell, factor }: Fit,
  x: number,
) {
  const first = Math.floor(x / cell) * factor;
  if (x < 0 || first >= columns) return null;
  let best = first;
  const size = (dim: number) => Math.abs(data[row * columns + dim]);
  for (let dim = first; dim < Math.min(columns, first + factor); dim++)
    if (size(dim) > size(best)) best = dim;
  return best;
}
