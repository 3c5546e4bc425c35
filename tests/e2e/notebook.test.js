// The notebook in headless Chromium: each cell runs as it is shown, and gives what TransformerLens gives and what the API gives on
// another instance of the model; code can be changed; errors stand in place.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { CELLS } from "../../www/notebook/cells.ts";
import { eventually, start, visit } from "./browser.js";
import { askModel, byKeyboard, focused, pressTo } from "./lab-helpers.js";

/** @typedef {import("playwright-core").Page} Page */

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** Made by make_notebook_fixtures.py. */
const EXPECTED = JSON.parse(
  readFileSync(new URL("../fixtures/shakespeare/notebook.json", import.meta.url), "utf8"),
);
const PATH = "notebook.html";

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
before(async () => {
  site = await start();
});
after(() => site.stop());

/** Waits until nothing runs. @param {Page} page */
async function ended(page) {
  await page.waitForFunction(() => {
    const cells = /** @type {any[]} */ ([...document.querySelectorAll("notebook-cell")]);
    return (
      cells.length > 0 &&
      cells.every(
        ({ state, busy }) => state && !busy && !["running", "waiting"].includes(state.status),
      ) &&
      /^\d+ of/.test(document.querySelector("#notebook-status")?.textContent ?? "")
    );
  });
}

/** Opens the notebook and waits until its cells have run. @param {(page: Page) => Promise<void>} act @param {Parameters<typeof visit>[1]} [options] */
const open = (act, options = {}) =>
  visit(site, { path: PATH, ...options }, async (page) => {
    await page.waitForFunction(
      () => /** @type {any} */ (document.querySelector("notebook-cell"))?.state?.status === "done",
    );
    await ended(page);
    await act(page);
  });

/** What cells have, as plain data. @param {Page} page @returns {Promise<Record<string, { status: string, outputs: any[] }>>} */
const states = (page) =>
  page.evaluate(() => {
    const plain = (/** @type {any} */ tensor) =>
      tensor && { shape: [...tensor.shape], axes: [...tensor.axes], data: [...tensor.data] };
    return Object.fromEntries(
      [...document.querySelectorAll("notebook-cell")].map((/** @type {any} */ element) => [
        element.id.replace("cell-", ""),
        {
          status: element.state.status,
          outputs: element.state.outputs.map((/** @type {any} */ one) => ({
            ...one,
            tensor: plain(one.tensor),
            patterns: one.patterns?.map(plain),
          })),
        },
      ]),
    );
  });

/** @param {Page} page @param {string} id */
const cell = (page, id) => page.locator(`#cell-${id}`);

/** Puts code into a cell and runs it. @param {Page} page @param {string} id @param {string} code */
async function runWith(page, id, code) {
  await cell(page, id).locator("textarea").fill(code);
  await cell(page, id).locator("button.run").click();
  await ended(page);
}

/**
 * f32 sums in another order, as everywhere: 1e-5 absolute plus 1e-4 relative.
 * @param {ArrayLike<number>} found @param {ArrayLike<number>} wanted @param {string} what
 */
function close(found, wanted, what) {
  assert.equal(found.length, wanted.length, what);
  for (let at = 0; at < wanted.length; at++)
    assert.ok(
      Math.abs(found[at] - wanted[at]) <= 1e-5 + 1e-4 * Math.abs(wanted[at]),
      `${what}: ${found[at]} at ${at}, expected ${wanted[at]}`,
    );
}

/** What a cell shows, against TransformerLens. @type {Record<string, (outputs: any[]) => void>} */
const CHECKS = {
  load: (outputs) => assert.deepEqual(outputs, []),
  parameters: ([{ text }]) => assert.equal(Number(text), EXPECTED.parameters),
  generate: ([{ kind, text }]) => {
    assert.equal(kind, "written");
    assert.ok(text.length > 60);
  },
  loop: ([{ text }]) => assert.equal(text, EXPECTED.greedy),
  hooks: ([{ text }]) => assert.equal(text, `[${Array(4).fill("[1, 4, 13, 13]").join(", ")}]`),
  attention: ([{ patterns, tokens }]) => {
    assert.equal(
      tokens.join(""),
      "You are gentlemen of brave heart|You are gentlemen of brave heart",
    );
    assert.deepEqual(
      patterns.map((/** @type {any} */ one) => one.shape),
      Array(4).fill([1, 4, 13, 13]),
    );
    close(patterns[1].data.slice(169, 338), EXPECTED.pattern, "the pattern of head 1.1");
  },
  logprobs: ([{ tensor }]) => {
    assert.deepEqual(tensor.axes, ["pos"]);
    close(tensor.data, EXPECTED.log_probs, "log-probabilities");
  },
  selection: ([{ text }]) =>
    assert.match(
      text,
      /^2 of \d+ hook points\n {2}blocks\.\S*2\S*3\S*\.attn\.hook_pattern +\[batch head query key\]$/,
    ),
  display: (outputs) => {
    assert.deepEqual(
      outputs.map(({ tensor }) => tensor.shape),
      Array(2).fill([1, 4, 13, 13]),
    );
  },
  batch: ([{ tensor }]) => {
    assert.deepEqual(tensor.axes, ["batch"]);
    close(tensor.data, EXPECTED.batch_losses, "losses");
  },
  induction: (outputs) => close(outputs.at(-1).tensor.data, EXPECTED.induction.flat(), "scores"),
  weights: ([shape, { tensor }]) => {
    assert.equal(shape.text, "[4, 4, 256, 64]");
    assert.deepEqual(tensor.axes, ["d_model", "d_head"]);
    assert.deepEqual(
      tensor.data.slice(0, 64),
      EXPECTED.W_Q,
      "bit for bit: the file holds 16-bit floats",
    );
  },
  without: ([{ text }]) =>
    close(JSON.parse(text), [EXPECTED.loss, EXPECTED.loss_without], "losses"),
};

