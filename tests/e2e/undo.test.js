// Nothing is lost: undo and redo, the browser's Back, a reload, branches of the text, and addresses that ask for what is not there.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { eventually, figureState, settled, start, visit } from "./browser.js";

/** @typedef {import("playwright-core").Page} Page */

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
before(async () => {
  site = await start();
});
after(() => site.stop());

/** What undo must bring back. @param {Page} page */
async function snapshot(page) {
  const { text, view, scale, lock, layer, head } = await figureState(page);
  const others = await page.evaluate(() => {
    const figure = /** @type {any} */ (document.querySelector("scope-figure"));
    const { sampling } = /** @type {any} */ (document.querySelector("next-tokens"));
    const prompt = /** @type {HTMLTextAreaElement} */ (document.querySelector("#prompt"));
    return { off: figure.off, hook: figure.hook, sampling, prompt: prompt.value };
  });
  return { text, view, scale, lock, layer, head, ...others };
}

/** Does a step and waits until the page has followed. @param {Page} page @param {() => Promise<unknown>} act */
async function step(page, act) {
  await act();
  await settled(page);
  return snapshot(page);
}

/** @param {Page} page @param {string} name */
const tab = (page, name) =>
  page.locator("scope-figure").getByRole("button", { name, exact: true }).first();

/** Steps of every kind. @param {Page} page @returns {(() => Promise<unknown>)[]} */
const steps = (page) => [
  () => page.locator("#prompt").fill("To be, or not to be: to be"),
  () => page.locator('[data-layer="0"][data-head="1"]').click(),
  () => page.locator("#off").click(),
  () => tab(page, "square root").click(),
  () => tab(page, "lens").click(),
  () =>
    page
      .getByLabel("seed")
      .fill("7")
      .then(() => page.getByLabel("seed").press("Tab")),
  () => page.locator("next-tokens .one").first().click(),
];

for (const way of /** @type {const} */ (["buttons", "keys"])) {
  test(`undo to the beginning and redo to the end, by ${way}`, async () => {
    await visit(site, {}, async (page) => {
      await settled(page);
      const press = async (/** @type {"undo" | "redo"} */ what) => {
        if (way === "buttons") await page.locator(`#${what}`).click();
        else await page.keyboard.press(what === "undo" ? "Control+z" : "Control+Shift+Z");
        await settled(page);
      };
      const states = [await snapshot(page)];
      for (const act of steps(page)) states.push(await step(page, act));
      if (way === "keys") await page.locator("h1").click(); // no box has the focus
      for (const expected of states.slice(0, -1).reverse()) {
        await press("undo");
        await eventually(async () => assert.deepEqual(await snapshot(page), expected));
      }
      assert.ok(await page.locator("#undo").isDisabled());
      for (const expected of states.slice(1)) {
        await press("redo");
        await eventually(async () => assert.deepEqual(await snapshot(page), expected));
      }
      assert.ok(await page.locator("#redo").isDisabled());
    });
  });
}

test("typing is undone with our undo while the box has the focus, and what was typed in one go is one step", async () => {
  await visit(site, {}, async (page) => {
    await settled(page);
    const { text } = await figureState(page);
    await page.locator("#edit").click();
    await page.keyboard.type(" Good night");
    await settled(page);
    assert.equal((await figureState(page)).text, `${text} Good night`);
    await page.keyboard.press("Control+z");
    await settled(page);
    await eventually(async () => assert.equal((await figureState(page)).text, text));
    assert.equal(await page.locator("#prompt").inputValue(), text);
    await page.keyboard.press("Control+y");
    await settled(page);
    await eventually(async () =>
      assert.equal((await figureState(page)).text, `${text} Good night`),
    );
    assert.ok(await page.locator("#prompt").evaluate((box) => box === document.activeElement));
    // Other boxes keep the browser's undo.
    const seed = page.getByLabel("seed");
    const former = await seed.inputValue();
    await seed.focus();
    await page.keyboard.type("9");
    assert.notEqual(await seed.inputValue(), former);
    await page.keyboard.press("Control+z");
    assert.equal(await seed.inputValue(), former);
    assert.equal((await figureState(page)).text, `${text} Good night`);
  });
});

