// What functions showed: how much of it is kept.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Tensor } from "../../www/api/tensor.ts";
import { ShownCollector } from "../../www/session/shown-values.ts";

/** A value that a function showed at a point of 1000 numbers. @param {unknown} value */
const shown = (value) => ({
  ...{ value, name: "hook_embed", row: 0 },
  ...{ axes: ["pos"], shape: [1000], positions: [0], indices: {} },
});

const MANY = 12 * 2 ** 20; // of the 16 million numbers that are kept, so one fits and two do not

/** @param {readonly unknown[]} values */
function collected(values) {
  const collector = new ShownCollector();
  for (const value of values) collector.add(shown(value));
  return { kept: collector.values.length, more: collector.more };
}

test("the numbers that are kept are limited, wherever they are in a value", () => {
  const large = new Float32Array(MANY);
  const tensor = new Tensor(large, [MANY], ["pos"]);
  for (const value of [
    large,
    tensor,
    { parts: [large] },
    new Map([["large", large]]),
    large.buffer,
  ])
    assert.deepEqual(collected([value, value]), { kept: 1, more: 1 }, String(value).slice(0, 40));
});

test("small values are kept, however large the point is at which they were shown", () => {
  const collector = new ShownCollector();
  for (let i = 0; i < 100; i++) collector.add({ ...shown("text"), shape: [MANY] });
  assert.deepEqual([collector.values.length, collector.more], [100, 0]);
});

test("a value that contains itself is counted once", () => {
  const cyclic = { data: new Float32Array(3) };
  assert.deepEqual(collected([Object.assign(cyclic, { cyclic })]), { kept: 1, more: 0 });
});
