// The page without a pointer: every view is opened, walked through and left with keys alone, and what has the focus is visible.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { settled, start, visit } from "./browser.js";
import { byKeyboard, focused, openViewByKeyboard, VIEW_NAMES } from "./lab-helpers.js";

/** @typedef {import("playwright-core").Page} Page */

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
before(async () => {
  site = await start();
});
after(() => site.stop());

/** More stops than this in one view are no use to anybody. */
const MAX_STOPS = 60;

/** Whether what has the focus is in the window, has a name, and shows its focus. @param {Page} page */
function focusIsShown(page) {
  return page.evaluate(() => {
    let element = document.activeElement;
    while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
    if (!element || element === document.body) return "nothing has the focus";
    const { outlineStyle, boxShadow } = getComputedStyle(element);
    // The focus of a part of a drawing is a stroke, of its own or of a shape in it.
    const isStroked =
      element instanceof SVGElement &&
      [element, ...element.querySelectorAll("*")].some(
        (shape) => getComputedStyle(shape).stroke !== "none",
      );
    const { width, height, bottom, top } = element.getBoundingClientRect();
    const what = `${element.localName}.${element.className} "${(element.getAttribute("aria-label") ?? element.textContent ?? "").trim().slice(0, 40)}"`;
    if (width === 0 || height === 0) return `${what} has no size`;
    if (bottom < 0 || top > innerHeight) return `${what} is outside of the window`;
    if (!element.matches(":focus-visible")) return `${what} does not show its focus`;
    if (outlineStyle === "none" && boxShadow === "none" && !isStroked)
      return `${what} has no outline`;
    return "";
  });
}

for (const name of VIEW_NAMES) {
  test(`the view ${name} is opened, walked through and left with keys alone`, async () => {
    await visit(site, {}, async (page) => {
      page.setDefaultTimeout(60_000);
      await settled(page);
      await byKeyboard(page, async () => {
        await openViewByKeyboard(page, name);
        const problems = [];
        let stops = 0;
        let isInside = false;
        for (let presses = 0; presses < 200; presses++) {
          await page.keyboard.press("Tab");
          const { path } = await focused(page);
          const isHere = /^scope-figure \S+-view\b/.test(path);
          if (isInside && !isHere) break;
          if (!isHere) continue;
          isInside = true;
          stops++;
          const problem = await focusIsShown(page);
          if (problem) problems.push(problem);
        }
        assert.deepEqual(problems, []);
        assert.ok(stops > 0 && stops <= MAX_STOPS, `${stops} stops`);
        // Back again, without a trap.
        await page.keyboard.press("Shift+Tab");
        const { path } = await focused(page);
        assert.match(path, /^scope-figure \S+-view\b/);
      });
    });
  });
}
