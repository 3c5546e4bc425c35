// <tensor-view> alone on a page, as a writer uses it: tensors of any rank are drawn as they are, and every number that is not drawn
// as a colour is marked, counted and said. What the page's own view shows is in views.test.js.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";

import { signedLevelOf, signedValuesOf } from "../../www/draw/diverging.ts";
import { levelOf, valuesOf } from "../../www/draw/scale.ts";
import { eventually, start, visit } from "./browser.js";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {{ values: (number | string)[], shape: number[], axes: string[], whole?: boolean, labels?: Record<string, string[]>, name?: string, note?: string }} Given */

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const BLANK = `<!doctype html><html lang="en"><meta charset="utf-8"><title>A tensor</title>
  <link rel="icon" href="data:,"><style>html { color-scheme: light dark; background: light-dark(#fcfaf5, #1a1713); color: light-dark(#222, #eee) }</style><main><h1>A tensor</h1></main></html>`;
const TOKENS = ["the", " moon", ",", " the", " stars", " and"];

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
before(async () => {
  site = await start();
});
after(() => site.stop());

/**
 * Opens a page with one view. @param {Given} given @param {object} properties of the element
 * @param {(page: Page) => Promise<void>} act @param {object} [options] of `visit`
 */
async function show(given, properties, act, options = {}) {
  const before = (/** @type {Page} */ page) =>
    page.route("**/tensor.html", (route) =>
      route.fulfill({ contentType: "text/html", body: BLANK }),
    );
  await visit(site, { path: "tensor.html", before, ...options }, async (page) => {
    await page.evaluate(
      async ({ given, properties }) => {
        await import(new URL("elements/tensor-view.js", location.href).href);
        const { values, whole, ...rest } = given;
        const data = whole ? Uint32Array.from(values, Number) : Float32Array.from(values, Number);
        const element = document.createElement("tensor-view");
        Object.assign(element, { tensor: { data, ...rest }, name: "a tensor", ...properties });
        document.querySelector("main")?.append(element);
        await element.updateComplete;
      },
      { given, properties },
    );
    await act(page);
  });
}

/** The colour of the middle of each cell, panel by panel, and the scale. @param {Page} page */
function drawn(page) {
  return page.locator("tensor-view").evaluate((/** @type {any} */ element) => {
    const { geometry, colours } = element;
    const { width, height, across, down, perLine, pitch, title, panels } = geometry;
    const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    copy?.drawImage(element.renderRoot.querySelector(".cells"), 0, 0);
    const pixels = copy?.getImageData(0, 0, width, height).data ?? [];
    const cells = [];
    for (let panel = 0; panel < panels; panel++)
      for (let row = 0; row < down.cells; row++)
        for (let column = 0; column < across.cells; column++) {
          const x = (panel % perLine) * pitch.x + (column + 0.5) * across.cell;
          const y = Math.floor(panel / perLine) * pitch.y + title + (row + 0.5) * down.cell;
          const at = 4 * (Math.floor(y) * width + Math.floor(x));
          cells.push([...pixels.slice(at, at + 4)]);
        }
    return { cells, colours, geometry };
  });
}

/** @param {number[]} cell @param {number} value @param {any} colours */
function assertColour([red, green, blue, alpha], value, { map, min, max }, theme = "light") {
  assert.equal(alpha, 255);
  /** @type {any} */ const shown = theme;
  const isDiverging = map === "diverging";
  const level = (isDiverging ? signedLevelOf : levelOf)([red, green, blue], shown);
  assert.ok(level >= 0, `${[red, green, blue]} is not on the scale, for ${value}`);
  const [low, high] = isDiverging
    ? signedValuesOf(level, max, "linear")
    : valuesOf(level, "linear").map((share) => min + share * (max - min));
  const clipped = Math.min(max, Math.max(min, value));
  assert.ok(clipped >= low - 1e-5 && clipped <= high + 1e-5, `${value}: ${low} to ${high}`);
}

