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
/** @typedef {{ values: (number | string)[], shape: number[], axes: string[], whole?: boolean, labels?: Record<string, string[]>, name?: string, note?: string, isWhole?: boolean }} Given */

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

/**
 * The pixels of a cell of the only panel that are not transparent, and their share of it.
 * @param {Page} page @param {number} index @returns {Promise<{ pixels: string, colours: any[], share: number }>}
 */
function inkOf(page, index) {
  return page.locator("tensor-view").evaluate((/** @type {any} */ element, index) => {
    const { width, height, across, down, title } = element.geometry;
    /** @type {any} */
    const context = new OffscreenCanvas(width, height).getContext("2d", {
      willReadFrequently: true,
    });
    context.drawImage(element.renderRoot.querySelector(".cells"), 0, 0);
    const [x, y] = [index % across.cells, Math.floor(index / across.cells)];
    const { data } = context.getImageData(
      ...[x * across.cell, title + y * down.cell, across.cell, down.cell],
    );
    const pixels = Array.from({ length: data.length / 4 }, (_, i) => [
      ...data.slice(4 * i, 4 * i + 4),
    ]);
    const ink = pixels.filter(([, , , alpha]) => alpha > 0);
    const colours = [...new Set(ink.map((one) => one.slice(0, 3).join()))];
    return {
      pixels: pixels.join(),
      colours: colours.map((one) => one.split(",").map(Number)),
      share: ink.length / pixels.length,
    };
  }, index);
}

/** @param {number[]} cell @param {number} value @param {any} colours */
function assertColour([red, green, blue, alpha], value, { map, min, max }, theme = "light") {
  assert.equal(alpha, 255);
  /** @type {any} */ const shown = theme;
  const isDiverging = map === "diverging";
  const level = (isDiverging ? signedLevelOf : levelOf)([red, green, blue], shown);
  assert.ok(level >= 0, `${[red, green, blue]} is not on the scale, for ${value}`);
  const [low, high] = isDiverging
    ? signedValuesOf(level, Math.max(Math.abs(min), Math.abs(max)), "linear")
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
      });
      const marks = await Promise.all([0, 7, 13].map((at) => inkOf(page, at)));
      for (const { colours: inks, share } of marks) {
        assert.equal(inks.length, 1, "one ink and the paper");
        assert.equal(signedLevelOf(inks[0], "light"), -1, "which is no colour of the scale");
        assert.ok(share > 0.3 && share < 0.7, `${share} of the cell is ink`);
      }
      const looks = marks.map(({ pixels }) => pixels);
      assert.equal(new Set(looks).size, 3, "NaN, ∞ and −∞ look different");
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
    const limit = (/** @type {string} */ name) => page.locator(`tensor-view input[name=${name}]`);
    await limit("max").fill("1.5");
    await limit("max").press("Enter");
    await limit("min").fill("-0.5");
    await limit("min").press("Enter");
    await eventually(async () => {
      const { cells, colours } = await drawn(page);
      assert.deepEqual([colours.map, colours.min, colours.max], ["diverging", -0.5, 1.5]);
      const text = await words(page);
      assert.match(text, /below the limit: \d/);
      assert.match(text, /−0\.5\s+1\.5\s+zero at the mark/);
      cells.forEach((cell, i) => {
        const value = Number(values[i]);
        if (Math.floor(i / 5) !== 3 && Number.isFinite(value)) assertColour(cell, value, colours);
      });
    });
    const mark = await page.locator("tensor-view color-legend").evaluate((legend) => {
      const ramp = legend.shadowRoot?.querySelector(".ramp") ?? legend;
      return Number.parseFloat(getComputedStyle(ramp).getPropertyValue("--zero"));
    });
    assert.ok(Math.abs(mark - 25) < 1, `zero is marked at ${mark} %`);
    await limit("min").fill("2");
    await limit("min").press("Enter");
    assert.equal(
      await limit("min").evaluate((/** @type {any} */ input) => input.validationMessage),
      "expected a number less than 1.5",
    );
    assert.deepEqual(
      (await drawn(page)).colours.min,
      -0.5,
      "limits in the wrong order change nothing",
    );
    // Other limits take the place of what was refused.
    await page.locator("tensor-view").evaluate((/** @type {any} */ element) => {
      element.limits = "-2,1.5";
    });
    await eventually(async () => {
      const { value, validationMessage } = await limit("min").evaluate(
        (/** @type {any} */ input) => ({
          value: input.value,
          validationMessage: input.validationMessage,
        }),
      );
      assert.deepEqual([value, validationMessage], ["-2", ""]);
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
    await box.getByRole("button", { name: "copy the pinned value" }).click();
    await eventually(async () =>
      assert.equal(await page.evaluate(() => navigator.clipboard.readText()), codes[0]),
    );
  });
});

