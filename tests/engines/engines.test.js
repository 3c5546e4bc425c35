// What a visitor does first, in each engine. The numbers of the page are those that the public API returns in the same engine; that
// those are right is tested elsewhere, in Chromium.

import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { serve } from "../../scripts/serve.mjs";
import { levelOf, valuesOf } from "../../www/draw/scale.ts";
import { ENGINES, missing, start } from "./engines.js";

const DIST = process.env.DIST ?? new URL("../../dist", import.meta.url).pathname;
const TEXT = "the moon and the stars, the moon and the";
const PATTERN = "scope-figure >>> attention-view >>> attention-pattern";

const PROMPTS = [
  TEXT,
  "To be, or not to be",
  "Good night, good night",
  "sweet sorrow, sweet sorrow",
];
const POST = `<!doctype html>
<meta charset="utf-8" />
<link rel="icon" href="data:," />
<title>A page with four figures</title>
<script type="module" src="candlescope/elements.js"></script>
${PROMPTS.map((text) => `<candle-scope model="candlescope/models/shakespeare" prompt="${text}" loading="eager"></candle-scope>`).join("\n")}
`;

const SNAPSHOT = `<!doctype html>
<meta charset="utf-8" />
<link rel="icon" href="data:," />
<title>A page with a snapshot</title>
<script type="module" src="candlescope/snapshot.js"></script>
<candle-snapshot src="figure.json"></candle-snapshot>
`;

/**
 * What the public API answers, for the numbers of the page. It is a module of the page itself: Firefox runs what WebDriver sends in another
 * realm, with arrays of its own.
 */
const ASK = `
const { loadModel } = await import(new URL("candlescope.js", location.href).href);
const ask = (body) => async (...args) => {
  const model = await loadModel("models/shakespeare");
  try {
    return await body(model, document.querySelector("scope-figure").reading.text, ...args);
  } finally {
    model.dispose();
  }
};
window.ask = {
  pattern: ask(async (model, text, layer, head) => {
    const name = "blocks." + layer + ".attn.hook_pattern";
    const { cache } = await model.runWithCache(text, { names: [name] });
    return [...cache.get(name).at({ batch: 0, head }).data];
  }),
  continuation: ask(async (model, text) => {
    for await (const { string } of model.generate(text, { maxNewTokens: 12 })) text += string;
    return text;
  }),
  lossWithout: ask(async (model, text, layer, head) => {
    const interventions = [{ at: "blocks." + layer + ".attn.hook_z", head, do: "zero" }];
    return (await model.runWithCache(text, { interventions })).loss;
  }),
};
`;

/** @typedef {import("./engines.js").Browser} Browser */

/** @type {string} */
let root;
/** @type {Awaited<ReturnType<typeof serve>>} */
let site;
before(async () => {
  root = await mkdtemp(join(tmpdir(), "candlescope-engines-"));
  await mkdir(join(root, "post"));
  await symlink(DIST, join(root, "post/candlescope"));
  await writeFile(join(root, "post/index.html"), POST);
  await writeFile(join(root, "post/snapshot.html"), SNAPSHOT);
  await writeFile(join(root, "ask.js"), ASK);
  site = await serve({ root });
});
after(async () => {
  await site.close();
  await rm(root, { recursive: true, force: true });
});

