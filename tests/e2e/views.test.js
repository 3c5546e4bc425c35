// The views of the page beyond attention: heads that are switched off, the logit lens, head scores, activations, copying, and
// generation past the context. What the page shows is compared with the results of the public API.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { formatCount } from "../../www/draw/format.ts";
import { signedLevelOf, signedValuesOf } from "../../www/draw/diverging.ts";
import { levelOf, valuesOf } from "../../www/draw/scale.ts";
import { eventually, figureState, settled, start, visit } from "./browser.js";

/** @typedef {import("playwright-core").Page} Page */

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
before(async () => {
  site = await start();
});
after(() => site.stop());

/** Runs a function body of `model` and `given` in the page. @param {Page} page @param {object} given @param {string} body @returns {Promise<any>} */
function ask(page, given, body) {
  return page.evaluate(`(async () => {
    const { loadModel } = await import(new URL("candlescope.js", location.href).href);
    const model = await loadModel("models/shakespeare");
    const given = ${JSON.stringify(given)};
    try { ${body} } finally { model.dispose(); }
  })()`);
}

/** Waits until the current view has the data that it needs. @param {Page} page */
async function prepared(page) {
  await settled(page);
  await page.waitForFunction(
    () => !(/** @type {any} */ (document.querySelector("scope-figure")).needs),
  );
}

/** Waits until the next tokens are those under what is switched off now. @param {Page} page */
async function measured(page) {
  await settled(page);
  await page.waitForFunction(() => {
    const { active, effect } = /** @type {any} */ (document.querySelector("intervention-effect"));
    return !active || effect !== null;
  });
}

/** The numbers of an element's text. @param {string} text */
const numbers = (text) =>
  (text.match(/[−-]?\d+(\.\d+)?/g) ?? []).map((word) => Number(word.replace("−", "-")));

/** @param {string | null} style a background colour */
const rgbOf = (style) =>
  /** @type {[number, number, number]} */ (
    (style ?? "").match(/\d+/g)?.slice(0, 3).map(Number) ?? [0, 0, 0]
  );

const AT_ZERO = `const interventions = [{ at: ["z", given.layer], head: given.head, do: "zero" }];`;

test("switching a head off changes the reading as the model computes it", async () => {
  await visit(site, {}, async (page) => {
    await measured(page);
    const { layer, head, text } = await figureState(page);
    await eventually(async () =>
      assert.equal(
        await page.locator("intervention-list li").count(),
        0,
        "no head is switched off at the start",
      ),
    );
    await page.getByRole("button", { name: `switch ${layer}.${head} off` }).click();
    await measured(page);
    const effect = page.locator("intervention-effect");
    const lines = [".repeated", ".whole", ".next"].map((line) => effect.locator(line).innerText());
    const words = (await Promise.all(lines)).join("\n").replace(/after position \d+/, "");
    const expected = await ask(
      page,
      { layer, head, text },
      `
      ${AT_ZERO}
      const [before, after] = [await model.runWithCache(given.text), await model.runWithCache(given.text, { interventions })];
      const ids = before.ids.data;
      const seen = new Set(), repeated = [];
      for (let at = 1; at < ids.length; at++) { const pair = ids[at - 1] + " " + ids[at]; if (seen.has(pair)) repeated.push(at); seen.add(pair); }
      const loss = (run) => -repeated.reduce((sum, at) => sum + run.logProbs.data[at - 1], 0) / repeated.length;
      const row = (run) => run.logits.at({ batch: 0, pos: -1 }).data;
      const probability = (logits, id) => Math.exp(logits[id]) / logits.reduce((sum, one) => sum + Math.exp(one), 0);
      const best = row(before).indexOf(Math.max(...row(before)));
      return { count: repeated.length, repeated: [loss(before), loss(after)], whole: [before.loss, after.loss], next: [probability(row(before), best), probability(row(after), best)], logProbs: [...after.logProbs] };
    `,
    );
    assert.ok(
      expected.repeated[1] > expected.repeated[0] + 0.1,
      "an induction head reduces the loss where the text repeats",
    );
    const found = numbers(words);
    const wanted = [expected.count, ...expected.repeated, ...expected.whole, ...expected.next];
    wanted.forEach((number, i) =>
      assert.ok(Math.abs(found[i] - number) < 0.0051, `${words}: ${found[i]} for ${number}`),
    );
    // The reading itself is the one under the intervention.
    const logProbs = await page.evaluate(() => [
      .../** @type {any} */ (document.querySelector("scope-figure")).reading.logProbs,
    ]);
    logProbs.forEach((value, i) => assert.ok(Math.abs(value - expected.logProbs[i]) < 1e-5));
    await eventually(async () =>
      assert.deepEqual(
        [(await figureState(page)).layer, (await figureState(page)).head],
        [layer, head],
        "the picture stays with the head",
      ),
    );
    await eventually(async () =>
      assert.match(await page.locator("attention-view h2").innerText(), /switched off/),
    );
    await eventually(async () =>
      assert.ok(
        await page
          .locator(`attention-heads [data-layer="${layer}"][data-head="${head}"]`)
          .evaluate((cell) => cell.classList.contains("off")),
      ),
    );
    // Each alternative says what it was before and is now.
    const rows = await page.evaluate(() =>
      /** @type {any} */ (document.querySelector("next-tokens")).alternatives.map(
        (/** @type {any} */ one) => [one.id, Math.exp(one.before), Math.exp(one.logProb)],
      ),
    );
    const real = await ask(
      page,
      { layer, head, text, ids: rows.map((/** @type {number[]} */ row) => row[0]) },
      `
      ${AT_ZERO}
      const of = async (options) => { const { logits } = await model.runWithCache(given.text, options); const row = logits.at({ batch: 0, pos: -1 }).data; const total = row.reduce((sum, one) => sum + Math.exp(one), 0); return given.ids.map((id) => Math.exp(row[id]) / total); };
      return [await of({}), await of({ interventions })];
    `,
    );
    rows.forEach((/** @type {number[]} */ row, /** @type {number} */ i) =>
      assert.ok(Math.abs(row[1] - real[0][i]) < 1e-4 && Math.abs(row[2] - real[1][i]) < 1e-4),
    );
  });
});

