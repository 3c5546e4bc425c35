// Checkpoints of every family and format, by the address of their folder, as dropped files and as a dropped folder: each
// computes what the reference program computed, at the logits and at every hook point. The page opens them too, and asks what
// the files do not say.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { eventually } from "./browser.js";
import { defineComparison, dropPaths, siteOfForms } from "./checkpoint-forms.js";

/** @typedef {import("./checkpoint-forms.js").Form} Form */
/** @typedef {import("./checkpoint-forms.js").Comparison} Comparison */

const site = await siteOfForms();
/** A page without code of its own, for the API; and the page itself. @type {import("playwright-core").Page} */
let page;
/** @type {import("playwright-core").Page} */
let lab;

/** Measurements for docs/checkpoints.md, which scripts/checkpoints.mjs writes. @type {Record<string, object>} */
const measured = {};

before(async () => {
  page = await site.browser.newPage();
  await page.goto(`${site.url}tensor.js`); // any file of the site without code that runs: it is shown as text
  await page.evaluate(defineComparison);
  await page.evaluate(async (url) => {
    const { loadModel, filesWithPaths } = await import(`${url}candlescope.js`);
    Object.assign(globalThis, { loadModel });
    document.addEventListener("dragover", (event) => event.preventDefault());
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      Object.assign(globalThis, { dropped: filesWithPaths(event.dataTransfer) });
    });
  }, site.url);
  lab = await site.browser.newPage();
  lab.setDefaultTimeout(60_000);
  const prompt = "You are gentlemen of brave metal; you would lift the moon out of her sphere";
  await lab.goto(`${site.url}#prompt=${encodeURIComponent(prompt)}`);
  await lab.evaluate(defineComparison);
  await lab.waitForFunction(readingOf);
});

/** For page.evaluate: what the page has read, or null while it reads. */
function readingOf() {
  const figure = /** @type {any} */ (document.querySelector("scope-figure"));
  return figure?.reading && !figure.stale ? figure.reading : null;
}

/** Opens a checkpoint on the page, and answers what it asks. @param {string[]} paths @param {Form} form */
async function openOnPage(paths, { expected: { options } }) {
  await lab.evaluate(() => {
    const { reading } = /** @type {any} */ (document.querySelector("scope-figure"));
    Object.assign(globalThis, { former: reading });
  });
  await dropPaths(lab, paths);
  const question = lab.locator("load-question form");
  const isRead = () =>
    lab.evaluate(() => {
      const { reading, stale } = /** @type {any} */ (document.querySelector("scope-figure"));
      return reading && !stale && reading !== /** @type {any} */ (globalThis).former;
    });
  await eventually(async () =>
    assert.ok((await question.isVisible()) || (await isRead()), await noticeOf(lab)),
  );
  if (await question.isVisible()) {
    assert.ok(Object.keys(options).length > 0, await question.innerText());
    for (const field of await question.locator("fieldset").all()) {
      const input = field.locator("input").first();
      const name = (await input.getAttribute("name")) ?? "";
      const value = String(options[name]);
      if ((await input.getAttribute("type")) === "radio")
        await field.locator(`input[value="${value}"]`).check();
      else await input.fill(value);
    }
    await question.getByRole("button", { name: "Load", exact: true }).click();
    await eventually(async () => assert.ok(await isRead(), await noticeOf(lab)));
  }
}

/** The error that the page shows. @param {import("playwright-core").Page} page */
async function noticeOf(page) {
  const notices = await page.locator("error-notice [role=alert]").allInnerTexts();
  return notices.join("\n") || "the page shows no error and no reading";
}

after(async () => {
  await site.stop();
  if (process.env.MEASURED)
    writeFileSync(process.env.MEASURED, `${JSON.stringify(measured, null, 2)}\n`);
});

/** Loads a model and compares it. @param {string} source an expression of the page @param {Form} form @returns {Promise<Comparison>} */
function compared(source, { name, expected: { options } }) {
  return page.evaluate(`(async () => {
    const config = ${JSON.stringify(options)};
    const model = await loadModel(${source}, { config, keep: false });
    try { return await compareModel(model, ${JSON.stringify(`${site.url}expected/${name}`)}); }
    finally { model.dispose(); }
  })()`);
}

