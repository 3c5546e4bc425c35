// The primary and the secondary wasm module: what a first visit needs, when the secondary module is loaded, and what happens if
// it cannot be loaded.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { settled, start, visit } from "./browser.js";

/** @typedef {import("./browser.js").Page} Page */
/** @typedef {typeof import("../../www/api/candlescope.ts")} Api */

const SECONDARY = "**/pkg/*_secondary.wasm";
const PRIMARY = "**/pkg/*_primary.wasm";
/** Cut into tokens by a regular expression, whose compiler is in the secondary module. */
const FOREIGN = "Ça naïve, 日本";
/** A tokenizer of another kind than GPT-2's. */
const WORDS = JSON.stringify({
  version: "1.0",
  added_tokens: [],
  pre_tokenizer: { type: "Whitespace" },
  model: { type: "WordLevel", vocab: { be: 0, "[UNK]": 1 }, unk_token: "[UNK]" },
});

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
before(async () => {
  site = await start();
});
after(() => site.stop());

/** Holds requests for the secondary module back until `release` is called, and counts them. @param {Page} page */
async function holdBack(page) {
  /** @type {(value?: unknown) => void} */
  let release = () => {};
  const released = new Promise((resolve) => (release = resolve));
  const held = { asked: 0, release };
  await page.route(SECONDARY, async (route) => {
    held.asked += 1;
    await released;
    await route.continue();
  });
  return held;
}

/** What several calls in a page answer, or how they fail. @param {Page} page @param {string} text @param {("read" | "lens" | "write" | "load")[]} calls */
function answers(page, text, calls) {
  return page.evaluate(
    async ({ text, calls, words }) => {
      const { loadModel } = /** @type {Api} */ (
        await import(new URL("candlescope.js", location.href).href)
      );
      const scope = /** @type {any} */ (globalThis);
      const model = (scope.model ??= await loadModel("./models/shakespeare", { keep: false }));
      /** @type {Record<string, () => Promise<any>>} */
      const all = {
        read: async () => (await model.runWithCache(text)).ids.data.length,
        lens: async () => (await model.logitLens(text)).kl.shape.length,
        load: async () =>
          (
            await loadModel({
              config: "models/shakespeare/config.json",
              tokenizer: new Blob([words]),
              weights: "models/shakespeare/model.safetensors",
            })
          ).config.n_layer,
        write: async () => {
          let count = 0;
          for await (const { id } of model.generate(text, { maxNewTokens: 3, stopAtEos: false }))
            count += id >= 0 ? 1 : 0;
          return count;
        },
      };
      const found = [];
      for (const call of calls)
        found.push(
          await all[call]().catch(
            (/** @type {Error} */ error) => `${error.name}: ${error.message}`,
          ),
        );
      return found;
    },
    { text, calls, words: WORDS },
  );
}

/** A page without scripts of its own, nor an icon. */
const EMPTY = { path: "tensor.js", expect: /Failed to load resource/ };

describe("the secondary module", () => {
  it("a first visit reads without it; generating and the logit lens wait for it", async () => {
    /** @type {Awaited<ReturnType<typeof holdBack>>} */
    let held;
    const hold = async (/** @type {Page} */ page) => (held = await holdBack(page));
    await visit(site, { before: hold }, async (page) => {
      await settled(page);
      const length = await page
        .locator("#prompt")
        .evaluate((/** @type {HTMLTextAreaElement} */ prompt) => prompt.value.length);
      await page.getByRole("button", { name: "lens", exact: true }).click();
      await page.waitForFunction(
        () =>
          performance.now() > 0 &&
          document.querySelector("scope-figure")?.getAttribute("stale") === null,
      );
      assert.equal(await page.locator("logit-lens").count(), 0);
      await page.getByRole("button", { name: "generate" }).click();
      held.release();
      await page.locator("logit-lens").waitFor();
      await page.waitForFunction(
        (length) =>
          /** @type {HTMLTextAreaElement} */ (document.querySelector("#prompt")).value.length >
          length,
        length,
      );
    });
  });

  it("it is loaded in the background after a model", async () => {
    await visit(site, EMPTY, async (page) => {
      const came = page.waitForResponse(SECONDARY);
      assert.deepEqual(await answers(page, "To be", ["read"]), [2]);
      assert.equal((await came).status(), 200);
      assert.deepEqual(await answers(page, FOREIGN, ["read", "lens", "write"]), [16, 2, 3]);
    });
  });

  it("a call that needs it earlier loads it synchronously", async () => {
    await visit(site, EMPTY, async (page) => {
      const came = page.waitForRequest((request) => request.url().endsWith("_secondary.wasm"));
      assert.deepEqual(await answers(page, FOREIGN, ["read", "write"]), [16, 3]);
      assert.equal((await came).resourceType(), "xhr");
    });
  });

  it("if it cannot be loaded, calls that need it fail with a NetworkError, others work, and the next call tries again", async () => {
    await visit(site, EMPTY, async (page) => {
      await page.route(SECONDARY, (route) => route.abort());
      const missing = /^NetworkError: the secondary WebAssembly module cannot be loaded/;
      for (let times = 0; times < 3; times++) {
        const [foreign, lens, written, read] = await answers(page, FOREIGN, ["read", "lens"]).then(
          async (failed) => [...failed, ...(await answers(page, "To be", ["write", "read"]))],
        );
        assert.match(String(foreign), missing);
        assert.match(String(lens), missing);
        assert.match(String(written), missing);
        assert.equal(read, 2);
        assert.match(String((await answers(page, FOREIGN, ["load"]))[0]), missing);
      }
      await page.unroute(SECONDARY);
      assert.deepEqual(
        await answers(page, FOREIGN, ["read", "lens", "write", "load"]),
        [16, 2, 3, 4],
      );
    });
  });

  it("if the primary module is not there, the whole module is loaded", async () => {
    await visit(site, EMPTY, async (page) => {
      await page.route(PRIMARY, (route) => route.fulfill({ status: 404 }));
      assert.deepEqual(await answers(page, FOREIGN, ["read", "lens", "write"]), [16, 2, 3]);
    });
  });
});