test("heads are switched on again one by one, all at once, and by keyboard", async () => {
  await visit(site, { path: "#layer=1&head=0" }, async (page) => {
    await measured(page);
    const before = await page.evaluate(
      () => /** @type {any} */ (document.querySelector("scope-figure")).reading.loss,
    );
    const loss = () =>
      page.evaluate(() => /** @type {any} */ (document.querySelector("scope-figure")).reading.loss);
    await page.keyboard.press("x");
    await measured(page);
    const one = await loss();
    assert.notEqual(one, before);
    await page.locator('attention-heads [data-layer="1"][data-head="1"]').focus();
    await page.keyboard.press("Enter");
    await page.keyboard.press("x");
    await measured(page);
    const two = await loss();
    assert.ok(two > one && one > before, `${before}, ${one}, ${two}`);
    await eventually(() => assert.match(page.url(), /off=1\.0%2C1\.1/));
    await page
      .getByRole("button", { name: "remove: zero at attn.hook_z of layer 1, head 0" })
      .click();
    await measured(page);
    await eventually(() => assert.match(page.url(), /off=1\.1(&|$)/));
    await page.locator("#prompt").focus();
    await page.keyboard.press("x");
    await eventually(async () =>
      assert.match(await page.locator("#prompt").inputValue(), /x/, "in the text x is a letter"),
    );
    await page.keyboard.press("Control+z");
    await page.keyboard.press("Escape");
    await page.locator('attention-heads [data-layer="1"][data-head="0"]').click();
    await page.mouse.move(5, 5);
    await page.keyboard.press("x");
    await measured(page);
    await page.getByRole("button", { name: "clear all" }).click();
    await measured(page);
    await eventually(async () => assert.equal(await loss(), before));
    await eventually(() => assert.doesNotMatch(page.url(), /off=/));
    await eventually(async () =>
      assert.equal(await page.locator("intervention-list li").count(), 0),
    );
  });
});

test("an address switches heads off, and missing heads are ignored", async () => {
  await visit(
    site,
    { path: "#prompt=the%20moon%2C%20the%20moon&off=1.0,9.9,0.3&layer=0&head=3" },
    async (page) => {
      await measured(page);
      await eventually(async () =>
        assert.match(
          (await page.locator("intervention-list li .what").allInnerTexts()).join("\n"),
          /layer 1, head 0[\s\S]*layer 0, head 3/,
        ),
      );
      const { loss, text } = await page.evaluate(
        () => /** @type {any} */ (document.querySelector("scope-figure")).reading,
      );
      const expected = await ask(
        page,
        { text },
        `return (await model.runWithCache(given.text, { interventions: [{ at: ["z", 1], head: 0, do: "zero" }, { at: ["z", 0], head: 3, do: "zero" }] })).loss;`,
      );
      assert.ok(Math.abs(loss - expected) < 1e-6);
      await eventually(() => assert.doesNotMatch(page.url(), /9\.9/));
    },
  );
});

test("heads stay switched off during generation", async () => {
  await visit(site, { path: "#off=1.0,1.1" }, async (page) => {
    await measured(page);
    const { text, count } = await figureState(page);
    await page.getByLabel("sample").uncheck();
    await page.getByLabel("tokens", { exact: true }).fill("10");
    await page.getByRole("button", { name: "Generate" }).click();
    await page.waitForFunction(
      (start) =>
        /** @type {any} */ (document.querySelector("scope-figure")).reading.ids.length > start,
      count,
    );
    await page.getByRole("button", { name: "Generate" }).waitFor();
    await measured(page);
    const [under, plain] = await ask(
      page,
      { text },
      `
      const written = async (options) => { let all = ""; for await (const step of model.generate(given.text, { maxNewTokens: 10, ...options })) all += step.string; return all; };
      return [await written({ interventions: [{ at: ["z", 1], head: [0, 1], do: "zero" }] }), await written({})];
    `,
    );
    await eventually(async () => assert.equal((await figureState(page)).text, text + under));
    assert.notEqual(under, plain, "without the heads it says something else");
  });
});

