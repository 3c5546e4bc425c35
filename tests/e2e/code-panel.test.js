// candlescope in the console, and the code panel, on the built page in headless Chromium.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";

import { eventually, settled, start, visit } from "./browser.js";

/** @typedef {import("playwright-core").Page} Page */

/** The names of the views, as their list has them. */
const VIEWS = [
  ...readFileSync(new URL("../../www/elements/views/index.ts", import.meta.url), "utf8").matchAll(
    /^ {2}"?([a-z-]+)"?: \{$/gm,
  ),
].map(([, name]) => name);

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
before(async () => {
  site = await start();
});
after(() => site?.stop());

describe("the console", () => {
  test("has the model, the reading, the state and the store that are on show, and says so once", async () => {
    /** @type {string[]} */
    const said = [];
    const before = async (/** @type {Page} */ page) => {
      page.on("console", (one) => one.type() === "info" && said.push(one.text()));
    };
    await visit(site, { before }, async (page) => {
      await settled(page);
      const found = await page.evaluate(async () => {
        const { candlescope } = /** @type {any} */ (globalThis);
        const { model, reading, state } = candlescope;
        const { ids } = await model.tokenize(state.prompt);
        const run = await model.runWithCache(state.prompt, {
          names: ["blocks.1.attn.hook_pattern"],
        });
        return {
          ids: [...ids],
          read: [...reading.ids],
          loss: run.loss === reading.loss,
          pattern: run.cache
            .get("blocks.1.attn.hook_pattern")
            .data.every(
              (/** @type {number} */ one, /** @type {number} */ at) =>
                one === reading.patterns[1].data[at],
            ),
          view: state.view,
        };
      });
      assert.deepEqual(found.ids, found.read);
      assert.ok(found.loss && found.pattern);
      assert.equal(found.view, "attention");
      await page.evaluate(() => {
        const { store } = /** @type {any} */ (globalThis).candlescope;
        store.dispatch({ type: "choose", choice: { prompt: "the moon, the moon" } });
      });
      await settled(page);
      const now = await page.evaluate(() => {
        const { reading, state } = /** @type {any} */ (globalThis).candlescope;
        return [reading.text, state.prompt];
      });
      assert.deepEqual(now, ["the moon, the moon", "the moon, the moon"]);
      const lines = said.filter((one) => one.startsWith("candlescope:"));
      assert.equal(lines.length, 1, said.join("\n"));
    });
  });
});

/** @param {Page} page */
async function openPanel(page) {
  await settled(page);
  await page.locator("#code > summary").click();
  await page.getByRole("button", { name: "turn on the code panel" }).click();
  await page.locator("code-panel textarea").waitFor();
}

/** @param {Page} page @param {string} code */
async function run(page, code) {
  await page.locator("code-panel textarea").fill(code);
  await page.locator("code-panel textarea").press("Control+Enter");
}

/** @param {Page} page */
async function ended(page) {
  await page.locator("code-panel button.run").waitFor();
}

const results = (/** @type {Page} */ page) => page.locator("code-panel ol > li");

describe("the code panel", () => {
  test("is off, says what code may do, and takes no code from an address", async () => {
    await visit(site, { path: "#code=globalThis.hacked%3D1&prompt=the%20moon" }, async (page) => {
      await settled(page);
      await page.locator("#code > summary").click();
      await page.getByRole("button", { name: "turn on the code panel" }).waitFor();
      const text = await page.locator("code-panel .warning").innerText();
      assert.match(
        text,
        /all rights of the page: it can send requests\s+anywhere, and read and delete/,
      );
      assert.match(text, /Do not paste code that you do not understand/);
      assert.equal(await page.locator("code-panel textarea").count(), 0);
      await page.getByRole("button", { name: "turn on the code panel" }).click();
      await page.locator("code-panel textarea").waitFor();
      assert.doesNotMatch(await page.locator("code-panel textarea").inputValue(), /hacked/);
      await page.getByRole("button", { name: "run", exact: true }).click();
      await ended(page);
      assert.equal(await page.evaluate(() => /** @type {any} */ (globalThis).hacked), undefined);
      await page.reload();
      await settled(page);
      assert.equal(await page.locator("code-panel textarea").count(), 0, "off after a reload");
    });
  });

  test("starts with the code of what is shown, which gives the numbers that are drawn", async () => {
    await visit(site, { path: "#layer=1&head=1&off=0.2" }, async (page) => {
      await openPanel(page);
      const code = await page.locator("code-panel textarea").inputValue();
      assert.match(code, /names: \["blocks\.1\.attn\.hook_pattern"\]/);
      assert.match(code, /at: "blocks\.0\.attn\.hook_z", head: 2, do: "zero"/);
      await page.getByRole("button", { name: "run", exact: true }).click();
      await ended(page);
      assert.equal(await results(page).count(), 1);
      assert.match(await results(page).innerText(), /Tensor \[72, 72\]: query, key/);
      const isSame = await page.evaluate(() => {
        const panel = /** @type {any} */ (document.querySelector("code-panel"));
        const { patterns } = /** @type {any} */ (globalThis).candlescope.reading;
        const drawn = patterns[1].at({ batch: 0, head: 1 }).data;
        const { data } = panel.results[0].tensor;
        return (
          data.length === drawn.length &&
          data.every((/** @type {number} */ one, /** @type {number} */ at) => one === drawn[at])
        );
      });
      assert.ok(isSame);
      await page.getByRole("button", { name: /^draw Tensor/ }).click();
      await page.locator("code-panel tensor-view canvas.cells").waitFor();
    });
  });

  test("runs the code of every view without an error", async () => {
    await visit(site, {}, async (page) => {
      await openPanel(page);
      await page.evaluate(() => {
        const { store } = /** @type {any} */ (globalThis).candlescope;
        const choice = {
          ...{ prompt: "the moon, the moon, the", corrupted: "the star, the moon, the" },
          answer: " moon",
        };
        store.dispatch({ type: "choose", choice });
      });
      for (const view of VIEWS) {
        await page.evaluate((view) => {
          /** @type {any} */ (globalThis).candlescope.store.dispatch({
            type: "choose",
            choice: { view },
          });
        }, view);
        await settled(page);
        await page.getByRole("button", { name: "write the code of what is shown" }).click();
        await page.getByRole("button", { name: "run", exact: true }).click();
        await eventually(async () => assert.ok((await results(page).count()) > 0, view));
        await ended(page);
        assert.equal(
          await page.locator("code-panel .failure").count(),
          0,
          `${view}: ${await page.locator("code-panel").innerText()}`,
        );
      }
    });
  });

  test("shows errors with their lines, of the model, of JavaScript and of its grammar", async () => {
    await visit(site, {}, async (page) => {
      await openPanel(page);
      const failures = {
        "const a = 1;\nawait model.runWithCache(state.prompt, { names: ['nowhere'] });":
          /^line 2: HookError/,
        "print(1);\n\nnull.x;": /^line 3: TypeError/,
        "print(1);\nconst = 2;": /^line 2: SyntaxError/,
      };
      for (const [code, expected] of Object.entries(failures)) {
        await run(page, code);
        await page.locator("code-panel .failure").waitFor();
        await ended(page);
        assert.match(await page.locator("code-panel .failure").innerText(), expected);
      }
      await page.getByRole("button", { name: "go to line 2" }).click();
      const selected = await page
        .locator("code-panel textarea")
        .evaluate((/** @type {HTMLTextAreaElement} */ area) =>
          area.value.slice(area.selectionStart, area.selectionEnd),
        );
      assert.equal(selected, "const = 2;");
      await run(page, "return 6 * 7");
      await eventually(async () => assert.deepEqual(await results(page).allInnerTexts(), ["42"]));
    });
  });

  test("stops a generation and a measurement, by the button", async () => {
    await visit(site, {}, async (page) => {
      await openPanel(page);
      for (const code of [
        "for await (const { string } of model.generate('To be', { maxNewTokens: 100000, stopAtEos: false })) print(string);",
        "await new Promise(() => {});",
        "for (;;) await model.headScores(undefined, { signal });",
      ]) {
        await run(page, code);
        await page.getByRole("button", { name: "stop", exact: true }).click();
        await ended(page);
        assert.match(
          await page.locator("code-panel .failure").innerText(),
          /stopped.*The code was stopped/,
        );
      }
      // The page goes on.
      await page.evaluate(() => {
        const { store } = /** @type {any} */ (globalThis).candlescope;
        store.dispatch({ type: "choose", choice: { prompt: "once more" } });
      });
      await settled(page);
    });
  });

  test("the code that was written is not lost when that of the page takes its place", async () => {
    await visit(site, {}, async (page) => {
      await openPanel(page);
      await page.locator("code-panel textarea").fill("mine");
      await page.getByRole("button", { name: "write the code of what is shown" }).click();
      await eventually(async () =>
        assert.match(await page.locator("code-panel textarea").inputValue(), /runWithCache/),
      );
      await page.getByRole("button", { name: "take my code back" }).click();
      assert.equal(await page.locator("code-panel textarea").inputValue(), "mine");
    });
  });

  test("says that the page's policy forbids code", async () => {
    const policy = "script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'; worker-src 'self' blob:";
    await visit(
      site,
      {
        expect: /Content Security Policy|unsafe-eval/,
        before: async (page) =>
          page.route(`${site.url}`, async (route) => {
            const response = await route.fetch();
            const headers = { ...response.headers(), "content-security-policy": policy };
            await route.fulfill({ response, headers });
          }),
      },
      async (page) => {
        await openPanel(page);
        await run(page, "return 1");
        await page.locator("code-panel .failure").waitFor();
        assert.match(
          await page.locator("code-panel .failure").innerText(),
          /Content-Security-Policy forbids code that is written here: its script-src lacks 'unsafe-eval'/,
        );
      },
    );
  });
});

test("copy as JavaScript has the call of the view, which gives what the page shows", async () => {
  const path = "#view=attribution&attribution.by=head&prompt=the%20moon%2C%20the&off=0.2";
  await visit(site, { path }, async (page) => {
    await settled(page);
    await page.locator("#share").click();
    await page.locator("#sharing button[value=javascript]").click();
    await eventually(async () =>
      assert.match(await page.locator("#copy").inputValue(), /await model\.attribution\(prompt, /),
    );
    const printed = await page.evaluate(
      async ({ code, address }) => {
        /** @type {any[]} */
        const printed = [];
        const { log, table } = console;
        console.log = (...values) => printed.push(...values);
        console.table = () => {};
        const text = code.replace("./candlescope.js", address);
        const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
        try {
          await import(url);
        } finally {
          Object.assign(console, { log, table });
        }
        const { data, axes } = printed.at(-1);
        return {
          axes,
          sum: data.reduce((/** @type {number} */ a, /** @type {number} */ b) => a + b),
        };
      },
      {
        // The module is no file of the page, so that its addresses are absolute.
        code: (await page.locator("#copy").inputValue()).replace(
          '"models/shakespeare"',
          `"${site.url}models/shakespeare"`,
        ),
        address: `${site.url}candlescope.js`,
      },
    );
    assert.deepEqual(printed.axes, ["component"]);
    const shown = await page.evaluate(async () => {
      const { model, reading } = /** @type {any} */ (globalThis).candlescope;
      const last = reading.logits.at({ batch: 0, pos: -1 }).data;
      return { largest: Math.max(...last), has: Boolean(model) };
    });
    assert.ok(Math.abs(printed.sum - shown.largest) < 1e-3, `${printed.sum} ${shown.largest}`);
  });
});
