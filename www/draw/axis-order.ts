// The columns of a plane in the order of their values, so that the most active neurons come first.

import type { Panel, Plane } from "./plane.js";

/** As stored; by the value in one row; or by the largest value of any row and panel. */
export type Order = "" | "pinned" | "max";

/**
 * The columns in descending order; equal ones keep their order, and a column without a finite number that counts comes last.
 * @param pinned the row of a panel whose values are compared
 */
export function columnOrder(
  plane: Plane,
  order: Order,
  pinned: { panel: number; row: number } | null,
): Uint32Array | null {
  if (order === "" || (order === "pinned" && !pinned)) return null;
  const { data, rows, columns, rowStep, columnStep, panels, mask } = plane;
  const largest = new Float64Array(columns).fill(-Infinity);
  const take = ({ start, maskStart }: Panel, row: number) => {
    const from = start + row * rowStep;
    const maskFrom = mask ? maskStart + row * mask.rowStep : 0;
    for (let column = 0; column < columns; column++) {
      const value = data[from + column * columnStep];
      if (!(value > largest[column]) || !Number.isFinite(value)) continue;
      if (mask !== null && mask.data[maskFrom + column * mask.columnStep] === 0) continue;
      largest[column] = value;
    }
  };
  if (order === "pinned" && pinned) take(panels[pinned.panel] ?? panels[0], pinned.row);
  else for (const panel of panels) for (let row = 0; row < rows; row++) take(panel, row);
  // The sort is stable.
  return Uint32Array.from(largest.keys()).sort((a, b) => {
    const [x, y] = [largest[a], largest[b]];
    return x === y ? a - b : y - x;
  });
}

/** Where each column is drawn. */
export function inverseOf(order: Uint32Array) {
  const places = new Uint32Array(order.length);
  order.forEach((column, place) => {
    places[column] = place;
  });
  return places;
}
