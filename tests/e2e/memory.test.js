// What session/memory.ts computes from a config, compared with the wasm memory of models that are loaded in headless Chromium.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import {
  DTYPES,
  memoryAfterLoad,
  parameterCountOf,
  weightBytes,
} from "../../www/session/memory.ts";
import { start } from "./browser.js";
import { gpt2Tensors } from "./safetensors.js";
import { byteLevelTokenizer } from "./tokenizer-file.js";

/** The estimate is within this share and this number of bytes of what the page reports. */
const SHARE = 0.03;
const BYTES = 5e6;

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
before(async () => {
  site = await start();
});
after(() => site?.stop());

const fixture = (/** @type {string} */ path) =>
  readFileSync(new URL(`../fixtures/${path}`, import.meta.url));

/** GPT-2's tokenizer.json, which its merges determine. */
function gpt2Tokenizer() {
  const merges = String(fixture("gpt2/merges.txt")).split("\n").slice(1).filter(Boolean);
  const bytes = Array.from({ length: 256 }, (_, byte) => byte);
  const isPlain = (/** @type {number} */ byte) =>
    (byte > 32 && byte < 127) || (byte > 160 && byte < 256 && byte !== 173);
  const others = bytes.filter((byte) => !isPlain(byte)).map((_, at) => 256 + at);
  const characters = [...bytes.filter(isPlain), ...others].map((code) => String.fromCharCode(code));
  const words = [...characters, ...merges.map((pair) => pair.replace(" ", "")), "<|endoftext|>"];
  const file = byteLevelTokenizer(Object.fromEntries(words.map((word, id) => [word, id])));
  return JSON.stringify({ ...file, model: { ...file.model, merges } });
}

/**
 * Loads a GPT-2 of zeros in a new page: wasm memory never shrinks, so each measurement has its own.
 * @param {any} config @param {string} dtype @param {boolean} [hasTokenizer] GPT-2's
 */
async function loaded(config, dtype, hasTokenizer = false) {
  const page = await site.browser.newPage();
  page.setDefaultTimeout(180_000);
  await page.goto(`${site.url}tensor.js`); // any file of the site without code that runs
  const tokenizer = hasTokenizer ? gpt2Tokenizer() : null;
  try {
    return await page.evaluate(
      async ({ url, config, tensors, dtype, tokenizer }) => {
        const { loadModel } = await import(`${url}candlescope.js`);
        /** @type {Record<string, object>} */
        const header = {};
        let end = 0;
        for (const [name, shape] of tensors) {
          const start = end;
          end += 4 * shape.reduce((product, length) => product * length, 1);
          header[name] = { dtype: "F32", shape, data_offsets: [start, end] };
        }
        const head = new TextEncoder().encode(JSON.stringify(header));
        const piece = new Uint8Array(1 << 20);
        const body = Array.from({ length: Math.ceil(end / piece.length) }, (_, at) =>
          piece.subarray(0, Math.min(piece.length, end - at * piece.length)),
        );
        const length = new Uint8Array(new BigUint64Array([BigInt(head.length)]).buffer);
        const model = await loadModel(
          {
            config: new Blob([JSON.stringify(config)]),
            weights: new Blob([length, head, ...body]),
            ...(tokenizer !== null && { tokenizer: new Blob([tokenizer]) }),
          },
          { dtype },
        );
        return {
          memory: model.backend.memoryBytes,
          count: model.parameterCount,
          config: model.config,
        };
      },
      { url: site.url, config, tensors: gpt2Tensors(config), dtype, tokenizer },
    );
  } finally {
    await page.close();
  }
}

const MODELS = {
  "DistilGPT-2": {
    config: { n_layer: 6, n_head: 12, n_embd: 768, n_positions: 1024, vocab_size: 50257 },
    hasTokenizer: true,
  },
  "sizes that no block divides": {
    config: { n_layer: 3, n_head: 3, n_embd: 150, n_positions: 77, vocab_size: 9001 },
    hasTokenizer: false,
  },
};

for (const [title, { config, hasTokenizer }] of Object.entries(MODELS)) {
  for (const dtype of DTYPES) {
    test(`${title} in ${dtype}: the estimate of memory is near what was measured`, async (t) => {
      const found = await loaded({ model_type: "gpt2", ...config }, dtype, hasTokenizer);
      const estimate = memoryAfterLoad(config, dtype);
      t.diagnostic(
        `weights ${weightBytes(config, dtype) / 1e6} estimate ${estimate / 1e6} MB, measured ${found.memory / 1e6} MB`,
      );
      assert.equal(found.count, parameterCountOf(config));
      assert.ok(
        Math.abs(found.memory - estimate) <= SHARE * found.memory + BYTES,
        `${estimate} estimated, ${found.memory} measured`,
      );
    });
  }
}
