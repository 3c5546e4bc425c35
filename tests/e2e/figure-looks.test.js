// What a figure looks like where colours are forced, on paper, before it is drawn and after a failure; and where the focus is then.

import assert from "node:assert/strict";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { DIST, eventually, settled, start, visit } from "./browser.js";
import { heights } from "../../scripts/heights.mjs";
import { VIEWS } from "../../www/elements/views/index.ts";
import { inlined, takeSnapshots } from "./snapshots.js";

/** @typedef {import("playwright-core").Page} Page */

const PROMPT = 'prompt="the moon, the moon, the moon"';

/** @type {string} */
let root;
/** @type {Awaited<ReturnType<typeof start>>} */
let site;
before(async () => {
  root = await mkdtemp(join(tmpdir(), "candlescope-looks-"));
  await symlink(DIST, join(root, "assets"));
  site = await start(root);
});
after(async () => {
  await site.stop();
  await rm(root, { recursive: true, force: true });
});

/** @param {string} body @param {(page: Page) => Promise<void>} look @param {(page: Page) => Promise<void>} [before] */
async function open(body, look, before) {
  await writeFile(
    join(root, "page.html"),
    `<!doctype html><meta charset="utf-8" /><link rel="icon" href="data:," /><title>Figures</title>
<script type="module" src="assets/elements.js"></script>${body}`,
  );
  await visit(site, { path: "page.html", ...(before && { before }) }, look);
}

const figure = (/** @type {string} */ attributes) =>
  `<candle-scope model="assets/models/shakespeare" ${attributes}></candle-scope>`;

/** Waits until every figure is drawn. @param {Page} page */
const drawn = (page) =>
  page.waitForFunction(() =>
    [...document.querySelectorAll("candle-scope")].every((/** @type {any} */ one) => {
      const inner = one.renderRoot?.querySelector("scope-figure");
      return one.reading && !one.busy && inner && !inner.needs;
    }),
  );

/** The name of the element that has the focus, in the deepest shadow root. @param {Page} page */
const focused = (page) =>
  page.evaluate(() => {
    let element = document.activeElement;
    while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
    return element?.localName;
  });

test("the heads of a figure that was never on the screen are drawn, and it is not split on paper", async () => {
  const far = `<div style="height: 6000px"></div>${figure(`loading="eager" ${PROMPT}`)}`;
  await open(far, async (page) => {
    await drawn(page);
    await eventually(async () => {
      const blank = await page.locator("attention-heads canvas").evaluateAll((all) => {
        const probe = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
        return all.filter((one) => {
          // The first cell has the attention 1.
          probe?.clearRect(0, 0, 1, 1);
          probe?.drawImage(/** @type {HTMLCanvasElement} */ (one), -1, -1);
          return !probe?.getImageData(0, 0, 1, 1).data[3];
        }).length;
      });
      assert.equal(blank, 0);
    });
    await page.emulateMedia({ media: "print" });
    const breaks = await page
      .locator("candle-scope")
      .evaluate((one) => getComputedStyle(one).breakInside);
    assert.equal(breaks, "avoid");
  });
});

test("forced colours show which tab and which head are chosen, and the dot of the legend", async () => {
  const body =
    figure(`loading="eager" ${PROMPT}`) + figure(`loading="eager" view="lens" ${PROMPT}`);
  const forced = (/** @type {Page} */ page) => page.emulateMedia({ forcedColors: "active" });
  await open(
    body,
    async (page) => {
      await drawn(page);
      const styles = (/** @type {string} */ selector) =>
        page
          .locator(selector)
          .first()
          .evaluate((one) => {
            const { backgroundColor, outlineStyle } = getComputedStyle(one);
            return { backgroundColor, outlineStyle };
          });
      const pressed = await styles("scope-figure .views [aria-pressed=true]");
      const other = await styles("scope-figure .views [aria-pressed=false]");
      assert.notEqual(pressed.backgroundColor, other.backgroundColor);
      assert.equal((await styles("attention-heads [aria-selected=true]")).outlineStyle, "solid");
      assert.equal((await styles("attention-heads [aria-selected=false]")).outlineStyle, "none");
      const dot = await styles("logit-lens color-legend .dot");
      assert.equal(dot.backgroundColor, await page.evaluate(canvasText));
    },
    forced,
  );
});

