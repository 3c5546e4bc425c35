// Snapshots of the bundled model for tests of figures, and what such a figure draws.

import { openApi } from "./browser.js";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("../../www/api/snapshot/format.ts").Snapshot} Snapshot */

/**
 * What model.snapshot gives for texts and their options.
 * @param {Awaited<ReturnType<typeof import("./browser.js").start>>} site
 * @param {readonly { text: string, options?: Record<string, unknown> }[]} figures
 * @returns {Promise<Snapshot[]>}
 */
export async function takeSnapshots(site, figures) {
  const page = await openApi(site);
  const texts = await page.evaluate(
    async ({ figures, url }) => {
      const { loadModel } = /** @type {any} */ (globalThis).api;
      const model = await loadModel(`${url}models/shakespeare`);
      const taken = [];
      for (const { text, options } of figures)
        taken.push(JSON.stringify(await model.snapshot(text, options)));
      return taken;
    },
    { figures, url: site.url },
  );
  await page.close();
  return texts.map((text) => JSON.parse(text));
}

/** A snapshot as a script inside of an element. @param {unknown} snapshot */
export function inlined(snapshot) {
  const text = typeof snapshot === "string" ? snapshot : JSON.stringify(snapshot);
  return `<script type="application/json">${text.replaceAll("<", "\\u003c")}</script>`;
}

/** Waits until every figure of the page draws its snapshot. @param {Page | import("playwright-core").Frame} page */
export async function frozen(page) {
  await page
    .locator("candle-snapshot attention-pattern, candle-snapshot logit-lens")
    .first()
    .waitFor();
  await page.waitForFunction(() => {
    /** @type {(root: ParentNode) => any[]} */
    const figures = (root) =>
      [...root.querySelectorAll("*")].flatMap((/** @type {any} */ one) => [
        ...(one.localName === "scope-figure" ? [one] : []),
        ...(one.shadowRoot ? figures(one.shadowRoot) : []),
      ]);
    const found = figures(document);
    return found.length > 0 && found.every((one) => one.reading && !one.needs);
  });
}