/** The pins as the list says them. @param {Page} page */
const pinned = (page) =>
  page
    .locator("tensor-view .pins li")
    .evaluateAll((items) =>
      items.map((item) => [...item.children].slice(0, 2).map((part) => part.textContent?.trim())),
    );

/** The middle of a drawn cell. @param {Page} page @param {number} line @param {number} place */
async function middleOf(page, line, place) {
  const box = await page.locator("tensor-view .cells").boundingBox();
  assert.ok(box);
  const { across, down, ratio } = (await drawn(page)).geometry;
  const x = box.x + ((place + 0.5) * across.cell) / ratio;
  return { x, y: box.y + ((line + 0.5) * down.cell) / ratio };
}

test("several values are pinned, stay when axes move, and are released one by one or all", async () => {
  const values = wave(2 * 6 * 5);
  const given = { values, shape: [2, 6, 5], axes: ["head", "pos", "d_head"] };
  await show(given, { tokens: TOKENS, across: "none", down: "none" }, async (page) => {
    const view = page.locator("tensor-view");
    const exact = (/** @type {number} */ at) => String(values[at]).replace("-", "−");
    /** @type {number[][]} */
    const wanted = [
      [1, 2],
      [4, 0],
    ];
    for (const [line, place] of wanted) {
      const { x, y } = await middleOf(page, line, place);
      await page.mouse.click(x, y);
    }
    await eventually(async () =>
      assert.deepEqual(
        (await pinned(page)).map(([place]) => place),
        ["head 0, pos 1 ·moon, d_head 2", "head 0, pos 4 ·stars, d_head 0"],
      ),
    );
    const [[, first]] = await pinned(page);
    assert.equal(Math.fround(Number(first?.replace("−", "-"))), values[7], exact(7));
    // By keyboard: one more, then released with Escape.
    await page.mouse.move(1, 1);
    await view.locator(".plot").focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Enter");
    await eventually(async () => assert.equal((await pinned(page)).length, 3));
    await page.keyboard.press("Escape");
    await eventually(async () => assert.equal((await pinned(page)).length, 2));
    // On another head they are listed, not drawn; the list leads back to them.
    await view.locator("input[name=slide-head]").fill("1");
    await eventually(async () => {
      assert.equal((await pinned(page)).length, 2);
      assert.equal(await view.evaluate((/** @type {any} */ one) => one.lock), null);
    });
    await view.getByRole("button", { name: /^head 0, pos 1/ }).click();
    await eventually(async () => {
      assert.match(await view.locator(".readout").innerText(), /^pos 1 ·moon, d_head 2/);
      assert.deepEqual(await view.evaluate((/** @type {any} */ one) => one.slice.index), {
        head: 0,
      });
    });
    // Other axes: the pins are positions of the tensor.
    await view.locator("select[name=rows]").selectOption("head");
    await eventually(async () => assert.equal((await pinned(page)).length, 2));
    await view.getByRole("button", { name: "release head 0, pos 1" }).click();
    await eventually(async () =>
      assert.deepEqual(
        (await pinned(page)).map(([place]) => place),
        ["head 0, pos 4 ·stars, d_head 0"],
      ),
    );
    // A shorter text does not have the position.
    await view.evaluate((/** @type {any} */ one) => {
      one.pins = [...one.pins, { head: 1, pos: 0, d_head: 0 }];
      const tensor = { data: new Float32Array(20), shape: [2, 2, 5], axes: one.tensor.axes };
      one.tensor = tensor;
    });
    await eventually(async () =>
      assert.deepEqual(
        (await pinned(page)).map(([place]) => place),
        ["head 1, pos 0 the, d_head 0"],
      ),
    );
    await view.evaluate((/** @type {any} */ one) => {
      one.pins = [...one.pins, { head: 1, pos: 1, d_head: 0 }];
    });
    await view.getByRole("button", { name: "release all" }).click();
    await eventually(async () => assert.deepEqual(await pinned(page), []));
  });
});