for (const engine of ENGINES) {
  const lacks = missing(engine);
  // A machine that runs the tests for everyone must have all three.
  const skip = lacks.length > 0 && !process.env.CI ? `no ${lacks.join(", no ")}` : false;

  describe(engine.name, { skip }, () => {
    /** @type {Browser} */
    let browser;
    before(async () => {
      assert.deepEqual(lacks, [], `${engine.name} lacks programs`);
      browser = await start(engine);
    });
    after(() => browser?.stop());

    test("draws the pattern that the API captures", async () => {
      await open(browser);
      await assertDrawnIsCaptured(browser);
    });

    test("shows a hovered cell, locks a clicked one, and Escape releases it", async () => {
      await open(browser);
      const { query, key, value } = await someCell(browser);
      await browser.hover(await cellAt(browser, query, key));
      await browser.until(
        (query, key, value) => {
          const said = document
            .querySelector("scope-figure")
            ?.shadowRoot?.querySelector("attention-view")
            ?.shadowRoot?.querySelector("attention-pattern")
            ?.shadowRoot?.querySelector("[aria-live]")?.textContent;
          return (
            said?.startsWith(`query ${query} `) &&
            said.includes(`, key ${key} `) &&
            said.endsWith(value)
          );
        },
        query,
        key,
        value.toFixed(2),
      );
      await browser.clickAt(await cellAt(browser, query, key));
      await browser.until(
        (query, key) => {
          const { lock } = /** @type {any} */ (document.querySelector("scope-figure"));
          return lock?.query === query && lock?.key === key;
        },
        query,
        key,
      );
      await browser.press("ESCAPE");
      await browser.until(
        () => !(/** @type {any} */ (document.querySelector("scope-figure")).lock),
      );
    });

    test("generates the tokens that the API generates", async () => {
      await open(browser, { doSample: "false", maxNewTokens: "12" });
      const expected = await ask(browser, "continuation");
      await browser.click("next-tokens >>> button[type=submit]");
      await settled(browser, expected);
    });

    test("switches a head off, and the loss is that of the intervention", async () => {
      await open(browser);
      const before = await shownLoss(browser);
      await browser.click("#off");
      await browser.until(() =>
        /** @type {any} */ (document.querySelector("intervention-list")).shadowRoot?.querySelector(
          "li",
        ),
      );
      const { layer, head } = await shownHead(browser);
      const expected = await ask(browser, "lossWithout", layer, head);
      await browser.until(
        (expected) =>
          Math.abs(
            /** @type {any} */ (document.querySelector("scope-figure")).reading.loss - expected,
          ) < 1e-6,
        expected,
      );
      assert.notEqual(before, expected);
    });

    test("makes a picture, files of the numbers that the API captures, and figures that are drawn without a model, one of them from a disk", async () => {
      await open(browser);
      const [values, { layer, head }] = [await captured(browser), await shownHead(browser)];
      await browser.click("#share");
      const svg = await exported(browser, "svg");
      assert.equal(svg.name, `Shakespeare-attention-${layer}.${head}.svg`);
      const title = /<title>([^<]*)<\/title>/.exec(svg.bytes.toString())?.[1];
      assert.equal(title, `Pattern. Head ${layer}.${head} of Shakespeare on “${TEXT}”.`);
      const cells = svg.bytes.toString().match(/<g shape-rendering="crispEdges">.*?<\/g>/s)?.[0];
      const count = Math.sqrt(values.length);
      assert.ok((cells?.match(/<rect /g)?.length ?? 0) >= count, "cells are rectangles");
      const png = (await exported(browser, "png")).bytes;
      assert.equal(png.subarray(0, 8).toString("latin1"), "\x89PNG\r\n\x1a\n");
      const npy = (await exported(browser, "npy")).bytes;
      const numbers = npy.subarray(10 + npy.readUInt16LE(8));
      // Drivers write numbers of 64 bits with a rounding of their own.
      const floats = Float32Array.from(values);
      assert.deepEqual(new Float32Array(Uint8Array.from(numbers).buffer), floats);
      assert.equal((await exported(browser, "npz")).bytes.readUInt32BE(), 0x504b0304);

      const snapshot = await exported(browser, "snapshot");
      await writeFile(join(root, "post/figure.json"), snapshot.bytes);
      const html = await exported(browser, "html");
      await writeFile(join(root, "figure.html"), html.bytes);
      for (const address of [`${site.url}post/snapshot.html`, `file://${root}/figure.html`]) {
        await browser.open(address);
        const drawn = await browser.until(frozenFigure);
        assert.deepEqual(drawn, { layer, head, text: TEXT, wasm: [] }, address);
      }
    });

    test("opens an address that another visitor copied", async () => {
      await browser.open(
        `${site.url}post/candlescope/#${new URLSearchParams({ prompt: TEXT, view: "lens", layer: "2", head: "1" })}`,
      );
      await settled(browser, TEXT);
      await browser.until(() => {
        const figure = /** @type {any} */ (document.querySelector("scope-figure"));
        return (
          figure.view === "lens" &&
          figure.layer === 2 &&
          figure.head === 1 &&
          figure.shadowRoot.querySelector("lens-view")?.shadowRoot.querySelector("logit-lens")
        );
      });
    });

    test("draws four figures of one model on a page", async () => {
      await browser.open(`${site.url}post/`);
      await browser.until((prompts) => {
        const figures = [.../** @type {any} */ (document.querySelectorAll("candle-scope"))];
        return (
          figures.length === prompts.length &&
          figures.every((one, at) => one.reading?.text === prompts[at] && !one.busy)
        );
      }, PROMPTS);
      const requests = await browser.evaluate(
        () =>
          performance.getEntriesByType("resource").filter(({ name }) => /\/worker\.js$/.test(name))
            .length,
      );
      assert.ok(requests <= 1, `${requests} workers`);
    });
  });
}

