// Results of the worker as classes of the API: what captured tensors are called, and whether their indices are those of the name.

import assert from "node:assert/strict";
import { test } from "node:test";

import { toRun, toStep } from "../../www/api/results.ts";
import { runCall } from "../../www/api/run-call.ts";
import { heading } from "../../www/api/tensor/text.ts";

const POINT = "blocks.0.hook_resid_pre";
const points = [{ name: POINT, axes: ["batch", "pos", "d_model"], onRequest: false }];
const value = { data: Float32Array.of(1, 2), shape: [1, 2, 1], axes: ["batch", "pos", "d_model"] };
const scores = { data: Float32Array.of(0), shape: [1], axes: ["pos"] };
/** @type {any} */
const answer = {
  ids: { data: Uint32Array.of(5, 6), shape: [2], axes: ["pos"] },
  ...{ loss: 1, logProbs: scores, ranks: scores },
  ...{ logits: null, residual: null, headScores: null },
  ...{ cache: [{ name: POINT, value }], gradients: [{ name: POINT, value }] },
};
/** @type {any} */
const model = { source: "a model", hookPoints: points };

test("a capture has the name of its hook point, and is whole if it has every position", () => {
  for (const hasAll of [true, false]) {
    const captured = toRun(model, answer, hasAll).cache.get(POINT);
    assert.deepEqual([captured.name, captured.isWhole], [POINT, hasAll]);
  }
  const step = toStep(points, { ...answer, id: 5 }).cache.get(POINT);
  assert.deepEqual([step.name, step.isWhole], [POINT, false]);
});

test("the option positions makes captures parts", () => {
  /** @type {[object, boolean][]} */
  const cases = [
    [{}, true],
    [{ positions: [1] }, false],
  ];
  for (const [options, isWhole] of cases) {
    const one = /** @type {any} */ (
      runCall("text", model, () => ({ ...options })).toResult(answer)
    );
    assert.equal(one.cache.get(POINT).isWhole, isWhole);
    const batch = /** @type {any} */ (
      runCall(["text", "text"], model, () => ({ ...options })).toResult([answer, answer])
    );
    const stacked = batch.cache.get(POINT);
    assert.deepEqual([stacked.name, stacked.isWhole], [POINT, isWhole]);
  }
});

test("a gradient is not taken for the activation", () => {
  const gradient = toRun(model, answer, true).cache.gradient(POINT);
  assert.equal(gradient.isWhole, false);
  assert.equal(heading(gradient), `Tensor(batch: 1, pos: 2, d_model: 1) ${POINT} (the gradient)`);
});
