// What the JavaScript API does on the page: indexing, names, arguments.

import assert from "node:assert/strict";
import { test } from "node:test";

import { nearest } from "../../www/api/hook-names.ts";
import { checkUnicode, readIds, readInput } from "../../www/api/input.ts";
import { checkOptions, rule, splitOptions } from "../../www/api/options.ts";
import { resolver } from "../../www/api/selectors.ts";
import { serializeOptions } from "../../www/api/serialize.ts";
import { Tensor } from "../../www/api/tensor.ts";

/** @param {string} name @param {RegExp} message */
const failure = (name, message) => (/** @type {any} */ error) =>
  error instanceof Error && error.name === name && message.test(error.message);

// ---- names ----

test("the nearest names are the nearest", () => {
  const known = [
    "blocks.0.attn.hook_pattern",
    "blocks.1.attn.hook_pattern",
    "blocks.0.hook_mlp_out",
    "hook_embed",
  ];
  assert.equal(nearest("blocks.1.attn.hook_patern", known)[0], "blocks.1.attn.hook_pattern");
  assert.equal(nearest("hook_embedd", known)[0], "hook_embed");
});

// ---- arguments ----

test("unknown options and wrong types are refused", () => {
  const count = {
    expected: "a whole number from 0",
    fits: (/** @type {unknown} */ value) => Number.isSafeInteger(value) && Number(value) >= 0,
  };
  const rules = { topK: count, signal: rule.signal, stop: rule.texts };
  /** @param {any} [options] */
  const check = (options) => checkOptions("generate", options, rules);
  assert.deepEqual(check({ topK: 3, signal: undefined }), { topK: 3 });
  assert.deepEqual(check(), {});
  assert.throws(
    () => check({ topk: 3 }),
    failure("InputError", /no option `topk`, expected topK, signal, stop/),
  );
  assert.throws(
    () => check({ topK: -1 }),
    failure("InputError", /`topK` of generate is -1, expected a whole number/),
  );
  assert.throws(() => check({ topK: "3" }), failure("InputError", /is "3"/));
  assert.throws(() => check({ signal: {} }), failure("InputError", /expected an AbortSignal/));
  assert.throws(() => check({ stop: ["a", 1] }), failure("InputError", /texts/));
  assert.throws(() => check(null), failure("InputError", /are null/));
});

test("an input is a text or token ids", () => {
  assert.equal(readInput("To be"), "To be");
  assert.deepEqual(readInput([1, 2]), Uint32Array.of(1, 2));
  assert.deepEqual(readIds(new Uint16Array([7])), Uint32Array.of(7));
  for (const wrong of [undefined, null, 3, {}, () => 1, new DataView(new ArrayBuffer(4))])
    assert.throws(() => readInput(wrong), failure("InputError", /expected a text or token ids/));
  assert.throws(() => readIds("To be"), failure("InputError", /is "To be", expected token ids/));
  for (const wrong of [
    [1, -1],
    [1, 1.5],
    [1, "2"],
    [1, 2 ** 32],
    [1, NaN],
  ])
    assert.throws(() => readIds(wrong), failure("InputError", /token id 1/));
});

test("options that stay on the page are separated from those that are sent", () => {
  const rules = { signal: rule.signal, onProgress: rule.listener };
  const { signal } = new AbortController();
  const listener = () => {};
  assert.deepEqual(splitOptions("means", { signal, onProgress: listener, names: ["*"] }, rules), {
    local: { signal, onProgress: listener },
    sent: { names: ["*"] },
  });
  assert.deepEqual(splitOptions("means", undefined, rules), { local: {}, sent: {} });
  assert.throws(
    () => splitOptions("means", { signal: 1 }, rules),
    failure("InputError", /`signal` of means is 1, expected an AbortSignal/),
  );
  for (const wrong of [null, 3, "x", []])
    assert.throws(
      () => splitOptions("means", /** @type {any} */ (wrong), rules),
      failure("InputError", /the options of means are .*expected an object/),
    );
  const throwing = {
    get names() {
      throw new Error("no");
    },
  };
  assert.throws(
    () => splitOptions("means", throwing, rules),
    failure("InputError", /cannot be read: no/),
  );
});

test("a lone surrogate is refused with its index", () => {
  assert.equal(checkUnicode("a\u{1F600}b", "it"), "a\u{1F600}b");
  assert.throws(
    () => checkUnicode("a\u{1F600}\udc00", "it"),
    failure("InputError", /it has a lone surrogate, U\+DC00, at index 3/),
  );
  assert.throws(() => readInput("\ud800"), failure("InputError", /index 0/));
});

const points = ["hook_embed", "hook_pos_embed", "blocks.0.attn.hook_z", "blocks.1.attn.hook_z"].map(
  (name) => ({ name, axes: [], onRequest: false }),
);
/** @param {object} options @returns {any} */
const sent = (options) => serializeOptions("call", options, resolver(points));

