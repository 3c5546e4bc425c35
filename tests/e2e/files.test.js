// Files that are damaged, ambiguous or hold more than the model uses, through loadModel in headless Chromium: each is
// refused with its name and message, or loads and is reported.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";

import { start } from "./browser.js";

/** @typedef {{ dtype: string, shape: number[], bytes: Uint8Array }} Entry */
/** @typedef {[string, Entry][]} Entries in the order of their bytes */
/** @typedef {{ config?: Uint8Array | string, tokenizer?: Uint8Array | string, weights?: Uint8Array | Uint8Array[], dtype?: string }} Parts */

/** @typedef {import("../../www/api/candlescope.ts").Model["report"][number]} Notice */

const fixture = (/** @type {string} */ name) =>
  new Uint8Array(readFileSync(new URL(`../fixtures/plain/${name}`, import.meta.url)));
const config = JSON.parse(new TextDecoder().decode(fixture("config.json")));
const weights = fixture("model.safetensors");
const IDS = [1, 5, 9, 30, 2];

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
/** @type {import("playwright-core").Page} */
let page;

before(async () => {
  site = await start();
  page = await site.browser.newPage();
  await page.goto(`${site.url}tensor.js`); // any file of the site without code that runs: it is shown as text
});

after(() => site?.stop());

/**
 * Loads these files as Blobs and runs the model.
 * @param {Parts} parts those that are not given are the fixture's
 * @returns {Promise<{ report: Notice[], logits: number[], tied: boolean } & { name: string, message: string, isError: boolean }>}
 *   what the model says, or how it failed
 */
async function load(parts) {
  const encoded = (/** @type {Uint8Array | string} */ data) => Buffer.from(data).toString("base64");
  const plain = {
    config: encoded(parts.config ?? JSON.stringify(config)),
    tokenizer: parts.tokenizer === undefined ? undefined : encoded(parts.tokenizer),
    weights: [parts.weights ?? weights].flat().map(encoded),
    dtype: parts.dtype ?? "f32",
    url: site.url,
    ids: IDS,
  };
  return page
    .evaluate(async ({ config, tokenizer, weights, dtype, url, ids }) => {
      const blob = (/** @type {string} */ data) =>
        new Blob([Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0))]);
      const { loadModel } = await import(`${url}candlescope.js`);
      try {
        const all = weights.map(blob);
        const model = await loadModel(
          {
            config: blob(config),
            weights: all.length > 1 ? all : all[0],
            ...(tokenizer !== undefined && { tokenizer: blob(tokenizer) }),
          },
          { dtype },
        );
        const { logits } = await model.runWithCache(Uint32Array.from(ids));
        const found = {
          report: model.report,
          logits: [...logits.data],
          tied: model.config.tie_word_embeddings,
        };
        model.dispose();
        return found;
      } catch (error) {
        const { name, message } = /** @type {Error} */ (error);
        return { name, message, isError: error instanceof Error };
      }
    }, plain)
    .then((found) => /** @type {any} */ (found));
}

/** @param {Parts} parts @param {string} name @param {RegExp} message */
async function assertRefused(parts, name, message) {
  const found = await load(parts);
  assert.equal(found.name, name, JSON.stringify(found).slice(0, 400));
  assert.match(found.message, message);
  assert.doesNotMatch(
    found.message,
    /untagged|expected value|invalid type|unreachable|trailing|unwrap/,
  );
  assert.ok(found.isError);
}

/** @returns {Entries} */
function entries() {
  const view = new DataView(weights.buffer, weights.byteOffset);
  const length = Number(view.getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(weights.subarray(8, 8 + length)));
  delete header.__metadata__;
  return Object.entries(header).map(
    ([
      name,
      {
        dtype,
        shape,
        data_offsets: [first, last],
      },
    ]) => [name, { dtype, shape, bytes: weights.slice(8 + length + first, 8 + length + last) }],
  );
}

/** @param {Entries} list @returns {Uint8Array} a safetensors file */
function fileOf(list) {
  let end = 0;
  const listed = list.map(
    ([name, { dtype, shape, bytes }]) =>
      `${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [end, (end += bytes.length)] })}`,
  );
  const header = Buffer.from(`{${listed.join(",")}}`);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, ...list.map(([, { bytes }]) => bytes)]);
}

/** @param {number[]} shape @param {(index: number) => number} value @returns {Entry} */
function floats(shape, value) {
  const count = shape.reduce((product, length) => product * length, 1);
  return {
    dtype: "F32",
    shape,
    bytes: new Uint8Array(Float32Array.from({ length: count }, (_, index) => value(index)).buffer),
  };
}

