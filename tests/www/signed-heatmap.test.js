import assert from "node:assert/strict";
import { test } from "node:test";

import {
  divergingColours,
  signedLevel,
  signedLevelOf,
  signedValuesOf,
} from "../../www/draw/diverging.ts";
import { onStripe, stripePixel } from "../../www/draw/not-finite.ts";
import { fit } from "../../www/draw/fit.ts";
import { maxAbs } from "../../www/draw/matrix.ts";
import {
  cellAt,
  hasMask,
  largestCells,
  paintSigned,
  poolSigned,
} from "../../www/draw/signed-heatmap.ts";
import { lightness } from "../../www/draw/scale.ts";

test("a block becomes its value with the largest magnitude, without masked values", () => {
  const matrix = {
    data: Float32Array.of(1, -3, 0, -Infinity, 2, 1, -Infinity, -Infinity),
    rows: 2,
    columns: 4,
  };
  assert.deepEqual([...poolSigned(matrix, 2, 2, true).data], [-3, 0]);
  assert.equal(
    poolSigned({ data: Float32Array.of(-Infinity, -Infinity), rows: 1, columns: 2 }, 1, 2, true)
      .data[0],
    -Infinity,
  );
  assert.equal(maxAbs(matrix), 3);
  assert.deepEqual(largestCells(matrix, 2, true), [
    { row: 0, column: 1, value: -3 },
    { row: 1, column: 0, value: 2 },
  ]);
});

test("a value that is not finite survives pooling and is listed", () => {
  const matrix = { data: Float32Array.of(1, -3, 0, NaN, 2, 1, Infinity, 5), rows: 2, columns: 4 };
  assert.deepEqual([...poolSigned(matrix, 2, 2).data], [-3, NaN]);
  assert.deepEqual(
    [...poolSigned({ data: Float32Array.of(1, -Infinity), rows: 1, columns: 2 }, 1, 2).data],
    [NaN],
    "no mask in this tensor",
  );
  assert.deepEqual(
    largestCells(matrix, 3).map(({ value }) => value),
    [NaN, Infinity, 5],
  );
  const [down, across] = [fit(2, 1, 9), fit(4, 2, 9)];
  assert.deepEqual(cellAt(matrix, down, across, across.cell, 0), { row: 0, column: 3 });
  assert.deepEqual(
    [
      ["batch", "head", "query", "key"],
      ["batch", "pos", "d_model"],
    ].map((axes) => hasMask({ data: matrix.data, shape: [], axes })),
    [true, false],
  );
});

test("cells fit the room in whole pixels", () => {
  assert.deepEqual(fit(10, 100, 24), { factor: 1, cells: 10, cell: 10, size: 100 });
  assert.deepEqual(fit(2, 100, 24), { factor: 1, cells: 2, cell: 24, size: 48 });
  const many = fit(1000, 300, 24);
  assert.ok(many.cells * many.factor >= 1000 && many.size <= 300);
});

test("zero is in the middle, and colours can be read back", () => {
  for (const theme of /** @type {const} */ (["light", "dark"])) {
    const table = divergingColours(theme);
    assert.equal(
      new Set(table.map((rgb) => rgb.join())).size,
      table.length,
      "no two levels share a colour",
    );
    for (const stretch of /** @type {const} */ (["linear", "sqrt"])) {
      assert.equal(signedLevel(0, 5, stretch), 127);
      for (const value of [-5, -1.3, -0.01, 0, 0.2, 4.9, 5]) {
        const level = signedLevelOf(table[signedLevel(value, 5, stretch)], theme);
        const [low, high] = signedValuesOf(level, 5, stretch);
        assert.ok(
          value >= low - 1e-9 && value <= high + 1e-9,
          `${value} drawn as ${low} to ${high}`,
        );
      }
    }
    const light = table.map(lightness);
    const side = theme === "light" ? 1 : -1;
    for (let i = 1; i <= 127; i++) {
      assert.ok(
        side * (light[127 - i + 1] - light[127 - i]) > -0.004 &&
          side * (light[127 + i - 1] - light[127 + i]) > -0.004,
        "lightness changes evenly from zero",
      );
      assert.ok(
        Math.abs(light[127 - i] - light[127 + i]) < 0.03,
        "both signs have the same lightness",
      );
    }
  }
  assert.equal(signedLevel(-Infinity, 5, "linear"), -1);
  assert.equal(signedLevel(NaN, 5, "linear"), -1);
});

test("each value is painted in its cell and can be located there", () => {
  const matrix = { data: Float32Array.of(1, -2, NaN, 0, 2, -1), rows: 2, columns: 3 };
  const [down, across] = [fit(2, 6, 3), fit(3, 6, 2)];
  const image = new Uint32Array(across.size * down.size);
  paintSigned(image, matrix, { down, across, max: 2, theme: "light", stretch: "linear" });
  const table = divergingColours("light");
  matrix.data.forEach((value, i) => {
    const [row, column] = [Math.floor(i / 3), i % 3];
    const pixel = image[(row * down.cell + down.cell - 1) * across.size + column * across.cell + 1];
    const [r, g, b] = Number.isNaN(value) ? [0, 0, 0] : table[signedLevel(value, 2, "linear")];
    const isStriped = onStripe(column * across.cell + 1, row * down.cell + down.cell - 1);
    assert.equal(
      pixel,
      Number.isNaN(value)
        ? isStriped
          ? stripePixel("light")
          : 0
        : ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0,
    );
    assert.deepEqual(cellAt(matrix, down, across, column * across.cell, row * down.cell), {
      row,
      column,
    });
  });
  assert.equal(cellAt(matrix, down, across, across.size, 0), null);
});
