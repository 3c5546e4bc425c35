#!/usr/bin/env node
// Takes pictures of every view and every step of the lessons, to be looked at: at the widths of a projector, a laptop and a phone,
// in the light and the dark theme. Needs the built page.
//
//     npm run screenshots [WORD...]     only these views and lessons ("lens", "lesson-induction"), widths ("390") or themes ("dark")
//
// Writes screenshots/, with a contact sheet in screenshots/index.html. A picture has the whole page; the line on the contact
// sheet is the lower edge of the first screen.

import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { settled, start } from "../tests/e2e/browser.js";
import { address, compute, TWO_PROMPTS, VIEW_NAMES } from "../tests/e2e/lab-helpers.js";
import { VIEWS } from "../www/elements/views/index.ts";
import { addressOfStep, LESSONS } from "../www/lessons/index.ts";

const OUT = "screenshots";
const SIZES = [
  { width: 1440, height: 900 },
  { width: 1024, height: 768 },
  { width: 390, height: 844 },
];
const THEMES = /** @type {const} */ (["light", "dark"]);
/** @typedef {{ name: string, title: string, hash: string }} Scene */

/** @type {Scene[]} */
const views = VIEW_NAMES.map((name) => {
  const view = /** @type {Record<string, any>} */ (VIEWS)[name];
  const state = view.usesCorrupted || view.usesAnswer ? TWO_PROMPTS : {};
  return { name, title: view.title, hash: address({ view: name, ...state }) };
});

/** Tensors of different ranks: panels of heads, −∞, a vector, and many columns, two of them with other choices. @type {Scene[]} */
const tensors = [
  ["pattern", "blocks.0.attn.hook_pattern", {}],
  ["scores", "blocks.1.attn.hook_attn_scores", { across: "none" }],
  ["vector", "ln_final.hook_scale", {}],
  ["neurons", "blocks.1.mlp.hook_post", { order: "max" }],
  ["clipped", "blocks.3.hook_resid_post", { limits: "-1,1" }],
].map(([name, hook, choices]) => ({
  name: `tensor-${name}`,
  title: `${hook} as a tensor`,
  hash: address({
    view: "activations",
    hook,
    ...Object.fromEntries(
      Object.entries(choices).map(([field, value]) => [`activations.${field}`, value]),
    ),
  }),
}));

/** Every step of every lesson. @type {Scene[]} */
const lessons = LESSONS.flatMap(({ name, steps }) =>
  steps.map(({ title }, at) => ({
    name: `lesson-${name}-${at + 1}`,
    title,
    hash: addressOfStep(name, at + 1),
  })),
);

const words = process.argv.slice(2);
/** Those that a word names, or all. @template T @param {readonly T[]} all @param {(one: T, word: string) => boolean} isNamed */
function chosen(all, isNamed) {
  const found = all.filter((one) => words.some((word) => isNamed(one, word)));
  return found.length > 0 ? found : all;
}
const opening = { name: "opening", title: "the page as it opens", hash: "" };
const scenes = chosen([opening, ...views, ...tensors, ...lessons], ({ name }, word) =>
  name.startsWith(word),
);
const sizes = chosen(SIZES, ({ width }, word) => String(width) === word);
const themes = chosen(THEMES, (theme, word) => theme === word);

/** @param {Scene} scene @param {{ width: number }} size @param {string} theme */
const fileOf = ({ name }, { width }, theme) => `${name.replaceAll("/", "-")}-${width}-${theme}.png`;

if (words.length === 0) await rm(OUT, { recursive: true, force: true });
await mkdir(OUT, { recursive: true });
const site = await start();
const failures = [];
try {
  for (const size of sizes) {
    for (const theme of themes) {
      const context = await site.browser.newContext({
        viewport: size,
        colorScheme: theme,
        reducedMotion: "reduce",
        isMobile: size.width < 500,
        hasTouch: size.width < 500,
      });
      for (const scene of scenes) {
        const page = await context.newPage();
        page.setDefaultTimeout(60_000);
        try {
          await page.goto(site.url + scene.hash);
          await settled(page);
          await compute(page);
          if (scene.name.startsWith("lesson-")) await lessonIsShown(page);
          await page.screenshot({ path: join(OUT, fileOf(scene, size, theme)), fullPage: true });
        } catch (error) {
          failures.push(
            `${scene.name} at ${size.width}, ${theme}: ${String(error).split("\n")[0]}`,
          );
        }
        await page.close();
      }
      await context.close();
      console.log(`${scenes.length} pictures at ${size.width}, ${theme}`);
    }
  }
} finally {
  await site.stop();
}
await writeFile(join(OUT, "index.html"), contactSheet());
console.log(`${OUT}/index.html`);
for (const failure of failures) console.error(`not finished: ${failure}`);
process.exitCode = failures.length > 0 ? 1 : 0;

/** @param {import("playwright-core").Page} page */
function lessonIsShown(page) {
  return page.waitForFunction(
    () => {
      const words = document.querySelector("lesson-panel")?.shadowRoot?.textContent ?? "";
      return words.trim().length > 40;
    },
    null,
    { timeout: 5000 },
  );
}

function contactSheet() {
  const head = `<!doctype html><meta charset="utf-8"><title>Screenshots</title><style>
    body { font: 14px system-ui; margin: 1rem; }
    section { display: flex; gap: 1rem; align-items: start; overflow-x: auto; margin-bottom: 2rem; }
    figure { margin: 0; position: relative; flex: none; }
    img { display: block; border: 1px solid #999; }
    hr { position: absolute; margin: 0; width: 100%; border: 0; border-top: 2px dashed #d02; }
  </style>`;
  const width = (/** @type {{ width: number }} */ size) =>
    Math.max(180, Math.round(size.width / 2.6));
  const picture = (
    /** @type {Scene} */ scene,
    /** @type {typeof SIZES[number]} */ size,
    /** @type {string} */ theme,
  ) => {
    const file = fileOf(scene, size, theme);
    const edge = Math.round((size.height * width(size)) / size.width);
    return `<figure><a href="${file}"><img src="${file}" width="${width(size)}" loading="lazy" alt=""></a><hr style="top: ${edge}px"><figcaption>${size.width} ${theme}</figcaption></figure>`;
  };
  const rows = scenes.map(
    (scene) =>
      `<h2>${scene.name}: ${scene.title}</h2><section>${themes.flatMap((theme) => sizes.map((size) => picture(scene, size, theme))).join("")}</section>`,
  );
  return head + rows.join("\n");
}