/** The fixture with other values at some places of one tensor. @param {string} name @param {Record<number, number>} values */
function withNumbers(name, values) {
  const list = entries();
  const bytes = /** @type {[string, Entry]} */ (list.find(([key]) => key === name))[1].bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  for (const [index, value] of Object.entries(values))
    view.setFloat32(4 * Number(index), value, true);
  return fileOf(list);
}

const configWith = (/** @type {object} */ fields) => JSON.stringify({ ...config, ...fields });

describe("config.json", () => {
  for (const [what, text, message] of /** @type {[string, string, RegExp][]} */ ([
    [
      "a word as a size",
      configWith({ n_layer: "two" }),
      /^config\.json: `n_layer` is the text "two", expected a whole number from 1 to 4096/,
    ],
    ["no heads", configWith({ n_head: 0 }), /^config\.json: `n_head` is 0, expected at least 1/],
    [
      "a negative epsilon",
      configWith({ layer_norm_epsilon: -1 }),
      /`layer_norm_epsilon` is -1\.0, expected a number above 0/,
    ],
    [
      "an unknown activation",
      configWith({ activation_function: "quick_gelu" }),
      /`activation_function`.*"gelu_new".*"tanh"/,
    ],
    [
      "relative positions",
      configWith({ position_embedding_type: "relative_key" }),
      /`position_embedding_type`.*absolute/,
    ],
    [
      "a quantized model",
      configWith({ quantization_config: { bits: 4 } }),
      /`quantization_config`.*quantized from/,
    ],
    [
      "several last tokens",
      configWith({ eos_token_id: [0, 1] }),
      /`eos_token_id` is a list of length 2.*name one/,
    ],
    [
      "NaN",
      configWith({}).replace("1e-5", "NaN").replace("0.00001", "NaN"),
      /^config\.json: `layer_norm_epsilon` is NaN, expected a number above 0/,
    ],
    [
      "a key twice",
      configWith({}).replace("{", '{"n_head": 1,'),
      /^config\.json: `n_head` is there twice/,
    ],
    ["half a file", configWith({}).slice(0, 100), /^config\.json: it is not whole/],
    [
      "a Git LFS pointer",
      "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
      /^config\.json: this is a Git LFS pointer.*\/resolve\//,
    ],
  ])) {
    test(`with ${what} is refused`, () => assertRefused({ config: text }, "ConfigError", message));
  }

  test("reports unknown fields, not those of GPT2Config", async () => {
    assert.deepEqual((await load({})).report, []);
    const { report } = await load({
      config: configWith({ frobnicate: 1, resid_pdrop: 0.3, eos_token_id: 50256 }),
    });
    assert.deepEqual(
      report.map(({ kind, name }) => [kind, name]),
      [
        ["ignored", "eos_token_id"],
        ["ignored", "frobnicate"],
      ],
    );
  });

  test("with a size as text is read", async () =>
    assert.ok((await load({ config: configWith({ n_layer: "2" }) })).logits));

  test("with a byte-order mark is read", async () =>
    assert.ok((await load({ config: `\ufeff${configWith({})}` })).logits));
});