test("the lens shows the result of logitLens, with rank and probability", async () => {
  await visit(
    site,
    { path: `#view=lens&prompt=${encodeURIComponent("To be, or not to be:\nthat is 日")}` },
    async (page) => {
      await prepared(page);
      const { text } = await figureState(page);
      const lens = await ask(
        page,
        { text },
        `const { topProbabilities, topStrings, nextRank, nextProbability } = await model.logitLens(given.text, { top: 5 }); return { shape: topProbabilities.shape, probabilities: [...topProbabilities.data], strings: topStrings, ranks: [...nextRank.data], next: [...nextProbability.data] };`,
      );
      const [layers, positions, top] = lens.shape;
      const cells = page.locator("logit-lens .cell[data-layer]");
      await eventually(async () =>
        assert.equal(await cells.count(), layers * positions, "a short text is there in full"),
      );
      for (const cell of await cells.all()) {
        const {
          layer,
          position,
          colour,
          text: written,
          right,
        } = await cell.evaluate((element) => ({
          layer: Number(/** @type {HTMLElement} */ (element).dataset.layer),
          position: Number(/** @type {HTMLElement} */ (element).dataset.position),
          colour: /** @type {HTMLElement} */ (element).style.backgroundColor,
          text: element.textContent,
          right: element.classList.contains("right"),
        }));
        const at = (layer * positions + position) * top;
        const [low, high] = valuesOf(levelOf(rgbOf(colour), "light"), "linear");
        assert.ok(
          lens.probabilities[at] >= low - 1e-6 && lens.probabilities[at] <= high + 1e-6,
          `layer ${layer}, position ${position}`,
        );
        const glyphs = String(lens.strings[at]).replaceAll(" ", "·").replaceAll("\n", "⏎");
        if (/^[ -~·⏎]+$/.test(glyphs) && glyphs.length <= 9) assert.equal(written, glyphs);
        if (position < positions - 1)
          assert.equal(right, lens.ranks[layer * (positions - 1) + position] === 0);
      }
      await page.locator('logit-lens [data-layer="2"][data-position="4"]').hover();
      const detail = page.locator("logit-lens .detail");
      const from = (2 * positions + 4) * top;
      await eventually(async () =>
        assert.deepEqual(
          (await detail.locator("li .value").allInnerTexts()).map(Number),
          lens.probabilities
            .slice(from, from + top)
            .map((/** @type {number} */ one) => Number(one.toPrecision(3))),
        ),
      );
      const next = 2 * (positions - 1) + 4;
      await eventually(async () =>
        assert.equal(Number(await detail.locator(".rank").innerText()), lens.ranks[next] + 1),
      );
      await eventually(async () =>
        assert.equal(
          Number(await detail.locator(".probability").innerText()),
          Number(lens.next[next].toPrecision(3)),
        ),
      );
      // A click locks, Escape releases; arrows move.
      await page.locator('logit-lens [data-layer="2"][data-position="4"]').click();
      await page.mouse.move(5, 5);
      await eventually(async () => assert.match(await detail.innerText(), /After L2, at token 4/));
      await eventually(async () => assert.deepEqual((await figureState(page)).lock, { query: 4 }));
      await page.locator("logit-lens .scroll").focus();
      await page.keyboard.press("ArrowDown");
      await page.keyboard.press("End");
      await eventually(async () =>
        assert.match(
          await detail.innerText(),
          new RegExp(`After L3, at token ${positions - 1}[^]*no true next token`),
        ),
      );
      await page.keyboard.press("Escape");
      await eventually(async () => assert.equal((await figureState(page)).lock, null));
      await eventually(async () => assert.match(await detail.innerText(), /Point at a cell/));
    },
  );
});

test("only the visible columns of the lens are in the document", async () => {
  await visit(site, { path: "#view=lens" }, async (page) => {
    await prepared(page);
    const { count } = await figureState(page);
    const columns = () => page.locator("logit-lens .head").count();
    await eventually(async () =>
      assert.ok((await columns()) < count, `${await columns()} of ${count} columns`),
    );
    const last = page.locator(`logit-lens [data-layer="3"][data-position="${count - 1}"]`);
    await last.waitFor();
    const [cell, box] = [
      await last.boundingBox(),
      await page.locator("logit-lens .scroll").boundingBox(),
    ];
    assert.ok(
      cell && box && cell.x >= box.x - 1 && cell.x + cell.width <= box.x + box.width + 1,
      "it opens at the end of the text",
    );
    const first = page.locator('logit-lens [data-position="0"][data-layer="0"]');
    assert.equal(await first.count(), 0);
    await page.locator("logit-lens .scroll").focus();
    await page.keyboard.press("Home");
    await first.waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "square root" }).click();
    await eventually(async () =>
      assert.ok((await first.count()) === 1, "it stays where the visitor has scrolled"),
    );
  });
});

