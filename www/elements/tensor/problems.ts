// Values of <tensor-view> attributes that do not fit. The element names each, and the value that it uses instead.

import { ORDERS } from "../../draw/axis-order.js";
import { parseLimits } from "../../draw/tensor-scale.js";
import { attribute, listed } from "../scope/words.js";
import type { Drawing } from "./drawing.js";

const MAPS: readonly string[] = ["diverging", "sequential"];
const STRETCHES: readonly string[] = ["linear", "sqrt"];

/** Sentences about values that do not fit. */
export function problemsOf({
  inputs: { map, limits, order, rowOrder, stretch },
}: Pick<Drawing, "inputs">): string[] {
  const oneOf = (name: string, value: string, values: readonly string[], instead: string) =>
    values.includes(value)
      ? []
      : [
          `${attribute(name, value)} does not fit: expected ${listed(values.filter(Boolean))}. ${instead}`,
        ];
  const isAutomatic = limits.trim() === "";
  return [
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
