import assert from "node:assert/strict";
import { test } from "node:test";

import { resolveSlice, sliceTensor } from "../../www/draw/slice.ts";

/** [1, 3, 2, 4], each number encodes its own index. */
const z = {
  data: Float32Array.from(
    { length: 24 },
    (_, i) => 100 * Math.floor(i / 8) + 10 * (Math.floor(i / 4) % 2) + (i % 4),
  ),
  shape: [1, 3, 2, 4],
  axes: ["batch", "pos", "head", "d_head"],
};

test("by default positions run down and the last axis across", () => {
  assert.deepEqual(resolveSlice(z, {}), {
    rows: "pos",
    columns: "d_head",
    index: { batch: 0, head: 0 },
  });
  assert.deepEqual(resolveSlice(z, { rows: "head", index: { pos: 2 } }), {
    rows: "head",
    columns: "d_head",
    index: { batch: 0, pos: 2 },
  });
  assert.deepEqual(
    resolveSlice(z, { rows: "head" }).index,
    { batch: 0, pos: 2 },
    "of the tokens, the last one",
  );
  assert.deepEqual(resolveSlice(z, { columns: "pos" }), {
    rows: "head",
    columns: "pos",
    index: { batch: 0, d_head: 0 },
  });
  const pattern = {
    data: new Float32Array(18),
    shape: [1, 2, 3, 3],
    axes: ["batch", "head", "query", "key"],
  };
  assert.deepEqual(resolveSlice(pattern, {}), {
    rows: "query",
    columns: "key",
    index: { batch: 0, head: 0 },
  });
});

test("axes and positions that the tensor does not have are replaced", () => {
  assert.deepEqual(
    resolveSlice(z, { rows: "key", columns: "key", index: { head: 9, batch: -1 } }),
    {
      rows: "pos",
      columns: "d_head",
      index: { batch: 0, head: 1 },
    },
  );
  assert.notEqual(resolveSlice(z, { rows: "pos", columns: "pos" }).rows, "pos");
  const scale = { data: new Float32Array(3), shape: [1, 3, 1], axes: ["batch", "pos", "1"] };
  const { rows, columns } = resolveSlice(scale, {});
  assert.deepEqual([rows, columns], ["pos", "1"]);
});

test("every slice holds the numbers of the tensor", () => {
  for (const rows of z.axes) {
    for (const columns of z.axes) {
      if (rows === columns) continue;
      const slice = resolveSlice(z, { rows, columns, index: { pos: 1, head: 1, d_head: 3 } });
      const matrix = sliceTensor(z, slice);
      assert.deepEqual(
        [matrix.rows, matrix.columns],
        [rows, columns].map((name) => z.shape[z.axes.indexOf(name)]),
      );
      for (let row = 0; row < matrix.rows; row++) {
        for (let column = 0; column < matrix.columns; column++) {
          const at = { ...slice.index, [rows]: row, [columns]: column };
          assert.equal(
            matrix.data[row * matrix.columns + column],
            100 * at.pos + 10 * at.head + at.d_head,
          );
        }
      }
    }
  }
});