test("rows are sorted by the pinned column, by their maximum or by name, and as stored again", async () => {
  const values = wave(6 * 8);
  const names = ["gamma", "alpha", "head 10", "head 2", "beta", "delta"];
  const given = { values, shape: [6, 8], axes: ["part", "d_model"], labels: { part: names } };
  await show(given, { limits: "all" }, async (page) => {
    const view = page.locator("tensor-view");
    const { x, y } = await middleOf(page, 2, 3);
    await page.mouse.click(x, y);
    await page.mouse.move(1, 1);
    const rows = Array.from({ length: 6 }, (_, row) => row);
    const row = (/** @type {number} */ at) => values.slice(8 * at, 8 * at + 8);
    const by = (/** @type {(row: number) => number} */ key) =>
      [...rows].sort((a, b) => key(b) - key(a) || a - b);
    const orders = {
      pinned: by((at) => row(at)[3]),
      max: by((at) => Math.max(...row(at))),
      name: [1, 4, 5, 0, 3, 2],
      "": rows,
    };
    for (const [order, wanted] of Object.entries(orders)) {
      await view.locator("select[name=row-order]").selectOption(order);
      await eventually(async () => {
        const { cells, colours } = await drawn(page);
        cells.forEach((cell, i) =>
          assertColour(cell, row(wanted[Math.floor(i / 8)])[i % 8], colours),
        );
      });
      // Arrows go through what is drawn.
      await view.locator(".plot").focus();
      const line = wanted.indexOf(2);
      await page.keyboard.press(line > 0 ? "ArrowUp" : "ArrowDown");
      const next = wanted[line > 0 ? line - 1 : 1];
      await eventually(async () =>
        assert.match(
          await view.locator(".readout").innerText(),
          new RegExp(`^part ${next} ${names[next].replace(" ", "·")}, d_model 3 `),
        ),
      );
      await view.locator(".plot").blur();
    }
  });
});

