import assert from "node:assert/strict";
import { test } from "node:test";

import { Tensor } from "../../www/api/tensor.ts";
import { likeliest } from "../../www/session/logits.ts";
import { extend } from "../../www/session/extend.ts";
import { Reader, tokensOf } from "../../www/session/reading.ts";

/**
 * A model whose runs end when the test calls `finish`. Its tokens are characters; its heads attend to the first one.
 * @param {number} [layers]
 */
function slowModel(layers = 1) {
  /** @type {(() => void)[]} */
  const waiting = [];
  /** @type {string[][]} */
  const asked = [];
  const names = ["previous_token", "duplicate_token", "induction"];
  const table = new Tensor(
    new Float32Array(3 * layers).fill(0.5),
    [3, layers, 1],
    ["score", "layer", "head"],
    { score: names },
  );
  const model = {
    config: { n_layer: layers, n_head: 1, n_positions: 4000, vocab_size: 128 },
    headScores: async () => ({ scores: table }),
    logitLens: async () => Promise.reject(new Error("not asked")),
    tokenize: async (/** @type {string | Uint32Array} */ input) => {
      const text = typeof input === "string" ? input : String.fromCharCode(...input);
      return { ids: Uint32Array.from(text, (c) => c.charCodeAt(0)), strings: [...text] };
    },
    tokenNames: async (/** @type {Uint32Array} */ ids) => ({
      ids,
      strings: Array.from(ids, (id) => String.fromCharCode(id)),
    }),
    runWithCache: async (
      /** @type {Uint32Array} */ ids,
      /** @type {{ names: string[], headScores?: boolean, interventions?: readonly object[] }} */ {
        names,
        headScores,
        interventions = [],
      },
    ) => {
      asked.push(names);
      await new Promise((resolve) => waiting.push(() => resolve(null)));
      if (ids.length === 0)
        throw Object.assign(new Error("the text is empty"), { name: "InputError" });
      const size = ids.length;
      const data = new Float32Array(size * size).map((_, at) => (at % size === 0 ? 1 : 0));
      const cache = {
        get: () => ({ data, shape: [1, 1, size, size], axes: ["batch", "head", "query", "key"] }),
      };
      const logits = {
        data: new Float32Array(size * 128),
        shape: [size, 128],
        axes: ["pos", "vocab"],
      };
      logits.data[size * 128 - 1 - interventions.length] = 9; // the likeliest at the end: 127, or with an intervention 126
      const logProbs = { data: new Float32Array(size - 1).fill(-1 - interventions.length) };
      return { logits, loss: 1, logProbs, cache, headScores: headScores ? table : null };
    },
  };
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  const finish = async () => {
    await turn();
    waiting.shift()?.();
    await turn();
  };
  return { model, asked, finish };
}

