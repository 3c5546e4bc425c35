// A headless Chromium on the built page, for the tests in this folder.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

import { serve } from "../../scripts/serve.mjs";

/** @typedef {import("playwright-core").Page} Page */

/**
 * The browser; CHROMIUM may name another one. The headless shell has the same engine as Chromium and takes about half of the processor
 * time, because it draws no window. tests/engines opens the whole browser.
 */
export const CHROMIUM = [
  process.env.CHROMIUM,
  "/usr/bin/chromium-headless-shell",
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
].find((path) => path && existsSync(path));

/** The built page; DIST may name another build. */
export const DIST = process.env.DIST ?? new URL("../../dist", import.meta.url).pathname;

/**
 * @param {string} [root] the folder to serve
 * @param {Parameters<typeof serve>[0]["handle"]} [handle] answers requests before the folder does, as in `serve`
 */
export async function start(root = DIST, handle) {
  const server = await serve({ root, handle });
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
  return {
    url: server.url,
    browser,
    stop: async () => {
      await browser.close();
      await server.close();
    },
  };
}

/**
 * A page of the site without code that runs. Its global variables are the public API as `api`; `failure(call)`, the name and the message
 * of what a call throws, or "none"; and `collect(steps)`, the steps of a generation.
 * @param {Awaited<ReturnType<typeof start>>} site
 */
export async function openApi(site) {
  const page = await site.browser.newPage();
  await page.goto(`${site.url}tensor.js`); // any file of the site: it is shown as text
  await page.evaluate(async (url) => {
    const failure = async (/** @type {() => unknown} */ call) => {
      try {
        await call();
        return "none";
      } catch (/** @type {any} */ error) {
        return `${error.name}: ${error.message}`;
      }
    };
    const collect = async (/** @type {AsyncIterable<any>} */ steps) => {
      const all = [];
      for await (const step of steps) all.push(step);
      return all;
    };
    const api = await import(`${url}candlescope.js`);
    Object.assign(globalThis, { api, failure, collect });
  }, site.url);
  return page;
}

/**
 * Runs the body of an async function with the global variables of a page.
 * @param {Page} page @param {string} body @returns {Promise<any>}
 */
export const inPage = (page, body) => page.evaluate(`(async () => { ${body} })()`);

/**
 * Opens a page, does something with it, and finds no error on it that was not expected.
 * @param {Awaited<ReturnType<typeof start>>} site
 * @param {{ path?: string, width?: number, height?: number, dark?: boolean, touch?: boolean, ratio?: number, expect?: RegExp, before?: (page: Page) => Promise<unknown> }} options
 *   expect: errors that may be reported; before: what to do before the page opens
 * @param {(page: Page) => Promise<void>} act
 */
export async function visit(
  site,
  { path = "", width = 1440, height = 900, dark = false, touch = false, ratio = 1, expect, before },
  act,
) {
  const context = await site.browser.newContext({
    viewport: { width, height },
    colorScheme: dark ? "dark" : "light",
    deviceScaleFactor: ratio,
    hasTouch: touch,
    reducedMotion: "reduce",
  });
  const page = await context.newPage();
  page.setDefaultTimeout(120_000); // a machine may be busy with other work
  /** @type {string[]} */
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") errors.push(message.text());
  });
  try {
    await before?.(page);
    await page.goto(site.url + path);
    await act(page);
    assert.deepEqual(
      errors.filter((error) => !expect?.test(error)),
      [],
    );
  } finally {
    await context.close();
  }
}

/** How long a condition may take on a machine that is busy with other work. */
const PATIENCE_MS = 60_000;

/**
 * Repeats a check until it passes: what follows an action comes in a later task or frame.
 * @template T @param {() => T | Promise<T>} check throws while the condition does not hold @returns {Promise<T>}
 * @throws what the check threw last, after a minute
 */
export async function eventually(check) {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (performance.now() > end) throw error;
      await new Promise((again) => setTimeout(again, 20));
    }
  }
}

