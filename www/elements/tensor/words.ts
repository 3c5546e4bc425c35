// What <tensor-view> says of its numbers: the summary, a cell in a sentence, and the table of the most important values.

import { longAxes, type NamedArray } from "../../draw/arrangement.js";
import { formatCount, formatExact, formatShort } from "../../draw/format.js";
import {
  farthestCells,
  isMasked,
  valueAt,
  type PanelCell,
  type Summary,
} from "../../draw/plane.js";
import { announced, glyphs, truncate } from "../../draw/token.js";
import type { ValueTable } from "../plot.js";
import { labelAt, type Labelled, numberAt, type Position } from "./position.js";

/** The name of an axis in a sentence. */
const AXIS_NAMES: Record<string, string> = {
  pos: "position",
  d_model: "dimension",
  d_head: "dimension",
  d_mlp: "neuron",
  vocab: "token id",
};
/** Rows of the table. */
const TABLE_ROWS = 20;
/** Characters of a label in the line under the plot. */
const LABEL = 24;

/** The token of the text that a cell is about, by its position; null if no drawn axis has tokens. */
export function tokenOf(shown: Labelled, cell: PanelCell): number | null {
  const numbers = named(shown, cell).map(([axis, at]) => [axis, numberAt(shown, axis, at)]);
  const places: Position = Object.fromEntries(numbers);
  return places.pos ?? places.query ?? null;
}

/** The axes that the place of a cell names: its panel's, its row, its column. Axes with a slider say theirs. */
function named({ arrangement, plane }: Labelled, cell: PanelCell): [string, number][] {
  const { rows, columns } = arrangement;
  return [
    ...Object.entries(plane.panels[cell.panel]?.index ?? {}),
    ...(rows ? [[rows, cell.row] as [string, number]] : []),
    ...(columns ? [[columns, cell.column] as [string, number]] : []),
  ];
}

function valueText(shown: Labelled, cell: PanelCell) {
  const text = formatExact(valueAt(shown.plane, cell));
  return isMasked(shown.plane, cell) ? `masked (${text})` : text;
}

/** A cell as the line under the plot has it. */
export function readout(shown: Labelled, cell: PanelCell): (string | { bold: string })[] {
  const places = named(shown, cell).flatMap(([axis, at], i) => {
    const label = labelAt(shown, axis, at);
    const number = numberAt(shown, axis, at);
    const bold = label === undefined ? String(number) : `${number} ${truncate(label, LABEL)}`;
    return [`${i === 0 ? "" : ", "}${axis} `, { bold }];
  });
  return [...places, `${places.length > 0 ? "  " : ""}${valueText(shown, cell)}`];
}

/** A cell as it is announced. */
export function sentence(shown: Labelled, cell: PanelCell) {
  const places = named(shown, cell).map(([axis, at]) => {
    const label = labelAt(shown, axis, at);
    return `${AXIS_NAMES[axis] ?? axis} ${numberAt(shown, axis, at)}${label === undefined ? "" : ` ${announced(label)}`}`;
  });
  return [...places, valueText(shown, cell)].join(", ");
}

/** The titles of a panel, from the longest to the shortest. */
export function titles(shown: Labelled): string[][] {
  return shown.plane.panels.map(({ index }) => {
    const places = Object.entries(index);
    const label = (axis: string, at: number) => {
      const text = labelAt(shown, axis, at);
      return text === undefined ? String(numberAt(shown, axis, at)) : glyphs(text);
    };
    return [
      places.map(([axis, at]) => `${axis} ${label(axis, at)}`).join(", "),
      places.map(([axis, at]) => label(axis, at)).join(", "),
      places.map(([axis, at]) => numberAt(shown, axis, at)).join("."),
    ];
  });
}

/** The text alternative: the values with the largest magnitude. */
export function table(shown: Labelled, summary: Summary): ValueTable {
  const cells = farthestCells(shown.plane, TABLE_ROWS);
  const first = { panel: 0, row: 0, column: 0 };
  const axes = named(shown, first).map(([axis]) => axis);
  const position = (axis: string, at: number) => {
    const label = labelAt(shown, axis, at);
    const number = numberAt(shown, axis, at);
    return label === undefined ? String(number) : `${number} ${glyphs(label)}`;
  };
  const isComplete = summary.finite + summary.masked === summary.count;
  return {
    caption: isComplete
      ? "The values farthest from zero."
      : "Values that are not finite, then those farthest from zero.",
    columns: [...axes, "value"],
    rows: cells.map((cell) => [
      ...named(shown, cell).map(([axis, at]) => position(axis, at)),
      formatExact(cell.value),
    ]),
  };
}

/** "12 head × 8 query × 8 key". */
export function shapeText(tensor: NamedArray) {
  const long = longAxes(tensor);
  const names = long.length > 0 ? long : tensor.axes;
  return names.map((axis) => `${tensor.shape[tensor.axes.indexOf(axis)]} ${axis}`).join(" × ");
}

/** What is drawn in one line of names and numbers. @param total values of the tensor */
export function summaryParts(summary: Summary, total: number): [string, string][] {
  const { count, finite, min, max, mean, deviation, isWhole } = summary;
  const number = (value: number) => (isWhole ? formatExact(value) : formatShort(value, 5));
  const shortened = (value: number) => formatShort(value, 5);
  const ends: [string, string][] =
    finite === 0
      ? []
      : [
          ["min", number(min)],
          ["max", number(max)],
          ["mean", shortened(mean)],
          ["sd", shortened(deviation)],
        ];
  const ofAll = count < total ? ` of ${formatCount(total)}` : "";
  return [...ends, ["values", `${formatCount(count)}${ofAll}`]];
}

/** "3 NaN, 1 ∞": the numbers that are not finite and not masked. */
export function notFiniteText({ nan, positive, negative }: Summary) {
  const kinds: [number, string][] = [
    [nan, "NaN"],
    [positive, "∞"],
    [negative, "−∞"],
  ];
  return kinds
    .filter(([count]) => count > 0)
    .map(([count, name]) => `${count} ${name}`)
    .join(", ");
}

/** What a position stands for, as text; empty for nothing but its number. */
export function spokenLabel(shown: Pick<Labelled, "tensor" | "tokens">, axis: string, at: number) {
  const [label, number] = [labelAt(shown, axis, at), numberAt(shown, axis, at)];
  const words = [
    ...(number === at ? [] : [`${axis} ${number}`]),
    ...(label === undefined ? [] : [truncate(label, LABEL)]),
  ];
  return words.join(" ");
}

/** A scalar as text. */
export function scalarText(shown: Labelled) {
  return valueText(shown, { panel: 0, row: 0, column: 0 });
}

/** "8 query by 8 key". */
export function sizeText({ arrangement, plane }: Pick<Labelled, "arrangement" | "plane">) {
  const { rows, columns } = arrangement;
  return rows
    ? `${plane.rows} ${rows} by ${plane.columns} ${columns}`
    : `${plane.columns} ${columns}`;
}
