// The columns of a plane in the order of their values, so that the most active neurons come first.

import { KIND, kindOf, type Plane } from "./plane.js";

/** As stored; by the value in one row; or by the largest value of any row and panel. */
export type Order = "" | "pinned" | "max";

/**
 * The columns in descending order; equal ones keep their order, and what is not a finite number comes last.
 * @param pinned the row of a panel whose values are compared
 */
export function columnOrder(
  plane: Plane,
  order: Order,
  pinned: { panel: number; row: number } | null,
): Uint32Array | null {
  if (order === "" || (order === "pinned" && !pinned)) return null;
  const { data, rows, columns, rowStep, columnStep, panels, hidesNegative } = plane;
  const largest = new Float64Array(columns).fill(-Infinity);
  const take = (from: number) => {
    for (let column = 0; column < columns; column++) {
      const value = data[from + column * columnStep];
      if (value > largest[column] && kindOf(value, hidesNegative) === KIND.finite)
        largest[column] = value;
    }
  };
  if (order === "pinned" && pinned)
    take((panels[pinned.panel] ?? panels[0]).start + pinned.row * rowStep);
  else
    for (const { start } of panels)
      for (let row = 0; row < rows; row++) take(start + row * rowStep);
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
