import assert from "node:assert/strict";
import { test } from "node:test";

import { arrange, placeOf, withPlace } from "../../www/draw/arrangement.ts";
import { axisOrder, inverseOf } from "../../www/draw/axis-order.ts";
import {
  farthestCells,
  maskProblem,
  planeOf,
  summarise,
  summaryOf,
  valueAt,
} from "../../www/draw/plane.ts";

/** [1, 3, 2, 4], each number encodes its own index. */
const z = {
  data: Float32Array.from(
    { length: 24 },
    (_, i) => 100 * Math.floor(i / 8) + 10 * (Math.floor(i / 4) % 2) + (i % 4),
  ),
  shape: [1, 3, 2, 4],
  axes: ["batch", "pos", "head", "d_head"],
};
/** @param {string[]} axes @param {number[]} shape */
const empty = (axes, shape) => ({
  data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
  shape,
  axes,
});

test("by default positions run down, the last axis across, and heads have panels", () => {
  assert.deepEqual(arrange(z), {
    rows: "pos",
    columns: "d_head",
    down: [],
    across: ["head"],
    index: { batch: 0 },
  });
  const pattern = empty(["batch", "head", "query", "key"], [1, 12, 8, 8]);
  assert.deepEqual(arrange(pattern), {
    rows: "query",
    columns: "key",
    down: [],
    across: ["head"],
    index: { batch: 0 },
  });
  const all = empty(["batch", "layer", "head", "query", "key"], [2, 6, 12, 8, 8]);
  assert.deepEqual(arrange(all), {
    rows: "query",
    columns: "key",
    down: ["layer"],
    across: ["head"],
    index: { batch: 0 },
  });
  const wide = empty(["layer", "pos", "neuron"], [64, 5, 8]);
  assert.deepEqual(arrange(wide).index, { layer: 0 }, "too many panels");
});

test("what was asked for is drawn", () => {
  assert.deepEqual(arrange(z, { rows: "head", down: "none", index: { pos: 2 } }), {
    rows: "head",
    columns: "d_head",
    down: [],
    across: [],
    index: { batch: 0, pos: 2 },
  });
  assert.deepEqual(
    arrange(z, { rows: "head", across: "none" }).index,
    { batch: 0, pos: 2 },
    "of the tokens, the last one",
  );
  const { rows, columns, down, across } = arrange(z, { columns: "pos", down: "d_head" });
  assert.deepEqual([rows, columns, down, across], ["head", "pos", ["d_head"], []]);
});

test("a vector has columns alone, a scalar no axis, and an axis of length 1 is no axis", () => {
  const axesOf = (/** @type {any} */ tensor) => {
    const { rows, columns } = arrange(tensor);
    return [rows, columns];
  };
  assert.deepEqual(axesOf(empty(["vocab"], [9])), ["", "vocab"]);
  assert.deepEqual(axesOf(empty(["batch", "pos", "1"], [1, 3, 1])), ["", "pos"]);
  assert.deepEqual(axesOf(empty([], [])), ["", ""]);
  const plane = planeOf({ data: Float32Array.of(7), shape: [], axes: [] }, arrange(empty([], [])));
  assert.equal(valueAt(plane, { panel: 0, row: 0, column: 0 }), 7);
});

test("axes and positions that the tensor does not have are replaced", () => {
  const found = arrange(z, {
    rows: "key",
    columns: "key",
    down: "none",
    index: { head: 9, batch: -1 },
  });
  assert.deepEqual(found, {
    rows: "pos",
    columns: "d_head",
    down: [],
    across: [],
    index: { batch: 0, head: 0 },
  });
  assert.notEqual(arrange(z, { rows: "pos", columns: "pos" }).rows, "pos");
});

