// The views of attention and of heads: what they draw is what the API returns, by mouse and by keyboard.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { levelOf, valuesOf } from "../../www/draw/scale.ts";
import { drawn, eventually, figureState, start, visit } from "./browser.js";
import { address, askModel, assertColours, canvasCells, openView, ready } from "./lab-helpers.js";

/** @typedef {import("playwright-core").Page} Page */

const PROMPT = "To be, or not to be: that is the question. To be, or not to be";
const [LAYER, HEAD] = [1, 1];

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
before(async () => {
  site = await start();
});
after(() => site.stop());

/** @param {Record<string, unknown>} state @param {object} options @param {(page: Page) => Promise<void>} act */
function open(state, options, act) {
  const path = address({ prompt: PROMPT, layer: LAYER, head: HEAD, ...state });
  return visit(site, { path, ...options }, async (page) => {
    await ready(page);
    await act(page);
  });
}

/** What a run captures at a hook point of a layer. @param {Page} page @param {string} name @param {object} [options] @returns {Promise<{ data: number[], shape: number[] }>} */
const captured = (page, name, options = {}) =>
  askModel(
    page,
    { prompt: PROMPT, name, options },
    `const { cache } = await model.runWithCache(given.prompt, { names: [given.name], ...given.options });
     const { data, shape } = cache.get(given.name); return { data: [...data], shape };`,
  );
const point = (/** @type {string} */ name, layer = LAYER) => `blocks.${layer}.attn.hook_${name}`;

/** One head's rows of a pattern or of scores. @param {{ data: number[], shape: number[] }} tensor @param {number} head */
function rowsOf({ data, shape: [, , queries, keys] }, head) {
  return Array.from({ length: queries }, (_, query) =>
    data.slice((head * queries + query) * keys, (head * queries + query + 1) * keys),
  );
}

/** The drawn lines. @param {Page} page @param {string} group @returns {Promise<Record<"head" | "query" | "key" | "opacity", number>[]>} */
const linesIn = (page, group) =>
  page.locator(`attention-lines .${group} line`).evaluateAll((lines) =>
    lines.map((line) => {
      const { head, query, key } = /** @type {SVGElement} */ (line).dataset;
      return {
        head: Number(head),
        query: Number(query),
        key: Number(key),
        opacity: Number(line.getAttribute("stroke-opacity")),
      };
    }),
  );

/** Lines are the visible edges of a pattern. @param {Awaited<ReturnType<typeof linesIn>>} lines @param {number[][][]} patterns by head @param {(query: number, key: number) => boolean} [isIn] */
function assertLines(lines, patterns, isIn = () => true) {
  let count = 0;
  patterns.forEach((rows, head) => {
    rows.forEach((row, query) => {
      row.forEach((value, key) => {
        if (!(value >= 1 / 510) || !isIn(query, key)) return;
        count += 1;
        const line = lines.find(
          (one) => one.head === head && one.query === query && one.key === key,
        );
        assert.ok(line && Math.abs(line.opacity - value) < 1e-6, `${head}: ${query} → ${key}`);
      });
    });
  });
  assert.equal(lines.length, count, "no line without attention");
  assert.ok(count > 0);
}

test("each line is an edge of the pattern, of one head or of several", async () => {
  await open({ view: "lines" }, {}, async (page) => {
    const pattern = await captured(page, point("pattern"));
    const heads = [0, 1, 2, 3].map((head) => rowsOf(pattern, head));
    const only = (/** @type {number[]} */ shown) =>
      heads.map((rows, head) => (shown.includes(head) ? rows : []));
    assertLines(await linesIn(page, "all"), only([1]));
    await page.locator('attention-lines [data-side="query"][data-at="9"]').hover();
    await eventually(async () =>
      assertLines(await linesIn(page, "lit"), only([1]), (query) => query === 9),
    );
    await page.locator('attention-lines [data-side="key"][data-at="3"]').hover();
    await eventually(async () =>
      assertLines(await linesIn(page, "lit"), only([1]), (_, key) => key === 3),
    );
    await page.mouse.move(5, 5);
    await page.getByRole("button", { name: "1.3", exact: true }).click();
    await eventually(async () => assertLines(await linesIn(page, "all"), only([1, 3])));
    await eventually(() => assert.match(page.url(), /lines\.heads=1(,|%2C)3/));
    await page.getByRole("button", { name: "all", exact: true }).click();
    await eventually(async () => assertLines(await linesIn(page, "all"), heads));
    await page.getByRole("button", { name: "only the chosen head" }).click();
    await eventually(async () => assertLines(await linesIn(page, "all"), only([1])));
  });
});

