// What stands in an SVG file of each element stands where the screen has it, in its colours; and lengths and places are those of
// the numbers. The cells of canvases are compared in exports.test.js.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { SCREEN_ONLY } from "../../www/elements/screen-only.ts";
import { start, visit } from "./browser.js";
import { EMPTY, open } from "./figures.js";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {{ x: number, y: number, width: number, height: number, colour: number[], isLine: boolean }} Box */

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
before(async () => {
  site = await start();
});
after(() => site.stop());

/**
 * The coloured boxes and the drawn shapes of an element on the screen, and those of its SVG file as the browser lays it out, each
 * from the left top corner of its picture.
 * @param {Page} page @param {string} name @returns {Promise<{ screen: Box[], file: Box[] }>}
 */
function shapesOf(page, name) {
  return page.evaluate(
    async ({ name, screenOnly }) => {
      const { lab } = /** @type {any} */ (window);
      const element = await lab.show(name, (await lab.figures())[name]);
      const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
      const read = (/** @type {string} */ colour) => {
        if (!context || colour === "none") return [0, 0, 0, 0];
        context.clearRect(0, 0, 1, 1);
        context.fillStyle = colour;
        context.fillRect(0, 0, 1, 1);
        return [...context.getImageData(0, 0, 1, 1).data];
      };
      /** @param {Element} one @param {DOMRect} origin @param {string} colour */
      const box = (one, origin, colour) => {
        const { x, y, width, height } = one.getBoundingClientRect();
        const found = { x: x - origin.x, y: y - origin.y, width, height };
        const isLine = one.localName === "line" || one.localName === "path";
        return { ...found, colour: read(colour), isLine };
      };
      /** @param {Element} one */
      const drawn = (one) => {
        const { fill, stroke } = getComputedStyle(one);
        return one.localName === "line" || read(fill)[3] === 0 ? stroke : fill;
      };
      const shapes = "path, line, rect, circle";
      /** @type {Box[]} */
      const screen = [];
      const origin = element.getBoundingClientRect();
      const visit = (/** @type {Element} */ one) => {
        if (one.matches(screenOnly) || !one.checkVisibility({ opacityProperty: true })) return;
        if (one instanceof SVGSVGElement) {
          for (const shape of one.querySelectorAll(shapes))
            if (shape.checkVisibility()) screen.push(box(shape, origin, drawn(shape)));
          return;
        }
        const { backgroundColor, display } = getComputedStyle(one);
        const isOneBox = display !== "contents" && one.getClientRects().length === 1;
        if (isOneBox && one !== element) screen.push(box(one, origin, backgroundColor));
        for (const child of [...(one.shadowRoot?.children ?? []), ...one.children]) visit(child);
      };
      visit(element);
      const svg = await element.toSVG({ background: false });
      const host = document.createElement("div");
      host.innerHTML = svg;
      document.body.replaceChildren(host);
      const root = /** @type {SVGSVGElement} */ (host.querySelector("svg"));
      const corner = root.getBoundingClientRect();
      const file = [...root.querySelectorAll(shapes)]
        .filter((one) => !one.closest("defs"))
        .map((one) => box(one, corner, drawn(one)));
      // A line may have no height; a box without one is not drawn.
      const isVisible = (/** @type {Box} */ one) =>
        one.colour[3] > 0 && (one.isLine ? one.width + one.height > 1 : one.width * one.height > 0);
      return { screen: screen.filter(isVisible), file: file.filter(isVisible) };
    },
    { name, screenOnly: SCREEN_ONLY },
  );
}

/** Half a CSS pixel: the file has four decimals, and the browser lays boxes out in 64ths. */
const NEAR = 0.5;

/** @param {Box} a @param {Box} b @param {number} right @param {number} down */
function isSame(a, b, right, down) {
  return (
    Math.abs(a.x + right - b.x) <= NEAR &&
    Math.abs(a.y + down - b.y) <= NEAR &&
    Math.abs(a.width - b.width) <= NEAR &&
    Math.abs(a.height - b.height) <= NEAR &&
    a.colour.slice(0, 3).every((value, at) => Math.abs(value - b.colour[at]) <= 2)
  );
}

/** The boxes of the screen that the file lacks, if the whole picture is moved as is best. @param {{ screen: Box[], file: Box[] }} shapes */
function lacking({ screen, file }) {
  const moves = screen.flatMap((one) =>
    file
      .filter((other) => isSame({ ...one, x: other.x, y: other.y }, other, 0, 0))
      .map((other) => [other.x - one.x, other.y - one.y]),
  );
  const lists = moves
    .slice(0, 400)
    .map(([right, down]) =>
      screen.filter((one) => !file.some((other) => isSame(one, other, right, down))),
    );
  return lists.sort((a, b) => a.length - b.length)[0] ?? screen;
}

/** How many coloured boxes or shapes each element has at least, with the numbers of figures.js. @type {Record<string, number>} */
const ELEMENTS = {
  "attention-lines": 10,
  "bar-list": 2,
  "complex-plane": 3,
  "head-grid": 16,
  "head-scatter": 4,
  "head-scores": 16,
  "head-table": 1,
  "logit-lens": 20,
  "signed-tokens": 10,
  "token-strip": 10,
};

