// How large captured activations are, said before the run.

import assert from "node:assert/strict";
import { test } from "node:test";

import { capturedBytes, MAX_CAPTURED_BYTES } from "../../www/session/capture-size.ts";

const CONFIG = { n_head: 12, n_embd: 768, n_inner: null, vocab_size: 50257 };
const POINTS = [
  ["blocks.0.attn.hook_pattern", ["batch", "head", "query", "key"]],
  ["blocks.0.hook_resid_post", ["batch", "pos", "d_model"]],
  ["blocks.0.mlp.hook_post", ["batch", "pos", "d_mlp"]],
  ["blocks.0.attn.hook_q", ["batch", "pos", "head", "d_head"]],
  ["blocks.0.ln1.hook_scale", ["batch", "pos", "1"]],
].map(([name, axes]) => ({
  name: /** @type {string} */ (name),
  axes: /** @type {string[]} */ (axes),
  onRequest: false,
}));
const bytes = (/** @type {string[]} */ names, /** @type {number} */ length) =>
  capturedBytes(names, POINTS, CONFIG, length);

test("every axis counts, and points that are not chosen do not", () => {
  const names = POINTS.map(({ name }) => name);
  assert.deepEqual(
    names.map((name) => bytes([name], 10)),
    [12 * 10 * 10, 10 * 768, 10 * 4 * 768, 10 * 12 * 64, 10].map((count) => 4 * count),
  );
  assert.equal(bytes(names.slice(0, 2), 10), 4 * (12 * 100 + 7680));
});

test("more than the page makes a file of is refused, with what to do", () => {
  const length = Math.floor(Math.sqrt(MAX_CAPTURED_BYTES / 48));
  assert.ok(bytes([POINTS[0].name], length) <= MAX_CAPTURED_BYTES);
  assert.throws(() => bytes([POINTS[0].name], length + 1), {
    name: "InputError",
    message:
      /^the chosen hook points have 1\.07 GB for this text, expected at most 1\.07 GB: choose fewer/,
  });
});
