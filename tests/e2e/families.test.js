// Checkpoints of every family and format, by the address of their folder, as dropped files and as a dropped folder: each
// computes what the reference program computed, at the logits and at every hook point.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { defineComparison, dropPaths, siteOfForms } from "./checkpoint-forms.js";

/** @typedef {import("./checkpoint-forms.js").Form} Form */
/** @typedef {import("./checkpoint-forms.js").Comparison} Comparison */

const site = await siteOfForms();
/** @type {import("playwright-core").Page} */
let page;

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
});

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
