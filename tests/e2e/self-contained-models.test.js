// Live HTML files with other models than the bundled one: from files of the visitor's disk, with answers to what the page asked, in
// several files of weights, or too large. The files are opened from a disk, offline.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";

import { eventually, settled, start, visit } from "./browser.js";
import { address } from "./lab-helpers.js";
import { randomModel } from "./small-models.js";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("node:http").ServerResponse} ServerResponse */

const SHAPE = { n_layer: 2, n_head: 2, n_embd: 8, n_positions: 32 };
const SHARDED = new URL("../fixtures/family/hf_bin_sharded/", import.meta.url);

/** What the server does with the next requests. @type {{ huge: boolean, held: ServerResponse[] }} */
const served = { huge: false, held: [] };

/** More than 100 MB, of which few are sent. */
const HUGE = gzipSync(Buffer.alloc(101e6));

/** @type {NonNullable<Parameters<typeof start>[1]>} */
function handle({ url = "" }, response) {
  const path = decodeURIComponent(new URL(url, "http://localhost").pathname);
  if (served.huge && path === "/standalone/worker.js") {
    served.held.push(response.writeHead(200));
    response.write("//");
    return true;
  }
  if (served.huge && path === "/models/random/model.safetensors") {
    response
      .writeHead(200, { "Content-Encoding": "gzip", "Content-Length": HUGE.length })
      .end(HUGE);
    return true;
  }
  const [, name, file] = /^\/models\/(random|sharded)\/(.+)$/.exec(path) ?? [];
  const bytes = name === "random" ? random[file] : name && fileOf(file);
  if (!bytes) return false;
  response.writeHead(200, { "Content-Length": bytes.length }).end(bytes);
  return true;
}

/** @param {string} file */
function fileOf(file) {
  try {
    return readFileSync(new URL(file.replaceAll(" ", "%20"), SHARDED));
  } catch {
    return undefined;
  }
}

const random = randomModel(SHAPE);

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
let folder = "";
before(async () => {
  site = await start(undefined, handle);
  folder = mkdtempSync(join(tmpdir(), "candlescope-live-"));
});
after(async () => {
  await site?.stop();
  rmSync(folder, { recursive: true });
});

/** The numbers that a figure draws. @param {Page} page */
const patterns = (page) =>
  page
    .locator("scope-figure")
    .evaluate((/** @type {any} */ { reading }) => [
      [...reading.ids],
      ...reading.patterns.map((/** @type {any} */ { data }) => [...data]),
    ]);

/** Exports the live HTML file, and compares its numbers with those of the page. @param {Page} page */
async function exportedSame(page) {
  await settled(page);
  const live = await patterns(page);
  await page.locator("#share").click();
  const button = page.locator('export-menu button[name="html-live"]');
  const [download] = await Promise.all([page.waitForEvent("download"), button.click()]);
  const path = join(folder, "live.html");
  await download.saveAs(path);
  const context = await site.browser.newContext();
  await context.setOffline(true);
  try {
    const opened = await context.newPage();
    opened.setDefaultTimeout(120_000);
    await opened.goto(pathToFileURL(path).href);
    await opened
      .locator(".error, error-notice .notice, load-question form")
      .or(opened.getByText("Live: computed here by"))
      .first()
      .waitFor();
    assert.equal(await opened.locator("load-question form").count(), 0);
    assert.deepEqual(await opened.locator(".error, error-notice .notice").allInnerTexts(), []);
    assert.deepEqual(await patterns(opened), live);
  } finally {
    await context.close();
  }
}