test("Back and Forward go through the texts, views and interventions that were studied", async () => {
  await visit(site, {}, async (page) => {
    await settled(page);
    const first = await snapshot(page);
    const second = await step(page, () => page.locator("#prompt").fill("the moon, the moon"));
    const third = await step(page, () => tab(page, "lens").click());
    const fourth = await step(page, () => page.locator("next-tokens .one").first().click());
    // The address is written in another task.
    const textOfAddress = () =>
      new URLSearchParams(new URL(page.url()).hash.slice(1)).get("prompt");
    await eventually(() => assert.equal(textOfAddress(), fourth.text));
    for (const expected of [third, second, first]) {
      await page.goBack();
      await settled(page);
      await eventually(async () => assert.deepEqual(await snapshot(page), expected));
    }
    for (const expected of [second, third, fourth]) {
      await page.goForward();
      await settled(page);
      await eventually(async () => assert.deepEqual(await snapshot(page), expected));
    }
    // Back is a step too, which can be undone.
    await page.goBack();
    await eventually(async () => assert.deepEqual(await snapshot(page), third));
    await page.locator("#undo").click();
    await eventually(async () => assert.deepEqual(await snapshot(page), fourth));
  });
});

test("a reload restores everything, the sampling settings included", async () => {
  await visit(site, {}, async (page) => {
    await settled(page);
    for (const act of steps(page)) await step(page, act);
    await page.getByLabel("top k").fill("5");
    await page.getByLabel("top k").press("Tab");
    const expected = await snapshot(page);
    assert.equal(expected.sampling.topK, 5);
    await eventually(() => assert.match(page.url(), /topK=5/));
    await page.reload();
    await settled(page);
    await eventually(async () => assert.deepEqual(await snapshot(page), expected));
    // The address alone, as a link, gives the same.
    const url = page.url();
    await page.goto("about:blank");
    await page.goto(url);
    await settled(page);
    await eventually(async () => assert.deepEqual(await snapshot(page), expected));
  });
});

test("picking a suggestion and generating make branches, which are left with one click and outlast a reload", async () => {
  await visit(site, {}, async (page) => {
    await settled(page);
    const { text } = await figureState(page);
    assert.ok(await page.locator("#texts").isHidden());
    await page.locator("next-tokens .one").nth(1).click();
    await eventually(async () => assert.notEqual((await figureState(page)).text, text));
    await settled(page);
    const picked = (await figureState(page)).text;
    await page.locator("#leave").click();
    await eventually(async () => assert.equal((await figureState(page)).text, text));
    assert.ok(await page.locator("#leave").isHidden());
    await page.getByLabel("tokens", { exact: true }).fill("5");
    await page.getByRole("button", { name: "Generate" }).click();
    await page.getByRole("button", { name: "Generate" }).waitFor();
    await eventually(async () => assert.ok((await figureState(page)).text.length > text.length));
    await settled(page);
    const generated = (await figureState(page)).text;
    await page.reload();
    await settled(page);
    await eventually(async () => assert.equal((await figureState(page)).text, generated));
    await eventually(async () => assert.ok((await page.locator(".token.generated").count()) > 0));
    await page.locator("#texts").click();
    const items = page.locator("#text-list button");
    await eventually(async () => assert.equal(await items.count(), 3));
    assert.equal(await items.first().getAttribute("aria-current"), "true", "the newest first");
    // The third part says what the text has instead of the present one.
    const labels = await items.locator("b").allInnerTexts();
    assert.ok(
      labels.some((label) => label === picked.slice(text.length)),
      labels.join("|"),
    );
    await page.keyboard.press("Escape");
    assert.ok(await page.locator("#text-list").isHidden());
    assert.equal(await page.evaluate(() => document.activeElement?.id), "texts");
    await page.keyboard.press("Enter");
    await items.nth(labels.indexOf(picked.slice(text.length))).press("Enter");
    await eventually(async () => assert.equal((await figureState(page)).text, picked));
    await page.locator("#undo").click();
    await eventually(async () => assert.equal((await figureState(page)).text, generated));
  });
});

