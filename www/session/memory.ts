// How much memory a model takes: its weights in each dtype, and a run. Computed from the config alone, before anything is
// downloaded. The sizes are those of src/kernel/weights/ and src/run/memory.rs.

import type { Architecture } from "./architecture.js";

/** How weight matrices are kept in memory: the option `dtype` of loadModel. */
export type Dtype = "f32" | "f16" | "q8" | "q4";

/** From the most exact to the smallest. */
export const DTYPES: readonly Dtype[] = ["f32", "f16", "q8", "q4"];

/** What each dtype is, in a few words. */
export const DTYPE_NOTES: Record<Dtype, string> = {
  f32: "32-bit floats, the numbers of the checkpoint",
  f16: "16-bit floats, half the memory",
  q8: "8 bits a weight, in blocks of 64",
  q4: "4 bits a weight, in blocks of 32; embeddings have 8",
};

/** What WebAssembly can address with 32 bits. */
export const MAX_WASM_BYTES = 2 ** 32;

/** The sizes of a model, as its config has them. */
export interface Sizes extends Architecture {
  n_layer: number;
  n_head: number;
  n_embd: number;
  n_inner?: number | null;
  n_positions: number;
  vocab_size: number;
  tie_word_embeddings?: boolean;
  activation_function?: string;
}

/** Columns of a panel of a weight matrix. */
const PANEL = 8;
/** Numbers of a step of a quantized panel, and the steps of its blocks. */
const STEP = 4;
const BLOCK_STEPS = { q8: 16, q4: 8 };
/** The scales and sums of a block of eight columns. */
const BLOCK_TAIL = 32;

/** The bytes of a matrix [inner, columns]. */
function matrixBytes(dtype: Dtype, inner: number, columns: number): number {
  const panels = Math.ceil(columns / PANEL);
  if (dtype === "f32") return panels * inner * PANEL * 4;
  if (dtype === "f16") return panels * inner * PANEL * 2;
  const steps = Math.ceil(inner / STEP);
  if (dtype === "q8")
    return panels * (steps * STEP * PANEL + Math.ceil(steps / BLOCK_STEPS.q8) * BLOCK_TAIL);
  const even = 2 * Math.ceil(steps / 2);
  return panels * ((even * STEP * PANEL) / 2 + Math.ceil(even / BLOCK_STEPS.q4) * BLOCK_TAIL);
}

/** A matrix of the checkpoint, or the numbers that are kept in f32 because no matrix product reads them. */
type Part =
  | { kind: "embedding" | "linear"; inner: number; columns: number }
  | { kind: "vector"; count: number };

/** Every tensor of a checkpoint of this config. */
function parts(sizes: Sizes): Part[] {
  const { n_layer: layers, n_embd: d, n_positions: context, vocab_size: vocabulary } = sizes;
  const { position_embedding: positions = "learned", normalization_type: norm = "LN" } = sizes;
  const neurons = sizes.n_inner ?? 4 * d;
  const vector = (count: number): Part => ({ kind: "vector", count });
  const normalization = (width: number) => (norm === "LN" ? [vector(2 * width)] : []);
  const linear = (inner: number, columns: number): Part[] => [
    { kind: "linear", inner, columns },
    vector(columns),
  ];
  const embedding: Part = { kind: "embedding", inner: d, columns: vocabulary };
  const mlp = () => [
    ...normalization(d),
    ...linear(d, neurons),
    ...(sizes.activation_function === "solu_ln" ? normalization(neurons) : []),
    ...linear(neurons, d),
  ];
  const block = [
    ...normalization(d),
    ...linear(d, 3 * d),
    ...linear(d, d),
    ...(sizes.attn_only ? [] : mlp()),
  ];
  return [
    embedding,
    ...(positions === "learned" || positions === "shortformer" ? [vector(context * d)] : []),
    ...Array.from({ length: layers }, () => block).flat(),
    ...normalization(d),
    ...(sizes.tie_word_embeddings === false ? [embedding] : []),
    ...(sizes.unembed_bias ? [vector(vocabulary)] : []),
  ];
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0);

/** The number of parameters. */
export function parameterCountOf(sizes: Sizes): number {
  return sum(
    parts(sizes).map((part) => (part.kind === "vector" ? part.count : part.inner * part.columns)),
  );
}

/** The bytes of the weights. Embeddings have 8 bits even in q4. */
export function weightBytes(sizes: Sizes, dtype: Dtype): number {
  return sum(
    parts(sizes).map((part) =>
      part.kind === "vector"
        ? 4 * part.count
        : matrixBytes(
            part.kind === "embedding" && dtype === "q4" ? "q8" : dtype,
            part.inner,
            part.columns,
          ),
    ),
  );
}

/** What the module itself takes, with its stack and the buffers of a load. */
const MODULE_BYTES = 4e6;
/** A tokenizer, for each token of the vocabulary: its text, its merge, and their places in hash tables. */
const TOKENIZER_BYTES = 175;

/**
 * The wasm memory after a load, as `model.backend.memoryBytes` tells it: within 3 % of it plus 5 MB
 * (tests/e2e/memory.test.js).
 */
export function memoryAfterLoad(sizes: Sizes, dtype: Dtype): number {
  return MODULE_BYTES + TOKENIZER_BYTES * sizes.vocab_size + weightBytes(sizes, dtype);
}

/** What a run of a text takes beside the weights: the logits and the values of one layer, as src/run/memory.rs counts them. */
export function runBytes(sizes: Sizes, tokens: number): number {
  const { n_embd: d, n_head: heads, vocab_size: vocabulary } = sizes;
  const neurons = sizes.attn_only ? 0 : (sizes.n_inner ?? 4 * d);
  const layer = 2 * heads * tokens ** 2 + tokens * (8 * d + 2 * neurons);
  return 4 * (tokens * vocabulary + layer);
}

/** Whether the weights and a run of a few tokens fit into what WebAssembly can address. */
export function fitsIntoWasm(sizes: Sizes, dtype: Dtype): boolean {
  return memoryAfterLoad(sizes, dtype) + runBytes(sizes, 64) <= MAX_WASM_BYTES;
}
