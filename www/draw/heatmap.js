// A matrix as pixels: every cell the same whole number of device pixels, the masked future left as empty paper.

import { fillStripes } from "./not-a-number.js";
import { level, pixels } from "./scale.js";
import { masked, maxPool } from "./matrix.js";

/** @typedef {import("./scale.js").Theme} Theme */
/** @typedef {import("./scale.js").Stretch} Stretch */
/** @typedef {import("./matrix.js").Matrix} Matrix */

/** The part of a matrix that is on show. @typedef {{ row: number, column: number, count: number }} View */
/**
 * How a count of tokens fits a number of device pixels: `cells` cells of `cell` pixels, each covering `factor` tokens.
 * @typedef {{ factor: number, cells: number, cell: number, size: number }} Fit
 */

/**
 * @param {number} count tokens @param {number} room device pixels, at least 1
 * @returns {Fit}
 */
export function fit(count, room) {
  const space = Math.max(1, Math.floor(room));
  const factor = Math.max(1, Math.ceil(count / space));
  const cells = Math.ceil(count / factor);
  const cell = Math.max(1, Math.floor(space / Math.max(1, cells)));
  return { factor, cells, cell, size: cells * cell };
}

/**
 * The fit whose size is nearest to `target`, for thumbnails that may be a little larger or smaller.
 * @param {number} count @param {number} target device pixels @param {number} most device pixels
 * @returns {Fit}
 */
export function fitNear(count, target, most) {
  if (count > most) return fit(count, most);
  const cell = Math.max(1, Math.min(Math.round(target / count), Math.floor(most / count)));
  return { factor: 1, cells: count, cell, size: count * cell };
}

/** @param {Matrix} matrix @returns {View} */
export function whole(matrix) {
  return { row: 0, column: 0, count: Math.max(matrix.rows, matrix.columns) };
}

/**
 * The visible window, cut out and pooled: what heatmap paints.
 * @param {Matrix} matrix @param {View} view @param {number} factor
 * @returns {Matrix & { blank: (row: number, column: number) => boolean }}
 */
export function visible(matrix, view, factor) {
  const rows = Math.min(view.count, matrix.rows - view.row);
  const columns = Math.min(view.count, matrix.columns - view.column);
  const data = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    const from = (view.row + row) * matrix.columns + view.column;
    data.set(matrix.data.subarray(from, from + columns), row * columns);
  }
  /** A block is blank when even its last query may not see its first key. @param {number} row @param {number} column */
  const blank = (row, column) => {
    const last = Math.min(view.row + (row + 1) * factor, matrix.rows) - 1;
    return masked(matrix, last, view.column + column * factor);
  };
  return { ...maxPool({ data, rows, columns }, factor), blank };
}

/**
 * Paints the visible window, a pixel for each cell. Cells without a finite value stay transparent and are returned.
 * @param {Uint32Array<ArrayBufferLike>} image as pixels, `cells` a row; transparent where nothing is painted
 * @param {Matrix} matrix
 * @param {{ view: View, fit: Fit, theme: Theme, stretch: Stretch }} options
 * @returns {{ row: number, column: number, count: number }[]} the runs of cells whose value is not finite
 */
export function heatmap(image, matrix, { view, fit: { factor, cells }, theme, stretch }) {
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

/** Where a picture is painted before its pixels grow to cells. @type {OffscreenCanvasRenderingContext2D | null | undefined} */
let small;

/**
 * Draws a matrix on a canvas, which takes exactly the pixels it needs.
 * @param {HTMLCanvasElement} canvas @param {Matrix} matrix
 * @param {{ view: View, fit: Fit, theme: Theme, stretch: Stretch, ratio: number }} options ratio: device pixels per CSS pixel
 */
export function drawHeatmap(canvas, matrix, options) {
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
  for (const { row, column, count } of notFinite) fillStripes(context, column * cell, row * cell, count * cell, cell, options.theme);
}

/**
 * The token pair under a point, or null outside the part that queries may see.
 * Where a cell covers several tokens, the pair with the largest value, or the first that is not a number.
 * @param {Matrix} matrix @param {View} view @param {Fit} fit
 * @param {number} x @param {number} y device pixels from the plot's corner
 * @returns {{ query: number, key: number } | null}
 */
export function pairAt(matrix, view, { factor, cell, cells }, x, y) {
  const [row, column] = [Math.floor(y / cell), Math.floor(x / cell)];
  if (row < 0 || column < 0 || row >= cells || column >= cells) return null;
  let best = null;
  let most = -1;
  for (let query = view.row + row * factor; query < Math.min(matrix.rows, view.row + (row + 1) * factor); query++) {
    for (let key = view.column + column * factor; key < view.column + (column + 1) * factor; key++) {
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
 * @param {Matrix} matrix @param {View} view @param {number} count @param {{ query: number, key: number }} pair
 * @returns {View}
 */
export function zoom(matrix, view, count, { query, key }) {
  const most = Math.max(matrix.rows, matrix.columns);
  const next = Math.max(Math.min(8, most), Math.min(most, Math.round(count)));
  const down = (query - view.row) / view.count;
  const across = (key - view.column) / view.count;
  return clip(matrix, { row: Math.round(query - down * next), column: Math.round(key - across * next), count: next });
}

/** The nearest view that lies inside the matrix. @param {Matrix} matrix @param {View} view @returns {View} */
export function clip(matrix, { row, column, count }) {
  const most = Math.max(matrix.rows, matrix.columns);
  const inside = Math.min(count, most);
  /** @param {number} at */
  const place = (at) => Math.max(0, Math.min(most - inside, at));
  return { row: place(row), column: place(column), count: inside };
}

/** The nearest view that shows the pair. @param {Matrix} matrix @param {View} view @param {{ query: number, key: number }} pair */
export function reveal(matrix, view, { query, key }) {
  /** @param {number} at @param {number} position */
  const shift = (at, position) => Math.min(position, Math.max(at, position - view.count + 1));
  return clip(matrix, { row: shift(view.row, query), column: shift(view.column, key), count: view.count });
}
