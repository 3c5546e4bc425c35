import assert from "node:assert/strict";
import { test } from "node:test";

import { columnWidth } from "../../www/draw/columns.ts";
import { fit, fitNear } from "../../www/draw/fit.ts";
import { clip, fullView, heatmap, pairAt, reveal, visible, zoom } from "../../www/draw/heatmap.ts";
import { labelling } from "../../www/draw/labels.ts";
import { level, pixels } from "../../www/draw/scale.ts";

/** A causal pattern of `size` tokens. @param {number} size @param {(row: number, column: number) => number} value */
function pattern(size, value) {
  const data = Float32Array.from({ length: size * size }, (_, i) =>
    i % size <= Math.floor(i / size) ? value(Math.floor(i / size), i % size) : 0,
  );
  return { data, rows: size, columns: size };
}

/** @param {ReturnType<typeof pattern>} matrix @param {number} room @param {import("../../www/draw/heatmap.ts").View} [view] */
function painted(matrix, room, view = fullView(matrix)) {
  const fitted = fit(view.count, room);
  const image = new Uint32Array(fitted.cells ** 2);
  heatmap(image, matrix, { view, fit: fitted, theme: "light", stretch: "linear" });
  return { image, fitted };
}

test("cells are whole device pixels and fit the room", () => {
  for (let count = 1; count < 1100; count += 7) {
    for (const room of [40, 333, 512.5, 1301]) {
      const { cell, cells, factor, size } = fit(count, room);
      assert.ok(Number.isInteger(cell) && cell >= 1);
      assert.ok(size <= room && cells * factor >= count, `${count} tokens in ${room}`);
      assert.ok((cells - 1) * factor < count, "no empty cells at the end");
    }
  }
});

test("a thumbnail never exceeds its room", () => {
  for (let count = 1; count < 200; count++) assert.ok(fitNear(count, 64, 72).size <= 72);
  assert.equal(fitNear(60, 64, 72).size, 60);
});

test("every cell has the colour of its value", () => {
  const matrix = pattern(5, (row, column) => (row * 5 + column) / 25);
  const { image, fitted } = painted(matrix, 38);
  assert.deepEqual(fitted, { factor: 1, cells: 5, cell: 7, size: 35 });
  image.forEach((colour, at) => {
    const [row, column] = [Math.floor(at / 5), at % 5];
    assert.equal(
      colour,
      column > row ? 0 : pixels("light")[level(matrix.data[row * 5 + column], "linear")],
    );
  });
});

test("masked cells are empty, while zero attention has a colour", () => {
  const { image } = painted(
    pattern(3, () => 0),
    3,
  );
  const zero = pixels("light")[0];
  assert.deepEqual([...image], [zero, 0, 0, zero, zero, 0, zero, zero, zero]);
});

test("a pooled cell shows the largest value it covers", () => {
  const matrix = pattern(10, (row, column) => (row === 7 && column === 2 ? 0.8 : 0.1));
  const { image, fitted } = painted(matrix, 5);
  assert.deepEqual(fitted, { factor: 2, cells: 5, cell: 1, size: 5 });
  assert.equal(image[3 * 5 + 1], pixels("light")[level(0.8, "linear")]);
  assert.equal(image[1 * 5 + 2], 0, "a block that is masked as a whole is empty");
});

test("a view shows its part of the matrix", () => {
  const matrix = pattern(20, (row, column) => (row + column) / 40);
  const window = visible(matrix, { row: 10, column: 4, count: 3 }, 1);
  assert.deepEqual(
    [...window.data].map((x) => Math.round(x * 40)),
    [14, 15, 16, 15, 16, 17, 16, 17, 18],
  );
  assert.equal(window.hidden(0, 2), false);
});

test("a point is mapped to the pair under it", () => {
  const matrix = pattern(10, (row, column) => (row === 7 && column === 2 ? 0.8 : 0.1));
  const fitted = fit(10, 45);
  assert.deepEqual(pairAt(matrix, fullView(matrix), fitted, 9, 31), { query: 7, key: 2 });
  assert.equal(pairAt(matrix, fullView(matrix), fitted, 31, 9), null, "masked");
  assert.equal(pairAt(matrix, fullView(matrix), fitted, -1, 3), null);
  assert.deepEqual(
    pairAt(matrix, fullView(matrix), fit(10, 5), 1, 3),
    { query: 7, key: 2 },
    "the strongest of a block",
  );
});

test("zoom keeps the pair in place and the view inside", () => {
  const matrix = pattern(100, () => 0.5);
  const view = zoom(matrix, fullView(matrix), 20, { query: 50, key: 25 });
  assert.deepEqual(view, { row: 40, column: 20, count: 20 });
  assert.deepEqual(zoom(matrix, view, 1000, { query: 0, key: 0 }), fullView(matrix));
  assert.equal(zoom(matrix, view, 1, { query: 50, key: 25 }).count, 8);
  assert.deepEqual(clip(matrix, { row: 95, column: -4, count: 20 }), {
    row: 80,
    column: 0,
    count: 20,
  });
});

test("a cell that the keyboard moves to is scrolled into view", () => {
  const matrix = pattern(100, () => 0.5);
  assert.deepEqual(reveal(matrix, { row: 10, column: 10, count: 20 }, { query: 30, key: 9 }), {
    row: 11,
    column: 9,
    count: 20,
  });
});

test("labels are skipped before they overlap", () => {
  for (let pitch = 0.5; pitch < 40; pitch += 0.25) {
    const { size, step } = labelling(pitch);
    assert.ok(step * pitch >= size * 0.88, `pitch ${pitch}`);
  }
});

test("columns are whole device pixels", () => {
  assert.equal(columnWidth(64, 1000), 15);
  assert.equal(columnWidth(2000, 1000), 1);
});