test("lines are reached, locked and released with the keyboard", async () => {
  await open({ view: "lines" }, {}, async (page) => {
    const { count = 0 } = await figureState(page);
    await page.locator("attention-lines .board").focus();
    await page.keyboard.press("End");
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("Enter");
    await eventually(async () =>
      assert.deepEqual((await figureState(page)).lock, { query: count - 2 }),
    );
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Home");
    await eventually(async () => {
      const readout = await page.locator("attention-lines .readout").innerText();
      assert.match(readout, /→ key 0 To$/);
    });
    await page.keyboard.press("Escape");
    await eventually(async () => assert.equal((await figureState(page)).lock, null));
  });
});

test("products, sums, scores and softmax are those of the run", async () => {
  await open({ view: "products" }, {}, async (page) => {
    await page.locator('token-strip [data-position="12"]').click();
    await page.getByRole("button", { name: "← previous token" }).click();
    await ready(page);
    const query = 11;
    await eventually(async () => assert.deepEqual((await figureState(page)).lock, { query }));
    const [q, k, scores, pattern] = await Promise.all(
      ["q", "k", "attn_scores", "pattern"].map((name) => captured(page, point(name))),
    );
    const [, , heads, width] = q.shape;
    const vector = (/** @type {{ data: number[] }} */ { data }, /** @type {number} */ at) =>
      data.slice((at * heads + HEAD) * width, (at * heads + HEAD + 1) * width);
    const element = page.locator("query-key-products");
    const { rows, maxima, cell } = await element.evaluate((/** @type {any} */ one) => ({
      rows: one.rows.slice(one.visible.from, one.visible.end),
      maxima: { vectors: one.maxima.vectors, products: one.maxima.products },
      cell: one.geometry.across.cell,
    }));
    assert.deepEqual(rows, [...Array(query + 1).keys()]);
    const grid = { columns: width, cell, height: 18 };
    const own = vector(q, query);
    const products = rows.flatMap((/** @type {number} */ key) =>
      vector(k, key).map((value, dim) => value * own[dim]),
    );
    const colours = await canvasCells(element.locator("canvas.products"), {
      ...grid,
      rows: rows.length,
    });
    assertColours(colours, products, { max: maxima.products });
    const colourOfQuery = await canvasCells(element.locator("canvas.q"), { ...grid, rows: 1 });
    assertColours(colourOfQuery, own, { max: maxima.vectors });
    const other = element.getByRole("button", { name: "keys instead of products" });
    await other.click();
    const keys = rows.flatMap((/** @type {number} */ key) => vector(k, key));
    await eventually(async () => {
      const shown = { ...grid, rows: rows.length };
      assertColours(await canvasCells(element.locator("canvas.k"), shown), keys, {
        max: maxima.vectors,
      });
    });
    await other.click();
    const written = await element
      .locator(".values .numbers")
      .evaluateAll((all) =>
        all.map((one) => [...one.children].map((part) => part.textContent ?? "")),
      );
    const [score, weight] = [scores, pattern].map((tensor) => rowsOf(tensor, HEAD)[query]);
    const near = (/** @type {string} */ text, /** @type {number} */ value, share = 1e-3) => {
      const number = Number(text.replaceAll("−", "-"));
      assert.ok(
        Math.abs(number - value) <= share * Math.max(1, Math.abs(value)),
        `${text}: ${value}`,
      );
    };
    written.forEach(([sum, quotient, softmax], key) => {
      near(sum, score[key] * 8);
      near(quotient, score[key]);
      near(softmax, weight[key], 0.0051);
    });
    assert.equal(await element.locator(".notice").count(), 0, "no intervention changed a score");
    // The exact numbers, by mouse and by keyboard.
    const box = await element.locator("canvas.products").boundingBox();
    await page.mouse.move((box?.x ?? 0) + 4.5 * cell, (box?.y ?? 0) + 3 * 18 + 9);
    await eventually(async () => {
      const readout = await element.locator(".readout").innerText();
      const numbers = [own[4], vector(k, 3)[4]].map((one) => String(Number(one.toPrecision(7))));
      for (const one of numbers) assert.ok(readout.includes(one.replace("-", "−")), readout);
      assert.match(readout, /dimension 4.*key 3 /s);
    });
    await element.locator(".board").focus();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.mouse.move(5, 5);
    await eventually(async () =>
      assert.match(await element.locator(".readout").innerText(), /dimension 4.*key 4 /s),
    );
    await element.getByRole("button", { name: "strongest first" }).click();
    const strongest = weight
      .slice(0, query + 1)
      .map((value, key) => ({ value, key }))
      .sort((a, b) => b.value - a.value);
    await eventually(async () =>
      assert.equal(
        await element.locator(".values .numbers").first().getAttribute("data-key"),
        String(strongest[0].key),
      ),
    );
  });
});

