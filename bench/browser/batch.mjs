// Eight short texts as a batch and as eight runs, one after the other, through the API of the built page: on the bundled model and on
// a GPT-2 of 124 million random weights, with one thread and with all.

import { serve } from "../../scripts/serve.mjs";
import { makeModel } from "./lab-model.mjs";
import { openModel } from "./lab-page.mjs";
import { mapValues, warmMedian } from "./statistics.mjs";

const TEXTS = 8;
const LENGTHS = [8, 32];
const MODELS = { bundled: "dist/models/shakespeare/", "GPT-2 124M": "bench/build/lab/" };

/**
 * By model, threads and length: the times of the batch and of the runs.
 * @param {import("playwright-core").Browser} browser @param {number} rounds @param {string[]} [models]
 */
export async function measureBatches(browser, rounds, models = Object.keys(MODELS)) {
  if (models.includes("GPT-2 124M")) makeModel(MODELS["GPT-2 124M"]);
  const server = await serve({ root: "." });
  const found = [];
  try {
    for (const model of models)
      for (const isolated of [false, true])
        found.push(...(await measure(browser, server.url, model, isolated, rounds)));
  } finally {
    await server.close();
  }
  return found;
}

async function measure(browser, url, model, isolated, rounds) {
  const { page, threads, close } = await openModel(browser, url, MODELS[model], isolated);
  const found = [];
  for (const length of LENGTHS) {
    const times = { batch: [], runs: [] };
    for (let round = -1; round < rounds; round++) {
      const { batch, runs } = await page.evaluate(once, [TEXTS, length]);
      times.batch.push(batch);
      times.runs.push(runs);
    }
    found.push({ model, threads, length, texts: TEXTS, ...mapValues(times, warmMedian) });
  }
  await close();
  return found;
}

/** For page.evaluate. */
async function once([count, length]) {
  const { model } = window;
  const { vocab_size } = model.config;
  const texts = Array.from({ length: count }, (_, text) =>
    Uint32Array.from({ length }, (_, i) => ((text * length + i) * 7919 + 13) % vocab_size),
  );
  const timed = async (work) => {
    const start = performance.now();
    await work();
    return performance.now() - start;
  };
  return {
    batch: await timed(() => model.runWithCache(texts)),
    runs: await timed(async () => {
      for (const text of texts) await model.runWithCache(text);
    }),
  };
}