test("the lens is computed on demand, and again for another text or other heads", async () => {
  await visit(site, { path: "#prompt=the%20moon%2C%20the%20moon" }, async (page) => {
    await settled(page);
    await eventually(async () =>
      assert.equal(
        await page.evaluate(
          () => /** @type {any} */ (document.querySelector("scope-figure")).results.lens ?? null,
        ),
        null,
      ),
    );
    await page.getByRole("button", { name: "lens" }).click();
    await prepared(page);
    await page.locator("#prompt").fill("the stars and the stars");
    await prepared(page);
    const first = () =>
      page.evaluate(() => {
        const { lens } = /** @type {any} */ (document.querySelector("scope-figure")).results.lens
          .value;
        return [...lens.topProbabilities.data];
      });
    const expected = (/** @type {object} */ options) =>
      ask(
        page,
        options,
        `return [...(await model.logitLens("the stars and the stars", given)).topProbabilities.data];`,
      );
    await eventually(async () => assert.deepEqual(await first(), await expected({ top: 5 })));
    await page.evaluate(() => {
      /** @type {HTMLElement} */ (document.activeElement).blur();
    });
    const { layer, head } = await figureState(page);
    await page.keyboard.press("x");
    await prepared(page);
    const off = await expected({ top: 5, interventions: [{ at: ["z", layer], head, do: "zero" }] });
    await eventually(async () => assert.deepEqual(await first(), off));
    await eventually(async () => assert.notDeepEqual(off, await expected({ top: 5 })));
  });
});

test("token text in the views is never markup", async () => {
  await visit(
    site,
    {
      path: `#view=lens&prompt=${encodeURIComponent("<b>bold</b> <img src=x onerror=alert(1)> &amp;")}`,
    },
    async (page) => {
      await prepared(page);
      const scroll = page.locator("logit-lens .scroll");
      await scroll.evaluate((element) => element.scrollTo(0, 0)); // a long text opens at its end
      await page.locator('logit-lens [data-layer="3"][data-position="3"]').hover();
      await eventually(async () =>
        assert.match(await page.locator("logit-lens .row").first().innerText(), /</),
      );
      for (const view of ["lens", "activations"]) {
        await page.getByRole("button", { name: view }).click();
        await prepared(page);
        await eventually(async () =>
          assert.equal(
            await page
              .locator(
                "logit-lens img, logit-lens .cell b, tensor-view img, intervention-list img, next-tokens img",
              )
              .count(),
            0,
          ),
        );
      }
      await page.locator("tensor-view .plot").focus();
      await page.keyboard.press("ArrowRight"); // starts at the last token
      await eventually(async () => {
        await page.keyboard.press("Shift+ArrowUp");
        assert.match(await page.locator("tensor-view .readout").innerText(), /^pos 0 </);
      });
    },
  );
});

test("data that a view requested for another text is abandoned", async () => {
  await visit(site, { path: "#view=lens" }, async (page) => {
    await prepared(page);
    await page.locator("#prompt").fill("");
    await page
      .locator("#prompt")
      .pressSequentially("the moon and the stars, the moon and the stars");
    await prepared(page);
    const { text } = await figureState(page);
    const [found, tokens] = await page.evaluate(() => {
      const { value, reading } = /** @type {any} */ (document.querySelector("scope-figure")).results
        .lens;
      return [[...value.lens.topProbabilities.data], reading.text];
    });
    assert.equal(tokens, "the moon and the stars, the moon and the stars");
    await eventually(async () =>
      assert.deepEqual(
        found,
        await ask(
          page,
          { text },
          "return [...(await model.logitLens(given.text, { top: 5 })).topProbabilities.data];",
        ),
      ),
    );
    await eventually(async () =>
      assert.equal(
        await page.locator("error-notice .notice").count(),
        0,
        "abandoning a request is no error",
      ),
    );
  });
});

