import assert from "node:assert/strict";
import { test } from "node:test";

import {
  divergingColours,
  signedLevel,
  signedLevelOf,
  signedValuesOf,
} from "../../www/draw/diverging.ts";
import { onStripe, stripePixel } from "../../www/draw/not-a-number.ts";
import {
  cutOf,
  farthest,
  fitAlong,
  hasMask,
  paintPlane,
  placeAt,
  planeOf,
  pooled,
  reach,
} from "../../www/draw/plane.ts";
import { lightness } from "../../www/draw/scale.ts";

/** [1, 3, 2, 4], each number telling its own index. */
const z = {
  data: Float32Array.from(
    { length: 24 },
    (_, i) => 100 * Math.floor(i / 8) + 10 * (Math.floor(i / 4) % 2) + (i % 4),
  ),
  shape: [1, 3, 2, 4],
  axes: ["batch", "pos", "head", "d_head"],
};

test("positions_go_down_and_the_last_axis_across_unless_asked_otherwise", () => {
  assert.deepEqual(cutOf(z, {}), { rows: "pos", columns: "d_head", index: { batch: 0, head: 0 } });
  assert.deepEqual(cutOf(z, { rows: "head", index: { pos: 2 } }), {
    rows: "head",
    columns: "d_head",
    index: { batch: 0, pos: 2 },
  });
  assert.deepEqual(cutOf(z, { columns: "pos" }), {
    rows: "head",
    columns: "pos",
    index: { batch: 0, d_head: 0 },
  });
  const pattern = {
    data: new Float32Array(18),
    shape: [1, 2, 3, 3],
    axes: ["batch", "head", "query", "key"],
  };
  assert.deepEqual(cutOf(pattern, {}), {
    rows: "query",
    columns: "key",
    index: { batch: 0, head: 0 },
  });
});

test("what_does_not_fit_the_tensor_gives_way", () => {
  assert.deepEqual(cutOf(z, { rows: "key", columns: "key", index: { head: 9, batch: -1 } }), {
    rows: "pos",
    columns: "d_head",
    index: { batch: 0, head: 1 },
  });
  assert.notEqual(cutOf(z, { rows: "pos", columns: "pos" }).rows, "pos");
  const scale = { data: new Float32Array(3), shape: [1, 3, 1], axes: ["batch", "pos", "1"] };
  const { rows, columns } = cutOf(scale, {});
  assert.deepEqual([rows, columns], ["pos", "1"]);
});

test("every_cut_holds_the_numbers_of_the_tensor", () => {
  for (const rows of z.axes) {
    for (const columns of z.axes) {
      if (rows === columns) continue;
      const cut = cutOf(z, { rows, columns, index: { pos: 1, head: 1, d_head: 3 } });
      const plane = planeOf(z, cut);
      assert.deepEqual(
        [plane.rows, plane.columns],
        [rows, columns].map((name) => z.shape[z.axes.indexOf(name)]),
      );
      for (let row = 0; row < plane.rows; row++) {
        for (let column = 0; column < plane.columns; column++) {
          const at = { ...cut.index, [rows]: row, [columns]: column };
          assert.equal(
            plane.data[row * plane.columns + column],
            100 * at.pos + 10 * at.head + at.d_head,
          );
        }
      }
    }
  }
});

test("a_block_is_its_value_farthest_from_zero_and_masked_values_do_not_count", () => {
  const matrix = {
    data: Float32Array.of(1, -3, 0, -Infinity, 2, 1, -Infinity, -Infinity),
    rows: 2,
    columns: 4,
  };
  assert.deepEqual([...pooled(matrix, 2, 2, true).data], [-3, 0]);
  assert.equal(
    pooled({ data: Float32Array.of(-Infinity, -Infinity), rows: 1, columns: 2 }, 1, 2, true)
      .data[0],
    -Infinity,
  );
  assert.equal(reach(matrix), 3);
  assert.deepEqual(farthest(matrix, 2, true), [
    { row: 0, column: 1, value: -3 },
    { row: 1, column: 0, value: 2 },
  ]);
});

test("a_value_that_is_not_finite_is_neither_pooled_away_nor_passed_over", () => {
  const matrix = { data: Float32Array.of(1, -3, 0, NaN, 2, 1, Infinity, 5), rows: 2, columns: 4 };
  assert.deepEqual([...pooled(matrix, 2, 2).data], [-3, NaN]);
  assert.deepEqual(
    [...pooled({ data: Float32Array.of(1, -Infinity), rows: 1, columns: 2 }, 1, 2).data],
    [NaN],
    "no mask in this tensor",
  );
  assert.deepEqual(
    farthest(matrix, 3).map(({ value }) => value),
    [NaN, Infinity, 5],
  );
  const [down, across] = [fitAlong(2, 1, 9), fitAlong(4, 2, 9)];
  assert.deepEqual(placeAt(matrix, down, across, across.cell, 0), { row: 0, column: 3 });
  assert.deepEqual(
    [
      ["batch", "head", "query", "key"],
      ["batch", "pos", "d_model"],
    ].map((axes) => hasMask({ data: matrix.data, shape: [], axes })),
    [true, false],
  );
});

test("cells_fit_the_room_in_whole_pixels", () => {
  assert.deepEqual(fitAlong(10, 100, 24), { factor: 1, cells: 10, cell: 10, size: 100 });
  assert.deepEqual(fitAlong(2, 100, 24), { factor: 1, cells: 2, cell: 24, size: 48 });
  const many = fitAlong(1000, 300, 24);
  assert.ok(many.cells * many.factor >= 1000 && many.size <= 300);
});

test("zero_is_in_the_middle_and_a_colour_gives_back_its_values", () => {
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
        "lightness falls evenly from zero",
      );
      assert.ok(Math.abs(light[127 - i] - light[127 + i]) < 0.03, "both sides are as strong");
    }
  }
  assert.equal(signedLevel(-Infinity, 5, "linear"), -1);
  assert.equal(signedLevel(NaN, 5, "linear"), -1);
});

test("each_value_is_painted_in_its_cell_and_found_there_again", () => {
  const matrix = { data: Float32Array.of(1, -2, NaN, 0, 2, -1), rows: 2, columns: 3 };
  const [down, across] = [fitAlong(2, 6, 3), fitAlong(3, 6, 2)];
  const image = new Uint32Array(across.size * down.size);
  paintPlane(image, matrix, { down, across, most: 2, theme: "light", stretch: "linear" });
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
    assert.deepEqual(placeAt(matrix, down, across, column * across.cell, row * down.cell), {
      row,
      column,
    });
  });
  assert.equal(placeAt(matrix, down, across, across.size, 0), null);
});
