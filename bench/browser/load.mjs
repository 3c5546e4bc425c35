// Loading a GPT-2 of 124 million random weights from this machine's network in each dtype, in turns, each in a new page and not from
// the browser's storage.

import { serve } from "../../scripts/serve.mjs";
import { makeModel } from "./lab-model.mjs";
import { mapValues, warmMedian } from "./statistics.mjs";

const FOLDER = "bench/build/lab/";
const DTYPES = ["f32", "f16", "q8", "q4"];

/** The number of threads, and by dtype the time from the call of `loadModel` to the model. @param {import("playwright-core").Browser} browser @param {number} rounds */
export async function measureLoads(browser, rounds) {
  makeModel(FOLDER);
  const server = await serve({ root: "." });
  const times = Object.fromEntries(DTYPES.map((dtype) => [dtype, []]));
  let threads = 1;
  try {
    for (let round = -1; round < rounds; round++)
      for (const dtype of DTYPES) {
        const loaded = await load(browser, server.url, dtype);
        times[dtype].push(loaded.time);
        threads = loaded.threads;
      }
  } finally {
    await server.close();
  }
  return { threads, times: mapValues(times, warmMedian) };
}

async function load(browser, url, dtype) {
  const context = await browser.newContext();
  const page = await context.newPage();
  page.setDefaultTimeout(600_000);
  await page.goto(`${url}dist/tensor.js`);
  const loaded = await page.evaluate(
    async ([url, folder, dtype]) => {
      const { loadModel } = await import(`${url}dist/candlescope.js`);
      const start = performance.now();
      const model = await loadModel(url + folder, { dtype, keep: false });
      return { time: performance.now() - start, threads: model.backend.threads };
    },
    [url, FOLDER, dtype],
  );
  await context.close();
  return loaded;
}
