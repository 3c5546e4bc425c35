// What functions of interventions show, on the page in headless Chromium: below the list, of the text and the interventions that are
// on show and of no other.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";

import { DIST, eventually, settled, start, visit } from "./browser.js";
import { askModel, byKeyboard, pressTo } from "./lab-helpers.js";
import { models } from "./small-models.js";

/** @typedef {import("playwright-core").Page} Page */

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
before(async () => {
  site = await start(DIST, models);
});
after(async () => {
  await site?.stop();
});

const PROMPT = "The moon shines. The moon";
const path = `#prompt=${encodeURIComponent(PROMPT)}&layer=1&head=1`;

/** Adds a function at a point of a layer, through the form. @param {Page} page @param {string} js @param {string} [layer] */
async function add(page, js, layer = "1", { point = "attn.hook_pattern", head = "" } = {}) {
  await page.getByRole("button", { name: "+ intervention" }).click();
  const form = page.locator("intervention-panel");
  await form.locator("#kind").selectOption("js");
  await form.locator("#point").selectOption(point);
  await form.locator("#layer").fill(layer);
  await form.locator("#head").fill(head);
  await form.locator("#js").fill(js);
  await form.getByRole("button", { name: "Add" }).click();
  await form.waitFor({ state: "detached" });
}

/** What the list shows, as plain data. @param {Page} page */
const shown = (page) =>
  page.locator("shown-list").evaluateAll((elements) =>
    elements.flatMap((/** @type {any} */ element) =>
      element.shown.values.map((/** @type {any} */ { name, value }) => ({
        name,
        value: value?.data ? { shape: [...value.shape], data: [...value.data] } : value,
      })),
    ),
  );

/** Waits until a condition on what is shown holds. @param {Page} page @param {(found: any[]) => void} check */
const whenShown = async (page, check) => {
  await settled(page);
  return eventually(async () => check(await shown(page)));
};

/** @param {Page} page @param {string} text */
async function write(page, text) {
  await page.locator("#edit").click();
  await page.locator("#prompt").fill(text);
}

test("what a function shows is drawn below the list, with the numbers of a capture", async () => {
  await visit(site, { path }, async (page) => {
    await settled(page);
    await add(page, '(x, { show }) => { show(); show({ mean: 0.5, "of": ["a"] }); }', "1, 2");
    await whenShown(page, (found) => assert.equal(found.length, 4));
    const found = await shown(page);
    const wanted = await askModel(
      page,
      { text: PROMPT },
      `const { cache } = await model.runWithCache(given.text, { names: ["pattern", [1, 2]] });
      return cache.names().map((name) => ({ name, value: { shape: [...cache.get(name).shape], data: [...cache.get(name).data] } }));`,
    );
    assert.deepEqual([found[0], found[2]], wanted);
    const list = page.locator("shown-list");
    const [first, second] = [
      list.locator('[data-at="0"] > details'),
      list.locator('[data-at="2"] > details'),
    ];
    await first.locator("tensor-view").waitFor();
    assert.match(
      await first.locator("> summary").innerText(),
      /blocks\.1\.attn\.hook_pattern Tensor \[1, 4, \d+, \d+\]: batch, head, query, key/,
    );
    assert.equal(await second.locator("tensor-view").count(), 0, "one is drawn until asked");
    await second.locator("> summary").click();
    await second.locator("tensor-view").waitFor();
    const labels = await second
      .locator("tensor-view")
      .evaluate((/** @type {any} */ element) => element.tensor.labels);
    assert.equal(labels.query.join(""), PROMPT);
    assert.match(await list.locator("pre").first().innerText(), /mean: 0\.5, of: \["a"\]/);
  });
});

test("selected heads are shown with their numbers", async () => {
  await visit(site, { path }, async (page) => {
    await settled(page);
    await add(page, "(x, { show }) => show()", "1", { point: "attn.hook_z", head: "1, 3" });
    await whenShown(page, (found) => assert.equal(found.length, 1));
    const view = page.locator("shown-list tensor-view");
    await view.waitFor();
    await view.evaluate((/** @type {any} */ element) => {
      element.pins = [{ batch: 0, pos: 1, head: 1, d_head: 5 }];
    });
    const pin = view.locator(".pins li .go");
    await eventually(async () =>
      assert.equal(await pin.innerText(), "pos 1 ·moon, head 3, d_head 5"),
    );
    const [drawn, wanted] = await Promise.all([
      view.locator(".pins li .value").innerText(),
      askModel(
        page,
        { text: PROMPT },
        `const { cache } = await model.runWithCache(given.text, { names: ["z", 1] });
        return cache.get("z").at({ batch: 0, pos: 1, head: 3, d_head: 5 }).item();`,
      ),
    ]);
    assert.equal(Math.fround(Number(drawn.replace("−", "-"))), wanted);
  });
});

