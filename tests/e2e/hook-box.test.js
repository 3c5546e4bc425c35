// The boxes for hook points: every selector that is a text, what they say about it, and what the page keeps of it.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";

import { eventually, settled, start, visit } from "./browser.js";
import { address, askModel, ready } from "./lab-helpers.js";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const PROMPT = "the moon, the moon";

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
before(async () => {
  site = await start();
});
after(() => site?.stop());

/** @param {import("playwright-core").Page} page */
const box = (page) => page.locator("activations-view input[name=hook]");
/** What the box says. @param {import("playwright-core").Page} page */
const feedback = async (page) =>
  (await page.locator("activations-view .found").innerText()).replaceAll(/\s+/g, " ");
/** The hook point that is drawn; null if there is none. @param {import("playwright-core").Page} page */
const drawn = (page) =>
  page.evaluate(() => {
    const view = document
      .querySelector("scope-figure")
      ?.shadowRoot?.querySelector("activations-view");
    const tensor = /** @type {any} */ (view?.shadowRoot?.querySelector("tensor-view"));
    return tensor ? { name: tensor.name, data: Array.from(tensor.tensor.data) } : null;
  });
/** @param {import("playwright-core").Page} page @param {string} name */
async function draws(page, name) {
  const data = await askModel(
    page,
    { name, PROMPT },
    "const { cache } = await model.runWithCache(given.PROMPT, { names: [given.name] }); return Array.from(cache.get(given.name).data);",
  );
  await eventually(async () => assert.deepEqual(await drawn(page), { name, data }));
}
/** @param {import("playwright-core").Page} page */
const hookInAddress = (page) => new URLSearchParams(new URL(page.url()).hash.slice(1)).get("hook");

test("the box takes every selector that is a text, and draws one of what it selects", async () => {
  await visit(site, { path: address({ view: "activations", prompt: PROMPT }) }, async (page) => {
    await settled(page);
    await ready(page);
    for (const [text, says, name] of /** @type {[string, RegExp, string][]} */ ([
      [
        "blocks.*.attn.hook_z",
        /^4 hook points, .*blocks\.0\.attn\.hook_z, .* and 1 more$/,
        "blocks.0.attn.hook_z",
      ],
      ["/HOOK_[QK]$/i", /^8 hook points, /, "blocks.0.attn.hook_q"],
      ["pattern", /^4 hook points, of which one is shown: /, "blocks.0.attn.hook_pattern"],
      [
        '["pattern", 2]',
        /^1 hook point: blocks\.2\.attn\.hook_pattern, over batch, head/,
        "blocks.2.attn.hook_pattern",
      ],
      ["('pattern', [-1, 1])", /^2 hook points, /, "blocks.1.attn.hook_pattern"],
      ["pattern -1", /^1 hook point: blocks\.3/, "blocks.3.attn.hook_pattern"],
      [
        "blocks.1.hook_mlp_out",
        /^1 hook point, over batch, pos, d_model$/,
        "blocks.1.hook_mlp_out",
      ],
    ])) {
      await box(page).fill(text);
      await draws(page, name);
      assert.match(await feedback(page), says, text);
      await eventually(() => assert.equal(hookInAddress(page), text));
    }
  });
});

test("one of several points is chosen with keys, and kept by the address and undo", async () => {
  await visit(
    site,
    { path: address({ view: "activations", prompt: PROMPT, hook: "pattern" }) },
    async (page) => {
      await settled(page);
      await draws(page, "blocks.0.attn.hook_pattern");
      await box(page).focus();
      await page.keyboard.press("Tab");
      await page.keyboard.press("ArrowDown");
      await draws(page, "blocks.1.attn.hook_pattern");
      await page.getByRole("button", { name: "next →" }).click();
      await draws(page, "blocks.2.attn.hook_pattern");
      assert.equal(await box(page).inputValue(), "pattern", "what was written stays");
      await eventually(() => assert.match(page.url(), /activations\.point=blocks\.2\.attn/));
      await page.reload();
      await settled(page);
      await draws(page, "blocks.2.attn.hook_pattern");
      assert.equal(await box(page).inputValue(), "pattern");
      await box(page).fill("pattern of layers 2, 3");
      await draws(page, "blocks.2.attn.hook_pattern");
      await page.locator("#undo").click();
      await eventually(async () => assert.equal(await box(page).inputValue(), "pattern"));
    },
  );
});

