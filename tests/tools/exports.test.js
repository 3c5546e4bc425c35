// Files of tensors and caches, as NumPy, Python's safetensors and its csv module read them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { strFromU8, unzipSync } from "fflate";

import { BatchCache } from "../../www/api/batch.ts";
import { Cache } from "../../www/api/cache.ts";
import { interventionsText } from "../../www/api/export/interventions.ts";
import { npyHeader } from "../../www/api/export/npy.ts";
import { zipFile } from "../../www/api/export/zip.ts";
import { Tensor } from "../../www/api/tensor.ts";
import { bytesOf, readWithPython } from "./exports.js";

/** Numbers with every kind of f32: two NaN, infinities, -0, subnormal, the largest. */
const SPECIAL = Float32Array.from([NaN, Infinity, -Infinity, -0, 0, 1e-45, 3.4028235e38, 0.1]);
new Uint32Array(SPECIAL.buffer)[1] = 0x7fc12345;

/** @param {number} count */
const random = (count) =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(i + 1) * 10 ** (i % 7));

const POINTS = ["blocks.0.attn.hook_pattern", "blocks.1.attn.hook_pattern", "hook_embed"].map(
  (name) => ({ name, axes: [] }),
);
const TOKENS = ["=SUM(1)", " the", 'a"b', "\n", "\ud83d\ude00", ","];

/** @param {string} name @param {Tensor} tensor */
const cacheOf = (name, tensor, gradients = new Map()) =>
  new Cache(
    new Map([
      [name, tensor],
      ["hook_embed", new Tensor(SPECIAL, [2, 4], ["pos", "d_model"])],
    ]),
    /** @type {any} */ (POINTS),
    gradients,
    {
      model: "models/shakespeare",
      ids: Uint32Array.of(5, 1, 2, 3, 4, 0),
      tokens: async () => ({ strings: TOKENS }),
    },
  );

test("npy: every shape, dtype and view is what NumPy reads, bit for bit", async () => {
  const base = new Tensor(random(120), [2, 3, 4, 5], ["batch", "head", "query", "key"]);
  const tensors = {
    whole: base,
    view: base.at({ batch: 1 }),
    copied: base.at({ key: { from: 1, step: 2 } }),
    moved: base.reorder("key", "batch", "query", "head"),
    vector: base.at({ batch: 0, head: 1, query: -1 }),
    number: base.at({ batch: 0, head: 1, query: 2, key: 3 }),
    empty: base.at({ head: [] }),
    special: new Tensor(SPECIAL, [8], ["pos"]),
    ids: new Tensor(Uint32Array.of(0, 1, 2 ** 32 - 1), [3], ["pos"]),
    long: new Tensor(
      Float32Array.of(1),
      Array(30000).fill(1),
      Array.from({ length: 30000 }, (_, i) => `a${i}`),
    ),
  };
  assert.ok(tensors.view.isView && !tensors.copied.isView);
  const { long, ...readable } = tensors;
  /** @type {Record<string, Uint8Array>} */
  const files = {};
  for (const [name, tensor] of Object.entries(readable))
    files[`${name}.npy`] = await bytesOf(await tensor.toNpy());
  assert.deepEqual(readWithPython(readable, files).problems, []);
  // NumPy itself has at most 64 axes, so only the header says that a long one is version 2.0.
  const header = npyHeader(long);
  assert.deepEqual([...header.subarray(6, 8)], [2, 0]);
  assert.equal(new DataView(header.buffer).getUint32(8, true), header.length - 12);
  assert.equal(header.length % 64, 0);
});

test("npz and safetensors: each array under its name, with gradients and metadata", async () => {
  const pattern = new Tensor(random(72), [1, 2, 6, 6], ["batch", "head", "query", "key"]);
  const gradient = new Tensor(
    random(72).map((one) => -one),
    [1, 2, 6, 6],
    pattern.axes,
  );
  const cache = cacheOf(POINTS[0].name, pattern, new Map([[POINTS[0].name, gradient]]));
  const arrays = {
    [POINTS[0].name]: pattern,
    hook_embed: cache.get("hook_embed"),
    [`${POINTS[0].name}_grad`]: gradient,
  };
  const { problems, metadata } = readWithPython(arrays, {
    "stored.npz": await bytesOf(await cache.toNpz()),
    "deflated.npz": await bytesOf(await cache.toNpz({ compressed: true })),
    "cache.safetensors": await bytesOf(await cache.toSafetensors({ metadata: { prompt: "日本" } })),
  });
  assert.deepEqual(problems, []);
  assert.deepEqual(JSON.parse(metadata.tokens), TOKENS);
  assert.deepEqual(JSON.parse(metadata.ids), [5, 1, 2, 3, 4, 0]);
  assert.deepEqual(JSON.parse(metadata.axes)[POINTS[0].name], pattern.axes);
  assert.equal(metadata.model, "models/shakespeare");
  assert.equal(metadata.prompt, "日本");
});

