// Two axes of a tensor as a matrix of signed numbers, and that matrix as pixels.

import { signedLevel, signedPixels } from "./diverging.js";
import { onStripe, stripePixel } from "./not-a-number.js";
import type { Tensor, Matrix } from "./matrix.js";
import type { Theme, Stretch } from "./scale.js";

/** Which axis runs down, which across, and where along each other one. */
export type Cut = { rows: string; columns: string; index: Readonly<Record<string, number>> };
/** How the places of an axis fit some device pixels: `cells` of `cell` pixels, each covering `factor` places. */
export type Fit = { factor: number; cells: number; cell: number; size: number };

/**
 * A cut that can be drawn: what was asked for where the tensor has it; else positions down and the last axis across.
 * @param tensor of two axes or more
 */
export function cutOf({ axes, shape }: Tensor, asked: Partial<Cut>): Cut {
  const long = axes.filter((_, i) => shape[i] > 1);
  const [first, ...others] = long.length >= 2 ? long : axes.slice(-2); // a batch of one is not worth an axis
  const usual = [first, ...others].find((name) => name === "pos" || name === "query") ?? first;
  const known = (name: string | undefined) =>
    name !== undefined && axes.includes(name) ? name : undefined;
  const columns =
    known(asked.columns) ??
    [first, ...others].reverse().find((name) => name !== (known(asked.rows) ?? usual)) ??
    first;
  const rows =
    [known(asked.rows), usual, first, ...others].find(
      (name) => name !== undefined && name !== columns,
    ) ?? first;
  const rest = axes.filter((name) => name !== rows && name !== columns);
  const place = (name: string) =>
    Math.max(0, Math.min(shape[axes.indexOf(name)] - 1, Math.floor(asked.index?.[name] ?? 0) || 0));
  return { rows, columns, index: Object.fromEntries(rest.map((name) => [name, place(name)])) };
}

/** The matrix of a cut. */
export function planeOf({ data, shape, axes }: Tensor, { rows, columns, index }: Cut): Matrix {
  const strides = shape.map((_, i) =>
    shape.slice(i + 1).reduce((product, size) => product * size, 1),
  );
  const along = (name: string) => ({
    count: shape[axes.indexOf(name)],
    stride: strides[axes.indexOf(name)],
  });
  const [down, across] = [along(rows), along(columns)];
  const start = Object.entries(index).reduce(
    (sum, [name, place]) => sum + place * along(name).stride,
    0,
  );
  const plane = new Float32Array(down.count * across.count);
  for (let row = 0; row < down.count; row++) {
    for (let column = 0; column < across.count; column++) {
      plane[row * across.count + column] = data[start + row * down.stride + column * across.stride];
    }
  }
  return { data: plane, rows: down.count, columns: across.count };
}

/** The largest distance from zero, of the finite values; 0 where all are. */
export function reach({ data }: Matrix) {
  let most = 0;
  for (const value of data)
    if (Number.isFinite(value) && Math.abs(value) > most) most = Math.abs(value);
  return most;
}

/**
 * Whether a value is neither finite nor the −∞ that attention scores have where a query may not look.
 * @param masks the tensor is one of attention scores
 */
export function isMarked(value: number, masks: boolean = false) {
  return !Number.isFinite(value) && !(masks && value === -Infinity);
}

/** Whether −∞ is a mask in this tensor: it holds queries and keys. */
export function hasMask({ axes }: Tensor) {
  return axes.includes("query") && axes.includes("key");
}

/**
 * Every block becomes its value that is farthest from zero, so that nothing large is lost; NaN if one is marked, and −∞ if
 * all are masked.
 * @param across places that a cell covers
 */
export function pooled(
  matrix: Matrix,
  down: number,
  across: number,
  masks: boolean = false,
): Matrix {
  if (down === 1 && across === 1) return matrix;
  const rows = Math.ceil(matrix.rows / down);
  const columns = Math.ceil(matrix.columns / across);
  const data = new Float32Array(rows * columns).fill(-Infinity);
  matrix.data.forEach((value, i) => {
    const at =
      Math.floor(Math.floor(i / matrix.columns) / down) * columns +
      Math.floor((i % matrix.columns) / across);
    if (isMarked(value, masks)) data[at] = NaN;
    else if (
      Number.isFinite(value) &&
      (data[at] === -Infinity || Math.abs(value) > Math.abs(data[at]))
    )
      data[at] = value;
  });
  return { data, rows, columns };
}

