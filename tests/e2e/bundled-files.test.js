// The two files of the bundled model, in f16 and in 8 bits: the switch of the page and of figures, what frames start with, and the HTML
// that the page copies. Patterns are compared bit by bit with those that the public API computes from the same file.

import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { after, before, test } from "node:test";
import { brotliCompressSync } from "node:zlib";

import { F16, Q8 } from "../../scripts/compare-weights.mjs";
import * as bundled from "../../www/page/bundled.ts";
import { DIST, eventually, settled, start, visit } from "./browser.js";
import { drawn, pageOf, startHost } from "./host.js";
import { address } from "./lab-helpers.js";

/** @typedef {import("playwright-core").Page} Page */

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
/** Where the lab is, and a blog on another origin. @type {Awaited<ReturnType<typeof startHost>>} */
let lab;
/** @type {Awaited<ReturnType<typeof startHost>>} */
let blog;
before(async () => {
  [site, lab, blog] = await Promise.all([start(), startHost(), startHost()]);
});
after(async () => {
  await site?.stop();
  await lab?.stop();
  await blog?.stop();
});

const TEXT = "the moon and the stars, the moon and the";
const OFF = [{ at: "blocks.0.attn.hook_z", head: 1, do: "zero" }];
const STATE = { prompt: TEXT, layer: 1, head: 3, lock: "7,2", scale: "sqrt", off: "0.1" };

/** The bits of the pattern of all heads of layer 1 that is drawn. @param {Page} page @returns {Promise<number[]>} */
const drawnBits = (page) =>
  page
    .locator("scope-figure")
    .first()
    .evaluate((/** @type {any} */ { reading }) =>
      Array.from(new Uint32Array(Float32Array.from(reading.patterns[1].data).buffer)),
    );

/**
 * The same of a file, by the API.
 * @param {string} source @param {string} [text] @param {object[]} [interventions] @returns {Promise<number[]>}
 */
async function bitsOf(source, text = TEXT, interventions = OFF) {
  const page = await site.browser.newPage();
  try {
    await page.goto(`${site.url}tensor.js`); // any file of the site
    return await page.evaluate(
      async ([url, source, text, interventions]) => {
        const { loadModel } = await import(`${url}candlescope.js`);
        const model = await loadModel(`${url}${source}`, { keep: false });
        const names = "blocks.1.attn.hook_pattern";
        const { cache } = await model.runWithCache(text, { names, interventions });
        return Array.from(new Uint32Array(Float32Array.from(cache.get(names).data).buffer));
      },
      /** @type {const} */ ([site.url, source, text, interventions]),
    );
  } finally {
    await page.close();
  }
}

/** @param {Page} page @param {string} source what the figure is computed with */
async function computedWith(page, source) {
  const expected = await bitsOf(source);
  await eventually(async () => assert.deepEqual(await drawnBits(page), expected));
}

/** What the page or the first figure shows, apart from numbers. @param {Page} page */
const figureState = (page) =>
  page
    .locator("scope-figure")
    .first()
    .evaluate((/** @type {any} */ { layer, head, lock, view, scale, reading }) => ({
      ...{ layer, head, lock, view, scale, text: reading.text, changes: reading.changes },
    }));

// ---- the page ----

/** @param {Page} page */
async function openChooser(page) {
  await page.locator("#choose").click();
  await page.locator("model-storage [role=status]").waitFor();
}

const header = (/** @type {Page} */ page) => page.locator("#model-name").innerText();

/** The page computes with a file, and says so. @param {Page} page @param {"f16" | "q8"} precision */
async function isLoaded(page, precision) {
  await eventually(async () => assert.match(await header(page), new RegExp(`\\(${precision}\\)`)));
  await settled(page);
  await computedWith(page, precision === "f16" ? F16 : Q8);
}

const named = (/** @type {Page} */ page) =>
  new URLSearchParams(new URL(page.url()).hash.slice(1)).get("model");

test("the documentation and the page say the same differences between the files", () => {
  const text = readFileSync(new URL("../../docs/questions.md", import.meta.url), "utf8");
  assert.ok(text.replace(/\s+/g, " ").includes(bundled.DIFFERENCES));
});

