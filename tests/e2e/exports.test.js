// Files of figures and numbers from the built page: cells as on the canvas, tokens exactly, and what Python reads.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { strFromU8, unzipSync } from "fflate";

import { readWithPython } from "../tools/exports.js";
import { start, visit } from "./browser.js";
import { EMPTY, open } from "./figures.js";

/** @typedef {import("playwright-core").Page} Page */

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
before(async () => {
  site = await start();
});
after(() => site?.stop());

/**
 * The pixel in the middle of each cell of the live canvas, of the SVG file as Chromium draws it, and of the PNG file.
 * @param {Page} page @param {string} name of the element @param {string} properties as code @param {[rows: number, columns: number]} size
 */
async function cellsOf(page, name, properties, [rows, columns]) {
  return page.evaluate(
    async ({ name, properties, rows, columns }) => {
      const { lab } = /** @type {any} */ (window);
      const element = await lab.show(name, new Function("lab", `return ${properties}`)(lab));
      const canvas = element.renderRoot.querySelector("canvas.cells");
      /** @param {any} source @param {number[]} box */
      const middles = (source, [left, top, width, height]) => {
        const copy = new OffscreenCanvas(source.width, source.height);
        const context = /** @type {OffscreenCanvasRenderingContext2D} */ (
          copy.getContext("2d", { willReadFrequently: true })
        );
        context.drawImage(source, 0, 0);
        return Array.from({ length: rows * columns }, (_, at) => {
          const x = left + ((at % columns) + 0.5) * (width / columns);
          const y = top + (Math.floor(at / columns) + 0.5) * (height / rows);
          return Array.from(context.getImageData(Math.floor(x), Math.floor(y), 1, 1).data);
        });
      };
      const svg = await element.toSVG({ background: false });
      const root = new DOMParser().parseFromString(svg, "image/svg+xml").documentElement;
      const [, , width, height] = (root.getAttribute("viewBox") ?? "").split(" ").map(Number);
      const scale = canvas.width / canvas.getBoundingClientRect().width;
      const host = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      document.body.append(host);
      for (const group of root.querySelectorAll("g")) host.append(document.importNode(group, true));
      const box = host.getBBox();
      host.remove();
      const area = [box.x, box.y, box.width, box.height];
      const at = (/** @type {number} */ factor) => area.map((one) => one * factor);
      const image = new Image();
      image.src = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
      await image.decode();
      const drawn = new OffscreenCanvas(Math.ceil(width * scale), Math.ceil(height * scale));
      drawn.getContext("2d")?.drawImage(image, 0, 0, width * scale, height * scale);
      const png = await createImageBitmap(await element.toPNG({ background: false, dpi: 250 }));
      return {
        live: middles(canvas, [0, 0, canvas.width, canvas.height]),
        svg: middles(drawn, at(scale)),
        png: middles(png, at(250 / 96)),
        drawnSize: [area[2] * scale, area[3] * scale].map((one) => Math.round(one * 10) / 10),
        size: [canvas.width, canvas.height],
      };
    },
    { name, properties, rows, columns },
  );
}

/** @param {number[][]} found @param {number[][]} wanted @param {string} what */
function assertSameColours(found, wanted, what) {
  /** @param {number[]} colour @param {number} at */
  const isSame = (colour, at) =>
    colour[3] === 0
      ? found[at][3] === 0 // a transparent pixel has no colour to compare
      : colour.every((value, i) => Math.abs(value - found[at][i]) <= 1);
  const differs = wanted.flatMap((colour, at) =>
    isSame(colour, at) ? [] : [`${at}: ${found[at]}, expected ${colour}`],
  );
  assert.deepEqual(differs, [], what);
}

for (const { dark, ratio } of [
  { dark: false, ratio: 1 },
  { dark: true, ratio: 1.5 },
])
  test(`each cell has the colour of the canvas in SVG and PNG, ${dark ? "dark" : "light"}, ${ratio} pixels per CSS pixel`, async () => {
    await visit(site, { ...EMPTY, dark, ratio }, async (page) => {
      await page.evaluate(() => {
        document.documentElement.style.colorScheme = "light dark";
      });
      await open(page);
      const tokens = await page.evaluate(() => /** @type {any} */ (window).lab.strings.length);
      const matrix = `lab.run.cache.get(["pattern", 0]).at({ batch: 0, head: 2 })`;
      const table = `(() => {
        const { data } = lab.run.cache.get(["resid_post", 1]).at({ batch: 0, d_model: { to: 12 } });
        return { data, rows: ${tokens}, columns: 12 };
      })()`;
      const names = `Array.from({ length: 12 }, (_, i) => "n" + i)`;
      /** @type {[name: string, properties: string, size: [number, number]][]} */
      const figures = [
        ["attention-pattern", "lab.pattern", [tokens, tokens]],
        [
          "tensor-view",
          `{ tensor: ${matrix}, tokens: lab.strings, name: "pattern" }`,
          [tokens, tokens],
        ],
        [
          "heat-table",
          `{ table: ${table}, rows: lab.strings, columns: ${names}, quantity: "x" }`,
          [tokens, 12],
        ],
      ];
      for (const [name, properties, cells] of figures) {
        const found = await cellsOf(page, name, properties, cells);
        assert.deepEqual(found.drawnSize, found.size, `size of ${name}`);
        assert.ok(new Set(found.live.map(String)).size > 10, `${name} has colours`);
        assertSameColours(found.svg, found.live, `SVG of ${name}`);
        assertSameColours(found.png, found.live, `PNG of ${name}`);
      }
    });
  });

