import assert from "node:assert/strict";
import { test } from "node:test";

import { extend, likeliest, Reader, tokensOf } from "../../www/reading.js";

/**
 * A model whose runs end when told to. Its tokens are characters, its patterns look at the first one.
 * @param {number} [layers]
 */
function slowModel(layers = 1) {
  /** @type {(() => void)[]} */
  const waiting = [];
  /** @type {string[][]} */
  const asked = [];
  const model = {
    config: { n_layer: layers, n_head: 1 },
    tokenize: async (/** @type {string | Uint32Array} */ input) => {
      const text = typeof input === "string" ? input : String.fromCharCode(...input);
      return { ids: Uint32Array.from(text, (c) => c.charCodeAt(0)), strings: [...text] };
    },
    runWithCache: async (/** @type {Uint32Array} */ ids, /** @type {{ names: string[] }} */ { names }) => {
      asked.push(names);
      await new Promise((resolve) => waiting.push(() => resolve(null)));
      if (ids.length === 0) throw Object.assign(new Error("the text is empty"), { name: "InputError" });
      const size = ids.length;
      const data = new Float32Array(size * size).map((_, at) => (at % size === 0 ? 1 : 0));
      const cache = { get: () => ({ data, shape: [1, 1, size, size], axes: ["batch", "head", "query", "key"] }) };
      const logits = { data: new Float32Array(size * 128), shape: [size, 128], axes: ["pos", "vocab"] };
      return { logits, loss: 1, logProbs: new Float32Array(size - 1).fill(-1), cache };
    },
  };
  const turn = () => new Promise((resolve) => setTimeout(resolve, 2));
  const finish = async () => {
    await turn();
    waiting.shift()?.();
    await turn();
  };
  return { model, asked, finish };
}

test("only_the_newest_text_is_read_and_the_stale_one_is_dropped", async () => {
  const { model, asked, finish } = slowModel();
  const reader = new Reader(model);
  const readings = ["a", "ab", "abc", "abcd"].map((text) => reader.read(text));
  await finish();
  await finish();
  const [first, second, third, last] = await Promise.all(readings);
  assert.deepEqual([first, second, third], [null, null, null]);
  assert.equal(last?.text, "abcd");
  assert.ok(asked.length <= 2, `${asked.length} runs for four keystrokes`);
});

test("an_error_of_the_newest_text_is_told_and_the_reader_goes_on", async () => {
  const { model, finish } = slowModel();
  const reader = new Reader(model);
  const empty = reader.read("");
  await Promise.all([assert.rejects(empty, { name: "InputError" }), finish()]);
  const next = reader.read("ab");
  await finish();
  assert.equal((await next)?.ids.length, 2);
});

test("an_error_of_a_stale_text_is_not_told", async () => {
  const { model, finish } = slowModel();
  const reader = new Reader(model);
  const stale = reader.read("");
  await new Promise((resolve) => setTimeout(resolve, 1));
  const next = reader.read("ab");
  await finish();
  await finish();
  assert.equal(await stale, null);
  assert.equal((await next)?.text, "ab");
});

test("a_long_text_keeps_one_layer_and_makes_thumbnails_of_the_others", async () => {
  const { model, asked, finish } = slowModel(3);
  const reader = new Reader(model);
  const reading = reader.read("x".repeat(3400), { layer: 1 }); // 3 layers of 3400² values: over the limit
  for (let run = 0; run < 3; run++) await finish();
  const { patterns, thumbnails, scores } = /** @type {import("../../www/reading.js").Reading} */ (await reading);
  assert.deepEqual(patterns.map((pattern) => pattern !== null), [false, true, false]);
  assert.ok(thumbnails.every((small) => small && small.shape[1] <= 160));
  assert.deepEqual(scores.map(({ layer }) => layer), [0, 1, 2]);
  assert.deepEqual(asked, [["blocks.1.attn.hook_pattern"], ["blocks.0.attn.hook_pattern"], ["blocks.2.attn.hook_pattern"]]);
});

test("the_likeliest_tokens_come_first_with_normalised_log_probabilities", () => {
  const logits = Float32Array.of(1, 5, -2, 4, 5.5);
  const best = likeliest(logits, 3);
  assert.deepEqual(best.map(({ id }) => id), [4, 1, 3]);
  const sum = likeliest(logits, 5).reduce((total, { logProb }) => total + Math.exp(logProb), 0);
  assert.ok(Math.abs(sum - 1) < 1e-12);
});

test("a_part_of_a_character_keeps_its_bytes_and_a_whole_one_does_not_need_them", () => {
  const part = tokensOf({ strings: ["", "日", " a", "\ufffd"], bytes: [[0xe6], [0x97, 0xa5], [], [0xff]] });
  assert.deepEqual(part, [{ string: "", bytes: [0xe6] }, "日", " a", { string: "\ufffd", bytes: [0xff] }]);
});

test("logits_of_any_size_do_not_overflow", () => {
  assert.equal(likeliest(Float32Array.of(1000, 0), 1)[0].logProb, 0);
});

test("a_generated_token_extends_the_reading_and_remembers_what_else_there_was", async () => {
  const { model, finish } = slowModel();
  const reader = new Reader(model);
  const reading = reader.read("ab");
  await finish();
  const before = /** @type {import("../../www/reading.js").Reading} */ (await reading);
  const top = [{ id: 99, string: "c", logProb: -0.5 }];
  const after = extend(before, { id: 99, string: "c", logProb: -0.5, top });
  assert.equal(after.text, "abc");
  assert.deepEqual([...after.ids], [97, 98, 99]);
  assert.equal(after.logProbs.at(-1), -0.5);
  assert.equal(after.tops[1], top);
  assert.equal(before.ids.length, 2, "the former reading is as it was");
});
