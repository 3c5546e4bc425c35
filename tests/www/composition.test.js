import assert from "node:assert/strict";
import { test } from "node:test";

import {
  compositionGeometry,
  compositionsOf,
  linePath,
  linesOf,
  randomBaseline,
  strength,
} from "../../www/draw/composition.ts";
import { columnsOf, planeOf } from "../../www/draw/spectrum.ts";

/** Scores whose value says which heads they are about. @param {number} layers @param {number} heads */
function numbered(layers, heads) {
  const data = new Float32Array((layers * heads) ** 2);
  for (let from = 0; from < layers; from++)
    for (let writer = 0; writer < heads; writer++)
      for (let to = from + 1; to < layers; to++)
        for (let reader = 0; reader < heads; reader++)
          data[((from * heads + writer) * layers + to) * heads + reader] =
            from * 1000 + writer * 100 + to * 10 + reader;
  return { data, shape: [layers, heads, layers, heads], axes: ["a", "b", "c", "d"] };
}

test("every pair of a head and a later one is there once, strongest first", () => {
  const found = compositionsOf(numbered(3, 2));
  assert.equal(found.length, 3 * 2 * 2);
  for (const { writer, reader, score } of found)
    assert.equal(score, writer.layer * 1000 + writer.head * 100 + reader.layer * 10 + reader.head);
  for (let i = 1; i < found.length; i++) assert.ok(found[i - 1].score >= found[i].score);
});

test("a score that is NaN comes last and has no strength", () => {
  const scores = numbered(2, 2);
  scores.data[((0 * 2 + 1) * 2 + 1) * 2 + 1] = NaN;
  const found = compositionsOf(scores);
  assert.ok(Number.isNaN(found.at(-1)?.score));
  assert.equal(strength(NaN, 0.1, 1), 0);
});

test("strength is 0 at the baseline and below, and 1 at the highest score", () => {
  assert.equal(randomBaseline(256), 1 / 16);
  assert.deepEqual(
    [0.05, 0.1, 0.3, 0.5, 0.9].map((score) => Number(strength(score, 0.1, 0.5).toFixed(6))),
    [0, 0, 0.5, 1, 1],
  );
  assert.equal(strength(0.1, 0.2, 0.2), 0, "no score is above the baseline");
});

test("heads of twelve layers of twelve heads fit a column and a phone, and lie apart", () => {
  for (const width of [330, 640, 1100]) {
    const geometry = compositionGeometry(12, 12, width);
    assert.ok(geometry.width <= Math.max(width, 12 * 12 + 40), `${geometry.width} in ${width}`);
    assert.ok(geometry.xOf(1) - geometry.xOf(0) > 2 * geometry.radius);
    assert.ok(geometry.yOf(1) - geometry.yOf(0) > 2 * geometry.radius);
    assert.ok(geometry.yOf(11) + geometry.radius < geometry.height);
    assert.ok(geometry.xOf(11) + geometry.radius < geometry.width);
  }
});

test("a line begins at the writer and ends at the reader; it bends only if it skips layers", () => {
  const geometry = compositionGeometry(4, 4, 600);
  const ends = (/** @type {number} */ from, /** @type {number} */ to) => {
    const line = { writer: { layer: from, head: 2 }, reader: { layer: to, head: 2 }, score: 1 };
    return (linePath(line, geometry).match(/-?\d+\.\d/g) ?? []).map(Number);
  };
  const [straight, bent] = [ends(0, 1), ends(0, 3)];
  assert.deepEqual(straight.slice(0, 2), [geometry.xOf(2), geometry.yOf(0)]);
  assert.deepEqual(straight.slice(-2), [geometry.xOf(2), geometry.yOf(1)]);
  assert.equal(straight[2], geometry.xOf(2));
  assert.ok(bent[2] > geometry.xOf(2));
});

test("the lines of a head are its own, strongest first", () => {
  const all = compositionsOf(numbered(3, 2));
  const { writes, reads } = linesOf(all, { layer: 1, head: 1 }, 3);
  assert.deepEqual(
    writes.map(({ score }) => score),
    [1121, 1120],
  );
  assert.deepEqual(
    reads.map(({ score }) => score),
    [111, 11],
  );
  assert.equal(linesOf(all, { layer: 0, head: 0 }, 3).writes.length, 3);
});

test("columns are proportional to the values, and one that is not finite has the full height", () => {
  const columns = columnsOf([4, 2, NaN], 30, 100);
  assert.deepEqual(
    columns.map(({ x, y, height }) => [x, y, height]),
    [
      [0, 0, 100],
      [10, 50, 50],
      [20, 0, 100],
    ],
  );
});

test("the complex plane has zero in the middle, one scale on both axes, and all points inside", () => {
  const { max, place } = planeOf([2, -4, NaN, 1], 200, 10);
  assert.equal(max, 4);
  assert.deepEqual(place(0, 0), { x: 100, y: 100 });
  assert.deepEqual(place(4, 0), { x: 190, y: 100 });
  assert.deepEqual(place(0, -4), { x: 100, y: 190 });
  assert.deepEqual(planeOf([], 200, 10).place(0, 0), { x: 100, y: 100 });
});