test("forced colours show what is chosen among the page's own buttons around the figure", async () => {
  const before = (/** @type {Page} */ page) => page.emulateMedia({ forcedColors: "active" });
  await visit(site, { path: "assets/index.html", before }, async (page) => {
    await settled(page);
    const looks = (/** @type {string} */ selector) =>
      page.locator(selector).evaluate((one) => {
        const { backgroundColor, color } = getComputedStyle(one);
        return { backgroundColor, color };
      });
    const off = await looks("#off");
    await page.locator("#off").click();
    await page.locator('#off[aria-pressed="true"]').waitFor();
    const chosen = await looks("#off");
    assert.notEqual(chosen.backgroundColor, off.backgroundColor);
    assert.notEqual(chosen.color, chosen.backgroundColor);
    // Two texts, of which the second is the present one.
    await page.locator("next-tokens .one").nth(1).click();
    await page.locator("#texts").click();
    await page.locator("#text-list [aria-current]").waitFor();
    // The list may be drawn again in between.
    await eventually(async () =>
      assert.deepEqual(await looks("#text-list [aria-current]"), chosen),
    );
    assert.deepEqual(await looks("#texts"), chosen);
    const other = await looks("#text-list button:not([aria-current]) >> nth=0");
    assert.notEqual(other.backgroundColor, chosen.backgroundColor);
  });
});

/** The colour of texts, as the browser resolves it. */
function canvasText() {
  const probe = document.body.appendChild(document.createElement("i"));
  probe.style.color = "CanvasText";
  return getComputedStyle(probe).color;
}

test("the columns of log-probabilities have their tokens below them, on the page and in an SVG", async () => {
  await open(figure(`loading="eager" view="log-probability" ${PROMPT}`), async (page) => {
    await drawn(page);
    const names = await page.locator("token-losses .names span").allInnerTexts();
    assert.deepEqual(names, ["the", "·moon", ",", "·the", "·moon", ",", "·the", "·moon"]);
    const svg = await page
      .locator("candle-scope")
      .evaluate((/** @type {any} */ one) => one.toSVG());
    const plot = await page
      .locator("token-losses")
      .evaluate((/** @type {any} */ one) => one.toSVG());
    assert.match(svg, /^<svg|^<\?xml/, "the whole figure is a picture too");
    assert.equal(plot.match(/·moon/g)?.length, 3);
    assert.match(plot, />\s*mean\b/);
  });
});

test("the place of a figure is as high as its picture, in every view, and nothing is blank below it", async () => {
  await open("<main></main>", async (page) => {
    await page.waitForFunction(() => customElements.get("candle-scope"));
    const [prompt, corrupted] = ["To be, or not to be, that is", "To see, or not to be, that is"];
    const more = `corrupted="${corrupted}" answer="&quot; the&quot;" against="&quot; a&quot;"`;
    for (const view of Object.keys(VIEWS))
      for (const width of [390, 634]) {
        const { before, after, blank, height } = await heights(
          page,
          figure(
            `loading="eager" view="${view}" prompt="${prompt}" ${VIEWS[view].usesCorrupted ? more : ""}`,
          ),
          width,
        );
        // What is below the screen may move.
        const [was, is] = [before, after].map((one) => Math.min(one, height));
        assert.ok(Math.abs(is - was) < 0.15 * was, `${view}, ${width} px: ${was} became ${is}`);
        assert.ok(blank < 1, `${view}, ${width} px: ${blank} px are blank`);
      }
  });
});

test("the place of a figure fits one without an answer, and one of a long text", async () => {
  await open("<main></main>", async (page) => {
    await page.waitForFunction(() => customElements.get("candle-scope"));
    const short = 'prompt="To be, or not to" corrupted="To see, or not to"';
    const long =
      'prompt="To be, or not to be, that is the question: whether it is better in the mind to suffer the stings and the arrows of war"';
    const cases = [
      ...["patching", "paths"].map((view) => [view, short]),
      ...["lines", "products"].map((view) => [view, long]),
    ];
    for (const [view, text] of cases) {
      const given = figure(`loading="eager" view="${view}" ${text}`);
      const { before, after } = await heights(page, given, 600);
      assert.ok(Math.abs(after - before) < 0.12 * before, `${view}: ${before} became ${after}`);
    }
  });
});

