// The engines on the same GPT-2 of 124M weights, each in a page of its own, measured in turns; and how the cost of
// Candlescope's forward pass grows. Times are in milliseconds.

const DECODED = 16;

/** Our engine and its peer with one precision and so many threads. @param {string} precision @param {number} threads */
const pair = (precision, threads) => [
  {
    name: "candlescope",
    precision,
    threads,
    make: ["candlescope", "relaxed", "/pkg", precision, threads],
  },
  {
    name: "onnxruntime-web",
    precision,
    threads,
    make: ["onnx", precision === "q8" ? "gpt2-int8.onnx" : "gpt2.onnx", threads],
  },
];

/**
 * Who runs: name, precision, threads, how its page makes it. Who is compared stands side by side: a machine that others share
 * is another one half a minute later.
 */
const CONTESTANTS = [
  {
    name: "candlescope, plain SIMD",
    precision: "f32",
    threads: 1,
    make: ["candlescope", "simd", "/pkg", "f32", 1],
  },
  ...pair("f32", 1),
  ...pair("f32", 2),
  { name: "wllama", precision: "q8", threads: 1, make: ["wllama", "gpt2-q8_0.gguf", 1] },
  ...pair("q8", 1),
  ...pair("q8", 2),
];

const QUESTIONS = [
  ["prefill 64", "prefill", 64],
  ["prefill 256", "prefill", 256],
  ["decode", "decode", DECODED],
];
/** Questions that take the slowest peer half a minute are asked it once. */
const PATIENCE_MS = 5000;

/** @param {import("playwright-core").Browser} browser @param {string} url @param {number} rounds @param {(found: object) => void} keep */
export async function race(browser, url, rounds, keep) {
  const machine = await open(browser, url, ["machine"]);
  const racers = [];
  for (const contestant of CONTESTANTS) {
    try {
      racers.push({ ...contestant, ...(await open(browser, url, contestant.make)), times: {} });
    } catch (error) {
      console.error(
        `${contestant.name} ${contestant.precision} does not run here: ${String(error).split("\n")[0]}`,
      );
    }
  }
  const limits = { read: [], simd: [], relaxed: [] };
  for (let round = -1; round < rounds; round++) {
    // the first one warms up
    for (const [id, question, argument] of QUESTIONS) {
      for (const limit of Object.keys(limits)) limits[limit].push(await machine.call(limit));
      for (const racer of racers) {
        const times = (racer.times[id] ??= []);
        if (times.length > 1 && times.at(-1) > PATIENCE_MS) continue;
        times.push(await racer.call(question, argument));
      }
    }
    console.error(round < 0 ? "warm" : `round ${round + 1} of ${rounds}`);
    if (round >= 0)
      keep({ rounds: round + 1, limits: mapped(limits, settled), racers: racers.map(summary) });
  }
}

function summary({ name, precision, threads, loading, memory, times }) {
  return { name, precision, threads, loading, memory, times: mapped(times, settled) };
}

/** The median of all but the first, which warmed up. */
function settled(values) {
  return median(values.length > 1 ? values.slice(1) : values);
}

/** Forward passes of growing length, with and without capturing everything, and of models of growing width and depth. */
export async function growth(browser, url, rounds) {
  const gpt2 = await open(browser, url, ["candlescope", "relaxed", "/pkg", "f32", 1]);
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
    byShape[`${layers} layers, ${width} wide`] = settled(times);
    await model.page.close();
  }
  return {
    byLength: mapped(byLength, settled),
    capture: { plain: settled(plain), captured: settled(captured) },
    byShape,
  };
}

/** A page of its own with one engine in it. */
async function open(browser, url, [engine, ...args]) {
  const page = await browser.newPage();
  await page.goto(`${url}bench/page.html`);
  await page.evaluate(
    async ([engine, args]) => {
      const engines = await import("/bench/engines.js");
      window.engine = await engines[engine](...args);
    },
    [engine, args],
  );
  const call = (name, ...args) =>
    page.evaluate(([name, args]) => window.engine[name](...args), [name, args]);
  const loading = await page.evaluate(() => window.engine.loading);
  return { page, call, loading, memory: engine === "machine" ? 0 : await call("memory") };
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

function mapped(record, change) {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}
