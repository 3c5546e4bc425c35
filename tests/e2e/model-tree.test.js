// <model-tree> on the page and alone: what it lists is what models have, what it shows is what the API returns, and its export
// opens from a disk.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { DIST, eventually, settled, start, visit } from "./browser.js";
import { askModel, byKeyboard, pressTo } from "./lab-helpers.js";
import { models } from "./small-models.js";
import { serve } from "../../scripts/serve.mjs";

/** @typedef {import("playwright-core").Page} Page */

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const FIXTURES = new URL("../fixtures", import.meta.url).pathname;

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
before(async () => {
  site = await start();
});
after(() => site.stop());

/** The row of a node. @param {Page} page @param {string} label */
const row = (page, label) => page.locator(`model-tree .row[data-label="${label}"]`).first();

/** Opens the section of the tree. @param {Page} page */
async function openTree(page) {
  await settled(page);
  await page.locator("#parameters > summary").click();
  await row(page, "embed").waitFor();
}

/** The names of the rows in view. @param {Page} page */
const names = (page) => page.locator("model-tree .row .name").allInnerTexts();

test("the rows are in the order of the forward pass, alike layers once, points on request marked", async () => {
  await visit(site, {}, async (page) => {
    await openTree(page);
    const listed = await names(page);
    assert.deepEqual(listed.slice(0, 6), [
      ...["embed", "hook_embed", "pos_embed", "hook_pos_embed"],
      ...["blocks.0 … blocks.3", "hook_resid_pre"],
    ]);
    assert.deepEqual(listed.slice(-2), ["ln_final", "unembed"]);
    assert.match(
      await row(page, "hook_q_input").innerText(),
      /head: 4, d_model: 256.*\s*on request/,
    );
    await page.getByRole("button", { name: "expand all" }).click();
    assert.match(
      await row(page, "W_Q").innerText(),
      /\[head: 4, d_model: 256, d_head: 64\]\s*h\.0\.attn\.c_attn\.weight/,
    );
    assert.match(await row(page, "W_U").innerText(), /the numbers of embed\.W_E/);
    await page.getByRole("button", { name: "each layer" }).click();
    await page.getByRole("button", { name: "expand all" }).click();
    const { expected, found } = await page.evaluate(() => {
      const tree = /** @type {any} */ (document.querySelector("model-tree"));
      const { hookPoints, parameters } = tree.model;
      const names = [
        ...hookPoints.map((/** @type {any} */ { name }) => name),
        ...parameters.flatMap((/** @type {any} */ { views }) =>
          views.map((/** @type {any} */ { name }) => name),
        ),
      ];
      const leaves = tree.rows.filter((/** @type {any} */ { node }) =>
        /weight|point/.test(node.kind),
      );
      const paths = leaves.map((/** @type {any} */ { node }) => node.path);
      return { expected: names.sort(), found: paths.sort() };
    });
    assert.deepEqual(found, expected, "each weight and each hook point once");
    await page.getByRole("button", { name: "collapse all" }).click();
    assert.equal((await names(page)).length, 7);
  });
});

/** @param {string} text */
const tokensOf = (text) =>
  `return { ids: [...(await model.tokenize(${JSON.stringify(text)})).ids] }`;

