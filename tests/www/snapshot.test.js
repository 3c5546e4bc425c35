// The format of snapshots: what is written is read again within its rounding, and each field is checked.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { runInNewContext } from "node:vm";

import {
  decodeNumbers,
  decodeValue,
  encodeNumbers,
  encodeTensor,
  encodeValue,
  roundingOf,
} from "../../www/api/snapshot/arrays.ts";
import { precisionsOf, writeSnapshot } from "../../www/api/snapshot/write.ts";
import { formatExact } from "../../www/draw/format.ts";
import { heldBy } from "../../www/session/snapshot/held.ts";
import { readSnapshot } from "../../www/session/snapshot/read.ts";
import { pattern, parts, file, changed } from "./snapshot-parts.js";

test("what is written is read again: patterns within the rounding, everything else exactly", () => {
  const given = parts(["To", " be", " or", " not"]);
  const { reading, roundings, state, model } = readSnapshot(JSON.stringify(writeSnapshot(given)));
  given.reading.patterns.forEach((truth, layer) => {
    const found = reading.patterns[layer]?.data ?? [];
    const rounding = /** @type {number} */ (roundings[layer]);
    assert.equal(rounding, layer === state.layer ? 0.00001 : 0.000125);
    truth?.data.forEach((value, at) =>
      assert.ok(Math.abs(value - found[at]) <= rounding * 1.001 + 6e-8),
    );
    assert.deepEqual(reading.patterns[layer]?.shape, truth?.shape);
  });
  assert.deepEqual(reading.logProbs, given.reading.logProbs);
  assert.deepEqual(reading.table?.data, given.reading.table?.data);
  assert.equal(reading.loss, given.reading.loss);
  assert.equal(reading.text, "To be or not");
  assert.deepEqual([state.layer, state.head, state.scale, state.lock], [1, 2, "linear", null]);
  assert.equal(model.source, "hf:somebody/tiny");
});

test("values that are not finite stay, and a pattern that is not causal keeps all of its cells", () => {
  const data = Float32Array.of(0.5, 0.25, NaN, 1);
  const whole = { data, shape: [1, 1, 2, 2], axes: ["batch", "head", "query", "key"] };
  const encoded = encodeTensor(whole, "u16");
  assert.equal(encoded.causal, undefined);
  const found = decodeNumbers(encoded);
  assert.ok(Number.isNaN(found[2]) && Math.abs(found[1] - 0.25) < 1e-5);
  const infinite = encodeNumbers(Float32Array.of(1, -Infinity), "u8");
  assert.equal(infinite.encoding, "f32");
  assert.deepEqual([...decodeNumbers(infinite)], [1, -Infinity]);
  const signed = encodeNumbers(Float32Array.of(-3, 0.1, 5), "u16");
  decodeNumbers(signed).forEach((value, at) =>
    assert.ok(Math.abs(value - [-3, 0.1, 5][at]) < 7e-5),
  );
});

test("each number of codes is within half a step, has the digits of the step, and NaN stays", () => {
  for (const encoding of /** @type {const} */ (["u8", "u12", "u16"]))
    for (const length of [1, 2, 3, 250, 251])
      for (const scale of [1, 0.37, 1200, 3e-7]) {
        const numbers = Float32Array.from({ length }, (_, at) => scale * Math.sin(at * at + 1));
        numbers[length >> 1] = NaN;
        const encoded = encodeNumbers(numbers, encoding);
        const step = encoded.step ?? 0;
        // A step such as 0.00025 has one digit more than its power of ten.
        const decimals = Number(/e-(\d+)/.exec(step.toExponential())?.[1] ?? 0) + 1;
        decodeNumbers(encoded).forEach((value, at) => {
          if (at === length >> 1) return assert.ok(Number.isNaN(value));
          assert.ok(Math.abs(value - numbers[at]) <= step / 2 + 1e-7 * scale, `${value}`);
          assert.equal(formatExact(value), formatExact(Number(value.toFixed(decimals))));
        });
      }
});