test("an axis that takes a place gives its own to the axis that was there", () => {
  const places = /** @type {const} */ (["rows", "columns", "down", "across", "slider"]);
  for (const axis of ["pos", "head", "d_head"])
    for (const place of places) {
      const before = arrange(z);
      const after = arrange(z, withPlace(before, axis, place));
      const isPanelAxis = ["rows", "columns"].includes(placeOf(before, axis));
      if (!isPanelAxis || ["rows", "columns"].includes(place))
        assert.equal(placeOf(after, axis), place, `${axis} to ${place}`);
      assert.ok(after.rows && after.columns && after.rows !== after.columns);
      const placed = [after.rows, after.columns, ...after.down, ...after.across];
      const all = [...placed, ...Object.keys(after.index)];
      assert.deepEqual([...all].sort(), [...z.axes].sort(), "every axis is in one place");
    }
});

test("every arrangement holds the numbers of the tensor", () => {
  for (const rows of z.axes.slice(1))
    for (const columns of z.axes.slice(1))
      for (const wanted of [{ down: "none" }, { down: "pos,head" }, { across: "d_head,pos" }]) {
        if (rows === columns) continue;
        const index = { pos: 1, head: 1, d_head: 3 };
        const arrangement = arrange(z, { rows, columns, index, ...wanted });
        const plane = planeOf(z, arrangement);
        plane.panels.forEach(({ index: ofPanel }, panel) => {
          for (let row = 0; row < plane.rows; row++)
            for (let column = 0; column < plane.columns; column++) {
              const at = {
                ...{ pos: 0, head: 0, d_head: 0 },
                ...arrangement.index,
                ...ofPanel,
                ...{ [rows]: row, [columns]: column },
              };
              assert.equal(
                valueAt(plane, { panel, row, column }),
                100 * at.pos + 10 * at.head + at.d_head,
              );
            }
        });
      }
});

test("a summary tells finite, masked and other numbers apart", () => {
  const scores = {
    data: Float32Array.of(1, -Infinity, 2, 4, NaN, Infinity, -3, 0),
    shape: [2, 2, 2],
    axes: ["head", "query", "key"],
  };
  const summary = summarise(planeOf(scores, arrange(scores)));
  // numpy: [1, 2, 4, -3, 0] has mean 0.8 and standard deviation 2.3151673805580453
  const { min, max, mean, deviation, finite, count, masked, nan, positive, negative } = summary;
  assert.deepEqual([min, max, finite, count], [-3, 4, 5, 8]);
  assert.deepEqual([masked, nan, positive, negative], [1, 1, 1, 0]);
  assert.ok(Math.abs(mean - 0.8) < 1e-12 && Math.abs(deviation - 2.3151673805580453) < 1e-12);
  const far = { data: Float32Array.of(1e6, 1e6 + 1, 1e6 + 2), shape: [3], axes: ["pos"] };
  // numpy.std([0, 1, 2])
  assert.ok(Math.abs(summarise(planeOf(far, arrange(far))).deviation - 0.816496580927726) < 1e-12);
  const other = { ...scores, axes: ["head", "pos", "d"] };
  assert.equal(summarise(planeOf(other, arrange(other))).negative, 1, "no mask in this tensor");
  const mask = { data: Uint32Array.of(1, 0), shape: [2], axes: ["pos"] };
  assert.equal(summarise(planeOf(other, arrange(other), mask)).masked, 4);
  assert.deepEqual(
    farthestCells(planeOf(other, arrange(other)), 5).map(({ value }) => value),
    [-Infinity, NaN, Infinity, 4, -3],
  );
});

test("a mask that does not fit is said, with what was expected", () => {
  const mask = (/** @type {string[]} */ axes, /** @type {number[]} */ shape) => empty(axes, shape);
  assert.equal(maskProblem(z, null), "");
  assert.equal(maskProblem(z, mask(["batch", "pos"], [1, 3])), "");
  assert.match(maskProblem(z, mask(["pos"], [4])), /pos of length 4, expected length 3/);
  assert.match(maskProblem(z, mask(["key"], [3])), /key of length 3, expected axes of the tensor/);
});

