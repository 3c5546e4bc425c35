// A matrix as pixels: every cell the same whole number of device pixels, the masked future left as empty paper.

import { fillStripes } from "./not-a-number.js";
import { level, pixels, type Theme, type Stretch } from "./scale.js";
import { masked, maxPool, type Matrix } from "./matrix.js";

/** The part of a matrix that is on show. */
export type View = { row: number; column: number; count: number };
/** How a count of tokens fits a number of device pixels: `cells` cells of `cell` pixels, each covering `factor` tokens. */
export type Fit = { factor: number; cells: number; cell: number; size: number };

/**
 * @param count tokens
 * @param room device pixels, at least 1
 */
export function fit(count: number, room: number): Fit {
  const space = Math.max(1, Math.floor(room));
  const factor = Math.max(1, Math.ceil(count / space));
  const cells = Math.ceil(count / factor);
  const cell = Math.max(1, Math.floor(space / Math.max(1, cells)));
  return { factor, cells, cell, size: cells * cell };
}

/**
 * The fit whose size is nearest to `target`, for thumbnails that may be a little larger or smaller.
 * @param target device pixels
 * @param most device pixels
 */
export function fitNear(count: number, target: number, most: number): Fit {
  if (count > most) return fit(count, most);
  const cell = Math.max(1, Math.min(Math.round(target / count), Math.floor(most / count)));
  return { factor: 1, cells: count, cell, size: count * cell };
}

export function whole(matrix: Matrix): View {
  return { row: 0, column: 0, count: Math.max(matrix.rows, matrix.columns) };
}

/** The visible window, cut out and pooled: what heatmap paints. */
export function visible(
  matrix: Matrix,
  view: View,
  factor: number,
): Matrix & { blank: (row: number, column: number) => boolean } {
  const rows = Math.min(view.count, matrix.rows - view.row);
  const columns = Math.min(view.count, matrix.columns - view.column);
  const data = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    const from = (view.row + row) * matrix.columns + view.column;
    data.set(matrix.data.subarray(from, from + columns), row * columns);
  }
  /** A block is blank when even its last query may not see its first key. */
  const blank = (row: number, column: number) => {
    const last = Math.min(view.row + (row + 1) * factor, matrix.rows) - 1;
    return masked(matrix, last, view.column + column * factor);
  };
  return { ...maxPool({ data, rows, columns }, factor), blank };
}

/**
 * Paints the visible window, a pixel for each cell. Cells without a finite value stay transparent and are returned.
 * @param image as pixels, `cells` a row; transparent where nothing is painted
 * @returns the runs of cells whose value is not finite
 */
export function heatmap(
  image: Uint32Array<ArrayBufferLike>,
  matrix: Matrix,
  {
    view,
    fit: { factor, cells },
    theme,
    stretch,
  }: { view: View; fit: Fit; theme: Theme; stretch: Stretch },
): { row: number; column: number; count: number }[] {
  const shown = visible(matrix, view, factor);
  const ink = pixels(theme);
  const notFinite = [];
  for (let row = 0; row < shown.rows; row++) {
    let count = 0; // cells of the run that ends here
    let column = 0;
    for (; column < shown.columns && !shown.blank(row, column); column++) {
      const value = shown.data[row * shown.columns + column];
      if (!Number.isFinite(value)) {
        count += 1;
        continue;
      }
      if (count > 0) notFinite.push({ row, column: column - count, count });
      count = 0;
      image[row * cells + column] = ink[level(value, stretch)];
    }
    if (count > 0) notFinite.push({ row, column: column - count, count });
  }
  return notFinite;
}

/** Where a picture is painted before its pixels grow to cells. */
let small: OffscreenCanvasRenderingContext2D | null | undefined;

/**
 * Draws a matrix on a canvas, which takes exactly the pixels it needs.
 * @param options ratio: device pixels per CSS pixel
 */
export function drawHeatmap(
  canvas: HTMLCanvasElement,
  matrix: Matrix,
  options: { view: View; fit: Fit; theme: Theme; stretch: Stretch; ratio: number },
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
  context.imageSmoothingEnabled = false; // every pixel a whole cell of one colour
  context.drawImage(small.canvas, 0, 0, size, size);
  for (const { row, column, count } of notFinite)
    fillStripes(context, column * cell, row * cell, count * cell, cell, options.theme);
}

/**
 * The token pair under a point, or null outside the part that queries may see.
 * Where a cell covers several tokens, the pair with the largest value, or the first that is not a number.
 * @param y device pixels from the plot's corner
 */
export function pairAt(
  matrix: Matrix,
  view: View,
  { factor, cell, cells }: Fit,
  x: number,
  y: number,
): { query: number; key: number } | null {
  const [row, column] = [Math.floor(y / cell), Math.floor(x / cell)];
  if (row < 0 || column < 0 || row >= cells || column >= cells) return null;
  let best = null;
  let most = -1;
  for (
    let query = view.row + row * factor;
    query < Math.min(matrix.rows, view.row + (row + 1) * factor);
    query++
  ) {
    for (
      let key = view.column + column * factor;
      key < view.column + (column + 1) * factor;
      key++
    ) {
      if (key >= matrix.columns || masked(matrix, query, key)) continue;
      const value = matrix.data[query * matrix.columns + key];
      if (Number.isNaN(value)) return { query, key };
      if (value > most) [best, most] = [{ query, key }, value];
    }
  }
  return best;
}

/**
 * A view `count` tokens wide that keeps the pair where it was on screen, clipped to the matrix.
 */
export function zoom(
  matrix: Matrix,
  view: View,
  count: number,
  { query, key }: { query: number; key: number },
): View {
  const most = Math.max(matrix.rows, matrix.columns);
  const next = Math.max(Math.min(8, most), Math.min(most, Math.round(count)));
  const down = (query - view.row) / view.count;
  const across = (key - view.column) / view.count;
  return clip(matrix, {
    row: Math.round(query - down * next),
    column: Math.round(key - across * next),
    count: next,
  });
}

/** The nearest view that lies inside the matrix. */
export function clip(matrix: Matrix, { row, column, count }: View): View {
  const most = Math.max(matrix.rows, matrix.columns);
  const inside = Math.min(count, most);
  const place = (at: number) => Math.max(0, Math.min(most - inside, at));
  return { row: place(row), column: place(column), count: inside };
}

/** The nearest view that shows the pair. */
export function reveal(matrix: Matrix, view: View, { query, key }: { query: number; key: number }) {
  const shift = (at: number, position: number) =>
    Math.min(position, Math.max(at, position - view.count + 1));
  return clip(matrix, {
    row: shift(view.row, query),
    column: shift(view.column, key),
    count: view.count,
  });
}
