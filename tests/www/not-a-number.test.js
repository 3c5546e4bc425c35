import assert from "node:assert/strict";
import { test } from "node:test";

import { drawColumns } from "../../www/draw/bars.ts";
import { fit, heatmap, pairAt, whole } from "../../www/draw/heatmap.ts";
import { maxPool, maxPoolTo } from "../../www/draw/matrix.ts";
import { countNotFinite, written } from "../../www/draw/not-a-number.ts";
import { level, pixels } from "../../www/draw/scale.ts";
import { attention, logProbability, precise } from "../../www/draw/token.ts";
import { likeliest } from "../../www/session/reading.ts";

const nan = NaN;
/** Three queries; the second sees NaN, and so does the masked part of the first. */
const matrix = {
  data: Float32Array.of(1, nan, nan, 0.5, nan, 0, 0.2, 0.3, 0.5),
  rows: 3,
  columns: 3,
};

test("numbers_in_words_are_never_0_when_they_are_not_finite", () => {
  assert.deepEqual(
    [nan, Infinity, -Infinity, -1].map((value) => logProbability(value)),
    ["not a number", "∞", "−∞", "−1.00"],
  );
  assert.deepEqual(
    [attention(nan), precise(nan, 3), written(null, String)],
    ["not a number", "not a number", "not a number"],
  );
  assert.equal(countNotFinite([1, nan, Infinity]), 2);
});

test("a_cell_that_is_not_a_number_gets_no_colour_and_is_told", () => {
  const image = new Uint32Array(9);
  const runs = heatmap(image, matrix, {
    view: whole(matrix),
    fit: fit(3, 3),
    theme: "light",
    stretch: "linear",
  });
  assert.deepEqual(runs, [{ row: 1, column: 1, count: 1 }], "the masked part is not counted");
  assert.equal(image[4], 0);
  assert.equal(image[3], pixels("light")[level(0.5, "linear")]);
  assert.deepEqual(
    pairAt(matrix, whole(matrix), fit(3, 3), 1, 1),
    { query: 1, key: 1 },
    "it can be pointed at",
  );
});

test("neighbouring_cells_that_are_not_numbers_are_one_run", () => {
  const all = { data: new Float32Array(9).fill(nan), rows: 3, columns: 3 };
  const runs = heatmap(new Uint32Array(9), all, {
    view: whole(all),
    fit: fit(3, 3),
    theme: "dark",
    stretch: "sqrt",
  });
  assert.deepEqual(
    runs.map(({ count }) => count),
    [1, 2, 3],
  );
});

test("pooling_keeps_what_is_not_a_number", () => {
  assert.deepEqual([...maxPool(matrix, 3).data], [nan]);
  assert.deepEqual([...maxPoolTo(matrix, 1).data], [nan]);
  const later = { data: Float32Array.of(nan, 0, 0.5, 0.5), rows: 2, columns: 2 };
  assert.deepEqual([...maxPool(later, 2).data], [nan], "a number after it does not replace it");
  const finite = { data: Float32Array.of(1, nan, 0.5, 0.5), rows: 2, columns: 2 };
  assert.deepEqual([...maxPool(finite, 2).data], [1], "the masked part does not count");
});

test("logits_that_are_not_finite_have_no_likeliest_token", () => {
  assert.deepEqual(likeliest(Float32Array.of(1, nan, 3), 2), []);
  assert.deepEqual(likeliest(Float32Array.of(1, Infinity, 3), 2), []);
  assert.deepEqual(likeliest(Float32Array.of(-Infinity, -Infinity), 2), []);
  assert.deepEqual(likeliest(Float32Array.of(-Infinity, 2), 2), [
    { id: 1, logProb: 0 },
    { id: 0, logProb: -Infinity },
  ]);
});

test("a_column_without_a_number_is_not_drawn_as_a_small_one", () => {
  /** @type {number[][]} */
  const filled = [];
  const context = /** @type {any} */ ({
    fillRect: (/** @type {number[]} */ ...box) => filled.push(box),
  });
  drawColumns(context, {
    values: [null, 1, Infinity],
    most: 2,
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