test("the bytes that the chooser says are those of the files", () => {
  assert.deepEqual(
    bundled.BUNDLED.map(({ source }) => source),
    [F16, Q8],
  );
  const shared = ["config.json", "tokenizer.json"].reduce(
    (sum, name) => sum + brotliCompressSync(readFileSync(`${DIST}/${F16}/${name}`)).length,
    0,
  );
  for (const [one, weights] of /** @type {const} */ ([
    [bundled.F16, `${F16}/model.safetensors`],
    [bundled.Q8, Q8],
  ])) {
    const bytes = statSync(`${DIST}/${weights}`).size + shared;
    assert.ok(Math.abs(one.bytes - bytes) < 0.005 * bytes, `${one.source} ${bytes}`);
  }
});

test("the page starts with f16; q8 is chosen in the menu, with the same text, head, lock and interventions, and undone", async () => {
  await visit(site, { path: address(STATE) }, async (page) => {
    await isLoaded(page, "f16");
    const before = await figureState(page);
    assert.deepEqual(before.lock, { query: 7, key: 2 });
    assert.equal(named(page), null, "an address without a model is that of f16");
    await openChooser(page);
    const buttons = page.locator("model-chooser .way").first().getByRole("button");
    assert.deepEqual(await buttons.allInnerTexts(), [
      "Shakespeare (f16, 8.6 MB)",
      "Shakespeare (q8, 4.8 MB)",
    ]);
    assert.deepEqual(
      [await buttons.nth(0).isDisabled(), await buttons.nth(1).isDisabled()],
      [true, false],
    );
    await buttons.nth(1).click();
    await isLoaded(page, "q8");
    assert.deepEqual(await figureState(page), before);
    await eventually(() => assert.equal(named(page), Q8));
    const report = page.locator("main model-report");
    await eventually(async () =>
      assert.match(
        await report.locator("summary").innerText(),
        /GGUF\s+by its name: 8-bit weights/,
      ),
    );
    assert.match(await page.locator("#parameter-count").innerText(), /stored in q8/);

    await page.locator("#undo").click();
    await isLoaded(page, "f16");
    assert.deepEqual(await figureState(page), before);
    await eventually(() => assert.equal(named(page), null));
    assert.equal(await report.isVisible(), false);
    await page.locator("#redo").click();
    await isLoaded(page, "q8");
    await eventually(() => assert.equal(named(page), Q8));
    await page.reload();
    await isLoaded(page, "q8");
    assert.deepEqual(await figureState(page), before);
  });
});

test("an address with the q8 file opens it, and f16 is chosen by the keyboard alone", async () => {
  const path = address({ ...STATE, model: Q8 });
  await visit(site, { path }, async (page) => {
    await isLoaded(page, "q8");
    const before = await figureState(page);
    await openChooser(page);
    await page.getByRole("button", { name: "Shakespeare (f16, 8.6 MB)" }).press("Enter");
    await isLoaded(page, "f16");
    assert.deepEqual(await figureState(page), before);
    await eventually(() => assert.equal(named(page), null));
  });
});

for (const [named, source, precision] of /** @type {const} */ ([
  ["with a slash at its end", () => `${F16}/`, "f16"],
  ["as a URL", () => `${site.url}${Q8}`, "q8"],
]))
  test(`the ${precision} file is recognised ${named}`, async () => {
    await visit(site, { path: address({ ...STATE, model: source() }) }, async (page) => {
      await isLoaded(page, precision);
      await page.locator("#share").click();
      await eventually(async () =>
        assert.match(
          await meaning(page),
          new RegExp(
            `This page uses the ${precision} file|of this page, which uses the ${precision} file`,
          ),
        ),
      );
    });
  });

test("what the page exports names the file that it was computed with", async () => {
  await visit(site, { path: address({ ...STATE, model: Q8 }) }, async (page) => {
    await isLoaded(page, "q8");
    await page.locator("#share").click();
    const caption = page.locator("export-menu").getByLabel("caption");
    await eventually(async () =>
      assert.match((await caption.getAttribute("placeholder")) ?? "", /Shakespeare \(q8\)/),
    );
    const button = page.locator("export-menu button[name=npy]");
    const [download] = await Promise.all([page.waitForEvent("download"), button.click()]);
    assert.match(download.suggestedFilename(), /^Shakespeare-q8-/);
  });
});

// ---- frames and figures ----