/** The text of the element, through shadow roots. @param {Page} page @returns {Promise<string>} */
const words = (page) =>
  page.locator("tensor-view").evaluate((element) => {
    /** @param {any} node @returns {string} */
    const textOf = (node) => {
      if (node instanceof Text) return node.data;
      if (node instanceof HTMLStyleElement) return "";
      const inside = [...(node.shadowRoot ?? node).childNodes].map(textOf).join("");
      return /^(P|SPAN|DIV|LABEL)$/.test(node.nodeName) ? `${inside}\n` : inside;
    };
    return textOf(element).replace(/[ \t\n]*\n[ \t\n]*/g, "\n");
  });

/** @param {number} count */
const wave = (count) => Array.from({ length: count }, (_, i) => Math.fround(Math.sin(i * 1.7) * 2));

test("four axes: heads are panels, and any axis can have another place", async () => {
  const values = wave(4 * 6 * 6);
  const given = { values, shape: [1, 4, 6, 6], axes: ["batch", "head", "query", "key"] };
  await show(given, { tokens: TOKENS, limits: "all" }, async (page) => {
    const element = page.locator("tensor-view");
    await eventually(async () => {
      const { cells, colours, geometry } = await drawn(page);
      assert.equal(geometry.panels, 4);
      cells.forEach((cell, i) => assertColour(cell, values[i], colours));
    });
    await element.locator("select[name=place-head]").selectOption("slider");
    await element.locator("input[name=slide-head]").fill("2");
    await eventually(async () => {
      const { cells, colours, geometry } = await drawn(page);
      assert.equal(geometry.panels, 1);
      cells.forEach((cell, i) => assertColour(cell, values[72 + i], colours));
    });
    // Keys take the panels' place, and heads run down.
    await element.locator("select[name=rows]").selectOption("head");
    await element.locator("select[name=place-query]").selectOption("down");
    await eventually(async () => {
      const { cells, colours, geometry } = await drawn(page);
      assert.deepEqual([geometry.panels, geometry.down.cells, geometry.across.cells], [6, 4, 6]);
      cells.forEach((cell, i) => {
        const [query, head, key] = [Math.floor(i / 24), Math.floor(i / 6) % 4, i % 6];
        assertColour(cell, values[head * 36 + query * 6 + key], colours);
      });
    });
    assert.match(await words(page), /4 head × 6 query × 6 key/);
  });
});

test("NaN, infinities, masked and clipped cells are marked apart and explained", async () => {
  const values = [...wave(24), 100];
  Object.assign(values, { 0: "NaN", 7: "Infinity", 13: "-Infinity" });
  const given = { values, shape: [5, 5], axes: ["pos", "d_model"] };
  const mask = { data: [1, 1, 1, 0, 1], shape: [5], axes: ["pos"] };
  await show(given, { mask }, async (page) => {
    await eventually(async () => {
      const { cells, colours } = await drawn(page);
      assert.ok(colours.max < 100, "limits are of three standard deviations");
      cells.forEach((cell, i) => {
        if (Math.floor(i / 5) === 3) return assert.equal(cell[3], 0, "masked");
        const value = Number(values[i]);
        if (Number.isFinite(value)) assertColour(cell, value, colours);
        else if (cell[3] > 0) assert.equal(signedLevelOf([cell[0], cell[1], cell[2]], "light"), -1);
      });
      const text = await words(page);
      for (const part of [
        /not finite: 3 values \(1 NaN, 1 ∞, 1 −∞\)/,
        /above the limit: 1/,
        /masked: 5/,
        /max 100/,
      ])
        assert.match(text, part);
    });
    await page.locator("tensor-view select[name=limits]").evaluate((/** @type {any} */ one) => {
      one.closest("details").open = true;
    });
    await page.locator("tensor-view select[name=limits]").selectOption("all");
    await eventually(async () => assert.doesNotMatch(await words(page), /above the limit/));
    await page.locator("tensor-view input[name=max]").fill("1.5");
    await page.locator("tensor-view input[name=max]").press("Enter");
    await eventually(async () => {
      const { colours } = await drawn(page);
      assert.deepEqual([colours.min, colours.max], [-1.5, 1.5]);
      assert.match(await words(page), /below the limit: \d/);
    });
    await page.locator("tensor-view").getByRole("button", { name: "table" }).click();
    assert.match(await words(page), /Values that are not finite, then those farthest from zero/);
  });
});

