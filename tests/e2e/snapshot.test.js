// Snapshots: what the page exports is what it shows, within the rounding that the file says.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";

import { readSnapshot } from "../../www/session/snapshot/read.ts";
import { DIST, eventually, openApi, settled, start, visit } from "./browser.js";
import { address, askModel, ready } from "./lab-helpers.js";
import { models } from "./small-models.js";
import { inlined } from "./snapshots.js";

/** @typedef {import("playwright-core").Page} Page */

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
before(async () => {
  site = await start(DIST, models);
});
after(() => site.stop());

const TEXT = "the moon, the moon";

/** The text of the file that an entry of the export menu saves. @param {Page} page @param {string} name */
async function exported(page, name) {
  if (await page.locator("#sharing").isHidden()) await page.locator("#share").click();
  const button = page.locator(`export-menu button[name="${name}"]`);
  const [download] = await Promise.all([page.waitForEvent("download"), button.click()]);
  return readFile(await download.path(), "utf8");
}

test("the page exports its patterns, its scores and its choices", async () => {
  const state = {
    prompt: TEXT,
    layer: 2,
    head: 1,
    lock: "4,2",
    scale: "sqrt",
    interventions: [{ at: "blocks.0.attn.hook_z", head: 3, do: "zero" }],
  };
  await visit(site, { path: address(state) }, async (page) => {
    await settled(page);
    const recorded = readSnapshot(await exported(page, "snapshot"));
    const live = await page.evaluate(() => {
      const { reading } = /** @type {any} */ (document.querySelector("scope-figure"));
      const { ids, tokens, logProbs, loss, patterns, table } = reading;
      return {
        ...{ ids: [...ids], tokens, logProbs: [...logProbs], loss, table: [...table.data] },
        patterns: patterns.map((/** @type {any} */ one) => [...one.data]),
      };
    });
    const { reading, roundings, model } = recorded;
    assert.deepEqual([...reading.ids], live.ids);
    assert.deepEqual(reading.tokens, live.tokens);
    assert.deepEqual([...reading.logProbs], live.logProbs);
    assert.deepEqual([...(reading.table?.data ?? [])], live.table);
    assert.equal(reading.loss, live.loss);
    assert.equal(reading.patterns.length, live.patterns.length);
    live.patterns.forEach((/** @type {number[]} */ truth, /** @type {number} */ layer) => {
      const found = reading.patterns[layer]?.data ?? [];
      truth.forEach((value, at) =>
        assert.ok(Math.abs(value - found[at]) <= (roundings[layer] ?? 0) + 6e-8),
      );
    });
    const { layer, head, lock, scale, interventions, view } = recorded.state;
    assert.deepEqual(
      { layer, head, lock, scale, view },
      { layer: 2, head: 1, lock: { query: 4, key: 2 }, scale: "sqrt", view: "attention" },
    );
    assert.deepEqual(interventions, state.interventions);
    assert.equal(model.source, `${site.url}models/shakespeare`);
    assert.equal(recorded.caption, "pattern of head 2.1, Shakespeare, with head 0.3 switched off");
  });
});

test("a six-word figure is small, and the menu says its size before", async () => {
  await visit(
    site,
    { path: address({ prompt: "The quick brown fox jumps over" }) },
    async (page) => {
      await settled(page);
      await page.locator("#share").click();
      await page.locator("export-menu").getByText(/\d kB/).first().waitFor();
      await page.locator("export-menu").getByLabel("caption").fill("What head 1.1 does");
      const text = await exported(page, "snapshot");
      assert.ok(text.length < 60_000, `${text.length}`);
      assert.equal(readSnapshot(text).caption, "What head 1.1 does");
    },
  );
});

test("no readout of rounded numbers has more digits than the file holds", async () => {
  const state = {
    prompt: "the moon and the sea, and the moon and the sea, and the moon and the sea",
    view: "activations",
    hook: "blocks.1.hook_resid_pre",
  };
  /** @type {string} */
  let text = "";
  await visit(site, { path: address(state) }, async (page) => {
    await settled(page);
    text = await exported(page, "snapshot");
  });
  const [{ value }] = JSON.parse(text).results.activations;
  const { step, encoding } = value.tensor;
  assert.equal(encoding, "u16"); // more than 4096 numbers
  const decimals = /\.(\d+)/.exec(String(step))?.[1].length ?? 0;
  assert.ok(decimals > 1 && decimals < 6, `${step}`);
  await visit(site, {}, async (page) => {
    await page.route("**/post.html", (route) =>
      route.fulfill({
        body: `<!doctype html><title>A post</title><link rel="icon" href="data:,"><script type="module" src="snapshot.js"></script><candle-snapshot>${inlined(text)}</candle-snapshot>`,
        contentType: "text/html; charset=utf-8",
      }),
    );
    await page.goto(`${site.url}post.html`);
    await page.getByText(/other values to the nearest/).waitFor();
    const view = page.locator("tensor-view");
    const plot = view.locator(".plot");
    await plot.waitFor();
    const found = new Set();
    for (const x of [300, 420, 540, 660]) {
      await plot.hover({ position: { x, y: 200 } });
      const readout = await eventually(async () => {
        const words = await view.locator(".readout").innerText();
        assert.match(words, /[\d.]+$/);
        assert.ok(!found.has(words), words);
        return words;
      });
      found.add(readout);
      const [, digits = ""] = /\.(\d+)$/.exec(readout) ?? [];
      assert.ok(digits.length <= decimals, readout);
    }
  });
});