test("a click shows the weight that the API gives, and a hook point on the present text", async () => {
  await visit(site, {}, async (page) => {
    await openTree(page);
    await row(page, "attn").locator(".name").click();
    await row(page, "W_V").locator(".name").click();
    const drawn = () =>
      page.evaluate(() => {
        const { renderRoot } = /** @type {any} */ (document.querySelector("model-tree"));
        const { tensor, tokens, name, source } = renderRoot.querySelector("tensor-view") ?? {};
        return (
          tensor && {
            data: [...tensor.data],
            axes: tensor.axes,
            count: tokens.length,
            name,
            source,
          }
        );
      });
    const weight = await eventually(async () => (await drawn()) ?? assert.fail("nothing is drawn"));
    assert.equal(weight.source, "blocks.0.attn.W_V");
    assert.deepEqual(weight.axes, ["head", "d_model", "d_head"]);
    const expected = await askModel(
      page,
      {},
      `return [...(await model.parameter("blocks.0.attn.W_V")).data]`,
    );
    assert.deepEqual(weight.data, expected);

    await row(page, "hook_pattern").locator(".name").click();
    const pattern = await eventually(async () => {
      const found = await drawn();
      assert.equal(found?.name, "blocks.0.attn.hook_pattern");
      return found;
    });
    const text = await page.locator("#prompt").inputValue();
    const run = await askModel(
      page,
      { text },
      `const { cache } = await model.runWithCache(given.text, { names: ["blocks.0.attn.hook_pattern"] });
       return [...cache.get("blocks.0.attn.hook_pattern").data]`,
    );
    assert.deepEqual(pattern.data, run);

    // Another text: the values are those of it, without a click, and the page stays where it is.
    await page.locator("#edit").click();
    await page.evaluate(() => scrollTo(0, 0));
    const retyped = async (/** @type {string} */ text, /** @type {number} */ count) => {
      await page.locator("#prompt").fill(text);
      await eventually(async () => {
        const found = await drawn();
        assert.deepEqual([found.count, found.data.length], [count, 4 * count * count]);
      });
    };
    const { length } = (await askModel(page, {}, tokensOf("To be, or not to be"))).ids;
    assert.ok(length < pattern.count);
    await retyped("To be, or not to be", length);
    assert.equal(await page.evaluate(() => scrollY), 0);

    // A closed section runs no text; it does when it is opened.
    const summary = page.locator("#parameters > summary");
    await summary.click();
    await page.locator("#prompt").fill("To be");
    await settled(page);
    assert.equal((await drawn()).count, length);
    await summary.click();
    const short = (await askModel(page, {}, tokensOf("To be"))).ids.length;
    await eventually(async () => assert.equal((await drawn()).count, short));

    await page.getByRole("button", { name: "open in the activations view" }).click();
    await page.waitForFunction(
      () => /** @type {any} */ (document.querySelector("scope-figure")).view === "activations",
    );
    await eventually(() => assert.match(page.url(), /hook=blocks\.0\.attn\.hook_pattern/));
    await page.getByRole("button", { name: "close", exact: true }).last().click();
    await page.locator("model-tree .panel").waitFor({ state: "detached" });
  });
});

test("a picture of a weight says its range, and what it was rounded to", async () => {
  await visit(site, { path: "#dtype=q8" }, async (page) => {
    await openTree(page);
    await row(page, "attn").locator(".name").click();
    await row(page, "W_O").focus();
    await row(page, "W_O").getByRole("button", { name: "picture" }).click();
    const canvas = row(page, "W_O").locator("canvas");
    await canvas.waitFor();
    const said = await canvas.getAttribute("aria-label");
    assert.match(
      said ?? "",
      /^head 4 × d_head 64 × d_model 256: from −0\.\d+ to 0\.\d+, mean .*standard deviation 0\.\d+; .*q8/,
    );
    const colours = await canvas.evaluate((element) => {
      const { width, height } = /** @type {HTMLCanvasElement} */ (element);
      const context = /** @type {HTMLCanvasElement} */ (element).getContext("2d");
      const { data } = context?.getImageData(0, 0, width, height) ?? assert.fail();
      return new Set(new Uint32Array(data.buffer)).size;
    });
    assert.ok(colours > 20, `${colours} colours`);
  });
});

test("the whole tree is used with keys alone", async () => {
  await visit(site, {}, async (page) => {
    await openTree(page);
    await page.locator("#parameters > summary").focus();
    await byKeyboard(page, async () => {
      await pressTo(page, ({ role }) => role === "treeitem");
      const at = () =>
        page.evaluate(
          () =>
            /** @type {any} */ (document.querySelector("model-tree")).renderRoot.activeElement
              ?.dataset.label,
        );
      assert.equal(await at(), "embed");
      await page.keyboard.press("End");
      await eventually(async () => assert.equal(await at(), "unembed"));
      await page.keyboard.press("b");
      await eventually(async () => assert.equal(await at(), "blocks.0 … blocks.3"));
      await page.keyboard.press("ArrowRight");
      await page.keyboard.press("a");
      await eventually(async () => assert.equal(await at(), "attn"));
      await page.keyboard.press("ArrowRight");
      await eventually(async () =>
        assert.equal(await row(page, "attn").getAttribute("aria-expanded"), "true"),
      );
      await page.keyboard.press("ArrowRight");
      await eventually(async () => assert.equal(await at(), "W_Q"));
      await page.keyboard.press("Enter");
      await page.locator("model-tree tensor-view").waitFor();
      assert.equal(await row(page, "W_Q").getAttribute("aria-selected"), "true");
      await page.keyboard.press("ArrowLeft");
      await eventually(async () => assert.equal(await at(), "attn"));
      await page.keyboard.press("ArrowLeft");
      await eventually(async () =>
        assert.equal(await row(page, "attn").getAttribute("aria-expanded"), "false"),
      );
      await page.keyboard.press("*");
      await eventually(async () =>
        assert.equal(await row(page, "mlp").getAttribute("aria-expanded"), "true"),
      );
    });
  });
});

