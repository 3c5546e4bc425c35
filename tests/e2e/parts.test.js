// The wasm module comes in two parts: what a first visit needs of it, when the rest comes, and what happens if it does not.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { settled, start, visit } from "./browser.js";

/** @typedef {import("./browser.js").Page} Page */
/** @typedef {typeof import("../../www/api/candlescope.ts")} Face */

const REST = "**/pkg/*_rest.wasm";
const FIRST = "**/pkg/*_first.wasm";
/** Cut into tokens by a regular expression, whose compiler is in the rest. */
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

/** Holds requests for the rest back until it is called; they count before. @param {Page} page */
async function holdBack(page) {
  /** @type {(value?: unknown) => void} */
  let release = () => {};
  const released = new Promise((resolve) => (release = resolve));
  const held = { asked: 0, release };
  await page.route(REST, async (route) => {
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
      const { loadModel } = /** @type {Face} */ (
        await import(new URL("candlescope.js", location.href).href)
      );
      const scope = /** @type {any} */ (globalThis);
      const model = (scope.model ??= await loadModel("./models/shakespeare", { keep: false }));
      /** @type {Record<string, () => Promise<any>>} */
      const all = {
        read: async () => (await model.runWithCache(text)).ids.length,
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

describe("the module in two parts", () => {
  it("a first visit reads and writes without the rest; the logit lens waits for it", async () => {
    /** @type {Awaited<ReturnType<typeof holdBack>>} */
    let held;
    const hold = async (/** @type {Page} */ page) => (held = await holdBack(page));
    await visit(site, { before: hold }, async (page) => {
      await settled(page);
      const length = await page
        .locator("#prompt")
        .evaluate((/** @type {HTMLTextAreaElement} */ prompt) => prompt.value.length);
      await page.getByRole("button", { name: "generate" }).click();
      await page.waitForFunction(
        (length) =>
          /** @type {HTMLTextAreaElement} */ (document.querySelector("#prompt")).value.length >
          length,
        length,
      );
      await page.getByRole("button", { name: "lens", exact: true }).click();
      await page.waitForFunction(
        () =>
          performance.now() > 0 &&
          document.querySelector("scope-figure")?.getAttribute("stale") === null,
      );
      assert.equal(await page.locator("logit-lens").count(), 0);
      held.release();
      await page.locator("logit-lens").waitFor();
    });
  });

  it("the rest comes quietly after a load", async () => {
    await visit(site, EMPTY, async (page) => {
      const came = page.waitForResponse(REST);
      assert.deepEqual(await answers(page, "To be", ["read"]), [2]);
      assert.equal((await came).status(), 200);
      assert.deepEqual(await answers(page, FOREIGN, ["read", "lens", "write"]), [16, 2, 3]);
    });
  });

  it("a call that needs it before brings it at once", async () => {
    await visit(site, EMPTY, async (page) => {
      const came = page.waitForRequest((request) => request.url().endsWith("_rest.wasm"));
      assert.deepEqual(await answers(page, FOREIGN, ["read", "write"]), [16, 3]);
      assert.equal((await came).resourceType(), "xhr");
    });
  });

  it("where it cannot be had, what needs it fails by name, what does not goes on, and the next call tries again", async () => {
    await visit(site, EMPTY, async (page) => {
      await page.route(REST, (route) => route.abort());
      const missing = /^NetworkError: the rest of the WebAssembly module cannot be loaded/;
      for (let times = 0; times < 3; times++) {
        const [foreign, lens, written] = await answers(page, FOREIGN, ["read", "lens"]).then(
          async (failed) => [...failed, ...(await answers(page, "To be", ["write"]))],
        );
        assert.match(String(foreign), missing);
        assert.match(String(lens), missing);
        assert.equal(written, 3);
        assert.match(String((await answers(page, FOREIGN, ["load"]))[0]), missing);
      }
      await page.unroute(REST);
      assert.deepEqual(
        await answers(page, FOREIGN, ["read", "lens", "write", "load"]),
        [16, 2, 3, 4],
      );
    });
  });

  it("where the parts are not there, the whole module does", async () => {
    await visit(site, EMPTY, async (page) => {
      await page.route(FIRST, (route) => route.fulfill({ status: 404 }));
      assert.deepEqual(await answers(page, FOREIGN, ["read", "lens", "write"]), [16, 2, 3]);
    });
  });
});
