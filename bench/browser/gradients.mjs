// A forward pass, and a forward with its backward pass, through the API of the built page on a GPT-2 of 124 million random weights,
// with one thread and with all: the gradient of a difference of two logits, and of the loss, at the embeddings.

import { serve } from "../../scripts/serve.mjs";
import { makeModel } from "./lab-model.mjs";
import { openModel } from "./lab-page.mjs";
import { mapValues, warmMedian } from "./statistics.mjs";

const FOLDER = "bench/build/lab/";
const TOKENS = 64;

/** By threads: the times of the three. @param {import("playwright-core").Browser} browser @param {number} rounds */
export async function measureGradients(browser, rounds) {
  makeModel(FOLDER);
  const server = await serve({ root: "." });
  const found = [];
  try {
    for (const isolated of [false, true]) {
      const { page, threads, close } = await openModel(browser, server.url, FOLDER, isolated);
      const times = { forward: [], difference: [], loss: [] };
      for (let round = -1; round < rounds; round++) {
        const once = await page.evaluate(measure, TOKENS);
        for (const [what, ms] of Object.entries(once)) times[what].push(ms);
      }
      found.push({ threads, tokens: TOKENS, ...mapValues(times, warmMedian) });
      await close();
    }
  } finally {
    await server.close();
  }
  return found;
}

/** For page.evaluate. */
async function measure(count) {
  const { model } = window;
  const { vocab_size } = model.config;
  const ids = Uint32Array.from({ length: count }, (_, i) => (i * 7919 + 13) % vocab_size);
  const timed = async (options) => {
    const start = performance.now();
    await model.runWithCache(ids, options);
    return performance.now() - start;
  };
  const names = ["hook_embed"];
  return {
    forward: await timed({ names }),
    difference: await timed({ names, gradientsOf: { answer: 11, against: 13 } }),
    loss: await timed({ names, gradientsOf: { loss: true } }),
  };
}
