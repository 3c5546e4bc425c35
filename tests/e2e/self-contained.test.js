// HTML files with everything in them: they open from a disk, without a network, alone or with the model.

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { after, before, test } from "node:test";

import { levelOf } from "../../www/draw/scale.ts";
import { cellAt, drawn as cells, eventually, settled, start, visit } from "./browser.js";
import { address } from "./lab-helpers.js";
import { drawn } from "./host.js";
import { frozen } from "./snapshots.js";

/** @typedef {import("playwright-core").Page} Page */

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
let folder = "";
before(async () => {
  site = await start();
  folder = await mkdtemp(join(tmpdir(), "candlescope-html-"));
});
after(async () => {
  await site?.stop();
  await rm(folder, { recursive: true });
});

/** More than 32 tokens, with what could end a script. */
const TEXT =
  "the moon and the sea and the moon and the sea </script><!-- and the moon, the sea, the moon, the sea, the moon";

/**
 * Exports what the page shows, opens the file from the disk, and lets the browser request nothing.
 * @param {Record<string, unknown>} state @param {string} entry
 * @param {(page: Page, file: { text: string, live: Awaited<ReturnType<typeof cells>> }) => Promise<void>} act
 */
async function exported(state, entry, act) {
  const path = join(folder, `${entry}.html`);
  let live = /** @type {any} */ (null);
  await visit(site, { path: address(state) }, async (page) => {
    await settled(page);
    live = await cells(page).catch(() => null);
    await page.locator("#share").click();
    const button = page.locator(`export-menu button[name="${entry}"]`);
    const [download] = await Promise.all([page.waitForEvent("download"), button.click()]);
    await download.saveAs(path);
  });
  const context = await site.browser.newContext({ viewport: { width: 1440, height: 900 } });
  await context.setOffline(true);
  const page = await context.newPage();
  page.setDefaultTimeout(120_000);
  /** @type {string[]} */
  const requests = [];
  /** @type {string[]} */
  const errors = [];
  page.on("request", (request) => requests.push(request.url()));
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  try {
    await page.goto(pathToFileURL(path).href);
    await act(page, { text: await readFile(path, "utf8"), live });
    const network = requests.slice(1).filter((url) => !/^(blob|data):/.test(url));
    assert.deepEqual([network, errors], [[], []]);
  } finally {
    await context.close();
  }
}

test("the HTML file of 32 tokens is smaller than 300 kB, and draws what the page drew, offline", async () => {
  await exported({ prompt: TEXT, layer: 1, head: 2 }, "html", async (page, { text, live }) => {
    await frozen(page);
    console.log(`# ${text.length} bytes`);
    assert.ok(text.length < 300_000, `${text.length} bytes`);
    const { reading, layer, head } = await page
      .locator("scope-figure")
      .evaluate((/** @type {any} */ { reading, layer, head }) => ({
        reading: { text: reading.text, count: reading.ids.length },
        ...{ layer, head },
      }));
    assert.ok(reading.count >= 32, `${reading.count} tokens`);
    assert.deepEqual([reading.text, layer, head], [TEXT, 1, 2]);
    const found = await cells(page);
    const same = live.colours.filter(
      (/** @type {number[]} */ one, /** @type {number} */ at) =>
        String(one) === String(found.colours[at]),
    );
    assert.ok(same.length > 0.99 * live.colours.length, `${same.length} cells are the same`);
    const { x, y } = await cellAt(page, 5, 2);
    await page.mouse.click(x, y);
    await eventually(async () => {
      const lock = await page
        .locator("scope-figure")
        .evaluate((/** @type {any} */ one) => one.lock);
      assert.deepEqual(lock, { query: 5, key: 2 });
    });
    for (const view of ["lines", "log-probability", "scores"]) {
      await page.getByRole("button", { name: view, exact: true }).click();
      await frozenView(page);
    }
    assert.equal(await page.getByRole("button", { name: "run live" }).count(), 0);
  });
});

