// The scores of heads as rows and as points.

import assert from "node:assert/strict";
import { test } from "node:test";

import { labelled, neighbour, scatterGeometry } from "../../www/draw/scatter.ts";
import { filtered, headRows, sorted } from "../../www/session/head-table.ts";

const table = {
  data: Float32Array.of(0.5, 0.25, 0.75, NaN, 0, 1, 0.5, NaN),
  shape: [2, 2, 2],
  axes: ["score", "layer", "head"],
  labels: { score: ["previous_token", "induction"] },
};
const names = (/** @type {readonly { layer: number, head: number }[]} */ rows) =>
  rows.map(({ layer, head }) => `${layer}.${head}`);

test("each head is a row with its scores by name", () => {
  assert.deepEqual(headRows(table)[2], {
    layer: 1,
    head: 0,
    scores: { previous_token: 0.75, induction: 0.5 },
  });
});

test("heads are filtered by layer and by the minimum of a score", () => {
  const rows = headRows(table);
  const all = { layer: null, minimum: 0, kind: "induction" };
  assert.equal(filtered(rows, all).length, 4, "a head without a score is kept without a minimum");
  assert.deepEqual(names(filtered(rows, { ...all, minimum: 0.5 })), ["0.1", "1.0"]);
  assert.deepEqual(names(filtered(rows, { ...all, layer: 1 })), ["1.0", "1.1"]);
  assert.deepEqual(names(filtered(rows, { layer: 0, minimum: 0.3, kind: "previous_token" })), [
    "0.0",
  ]);
});

test("rows are sorted by any column, and those without a number come last", () => {
  const rows = headRows(table);
  assert.deepEqual(names(sorted(rows, "induction", true)), ["0.1", "1.0", "0.0", "1.1"]);
  assert.deepEqual(names(sorted(rows, "induction", false)), ["0.0", "1.0", "0.1", "1.1"]);
  assert.deepEqual(names(sorted(rows, "head", false)), ["0.0", "1.0", "0.1", "1.1"]);
  assert.deepEqual(names(sorted(rows, "layer", true)), ["1.0", "1.1", "0.0", "0.1"]);
});

const points = [
  { x: 0.1, y: 0.9 },
  { x: 0.8, y: 0.2 },
  { x: 0.12, y: 0.89 },
  { x: 0.05, y: 0.05 },
];

test("a point lies where its scores are, with y upwards", () => {
  const geometry = scatterGeometry(points, 500);
  assert.ok(geometry.across(1) > geometry.across(0) && geometry.down(1) < geometry.down(0));
  const middle = (geometry.across(0) + geometry.across(1)) / 2;
  assert.ok(Math.abs(geometry.across(0.5) - middle) < 1e-9);
  assert.equal(geometry.max, 1);
  assert.equal(scatterGeometry([{ x: 2, y: 0 }], 500).max, 2, "no point is clipped");
});

test("the farthest points have labels that do not overlap, and the selected one always has", () => {
  const geometry = scatterGeometry(points, 500);
  const options = { minimum: 0.3, count: 5, first: [] };
  assert.deepEqual(labelled(points, geometry, options), [0, 1]);
  assert.deepEqual(labelled(points, geometry, { ...options, first: [3] }), [3, 0, 1]);
});

test("arrows move along one axis at a time", () => {
  assert.equal(neighbour(points, 0, { columns: 1, rows: 0 }), 2, "the next by x");
  assert.equal(neighbour(points, 0, { columns: 0, rows: 1 }), 2, "the next below");
  assert.equal(neighbour(points, 3, { columns: -1, rows: 0 }), 3, "the end");
  assert.equal(neighbour(points, 3, { columns: Infinity, rows: 0 }), 1);
});
