// Tensors of several texts as one: where each number stands, on either side, and what stands in the padding.

import assert from "node:assert/strict";
import { test } from "node:test";

import { BatchRun } from "../../www/api/batch.ts";
import { stackPadded } from "../../www/api/padding.ts";
import { isBatch, readInputs } from "../../www/api/input.ts";
import { Tensor } from "../../www/api/tensor.ts";

/** A tensor whose numbers differ. @param {number[]} shape @param {string[]} axes @param {number} first */
function counted(shape, axes, first) {
  const count = shape.reduce((product, length) => product * length, 1);
  return new Tensor(
    Float32Array.from({ length: count }, (_, i) => first + i),
    shape,
    axes,
  );
}

/** @param {readonly number[]} shape @returns {number[][]} every index of an array */
const indices = (shape) =>
  shape.reduce(
    (/** @type {number[][]} */ outer, length) =>
      outer.flatMap((index) => Array.from({ length }, (_, i) => [...index, i])),
    [[]],
  );

test("every number stands at its place, at the start or at the end, and NaN everywhere else", () => {
  for (const [axes, shapes] of /** @type {[string[], number[][]][]} */ ([
    [["pos"], [[3], [1], [0], [3]]],
    [
      ["batch", "pos", "d_model"],
      [
        [1, 3, 4],
        [1, 5, 4],
        [1, 1, 4],
      ],
    ],
    [
      ["batch", "head", "query", "key"],
      [
        [1, 2, 3, 3],
        [1, 2, 1, 1],
        [1, 2, 4, 4],
      ],
    ],
    [
      ["batch", "head", "query", "key"],
      [
        [1, 2, 1, 3],
        [1, 2, 1, 5],
      ],
    ],
    [
      ["score", "layer"],
      [
        [2, 3],
        [2, 3],
      ],
    ],
  ])) {
    const inner = axes[0] === "batch" ? 1 : 0;
    const parts = shapes.map((shape, row) => counted(shape, axes, 1000 * row + 1));
    for (const side of /** @type {const} */ (["right", "left"])) {
      const found = stackPadded(parts, side);
      assert.deepEqual(found.axes, ["batch", ...axes.slice(inner)]);
      const large = found.shape.slice(1);
      for (const [row, part] of parts.entries()) {
        const small = part.shape.slice(inner);
        for (const index of indices(large)) {
          const own = index.map((i, axis) => (side === "left" ? i - large[axis] + small[axis] : i));
          const isInside = own.every((i, axis) => i >= 0 && i < small[axis]);
          const flat = (/** @type {number[]} */ at, /** @type {readonly number[]} */ shape) =>
            at.reduce((sum, i, axis) => sum * shape[axis] + i, 0);
          const expected = isInside ? part.data[flat(own, small)] : Number.NaN;
          const number = found.data[flat([row, ...index], found.shape)];
          assert.ok(Object.is(number, expected), `${axes} ${side} ${row} ${index}`);
        }
      }
    }
  }
});

test("another fill stands in the padding", () => {
  const parts = [counted([1], ["pos"], 7), counted([3], ["pos"], 1)];
  assert.deepEqual([...stackPadded(parts, "left", 0).data], [0, 0, 7, 1, 2, 3]);
  // NaN would be 0 in an array of ids, which is a token.
  const ids = [[7], [1, 2]].map(
    (list) => new Tensor(Uint32Array.from(list), [list.length], ["pos"]),
  );
  assert.deepEqual([...stackPadded(ids, "right").data], [7, 0xffff_ffff, 1, 2]);
});

test("a result that only some texts have is an error, not a smaller batch", () => {
  const row = (/** @type {unknown} */ residual) => /** @type {any} */ ({ residual, cache: null });
  const tensor = counted([1, 2, 1], ["batch", "pos", "d_model"], 1);
  assert.equal(new BatchRun([row(null), row(null)], "right").residual, null);
  const mixed = new BatchRun([row(tensor), row(null)], "right");
  assert.throws(() => mixed.residual, /row 1 of the batch lacks what other rows have/);
});

test("an array of numbers is one text, an array of texts or of arrays of ids is a batch", () => {
  for (const input of ["a", [1, 2], [], new Uint32Array(2), null, { 0: "a", length: 1 }])
    assert.equal(isBatch(input), false);
  for (const input of [["a"], [[1]], [[]], [new Uint32Array(1)], ["a", [1]]])
    assert.equal(isBatch(input), true);
  assert.deepEqual(readInputs(["a", [1, 2]]), ["a", Uint32Array.of(1, 2)]);
});
