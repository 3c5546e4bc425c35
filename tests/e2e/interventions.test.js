// The interventions of the page in headless Chromium: each action by hand, with the effect that the API returns for the same
// interventions; the list; what is refused; and the copies, of which JavaScript is run.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { DIST, eventually, settled, start, visit } from "./browser.js";
import { models } from "./small-models.js";

/** @typedef {import("playwright-core").Page} Page */

/** @type {Awaited<ReturnType<typeof start>>} */
let site;

before(async () => {
  site = await start(DIST, models);
});

after(async () => {
  await site?.stop();
});

const PROMPT = "The moon shines. The moon";
const path = `#prompt=${encodeURIComponent(PROMPT)}&layer=1&head=1`;

/** The effect of the present text and interventions. @param {Page} page */
async function measured(page) {
  await settled(page);
  return eventually(async () => {
    const found = await page.evaluate(() => {
      const { active, effect } = /** @type {any} */ (document.querySelector("intervention-effect"));
      const { reading, stale } = /** @type {any} */ (document.querySelector("scope-figure"));
      if (!active || stale || effect?.reading !== reading) return null;
      const { loss, tokens, position } = effect;
      return {
        loss,
        position,
        tokens: tokens.map((/** @type {any} */ { id, before, after }) => ({ id, before, after })),
      };
    });
    assert.ok(found, "the effect is measured");
    return found;
  });
}

/**
 * What the API returns, computed by a model that the page does not use.
 * @param {Page} page @param {string} interventions an expression in which `model` is the model and `text` the prompt @param {number} position
 * @returns {Promise<{ loss: number[], probabilities: number[][] }>} without and with them
 */
function expected(page, interventions, position) {
  return page.evaluate(`(async () => {
    const { loadModel } = await import(new URL("candlescope.js", location.href));
    globalThis.reference ??= loadModel(new URL("models/shakespeare/", location.href).href);
    const model = await globalThis.reference;
    const text = ${JSON.stringify(PROMPT)};
    const interventions = ${interventions};
    const runs = [await model.runWithCache(text), await model.runWithCache(text, { interventions })];
    const probabilities = runs.map(({ logits }) => {
      const row = logits.at({ batch: 0, pos: ${position} }).data;
      const sum = row.reduce((total, logit) => total + Math.exp(logit), 0);
      return [...row].map((logit) => Math.exp(logit) / sum);
    });
    return { loss: runs.map(({ loss }) => loss), probabilities };
  })()`);
}

/** The effect on the page is that of the API. @param {Page} page @param {string} interventions */
async function assertEffect(page, interventions) {
  const found = await measured(page);
  const wanted = await expected(page, interventions, found.position);
  const near = (/** @type {number} */ a, /** @type {number} */ b) => Math.abs(a - b) < 1e-6;
  assert.ok(
    near(found.loss.before, wanted.loss[0]) && near(found.loss.after, wanted.loss[1]),
    JSON.stringify([found.loss, wanted.loss]),
  );
  assert.notEqual(wanted.loss[0], wanted.loss[1], "the intervention changes something");
  for (const { id, before, after } of found.tokens) {
    assert.ok(near(before, wanted.probabilities[0][id]), `${id} before`);
    assert.ok(near(after, wanted.probabilities[1][id]), `${id} after`);
  }
}

/** Fills the form of a new intervention, and adds it. @param {Page} page @param {Record<string, string>} fields by their names */
async function add(page, fields) {
  await page.getByRole("button", { name: "+ intervention" }).click();
  const form = page.locator("intervention-panel");
  await form.waitFor();
  for (const [name, value] of Object.entries(fields)) {
    const field = form.locator(`#${name}`);
    if ((await field.evaluate((element) => element.localName)) === "select")
      await field.selectOption(value);
    else await field.fill(value);
  }
  await form.getByRole("button", { name: "Add" }).click();
}

/** The list of the page's state, as JSON has it. @param {Page} page */
const list = (page) =>
  page.evaluate(
    () => /** @type {any} */ (document.querySelector("intervention-list")).interventions,
  );

