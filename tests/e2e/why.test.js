// The views that say why: attribution, integrated gradients, circuits, composition and neurons. What is drawn is compared with the
// results of the public API, cell by cell, with the mouse and with the keyboard alone.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { DIST, eventually, figureState, settled, start, visit } from "./browser.js";
import {
  address,
  askModel,
  assertColours,
  byKeyboard,
  compute,
  elementCells,
  openView,
  openViewByKeyboard,
  pressTo,
  ready,
  setPrompts,
  shown,
} from "./lab-helpers.js";
import { models } from "./small-models.js";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("playwright-core").Locator} Locator */

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
before(async () => {
  site = await start(DIST, models);
});
after(async () => {
  await site?.stop();
});

/** The numbers that an element says with every digit. @param {string} text */
function exact(text) {
  const [, number] = /, ([−-]?[\d.]+(?:e[+−-]?\d+)?)/.exec(text) ?? [];
  return Number((number ?? "NaN").replaceAll("−", "-"));
}

/** Equal to seven digits, which are all that an f32 holds. @param {number} found @param {number} expected @param {string} what */
function assertSame(found, expected, what) {
  const tolerance = 1e-6 + 1e-5 * Math.abs(expected);
  assert.ok(Math.abs(found - expected) <= tolerance, `${what}: ${found}, expected ${expected}`);
}

/** The bars of a list: their keys, what they say, and where they are on their track. @param {Locator} list */
function bars(list) {
  return list.locator(".row").evaluateAll((rows) =>
    rows.map((row) => {
      const track = /** @type {Element} */ (row.querySelector(".track")).getBoundingClientRect();
      const bar = /** @type {Element} */ (row.querySelector(".bar")).getBoundingClientRect();
      const zero = /** @type {Element} */ (row.querySelector(".zero")).getBoundingClientRect();
      return {
        key: row.getAttribute("data-key") ?? "",
        says: row.getAttribute("aria-description") ?? "",
        left: bar.left - zero.left,
        right: bar.right - zero.left,
        track: track.width,
      };
    }),
  );
}

/** Each bar starts at zero, and its length is proportional to its value. @param {Awaited<ReturnType<typeof bars>>} rows @param {number[]} values */
function assertBars(rows, values) {
  assert.equal(rows.length, values.length);
  assert.ok(rows.length > 0, "there are bars");
  const range = Math.max(0, ...values) - Math.min(0, ...values);
  rows.forEach(({ says, left, right, track }, at) => {
    assertSame(exact(says), values[at], says);
    const length = (values[at] / range) * track;
    const [from, to] = [Math.min(0, length), Math.max(0, length)];
    assert.ok(
      Math.abs(left - from) < 1.6 && Math.abs(right - to) < 1.6,
      `${says}: drawn from ${left} to ${right}, expected ${from} to ${to}`,
    );
  });
}

/** A button of the open view. @param {Page} page @param {string} name */
const button = (page, name) =>
  page.locator("scope-figure section.view").getByRole("button", { name, exact: true });

/** @param {Page} page @param {string} name */
async function press(page, name) {
  await button(page, name).click();
  await ready(page);
}

/** The shares of the likeliest next token, as the API returns them. @param {Page} page @param {string} text @param {object} options */
function attribution(page, text, options) {
  return askModel(
    page,
    { text, options },
    `
    const { logits, ids } = await model.runWithCache(given.text);
    const row = logits.at({ batch: 0, pos: -1 }).data;
    const answer = row.indexOf(Math.max(...row));
    const { shares } = await model.attribution(given.text, { answer, ...given.options });
    return { answer, logit: row[answer], length: ids.data.length, values: [...shares.data], labels: shares.labels.component };`,
  );
}

