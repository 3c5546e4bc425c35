// <candle-scope> tells a story: every part of the page's state as an attribute, and the head that is drawn if none is named.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { eventually } from "./browser.js";
import { figure, useHost } from "./host.js";

const { openDrawn: open } = useHost();

/** What the first figure shows. @param {import("playwright-core").Page} page @param {string[]} names */
const shown = (page, ...names) =>
  page.evaluate((names) => {
    const scope = /** @type {any} */ (document.querySelector("candle-scope"));
    const inner = scope.renderRoot.querySelector("scope-figure");
    return Object.fromEntries(names.map((name) => [name, inner[name]]));
  }, names);

/** What the model computes, by the API. @param {import("playwright-core").Page} page @param {string} text @param {object} options */
const run = (page, text, options) =>
  page.evaluate(
    async ([text, options]) => {
      const { loadModel } = await import(new URL("/cs/candlescope.js", location.href).href);
      const model = await loadModel("/cs/models/shakespeare");
      const { loss, cache } = await model.runWithCache(text, /** @type {any} */ (options));
      const patterns = cache.names().map((/** @type {string} */ name) => {
        const { data, shape } = cache.get(name);
        return { data: [...data], shape };
      });
      const { scores } = await model.headScores(text);
      return { loss, patterns, scores: { data: [...scores.data], labels: scores.labels.score } };
    },
    /** @type {const} */ ([text, options]),
  );

const TEXT = "the moon, the moon, the moon";

test("heads that are switched off, a lock, a view with settings and sampling are attributes", async () => {
  const attributes = `prompt="${TEXT}" off="1.0,1.1" lock="5,2" layer="1" head="1" scale="sqrt" direction="to" seed="7" topK="5"`;
  await open(figure(attributes), async (page) => {
    const found = await shown(page, "off", "lock", "layer", "head", "scale", "direction");
    assert.deepEqual(found, {
      off: [
        { layer: 1, head: 0 },
        { layer: 1, head: 1 },
      ],
      lock: { query: 5, key: 2 },
      ...{ layer: 1, head: 1, scale: "sqrt", direction: "to" },
    });
    const zero = { at: "blocks.1.attn.hook_z", do: "zero" };
    const without = [
      { ...zero, head: 0 },
      { ...zero, head: 1 },
    ];
    const [changed, plain] = [
      await run(page, TEXT, { interventions: without }),
      await run(page, TEXT, {}),
    ];
    const loss = await page.evaluate(
      () => /** @type {any} */ (document.querySelector("candle-scope")).reading.loss,
    );
    assert.equal(loss, changed.loss);
    assert.notEqual(loss, plain.loss);
    // Attributes that change are followed, and one that goes has its default.
    await page.evaluate(() => document.querySelector("candle-scope")?.removeAttribute("off"));
    await page.waitForFunction(
      (loss) => /** @type {any} */ (document.querySelector("candle-scope")).reading.loss === loss,
      plain.loss,
    );
    const state = await page.evaluate(() => {
      const { seed, topK, temperature } = /** @type {any} */ (
        document.querySelector("candle-scope")
      );
      return { seed, topK, temperature };
    });
    assert.deepEqual(state, { seed: 7, topK: 5, temperature: 0.5 });
  });
});

test("interventions and a second prompt are attributes, and a view computes with them", async () => {
  const patch = JSON.stringify([
    { at: "blocks.1.hook_resid_pre", positions: [1], do: { from: "corrupted" } },
  ]).replaceAll('"', "&quot;");
  const attributes = `prompt="the moon, the moon" corrupted="the king, the moon" view="patching" patching.at="z" answer="&quot; moon&quot;" against=" king" interventions="${patch}"`;
  await open(figure(attributes), async (page) => {
    await page
      .locator("candle-scope patching-view .cell, candle-scope patching-view canvas")
      .first()
      .waitFor();
    const { corrupted, views, answer, against } = await page.evaluate(() => {
      const scope = /** @type {any} */ (document.querySelector("candle-scope"));
      const { views, answer, against, corrupted } = scope.renderRoot.querySelector("scope-figure");
      return { views, answer, against, corrupted: corrupted.text };
    });
    assert.deepEqual(views, { patching: { at: "z" } });
    assert.deepEqual([corrupted, answer, against], ["the king, the moon", " moon", " king"]);
    const loss = await page.evaluate(
      () => /** @type {any} */ (document.querySelector("candle-scope")).reading.loss,
    );
    const plain = await run(page, "the moon, the moon", {});
    assert.notEqual(loss, plain.loss, "the patch acts");
  });
});

