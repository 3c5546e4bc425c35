// Opens a page that uses the package, and reads what it computed and drew.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";

import { serve } from "../../scripts/serve.mjs";
import { eventually, visit } from "../e2e/browser.js";

/** @typedef {{ loss: number, pattern: number[], lens: number[], generated: string, backend: { build: string, threads: number } }} Numbers */

/**
 * Opens the page and waits for its numbers, for the first pattern of its figure, and for the script of a helper thread if it has
 * several threads. Fails for an error on the console.
 * @param {import("playwright-core").Browser} browser
 * @param {string} url
 * @param {string[]} paths what the server was asked for
 * @returns {Promise<Numbers>}
 */
export async function numbersOn(browser, url, paths) {
  /** @type {Numbers | undefined} */
  let numbers;
  await visit({ browser, url, stop: async () => {} }, {}, async (page) => {
    await page.waitForFunction(() => /** @type {any} */ (globalThis).numbers);
    await page.locator("candle-scope attention-pattern canvas").first().waitFor();
    numbers = await page.evaluate(() => /** @type {any} */ (globalThis).numbers);
    if (numbers?.backend.threads === 1) return;
    await eventually(() => assert.ok(paths.some(isHelper), `no helper among ${paths.join(" ")}`));
  });
  assert.ok(numbers);
  return numbers;
}

/**
 * The numbers that dist/ computes, which the package is compared with.
 * @param {Awaited<ReturnType<typeof import("../e2e/browser.js").start>>} dist
 * @param {import("./project.js").Project} project
 * @returns {Promise<Numbers>}
 */
export async function numbersInDist({ browser, url }, project) {
  const source = await readFile(project.path("numbers.js"), "utf8");
  const page = await browser.newPage();
  await page.goto(`${url}pkg/candlescope.js`); // a file that starts nothing
  const numbers = await page.evaluate(async (source) => {
    const { loadModel } = await import(new URL("/candlescope.js", location.href).href);
    const { numbersOf } = await import(`data:text/javascript,${encodeURIComponent(source)}`);
    return numbersOf(await loadModel("/models/shakespeare"));
  }, source);
  await page.close();
  return numbers;
}

/** Whether a path is that of a helper thread's script. Bundlers add a hash to its name. @param {string} path */
const isHelper = (path) => /helper[^/]*\.js/.test(path);

/** @typedef {import("node:http").IncomingMessage} Request */

/**
 * Serves a folder and keeps the paths that were requested.
 * @param {string} root
 */
export async function recordingServer(root) {
  /** @type {string[]} */
  const paths = [];
  const record = (/** @type {Request} */ { url = "" }) => {
    paths.push(url);
    return false;
  };
  return { ...(await serve({ root, handle: record })), paths };
}