test("head scores are those of the model, and selecting a head shows its attention", async () => {
  await visit(site, { path: "#view=heads" }, async (page) => {
    await prepared(page);
    const { text } = await figureState(page);
    const { labels, data, random } = await ask(
      page,
      { text },
      `const { scores } = await model.headScores(given.text); const random = (await model.headScores()).scores; return { labels: scores.labels.score, data: [...scores.data], random: [...random.data] };`,
    );
    /** @param {number[]} table @param {string} kind */
    const check = (table, kind) =>
      eventually(async () => {
        const cells = await page
          .locator("head-scores .cell")
          .evaluateAll((all) =>
            all.map((cell) => [
              /** @type {HTMLElement} */ (cell).style.backgroundColor,
              cell.textContent ?? "",
            ]),
          );
        assert.equal(cells.length, 16);
        cells.forEach(([colour, written], i) => {
          const value = table[labels.indexOf(kind) * 16 + i];
          const [low, high] = valuesOf(levelOf(rgbOf(colour), "light"), "linear");
          assert.equal(written.trim(), value.toFixed(2));
          assert.ok(value >= low - 1e-6 && value <= high + 1e-6, `${kind} ${i}`);
        });
      });
    await check(data, "induction");
    await page.getByRole("button", { name: "previous token" }).click();
    await check(data, "previous_token");
    await page.getByRole("button", { name: "random tokens" }).click();
    await prepared(page);
    await check(random, "previous_token");
    const cell = page.locator('head-scores [data-layer="0"][data-head="1"]');
    await cell.hover();
    await eventually(async () =>
      assert.match(
        await page.locator("head-scores .readout").innerText(),
        new RegExp(
          `^head 0\\.1 +previous token ${random[labels.indexOf("previous_token") * 16 + 1].toPrecision(4)}`,
        ),
      ),
    );
    await page.locator('head-scores [aria-selected="true"]').focus();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Home");
    await page.keyboard.press("Enter");
    await eventually(async () => {
      const { layer, head, view } = await figureState(page);
      assert.deepEqual([layer, head, view], [3, 0, "attention"]);
    });
  });
});

test("head scores on random tokens depend on the heads that are switched off", async () => {
  await visit(site, { path: "#view=heads&off=0.1" }, async (page) => {
    await prepared(page);
    await page.getByRole("button", { name: "random tokens" }).click();
    await prepared(page);
    const found = await page.evaluate(() => [
      .../** @type {any} */ (document.querySelector("scope-figure")).results.heads.value.table.data,
    ]);
    const [off, plain] = await ask(
      page,
      {},
      `const interventions = [{ at: ["z", 0], head: 1, do: "zero" }]; return [[...(await model.headScores(undefined, { interventions })).scores.data], [...(await model.headScores()).scores.data]];`,
    );
    assert.deepEqual(found, off);
    assert.notDeepEqual(off, plain);
    await eventually(async () =>
      assert.match(
        (await page.locator('head-scores [data-layer="0"][data-head="1"]').getAttribute("class")) ??
          "",
        /off/,
      ),
    );
  });
});

test("a score that cannot be measured is missing, not zero", async () => {
  await visit(site, { path: "#view=heads&prompt=Good%20night" }, async (page) => {
    await prepared(page);
    await eventually(async () =>
      assert.deepEqual(
        new Set(await page.locator("head-scores .cell").allInnerTexts()),
        new Set(["–"]),
      ),
    );
    await eventually(async () =>
      assert.match(
        (await page.locator("head-scores .cell").first().getAttribute("aria-label")) ?? "",
        /no place in this text/,
      ),
    );
  });
});

/**
 * Every cell of the tensor view has the colour of the value that the model captured there.
 * @param {Page} page @param {(data: number[], shape: number[]) => number[]} plane the numbers that are drawn, row by row
 * @param {"light" | "dark"} theme @param {"linear" | "sqrt"} stretch
 */
async function assertPlane(page, plane, theme = "light", stretch = "linear") {
  const { text } = await figureState(page);
  const { name, max, cells, colours } = await page
    .locator("tensor-view")
    .evaluate((/** @type {any} */ element) => {
      const { down, across } = element.geometry;
      const canvas = element.renderRoot.querySelector(".cells");
      const copy = new OffscreenCanvas(across.size, down.size).getContext("2d", {
        willReadFrequently: true,
      });
      copy?.drawImage(canvas, 0, 0);
      const data = copy?.getImageData(0, 0, across.size, down.size).data ?? [];
      const colours = [];
      for (let row = 0; row < down.cells; row++)
        for (let column = 0; column < across.cells; column++) {
          const at =
            4 *
            ((row * down.cell + (down.cell >> 1)) * across.size +
              column * across.cell +
              (across.cell >> 1));
          colours.push([...data.slice(at, at + 4)]);
        }
      return {
        name: element.name,
        max: element.maxAbs,
        cells: [down.cells, across.cells, down.factor, across.factor],
        colours,
      };
    });
  const { data, shape } = await ask(
    page,
    { text, name },
    `const { cache } = await model.runWithCache(given.text, { names: [given.name] }); const { data, shape } = cache.get(given.name); return { data: [...data].map((one) => (Number.isFinite(one) ? one : null)), shape };`,
  );
  const values = plane(data, shape);
  assert.deepEqual(cells.slice(2), [1, 1], "a cell for each value");
  assert.equal(colours.length, values.length);
  assert.ok(Math.abs(max - Math.max(...values.map((value) => Math.abs(value ?? 0)))) < 1e-6);
  values.forEach((value, i) => {
    const [red, green, blue, alpha] = colours[i];
    if (value === null) return assert.equal(alpha, 0, "what is masked has no colour");
    const level = signedLevelOf([red, green, blue], theme);
    assert.ok(level >= 0, `${i}: ${colours[i]} is not on the scale`);
    const [low, high] = signedValuesOf(level, max, stretch);
    assert.ok(
      value >= low - 1e-5 && value <= high + 1e-5,
      `${i}: drawn as ${low} to ${high}, captured ${value}`,
    );
  });
}