test("every cell runs when the page opens, and gives what TransformerLens gives", async () => {
  await open(async (page) => {
    const found = await states(page);
    assert.deepEqual(
      Object.keys(found),
      CELLS.map(({ id }) => id),
    );
    assert.deepEqual(Object.keys(CHECKS).sort(), Object.keys(found).sort());
    for (const { id, title, code, python } of CELLS) {
      assert.equal(found[id].status, "done", `${title}: ${JSON.stringify(found[id].outputs)}`);
      CHECKS[id](found[id].outputs);
      assert.equal(
        await cell(page, id).locator("textarea").inputValue(),
        code,
        "shown as it is run",
      );
      assert.equal(await cell(page, id).locator(".python pre").innerText(), python);
    }
    // What passes at the hooks is what a run returns.
    assert.deepEqual(
      found.display.outputs.map(({ tensor }) => tensor),
      found.attention.outputs[0].patterns.slice(2),
    );
    const { length } = await cell(page, "attention")
      .locator("attention-pattern")
      .evaluate((/** @type {any} */ element) => element.pattern.data);
    assert.equal(length, 4 * 13 * 13);
    const shown = cell(page, "attention").locator("attention-pattern");
    assert.equal(await shown.getAttribute("label"), "attention pattern of head 1.1");
  });
});

test("generates what the API generates on a model of its own", async () => {
  await open(async (page) => {
    const { generate } = await states(page);
    const text = await askModel(
      page,
      {},
      `let text = "";
      for await (const { string } of model.generate("ROMEO:", { maxNewTokens: 60, doSample: true, seed: 1 })) text += string;
      return text;`,
    );
    assert.equal(generate.outputs[0].text, text);
  });
});

test("a changed cell gives another result, its dependents are said to be old, and it can be reset", async () => {
  await open(async (page) => {
    const original = await cell(page, "hooks").locator("textarea").inputValue();
    await runWith(page, "hooks", original.replace(/const text = ".*";/, 'const text = "To be";'));
    let found = await states(page);
    assert.equal(found.hooks.outputs[0].text, `[${Array(4).fill("[1, 4, 2, 2]").join(", ")}]`);
    assert.equal(found.attention.status, "stale");
    assert.equal(found.loop.status, "done");
    await cell(page, "attention").locator("button.run").click();
    await ended(page);
    found = await states(page);
    assert.deepEqual(found.attention.outputs[0].tokens, ["To", " be"]);
    assert.equal(
      await cell(page, "attention")
        .getByRole("link", { name: "open in the lab" })
        .getAttribute("href"),
      "./#prompt=To+be&layer=1&head=1",
    );
    await cell(page, "hooks")
      .getByRole("button", { name: /^reset/ })
      .click();
    assert.equal((await states(page)).hooks.status, "stale");
    // The cell that changed runs first, because this one uses its variables.
    await cell(page, "attention").locator("button.run").click();
    await ended(page);
    CHECKS.attention((await states(page)).attention.outputs);
  });
});

test("errors stand in their cell with its number and line: of JavaScript, of its grammar and of the model", async () => {
  await open(async (page) => {
    const failures = {
      "1;\nnull.x": /^cell 2, line 2: TypeError/,
      "1;\nconst = 3": /^cell 2, line 2: SyntaxError Unexpected token/,
      "\nawait model.runWithCache('a', { names: ['nowhere'] })":
        /^cell 2, line 2: HookError .*nowhere/,
    };
    for (const [code, expected] of Object.entries(failures)) {
      await runWith(page, "parameters", code);
      assert.match(await cell(page, "parameters").locator(".error").innerText(), expected);
      assert.equal((await states(page)).parameters.status, "failed");
    }
    await runWith(page, "parameters", "const kept = 1; show(kept); kept + model.parameterCount");
    const { parameters } = await states(page);
    assert.deepEqual(
      parameters.outputs.map(({ text }) => text),
      ["1", String(EXPECTED.parameters + 1)],
    );
  });
});