for (const dark of [false, true])
  test(`boxes and shapes of each element are in its file, where the screen has them, ${dark ? "dark" : "light"}`, async () => {
    await visit(site, { ...EMPTY, dark }, async (page) => {
      await page.evaluate(() => {
        document.documentElement.style.colorScheme = "light dark";
      });
      await open(page);
      for (const [name, least] of Object.entries(ELEMENTS)) {
        const shapes = await shapesOf(page, name);
        assert.ok(shapes.screen.length >= least, `${name} has ${shapes.screen.length} boxes`);
        assert.deepEqual(lacking(shapes), [], `the file of ${name}`);
      }
    });
  });

/** The shapes of one colour in a file, which `fill` names by the CSS variable that it has on the screen. @param {Page} page @param {string} name @param {object} properties */
function fileOf(page, name, properties) {
  return page.evaluate(
    async ({ name, properties }) => {
      const { lab } = /** @type {any} */ (window);
      const element = await lab.show(name, properties);
      const host = document.createElement("div");
      host.innerHTML = await element.toSVG({ background: false });
      document.body.replaceChildren(host);
      return [...host.querySelectorAll("path, rect")].map((one) => {
        const { x, y, width, height } = one.getBoundingClientRect();
        return { x, y, width, height, fill: one.getAttribute("fill") };
      });
    },
    { name, properties },
  );
}

/** @param {number[]} found @param {number[]} wanted @param {number} within @param {string} what */
function assertProportional(found, wanted, within, what) {
  const scale = Math.max(...found.map(Math.abs)) / Math.max(...wanted.map(Math.abs));
  found.forEach((value, at) =>
    assert.ok(
      Math.abs(value - scale * wanted[at]) <= within,
      `${what}: ${found}, expected ${scale} × ${wanted}`,
    ),
  );
}

test("bars are as long as their values, and points stand where their numbers are", async () => {
  await visit(site, EMPTY, async (page) => {
    await open(page);
    const values = [2, -1, 0.5, -0.25];
    const bars = values.map((value, at) => ({ key: String(at), name: `bar ${at}`, value }));
    const rects = await fileOf(page, "bar-list", { bars });
    const axis = rects.filter(({ width, height }) => width <= 1.5 && height > width);
    const drawn = values.map((value, at) => {
      const row = [...new Set(rects.map(({ y, height }) => y + height / 2).map(Math.round))].sort(
        (a, b) => a - b,
      )[at];
      const own = rects.filter(
        (one) => Math.abs(one.y + one.height / 2 - row) <= 1 && one.width > 2,
      );
      assert.equal(own.length, 1, `bar ${at} is one rectangle`);
      assert.equal(own[0].x < axis[0].x - 0.5, value < 0, `bar ${at} begins at the axis`);
      return own[0].width;
    });
    assertProportional(drawn, values.map(Math.abs), 0.6, "widths of bars");

    const parts = [1, 0, 0, 1, -1, -0.5];
    const points = (await fileOf(page, "complex-plane", { parts })).filter(
      ({ width, height }) => width > 2 && Math.abs(width - height) < 0.1,
    );
    assert.equal(points.length, 3);
    const centre = (/** @type {{ x: number, y: number, width: number, height: number }} */ one) => [
      one.x + one.width / 2,
      one.y + one.height / 2,
    ];
    const [first, second, third] = points.map(centre);
    const unit = first[0] - second[0];
    assert.ok(unit > 10, "1 is to the right of i");
    assert.ok(Math.abs(first[1] - second[1] - unit) < 0.6, "and as far below it");
    assert.ok(Math.abs(second[0] - third[0] - unit) < 0.6, "−1 − i/2 is to the left");
    assert.ok(Math.abs(third[1] - first[1] - unit / 2) < 0.6, "and half as far below 1");
  });
});

test("columns are as high as the surprisal of their tokens", async () => {
  await visit(site, EMPTY, async (page) => {
    await open(page, "To be, or not to be");
    const { rects, wanted } = await page.evaluate(async () => {
      const { lab } = /** @type {any} */ (window);
      const element = await lab.show("token-losses", (await lab.figures())["token-losses"]);
      const host = document.createElement("div");
      host.innerHTML = await element.toSVG({ background: false });
      document.body.replaceChildren(host);
      const cells = [...host.querySelectorAll("g > rect")].map((one) => {
        const { x, y, width, height } = one.getBoundingClientRect();
        return { x: Math.round(x), bottom: y + height, width, height };
      });
      return {
        rects: cells,
        wanted: Array.from(lab.run.logProbs.data, (/** @type {number} */ one) => -one),
      };
    });
    const columns = [...rects].sort((a, b) => a.x - b.x);
    assert.equal(columns.length, wanted.length);
    assert.ok(columns.every(({ bottom }) => Math.abs(bottom - columns[0].bottom) <= 0.6));
    // Heights are whole device pixels.
    assertProportional(
      columns.map(({ height }) => height),
      wanted,
      1.1,
      "heights of columns",
    );
  });
});
