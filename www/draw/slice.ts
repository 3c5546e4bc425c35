// Two axes of a tensor as a matrix: which axes, and the position on every other axis.

import type { Matrix, Tensor } from "./matrix.js";

/** The axis that runs down, the axis that runs across, and the position on every other axis. */
export type Slice = { rows: string; columns: string; index: Readonly<Record<string, number>> };

/** Axes of tokens: of a text, the last token is the most interesting. */
const TOKENS = ["pos", "query", "key"];

/**
 * A slice that the tensor has: the requested axes and positions if they exist; otherwise positions of the text run down
 * and the last axis across, at the last token and the first place of every other axis.
 * @param tensor of two axes or more
 */
export function resolveSlice({ axes, shape }: Tensor, wanted: Partial<Slice>): Slice {
  const long = axes.filter((_, i) => shape[i] > 1);
  const [first, ...others] = long.length >= 2 ? long : axes.slice(-2); // axes of length 1 come last
  const usual = [first, ...others].find((name) => name === "pos" || name === "query") ?? first;
  const known = (name: string | undefined) =>
    name !== undefined && axes.includes(name) ? name : undefined;
  const columns =
    known(wanted.columns) ??
    [first, ...others].reverse().find((name) => name !== (known(wanted.rows) ?? usual)) ??
    first;
  const rows =
    [known(wanted.rows), usual, first, ...others].find(
      (name) => name !== undefined && name !== columns,
    ) ?? first;
  const rest = axes.filter((name) => name !== rows && name !== columns);
  const position = (name: string) => {
    const last = shape[axes.indexOf(name)] - 1;
    const usualPosition = TOKENS.includes(name) ? last : 0;
    return Math.max(0, Math.min(last, Math.floor(wanted.index?.[name] ?? usualPosition) || 0));
  };
  return { rows, columns, index: Object.fromEntries(rest.map((name) => [name, position(name)])) };
}

/** Copies a slice out of a tensor. */
export function sliceTensor({ data, shape, axes }: Tensor, slice: Slice): Matrix {
  const strides = shape.map((_, i) =>
    shape.slice(i + 1).reduce((product, size) => product * size, 1),
  );
  const along = (name: string) => ({
    count: shape[axes.indexOf(name)],
    stride: strides[axes.indexOf(name)],
  });
  const [down, across] = [along(slice.rows), along(slice.columns)];
  const start = Object.entries(slice.index).reduce(
    (sum, [name, position]) => sum + position * along(name).stride,
    0,
  );
  const values = new Float32Array(down.count * across.count);
  for (let row = 0; row < down.count; row++) {
    for (let column = 0; column < across.count; column++) {
      values[row * across.count + column] =
        data[start + row * down.stride + column * across.stride];
    }
  }
  return { data: values, rows: down.count, columns: across.count };
}
