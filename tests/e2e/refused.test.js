// What cannot be opened: dropped on the page, it is named, with what to do.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";

import { eventually, settled, start } from "./browser.js";
import { dropPaths } from "./checkpoint-forms.js";
import { joined, parsed } from "./safetensors.js";

const fixture = (/** @type {string} */ name) =>
  readFileSync(new URL(`../fixtures/${name}`, import.meta.url));
const config = JSON.parse(String(fixture("plain/config.json")));
const weights = fixture("plain/model.safetensors");
const floats = (/** @type {number} */ count) => Buffer.alloc(4 * count, 1);

/** The fixture's weights with more tensors. @param {Record<string, number[]>} more shapes by name */
function weightsWith(more) {
  const { header, data } = parsed(weights);
  const stored = Object.entries(header).map(([name, { data_offsets, ...entry }]) => ({
    name,
    entry,
    part: data.subarray(...data_offsets),
  }));
  const added = Object.entries(more).map(([name, shape]) => ({
    name,
    entry: { dtype: "F32", shape },
    part: floats(shape.reduce((product, size) => product * size, 1)),
  }));
  return joined([...stored, ...added]);
}

const adapter = joined([
  {
    name: "base_model.model.transformer.h.0.attn.c_attn.lora_A.weight",
    entry: { dtype: "F32", shape: [2, 18] },
    part: floats(36),
  },
]);
const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 548105171\n";

/** @type {Record<string, { files: Record<string, Buffer | string | object>, is: RegExp, remedy: RegExp }>} */
const CASES = {
  "an Orbax folder": {
    files: { "params/_METADATA": "{}", "params/manifest.ocdbt": "", "params/d/0123": "" },
    is: /Orbax/,
    remedy: /python tools\/convert\.py/,
  },
  "a Git LFS pointer": {
    files: { "model.safetensors": pointer, "config.json": config },
    is: /model\.safetensors.*Git LFS/s,
    remedy: /git lfs pull|download/,
  },
  "a web page in place of weights": {
    files: { "model.safetensors": "<!doctype html><title>Sign in</title>", "config.json": config },
    is: /model\.safetensors.*(HTML|web page)/s,
    remedy: /download|address/,
  },
  "a web page in place of the config": {
    files: { "model.safetensors": weights, "config.json": "<!doctype html><title>Sign in</title>" },
    is: /config\.json.*page/s,
    remedy: /address/,
  },
  "an HDF5 file": {
    files: { "tf_model.h5": Buffer.from("\x89HDF\r\n\x1a\n", "latin1") },
    is: /tf_model\.h5/,
    remedy: /python tools\/convert\.py|save/,
  },
  "a LoRA adapter": {
    files: { "adapter_model.safetensors": adapter, "adapter_config.json": { r: 2 } },
    is: /LoRA|adapter/,
    remedy: /merge/,
  },
  "a LoRA adapter beside its base": {
    files: {
      "model.safetensors": weights,
      "config.json": config,
      "adapter_model.safetensors": adapter,
      "adapter_config.json": { r: 2 },
    },
    is: /LoRA|adapter/,
    remedy: /merge|remove/,
  },
  "a TensorFlow checkpoint": {
    files: { "model.ckpt.index": "x", "model.ckpt.data-00000-of-00001": "x" },
    is: /TensorFlow|only Python reads|model\.ckpt/,
    remedy: /python tools\/convert\.py/,
  },
  "an ONNX file": {
    files: { "model.onnx": Buffer.from("\x08\x07\x12\x07pytorch\x1a") },
    is: /ONNX|model\.onnx/,
    remedy: /save|convert/,
  },
  "layers beyond n_layer": {
    files: { "model.safetensors": weights, "config.json": { ...config, n_layer: 1 } },
    is: /h\.1\..*n_layer|n_layer.*h\.1/s,
    remedy: /n_layer/,
  },
  "relative positions": {
    files: {
      "model.safetensors": weights,
      "config.json": { ...config, position_embedding_type: "relative_key" },
    },
    is: /position_embedding_type/,
    remedy: /expected|absolute/,
  },
  "a bias of the head": {
    files: { "model.safetensors": weightsWith({ "lm_head.bias": [61] }), "config.json": config },
    is: /lm_head\.bias/,
    remedy: /expected|unembed_bias|GPT-2/,
  },
  "a tensor of unknown role": {
    files: {
      "model.safetensors": weightsWith({ "transformer.h.0.attn.q_norm.weight": [18] }),
      "config.json": config,
    },
    is: /h\.0\.attn\.q_norm\.weight/,
    remedy: /expected|GPT-2/,
  },
  "no checkpoint at all": {
    files: { "README.md": "# A model" },
    is: /README\.md/,
    remedy: /expected/,
  },
};

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
/** @type {import("playwright-core").Page} */
let page;
const root = mkdtempSync(join(tmpdir(), "candlescope-refused-"));

