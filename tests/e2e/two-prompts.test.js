// Two prompts: their differences are those of the values that the API returns, and an answer is a single token.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { eventually, start, visit } from "./browser.js";
import { assertDrawn } from "./heat-tables.js";
import { address, askModel, byKeyboard, pressTo, ready } from "./lab-helpers.js";

/** @typedef {import("playwright-core").Page} Page */

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
before(async () => {
  site = await start();
});
after(() => site?.stop());

const PROMPTS = {
  prompt: "ROMEO:\nO fair Juliet!\n\nBENVOLIO:\nO fair",
  corrupted: "ROMEO:\nO fair Helena!\n\nBENVOLIO:\nO fair",
};
const TASK = { ...PROMPTS, answer: " Jul", against: " Helen" };

/** @param {Record<string, unknown>} state @param {(page: Page) => Promise<void>} act */
const open = (state, act) =>
  visit(site, { path: address(state) }, async (page) => {
    await ready(page);
    await act(page);
  });

const state = (/** @type {Page} */ page) =>
  page.evaluate(() => Object.fromEntries(new URLSearchParams(location.hash.slice(1))));

test("an answer is one token: typed, offered, or chosen from suggestions", async () => {
  await open({ ...PROMPTS, view: "patching" }, async (page) => {
    const choice = page.locator("answer-choice");
    const box = choice.locator("input[name=answer]");
    await box.fill("Romeo");
    await box.press("Enter");
    await eventually(async () =>
      assert.match(
        (await choice.locator("#answer-problem").textContent()) ?? "",
        /'Romeo' is 3 tokens: R \| ome \| o/,
      ),
    );
    assert.equal((await state(page)).answer, undefined, "it is not taken");
    await choice.getByRole("button", { name: /^take/ }).click();
    await eventually(async () => assert.equal((await state(page)).answer, " Romeo"));
    // The likeliest tokens of both prompts are offered with their probabilities.
    const offered = await askModel(
      page,
      PROMPTS,
      `const top = async (text) => { for await (const step of model.generate(text, { maxNewTokens: 1, top: 5 })) return step.top.map(({ string }) => string); };
       return [...new Set([...(await top(given.prompt)), ...(await top(given.corrupted))])];`,
    );
    const names = await choice.locator(".side").first().locator(".chips .name").allTextContents();
    for (const name of names)
      assert.ok(offered.includes(name.replaceAll("·", " ").replaceAll("⏎", "\n")), name);
    assert.ok(names.length >= 5);
    await choice.locator(".side").nth(1).locator(".chips button").first().click();
    await eventually(async () => assert.ok((await state(page)).against));
    await box.fill("#12");
    await box.press("Enter");
    await eventually(async () => assert.equal((await state(page)).answer, "12"));
    await choice.locator("select[name=position]").selectOption("5");
    await eventually(async () => assert.equal((await state(page)).position, "5"));
    await choice.getByRole("button", { name: "clear the answer" }).click();
    await eventually(async () => assert.equal((await state(page)).answer, undefined));
  });
});

