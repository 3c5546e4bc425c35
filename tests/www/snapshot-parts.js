// A small valid snapshot for tests, and changes of it.

import { writeSnapshot } from "../../www/api/snapshot/write.ts";

export const LAYERS = 2;
export const HEADS = 3;

/** A pattern of random weights under the causal mask. @param {number} length @param {number} seed */
export function pattern(length, seed) {
  const data = new Float32Array(HEADS * length * length);
  for (let row = 0; row < HEADS * length; row++) {
    const query = row % length;
    const weights = Array.from(
      { length: query + 1 },
      (_, key) => 1 + Math.sin(seed + row * 7 + key * 13),
    );
    const sum = weights.reduce((all, one) => all + one, 0);
    weights.forEach((weight, key) => {
      data[row * length + key] = weight / sum;
    });
  }
  return { data, shape: [1, HEADS, length, length], axes: ["batch", "head", "query", "key"] };
}

/** The parts of a figure of a text. @param {string[]} tokens @returns {import("../../www/api/snapshot/write.ts").FigureParts} */
export function parts(tokens) {
  const length = tokens.length;
  return {
    caption: "",
    model: {
      ...{ name: "tiny", source: "hf:somebody/tiny", dtype: "f32", parameterCount: 10 },
      config: { n_layer: LAYERS, n_head: HEADS, vocab_size: 50 },
    },
    reading: {
      ...{ text: tokens.join(""), isIds: false, dropped: 0, tokens },
      ids: Uint32Array.from(tokens, (_, at) => at),
      patterns: [pattern(length, 1), pattern(length, 2)],
      table: {
        data: Float32Array.from({ length: 3 * LAYERS * HEADS }, (_, at) => at / 20),
        shape: [3, LAYERS, HEADS],
        axes: ["score", "layer", "head"],
        labels: { score: ["previous_token", "duplicate_token", "induction"] },
      },
      logProbs: Float32Array.from({ length: length - 1 }, (_, at) => -1 - at / 3),
      loss: 1 + (length - 2) / 6,
    },
    state: { view: "attention", layer: 1, head: 2 },
    results: {},
  };
}

/** A valid snapshot as the text of its file. */
export const file = () => JSON.stringify(writeSnapshot(parts(["To", " be", " or"])));

/** @param {(data: any) => void} change */
export function changed(change) {
  const data = JSON.parse(file());
  change(data);
  return data;
}
