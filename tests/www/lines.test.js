// Attention as lines, and the plot of query-key products: geometry and values.

import assert from "node:assert/strict";
import { test } from "node:test";

import { divergingColours, signedLevel } from "../../www/draw/diverging.ts";
import {
  attentionOutside,
  headColour,
  lineOpacity,
  linesOf,
  windowAround,
  windowWith,
} from "../../www/draw/lines.ts";
import { dimensionAt, paintRows, productsGeometry, rowsOf } from "../../www/draw/products-plot.ts";
import { packPixel } from "../../www/draw/scale.ts";

/** Two heads of three tokens. */
const patterns = {
  data: Float32Array.of(1, 0, 0, 0.25, 0.75, 0, 0, 0.5, 0.5, 1, 0, 0, 0.001, 0.999, 0, NaN, 0, 1),
  shape: [1, 2, 3, 3],
  axes: ["batch", "head", "query", "key"],
};
const all = { first: 0, count: 3 };

test("there is a line for each visible edge, whose opacity is its attention", () => {
  const lines = linesOf(patterns, [0], { window: all, stretch: "linear", pitch: 20 });
  assert.deepEqual(
    lines.map(({ query, key, opacity, from, to }) => [query, key, opacity, from, to]),
    [
      [0, 0, 1, 10, 10],
      [1, 0, 0.25, 30, 10],
      [1, 1, 0.75, 30, 30],
      [2, 1, 0.5, 50, 30],
      [2, 2, 0.5, 50, 50],
    ],
    "an edge of 0 has no line, a masked one neither",
  );
});

test("only the lines of one token, of a pair or of a window are drawn", () => {
  const options = { window: all, stretch: /** @type {const} */ ("linear"), pitch: 20 };
  const places = (/** @type {object} */ more) =>
    linesOf(patterns, [0], { ...options, ...more }).map(({ query, key }) => `${query}→${key}`);
  assert.deepEqual(places({ only: { query: 2 } }), ["2→1", "2→2"]);
  assert.deepEqual(places({ only: { key: 1 } }), ["1→1", "2→1"]);
  assert.deepEqual(places({ only: { query: 1, key: 0 } }), ["1→0"]);
  assert.deepEqual(places({ window: { first: 1, count: 2 } }), ["1→1", "2→1", "2→2"]);
  assert.deepEqual(places({ window: { first: 1, count: 2 }, only: { query: 1, key: 2 } }), []);
  const outside = { window: { first: 1, count: 2 }, only: { query: 0 } };
  assert.deepEqual(places(outside), [], "a query before the window has no line");
});

test("the lines of several heads lie side by side, and a value that is not a number is kept", () => {
  const lines = linesOf(patterns, [0, 1], { window: all, stretch: "sqrt", pitch: 20 });
  const [first] = lines.filter(({ head }) => head === 0);
  const second = lines.filter(({ head }) => head === 1);
  assert.ok(first.from < second[0].from && second[0].from - first.from <= 6);
  const broken = second.find(({ query, key }) => query === 2 && key === 0);
  assert.ok(broken && Number.isNaN(broken.value) && broken.opacity === 1);
  const faint = second.find(({ query, key }) => query === 1 && key === 0);
  assert.ok(faint && Math.abs(faint.opacity - Math.sqrt(0.001)) < 1e-6, "the square root shows it");
  const linear = linesOf(patterns, [1], { window: all, stretch: "linear", pitch: 20 });
  assert.ok(!linear.some(({ query, key }) => query === 1 && key === 0), "no screen shows 0.001");
});

test("opacity is clamped", () => {
  assert.deepEqual(
    [-1, 0.25, 2].map((value) => lineOpacity(value, "linear")),
    [0, 0.25, 1],
  );
  assert.equal(lineOpacity(0.25, "sqrt"), 0.5);
});