test("only the newest text is read, and older ones are dropped", async () => {
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

test("what a run shows is part of its reading; a longer text has none of it", async () => {
  const { model, finish } = slowModel();
  const { runWithCache } = model;
  const shownBy = (/** @type {number} */ value) => ({
    ...{ value, name: "hook_embed", row: 0 },
    ...{ axes: ["pos"], shape: [1], positions: [0] },
  });
  model.runWithCache = async (ids, /** @type {any} */ options) => {
    for (let i = 0; i < 120; i++) options.onShow?.(shownBy(i));
    return runWithCache(ids, options);
  };
  const reader = new Reader(model);
  const read = async (/** @type {object} */ options) => {
    const reading = reader.read("ab", options);
    await finish(); // with the interventions
    await finish(); // and without
    return reading;
  };
  const found = await read({ interventions: [{ at: "hook_embed", do: { js: "" } }] });
  assert.equal(found?.shown.values.length, 100);
  assert.deepEqual(found?.shown.values[99], shownBy(99));
  assert.equal(found?.shown.more, 20);
  const step = { id: 99, string: "c", logProb: -1, top: [] };
  assert.deepEqual(found && extend(found, step).shown, { values: [], more: 0 });
  assert.deepEqual((await read({}))?.shown.values, [], "no listener without interventions");
});

test("an error of the newest text is reported, and the next text is read", async () => {
  const { model, finish } = slowModel();
  const reader = new Reader(model);
  const empty = reader.read("");
  await Promise.all([assert.rejects(empty, { name: "InputError" }), finish()]);
  const next = reader.read("ab");
  await finish();
  assert.equal((await next)?.ids.length, 2);
});

test("an error of a stale text is not reported", async () => {
  const { model, finish } = slowModel();
  const reader = new Reader(model);
  const stale = reader.read("");
  await new Promise((resolve) => setImmediate(resolve));
  const next = reader.read("ab");
  await finish();
  await finish();
  assert.equal(await stale, null);
  assert.equal((await next)?.text, "ab");
});

test("a long text keeps one layer and makes thumbnails of the others", async () => {
  const { model, asked, finish } = slowModel(3);
  const reader = new Reader(model);
  const reading = reader.read("x".repeat(3400), { layer: 1 }); // 3 layers of 3400² values: over the limit
  for (let run = 0; run < 3; run++) await finish();
  const { patterns, thumbnails, scores } =
    /** @type {import("../../www/session/reading.ts").Reading} */ (await reading);
  assert.deepEqual(
    patterns.map((pattern) => pattern !== null),
    [false, true, false],
  );
  assert.ok(thumbnails.every((small) => small && small.shape[1] <= 160));
  assert.deepEqual(
    scores.map(({ layer, induction }) => [layer, induction]),
    [
      [0, 0.5],
      [1, 0.5],
      [2, 0.5],
    ],
  );
  assert.deepEqual(asked, [
    ["blocks.1.attn.hook_pattern"],
    ["blocks.0.attn.hook_pattern"],
    ["blocks.2.attn.hook_pattern"],
  ]);
});

test("the likeliest tokens come first, with normalised log-probabilities", () => {
  const logits = Float32Array.of(1, 5, -2, 4, 5.5);
  const best = likeliest(logits, 3);
  assert.deepEqual(
    best.map(({ id }) => id),
    [4, 1, 3],
  );
  const sum = likeliest(logits, 5).reduce((total, { logProb }) => total + Math.exp(logProb), 0);
  assert.ok(Math.abs(sum - 1) < 1e-12);
});

test("a token has bytes only if it is a part of a character", () => {
  const part = tokensOf({
    strings: ["", "日", " a", "\ufffd"],
    bytes: [[0xe6], [0x97, 0xa5], [], [0xff]],
  });
  assert.deepEqual(part, [
    { string: "", bytes: [0xe6] },
    "日",
    " a",
    { string: "\ufffd", bytes: [0xff] },
  ]);
});

test("logits of any size do not overflow", () => {
  assert.equal(likeliest(Float32Array.of(1000, 0), 1)[0].logProb, 0);
});

test("a generated token extends the reading and keeps its alternatives", async () => {
  const { model, finish } = slowModel();
  const reader = new Reader(model);
  const reading = reader.read("ab");
  await finish();
  const before = /** @type {import("../../www/session/reading.ts").Reading} */ (await reading);
  const top = [{ id: 99, string: "c", logProb: -0.5 }];
  const after = extend(before, { id: 99, string: "c", logProb: -0.5, top });
  assert.equal(after.text, "abc");
  assert.deepEqual([...after.ids], [97, 98, 99]);
  assert.equal(after.logProbs.at(-1), -0.5);
  assert.equal(after.tops[1], top);
  assert.equal(before.ids.length, 2, "the former reading is as it was");
});

test("a reading under an intervention also has the same text without it", async () => {
  const { model, asked, finish } = slowModel();
  const reader = new Reader(model);
  const interventions = [
    /** @type {const} */ ({ at: "blocks.0.attn.hook_z", head: 0, do: "zero" }),
  ];
  const changed = reader.read("abab", { interventions });
  for (let run = 0; run < 2; run++) await finish();
  const reading = /** @type {import("../../www/session/reading.ts").Reading} */ (await changed);
  assert.deepEqual(asked, [["blocks.*.attn.hook_pattern"], []], "the second run captures nothing");
  const change = await reader.change(reading, 3);
  assert.deepEqual(change?.loss, { before: 1, after: 2 });
  assert.deepEqual(change?.repeated, { count: 1, before: 1, after: 2 });
  assert.equal(change?.next?.token, String.fromCharCode(127));
  assert.ok(change.next.before > 0.9 && change.next.after < 0.01);
  const alternatives = (await reader.alternatives(reading, 3, 2)) ?? [];
  assert.deepEqual(alternatives.map(({ id }) => id).slice(0, 1), [126]);
  assert.equal(
    alternatives.at(-1)?.id,
    127,
    "what was the likeliest is listed although it no longer is",
  );
  assert.ok(alternatives.every(({ before }) => before !== undefined));
});

test("a text that was read without interventions is not run again to compare it", async () => {
  const { model, asked, finish } = slowModel();
  const reader = new Reader(model);
  const plain = reader.read("abab");
  await finish();
  assert.equal((await plain)?.plain, null);
  const changed = reader.read("abab", {
    interventions: [{ at: "blocks.0.attn.hook_z", head: 0, do: "zero" }],
  });
  await finish();
  assert.equal((await changed)?.plain?.logProbs[0], -1);
  assert.equal(asked.length, 2);
});

test("only the end of a text longer than the context is read, if the caller allows it", async () => {
  const { model, finish } = slowModel();
  model.config.n_positions = 3;
  const reader = new Reader(model);
  const cropped = reader.read("abcde", { crop: true });
  await finish();
  const reading = /** @type {import("../../www/session/reading.ts").Reading} */ (await cropped);
  assert.deepEqual([reading.text, reading.tokens.join(""), reading.dropped], ["abcde", "cde", 2]);
  const whole = reader.read("abcde");
  await finish();
  assert.equal((await whole)?.ids.length, 5, "else the model is asked, and says what is wrong");
});

test("past the end of the context, each generated token removes the first one", async () => {
  const { model, finish } = slowModel();
  const reader = new Reader(model);
  const read = reader.read("abc");
  await finish();
  let reading = /** @type {import("../../www/session/reading.ts").Reading} */ (await read);
  for (const string of ["d", "e", "f"])
    reading = extend(reading, { id: string.charCodeAt(0), string, logProb: -2, top: [] }, 4);
  assert.equal(reading.text, "abcdef");
  assert.deepEqual(
    [reading.tokens.join(""), reading.dropped, reading.logProbs.length],
    ["bcdef", 1, 4],
  ); // the last has no row of its own yet
  assert.equal(reading.logits, null, "the rows of the logits are those of other positions");
  assert.deepEqual(
    reading.tops.map((top) => top !== undefined),
    [false, true, true, true],
  );
});

test("the name of a candidate depends only on its id", async () => {
  const { model, finish } = slowModel();
  /** @type {number[][]} */
  const asked = [];
  const tokenize = async (/** @type {string | Uint32Array} */ input) => {
    assert.equal(typeof input, "string", "ids are named by tokenNames");
    return model.tokenize(input);
  };
  const tokenNames = async (/** @type {Uint32Array} */ ids) => {
    asked.push([...ids]);
    return {
      ids,
      strings: Array.from(ids, (id) => (id === 127 ? "\ufffd" : `⟨${id}⟩`)),
      bytes: Array.from(ids, (id) => (id === 127 ? [0xe6] : [])),
    };
  };
  const reader = new Reader({ ...model, tokenize, tokenNames });
  const reading = reader.read("abab");
  await finish();
  const alternatives = await reader.alternatives(
    /** @type {import("../../www/session/reading.ts").Reading} */ (await reading),
    3,
    2,
  );
  assert.deepEqual(
    alternatives?.map(({ string }) => string),
    [{ string: "\ufffd", bytes: [0xe6] }, "⟨0⟩"],
  );
  assert.deepEqual(asked, [[127, 0]]);
});