test("a cell runs the cells before it that it needs; a run of all ends at an error, and can be stopped", async () => {
  await open(async (page) => {
    await runWith(page, "load", "throw new Error('no model')");
    await page.getByRole("button", { name: "run all" }).click();
    await ended(page);
    let found = await states(page);
    assert.equal(found.load.status, "failed");
    assert.equal(found.loop.status, "stale", "a result of a former run is said to be old");
    await cell(page, "load")
      .getByRole("button", { name: /^reset/ })
      .click();
    await cell(page, "parameters").locator("button.run").click();
    await ended(page);
    found = await states(page);
    assert.deepEqual([found.load.status, found.parameters.status], ["done", "done"]);

    await cell(page, "generate")
      .locator("textarea")
      .fill(
        "for await (const { string } of model.generate('To be', { maxNewTokens: 1e6, stopAtEos: false })) write(string);",
      );
    await cell(page, "generate").locator("button.run").click();
    await eventually(async () =>
      assert.ok(
        (await cell(page, "generate").locator(".written").innerText()).length > 20,
        "text appears while the cell runs",
      ),
    );
    await cell(page, "generate").getByRole("button", { name: "stop" }).click();
    await ended(page);
    assert.match(
      await cell(page, "generate").locator(".error").innerText(),
      /The code was stopped/,
    );
    await page.getByRole("button", { name: "reset all" }).click();
    await page.getByRole("button", { name: "run all" }).click();
    await ended(page);
    for (const { status } of Object.values(await states(page))) assert.equal(status, "done");
  });
});

test("every cell can run again, and a model that is replaced is disposed of", async () => {
  await open(async (page) => {
    // A second variable keeps the first model, until its cell replaces that too.
    await runWith(page, "parameters", "globalThis.first = model; const also = model; 1");
    for (const { id, title } of CELLS) {
      if (id === "parameters") continue;
      await cell(page, id).locator("button.run").click();
      await ended(page);
      const { status, outputs } = (await states(page))[id];
      assert.equal(status, "done", `${title}: ${JSON.stringify(outputs)}`);
      CHECKS[id](outputs);
    }
    const use = () =>
      page.evaluate(() =>
        /** @type {any} */ (globalThis).first.tokenize("a").then(
          () => "in use",
          (/** @type {Error} */ error) => error.message,
        ),
      );
    assert.equal(await use(), "in use", "`also` has it");
    await runWith(page, "parameters", "const also = null; 1");
    assert.equal(await use(), "the model was disposed of: load it again");
    CHECKS.load((await states(page)).load.outputs);
  });
});

test("with the keyboard alone: into a cell, changed, run, and on to the next", async () => {
  await open(async (page) => {
    await byKeyboard(page, async () => {
      await pressTo(page, ({ name }) => name === "code of Count its parameters", {
        name: "the cell",
      });
      await page.keyboard.press("ControlOrMeta+a");
      await page.keyboard.type("model.parameterCount / 2");
      await page.keyboard.press("Control+Enter");
      await ended(page);
      assert.equal(
        (await states(page)).parameters.outputs[0].text,
        String(EXPECTED.parameters / 2),
      );
      await page.keyboard.press("Shift+Enter");
      await ended(page);
      assert.equal((await focused(page)).name, "code of Generate by yield");
    });
  });
});

for (const [mode, options] of /** @type {[string, Parameters<typeof visit>[1]][]} */ ([
  ["light", {}],
  ["dark", { dark: true }],
  ["a phone", { width: 390, height: 844 }],
])) {
  test(`axe finds nothing, and the page is as wide as the window: ${mode}`, async () => {
    await open(async (page) => {
      await runWith(page, "parameters", "null.x");
      await page.evaluate(AXE);
      const found = await page.evaluate(async () => {
        const { violations, passes } = await /** @type {any} */ (globalThis).axe.run(document);
        return {
          passes: passes.length,
          violations: violations.flatMap((/** @type {any} */ { id, nodes }) =>
            nodes.map(
              (/** @type {any} */ { html, failureSummary }) => `${id}: ${html} ${failureSummary}`,
            ),
          ),
          overflow: document.documentElement.scrollWidth - innerWidth,
        };
      });
      assert.ok(found.passes > 10);
      assert.deepEqual(found.violations, []);
      assert.equal(found.overflow, 0);
    }, options);
  });
}

test("files of one's own take the place of the model", async () => {
  const model = new URL("../../models/shakespeare", import.meta.url).pathname;
  await open(async (page) => {
    await page.locator("#files").setInputFiles(readdirSync(model).map((name) => join(model, name)));
    await eventually(async () =>
      assert.match(await cell(page, "load").locator("textarea").inputValue(), /loadModel\(files\)/),
    );
    await ended(page);
    const found = await states(page);
    for (const { id } of CELLS) {
      assert.equal(found[id].status, "done", id);
      CHECKS[id](found[id].outputs);
    }
  });
});
