#!/usr/bin/env node
// Prints the bytes that scenarios transfer, by the requests of headless Chromium: `node --import tsx scripts/sizes.mjs [--files]`.
// Scripts, styles, wasm and JSON are counted in brotli at its highest level, weights as they are, because hosts do not compress
// them. With --files, each file of each scenario, the largest first.

import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync } from "node:zlib";

import { DIST, settled, start } from "../tests/e2e/browser.js";
import { drawn, pageOf, startHost } from "../tests/e2e/host.js";

const WEIGHTS = /\.(safetensors|gguf)$/;
const TEXT = "To be, or not to be";
/** More than 32 tokens. */
const LONG_TEXT =
  "the moon and the sea and the moon and the sea, and the moon, the sea, the moon, the sea, the moon, and the sea and the moon";
const F16 = "models/shakespeare";
const Q8 = "models/shakespeare/shakespeare-q8.gguf";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {{ path: string, raw: number, sent: number }} Transfer */

/** @type {Map<string, Promise<Transfer>>} */
const transfers = new Map();

/** @param {string} path in dist/ @returns {Promise<Transfer>} */
function transferOf(path) {
  const known = transfers.get(path);
  if (known) return known;
  const found = readFile(join(DIST, path)).then((bytes) => ({
    path,
    raw: bytes.length,
    sent: WEIGHTS.test(path) ? bytes.length : brotliCompressSync(bytes).length,
  }));
  transfers.set(path, found);
  return found;
}

/** @param {number} bytes */
const kb = (bytes) => `${(bytes / 1000).toFixed(1)} kB`.padStart(12);

/** The chunk with the elements that the page defines after its first pattern: those that www/page/deferred.ts imports. */
async function deferredChunk() {
  const module = await readFile(new URL("../www/page/deferred.ts", import.meta.url), "utf8");
  const names = [...module.matchAll(/\/define\/([\w-]+)\.js/g)].map(([, name]) => name);
  for (const path of await readdir(DIST)) {
    if (!/^chunk-.*\.js$/.test(path)) continue;
    const text = await readFile(join(DIST, path), "utf8");
    if (names.length > 0 && names.every((name) => text.includes(`"${name}"`))) return path;
  }
  throw new Error("no chunk of dist/ defines the elements of www/page/deferred.ts");
}

/**
 * What a page with a figure, or the lab, requests until it is drawn.
 * @param {string} body of a page of another program, or empty for the lab itself
 * @param {string} [script] what the page loads
 * @returns {Promise<Transfer[]>}
 */
export async function scenario(body, script = "/cs/figure.js") {
  const deferred = await deferredChunk();
  const host = await startHost({ pages: { "/page.html": pageOf(body, script) } });
  const site = await start();
  try {
    const page = await site.browser.newPage();
    /** @type {string[]} */
    const asked = [];
    page.on("request", (request) => asked.push(new URL(request.url()).pathname));
    if (body) {
      await page.goto(`${host.url}page.html`);
      await drawn(page);
    } else {
      // They may be requested before the pattern is drawn, so their script is never answered.
      await page.route(`**/cs/${deferred}`, () => {});
      await page.goto(`${host.url}cs/index.html`);
      await settled(page);
    }
    // The host also sees what workers request.
    const paths = new Set([...asked, ...host.asked].filter((path) => path.startsWith("/cs/")));
    paths.delete(`/cs/${deferred}`);
    const files = [...paths].map((path) => path.replace("/cs/", ""));
    const there = files.filter((path) => existsSync(join(DIST, path)));
    const found = await Promise.all(there.map(transferOf));
    return found.sort((a, b) => b.sent - a.sent);
  } finally {
    await site.stop();
    await host.stop();
  }
}

/**
 * Files that the lab exports of a longer text, as they are.
 * @param {readonly string[]} entries of the menu @returns {Promise<{ tokens: number, files: Buffer[] }>}
 */
async function exported(entries) {
  const site = await start();
  try {
    const page = await site.browser.newPage();
    await page.goto(`${site.url}#prompt=${encodeURIComponent(LONG_TEXT)}`);
    await settled(page);
    const tokens = await page
      .locator("scope-figure")
      .evaluate((/** @type {any} */ { reading }) => reading.ids.length);
    await page.locator("#share").click();
    const files = [];
    for (const entry of entries) {
      const button = page.locator(`export-menu button[name="${entry}"]`);
      const [download] = await Promise.all([page.waitForEvent("download"), button.click()]);
      files.push(await readFile(await download.path()));
    }
    return { tokens, files };
  } finally {
    await site.stop();
  }
}

/** @param {Transfer} transfer */
export const isOfModel = ({ path }) => path.startsWith("models/");

/** @param {readonly Transfer[]} transfers */
export const sum = (transfers) => transfers.reduce((all, { sent }) => all + sent, 0);

/** @param {string} attributes */
export const figureOf = (attributes) =>
  `<candle-scope ${attributes} prompt="${TEXT}"></candle-scope>`;

async function main() {
  const isLong = process.argv.includes("--files");
  console.log(
    `${"".padEnd(48)}${["program", "model", "together"].map((word) => word.padStart(12)).join("")}`,
  );
  for (const [name, body] of [
    ["the page, first pattern", ""],
    ["a figure with the model in q8, first pattern", figureOf(`model="/cs/${Q8}"`)],
    ["a figure with the model in f16, first pattern", figureOf(`model="/cs/${F16}"`)],
  ]) {
    const found = await scenario(body);
    const model = found.filter(isOfModel);
    const program = found.filter((one) => !isOfModel(one));
    console.log(`${name.padEnd(48)}${[sum(program), sum(model), sum(found)].map(kb).join("")}`);
    if (isLong)
      for (const { path, raw, sent } of found)
        console.log(`  ${path.padEnd(46)}${kb(sent)} (${kb(raw).trim()} raw)`);
  }
  const { tokens, files } = await exported(["snapshot", "html", "html-live"]);
  const script = (await transferOf("snapshot.js")).sent;
  const data = brotliCompressSync(files[0]).length;
  const of = `of ${tokens} tokens`;
  console.log(
    `${`a snapshot ${of}: script, data`.padEnd(48)}${[script, data, script + data].map(kb).join("")}`,
  );
  console.log(`${`an HTML file ${of}, uncompressed`.padEnd(72)}${kb(files[1].length)}`);
  console.log(
    `${`the same with the program and the model in f16`.padEnd(72)}${kb(files[2].length)}`,
  );
  const wasm = (await readdir(join(DIST, "pkg"))).filter((name) => /_secondary\.wasm$/.test(name));
  for (const name of wasm)
    console.log(
      `${`later, on demand: pkg/${name}`.padEnd(48)}${kb((await transferOf(`pkg/${name}`)).sent)}`,
    );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
