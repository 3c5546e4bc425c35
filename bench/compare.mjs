#!/usr/bin/env node
// Two builds of the page in one browser, in turns: `node bench/compare.mjs OLD NEW [ROUNDS]`, each a folder as `make build`
// leaves it in dist/. Tells whether a change costs time: medians of both, and the median of the ratios round by round.
// Comes in: the two folders and the model of bench/build (`make bench` makes it). Times are in milliseconds.

import { existsSync, mkdtempSync, rmSync, symlinkSync, cpSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { serve } from "../scripts/serve.mjs";
import { median } from "./race.mjs";

const MODEL = "bench/build/candlescope";
const QUIET_WORK_MS = 3000;
/** A new window of the browser is busy with itself for so long. */
const WINDOW_OPENS_MS = 1500;

const [oldFolder, newFolder, rounds = "7"] = process.argv.slice(2);
if (!oldFolder || !newFolder || !existsSync(MODEL))
  throw new Error("expected two built folders, and bench/build/candlescope (make bench)");
const { chromium } = await import("./node_modules/playwright-core/index.mjs").catch(
  () => import("playwright-core"),
);
const scratch = mkdtempSync(join(tmpdir(), "candlescope-compare-"));
const options = {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox"],
};
const sides = await Promise.all(
  [oldFolder, newFolder].map(async (folder, side) => {
    const root = join(scratch, `site${side}`);
    cpSync(folder, root, { recursive: true });
    symlinkSync(resolve(MODEL), join(root, "measured"));
    return {
      server: await serve({ root }),
      visitor: await chromium.launchPersistentContext(join(scratch, `profile${side}`), {
        ...options,
        viewport: { width: 1440, height: 900 },
      }),
    };
  }),
);
const MEASURES = {
  "load 124M from the network": network,
  "load 124M from storage": storage,
  "first pattern, new profile": pattern,
  "decode 124M, per token": decode,
  "prefill 124M, 64 tokens": prefill,
};
/** @type {Record<string, number[][]>} */
const times = Object.fromEntries(Object.keys(MEASURES).map((name) => [name, [[], []]]));
try {
  for (let round = -1; round < Number(rounds); round++) {
    for (const [name, measure] of Object.entries(MEASURES)) {
      for (const side of round % 2 ? [0, 1] : [1, 0]) {
        const ms = await measure(sides[side]);
        if (round >= 0) times[name][side].push(ms);
      }
    }
  }
  console.log("| measure | old | new | new / old |\n| --- | --- | --- | --- |");
  for (const [name, [before, after]] of Object.entries(times)) {
    const ratio = median(before.map((value, i) => after[i] / value));
    console.log(
      `| ${name} | ${median(before).toFixed(1)} ms | ${median(after).toFixed(1)} ms | ${ratio.toFixed(3)} |`,
    );
  }
} finally {
  for (const { server, visitor } of sides) {
    await visitor.close();
    await server.close();
  }
  rmSync(scratch, { recursive: true });
}

/** @typedef {typeof sides[number]} Side */

/** A page beside the public API. @param {Side} side @param {(argument: any) => Promise<number>} act @param {any} [argument] */
async function inPage({ server, visitor }, act, argument) {
  const page = await visitor.newPage();
  try {
    await page.goto(`${server.url}tensor.js`);
    return await page.evaluate(act, argument);
  } finally {
    await page.close();
  }
}

/** @param {Side} side */
function network(side) {
  return inPage(side, async () => {
    const { loadModel } = await import(new URL("candlescope.js", location.href).href);
    const start = performance.now();
    await loadModel("./measured", { keep: false });
    return performance.now() - start;
  });
}

/** The first call keeps the model. @param {Side} side */
function storage(side) {
  return inPage(side, async () => {
    const { loadModel, storedModels } = await import(new URL("candlescope.js", location.href).href);
    const start = performance.now();
    await loadModel("./measured");
    const ms = performance.now() - start;
    while (!(await storedModels()).some(({ address }) => address.includes("measured")))
      await new Promise((done) => setTimeout(done, 50));
    return ms;
  });
}

/** @param {Side} side */
function decode(side) {
  return inPage(side, async () => {
    const { loadModel } = await import(new URL("candlescope.js", location.href).href);
    const model = await loadModel("./measured");
    const ids = Uint32Array.from({ length: 64 }, (_, i) => (i * 7919) % 50257);
    let start = 0,
      count = 0;
    for await (const _ of model.generate(ids, { maxNewTokens: 17, stopAtEos: false }))
      if (count++ === 0) start = performance.now();
    return (performance.now() - start) / (count - 1);
  });
}

/** @param {Side} side */
function prefill(side) {
  return inPage(side, async () => {
    const { loadModel } = await import(new URL("candlescope.js", location.href).href);
    const model = await loadModel("./measured");
    const ids = Uint32Array.from({ length: 64 }, (_, i) => (i * 7919) % 50257);
    const times = [];
    for (let i = 0; i < 4; i++) {
      const start = performance.now();
      await model.runWithCache(ids);
      times.push(performance.now() - start);
    }
    return times.sort((a, b) => a - b)[1];
  });
}

/** From navigation in a new profile until the pattern is drawn. @param {Side} side */
async function pattern({ server }) {
  const browser = await chromium.launch(options);
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  await page.waitForTimeout(WINDOW_OPENS_MS);
  await page.goto(server.url, { waitUntil: "commit" });
  const ms = await page.evaluate(
    () =>
      new Promise((done) => {
        const look = () => {
          const figure = /** @type {any} */ (document.querySelector("scope-figure"));
          const cells =
            figure?.reading &&
            figure.shadowRoot
              .querySelector("attention-pattern")
              ?.shadowRoot?.querySelector("canvas.cells");
          const pixels =
            cells?.width &&
            cells.getContext("2d").getImageData(0, cells.height >> 1, cells.width, 1).data;
          if (
            pixels &&
            pixels.some(
              (/** @type {number} */ value, /** @type {number} */ i) => i % 4 === 3 && value > 0,
            )
          )
            done(performance.now());
          else requestAnimationFrame(look);
        };
        look();
      }),
  );
  await page.waitForTimeout(QUIET_WORK_MS);
  await browser.close();
  return /** @type {number} */ (ms);
}
