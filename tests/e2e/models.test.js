// The model chooser of the built page in headless Chromium: presets, precisions, what the browser keeps; and the precision in
// addresses.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { after, before, describe, test } from "node:test";

import { eventually, settled, start, visit } from "./browser.js";

/** @typedef {import("playwright-core").Page} Page */

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
/** Another host, which serves the bundled model. @type {{ url: string, asked: string[], close: () => void }} */
let other;
before(async () => {
  site = await start();
  other = await serveModel();
});
after(async () => {
  await site?.stop();
  other?.close();
});

async function serveModel() {
  /** @type {string[]} */
  const asked = [];
  const server = createServer((request, response) => {
    const name = String(request.url).split("/").at(-1) ?? "";
    asked.push(name);
    response.setHeader("Access-Control-Allow-Origin", "*");
    response.setHeader("Cross-Origin-Resource-Policy", "cross-origin");
    try {
      const path = new URL(`../../models/shakespeare/${name}`, import.meta.url);
      const bytes = readFileSync(path);
      response.setHeader("Content-Length", bytes.length);
      response.end(request.method === "HEAD" ? undefined : bytes);
    } catch {
      response.statusCode = 404;
      response.end();
    }
  });
  await new Promise((done) => server.listen(0, () => done(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return { url: `http://localhost:${port}/shakespeare`, asked, close: () => server.close() };
}

/** @param {Page} page */
async function openChooser(page) {
  await settled(page);
  await page.locator("#choose").click();
  await page.locator("model-storage [role=status]").waitFor();
}

/** The model in use. @param {Page} page @returns {Promise<{ dtype: string, model: string, state: string }>} */
const inUse = (page) =>
  page.evaluate(() => {
    const { model, state } = /** @type {any} */ (globalThis).candlescope;
    return { dtype: model?.backend.dtype, model: state.model, state: state.dtype };
  });

/** @param {Page} page @param {string} dtype */
async function loadedIn(page, dtype) {
  await eventually(async () => assert.equal((await inUse(page)).dtype, dtype));
  await settled(page);
}

const row = (/** @type {Page} */ page, /** @type {string} */ name) =>
  page.locator("model-presets tbody tr").filter({ has: page.getByText(name, { exact: true }) });

describe("presets", () => {
  test("say download, time and memory in each precision; too large ones are refused, with the reason", async () => {
    await visit(site, {}, async (page) => {
      await openChooser(page);
      assert.equal(await page.locator("model-presets tbody tr").count(), 5);
      const gpt2 = await row(page, "GPT-2").first().innerText();
      for (const part of [
        /549\.5 MB/,
        /about \d/,
        /510\.6 MB/,
        /263\.5 MB/,
        /147\.7 MB/,
        /110\.5 MB/,
      ])
        assert.match(gpt2, part);
      const load = (/** @type {string} */ name, /** @type {string} */ dtype) =>
        page.getByRole("button", { name: `load ${name} in ${dtype}`, exact: true });
      assert.ok(await load("GPT-2 XL", "f32").isDisabled());
      assert.match(
        await row(page, "GPT-2 XL").innerText(),
        /needs 6\.2\d GB in f32, more than the 4\.29 GB \(4 GiB\) that WebAssembly can address\. Choose a smaller precision/,
      );
      await page.getByRole("radio", { name: "q8" }).check();
      assert.ok(await load("GPT-2 XL", "q8").isEnabled());
      assert.doesNotMatch(await row(page, "GPT-2 XL").innerText(), /more than/);
    });
  });

  test("times follow the rate that is chosen", async () => {
    await visit(site, {}, async (page) => {
      await openChooser(page);
      const time = row(page, "GPT-2 large").locator("td").nth(1);
      assert.match(await time.innerText(), /about 9 min/);
      await page.locator("model-presets select").selectOption("500");
      assert.match(await time.innerText(), /about 50 s/);
    });
  });

  test("a preset asks the hub for its files in the chosen precision, and can be cancelled", async () => {
    const asked = /** @type {string[]} */ ([]);
    await visit(
      site,
      {
        before: async (page) => {
          await page.context().route("https://huggingface.co/**", (route) => {
            asked.push(route.request().url()); // and nothing answers
          });
        },
      },
      async (page) => {
        await openChooser(page);
        assert.equal(asked.length, 0, "nothing is asked before a model is chosen");
        await page.getByRole("radio", { name: "q4" }).check();
        await page.getByRole("button", { name: "load DistilGPT-2 in q4" }).click();
        await page.getByRole("button", { name: "Cancel" }).click();
        await eventually(async () =>
          assert.match(asked.join("\n"), /distilbert\/distilgpt2\/resolve\/main/),
        );
        await page.locator("load-progress[hidden]").waitFor({ state: "attached" });
        assert.equal((await inUse(page)).model, "models/shakespeare");
      },
    );
  });
});

test("a preset is loaded from the hub in the chosen precision, and an address names both", async () => {
  const before = async (/** @type {Page} */ page) => {
    // A small model in its place: what is tested is the way there.
    await page.context().route("https://huggingface.co/**", (route) => {
      const name = new URL(route.request().url()).pathname.split("/").at(-1) ?? "";
      const headers = { "access-control-allow-origin": "*" };
      if (!["config.json", "tokenizer.json", "model.safetensors"].includes(name))
        return route.fulfill({ status: 404, headers });
      const body = readFileSync(new URL(`../../models/shakespeare/${name}`, import.meta.url));
      return route.fulfill({ body, headers });
    });
  };
  await visit(site, { before, expect: /404/ }, async (page) => {
    await openChooser(page);
    await page.getByRole("radio", { name: "f16" }).check();
    await page.getByRole("button", { name: "load DistilGPT-2 in f16", exact: true }).press("Enter");
    await loadedIn(page, "f16");
    assert.equal((await inUse(page)).model, "hf:distilbert/distilgpt2");
    await eventually(async () =>
      assert.match(page.url(), /model=hf%3Adistilbert%2Fdistilgpt2&dtype=f16/),
    );
    await openChooser(page);
    assert.match(await row(page, "DistilGPT-2").innerText(), /in use/);
  });
});

describe("precision", () => {
  test("the model in use is loaded again in another one, which the address and an undo know", async () => {
    await visit(site, {}, async (page) => {
      await openChooser(page);
      await page.getByRole("radio", { name: "q8" }).check();
      await page.getByRole("button", { name: "load Shakespeare in q8" }).click();
      await loadedIn(page, "q8");
      assert.equal((await inUse(page)).state, "q8");
      await eventually(async () => assert.match(page.url(), /[#&]dtype=q8/));
      await page.locator("#undo").click();
      await loadedIn(page, "f32");
      await page.locator("#redo").click();
      await loadedIn(page, "q8");
      await page.reload();
      await loadedIn(page, "q8");
    });
  });

  test("an address with a precision is loaded once, in it", async () => {
    /** @type {string[]} */
    const weights = [];
    await visit(
      site,
      {
        path: "#dtype=q4",
        before: async (page) =>
          page.on("request", (one) => one.url().endsWith("safetensors") && weights.push(one.url())),
      },
      async (page) => {
        await loadedIn(page, "q4");
        assert.equal(weights.length, 1);
        await openChooser(page);
        assert.ok(await page.getByRole("radio", { name: "q4" }).isChecked());
        assert.match(await page.locator("model-gallery .facts").first().innerText(), /· q4 ·/);
      },
    );
  });

  test("an unknown precision in an address is said, and the model is loaded in f32", async () => {
    await visit(site, { path: "#dtype=q3" }, async (page) => {
      await loadedIn(page, "f32");
      await page.getByText(/"q3" for dtype, expected one of f32, f16, q8, q4/).waitFor();
    });
  });

  test("by the keyboard alone: the radio group, and the button that loads", async () => {
    await visit(site, {}, async (page) => {
      await openChooser(page);
      await page.getByRole("radio", { name: "f32" }).focus();
      await page.keyboard.press("ArrowRight");
      assert.ok(await page.getByRole("radio", { name: "f16" }).isChecked());
      await page.keyboard.press("Tab");
      assert.equal(
        await page
          .getByRole("button", { name: "load Shakespeare in f16" })
          .evaluate(
            (button) => /** @type {ShadowRoot} */ (button.getRootNode()).activeElement === button,
          ),
        true,
      );
      await page.keyboard.press("Enter");
      await loadedIn(page, "f16");
    });
  });

  test("a link to another host says the precision, and loads it after consent", async () => {
    other.asked.length = 0;
    await visit(site, { path: `#model=${other.url}&dtype=q8` }, async (page) => {
      const question = page.locator("load-consent form");
      await question.waitFor();
      assert.match(await question.innerText(), /in q8\. Nothing has been requested/);
      assert.deepEqual(other.asked, []);
      await question.getByRole("button", { name: /^Load from/ }).click();
      await loadedIn(page, "q8");
      assert.equal((await inUse(page)).model, other.url);
      // What was measured is offered for the times.
      await openChooser(page);
      const rates = page.locator("model-presets select option");
      await eventually(async () =>
        assert.match(await rates.first().innerText(), /as measured here/),
      );
    });
  });

  test("files are loaded in it, and again in another; a copy of them only in its own, which is said", async () => {
    const files = ["config.json", "tokenizer.json", "model.safetensors"].map((name) => ({
      name,
      mimeType: "application/octet-stream",
      buffer: readFileSync(new URL(`../../models/shakespeare/${name}`, import.meta.url)),
    }));
    await visit(site, {}, async (page) => {
      await openChooser(page);
      await page.getByRole("radio", { name: "q8" }).check();
      await page.locator("model-chooser input[name=files]").setInputFiles(files);
      await loadedIn(page, "q8");
      assert.equal((await inUse(page)).model, "");
      await openChooser(page);
      await page.getByRole("radio", { name: "q4" }).check();
      await page
        .getByRole("button", { name: /^load .* in q4$/ })
        .first()
        .click();
      await loadedIn(page, "q4");
      assert.equal((await inUse(page)).model, "");
      // The copy is written after the load.
      await eventually(async () => {
        const stored = await page.evaluate(async () => {
          const { storedModels } = await import(new URL("candlescope.js", location.href).href);
          return (await storedModels()).map(
            (/** @type {any} */ one) => `${one.dtype} ${one.address === undefined}`,
          );
        });
        assert.ok(stored.includes("q4 true"), stored.join());
      });
      await page.reload();
      await loadedIn(page, "q4");
      await openChooser(page);
      await page.getByRole("radio", { name: "f32" }).check();
      await page
        .getByRole("button", { name: /^load .* in f32$/ })
        .first()
        .click();
      await page
        .getByText(/copy of .* is in q4.*choose its files again to load them in f32/)
        .waitFor();
      assert.equal((await inUse(page)).dtype, "q4");
    });
  });

  test("the same model in two precisions is listed twice, and each opens in its own", async () => {
    await visit(site, {}, async (page) => {
      await openChooser(page);
      await page.getByRole("radio", { name: "q8" }).check();
      await page.getByRole("button", { name: "Shakespeare (f16, 8.6 MB)" }).click();
      await loadedIn(page, "q8");
      await openChooser(page);
      const facts = page.locator("model-gallery .facts");
      await eventually(async () => assert.equal(await facts.count(), 2));
      assert.match((await facts.allInnerTexts()).join("\n"), /· q8 ·[\s\S]*· f32 ·/);
      await page.locator("model-gallery li").nth(1).getByRole("button", { name: /^open/ }).click();
      await loadedIn(page, "f32");
    });
  });
});

describe("copies in this browser", () => {
  /** The chooser with the copies as they are now. @param {Page} page @param {number} count */
  async function showsCopies(page, count) {
    await eventually(async () => {
      await page.evaluate(() => dispatchEvent(new Event("storage"))); // as another tab would
      assert.equal(await page.locator("model-storage li").count(), count);
    });
  }

  test("are listed with their sizes and the room; one can be removed, and all after one question", async () => {
    await visit(site, {}, async (page) => {
      await openChooser(page);
      await showsCopies(page, 1);
      const list = page.locator("model-storage li");
      assert.match(await list.innerText(), /Shakespeare|shakespeare/);
      assert.match(await list.innerText(), /17\.\d MB · f32/);
      assert.match(
        await page.locator("model-storage [role=status]").innerText(),
        /^1 copy, 17\.\d MB together\. The browser gives this site up to [\d.]+ \wB, of which [\d.]+ MB are used/,
      );
      await page.getByRole("radio", { name: "q4" }).check();
      await page.getByRole("button", { name: "load Shakespeare in q4" }).click();
      await loadedIn(page, "q4");
      await openChooser(page);
      await showsCopies(page, 2);
      await page.getByRole("button", { name: "remove the copy of shakespeare in f32" }).click();
      await showsCopies(page, 1);
      assert.match(await list.innerText(), /· q4 ·/);

      await page.getByRole("button", { name: "remove all" }).click();
      const keep = page.getByRole("button", { name: "keep" });
      await keep.waitFor();
      await page.keyboard.press("Escape");
      await keep.waitFor({ state: "detached" });
      await showsCopies(page, 1);
      const all = page.getByRole("button", { name: "remove all" });
      assert.ok(
        await all.evaluate(
          (button) => /** @type {ShadowRoot} */ (button.getRootNode()).activeElement === button,
        ),
        "the focus comes back",
      );
      await all.press("Enter");
      await page
        .getByRole("group", { name: "remove all copies" })
        .getByRole("button", { name: "remove" })
        .click();
      await showsCopies(page, 0);
      assert.match(
        await page.locator("model-storage [role=status]").innerText(),
        /^This browser keeps no model/,
      );
      // The model in use stays usable, and the gallery still lists it.
      assert.equal((await inUse(page)).dtype, "q4");
      assert.equal(await page.locator("model-gallery li").count(), 2);
    });
  });

  test("the report of each opened model is one press away", async () => {
    await visit(site, {}, async (page) => {
      await openChooser(page);
      await page.getByRole("button", { name: "report of Shakespeare" }).click();
      await page.locator("model-gallery model-report").waitFor();
      assert.match(
        await page.locator("model-gallery model-report summary").first().innerText(),
        /Hugging Face GPT-2, safetensors/,
      );
    });
  });
});