test("scores that an intervention changed are said to be no sums of products", async () => {
  const interventions = [
    { at: point("attn_scores"), head: HEAD, do: { knockOut: [{ query: 11, key: 0 }] } },
  ];
  await open({ view: "products", interventions }, {}, async (page) => {
    await page.locator('token-strip [data-position="11"]').click();
    const notice = page.locator("query-key-products .notice").first();
    await eventually(async () =>
      assert.match(
        await notice.innerText(),
        /^At 1 of 12 keys the score is not the sum .* 0 To −∞/,
      ),
    );
    assert.equal(await page.locator("query-key-products .numbers.changed").first().count(), 1);
  });
});

/** The drawn values, as shares of the scale's end, are these. @param {Page} page @param {number[][]} rows @param {number} max */
async function assertPattern(page, rows, max) {
  const { colours, count } = await drawn(page);
  assert.equal(count, rows.length);
  rows.forEach((row, query) => {
    for (let key = 0; key < count; key++) {
      const [red, green, blue, alpha] = colours[query * count + key];
      if (key > query) assert.equal(alpha, 0, "masked");
      else {
        const [low, high] = valuesOf(levelOf([red, green, blue], "light"), "linear");
        const share = row[key] / max;
        assert.ok(share >= low - 2e-5 && share <= high + 2e-5, `${query} → ${key}: ${share}`);
      }
    }
  });
}

test("weighted attention is the pattern times the norm of what the head would write", async () => {
  await open({ view: "attention", "attention.show": "value-weighted" }, {}, async (page) => {
    const rows = rowsOf(await captured(page, point("pattern")), HEAD);
    const { length } = rows;
    // With the identity as its pattern, a head writes v W_O at each position.
    const identity = Array.from({ length: length ** 2 }, (_, at) =>
      Number(at % length === Math.floor(at / length)),
    );
    const set = { shape: [length, length], data: identity };
    const interventions = [{ at: point("pattern"), head: HEAD, do: { set } }];
    const written = await captured(page, point("result"), { interventions });
    const values = await captured(page, point("v"));
    const normsOf = (/** @type {{ data: number[], shape: number[] }} */ { data, shape }) =>
      Array.from({ length }, (_, at) => {
        const from = (at * shape[2] + HEAD) * shape[3];
        return Math.hypot(...data.slice(from, from + shape[3]));
      });
    const weighted = (/** @type {number[]} */ norms) =>
      rows.map((row) => row.map((weight, key) => weight * norms[key]));
    const byResult = weighted(normsOf(written));
    await eventually(() => assertPattern(page, byResult, Math.max(...byResult.flat())));
    assert.match(await page.locator("attention-view .says").innerText(), /‖v W_O‖.*Kobayashi/s);
    await page.getByRole("button", { name: "‖v‖" }).click();
    await ready(page);
    const byValue = weighted(normsOf(values));
    await eventually(() => assertPattern(page, byValue, Math.max(...byValue.flat())));
    await page.getByRole("button", { name: "pattern", exact: true }).last().click();
    await eventually(() => assertPattern(page, rows, 1));
  });
});

