// Pictures of every element in the light and the dark theme and in forced colours, compared with those in pictures/.
//
//     npm run pictures      draws them again; look at each one before you commit it

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import pixelmatch from "pixelmatch";
import { PNG } from "pngjs";

import { serve } from "../../scripts/serve.mjs";
import { CHROMIUM, DIST, visit } from "./browser.js";
import { EMPTY, open } from "./figures.js";

/** @typedef {import("playwright-core").Page} Page */

const PICTURES = new URL("pictures/", import.meta.url).pathname;
/** What differs is written here. The folder is ignored by git. */
const FAILED = new URL("../../screenshots/visual/", import.meta.url).pathname;
const FONT = new URL(
  "../../node_modules/@fontsource/dejavu-mono/files/dejavu-mono-latin-400-normal.woff2",
  import.meta.url,
).pathname;
const isUpdate = process.env.UPDATE_PICTURES === "1";

/**
 * The distance of colours from which on a pixel differs, from 0 to 1. Backends of the wasm differ in the last bit of a number, which is
 * at most one step of 256 of a colour scale: a distance of about 0.02. Edges of glyphs are blended in ways of their own by each build.
 */
const THRESHOLD = 0.2;
/**
 * The share of pixels that may differ: three times the most between Debian's Chromium and its headless shell of the same version
 * (0.33 %, of the token strip; 2026-11-29), which blend the edges of glyphs differently. Texts have the same places, because the page has a
 * font of its own and no hinting. The exact colour of each cell is tested in exports.test.js and views.test.js; this finds lost or
 * moved parts, and colours of another theme.
 */
const MAX_SHARE = 0.01;

/** @type {Record<string, { dark?: boolean, forced?: boolean }>} */
const THEMES = { light: {}, dark: { dark: true }, forced: { forced: true } };
/** One font for all texts, because those of machines differ in their widths. */
const STYLES = `
  @font-face { font-family: "Test"; src: url("font.woff2"); }
  :root { --cs-prose: "Test"; --cs-mono: "Test"; color-scheme: light dark; font: 16px "Test"; }
  * { scrollbar-width: none !important; }
`;

/** @type {string} */
let root;
/** @type {{ url: string, browser: import("playwright-core").Browser, stop: () => Promise<void> }} */
let site;
before(async () => {
  root = await mkdtemp(join(tmpdir(), "candlescope-visual-"));
  await symlink(DIST, join(root, "lab"));
  await writeFile(join(root, "font.woff2"), await readFile(FONT));
  const server = await serve({ root });
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ["--no-sandbox", "--font-render-hinting=none", "--disable-lcd-text"],
  });
  site = {
    url: server.url,
    browser,
    stop: async () => {
      await browser.close();
      await server.close();
    },
  };
  if (!isUpdate) await rm(FAILED, { recursive: true, force: true });
});
after(async () => {
  await site?.stop();
  await rm(root, { recursive: true, force: true });
});

/** The names of the elements. @param {Page} page @returns {Promise<string[]>} */
function names(page) {
  return page.evaluate(async () => Object.keys(await /** @type {any} */ (window).lab.figures()));
}

/** @param {Page} page @param {string} name */
async function picture(page, name) {
  await page.evaluate(async (name) => {
    const { lab } = /** @type {any} */ (window);
    await lab.show(name, (await lab.figures())[name], 420);
    await document.fonts.ready;
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  }, name);
  return PNG.sync.read(await page.locator(name).screenshot({ animations: "disabled" }));
}

/**
 * The share of the pixels that differ, and a picture of them.
 * @param {PNG} found @param {PNG} wanted
 */
function difference(found, wanted) {
  const { width, height } = wanted;
  if (found.width !== width || found.height !== height) return { share: 1, marked: null };
  const marked = new PNG({ width, height });
  const count = pixelmatch(found.data, wanted.data, marked.data, width, height, {
    threshold: THRESHOLD,
  });
  return { share: count / (width * height), marked };
}

/** @param {string} theme @param {string} name */
const pathOf = (theme, name) => join(PICTURES, theme, `${name}.png`);

for (const [theme, { dark = false, forced = false }] of Object.entries(THEMES))
  test(`every element looks as in pictures/${theme}`, async () => {
    const before = async (/** @type {Page} */ page) => {
      await EMPTY.before(page);
      if (forced) await page.emulateMedia({ forcedColors: "active" });
    };
    await visit(site, { ...EMPTY, before, path: "lab/empty.html", dark }, async (page) => {
      await page.addStyleTag({ content: STYLES.replace("font.woff2", `${site.url}font.woff2`) });
      await page.evaluate(() => document.fonts.load('16px "Test"'));
      await open(page);
      /** @type {string[]} */
      const problems = [];
      await mkdir(join(PICTURES, theme), { recursive: true });
      for (const name of await names(page)) {
        const found = await picture(page, name);
        if (isUpdate) {
          await writeFile(
            pathOf(theme, name),
            PNG.sync.write(found, { deflateLevel: 9, colorType: 2 }),
          );
          continue;
        }
        if (!existsSync(pathOf(theme, name))) {
          problems.push(`${name} has no picture: npm run pictures`);
          continue;
        }
        const wanted = PNG.sync.read(await readFile(pathOf(theme, name)));
        const { share, marked } = difference(found, wanted);
        if (share <= MAX_SHARE) continue;
        await mkdir(join(FAILED, theme), { recursive: true });
        const file = join(FAILED, theme, name);
        await writeFile(`${file}.png`, PNG.sync.write(found));
        if (marked) await writeFile(`${file}-difference.png`, PNG.sync.write(marked));
        const size = `${found.width} × ${found.height}, expected ${wanted.width} × ${wanted.height}`;
        problems.push(
          `${name}: ${marked ? `${(100 * share).toFixed(2)} % of the pixels differ` : size}; see ${file}*.png`,
        );
      }
      assert.deepEqual(problems, []);
    });
  });

test("the comparison finds a cell in a wrong colour, and one theme in place of another", async () => {
  const read = async (/** @type {string} */ theme, /** @type {string} */ name) =>
    PNG.sync.read(await readFile(pathOf(theme, name)));
  const pattern = await read("light", "tensor-view");
  const changed = await read("light", "tensor-view");
  // A square of 10 × 10 pixels in the middle, as large as a small cell.
  for (let y = 0; y < 10; y++)
    for (let x = 0; x < 10; x++) {
      const at = 4 * ((y + (changed.height >> 1)) * changed.width + x + (changed.width >> 1));
      for (const channel of [0, 1, 2])
        changed.data[at + channel] = changed.data[at + channel] > 127 ? 0 : 255;
    }
  assert.equal(difference(pattern, pattern).share, 0);
  assert.ok(difference(changed, pattern).share * pattern.width * pattern.height >= 90);
  assert.ok(difference(await read("dark", "tensor-view"), pattern).share > MAX_SHARE);
});
