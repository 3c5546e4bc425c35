import assert from "node:assert/strict";
import { test } from "node:test";

import {
  countUnmaskedNotFinite,
  grow,
  headMatrix,
  masked,
  maxPool,
  maxPoolTo,
  sizeOf,
  strongestKeys,
  thumbnail,
} from "../../www/draw/matrix.ts";

const axes = ["batch", "head", "query", "key"];

/** @param {number} heads @param {number} size */
function tensor(heads, size) {
  return {
    data: Float32Array.from({ length: heads * size * size }, (_, i) => i + 1),
    shape: [1, heads, size, size],
    axes,
  };
}

test("a head is a slice without a copy", () => {
  const pattern = tensor(3, 4);
  const head = headMatrix(pattern, 2);
  assert.deepEqual([head.rows, head.columns, head.data[0]], [4, 4, 33]);
  assert.equal(head.data.buffer, pattern.data.buffer);
  assert.equal(sizeOf(pattern, "d_model"), 1);
});

test("a tensor of query and key has one head", () => {
  const slice = { data: new Float32Array(6), shape: [2, 3], axes: ["query", "key"] };
  assert.deepEqual(headMatrix(slice, 0), { data: slice.data, rows: 2, columns: 3 });
});

test("the last query attends to every key, also with cached keys", () => {
  const rows = { data: new Float32Array(6), rows: 2, columns: 3 };
  assert.deepEqual(
    [masked(rows, 0, 1), masked(rows, 0, 2), masked(rows, 1, 2)],
    [false, true, false],
  );
});

test("pooling keeps every maximum", () => {
  for (const factor of [1, 2, 3, 7]) {
    const matrix = headMatrix(tensor(1, 10), 0);
    const pooled = maxPool(matrix, factor);
    matrix.data.forEach((value, at) => {
      const [row, column] = [Math.floor(at / 10), at % 10];
      const cell =
        pooled.data[Math.floor(row / factor) * pooled.columns + Math.floor(column / factor)];
      assert.ok(cell >= value);
    });
    assert.ok(pooled.data.every((value) => matrix.data.includes(value)));
  }
});

test("a single bright cell survives any thumbnail", () => {
  for (const [row, column] of [
    [0, 0],
    [76, 43],
    [99, 99],
    [50, 0],
  ]) {
    const data = new Float32Array(100 * 100);
    data[row * 100 + column] = 0.8;
    const small = maxPoolTo({ data, rows: 100, columns: 100 }, 64);
    assert.equal(small.rows, 64);
    assert.equal(small.data.filter((value) => value > 0).length, 1);
  }
});

test("a thumbnail pools each head separately", () => {
  const small = thumbnail(tensor(2, 5), 3);
  assert.deepEqual([...small.shape], [2, 3, 3]);
  assert.equal(headMatrix(small, 0).data.at(-1), 25);
  assert.equal(headMatrix(small, 1).data.at(-1), 50);
});

test("a grown pattern is the old one above the new row", () => {
  const rows = { data: Float32Array.of(101, 102, 103, 201, 202, 203), shape: [1, 2, 1, 3], axes };
  const grown = grow(tensor(2, 2), rows);
  assert.deepEqual([...grown.shape], [1, 2, 3, 3]);
  assert.deepEqual([...headMatrix(grown, 0).data], [1, 2, 0, 3, 4, 0, 101, 102, 103]);
  assert.deepEqual([...headMatrix(grown, 1).data], [5, 6, 0, 7, 8, 0, 201, 202, 203]);
});

test("values under the causal mask are not counted", () => {
  const matrix = { data: Float32Array.of(NaN, NaN, NaN, 1, NaN, 1), rows: 2, columns: 3 };
  assert.equal(countUnmaskedNotFinite(matrix), 3, "two rows see two and three keys");
});

test("the strongest keys come first, and NaN before them", () => {
  const matrix = {
    data: Float32Array.of(0, 9, 9, 0.2, 0.5, 9, 0.3, NaN, 0.6),
    rows: 3,
    columns: 3,
  };
  assert.deepEqual(strongestKeys(matrix, 1, 4), [1, 0]);
  assert.deepEqual(strongestKeys(matrix, 2, 2), [1, 2]);
});
