// Selectors through the boundary, in headless Chromium: the model selects what the page says it does, and every form gives the same
// interventions.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { openApi, start } from "./browser.js";

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
/** @type {import("playwright-core").Page} */
let page;

before(async () => {
  site = await start();
  page = await openApi(site);
  await page.evaluate(async (url) => {
    const model = await /** @type {any} */ (globalThis).api.loadModel(`${url}models/shakespeare/`);
    Object.assign(globalThis, { model });
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

test("an inverted selection lists the points on request that it leaves out, and they can be captured", async () => {
  const found = await page.evaluate(async () => {
    const { model } = /** @type {any} */ (globalThis);
    const inverted = model.select("pattern").invert();
    const complete = model.select("pattern").invert({ onRequest: true });
    const { cache } = await model.runWithCache([1, 2], { names: complete });
    return {
      leftOut: inverted.leftOut,
      onRequest: model.hookPoints
        .filter((/** @type {any} */ point) => point.onRequest)
        .map((/** @type {any} */ { name }) => name),
      captured: cache.names(),
      complete: complete.names,
      text: String(inverted),
    };
  });
  assert.deepEqual(found.leftOut, found.onRequest);
  assert.deepEqual(found.captured, found.complete);
  assert.match(found.text, new RegExp(`${found.onRequest.length} others are on request`));
});

test("the log-probabilities of next tokens, by name, are those of the run", async () => {
  const found = await page.evaluate(async () => {
    const { model, failure } = /** @type {any} */ (globalThis);
    const { ids, logits, logProbs } = await model.runWithCache("O Romeo, Romeo!");
    const nextIds = ids.at({ pos: { from: 1 } });
    const all = logits.logSoftmax("vocab");
    const next = all.at({ pos: { to: -1 } }).at({ vocab: nextIds });
    return {
      axes: next.axes,
      next: Array.from(next.data),
      own: Array.from(logProbs.data),
      refused: await failure(() => logProbs.at({ vocab: nextIds })),
      batch: await failure(async () =>
        (await model.runWithCache(["O", "O Romeo"])).logProbs.at({ vocab: 0 }),
      ),
      absent: await failure(() => logits.at({ pos: undefined })),
      pair: await failure(() => model.withParameters({ [String(["W_O", 1])]: logits })),
    };
  });
  assert.deepEqual(found.axes, ["batch", "pos"]);
  assert.ok(found.own.length > 3);
  // Both are the f32 nearest to a difference of f64 numbers of magnitude 20, whose sums have another order.
  for (const [i, one] of found.own.entries())
    assert.ok(Math.abs(found.next[i] - one) <= 2 ** -22 * Math.max(1, Math.abs(one)), `${one}`);
  for (const message of [found.refused, found.batch])
    assert.match(
      message,
      /^InputError: the tensor logProbs \(already those of the next tokens; logits\.logSoftmax\("vocab"\) has/,
    );
  assert.match(found.absent, /^InputError: the index along pos is undefined/);
  assert.match(found.pair, /^InputError: `W_O,1` of withParameters is a pair/);
});

test("Chrome's console shows a tensor by a custom formatter", async () => {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Runtime.enable");
  await devtools.send("Runtime.setCustomObjectFormatterEnabled", { enabled: true });
  const logged = new Promise((done) => {
    devtools.on("Runtime.consoleAPICalled", ({ args }) => done(args[0].customPreview?.header));
  });
  await page.evaluate(async () => {
    const { model } = /** @type {any} */ (globalThis);
    console.log(await model.parameter("blocks.0.attn.b_Q"));
  });
  assert.match(
    JSON.parse(String(await logged))[2],
    /^Tensor\(head: 4, d_head: \d+\) blocks\.0\.attn\.b_Q {2}-?[\d.e-]+, .*, …$/,
  );
  await devtools.detach();
});
