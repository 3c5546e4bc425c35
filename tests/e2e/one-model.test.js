// The page shows one model and one text: after failures, while models and texts replace each other, and after the worker
// has died.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { serve } from "../../scripts/serve.mjs";
import { DIST, eventually, settled, start, visit } from "./browser.js";

/** @typedef {import("playwright-core").Page} Page */

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
before(async () => {
  site = await start(DIST, handle);
});
after(async () => {
  await site?.stop();
});

/** Serves the bundled model a second time as models/other/, and as models/mute/ without a tokenizer. @type {NonNullable<Parameters<typeof serve>[0]["handle"]>} */
function handle(request, response) {
  if (request.url === "/models/mute/tokenizer.json") return (response.writeHead(404).end(), true);
  request.url = request.url?.replace(/^\/models\/(other|mute)\//, "/models/shakespeare/");
  return false;
}

/** What the page shows. @param {Page} page */
const claims = (page) =>
  page.evaluate(() => {
    const figure = /** @type {any} */ (document.querySelector("scope-figure"));
    const next = /** @type {any} */ (document.querySelector("next-tokens"));
    return {
      name: document.querySelector("#model-name")?.textContent?.split(",")[0],
      text: figure.reading?.text ?? null,
      stale: figure.stale,
      alternatives: next.alternatives.length,
      isNextDisabled: next.disabled,
      count: document.querySelector("#count")?.textContent,
    };
  });
/** @param {Page} page */
const notice = (page) => page.locator("error-notice [role=alert]").first().innerText();
/** @param {Page} page @param {string} source */
const choose = (page, source) =>
  page.evaluate(
    (source) =>
      void document.dispatchEvent(
        new CustomEvent("model-choose", { detail: { source, name: source.split("/").at(-1) } }),
      ),
    source,
  );
/** @param {Page} page @param {string} hash */
const goTo = (page, hash) => page.evaluate((hash) => void (location.hash = hash), hash);
const EXPECTED = /status of 404|WorkerError|worker|candlescope/;

test("a model whose load fails leaves the previous one, its name and its address unchanged", async () => {
  await visit(site, { path: "#prompt=to%20be", expect: EXPECTED }, async (page) => {
    await settled(page);
    await eventually(async () => assert.ok((await claims(page)).alternatives > 0));
    const before = await claims(page);
    await goTo(page, "model=models/absent&prompt=the+moon");
    await eventually(async () => assert.match(await notice(page), /config\.json/));
    assert.deepEqual(await claims(page), before);
    assert.equal(await page.locator("#prompt").inputValue(), "to be");
    await eventually(() =>
      assert.equal(new URLSearchParams(new URL(page.url()).hash.slice(1)).get("model"), null),
    );
  });
});

test("a model without a tokenizer reads ids, and shows nothing of the previous one under its name", async () => {
  await visit(
    site,
    { path: "#prompt=to%20be%2C%20or%20not%20to%20be", expect: EXPECTED },
    async (page) => {
      await settled(page);
      await page.locator("#share").click();
      await page.getByRole("button", { name: "copy as JSON" }).click();
      await page.locator("#copy").waitFor();
      await choose(page, "models/mute");
      await eventually(async () => assert.equal((await claims(page)).name, "mute"));
      await settled(page);
      await eventually(async () => assert.equal((await claims(page)).alternatives, 10));
      const { text, stale, isNextDisabled, count } = await claims(page);
      assert.match(text, /^\d+( \d+)+$/);
      assert.deepEqual({ stale, isNextDisabled }, { stale: false, isNextDisabled: false });
      assert.equal(count, `${text.split(" ").length} of 256 tokens`);
      assert.equal(await notice(page), "");
      assert.equal(await page.locator("#copy").isHidden(), true);
    },
  );
});

test("a text that cannot be read leaves the last figure dimmed and no next tokens", async () => {
  await visit(site, { path: "#prompt=to%20be" }, async (page) => {
    await settled(page);
    await page.locator("#prompt").fill("");
    await eventually(async () => assert.notEqual(await notice(page), ""));
    const { text, stale, alternatives, isNextDisabled, count } = await claims(page);
    assert.deepEqual(
      { text, stale, alternatives, isNextDisabled, count },
      { text: "to be", stale: true, alternatives: 0, isNextDisabled: true, count: "" },
    );
    await page.locator("#prompt").fill("to be");
    await settled(page);
    await eventually(async () => assert.ok((await claims(page)).alternatives > 0));
    assert.equal(await notice(page), "");
  });
});

test("an address that names another model loads it with its text", async () => {
  await visit(site, { path: "#prompt=to%20be" }, async (page) => {
    await settled(page);
    await goTo(page, "model=models/other&prompt=the+moon&layer=0&head=1");
    await eventually(async () => assert.deepEqual((await claims(page)).name, "other"));
    await settled(page);
    assert.equal((await claims(page)).text, "the moon");
    await goTo(page, "prompt=the+moon");
    await eventually(async () => assert.deepEqual((await claims(page)).name, "Shakespeare (f16)"));
    await settled(page);
  });
});

test("the model chosen last is the one that is shown, and its text is the one in the box", async () => {
  await visit(site, { path: "#prompt=to%20be", expect: EXPECTED }, async (page) => {
    await settled(page);
    for (const source of ["models/other", "models/absent", "models/shakespeare", "models/other"])
      await choose(page, source);
    await page.locator("#prompt").fill("the moon, the moon");
    await eventually(async () => assert.equal((await claims(page)).name, "other"));
    await settled(page);
    assert.equal((await claims(page)).text, "the moon, the moon");
  });
});

test("a generation ends when its model is replaced, and the text stays that of the box", async () => {
  await visit(site, { path: "#prompt=ROMEO%3A" }, async (page) => {
    await settled(page);
    await page.evaluate(
      () =>
        void document.dispatchEvent(
          new CustomEvent("generate", {
            detail: {
              doSample: false,
              temperature: 1,
              topK: undefined,
              topP: 1,
              seed: 0,
              maxNewTokens: 200,
            },
          }),
        ),
    );
    await page.waitForFunction(
      () => /** @type {any} */ (document.querySelector("next-tokens")).generating,
    );
    await goTo(page, "model=models/other&prompt=JULIET%3A");
    await eventually(async () => assert.equal((await claims(page)).name, "other"));
    await settled(page);
    await eventually(async () =>
      assert.equal(
        await page.evaluate(
          () => /** @type {any} */ (document.querySelector("next-tokens")).generating,
        ),
        false,
      ),
    );
    assert.equal(await page.locator("#prompt").inputValue(), "JULIET:");
    await settled(page);
  });
});

test("files of two models in one folder are never mixed", async () => {
  await visit(site, {}, async (page) => {
    await settled(page);
    const failed = await page.evaluate(async () => {
      const { loadModel } = await import(new URL("candlescope.js", location.href).href);
      const file = (/** @type {string} */ path) =>
        Object.defineProperty(
          new File(["{}"], /** @type {string} */ (path.split("/").at(-1))),
          "webkitRelativePath",
          { value: path },
        );
      return loadModel(
        ["models/a/config.json", "models/a/model.safetensors", "models/b/model.safetensors"].map(
          file,
        ),
      ).then(
        () => null,
        (/** @type {Error} */ { name, message }) => ({ name, message }),
      );
    });
    assert.equal(failed?.name, "InputError");
    assert.match(failed?.message ?? "", /2 checkpoints \(a, b\), expected one/);
  });
});

test("an element whose model is replaced by one that fails shows neither", async () => {
  const before = (/** @type {Page} */ page) =>
    page.route(`${site.url}embedded.html`, (route) =>
      route.fulfill({
        contentType: "text/html",
        body: '<!doctype html><script type="module" src="elements.js"></script><candle-scope model="models/shakespeare" prompt="the moon, the moon"></candle-scope>',
      }),
    );
  await visit(site, { path: "embedded.html", expect: EXPECTED, before }, async (page) => {
    await page.waitForFunction(
      () => /** @type {any} */ (document.querySelector("candle-scope"))?.reading?.loss > 0,
    );
    await page.evaluate(() =>
      document.querySelector("candle-scope")?.setAttribute("model", "models/absent"),
    );
    await page.waitForFunction(
      () => /** @type {any} */ (document.querySelector("candle-scope")).error,
    );
    assert.equal(
      await page.evaluate(
        () => /** @type {any} */ (document.querySelector("candle-scope")).reading,
      ),
      null,
    );
    await page.evaluate(() =>
      document.querySelector("candle-scope")?.setAttribute("model", "models/shakespeare"),
    );
    await page.waitForFunction(
      () => /** @type {any} */ (document.querySelector("candle-scope"))?.reading?.loss > 0,
    );
    assert.equal(
      await page.evaluate(() => /** @type {any} */ (document.querySelector("candle-scope")).error),
      null,
    );
  });
});

/** Runs a JavaScript hook in the page's worker, until `globalThis.endHook()`. @param {Page} page @param {string} js */
const runHook = (page, js) =>
  page.evaluate(async (js) => {
    const { loadModel } = await import(new URL("candlescope.js", location.href).href);
    const model = await loadModel("models/shakespeare");
    const controller = new AbortController();
    Object.assign(globalThis, { endHook: () => controller.abort() });
    model
      .runWithCache("to be", {
        signal: controller.signal,
        interventions: [{ at: "blocks.0.hook_resid_pre", do: { js } }],
      })
      .catch(() => {});
  }, js);

test("a reading that does not return can be stopped, and the page stays usable", async () => {
  await visit(site, { path: "#prompt=to%20be", expect: EXPECTED }, async (page) => {
    await settled(page);
    await eventually(async () => assert.ok((await claims(page)).alternatives > 0));
    await runHook(page, "() => { for (;;); }");
    await page.locator("#prompt").fill("the moon");
    await page.locator("#stop").waitFor({ state: "visible" });
    await page.locator("#stop").click();
    await eventually(async () => assert.match(await notice(page), /aborted/));
    assert.equal(await page.locator("#stop").isHidden(), true);
    assert.equal((await claims(page)).stale, true);
    await page.evaluate(() => /** @type {any} */ (globalThis).endHook());
    await page.locator("#prompt").fill("the moon, the moon");
    await settled(page);
  });
});

test("after the worker has died, the page reads the text again", async () => {
  await visit(site, { path: "#prompt=to%20be", expect: EXPECTED }, async (page) => {
    await settled(page);
    await runHook(page, "() => { self.close(); for (;;); }");
    await page.locator("#prompt").fill("the moon, the moon");
    await page.evaluate(() => /** @type {any} */ (globalThis).endHook());
    await settled(page);
    assert.equal(await notice(page), "");
  });
});
