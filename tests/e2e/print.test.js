// Printing gives whole figures without controls, in light colours: the page, and pages around figures.

import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { SCREEN_ONLY } from "../../www/elements/screen-only.ts";
import { DIST, eventually, settled, start, visit } from "./browser.js";
import { address, ready } from "./lab-helpers.js";

/** @typedef {import("playwright-core").Page} Page */

/** The width of A4 between the margins of a browser, in CSS pixels. */
const SHEET = { width: 718, height: 1000 };

const POST = `<!doctype html>
<meta charset="utf-8" />
<link rel="icon" href="data:," />
<title>A post with two figures</title>
<script type="module" src="assets/elements.js"></script>
<p>Some words.</p>
<candle-scope loading="eager" controls="all" model="assets/models/shakespeare" prompt="the moon, the moon, the moon" layer="1" head="3"></candle-scope>
<p>Some other words.</p>
<candle-scope loading="eager" controls="all" model="assets/models/shakespeare" prompt="To be, or not to be, that is the question, whether it is nobler in the mind to suffer" view="lens"></candle-scope>
<div style="height: 9000px"></div>
<candle-scope id="far" model="assets/models/shakespeare" prompt="Good night, good night"></candle-scope>
`;

const FOUR = `<!doctype html>
<meta charset="utf-8" />
<meta name="color-scheme" content="light dark" />
<link rel="icon" href="data:," />
<title>A post with four figures</title>
<script type="module" src="assets/elements.js"></script>
${["attention", "lens", "log-probability", "activations"].map((view) => `<p>Some words.</p><candle-scope loading="eager" controls="all" model="assets/models/shakespeare" prompt="the moon, the moon, the moon" view="${view}"></candle-scope>`).join("")}
`;

/** @type {string} */
let root;
/** @type {Awaited<ReturnType<typeof start>>} */
let site;
before(async () => {
  root = await mkdtemp(join(tmpdir(), "candlescope-print-"));
  await mkdir(join(root, "blog"));
  await symlink(DIST, join(root, "blog/assets"));
  await symlink(DIST, join(root, "lab"));
  await writeFile(join(root, "blog/post.html"), POST);
  await writeFile(join(root, "blog/four.html"), FOUR);
  site = await start(root);
});
after(async () => {
  await site.stop();
  await rm(root, { recursive: true, force: true });
});

/** Shows the page as it is printed, and waits until what was drawn again has been drawn. @param {Page} page */
async function asPrinted(page) {
  await page.emulateMedia({ media: "print" });
  await page.setViewportSize(SHEET);
  await page.evaluate(
    () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))),
  );
}

/**
 * What stands on the sheet: controls, drawings, and what is wider than the sheet or would have to be scrolled.
 * @param {Page} page
 */
function printed(page) {
  return page.evaluate((screenOnly) => {
    /** @type {{ controls: string[], drawings: string[], cut: string[] }} */
    const found = { controls: [], drawings: [], cut: [] };
    const visit = (/** @type {Element} */ one) => {
      if (/^(script|style|head|template|noscript)$/.test(one.localName)) return;
      if (!one.checkVisibility()) return;
      const { width, height, right } = one.getBoundingClientRect();
      const style = getComputedStyle(one);
      if (style.clipPath !== "none" && style.position === "absolute") return; // for screen readers
      if (one.matches(screenOnly) && width * height > 0)
        found.controls.push(`${one.localName} ${one.textContent?.trim().slice(0, 30)}`);
      if (/^(canvas|svg)$/.test(one.localName) && width * height > 0)
        found.drawings.push(
          /** @type {ShadowRoot} */ (one.getRootNode()).host?.localName ?? one.localName,
        );
      const scrolls = /auto|scroll/.test(style.overflowX) && one.scrollWidth > one.clientWidth + 1;
      if (right > innerWidth + 1 || scrolls)
        found.cut.push(`${one.localName}.${one.className} ${Math.round(right)}`);
      for (const child of [...(one.shadowRoot?.children ?? []), ...one.children]) visit(child);
    };
    visit(document.body);
    return found;
  }, SCREEN_ONLY);
}