/** Each action: the fields, and the same interventions for the API. @type {Record<string, [Record<string, string>, string]>} */
const ACTIONS = {
  zero: [{ kind: "zero" }, `[{ at: "blocks.1.attn.hook_z", head: 1, do: "zero" }]`],
  "mean over positions": [
    { kind: "mean", point: "hook_mlp_out", layer: "0" },
    `[{ at: "blocks.0.hook_mlp_out", do: "mean" }]`,
  ],
  "mean over texts": [
    { kind: "texts", texts: "To be\nor not", point: "hook_attn_out", layer: "1, 2" },
    `[{ at: "blocks.*.hook_attn_out", layer: [1, 2], do: { mean: await model.means({ texts: ["To be", "or not"], names: ["blocks.*.hook_attn_out"] }) } }]`,
  ],
  scale: [
    { kind: "scale", scale: "2.5", head: "0-2" },
    `[{ at: "blocks.1.attn.hook_z", head: [0, 1, 2], do: { scale: 2.5 } }]`,
  ],
  "a difference of prompts": [
    { kind: "add", more: "I love", less: "I hate", times: "3", layer: "2" },
    `await (async () => {
      const name = "blocks.2.hook_resid_post";
      const last = async (text) => (await model.runWithCache(text, { names: [name] })).cache.get(name).at({ batch: 0, pos: -1 }).data;
      const [a, b] = [await last("I love"), await last("I hate")];
      return [{ at: name, do: { add: a.map((value, i) => 3 * (value - b[i])) } }];
    })()`,
  ],
  set: [
    { kind: "set", set: "9", point: "mlp.hook_post", layer: "3", neuron: "7", positions: "-2" },
    `[{ at: "blocks.3.mlp.hook_post", neuron: 7, positions: -2, do: { set: 9 } }]`,
  ],
  "another prompt": [
    {
      kind: "from",
      point: "hook_resid_pre",
      layer: "2",
      source: "prompt",
      prompt: "The sun shines. The sun is high",
      positions: "1",
      fromPositions: "1",
    },
    `[{ at: "blocks.2.hook_resid_pre", positions: 1, do: { from: (await model.runWithCache("The sun shines. The sun is high", { names: ["blocks.2.hook_resid_pre"] })).cache, fromPositions: [1] } }]`,
  ],
  "cut edges": [
    { kind: "knockOut", edges: "-1 → 0, * -> 1" },
    `[{ at: "blocks.1.attn.hook_pattern", head: 1, do: { knockOut: [{ query: -1, key: 0 }, { key: 1 }] } }]`,
  ],
  "a function": [
    { kind: "js", js: "(x) => x.map((value) => value / 3)" },
    `[{ at: "blocks.1.attn.hook_z", head: 1, do: { js: (x) => x.map((value) => value / 3) } }]`,
  ],
};

for (const [name, [fields, interventions]] of Object.entries(ACTIONS))
  test(`the form makes the intervention “${name}”, and its effect is that of the API`, async () => {
    await visit(site, { path }, async (page) => {
      await settled(page);
      await add(page, fields);
      await eventually(async () => assert.equal((await list(page)).length, 1));
      await assertEffect(page, interventions);
      assert.equal(await page.locator("intervention-panel").count(), 0, "the form is closed");
    });
  });

test("vectors of a head, a neuron and a token steer as the API does with numbers of their own", async () => {
  await visit(site, { path }, async (page) => {
    await settled(page);
    await add(page, { kind: "add", vector: "head", vectorHead: "0.2", times: "2" });
    await eventually(async () => assert.equal((await list(page)).length, 1));
    await add(page, { kind: "add", vector: "neuron", vectorNeuron: "2.9", times: "8" });
    await eventually(async () => assert.equal((await list(page)).length, 2));
    await add(page, {
      kind: "add",
      vector: "token",
      token: " moon",
      of: "W_U",
      times: "1",
      layer: "3",
    });
    await eventually(async () => assert.equal((await list(page)).length, 3));
    await assertEffect(
      page,
      `await (async () => {
        const at = "blocks.1.hook_resid_post";
        const result = (await model.runWithCache(text, { names: ["blocks.0.attn.hook_result"] })).cache.get("blocks.0.attn.hook_result");
        const head = result.at({ batch: 0, pos: -1, head: 2 }).data;
        // What a neuron writes when it is 1 more: W_out, up to the rounding of two sums.
        const write = async (value) => (await model.runWithCache("a", { names: ["blocks.2.hook_mlp_out"], interventions: [{ at: "blocks.2.mlp.hook_post", do: "zero" }, { at: "blocks.2.mlp.hook_post", neuron: 9, do: { set: value } }] })).cache.get("blocks.2.hook_mlp_out").data;
        const [one, none] = [await write(1), await write(0)];
        const { ids } = await model.tokenize(" moon"); // W_U is W_E in this model
        const token = (await model.runWithCache([ids[0]], { names: ["hook_embed"] })).cache.get("hook_embed").data;
        return [
          { at, do: { add: head.map((value) => 2 * value) } },
          { at, do: { add: one.map((value, i) => 8 * (value - none[i])) } },
          { at: "blocks.3.hook_resid_post", do: { add: token } },
        ];
      })()`,
    );
  });
});