test("a model from a folder of the disk keeps its checkpoint, its parent's config and what was answered", async () => {
  const { n_head: _, ...config } = JSON.parse(String(random["config.json"]));
  const files = {
    "run/config.json": Buffer.from(JSON.stringify(config)),
    "run/tokenizer.json": random["tokenizer.json"],
    "run/checkpoint-1/model.safetensors": random["model.safetensors"],
    "run/checkpoint-2/model.safetensors": randomModel(SHAPE, 7)["model.safetensors"],
  };
  for (const [name, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), bytes);
  }
  await visit(site, {}, async (page) => {
    await settled(page);
    await page.locator("#choose").click();
    await page.locator("model-chooser input[name=directory]").setInputFiles(join(folder, "run"));
    const question = page.locator("load-question form");
    const load = question.getByRole("button", { name: "Load", exact: true });
    await question.locator('input[value*="checkpoint-2"]').check();
    await load.click();
    await question.locator('[name=n_head][value="2"]').check();
    await load.click();
    await page.waitForFunction(() =>
      /^run,/.test(document.querySelector("#model-name")?.textContent ?? ""),
    );
    await exportedSame(page);
  });
});

test("a model with weights in several files has all of them in it", async () => {
  await visit(
    site,
    { path: address({ model: "models/sharded", ids: [1, 2, 3, 1, 2] }), expect: /404/ },
    async (page) => {
      await exportedSame(page);
    },
  );
});

test("a tokenizer that was added is in the file", async () => {
  await visit(site, {}, async (page) => {
    await settled(page);
    await page.locator("#choose").click();
    const picked = (/** @type {string[]} */ names) =>
      names.map((name) => ({ name, mimeType: "application/octet-stream", buffer: random[name] }));
    await page
      .locator("model-chooser input[name=files]")
      .setInputFiles(picked(["config.json", "model.safetensors"]));
    await page.waitForFunction(() =>
      /^your files,/.test(document.querySelector("#model-name")?.textContent ?? ""),
    );
    await settled(page);
    await page.locator("add-tokenizer input").setInputFiles(picked(["tokenizer.json"]));
    await page.waitForFunction(() => !document.querySelector("#prompt")?.classList.contains("ids"));
    await page.locator("#prompt").fill("the moon, the moon");
    await exportedSame(page);
  });
});

test("a model that is larger than its transfer is refused, and the other downloads end", async () => {
  await visit(
    site,
    { path: address({ model: "models/random", prompt: "the moon" }) },
    async (page) => {
      await settled(page);
      await page.locator("#share").click();
      served.huge = true;
      try {
        let closed = false;
        await page.locator('export-menu button[name="html-live"]').click();
        await eventually(async () => {
          assert.equal(served.held.length, 1);
          served.held[0].once("close", () => (closed = true));
          closed ||= served.held[0].destroyed;
        });
        await page.locator("export-menu .note", { hasText: "at most 100.0 MB" }).waitFor();
        await eventually(async () => assert.ok(closed));
      } finally {
        served.huge = false;
        for (const one of served.held) one.destroy();
      }
    },
  );
});

test("the size of the HTML file is that of the file, and its script is requested once", async () => {
  /** @type {string[]} */
  const requests = [];
  await visit(site, {}, async (page) => {
    await settled(page);
    page.on("request", (request) => requests.push(request.url()));
    await page.locator("#share").click();
    const size = page
      .locator("export-menu li", { has: page.locator('button[name="html"]') })
      .locator(".size");
    const sizeText = () => size.innerText();
    const first = await eventually(async () => {
      const text = await sizeText();
      assert.match(text, /kB/);
      return text;
    });
    await page
      .locator("#prompt")
      .fill(
        "a text with more words than before: the moon and the sea and the stars, and all the rest of them",
      );
    await settled(page);
    const second = await eventually(async () => {
      const text = await sizeText();
      assert.ok(/kB/.test(text) && text !== first, text);
      return text;
    });
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.locator('export-menu button[name="html"]').click(),
    ]);
    assert.match(await download.suggestedFilename(), /\.html$/);
    await page.locator("export-menu .note", { hasText: second }).waitFor();
    assert.equal(requests.filter((url) => /standalone\/figure\.js/.test(url)).length, 1);
  });
});
