// Values of <tensor-view> attributes that do not fit. The element names each, and the value that it uses instead.

import { namesIn } from "../../draw/arrangement.js";
import { ORDERS } from "../../draw/orders.js";
import { parseLimits } from "../../draw/tensor-scale.js";
import { attribute, listed } from "../scope/words.js";
import type { Drawing } from "./drawing.js";

const MAPS: readonly string[] = ["diverging", "sequential"];
const STRETCHES: readonly string[] = ["linear", "sqrt"];

/** Sentences about values that do not fit. */
export function problemsOf({ inputs }: Pick<Drawing, "inputs">): string[] {
  const { map, limits, order, rowOrder, stretch } = inputs;
  const oneOf = (name: string, value: string, values: readonly string[], instead: string) =>
    values.includes(value)
      ? []
      : [
          `${attribute(name, value)} does not fit: expected ${listed(values.filter(Boolean))}. ${instead}`,
        ];
  const isAutomatic = limits.trim() === "";
  return [
    ...unknownAxes(inputs),
    ...oneOf("map", map, ["", ...MAPS], "The map that fits the values is used."),
    ...(isAutomatic || parseLimits(limits) !== "auto"
      ? []
      : [
          `${attribute("limits", limits)} does not fit: expected \`all\`, \`99%\`, or a smaller and a larger number, as in \`-1,1\`. Three standard deviations are used.`,
        ]),
    ...oneOf("order", order, ORDERS, "The columns stand as they are stored."),
    ...oneOf("row-order", rowOrder, ORDERS, "The rows stand as they are stored."),
    ...oneOf("scale", stretch, STRETCHES, "`linear` is used."),
  ];
}

/** Axes that the tensor does not have. */
function unknownAxes({ tensor, rows, columns, down, across }: Drawing["inputs"]): string[] {
  const { axes } = tensor;
  const has =
    axes.length > 0 ? `the tensor has the axes ${listed(axes)}` : "the tensor has no axes";
  const problem = (side: string, value: string, names: string[], instead: string) =>
    names.every((name) => ["", ...axes].includes(name))
      ? []
      : [`${attribute(side, value)} does not fit: ${has}. ${instead}`];
  const panels = (side: string, value: string) =>
    problem(side, value, value === "none" ? [] : namesIn(value), "Other names are left out.");
  return [
    ...problem("rows", rows, [rows], "The usual axis runs down."),
    ...problem("columns", columns, [columns], "The usual axis runs across."),
    ...panels("down", down),
    ...panels("across", across),
  ];
}
