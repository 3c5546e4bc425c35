import assert from "node:assert/strict";
import { test } from "node:test";

import { gutterFor, labelling } from "../../www/draw/labels.ts";
import { patternGeometry } from "../../www/draw/pattern-plot.ts";
import { sliceGeometry } from "../../www/draw/slice-plot.ts";

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

test("a slice and its labels fit the element, and its cells are not too large", () => {
  const labels = { rows: tokens(5), columns: tokens(768) };
  const space = { width: 700, windowHeight: 900, ratio: 1 };
  const { left, across, down } = sliceGeometry(matrix(5, 768), labels, space);
  assert.ok(across.size + left + 18 <= 700);
  assert.ok(across.cells * across.factor >= 768);
  assert.deepEqual([down.cells, down.cell], [5, 24]);
});

test("the gutter holds the longest label, up to a limit", () => {
  const { size } = labelling(20);
  const width = (/** @type {number} */ length) => Math.ceil(length * size * 0.61) + 12;
  assert.equal(gutterFor(["a", "four"], 20, 1), width(4));
  assert.equal(gutterFor(["a"], 20, 3), width(3));
  assert.equal(gutterFor(["x".repeat(50)], 20, 1), width(11));
});
