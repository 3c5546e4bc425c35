// When a figure is loaded, how high it is, and that the page around it does not move.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { VIEWS } from "../../www/elements/views/index.ts";
import { eventually } from "./browser.js";
import { drawn, figure, showView, useHost } from "./host.js";

/** @typedef {import("playwright-core").Page} Page */

const { host, open } = useHost();
beforeEach(() => {
  host.asked.length = 0;
});

/** Scripts of elements are loaded; the worker, its wasm and the model are what a figure fetches. */
const fetched = () => host.asked.filter((path) => /worker|\.wasm|\/models\//.test(path));
const FAR = '<style>.far { height: 6000px; }</style><p class="far">Words.</p>';
const defined = (/** @type {Page} */ page) =>
  page.waitForFunction(
    () => /** @type {any} */ (document.querySelector("candle-scope")).hasUpdated,
  );

test("a figure below the screen fetches nothing until the reader comes near", async () => {
  await open(FAR + figure('prompt="the moon, the moon"'), async (page) => {
    await defined(page);
    await page.waitForLoadState("networkidle");
    assert.deepEqual(fetched(), []);
    assert.equal(page.workers().length, 0);
    await page.evaluate(() => scrollTo(0, 5000)); // the figure is still below the screen
    await drawn(page);
    assert.ok(fetched().some((path) => path.endsWith(".safetensors")));
  });
});

test("loading=eager loads a figure at once, wherever it is", async () => {
  await open(FAR + figure('prompt="the moon, the moon" loading="eager"'), async (page) => {
    await drawn(page);
    assert.equal(await page.evaluate(() => scrollY), 0);
  });
});

test("loading=on-request waits for its button, which says what it loads", async () => {
  await open(figure('prompt="the moon, the moon" loading="on-request"'), async (page) => {
    const button = page.getByRole("button", { name: "run this figure" });
    await button.waitFor();
    await page.waitForLoadState("networkidle");
    assert.deepEqual(fetched(), []);
    assert.ok(await page.getByText("the moon, the moon").isVisible(), "the text can be read");
    assert.ok(await page.getByText("loads the model /cs/models/shakespeare").isVisible());
    await button.focus();
    await page.keyboard.press("Enter");
    await drawn(page);
    assert.equal(await button.count(), 0);
  });
});

test("a figure that is hidden is loaded when it is shown", async () => {
  await open(`<div hidden>${figure('prompt="the moon, the moon"')}</div>`, async (page) => {
    await defined(page);
    await page.waitForLoadState("networkidle");
    assert.deepEqual(fetched(), []);
    await page.evaluate(() => document.querySelector("div")?.removeAttribute("hidden"));
    await drawn(page);
  });
});

test("four figures share one worker and one model", async () => {
  const four = ["the moon", "the sun", "the king", "the queen"].map((text) =>
    figure(`prompt="${text}, ${text}" loading="eager"`),
  );
  await open(four.join(""), async (page) => {
    await drawn(page);
    const weights = fetched().filter((path) => path.endsWith(".safetensors"));
    assert.equal(new Set(weights).size, 1);
    assert.equal(fetched().filter((path) => path.endsWith("/worker.js")).length, 1);
  });
});

/** The model has been kept, which comes after the time at which a page downloads the rest of the program. */
const isSettled = async (/** @type {Page} */ page) => {
  const [worker] = page.workers();
  const count = await worker.evaluate(
    () => performance.getEntriesByName("candlescope:cache-settled").length,
  );
  assert.equal(count, 1);
};

test("the secondary part of the wasm is fetched by the first view that needs it, and once", async () => {
  const secondary = () => fetched().filter((path) => path.endsWith("_secondary.wasm")).length;
  await open(figure('prompt="the moon, the moon"'), async (page) => {
    await drawn(page);
    await eventually(() => isSettled(page));
    await page.waitForLoadState("networkidle");
    assert.equal(secondary(), 0);
    for (const view of ["lens", "heads"]) {
      await showView(page, view);
      assert.equal(secondary(), 1);
    }
  });
});

const STYLE =
  "<style>main { max-width: 600px; margin: auto; } candle-scope:not(:defined) { display: block; min-height: 26rem; margin-block: 1rem; }</style>";

// Six words each, of up to 18 tokens: rare words are several tokens.
for (const prompt of [
  "The moon is in the sky",
  "To be, or not to be",
  "You are gentlemen of brave metal",
  "Tomorrow and tomorrow creeps in petty",
  "Scientists discovered seven unknown mountain rivers",
  "Computers understand language without any grammar",
])
  test(`the figure of “${prompt}” is at most 420 px high in a column of 600 px`, async () => {
    await open(STYLE + figure(`prompt="${prompt}"`), async (page) => {
      await drawn(page);
      const [height, count] = await page
        .locator("candle-scope")
        .evaluate((/** @type {any} */ one) => [one.clientHeight, one.reading.tokens.length]);
      assert.ok(count <= 18, `${count} tokens`);
      assert.ok(height <= 420 && height > 200, `${height} px`);
    });
  });

/** How much the page moved, as the browser measures it. @param {Page} page */
const watchShifts = (page) =>
  page.addInitScript(() => {
    /** @type {number[]} */
    const found = [];
    Object.assign(globalThis, { shifts: found });
    new PerformanceObserver((list) =>
      found.push(...list.getEntries().map((/** @type {any} */ one) => one.value)),
    ).observe({
      type: "layout-shift",
      buffered: true,
    });
  });

for (const [name, body, width] of /** @type {const} */ ([
  ["a figure in the first screen", figure('prompt="To be, or not to be"'), 1000],
  [
    "a long text",
    figure(`prompt="${"You would lift the moon out of her sphere, if she would. ".repeat(4)}"`),
    1000,
  ],
  ["a phone", figure('prompt="To be, or not to be"'), 390],
  ["a figure that is scrolled to", FAR + figure('prompt="the moon, the moon"'), 1000],
]))
  test(`the page does not move when a figure is drawn: ${name}`, async () => {
    const page = `${STYLE}<p>Before.</p>${body}<p id="after">After.</p>`;
    await open(
      page,
      async (page) => {
        if (name.includes("scrolled")) await page.evaluate(() => scrollTo(0, 5000));
        await drawn(page);
        await page.evaluate(
          () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))),
        );
        const shifts = await page.evaluate(() => /** @type {any} */ (globalThis).shifts);
        const sum = shifts.reduce(
          (/** @type {number} */ all, /** @type {number} */ one) => all + one,
          0,
        );
        assert.ok(sum < 0.02, `a layout shift of ${sum}, in ${shifts.length} steps`);
      },
      { width, before: watchShifts },
    );
  });