test("the rollout multiplies the layers, and is called no head's pattern", async () => {
  await open({ view: "attention", "attention.show": "rollout" }, {}, async (page) => {
    const layers = await Promise.all([0, 1].map((at) => captured(page, point("pattern", at))));
    const [, heads, length] = layers[0].shape;
    let rollout = Array.from({ length }, (_, row) =>
      Array.from({ length }, (_, column) => Number(row === column)),
    );
    for (const pattern of layers) {
      const all = Array.from({ length: heads }, (_, head) => rowsOf(pattern, head));
      const mixed = rollout.map((_, row) =>
        rollout.map(
          (_, column) =>
            all.reduce((sum, rows) => sum + rows[row][column], 0) / heads / 2 +
            Number(row === column) / 2,
        ),
      );
      const former = rollout;
      rollout = mixed.map((row) =>
        row.map((_, column) => row.reduce((sum, one, at) => sum + one * former[at][column], 0)),
      );
    }
    await eventually(() => assertPattern(page, rollout, 1));
    assert.match(
      await page.locator("attention-view h2").innerText(),
      /Rollout up to layer 1, not a head's pattern/,
    );
  });
});

test("the lens shows the number that is chosen, at the point that is chosen", async () => {
  const answer = " question";
  await open(
    { view: "lens", "lens.show": "kl", "lens.of": "attn_out", answer },
    {},
    async (page) => {
      const lens = await askModel(
        page,
        { prompt: PROMPT, answer },
        `const lens = await model.logitLens(given.prompt, { of: "attn_out", answer: given.answer });
       return Object.fromEntries(["kl", "answerProbability", "answerRank", "nextProbability"].map((name) => [name, { data: [...lens[name].data], shape: lens[name].shape }]));`,
      );
      const cells = () =>
        page.locator("logit-lens .cell[data-layer]").evaluateAll((all) =>
          all.map((cell) => {
            const { layer, position } = /** @type {HTMLElement} */ (cell).dataset;
            const [number, rank] = (cell.textContent ?? "").split("#");
            return { layer: Number(layer), position: Number(position), number, rank };
          }),
        );
      const check = async (/** @type {string} */ name, /** @type {number} */ tolerance) => {
        const { data, shape } = lens[name];
        const all = await cells();
        assert.ok(
          all.some(({ position }) => position === lens.kl.shape[1] - 1),
          "it opens at the end",
        );
        for (const { layer, position, number } of all) {
          if (position >= shape[1]) assert.equal(number, "–");
          else {
            const value = data[layer * shape[1] + position];
            const error = Math.abs(Number(number.replaceAll("−", "-")) - value);
            assert.ok(
              error <= tolerance * Math.max(1, value),
              `${name} ${layer} ${position}: ${number}`,
            );
          }
        }
        return all;
      };
      await eventually(() => check("kl", 0.0051));
      await page.getByRole("button", { name: /^answer/ }).click();
      await eventually(async () => {
        for (const { layer, position, rank } of await check("answerProbability", 0.0051))
          assert.equal(Number(rank), lens.answerRank.data[layer * lens.kl.shape[1] + position] + 1);
      });
      await page.getByRole("button", { name: "true next token" }).click();
      await eventually(() => check("nextProbability", 0.0051));
      await page.locator('logit-lens [data-layer="2"]').last().hover();
      await eventually(async () => {
        const detail = await page.locator("logit-lens .detail").innerText();
        assert.match(detail, /From what the attention of L2 writes/);
        assert.match(detail, /The answer .*question has rank/);
      });
    },
  );
});