test("options are sent as plain data, numbers as typed arrays of their own", () => {
  const data = new Float32Array(100).subarray(2, 4);
  const found = sent({
    positions: [1, -1],
    add: data,
    ids: Uint32Array.of(7),
    bytes: Int8Array.of(-1),
    flag: true,
    text: "x",
    left: undefined,
    stop: "a",
    names: [["z", 1], "*"],
  });
  assert.deepEqual(found, {
    positions: Float64Array.of(1, -1),
    add: new Float32Array(2),
    ids: Uint32Array.of(7),
    bytes: Float64Array.of(-1),
    flag: true,
    text: "x",
    stop: ["a"],
    names: ["blocks.1.attn.hook_z", "*"],
  });
  assert.equal(found.add.buffer.byteLength, 8, "not the memory that it shares");
  assert.deepEqual(structuredClone(found), found);
});

test("names, tensors, caches and functions of interventions are sent as data", () => {
  const tensor = new Tensor(Float32Array.of(1, 2), [1, 2], ["pos", "d_model"]);
  const cache = { names: () => ["hook_embed", "hook_pos_embed"], get: () => tensor };
  const [one, two, three] = sent({
    interventions: [
      { at: ["z", -1], head: 1, do: { set: tensor } },
      { at: "hook_embed", do: { from: cache } },
      { at: "*", do: { js: (/** @type {any} */ x) => x } },
    ],
  }).interventions;
  assert.deepEqual(one, {
    at: "blocks.1.attn.hook_z",
    head: 1,
    do: {
      set: {
        shape: Float64Array.of(1, 2),
        data: Float32Array.of(1, 2),
        axes: ["pos", "d_model"],
      },
    },
  });
  assert.deepEqual(Object.keys(two.do.from), ["hook_embed"]);
  assert.equal(three.do.js, "(/** @type {any} */ x) => x");
});

test("functions of every spelling are sent as expressions", () => {
  const double = (/** @type {any} */ x) => x.map((/** @type {number} */ y) => 2 * y);
  for (const js of [
    double,
    (/** @type {any} */ x) => double(x),
    function named(/** @type {any} */ x) {
      return double(x);
    },
    { js: (/** @type {any} */ x) => double(x) }.js,
    {
      js(/** @type {any} */ x, { show = null } = {}) {
        return show ?? double(x);
      },
    }.js,
    {
      "a b"(/** @type {any} */ x) {
        return double(x);
      },
    }["a b"],
    {
      [`js${1}`](/** @type {any} */ x) {
        return double(x);
      },
    }.js1,
  ]) {
    const source = sent({ interventions: [{ at: "z", do: { js } }] }).interventions[0].do.js;
    const compiled = new Function("double", `return (\n${source}\n);`)(double);
    assert.deepEqual(compiled([1, 2]), [2, 4], source);
  }
});

test("a value that is not plain data is refused with its path", () => {
  const ring = /** @type {any} */ ({});
  ring.ring = ring;
  for (const [value, message] of /** @type {[any, RegExp][]} */ ([
    [() => 1, /`a\.b\[1\]` of call is a function, expected plain data/],
    [1n, /`a\.b\[1\]` of call is the BigInt 1n/],
    [Symbol("s"), /is Symbol\(s\)/],
    [new Date(), /type Date/],
    [new Map(), /type Map/],
    [new (class Own {})(), /type Own/],
    [new BigUint64Array(1), /type BigUint64Array/],
    [undefined, /`a\.b\[1\]` of call is undefined/],
    [ring, /`a\.b\[1\]\.ring` of call contains itself/],
    ["\udfff", /`a\.b\[1\]` of call has a lone surrogate/],
    [{ [Symbol("s")]: 1 }, /symbol among its names/],
  ])) {
    assert.throws(() => sent({ a: { b: ["x", value] } }), failure("InputError", message));
  }
  assert.throws(
    () => sent({ a: Object.assign(new Array(3), { 0: 1, 2: 3 }) }),
    failure("InputError", /`a\[1\]` of call is missing from the array/),
  );
  assert.throws(
    () => sent({ a: new Array(2 ** 31) }),
    failure("InputError", /array of length 2147483648, expected at most 16777216/),
  );
  assert.throws(
    () => sent({ interventions: [{ at: "x", do: "zero" }, 3] }),
    failure("InputError", /`interventions\[1\]` of call is 3, expected { at, do }/),
  );
  assert.throws(
    () => sent({ interventions: [{ at: "x", do: "zero", positions: () => 1 }] }),
    failure("InputError", /`interventions\[0\]\.positions` of call is a function/),
  );
});

test("a batch is refused as the ids of one text", () => {
  assert.throws(
    () => readIds([[1, 2], [3]]),
    failure("InputError", /batch of 2, expected token ids of one text/),
  );
});
