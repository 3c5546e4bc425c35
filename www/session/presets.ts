// The models of the Hugging Face hub that the chooser offers, with what their configs say: what is downloaded, how long that
// takes, and the memory in each dtype. Nothing is requested before a model is chosen.

import { formatBytes } from "../draw/format.js";
import {
  type Dtype,
  fitsIntoWasm,
  MAX_WASM_BYTES,
  memoryAfterLoad,
  parameterCountOf,
  type Sizes,
} from "./memory.js";

/** A model that the chooser offers. */
export interface Preset {
  /** what `loadModel` takes */
  source: string;
  name: string;
  note: string;
  sizes: Sizes;
  /** of all files that a load requests */
  downloadBytes: number;
}

/** The causal mask that each layer of OpenAI's checkpoints holds beside its weights, in f32. It is downloaded and not used. */
const maskBytes = ({ n_layer: layers, n_positions: context }: Sizes) => layers * 4 * context ** 2;
/** config.json and tokenizer.json of GPT-2, and the header of the weights. */
const SMALL_FILES = 1.4e6;

function preset(
  source: string,
  name: string,
  note: string,
  [layers, heads, width]: number[],
): Preset {
  const sizes: Sizes = {
    ...{ n_layer: layers, n_head: heads, n_embd: width },
    ...{ n_positions: 1024, vocab_size: 50257 },
  };
  const downloadBytes = 4 * parameterCountOf(sizes) + maskBytes(sizes) + SMALL_FILES;
  return { source, name, note, sizes, downloadBytes };
}

/** OpenAI's four sizes, and the distilled one. Their files hold f32, whatever dtype they are kept in. */
export const PRESETS: readonly Preset[] = [
  preset("hf:distilbert/distilgpt2", "DistilGPT-2", "half the layers of GPT-2", [6, 12, 768]),
  preset("hf:openai-community/gpt2", "GPT-2", "the model of most papers", [12, 12, 768]),
  preset("hf:openai-community/gpt2-medium", "GPT-2 medium", "", [24, 16, 1024]),
  preset("hf:openai-community/gpt2-large", "GPT-2 large", "", [36, 20, 1280]),
  preset("hf:openai-community/gpt2-xl", "GPT-2 XL", "", [48, 25, 1600]),
];

/** Why a preset cannot be loaded in a dtype; null if it can. */
export function whyTooLarge({ sizes }: Preset, dtype: Dtype): string | null {
  if (fitsIntoWasm(sizes, dtype)) return null;
  return `needs ${formatBytes(memoryAfterLoad(sizes, dtype))} in ${dtype}, more than the ${formatBytes(MAX_WASM_BYTES)} (4 GiB) that WebAssembly can address`;
}

// ---- time ----

/** Rates of a connection to choose from, in megabits a second. */
export const MEGABITS: readonly number[] = [10, 50, 100, 500];

/** Bytes a second. */
export function bytesPerSecond(megabits: number): number {
  return (megabits * 1e6) / 8;
}

/**
 * Weights are converted while they arrive, no faster than this: 498 MB took 5.0 to 5.7 s on the machine of bench/README.md (f32 to q8, one
 * thread, November 2026).
 */
const CONVERTED_PER_SECOND = 90e6;

/** Seconds until a model is there. */
export function secondsToLoad(bytes: number, perSecond: number): number {
  return bytes / Math.min(perSecond, CONVERTED_PER_SECOND);
}

/** A time in words, as coarse as an estimate is: "about 40 s". */
export function formatDuration(seconds: number): string {
  if (seconds < 57.5) return `about ${Math.max(5, 5 * Math.round(seconds / 5))} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 100) return `about ${minutes} min`;
  return `about ${Math.round(minutes / 60)} hours`;
}

/** Milliseconds that GPT-2 (124M) takes to read 64 tokens in one thread on the machine of bench/README.md, where it was measured. */
const READ_64_MS: Partial<Record<Dtype, number>> = { f32: 682, q8: 476 };
const MEASURED_SIZES = {
  n_layer: 12,
  n_head: 12,
  n_embd: 768,
  n_positions: 1024,
  vocab_size: 50257,
};

/**
 * Seconds to read 64 tokens, as the number of parameters grows from GPT-2's; null in a dtype that was not measured.
 */
export function secondsToRead(sizes: Sizes, dtype: Dtype): number | null {
  const measured = READ_64_MS[dtype];
  if (measured === undefined) return null;
  return (measured / 1000) * (parameterCountOf(sizes) / parameterCountOf(MEASURED_SIZES));
}
