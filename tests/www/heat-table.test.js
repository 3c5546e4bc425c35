// The heat map of a table: what its pixels say, where cells are, and how a part of it is chosen.

import assert from "node:assert/strict";
import { test } from "node:test";

import { divergingColours, signedLevel } from "../../www/draw/diverging.ts";
import { fit } from "../../www/draw/fit.ts";
import {
  countInvalid,
  isAbsent,
  numberAt,
  paintTable,
  partOf,
  partWith,
  reachOf,
  tableGeometry,
  wholeOf,
  zoomed,
} from "../../www/draw/heat-table.ts";
import { onStripe, stripePixel } from "../../www/draw/not-finite.ts";
import { colours, level, packPixel } from "../../www/draw/scale.ts";

const table = {
  data: Float32Array.of(1, 3, NaN, 0.5, -1, Infinity),
  rows: 2,
  columns: 3,
  absent: Uint8Array.of(0, 0, 0, 0, 1, 0),
};

/** The pixels of a table whose cells have `cell` pixels a side. */
function painted(
  /** @type {import("../../www/draw/heat-table.ts").Table} */ of,
  /** @type {{ middle: number, max: number, isDiverging: boolean }} */ scale,
  cell = 4,
) {
  const down = { factor: 1, cells: of.rows, cell, size: of.rows * cell };
  const across = { factor: 1, cells: of.columns, cell, size: of.columns * cell };
  const image = new Uint32Array(down.size * across.size);
  const part = partOf(of, wholeOf(of), scale.middle);
  paintTable(image, part, { down, across }, { ...scale, stretch: "linear" }, "light");
  return (/** @type {number} */ row, /** @type {number} */ column, dx = 0, dy = 0) =>
    image[(row * cell + dy) * across.size + column * cell + dx];
}

test("the middle of the scale has the colour of the paper, and equal distances have equal lightness", () => {
  const at = painted(table, { middle: 1, max: 2, isDiverging: true });
  const ink = (/** @type {number} */ value) =>
    packPixel(divergingColours("light")[signedLevel(value, 2, "linear")]);
  assert.equal(at(0, 0), ink(0));
  assert.equal(at(0, 1), ink(2));
  assert.equal(at(1, 0), ink(-0.5));
});

test("a cell without a value is transparent, and one that is not finite is striped, also if it is infinite", () => {
  const at = painted(table, { middle: 0, max: 3, isDiverging: true });
  for (const [dx, dy] of [
    [0, 0],
    [3, 3],
  ])
    assert.equal(at(1, 1, dx, dy), 0);
  for (const [row, column] of [
    [0, 2],
    [1, 2],
  ]) {
    for (let dx = 0; dx < 4; dx++)
      assert.equal(
        at(row, column, dx),
        onStripe(column * 4 + dx, row * 4) ? stripePixel("light") : 0,
      );
  }
  assert.equal(countInvalid(table), 2);
  assert.ok(isAbsent(table, { row: 1, column: 1 }) && !isAbsent(table, { row: 0, column: 1 }));
  assert.equal(numberAt(table, { row: 1, column: 0 }), 0.5);
});

test("the reach is that of the finite values that are there", () => {
  assert.equal(reachOf(table, 1), 2);
  assert.equal(reachOf({ data: Float32Array.of(NaN), rows: 1, columns: 1 }, 0), 0);
});

test("a sequential scale begins at the paper", () => {
  const values = { data: Float32Array.of(0, 0.5, 1), rows: 1, columns: 3 };
  const at = painted(values, { middle: 0, max: 1, isDiverging: false });
  for (const column of [0, 1, 2])
    assert.equal(at(0, column), packPixel(colours("light")[level(column / 2, "linear")]));
});

test("a part holds the differences of its own cells", () => {
  const part = partOf(
    table,
    { rows: { first: 1, count: 1 }, columns: { first: 0, count: 3 } },
    0.5,
  );
  assert.deepEqual([...part.data], [0, -Infinity, NaN]);
});

test("zooming keeps the cell in the part, stays within the table, and ends with all of it", () => {
  const big = { data: new Float32Array(), rows: 12, columns: 1000 };
  let part = wholeOf(big);
  const cell = { row: 11, column: 990 };
  for (let step = 0; step < 9; step++) {
    part = zoomed(part, big, 0.5, cell);
    for (const [side, at] of /** @type {const} */ ([
      ["rows", 11],
      ["columns", 990],
    ])) {
      const { first, count } = part[side];
      assert.ok(first >= 0 && first + count <= big[side], `${side} ${first} ${count}`);
      assert.ok(at >= first && at < first + count);
    }
  }
  assert.equal(part.columns.count, 8);
  const moved = partWith(part, big, { row: 0, column: 3 });
  assert.deepEqual(moved.columns, { first: 3, count: 8 });
  assert.equal(moved.rows.first, 0);
  for (let step = 0; step < 9; step++) part = zoomed(part, big, 2, cell);
  assert.deepEqual(part, wholeOf(big));
});

test("cells have whole device pixels and the labels have room, at any width and ratio", () => {
  const labels = { rows: ["L0", "L1"], columns: Array.from({ length: 300 }, () => " token") };
  for (const width of [300, 390, 1440]) {
    for (const ratio of [1, 1.5, 2]) {
      const { across, down, left, top } = tableGeometry(labels, {
        ...{ width, windowHeight: 900, ratio },
      });
      assert.ok(Number.isInteger(across.cell) && Number.isInteger(down.cell));
      assert.ok(left + across.size / ratio <= width, `${width} at ${ratio}`);
      assert.ok(across.factor * across.cells >= 300 && left > 0 && top > 0);
      assert.deepEqual(across, fit(300, (width - 24 - left) * ratio, 30 * ratio));
    }
  }
});
