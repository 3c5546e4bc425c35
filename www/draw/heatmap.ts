// An attention pattern as pixels: all cells have the same whole number of device pixels, and masked cells stay empty.

import { fillStripes } from "./not-finite.js";
import { level, pixels, type Theme, type Stretch } from "./scale.js";
import { masked, maxPool, type Matrix, type Pair } from "./matrix.js";
import type { Fit } from "./fit.js";

/** The visible window of a matrix: its first row and column, and its size in tokens. */
export type View = { row: number; column: number; count: number };
/** max: the value at the dark end of the scale; 1 if absent */
export type HeatmapOptions = { view: View; fit: Fit; theme: Theme; stretch: Stretch; max?: number };

/** The view of the whole matrix. */
export function fullView(matrix: Matrix): View {
  return { row: 0, column: 0, count: Math.max(matrix.rows, matrix.columns) };
}

/** The visible window, pooled, and which of its cells the causal mask hides. */
export function visible(
  matrix: Matrix,
  view: View,
  factor: number,
): Matrix & { hidden: (row: number, column: number) => boolean } {
  const rows = Math.min(view.count, matrix.rows - view.row);
  const columns = Math.min(view.count, matrix.columns - view.column);
  const data = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    const from = (view.row + row) * matrix.columns + view.column;
    data.set(matrix.data.subarray(from, from + columns), row * columns);
  }
  /** A block is hidden if the mask hides its first key from its last query. */
  const hidden = (row: number, column: number) => {
    const last = Math.min(view.row + (row + 1) * factor, matrix.rows) - 1;
    return masked(matrix, last, view.column + column * factor);
  };
  return { ...maxPool({ data, rows, columns }, factor), hidden };
}

/**
 * Paints the visible window with one pixel for each cell. Masked cells and cells without a finite value stay transparent.
 * @param image `fit.cells` pixels a row
 * @returns runs of cells whose value is not finite
 */
export function heatmap(
  image: Uint32Array<ArrayBufferLike>,
  matrix: Matrix,
  { view, fit: { factor, cells }, theme, stretch, max = 1 }: HeatmapOptions,
): { row: number; column: number; count: number }[] {
  const window = visible(matrix, view, factor);
  const ink = pixels(theme);
  const notFinite = [];
  for (let row = 0; row < window.rows; row++) {
    let count = 0; // length of the run that ends here
    let column = 0;
    for (; column < window.columns && !window.hidden(row, column); column++) {
      const value = window.data[row * window.columns + column];
      if (!Number.isFinite(value)) {
        count += 1;
        continue;
      }
      if (count > 0) notFinite.push({ row, column: column - count, count });
      count = 0;
      image[row * cells + column] = ink[level(value / max, stretch)];
    }
    if (count > 0) notFinite.push({ row, column: column - count, count });
  }
  return notFinite;
}

/** Holds the image with one pixel for each cell before it is enlarged. */
let small: OffscreenCanvasRenderingContext2D | null | undefined;

/**
 * Draws a pattern and gives the canvas exactly the size that it needs.
 * @param options ratio: device pixels per CSS pixel
 */
export function drawHeatmap(
  canvas: HTMLCanvasElement,
  matrix: Matrix,
  options: HeatmapOptions & { ratio: number },
) {
  const { size, cells, cell } = options.fit;
  small ??= new OffscreenCanvas(1, 1).getContext("2d");
  const context = canvas.getContext("2d");
  if (!context || !small) return;
  const image = context.createImageData(cells, cells);
  const notFinite = heatmap(new Uint32Array(image.data.buffer), matrix, options);
  small.canvas.width = small.canvas.height = cells;
  small.putImageData(image, 0, 0);
  canvas.width = canvas.height = size;
  canvas.style.width = canvas.style.height = `${size / options.ratio}px`;
  context.imageSmoothingEnabled = false;
  context.drawImage(small.canvas, 0, 0, size, size);
  for (const { row, column, count } of notFinite)
    fillStripes(context, column * cell, row * cell, count * cell, cell, options.theme);
}

/**
 * The token pair under a point, or null outside the plot and under the causal mask. If a cell covers several tokens, the
 * first pair that is NaN, or else the pair with the largest value.
 * @param x device pixels from the plot's left edge
 * @param y device pixels from the plot's top edge
 */
export function pairAt(
  matrix: Matrix,
  view: View,
  { factor, cell, cells }: Fit,
  x: number,
  y: number,
): Pair | null {
  const [row, column] = [Math.floor(y / cell), Math.floor(x / cell)];
  if (row < 0 || column < 0 || row >= cells || column >= cells) return null;
  const first = { query: view.row + row * factor, key: view.column + column * factor };
  let best = null;
  let max = -1;
  for (let query = first.query; query < Math.min(matrix.rows, first.query + factor); query++) {
    for (let key = first.key; key < first.key + factor; key++) {
      if (key >= matrix.columns || masked(matrix, query, key)) continue;
      const value = matrix.data[query * matrix.columns + key];
      if (Number.isNaN(value)) return { query, key };
      if (value > max) [best, max] = [{ query, key }, value];
    }
  }
  return best;
}

/** A view of `count` tokens that keeps the pair at its place on the screen, as far as the matrix allows. */
export function zoom(matrix: Matrix, view: View, count: number, { query, key }: Pair): View {
  const max = Math.max(matrix.rows, matrix.columns);
  const next = Math.max(Math.min(8, max), Math.min(max, Math.round(count)));
  const down = (query - view.row) / view.count;
  const across = (key - view.column) / view.count;
  return clip(matrix, {
    row: Math.round(query - down * next),
    column: Math.round(key - across * next),
    count: next,
  });
}

/** The closest view that lies inside the matrix. */
export function clip(matrix: Matrix, { row, column, count }: View): View {
  const max = Math.max(matrix.rows, matrix.columns);
  const inside = Math.min(count, max);
  const start = (at: number) => Math.max(0, Math.min(max - inside, at));
  return { row: start(row), column: start(column), count: inside };
}

/** The closest view that contains the pair. */
export function reveal(matrix: Matrix, view: View, { query, key }: Pair) {
  const shift = (at: number, position: number) =>
    Math.min(position, Math.max(at, position - view.count + 1));
  return clip(matrix, {
    row: shift(view.row, query),
    column: shift(view.column, key),
    count: view.count,
  });
}