describe("weights", () => {
  const name = "transformer.h.1.mlp.c_fc.weight";

  test("that are not finite are counted in f32", async () => {
    const { report } = await load({ weights: withNumbers(name, { 0: NaN, 700: Infinity }) });
    const { message, ...rest } = /** @type {Notice} */ (
      report.find(({ kind }) => kind === "nonFinite")
    );
    assert.deepEqual(rest, { kind: "nonFinite", name: "h.1.mlp.c_fc.weight", count: 2 });
    assert.match(message, /1 NaN, 1 infinite/);
  });

  for (const dtype of ["f16", "q8", "q4"]) {
    test(`that ${dtype} cannot represent are refused with what can be done`, async () => {
      const message = new RegExp(`h\\.1\\.mlp\\.c_fc\\.weight.*${dtype}.*\`dtype: "f32"\``);
      for (const value of [NaN, -Infinity, 1e30])
        await assertRefused(
          { weights: withNumbers(name, { 3: value }), dtype },
          "WeightsError",
          message,
        );
    });
  }

  test("beyond the range of f16 are refused there", () =>
    assertRefused(
      { weights: withNumbers(name, { 3: 1e5 }), dtype: "f16" },
      "WeightsError",
      /magnitude 1e5, which f16 cannot represent/,
    ));

  for (const [tensor, message] of /** @type {[string, RegExp][]} */ ([
    ["transformer.h.2.ln_1.weight", /layer 2.*`n_layer` is 2/],
    ["h.0.attn.c_attn.lora_A.weight", /adapter/],
    ["transformer.ln_emb.weight", /is not a tensor of Hugging Face GPT-2/],
    ["wte.weight", /two names/],
  ])) {
    test(`with ${tensor} are refused`, () =>
      assertRefused(
        { weights: fileOf([...entries(), [tensor, floats([1], () => 1)]]) },
        "WeightsError",
        message,
      ));
  }

  test("with a bias of the logits are refused unless it is zero", async () => {
    const bias = (/** @type {number} */ value) =>
      fileOf([["lm_head.bias", floats([61], () => value)], ...entries()]);
    await assertRefused({ weights: bias(0.5) }, "WeightsError", /`lm_head\.bias` is not zero/);
    const { report, logits } = await load({ weights: bias(0) });
    assert.ok(report.some(({ kind, name }) => kind === "ignored" && name === "lm_head.bias"));
    assert.deepEqual(logits, (await load({})).logits);
  });

  test("of another task are ignored and reported", async () => {
    const { report, logits } = await load({
      weights: fileOf([["score.weight", floats([2, 18], () => 1)], ...entries()]),
    });
    assert.ok(report.some(({ kind, name }) => kind === "ignored" && name === "score.weight"));
    assert.deepEqual(logits, (await load({})).logits);
  });

  for (const [what, bytes, message] of /** @type {[string, string, RegExp][]} */ ([
    [
      "a web page",
      "<!DOCTYPE html><html></html>",
      /this is a web page.*expected a safetensors file/,
    ],
    [
      "a Git LFS pointer",
      "version https://git-lfs.github.com/spec/v1\n",
      /this is a Git LFS pointer/,
    ],
    ["half a PyTorch file", "PK\x03\x04\x14\0\0\0\0\0\0\0", /cut short.*zip archive/],
    ["a GGUF file", "GGUF\x03\0\0\0\0\0\0\0", /GGUF/],
  ])) {
    test(`that are ${what} are refused as such`, () =>
      assertRefused(
        { weights: new Uint8Array(Buffer.from(bytes, "latin1")) },
        "WeightsError",
        message,
      ));
  }
});

describe("an lm_head in addition to tied embeddings", () => {
  const head = floats([61, 18], (index) => Math.sin(index * 0.37) / 3);

  for (const dtype of ["f32", "f16", "q8", "q4"]) {
    test(`is used if it differs, in ${dtype}, in any order and in a separate file`, async () => {
      const first = fileOf([["lm_head.weight", head], ...entries()]);
      const expected = await load({
        config: configWith({ tie_word_embeddings: false }),
        weights: first,
        dtype,
      });
      const own = fileOf([["lm_head.weight", head]]);
      for (const files of [
        first,
        fileOf([...entries(), ["lm_head.weight", head]]),
        [weights, own],
        [own, weights],
      ]) {
        const found = await load({ weights: files, dtype });
        assert.deepEqual(found.logits, expected.logits, found.message);
        assert.equal(found.tied, false);
        assert.ok(
          found.report.some(({ kind, name }) => kind === "used" && name === "lm_head.weight"),
        );
      }
      assert.notDeepEqual(expected.logits, (await load({ dtype })).logits);
    });
  }

  test("is stored once if it is the same", async () => {
    const wte = /** @type {[string, Entry]} */ (
      entries().find(([name]) => name === "transformer.wte.weight")
    )[1];
    const found = await load({ weights: fileOf([["lm_head.weight", wte], ...entries()]) });
    const plain = await load({});
    assert.deepEqual(found.logits, plain.logits);
    const tied = found.report.filter(({ kind }) => kind === "tied");
    assert.deepEqual(
      tied.map(({ name }) => name),
      ["lm_head.weight"],
    );
    assert.deepEqual(
      found.report.filter((notice) => !tied.includes(notice)),
      plain.report,
    );
    assert.equal(found.tied, true);
  });
});

describe("tokenizer.json", () => {
  test("that is a Git LFS pointer is refused as such", () =>
    assertRefused(
      { tokenizer: "version https://git-lfs.github.com/spec/v1\noid sha256:0\n" },
      "TokenizerError",
      /tokenizer\.json: this is a Git LFS pointer/,
    ));
});
