import assert from "node:assert/strict";
import { test } from "node:test";

import { gutterFor, labelling } from "../../www/draw/labels.ts";
import { patternGeometry } from "../../www/draw/pattern-plot.ts";
import { panelGeometry, panelOrigin, placeUnder } from "../../www/draw/panel-plot.ts";

/** @param {number} rows @param {number} columns */
const matrix = (rows, columns) => ({ data: new Float32Array(rows * columns), rows, columns });
/** @param {number} count */
const tokens = (count) => Array.from({ length: count }, () => " moon");

test("a pattern and its labels fit the element and the window", () => {
  for (const count of [1, 7, 60, 300, 1024]) {
    for (const width of [330, 700, 1300]) {
      const space = { width, windowHeight: 900, ratio: 2 };
      const { fit, gutter, size, pitch, view } = patternGeometry(
        matrix(count, count),
        tokens(count),
        null,
        space,
      );
      assert.ok(size + gutter + 18 <= width && size <= 680, `${count} tokens in ${width}`);
      assert.equal(size, fit.size / 2);
      assert.ok(Math.abs(pitch * fit.factor * 2 - fit.cell) < 1e-9);
      assert.deepEqual(view, { row: 0, column: 0, count });
    }
  }
});

test("a zoomed pattern shows its view", () => {
  const zoomed = { row: 90, column: 4, count: 20 };
  const space = { width: 700, windowHeight: 900, ratio: 1 };
  const { view, fit } = patternGeometry(matrix(100, 100), tokens(100), zoomed, space);
  assert.deepEqual(view, { row: 80, column: 4, count: 20 });
  assert.equal(fit.cells, 20);
});

test("a panel and its labels fit the element, and its cells are not too large", () => {
  const labels = { rows: tokens(5), columns: tokens(768) };
  const space = { width: 700, windowHeight: 900, ratio: 1 };
  const shape = { rows: 5, columns: 768, across: 1, down: 1, isVector: false };
  const { left, across, down } = panelGeometry(shape, labels, space);
  assert.ok(across.size + left + 18 <= 700);
  assert.ok(across.cells * across.factor >= 768);
  assert.deepEqual([down.cells, down.cell], [5, 24]);
});

test("panels fit the element, and every cell of every panel is found where it is drawn", () => {
  const labels = { rows: tokens(6), columns: tokens(9) };
  for (const width of [330, 700, 1300])
    for (const [panelsAcross, panelsDown] of [
      [12, 1],
      [3, 2],
      [12, 12],
    ]) {
      const space = { width, windowHeight: 900, ratio: 2 };
      const shape = {
        rows: 6,
        columns: 9,
        across: panelsAcross,
        down: panelsDown,
        isVector: false,
      };
      const geometry = panelGeometry(shape, labels, space);
      assert.ok(geometry.left + geometry.width / 2 <= width, `${panelsAcross} in ${width}`);
      for (let panel = 0; panel < panelsAcross * panelsDown; panel++) {
        const { x, y } = panelOrigin(geometry, panel);
        const { down, across } = geometry;
        assert.ok(x + across.size <= geometry.width && y + down.size <= geometry.height);
        for (const [line, place] of [
          [0, 0],
          [down.cells - 1, across.cells - 1],
        ])
          assert.deepEqual(
            placeUnder(geometry, x + (place + 0.5) * across.cell, y + (line + 0.5) * down.cell),
            { panel, line, place },
          );
      }
      assert.equal(placeUnder(geometry, geometry.across.size + 1, geometry.title + 1), null);
    }
});

test("a vector is broken into lines that fit", () => {
  for (const count of [1, 5, 64, 1000, 4096, 50257]) {
    const space = { width: 700, windowHeight: 900, ratio: 1 };
    const shape = { rows: 1, columns: count, across: 1, down: 1, isVector: true };
    const { grid, width, height } = panelGeometry(shape, { rows: [], columns: [] }, space);
    assert.ok(grid.wrap * grid.down.cells >= count);
    assert.ok(grid.wrap * (grid.down.cells - 1) < count);
    assert.ok(width <= 700 && height <= 540, `${count}: ${width} by ${height}`);
  }
});

test("the gutter holds the longest label, up to a limit", () => {
  const { size } = labelling(20);
  const width = (/** @type {number} */ length) => Math.ceil(length * size * 0.61) + 12;
  assert.equal(gutterFor(["a", "four"], 20, 1), width(4));
  assert.equal(gutterFor(["a"], 20, 3), width(3));
  assert.equal(gutterFor(["x".repeat(50)], 20, 1), width(11));
});
