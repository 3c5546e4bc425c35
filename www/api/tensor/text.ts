// A tensor as text, as NumPy prints arrays: the middle of long axes is left out.

import { areIds, countOf, type TensorArray, type Values } from "./values.js";

/** More numbers than this are shortened. */
const MAX_NUMBERS = 100;
/** The numbers at each end of a shortened axis. */
const EDGE = 3;

/** "head: 4, pos: 13". */
export function spelledAxes({ axes, shape }: Pick<Values, "axes" | "shape">): string {
  return axes.map((axis, i) => `${axis}: ${shape[i]}`).join(", ");
}

/** A tensor as it is printed. */
export type Printable = Values & { name?: string; note?: string };

/** "Tensor(head: 4, pos: 13) blocks.0.attn.hook_z". */
export function heading(values: Printable): string {
  const { name, note, data } = values;
  const kind = areIds(data) ? " of ids" : "";
  const parts = [`Tensor(${spelledAxes(values)})${kind}`, name, note && `(${note})`];
  return parts.filter(Boolean).join(" ");
}

/** The heading, and the numbers below. */
export function printed(values: Printable): string {
  return `${heading(values)}\n${numbers(values, 0, 0, "")}`;
}

/** The part of the numbers from `start` on that axis `axis` and the later ones hold. */
function numbers(
  { data, shape, labels, axes }: Values,
  axis: number,
  start: number,
  indent: string,
): string {
  if (axis === shape.length) return number(data[start], data);
  const length = shape[axis];
  const step = countOf(shape.slice(axis + 1));
  const isShort = data.length <= MAX_NUMBERS || length <= 2 * EDGE;
  const shown = isShort
    ? [...Array(length).keys()]
    : [...Array(EDGE).keys(), -1, ...Array.from({ length: EDGE }, (_, i) => length - EDGE + i)];
  const isLast = axis === shape.length - 1;
  const own = labels[axes[axis]];
  const values = { data, shape, labels, axes };
  const parts = shown.map((i) => {
    if (i < 0) return "…";
    const inner = numbers(values, axis + 1, start + i * step, `${indent} `);
    return own && !isLast ? `${JSON.stringify(own[i])}: ${inner}` : inner;
  });
  return `[${parts.join(isLast ? ", " : `,\n${indent} `)}]`;
}

/** A number of `data`: all digits of an id, up to five significant ones of others. */
export function number(value: number, data: TensorArray): string {
  const isWhole = areIds(data) || !Number.isFinite(value);
  return isWhole ? String(value) : String(Number(value.toPrecision(5)));
}
