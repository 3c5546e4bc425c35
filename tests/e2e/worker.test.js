// The worker dies in every possible way: pending calls reject, and the same models continue with the same numbers.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { eventually, settled, start, visit } from "./browser.js";

/** @typedef {import("./browser.js").Page} Page */

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
before(async () => {
  site = await start();
});
after(() => site.stop());

/** A page without scripts and icon. The worker reports its errors on the console. */
const EMPTY = {
  path: "tensor.js",
  expect: /Failed to load resource|RuntimeError|unreachable|RangeError/,
};

/** Interventions that end the worker from inside. A hook is code with the page's rights, so it can. */
const HANGS = `(x) => { for (;;); }`;
const CLOSES = `(x) => { self.close(); }`;
/** Every later copy of numbers out of wasm memory fails like a trap, in the middle of a wasm function. */
const TRAPS = `(x) => { globalThis.Float32Array = function () { throw new WebAssembly.RuntimeError("unreachable"); }; }`;

/**
 * Runs a function body in the page, with loadModel, a model, and what the tests share: `bits` of the logits of a text, `ending`
 * options that end the worker, `failure` of a promise as text.
 * @param {Page} page @param {string} body @param {string} [load] options of loadModel
 * @returns {Promise<any>}
 */
function run(page, body, load = "{ keep: false }") {
  return page.evaluate(`(async () => {
    const { loadModel, storedModels, forgetStored } = await import(new URL("candlescope.js", location.href).href);
    const model = await loadModel("models/shakespeare", ${load});
    const bits = async (one = model) => { const { data } = (await one.runWithCache("To be, or not to be")).logits; return new Uint32Array(data.buffer, data.byteOffset, data.length).join(); };
    const ending = (js, more) => ({ interventions: [{ at: "blocks.0.hook_resid_pre", do: { js } }], ...more });
    const failure = (promise) => promise.then(() => "no failure", (error) => error.name + ": " + error.message);
    const [HANGS, CLOSES, TRAPS] = ${JSON.stringify([HANGS, CLOSES, TRAPS])};
    ${body}
  })()`);
}

/** The workers that own models, without the threads that help them. @param {Page} page */
function workers(page) {
  return page.workers().filter((worker) => worker.url().endsWith("/worker.js"));
}

describe("a worker that dies", () => {
  it("by a trap: the call rejects, and the next one gives the same bits", async () => {
    await visit(site, EMPTY, async (page) => {
      const { before, failed, again } = await run(
        page,
        `
        const before = await bits();
        const failed = await failure(model.runWithCache("To be", ending(TRAPS)));
        return { before, failed, again: await bits() };
      `,
      );
      assert.match(
        failed,
        /^WorkerError: the computation failed inside the WebAssembly module.*the next call starts a new worker/,
      );
      assert.equal(again, before);
      await eventually(() => assert.equal(workers(page).length, 1));
    });
  });

  it("by ending: pending calls, generations and measurements reject", async () => {
    await visit(site, EMPTY, async (page) => {
      const { before, failed, steps, again } = await run(
        page,
        `
        const before = await bits();
        const steps = [];
        const generation = (async () => { for await (const step of model.generate("ROMEO:", ending(CLOSES, { maxNewTokens: 50, stopAtEos: false }))) steps.push(step.id); })();
        const failed = await Promise.all([failure(generation), failure(model.patching({ clean: "the moon", corrupted: "the star", answer: 5, at: "z", eachPosition: true }))]);
        return { before, failed, steps: steps.length, again: await bits() };
      `,
      );
      for (const one of failed) assert.match(one, /^WorkerError: the worker ended unexpectedly/);
      assert.ok(steps < 50);
      assert.equal(again, before);
    });
  });

  it("by a hook that never returns: aborting rejects at once, and other calls reject", async () => {
    await visit(site, EMPTY, async (page) => {
      const { before, aborted, other, again } = await run(
        page,
        `
        const before = await bits();
        const controller = new AbortController();
        const hung = failure(model.runWithCache("To be", ending(HANGS, { signal: controller.signal })));
        await new Promise((resolve) => setTimeout(resolve)); // its message comes before that of the next call
        const waiting = failure(model.tokenize("To be"));
        await new Promise((resolve) => setTimeout(resolve));
        controller.abort();
        const aborted = await hung; // the worker is still stuck
        return { before, aborted, other: await waiting, again: await bits() };
      `,
      );
      assert.match(aborted, /^AbortError: runWithCache was aborted/);
      assert.match(
        other,
        /^WorkerError: the worker was stopped, because an aborted call did not return/,
      );
      assert.equal(again, before);
    });
  });

  it("while a model is loaded: the load rejects, and another one succeeds", async () => {
    await visit(site, EMPTY, async (page) => {
      const { failed, again, before } = await run(
        page,
        `
        const before = await bits();
        const [failed] = await Promise.all([failure(loadModel("models/shakespeare", { dtype: "q8", keep: false })), failure(model.runWithCache("To be", ending(CLOSES)))]);
        const q8 = await loadModel("models/shakespeare", { dtype: "q8", keep: false });
        q8.dispose();
        return { failed, before, again: await bits() };
      `,
      );
      assert.match(failed, /^(WorkerError: the worker ended|no failure)/);
      assert.equal(again, before);
    });
  });

  it("ten times in a row: no worker remains, and a model can be disposed of afterwards", async () => {
    await visit(site, EMPTY, async (page) => {
      const { before, after, disposed } = await run(
        page,
        `
        const before = await bits();
        for (let times = 0; times < 10; times++) await failure(model.runWithCache("To be", ending(TRAPS)));
        const after = await bits();
        model.dispose();
        return { before, after, disposed: await failure(model.tokenize("To be")) };
      `,
      );
      assert.equal(after, before);
      assert.match(disposed, /^InputError: the model was disposed of/);
      await eventually(() => assert.equal(workers(page).length, 1));
    });
  });
});

