// A model with one weight that is NaN, on the page: every view marks values that are not numbers and describes them as unknown.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { eventually, start, visit } from "./browser.js";
import { parsed } from "./safetensors.js";

/** @typedef {import("playwright-core").Page} Page */

/**
 * The position whose embedding is broken. In layer 0 its query and key are NaN, and so is all attention that it gives or
 * gets. From there on all positions are NaN in this engine.
 */
const BROKEN = 5;
const file = (/** @type {string} */ name) =>
  readFileSync(new URL(`../../models/shakespeare/${name}`, import.meta.url));

/** The bundled weights with a NaN in the position embedding of BROKEN. */
function brokenWeights() {
  const bytes = Buffer.from(file("model.safetensors"));
  const { header, data } = parsed(bytes);
  const name = Object.keys(header).find((one) => one.endsWith("wpe.weight")) ?? "";
  const {
    dtype,
    shape,
    data_offsets: [from],
  } = header[name];
  /** @type {Record<string, number[]>} */
  const nan = { F32: [0, 0, 0xc0, 0x7f], F16: [0, 0x7e], BF16: [0xc0, 0x7f] };
  Buffer.from(nan[dtype]).copy(data, from + BROKEN * shape[1] * nan[dtype].length);
  return bytes;
}

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
before(async () => {
  site = await start();
});
after(() => site.stop());

/** Gives the page the broken model as picked files. @param {Page} page */
async function choose(page) {
  await page.waitForFunction(
    () => /** @type {any} */ (document.querySelector("scope-figure"))?.reading,
  );
  await page.locator("#choose").click();
  const files = ["config.json", "tokenizer.json"].map((name) => ({
    name,
    mimeType: "application/json",
    buffer: file(name),
  }));
  await page
    .locator('model-chooser input[name="files"]')
    .setInputFiles([
      ...files,
      { name: "model.safetensors", mimeType: "application/octet-stream", buffer: brokenWeights() },
    ]);
  await page.waitForFunction(() => {
    const { reading, stale } = /** @type {any} */ (document.querySelector("scope-figure"));
    return (
      document.querySelector("#model-name")?.textContent?.startsWith("your files") &&
      reading &&
      !stale &&
      reading.loss !== null
    );
  });
}

/** @param {Page} page @param {string} name */
async function view(page, name) {
  await page.locator("scope-figure .choice button", { hasText: name }).first().click();
}

/** @param {Page} page @param {string} selector @param {RegExp} words */
const says = (page, selector, words) =>
  eventually(async () => assert.match(await page.locator(selector).first().innerText(), words));

for (const dark of [false, true]) {
  test(`the attention views mark values that are not numbers in the ${dark ? "dark" : "light"} theme`, async () => {
    await visit(site, { dark }, async (page) => {
      await choose(page);
      await says(
        page,
        "scope-figure .says",
        /has attention that is not a number\. *\d+ of its values are not a number/,
      );
      await says(page, "attention-pattern .legend", /not a number: \d+ values/);
      await says(page, "next-tokens .warning", /not a number, so no token is the likeliest/);
      assert.equal(await page.locator("next-tokens .one").count(), 0);
      const pattern = page.locator("attention-pattern");
      const pixels = await pattern.evaluate((/** @type {any} */ element, broken) => {
        const { fit } = element.geometry;
        const canvas = element.renderRoot.querySelector(".cells");
        const context = new OffscreenCanvas(fit.size, fit.size).getContext("2d", {
          willReadFrequently: true,
        });
        context?.drawImage(canvas, 0, 0);
        /** Different colours of a cell. @param {number} query @param {number} key */
        const colours = (query, key) =>
          new Set(
            new Uint32Array(
              /** @type {any} */ (context).getImageData(
                key * fit.cell,
                query * fit.cell,
                fit.cell,
                fit.cell,
              ).data.buffer,
            ),
          ).size;
        return {
          broken: colours(broken, 1),
          finite: colours(broken - 1, 1),
          future: colours(1, broken),
        };
      }, BROKEN);
      assert.deepEqual(pixels, { broken: 2, finite: 1, future: 1 });
      await pattern.locator(".plot").focus();
      for (let row = 0; row < BROKEN; row++) await page.keyboard.press("ArrowDown");
      await says(page, "attention-pattern .readout", /query 5 .*not a number/);
    });
  });
}

test("no mark remains after another model is chosen", async () => {
  await visit(site, {}, async (page) => {
    await choose(page);
    await says(page, "next-tokens .warning", /no token is the likeliest/);
    await page.locator("#choose").click();
    await page.getByRole("button", { name: "Shakespeare (f16, 8.6 MB)" }).click();
    await eventually(async () => assert.ok((await page.locator("next-tokens .one").count()) >= 10));
    await eventually(async () =>
      assert.equal(
        await page
          .locator("next-tokens .warning, attention-pattern .swatch, main model-report .warning")
          .count(),
        0,
      ),
    );
  });
});