test("−∞ is a mask in attention scores", async () => {
  const values = Array.from({ length: 16 }, (_, i) => (i % 4 > i / 4 ? "-Infinity" : 1 - i));
  await show({ values, shape: [4, 4], axes: ["query", "key"] }, {}, async (page) => {
    await eventually(async () => {
      const { cells } = await drawn(page);
      cells.forEach((cell, i) => assert.equal(cell[3], i % 4 > i / 4 ? 0 : 255));
    });
    const text = await words(page);
    assert.match(text, /masked: 6/);
    assert.doesNotMatch(text, /not finite/);
  });
});

test("a vector is drawn in lines, and a scalar is a number", async () => {
  const values = wave(300);
  const given = {
    values,
    shape: [300],
    axes: ["d_model"],
    name: "h.0.ln_1.bias",
    note: "rounded to q8",
  };
  await show(given, { limits: "all" }, async (page) => {
    await eventually(async () => {
      const { cells, colours, geometry } = await drawn(page);
      assert.ok(geometry.down.cells > 1 && cells.length >= 300);
      values.forEach((value, i) => assertColour(cells[i], value, colours));
    });
    assert.match(await words(page), /300 d_model[\s\S]*rounded to q8/);
    await page.locator("tensor-view .plot").focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowDown");
    const { wrap } = (await drawn(page)).geometry.grid;
    await eventually(async () =>
      assert.match(
        await page.locator("tensor-view .readout").innerText(),
        new RegExp(`^d_model ${wrap + 1} `),
      ),
    );
  });
  await show({ values: [0.1], shape: [], axes: [], name: "loss" }, {}, async (page) => {
    assert.match(await words(page), /^0\.1$/m, "with the digits of an f32");
    assert.equal(await page.locator("tensor-view canvas").count(), 0);
  });
});

test("whole numbers are written into their cells", async () => {
  const values = [50256, 13, 464, 8081, 7, 0];
  const given = { values, shape: [1, 6], axes: ["batch", "pos"], whole: true };
  await show(given, {}, async (page) => {
    // The digits are a second ink on the colour of each cell.
    await eventually(async () => {
      const inks = await page.locator("tensor-view").evaluate((/** @type {any} */ element) => {
        const { across, down, width, height } = element.geometry;
        const context = new OffscreenCanvas(width, height).getContext("2d", {
          willReadFrequently: true,
        });
        if (!context) return [];
        context.drawImage(element.renderRoot.querySelector(".cells"), 0, 0);
        return Array.from({ length: 6 }, (_, i) => {
          const { data } = context.getImageData(i * across.cell, 0, across.cell, down.cell);
          const [red, green, blue] = data;
          let other = 0;
          for (let at = 0; at < data.length; at += 4)
            if (data[at] !== red || data[at + 1] !== green || data[at + 2] !== blue) other += 1;
          return other;
        });
      });
      assert.ok(
        inks.every((count) => count > 8),
        `${inks}`,
      );
      assert.ok(inks[0] > 2 * inks[4], "five digits have more ink than one");
    });
    assert.match(await words(page), /min 0[\s\S]*max 50256/);
  });
});