test("model.snapshot writes what the page exports", async () => {
  await visit(
    site,
    { path: address({ prompt: TEXT, layer: 1, head: 0, view: "lens" }) },
    async (page) => {
      await settled(page);
      await ready(page);
      const exportedText = await exported(page, "snapshot");
      const written = await askModel(
        page,
        { text: TEXT },
        `
      return JSON.stringify(await model.snapshot(given.text, { view: "lens", layer: 1, head: 0, name: "Shakespeare" }));
    `,
      );
      const [fromPage, fromApi] = [readSnapshot(exportedText), readSnapshot(written)];
      assert.deepEqual(fromApi.reading, fromPage.reading);
      assert.deepEqual(fromApi.results, fromPage.results);
      assert.deepEqual(fromApi.model, fromPage.model);
      assert.deepEqual({ ...fromApi.state, hook: "" }, { ...fromPage.state, hook: "" });
    },
  );
});

test("model.snapshot without a head shows the strongest induction head, and refuses what it cannot write", async () => {
  await visit(site, {}, async (page) => {
    const found = await askModel(
      page,
      { text: TEXT },
      `
      const errorOf = (options) => model.snapshot(given.text, options).then(() => "none", ({ name, message }) => name + ": " + message);
      const { scores } = await model.headScores(given.text);
      return {
        state: (await model.snapshot(given.text)).state,
        scores: [...scores.at({ score: scores.labels.score.indexOf("induction") }).data],
        heads: model.config.n_head,
        errors: [
          await errorOf({ view: "patching" }),
          await errorOf({ layer: 9 }),
          await errorOf({ head: -1 }),
          await errorOf({ scale: "log" }),
          await errorOf({ lock: { query: 99 } }),
          await errorOf({ heads: 1 }),
          await errorOf({ interventions: [{ at: "blocks.0.hook_resid_pre", do: { js: "(x) => x" } }] }),
        ],
        usable: (await model.tokenize("a")).ids.length,
      };
    `,
    );
    const best = found.scores.indexOf(Math.max(...found.scores));
    assert.deepEqual(
      [found.state.layer, found.state.head],
      [Math.floor(best / found.heads), best % found.heads],
    );
    const [view, layer, head, scale, lock, unknown, code] = found.errors;
    assert.match(
      view,
      /^InputError: `view` of snapshot is "patching", expected one of attention, lines/,
    );
    assert.match(
      layer,
      /^InputError: `layer` of snapshot is 9, expected a whole number from 0 to 3/,
    );
    assert.match(head, /^InputError: `head` of snapshot is -1/);
    assert.match(scale, /^InputError: `scale` of snapshot is "log", expected one of linear, sqrt/);
    assert.match(lock, /^InputError: `lock.query` of snapshot is 99/);
    assert.match(unknown, /^InputError: snapshot has no option `heads`/);
    assert.match(code, /^InputError: intervention 0 cannot be written to a snapshot/);
    assert.ok(found.usable > 0);
  });
});

test("of a model without a tokenizer, model.snapshot reads ids, which it copies, and refuses a text", async () => {
  const page = await openApi(site);
  const found = await page.evaluate(async (url) => {
    const { loadModel } = /** @type {any} */ (globalThis).api;
    const model = await loadModel(`${url}models/no-tokenizer`, { keep: false });
    const ids = [5, 6, 7, 5, 6];
    const taken = model.snapshot(ids);
    ids.fill(1);
    const { reading } = await taken;
    const refused = await model.snapshot("12").then(
      () => "none",
      (/** @type {Error} */ { name, message }) => `${name}: ${message}`,
    );
    return { text: reading.text, isIds: reading.isIds, tokens: reading.tokens, refused };
  }, site.url);
  await page.close();
  assert.equal(found.text, "5 6 7 5 6");
  assert.equal(found.isIds, true);
  assert.deepEqual(found.tokens, ["⟨5⟩", "⟨6⟩", "⟨7⟩", "⟨5⟩", "⟨6⟩"]);
  assert.match(found.refused, /^InputError: input: the model came without a tokenizer/);
});

test("where logits are not finite, the lens of model.snapshot names no token", async () => {
  const page = await openApi(site);
  const written = await page.evaluate(async (url) => {
    const { loadModel } = /** @type {any} */ (globalThis).api;
    const model = await loadModel(`${url}models/broken`, { keep: false });
    return JSON.stringify(await model.snapshot("To be, or not to be", { view: "lens" }));
  }, site.url);
  await page.close();
  const { results } = readSnapshot(written);
  const [{ value }] = /** @type {any} */ (results.lens);
  const { topIds, topStrings } = value.lens;
  assert.deepEqual([...new Set(topIds.data)], [0xffffffff]);
  assert.deepEqual([...new Set(topStrings)], [""]);
  assert.equal(topStrings.length, topIds.data.length);
});