test("a number of codes is offset + code × step, also if the offset has more digits than the step", () => {
  for (const [encoding, step, offset, expected] of /** @type {const} */ ([
    ["u8", 0.25, 0.123456, [0.123456, 0.373456, 0.623456]],
    ["u8", 0.1, 0.005, [0.005, 0.105, 0.205]],
    ["u8", 0.2, -0.4, [-0.4, -0.2, 0]],
    ["u16", 2, 0.04, [0.04, 2.04, 4.04]],
    ["u16", 0.00025, 1 / 3, [1 / 3, 1 / 3 + 0.00025, 1 / 3 + 0.0005]],
  ])) {
    const codes = encoding === "u8" ? Uint8Array.of(0, 1, 2) : Uint16Array.of(0, 1, 2);
    const data = Buffer.from(codes.buffer).toString("base64");
    const array = { encoding, step, offset, data };
    assert.deepEqual(decodeNumbers(array), Float32Array.from(expected));
    assert.equal(roundingOf(array), step / 2);
  }
});

test("a step of many digits is rounded again, which its rounding covers", () => {
  const step = 1 / 300;
  const data = Buffer.from(Uint8Array.of(0, 100, 200)).toString("base64");
  for (const offset of [0, 0.0017]) {
    const array = /** @type {const} */ ({ encoding: "u8", step, offset, data });
    decodeNumbers(array).forEach((value, at) => {
      const computed = offset + 100 * at * step;
      assert.ok(Math.abs(value - computed) <= roundingOf(array) - step / 2 + 1e-7, `${value}`);
    });
  }
});

test("the words for interventions are null until they are loaded, and empty without interventions", () => {
  assert.equal(readSnapshot(file()).reading.changes, "");
  const interventions = [{ at: "blocks.1.attn.hook_z", head: 0, do: "zero" }];
  const given = changed((data) => Object.assign(data.state, { interventions }));
  assert.equal(readSnapshot(given).reading.changes, null);
});

test("codes of 12 bits are two characters of base64 each", () => {
  const encoded = encodeNumbers(Float32Array.of(0, 1, 0.5), "u12");
  assert.deepEqual(
    { ...encoded },
    { encoding: "u12", step: 0.00025, offset: 0, data: "AA+gfQA=" }, // 0, 4000 and 2000
  );
});

test("a file of version 1 is read, and no number has more digits than its steps", () => {
  const text = readFileSync(
    new URL("../fixtures/snapshot-version-1.json", import.meta.url),
    "utf8",
  );
  const { reading, roundings } = readSnapshot(text);
  const { patterns } = JSON.parse(text).reading;
  assert.equal(reading.text, "To be, or not to be");
  reading.patterns.forEach((pattern, layer) => {
    const { step, data } = patterns[layer];
    const codes = new Uint16Array(Uint8Array.from(Buffer.from(data, "base64")).buffer);
    const { length } = reading.ids;
    const found = (pattern?.data ?? []).filter(
      (_, at) => at % length <= Math.floor(at / length) % length,
    );
    assert.equal(found.length, codes.length);
    found.forEach((value, at) => {
      assert.ok(Math.abs(value - codes[at] * step) <= 5e-6 + 1e-7);
      assert.equal(Math.fround(Number(value.toFixed(5))), value);
    });
    assert.ok(Math.abs((roundings[layer] ?? 0) - (step + 1e-5) / 2) < 1e-12);
  });
});

test("arrays of another frame keep their numbers", () => {
  const numbers = runInNewContext("Float32Array.of(0.5, -1.25)");
  assert.equal(encodeNumbers(numbers).encoding, "f32");
  assert.deepEqual([...decodeNumbers(encodeNumbers(numbers))], [0.5, -1.25]);
  assert.equal(encodeNumbers(numbers, "u16").encoding, "u16");
});

test("an array with axes is one text of numbers, also without labels", () => {
  const data = Float32Array.of(1, 0, 0.5, 0.5);
  const pattern = { data, shape: [2, 2], axes: ["query", "key"] };
  const encoded = /** @type {any} */ (encodeValue(pattern));
  assert.deepEqual([encoded.causal, encoded.encoding], [true, "f32"]);
  assert.deepEqual(decodeValue(encoded), pattern);
});