test("4,096 columns are pooled, zoomed, moved and sorted, and hovering gives the true index", async () => {
  const [rows, columns] = [16, 4096];
  const values = wave(rows * columns);
  values[5 * columns + 3001] = 40;
  const given = { values, shape: [rows, columns], axes: ["pos", "d_mlp"] };
  await show(given, { tokens: [] }, async (page) => {
    const element = page.locator("tensor-view");
    const readout = element.locator(".readout");
    await eventually(async () =>
      assert.match(await words(page), /a cell shows the farthest from zero of 1 × \d+/),
    );
    const { geometry } = await drawn(page);
    const box = await element.locator(".cells").boundingBox();
    assert.ok(box);
    const { factor, cell } = geometry.across;
    await page.mouse.move(
      box.x + (Math.floor(3001 / factor) + 0.5) * cell,
      box.y + 5.5 * geometry.down.cell,
    );
    await eventually(async () => assert.equal(await readout.innerText(), "pos 5, d_mlp 3001 40"));
    await page.mouse.click(
      box.x + (Math.floor(3001 / factor) + 0.5) * cell,
      box.y + 5.5 * geometry.down.cell,
    );
    await element.locator(".plot").focus();
    for (let i = 0; i < 6; i++) await page.keyboard.press("+");
    await eventually(async () => {
      const [first, count] = await element.evaluate((/** @type {any} */ one) => [
        one.visibleColumns.first,
        one.visibleColumns.count,
      ]);
      assert.equal(count, 64);
      assert.ok(first <= 3001 && 3001 < first + count);
      const { cells, colours, geometry } = await drawn(page);
      assert.equal(geometry.across.factor, 1);
      cells.forEach((cell, i) =>
        assertColour(cell, values[Math.floor(i / 64) * columns + first + (i % 64)], colours),
      );
    });
    const before = await element.evaluate((/** @type {any} */ one) => one.visibleColumns.first);
    const zoomed = await element.locator(".cells").boundingBox();
    assert.ok(zoomed);
    await page.mouse.move(zoomed.x + 300, zoomed.y + 40);
    await page.mouse.down();
    await page.mouse.move(zoomed.x + 100, zoomed.y + 40, { steps: 4 });
    await page.mouse.up();
    await eventually(async () =>
      assert.ok(
        (await element.evaluate((/** @type {any} */ one) => one.visibleColumns.first)) > before,
      ),
    );
    await page.keyboard.press("0");
    await element.locator("select[name=order]").selectOption("pinned");
    await eventually(async () =>
      assert.match(await words(page), /d_mlp, largest value at pos 5 first/),
    );
    await page.mouse.move(2, 2); // what is locked has the focus
    await element.locator(".plot").focus();
    await page.keyboard.press("Home");
    await eventually(async () => assert.equal(await readout.innerText(), "pos 5, d_mlp 3001 40"));
  });
});

test("the locked value and the view are copied as code", async () => {
  const given = {
    values: wave(2 * 4 * 3),
    shape: [1, 2, 4, 3],
    axes: ["batch", "head", "query", "key"],
    name: "blocks.0.attn.hook_pattern",
  };
  await show(given, { lock: { row: 3, column: 1, panel: 1 } }, async (page) => {
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    const box = page.locator("tensor-view details.code");
    await box.locator("summary").click();
    const codes = await box.locator("code").allInnerTexts();
    assert.deepEqual(codes, [
      'cache.get("blocks.0.attn.hook_pattern").at({ head: 1, query: 3, key: 1 }).item()',
      'cache["blocks.0.attn.hook_pattern"][0, 1, 3, 1].item()',
      'cache.get("blocks.0.attn.hook_pattern")',
      'cache["blocks.0.attn.hook_pattern"][0, :, :, :]',
    ]);
    await box.getByRole("button", { name: "copy the locked value" }).click();
    await eventually(async () =>
      assert.equal(await page.evaluate(() => navigator.clipboard.readText()), codes[0]),
    );
  });
});

for (const [mode, options] of Object.entries({
  light: {},
  dark: { dark: true },
  "a phone": { width: 390, height: 844 },
}))
  test(`axe finds nothing, and nothing is wider than the page: ${mode}`, async () => {
    const values = [...wave(2 * 3 * 5 * 70)];
    Object.assign(values, { 3: "NaN", 8: "Infinity", 12: 90 });
    const given = { values, shape: [2, 3, 5, 70], axes: ["layer", "head", "pos", "d_head"] };
    await show(
      given,
      { tokens: TOKENS, source: "blocks.0.attn.hook_z", across: "head", down: "none" },
      async (page) => {
        await page.evaluate(AXE);
        await page.locator("tensor-view").evaluate((/** @type {any} */ element) => {
          for (const one of element.renderRoot.querySelectorAll("details")) one.open = true;
        });
        await page.locator("tensor-view").getByRole("button", { name: "table" }).click();
        const found = await page.evaluate(async () => {
          const { violations } = await /** @type {any} */ (globalThis).axe.run(document);
          return violations.map((/** @type {any} */ one) => `${one.id}: ${one.nodes[0].html}`);
        });
        assert.deepEqual(found, []);
        assert.ok(
          await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth),
          "no sideways scrolling",
        );
      },
      options,
    );
  });