test("the text of an SVG is text: every token, in labels and exactly in the metadata", async () => {
  await visit(site, EMPTY, async (page) => {
    await open(page, 'a <b> & "c"\n日本');
    const { svg, strings } = await page.evaluate(async () => {
      const { lab } = /** @type {any} */ (window);
      const element = await lab.show("attention-pattern", lab.pattern);
      const caption = { model: "models/shakespeare", head: "1.1", text: "a <b>" };
      return { svg: await element.toSVG({ caption }), strings: lab.strings };
    });
    const { texts, metadata, title, problem } = await page.evaluate((svg) => {
      const root = new DOMParser().parseFromString(svg, "image/svg+xml");
      return {
        problem: root.querySelector("parsererror")?.textContent ?? "",
        texts: [...root.querySelectorAll("text")].map((one) => one.textContent),
        metadata: JSON.parse(root.querySelector("metadata")?.textContent ?? ""),
        title: root.querySelector("title")?.textContent ?? "",
      };
    }, svg);
    assert.equal(problem, "");
    assert.deepEqual(
      metadata.figures[0].tokens.map((/** @type {any} */ one) => one.string ?? one),
      strings,
    );
    assert.equal(title, "Head 1.1 of models/shakespeare on “a <b>”.");
    assert.ok(texts.includes(title));
    for (const token of new Set(strings)) {
      if (token.includes("\ufffd")) continue; // its label has the bytes
      const parts = token.split(/([ \n])/).filter(Boolean);
      for (const part of parts) {
        const glyph = part === " " ? "·" : part === "\n" ? "⏎" : part;
        const onAxes = texts.filter((one) => one === glyph).length;
        assert.ok(onAxes >= 2, `“${glyph}” is on both axes`);
      }
    }
    assert.doesNotMatch(svg, /oklch|light-dark|var\(|<button|foreignObject|href=/);
  });
});

test("a printed width, a theme and a caption: as asked, and a PNG in print resolution", async () => {
  await visit(site, { ...EMPTY, dark: true }, async (page) => {
    await open(page);
    const found = await page.evaluate(async () => {
      const { lab } = /** @type {any} */ (window);
      const element = await lab.show("attention-pattern", lab.pattern);
      const before = document.body.innerHTML;
      const light = await element.toSVG({ width: "85mm", theme: "light", caption: "Induction" });
      const dark = await element.toSVG({ width: "3.5in", theme: "dark" });
      const png = await createImageBitmap(await element.toPNG({ width: "85mm" }));
      return { light, dark, png: png.width, isUnchanged: document.body.innerHTML === before };
    });
    assert.match(found.light, /<svg [^>]*width="85mm" height="[\d.]+mm"/);
    assert.match(found.light, /<text [^>]*>Induction<\/text>/);
    assert.match(found.light, /<rect width="100%" height="100%" fill="#f[\da-f]{5}"\/>/);
    assert.match(found.dark, /<svg [^>]*width="3.5in"/);
    assert.match(found.dark, /<rect width="100%" height="100%" fill="#1[\da-f]{5}"\/>/);
    assert.equal(found.png, Math.ceil((85 / 25.4) * 300));
    assert.ok(found.isUnchanged, "nothing is left on the page");
  });
});

test("every figure of the library is a file without controls", async () => {
  await visit(site, EMPTY, async (page) => {
    await open(page);
    const found = await page.evaluate(async () => {
      const { lab } = /** @type {any} */ (window);
      const figures = await lab.figures();
      /** @type {Record<string, { texts: string[], marks: number, stripes: number, size: string }>} */
      const result = {};
      for (const [name, properties] of Object.entries(figures)) {
        const svg = await (await lab.show(name, properties)).toSVG();
        const root = new DOMParser().parseFromString(svg, "image/svg+xml").documentElement;
        result[name] = {
          texts: [...root.querySelectorAll("text")].map((one) => one.textContent ?? ""),
          marks: root.querySelectorAll("rect, path, image").length,
          stripes: root.querySelectorAll('g > path[fill="#a41678"]').length,
          size: root.getAttribute("viewBox") ?? "",
        };
      }
      return { result, tokens: lab.strings.length };
    });
    const { result, tokens } = found;
    for (const [name, { texts, marks, size }] of Object.entries(result)) {
      assert.ok(marks > 1, `${name} has shapes`);
      assert.ok(
        size.split(" ").every((one) => Number.isFinite(Number(one))),
        `${name}: ${size}`,
      );
      for (const control of ["square root", "copy", "table", "sort by"])
        assert.ok(!texts.includes(control), `${name} has no “${control}”`);
    }
    assert.equal(result["heat-table"].stripes, 1, "the cell that is not a number has stripes");
    assert.ok(result["bar-list"].texts.includes("−1.000"));
    assert.ok(result["logit-lens"].texts.length > 4 * tokens, "also positions beyond the edge");
    assert.ok(result["attention-heads"].marks > 50, "thumbnails have cells");
  });
});

test("what cannot be exported is refused with a sentence", async () => {
  await visit(site, EMPTY, async (page) => {
    await open(page);
    const errors = await page.evaluate(async () => {
      const { lab } = /** @type {any} */ (window);
      const caught = (/** @type {Promise<unknown>} */ call) =>
        call.then(
          () => "none",
          (error) => `${error.name}: ${error.message}`,
        );
      const first = await caught((await lab.show("head-grid", {})).toSVG());
      const element = await lab.show("attention-pattern", lab.pattern);
      return [
        first,
        await caught(element.toSVG({ width: "85" })),
        await caught(element.toSVG({ width: 40 })),
        await caught(element.toSVG({ colour: "red" })),
        await caught(element.toSVG({ caption: { author: "me" } })),
        await caught(element.toPNG({ theme: "sepia" })),
        await caught(element.toPNG({ dpi: 9000 })),
        await caught(element.toPNG({ width: "40in", dpi: 600 })),
        (await element.toSVG()).slice(0, 4),
      ];
    });
    const expected = [
      /^InputError: toSVG: <head-grid> shows nothing yet/,
      /`width` of toSVG is "85", expected a length/,
      /`width` of toSVG is 40, expected a length/,
      /toSVG has no option `colour`, expected width, theme, caption, background/,
      /`caption` of toSVG is an object/,
      /`theme` of toPNG is "sepia", expected "light" or "dark"/,
      /`dpi` of toPNG is 9000, expected a number from 36 to 2400/,
      /the picture would have 24000 × \d+ pixels, expected at most 16384/,
      /^<svg$/, // the element is as usable as before
    ];
    for (const [at, message] of expected.entries()) assert.match(errors[at], message);
  });
});

test("npz and safetensors of a run equal cache.get bit for bit", async () => {
  await visit(site, EMPTY, async (page) => {
    await open(page);
    const found = await page.evaluate(async () => {
      const { run, strings, bytes } = /** @type {any} */ (window).lab;
      const plain = (/** @type {any} */ { data, shape }) => ({
        shape,
        bits: Array.from(new Uint32Array(data.buffer, data.byteOffset, data.length)),
      });
      const labels = { query: strings, key: strings };
      return {
        arrays: run.cache
          .names()
          .map((/** @type {string} */ name) => [name, plain(run.cache.get(name))]),
        npz: await bytes(await run.cache.toNpz({ compressed: true })),
        safetensors: await bytes(await run.cache.toSafetensors()),
        csv: await run.cache.get(["pattern", 1]).at({ batch: 0, head: 1 }).toCSV({ labels }),
        headVis: await bytes(await run.cache.toHeadVis()),
        strings,
      };
    });
    /** @type {[string, { shape: number[], bits: number[] }][]} */
    const arrays = found.arrays;
    const numbers = arrays.map(([name, { shape, bits }]) => [
      name,
      { shape, data: new Float32Array(Uint32Array.from(bits).buffer) },
    ]);
    const { problems, metadata, tables } = readWithPython(Object.fromEntries(numbers), {
      "run.npz": Uint8Array.from(found.npz),
      "run.safetensors": Uint8Array.from(found.safetensors),
      "pattern.csv": found.csv,
    });
    assert.deepEqual(problems, []);
    assert.equal(metadata.model, "models/shakespeare");
    assert.deepEqual(JSON.parse(metadata.tokens), found.strings);
    assert.deepEqual(tables.pattern[0].slice(1), found.strings);
    const files = unzipSync(Uint8Array.from(found.headVis));
    const config = JSON.parse(strFromU8(files["data/config.json"]));
    assert.ok(config.heads.length >= 4 && config.n_layers >= 2);
  });
});