test("attribution by component shows every share of the API, and that they add up to the logit", async () => {
  await visit(site, {}, async (page) => {
    await settled(page);
    await openView(page, "attribution");
    const { text } = await figureState(page);
    for (const layerNorm of ["frozen", "recomputed"]) {
      if (layerNorm === "recomputed") await press(page, "recomputed");
      const { values, labels, logit } = await attribution(page, text ?? "", { layerNorm });
      await eventually(async () => {
        const rows = await bars(page.locator("attribution-view bar-list.components"));
        assert.deepEqual(
          rows.map(({ key }) => key),
          labels,
        );
        assertBars(rows, values);
      });
      const said = page.locator("attribution-view .target");
      for (const part of ["logit", "sum"]) {
        const number = Number((await said.locator(`.${part}`).innerText()).replaceAll("−", "-"));
        assert.ok(Math.abs(number - logit) < 0.006, `${part} ${number}, logit ${logit}`);
      }
    }
    // Choosing a layer's MLP chooses the layer.
    await page.locator('attribution-view [data-key="3_mlp_out"]').click();
    await eventually(async () => assert.equal((await figureState(page)).layer, 3));
  });
});

test("attribution by head draws every head, and for the chosen one the source tokens, whose shares add up to the head's", async () => {
  await visit(site, {}, async (page) => {
    await settled(page);
    await openView(page, "attribution");
    await press(page, "head");
    const { text } = await figureState(page);
    const { answer, values, labels, length } = await attribution(page, text ?? "", { by: "head" });
    const shareOf = (/** @type {string} */ label) => values[labels.indexOf(label)];
    const heads = labels.filter((/** @type {string} */ label) => /^L\d+H\d+$/.test(label));
    const expected = heads.map(shareOf);
    const max = Math.max(...expected.map(Math.abs));
    const cells = await elementCells(page.locator("head-grid .cell"));
    assertColours(
      cells.map(({ background }) => background),
      expected,
      { max },
    );
    const said = await page
      .locator("head-grid .cell")
      .evaluateAll((all) => all.map((cell) => cell.getAttribute("aria-description") ?? ""));
    said.forEach((words, at) => assertSame(exact(words), expected[at], words));
    const sorted = [...heads].sort((a, b) => Math.abs(shareOf(b)) - Math.abs(shareOf(a)));
    const list = page.locator('attribution-view bar-list[label^="shares of heads"]');
    const rows = await bars(list);
    assert.deepEqual(
      rows.map(({ key }) => key),
      sorted.slice(0, 20),
    );
    assertBars(rows, sorted.slice(0, 20).map(shareOf));

    await page.locator('head-grid [data-layer="2"][data-head="3"]').click();
    await eventually(async () => {
      const { layer, head } = await figureState(page);
      assert.deepEqual([layer, head], [2, 3]);
    });
    await ready(page);
    const tokens = await page
      .locator("attribution-view signed-tokens .token")
      .evaluateAll((all) => all.map((token) => token.getAttribute("aria-description") ?? ""));
    assert.equal(tokens.length, length);
    const shares = tokens.map(exact);
    assertSame(
      shares.reduce((sum, share) => sum + share, 0),
      shareOf("L2H3"),
      "the sum",
    );
    // Each share again, in another way: z is that of one key alone, and the scale of the final LayerNorm stays.
    const keys = [0, 1, length - 2, length - 1];
    const alone = await askModel(
      page,
      { text, keys, answer },
      `
      const [at, scaleAt] = ["blocks.2.attn.hook_z", "ln_final.hook_scale"];
      const { cache } = await model.runWithCache(given.text, { names: [["pattern", 2], ["v", 2], scaleAt] });
      const row = cache.get(["pattern", 2]).at({ batch: 0, head: 3, query: -1 }).data;
      const scale = cache.get(scaleAt).at({ batch: 0, pos: -1 }).data[0];
      const shares = [];
      for (const key of given.keys) {
        const set = cache.get(["v", 2]).at({ batch: 0, head: 3, pos: key }).data.map((value) => value * row[key]);
        const interventions = [{ at, head: 3, positions: -1, do: { set: [...set] } }, { at: scaleAt, positions: -1, do: { set: scale } }];
        const { shares: all } = await model.attribution(given.text, { answer: given.answer, by: "head", interventions });
        shares.push(all.data[all.labels.component.indexOf("L2H3")]);
      }
      return shares;`,
    );
    keys.forEach((key, at) => assertSame(shares[key], alone[at], `key ${key}`));
    const largest = Math.max(...shares.map(Math.abs));
    const colours = await elementCells(page.locator("attribution-view signed-tokens .token"));
    assertColours(
      colours.map(({ background }) => background),
      shares,
      { max: largest },
    );
    const order = [...shares.keys()].sort((a, b) => Math.abs(shares[b]) - Math.abs(shares[a]));
    const sources = await bars(page.locator("attribution-view bar-list.by-source"));
    assert.deepEqual(
      sources.map(({ key }) => Number(key)),
      order.slice(0, 20),
    );
  });
});