/** Waits until the text in the box is the one that is drawn. @param {Page} page */
export async function settled(page) {
  await page.waitForFunction(() => {
    const figure = /** @type {any} */ (document.querySelector("scope-figure"));
    const prompt = /** @type {HTMLTextAreaElement | null} */ (document.querySelector("#prompt"));
    return figure?.reading && !figure.stale && (!prompt || figure.reading.text === prompt.value);
  });
  await page.evaluate(async () => {
    const figure = /** @type {any} */ (document.querySelector("scope-figure"));
    await figure.updateComplete;
    const view = figure.renderRoot.querySelector("attention-view");
    await view?.renderRoot.querySelector("attention-pattern")?.updateComplete;
    await new Promise((done) => requestAnimationFrame(done));
  });
}

/** What the figure shows, as plain data. @param {Page} page */
export function figureState(page) {
  return page.evaluate(() => {
    const { layer, head, lock, view, scale, direction, reading } = /** @type {any} */ (
      document.querySelector("scope-figure")
    );
    return {
      layer,
      head,
      lock,
      view,
      scale,
      direction,
      text: reading?.text,
      count: reading?.ids.length,
    };
  });
}

/**
 * The colour of every cell of the large pattern, which is that of all its pixels, and the geometry that says where cells are.
 * @param {Page} page @returns {Promise<{ count: number, colours: number[][], size: number, cell: number }>}
 */
export function drawn(page) {
  return page
    .locator("attention-pattern")
    .first()
    .evaluate((/** @type {any} */ element) => {
      const { fit, view } = element.geometry;
      const canvas = element.renderRoot.querySelector(".cells");
      const copy = new OffscreenCanvas(fit.size, fit.size).getContext("2d", {
        willReadFrequently: true,
      });
      copy?.drawImage(canvas, 0, 0);
      const data = copy?.getImageData(0, 0, fit.size, fit.size).data ?? [];
      const colours = [];
      for (let row = 0; row < fit.cells; row++) {
        for (let column = 0; column < fit.cells; column++) {
          const at =
            4 *
            ((row * fit.cell + (fit.cell >> 1)) * fit.size + column * fit.cell + (fit.cell >> 1));
          colours.push([...data.slice(at, at + 4)]);
        }
      }
      const pixels = new Uint32Array(Uint8ClampedArray.from(data).buffer);
      pixels.forEach((colour, at) => {
        const [row, column] = [
          Math.floor(Math.floor(at / fit.size) / fit.cell),
          Math.floor((at % fit.size) / fit.cell),
        ];
        if (colour !== pixels[row * fit.cell * fit.size + column * fit.cell])
          throw new Error(`the cell at ${row}, ${column} has two colours`);
      });
      return { count: view.count, colours, size: canvas.width, cell: fit.cell };
    });
}

/**
 * The pattern of one head that the public API captures for a text.
 * @param {Page} page @param {{ text: string, layer: number, head: number }} what @returns {Promise<number[]>} row by row
 */
export function captured(page, what) {
  return page.evaluate(async ({ text, layer, head }) => {
    const { loadModel } = await import(new URL("candlescope.js", location.href).href);
    const model = await loadModel("models/shakespeare");
    const { cache } = await model.runWithCache(text, {
      names: [`blocks.${layer}.attn.hook_pattern`],
    });
    const { data } = cache.get(`blocks.${layer}.attn.hook_pattern`).at({ batch: 0, head });
    model.dispose();
    return [...data];
  }, what);
}

/** The middle of a cell of the large pattern, in the window. @param {Page} page @param {number} query @param {number} key */
export function cellAt(page, query, key) {
  return page
    .locator("attention-pattern")
    .first()
    .evaluate(
      (/** @type {any} */ element, [query, key]) => {
        element.scrollIntoView({ block: "center" });
        const { view, pitch } = element.geometry;
        const box = element.renderRoot.querySelector(".cells").getBoundingClientRect();
        return {
          x: box.left + (key - view.column + 0.5) * pitch,
          y: box.top + (query - view.row + 0.5) * pitch,
        };
      },
      [query, key],
    );
}
