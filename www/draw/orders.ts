// The orders of the rows or columns of a plane, as attributes and the address name them. axis-order.ts sorts.

/** As stored; by the values in the row or column of one cell; by the largest value of any panel; or by the labels. */
export type Order = "" | "pinned" | "max" | "name";
export const ORDERS: readonly Order[] = ["", "pinned", "max", "name"];