test("files of a changed run say what changed it, and keep apart the tokens of one character", async () => {
  const pattern = new Tensor(random(8), [1, 2, 2, 2], ["batch", "head", "query", "key"]);
  const interventions = interventionsText([
    { at: POINTS[0].name, head: 1, do: "zero" },
    { at: POINTS[1].name, do: { set: new Float32Array(2000) } },
  ]);
  const cache = new Cache(
    new Map([[POINTS[0].name, pattern]]),
    /** @type {any} */ (POINTS),
    new Map(),
    {
      ...{ model: "m", ids: Uint32Array.of(0, 1), interventions },
      tokens: async () => ({ strings: ["", "é"], bytes: [Uint8Array.of(0xf0), []] }),
    },
  );
  const { problems, metadata, texts } = readWithPython(
    { [POINTS[0].name]: pattern },
    {
      "a.npz": await bytesOf(await cache.toNpz()),
      "a.safetensors": await bytesOf(await cache.toSafetensors()),
    },
  );
  assert.deepEqual(problems, []);
  assert.equal(texts.interventions, interventions);
  assert.equal(metadata.interventions, interventions);
  assert.deepEqual(JSON.parse(interventions), [
    { at: POINTS[0].name, head: 1, do: "zero" },
    { at: POINTS[1].name, do: { set: "2000 numbers" } },
  ]);
  assert.deepEqual(JSON.parse(metadata.tokens), [{ bytes: [0xf0] }, "é"]);
  const files = unzipSync(await bytesOf(await cache.toHeadVis()));
  const { model_name } = JSON.parse(strFromU8(files["data/config.json"]));
  assert.equal(model_name, `m, with interventions ${interventions}`);
  const { sequences } = JSON.parse(strFromU8(files["data/heads/L0H1.json"]));
  assert.deepEqual(sequences[0].tokens, ["0xF0", "é"]);
});

test("deflated chunks of a large array join to its bytes", async () => {
  const large = new Tensor(
    new Float32Array(2 ** 20 + 3).map((_, i) => i % 1000),
    [2 ** 20 + 3],
    ["pos"],
  );
  const cache = cacheOf(POINTS[0].name, large);
  const compressed = await cache.toNpz({ compressed: true });
  assert.ok(compressed.size < large.data.byteLength / 4);
  const arrays = { [POINTS[0].name]: large, hook_embed: cache.get("hook_embed") };
  assert.deepEqual(readWithPython(arrays, { "a.npz": await bytesOf(compressed) }).problems, []);
});

test("a batch is one padded array, with the tokens of each text", async () => {
  const rows = [2, 3].map(
    (length) =>
      new Cache(
        new Map([
          [
            "hook_embed",
            new Tensor(random(length * 4), [1, length, 4], ["batch", "pos", "d_model"]),
          ],
        ]),
        /** @type {any} */ (POINTS),
        new Map(),
        {
          model: "m",
          ids: Uint32Array.from({ length }, (_, i) => i),
          tokens: async (/** @type {Uint32Array} */ ids) => ({ strings: Array.from(ids, String) }),
        },
      ),
  );
  const batch = new BatchCache(rows, "right");
  const arrays = { hook_embed: batch.get("hook_embed") };
  const { problems, metadata } = readWithPython(arrays, {
    "a.npz": await bytesOf(await batch.toNpz()),
    "a.safetensors": await bytesOf(await batch.toSafetensors()),
  });
  assert.deepEqual(problems, []);
  assert.deepEqual(JSON.parse(metadata.tokens), [
    ["0", "1"],
    ["0", "1", "2"],
  ]);
});

test("tokens that cannot be had are left out, and their ids stay", async () => {
  const origin = {
    model: "m",
    ids: Uint32Array.of(7),
    strings: async () => Promise.reject(new Error("disposed")),
  };
  const tensor = new Tensor(Float32Array.of(1), [1], ["pos"]);
  const cache = new Cache(
    new Map([["hook_embed", tensor]]),
    /** @type {any} */ (POINTS),
    new Map(),
    origin,
  );
  const { metadata } = readWithPython(
    { hook_embed: tensor },
    { "a.safetensors": await bytesOf(await cache.toSafetensors()) },
  );
  assert.equal(metadata.ids, "[7]");
  assert.equal(metadata.tokens, undefined);
});

