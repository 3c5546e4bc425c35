// Attention rollout, value-weighted attention and query-key products against numpy (fixtures/make_attention_fixtures.py).

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { parsed } from "../e2e/safetensors.js";
import { changedScores, divisorOf, productsOf, softmax } from "../../www/session/products.ts";
import {
  identity,
  meanOverHeads,
  rolloutStep,
  valueNorms,
} from "../../www/session/weighted-attention.ts";
import { weightedBy } from "../../www/session/weighted-pattern.ts";

const numpy = JSON.parse(
  readFileSync(new URL("../fixtures/attention/numpy.json", import.meta.url), "utf8"),
);

/** A nested list as a tensor. @param {any} list @param {string[]} axes */
function tensor(list, axes) {
  const shape = [];
  for (let inner = list; Array.isArray(inner); inner = inner[0]) shape.push(inner.length);
  return { data: Float32Array.from(list.flat(Infinity)), shape, axes };
}

/** @param {ArrayLike<number>} found @param {any} wanted @param {string} what */
function near(found, wanted, what) {
  const list = wanted.flat(Infinity);
  assert.equal(found.length, list.length, what);
  // The results are f32: 24 bits of numbers up to about 10.
  list.forEach((/** @type {number} */ value, /** @type {number} */ at) =>
    assert.ok(Math.abs(found[at] - value) < 2e-6, `${what} ${at}: ${found[at]} for ${value}`),
  );
}

const HEAD = ["head", "query", "key"];
const VALUE = ["pos", "head", "d_head"];

test("a rollout is numpy's, layer by layer", () => {
  let rollout = identity(5);
  for (const [layer, pattern] of numpy.patterns.entries()) {
    rollout = rolloutStep(meanOverHeads(tensor(pattern, HEAD)), rollout);
    near(rollout.data, numpy.rollouts[layer], `layer ${layer}`);
  }
  for (let row = 0; row < 5; row++) {
    const sum = rollout.data.slice(row * 5, row * 5 + 5).reduce((total, one) => total + one, 0);
    assert.ok(Math.abs(sum - 1) < 1e-6, "a row of a rollout adds up to 1");
  }
});

test("the norms of values, and of what a head would write of them, are numpy's", () => {
  const v = tensor(numpy.v, VALUE);
  const outputs = numpy.w_o.map((/** @type {number[][]} */ w) => ({
    data: Float32Array.from(w.flat()),
    rows: 4,
    columns: 6,
  }));
  for (const [head, norms] of valueNorms(v, null).entries())
    near(
      norms,
      numpy.norms.v.map((/** @type {number[]} */ row) => row[head]),
      `v ${head}`,
    );
  for (const [head, norms] of valueNorms(v, outputs).entries()) {
    near(
      norms,
      numpy.norms.result.map((/** @type {number[]} */ row) => row[head]),
      `result ${head}`,
    );
    const pattern = {
      data: Float32Array.from(numpy.patterns[1][head].flat()),
      rows: 5,
      columns: 5,
    };
    near(weightedBy(pattern, norms).data, numpy.weighted[head], `weighted ${head}`);
  }
});

test("a masked edge has no weight, whatever the norm of its key is", () => {
  const pattern = { data: Float32Array.of(1, 0, 0.5, 0.5), rows: 2, columns: 2 };
  assert.deepEqual([...weightedBy(pattern, [2, NaN]).data], [2, 0, 1, NaN]);
});

test("products, their sums, scores and attention are numpy's", () => {
  const [q, k] = [tensor(numpy.q, VALUE), tensor(numpy.k, VALUE)];
  for (let head = 0; head < 2; head++) {
    for (let query = 0; query < 5; query++) {
      const found = productsOf(q, k, { head, query, divisor: numpy.divisor });
      const upTo = (/** @type {any[]} */ row) => row.slice(0, query + 1);
      near(found.products.data, upTo(numpy.products[head][query]), "products");
      near(found.scores, upTo(numpy.scores[head][query]), "scores");
      near(found.attention, upTo(numpy.attention[head][query]), "attention");
      near(found.q, numpy.q[query][head], "q");
      assert.deepEqual(changedScores(found, numpy.scores[head][query], numpy.divisor), []);
    }
  }
});

test("scores that are not the sums of products are found", () => {
  const [q, k] = [tensor(numpy.q, VALUE), tensor(numpy.k, VALUE)];
  const found = productsOf(q, k, { head: 0, query: 4, divisor: numpy.divisor });
  const captured = [...numpy.scores[0][4]];
  captured[1] = -Infinity;
  captured[3] += 0.1;
  captured[4] = NaN;
  assert.deepEqual(changedScores(found, captured, numpy.divisor), [1, 3, 4]);
});

test("the divisor follows the switches of the config", () => {
  const sizes = { n_embd: 256, n_head: 4 };
  assert.deepEqual(divisorOf(sizes, 2), { value: 8, text: "√64" });
  assert.deepEqual(divisorOf({ ...sizes, scale_attn_by_inverse_layer_idx: true }, 2), {
    value: 24,
    text: "√64 × 3",
  });
  assert.deepEqual(divisorOf({ ...sizes, scale_attn_weights: false }, 2), { value: 1, text: "1" });
});

test("the softmax of scores that are not finite is not a number, and a cut edge has none", () => {
  assert.deepEqual([...softmax(Float64Array.of(0, 0, -Infinity))], [0.5, 0.5, 0]);
  assert.ok(softmax(Float64Array.of(1, NaN)).every(Number.isNaN));
  assert.ok(softmax(Float64Array.of(-Infinity)).every(Number.isNaN));
});

for (const model of ["plain", "scaled", "silu", "untied", "toy_shortformer", "toy_no_positions"]) {
  test(`the sums of products are the scores that the reference program captured: ${model}`, () => {
    const folder = new URL(`../fixtures/${model}/`, import.meta.url);
    const config = JSON.parse(readFileSync(new URL("config.json", folder), "utf8"));
    const { header, data } = parsed(readFileSync(new URL("activations.safetensors", folder)));
    const read = (/** @type {string} */ name, /** @type {string[]} */ axes) => {
      const { shape, data_offsets } = header[name];
      const bytes = Uint8Array.from(data.subarray(...data_offsets));
      return { data: new Float32Array(bytes.buffer), shape, axes };
    };
    let compared = 0;
    for (let layer = 0; layer < config.n_layer; layer++) {
      const at = (/** @type {string} */ point) => `blocks.${layer}.attn.hook_${point}`;
      const axes = ["batch", "pos", "head", "d_head"];
      const [q, k] = [read(at("q"), axes), read(at("k"), axes)];
      const { value: divisor } = divisorOf(config, layer);
      const [scores, pattern] = [read(at("attn_scores"), HEAD), read(at("pattern"), HEAD)];
      const [, , length] = scores.shape;
      for (let head = 0; head < config.n_head; head++) {
        for (let query = 0; query < length; query++) {
          const found = productsOf(q, k, { head, query, divisor });
          const row = (head * length + query) * length;
          for (let key = 0; key <= query; key++) {
            // Both are f32 sums of products of a magnitude around 1.
            const [score, weight] = [scores.data[row + key], pattern.data[row + key]];
            assert.ok(Math.abs(found.scores[key] - score) < 2e-5 * (1 + Math.abs(score)));
            assert.ok(Math.abs(found.attention[key] - weight) < 2e-5);
            compared += 1;
          }
          assert.deepEqual(changedScores(found, scores.data.subarray(row), divisor), []);
        }
      }
    }
    assert.ok(compared > 100);
  });
}