describe("a model whose worker died", () => {
  it("is loaded from the browser's copy, or from the files that it came from", async () => {
    await visit(site, EMPTY, async (page) => {
      const { same } = await run(
        page,
        `
        const blob = async (name) => (await fetch("models/shakespeare/" + name)).blob();
        const fromFiles = await loadModel({ config: await blob("config.json"), tokenizer: await blob("tokenizer.json"), weights: await blob("model.safetensors") });
        const kept = await loadModel("models/shakespeare", { dtype: "q8" });
        while ((await storedModels()).length < 1) await new Promise((resolve) => setTimeout(resolve, 20));
        const models = [model, fromFiles, kept];
        const before = await Promise.all(models.map(bits));
        await failure(model.runWithCache("To be", ending(TRAPS)));
        const after = await Promise.all(models.map(bits));
        await forgetStored();
        return { same: before.map((one, i) => one === after[i]) };
      `,
      );
      assert.deepEqual(same, [true, true, true]);
    });
  });

  it("comes back with its weights transformed", async () => {
    await visit(site, EMPTY, async (page) => {
      const { before, after, plain } = await run(
        page,
        `
        const folded = await model.transformed(["fold_ln", "center_writing_weights"]);
        const plain = await bits();
        model.dispose();
        const before = await bits(folded);
        await failure(folded.runWithCache("To be", ending(TRAPS)));
        return { before, plain, after: await bits(folded) };
      `,
      );
      assert.equal(after, before);
      assert.notEqual(after, plain);
    });
  });

  it("is refused for good if its files have changed", async () => {
    await visit(site, EMPTY, async (page) => {
      const weights = await (
        await fetch(`${site.url}models/shakespeare/model.safetensors`)
      ).arrayBuffer();
      const others = new Uint8Array(weights);
      others[others.length - 101] ^= 64;
      let asked = 0;
      await page.route("**/model.safetensors", (route) =>
        asked++ === 0
          ? route.continue()
          : route.fulfill({
              body: Buffer.from(others),
              headers: { "Cross-Origin-Resource-Policy": "same-origin" },
            }),
      );
      const failed = await run(
        page,
        `
        await failure(model.runWithCache("To be", ending(TRAPS)));
        const failed = [await failure(model.tokenize("To be")), await failure(model.runWithCache("To be"))];
        const fresh = await loadModel("models/shakespeare", { keep: false });
        return [...failed, fresh === model, await failure(fresh.tokenize("To be"))];
      `,
      );
      assert.match(
        failed[0],
        /^WorkerError: .*files have changed since they were loaded.*load the model again/,
      );
      assert.match(failed[1], /^WorkerError: .*load the model again/);
    });
  });
});

describe("calls", () => {
  it("that are aborted while the worker responds leave it running", async () => {
    await visit(site, EMPTY, async (page) => {
      const seen = new Set();
      page.on("worker", (worker) => seen.add(worker.url()));
      const { aborted, before, after } = await run(
        page,
        `
        const before = await bits();
        const aborted = [];
        for (let times = 0; times < 5; times++) {
          const controller = new AbortController();
          const call = failure(model.runWithCache("To be, or not to be", { names: ["*"], signal: controller.signal }));
          controller.abort();
          aborted.push(await call);
        }
        const gone = AbortSignal.abort();
        aborted.push(await failure(model.tokenize("To be", { signal: gone })), await failure(model.logitLens("To be", { signal: gone })), await failure(storedModels({ signal: gone })));
        return { before, aborted, after: await bits() };
      `,
      );
      for (const one of aborted) assert.match(one, /^AbortError: /);
      assert.equal(after, before);
      assert.equal([...seen].filter((url) => url.endsWith("/worker.js")).length, 1);
    });
  });

  it("whose arguments cannot be sent are rejected", async () => {
    await visit(site, EMPTY, async (page) => {
      const [failed, after] = await run(
        page,
        `
        const ids = Uint32Array.of(1, 2, 3);
        structuredClone(ids, { transfer: [ids.buffer] });
        return [await failure(model.runWithCache(ids)), await failure(model.tokenize("To be"))];
      `,
      );
      assert.match(failed, /^InputError: the token ids cannot be read/);
      assert.equal(after, "no failure");
    });
  });

  it("an element whose id is that of the page's worker does not stop a load", async () => {
    await visit(site, EMPTY, async (page) => {
      await page.evaluate(() =>
        document.documentElement.insertAdjacentHTML(
          "beforeend",
          '<p id="candlescopeWorker">mine</p>',
        ),
      );
      assert.equal(await run(page, `return failure(model.tokenize("To be"));`), "no failure");
    });
  });
});

describe("the page", () => {
  it("keeps its state when the worker dies, and continues", async () => {
    await visit(site, { expect: /RuntimeError|unreachable/ }, async (page) => {
      await settled(page);
      await page.locator("#prompt").fill("the moon, the moon");
      await settled(page);
      // The page shares the worker of the public API.
      await page.evaluate(async (js) => {
        const { loadModel } = await import(new URL("candlescope.js", location.href).href);
        const model = await loadModel("models/shakespeare");
        await model
          .runWithCache("To be", { interventions: [{ at: "blocks.0.hook_resid_pre", do: { js } }] })
          .catch(() => {});
        model.dispose();
      }, TRAPS);
      await page.locator("#prompt").fill("the moon, the moon, the stars");
      await settled(page);
      assert.equal(await page.locator("error-notice .notice").count(), 0);
    });
  });
});