test("an address that asks for what is not there is opened, and each part is said", async () => {
  const path =
    "#layer=9&head=1&view=nothing&hook=blocks.0.hook_none&answer=x&scale=log&off=1.1,7.7&temperature=-1&colour=red&lock=900,3";
  await visit(site, { path }, async (page) => {
    await settled(page);
    const notice = page.locator("error-notice .notice p");
    await notice.waitFor();
    const text = await notice.innerText();
    for (const part of [
      /view "nothing", which this page does not have/,
      /"log" for scale, expected one of linear, sqrt/,
      /"-1" for temperature, expected a number of at least 0/,
      /the name "colour", which this page does not know/,
      /head 7\.7, 9\.1, but this model has 4 layers of 4 heads, counted from 0/,
      /hook point "blocks.0.hook_none", which this model does not have/,
      /lock=900,3 is outside of the text, which has \d+ tokens/,
    ])
      assert.match(text, part);
    const { off, view } = await snapshot(page);
    assert.deepEqual([off, view], [[{ layer: 1, head: 1 }], "attention"]);
    await eventually(() => assert.doesNotMatch(page.url(), /colour|nothing|layer=9/));
  });
});

test("layers and heads of an address count from the end if they are negative", async () => {
  const interventions = [
    { at: "blocks.1.attn.hook_z", head: -1, do: "zero" },
    { at: "blocks.*.hook_resid_pre", layer: -1, dim: [0, 255], do: { scale: 1.5 } },
  ];
  const path = `#layer=-1&head=-2&interventions=${encodeURIComponent(JSON.stringify(interventions))}`;
  await visit(site, { path }, async (page) => {
    await settled(page);
    const { off, layer, head } = await snapshot(page);
    assert.deepEqual([layer, head, off], [3, 2, [{ layer: 1, head: 3 }]]);
    assert.equal(await page.locator("error-notice .notice").count(), 0);
    await eventually(() => assert.match(page.url(), /layer=3&head=2/));
    const written = new URLSearchParams(new URL(page.url()).hash.slice(1)).get("interventions");
    assert.deepEqual(
      JSON.parse(written ?? "").map((/** @type {any} */ one) => [one.head, one.layer]),
      [
        [3, undefined],
        [undefined, 3],
      ],
    );
    await page.evaluate(() => void (location.hash = "layer=-4&head=-1"));
    await eventually(async () => {
      const state = await figureState(page);
      assert.deepEqual([state.layer, state.head], [0, 3]);
    });
  });
});

test("an intervention on a head that the model does not have says so in its row", async () => {
  const interventions = [
    { at: "blocks.9.attn.hook_z", head: 1, do: "zero" },
    { at: "blocks.0.hook_resid_post", do: { add: { head: { layer: 9, head: 1 } }, times: 2 } },
    { at: "blocks.0.attn.hook_z", head: 1, do: "zero" },
  ];
  const path = `#interventions=${encodeURIComponent(JSON.stringify(interventions))}`;
  await visit(site, { path }, async (page) => {
    await settled(page);
    const rows = page.locator("intervention-list li");
    await eventually(async () => assert.equal(await rows.count(), 3));
    const sentence = "This model has no head 9.1: it has 4 layers of 4 heads, counted from 0.";
    for (const at of [0, 1]) {
      assert.equal(await rows.nth(at).locator(".missing").innerText(), sentence);
      assert.equal(await rows.nth(at).locator("input[type=checkbox]").isChecked(), false);
    }
    assert.equal(await rows.nth(2).locator(".missing").count(), 0);
    assert.match(
      await page.locator("error-notice .notice p").innerText(),
      /an intervention on head 9\.1, but this model has 4 layers of 4 heads, counted from 0/,
    );
  });
});

test("an address that is changed by hand says what is not there, also if nothing else changes", async () => {
  await visit(site, { path: "#layer=2&head=3" }, async (page) => {
    await settled(page);
    const notice = page.locator("error-notice .notice p");
    const change = (/** @type {string} */ hash) =>
      page.evaluate((fragment) => void (location.hash = fragment), hash);
    const says = (/** @type {RegExp} */ part) =>
      eventually(async () => assert.match(await notice.innerText({ timeout: 500 }), part));
    await change("layer=2&head=3&colour=red");
    await says(/the name "colour", which this page does not know/);
    await change("layer=9&head=1&ids=5,6");
    await says(/head 9\.1, but this model has 4 layers of 4 heads, counted from 0/);
    await eventually(() => assert.doesNotMatch(page.url(), /colour|layer=9|ids/));
    await page.locator("#undo").click();
    await eventually(async () => {
      const { layer, head } = await figureState(page);
      assert.deepEqual([layer, head], [2, 3]);
    });
  });
});