test("a neuron is chosen in the attribution, and its most active places are those of the API", async () => {
  await visit(site, {}, async (page) => {
    await settled(page);
    await openView(page, "attribution");
    await press(page, "neuron");
    const { text } = await figureState(page);
    const { values, labels } = await attribution(page, text ?? "", { by: "neuron" });
    const all = labels
      .map((/** @type {string} */ label, /** @type {number} */ at) => ({
        label,
        value: values[at],
      }))
      .filter((/** @type {{ label: string }} */ { label }) => /N\d+$/.test(label))
      .sort((/** @type {any} */ a, /** @type {any} */ b) => Math.abs(b.value) - Math.abs(a.value));
    const list = page.locator('attribution-view bar-list[label^="shares of neurons"]');
    const rows = await bars(list);
    assertBars(
      rows,
      all.slice(0, 20).map((/** @type {any} */ { value }) => value),
    );
    assert.equal(rows[0].key, all[0].label);

    await list.locator(".row").first().click();
    await page.waitForFunction(
      () => /** @type {any} */ (document.querySelector("scope-figure")).view === "neurons",
    );
    await compute(page);
    const [layer, neuron] = all[0].label.match(/\d+/g).map(Number);
    assert.equal(
      await page.locator("neurons-view input[name=at]").inputValue(),
      `blocks.${layer}.mlp.hook_post`,
    );
    assert.equal(await page.locator("neurons-view input[name=index]").inputValue(), String(neuron));
    await press(page, "the text above");
    const expected = await askModel(
      page,
      { text, layer, neuron },
      `
      const at = "blocks." + given.layer + ".mlp.hook_post";
      const { position, value } = await model.mostActive({ at, index: given.neuron, texts: [given.text], count: 10 });
      const { cache } = await model.runWithCache(given.text, { names: [at] });
      const around = cache.get(at).at({ batch: 0 });
      const width = around.shape[1];
      return { positions: [...position.data], values: [...value.data], all: Array.from({ length: around.shape[0] }, (_, pos) => around.data[pos * width + given.neuron]) };`,
    );
    const places = await page.locator("neurons-view .place").evaluateAll((items) =>
      items.map((item) => {
        const tokens = /** @type {any} */ (item.querySelector("signed-tokens"));
        return {
          value: Number(item.getAttribute("data-value")),
          position: Number(item.getAttribute("data-position")),
          first: tokens.first,
          labels: [...tokens.renderRoot.querySelectorAll(".token")].map((token) =>
            token.getAttribute("aria-description"),
          ),
          marked: tokens.renderRoot.querySelector(".mark")?.getAttribute("aria-description"),
        };
      }),
    );
    assert.deepEqual(
      places.map(({ position }) => position),
      expected.positions,
    );
    assert.deepEqual(
      places.map(({ value }) => value),
      expected.values,
    );
    for (const { position, value, first, labels: said, marked } of places) {
      assertSame(exact(marked ?? ""), value, `the outlined token at ${position}`);
      said.forEach((label, at) =>
        assertSame(exact(label ?? ""), expected.all[first + at], label ?? ""),
      );
    }
    const max = Math.max(
      ...places.flatMap(({ labels: said }) => said.map((label) => Math.abs(exact(label ?? "")))),
    );
    const tokens = await elementCells(
      page.locator("neurons-view .place").first().locator("signed-tokens .token"),
    );
    assertColours(
      tokens.map(({ background }) => background),
      places[0].labels.map((label) => exact(label ?? "")),
      { max },
    );
  });
});