/** A file that a browser prints, and how many sheets it has. @param {Page} page */
async function pdf(page) {
  const bytes = await page.pdf({ format: "A4", printBackground: false });
  const text = bytes.toString("latin1");
  assert.ok(text.startsWith("%PDF-"));
  return { sheets: text.match(/\/Type\s*\/Page\b/g)?.length ?? 0, bytes: bytes.length };
}

test("the page is printed without controls, light, with its pattern and all heads", async () => {
  const state = { prompt: "the moon, the moon, the moon", layer: 1, head: 3 };
  await visit(site, { path: `lab/index.html${address(state)}`, dark: true }, async (page) => {
    await settled(page);
    await ready(page);
    await page.locator("#share").click();
    await page.locator("export-menu button[name=svg]").waitFor();
    await asPrinted(page);
    await eventually(async () => {
      const { controls, drawings, cut } = await printed(page);
      assert.deepEqual(controls, []);
      assert.deepEqual(cut, []);
      assert.ok(drawings.includes("attention-pattern"), `${drawings}`);
      assert.equal(drawings.filter((one) => one === "attention-heads").length, 16, "every head");
    });
    const paper = await page.evaluate(() => {
      const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
      const pattern = document
        .querySelector("scope-figure")
        ?.shadowRoot?.querySelector("attention-view")
        ?.shadowRoot?.querySelector("attention-pattern")
        ?.shadowRoot?.querySelector("canvas.cells");
      if (!context || !(pattern instanceof HTMLCanvasElement)) return [];
      // The first cell has the attention 1: the dark end of the light scale.
      context.drawImage(pattern, -2, -2);
      return [...context.getImageData(0, 0, 1, 1).data];
    });
    assert.ok(paper[3] === 255 && Math.max(...paper.slice(0, 3)) < 100, `drawn light: ${paper}`);
    const { sheets, bytes } = await pdf(page);
    assert.ok(sheets >= 1 && sheets <= 4, `${sheets} sheets`);
    assert.ok(bytes > 20_000, "the file has pictures");
  });
});

test("a page with two figures is printed with both, whole; one that was never near the screen is its text", async () => {
  await visit(site, { path: "blog/post.html" }, async (page) => {
    await page.evaluate(() => document.querySelector("#far")?.setAttribute("loading", "lazy"));
    await page.waitForFunction(() =>
      [...document.querySelectorAll("candle-scope:not(#far)")].every((/** @type {any} */ one) => {
        const inner = one.renderRoot?.querySelector("scope-figure");
        return one.reading && !one.busy && inner && !inner.needs;
      }),
    );
    await asPrinted(page);
    await eventually(async () => {
      const { controls, drawings, cut } = await printed(page);
      assert.deepEqual(controls, []);
      assert.deepEqual(cut, []);
      assert.ok(drawings.includes("attention-pattern"), `${drawings}`);
      assert.ok(drawings.filter((one) => one === "attention-heads").length >= 16, "every head");
    });
    const [first, second, far] = await page.evaluate(() =>
      [...document.querySelectorAll("candle-scope")].map((/** @type {any} */ one) => {
        const figure = one.renderRoot.querySelector("scope-figure");
        const views = [...(figure?.renderRoot.querySelectorAll("attention-view, lens-view") ?? [])];
        const lens = views[0]?.renderRoot.querySelector("logit-lens");
        return {
          views: views.map(({ localName }) => localName),
          columns: lens?.renderRoot.querySelectorAll(".cell.head").length,
          tokens: one.reading?.tokens.length,
          text: one.renderRoot.textContent.includes("Good night, good night"),
          isRead: one.reading !== null,
        };
      }),
    );
    assert.deepEqual(first.views, ["attention-view"]);
    assert.deepEqual(second.views, ["lens-view"]);
    assert.equal(second.columns, second.tokens, "paper cannot be scrolled to the other columns");
    assert.deepEqual({ isRead: far.isRead, text: far.text }, { isRead: false, text: true });
    const { sheets } = await pdf(page);
    assert.ok(sheets >= 2, `${sheets} sheets`);
  });
});

