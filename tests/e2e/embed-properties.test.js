// What frameworks set, what cannot be read, and pages in other directions: a figure never shows one thing under the name of another.

import assert from "node:assert/strict";
import { test } from "node:test";

import { drawn, figure, startHost, useHost } from "./host.js";

const { open } = useHost();

/** @typedef {import("playwright-core").Page} Page */

const TEXT = "the moon, the moon";

/** @param {Page} page @param {Record<string, unknown>} values */
const set = (page, values) =>
  page.locator("candle-scope").evaluate((one, values) => {
    Object.assign(one, values);
  }, values);

/** @param {Page} page */
const problems = (page) => page.locator("candle-scope .problems li").allInnerTexts();

test("properties take the texts of attributes, and null resets them", async () => {
  await open(figure(`prompt="${TEXT}"`), async (page) => {
    await drawn(page);
    const interventions = '[{"at":"blocks.0.hook_mlp_out","do":"zero"}]';
    const texts = { off: "1.0,1.1", layer: "1", head: 2, lock: "3,1", parts: "pattern", seed: "3" };
    await set(page, { ...texts, interventions });
    await page.getByText(/^With heads 1\.0 and 1\.1 switched off and 1 intervention/).waitFor();
    const found = await page.locator("candle-scope").evaluate((/** @type {any} */ one) => {
      const { off, layer, head, lock, parts, seed } = one;
      return { off, layer, head, lock, parts, seed };
    });
    const off = [0, 1].map((head) => ({ layer: 1, head }));
    const lock = { query: 3, key: 1 };
    assert.deepEqual(found, { off, layer: 1, head: 2, lock, parts: ["pattern"], seed: 3 });
    assert.deepEqual(await problems(page), []);
    const none = { off: null, interventions: undefined, view: null, parts: null, views: null };
    await set(page, { ...none, theme: null, layer: null, head: null, lock: null, prompt: 5 });
    await page.waitForFunction(() => {
      const one = /** @type {any} */ (document.querySelector("candle-scope"));
      return one.reading.text === "5" && one.reading.changes === "";
    });
    assert.deepEqual(await problems(page), []);
    await set(page, { off: "1,0" });
    await page.getByText(/off="1,0" does not fit: expected heads/).waitFor();
  });
});

test("a picture of a former text is marked as long as it stays, also without its error", async () => {
  await open(figure(`prompt="${TEXT}" off="1.0"`), async (page) => {
    await drawn(page);
    await set(page, { prompt: "word ".repeat(400) });
    const former = page.getByText(/^The dimmed picture is a former one, of “the moon, the moon”/);
    await former.waitFor();
    assert.match(await former.innerText(), /with head 1\.0 switched off/);
    const dismiss = page.getByRole("button", { name: "Dismiss" });
    if ((await dismiss.count()) > 0) await dismiss.click();
    assert.ok(await former.isVisible());
    const opacity = () =>
      page.locator("section.view").evaluate((one) => Number(getComputedStyle(one).opacity));
    assert.ok((await opacity()) < 1);
    await set(page, { prompt: "the moon" });
    await drawn(page);
    assert.equal(await former.count(), 0);
    assert.equal(await page.locator("scope-figure").getAttribute("stale"), null);
  });
});

test("a second prompt that cannot be read is named", async () => {
  const long = "word ".repeat(400);
  await open(figure(`prompt="${TEXT}" view="two-prompts" corrupted="${long}"`), async (page) => {
    await page.locator("error-notice", { hasText: "corrupted: the context has" }).waitFor();
  });
});

test("a text that is too long for the context is named as its attribute", async () => {
  const long = "word ".repeat(400);
  for (const changes of [
    "",
    'off="0.1"',
    `interventions='[{"at":"blocks.0.hook_mlp_out","do":{"scale":2}}]'`,
  ])
    await open(figure(`prompt="${long}" ${changes}`), async (page) => {
      await page
        .locator("error-notice", { hasText: /^\s*prompt: the context has \d+ tokens/ })
        .waitFor();
    });
});

test("a snapshot of a site that does not allow it says so", async () => {
  const other = await startHost({ headers: () => ({ "access-control-allow-origin": "null" }) });
  other.pages["/figure.json"] = "{}";
  await open(
    `<candle-scope src="${other.url}figure.json"></candle-scope>`,
    async (page) => {
      await page.getByText(/must allow this page to read it \(CORS: the header/).waitFor();
    },
    { expect: /CORS|ERR_FAILED/ },
  );
  await other.stop();
});

test("on a page from right to left, tokens, numbers and sentences stay from left to right", async () => {
  const body = `<div dir="rtl">${figure('prompt="قال الملك نعم"', '<p slot="caption">شكل</p>')}</div>`;
  await open(body, async (page) => {
    await drawn(page);
    const found = await page.evaluate(() => {
      /** @type {(root: ParentNode) => Element[]} */
      const all = (root) =>
        [...root.querySelectorAll("*")].flatMap((one) => [
          one,
          ...(one.shadowRoot ? all(one.shadowRoot) : []),
        ]);
      const scope = /** @type {any} */ (document.querySelector("candle-scope"));
      const inner = all(scope.shadowRoot);
      const places = inner
        .filter((one) => one.matches(".token"))
        .map((one) => one.getBoundingClientRect());
      const first = places.filter(({ top }) => Math.abs(top - places[0].top) < 4);
      return {
        directions: [...new Set(inner.map((one) => getComputedStyle(one).direction))],
        isInOrder:
          first.length > 3 && first.every(({ left }, at) => !at || left > first[at - 1].left),
        caption: getComputedStyle(/** @type {Element} */ (document.querySelector("p"))).direction,
      };
    });
    assert.deepEqual(found, { directions: ["ltr"], isInOrder: true, caption: "rtl" });
  });
});

test("without a text the figure says what is missing until one comes; a failed load can be tried again", async () => {
  await open(
    figure('off="9.9,1.0"'),
    async (page) => {
      const again = page.getByRole("button", { name: "Try again" });
      await again.waitFor();
      await page.unroute("**/*.safetensors");
      await again.click();
      await page.locator("error-notice", { hasText: "prompt is missing or empty" }).waitFor();
      assert.equal(await page.getByRole("button", { name: "Dismiss" }).count(), 0);
      await set(page, { prompt: TEXT });
      await page.getByText("With head 1.0 switched off.").waitFor();
      assert.equal(await page.locator("error-notice .notice").count(), 0);
      assert.match((await problems(page)).join(), /no head 9\.9, which off names/);
    },
    {
      expect: /404/,
      before: (/** @type {Page} */ page) =>
        page.route("**/*.safetensors", (route) => route.fulfill({ status: 404, body: "no" })),
    },
  );
});