test("a window holds its token, and lies inside the text", () => {
  assert.deepEqual(windowAround(5, 20, 4), { first: 0, count: 5 });
  assert.deepEqual(windowAround(1000, 20, 999), { first: 980, count: 20 });
  assert.deepEqual(windowAround(1000, 20, 0), { first: 0, count: 20 });
  const { first, count } = windowAround(1000, 20, 500);
  assert.ok(first <= 500 && 500 < first + count && 500 - first > 10, "most of it comes before");
  assert.deepEqual(windowWith(1000, { first: 100, count: 20 }, 110), { first: 100, count: 20 });
  assert.equal(windowWith(1000, { first: 100, count: 20 }, 130).first, 111);
  assert.equal(windowWith(1000, { first: 100, count: 20 }, 3).first, 3);
});

test("the attention to tokens outside of a window is added up", () => {
  const matrix = {
    data: Float32Array.of(1, 0, 0, 0.25, 0.75, 0, 0.25, 0.125, 0.625),
    rows: 3,
    columns: 3,
  };
  assert.deepEqual(attentionOutside(matrix, 2, { first: 2, count: 1 }), {
    sum: 0.375,
    key: 0,
    value: 0.25,
  });
  assert.equal(attentionOutside(matrix, 2, all), null);
});

test("each of twelve heads has its own colour, in both themes", () => {
  for (const theme of /** @type {const} */ (["light", "dark"])) {
    const colours = Array.from({ length: 12 }, (_, head) => headColour(head, theme));
    assert.equal(new Set(colours).size, 12);
  }
});

test("two panels stand beside each other if every dimension has room", () => {
  const wide = productsGeometry(64, { width: 800, gap: 12, ratio: 2 });
  assert.equal(wide.isWide, true);
  assert.equal(wide.across.cell, Math.floor((394 * 2) / 64));
  const narrow = productsGeometry(64, { width: 220, gap: 12, ratio: 1 });
  assert.deepEqual([narrow.isWide, narrow.across.cell], [false, 3]);
  assert.equal(productsGeometry(128, { width: 100, gap: 12, ratio: 1 }).across.factor, 2);
});

test("rows are painted in the order that is asked for, and a dimension is found under a point", () => {
  const matrix = { data: Float32Array.of(1, -2, 0, 4, -4, NaN), rows: 3, columns: 2 };
  const picked = rowsOf(matrix, [2, 0]);
  assert.deepEqual([...picked.data], [-4, NaN, 1, -2]);
  const geometry = productsGeometry(2, { width: 40, gap: 12, ratio: 1 });
  const { across } = geometry;
  const painted = paintRows(picked, {
    ...geometry,
    max: 4,
    theme: "light",
    stretch: "linear",
  });
  const at = (/** @type {number} */ row, /** @type {number} */ dim) =>
    painted.image[(row * 18 + 9) * painted.width + dim * across.cell + (across.cell >> 1)];
  const colour = (/** @type {number} */ value) =>
    packPixel(divergingColours("light")[signedLevel(value, 4, "linear")]);
  assert.deepEqual([at(0, 0), at(1, 0), at(1, 1)], [colour(-4), colour(1), colour(-2)]);
  assert.equal(dimensionAt(matrix, 0, across, across.cell + 1), 1);
  assert.equal(dimensionAt(matrix, 0, across, 2 * across.cell), null);
});

test("a row has as many pixels in the picture as its label has, at every ratio of pixels", () => {
  const matrix = { data: new Float32Array(80), rows: 40, columns: 2 };
  for (const ratio of [1, 1.1, 1.25, 1.5, 1.75, 2]) {
    const geometry = productsGeometry(2, { width: 40, gap: 12, ratio });
    const { height } = paintRows(matrix, { ...geometry, max: 1, theme: "dark", stretch: "sqrt" });
    assert.ok(Math.abs(height / ratio - 40 * geometry.rowHeight) < 1e-9, `${ratio}`);
  }
});