test("neurons searches the bundled excerpt in pieces, a pasted text, and other channels; what does not exist is said", async () => {
  await visit(site, {}, async (page) => {
    await settled(page);
    await openView(page, "neurons");
    await compute(page);
    assert.match(
      (await shown(page)).text,
      /among 1024 tokens \(the first of \d{4}\) of Macbeth.* in 4 pieces of at most 256 tokens/,
    );
    await press(page, "a text that you paste");
    assert.match((await shown(page)).text, /Paste a text into the box/);
    const pasted = "Now is the winter of our discontent made glorious summer by this sun of York.";
    await page.locator("neurons-view textarea").fill(pasted);
    await page.locator("neurons-view textarea").blur();
    await page.locator("neurons-view input[name=at]").fill("blocks.1.attn.hook_z");
    await page.locator("neurons-view input[name=at]").blur();
    await page.locator("neurons-view input[name=head]").fill("2");
    await page.locator("neurons-view input[name=head]").blur();
    await page.locator("neurons-view input[name=index]").fill("5");
    await page.locator("neurons-view input[name=index]").blur();
    await ready(page);
    const expected = await askModel(
      page,
      { pasted },
      `const { position, value } = await model.mostActive({ at: "blocks.1.attn.hook_z", head: 2, index: 5, texts: [given.pasted], count: 10 }); return { positions: [...position.data], values: [...value.data] };`,
    );
    await eventually(async () => {
      const places = await page
        .locator("neurons-view .place")
        .evaluateAll((items) =>
          items.map((item) => [
            Number(item.getAttribute("data-position")),
            Number(item.getAttribute("data-value")),
          ]),
        );
      assert.deepEqual(
        places,
        expected.positions.map((/** @type {number} */ at, /** @type {number} */ i) => [
          at,
          expected.values[i],
        ]),
      );
    });
    await page.locator("neurons-view input[name=at]").fill("blocks.1.attn.hook_pattern");
    await page.locator("neurons-view input[name=at]").blur();
    await ready(page);
    assert.match(
      (await shown(page)).text,
      /has no value for each position: its axes are batch head query key/,
    );
    await page.locator("neurons-view input[name=at]").fill("blocks.9.mlp.hook_post");
    await page.locator("neurons-view input[name=at]").blur();
    await ready(page);
    assert.match(
      (await shown(page)).text,
      /This model has no hook point blocks\.9\.mlp\.hook_post ?\. Its layers are 0 to 3\./,
    );
  });
});