test("scores can be filtered, sorted and chosen in a table and in a scatter", async () => {
  await open({ view: "heads", "heads.as": "table" }, {}, async (page) => {
    const { data, names } = await askModel(
      page,
      { prompt: PROMPT },
      "const { scores } = await model.headScores(given.prompt); return { data: [...scores.data], names: scores.labels.score };",
    );
    const score = (/** @type {string} */ name, /** @type {number} */ at) =>
      data[names.indexOf(name) * 16 + at];
    const byScore = (/** @type {string} */ name, sign = -1) =>
      [...Array(16).keys()].sort((a, b) => sign * (score(name, a) - score(name, b)));
    const rows = () =>
      page.locator("head-table tbody tr").evaluateAll((all) =>
        all.map((row) => {
          const { layer, head } = /** @type {HTMLElement} */ (row).dataset;
          const numbers = [...row.children].slice(2).map((cell) => Number(cell.textContent));
          return { at: 4 * Number(layer) + Number(head), numbers };
        }),
      );
    await eventually(async () => {
      const found = await rows();
      assert.deepEqual(
        found.map(({ at }) => at),
        byScore("induction"),
      );
      for (const { at, numbers } of found)
        names.forEach((/** @type {string} */ name, /** @type {number} */ column) =>
          assert.ok(Math.abs(numbers[column] - score(name, at)) <= 5e-4),
        );
    });
    await page.locator("head-table").getByRole("button", { name: "previous token" }).click();
    await eventually(async () =>
      assert.deepEqual(
        (await rows()).map(({ at }) => at),
        byScore("previous_token"),
      ),
    );
    await page.locator("scores-view select[name=layer]").selectOption("1");
    await page.locator("scores-view input[name=minimum]").fill("0.1");
    await page.locator("scores-view input[name=minimum]").press("Enter");
    const kept = [4, 5, 6, 7].filter((at) => score("induction", at) >= 0.1);
    await eventually(async () =>
      assert.deepEqual(
        (await rows()).map(({ at }) => at).sort((a, b) => a - b),
        kept,
      ),
    );
    await page.locator("scores-view input[name=minimum]").fill("0");
    await page.locator("scores-view input[name=minimum]").press("Enter");
    await page.locator("scores-view select[name=layer]").selectOption("");
    await page.getByRole("button", { name: "scatter", exact: true }).click();
    const scatter = page.locator("head-scatter");
    const places = () =>
      scatter.locator("circle").evaluateAll((all) =>
        all.map((circle) => {
          const { layer, head } = /** @type {HTMLElement} */ (/** @type {unknown} */ (circle))
            .dataset;
          const at = 4 * Number(layer) + Number(head);
          return { at, x: Number(circle.getAttribute("cx")), y: Number(circle.getAttribute("cy")) };
        }),
      );
    await eventually(async () => {
      const found = await places();
      assert.equal(found.length, 16);
      // Points lie on one straight line of pixels against scores, for each axis.
      const scale = (/** @type {"x" | "y"} */ axis, /** @type {string} */ name) => {
        const [a, b] = [0, 1].map((end) => found.find(({ at }) => at === byScore(name).at(-end)));
        if (!a || !b) throw new Error("no points");
        const slope = (a[axis] - b[axis]) / (score(name, a.at) - score(name, b.at));
        for (const one of found) {
          const expected = b[axis] + slope * (score(name, one.at) - score(name, b.at));
          assert.ok(Math.abs(one[axis] - expected) < 0.01, `${name} ${one.at}`);
        }
        return slope;
      };
      assert.ok(scale("x", "previous_token") > 0);
      assert.ok(scale("y", "induction") < 0, "upwards");
    });
    // By keyboard: the head farthest to the right is the most a previous-token head.
    await scatter.locator('circle[tabindex="0"]').focus();
    await page.keyboard.press("End");
    await page.keyboard.press("Enter");
    const [most] = byScore("previous_token");
    await eventually(async () => {
      const { view, layer, head } = await figureState(page);
      assert.deepEqual([view, layer, head], ["attention", Math.floor(most / 4), most % 4]);
    });
  });
});

test("on a phone the heads are a strip with the chosen head in view", async () => {
  await open({ view: "lines", layer: 3, head: 2 }, { width: 390, height: 844 }, async (page) => {
    const heads = page.locator("attention-heads");
    const isInView = (/** @type {string} */ name) =>
      heads.evaluate((/** @type {any} */ element, name) => {
        const [layer, head] = name.split(".");
        const grid = element.renderRoot.querySelector(".grid").getBoundingClientRect();
        const cell = element.renderRoot
          .querySelector(`[data-layer="${layer}"][data-head="${head}"]`)
          .getBoundingClientRect();
        return cell.left >= grid.left - 1 && cell.right <= grid.right + 1 && grid.height < 90;
      }, name);
    await eventually(async () => assert.ok(await isInView("3.2")));
    await heads.locator('[data-layer="3"][data-head="2"]').focus();
    for (let press = 0; press < 3; press++) await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("Enter");
    await eventually(async () => {
      const { layer, head } = await figureState(page);
      assert.deepEqual([layer, head], [2, 3]);
    });
    await eventually(async () => assert.ok(await isInView("2.3")));
  });
});