test("an intervention that the model refuses is an error in place, and the figure can be mended", async () => {
  const late = JSON.stringify([{ at: "blocks.1.attn.hook_z", positions: [99], do: "zero" }]);
  await open(figure(`prompt="${TEXT}" interventions='${late}'`), async (page) => {
    const notice = page.locator("candle-scope error-notice .notice");
    await notice.waitFor();
    assert.match(await notice.innerText(), /attn\.hook_z of layer 1, position 99/);
    await page.evaluate(() => {
      const scope = document.querySelector("candle-scope");
      scope?.removeAttribute("interventions");
      scope?.setAttribute("off", "1.0");
    });
    await page.locator("candle-scope attention-pattern canvas.cells").waitFor();
    await eventually(async () => assert.equal(await notice.count(), 0));
  });
});

test("an attribute runs no JavaScript, and says so; the property does", async () => {
  const script = JSON.stringify([
    { at: "blocks.1.attn.hook_z", do: { js: "(x) => x.fill(0)" } },
  ]).replaceAll('"', "&quot;");
  await open(figure(`prompt="${TEXT}" interventions="${script}"`), async (page) => {
    const problems = page.locator("candle-scope .problems li");
    assert.match(
      await problems.innerText(),
      /JavaScript is switched off, because an attribute runs no code/,
    );
    const loss = () =>
      page.evaluate(() => /** @type {any} */ (document.querySelector("candle-scope")).reading.loss);
    const plain = await run(page, TEXT, {});
    assert.equal(await loss(), plain.loss);
    await page.evaluate(() => {
      const scope = /** @type {any} */ (document.querySelector("candle-scope"));
      scope.interventions = [{ at: "blocks.1.attn.hook_z", do: { js: "(x) => x.fill(0)" } }];
    });
    const zeroed = await run(page, TEXT, {
      interventions: [{ at: "blocks.1.attn.hook_z", do: "zero" }],
    });
    await eventually(async () => assert.equal(await loss(), zeroed.loss));
    assert.equal(await problems.count(), 0);
  });
});

/** @typedef {{ patterns: { data: number[], shape: number[] }[], scores: { data: number[], labels: string[] } }} Found */

/** The most telling head as docs/embedding.md defines it, from what the API returns. @param {Found} found */
function telling({ patterns, scores }) {
  const heads = patterns.flatMap(({ data, shape: [, count, rows] }, layer) =>
    Array.from({ length: count }, (_, head) => {
      const at = (/** @type {number} */ query, /** @type {number} */ key) =>
        data[(head * rows + query) * rows + key];
      let sum = 0;
      for (let query = 2; query < rows; query++)
        sum += Math.max(...Array.from({ length: query - 1 }, (_, i) => at(query, i + 1)));
      return { layer, head, focus: sum / (rows - 2) };
    }),
  );
  const row = scores.labels.indexOf("induction");
  const induction = scores.data.slice(row * heads.length, (row + 1) * heads.length);
  const best = (/** @type {number[]} */ values) => values.indexOf(Math.max(...values));
  const isCopying = induction.every(Number.isFinite) && Math.max(...induction) >= 0.3;
  return isCopying
    ? { ...heads[best(induction)], by: "induction", score: Math.max(...induction) }
    : {
        ...heads[best(heads.map(({ focus }) => focus))],
        ...{ by: "focus", score: Math.max(...heads.map(({ focus }) => focus)) },
      };
}

const DOCS = await readFile(new URL("../../docs/embedding.md", import.meta.url), "utf8");

for (const [text, by] of [
  [TEXT, "induction"],
  ["To be, or not", "focus"],
  ["Who comes here so early this fair morning?", "focus"],
])
  test(`the head that is drawn of “${text}” is the one with the highest ${by}, and the figure says so`, async () => {
    await open(figure(`prompt="${text}"`), async (page) => {
      const found = telling(await run(page, text, { names: ["blocks.*.attn.hook_pattern"] }));
      assert.equal(found.by, by);
      const { layer, head } = await shown(page, "layer", "head");
      assert.deepEqual({ layer, head }, { layer: found.layer, head: found.head });
      const why = await page.locator("candle-scope .why").innerText();
      assert.ok(why.startsWith(`Of 16 heads, ${layer}.${head} `), why);
      assert.ok(
        why.includes(by === "focus" ? "single earlier tokens (focus 0." : "induction score ("),
        why,
      );
      assert.ok(why.includes(found.score.toFixed(2)), `${why} ${found.score}`);
      const reason = `${by === "focus" ? "focus" : "induction score"} ${found.score.toFixed(2)}`;
      const row = `| ${text} | ${layer}.${head} | ${reason} |`;
      assert.ok(DOCS.includes(row), `docs/embedding.md has the row ${row}`);
      // A head that is named needs no reason.
      await page.evaluate(() => document.querySelector("candle-scope")?.setAttribute("layer", "0"));
      await eventually(async () =>
        assert.equal(await page.locator("candle-scope .why").count(), 0),
      );
    });
  });