test("log-probabilities and the lens mark values that are not numbers", async () => {
  await visit(site, {}, async (page) => {
    await choose(page);
    await view(page, "log-probability");
    await says(page, "token-strip .legend", /stripes: not a number/);
    await eventually(async () =>
      assert.match(
        (await page.locator(`token-strip [data-position="${BROKEN}"]`).getAttribute("class")) ?? "",
        /broken/,
      ),
    );
    assert.doesNotMatch(
      (await page.locator('token-strip [data-position="0"]').getAttribute("class")) ?? "",
      /broken/,
    );
    await says(
      page,
      "scope-figure .says",
      /The log-probability of \d+ of \d+ tokens is not a number/,
    );
    await says(page, "token-losses .axis", /stripes: \d+ of \d+ are not a number/);
    await says(page, "token-losses .axis", /mean\s+not a number/);
    await view(page, "lens");
    const scroll = page.locator("logit-lens .scroll");
    await scroll.evaluate((element) => element.scrollTo(0, 0)); // a long text opens at its end
    const cell = (/** @type {number} */ position) =>
      page.locator(`logit-lens [data-layer="1"][data-position="${position}"]`);
    await eventually(async () => assert.equal(await cell(BROKEN).innerText(), "NaN"));
    assert.match(await page.locator("logit-lens .legend").innerText(), /not a number: \d+ places/);
    await cell(BROKEN).hover();
    await says(
      page,
      "logit-lens .detail",
      /the logits are not a number: no token is the likeliest, and the true next token has no rank/,
    );
  });
});

test("head scores and activations distinguish a value that is not a number from a missing one", async () => {
  await visit(site, {}, async (page) => {
    await choose(page);
    await view(page, "scores");
    await eventually(async () =>
      assert.deepEqual(
        new Set(await page.locator("head-scores .cell").allInnerTexts()),
        new Set(["NaN"]),
      ),
    );
    await says(page, "head-scores .legend", /not a number: 16 heads/);
    assert.match(
      (await page.locator("head-scores .cell").first().getAttribute("aria-label")) ?? "",
      /not a number$/,
    );
    await view(page, "activations");
    await says(page, "tensor-view .legend", /not finite: \d+ values/);
    await page.locator("tensor-view .below button", { hasText: "table" }).click();
    await says(
      page,
      "tensor-view .table",
      /Values that are not finite, then those farthest from zero/,
    );
    await says(page, "tensor-view .table tbody", /not a number/);
  });
});

test("masked attention scores of a finite model are not marked", async () => {
  await visit(
    site,
    { path: "#view=activations&hook=blocks.0.attn.hook_attn_scores" },
    async (page) => {
      await page.waitForFunction(
        () =>
          /** @type {any} */ (document.querySelector("scope-figure"))?.renderRoot
            .querySelector("activations-view")
            ?.renderRoot.querySelector("tensor-view")?.matrix,
      );
      assert.ok(
        await page
          .locator("tensor-view")
          .evaluate((/** @type {any} */ one) => one.matrix.data.includes(-Infinity)),
      );
      await says(page, "tensor-view .legend", /linear/);
      assert.doesNotMatch(await page.locator("tensor-view .legend").innerText(), /not finite/);
    },
  );
});

test("the page shows the report of the load", async () => {
  await visit(site, {}, async (page) => {
    await choose(page);
    const reported = await page.evaluate(
      () => /** @type {any} */ (document.querySelector("main model-report")).notices,
    );
    assert.ok(Array.isArray(reported));
    await page.evaluate(() => {
      const element = /** @type {any} */ (document.querySelector("main model-report"));
      element.notices = [
        { kind: "nonFinite", name: "wpe.weight", message: "1 of 32768 values is NaN.", count: 1 },
        {
          kind: "ignored",
          name: "lm_head.bias",
          message: "The model has no such tensor <b>here</b>.",
        },
      ];
    });
    await says(
      page,
      "main model-report .warning",
      /holds numbers that are not finite\.\s+not a number wpe\.weight \(1\) 1 of 32768 values is NaN/,
    );
    await page.locator("main model-report summary").first().click();
    await says(
      page,
      "main model-report details",
      /1 not a number\s+1 not used[\s\S]+not used lm_head\.bias The model has no such tensor <b>here<\/b>/,
    );
    assert.equal(await page.locator("model-report b").count(), 0);
  });
});