/**
 * Opens the page on the text, and waits until it is drawn.
 * @param {Browser} browser @param {Record<string, string>} state what else the address says
 */
async function open(browser, state = {}) {
  const fields = new URLSearchParams({ prompt: TEXT, ...state });
  await browser.open(`${site.url}post/candlescope/#${fields}`);
  await settled(browser, TEXT);
}

/** What a snapshot shows on the page, and the wasm files that were loaded for it; null until its pattern is drawn. */
function frozenFigure() {
  /** @type {(root: ParentNode, name: string) => any} */
  const find = (root, name) => {
    const own = root.querySelector(name);
    if (own) return own;
    for (const { shadowRoot } of root.querySelectorAll("*")) {
      const inner = shadowRoot && find(shadowRoot, name);
      if (inner) return inner;
    }
    return null;
  };
  if (!find(document, "attention-pattern")?.geometry) return null;
  const { layer, head, reading } = find(document, "scope-figure");
  const loaded = performance.getEntriesByType("resource").map(({ name }) => name);
  return { layer, head, text: reading.text, wasm: loaded.filter((one) => /\.wasm$/.test(one)) };
}

/**
 * The file that an entry of the export menu saves. It is taken from the page: where an engine puts downloads, and whether it asks,
 * are settings of it.
 * @param {Browser} browser @param {string} name
 */
async function exported(browser, name) {
  await browser.evaluate(() => {
    const own = /** @type {any} */ (window);
    own.saved = null;
    HTMLAnchorElement.prototype.click = function () {
      const { download, href } = this;
      fetch(href)
        .then((answer) => answer.arrayBuffer())
        .then((bytes) => (own.saved = { name: download, bytes: [...new Uint8Array(bytes)] }));
    };
  });
  await browser.until((name) => {
    const menu = /** @type {any} */ (document.querySelector("export-menu"));
    const button = menu?.shadowRoot?.querySelector(`button[name="${name}"]`);
    return menu?.busy === "" && button && !button.disabled;
  }, name);
  await browser.click(`export-menu >>> button[name="${name}"]`);
  const saved = await browser.until(() => /** @type {any} */ (window).saved);
  return { name: saved.name, bytes: Buffer.from(saved.bytes) };
}

/** Waits until the figure shows this text. @param {Browser} browser @param {string} text */
function settled(browser, text) {
  return browser.until(async (text) => {
    const figure = /** @type {any} */ (document.querySelector("scope-figure"));
    await figure.updateComplete;
    return figure.reading?.text === text && !figure.stale;
  }, text);
}

/** @param {Browser} browser @returns {Promise<{ layer: number, head: number }>} */
function shownHead(browser) {
  return browser.evaluate(() => {
    const { layer, head } = /** @type {any} */ (document.querySelector("scope-figure"));
    return { layer, head };
  });
}