test("JavaScript in a link does not run, after undo, redo and a reload neither", async () => {
  const code = "(x) => { throw new Error('it ran') }";
  const list = [{ at: "blocks.0.hook_resid_pre", do: { js: code } }];
  const path = `#interventions=${encodeURIComponent(JSON.stringify(list))}`;
  await visit(site, { path }, async (page) => {
    await settled(page);
    const notice = page.locator("error-notice .notice p");
    await notice.waitFor();
    await eventually(async () =>
      assert.match(await notice.innerText(), /JavaScript, which is switched off/),
    );
    const isOff = () => assert.match(decodeURIComponent(page.url()), /"disabled":true/);
    await eventually(isOff);
    await tab(page, "lens").click();
    await page.locator("#undo").click();
    await page.locator("#redo").click();
    await settled(page);
    await eventually(isOff);
    await page.reload();
    await settled(page);
    await eventually(isOff);
    assert.equal(await notice.count(), 0);
  });
});

test("a model that was switched is brought back by undo, with what was studied in it", async () => {
  await visit(site, { path: "#layer=2&head=3" }, async (page) => {
    await settled(page);
    const first = await snapshot(page);
    const weights = await page.evaluate(() =>
      fetch("models/shakespeare/config.json").then((response) => response.text()),
    );
    assert.ok(weights.length > 10);
    await page.locator("#choose").click();
    await page.evaluate(async () => {
      const names = ["config.json", "model.safetensors", "tokenizer.json"];
      const files = await Promise.all(
        names.map(async (name) => {
          const response = await fetch(`models/shakespeare/${name}`);
          return new File([await response.blob()], name);
        }),
      );
      document.dispatchEvent(
        new CustomEvent("model-choose", { detail: { source: files, name: "From disk" } }),
      );
    });
    await page.waitForFunction(() =>
      document.querySelector("#model-name")?.textContent?.startsWith("From disk"),
    );
    await settled(page);
    await eventually(() => assert.match(page.url(), /model=(&|$)/));
    await page.locator("#undo").click();
    await page.waitForFunction(() =>
      document.querySelector("#model-name")?.textContent?.startsWith("Shakespeare"),
    );
    await settled(page);
    await eventually(async () => assert.deepEqual(await snapshot(page), first));
    await page.locator("#redo").click();
    await page.waitForFunction(() =>
      document.querySelector("#model-name")?.textContent?.startsWith("From disk"),
    );
    await settled(page);
  });
});

test("a double click on a token puts the caret in front of it, and Escape leaves the box", async () => {
  await visit(site, {}, async (page) => {
    await settled(page);
    const box = () => page.locator("scope-figure").boundingBox();
    const before = await box();
    await page.locator('.token[data-position="3"]').dblclick();
    const start = await page.evaluate(() =>
      /** @type {any} */ (document.querySelector("scope-figure")).reading.tokens
        .slice(0, 3)
        .join(""),
    );
    const caret = () =>
      page.evaluate(() => {
        const { id, value, selectionStart, selectionEnd } = /** @type {HTMLTextAreaElement} */ (
          document.activeElement
        );
        return [id, value?.slice(0, selectionStart), selectionEnd - selectionStart];
      });
    await eventually(async () => assert.deepEqual(await caret(), ["prompt", start, 0]));
    await eventually(async () => assert.deepEqual(await box(), before, "nothing moves"));
    const focused = () => page.evaluate(() => document.activeElement?.id);
    const focuses = (/** @type {string} */ id) =>
      eventually(async () => assert.equal(await focused(), id));
    await page.keyboard.press("Escape");
    await focuses("");
    await page.keyboard.press("/");
    await focuses("prompt");
    await page.keyboard.press("Escape");
    await focuses("");
    // Single letters can be turned off.
    await page.locator("#help").click();
    await focuses("guide");
    await page.locator("#shortcuts").uncheck();
    await page.keyboard.press("Escape");
    await focuses("help");
    assert.ok(await page.locator("#guide").isHidden());
    await page.keyboard.press("x");
    await page.keyboard.press("/");
    await settled(page);
    assert.equal(await focused(), "help");
    assert.deepEqual((await snapshot(page)).off, []);
    await page.reload();
    await settled(page);
    assert.equal(await page.locator("#shortcuts").isChecked(), false);
  });
});
