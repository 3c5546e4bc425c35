// Values of <tensor-view> attributes that do not fit. The element names each, and the value that it uses instead.

import { isPosition, lengthOf, namesIn, type NamedArray } from "../../draw/arrangement.js";
import { ORDERS } from "../../draw/orders.js";
import { parseLimits } from "../../draw/tensor-scale.js";
import { attribute, listed } from "../scope/words.js";
import type { Drawing } from "./drawing.js";
import type { Position } from "./position.js";

const MAPS: readonly string[] = ["diverging", "sequential"];
const STRETCHES: readonly string[] = ["linear", "sqrt"];

/** Sentences about values that do not fit. */
export function problemsOf({
  inputs,
  arrangement,
  lostPins,
}: Pick<Drawing, "inputs" | "arrangement" | "lostPins">): string[] {
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
    ...repeatedAxes(inputs, arrangement),
    ...unknownPositions(inputs, arrangement),
    ...unknownPins(inputs.tensor, lostPins),
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
    problem(side, value, value === "none" ? [] : namesIn(value), "Unknown names are left out.");
  return [
    ...problem("rows", rows, [rows], "The default axis runs down."),
    ...problem("columns", columns, [columns], "The default axis runs across."),
    ...panels("down", down),
    ...panels("across", across),
  ];
}

/** Axes that are drawn in another place than the one that names them too. */
function repeatedAxes(
  { rows, columns, down, across }: Drawing["inputs"],
  arrangement: Drawing["arrangement"],
): string[] {
  const panels = (side: string, value: string, elsewhere: readonly string[]) => {
    const twice = namesIn(value).filter((name) => name && elsewhere.includes(name));
    return twice.length > 0
      ? [
          `${attribute(side, value)} does not fit: ${listed(twice)} is drawn in another place. It has no panels there.`,
        ]
      : [];
  };
  const sides = [rows || arrangement.rows, columns || arrangement.columns];
  return [
    ...(rows !== "" && rows === columns && arrangement.rows !== rows
      ? [
          `${attribute("rows", rows)} does not fit: it is the axis of \`columns\` too. Another axis runs down.`,
        ]
      : []),
    ...panels("down", down, [...sides, ...arrangement.across]),
    ...panels("across", across, sides),
  ];
}

/** Positions of `index` that the tensor does not have. An axis that is drawn whole needs none. */
function unknownPositions(
  { tensor, index }: Drawing["inputs"],
  arrangement: Drawing["arrangement"],
): string[] {
  return Object.entries(index ?? {}).flatMap(([axis, at]) => {
    const says = attribute("index", { [axis]: at });
    if (!tensor.axes.includes(axis))
      return [
        `${says} does not fit: the tensor has ${tensor.axes.length > 0 ? `the axes ${listed(tensor.axes)}` : "no axes"}.`,
      ];
    const length = lengthOf(tensor, axis);
    return !(axis in arrangement.index) || length === 0 || isPosition(at, length)
      ? []
      : [
          `${says} does not fit: ${positions(axis, length)}. Position ${arrangement.index[axis]} is drawn.`,
        ];
  });
}

function unknownPins(tensor: NamedArray, pins: readonly Position[]): string[] {
  const axes = tensor.axes.map((axis, i) => positions(axis, tensor.shape[i]));
  return pins.map(
    (pin) =>
      `${attribute("pins", pin)} does not fit: expected a position on every axis; ${axes.join(", ")}. It is left out.`,
  );
}

/** "`head` has the positions 0 to 2" */
function positions(axis: string, length: number) {
  return `\`${axis}\` has ${length === 1 ? "only the position 0" : `the positions 0 to ${length - 1}`}`;
}
