// Positions on the axes of a tensor: the cells where they are drawn, and what they stand for.

import { type Arrangement, type NamedArray, TOKEN_AXES } from "../../draw/arrangement.js";
import type { PanelCell, Plane } from "../../draw/plane.js";
import type { Token } from "../../draw/token.js";

/** A tensor with the tokens of its text. */
export interface Labelled {
  tensor: NamedArray;
  tokens: readonly Token[];
  arrangement: Arrangement;
  plane: Plane;
}

/** A position on every axis. */
export type Position = Readonly<Record<string, number>>;

/** Axes without tokens, components or other names: a whole number as the label is the index in the whole activation. */
const NUMBERED_AXES = ["layer", "head", "d_head", "d_model", "d_mlp"];

function isIndex(axis: string, label: string | undefined): label is string {
  return label !== undefined && NUMBERED_AXES.includes(axis) && /^\d+$/.test(label);
}

/** What a position stands for: its label, or the token of the text; undefined for nothing but its number. */
export function labelAt(
  { tensor, tokens }: Pick<Labelled, "tensor" | "tokens">,
  axis: string,
  at: number,
) {
  const label = tensor.labels?.[axis]?.[at];
  if (isIndex(axis, label)) return undefined;
  return label ?? (TOKEN_AXES.includes(axis) ? tokens[at] : undefined);
}

/** The number of a position; of a part whose labels or `indices` say it, in the whole activation. */
export function numberAt({ tensor }: Pick<Labelled, "tensor">, axis: string, at: number): number {
  const label = tensor.labels?.[axis]?.[at];
  return tensor.indices?.[axis]?.[at] ?? (isIndex(axis, label) ? Number(label) : at);
}

/** Where a position is in the present arrangement; null if a slider is elsewhere. */
export function cellOf({ arrangement, plane }: Labelled, position: Position): PanelCell | null {
  const { rows, columns, index } = arrangement;
  if (Object.entries(index).some(([axis, at]) => position[axis] !== at)) return null;
  const panel = plane.panels.findIndex(({ index: at }) =>
    Object.entries(at).every(([axis, value]) => position[axis] === value),
  );
  return panel < 0 ? null : { panel, row: position[rows] ?? 0, column: position[columns] ?? 0 };
}

/** The position of a cell on every axis, in the tensor's order. */
export function positionOf({ tensor, arrangement, plane }: Labelled, cell: PanelCell) {
  const { rows, columns, index } = arrangement;
  const all = {
    ...index,
    ...plane.panels[cell.panel]?.index,
    ...(rows && { [rows]: cell.row }),
    ...(columns && { [columns]: cell.column }),
  };
  return Object.fromEntries(tensor.axes.map((axis) => [axis, all[axis] ?? 0]));
}