test("the form begins with the head, the cell and the token that the figure shows, and a clicked cell is an edge", async () => {
  await visit(site, { path: `${path}&lock=4,2` }, async (page) => {
    await settled(page);
    await page.getByRole("button", { name: "+ intervention" }).click();
    const form = page.locator("intervention-panel");
    assert.equal(await form.locator("#layer").inputValue(), "1");
    assert.equal(await form.locator("#head").inputValue(), "1");
    await form.locator("#kind").selectOption("knockOut");
    assert.equal(await form.locator("#edges").inputValue(), "4 → 2");
    const { x, y } = await page
      .locator("attention-pattern")
      .first()
      .evaluate((/** @type {any} */ element) => {
        const { geometry } = element;
        element.scrollIntoView({ block: "center" });
        const box = element.renderRoot.querySelector(".cells").getBoundingClientRect();
        return {
          x: box.left + (1.5 * geometry.pitch) / geometry.ratio,
          y: box.top + (3.5 * geometry.pitch) / geometry.ratio,
        };
      });
    await page.mouse.click(x, y);
    await eventually(async () =>
      assert.equal(await form.locator("#edges").inputValue(), "4 → 2, 3 → 1"),
    );
    await form.getByRole("button", { name: "Add" }).click();
    await assertEffect(
      page,
      `[{ at: "blocks.1.attn.hook_pattern", head: 1, do: { knockOut: [{ query: 4, key: 2 }, { query: 3, key: 1 }] } }]`,
    );
  });
});

test("tokens are chosen as positions by a click, and by the keyboard alone", async () => {
  await visit(site, { path }, async (page) => {
    await settled(page);
    await page.getByRole("button", { name: "+ intervention" }).focus();
    await page.keyboard.press("Enter");
    const form = page.locator("intervention-panel");
    await eventually(async () =>
      assert.equal(
        await page.evaluate(() => {
          const inner =
            document.activeElement?.shadowRoot?.activeElement?.shadowRoot?.activeElement;
          return inner?.id;
        }),
        "kind",
        "the form has the focus",
      ),
    );
    await form.locator('[data-at="2"]').click();
    await form.locator('[data-at="2"]').focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Enter");
    assert.equal(await form.locator("#positions").inputValue(), "2, 4");
    await page.keyboard.press("Space");
    assert.equal(await form.locator("#positions").inputValue(), "2");
    await page.keyboard.press("Escape");
    await eventually(async () => assert.equal(await form.count(), 0, "Escape closes the form"));
    const focused = await page.evaluate(
      () => document.activeElement?.shadowRoot?.activeElement?.className,
    );
    assert.equal(focused, "add", "the focus is back on the button that opened it");
    await page.keyboard.press("Enter");
    await form.waitFor();
    await form.locator("#scale").waitFor({ state: "detached" });
    await form.locator("#kind").focus();
    await page.keyboard.type("mult"); // "multiply"
    await form.locator("#scale").focus();
    await page.keyboard.press("Control+a");
    await page.keyboard.type("0");
    await page.keyboard.press("Enter");
    await assertEffect(page, `[{ at: "blocks.1.attn.hook_z", head: 1, do: { scale: 0 } }]`);
  });
});

