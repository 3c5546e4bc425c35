import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import {
  DTYPES,
  fitsIntoWasm,
  memoryAfterLoad,
  parameterCountOf,
  runBytes,
  weightBytes,
} from "../../www/session/memory.ts";
import {
  bytesPerSecond,
  formatDuration,
  PRESETS,
  secondsToLoad,
  secondsToRead,
  whyTooLarge,
} from "../../www/session/presets.ts";

const fixtures = new URL("../fixtures/", import.meta.url);

/** The tensors of a safetensors file: names and shapes. @param {URL} file @returns {Record<string, { shape: number[] }>} */
function headerOf(file) {
  const bytes = readFileSync(file);
  const { __metadata__, ...header } = JSON.parse(
    String(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE(0)))),
  );
  return header;
}

test("the numbers of parameters are those of the fixtures' files", () => {
  let compared = 0;
  for (const name of readdirSync(fixtures)) {
    const folder = new URL(`${name}/`, fixtures);
    let config, header;
    try {
      config = JSON.parse(String(readFileSync(new URL("config.json", folder))));
      header = headerOf(new URL("model.safetensors", folder));
    } catch {
      continue; // not a folder with a model of one file
    }
    const isMask = (/** @type {string} */ key) => /\.attn\.(masked_)?bias$/.test(key);
    const isTied = config.tie_word_embeddings !== false;
    const count = Object.entries(header)
      .filter(([key]) => !isMask(key) && !(isTied && key.endsWith("lm_head.weight")))
      .reduce((sum, [, { shape }]) => sum + shape.reduce((product, one) => product * one, 1), 0);
    assert.equal(parameterCountOf(config), count, name);
    compared += 1;
  }
  assert.ok(compared >= 12, `${compared} fixtures`);
});

const find = (/** @type {string} */ name) => {
  const found = PRESETS.find((one) => one.name === name);
  assert.ok(found, name);
  return found;
};

test("presets have the parameters that their papers give, and the sizes of their files", () => {
  // Sizes of model.safetensors on the hub, in bytes, which hold the causal masks too.
  const files = {
    "DistilGPT-2": [81_912_576, 352_824_413],
    "GPT-2": [124_439_808, 548_105_171],
    "GPT-2 medium": [354_823_168, 1_519_984_962],
    "GPT-2 large": [774_030_080, 3_247_159_078],
    "GPT-2 XL": [1_557_611_200, 6_431_829_964],
  };
  for (const [name, [parameters, bytes]] of Object.entries(files)) {
    const { sizes, downloadBytes } = find(name);
    assert.equal(parameterCountOf(sizes), parameters, name);
    assert.ok(Math.abs(downloadBytes - bytes) < 2e6, `${name}: ${downloadBytes} of ${bytes}`);
  }
});

test("f32 needs four bytes a weight, and each other dtype less", () => {
  const { sizes } = find("GPT-2");
  // 50257 tokens are no multiple of the eight columns of a panel: seven columns of 768 zeros.
  assert.equal(weightBytes(sizes, "f32"), 4 * (124_439_808 + 7 * 768));
  const all = DTYPES.map((dtype) => weightBytes(sizes, dtype));
  assert.deepEqual(
    [...all].sort((a, b) => b - a),
    all,
  );
  // bench/README.md has the bytes that were measured: 497.8 MB in f32, 134.9 MB in q8.
  assert.ok(Math.abs(all[0] - 497.8e6) < 0.1e6, `${all[0]}`);
  assert.ok(Math.abs(all[2] - 134.9e6) < 3e6, `${all[2]}`);
});

test("only what WebAssembly can address is offered: XL not in f32", () => {
  const refused = PRESETS.flatMap((one) =>
    DTYPES.filter((dtype) => whyTooLarge(one, dtype) !== null).map(
      (dtype) => `${one.name} ${dtype}`,
    ),
  );
  assert.deepEqual(refused, ["GPT-2 XL f32"]);
  assert.match(
    whyTooLarge(find("GPT-2 XL"), "f32") ?? "",
    /needs 6\.\d+ GB in f32, more than the 4\.29 GB \(4 GiB\)/,
  );
  // A vocabulary just too large.
  const sizes = { ...find("GPT-2").sizes, vocab_size: 1_400_000 };
  assert.ok(memoryAfterLoad(sizes, "f32") > 4.29e9);
  assert.ok(!fitsIntoWasm(sizes, "f32") && fitsIntoWasm(sizes, "f16"));
});

test("a longer text needs more memory, most of it for logits", () => {
  const { sizes } = find("GPT-2");
  const [short, long] = [runBytes(sizes, 64), runBytes(sizes, 1024)];
  assert.ok(long > 1024 * sizes.vocab_size * 4 && long > 16 * short, `${short} ${long}`);
});

test("times follow from the rate, and are as coarse as they are sure", () => {
  const { downloadBytes } = find("GPT-2");
  assert.equal(formatDuration(secondsToLoad(downloadBytes, bytesPerSecond(10))), "about 7 min");
  assert.equal(formatDuration(secondsToLoad(downloadBytes, bytesPerSecond(100))), "about 45 s");
  // No connection makes it faster than the conversion of weights.
  assert.equal(secondsToLoad(downloadBytes, 1e12), secondsToLoad(downloadBytes, 1e10));
  assert.equal(formatDuration(0.1), "about 5 s");
  assert.equal(formatDuration(3 * 3600), "about 3 hours");
});

test("the time to read grows with the parameters, and is given only where it was measured", () => {
  assert.equal(secondsToRead(find("GPT-2").sizes, "f32"), 0.682);
  assert.equal(secondsToRead(find("GPT-2").sizes, "f16"), null);
  assert.ok((secondsToRead(find("GPT-2 XL").sizes, "q8") ?? 0) > 5);
});
