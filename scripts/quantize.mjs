#!/usr/bin/env node
// Writes a GPT-2 in f16 or f32 as one GGUF file with 8-bit weights: `node scripts/quantize.mjs models/shakespeare OUT.gguf`.
// Input: a Hugging Face folder with config.json, model.safetensors and tokenizer.json. The matrices become Q8_0, positions
// stay as they are, vectors f32, as in a file of llama.cpp. The same folder gives the same bytes. bundle.mjs writes the bundled model with it.

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { BLOCK, fromHalf, quantize } from "../tools/gguf/q8.mjs";
import { gguf } from "../tools/gguf/write.mjs";

/** Modules of a block in the file, and those of Hugging Face, whose matrices of Conv1D are stored transposed. */
const IN_BLOCK = [
  ["attn_norm", "ln_1"],
  ["attn_qkv", "attn.c_attn"],
  ["attn_output", "attn.c_proj"],
  ["ffn_norm", "ln_2"],
  ["ffn_up", "mlp.c_fc"],
  ["ffn_down", "mlp.c_proj"],
];
/** llama.cpp's numbers for "mostly Q8_0" and for the layout of its blocks. */
const [MOSTLY_Q8_0, QUANTIZATION_VERSION] = [7, 2];
const [NORMAL, CONTROL] = [1, 3];

/** @typedef {{ dtype: "F16" | "F32", shape: number[], bytes: Uint8Array, values: Float32Array }} Stored */

/** The tensors of a file of safetensors, in f32. @param {Buffer} file @returns {(name: string) => Stored} */
function tensorsOf(file) {
  const length = Number(file.readBigUInt64LE());
  const header = JSON.parse(file.toString("utf8", 8, 8 + length));
  return (name) => {
    const { dtype, shape, data_offsets } = header[`transformer.${name}`] ?? header[name] ?? {};
    if (dtype !== "F16" && dtype !== "F32")
      throw new Error(`expected \`${name}\` in F16 or F32, found ${dtype ?? "no such tensor"}`);
    const [start, end] = data_offsets.map((/** @type {number} */ at) => 8 + length + at);
    const bytes = file.subarray(start, end);
    const size = dtype === "F16" ? 2 : 4;
    const values = Float32Array.from({ length: bytes.length / size }, (_, at) =>
      size === 2 ? fromHalf(bytes.readUInt16LE(at * 2)) : bytes.readFloatLE(at * 4),
    );
    return { dtype, shape, bytes, values };
  };
}

/** @typedef {Pick<Stored, "shape" | "values">} Numbers */

/** @param {Numbers} matrix @returns {Numbers} */
function transposed({ shape: [rows, columns], values }) {
  const turned = new Float32Array(values.length);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      turned[column * rows + row] = values[row * columns + column];
  return { shape: [columns, rows], values: turned };
}

/** @param {string} name @param {Numbers} matrix @returns {import("../tools/gguf/write.mjs").Tensor} */
function inBlocks(name, { shape, values }) {
  const columns = shape.at(-1) ?? 0;
  if (columns % BLOCK !== 0)
    throw new Error(`expected rows of a multiple of ${BLOCK} in \`${name}\`, found ${columns}`);
  return { name, dtype: "Q8_0", shape, bytes: quantize(values) };
}

/** As it is stored. @param {string} name @param {Stored} matrix @returns {import("../tools/gguf/write.mjs").Tensor} */
function kept(name, { dtype, shape, bytes }) {
  return { name, dtype, shape, bytes };
}

/** In f32, because ggml adds vectors only in f32. @param {string} name @param {Numbers} vector @returns {import("../tools/gguf/write.mjs").Tensor} */
function plain(name, { shape, values }) {
  return { name, dtype: "F32", shape, bytes: new Uint8Array(values.buffer) };
}

