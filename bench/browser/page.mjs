// The built page: the time until the first pattern, the bytes transferred until then, the frame times of a large grid of heads
// under a moving pointer, and the longest tasks of the main thread while the model generates.

import { readFileSync } from "node:fs";
import { brotliCompressSync } from "node:zlib";
import { serve } from "../../scripts/serve.mjs";
import { firstPattern } from "./first-pattern.mjs";
import { median } from "./statistics.mjs";

/** @param {import("playwright-core").Browser} browser @param {number} rounds */
export async function measurePage(browser, rounds) {
  const server = await serve({ root: "dist" });
  try {
    const cold = [],
      again = [];
    let transferred;
    for (let round = -1; round < rounds; round++) {
      const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
      const first = await firstPattern(context, server.url);
      const second = await firstPattern(context, server.url);
      await context.close();
      if (round < 0) continue;
      cold.push(first.ms);
      again.push(second.ms);
      if (!first.files.some((path) => path.endsWith(".wasm")))
        throw new Error(`no wasm among ${first.files}`);
      transferred = first.files;
    }
    return {
      firstPattern: { cold: median(cold), again: median(again) },
      files: sizes(transferred),
      drawing: await drawing(browser, server.url),
      writing: await writing(browser, server.url),
    };
  } finally {
    await server.close();
  }
}

/** Bytes of the scripts and the wasm, raw and in brotli. @param {string[]} paths */
function sizes(paths) {
  const total = { raw: 0, brotli: 0, files: {} };
  for (const path of paths) {
    if (!/\.(js|wasm)$/.test(path)) continue;
    const bytes = readFileSync(`dist/${path}`);
    const brotli = brotliCompressSync(bytes).length;
    total.files[path] = { raw: bytes.length, brotli };
    total.raw += bytes.length;
    total.brotli += brotli;
  }
  return total;
}

/** Frame times while the pointer moves over 12 by 12 heads, each with a pattern of 64 by 64 numbers. */
async function drawing(browser, url) {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  await page.goto(`${url}tensor.js`);
  const frames = await page.evaluate(async () => {
    await import("/elements.js");
    const { Tensor } = await import("/tensor.js");
    document.documentElement.innerHTML = "<body></body>";
    const [tokens, heads] = [64, 12];
    const grid = document.createElement("attention-heads");
    grid.patterns = Array.from({ length: 12 }, (_, layer) => {
      const data = new Float32Array(heads * tokens * tokens);
      for (let head = 0; head < heads; head++) {
        for (let query = 0; query < tokens; query++) {
          for (let key = 0; key <= query; key++)
            data[(head * tokens + query) * tokens + key] =
              ((query * 31 + key * 17 + head * 7 + layer) % 97) / 97 / (query + 1);
        }
      }
      return new Tensor(data, [1, heads, tokens, tokens], ["batch", "head", "query", "key"]);
    });
    document.body.append(grid);
    await new Promise((done) => setTimeout(done, 500));
    const long = [];
    new PerformanceObserver((list) =>
      long.push(...list.getEntries().map((entry) => entry.duration)),
    ).observe({ type: "longtask" });
    const times = [];
    const box = grid.getBoundingClientRect();
    let last = await new Promise(requestAnimationFrame);
    for (let i = 0; i < 240; i++) {
      const [x, y] = [
        box.left + ((i * 37) % Math.max(1, box.width)),
        box.top + ((i * 23) % Math.max(1, Math.min(box.height, innerHeight))),
      ];
      const target = document.elementFromPoint(x, y) ?? grid;
      (target.shadowRoot?.elementFromPoint(x, y) ?? target).dispatchEvent(
        new PointerEvent("pointermove", { clientX: x, clientY: y, bubbles: true, composed: true }),
      );
      const now = await new Promise(requestAnimationFrame);
      times.push(now - last);
      last = now;
    }
    return { times, long, height: box.height };
  });
  await page.close();
  if (!(frames.height > 0)) throw new Error("the grid of heads was not drawn");
  return {
    medianFrame: median(frames.times),
    longestFrame: Math.max(...frames.times),
    longTasks: frames.long.length,
  };
}

const GENERATED_TOKENS = 64;

/** Tasks of the main thread over 50 ms while the model generates `GENERATED_TOKENS` tokens. */
async function writing(browser, url) {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  await page.goto(url);
  await page.waitForFunction(
    () =>
      document.querySelector("scope-figure")?.reading &&
      !document.querySelector("next-tokens").disabled,
  );
  await page.waitForTimeout(2000); // the background work after the first pattern
  const found = await page.evaluate(async (count) => {
    const figure = document.querySelector("scope-figure");
    const before = figure.reading.ids.length;
    const long = [];
    const observer = new PerformanceObserver((list) =>
      long.push(...list.getEntries().map((entry) => entry.duration)),
    );
    observer.observe({ type: "longtask" });
    const start = performance.now();
    const sampling = {
      maxNewTokens: count,
      doSample: true,
      temperature: 1,
      topK: 50,
      topP: 1,
      seed: 1,
    };
    document
      .querySelector("next-tokens")
      .dispatchEvent(
        new CustomEvent("generate", { detail: sampling, bubbles: true, composed: true }),
      );
    while (figure.reading.ids.length < before + count)
      await new Promise((done) => setTimeout(done, 20));
    const ms = performance.now() - start;
    await new Promise((done) => setTimeout(done, 300)); // long-task entries arrive late
    return { ms, longTasks: long.length, longestTask: Math.max(0, ...long) };
  }, GENERATED_TOKENS);
  await page.close();
  return { tokens: GENERATED_TOKENS, ...found };
}