test("csv: tokens exactly, and each number is read back as the same f32", async () => {
  const pattern = new Tensor(random(36), [6, 6], ["query", "key"]);
  const special = new Tensor(
    Float32Array.from(SPECIAL).fill(NaN, 0, 2),
    [2, 4],
    ["pos", "d_model"],
  );
  const { problems, tables } = readWithPython(
    { pattern, special },
    {
      "pattern.csv": await pattern.toCSV({ labels: { query: TOKENS, key: TOKENS } }),
      "special.csv": await special.toCSV(),
      "guarded.csv": await pattern.toCSV({
        labels: { query: TOKENS, key: TOKENS },
        spreadsheet: true,
      }),
      "long.csv": await pattern.toCSV({ labels: { key: TOKENS }, layout: "long" }),
      "scores.csv": await new Tensor(
        Float32Array.of(0.5, 0.25),
        [2, 1, 1],
        ["score", "layer", "head"],
        { score: ["a", "b"] },
      ).toCSV(),
    },
  );
  assert.deepEqual(
    problems.filter((one) => !one.includes("npy")),
    [],
  );
  assert.deepEqual(tables.pattern[0], ["query/key", ...TOKENS]);
  assert.deepEqual(
    tables.pattern.slice(1).map(([header]) => header),
    TOKENS,
  );
  assert.deepEqual(tables.guarded[0].slice(0, 4), ["\ufeffquery/key", "'=SUM(1)", " the", 'a"b']);
  assert.deepEqual(tables.long[0], ["query", "key", "key label", "value"]);
  assert.deepEqual(tables.long[1].slice(0, 3), ["0", "0", "=SUM(1)"]);
  assert.equal(tables.long.length, 37);
  assert.deepEqual(tables.scores[2], ["1", "b", "0", "0", "0.25"]);
});

test("csv has the line ends and quotes of RFC 4180, and no number looks like a formula", async () => {
  const tensor = new Tensor(Float32Array.of(-1.5, -Infinity), [2], ["pos"], {
    pos: ['say "hi"', "a,b"],
  });
  assert.equal(
    await tensor.toCSV({ spreadsheet: true }),
    '\ufeffpos,value\r\n"say ""hi""",-1.5\r\n"a,b",-inf\r\n',
  );
});

/** @type {[what: string, call: () => Promise<unknown>, message: RegExp][]} */
const REFUSED = [
  [
    "an empty cache",
    () => new Cache(new Map(), []).toNpz(),
    /^toNpz: nothing was captured; ask for it in `names`$/,
  ],
  [
    "an option that does not exist",
    () =>
      cacheOf("hook_embed", new Tensor(SPECIAL, [8], ["pos"])).toNpz(
        /** @type {any} */ ({ compress: true }),
      ),
    /toNpz has no option `compress`/,
  ],
  [
    "metadata that is no text",
    () =>
      cacheOf("a", new Tensor(SPECIAL, [8], ["pos"])).toSafetensors(
        /** @type {any} */ ({ metadata: { a: 1 } }),
      ),
    /`metadata` of toSafetensors is .*, expected an object of texts/,
  ],
  [
    "metadata under a name of ours",
    () =>
      cacheOf("a", new Tensor(SPECIAL, [8], ["pos"])).toSafetensors({ metadata: { tokens: "" } }),
    /has "tokens", which the file says itself/,
  ],
  [
    "a table of three axes",
    () => new Tensor(SPECIAL, [2, 2, 2], ["a", "b", "c"]).toCSV({ layout: "table" }),
    /a table has two axes at most, found \[2, 2, 2\] over a, b, c/,
  ],
  [
    "too few labels",
    () => new Tensor(SPECIAL, [8], ["pos"]).toCSV({ labels: { pos: ["a"] } }),
    /`labels.pos` of toCSV is 1 texts, expected 8 texts/,
  ],
  [
    "labels of an axis that does not exist",
    () => new Tensor(SPECIAL, [8], ["pos"]).toCSV({ labels: { key: [] } }),
    /no axis "key"/,
  ],
  [
    "HeadVis without patterns",
    () => cacheOf("hook_embed", new Tensor(SPECIAL, [8], ["pos"])).toHeadVis(),
    /no attention pattern was captured/,
  ],
  [
    "HeadVis with NaN",
    () =>
      cacheOf(
        POINTS[0].name,
        new Tensor(new Float32Array(36).fill(NaN), [1, 1, 6, 6], ["batch", "head", "query", "key"]),
      ).toHeadVis(),
    /values that are not finite/,
  ],
  [
    "HeadVis with some positions",
    () =>
      cacheOf(
        POINTS[0].name,
        new Tensor(new Float32Array(6), [1, 1, 1, 6], ["batch", "head", "query", "key"]),
      ).toHeadVis(),
    /has 1 queries and 6 keys, expected 6/,
  ],
  [
    "HeadVis without a text",
    () =>
      new Cache(
        new Map([
          [
            POINTS[0].name,
            new Tensor(Float32Array.of(1), [1, 1, 1, 1], ["batch", "head", "query", "key"]),
          ],
        ]),
        [],
      ).toHeadVis(),
    /the text of these activations is not known/,
  ],
  [
    "a zip file of 4 GiB",
    () => zipFile([{ path: "a", parts: /** @type {any} */ ([{ length: 2 ** 32 }]) }], false),
    /expected less than 4 GiB/,
  ],
];
for (const [what, call, message] of REFUSED)
  test(`refused with an InputError: ${what}`, async () => {
    await assert.rejects(call(), { name: "InputError", message });
  });
