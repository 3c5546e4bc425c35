// The rows or the columns of a plane in another order than stored: the most active neurons first, or labels by their names.

import type { Order } from "./orders.js";
import type { Side } from "./panel-plot.js";
import type { PanelCell, Plane } from "./plane.js";

/** What an order is about besides the values. */
export interface OrderBasis {
  /** the cell whose row (for columns) or column (for rows) is compared */
  pinned: PanelCell | null;
  /** what positions stand for */
  labels?: readonly string[];
}

/** The position at each place of one side; null if they are drawn as stored. Equal ones keep their order. */
export function axisOrder(
  plane: Plane,
  side: Side,
  order: Order,
  { pinned, labels }: OrderBasis,
): Uint32Array | null {
  if (order === "" || (order === "pinned" && !pinned)) return null;
  if (order === "name") return labels ? byName(labels) : null;
  const largest = largestAlong(plane, side, order === "pinned" ? pinned : null);
  // The sort is stable.
  return Uint32Array.from(largest.keys()).sort((a, b) => {
    const [x, y] = [largest[a], largest[b]];
    return x === y ? a - b : y - x;
  });
}

function byName(labels: readonly string[]) {
  const { compare } = new Intl.Collator(undefined, { numeric: true });
  return Uint32Array.from(labels.keys()).sort((a, b) => compare(labels[a], labels[b]) || a - b);
}

/**
 * The largest value at each position of a side, in the row or column of one cell, or in all. −∞, which comes last, for a position
 * without a finite number that counts.
 */
function largestAlong(plane: Plane, side: Side, pinned: PanelCell | null) {
  const { data, panels, mask } = plane;
  const isRows = side === "rows";
  const [length, others] = isRows ? [plane.rows, plane.columns] : [plane.columns, plane.rows];
  const steps = isRows
    ? [plane.rowStep, plane.columnStep, mask?.rowStep ?? 0, mask?.columnStep ?? 0]
    : [plane.columnStep, plane.rowStep, mask?.columnStep ?? 0, mask?.rowStep ?? 0];
  const [step, otherStep, maskStep, otherMaskStep] = steps;
  const largest = new Float64Array(length).fill(-Infinity);
  const take = (panel: number, other: number) => {
    const { start, maskStart } = panels[panel];
    const from = start + other * otherStep;
    const maskFrom = maskStart + other * otherMaskStep;
    for (let at = 0; at < length; at++) {
      const value = data[from + at * step];
      if (!(value > largest[at]) || !Number.isFinite(value)) continue;
      if (mask !== null && mask.data[maskFrom + at * maskStep] === 0) continue;
      largest[at] = value;
    }
  };
  if (pinned) take(pinned.panel in panels ? pinned.panel : 0, isRows ? pinned.column : pinned.row);
  else
    for (const panel of panels.keys())
      for (let other = 0; other < others; other++) take(panel, other);
  return largest;
}

/** The place of each position. */
export function inverseOf(order: Uint32Array) {
  const places = new Uint32Array(order.length);
  order.forEach((position, place) => {
    places[position] = place;
  });
  return places;
}