test("an activation is drawn as captured, for any choice of axes", async () => {
  await visit(
    site,
    {
      path: "#view=activations&hook=blocks.1.attn.hook_z&activations.across=none&activations.limits=all&prompt=the%20moon%2C%20the%20moon",
    },
    async (page) => {
      await prepared(page);
      await eventually(() =>
        assertPlane(page, (data, [, positions, heads, width]) =>
          Array.from(
            { length: positions * width },
            (_, i) => data[(Math.floor(i / width) * heads + 0) * width + (i % width)],
          ),
        ),
      );
      await page.locator("tensor-view input[name=head]").fill("3");
      await page.locator("tensor-view input[name=head]").press("Enter");
      await eventually(() =>
        assertPlane(page, (data, [, positions, heads, width]) =>
          Array.from(
            { length: positions * width },
            (_, i) => data[(Math.floor(i / width) * heads + 3) * width + (i % width)],
          ),
        ),
      );
      await page.locator("tensor-view select[name=rows]").selectOption("head");
      await page.locator("tensor-view input[name=pos]").fill("2");
      await page.locator("tensor-view input[name=pos]").press("Enter");
      await page.locator("tensor-view").getByRole("button", { name: "square root" }).click();
      await settled(page);
      await eventually(() =>
        assertPlane(
          page,
          (data, [, , heads, width]) => data.slice(2 * heads * width, 3 * heads * width),
          "light",
          "sqrt",
        ),
      );
    },
  );
});

test("a hook point is found by name, and masked scores stay empty", async () => {
  await visit(
    site,
    {
      dark: true,
      path: "#view=activations&activations.across=none&activations.map=diverging&activations.limits=all&prompt=the%20moon%2C%20the%20moon",
    },
    async (page) => {
      await prepared(page);
      const field = page.locator("input[name=hook]");
      await eventually(async () =>
        assert.equal(
          await field.inputValue(),
          "blocks.3.hook_resid_post",
          "the last residual stream until one is chosen",
        ),
      );
      await eventually(async () =>
        assert.deepEqual(
          await page
            .locator("#points option")
            .evaluateAll((all) => all.map((one) => one.getAttribute("value"))),
          await ask(page, {}, "return model.hookPoints.map(({ name }) => name);"),
        ),
      );
      await field.fill("blocks.0.attn.hook_attn_scores");
      await prepared(page);
      await eventually(() =>
        assertPlane(page, (data, [, , queries, keys]) => data.slice(0, queries * keys), "dark"),
      );
      await eventually(() => assert.match(page.url(), /hook=blocks\.0\.attn\.hook_attn_scores/));
      await page.getByRole("button", { name: "layer +" }).click();
      await prepared(page);
      await eventually(async () =>
        assert.equal(await field.inputValue(), "blocks.1.attn.hook_attn_scores"),
      );
      await eventually(() =>
        assertPlane(page, (data, [, , queries, keys]) => data.slice(0, queries * keys), "dark"),
      );
      await field.fill("blocks.7.nowhere");
      await eventually(async () =>
        assert.equal(
          await page.locator("tensor-view").count(),
          0,
          "nothing of the former hook point is shown",
        ),
      );
      await field.press("Escape");
      await eventually(async () =>
        assert.equal(
          await field.inputValue(),
          "blocks.1.attn.hook_attn_scores",
          "Escape gives up what has not taken effect",
        ),
      );
      await page.locator("tensor-view").waitFor();
    },
  );
});