test("integrated gradients shows the shares of the API, and the error in words", async () => {
  await visit(site, {}, async (page) => {
    await settled(page);
    await openView(page, "gradients");
    await compute(page);
    const { text } = await figureState(page);
    for (const metric of ["logit", "loss"]) {
      if (metric === "loss") {
        await press(page, "loss of the text");
        await compute(page);
      }
      const expected = await askModel(
        page,
        { text, isLoss: metric === "loss" },
        `
        const row = (await model.runWithCache(given.text)).logits.at({ batch: 0, pos: -1 }).data;
        const metric = given.isLoss ? { loss: true } : { answer: row.indexOf(Math.max(...row)) };
        const found = await model.integratedGradients(given.text, metric);
        return { ...found, shares: [...found.shares.data] };`,
      );
      const labels = await page
        .locator("gradients-view signed-tokens .token")
        .evaluateAll((all) => all.map((token) => token.getAttribute("aria-description") ?? ""));
      labels.forEach((label, at) => assertSame(exact(label), expected.shares[at], label));
      assert.equal(labels.length, expected.shares.length);
      const max = Math.max(...expected.shares.map(Math.abs));
      const cells = await elementCells(page.locator("gradients-view signed-tokens .token"));
      assertColours(
        cells.map(({ background }) => background),
        expected.shares,
        { max },
      );
      const order = [...expected.shares.keys()].sort(
        (a, b) => Math.abs(expected.shares[b]) - Math.abs(expected.shares[a]),
      );
      const rows = await bars(page.locator("gradients-view bar-list"));
      assert.deepEqual(
        rows.map(({ key }) => Number(key)),
        order.slice(0, 20),
      );
      const percent = Math.abs((100 * expected.error) / (expected.metric - expected.baseline));
      const { text: words } = await shown(page);
      const said = Number(/an error of [^,]*, ([\d.e+-]+) %/.exec(words)?.[1]);
      assert.ok(Math.abs(said - percent) <= 0.06 * percent, `${said} %, expected ${percent}`);
    }
    await press(page, "second prompt");
    assert.match((await shown(page)).text, /There is no second prompt yet/);
  });
});

test("a chosen answer less a wrong one, at a position, with the second prompt as the baseline", async () => {
  const [text, corrupted] = ["To be, or not to be", "To go, or not to go"];
  const chosen = { prompt: text, corrupted, answer: " the", against: " a", position: 4 };
  const options = { ...chosen, view: "gradients", "gradients.baseline": "corrupted" };
  await visit(site, { path: address(options) }, async (page) => {
    await settled(page);
    await compute(page);
    const expected = await askModel(
      page,
      { text, corrupted },
      `
      const options = { answer: " the", against: " a", position: 4 };
      const { shares, metric, baseline } = await model.integratedGradients(given.text, { ...options, baseline: given.corrupted });
      const { shares: parts } = await model.attribution(given.text, options);
      return { shares: [...shares.data], metric, baseline, parts: [...parts.data] };`,
    );
    const labels = await page
      .locator("gradients-view signed-tokens .token")
      .evaluateAll((all) => all.map((token) => token.getAttribute("aria-description") ?? ""));
    assert.equal(labels.length, expected.shares.length);
    labels.forEach((label, at) => assertSame(exact(label), expected.shares[at], label));
    assert.match((await shown(page)).text, /The logit of ·the less that of ·a after token 4 /);
    await openView(page, "attribution");
    const rows = await bars(page.locator("attribution-view bar-list.components"));
    assertBars(rows, expected.parts);
    assert.match((await shown(page)).text, /The logit of ·the less that of ·a after token 4 /);
  });
});

test("a long computation waits for the visitor, shows its progress and is cancelled, and the page stays usable", async () => {
  const path = address({ view: "gradients", "gradients.steps": 512 });
  await visit(site, { path }, async (page) => {
    await settled(page);
    await ready(page);
    assert.match((await shown(page)).text, /512 steps, about \d+ s/);
    await button(page, "Compute").click();
    await eventually(async () =>
      assert.match((await shown(page)).text, /[1-9]\d* of 512/, "the progress is shown"),
    );
    await button(page, "Cancel").click();
    await eventually(async () => assert.ok(await button(page, "Compute").isVisible()));
    assert.equal(await page.locator("gradients-view signed-tokens").count(), 0);
    await page.locator("gradients-view input[name=steps]").fill("4");
    await page.locator("gradients-view input[name=steps]").blur();
    await ready(page);
    assert.match((await shown(page)).text, /shares add up to/);
  });
});