before(async () => {
  site = await start();
  page = await site.browser.newPage();
  await page.goto(site.url);
  await settled(page);
});

after(async () => {
  await site?.stop();
  rmSync(root, { recursive: true });
});

for (const [name, { files, is, remedy }] of Object.entries(CASES))
  test(`${name} is named on the page, with what to do`, async () => {
    const folder = join(root, name);
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      const isData = typeof content === "string" || Buffer.isBuffer(content);
      writeFileSync(join(folder, path), isData ? content : JSON.stringify(content));
    }
    const before = await page.locator("error-notice [role=alert]").allInnerTexts();
    await dropPaths(page, [folder]);
    await eventually(async () => {
      const notices = await page.locator("error-notice [role=alert]").allInnerTexts();
      const message = notices.filter((one) => !before.includes(one)).join("\n");
      assert.match(message, is);
      assert.match(message, remedy);
      assert.doesNotMatch(message, /untagged|expected value|invalid type|unreachable|unwrap/);
    });
  });

test("several checkpoints are asked about, and the chosen one opens", async () => {
  const folder = join(root, "run");
  for (const [step, scale] of [
    ["checkpoint-500", 1],
    ["checkpoint-1000", 2],
  ]) {
    mkdirSync(join(folder, String(step)), { recursive: true });
    const { header, data } = parsed(weights);
    const stored = Object.entries(header).map(([name, { data_offsets, ...entry }]) => {
      const part = Buffer.from(data.subarray(...data_offsets));
      if (name === "transformer.ln_f.bias") part.writeFloatLE(Number(scale), 0);
      return { name, entry, part };
    });
    writeFileSync(join(folder, String(step), "model.safetensors"), joined(stored));
    writeFileSync(join(folder, String(step), "config.json"), JSON.stringify(config));
  }
  /** The logits at the first position. @returns {Promise<number[]>} */
  const firstLogits = () =>
    page.evaluate(() => {
      const { logits } = /** @type {any} */ (document.querySelector("scope-figure")).reading;
      return [...logits.data.slice(0, logits.shape.at(-1))];
    });
  const question = page.locator("load-question form");
  const choose = async (/** @type {string} */ step) => {
    await question.locator(`input[value*="${step}"]`).check();
    await question.getByRole("button", { name: "Load", exact: true }).click();
  };
  await dropPaths(page, [folder]);
  await question.waitFor();
  const choices = await question
    .locator("input[type=radio]")
    .evaluateAll((all) => all.map((one) => /** @type {HTMLInputElement} */ (one).value));
  assert.deepEqual(choices.map((one) => one.match(/checkpoint-\d+/)?.[0]).sort(), [
    "checkpoint-1000",
    "checkpoint-500",
  ]);
  await choose("checkpoint-500");
  await eventually(async () =>
    assert.match(await page.locator("#model-name").innerText(), /^run,/),
  );
  await settled(page);
  const first = await firstLogits();
  await dropPaths(page, [folder]);
  await choose("checkpoint-1000");
  // The bias differs by 1 in its first element, so a logit differs by the first element of the token's embedding.
  const { header, data } = parsed(weights);
  const { shape, data_offsets } = header["transformer.wte.weight"];
  const embedding = Buffer.from(data.subarray(...data_offsets));
  await eventually(async () => {
    const second = await firstLogits();
    assert.equal(second.length, shape[0]);
    second.forEach((logit, token) => {
      const expected = embedding.readFloatLE(4 * token * shape[1]);
      assert.ok(Math.abs(logit - first[token] - expected) < 1e-4, `${token}: ${logit}`);
    });
  });
});