test("results are plain data with their typed arrays and numbers that JSON lacks", () => {
  const value = {
    lens: { data: Float32Array.of(1, NaN), shape: [2], axes: ["pos"], at: () => 0 },
    ids: Uint32Array.of(7, 4_000_000_000),
    list: [NaN, -Infinity, null, "x", true],
    absent: undefined,
  };
  const found = /** @type {any} */ (decodeValue(JSON.parse(JSON.stringify(encodeValue(value)))));
  assert.deepEqual(found, {
    lens: { data: Float32Array.of(1, NaN), shape: [2], axes: ["pos"] },
    ids: Uint32Array.of(7, 4_000_000_000),
    list: [NaN, -Infinity, null, "x", true],
  });
});

test("large texts round layers that are not shown, leave them out, and are refused at last", () => {
  const layers = (/** @type {number} */ length) =>
    Array.from({ length: 12 }, () => ({
      ...{ data: { length: 12 * length * length }, axes: ["batch", "head", "query", "key"] },
      shape: [1, 12, length, length],
    }));
  const found = (/** @type {number} */ length) =>
    precisionsOf(/** @type {any} */ (layers(length)), 3).slice(2, 4);
  assert.deepEqual(found(8), ["u12", "u16"]);
  assert.deepEqual(found(32), ["u8", "u16"]);
  assert.deepEqual(found(100), [null, "u16"]);
  assert.deepEqual(found(200), [null, "u8"]);
  assert.throws(() => found(1024), { name: "InputError", message: /needs 9 MB.*shorter text/ });
});

test("a snapshot of twelve layers of twelve heads is small", () => {
  const tokens = Array.from({ length: 8 }, () => " word");
  const given = parts(tokens);
  const twelve = {
    ...pattern(8, 1),
    data: new Float32Array(12 * 64).fill(0.1),
    shape: [1, 12, 8, 8],
  };
  const patterns = Array.from({ length: 12 }, () => twelve);
  const text = JSON.stringify(writeSnapshot({ ...given, reading: { ...given.reading, patterns } }));
  assert.ok(text.length < 60_000, `${text.length}`);
});

test("only views with numbers are held", () => {
  assert.deepEqual(heldBy(readSnapshot(file())).views, [
    "attention",
    "lines",
    "log-probability",
    "heads",
  ]);
  const bare = changed((data) => {
    data.reading.scores = null;
    data.reading.logProbs = null;
    data.reading.loss = null;
  });
  assert.deepEqual(heldBy(readSnapshot(bare)).views, ["attention", "lines"]);
});