/** The line of the first figure. @param {Page} page */
const line = (page) => page.locator("candle-scope .why", { hasText: /file (has|with)/ }).first();

const LOADED = {
  [Q8]: "The file has weights of 8 bits (q8). load weights before rounding",
  [F16]: "The file has weights before rounding. load weights of 8 bits (q8)",
};

/** @param {Page} page @param {string} text the line with its button */
const says = (page, text) =>
  eventually(async () => assert.equal(await line(page).innerText(), text));

/** Holds the requests for the f16 file. @param {Page} page @returns {Promise<() => void>} lets them go */
async function heldF16(page) {
  let release = () => {};
  const held = new Promise((resolve) => (release = () => resolve(undefined)));
  await page.context().route("**/model.safetensors*", async (route) => {
    await held;
    await route.continue();
  });
  return release;
}

test("a frame starts with q8 and says so; its reader loads f16 and goes back, with the same text, head and lock", async () => {
  const path = `embed.html${address(STATE)}`;
  await visit(site, { path }, async (page) => {
    await drawn(page);
    await computedWith(page, Q8);
    await says(page, LOADED[Q8]);
    const before = await figureState(page);
    await page.locator("scope-figure[settled]").waitFor();
    const box = await page.locator("candle-scope").boundingBox();
    await line(page).getByRole("button").focus();
    await page.keyboard.press("Enter");
    await computedWith(page, F16);
    await says(page, LOADED[F16]);
    await drawn(page);
    assert.deepEqual(await figureState(page), before);
    await eventually(async () =>
      assert.equal((await page.locator("candle-scope").boundingBox())?.height, box?.height),
    );
    await page.keyboard.press("Enter"); // the focus is still on the button
    await computedWith(page, Q8);
    assert.deepEqual(await figureState(page), before);
  });
});

test("the line is about the picture that is shown, also while the other file is loading, and in another dtype", async () => {
  /** @type {() => void} */
  let release = () => {};
  const options = {
    path: `embed.html${address({ ...STATE, dtype: "q4" })}`,
    before: async (/** @type {Page} */ page) => {
      release = await heldF16(page);
    },
  };
  await visit(site, options, async (page) => {
    await drawn(page);
    const bits = await drawnBits(page);
    await says(page, LOADED[Q8]);
    await line(page).getByRole("button").click();
    await says(
      page,
      "Still shown: the file with weights of 8 bits (q8). load weights of 8 bits (q8)",
    );
    assert.deepEqual(await drawnBits(page), bits);
    release();
    await says(page, LOADED[F16]);
    await eventually(async () => assert.notDeepEqual(await drawnBits(page), bits));
  });
});

test("the file that a reader of a frame chose stays when the address names another head", async () => {
  await visit(site, { path: `embed.html${address(STATE)}` }, async (page) => {
    await drawn(page);
    await line(page).getByRole("button").click();
    await says(page, LOADED[F16]);
    await page.evaluate((hash) => (location.hash = hash), address({ ...STATE, head: 2 }));
    await eventually(async () => assert.equal((await figureState(page)).head, 2));
    await says(page, LOADED[F16]);
    await computedWith(page, F16);
  });
});

test("a frame whose address names f16 has it, and no line about 8 bits", async () => {
  await visit(site, { path: `embed.html${address({ ...STATE, model: F16 })}` }, async (page) => {
    await drawn(page);
    await computedWith(page, F16);
    assert.equal(await line(page).count(), 0);
  });
});

test("a figure without controls says that its weights have 8 bits, without a button", async () => {
  await visit(
    site,
    { path: `embed.html${address({ ...STATE, controls: "none" })}` },
    async (page) => {
      await drawn(page);
      await says(page, "The file has weights of 8 bits (q8).");
      assert.equal(await line(page).getByRole("button").count(), 0);
    },
  );
});