test("the exact value is announced on hover and by keyboard", async () => {
  await visit(
    site,
    { path: "#view=activations&hook=blocks.1.hook_mlp_out&prompt=the%20moon%2C%20the%20moon" },
    async (page) => {
      await prepared(page);
      const tokens = await page.evaluate(
        () => /** @type {any} */ (document.querySelector("scope-figure")).reading.tokens,
      );
      const value = await ask(
        page,
        {},
        `const { cache } = await model.runWithCache("the moon, the moon", { names: ["blocks.1.hook_mlp_out"] }); return cache.get("blocks.1.hook_mlp_out").at({ batch: 0, pos: 2, d_model: 6 }).item();`,
      );
      const plot = page.locator("tensor-view .plot");
      await plot.focus();
      // From the last of five tokens.
      for (const key of ["ArrowUp", "ArrowUp", "Shift+ArrowRight", "ArrowRight"])
        await page.keyboard.press(key);
      const readout = page.locator("tensor-view .readout");
      // The shortest text that the f32 is read back from.
      const digits = [6, 7, 8, 9].find((n) => Math.fround(Number(value.toPrecision(n))) === value);
      const written = String(Number(value.toPrecision(digits))).replace("-", "−");
      await eventually(async () =>
        assert.match(
          await readout.innerText(),
          new RegExp(`^pos 2 ${tokens[2].replace(" ", "·")}, d_model 6 +${written}$`),
        ),
      );
      await page.waitForFunction((sentence) => {
        const view = document
          .querySelector("scope-figure")
          ?.shadowRoot?.querySelector("activations-view")
          ?.shadowRoot?.querySelector("tensor-view");
        return view?.shadowRoot?.querySelector("[aria-live]")?.textContent === sentence;
      }, `position 2 '${tokens[2]}', dimension 6, ${written}`);
      await page.keyboard.press("Enter");
      await page.mouse.move(5, 5);
      await eventually(async () =>
        assert.match(await readout.innerText(), new RegExp(`${written}$`), "locked"),
      );
      // The token of the pinned value stays lit in the text, and the pin is in the address.
      await eventually(async () => {
        const lit = await page.evaluate(
          () => /** @type {any} */ (document.querySelector("scope-figure")).hoveredToken,
        );
        assert.equal(lit, 2);
        assert.match(
          decodeURIComponent(page.url()),
          /activations\.pins=\[\{"batch":0,"pos":2,"d_model":6\}\]/,
        );
      });
      await page.keyboard.press("Escape");
      await eventually(async () => assert.equal(await readout.innerText(), ""));
      const box = await page.locator("tensor-view .cells").boundingBox();
      const { cell, ratio } = await page
        .locator("tensor-view")
        .evaluate((/** @type {any} */ element) => ({
          cell: [element.geometry.across, element.geometry.down],
          ratio: element.geometry.ratio,
        }));
      assert.ok(box);
      await page.mouse.move(
        box.x + ((6 + 0.5) * cell[0].cell) / cell[0].factor / ratio,
        box.y + ((2 + 0.5) * cell[1].cell) / ratio,
      );
      await eventually(async () => {
        const hovered = await page
          .locator("tensor-view")
          .evaluate((/** @type {any} */ element) => element.hovered);
        assert.equal(hovered?.row, 2);
        assert.ok(Math.abs(hovered.column - 6) < cell[0].factor, "the pointer is on that cell");
      });
    },
  );
});

test("the current state is copied as Python and as JSON", async () => {
  await visit(
    site,
    { path: "#layer=1&head=0&off=1.0&prompt=the%20moon%2C%20the%20moon" },
    async (page) => {
      await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
      await measured(page);
      const clipboard = () => page.evaluate(() => navigator.clipboard.readText());
      await page.locator("#share").click();
      await page.getByRole("button", { name: "copy as TransformerLens" }).click();
      await page.waitForFunction(
        () => document.querySelector("#copied")?.textContent === "Copied:",
      );
      const call = {
        input: "the moon, the moon",
        names: ["blocks.1.attn.hook_pattern"],
        interventions: [{ at: "blocks.1.attn.hook_z", head: 0, do: "zero" }],
      };
      await eventually(async () =>
        assert.equal(
          await clipboard(),
          await ask(page, { call }, "return model.toPython({ runWithCache: given.call });"),
        ),
      );
      await eventually(async () => assert.match(await clipboard(), /TransformerBridge/));
      await page.getByRole("button", { name: "copy as JSON" }).click();
      await page.waitForFunction(() =>
        /** @type {HTMLTextAreaElement} */ (document.querySelector("#copy")).value.startsWith("{"),
      );
      const { model, ...copied } = JSON.parse(await clipboard());
      assert.deepEqual([model, copied], ["models/shakespeare", call]);
      const { loss } = await page.evaluate(
        () => /** @type {any} */ (document.querySelector("scope-figure")).reading,
      );
      const again = await ask(
        page,
        { copied },
        "const { input, ...options } = given.copied; return (await model.runWithCache(input, options)).loss;",
      );
      assert.equal(again, loss, "the copied call is what the page shows");
      await page.getByRole("button", { name: "copy address" }).click();
      await page.waitForFunction(() =>
        /** @type {HTMLTextAreaElement} */ (document.querySelector("#copy")).value.startsWith(
          "http",
        ),
      );
      await eventually(async () => assert.equal(await clipboard(), page.url()));
    },
  );
});

