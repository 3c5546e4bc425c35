// A GPT-2 of 124 million random weights with GPT-2's tokenizer, for measurements of the page.

import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

import { gpt2Tensors } from "../../tests/e2e/safetensors.js";
import { byteLevelTokenizer } from "../../tests/e2e/tokenizer-file.js";
import { Random } from "../../tests/fuzz/random.js";

const CONFIG = {
  ...{ model_type: "gpt2", n_layer: 12, n_head: 12, n_embd: 768, n_positions: 1024 },
  ...{ vocab_size: 50257, layer_norm_epsilon: 1e-5, activation_function: "gelu_new" },
  ...{ bos_token_id: 50256, eos_token_id: 50256, tie_word_embeddings: true },
};
const MERGES = new URL("../../tests/fixtures/gpt2/merges.txt", import.meta.url);

/** Writes the model into a folder, unless it is there. @param {string} folder */
export function makeModel(folder) {
  if (existsSync(join(folder, "config.json"))) return;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "tokenizer.json"), JSON.stringify(tokenizer()));
  writeWeights(join(folder, "model.safetensors"));
  writeFileSync(join(folder, "config.json"), JSON.stringify(CONFIG)); // last, so that it marks a whole model
}

/** GPT-2's vocabulary follows from its merges: the bytes, one token for each merge, and the end of a text. */
function tokenizer() {
  const merges = readFileSync(MERGES, "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#version"));
  const isPrinted = (byte) =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  const bytes = Array.from({ length: 256 }, (_, byte) => byte);
  const printed = bytes.filter(isPrinted).map((byte) => String.fromCodePoint(byte));
  const others = bytes
    .filter((byte) => !isPrinted(byte))
    .map((_, at) => String.fromCodePoint(256 + at));
  const tokens = [...printed, ...others, ...merges.map((merge) => merge.replace(" ", ""))];
  const json = byteLevelTokenizer(
    Object.fromEntries([...tokens, "<|endoftext|>"].map((token, id) => [token, id])),
  );
  Object.assign(json.model, { merges });
  return json;
}

/** One tensor at a time: the file has 498 MB. @param {string} path */
function writeWeights(path) {
  const random = new Random(1);
  let end = 0;
  const tensors = gpt2Tensors(CONFIG).map(([name, shape]) => {
    const count = shape.reduce((product, length) => product * length, 1);
    const data_offsets = [end, (end += 4 * count)];
    return { name, count, entry: { dtype: "F32", shape, data_offsets } };
  });
  const header = Buffer.from(
    JSON.stringify(Object.fromEntries(tensors.map(({ name, entry }) => [name, entry]))),
  );
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const file = openSync(path, "w");
  writeSync(file, length);
  writeSync(file, header);
  for (const { name, count } of tensors) {
    const values = new Float32Array(count);
    const isScale = /ln_.*weight$/.test(name);
    for (let at = 0; at < count; at++) values[at] = isScale ? 1 : 0.08 * (random.next() - 0.5);
    writeSync(file, Buffer.from(values.buffer));
  }
  closeSync(file);
}