test("what does not fit is said at its field, and what the API refuses in its own sentence", async () => {
  await visit(site, { path }, async (page) => {
    await settled(page);
    await add(page, { layer: "one" });
    const form = page.locator("intervention-panel");
    assert.match(
      await form.locator("#layer-problem").innerText(),
      /“one” does not fit: expected numbers such as 3/,
    );
    assert.equal(await form.locator("#layer").getAttribute("aria-invalid"), "true");
    /** @type {[string, string, RegExp][]} */
    const cases = [
      ["layer", "7", /blocks\.7\.attn\.hook_z/],
      ["head", "9", /head 9 is out of range/],
      ["positions", "99", /position 99 is out of range, expected -\d+ to \d+/],
    ];
    for (const [field, value, message] of cases) {
      const former = field === "positions" ? "" : "1";
      await form.locator(`#${field}`).fill(value);
      await form.getByRole("button", { name: "Add" }).click();
      await eventually(async () =>
        assert.match(await form.locator(".refused").innerText(), message),
      );
      await form.locator(`#${field}`).fill(former);
      assert.equal(
        await form.locator(".refused").innerText(),
        "",
        "the sentence is about the former text",
      );
    }
    assert.deepEqual(await list(page), [], "nothing was added");
    await form.locator("#kind").selectOption("from");
    await form.getByRole("button", { name: "Add" }).click();
    await eventually(async () =>
      assert.match(await form.locator(".refused").innerText(), /second prompt, and there is none/),
    );
    await form.locator("#kind").selectOption("js");
    await form.locator("#js").fill("(x) => x.slice(1)");
    await form.getByRole("button", { name: "Add" }).click();
    await eventually(async () =>
      assert.match(
        await form.locator(".refused").innerText(),
        /JavaScript function at attn.hook_z/,
      ),
    );
    assert.deepEqual(await list(page), []);
  });
});

test("interventions are toggled, moved, edited and removed by mouse and keyboard, and undone", async () => {
  await visit(site, { path }, async (page) => {
    await settled(page);
    await add(page, { kind: "scale", scale: "0.5" });
    await eventually(async () => assert.equal((await list(page)).length, 1));
    await page.locator("#off").click();
    await eventually(async () => assert.equal((await list(page)).length, 2));
    const [scale, zero] = await list(page);
    const both = `[{ at: "blocks.1.attn.hook_z", head: 1, do: { scale: 0.5 } }, { at: "blocks.1.attn.hook_z", head: 1, do: "zero" }]`;
    await assertEffect(page, both);
    const row = (/** @type {number} */ at) => page.locator(`intervention-list li[data-at="${at}"]`);
    await row(1).locator('[data-do="toggle"]').uncheck();
    await assertEffect(page, `[{ at: "blocks.1.attn.hook_z", head: 1, do: { scale: 0.5 } }]`);
    await row(1).locator('[data-do="toggle"]').check();
    await row(1).locator('[data-do="up"]').focus();
    await page.keyboard.press("Enter");
    await eventually(async () => assert.deepEqual(await list(page), [zero, scale]));
    await row(1).locator('[data-do="slide"]').fill("1.5");
    await eventually(async () => assert.equal((await list(page))[1].do.scale, 1.5));
    await row(0).locator('[data-do="remove"]').click();
    await assertEffect(page, `[{ at: "blocks.1.attn.hook_z", head: 1, do: { scale: 1.5 } }]`);
    await row(0).locator('[data-do="edit"]').click();
    await page.locator("intervention-panel summary").click();
    await page.locator("intervention-panel #name").fill("more of it");
    await page.getByRole("button", { name: "Apply" }).click();
    await eventually(async () => assert.match(await row(0).innerText(), /more of it × 1.5/));
    await page.getByRole("button", { name: "clear all" }).click();
    await eventually(async () => assert.deepEqual(await list(page), []));
    await eventually(async () =>
      assert.equal(await page.locator("intervention-effect section").count(), 0),
    );
    for (let step = 0; step < 5; step++) await page.keyboard.press("Control+z");
    await eventually(async () => assert.deepEqual(await list(page), [scale, zero]));
    await assertEffect(page, both);
  });
});