/** What is wrong with a file, and what the message says. @type {[string, (data: any) => void, RegExp][]} */
const WRONG = [
  ["no version", (data) => delete data.candlescope, /`candlescope` is missing, expected 1/],
  [
    "a newer version",
    (data) => (data.candlescope = 3),
    /version 3 of the format.*reads versions up to 2/,
  ],
  ["an unknown field", (data) => (data.reading.extra = 1), /unknown field `reading\.extra`/],
  [
    "a missing field",
    (data) => delete data.reading.ids,
    /`reading\.ids` is missing, expected a list/,
  ],
  [
    "a caption that is no text",
    (data) => (data.caption = {}),
    /`caption` is an object, expected a text/,
  ],
  [
    "a token that is no text",
    (data) => (data.reading.tokens[1] = 5),
    /`reading\.tokens\[1\]` is 5/,
  ],
  [
    "bytes out of range",
    (data) => (data.reading.tokens[1] = { string: "", bytes: [256] }),
    /`reading\.tokens\[1\]\.bytes\[0\]` is 256/,
  ],
  [
    "too few tokens",
    (data) => data.reading.tokens.pop(),
    /`reading\.tokens` is a list of 2, expected 3/,
  ],
  ["no tokens", (data) => (data.reading.ids = []), /`reading\.ids` is a list of 0/],
  [
    "a missing layer",
    (data) => data.reading.patterns.pop(),
    /`reading\.patterns` is a list of 1, expected 2/,
  ],
  [
    "a cut pattern",
    (data) => (data.reading.patterns[1].data = data.reading.patterns[1].data.slice(0, 8)),
    /`reading\.patterns\[1\]\.data` is damaged: it has 6 bytes, expected 36/,
  ],
  [
    "a pattern that is no base64",
    (data) => (data.reading.patterns[0].data = "<script>"),
    /`reading\.patterns\[0\]\.data` is damaged: it is no base64/,
  ],
  [
    "other axes",
    (data) => (data.reading.patterns[0].axes = ["batch", "head", "key", "query"]),
    /`reading\.patterns\[0\]\.causal`/,
  ],
  [
    "another number of heads",
    (data) => (data.model.config.n_head = 4),
    /`reading\.patterns\[0\]\.shape\[1\]` is 3, expected 4/,
  ],
  [
    "no step",
    (data) => delete data.reading.patterns[0].step,
    /`reading\.patterns\[0\]\.step` is missing/,
  ],
  [
    "an unknown encoding",
    (data) => (data.reading.patterns[0].encoding = "f8"),
    /encoding` is "f8", expected one of f32/,
  ],
  ["no axes", (data) => delete data.reading.scores.axes, /`reading\.scores\.axes` is missing/],
  [
    "a missing score",
    (data) => (data.reading.scores.labels.score[2] = "x"),
    /labels\.score` is a list of 3, expected one of them to be induction/,
  ],
  [
    "too many log-probabilities",
    (data) => (data.reading.logProbs = encodeNumbers(new Float32Array(3))),
    /`reading\.logProbs`.*expected 2 numbers/,
  ],
  [
    "a loss that is a text",
    (data) => (data.reading.loss = "1"),
    /`reading\.loss` is "1", expected a number/,
  ],
  [
    "a head that there is not",
    (data) => (data.state.head = 3),
    /`state\.head` is 3, expected less than 3/,
  ],
  [
    "a lock outside of the text",
    (data) => (data.state.lock = { query: 3 }),
    /`state\.lock\.query` is 3/,
  ],
  [
    "a view without numbers",
    (data) => (data.state.view = "lens"),
    /`state\.view` is "lens", expected one that the file has numbers for/,
  ],
  [
    "a scale that there is not",
    (data) => (data.state.scale = "log"),
    /`state\.scale` is "log", expected one of linear, sqrt/,
  ],
  [
    "interventions that are none",
    (data) => (data.state.interventions = [{ at: 1 }]),
    /`state\.interventions` is a list of 1/,
  ],
  [
    "a dtype that there is not",
    (data) => (data.model.dtype = "f8"),
    /`model\.dtype` is "f8", expected one of f32/,
  ],
  [
    "a result without a key",
    (data) => (data.results.lens = [{ value: 1 }]),
    /`results\.lens\[0\]\.key` is missing/,
  ],
  [
    "a damaged array in a result",
    (data) => (data.results.lens = [{ key: "x", value: { a: { encoding: "f32", data: "AA==" } } }]),
    /`results\.lens\[0\]\.value\.a\.data` is damaged/,
  ],
];

for (const [name, change, message] of WRONG)
  test(`a snapshot with ${name} is refused with the name of the field`, () => {
    assert.throws(() => readSnapshot(changed(change)), { name: "InputError", message });
  });

test("what is no snapshot is refused", () => {
  for (const source of ["", "<!doctype html>", "[1", "null", "[]", "7"])
    assert.throws(() => readSnapshot(source), { name: "InputError" }, source);
});

test("the numbers of the config are bounded", () => {
  /** @param {string} name @param {unknown} value @param {RegExp} message */
  const refused = (name, value, message) =>
    assert.throws(
      () =>
        readSnapshot(
          changed((data) => {
            data.model.config[name] = value;
            Object.assign(data.reading, {
              patterns: data.reading.patterns.map(() => null),
              scores: null,
            });
          }),
        ),
      { name: "InputError", message },
    );
  refused("n_head", 1e9, /config\.n_head` is 1000000000, expected a whole number from 1 to 1000/);
  refused("n_head", 0, /config\.n_head` is 0, expected a whole number from 1/);
  refused("n_head", undefined, /config\.n_head` is missing/);
  refused("n_layer", 2.5, /config\.n_layer` is 2\.5/);
  refused("n_embd", 1e30, /config\.n_embd`/);
  refused("rotary_dim", 1e300, /config\.rotary_dim` is 1e\+300, expected a number of at most 1e12/);
});
