// How the places of an axis map to device pixels: each cell has a whole number of pixels.

/** `cells` cells of `cell` pixels each; a cell covers `factor` places. `size` is `cells * cell`. */
export type Fit = { factor: number; cells: number; cell: number; size: number };

/**
 * The largest cells that fit.
 * @param count places on the axis
 * @param room device pixels
 * @param maxCell the largest size of a cell, in device pixels
 */
export function fit(count: number, room: number, maxCell = Infinity): Fit {
  const space = Math.max(1, Math.floor(room));
  const factor = Math.max(1, Math.ceil(count / space));
  const cells = Math.ceil(count / factor);
  const largest = Math.floor(space / Math.max(1, cells));
  const cell = Math.max(1, Math.min(Math.floor(maxCell), largest));
  return { factor, cells, cell, size: cells * cell };
}

/**
 * The fit whose size is closest to `target`, for thumbnails that may be a little larger or smaller.
 * @param target device pixels
 * @param max device pixels that may not be exceeded
 * @param maxCell the largest size of a cell, in device pixels
 */
export function fitNear(count: number, target: number, max: number, maxCell = Infinity): Fit {
  if (count > max) return fit(count, max);
  const largest = Math.min(Math.floor(max / count), Math.floor(maxCell));
  const cell = Math.max(1, Math.min(Math.round(target / count), largest));
  return { factor: 1, cells: count, cell, size: count * cell };
}