test("no number is shown of another text or other interventions", async () => {
  await visit(site, { path }, async (page) => {
    await settled(page);
    await page.locator("#off").click();
    await measured(page);
    // Every state of the element from now on: what is shown must be about what the box and the list say.
    await page.evaluate(() => {
      const effect = /** @type {any} */ (document.querySelector("intervention-effect"));
      const list = /** @type {any} */ (document.querySelector("intervention-list"));
      const prompt = /** @type {HTMLTextAreaElement} */ (document.querySelector("#prompt"));
      /** @type {string[]} */
      const wrong = [];
      Object.assign(globalThis, { wrong });
      new MutationObserver(() => {
        const { effect: found } = effect;
        if (!found) return;
        if (found.reading.text !== prompt.value) wrong.push(`text ${found.reading.text}`);
        const on = list.interventions.filter((/** @type {any} */ one) => !one.disabled).length;
        if (found.reading.interventions.length !== on)
          wrong.push(`${found.reading.interventions.length} for ${on}`);
      }).observe(effect.renderRoot, { childList: true, subtree: true, characterData: true });
    });
    await page.locator("#prompt").fill("The sun shines. The sun");
    await page.locator("#prompt").fill("The sun shines. The sun is");
    await measured(page);
    await add(page, { kind: "scale", scale: "0", head: "0" });
    await eventually(async () => assert.equal((await list(page)).length, 2));
    await measured(page);
    assert.deepEqual(await page.evaluate(() => /** @type {any} */ (globalThis).wrong), []);
    // A text for which the intervention cannot be computed.
    await add(page, { kind: "zero", positions: "6" });
    await eventually(async () => assert.equal((await list(page)).length, 3));
    await page.locator("#prompt").fill("The");
    await eventually(async () =>
      assert.match(
        await page.locator("error-notice").getByRole("alert").innerText(),
        /intervention 3, zero at attn.hook_z of layer 1, head 1, position 6: position 6 is out of range/,
      ),
    );
    await eventually(async () =>
      assert.match(
        await page.locator("intervention-effect section").innerText(),
        /is unknown, because the text could not be read/,
      ),
    );
    assert.equal(
      await page.locator("scope-figure[stale]").count(),
      1,
      "the figure of the former text is dimmed",
    );
    await page.locator('intervention-list li[data-at="2"] [data-do="remove"]').click();
    await measured(page);
    assert.deepEqual(await page.evaluate(() => /** @type {any} */ (globalThis).wrong), []);
  });
});

test("the continuations are those of generate, and interventions act while the page generates", async () => {
  await visit(site, { path }, async (page) => {
    await settled(page);
    await add(page, { kind: "add", vector: "token", token: " love", times: "12", layer: "3" });
    await measured(page);
    const lines = await eventually(async () => {
      const found = page.locator("intervention-effect .goes-on .text");
      assert.equal(await found.count(), 2);
      return found.allInnerTexts();
    });
    const wanted = await page.evaluate(async (prompt) => {
      const { loadModel } = await import(new URL("candlescope.js", location.href).href);
      const model = await loadModel(new URL("models/shakespeare/", location.href).href);
      const { ids } = await model.tokenize(" love");
      const add = (await model.runWithCache([ids[0]], { names: ["hook_embed"] })).cache.get(
        "hook_embed",
      ).data;
      const steered = [
        {
          at: "blocks.3.hook_resid_post",
          do: { add: add.map((/** @type {number} */ value) => 12 * value) },
        },
      ];
      const texts = [];
      for (const interventions of [[], steered]) {
        let text = "";
        for await (const { string } of model.generate(prompt, {
          maxNewTokens: 12,
          doSample: false,
          interventions,
        }))
          text += string;
        texts.push(text);
      }
      return texts;
    }, PROMPT);
    assert.notEqual(wanted[0], wanted[1]);
    assert.deepEqual(
      lines.map((line) => line.trim()),
      wanted.map((text) => text.replaceAll("\n", "⏎").trim()),
    );
    await page.getByLabel("sample").uncheck();
    await page.getByLabel("tokens", { exact: true }).fill("12");
    await page.getByRole("button", { name: "Generate" }).click();
    await eventually(async () =>
      assert.equal(await page.locator("#prompt").inputValue(), PROMPT + wanted[1]),
    );
  });
});

