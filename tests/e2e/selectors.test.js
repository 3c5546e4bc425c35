// Selectors through the boundary, in headless Chromium: the model selects what the page says it does, and every form gives the same
// interventions.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { start } from "./browser.js";

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
/** @type {import("playwright-core").Page} */
let page;

before(async () => {
  site = await start();
  page = await site.browser.newPage();
  await page.goto(`${site.url}tensor.js`);
  await page.evaluate(async (url) => {
    const { loadModel } = await import(`${url}candlescope.js`);
    const model = await loadModel(`${url}models/shakespeare/`);
    const failure = async (/** @type {() => unknown} */ call) => {
      try {
        await call();
        return "none";
      } catch (/** @type {any} */ error) {
        return `${error.name}: ${error.message}`;
      }
    };
    Object.assign(globalThis, { model, failure });
  }, site.url);
});

after(() => site?.stop());

test("the model captures the points that model.select lists, for every pattern", async () => {
  const found = await page.evaluate(async () => {
    const { model } = /** @type {any} */ (globalThis);
    const selectors = [
      "*",
      "pattern",
      "ln1.scale",
      "embed",
      "result",
      "blocks.0.*",
      "blocks.*.hook_?_input",
      "*hook_resul?",
      "blocks.1.attn.hook_result",
      "/attn\\.hook_[qk]$/",
      "/HOOK_Z$/i",
      "/^hook/gi",
      ["pattern", -1],
      ["z", [0, -1]],
      ["*", 1],
      ["pattern", "z"],
      /MLP/i,
      (/** @type {any} */ point) => point.axes.includes("key"),
      model.select("z").with("hook_embed"),
    ];
    const rows = [];
    for (const selector of selectors) {
      const { cache } = await model.runWithCache([1, 2, 3], { names: selector });
      rows.push({
        of: String(selector),
        captured: cache.names(),
        selected: model.select(selector).names,
      });
    }
    return rows;
  });
  for (const { of, captured, selected } of found) {
    assert.ok(captured.length > 0, of);
    assert.deepEqual(captured, selected, of);
  }
});

test("an intervention at any form of selector is the one at the names", async () => {
  const same = await page.evaluate(async () => {
    const { model } = /** @type {any} */ (globalThis);
    const logits = async (/** @type {any} */ change) =>
      (await model.runWithCache([1, 2, 3], { interventions: [change] })).logits.data.join();
    const names = model.select("z").names;
    const expected = await logits({ at: names, head: 1, do: "zero" });
    const pairs = [
      [{ at: "z", head: 1, do: "zero" }, expected],
      [{ at: /hook_z$/, head: 1, do: "zero" }, expected],
      [{ at: model.select("z"), head: 1, do: "zero" }, expected],
      [
        { at: ["z", -1], head: 1, do: "zero" },
        await logits({ at: names.at(-1), head: 1, do: "zero" }),
      ],
    ];
    return Promise.all(pairs.map(async ([change, wanted]) => (await logits(change)) === wanted));
  });
  assert.deepEqual(same, [true, true, true, true]);
});

test("a selector that selects nothing is a typed error, and the model stays usable", async () => {
  const found = await page.evaluate(async () => {
    const { model, failure } = /** @type {any} */ (globalThis);
    const run = (/** @type {any} */ names) => failure(() => model.runWithCache([1], { names }));
    return {
      dropout: await run("transformer.h.0.attn.attn_dropout"),
      output: await run("hook_attn_out"),
      typo: await run("blocks.0.attn.hook_patern"),
      layer: await run("blocks.99.attn.hook_z"),
      thrown: await run(() => {
        throw new Error("no");
      }),
      at: await failure(() => model.runWithCache([1], { interventions: [{ at: [], do: "zero" }] })),
      several: await failure(() => model.mostActive({ texts: [[1]], at: "post", index: 0 })),
      after: (await model.runWithCache([1], { names: "pattern" })).cache.names().length,
      layers: model.config.n_layer,
    };
  });
  assert.match(found.dropout, /^HookError: .*expected "blocks\.0\.attn\.hook_pattern"/);
  assert.match(found.output, /^HookError: .*expected "attn_out" for all layers/);
  assert.match(found.typo, /^HookError: .*`blocks\.0\.attn\.hook_pattern`/);
  assert.match(found.layer, /^HookError: .*matches no hook point of this/);
  assert.match(found.thrown, /^HookError: the function .* threw Error: no/);
  assert.match(found.at, /Error: .*at.* is empty/);
  assert.match(found.several, /^HookError: .*expected one/);
  assert.equal(found.after, found.layers);
});
