// The engines on the same GPT-2 with 124M random weights, each in its own page, measured in turns; and how the cost of
// Candlescope's forward pass grows. Times are in milliseconds.

import { mapValues, warmMedian } from "./statistics.mjs";

const DECODED_TOKENS = 16;

/** Candlescope without relaxed SIMD, in one thread. @param {string} precision */
const plain = (precision) => ({
  name: "candlescope, plain SIMD",
  precision,
  threads: 1,
  make: ["candlescope", "simd", "/pkg", precision, 1],
});

/** Candlescope at one precision and thread count. @param {string} precision @param {number} threads */
const only = (precision, threads) => ({
  name: "candlescope",
  precision,
  threads,
  make: ["candlescope", "fastest", "/pkg", precision, threads],
});

/** Candlescope and onnxruntime-web at one precision and thread count. @param {string} precision @param {number} threads */
const pair = (precision, threads) => [
  only(precision, threads),
  {
    name: "onnxruntime-web",
    precision,
    threads,
    make: ["onnx", precision === "q8" ? "gpt2-int8.onnx" : "gpt2.onnx", threads],
  },
];

/**
 * The engines: name, precision, threads, and the arguments of `engines.js`. Engines that are compared stand side by side, because
 * the load of a shared machine changes within half a minute.
 */
const ENGINES = [
  plain("f32"),
  ...pair("f32", 1),
  ...pair("f32", 2),
  { name: "wllama", precision: "q8", threads: 1, make: ["wllama", "gpt2-q8_0.gguf", 1] },
  plain("q8"),
  ...pair("q8", 1),
  only("q4", 1),
  ...pair("q8", 2),
  only("q4", 2),
];

const MEASUREMENTS = [
  ["prefill 64", "prefill", 64],
  ["prefill 256", "prefill", 256],
  ["decode", "decode", DECODED_TOKENS],
];
/** A measurement that took longer than this is not repeated after the first round: the slowest peer needs half a minute. */
const SLOW_MS = 5000;

/** @param {import("playwright-core").Browser} browser @param {string} url @param {number} rounds @param {(results: object) => void} save */
export async function race(browser, url, rounds, save) {
  const machine = await open(browser, url, ["machine"]);
  const racers = [];
  for (const engine of ENGINES) {
    try {
      racers.push({ ...engine, ...(await open(browser, url, engine.make)), times: {} });
    } catch (error) {
      console.error(
        `${engine.name} ${engine.precision} does not run here: ${String(error).split("\n")[0]}`,
      );
    }
  }
  const limits = { read: [], readTwo: [], simd: [], relaxed: [] };
  for (let round = -1; round < rounds; round++) {
    // round -1 is the warm-up
    for (const [id, method, argument] of MEASUREMENTS) {
      for (const limit of Object.keys(limits)) limits[limit].push(await machine.call(limit));
      for (const racer of racers) {
        const times = (racer.times[id] ??= []);
        if (times.length > 1 && times.at(-1) > SLOW_MS) continue;
        times.push(await racer.call(method, argument));
      }
    }
    console.error(round < 0 ? "warm" : `round ${round + 1} of ${rounds}`);
    if (round >= 0)
      save({
        rounds: round + 1,
        limits: mapValues(limits, warmMedian),
        racers: racers.map(summary),
      });
  }
}

function summary({ name, precision, threads, loading, memory, times }) {
  return { name, precision, threads, loading, memory, times: mapValues(times, warmMedian) };
}

/** Forward passes of growing length, with and without capturing every default hook point, and of models of growing width and depth. */
export async function growth(browser, url, rounds) {
  const gpt2 = await open(browser, url, ["candlescope", "fastest", "/pkg", "f32", 1]);
  const lengths = [16, 64, 256, 512, 1024];
  const byLength = Object.fromEntries(lengths.map((tokens) => [tokens, []]));
  for (let round = -1; round < rounds; round++) {
    for (const tokens of lengths) byLength[tokens].push(await gpt2.call("prefill", tokens));
  }
  const [plain, captured] = [[], []];
  for (let round = -1; round < 2 * rounds; round++) {
    plain.push(await gpt2.call("prefill", 256));
    captured.push(await gpt2.call("capture", 256));
  }
  await gpt2.page.close();
  const byShape = {};
  for (const [layers, width] of [
    [4, 256],
    [4, 512],
    [4, 768],
    [8, 256],
    [12, 256],
  ]) {
    const model = await open(browser, url, [
      "randomModel",
      { n_layer: layers, n_embd: width, n_head: width / 64 },
    ]);
    const times = [];
    for (let round = -1; round < rounds; round++) times.push(await model.call("prefill", 64));
    byShape[`${layers} layers, ${width} wide`] = warmMedian(times);
    await model.page.close();
  }
  return {
    byLength: mapValues(byLength, warmMedian),
    capture: { plain: warmMedian(plain), captured: warmMedian(captured) },
    byShape,
  };
}

/** Opens a page with one engine in it. */
async function open(browser, url, [engine, ...args]) {
  const page = await browser.newPage();
  await page.goto(`${url}bench/browser/page.html`);
  await page.evaluate(
    async ([engine, args]) => {
      const engines = await import("/bench/browser/engines.js");
      window.engine = await engines[engine](...args);
    },
    [engine, args],
  );
  const call = (name, ...args) =>
    page.evaluate(([name, args]) => window.engine[name](...args), [name, args]);
  const loading = await page.evaluate(() => window.engine.loading);
  return { page, call, loading, memory: engine === "machine" ? 0 : await call("memory") };
}