test("two fingers zoom, and one moves what is zoomed", async () => {
  const [rows, columns] = [8, 2000];
  const given = { values: wave(rows * columns), shape: [rows, columns], axes: ["pos", "d_mlp"] };
  const act = async (/** @type {Page} */ page) => {
    const view = page.locator("tensor-view");
    await eventually(async () => assert.ok((await drawn(page)).geometry));
    const box = await view.locator(".cells").boundingBox();
    assert.ok(box);
    const session = await page.context().newCDPSession(page);
    const [middle, y] = [box.x + box.width / 2, box.y + box.height / 2];
    /** @param {string} type @param {number[]} xs */
    const touch = (type, xs) =>
      session.send("Input.dispatchTouchEvent", {
        type: /** @type {any} */ (type),
        touchPoints: xs.map((x, id) => ({ x, y, id })),
      });
    const visible = () => view.evaluate((/** @type {any} */ one) => one.visibleColumns);
    await touch("touchStart", [middle - 20]);
    await touch("touchStart", [middle - 20, middle + 20]);
    for (const apart of [30, 45, 60, 80])
      await touch("touchMove", [middle - apart, middle + apart]);
    await touch("touchEnd", []);
    await eventually(async () => {
      const { first, count } = await visible();
      assert.ok(Math.abs(count - 500) <= 2, `${count} columns: a quarter`);
      assert.ok(Math.abs(first + count / 2 - 1000) < 40, `about the middle: ${first}`);
    });
    assert.deepEqual(await pinned(page), [], "a pinch pins nothing");
    const before = await visible();
    await touch("touchStart", [middle + 60]);
    for (const x of [40, 20, 0, -40]) await touch("touchMove", [middle + x]);
    await touch("touchEnd", []);
    await eventually(async () => {
      const after = await visible();
      assert.equal(after.count, before.count);
      assert.ok(after.first > before.first, "later columns come from the right");
    });
    await page.touchscreen.tap(middle, y);
    await eventually(async () => assert.equal((await pinned(page)).length, 1, "a tap pins"));
  };
  await show(given, { tokens: [] }, act, { width: 390, height: 844, touch: true });
});

test("the cells are drawn again for another height of the window, so that a pointer finds what is drawn", async () => {
  const given = { values: wave(40 * 40), shape: [40, 40], axes: ["query", "key"] };
  await show(given, {}, async (page) => {
    /** The heights of the cells as drawn, and as a pointer is read. */
    const heights = () =>
      page.locator("tensor-view").evaluate((/** @type {any} */ element) => {
        const canvas = element.renderRoot.querySelector(".cells");
        return { drawn: canvas.height, expected: element.geometry.height };
      });
    const { drawn: before } = await heights();
    await page.setViewportSize({ width: 1440, height: 400 });
    await page.waitForFunction(() => innerHeight === 400);
    await eventually(async () => {
      const { drawn: after, expected } = await heights();
      assert.ok(after < before, `${after} after ${before}`);
      assert.equal(after, expected);
    });
  });
});