test("a search opens what it finds, marks it and says how many there are", async () => {
  await visit(site, { width: 390 }, async (page) => {
    await openTree(page);
    const box = page.getByRole("searchbox", { name: "search the tree" });
    const status = page.locator("model-tree [role=status]").first();
    await box.fill("W_Q");
    await eventually(async () => assert.match(await status.innerText(), /^4 found/));
    assert.deepEqual(await names(page), ["blocks.0 … blocks.3", "attn", "W_Q"]);
    assert.equal(await page.locator("model-tree mark").innerText(), "W_Q");
    await box.fill("blocks.2.mlp.hook_*");
    await eventually(async () => assert.equal(await status.innerText(), "2 found"));
    assert.ok((await names(page)).includes("blocks.2"));
    await box.fill("no such name");
    await eventually(async () => assert.equal(await status.innerText(), "0 found"));
    await box.press("Escape");
    await eventually(async () => assert.ok((await names(page)).length > 7));
    const overflow = () =>
      page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
    assert.equal(await overflow(), 0);
  });
});

test("axe finds nothing in the open tree, with a picture and a tensor beside it", async () => {
  for (const dark of [false, true]) {
    await visit(site, { dark }, async (page) => {
      await openTree(page);
      await page.getByRole("button", { name: "expand all" }).click();
      await row(page, "W_K").focus();
      await row(page, "W_K").getByRole("button", { name: "picture" }).click();
      await row(page, "W_K").locator("canvas").waitFor();
      await row(page, "b_V").locator(".name").click();
      await page.locator("model-tree tensor-view").waitFor();
      await page.getByRole("searchbox", { name: "search the tree" }).fill("W_");
      await page.evaluate(AXE);
      const found = await page.evaluate(async () => {
        const { violations } = await /** @type {any} */ (globalThis).axe.run(
          document.querySelector("#parameters"),
        );
        return violations.flatMap((/** @type {any} */ { id, nodes }) =>
          nodes.map((/** @type {any} */ { html }) => `${id}: ${html.slice(0, 120)}`),
        );
      });
      assert.deepEqual(found, []);
    });
  }
});

test("the path of a row is copied, and as code", async () => {
  await visit(site, {}, async (page) => {
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await openTree(page);
    /** @param {string} label @param {string} button */
    const copied = async (label, button) => {
      await row(page, label).focus();
      await row(page, label).getByRole("button", { name: button, exact: true }).click();
      await eventually(async () =>
        assert.match(await page.locator("model-tree [role=status]").first().innerText(), /^copied/),
      );
      return page.evaluate(() => navigator.clipboard.readText());
    };
    await page.locator("model-tree select").selectOption("2");
    assert.equal(await copied("hook_mlp_out", "copy"), "blocks.2.hook_mlp_out");
    assert.equal(await copied("hook_mlp_out", "code"), 'cache.get("blocks.2.hook_mlp_out")');
    await row(page, "ln1").locator(".name").click();
    assert.equal(await copied("w", "code"), 'await model.parameter("blocks.2.ln1.w")');
    // A search has its own message; the next action ends that of the copy.
    const status = page.locator("model-tree [role=status]").first();
    const box = page.getByRole("searchbox", { name: "search the tree" });
    await box.fill("hook_mlp_out");
    await eventually(async () => assert.match(await status.innerText(), /^4 found[^;]*$/));
    await row(page, "hook_mlp_out").focus();
    await row(page, "hook_mlp_out").getByRole("button", { name: "copy", exact: true }).click();
    await eventually(async () =>
      assert.match(await status.innerText(), /^4 found.*; copied blocks\.2\.hook_mlp_out$/),
    );
    await box.fill("");
    await eventually(async () => assert.equal(await status.innerText(), ""));
  });
});

