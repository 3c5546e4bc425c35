// The example for Jupyter: its cells are run by Python, and what they show is opened on a page of another origin, as a notebook is.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, before, test } from "node:test";

import { start, visit } from "./browser.js";
import { startHost } from "./host.js";
import { frozen } from "./snapshots.js";

const PYTHON = new URL("../../.tools/python/bin/python", import.meta.url).pathname;
const CELLS = new URL("cells.py", import.meta.url).pathname;
const NOTEBOOK = new URL("../../docs/examples/jupyter.ipynb", import.meta.url).pathname;

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
/** @type {Awaited<ReturnType<typeof startHost>>} */
let host;
/** Where the notebook is: another origin. @type {Awaited<ReturnType<typeof startHost>>} */
let jupyter;
/** @type {string[]} */
let shown;
before(async () => {
  [site, host, jupyter] = await Promise.all([start(), startHost(), startHost()]);
  const { status, stdout, stderr } = spawnSync(PYTHON, [CELLS, NOTEBOOK], {
    encoding: "utf8",
    env: { ...process.env, CANDLESCOPE: `${host.url}cs` },
  });
  assert.equal(status, 0, stderr);
  shown = JSON.parse(stdout);
});
after(async () => {
  await site?.stop();
  await host?.stop();
  await jupyter?.stop();
});

/**
 * Opens a page with the output of a cell, and gives the figure in its frame.
 * @param {string} html @param {(frame: import("playwright-core").Frame) => Promise<void>} act
 */
function open(html, act) {
  jupyter.pages["/notebook.html"] = `<!doctype html><title>notebook</title>${html}`;
  const at = { ...site, url: jupyter.url };
  return visit(at, { path: "notebook.html", height: 700 }, async (page) => {
    const frame = await (await page.waitForSelector("iframe")).contentFrame();
    assert.ok(frame);
    await act(frame);
  });
}

/**
 * What a figure read.
 * @param {import("playwright-core").Frame} frame @param {string} element
 * @returns {Promise<{ tokens: string[], pattern: number[], head: number }>}
 */
async function readingOf(frame, element) {
  const found = await frame.waitForFunction((element) => {
    const outer = /** @type {any} */ (document.querySelector(element));
    const figure = outer?.renderRoot?.querySelector("scope-figure, snapshot-figure");
    const inner = figure?.reading ? figure : figure?.renderRoot?.querySelector("scope-figure");
    if (!inner?.reading) return null;
    const { tokens, patterns } = inner.reading;
    return { tokens: tokens.map(String), pattern: [...patterns[0].data], head: inner.head };
  }, element);
  return /** @type {any} */ (await found.jsonValue());
}

test("the notebook shows a live figure and a frozen one", () => {
  assert.equal(shown.length, 2);
});

test("a live figure computes the text of its arguments", async () => {
  await open(shown[0], async (frame) => {
    const { tokens, head } = await readingOf(frame, "candle-scope");
    assert.equal(tokens.join(""), "the moon, the moon, the moon");
    assert.equal(head, 1);
  });
});

test("a frozen figure draws the numbers of Python", async () => {
  await open(shown[1], async (frame) => {
    await frozen(frame);
    const { tokens, pattern } = await readingOf(frame, "candle-snapshot");
    assert.equal(tokens.join(""), "the moon, the moon");
    const expected = [0, 1].flatMap((head) =>
      tokens.flatMap((_, query) =>
        tokens.map((_, key) => {
          if (head === 0) return key === Math.max(query - 1, 0) ? 1 : 0;
          return key <= query ? 1 / (query + 1) : 0;
        }),
      ),
    );
    assert.equal(pattern.length, expected.length);
    // Numbers are rounded to steps of 0.00002.
    expected.forEach((number, at) => assert.ok(Math.abs(number - pattern[at]) < 1.01e-5));
  });
});