test("the line is there before the model, so that f16 can be loaded in its place, and adds at most 25 px", async () => {
  const of = (/** @type {string} */ source) =>
    `<candle-scope loading="on-request" model="/cs/${source}" prompt="${TEXT}" layer="1" head="3" off="0.1"></candle-scope>`;
  blog.pages["/page.html"] = pageOf(
    `<style>main { width: 600px; }</style>${of(Q8)}${of(F16)}`,
    "/cs/figure.js",
  );
  blog.asked.length = 0;
  await visit({ ...site, url: blog.url }, { path: "page.html" }, async (page) => {
    await says(page, "Chosen: the file with weights of 8 bits (q8). load weights before rounding");
    await line(page).getByRole("button").click();
    await says(page, "Chosen: the file with weights before rounding. load weights of 8 bits (q8)");
    assert.deepEqual(
      blog.asked.filter((path) => path.startsWith("/cs/models/")),
      [],
      "nothing is loaded before it is asked for",
    );
    for (const figure of await page.locator("candle-scope").all())
      await figure.getByRole("button", { name: "run this figure" }).click();
    await drawn(page);
    await computedWith(page, F16);
    assert.ok(!blog.asked.includes(`/cs/${Q8}`));
    await says(page, LOADED[F16]);
    await eventually(async () => {
      const heights = await page
        .locator("candle-scope")
        .evaluateAll((figures) => figures.map((one) => one.getBoundingClientRect().height));
      const more = heights[0] - heights[1];
      assert.ok(more > 10 && more <= 25, `${heights}`);
    });
  });
});

/** Lets a host have the bundled model as models/own/ too. @param {Page} page */
const withOwnModel = (page) =>
  page.context().route("**/models/own/*", (route) => {
    const path = new URL(route.request().url()).pathname.replace("/cs/models/own", F16);
    return route.fulfill({
      body: readFileSync(`${DIST}/${path.replace("own-q8", "shakespeare-q8")}`),
      headers: { "access-control-allow-origin": "*" },
    });
  });

test("another model with a file of 8 bits beside it has the same switch, by the names of the files", async () => {
  blog.pages["/page.html"] = pageOf(
    `<candle-scope model="${lab.url}cs/models/own/own-q8.gguf" prompt="${TEXT}" layer="1" head="3" off="0.1"></candle-scope>`,
    `${lab.url}cs/figure.js`,
  ).replace("/cs/icon.svg", "data:,");
  const options = { path: "page.html", before: withOwnModel };
  await visit({ ...site, url: blog.url }, options, async (page) => {
    await drawn(page);
    await computedWith(page, Q8);
    await page.getByRole("button", { name: "load weights before rounding" }).click();
    await computedWith(page, F16);
    await says(page, LOADED[F16]);
  });
});

test("if the f16 file cannot be loaded, the figure says so and stays as it is; another try can succeed", async () => {
  const path = `embed.html${address(STATE)}`;
  await visit(site, { path, expect: /404|candlescope/ }, async (page) => {
    const weights = "**/model.safetensors*";
    await page.context().route(weights, (route) => route.fulfill({ status: 404 }));
    await drawn(page);
    const [before, bits] = [await figureState(page), await drawnBits(page)];
    await line(page).getByRole("button").click();
    const error = page.locator("candle-scope error-notice");
    await error
      .getByText(/model\.safetensors/)
      .first()
      .waitFor();
    await says(page, LOADED[Q8]);
    assert.deepEqual([await figureState(page), await drawnBits(page)], [before, bits]);
    await page.context().unroute(weights);
    await line(page).getByRole("button").click();
    await says(page, LOADED[F16]);
    await eventually(async () => assert.notDeepEqual(await drawnBits(page), bits));
    assert.equal(await error.locator("[role=alert] *").count(), 0);
  });
});

test("a reader who cancels the load of f16 has the figure as it was, and its text can be changed", async () => {
  /** @type {() => void} */
  let release = () => {};
  const options = {
    path: `embed.html${address(STATE)}`,
    before: async (/** @type {Page} */ page) => {
      release = await heldF16(page);
    },
  };
  await visit(site, options, async (page) => {
    await drawn(page);
    const bits = await drawnBits(page);
    await line(page).getByRole("button").click();
    await page
      .locator("candle-scope load-progress")
      .getByRole("button", { name: /cancel/i })
      .click();
    await says(page, LOADED[Q8]);
    release();
    assert.deepEqual(await drawnBits(page), bits);
    await page.locator("candle-scope").evaluate((/** @type {any} */ scope) => {
      scope.prompt = "To be, or not";
    });
    await eventually(async () => {
      const { text } = await figureState(page);
      assert.equal(text, "To be, or not");
    });
  });
});

// ---- the HTML that the page copies ----

