import assert from "node:assert/strict";
import { test } from "node:test";

import { drawColumns } from "../../www/draw/columns.ts";
import { fit } from "../../www/draw/fit.ts";
import {
  formatAttention,
  formatLogProb,
  formatNumber,
  formatSignificant,
} from "../../www/draw/format.ts";
import { fullView, heatmap, pairAt } from "../../www/draw/heatmap.ts";
import { maxPool, maxPoolTo } from "../../www/draw/matrix.ts";
import { countNotFinite } from "../../www/draw/not-finite.ts";
import { level, pixels } from "../../www/draw/scale.ts";
import { likeliest } from "../../www/session/logits.ts";

const nan = NaN;
/** Three queries. The second attends with NaN, and a masked value of the first is NaN. */
const matrix = {
  data: Float32Array.of(1, nan, nan, 0.5, nan, 0, 0.2, 0.3, 0.5),
  rows: 3,
  columns: 3,
};

test("a number that is not finite is never formatted as 0", () => {
  assert.deepEqual(
    [nan, Infinity, -Infinity, -1].map((value) => formatLogProb(value)),
    ["not a number", "∞", "−∞", "−1.00"],
  );
  assert.deepEqual(
    [formatAttention(nan), formatSignificant(nan, 3), formatNumber(null, String)],
    ["not a number", "not a number", "not a number"],
  );
  assert.equal(countNotFinite([1, nan, Infinity]), 2);
});

test("a cell that is not a number has no colour and is reported", () => {
  const image = new Uint32Array(9);
  const runs = heatmap(image, matrix, {
    view: fullView(matrix),
    fit: fit(3, 3),
    theme: "light",
    stretch: "linear",
  });
  assert.deepEqual(runs, [{ row: 1, column: 1, count: 1 }], "the masked part is not counted");
  assert.equal(image[4], 0);
  assert.equal(image[3], pixels("light")[level(0.5, "linear")]);
  assert.deepEqual(
    pairAt(matrix, fullView(matrix), fit(3, 3), 1, 1),
    { query: 1, key: 1 },
    "it can be pointed at",
  );
});

test("neighbouring cells that are not numbers are one run", () => {
  const all = { data: new Float32Array(9).fill(nan), rows: 3, columns: 3 };
  const runs = heatmap(new Uint32Array(9), all, {
    view: fullView(all),
    fit: fit(3, 3),
    theme: "dark",
    stretch: "sqrt",
  });
  assert.deepEqual(
    runs.map(({ count }) => count),
    [1, 2, 3],
  );
});

test("pooling keeps NaN", () => {
  assert.deepEqual([...maxPool(matrix, 3).data], [nan]);
  assert.deepEqual([...maxPoolTo(matrix, 1).data], [nan]);
  const later = { data: Float32Array.of(nan, 0, 0.5, 0.5), rows: 2, columns: 2 };
  assert.deepEqual([...maxPool(later, 2).data], [nan], "a number after it does not replace it");
  const finite = { data: Float32Array.of(1, nan, 0.5, 0.5), rows: 2, columns: 2 };
  assert.deepEqual([...maxPool(finite, 2).data], [1], "the masked part does not count");
});

test("logits that are not finite have no likeliest token", () => {
  assert.deepEqual(likeliest(Float32Array.of(1, nan, 3), 2), []);
  assert.deepEqual(likeliest(Float32Array.of(1, Infinity, 3), 2), []);
  assert.deepEqual(likeliest(Float32Array.of(-Infinity, -Infinity), 2), []);
  assert.deepEqual(likeliest(Float32Array.of(-Infinity, 2), 2), [
    { id: 1, logProb: 0 },
    { id: 0, logProb: -Infinity },
  ]);
});

test("a column without a number is not drawn as a small one", () => {
  /** @type {number[][]} */
  const filled = [];
  const context = /** @type {any} */ ({
    fillRect: (/** @type {number[]} */ ...box) => filled.push(box),
  });
  drawColumns(context, {
    values: [null, 1, Infinity],
    max: 2,
    width: 30,
    height: 10,
    theme: "light",
  });
  assert.deepEqual(
    filled.map(([x, , , tall]) => [x, tall]),
    [
      [10, 5],
      [20, 10],
    ],
  );
});