test("JSON is the list; the copied JavaScript runs, and prints the numbers of the page", async () => {
  await visit(
    site,
    { path: `${path}&corrupted=${encodeURIComponent("The sun shines. The sun")}` },
    async (page) => {
      await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
      await settled(page);
      const recipes = [
        {
          at: "blocks.*.hook_resid_post",
          layer: [0, 2],
          do: { add: { difference: ["I love", "I hate"] }, times: 1.5 },
        },
        {
          at: "blocks.1.attn.hook_q",
          head: [2, 0],
          dim: [3, 4],
          do: { add: { difference: ["thee", "thou art"] }, times: 2 },
        },
        { at: "blocks.2.hook_resid_pre", do: { add: { head: { layer: 0, head: 1 } }, times: -1 } },
        {
          at: "blocks.2.hook_resid_pre",
          dim: 5,
          do: { add: { neuron: { layer: 1, neuron: 17 } }, times: 3 },
        },
        {
          name: "towards the moon",
          at: "blocks.3.hook_resid_post",
          positions: -1,
          do: { add: { token: " moon", of: "W_U" }, times: 2 },
        },
        { at: "blocks.0.hook_resid_pre", do: { add: { token: 350, of: "W_E" }, times: 0.5 } },
        { at: "blocks.1.hook_attn_out", positions: [1], do: { from: "corrupted" } },
        {
          at: "blocks.1.hook_mlp_out",
          positions: 2,
          do: { from: { prompt: "So be it" }, fromPositions: [0] },
        },
        { at: "blocks.0.hook_mlp_out", positions: 3, do: { mean: { texts: ["To be", "or not"] } } },
        {
          at: "blocks.2.attn.hook_pattern",
          head: 0,
          do: { knockOut: [{ query: 4, key: 2 }], renormalize: false },
        },
        { at: "blocks.2.attn.hook_z", head: 3, do: { js: "(x) => x.map((value) => 2 * value)" } },
        { at: "blocks.3.attn.hook_z", head: 3, disabled: true, do: "zero" },
        { at: "blocks.3.hook_mlp_out", do: { scale: 0.9 } },
      ];
      for (const recipe of recipes) {
        const count = (await list(page)).length;
        await page.evaluate((recipe) => {
          const { list } = /** @type {any} */ ({
            list: document.querySelector("intervention-list"),
          });
          list.dispatchEvent(
            new CustomEvent("intervention-add", { detail: recipe, bubbles: true, composed: true }),
          );
        }, recipe);
        await eventually(async () =>
          assert.equal((await list(page)).length, count + 1, JSON.stringify(recipe)),
        );
        await eventually(async () =>
          assert.equal(
            await page.evaluate(
              () => /** @type {any} */ (document.querySelector("intervention-list")).checking,
            ),
            false,
          ),
        );
      }
      const found = await measured(page);
      const copied = async (/** @type {string} */ name) => {
        await page.locator("intervention-list").getByRole("button", { name, exact: true }).click();
        return eventually(async () => {
          const text = await page.evaluate(() => navigator.clipboard.readText());
          assert.match(text, name === "JSON" ? /^\[/ : /^import/);
          return text;
        });
      };
      assert.deepEqual(JSON.parse(await copied("JSON")), recipes);

      const code = await copied("JavaScript");
      const other = await page.context().newPage();
      await other.route("**/copied.js", (route) =>
        route.fulfill({ contentType: "text/javascript", body: code }),
      );
      /** @type {unknown[][]} */
      const printed = [];
      other.on("console", async (message) =>
        printed.push(await Promise.all(message.args().map((one) => one.jsonValue()))),
      );
      await other.goto(`${site.url}style.css`);
      await other.evaluate((url) => import(`${url}copied.js`), site.url);
      await eventually(() => assert.equal(printed.length, 2));
      const [[, loss], [table]] = /** @type {any[][]} */ (printed);
      assert.ok(Math.abs(loss - found.loss.after) < 1e-6, `${loss} for ${found.loss.after}`);
      for (const { id, probability } of table.slice(0, 3)) {
        const token = found.tokens.find((/** @type {{ id: number }} */ one) => one.id === id);
        assert.ok(
          Math.abs(probability - token?.after) < 1e-6,
          `${id}: ${probability} for ${token?.after}`,
        );
      }
    },
  );
});

test("code from an address does not run until its switch is on, and its source is on show", async () => {
  const js = "(x) => { globalThis.ran = true; return x.map(() => 0); }";
  const list = JSON.stringify([{ at: "blocks.1.attn.hook_z", head: 1, do: { js } }]);
  await visit(site, { path: `${path}&interventions=${encodeURIComponent(list)}` }, async (page) => {
    await settled(page);
    const row = page.locator('intervention-list li[data-at="0"]');
    assert.equal(await row.locator('[data-do="toggle"]').isChecked(), false);
    assert.equal(await row.locator("code").innerText(), js);
    assert.equal(await page.locator("intervention-effect section").count(), 0);
    await eventually(async () =>
      assert.match(
        await page.locator("error-notice").getByRole("alert").innerText(),
        /JavaScript|code/,
      ),
    );
    await row.locator('[data-do="toggle"]').check();
    await assertEffect(page, `[{ at: "blocks.1.attn.hook_z", head: 1, do: "zero" }]`);
    await page.reload();
    await settled(page);
    assert.equal(await row.locator('[data-do="toggle"]').isChecked(), false, "nor after a reload");
  });
});

test("a model with attention only, and ids in place of texts, has the choices that it has", async () => {
  const place = "#model=models%2Fattention-only&ids=5,6,7,5,6&layer=1&head=2";
  await visit(site, { path: place, expect: /404/ }, async (page) => {
    await settled(page);
    await page.getByRole("button", { name: "+ intervention" }).click();
    const form = page.locator("intervention-panel");
    const points = await form
      .locator("#point option")
      .evaluateAll((all) => all.map((one) => one.getAttribute("value") ?? ""));
    assert.ok(points.includes("attn.hook_z") && points.includes("hook_resid_pre"));
    assert.deepEqual(
      points.filter((point) => /mlp|resid_mid|ln2/.test(point)),
      [],
    );
    await form.locator("#kind").selectOption("add");
    const vectors = await form
      .locator("#vector option")
      .evaluateAll((all) => all.map((one) => one.getAttribute("value")));
    assert.deepEqual(vectors, ["difference", "head", "token", "numbers"]);
    await form.locator("#more").fill("5 6 7");
    await form.locator("#less").fill("love");
    await form.getByRole("button", { name: "Add" }).click();
    await eventually(async () =>
      assert.match(
        await form.locator(".refused").innerText(),
        /"love", at position 0, is not a token id/,
      ),
    );
    await form.locator("#less").fill("8");
    await form.getByRole("button", { name: "Add" }).click();
    const { loss } = await measured(page);
    const wanted = await page.evaluate(async () => {
      const { loadModel } = await import(new URL("candlescope.js", location.href).href);
      const model = await loadModel(new URL("models/attention-only/", location.href).href);
      const at = "blocks.1.hook_resid_post";
      const last = async (/** @type {number[]} */ ids) =>
        (await model.runWithCache(ids, { names: [at] })).cache.get(at).at({ batch: 0, pos: -1 })
          .data;
      const [a, b] = [await last([5, 6, 7]), await last([8])];
      const add = a.map(
        (/** @type {number} */ value, /** @type {number} */ i) => 4 * (value - b[i]),
      );
      return (await model.runWithCache([5, 6, 7, 5, 6], { interventions: [{ at, do: { add } }] }))
        .loss;
    });
    assert.ok(Math.abs(loss.after - wanted) < 1e-5, `${loss.after} for ${wanted}`);
    assert.match(await page.locator("intervention-effect .next").innerText(), /⟨\d+⟩/);
  });
});

test("a text of one token has an effect without a loss", async () => {
  await visit(site, { path: "#prompt=The&layer=1&head=1" }, async (page) => {
    await settled(page);
    await page.locator("#off").click();
    await measured(page);
    const words = await page.locator("intervention-effect section").innerText();
    assert.match(words, /One token has no loss/);
    assert.doesNotMatch(words, /NaN|not a number|undefined/);
  });
});
