// A tensor that <tensor-view> cannot draw, in words.

import { html } from "lit";

import type { NamedArray } from "../../draw/arrangement.js";
import { formatCount } from "../../draw/format.js";
import { withCode } from "../code.js";

/** Why a tensor cannot be drawn; empty if it can. What it is given on a page may be anything. */
export function tensorProblem(tensor: NamedArray): string {
  const { shape, axes, data }: Partial<NamedArray> = tensor;
  const isLength = (one: unknown) => Number.isInteger(one) && (one as number) >= 0;
  if (!Array.isArray(shape) || !shape.every(isLength))
    return "its `shape` is to be an array of whole numbers";
  if (!Array.isArray(axes) || !axes.every((one) => typeof one === "string"))
    return `its \`axes\` are to be an array of names, one for each number of its shape (${shape.join(", ")})`;
  if (axes.length !== shape.length)
    return `its \`axes\` are ${axes.length} names, its shape (${shape.join(", ")}) is of ${shape.length}`;
  const twice = axes.find((axis, i) => axes.indexOf(axis) !== i);
  if (twice !== undefined)
    return `two of its axes have the name \`${twice}\`: each needs its own, as \`query\` and \`key\``;
  const count = shape.reduce((product, length) => product * length, 1);
  if (typeof data?.length !== "number" || (data.length > 0 && typeof data[0] !== "number"))
    return "its `data` are to be a `Float32Array` or a `Uint32Array`";
  return data.length === count
    ? ""
    : `its shape (${shape.join(", ")}) is of ${formatCount(count)} values, its data are ${formatCount(data.length)}`;
}

/** In place of a tensor that cannot be drawn; nothing if there is none. */
export function renderUnfit(tensor: NamedArray | null) {
  return tensor
    ? html`<p class="problem" role="alert">${withCode(`This tensor cannot be drawn: ${tensorProblem(tensor)}.`)}</p>`
    : "";
}