test("texts of one and of two tokens are drawn small, and nothing untrue is said of them", async () => {
  for (const [prompt, words] of /** @type {[string, RegExp][]} */ ([
    ["To", /can attend only to the one token that there is/],
    ["To be", /gives \d\.\d\d of the second token's attention to the first token/],
  ])) {
    await open({ prompt, view: "attention" }, {}, async (page) => {
      await eventually(async () => {
        const says = await page.locator("attention-view .says").innerText();
        assert.match(says, words);
        assert.doesNotMatch(says, /most like|0\.00 of its/);
      });
      const { cell } = await drawn(page);
      assert.ok(cell <= 56);
      for (const view of ["lines", "products", "lens", "heads"]) {
        await openView(page, view);
        await eventually(async () => assert.equal((await figureState(page)).view, view));
        await ready(page);
      }
    });
  }
});

test("a long text opens at its last tokens, and all can be shown", async () => {
  const hook = "blocks.1.hook_resid_post";
  const prompt = `${PROMPT} `.repeat(6).trim();
  const state = { view: "activations", hook, prompt, "activations.limits": "all" };
  await open(state, {}, async (page) => {
    const element = page.locator("tensor-view");
    const value = await askModel(
      page,
      { prompt, hook },
      "const { cache } = await model.runWithCache(given.prompt, { names: [given.hook] }); const { data, shape } = cache.get(given.hook); return { data: [...data], shape };",
    );
    const [, count, width] = value.shape;
    const drawnRows = async (/** @type {number} */ first) => {
      const { geometry, visible, max } = await element.evaluate((/** @type {any} */ one) => ({
        ...{ geometry: one.geometry, visible: one.visible, max: one.maxAbs },
      }));
      assert.deepEqual(visible, { first, count: 64 });
      const { across, down } = geometry;
      assert.deepEqual([across.factor, down.factor], [1, 1]);
      const grid = { rows: 64, columns: width, cell: across.cell, height: down.cell };
      const cells = await canvasCells(element.locator("canvas.cells"), grid);
      assertColours(cells, value.data.slice(first * width, (first + 64) * width), { max });
    };
    await eventually(() => drawnRows(count - 64));
    assert.ok(
      (await element.locator(".window", { hasText: "Tokens" }).innerText()).includes(
        `Tokens ${count - 64} to ${count - 1} of ${count} are shown.`,
      ),
    );
    await element.getByRole("button", { name: "↑ earlier" }).click();
    await eventually(() => drawnRows(count - 96));
    await element.locator(".plot").focus();
    for (let press = 0; press < 13; press++) await page.keyboard.press("Shift+ArrowUp");
    await eventually(() => drawnRows(count - 33 - 65));
    await element.getByRole("button", { name: "all tokens" }).click();
    await eventually(async () => {
      const visible = await element.evaluate((/** @type {any} */ one) => one.visible);
      assert.deepEqual(visible, { first: 0, count });
    });
  });
});

test("the similarity of each head to the chosen one is the model's", async () => {
  const state = {
    view: "heads",
    "heads.as": "table",
    "heads.measure": "abs",
    "heads.sort": "similarity",
  };
  await open(state, {}, async (page) => {
    const similarity = await askModel(
      page,
      { prompt: PROMPT, name: point("pattern"), head: HEAD },
      `const { cache } = await model.runWithCache(given.prompt, { names: [given.name] });
       const { data, shape: [length] } = cache.get(given.name).at({ batch: 0, head: given.head });
       const pattern = Array.from({ length }, (_, row) => data.slice(row * length, (row + 1) * length));
       return [...(await model.headScores(given.prompt, { pattern, measure: "abs" })).similarity.data];`,
    );
    await eventually(async () => {
      const rows = await page.locator("head-table tbody tr").evaluateAll((all) =>
        all.map((row) => {
          const { layer, head } = /** @type {HTMLElement} */ (row).dataset;
          return [
            4 * Number(layer) + Number(head),
            Number(row.lastElementChild?.textContent?.replaceAll("−", "-")),
          ];
        }),
      );
      assert.equal(rows.length, 16);
      assert.equal(rows[0][0], 4 * LAYER + HEAD, "the head itself is the most similar");
      for (const [at, value] of rows) assert.ok(Math.abs(value - similarity[at]) < 5e-4);
    });
    await page.locator("scores-view select[name=measure]").selectOption("none");
    await eventually(async () =>
      assert.equal(await page.locator("head-table thead th").count(), 5, "the column is gone"),
    );
  });
});
