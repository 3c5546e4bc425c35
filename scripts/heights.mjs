#!/usr/bin/env node
// Measures how high figures are before and after they are drawn, in each view, for columns and texts of several sizes: what
// www/elements/scope/reserved.ts estimates. Needs the built page.
//
//     node --import tsx scripts/heights.mjs [VIEW...]
//
// Prints for each view and width, for each text: the drawn board, and in brackets how much the whole figure grew when it was drawn.

import { pathToFileURL } from "node:url";

import { start } from "../tests/e2e/browser.js";
import { figure, pageOf, startHost } from "../tests/e2e/host.js";
import { VIEWS } from "../www/elements/views/index.ts";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {{ reserved: number, before: number, after: number, board: number, blank: number, tokens: number, height: number }} Heights */

const WIDTHS = [320, 390, 600, 800, 1200];
/** Of 6, 11 and 34 tokens, and second prompts. */
const TEXTS = [
  ["To be, or not to", "To see, or not to"],
  ["To be, or not to be, that is the", "To see, or not to be, that is the"],
  [
    "To be, or not to be, that is the question: whether it is better in the mind to suffer the stings and the arrows of war, my lord",
    "To see, or not to be, that is the question: whether it is better in the mind to suffer the stings and the arrows of war, my lord",
  ],
];

/**
 * The heights of a figure in CSS pixels, while its model is loading and when it is drawn.
 * @param {Page} page with elements.js and a <main> @param {string} html the figure @param {number} width of its column @returns {Promise<Heights>}
 */
export async function heights(page, html, width) {
  const height = width < 480 ? 800 : 900;
  await page.setViewportSize({ width: width < 480 ? width : 1280, height });
  const { before, reserved } = await page.evaluate(
    async ({ html, width }) => {
      const main = /** @type {HTMLElement} */ (document.querySelector("main"));
      Object.assign(document.body.style, { margin: "0" });
      main.style.width = `${width}px`;
      main.innerHTML = html;
      const scope = /** @type {any} */ (main.firstElementChild);
      const load = scope.constructor.load;
      /** @type {() => void} */
      let go = () => {};
      const waits = new Promise((done) => (go = () => done(undefined)));
      scope.load = async (/** @type {any[]} */ ...given) => {
        await waits;
        return load(...given);
      };
      const frames = async () => {
        await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
        await scope.updateComplete;
      };
      for (let i = 0; i < 3; i++) await frames();
      const inner = scope.renderRoot.querySelector("scope-figure");
      const before = scope.getBoundingClientRect().height;
      const reserved = inner.renderRoot.querySelector(".board").getBoundingClientRect().height;
      go();
      return { before, reserved };
    },
    { html, width },
  );
  await page.waitForFunction(isDrawn, false);
  // On a slow machine, some views wait for their button.
  await page.evaluate(() => {
    const scope = /** @type {any} */ (document.querySelector("main > candle-scope"));
    const inner = scope.renderRoot.querySelector("scope-figure");
    if (inner.results[scope.view]?.isWaiting)
      inner.dispatchEvent(new CustomEvent("view-compute", { detail: scope.view }));
  });
  await page.waitForFunction(isDrawn, true);
  const drawn = await page.evaluate(async () => {
    const scope = /** @type {any} */ (document.querySelector("main > candle-scope"));
    for (let frame = 0; frame < 8; frame++) await new Promise(requestAnimationFrame);
    await scope.updateComplete;
    const inner = scope.renderRoot.querySelector("scope-figure");
    const board = inner.renderRoot.querySelector(".board");
    // The picture ends where the last part of the board does.
    const parts = [...board.children].filter((one) => one.checkVisibility());
    const ends = parts.map((one) => one.getBoundingClientRect().bottom);
    const box = board.getBoundingClientRect();
    const end = Math.max(...ends) - box.top;
    return {
      after: scope.getBoundingClientRect().height,
      board: end,
      blank: box.height - end,
      tokens: scope.reading.tokens.length,
      height: innerHeight,
    };
  });
  return { before, reserved, ...drawn };
}

/**
 * Whether the figure in <main> is drawn; an error of it is thrown. It runs in the page.
 * @param {boolean} isSettled its view has a result too, not only its text
 */
function isDrawn(isSettled) {
  const scope = /** @type {any} */ (document.querySelector("main > candle-scope"));
  if (scope.error) throw scope.error;
  const inner = scope.renderRoot.querySelector("scope-figure");
  const { reading, busy } = scope;
  return (
    reading &&
    !busy &&
    !inner.needs &&
    inner.matches(isSettled ? "[settled]:not([pending])" : ":not([pending])")
  );
}

/** The attributes of a figure with every view's second prompt and answer. @param {string} view @param {string[]} texts */
const attributesOf = (view, [prompt, corrupted]) =>
  `loading="eager" view="${view}" prompt="${prompt}" ${VIEWS[view].usesCorrupted ? `corrupted="${corrupted}"` : ""} ${VIEWS[view].usesAnswer ? `answer="&quot; the&quot;" against="&quot; a&quot;"` : ""}`;

async function main() {
  const site = await start();
  const host = await startHost({ pages: { "/page.html": pageOf("<p></p>") } });
  try {
    const page = await site.browser.newPage();
    page.setDefaultTimeout(120_000); // of a view that waits
    await page.goto(`${host.url}page.html`);
    await page.waitForFunction(() => customElements.get("candle-scope"));
    // Keeps the model in memory while figures come and go.
    await page.evaluate((html) => {
      const keep = document.createElement("div");
      document.body.append(keep);
      keep.innerHTML = html;
    }, figure('loading="eager" prompt="a"'));
    const names = process.argv.slice(2);
    for (const view of names.length > 0 ? names : Object.keys(VIEWS)) {
      console.log(view);
      for (const width of WIDTHS) {
        const cells = [];
        for (const texts of TEXTS) {
          const found = await heights(page, figure(attributesOf(view, texts)), width);
          const grown = Math.round(found.after - found.before);
          cells.push(
            `${String(Math.round(found.board)).padStart(5)} [${Math.round(found.reserved)}] ${grown >= 0 ? "+" : ""}${grown} ${found.blank > 1 ? `blank ${Math.round(found.blank)}` : ""}`.padEnd(
              30,
            ),
          );
        }
        console.log(`${String(width).padStart(6)}  ${cells.join(" ")}`);
      }
    }
  } finally {
    await site.stop();
    await host.stop();
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await main();