/** What llama.cpp reads of the config and the tokenizer. @param {any} config @param {any} tokenizer @param {string} name */
function metadata(config, tokenizer, name) {
  const { vocab, merges } = tokenizer.model;
  const tokens = Object.keys(vocab).sort((a, b) => vocab[a] - vocab[b]);
  if (tokens.length !== config.vocab_size || tokens.some((token, id) => vocab[token] !== id))
    throw new Error(
      `expected a vocabulary with the ids 0 to ${config.vocab_size - 1}, found ${tokens.length} tokens`,
    );
  const special = new Set(
    tokenizer.added_tokens
      .filter((/** @type {any} */ one) => one.special)
      .map((/** @type {any} */ one) => one.content),
  );
  /** @type {Record<string, import("../tools/gguf/write.mjs").Value>} */
  const found = {
    "general.architecture": { string: "gpt2" },
    "general.name": { string: name },
    "general.file_type": { u32: MOSTLY_Q8_0 },
    "general.quantization_version": { u32: QUANTIZATION_VERSION },
    "gpt2.block_count": { u32: config.n_layer },
    "gpt2.context_length": { u32: config.n_positions },
    "gpt2.embedding_length": { u32: config.n_embd },
    "gpt2.feed_forward_length": { u32: config.n_inner ?? 4 * config.n_embd },
    "gpt2.attention.head_count": { u32: config.n_head },
    "gpt2.attention.layer_norm_epsilon": { f32: config.layer_norm_epsilon ?? 1e-5 },
    "tokenizer.ggml.model": { string: "gpt2" },
    "tokenizer.ggml.pre": { string: "gpt-2" },
    "tokenizer.ggml.tokens": { strings: tokens },
    "tokenizer.ggml.token_type": {
      i32s: tokens.map((token) => (special.has(token) ? CONTROL : NORMAL)),
    },
    "tokenizer.ggml.merges": {
      strings: merges.map((/** @type {string | string[]} */ one) =>
        Array.isArray(one) ? one.join(" ") : one,
      ),
    },
    "tokenizer.ggml.bos_token_id": { u32: config.bos_token_id },
    "tokenizer.ggml.eos_token_id": { u32: config.eos_token_id },
    "tokenizer.ggml.add_bos_token": { bool: false },
  };
  return found;
}

/** @param {string} folder @returns {Promise<Buffer>} */
export async function quantized(folder) {
  const [config, tokenizer] = await Promise.all(
    ["config.json", "tokenizer.json"].map(async (name) =>
      JSON.parse(await readFile(join(folder, name), "utf8")),
    ),
  );
  if (config.tie_word_embeddings === false)
    throw new Error("expected tied embeddings: the file has no place for `lm_head.weight`");
  const tensor = tensorsOf(await readFile(join(folder, "model.safetensors")));
  const outside = [
    inBlocks("token_embd.weight", tensor("wte.weight")),
    kept("position_embd.weight", tensor("wpe.weight")),
    plain("output_norm.weight", tensor("ln_f.weight")),
    plain("output_norm.bias", tensor("ln_f.bias")),
  ];
  const blocks = Array.from({ length: config.n_layer }, (_, layer) =>
    IN_BLOCK.flatMap(([name, from]) => {
      const [to, key] = [`blk.${layer}.${name}`, `h.${layer}.${from}`];
      const weight = tensor(`${key}.weight`);
      return [
        weight.shape.length === 2
          ? inBlocks(`${to}.weight`, transposed(weight))
          : plain(`${to}.weight`, weight),
        plain(`${to}.bias`, tensor(`${key}.bias`)),
      ];
    }),
  );
  return gguf(metadata(config, tokenizer, basename(folder)), [...outside, ...blocks.flat()]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [folder, out] = process.argv.slice(2);
  if (!out) throw new Error("expected a folder and the name of the file to write");
  const bytes = await quantized(folder);
  await mkdir(dirname(out), { recursive: true });
  await writeFile(out, bytes);
  console.log(`${out}: ${(bytes.length / 1e6).toFixed(2)} MB`);
}