/**
 * @param count places
 * @param room device pixels
 * @param most device pixels a cell may have
 */
export function fitAlong(count: number, room: number, most: number): Fit {
  const space = Math.max(1, Math.floor(room));
  const factor = Math.max(1, Math.ceil(count / space));
  const cells = Math.ceil(count / factor);
  const cell = Math.max(1, Math.min(Math.floor(most), Math.floor(space / Math.max(1, cells))));
  return { factor, cells, cell, size: cells * cell };
}

/**
 * Paints a matrix. A masked cell stays transparent, and one that is not finite gets stripes.
 * @param image `across.size` pixels a row
 * @param options most: the value at the ends of the scale
 */
export function paintPlane(
  image: Uint32Array<ArrayBufferLike>,
  matrix: Matrix,
  {
    down,
    across,
    most,
    theme,
    stretch,
    masks = false,
  }: { down: Fit; across: Fit; most: number; theme: Theme; stretch: Stretch; masks?: boolean },
) {
  const ink = signedPixels(theme);
  const shown = pooled(matrix, down.factor, across.factor, masks);
  const marked = [];
  for (let row = 0; row < shown.rows; row++) {
    const top = row * down.cell * across.size;
    for (let column = 0; column < shown.columns; column++) {
      const value = shown.data[row * shown.columns + column];
      const level = signedLevel(value, most, stretch);
      if (isMarked(value, masks)) marked.push({ x: column * across.cell, y: row * down.cell });
      if (level >= 0)
        image.fill(ink[level], top + column * across.cell, top + (column + 1) * across.cell);
    }
    for (let line = 1; line < down.cell; line++)
      image.copyWithin(top + line * across.size, top, top + across.size);
  }
  const stripeInk = stripePixel(theme);
  for (const { x, y } of marked)
    stripe(image, across.size, { x, y, width: across.cell, height: down.cell }, stripeInk);
}

/** @param stride pixels a row */
function stripe(
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
 * The place under a point, or null outside; where a cell covers several, the one farthest from zero, or the first that is
 * not a number.
 * @param y device pixels
 */
export function placeAt(
  matrix: Matrix,
  down: Fit,
  across: Fit,
  x: number,
  y: number,
  masks: boolean = false,
): { row: number; column: number } | null {
  const [top, left] = [
    Math.floor(y / down.cell) * down.factor,
    Math.floor(x / across.cell) * across.factor,
  ];
  if (top < 0 || left < 0 || top >= matrix.rows || left >= matrix.columns) return null;
  let best = { row: top, column: left };
  let most = -1;
  for (let row = top; row < Math.min(matrix.rows, top + down.factor); row++) {
    for (let column = left; column < Math.min(matrix.columns, left + across.factor); column++) {
      const value = matrix.data[row * matrix.columns + column];
      if (isMarked(value, masks)) return { row, column };
      const far = Math.abs(value);
      if (Number.isFinite(far) && far > most) [best, most] = [{ row, column }, far];
    }
  }
  return best;
}

/** The places that are not finite, then those farthest from zero. */
export function farthest(
  matrix: Matrix,
  count: number,
  masks: boolean = false,
): { row: number; column: number; value: number }[] {
  const places = Array.from(matrix.data.keys()).filter(
    (i) => Number.isFinite(matrix.data[i]) || isMarked(matrix.data[i], masks),
  );
  const distance = (i: number) =>
    Number.isFinite(matrix.data[i]) ? Math.abs(matrix.data[i]) : Number.MAX_VALUE;
  places.sort((a, b) => distance(b) - distance(a));
  return places.slice(0, count).map((i) => ({
    row: Math.floor(i / matrix.columns),
    column: i % matrix.columns,
    value: matrix.data[i],
  }));
}