test("the differences of two prompts are those of the API's values, where both have a token", async () => {
  const corrupted = "ROMEO:\nO fair Hermione!\n\nBENVOLIO:\nO fair";
  await open(
    { ...TASK, corrupted, view: "two-prompts", "two-prompts.of": "attention", layer: 1, head: 3 },
    async (page) => {
      const pairs = await page
        .locator("aligned-prompts")
        .evaluate((/** @type {any} */ element) => element.pairs);
      assert.deepEqual(pairs.filter((/** @type {any} */ { clean }) => clean === null).length, 2);
      const places = pairs.map((/** @type {any} */ { clean, corrupted }) =>
        clean === null || corrupted === null ? null : [clean, corrupted],
      );
      const given = { prompts: [TASK.prompt, corrupted], places };
      const attention = await askModel(
        page,
        given,
        `const name = "blocks.1.attn.hook_pattern";
       const [a, b] = await Promise.all(given.prompts.map(async (text) => (await model.runWithCache(text, { names: [name] })).cache.get(name).at({ batch: 0, head: 3 })));
       return given.places.flatMap((q, row) => given.places.map((k, column) => q && k && column <= row ? b.at({ query: q[1], key: k[1] }).item() - a.at({ query: q[0], key: k[0] }).item() : null));`,
      );
      await assertDrawn(page, attention, 0);
      const view = page.locator("two-prompts-view");
      await view.getByRole("button", { name: "lens" }).click();
      await view.locator("select[name=lens]").selectOption("kl");
      await ready(page);
      const kl = await askModel(
        page,
        given,
        `const [a, b] = await Promise.all(given.prompts.map(async (text) => (await model.logitLens(text, { top: 1 })).kl));
       const layers = Array.from({ length: a.shape[0] }, (_, layer) => layer);
       return layers.flatMap((layer) => given.places.map((place) => place && b.at({ layer, pos: place[1] }).item() - a.at({ layer, pos: place[0] }).item()));`,
      );
      await assertDrawn(page, kl, 0);
      await view.getByRole("button", { name: "log-probability" }).click();
      const losses = await askModel(
        page,
        given,
        `const [a, b] = await Promise.all(given.prompts.map(async (text) => (await model.runWithCache(text)).logProbs.data));
       return given.places.map((place) => place && place[0] > 0 && place[1] > 0 ? b[place[1] - 1] - a[place[0] - 1] : null);`,
      );
      await assertDrawn(page, losses, 0);
      await view.getByRole("button", { name: "next tokens" }).click();
      await ready(page);
      await view.locator("ol li[data-id]").first().waitFor();
      const rows = await view
        .locator("ol li[data-id]")
        .evaluateAll((items) =>
          items.map((item) => [
            Number(/** @type {HTMLElement} */ (item).dataset.id),
            ...Array.from(item.querySelectorAll(".value"), (value) =>
              Number(value.textContent?.replaceAll("−", "-")),
            ),
          ]),
        );
      assert.ok(rows.length >= 10);
      const probabilities = await askModel(
        page,
        { ...given, ids: rows.map(([id]) => id) },
        `return Promise.all(given.prompts.map(async (text) => {
         const { logits } = await model.runWithCache(text);
         const row = logits.at({ batch: 0, pos: -1 }).data;
         const sum = row.reduce((sum, logit) => sum + Math.exp(logit), 0);
         return given.ids.map((id) => Math.exp(row[id]) / sum);
       }));`,
      );
      rows.forEach(([, clean, other, difference], at) => {
        const [mine, theirs] = [probabilities[0][at], probabilities[1][at]];
        for (const [found, expected] of [
          [clean, mine],
          [other, theirs],
          [difference, theirs - mine],
        ])
          assert.ok(
            Math.abs(found - expected) <= 0.006 * Math.abs(expected) + 1e-9,
            `${found}, expected ${expected}`,
          );
      });
    },
  );
});

test("a position and what is compared are chosen with the keyboard alone", async () => {
  await open({ ...TASK, view: "two-prompts" }, async (page) => {
    await byKeyboard(page, async () => {
      await pressTo(
        page,
        ({ path, role }) => path.includes("aligned-prompts") && role === "option",
        {
          name: "the aligned prompts",
        },
      );
      await page.keyboard.press("ArrowLeft");
      await page.keyboard.press("Enter");
      await eventually(async () => assert.equal((await state(page)).position, "13"));
      await pressTo(
        page,
        ({ path, name }) => path.includes("two-prompts-view") && name === "attention",
      );
      await page.keyboard.press("Enter");
      await ready(page);
      await pressTo(
        page,
        ({ path, role }) => path.includes("heat-table") && role === "application",
      );
      await page.keyboard.press("End");
      await page.keyboard.press("Home");
      for (let row = 0; row < 14; row++) await page.keyboard.press("ArrowDown");
      const readout = page.locator("heat-table .readout");
      await eventually(async () =>
        assert.match(
          (await readout.textContent()) ?? "",
          /query 14 ' fair', key 0 'ROMEO': corrupted 0\.\d+ minus clean 0\.\d+ is [−\d]/,
        ),
      );
      await page.keyboard.press("Enter");
      assert.ok(
        await page
          .locator("heat-table")
          .evaluate((/** @type {any} */ { lock }) => lock?.row === 14),
      );
      await page.keyboard.press("Escape");
      assert.ok(
        await page.locator("heat-table").evaluate((/** @type {any} */ { lock }) => lock === null),
      );
    });
  });
});