test("a part of a named tensor has no expression of the whole, and an unknown name has none", async () => {
  const given = { values: wave(6), shape: [6], axes: ["d_head"], name: "W_Q", isWhole: false };
  await show(given, {}, async (page) => {
    const code = page.locator("tensor-view details.code");
    await code.locator("summary").click();
    assert.match(await code.innerText(), /These numbers were taken from W_Q/);
    assert.equal(await code.locator("code").count(), 0);
  });
  await show({ ...given, name: "similarity", isWhole: true }, {}, async (page) => {
    await page.locator("tensor-view canvas").first().waitFor();
    assert.equal(await page.locator("tensor-view details.code").count(), 0);
  });
  await show({ ...given, name: "logProbs", axes: ["pos"], isWhole: true }, {}, async (page) => {
    const code = page.locator("tensor-view details.code");
    await code.locator("summary").click();
    assert.deepEqual(await code.locator("code").allInnerTexts(), ["run.logProbs"]);
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

test("a tensor that cannot be drawn is said in the element, and drawn when it is mended", async () => {
  const given = { values: [...wave(12)], shape: [3, 4], axes: ["query", "key"] };
  const unfit = {
    "two of its axes have the name query: each needs its own, as query and key": {
      axes: ["query", "query"],
    },
    "its axes are to be an array of names, one for each number of its shape (3, 4)": {
      axes: undefined,
    },
    "its axes are 1 names, its shape (3, 4) is of 2": { axes: ["query"] },
    "its shape is to be an array of whole numbers": { shape: undefined },
    "its shape (3, 5) is of 15 values, its data are 12": { shape: [3, 5] },
    "its shape (3, 3) is of 9 values, its data are 12": { shape: [3, 3] },
    "its data are to be a Float32Array or a Uint32Array": { data: undefined },
  };
  await show(given, { rows: "query" }, async (page) => {
    for (const [problem, change] of Object.entries(unfit)) {
      const text = await page
        .locator("tensor-view")
        .evaluate(async (/** @type {any} */ one, change) => {
          const { tensor } = one;
          one.tensor = { ...tensor, ...change };
          await one.updateComplete;
          const said = one.renderRoot.textContent.trim();
          const { matrix, slice } = one;
          one.tensor = tensor;
          await one.updateComplete;
          return JSON.stringify([said, matrix, slice.rows, one.slice.rows]);
        }, change);
      assert.deepEqual(JSON.parse(text), [
        `This tensor cannot be drawn: ${problem}.`,
        null,
        "",
        "query",
      ]);
    }
  });
});

test("axes that are named twice, and positions that a tensor does not have, are said", async () => {
  const given = { values: [...wave(36)], shape: [3, 3, 4], axes: ["head", "query", "key"] };
  const heads = "head has the positions 0 to 2";
  const has = "the tensor has the axes head, query, key";
  const every = `${heads}, query has the positions 0 to 2, key has the positions 0 to 3`;
  /** @type {[object, string[]][]} */
  const cases = [
    [{ rows: "query", columns: "key", down: "none", across: "head" }, []],
    [
      { rows: "query", columns: "query" },
      ['rows="query" does not fit: it is the axis of columns too. Another axis runs down.'],
    ],
    [
      { rows: "query", down: "query" },
      ['down="query" does not fit: query is drawn in another place. It has no panels there.'],
    ],
    [
      { down: "head", across: "head" },
      ['down="head" does not fit: head is drawn in another place. It has no panels there.'],
    ],
    [{ down: "none", index: { head: 2 } }, []],
    [{ down: "none", index: { hed: 2 } }, [`index="{"hed":2}" does not fit: ${has}.`]],
    [
      { down: "none", index: { head: 9 } },
      [`index="{"head":9}" does not fit: ${heads}. Position 0 is drawn.`],
    ],
    [{ pins: [{ head: 2, query: 0, key: 3 }] }, []],
    [
      { pins: [{ hed: 2, query: 0, key: 3 }] },
      [
        `pins="{"hed":2,"query":0,"key":3}" does not fit: expected a position on every axis; ${every}. It is left out.`,
      ],
    ],
    [
      { pins: [{ head: 2, query: 0, key: 4 }] },
      [
        `pins="{"head":2,"query":0,"key":4}" does not fit: expected a position on every axis; ${every}. It is left out.`,
      ],
    ],
  ];
  await show(given, {}, async (page) => {
    for (const [properties, problems] of cases) {
      const found = await page
        .locator("tensor-view")
        .evaluate(async (/** @type {any} */ one, properties) => {
          const usual = { rows: "", columns: "", down: "", across: "", index: {}, pins: [] };
          Object.assign(one, usual, properties);
          await one.updateComplete;
          const said = [...one.renderRoot.querySelectorAll(".problem")].map((p) => p.textContent);
          return { said, head: one.slice.index.head, pins: one.pins.length };
        }, properties);
      assert.deepEqual(found.said, problems, JSON.stringify(properties));
      if ("index" in properties)
        assert.equal(found.head, problems.length > 0 ? 0 : 2, JSON.stringify(properties));
      if ("pins" in properties) assert.equal(found.pins, problems.length > 0 ? 0 : 1);
    }
    // What a new tensor lacks is released without a word.
    const released = await page.locator("tensor-view").evaluate(async (/** @type {any} */ one) => {
      one.pins = [{ head: 2, query: 0, key: 3 }];
      await one.updateComplete;
      const before = one.pins.length;
      one.tensor = { ...one.tensor, shape: [2, 3, 6] };
      await one.updateComplete;
      return [before, one.pins.length, one.renderRoot.querySelectorAll(".problem").length];
    });
    assert.deepEqual(released, [1, 0, 0]);
  });
});
