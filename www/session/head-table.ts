// The scores of all heads as rows that can be filtered and sorted.

import type { Tensor } from "../draw/matrix.js";

/** One head and its scores; NaN where the text has no place to measure one, or the attention is not a number. */
export interface HeadRow {
  layer: number;
  head: number;
  /** by the names of the scores */
  scores: Readonly<Record<string, number>>;
}

/** The columns by which rows can be sorted: these two, and the names of the scores. */
export type Column = "layer" | "head" | string;

export interface HeadFilter {
  /** Only this layer; null for all. */
  layer: number | null;
  /** Only heads whose score of `kind` is at least this; 0 for all heads, also those without a score. */
  minimum: number;
  kind: string;
}

/** @param table [score layer head], with the names of the scores as labels */
export function headRows({
  data,
  shape: [, layers, heads],
  labels,
}: Tensor & { labels?: Readonly<Record<string, readonly string[]>> }): HeadRow[] {
  const names = labels?.score ?? [];
  return Array.from({ length: layers * heads }, (_, at) => ({
    layer: Math.floor(at / heads),
    head: at % heads,
    scores: Object.fromEntries(names.map((name, row) => [name, data[row * layers * heads + at]])),
  }));
}

export function filtered(rows: readonly HeadRow[], { layer, minimum, kind }: HeadFilter) {
  return rows.filter(
    (row) =>
      (layer === null || row.layer === layer) && (minimum <= 0 || row.scores[kind] >= minimum),
  );
}

/** Rows without a number come last in both directions; equal ones stay in the order of the model. */
export function sorted(rows: readonly HeadRow[], column: Column, isDescending: boolean) {
  const numberOf = (row: HeadRow) =>
    column === "layer" || column === "head" ? row[column] : (row.scores[column] ?? NaN);
  const sign = isDescending ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [left, right] = [numberOf(a), numberOf(b)];
    if (Number.isNaN(left) || Number.isNaN(right))
      return Number(Number.isNaN(left)) - Number(Number.isNaN(right));
    return sign * (left - right);
  });
}