/** @param {Page} page */
const frozenView = (page) =>
  page.locator("scope-figure").evaluate(
    (/** @type {any} */ one) =>
      new Promise((done) => {
        const look = () => (one.needs ? requestAnimationFrame(look) : done(undefined));
        look();
      }),
  );

test("a view with more code makes a larger file that draws it too", async () => {
  const state = { prompt: "the moon, the moon", view: "stream" };
  await exported(state, "html", async (page) => {
    await page.locator("stream-view").waitFor();
    await frozenView(page);
    assert.equal(await page.locator("[role=alert] .error").count(), 0);
  });
});

for (const [entry, wait] of /** @type {const} */ ([
  ["embed-live", drawn],
  ["embed-snapshot", frozen],
]))
  test(`the HTML of ${entry} shows the same on another page`, async () => {
    const state = {
      prompt: 'To be, "or" <not> & to be',
      layer: 2,
      head: 1,
      scale: "sqrt",
      off: "1.0",
    };
    await visit(site, { path: address(state) }, async (page) => {
      await settled(page);
      const live = await cells(page);
      await page.locator("#share").click();
      await page.locator("export-menu").getByLabel("caption").fill("A <caption>");
      // Cells are compared exactly: the live figure has the weights of the page.
      await page
        .locator("export-menu select[name=embed-weights]")
        .selectOption("models/shakespeare");
      const meaning = page.locator("#meaning-embed-weights");
      await eventually(async () => assert.match(await meaning.innerText(), /numbers of this page/));
      await page.locator(`export-menu button[name="${entry}"]`).click();
      const copied = await eventually(async () => {
        const text = await page.locator("#copy").inputValue();
        assert.match(text, /<script type="module"/);
        return text;
      });
      const body = `<!doctype html><title>A post</title><link rel="icon" href="data:,">${copied}`;
      await page.route("**/post.html", (route) =>
        route.fulfill({ body, contentType: "text/html; charset=utf-8" }),
      );
      await page.goto(`${site.url}post.html`);
      await wait(page);
      const { text, layer, head, scale } = await page
        .locator("scope-figure")
        .evaluate((/** @type {any} */ { reading, layer, head, scale }) => ({
          text: reading.text,
          ...{ layer, head, scale },
        }));
      assert.deepEqual(
        { text, layer, head, scale },
        { text: state.prompt, layer: 2, head: 1, scale: "sqrt" },
      );
      const found = await cells(page);
      // Rounding moves a small value by at most one of the 256 colours, also under the square root.
      live.colours.forEach((one, at) => {
        const [before, after] = [one, found.colours[at]].map((colour) =>
          levelOf(/** @type {[number, number, number]} */ (colour.slice(0, 3)), "light"),
        );
        assert.ok(Math.abs(before - after) <= (entry === "embed-live" ? 0 : 1), `cell ${at}`);
      });
      assert.ok(await page.getByText("A <caption>").isVisible());
      const { interventions } = await page
        .locator("candle-scope, candle-snapshot")
        .first()
        .evaluate((/** @type {any} */ one) => ({
          interventions: one.localName === "candle-scope" ? one.off.length : 1,
        }));
      assert.equal(interventions, 1);
    });
  });

test("the live HTML file computes offline, from a disk", async () => {
  await exported({ prompt: TEXT, layer: 1, head: 2 }, "html-live", async (page, { text, live }) => {
    console.log(`# ${text.length} bytes`);
    await page.getByText("Live: computed here by").waitFor();
    const found = await cells(page);
    assert.deepEqual(found.colours, live.colours);
    await page.locator("candle-scope").evaluate((one) => {
      Object.assign(one, { prompt: "the king, the king", view: "lens" });
    });
    await page.locator("logit-lens .cell").first().waitFor();
    const read = await page
      .locator("candle-scope")
      .evaluate((/** @type {any} */ one) => one.reading.text);
    assert.equal(read, "the king, the king");
    assert.equal(page.workers().length, 1);
  });
});