test("a box that selects nothing shows nothing, says what may be meant, and takes it", async () => {
  await visit(
    site,
    { path: address({ view: "activations", prompt: PROMPT, hook: "blocks.1.hook_mlp_out" }) },
    async (page) => {
      await settled(page);
      await draws(page, "blocks.1.hook_mlp_out");
      await box(page).fill("attn_dropout");
      await eventually(async () => assert.equal(await drawn(page), null));
      assert.match(
        await feedback(page),
        /no hook point attn_dropout\. The dropout of attention .* Perhaps:/,
      );
      await box(page).press("Enter");
      await eventually(() => assert.equal(hookInAddress(page), "attn_dropout"));
      assert.equal(await drawn(page), null);
      await page.reload();
      await settled(page);
      await eventually(async () => assert.match(await feedback(page), /Perhaps:/));
      assert.deepEqual([await box(page).inputValue(), await drawn(page)], ["attn_dropout", null]);
      const proposals = page.locator("activations-view .found button");
      assert.deepEqual(await proposals.allInnerTexts(), ["pattern", '["pattern", 0]']);
      await proposals.nth(1).focus();
      await page.keyboard.press("Enter");
      await draws(page, "blocks.0.attn.hook_pattern");
      assert.equal(await box(page).inputValue(), '["pattern", 0]');
      await box(page).fill("");
      await eventually(async () => assert.equal(await drawn(page), null));
      await box(page).blur();
      await draws(page, "blocks.0.attn.hook_pattern");
      await page.addScriptTag({ path: AXE });
      for (const text of ["pattern", "attn_dropout"]) {
        await box(page).fill(text);
        const found = await page.evaluate(async () => {
          const { violations } = await /** @type {any} */ (globalThis).axe.run(document);
          return violations.map((/** @type {any} */ one) => [
            one.id,
            one.nodes.map((/** @type {any} */ node) => node.target),
          ]);
        });
        assert.deepEqual(found, [], text);
      }
    },
  );
});

test("code and Python have what was written", async () => {
  await visit(
    site,
    {
      path: address({
        view: "activations",
        prompt: PROMPT,
        hook: "pattern 1",
        interventions: [{ at: ["z", [0, -1]], head: 1, do: "zero" }],
      }),
    },
    async (page) => {
      await settled(page);
      await page.evaluate(() => {
        const copied = /** @type {string[]} */ ([]);
        Object.assign(globalThis, { copied });
        Object.defineProperty(navigator, "clipboard", {
          value: { writeText: async (/** @type {string} */ text) => void copied.push(text) },
        });
      });
      for (const [form, part] of /** @type {[string, RegExp][]} */ ([
        ["javascript", /names: \[\["pattern",1\]\], interventions/],
        ["javascript", /at: \["z",\[0,-1\]\], head: 1, do: "zero"/],
        ["python", /blocks\.1\.attn\.hook_pattern/],
        ["json", /"pattern",\s+1\s/],
      ])) {
        await page.evaluate((value) => {
          const button = document.querySelector(`#sharing button[value=${value}]`);
          /** @type {HTMLButtonElement} */ (button).click();
        }, form);
        await eventually(async () =>
          assert.match(
            await page.evaluate(() => /** @type {any} */ (globalThis).copied.at(-1) ?? ""),
            part,
          ),
        );
      }
    },
  );
});

test("an intervention changes all points that its text selects", async () => {
  await visit(site, { path: address({ prompt: PROMPT }) }, async (page) => {
    await settled(page);
    await page
      .getByRole("button", { name: /intervention/ })
      .first()
      .click();
    const panel = page.locator("intervention-panel");
    await panel.locator("select[name=point]").selectOption("");
    const field = panel.locator("input[name=pattern]");
    await panel.locator("input[name=layer]").fill("");
    await panel.locator("input[name=head]").fill("");
    await field.fill("hook_attn_out");
    await eventually(async () =>
      assert.match(
        await panel.locator(".found").innerText(),
        /no hook point hook_attn_out\. *Perhaps:/,
      ),
    );
    await panel.locator(".found button").first().click();
    await eventually(async () => assert.equal(await field.inputValue(), "attn_out"));
    await field.fill('["z", [0, -1]]');
    await eventually(async () =>
      assert.match(
        await panel.locator(".found").innerText(),
        /^2 hook points, all of which are changed: blocks\.0\.attn\.hook_z, blocks\.3\.attn\.hook_z$/,
      ),
    );
    await panel.locator("input[name=layer]").fill("2");
    await eventually(async () =>
      assert.match(
        await panel.locator(".found").innerText(),
        /None of the 2 hook points is in layer 2/,
      ),
    );
    await panel.locator("input[name=layer]").fill("");
    await panel.locator("button[type=submit]").click();
    await settled(page);
    const loss = await askModel(
      page,
      { PROMPT },
      'return (await model.runWithCache(given.PROMPT, { interventions: ["blocks.0.attn.hook_z", "blocks.3.attn.hook_z"].map((at) => ({ at, do: "zero" })) })).loss;',
    );
    await eventually(async () =>
      assert.equal(
        await page.evaluate(() => /** @type {any} */ (globalThis).candlescope.reading.loss),
        loss,
      ),
    );
    const { interventions } = await page.evaluate(
      () => /** @type {any} */ (globalThis).candlescope.state,
    );
    assert.deepEqual(interventions, [{ at: ["z", [0, -1]], do: "zero" }]);
    await page.reload();
    await settled(page);
    await page.getByText("zero at z of layers 0, -1").filter({ visible: true }).first().waitFor();
  });
});