test("a figure follows a width that changes, and nothing scrolls sideways down to 320 px", async () => {
  await open(STYLE + figure('prompt="To be, or not to be"'), async (page) => {
    await drawn(page);
    for (const width of [390, 320]) {
      await page.setViewportSize({ width, height: 800 });
      await eventually(async () => {
        const [figure, whole, view] = await page.evaluate(() => {
          const one = /** @type {Element} */ (document.querySelector("candle-scope"));
          return [
            one.scrollWidth - one.clientWidth,
            document.documentElement.scrollWidth,
            document.documentElement.clientWidth,
          ];
        });
        assert.ok(figure <= 1 && whole <= view, `${figure}, ${whole} of ${view} px`);
      });
    }
  });
});

test("in each view nothing scrolls sideways on a phone of 320 px", async () => {
  await open(
    STYLE,
    async (page) => {
      await page.setViewportSize({ width: 320, height: 800 });
      await page.waitForFunction(() => customElements.get("candle-scope"));
      for (const view of Object.keys(VIEWS))
        for (const prompt of ["To be, or not to be, that is the", "\n\n\n"]) {
          const second = VIEWS[view].usesCorrupted
            ? `corrupted="To see, or not to be, that is the"`
            : "";
          const attributes = `loading="eager" view="${view}" prompt="${prompt}" ${second}`;
          await page.evaluate((html) => {
            const main = /** @type {Element} */ (document.querySelector("main"));
            main.innerHTML = html;
          }, figure(attributes));
          await drawn(page);
          await eventually(async () => {
            const [width, room] = await page.evaluate(() => {
              const { scrollWidth, clientWidth } = document.documentElement;
              return [scrollWidth, clientWidth];
            });
            assert.ok(width <= room, `${view}, ${JSON.stringify(prompt)}: ${width} of ${room} px`);
          });
        }
    },
    { width: 320 },
  );
});
