// What the page shows stays where it is: while elements that the first pattern does not need are defined, and when a token is locked.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { eventually, figureState, settled, start, visit } from "./browser.js";

/** @typedef {import("playwright-core").Page} Page */

const MODULE = new URL("../../www/page/deferred.ts", import.meta.url);
const DEFERRED = [...readFileSync(MODULE, "utf8").matchAll(/\/define\/([\w-]+)\.js/g)].map(
  ([, name]) => name,
);
assert.ok(DEFERRED.length > 5, "the imports of deferred.ts were found");

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
before(async () => {
  site = await start();
});
after(() => site.stop());

/** The place of each part of the figure. @param {Page} page */
const places = (page) =>
  page.evaluate(() => {
    const figure = /** @type {any} */ (document.querySelector("scope-figure"));
    const parts = [".strip", ".views", ".row", ".tools", ".board", ".view", ".aside"].map(
      (selector) => [selector, figure.renderRoot.querySelector(selector)],
    );
    const samples = document.querySelector("lesson-samples");
    return [...parts, ["the figure", figure], ["the samples", samples]].map(([name, element]) => {
      const { x, y, width, height } = element.getBoundingClientRect();
      return [name, x, y, width, height];
    });
  });

for (const [name, options] of Object.entries({
  "a wide page": {},
  "a page of 700 px": { width: 700 },
  "a phone": { width: 390, height: 844, touch: true },
}))
  test(`nothing moves when the deferred elements are defined: ${name}`, async () => {
    /** Keeps the definitions until the test asks for them. @param {Page} page */
    const hold = (page) =>
      page.addInitScript((later) => {
        /** @type {(() => void)[]} */
        const held = [];
        const define = customElements.define.bind(customElements);
        customElements.define = (name, ...others) => {
          if (later.includes(name)) held.push(() => define(name, ...others));
          else define(name, ...others);
        };
        Object.assign(globalThis, { held });
      }, DEFERRED);
    await visit(site, { ...options, before: hold }, async (page) => {
      await settled(page);
      await page.waitForFunction(
        (count) => /** @type {any} */ (globalThis).held.length === count,
        DEFERRED.length,
      );
      const former = await places(page);
      await page.evaluate(() => {
        for (const define of /** @type {any} */ (globalThis).held) define();
      });
      await page.waitForFunction(() =>
        document
          .querySelector("intervention-list")
          ?.shadowRoot?.querySelector("button.add:not(:disabled)"),
      );
      await page.evaluate(async (names) => {
        const elements = [...document.querySelectorAll(names.join())];
        await Promise.all(elements.map((/** @type {any} */ one) => one.updateComplete));
        for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
      }, DEFERRED);
      assert.deepEqual(await places(page), former);
    });
  });

test("nothing moves when a token is locked", async () => {
  await visit(site, {}, async (page) => {
    await settled(page);
    await page.locator("intervention-list button.add:not(:disabled)").waitFor();
    const former = await places(page);
    await page.locator('.token[data-position="3"]').click();
    await page.getByRole("button", { name: "release (Esc)" }).waitFor();
    await eventually(async () => assert.deepEqual((await figureState(page)).lock, { query: 3 }));
    assert.deepEqual(await places(page), former);
  });
});