/** @param {Comparison} found @param {Form} form */
function assertSame(found, { expected }) {
  assert.deepEqual(found.failures, []);
  assert.deepEqual(found.points, expected.firing_order);
  assert.deepEqual([...found.hookPoints].sort(), [...expected.firing_order].sort());
  assert.ok(found.compared > 1000);
  assert.equal(found.sum, found.parameterCount);
  if (expected.parameters !== undefined) assert.equal(found.parameterCount, expected.parameters);
  assert.deepEqual(found.checkpoint, { family: expected.family, format: expected.format });
}

test("docs/checkpoints.md has the measurements of every form", () => {
  const text = readFileSync(new URL("../../docs/checkpoints.md", import.meta.url), "utf8");
  const rows = [...text.matchAll(/^\| ([^|]+) \| ([^|]+) \| `([^`]+)` \|.*\d \|$/gm)];
  assert.deepEqual(
    rows.map(([, family, format, name]) => [name, family, format]).sort(),
    site.forms.map(({ name, expected: { family, format } }) => [name, family, format]).sort(),
    "run `node scripts/checkpoints.mjs`",
  );
});

for (const form of site.forms) {
  describe(form.name, () => {
    test("by the address of its folder", async () => {
      const found = await compared(JSON.stringify(`${site.url}forms/${form.name}`), form);
      assertSame(found, form);
      const { family, format, reference } = form.expected;
      measured[form.name] = { family, format, reference, ...found.largest };
    });

    test("as dropped files", async () => {
      await dropPaths(
        page,
        form.files.map((name) => join(form.folder, name)),
      );
      assertSame(await compared("await dropped", form), form);
    });

    test("as a dropped folder", async () => {
      await dropPaths(page, [form.folder]);
      assertSame(await compared("await dropped", form), form);
    });

    for (const [how, paths] of Object.entries({
      files: form.files.map((name) => join(form.folder, name)),
      folder: [form.folder],
    }))
      test(`on the page, as ${how === "files" ? "dropped files" : "a dropped folder"}`, async () => {
        await openOnPage(paths, form);
        const { tokens, texts, tokenizer = [] } = form.expected;
        // With a tokenizer the page keeps its text, without one it takes ids.
        const ids = texts.length > 0 ? texts[0].ids : tokens;
        if (texts.length === 0) await lab.locator("#prompt").fill(tokens.join(" "));
        assert.equal(texts.length > 0, tokenizer.length > 0 || form.expected.format === "GGUF");
        await eventually(async () => {
          const read = await lab.evaluate(() => {
            const { reading, stale } = /** @type {any} */ (document.querySelector("scope-figure"));
            return stale ? [] : [...reading.ids];
          });
          assert.ok(read.length > 0);
          assert.deepEqual(read, ids.slice(-read.length));
        });
        if (texts.length > 0) return;
        const used = await lab.evaluate(async (folder) => {
          const { tensorsOf } = /** @type {any} */ (globalThis);
          const bytes = await (await fetch(`${folder}/activations.safetensors`)).arrayBuffer();
          const wanted = tensorsOf(bytes).get("blocks.1.attn.hook_pattern").data;
          const figure = /** @type {any} */ (document.querySelector("scope-figure"));
          const { data } = figure.reading.patterns[1];
          if (data.length !== wanted.length) return Number.POSITIVE_INFINITY;
          return data.reduce(
            (/** @type {number} */ most, /** @type {number} */ value, /** @type {number} */ i) =>
              Math.max(most, Math.abs(value - wanted[i]) / (1e-5 + 1e-4 * Math.abs(wanted[i]))),
            0,
          );
        }, `${site.url}expected/${form.name}`);
        assert.ok(used <= 1, `the pattern uses ${used} of the tolerance`);
      });

    if (form.expected.texts.length > 0)
      test("its tokenizer gives the reference's ids", async () => {
        const ids = await page.evaluate(
          async ({ source, config, texts }) => {
            const { loadModel } = /** @type {any} */ (globalThis);
            const model = await loadModel(source, { config, keep: false });
            const found = [];
            for (const text of texts) {
              const { ids } = await model.tokenize(text);
              found.push({ text: await model.detokenize(ids), ids: [...ids] });
            }
            model.dispose();
            return found;
          },
          {
            source: `${site.url}forms/${form.name}`,
            config: form.expected.options,
            texts: form.expected.texts.map(({ text }) => text),
          },
        );
        assert.deepEqual(ids, form.expected.texts);
      });
  });
}