/** Which parts can be seen. @param {import("playwright-core").Page} page */
const visible = async (page) => {
  const places = {
    tokens: "token-strip",
    tabs: ".views",
    heads: "attention-heads",
    sentence: "attention-view .says",
    pattern: "attention-pattern",
    tools: ".tools",
    buttons: "attention-pattern .push",
  };
  /** @type {string[]} */
  const found = [];
  for (const [name, selector] of Object.entries(places))
    if (await page.locator(`candle-scope ${selector}`).first().isVisible()) found.push(name);
  return found.join(" ");
};

for (const [attributes, parts] of [
  ["", "tokens tabs heads sentence pattern buttons"],
  ['controls="none"', "tokens heads sentence pattern"],
  ['controls="all"', "tokens tabs heads sentence pattern tools buttons"],
  ['parts="pattern tokens"', "tokens pattern buttons"],
  ['parts="pattern, tokens" controls="none"', "tokens pattern"],
  ['parts="tokens"', "tokens"],
  ['parts="heads sentence"', "heads"],
])
  test(`${attributes || "without attributes"} the figure has ${parts}`, async () => {
    await open(figure(`prompt="${TEXT}" ${attributes}`), async (page) => {
      await eventually(async () => assert.equal(await visible(page), parts));
    });
  });

test("a part that a figure does not have is refused in place, with those that there are", async () => {
  await open(figure(`prompt="${TEXT}" parts="tokens effect"`), async (page) => {
    const problem = await page.locator("candle-scope .problems li").innerText();
    assert.match(
      problem,
      /parts="tokens effect" does not fit: expected some of tokens, tabs, heads, sentence, pattern/,
    );
  });
});

test("a figure without its picture says that it has no sentence", async () => {
  await open(figure(`prompt="${TEXT}" parts="heads sentence"`), async (page) => {
    const problem = await page.locator("candle-scope .problems li").innerText();
    assert.equal(
      problem,
      'parts="heads sentence" shows no sentence, because the sentence stands above the picture: add pattern.',
    );
  });
});

test("a caption stands below the figure, and fallback content only until the element is there", async () => {
  const inside =
    '<p>Needs JavaScript.</p><figcaption slot="caption">What the head does.</figcaption>';
  await open(figure(`prompt="${TEXT}"`, inside), async (page) => {
    const caption = page.getByText("What the head does.");
    const [box, pattern] = [
      await caption.boundingBox(),
      await page.locator("candle-scope attention-pattern").boundingBox(),
    ];
    assert.ok(box && pattern && box.y >= pattern.y + pattern.height);
    assert.equal(await page.getByText("Needs JavaScript.").isVisible(), false);
  });
});

test("a theme is that of the figure, whatever the page and the system have", async () => {
  const body = figure(`prompt="${TEXT}" theme="dark"`) + figure(`prompt="${TEXT}"`);
  await open(body, async (page) => {
    const looks = () =>
      page.evaluate(() =>
        [...document.querySelectorAll("candle-scope")].map((/** @type {any} */ one) => {
          const deep = one.renderRoot.querySelector("scope-figure").renderRoot;
          const view = deep.querySelector("attention-view").renderRoot;
          const pattern = view.querySelector("attention-pattern");
          return { paper: getComputedStyle(one).backgroundColor, theme: pattern.theme.theme };
        }),
      );
    const [first, second] = await looks();
    assert.equal(first.theme, "dark");
    assert.equal(second.theme, "light");
    assert.notEqual(first.paper, second.paper);
    await page.evaluate(() =>
      document.querySelector("candle-scope")?.setAttribute("theme", "light"),
    );
    await eventually(async () => assert.deepEqual((await looks())[0], second));
  });
});

for (const width of [320, 390])
  test(`at ${width} px the legend ends with the text, and the parts stand one below the other`, async () => {
    const body = figure('prompt="the king and the queen, the king and the" loading="eager"');
    await open(
      body,
      async (page) => {
        const { over, gap } = await page.evaluate(() => {
          const root = (/** @type {any} */ one) => one.renderRoot;
          const figure = root(document.querySelector("candle-scope")).querySelector("scope-figure");
          const board = root(figure).querySelector(".board");
          const [heads, view] = board.children;
          const pattern = root(root(figure).querySelector("attention-view")).querySelector(
            "attention-pattern",
          );
          const ramp = root(root(pattern).querySelector("color-legend")).querySelector(".ramp");
          const box = (/** @type {Element} */ one) => one.getBoundingClientRect();
          return {
            over: box(ramp).right - box(figure).right,
            gap:
              box(view).top - box(heads).bottom - Number.parseFloat(getComputedStyle(board).rowGap),
          };
        });
        assert.ok(over <= 0.5, `${over} px`);
        assert.ok(Math.abs(gap) <= 1, `${gap} px`);
      },
      { width },
    );
  });