test("generation continues past the context, and the end of the text is shown", async () => {
  await visit(site, {}, async (page) => {
    await settled(page);
    const long = "the moon and the stars, ".repeat(35).trim();
    await page.locator("#prompt").fill(long);
    await settled(page);
    const { count } = await figureState(page);
    assert.ok(count > 200 && count < 256, `${count} tokens`);
    const more = 256 - count + 7;
    await page.getByLabel("sample").uncheck();
    await page.getByLabel("tokens", { exact: true }).fill(String(more));
    await page.getByRole("button", { name: "Generate" }).click();
    await page.getByRole("button", { name: "Stop" }).waitFor();
    await page.getByRole("button", { name: "Generate" }).waitFor();
    await settled(page);
    const after = await figureState(page);
    const expected = await ask(
      page,
      { long, more },
      `let all = given.long; for await (const step of model.generate(given.long, { maxNewTokens: given.more })) all += step.string; return all;`,
    );
    assert.equal(after.text, expected);
    const { ids, tokens, dropped, logProbs } = await page.evaluate(() => {
      const { ids, tokens, dropped, logProbs } = /** @type {any} */ (
        document.querySelector("scope-figure")
      ).reading;
      return { ids: [...ids], tokens, dropped, logProbs: [...logProbs] };
    });
    assert.ok(ids.length === 256 && dropped >= 1, `${ids.length} tokens, ${dropped} dropped`);
    assert.ok(expected.endsWith(tokens.join("")));
    const window = await ask(
      page,
      { ids },
      "return [...(await model.runWithCache(given.ids)).logProbs];",
    );
    logProbs.forEach((value, i) => assert.ok(Math.abs(value - window[i]) < 1e-5));
    await eventually(async () =>
      assert.match(
        await page.locator("#count").innerText(),
        new RegExp(`^the last 256 of ${256 + dropped} tokens`),
      ),
    );
    await eventually(async () =>
      assert.equal(await page.locator("error-notice .notice").count(), 0),
    );
    const generated = await page.locator("token-strip .token.generated").count();
    assert.ok(
      Math.abs(generated - more) <= 2,
      `${generated} tokens are marked as the model's own, ${more} were written`,
    ); // read again, a text may fall into other tokens
    // It can still be written on, and a text that fits is read in full again.
    await page.locator("#prompt").fill("the moon");
    await settled(page);
    await eventually(async () => assert.equal((await figureState(page)).count, 2));
  });
});

test("the stream shows the norm of each part of the residual stream, for each choice of parts", async () => {
  await visit(site, { path: "#prompt=sweet%20sorrow&view=stream" }, async (page) => {
    for (const [name, stack] of [
      ["what was written", "decomposed"],
      ["the stream so far", "accumulated"],
      ["heads", "heads"],
    ]) {
      await page.getByRole("group", { name: "parts" }).getByRole("button", { name }).click();
      await page.waitForFunction(
        // The first one is the default, which the address leaves out.
        (stack) => {
          const fields = new URLSearchParams(location.hash.slice(1));
          return (fields.get("stream.stack") ?? "decomposed") === stack;
        },
        stack,
      );
      await prepared(page);
      const drawn = await page
        .locator("stream-view heat-table")
        .evaluate((/** @type {any} */ { table, rows }) => ({ data: [...table.data], rows }));
      const expected = await ask(
        page,
        { text: "sweet sorrow", stack },
        `const { parts } = await model.residual(given.text, { stack: given.stack });
        const [rows, columns, width] = parts.shape;
        const norms = Array.from({ length: rows * columns }, (_, at) => Math.hypot(...parts.data.subarray(at * width, (at + 1) * width)));
        return { norms, rows: parts.labels.component };`,
      );
      assert.deepEqual(drawn.rows, expected.rows);
      // The page adds squares in another order than hypot, and keeps f32.
      drawn.data.forEach((/** @type {number} */ value, /** @type {number} */ at) =>
        assert.ok(Math.abs(value - expected.norms[at]) <= 1e-6 * expected.norms[at], `cell ${at}`),
      );
    }
  });
});

/** What is said of how many tokens are likelier. @param {number} rank */
const wordsOfRank = (rank) =>
  rank === 0
    ? "the likeliest token"
    : `${formatCount(rank)} token${rank === 1 ? " was" : "s were"} likelier`;

test("ranks and entropies are those of tokenScores, a column for each token but the first", async () => {
  await visit(site, { path: "#prompt=sweet%20sorrow&view=log-probability" }, async (page) => {
    const expected = await ask(
      page,
      { text: "sweet sorrow" },
      "const { rank, entropy } = await model.tokenScores(given.text); return { rank: [...rank.data], entropy: [...entropy.data] };",
    );
    for (const name of /** @type {const} */ (["rank", "entropy"])) {
      await page.getByRole("button", { name, exact: true }).click();
      const columns = page.locator("token-losses");
      await eventually(async () =>
        assert.equal(await columns.evaluate((/** @type {any} */ element) => element.show), name),
      );
      const found = await columns.evaluate(
        (/** @type {any} */ { scores }, name) => [...scores[name].data],
        name,
      );
      assert.deepEqual(found, expected[name]);
      await columns.locator(".frame").press("ArrowRight");
      await columns.locator(".frame").press("ArrowRight");
      const shown = name === "rank" ? wordsOfRank(expected.rank[0]) : "entropy of its prediction";
      await eventually(async () =>
        assert.match(await columns.locator(".readout").innerText(), new RegExp(shown)),
      );
    }
  });
});