/** Opens the lab on another origin than the blog. @param {Record<string, unknown>} state @param {(page: Page) => Promise<void>} act */
const inLab = (state, act) =>
  visit({ ...site, url: lab.url }, { path: `cs/index.html${address(state)}` }, act);

/** What “copy embed, live” copies. @param {Page} page */
async function copied(page) {
  await page.locator("export-menu button[name=embed-live]").click();
  return eventually(async () => {
    const text = await page.locator("#copy").inputValue();
    assert.match(text, /<candle-scope/);
    return text;
  });
}

/** The words below the choice of the weights. @param {Page} page */
const meaning = (page) => page.locator("#meaning-embed-weights").innerText();

/**
 * The copied HTML on the blog, which asks its own host for nothing.
 * @param {string} html @param {(page: Page) => Promise<void>} act
 */
async function onBlog(html, act) {
  blog.pages["/post.html"] =
    `<!doctype html><meta charset="utf-8"><title>A post</title><link rel="icon" href="data:,">\n${html}`;
  blog.asked.length = 0;
  await visit({ ...site, url: blog.url }, { path: "post.html" }, async (page) => {
    await drawn(page);
    await act(page);
    assert.deepEqual(blog.asked, ["/post.html"]);
  });
}

test("the copied HTML is figure.js and the q8 file, which is said before, and shows the same on another origin", async () => {
  await inLab(STATE, async (page) => {
    await isLoaded(page, "f16");
    const before = await figureState(page);
    await page.locator("#share").click();
    await eventually(async () => {
      const said = await meaning(page);
      assert.match(said, /This page uses the f16 file\. .* is 4\.8 MB instead of 8\.6 MB, /);
      assert.ok(said.includes(bundled.DIFFERENCES), said);
    });
    const html = await copied(page);
    assert.equal(
      html.match(/<script [^>]*>/)?.[0],
      `<script type="module" src="${lab.url}cs/figure.js">`,
    );
    assert.ok(html.includes(`model="${lab.url}cs/${Q8}"`), html);
    await onBlog(html, async (post) => {
      assert.deepEqual(await figureState(post), before);
      await computedWith(post, Q8);
      await says(post, LOADED[Q8]);
      await line(post).getByRole("button").click();
      await computedWith(post, F16);
    });
  });
});

test("with f16 chosen, the copied HTML has bit for bit the numbers that the page shows", async () => {
  await inLab(STATE, async (page) => {
    await isLoaded(page, "f16");
    const bits = await drawnBits(page);
    await page.locator("#share").click();
    await page
      .locator("export-menu select[name=embed-weights]")
      .selectOption({ label: "f16, 8.6 MB" });
    await eventually(async () =>
      assert.match(await meaning(page), /has the numbers of this page, which uses the f16 file/),
    );
    const html = await copied(page);
    assert.ok(html.includes(`model="${lab.url}cs/${F16}"`), html);
    await onBlog(html, async (post) => assert.deepEqual(await drawnBits(post), bits));
  });
});

test("a page that computes with q8 says which of the copies has its numbers", async () => {
  await inLab({ ...STATE, view: "log-probability", model: Q8 }, async (page) => {
    await isLoaded(page, "q8");
    await page.locator("#share").click();
    await eventually(async () =>
      assert.match(await meaning(page), /has the numbers of this page, which uses the q8 file/),
    );
    const html = await copied(page);
    const bits = await drawnBits(page);
    await onBlog(html, async (post) => {
      assert.equal((await figureState(post)).view, "log-probability");
      assert.deepEqual(await drawnBits(post), bits);
    });
    await page.locator("export-menu select[name=embed-weights]").selectOption(F16);
    await eventually(async () =>
      assert.match(
        await meaning(page),
        /uses the q8 file\. With the f16 file, the numbers of the figure differ/,
      ),
    );
  });
});

test("another model has no choice of files, and is copied with its own address", async () => {
  const path = `cs/index.html${address({ ...STATE, model: "models/own" })}`;
  await visit({ ...site, url: lab.url }, { path, before: withOwnModel }, async (page) => {
    await settled(page);
    await page.locator("#share").click();
    await page.locator("export-menu button[name=embed-live]").waitFor();
    assert.equal(await page.locator("export-menu select[name=embed-weights]").count(), 0);
    const html = await copied(page);
    assert.ok(html.includes(`model="${lab.url}cs/models/own"`), html);
  });
});
