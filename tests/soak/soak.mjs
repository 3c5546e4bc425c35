#!/usr/bin/env node
// A session of many random actions on one page: `node tests/soak/soak.mjs [SECONDS [SEED]]`. It loads, runs and disposes of models,
// generates, intervenes and aborts; the worker is killed and hung. A repeated call must give the same bits, and the memory of the
// browser's processes must not grow.
//
// Needs dist/. Prints actions, calls, restarts and memory; the exit status is 1 if anything failed.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { start } from "../e2e/browser.js";

/** Memory is that of the browser's renderers, in samples between actions, each without a model and with a new worker. The
 *  smallest of the second half may be larger than that of the first by this factor. (Single samples vary by half: the engine
 *  decides when it gives pages back.) */
const GROWTH = 1.15;
const SAMPLES = 12;

const [seconds = "60", seed = "1"] = process.argv.slice(2);
process.exitCode = (await main(Number(seconds), Number(seed))) ? 0 : 1;

/** @param {number} seconds @param {number} seed */
async function main(seconds, seed) {
  const site = await start();
  try {
    const page = await site.browser.newPage();
    page.setDefaultTimeout(0);
    await page.route("**/soak/*", (route) => {
      const name = new URL(route.request().url()).pathname.split("/").at(-1) ?? "";
      const path = fileURLToPath(
        new URL(name === "random.js" ? "../fuzz/random.js" : name, import.meta.url),
      );
      return route.fulfill({
        body: readFileSync(path),
        contentType: "text/javascript",
        headers: { "Cross-Origin-Resource-Policy": "same-origin" },
      });
    });
    await page.goto(`${site.url}tensor.js`);
    const session = await page.evaluateHandle(async (seed) => {
      const { Session } = await import(new URL("soak/session.js", location.href).href);
      return new Session(seed, await import(new URL("candlescope.js", location.href).href));
    }, seed);
    const client = await site.browser.newBrowserCDPSession();
    const collector = await page.context().newCDPSession(page);
    const memory = [];
    for (let sample = 0; sample < SAMPLES; sample++) {
      await session.evaluate(
        (/** @type {any} */ one, ms) => one.work(ms),
        (seconds * 1000) / SAMPLES,
      );
      await session.evaluate((/** @type {any} */ one) => one.reset());
      await collector.send("HeapProfiler.collectGarbage");
      memory.push(await residentBytes(client));
    }
    const { actions, repeats, restarts, failures } = await session.evaluate(
      (/** @type {any} */ one) => one.report(),
    );
    if (process.env.VERBOSE) console.log(memory.map(megabytes).join(" "));
    const [early, late] = [
      Math.min(...memory.slice(0, SAMPLES / 2)),
      Math.min(...memory.slice(SAMPLES / 2)),
    ];
    if (late > early * GROWTH)
      failures.push(`memory grew from ${megabytes(early)} to ${megabytes(late)} MB`);
    if (restarts === 0 && seconds >= 20) failures.push("the worker was never restarted");
    for (const line of failures) console.log(`  ${line}`);
    console.log(
      `soak: ${actions} actions, ${repeats} repeated calls, ${restarts} restarts of the worker, memory ${megabytes(early)} then ${megabytes(late)} MB, ${failures.length} failures, seed ${seed}`,
    );
    return failures.length === 0;
  } finally {
    await site.stop();
  }
}

/** @param {import("playwright-core").CDPSession} client */
async function residentBytes(client) {
  const { processInfo } = /** @type {any} */ (await client.send("SystemInfo.getProcessInfo"));
  const renderers = processInfo.filter((/** @type {any} */ one) => one.type === "renderer");
  return renderers.reduce(
    (/** @type {number} */ sum, /** @type {any} */ { id }) => sum + resident(id),
    0,
  );
}

/** @param {number} pid */
function resident(pid) {
  const found = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(found?.[1] ?? 0) * 1024;
}

/** @param {number} bytes */
function megabytes(bytes) {
  return (bytes / 1e6).toFixed(0);
}