test("nothing of two prompts is wider than a column of 320 px, whatever is compared", async () => {
  const two =
    'view="two-prompts" prompt="To be, or not to" corrupted="To see, or not to" answer="&quot; the&quot;" against="&quot; a&quot;"';
  await open(
    `<style>body { margin: 0 }</style>${figure(`loading="eager" ${two}`)}`,
    async (page) => {
      await page.setViewportSize({ width: 320, height: 800 });
      await drawn(page);
      const view = page.locator("two-prompts-view");
      const choices = view.getByRole("group", { name: "what is compared" }).getByRole("button");
      assert.equal(await choices.count(), 5);
      for (const choice of await choices.all()) {
        await choice.click();
        await drawn(page);
        await page.locator("scope-figure[settled]:not([pending])").waitFor();
        await eventually(async () =>
          assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 320),
        );
      }
    },
  );
});

test("a figure that shows another view keeps its place until the view is there", async () => {
  await open(figure(`loading="eager" ${PROMPT}`), async (page) => {
    await drawn(page);
    const board = () =>
      page
        .locator("scope-figure .board")
        .evaluate((one) => Number.parseFloat(getComputedStyle(one).minHeight) || 0);
    await eventually(async () => assert.equal(await board(), 0));
    const heights = await page.locator("candle-scope").evaluate(async (/** @type {any} */ one) => {
      const inner = one.renderRoot.querySelector("scope-figure");
      const board = inner.renderRoot.querySelector(".board");
      /** @type {number[]} */
      const found = [];
      // The lens is computed once a height was read without it.
      /** @type {(value: unknown) => void} */
      let go = () => {};
      const isRead = new Promise((done) => (go = done));
      const model = one.loaded;
      const compute = model.logitLens.bind(model);
      model.logitLens = async (/** @type {any[]} */ ...given) => {
        await isRead;
        return compute(...given);
      };
      one.view = "lens";
      while (!inner.hasAttribute("settled") || inner.view !== "lens") {
        await new Promise((done) => requestAnimationFrame(done));
        if (inner.view !== "lens") continue;
        found.push(board.clientHeight);
        go(undefined);
      }
      return found;
    });
    assert.ok(heights.length > 0);
    assert.ok(Math.min(...heights) > 400, `${heights}`);
  });
});

test("a figure that cannot be drawn has the height of its error, without tabs", async () => {
  const text = "word ".repeat(700);
  await open(
    `<div style="width: 320px">${figure(`loading="eager" prompt="${text}"`)}</div>`,
    async (page) => {
      await page.locator("error-notice").first().waitFor();
      assert.equal(await page.locator("scope-figure .views").isVisible(), false);
      const box = await page.locator("candle-scope").boundingBox();
      assert.ok(box && box.height < 300, `${box?.height}`);
    },
  );
});

test("the figure that replaces a button has the focus; its tabs choose nothing before it is there", async () => {
  await open(figure(`loading="on-request" ${PROMPT}`), async (page) => {
    const button = page.locator("candle-scope .start");
    await button.waitFor();
    assert.equal(await page.locator("scope-figure .views").isVisible(), false);
    await button.focus();
    await page.keyboard.press("Enter");
    await drawn(page);
    assert.equal(await focused(page), "scope-figure");
    assert.equal(await page.locator("scope-figure .views").isVisible(), true);
  });
});

test("run live says the size of a file of 8 bits, gives the focus to the figure, and is not offered for a script", async () => {
  const api = await start();
  const [taken] = await takeSnapshots(api, [{ text: "the moon, the moon", options: {} }]);
  await api.stop();
  const from = (/** @type {string} */ source) =>
    inlined({ ...taken, model: { ...taken.model, source } });
  const q8 = new URL("assets/models/shakespeare/shakespeare-q8.gguf", site.url).href;
  const body = `<candle-scope>${from(q8)}</candle-scope><candle-snapshot>${from("javascript:alert(1)")}</candle-snapshot>`;
  await open(body, async (page) => {
    const live = page.getByRole("button", { name: "run live" });
    await live.first().waitFor();
    assert.equal(await live.count(), 1);
    await page.getByText(/at least 4\.5 MB in a file of 8 bits for each/).waitFor();
    assert.ok(
      await page.evaluate(
        () => /** @type {any} */ (document.querySelector("candle-scope")).reading.ids.length > 0,
      ),
    );
    await live.first().focus();
    await page.keyboard.press("Enter");
    await page.getByText(/^Live: computed here/).waitFor();
    await eventually(async () => assert.equal(await focused(page), "scope-figure"));
  });
});