test("columns are sorted by one row or by their maxima, and stay findable", () => {
  const tensor = {
    data: Float32Array.of(1, 5, NaN, 3, 9, 0, 1, 3),
    shape: [2, 4],
    axes: ["pos", "d_mlp"],
  };
  const plane = planeOf(tensor, arrange(tensor));
  const byRow = axisOrder(plane, "columns", "pinned", { pinned: { panel: 0, row: 0, column: 0 } });
  assert.deepEqual([...(byRow ?? [])], [1, 3, 0, 2], "what is no number comes last");
  const byMaximum = axisOrder(plane, "columns", "max", { pinned: null }) ?? new Uint32Array();
  assert.deepEqual([...byMaximum], [0, 1, 3, 2]);
  assert.deepEqual([...inverseOf(byMaximum)], [0, 1, 3, 2]);
  const mask = {
    ...empty(["pos", "d_mlp"], [2, 4]),
    data: Float32Array.of(1, 0, 1, 1, 0, 1, 1, 1),
  };
  const masked = axisOrder(planeOf(tensor, arrange(tensor), mask), "columns", "max", {
    pinned: null,
  });
  assert.deepEqual([...(masked ?? [])], [3, 0, 2, 1], "masked values do not count");
  assert.equal(axisOrder(plane, "columns", "pinned", { pinned: null }), null);
  assert.equal(axisOrder(plane, "rows", "", { pinned: { panel: 0, row: 0, column: 0 } }), null);
});

test("rows and columns are sorted by the same rules, in panels of any arrangement", () => {
  // Values that decide nothing by their place: multiples of a number modulo a prime.
  const shape = [3, 4, 5];
  const data = Float32Array.from({ length: 60 }, (_, i) => ((i * 37) % 61) - 30);
  const tensor = { data, shape, axes: ["head", "pos", "d_head"] };
  const value = (/** @type {number} */ head, /** @type {number} */ pos, /** @type {number} */ at) =>
    data[head * 20 + pos * 5 + at];
  const each = (/** @type {number} */ length) => Array.from({ length }, (_, i) => i);
  const descending = (/** @type {number[]} */ keys) =>
    each(keys.length).sort((a, b) => keys[b] - keys[a] || a - b);
  const plane = planeOf(tensor, arrange(tensor));
  const pinned = { panel: 2, row: 1, column: 3 };
  const orders = {
    rows: {
      pinned: each(4).map((pos) => value(2, pos, 3)),
      max: each(4).map((pos) =>
        Math.max(...each(3).flatMap((head) => each(5).map((at) => value(head, pos, at)))),
      ),
    },
    columns: {
      pinned: each(5).map((at) => value(2, 1, at)),
      max: each(5).map((at) =>
        Math.max(...each(3).flatMap((head) => each(4).map((pos) => value(head, pos, at)))),
      ),
    },
  };
  for (const side of /** @type {const} */ (["rows", "columns"]))
    for (const order of /** @type {const} */ (["pinned", "max"]))
      assert.deepEqual(
        [...(axisOrder(plane, side, order, { pinned }) ?? [])],
        descending(orders[side][order]),
        `${side} by ${order}`,
      );
  const labels = ["head 10", "head 2", "Ärger", "zebra"];
  const byName = axisOrder(plane, "rows", "name", { pinned: null, labels });
  assert.deepEqual([...(byName ?? [])], [2, 1, 0, 3], "digits count as numbers");
  assert.equal(axisOrder(plane, "rows", "name", { pinned: null }), null, "without labels");
});

test("numbers in any shape have one summary", () => {
  const found = summaryOf(Float32Array.of(1e6, 1e6 + 1, NaN, 1e6 + 2, Infinity, -Infinity));
  // numpy: std([1e6, 1e6 + 1, 1e6 + 2]) is 0.816496580927726
  assert.deepEqual([found.finite, found.nan, found.positive, found.negative], [3, 1, 1, 1]);
  assert.ok(Math.abs(found.deviation - 0.816496580927726) < 1e-12);
  assert.deepEqual([found.min, found.max, found.mean], [1e6, 1e6 + 2, 1e6 + 1]);
  assert.ok(Number.isNaN(summaryOf(Float32Array.of(NaN)).mean));
});
