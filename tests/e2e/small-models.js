// Models for tests of the page: random GPT-2s of any shape with a tokenizer of single characters, and the fixtures and variants
// of the bundled model that are difficult in one way each. `models` is a request handler for `serve`.

import { readFileSync } from "node:fs";

import { Random } from "../fuzz/random.js";
import { gpt2Tensors, joined, parsed } from "./safetensors.js";
import { byteLevelTokenizer } from "./tokenizer-file.js";

/** @typedef {Record<string, Buffer>} Files the files of a model's folder, by their names */

/** @param {string} path from the root of the repository */
const read = (path) => readFileSync(new URL(`../../${path}`, import.meta.url));

/** The 256 characters that a byte-level tokenizer writes bytes as. */
function byteCharacters() {
  const isPrinted = (/** @type {number} */ byte) =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) =>
    String.fromCodePoint(isPrinted(byte) ? byte : next++),
  );
}

/**
 * A GPT-2 with random weights, which reads bytes.
 * @param {{ n_layer: number, n_head: number, n_embd: number, n_positions: number }} shape @param {number} [seed]
 * @returns {Files}
 */
export function randomModel(shape, seed = 1) {
  const random = new Random(seed);
  const config = {
    ...{ model_type: "gpt2", architectures: ["GPT2LMHeadModel"], vocab_size: 256 },
    ...{ activation_function: "gelu_new", layer_norm_epsilon: 1e-5, tie_word_embeddings: true },
    ...shape,
  };
  const tensors = gpt2Tensors(config).map(([name, dims]) => {
    const values = new Float32Array(dims.reduce((product, length) => product * length, 1));
    const isScale = /ln_.*weight$/.test(name);
    for (let at = 0; at < values.length; at++)
      values[at] = isScale ? 1 : 0.5 * (random.next() + random.next() + random.next() - 1.5);
    return { name, entry: { dtype: "F32", shape: dims }, part: Buffer.from(values.buffer) };
  });
  const vocab = Object.fromEntries(byteCharacters().map((character, byte) => [character, byte]));
  return {
    "config.json": Buffer.from(JSON.stringify(config)),
    "tokenizer.json": Buffer.from(JSON.stringify(byteLevelTokenizer(vocab))),
    "model.safetensors": joined(tensors),
  };
}

/**
 * A model of GPT-2's size (12 layers, 768 wide, 50,257 tokens) in f16, whose tokenizer knows the bytes. The same numbers come again and
 * again, because 124 million draws would take long.
 * @returns {Files}
 */
function gpt2Sized() {
  const shape = { n_layer: 12, n_head: 12, n_embd: 768, n_positions: 1024, vocab_size: 50257 };
  const random = new Random(5);
  // A prime, so that the columns of no matrix are equal. Halves between 2^-6 and 2^-5, of either sign.
  const pattern = Uint16Array.from(
    { length: 999_983 },
    () => 0x2400 + Math.floor(random.next() * 1024) + (random.next() < 0.5 ? 0x8000 : 0),
  );
  const tensors = gpt2Tensors(shape).map(([name, dims]) => {
    const values = new Uint16Array(dims.reduce((product, length) => product * length, 1));
    if (/ln_.*weight$/.test(name)) values.fill(0x3c00);
    else
      for (let at = 0; at < values.length; at += pattern.length)
        values.set(pattern.subarray(0, values.length - at), at);
    return { name, entry: { dtype: "F16", shape: dims }, part: Buffer.from(values.buffer) };
  });
  const files = randomModel({ n_layer: 1, n_head: 1, n_embd: 8, n_positions: 8 });
  const config = { ...JSON.parse(String(files["config.json"])), ...shape };
  return {
    ...files,
    "config.json": Buffer.from(JSON.stringify(config)),
    "model.safetensors": joined(tensors),
  };
}

/** The bundled model, with a NaN in the embedding of one position. @param {number} position @returns {Files} */
export function brokenModel(position) {
  const files = bundledModel();
  const bytes = Buffer.from(files["model.safetensors"]);
  const { header, data } = parsed(bytes);
  const name = Object.keys(header).find((one) => one.endsWith("wpe.weight")) ?? "";
  const { dtype, shape, data_offsets } = header[name];
  /** @type {Record<string, number[]>} */
  const nan = { F32: [0, 0, 0xc0, 0x7f], F16: [0, 0x7e], BF16: [0xc0, 0x7f] };
  Buffer.from(nan[dtype]).copy(data, data_offsets[0] + position * shape[1] * nan[dtype].length);
  return { ...files, "model.safetensors": bytes };
}

/** @returns {Files} */
function bundledModel() {
  const names = ["config.json", "tokenizer.json", "model.safetensors"];
  return Object.fromEntries(names.map((name) => [name, read(`models/shakespeare/${name}`)]));
}

/** @type {Record<string, () => Files>} */
const MAKERS = {
  "no-tokenizer": () => {
    const { "tokenizer.json": _, ...files } = bundledModel();
    return files;
  },
  "attention-only": () => ({
    "config.json": read("tests/fixtures/toy_attn/config.json"),
    "model.safetensors": read("tests/fixtures/toy_attn/model.safetensors"),
  }),
  broken: () => brokenModel(2),
  "gpt-sized": gpt2Sized,
  long: () => randomModel({ n_layer: 2, n_head: 2, n_embd: 16, n_positions: 1024 }),
  "many-heads": () => randomModel({ n_layer: 12, n_head: 12, n_embd: 48, n_positions: 128 }),
  "one-head": () => randomModel({ n_layer: 1, n_head: 1, n_embd: 8, n_positions: 32 }),
};

/** @type {Map<string, Files>} */
const made = new Map();

/**
 * Answers requests for the files of models/NAME/: "no-tokenizer", "attention-only", "broken" (NaN), "long" (1,024 positions),
 * "many-heads" (12 layers of 12), "one-head" and "gpt-sized" (124 million parameters).
 * @type {NonNullable<Parameters<typeof import("../../scripts/serve.mjs").serve>[0]["handle"]>}
 */
export function models(request, response) {
  const [, name, file] = /^\/models\/([a-z-]+)\/([^?]+)/.exec(request.url ?? "") ?? [];
  if (name === undefined || !Object.hasOwn(MAKERS, name)) return false;
  const files = made.get(name) ?? MAKERS[name]();
  made.set(name, files);
  const bytes = files[file];
  response.setHeader("Cross-Origin-Resource-Policy", "same-origin");
  if (!bytes) response.writeHead(404).end();
  else response.writeHead(200, { "Content-Length": bytes.length }).end(bytes);
  return true;
}