test("a dark and wide page with four figures is printed as the sheet has room, in light colours", async () => {
  await visit(site, { path: "blog/four.html", dark: true }, async (page) => {
    await page.waitForFunction(() =>
      [...document.querySelectorAll("candle-scope")].every((/** @type {any} */ one) =>
        one.renderRoot?.querySelector("scope-figure[settled]"),
      ),
    );
    // What is on the sheet can only be read while it is printed: no frame comes then, and no observer is told of the width.
    await page.evaluate((screenOnly) => {
      /** @type {(root: ParentNode) => Element[]} */
      const all = (root) =>
        [...root.querySelectorAll("*")].flatMap((one) => [
          one,
          ...(one.shadowRoot ? all(one.shadowRoot) : []),
        ]);
      /** The lightness of the darkest pixel of a canvas, from 0 to 255. */
      const darkest = (/** @type {HTMLCanvasElement} */ canvas) => {
        const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
        copy?.drawImage(canvas, 0, 0);
        const data = copy?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
        let found = 255;
        for (let at = 0; at < data.length; at += 4)
          if (data[at + 3] > 250) found = Math.min(found, Math.max(...data.slice(at, at + 3)));
        return found;
      };
      const look = () => {
        const seen = all(document.body).filter((one) => one.checkVisibility());
        const hosts = [...document.querySelectorAll("candle-scope")];
        const right = Math.min(...hosts.map((one) => one.getBoundingClientRect().right));
        const isHidden = (/** @type {Element} */ one) => getComputedStyle(one).clipPath !== "none";
        const names = seen.filter((one) => one.matches(".names span"));
        return {
          width: document.documentElement.clientWidth,
          controls: seen.filter((one) => one.matches(screenOnly)).map((one) => one.localName),
          cut: seen
            .filter((one) => one.getBoundingClientRect().right > right + 1 && !isHidden(one))
            .map((one) => `${one.localName}.${one.className}`),
          names: names.length,
          labels: seen
            .filter((one) => one.matches("canvas.labels"))
            .map((one) => darkest(/** @type {HTMLCanvasElement} */ (one))),
          heads: seen
            .filter((one) => one.matches("canvas") && !one.matches(".labels, .overlay, .cells"))
            .map((one) => darkest(/** @type {HTMLCanvasElement} */ (one))),
          breaks: hosts.map((one) => getComputedStyle(one).breakInside),
        };
      };
      matchMedia("print").addEventListener("change", ({ matches }) => {
        if (matches) Object.assign(globalThis, { sheet: look() });
      });
    }, SCREEN_ONLY);
    const screen = await page.evaluate(() => document.documentElement.clientWidth);
    const { sheets } = await pdf(page);
    const sheet = await page.evaluate(() => /** @type {any} */ (globalThis).sheet);
    // The browser also makes the page smaller, because the figures on the screen are wider than the sheet.
    assert.ok(sheet.width < screen - 100, `${sheet.width} of ${screen} px`);
    assert.deepEqual(sheet.controls, []);
    assert.deepEqual(sheet.cut, []);
    assert.equal(sheet.names, 8, "each token has a column");
    assert.equal(sheet.labels.length, 2);
    assert.ok(Math.max(...sheet.labels) < 110, `dark labels on light paper: ${sheet.labels}`);
    assert.ok(sheet.heads.length >= 16, `${sheet.heads.length} heads`);
    assert.ok(Math.max(...sheet.heads) < 110, `light heads: ${sheet.heads}`);
    assert.deepEqual(new Set(sheet.breaks), new Set(["avoid"]));
    assert.ok(sheets >= 2, `${sheets} sheets`);
  });
});
