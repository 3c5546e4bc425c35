#!/usr/bin/env node
// Compares the speed of two builds of the page, in turns in one headless Chromium.
//
//     node bench/compare.mjs OLD NEW [ROUNDS]    OLD and NEW: folders written by `make build`, such as dist
//
// Prints the median times of both in milliseconds, and the median of the ratios of each round. Needs the model in
// bench/build/candlescope, which `make bench` makes.

import { existsSync, mkdtempSync, rmSync, symlinkSync, cpSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { chromium } from "playwright-core";

import { serve } from "../scripts/serve.mjs";
import { firstPattern } from "./browser/first-pattern.mjs";
import { median } from "./browser/statistics.mjs";

const MODEL = "bench/build/candlescope";

const [oldFolder, newFolder, rounds = "7"] = process.argv.slice(2);
if (!oldFolder || !newFolder || !existsSync(MODEL))
  throw new Error("expected two built folders, and bench/build/candlescope (make bench)");
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
  console.log("| measurement | old | new | new / old |\n| --- | --- | --- | --- |");
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

/** Calls a function in a page of that build. @param {Side} side @param {(argument: any) => Promise<number>} act @param {any} [argument] */
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

/** The first call caches the model. @param {Side} side */
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

/** From navigation to the first pattern, in a new profile. @param {Side} side */
async function pattern({ server }) {
  const browser = await chromium.launch(options);
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const { ms } = await firstPattern(context, server.url);
  await browser.close();
  return ms;
}
