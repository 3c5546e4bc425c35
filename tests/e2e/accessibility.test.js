// axe-core finds no violation on any view of the page, in the light and the dark theme and in forced colours, with panels
// closed and open, and on the page of one figure. The views are those of www/elements/views/index.ts, the panels those of the header.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";

import { settled, start } from "./browser.js";
import {
  address,
  compute,
  openView,
  ready,
  shown,
  TWO_PROMPTS,
  VIEW_NAMES,
} from "./lab-helpers.js";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("playwright-core").BrowserContextOptions} ContextOptions */

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
before(async () => {
  site = await start();
});
after(() => site.stop());

/** @type {Record<string, ContextOptions>} */
const MODES = {
  light: { colorScheme: "light" },
  dark: { colorScheme: "dark" },
  "forced colours": { forcedColors: "active" },
  "a phone": { viewport: { width: 390, height: 844 }, hasTouch: true },
};

/**
 * @param {ContextOptions} options @param {(page: Page) => Promise<void>} act @param {string} [address] @param {(page: Page) => Promise<unknown>} [drawn]
 */
async function withPage(options, act, address = "", drawn = settled) {
  const context = await site.browser.newContext({
    viewport: { width: 1440, height: 900 },
    reducedMotion: "reduce",
    ...options,
  });
  try {
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    await page.goto(site.url + address);
    await drawn(page);
    await page.evaluate(AXE);
    await act(page);
  } finally {
    await context.close();
  }
}

/** What axe finds on the page as it is: a line for each element. @param {Page} page @param {string} where @returns {Promise<string[]>} */
async function violations(page, where) {
  const found = await page.evaluate(async () => {
    const { violations, passes } = await /** @type {any} */ (globalThis).axe.run(document, {
      resultTypes: ["violations"],
    });
    return {
      checked: passes.length,
      lines: violations.flatMap((/** @type {any} */ { id, nodes }) =>
        nodes.map(
          (/** @type {any} */ { target, failureSummary, html }) =>
            `${id} at ${target.flat().join(" > ")}: ${failureSummary.split("\n").slice(1).join("; ").trim()} ${html.slice(0, 160)}`,
        ),
      ),
    };
  });
  assert.ok(found.checked > 10, "axe checked the page");
  return found.lines.map((/** @type {string} */ line) => `${where}: ${line}`);
}

for (const [mode, options] of Object.entries(MODES)) {
  test(`axe finds nothing on any view: ${mode}`, async () => {
    await withPage(
      options,
      async (page) => {
        const found = [];
        for (const name of VIEW_NAMES) {
          await openView(page, name);
          await compute(page);
          assert.ok((await shown(page)).pictures > 0, `${name} has a picture`);
          found.push(...(await violations(page, name)));
        }
        assert.deepEqual(found, []);
      },
      address(TWO_PROMPTS),
    );
  });

  test(`axe finds nothing on open panels: ${mode}`, async () => {
    await withPage(options, async (page) => {
      const found = [];
      const panels = await page
        .locator("header button[aria-controls]")
        .evaluateAll((buttons) => buttons.map(({ id }) => id));
      assert.ok(panels.length >= 3, `panels: ${panels}`);
      for (const id of panels) {
        await page.locator(`#${id}`).click();
        await page.locator(`#${id}[aria-expanded=true]`).waitFor();
        found.push(...(await violations(page, `#${id}`)));
        await page.locator(`#${id}`).click();
        await page.locator(`#${id}[aria-expanded=false]`).waitFor();
      }
      await page.locator("#parameters > summary").click();
      found.push(...(await violations(page, "parameters")));
      await page.locator("#parameters > summary").click();
      await page.locator("intervention-list button.add").click();
      await page.locator("intervention-panel form").waitFor();
      found.push(...(await violations(page, "an intervention")));
      await page.keyboard.press("Escape");
      await page.evaluate(() => void (location.hash = "lesson=induction&step=4"));
      await page.waitForFunction(() =>
        document.querySelector("lesson-panel")?.shadowRoot?.textContent?.includes("4 of"),
      );
      await ready(page);
      found.push(...(await violations(page, "a lesson")));
      assert.deepEqual(found, []);
    });
  });
}

/** The figure of embed.html is drawn. @param {Page} page */
const figureDrawn = (page) =>
  page.locator("candle-scope attention-pattern, candle-scope logit-lens").first().waitFor();

for (const [mode, options] of Object.entries(MODES))
  test(`axe finds nothing on a page of one figure: ${mode}`, async () => {
    /** @type {string[]} */
    const found = [];
    for (const state of ["layer=1&head=1&lock=5,1&off=0.1", "view=lens", "layer=9&parts=tokens"])
      await withPage(
        options,
        async (page) => {
          found.push(...(await violations(page, state)));
        },
        `embed.html#prompt=the+moon,+the+moon&${state}`,
        state.includes("parts") ? (page) => page.locator(".problems li").waitFor() : figureDrawn,
      );
    assert.deepEqual(found, []);
  });

test("axe finds nothing on the interventions: their form for each action, what is refused, and the effect", async () => {
  for (const options of [MODES.light, MODES.dark])
    await withPage(options, async (page) => {
      const found = [];
      await page.locator("#off").click();
      await page.waitForFunction(
        () => /** @type {any} */ (document.querySelector("intervention-effect")).effect,
      );
      await page.getByRole("button", { name: "+ intervention" }).click();
      const kind = page.locator("intervention-panel #kind");
      const kinds = await kind
        .locator("option")
        .evaluateAll((all) => all.map((one) => one.getAttribute("value") ?? ""));
      assert.ok(kinds.length >= 9, `${kinds}`);
      for (const one of kinds) {
        await kind.selectOption(one);
        found.push(...(await violations(page, one)));
      }
      await page.locator("intervention-panel #layer").fill("x");
      await page.getByRole("button", { name: "Add" }).click();
      found.push(...(await violations(page, "refused")));
      assert.deepEqual(found, []);
    });
});

test("axe notices a control without a name and text that is hard to read", async () => {
  await withPage({}, async (page) => {
    await page.evaluate(() => {
      const root = document.createElement("div").attachShadow({ mode: "open" });
      root.innerHTML = `<button id="nameless"></button><p style="color: #999; background: #fff">pale</p>`;
      document.querySelector("main")?.append(root.host);
    });
    const found = await violations(page, "page");
    assert.ok(
      found.some((line) => /button-name.*nameless/.test(line)),
      found.join("\n"),
    );
    assert.ok(
      found.some((line) => /color-contrast.*pale/.test(line)),
      found.join("\n"),
    );
  });
});
