// A matrix of signed numbers as pixels: zero has the colour of the paper, and each sign has its own hue.

import { signedLevel, signedPixels } from "./diverging.js";
import { onStripe, stripePixel } from "./not-finite.js";
import type { Fit } from "./fit.js";
import type { Matrix, Tensor } from "./matrix.js";
import type { Theme, Stretch } from "./scale.js";

/** A cell of a matrix. */
export type Cell = { row: number; column: number };

/**
 * Whether a value is neither finite nor a mask: attention scores are −∞ for keys that a query cannot attend to.
 * @param masks whether −∞ is a mask
 */
export function isInvalid(value: number, masks = false) {
  return !Number.isFinite(value) && !(masks && value === -Infinity);
}

/** Whether −∞ is a mask in this tensor, because it holds attention scores. */
export function hasMask({ axes }: Tensor) {
  return axes.includes("query") && axes.includes("key");
}

/**
 * Each block becomes its value with the largest magnitude; NaN if a value of the block is invalid, −∞ if all are masked.
 * @param down rows of a block
 * @param across columns of a block
 */
export function poolSigned(matrix: Matrix, down: number, across: number, masks = false): Matrix {
  if (down === 1 && across === 1) return matrix;
  const rows = Math.ceil(matrix.rows / down);
  const columns = Math.ceil(matrix.columns / across);
  const data = new Float32Array(rows * columns).fill(-Infinity);
  matrix.data.forEach((value, i) => {
    const row = Math.floor(i / matrix.columns);
    const column = i % matrix.columns;
    const at = Math.floor(row / down) * columns + Math.floor(column / across);
    if (isInvalid(value, masks)) data[at] = NaN;
    else if (
      Number.isFinite(value) &&
      (data[at] === -Infinity || Math.abs(value) > Math.abs(data[at]))
    )
      data[at] = value;
  });
  return { data, rows, columns };
}

/**
 * Paints a matrix. A masked cell stays transparent, and an invalid one gets stripes.
 * @param image `across.size` pixels a row
 * @param options max: the value at the ends of the scale
 */
export function paintSigned(
  image: Uint32Array<ArrayBufferLike>,
  matrix: Matrix,
  {
    down,
    across,
    max,
    theme,
    stretch,
    masks = false,
  }: { down: Fit; across: Fit; max: number; theme: Theme; stretch: Stretch; masks?: boolean },
) {
  const ink = signedPixels(theme);
  const cells = poolSigned(matrix, down.factor, across.factor, masks);
  const invalid = [];
  for (let row = 0; row < cells.rows; row++) {
    const top = row * down.cell * across.size;
    for (let column = 0; column < cells.columns; column++) {
      const value = cells.data[row * cells.columns + column];
      const level = signedLevel(value, max, stretch);
      if (isInvalid(value, masks)) invalid.push({ x: column * across.cell, y: row * down.cell });
      if (level >= 0)
        image.fill(ink[level], top + column * across.cell, top + (column + 1) * across.cell);
    }
    for (let line = 1; line < down.cell; line++)
      image.copyWithin(top + line * across.size, top, top + across.size);
  }
  const stripeInk = stripePixel(theme);
  for (const { x, y } of invalid)
    paintStripes(image, across.size, { x, y, width: across.cell, height: down.cell }, stripeInk);
}

/** @param stride pixels a row */
function paintStripes(
  image: Uint32Array<ArrayBufferLike>,
  stride: number,
  { x: left, y: top, width, height }: { x: number; y: number; width: number; height: number },
  ink: number,
) {
  for (let y = top; y < top + height; y++) {
    for (let x = left; x < left + width; x++) if (onStripe(x, y)) image[y * stride + x] = ink;
  }
}

/**
 * The cell of the matrix under a point, or null outside. If a drawn cell covers several, the first invalid one, or else
 * the one with the largest magnitude.
 * @param x device pixels
 * @param y device pixels
 */
export function cellAt(
  matrix: Matrix,
  down: Fit,
  across: Fit,
  x: number,
  y: number,
  masks = false,
): Cell | null {
  const top = Math.floor(y / down.cell) * down.factor;
  const left = Math.floor(x / across.cell) * across.factor;
  if (top < 0 || left < 0 || top >= matrix.rows || left >= matrix.columns) return null;
  let best = { row: top, column: left };
  let max = -1;
  for (let row = top; row < Math.min(matrix.rows, top + down.factor); row++) {
    for (let column = left; column < Math.min(matrix.columns, left + across.factor); column++) {
      const value = matrix.data[row * matrix.columns + column];
      if (isInvalid(value, masks)) return { row, column };
      const magnitude = Math.abs(value);
      if (Number.isFinite(magnitude) && magnitude > max) [best, max] = [{ row, column }, magnitude];
    }
  }
  return best;
}

/** The invalid cells, then those with the largest magnitude. */
export function largestCells(
  matrix: Matrix,
  count: number,
  masks = false,
): (Cell & { value: number })[] {
  const places = Array.from(matrix.data.keys()).filter(
    (i) => Number.isFinite(matrix.data[i]) || isInvalid(matrix.data[i], masks),
  );
  const magnitude = (i: number) =>
    Number.isFinite(matrix.data[i]) ? Math.abs(matrix.data[i]) : Number.MAX_VALUE;
  places.sort((a, b) => magnitude(b) - magnitude(a));
  return places.slice(0, count).map((i) => ({
    row: Math.floor(i / matrix.columns),
    column: i % matrix.columns,
    value: matrix.data[i],
  }));
}
