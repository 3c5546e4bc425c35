// For tests of <heat-table>: what it draws, and where its cells are.

import assert from "node:assert/strict";

import { eventually } from "./browser.js";
import { assertColours, canvasCells } from "./lab-helpers.js";

/** @typedef {import("playwright-core").Page} Page */

/** The heat map of the open view: its table, its scale and where its cells are. @param {Page} page */
export async function heatTable(page) {
  const locator = page.locator("heat-table");
  await locator.locator("canvas.cells").waitFor();
  await eventually(async () =>
    assert.ok((await locator.locator("canvas.cells").boundingBox())?.width),
  );
  const found = await locator.evaluate((/** @type {any} */ element) => {
    const { table, middle, distance, geometry } = element;
    return {
      values: Array.from(table.data, (/** @type {number} */ value, at) =>
        table.absent?.[at] === 1 ? null : value,
      ),
      ...{ rows: table.rows, columns: table.columns, middle, distance, geometry },
    };
  });
  return { locator, ...found };
}

/** Each cell has the colour of the API's number. @param {Page} page @param {(number | null)[]} expected @param {number} middle */
export async function assertDrawn(page, expected, middle, tolerance = 1e-5) {
  const { locator, rows, columns, distance, geometry, ...drawn } = await heatTable(page);
  const { across, down } = geometry;
  assert.deepEqual([across.factor, down.factor], [1, 1], "every cell is drawn");
  assert.equal(expected.length, rows * columns);
  assert.ok(Math.abs(drawn.middle - middle) <= tolerance, `${drawn.middle}, expected ${middle}`);
  const distances = expected.map((value) => (value === null ? 0 : Math.abs(value - middle)));
  assert.ok(Math.abs(distance - Math.max(...distances)) <= tolerance);
  const grid = { rows, columns, cell: across.cell, height: down.cell };
  const cells = await canvasCells(locator.locator("canvas.cells"), grid);
  const relative = expected.map((value) => (value === null ? null : value - middle));
  assertColours(cells, relative, { max: distance, tolerance });
}

/** The middle of a cell. @param {Page} page @param {number} row @param {number} column */
export async function cellPoint(page, row, column) {
  const { locator, geometry } = await heatTable(page);
  const { across, down } = geometry;
  await locator.scrollIntoViewIfNeeded();
  const box = await locator.locator("canvas.cells").boundingBox();
  assert.ok(box);
  return { x: box.x + (column + 0.5) * across.cell, y: box.y + (row + 0.5) * down.cell };
}
