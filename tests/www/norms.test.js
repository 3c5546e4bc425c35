// The norms of vectors.

import assert from "node:assert/strict";
import { test } from "node:test";

import { normsOf, positionsThatFit } from "../../www/session/norms.ts";

test("each vector of each component has its Euclidean norm, and one that is not a number stays so", () => {
  const data = Float32Array.of(3, 4, 0, 0, 1, NaN, -5, 12);
  const parts = { data, shape: [2, 2, 2], axes: ["component", "pos", "d_model"] };
  const { rows, columns, data: norms } = normsOf(parts);
  assert.deepEqual([rows, columns, [...norms]], [2, 2, [5, 0, NaN, 13]]);
});

test("only as many positions are computed as fit into memory, and at least one", () => {
  assert.equal(positionsThatFit(78, 144 * 768), 78);
  assert.equal(positionsThatFit(1024, 144 * 768), 303);
  assert.equal(positionsThatFit(0, 5), 1);
  assert.equal(positionsThatFit(10, 1e9), 1);
});