/** @param {Browser} browser @returns {Promise<number>} */
function shownLoss(browser) {
  return browser.evaluate(
    () => /** @type {any} */ (document.querySelector("scope-figure")).reading.loss,
  );
}

/** @param {Browser} browser @param {string} name of a function in ASK @param {unknown[]} args @returns {Promise<any>} */
async function ask(browser, name, ...args) {
  await browser.evaluate(() => {
    const script = document.createElement("script");
    document.head.append(Object.assign(script, { type: "module", src: "/ask.js" }));
  });
  await browser.until(() => /** @type {any} */ (window).ask !== undefined);
  return browser.evaluate(
    (name, args) => /** @type {any} */ (window).ask[name](...args),
    name,
    args,
  );
}

/** The pattern of the shown head, row by row, by the API. @param {Browser} browser @returns {Promise<number[]>} */
async function captured(browser) {
  const { layer, head } = await shownHead(browser);
  return ask(browser, "pattern", layer, head);
}

/** The cell in the last row with the most attention. @param {Browser} browser */
async function someCell(browser) {
  const values = await captured(browser);
  const count = Math.sqrt(values.length);
  const row = values.slice(-count);
  const value = Math.max(...row);
  return { query: count - 1, key: row.indexOf(value), value };
}

/** The middle of a cell of the large pattern, in the window. @param {Browser} browser @param {number} query @param {number} key */
async function cellAt(browser, query, key) {
  await browser.element(PATTERN);
  return browser.evaluate(
    (query, key) => {
      const element = /** @type {any} */ (
        document
          .querySelector("scope-figure")
          ?.shadowRoot?.querySelector("attention-view")
          ?.shadowRoot?.querySelector("attention-pattern")
      );
      element.scrollIntoView({ block: "center" });
      const { view, pitch } = element.geometry;
      const box = element.renderRoot.querySelector(".cells").getBoundingClientRect();
      return {
        x: box.left + (key - view.column + 0.5) * pitch,
        y: box.top + (query - view.row + 0.5) * pitch,
      };
    },
    query,
    key,
  );
}

/** The colour of every cell of the large pattern has the value that the API captures. @param {Browser} browser */
async function assertDrawnIsCaptured(browser) {
  const values = await captured(browser);
  const count = Math.sqrt(values.length);
  await browser.element(PATTERN);
  const colours = await browser.evaluate(async () => {
    const element = /** @type {any} */ (
      document
        .querySelector("scope-figure")
        ?.shadowRoot?.querySelector("attention-view")
        ?.shadowRoot?.querySelector("attention-pattern")
    );
    await element.updateComplete;
    await new Promise((drawn) => requestAnimationFrame(drawn));
    const { fit } = element.geometry;
    const copy = document.createElement("canvas");
    [copy.width, copy.height] = [fit.size, fit.size];
    const context = copy.getContext("2d", { willReadFrequently: true });
    context?.drawImage(element.renderRoot.querySelector(".cells"), 0, 0);
    const centre = (/** @type {number} */ cell) => cell * fit.cell + (fit.cell >> 1);
    return Array.from({ length: fit.cells ** 2 }, (_, at) => [
      ...(context?.getImageData(centre(at % fit.cells), centre(Math.floor(at / fit.cells)), 1, 1)
        .data ?? []),
    ]);
  });
  assert.equal(colours.length, values.length);
  values.forEach((value, at) => {
    const [query, key] = [Math.floor(at / count), at % count];
    const [red, green, blue, alpha] = colours[at];
    if (key > query) return assert.equal(alpha, 0, `${query}, ${key} is masked`);
    const level = levelOf([red, green, blue], "light");
    assert.ok(level >= 0, `${query}, ${key} has a colour that is not on the scale: ${colours[at]}`);
    const [low, high] = valuesOf(level, "linear");
    assert.ok(
      value >= low - 1e-6 && value <= high + 1e-6,
      `${query}, ${key}: ${low} to ${high} drawn, ${value} captured`,
    );
  });
}
