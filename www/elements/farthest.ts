// The text alternative of <heat-table>: its values in a table of rows.

import { formatShort } from "../draw/format.js";
import { numberAt, partOf, wholeOf, type Table } from "../draw/heat-table.js";
import { largestCells } from "../draw/signed-heatmap.js";
import { glyphs, type Token } from "../draw/token.js";
import type { ValueTable } from "./plot.js";

/** Rows of the table. */
const COUNT = 20;

/** The values farthest from the middle of the scale; first those that are not finite. */
export function farthestValues(
  table: Table,
  side: {
    middle: number;
    rows: readonly Token[];
    columns: readonly Token[];
    rowTitle: string;
    columnTitle: string;
  },
): ValueTable {
  const { middle, rows, columns, rowTitle, columnTitle } = side;
  const label = (labels: readonly Token[], at: number) => glyphs(labels[at] ?? String(at));
  const relative = partOf(table, wholeOf(table), middle);
  return {
    caption: `The values farthest from ${formatShort(middle, 4)}.`,
    columns: [rowTitle, columnTitle, "value"],
    rows: largestCells(relative, COUNT, true).map((cell) => [
      label(rows, cell.row),
      label(columns, cell.column),
      formatShort(numberAt(table, cell), 7),
    ]),
  };
}