test("OV and QK shows the tokens, the singular values and the eigenvalues of the API", async () => {
  await visit(site, {}, async (page) => {
    await settled(page);
    await openView(page, "circuits");
    const { layer, head } = await figureState(page);
    const expected = await askModel(
      page,
      { layer, head },
      `
      const found = await model.circuits({ layer: given.layer, head: given.head });
      const plain = {};
      for (const [name, value] of Object.entries(found)) plain[name] = value?.data ? [...value.data] : value;
      return { ...plain, shape: found.ovReads.shape };`,
    );
    const [count, , top] = expected.shape;
    const copying = Number(
      (await page.locator("circuits-view .copying").innerText()).replaceAll("−", "-"),
    );
    assert.ok(Math.abs(copying - expected.copyingScore) < 0.00051);
    const cells = await page.locator("circuits-view td").evaluateAll((all) =>
      all.map((cell) => {
        const { field, component, end } = /** @type {HTMLElement} */ (cell).dataset;
        return {
          ...{ field: field ?? "", component: Number(component), end: Number(end) },
          chips: [...cell.querySelectorAll(".chip")].map((chip) => chip.textContent ?? ""),
        };
      }),
    );
    assert.equal(cells.length, 4 * 2 * count);
    for (const { field, component, end, chips } of cells) {
      const from = (component * 2 + end) * top;
      const strings = expected[`${field}Strings`].slice(from, from + top);
      assert.equal(chips.length, top);
      chips.forEach((chip, at) => {
        if (/^[\w' .,]+$/.test(strings[at]) && strings[at].length < 15)
          assert.equal(chip, strings[at].replaceAll(" ", "·"), `${field} ${component} ${end}`);
      });
    }
    for (const [at, name] of /** @type {const} */ ([
      [0, "ov"],
      [1, "qk"],
    ])) {
      const singular = expected[`${name}SingularValues`];
      const columns = await page
        .locator("circuits-view value-columns")
        .nth(at)
        .evaluate((/** @type {any} */ element) =>
          [...element.renderRoot.querySelectorAll(".column")].map((rect) =>
            Number(rect.getAttribute("height")),
          ),
        );
      assert.equal(columns.length, singular.length);
      const [highest, largest] = [Math.max(...columns), Math.max(...singular)];
      columns.forEach((height, i) =>
        assert.ok(Math.abs(height / highest - singular[i] / largest) < 0.01, `singular value ${i}`),
      );
      const eigenvalues = expected[`${name}Eigenvalues`];
      const points = await page
        .locator("circuits-view complex-plane")
        .nth(at)
        .evaluate((/** @type {any} */ element) => {
          const { viewBox } = element.renderRoot.querySelector("svg");
          return [...element.renderRoot.querySelectorAll(".point")].map((point) => [
            Number(point.getAttribute("cx")) - viewBox.baseVal.width / 2,
            viewBox.baseVal.height / 2 - Number(point.getAttribute("cy")),
          ]);
        });
      assert.equal(points.length, eigenvalues.length / 2);
      const unit =
        Math.max(...points.flat().map(Math.abs)) / Math.max(...eigenvalues.map(Math.abs));
      points.forEach(([x, y], i) => {
        assert.ok(Math.abs(x - unit * eigenvalues[2 * i]) < 0.01, `real part ${i}`);
        assert.ok(Math.abs(y - unit * eigenvalues[2 * i + 1]) < 0.01, `imaginary part ${i}`);
      });
    }
  });
});

test("composition draws the strongest pairs of the API; hovering a head lights its lines, and a click chooses it", async () => {
  await visit(site, {}, async (page) => {
    await settled(page);
    await openView(page, "composition");
    for (const path of ["k", "v"]) {
      if (path === "v") await press(page, "V");
      const { shape, scores } = await askModel(
        page,
        { path },
        `const { scores } = await model.compositionScores({ path: given.path }); return { shape: scores.shape, scores: [...scores.data] };`,
      );
      const [layers, heads] = shape;
      /** @type {{ name: string, score: number, writer: string }[]} */
      const pairs = [];
      scores.forEach((/** @type {number} */ score, /** @type {number} */ at) => {
        const reader = at % heads;
        const to = Math.floor(at / heads) % layers;
        const writer = Math.floor(at / heads / layers) % heads;
        const from = Math.floor(at / heads / layers / heads);
        if (to > from)
          pairs.push({
            name: `${from}.${writer}-${to}.${reader}`,
            score,
            writer: `${from}.${writer}`,
          });
      });
      pairs.sort((a, b) => b.score - a.score);
      const strongest = pairs.slice(0, 40);
      const drawn = await page.locator("composition-lines").evaluate((/** @type {any} */ element) =>
        [...element.renderRoot.querySelectorAll(".line")].map((line) => ({
          name: line.getAttribute("data-line"),
          width: Number(line.getAttribute("stroke-width")),
        })),
      );
      assert.deepEqual(
        new Set(drawn.map(({ name }) => name)),
        new Set(strongest.map(({ name }) => name)),
      );
      const [baseline, max] = [1 / 16, strongest[0].score];
      for (const { name, width } of drawn) {
        const { score } = strongest.find((pair) => pair.name === name) ?? { score: NaN };
        const share = Math.max(0, (score - baseline) / (max - baseline));
        assert.ok(Math.abs(width - (0.6 + 4.4 * share)) < 0.006, `${name}: ${width}`);
      }
      const rows = await bars(page.locator("composition-view bar-list"));
      assert.deepEqual(
        rows.map(({ key }) => key),
        strongest.map(({ name }) => name),
      );
      rows.forEach(({ says }, at) => assertSame(exact(says), strongest[at].score, says));
      assert.equal(Number(await page.locator("composition-view .baseline").innerText()), 0.0625);
      await page.locator('composition-lines .node[data-layer="0"][data-head="1"]').hover();
      const lit = await page
        .locator("composition-lines .line.writes")
        .evaluateAll((lines) => lines.map((line) => line.getAttribute("data-line")));
      assert.deepEqual(
        new Set(lit),
        new Set(
          pairs
            .filter(({ writer }) => writer === "0.1")
            .slice(0, 8)
            .map(({ name }) => name),
        ),
      );
      await page.mouse.move(5, 5);
    }
    await page.locator('composition-lines .node[data-layer="2"][data-head="1"]').click();
    await eventually(async () => {
      const { layer, head } = await figureState(page);
      assert.deepEqual([layer, head], [2, 1]);
    });
  });
});

test("all five views are used with the keyboard alone", async () => {
  await visit(site, {}, async (page) => {
    await settled(page);
    await byKeyboard(page, async () => {
      await openViewByKeyboard(page, "attribution");
      await pressTo(page, ({ name, path }) => name === "head" && path.includes("attribution-view"));
      await page.keyboard.press("Enter");
      await ready(page);
      await pressTo(page, ({ path }) => path.includes("head-grid"));
      const before = await figureState(page);
      await page.keyboard.press("Home");
      await page.keyboard.press(before.layer === 0 ? "ArrowDown" : "ArrowUp");
      await page.keyboard.press("Enter");
      await eventually(async () => {
        const { layer, head } = await figureState(page);
        assert.deepEqual([layer, head], [before.layer === 0 ? 1 : (before.layer ?? 0) - 1, 0]);
      });
      await ready(page);
      await pressTo(page, ({ path }) => path.includes("signed-tokens"));
      await page.keyboard.press("Home");
      await eventually(async () =>
        assert.match(
          await page.locator("attribution-view signed-tokens .readout").innerText(),
          /^token 0 .*logits$/,
        ),
      );
      await pressTo(
        page,
        ({ name, path }) => name === "neuron" && path.includes("attribution-view"),
        { key: "Shift+Tab" },
      );
      await page.keyboard.press("Enter");
      await ready(page);
      await pressTo(page, ({ path, role }) => path.includes("bar-list") && role === "option");
      await page.keyboard.press("ArrowDown");
      await page.keyboard.press("Enter");
      await page.waitForFunction(
        () => /** @type {any} */ (document.querySelector("scope-figure")).view === "neurons",
      );
      await ready(page);
    });
    await byKeyboard(page, async () => {
      await openViewByKeyboard(page, "gradients");
      if (await button(page, "Compute").isVisible()) {
        await pressTo(page, ({ name, path }) => name === "Compute" && path.includes("gradients"));
        await page.keyboard.press("Enter");
      }
      await ready(page);
      await pressTo(page, ({ path }) => path.includes("signed-tokens"));
      await page.keyboard.press("Home");
      await eventually(async () =>
        assert.match(
          await page.locator("gradients-view signed-tokens .readout").innerText(),
          /^token 0 .*logits$/,
        ),
      );
      await page.keyboard.press("Escape");
      await openViewByKeyboard(page, "circuits");
      await pressTo(page, ({ path }) => path.includes("value-columns"));
      await page.keyboard.press("ArrowRight");
      await eventually(async () =>
        assert.match(
          await page.locator("circuits-view value-columns .readout").first().innerText(),
          /^singular value 1: [\d.]+$/,
        ),
      );
      await pressTo(page, ({ path }) => path.includes("complex-plane"));
      await page.keyboard.press("End");
      await eventually(async () =>
        assert.match(
          await page.locator("circuits-view complex-plane .readout").first().innerText(),
          /^eigenvalue 63: /,
        ),
      );
    });
    await byKeyboard(page, async () => {
      await openViewByKeyboard(page, "composition");
      await pressTo(page, ({ path }) => path.includes("composition-lines"));
      await page.keyboard.press("End");
      await page.keyboard.press("Enter");
      await eventually(async () => assert.equal((await figureState(page)).head, 3));
      await eventually(async () =>
        assert.match(
          await page.locator("composition-lines .readout").innerText(),
          /^head \d\.3 (writes|reads) most/,
        ),
      );
    });
  });
});

test("a model with attention only has no neurons, and the views say so", async () => {
  await visit(
    site,
    { path: "#model=models/attention-only&ids=5,6,7,5,6", expect: /404/ },
    async (page) => {
      await settled(page);
      await openView(page, "attribution");
      await press(page, "neuron");
      assert.match((await shown(page)).text, /This model has no MLPs, so it has no neurons/);
      await press(page, "head");
      assert.match((await shown(page)).text, /shares add up to/);
      await openView(page, "neurons");
      await compute(page);
      assert.match((await shown(page)).text, /blocks\.0\.attn\.hook_z, head 0, index 0/);
      await openView(page, "circuits");
      assert.match(
        (await shown(page)).text,
        /The model has no tokenizer, so tokens are shown as ids/,
      );
      assert.match(await page.locator("circuits-view td").first().innerText(), /⟨\d+⟩/);
    },
  );
});

test("values that are not finite are striped and said, and the views stay usable", async () => {
  const path = address({
    ...{ model: "models/broken", view: "attribution", "attribution.by": "head" },
    prompt: "the moon and the stars and the sun",
  });
  await visit(site, { path }, async (page) => {
    await settled(page);
    await ready(page);
    assert.match(
      (await shown(page)).text,
      /are not finite, so no token is the likeliest: choose an answer/,
    );
    await setPrompts(page, { answer: " the" });
    await ready(page);
    assert.match(
      (await shown(page)).text,
      /is not a number \. \d+ of the shares are not finite, so they have no sum/,
    );
    const cells = await page
      .locator("head-grid .cell")
      .evaluateAll((all) => all.map((cell) => getComputedStyle(cell).backgroundImage));
    assert.equal(cells.length, 16);
    for (const image of cells) assert.match(image, /repeating-linear-gradient/);
    await openView(page, "neurons");
    await compute(page);
    assert.match(
      (await shown(page)).text,
      /There is no largest value of .* 1024 of the values are infinite or not a number/,
    );
    await page.locator("#prompt").fill("the moon");
    await settled(page);
    await openView(page, "attribution");
    assert.match((await shown(page)).text, /The 27 shares add up to/);
  });
});