test("another text, a switch, a removal and another model leave nothing of the former on show", async () => {
  await visit(site, { path, expect: /404/ }, async (page) => {
    await settled(page);
    await add(page, "(x, { show, positions }) => show(positions.length)");
    let length = 0;
    await whenShown(page, ([one]) => {
      length = one.value;
      assert.ok(length > 3);
    });
    await write(page, `${PROMPT} is bright`);
    await whenShown(page, ([one]) => assert.ok(one.value > length));
    const toggle = page.locator('intervention-list [data-do="toggle"]');
    await toggle.uncheck();
    await whenShown(page, (found) => assert.deepEqual(found, []));
    await toggle.check();
    await whenShown(page, (found) => assert.equal(found.length, 1));
    // A text that cannot be read: the figure is dimmed, and so is what was shown.
    await write(page, "");
    await eventually(async () =>
      assert.equal(await page.locator("shown-list").getAttribute("stale"), ""),
    );
    await write(page, PROMPT);
    await whenShown(page, ([one]) => assert.equal(one.value, length));
    assert.equal(await page.locator("shown-list").getAttribute("stale"), null);
    await page.locator('intervention-list [data-do="remove"]').click();
    await eventually(async () => assert.equal(await page.locator("shown-list").count(), 0));
    await page.getByRole("button", { name: "undo" }).click();
    await whenShown(page, (found) => assert.equal(found.length, 1));
    await page.evaluate(() => {
      location.hash = "model=models/attention-only&ids=5,6,7,5,6";
    });
    await eventually(async () =>
      assert.equal(
        await page.evaluate(
          () => /** @type {any} */ (globalThis).candlescope.model.config.attn_only,
        ),
        true,
      ),
    );
    await settled(page);
    await eventually(async () => assert.deepEqual(await shown(page), []));
  });
});

test("while the model writes, nothing of the shorter text is on show", async () => {
  await visit(site, { path: `${path}&maxNewTokens=8` }, async (page) => {
    await settled(page);
    await add(page, "(x, { show, positions }) => show(positions.length)");
    let length = 0;
    await whenShown(page, ([one]) => {
      length = one.value;
    });
    // What is on show at each change of the figure's text.
    await page.evaluate(() => {
      const figure = /** @type {any} */ (document.querySelector("scope-figure"));
      const list = /** @type {any} */ (document.querySelector("intervention-list"));
      /** @type {any[][]} */
      const seen = [];
      Object.assign(globalThis, { seen });
      const { updated } = figure;
      figure.updated = function (/** @type {any} */ changed) {
        updated?.call(this, changed);
        if (!figure.stale && figure.reading)
          seen.push([
            figure.reading.ids.length,
            ...list.shown.values.map((/** @type {any} */ one) => one.value),
          ]);
      };
    });
    await page.getByRole("button", { name: "generate" }).click();
    await eventually(async () =>
      assert.deepEqual(
        (await shown(page)).map(({ value }) => value),
        [length + 8],
      ),
    );
    const seen = await page.evaluate(() => /** @type {any} */ (globalThis).seen);
    assert.ok(seen.length > 0);
    for (const [count, ...values] of seen)
      for (const value of values) assert.equal(value, count, JSON.stringify(seen));
  });
});

test("a value is opened with the keyboard alone, and axe finds nothing", async () => {
  for (const options of [{}, { dark: true }, { width: 390, height: 844 }])
    await visit(site, { path, ...options }, async (page) => {
      await settled(page);
      await add(page, "(x, { show }) => show()", "1, 2");
      await whenShown(page, (found) => assert.equal(found.length, 2));
      const second = page.locator('shown-list [data-at="1"] > details');
      if (!("width" in options))
        await byKeyboard(page, async () => {
          await page.locator('intervention-list [data-do="edit"]').focus();
          await pressTo(page, ({ name }) => name.startsWith("blocks.2.attn.hook_pattern"), {
            name: "the second value",
          });
          await page.keyboard.press("Enter");
          await second.locator("tensor-view").waitFor();
        });
      await page.evaluate(AXE);
      const found = await page.evaluate(async () => {
        const { violations, passes } = await /** @type {any} */ (globalThis).axe.run(
          document.querySelector("#interventions"),
        );
        return {
          passes: passes.length,
          violations: violations.flatMap((/** @type {any} */ { id, nodes }) =>
            nodes.map((/** @type {any} */ { html }) => `${id}: ${html}`),
          ),
          overflow: document.documentElement.scrollWidth - innerWidth,
        };
      });
      assert.ok(found.passes > 3);
      assert.deepEqual(found.violations, []);
      assert.equal(found.overflow, 0);
    });
});