test("the export opens from a disk, without network, and can be searched", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tree-"));
  try {
    const file = join(folder, "tree.html");
    await visit(site, {}, async (page) => {
      await openTree(page);
      const download = page.waitForEvent("download");
      await page.getByRole("button", { name: "save as HTML" }).click();
      const saved = await download;
      assert.equal(saved.suggestedFilename(), "Shakespeare.html");
      await saved.saveAs(file);
      assert.ok(readFileSync(file).length < 100_000, "without pictures");
      await row(page, "attn").locator(".name").click();
      await row(page, "b_Q").focus();
      await row(page, "b_Q").getByRole("button", { name: "picture" }).click();
      await row(page, "b_Q").locator("canvas").waitFor();
      const html = await page.evaluate(() =>
        /** @type {any} */ (document.querySelector("model-tree")).toHtml(),
      );
      writeFileSync(file, html);
    });
    for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
      const context = await site.browser.newContext({ colorScheme, offline: true });
      const page = await context.newPage();
      /** @type {string[]} */
      const errors = [];
      page.on("pageerror", (error) => errors.push(String(error)));
      page.on("request", (request) => {
        if (!/^(file|data):/.test(request.url())) errors.push(request.url());
      });
      await page.goto(`file://${file}`);
      assert.equal(await page.locator("figure img").count(), 1);
      assert.ok(await page.locator('[data-path="blocks.0.attn.b_Q"] img').isVisible());
      await page.getByRole("button", { name: "collapse all" }).click();
      assert.equal(await page.locator('[data-path="blocks.0.hook_resid_pre"]').isVisible(), false);
      await page.getByRole("button", { name: "expand all" }).click();
      assert.ok(await page.locator('[data-path="blocks.3.mlp.W_out"]').isVisible());
      await page.getByRole("searchbox").fill("hook_pattern");
      assert.equal(await page.locator("output").innerText(), "4 found");
      assert.ok(await page.locator('[data-path="blocks.3.attn.hook_pattern"]').isVisible());
      assert.equal(await page.locator('[data-path="hook_embed"]').isVisible(), false);
      await page.getByRole("searchbox").fill("blocks.?.ln1.*");
      assert.equal(await page.locator("output").innerText(), "16 found");
      await page.evaluate(AXE);
      const { violations } = await page.evaluate(() => /** @type {any} */ (globalThis).axe.run());
      assert.deepEqual(
        violations.map((/** @type {any} */ { id }) => id),
        [],
      );
      assert.deepEqual(errors, []);
      await context.close();
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** What members of the family have and do not have, by the folder of the fixture. @type {Record<string, { has: RegExp[], lacks: RegExp[] }>} */
const MEMBERS = {
  toy_attn: { has: [/^blocks\.0\.attn\.hook_z$/], lacks: [/mlp/, /ln2/] },
  untied: { has: [/^unembed\.W_U$/, /^blocks\.0\.mlp\.W_in$/], lacks: [] },
  toy_solu: { has: [/^blocks\.0\.mlp\.ln\./, /^blocks\.0\.mlp\.hook_mid$/], lacks: [] },
  toy_no_positions: { has: [/^embed\.W_E$/], lacks: [/pos_embed/] },
};

test("alone, it shows every member of the family, and numbers without a page around it", async () => {
  const root = mkdtempSync(join(tmpdir(), "tree-"));
  symlinkSync(DIST, join(root, "lib"));
  symlinkSync(FIXTURES, join(root, "fixtures"));
  const head =
    '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>a tree</title>';
  writeFileSync(join(root, "tree.html"), `${head}<model-tree></model-tree>`);
  const other = await start(root);
  try {
    for (const [fixture, { has, lacks }] of Object.entries(MEMBERS)) {
      await visit(other, { path: "tree.html" }, async (page) => {
        const paths = await page.evaluate(`(async () => {
          await import("./lib/elements.js");
          const { loadModel } = await import("./lib/candlescope.js");
          const tree = document.querySelector("model-tree");
          const model = await loadModel("fixtures/${fixture}");
          Object.assign(tree, { model, layer: model.config.n_layer - 1 });
          await tree.updateComplete;
          if (tree.layer !== model.config.n_layer - 1) throw new Error("another layer: " + tree.layer);
          tree.layer = 0;
          return tree.renderRoot.querySelector(".tools button").click(), await tree.updateComplete, tree.rows.map(({ node }) => node.path);
        })()`);
        const all = /** @type {string[]} */ (paths);
        for (const one of has)
          assert.ok(
            all.some((path) => one.test(path)),
            `${fixture}: ${one}`,
          );
        for (const one of lacks)
          assert.ok(!all.some((path) => one.test(path)), `${fixture}: ${one}`);
        await row(page, "W_E").locator(".name").click();
        await page.locator("model-tree tensor-view").waitFor();
        // Without a text there is nothing to show of a hook point.
        await row(page, "hook_embed").locator(".name").click();
        assert.equal(await page.locator("model-tree .panel strong").innerText(), "embed.W_E");
        // The text of an open point may be taken away.
        const tree = page.locator("model-tree");
        await tree.evaluate((/** @type {any} */ element) => {
          const tensor = { data: new Float32Array(2), shape: [1, 2], axes: ["pos", "d_model"] };
          element.activation = async () => ({ tensor, tokens: [] });
        });
        await row(page, "hook_embed").locator(".name").click();
        await page.locator('model-tree tensor-view[name="hook_embed"]').waitFor();
        await tree.evaluate((/** @type {any} */ element) => {
          element.activation = null;
        });
        assert.match(await page.locator("model-tree .panel [role=alert]").innerText(), /no text/);
      });
    }
  } finally {
    await other.stop();
    rmSync(root, { recursive: true });
  }
});

test("what is shown and searched for is in the address, survives a reload, and can be undone", async () => {
  await visit(site, { path: "#tree=blocks.2.attn.W_O&treeSearch=W_" }, async (page) => {
    await settled(page);
    const shown = page.locator("model-tree .panel strong");
    await eventually(async () => assert.equal(await shown.innerText(), "blocks.2.attn.W_O"));
    const search = page.getByRole("searchbox", { name: "search the tree" });
    assert.equal(await search.inputValue(), "W_");
    assert.equal(await row(page, "W_O").getAttribute("aria-selected"), "true");
    await row(page, "W_E").locator(".name").click();
    await search.fill("W_E");
    await eventually(async () => {
      assert.match(page.url(), /tree=embed\.W_E&treeSearch=W_E/);
      assert.equal(await shown.innerText(), "embed.W_E");
    });
    await page.reload();
    await settled(page);
    await eventually(async () => assert.equal(await shown.innerText(), "embed.W_E"));
    assert.equal(await search.inputValue(), "W_E");
    await page.getByRole("button", { name: "close", exact: true }).last().click();
    await eventually(async () => assert.doesNotMatch(page.url(), /[#&]tree=/));
    // A hook point waits for the text.
    await page.evaluate(() => {
      location.hash = "#tree=blocks.1.hook_mlp_out&prompt=the moon";
    });
    await eventually(async () => assert.equal(await shown.innerText(), "blocks.1.hook_mlp_out"));
    await page.locator("model-tree tensor-view").waitFor();
  });
});

test("a model of GPT-2's size: search, layers, a picture and a part of its embedding, with code of the part", async () => {
  const server = await serve({ root: DIST, handle: models });
  try {
    const big = { ...site, url: server.url };
    const path = "#model=models/gpt-sized&dtype=f16&prompt=moon";
    await visit(big, { path }, async (page) => {
      await openTree(page);
      assert.match(await page.locator("model-tree .total").innerText(), /124,439,808 parameters/);
      await page.getByRole("searchbox", { name: "search the tree" }).fill("W_Q");
      const status = page.locator("model-tree [role=status]").first();
      await eventually(async () => assert.match(await status.innerText(), /^12 found/));
      await page.getByRole("searchbox", { name: "search the tree" }).fill("");
      await page.getByRole("button", { name: "each layer" }).click();
      await page.getByRole("button", { name: "expand all" }).click();
      await eventually(async () => assert.ok((await names(page)).length > 12 * 30));
      // The picture is made of far fewer numbers than the 38.6 million of the weight.
      await row(page, "W_E").focus();
      await row(page, "W_E").getByRole("button", { name: "picture" }).click();
      await row(page, "W_E").locator("canvas").waitFor();
      assert.match(
        (await row(page, "W_E").locator("canvas").getAttribute("aria-label")) ?? "",
        /of 682 of 50,257 tokens, evenly spaced/,
      );
      await row(page, "W_E").locator(".name").click();
      const view = page.locator("model-tree tensor-view");
      await view.waitFor();
      const { shape, value } = await view.evaluate((/** @type {any} */ element) => {
        element.pins = [{ vocab: 5000, d_model: 700 }];
        const { tensor } = element;
        return { shape: [...tensor.shape], value: tensor.data[5000 * 768 + 700] };
      });
      assert.deepEqual(shape, [5461, 768]);
      await view.locator("details.code summary").click();
      const [cell, python, whole] = await view.locator("details.code code").allInnerTexts();
      assert.equal(python, "model.embed.W_E[:5461, :][5000, 700].item()");
      const ofModel = (/** @type {string} */ code) =>
        page.evaluate(`(async () => {
          const { model } = document.querySelector("model-tree");
          return ${code};
        })()`);
      assert.equal(await ofModel(cell), value);
      assert.deepEqual(await ofModel(`[...${whole}.shape]`), shape);
    });
  } finally {
    await server.close();
  }
});
