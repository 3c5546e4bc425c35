import assert from "node:assert/strict";
import { mkdtemp, rm, symlink, writeFile, mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { DIST, eventually, start, visit } from "./browser.js";

const POST = `<!doctype html>
<meta charset="utf-8" />
<link rel="icon" href="data:," />
<title>A post on somebody's page</title>
<script type="module" src="assets/candlescope/elements.js"></script>
<p>Some words.</p>
<candle-scope loading="eager" model="assets/candlescope/models/shakespeare" prompt="the moon, the moon, the moon" layer="1" head="3"></candle-scope>
<candle-scope loading="eager" model="assets/candlescope/models/shakespeare" prompt="To be, or not to be" view="log-probability"></candle-scope>
<candle-scope loading="eager" model="assets/candlescope/models/shakespeare" prompt="Good night, good night" editable></candle-scope>
`;

/** @type {string} */
let root;
/** @type {Awaited<ReturnType<typeof start>>} */
let site;
before(async () => {
  root = await mkdtemp(join(tmpdir(), "candlescope-"));
  await mkdir(join(root, "blog/2026/assets"), { recursive: true });
  await symlink(DIST, join(root, "blog/2026/assets/candlescope"));
  await writeFile(join(root, "blog/2026/post.html"), POST);
  site = await start(root);
});
after(async () => {
  await site.stop();
  await rm(root, { recursive: true, force: true });
});

test("several figures on a page share one worker and one model, also below a path", async () => {
  /** @type {string[]} */
  const weights = [];
  await visit(
    site,
    {
      path: "blog/2026/post.html",
      before: async (page) =>
        page.on(
          "request",
          (request) => /safetensors/.test(request.url()) && weights.push(request.url()),
        ),
    },
    async (page) => {
      await page.waitForFunction(() =>
        [...document.querySelectorAll("candle-scope")].every(
          (one) => /** @type {any} */ (one).reading && !(/** @type {any} */ (one).busy),
        ),
      );
      assert.equal(workers(page).length, 1);
      assert.equal(new Set(weights).size, 1);
      const figures = await page.evaluate(() =>
        [...document.querySelectorAll("candle-scope")].map((/** @type {any} */ one) => {
          const figure = one.renderRoot.querySelector("scope-figure");
          return {
            text: one.reading.text,
            layer: figure.layer,
            head: figure.head,
            view: figure.view,
          };
        }),
      );
      assert.deepEqual(figures[0], {
        text: "the moon, the moon, the moon",
        layer: 1,
        head: 3,
        view: "attention",
      });
      assert.equal(figures[1].view, "log-probability");
      await eventually(async () =>
        assert.equal(await page.locator("candle-scope attention-pattern").count(), 2),
      );
      await page.locator("candle-scope textarea").fill("sweet sorrow, sweet sorrow");
      await page.waitForFunction(
        () =>
          /** @type {any} */ (document.querySelectorAll("candle-scope")[2]).reading.text ===
          "sweet sorrow, sweet sorrow",
      );
      assert.equal(workers(page).length, 1);
    },
  );
});

test("removing a figure keeps the model of the others, and a moved figure keeps its own", async () => {
  await visit(site, { path: "blog/2026/post.html" }, async (page) => {
    await page.waitForFunction(() =>
      [...document.querySelectorAll("candle-scope")].every(
        (one) => /** @type {any} */ (one).reading,
      ),
    );
    await page.evaluate(() => {
      const [first, second, third] = document.querySelectorAll("candle-scope");
      first.remove();
      document.body.append(second); // moved
      /** @type {any} */ (third).prompt = "once more, once more";
    });
    await page.waitForFunction(
      () =>
        /** @type {any} */ (document.querySelectorAll("candle-scope")[0]).reading.text ===
        "once more, once more",
    );
    const moved = await page.evaluate(() =>
      Boolean(/** @type {any} */ (document.querySelectorAll("candle-scope")[1]).loaded),
    );
    assert.equal(moved, true);
  });
});

test("a figure whose model is missing shows the error", async () => {
  await writeFile(
    join(root, "blog/2026/missing.html"),
    POST.replaceAll("models/shakespeare", "models/nowhere/"),
  );
  await visit(site, { path: "blog/2026/missing.html", expect: /404/ }, async (page) => {
    await page.locator("candle-scope error-notice .notice").first().waitFor();
    await eventually(async () =>
      assert.match(
        await page.locator("candle-scope error-notice .notice p").first().innerText(),
        /nowhere/,
      ),
    );
  });
});

const VIEWS = `<!doctype html>
<meta charset="utf-8" />
<link rel="icon" href="data:," />
<script type="module" src="assets/candlescope/elements.js"></script>
<candle-scope loading="eager" model="assets/candlescope/models/shakespeare" prompt="the moon, the moon" view="lens"></candle-scope>
<candle-scope loading="eager" model="assets/candlescope/models/shakespeare" prompt="the moon, the moon" view="heads"></candle-scope>
<candle-scope loading="eager" model="assets/candlescope/models/shakespeare" prompt="the moon, the moon" view="activations" hook="blocks.1.hook_attn_out"></candle-scope>
<logit-lens></logit-lens><head-scores></head-scores><tensor-view></tensor-view>
`;

test("every view can be embedded, and every element takes data from a script", async () => {
  await writeFile(join(root, "blog/2026/views.html"), VIEWS);
  await visit(site, { path: "blog/2026/views.html" }, async (page) => {
    await page.locator("candle-scope logit-lens .cell[data-layer]").first().waitFor();
    await page.locator("candle-scope head-scores .cell").first().waitFor();
    await page.locator("candle-scope tensor-view canvas.cells").waitFor();
    assert.equal(workers(page).length, 1);
    // Another text gets new data.
    await page.evaluate(() =>
      document
        .querySelectorAll("candle-scope")
        .forEach((one) => one.setAttribute("prompt", "sweet sorrow, sweet sorrow")),
    );
    await page.waitForFunction(() => {
      const figures = [...document.querySelectorAll("candle-scope")].map((/** @type {any} */ one) =>
        one.renderRoot.querySelector("scope-figure"),
      );
      return (
        figures[0].results.lens?.reading.text === "sweet sorrow, sweet sorrow" &&
        figures[2].results.activations?.reading.text === "sweet sorrow, sweet sorrow" &&
        figures.every((figure) => !figure.needs)
      );
    });
    // As the README says, an element takes what the model returns.
    const same = await page.evaluate(async () => {
      const { loadModel } = await import(
        new URL("assets/candlescope/candlescope.js", location.href).href
      );
      const model = await loadModel("assets/candlescope/models/shakespeare");
      const text = "sweet sorrow, sweet sorrow";
      const { strings: tokens } = await model.tokenize(text);
      const [lens, scores, tensor] = [
        ...document.querySelectorAll("body > logit-lens, body > head-scores, body > tensor-view"),
      ];
      Object.assign(lens, { lens: await model.logitLens(text), tokens });
      Object.assign(scores, { scores: (await model.headScores(text)).scores });
      const { cache } = await model.runWithCache(text, { names: ["blocks.1.hook_attn_out"] });
      Object.assign(tensor, {
        tensor: cache.get("blocks.1.hook_attn_out"),
        tokens,
        name: "blocks.1.hook_attn_out",
      });
      await Promise.all([lens, scores, tensor].map((/** @type {any} */ one) => one.updateComplete));
      const inFigure = [...document.querySelectorAll("candle-scope")].map(
        (/** @type {any} */ one) =>
          one.renderRoot
            .querySelector("scope-figure")
            .renderRoot.querySelector(".view > :last-child").renderRoot,
      );
      const text_ = (/** @type {any} */ element, /** @type {string} */ cells) =>
        [...element.renderRoot.querySelectorAll(cells)]
          .slice(0, 16)
          .map((cell) => cell.textContent)
          .join("|");
      return [
        text_(lens, ".cell[data-position='0'],.cell[data-position='1']") ===
          text_(
            inFigure[0].querySelector("logit-lens"),
            ".cell[data-position='0'],.cell[data-position='1']",
          ),
        text_(scores, ".cell") === text_(inFigure[1].querySelector("head-scores"), ".cell"),
        /** @type {any} */ (tensor).maxAbs === inFigure[2].querySelector("tensor-view").maxAbs,
      ];
    });
    assert.deepEqual(same, [true, true, true]);
  });
});

test("an unknown hook point is reported once, and the figure stays", async () => {
  await writeFile(
    join(root, "blog/2026/hook.html"),
    VIEWS.replace("blocks.1.hook_attn_out", "blocks.1.nowhere"),
  );
  await visit(site, { path: "blog/2026/hook.html" }, async (page) => {
    await page.locator("candle-scope head-scores .cell").first().waitFor();
    await page.waitForFunction(
      () => /** @type {any} */ (document.querySelectorAll("candle-scope")[2]).reading,
    );
    await page.getByText("This model has no hook point blocks.1.nowhere").waitFor();
  });
});

/** A page with one figure, whose attributes are given. @param {string} name @param {string} attributes */
async function pageWith(name, attributes) {
  await writeFile(
    join(root, `blog/2026/${name}.html`),
    `<!doctype html>
<meta charset="utf-8" />
<link rel="icon" href="data:," />
<script type="module" src="assets/candlescope/elements.js"></script>
<candle-scope ${attributes}></candle-scope>
`,
  );
  return `blog/2026/${name}.html`;
}

const HERE = 'model="assets/candlescope/models/shakespeare" prompt="the moon, the moon"';
const UNFIT = {
  layer: [
    "99",
    /There is no layer="99": the model has layers 0 to 3 and heads 0 to 3\. The most telling/,
  ],
  head: ["4", /There is no head="4": the model has layers 0 to 3/],
  view: [
    "lents",
    /view="lents" does not fit: expected one of attention, .*\. The attention is drawn/,
  ],
  scale: ["cubic", /scale="cubic" does not fit: expected one of linear, sqrt\. linear is used/],
  direction: ["up", /direction="up" does not fit: expected one of from, to\. from is used/],
  dtype: ["f33", /dtype="f33" does not fit: expected one of f32, f16, q8, q4\. f32 is used/],
  hook: ["blocks.0.nowhere", /The model has no hook="blocks\.0\.nowhere"\. The nearest are/],
  off: ["1.0,two", /off="1\.0,two" does not fit: expected heads, separated by commas/],
  lock: ["77,2", /There is no lock="77,2": the text has tokens 0 to \d+\. Nothing is locked/],
  parts: ["tokens lines", /parts="tokens lines" does not fit: expected some of tokens, tabs/],
  loading: ["soon", /loading="soon" does not fit: expected one of lazy, eager, on-request/],
  "max-new-tokens": ["4", /attribute max-new-tokens is unknown; maxnewtokens may be meant/],
  layers: ["1", /The attribute layers is unknown; layer may be meant/],
};
for (const [name, [value, sentence]] of Object.entries(UNFIT))
  test(`a figure says what is wrong with ${name}="${value}", and draws the attention`, async () => {
    const path = await pageWith(`unfit-${name}`, `${HERE} ${name}="${value}"`);
    await visit(site, { path }, async (page) => {
      const problems = page.locator("candle-scope .problems li");
      await page.locator("candle-scope attention-pattern canvas.cells").waitFor();
      await eventually(async () => assert.equal(await problems.count(), 1));
      assert.match(await problems.innerText(), /** @type {RegExp} */ (sentence));
      const state = await page.evaluate(() => {
        const scope = /** @type {any} */ (document.querySelector("candle-scope"));
        return { busy: scope.busy, text: scope.reading.text, dtype: scope.loaded.backend.dtype };
      });
      assert.deepEqual(state, { busy: false, text: "the moon, the moon", dtype: "f32" });
      // A value that there is takes the sentence away.
      if (name === "layer") {
        await page.evaluate(() =>
          document.querySelector("candle-scope")?.setAttribute("layer", "2"),
        );
        await eventually(async () => assert.equal(await problems.count(), 0));
      }
    });
  });

test("a figure without a model says how to name one, and draws it when it is named", async () => {
  const path = await pageWith("without", 'prompt="the moon, the moon"');
  await visit(site, { path }, async (page) => {
    const problems = page.locator("candle-scope .problems li");
    await problems.first().waitFor();
    assert.match(
      await problems.innerText(),
      /model is missing: give the address of a model's folder/,
    );
    await page.evaluate(() =>
      document
        .querySelector("candle-scope")
        ?.setAttribute("model", "assets/candlescope/models/shakespeare"),
    );
    await page.locator("candle-scope attention-pattern canvas.cells").waitFor();
    assert.equal(await problems.count(), 0);
  });
});

test("a figure in q8 computes in q8", async () => {
  const path = await pageWith("q8", `${HERE} dtype="q8"`);
  await visit(site, { path }, async (page) => {
    await page.locator("candle-scope attention-pattern canvas.cells").waitFor();
    const dtype = await page.evaluate(
      () => /** @type {any} */ (document.querySelector("candle-scope")).loaded.backend.dtype,
    );
    assert.equal(dtype, "q8");
    assert.equal(await page.locator("candle-scope .problems").count(), 0);
  });
});

/** The workers that own models, without helper threads. @param {import("playwright-core").Page} page */
function workers(page) {
  return page.workers().filter((worker) => worker.url().endsWith("/worker.js"));
}
