// The example for Observable, run by Observable's runtime on a page of another origin.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { build } from "esbuild";

import { start, visit } from "../e2e/browser.js";
import { startHost } from "../e2e/host.js";

const NOTEBOOK = new URL("../../docs/examples/observable.js", import.meta.url).pathname;

/** Shows the values of the notebook's cells, as Observable does. @param {string} site where candlescope is */
const page = (site) => `
  import { Runtime } from "@observablehq/runtime";
  import { Library } from "@observablehq/stdlib";
  import define from ${JSON.stringify(NOTEBOOK)};

  const cells = {};
  const observer = (name) => ({
    fulfilled(value) {
      if (!(value instanceof Node)) return;
      cells[name] ??= document.body.appendChild(document.createElement("div"));
      cells[name].replaceChildren(value);
    },
    rejected(error) {
      console.error(name, error);
    },
  });
  const main = new Runtime(new Library()).module(define, observer);
  main.redefine("site", () => ${JSON.stringify(site)});`;

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
/** @type {Awaited<ReturnType<typeof startHost>>} */
let host;
/** @type {Awaited<ReturnType<typeof startHost>>} */
let observable;
before(async () => {
  [site, host, observable] = await Promise.all([start(), startHost(), startHost()]);
  const { outputFiles } = await build({
    stdin: { contents: page(`${host.url}cs/`), resolveDir: import.meta.dirname },
    bundle: true,
    format: "esm",
    write: false,
    outdir: "/",
  });
  observable.pages["/notebook.js"] = outputFiles[0].text;
  observable.pages["/notebook.html"] =
    '<!doctype html><title>notebook</title><body><script type="module" src="notebook.js"></script>';
});
after(async () => {
  await site?.stop();
  await host?.stop();
  await observable?.stop();
});

test("the notebook draws a figure, which follows the text of another cell", async () => {
  await visit({ ...site, url: observable.url }, { path: "notebook.html" }, async (page) => {
    const drawn = (/** @type {string} */ text) =>
      page.waitForFunction((text) => {
        const figure = /** @type {any} */ (document.querySelector("candle-scope"));
        return figure?.reading?.text === text;
      }, text);
    await drawn("the moon, the moon, the moon");
    await page.locator("candle-scope attention-pattern canvas").first().waitFor();
    await page.locator("input").fill("To be, or not to be");
    await drawn("To be, or not to be");
  });
});

test("the cells in the comment are those that run", async () => {
  const [comment, code] = (await readFile(NOTEBOOK, "utf8")).split("\n\n", 2);
  const cells = [...comment.matchAll(/^\/\/ {5}(?:viewof )?(\w+) = (.*)$/gm)];
  assert.equal(cells.length, 4);
  const plain = (/** @type {string} */ text) => text.replace(/\s+/g, "");
  for (const [, , cell] of cells) {
    const value = cell.replace(/^\(elements, (.*)\)$/, "$1");
    assert.ok(plain(code).includes(plain(value)), cell);
  }
});
