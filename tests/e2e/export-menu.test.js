// The export menu of the page: each file has the numbers that the public API returns for the text, and nothing of another text.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { strFromU8, unzipSync } from "fflate";

import { readWithPython } from "../tools/exports.js";
import { VIEWS } from "../../www/elements/views/index.ts";
import { eventually, settled, start, visit } from "./browser.js";
import {
  address,
  askModel,
  byKeyboard,
  compute,
  focused,
  pressTo,
  ready,
  TWO_PROMPTS,
  VIEW_NAMES,
} from "./lab-helpers.js";

/** @typedef {import("playwright-core").Page} Page */

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
before(async () => {
  site = await start();
});
after(() => site.stop());

const TEXT = "the moon and the moon\nthe";
/** The patterns of later layers differ from those without it. */
const OFF = [{ at: "blocks.0.attn.hook_z", head: 1, do: "zero" }];

/** Opens the page on a state, with its results, and the menu with its sizes. @param {Page} page */
async function openMenu(page) {
  await settled(page);
  await compute(page);
  await page.locator("#share").click();
  await page.locator("export-menu button[name=npz]").waitFor();
  await page
    .locator("export-menu")
    .getByText(/\d k?B$/)
    .first()
    .waitFor();
}

/** The menu's entries by name. @param {Page} page @returns {Promise<Record<string, { size: string | null, absent: string | null }>>} */
function entries(page) {
  return page
    .locator("export-menu")
    .evaluate((/** @type {any} */ menu) =>
      Object.fromEntries(
        menu.entries.map((/** @type {any} */ { name, size, absent }) => [name, { size, absent }]),
      ),
    );
}

/** The file that an entry saves. @param {Page} page @param {string} name */
async function exported(page, name) {
  const button = page.locator(`export-menu button[name="${name}"]`);
  const [download] = await Promise.all([page.waitForEvent("download"), button.click()]);
  const bytes = await readFile(await download.path());
  await page.waitForFunction(
    () => /** @type {any} */ (document.querySelector("export-menu")).busy === "",
  );
  return { name: download.suggestedFilename(), bytes };
}

/** Chooses the value of a field of the menu. @param {Page} page @param {string} name @param {string | { label: string }} value */
async function choose(page, name, value) {
  await page.locator(`export-menu select[name="${name}"]`).selectOption(value);
}

/**
 * Captured arrays with every bit.
 * @param {Page} page @param {object} given @param {string} body returns arrays of the API by name
 * @returns {Promise<Record<string, { data: Float32Array, shape: number[] }>>}
 */
async function arraysOf(page, given, body) {
  const found = await askModel(
    page,
    given,
    `const arrays = await (async () => { ${body} })();
     return Object.entries(arrays).map(([name, { data, shape }]) => {
       const copy = Float32Array.from(data);
       return [name, { shape: [...shape], bits: Array.from(new Uint32Array(copy.buffer)) }];
     });`,
  );
  return Object.fromEntries(
    found.map((/** @type {[string, any]} */ [name, { shape, bits }]) => [
      name,
      { shape, data: new Float32Array(Uint32Array.from(bits).buffer) },
    ]),
  );
}

/** The numbers of a .npy file of version 1. @param {Buffer} bytes */
function npy(bytes) {
  const start = 10 + bytes.readUInt16LE(8);
  const header = bytes.subarray(10, start).toString("latin1");
  const shape = (/'shape': \(([^)]*)\)/.exec(header)?.[1] ?? "").match(/\d+/g)?.map(Number) ?? [];
  const data = new Float32Array(Uint8Array.from(bytes.subarray(start)).buffer);
  return { shape, data };
}

/** "7 kB" in bytes. @param {string | null} words */
function bytesIn(words) {
  const [, number, unit] = /^([\d.]+) (B|kB|MB)$/.exec(words ?? "") ?? [];
  assert.ok(unit, `“${words}” is a size`);
  return Number(number) * { B: 1, kB: 1e3, MB: 1e6 }[/** @type {"B" | "kB" | "MB"} */ (unit)];
}

test("numbers and activations are those of the API with the interventions of the page, and as large as said", async () => {
  const state = { prompt: TEXT, layer: 1, head: 3, interventions: OFF };
  await visit(site, { path: address(state) }, async (page) => {
    await openMenu(page);
    const said = await entries(page);
    const given = { text: TEXT, interventions: OFF };
    const patterns = await arraysOf(
      page,
      given,
      `const { cache } = await model.runWithCache(given.text, { names: "pattern", interventions: given.interventions });
       return Object.fromEntries(cache.names().map((name) => [name, cache.get(name)]));`,
    );
    const [npz, safetensors, array, table, headVis] = [
      await exported(page, "npz"),
      await exported(page, "safetensors"),
      await exported(page, "npy"),
      await exported(page, "csv"),
      await exported(page, "headvis"),
    ];
    assert.equal(npz.name, "Shakespeare-activations.npz");
    assert.equal(array.name, "Shakespeare-attention-head-1.3-with-head-0.1-switched-off.npy");
    const whole = readWithPython(patterns, {
      "run.npz": npz.bytes,
      "run.safetensors": safetensors.bytes,
    });
    assert.deepEqual(whole.problems, []);
    const tokens = await page.evaluate(
      () => /** @type {any} */ (document.querySelector("scope-figure")).reading.tokens,
    );
    assert.deepEqual(JSON.parse(whole.metadata.tokens), tokens);
    for (const { interventions } of [whole.metadata, whole.texts])
      assert.deepEqual(JSON.parse(interventions), OFF);

    const layer = patterns["blocks.1.attn.hook_pattern"];
    const size = tokens.length ** 2;
    const drawn = {
      shape: [tokens.length, tokens.length],
      data: layer.data.slice(3 * size, 4 * size),
    };
    const { problems, tables } = readWithPython(
      { pattern: drawn },
      { "pattern.npy": array.bytes, "pattern.csv": table.bytes },
    );
    assert.deepEqual(problems, []);
    assert.deepEqual(tables.pattern[0], ["query/key; with head 0.1 switched off", ...tokens]);
    assert.deepEqual(
      tables.pattern.slice(1).map(([header]) => header),
      tokens,
    );

    for (const [name, { bytes }] of Object.entries({ npz, safetensors, npy: array, csv: table })) {
      const before = bytesIn(said[name].size);
      // The size of headers is estimated, and kilobytes are rounded.
      assert.ok(
        Math.abs(bytes.length - before) <= 0.1 * bytes.length + 500,
        `${name}: ${before} said, ${bytes.length} saved`,
      );
    }
    const files = unzipSync(headVis.bytes);
    const head = JSON.parse(strFromU8(files["data/heads/L1H3.json"]));
    const [{ attention_indices, attention_values, tokens: texts }] = head.sequences;
    assert.deepEqual(texts, tokens);
    assert.ok(attention_indices.length > tokens.length);
    attention_indices.forEach((/** @type {number} */ at, /** @type {number} */ i) =>
      assert.ok(Math.abs(attention_values[i] - drawn.data[at]) <= 5e-5 + 1e-7),
    );
  });
});

test("the chosen hook points are captured; what selects none is refused with its reason", async () => {
  await visit(site, { path: address({ prompt: TEXT }) }, async (page) => {
    await openMenu(page);
    const box = page.locator("export-menu input[name=points]");
    assert.equal(await box.inputValue(), "blocks.*.attn.hook_pattern");
    await box.fill("resid_post");
    await page
      .locator("export-menu")
      .getByText("4 hook points: blocks.0.hook_resid_post")
      .waitFor();
    const arrays = await arraysOf(
      page,
      { text: TEXT },
      `const { cache } = await model.runWithCache(given.text, { names: "resid_post" });
       return Object.fromEntries(cache.names().map((name) => [name, cache.get(name)]));`,
    );
    const { bytes } = await exported(page, "safetensors");
    assert.deepEqual(readWithPython(arrays, { "run.safetensors": bytes }).problems, []);
    await box.fill("resid_pots");
    await page
      .locator("export-menu .problem")
      .getByText("This model has no hook point resid_pots")
      .waitFor();
    const { npz, safetensors, headvis } = await entries(page);
    assert.match(npz.absent ?? "", /no hook point/);
    assert.match(safetensors.absent ?? "", /no hook point/);
    assert.equal(headvis.absent, null, "HeadVis always has the patterns");
    assert.ok(await page.locator("export-menu button[name=npz]").isDisabled());
  });
});

test("SVG and PNG have the caption, the theme and the print size that were chosen", async () => {
  const state = { prompt: TEXT, layer: 1, head: 3, interventions: OFF };
  await visit(site, { path: address(state), dark: true }, async (page) => {
    await openMenu(page);
    const read = (/** @type {Buffer} */ bytes) =>
      page.evaluate((text) => {
        const root = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
        return {
          title: root.querySelector("title")?.textContent ?? "",
          paper: root.querySelector('rect[width="100%"]')?.getAttribute("fill") ?? "",
          metadata: JSON.parse(root.querySelector("metadata")?.textContent ?? ""),
          texts: [...root.querySelectorAll("text")].map((one) => one.textContent ?? ""),
          width: root.getAttribute("width"),
        };
      }, bytes.toString());
    const asShown = await read((await exported(page, "svg")).bytes);
    assert.match(asShown.paper, /^#1/, "dark as the page");
    const sentence = "Head 1.3 of Shakespeare on “the moon and the moon the”.";
    assert.equal(asShown.title, `Pattern. ${sentence} With head 0.1 switched off.`);
    assert.equal(asShown.metadata.changes, "head 0.1 switched off");
    assert.ok(asShown.texts.filter((one) => one === "moon").length >= 4, "on both axes");

    await page.locator("export-menu").getByLabel("caption").fill("A head that copies");
    await choose(page, "theme", "light");
    await choose(page, "width", "85mm");
    const { name, bytes } = await exported(page, "svg");
    const printed = await read(bytes);
    assert.equal(name, "Shakespeare-attention-1.3.svg");
    assert.match(printed.paper, /^#f/, "light");
    assert.equal(printed.width, "85mm");
    assert.equal(printed.title, `A head that copies. ${sentence} With head 0.1 switched off.`);
    assert.equal(printed.metadata.text, TEXT);
    assert.deepEqual(
      [printed.metadata.model, printed.metadata.head, printed.metadata.figures.length],
      ["Shakespeare", "1.3", 1],
    );
    const png = (await exported(page, "png")).bytes;
    assert.equal(png.readUInt32BE(16), Math.ceil((85 / 25.4) * 300), "300 pixels per inch");

    await choose(page, "picture", { label: "the whole figure, with text, heads and next tokens" });
    await choose(page, "paper", "none");
    const whole = await read((await exported(page, "svg")).bytes);
    assert.deepEqual(
      whole.metadata.figures.map((/** @type {any} */ one) => one.element),
      ["token-strip", "attention-heads", "attention-pattern", "next-tokens"],
    );
    assert.equal(whole.paper, "", "transparent");
  });
});

/** What each view draws first, by the API. @type {Record<string, string>} */
const NUMBERS = {
  "log-probability": "return { value: (await model.runWithCache(given.prompt)).logProbs };",
  lens: "const { topProbabilities } = await model.logitLens(given.prompt, { top: 5 }); return { value: topProbabilities.at({ top: 0 }) };",
  heads: "return { value: (await model.headScores(given.prompt)).scores };",
  activations:
    'const { cache } = await model.runWithCache(given.prompt, { names: ["resid_post", -1] }); return { value: cache.get(["resid_post", -1]) };',
  patching:
    'const { clean, corrupted, ...others } = await model.patching({ clean: given.prompt, corrupted: given.corrupted, answer: given.answer, against: given.against, at: "resid_pre" }); return { value: others.normalized };',
  composition: 'return { value: (await model.compositionScores({ path: "k" })).scores };',
  stream:
    'const { parts } = await model.residual(given.prompt); return { value: parts.norm("d_model") };',
};

test("the numbers of each view are those of the API, and a view without numbers says so", async () => {
  await visit(site, { path: address(TWO_PROMPTS) }, async (page) => {
    await openMenu(page);
    for (const view of VIEW_NAMES) {
      await page.evaluate((view) => {
        const figure = /** @type {any} */ (document.querySelector("scope-figure"));
        const detail = { view };
        figure.dispatchEvent(new CustomEvent("figure-change", { detail, bubbles: true }));
      }, view);
      await ready(page);
      await eventually(async () => {
        const { npy: found } = await entries(page);
        assert.ok(found.size || /no array of numbers/.test(found.absent ?? ""), found.absent ?? "");
        const [first] = await page
          .locator("export-menu select[name=picture] option")
          .allInnerTexts();
        assert.equal(first, `the view “${VIEWS[view].title}”`, "the menu is about the view");
      });
      const { npy: entry, svg } = await entries(page);
      assert.equal(svg.absent, null, `${view} has a picture`);
      if (view === "two-prompts") {
        assert.match(entry.absent ?? "", /words and no array of numbers/);
        continue;
      }
      const { name, bytes } = await exported(page, "npy");
      assert.ok(name.startsWith(`Shakespeare-${view}-`), `${name} is of ${view}`);
      const { data, shape } = npy(bytes);
      assert.ok(data.length > 0, `${view} has numbers`);
      if (!NUMBERS[view]) continue;
      const { value } = await arraysOf(page, TWO_PROMPTS, NUMBERS[view]);
      const squeezed = (/** @type {number[]} */ lengths) => lengths.filter((one) => one > 1);
      assert.deepEqual(squeezed(shape), squeezed(value.shape), view);
      data.forEach((number, at) => {
        const wanted = value.data[at];
        const isClose = Math.abs(number - wanted) <= 1e-6 * Math.max(1, Math.abs(wanted));
        assert.ok(Object.is(number, wanted) || isClose, `${view} ${at}: ${number}, not ${wanted}`);
      });
    }
  });
});

test("the likeliest tokens of the lens are a table of texts", async () => {
  await visit(site, { path: address({ prompt: TEXT, view: "lens" }) }, async (page) => {
    await openMenu(page);
    await choose(page, "numbers", "1");
    const { bytes } = await exported(page, "csv");
    const { tables } = readWithPython({}, { "lens.csv": bytes });
    const { tokens, top } = await askModel(
      page,
      { text: TEXT },
      `const { topStrings, topProbabilities } = await model.logitLens(given.text, { top: 5 });
       const { strings } = await model.tokenize(given.text);
       return { tokens: strings, top: topStrings.filter((_, at) => at % 5 === 0) };`,
    );
    assert.deepEqual(tables.lens[0], ["layer/pos", ...tokens]);
    assert.deepEqual(
      tables.lens.slice(1).flatMap(([, ...row]) => row),
      top,
    );
    assert.match((await entries(page)).npy.absent ?? "", /texts, which \.npy files/);
  });
});

test("nothing of another text is exported: not of a text that cannot be read, and not if the text changes meanwhile", async () => {
  await visit(site, { path: address({ prompt: TEXT }) }, async (page) => {
    let saved = 0;
    page.on("download", () => (saved += 1));
    await openMenu(page);
    await page.locator("#prompt").fill("");
    await eventually(async () => {
      for (const [name, { absent }] of Object.entries(await entries(page)))
        assert.match(absent ?? "", /former text/, name);
    });
    // The menu may be older than what it shows: an entry refuses by itself.
    await page.locator("export-menu").evaluate((menu) => {
      menu.dispatchEvent(new CustomEvent("export-choose", { detail: "npy" }));
    });
    await page.locator("export-menu").getByText("not exported: “.npy” was not exported").waitFor();
    await page.locator("#prompt").fill(TEXT);
    await settled(page);
    await eventually(async () => assert.equal((await entries(page)).npz.absent, null));
    // The text changes in the task in which its file is begun.
    await page.locator("export-menu").evaluate((menu) => {
      menu.dispatchEvent(new CustomEvent("export-choose", { detail: "npz" }));
      const prompt = /** @type {HTMLTextAreaElement} */ (document.querySelector("#prompt"));
      prompt.value = "another text";
      prompt.dispatchEvent(new InputEvent("input", { bubbles: true }));
    });
    await page
      .locator("export-menu")
      .getByText("what the page shows changed meanwhile: export it again")
      .waitFor();
    assert.equal(saved, 0);
  });
});

test("a result that waits for the visitor is not exported", async () => {
  const state = { prompt: TEXT, view: "gradients", "gradients.steps": 512 };
  await visit(site, { path: address(state) }, async (page) => {
    await settled(page);
    await ready(page);
    const isWaiting = await page
      .locator("scope-figure")
      .evaluate((one) => /** @type {any} */ (one).results.gradients?.isWaiting);
    assert.ok(isWaiting, "the view waits for its button");
    await page.locator("#share").click();
    await page.locator("export-menu button[name=svg]").waitFor();
    const { svg, png, npy: array, csv, npz } = await entries(page);
    for (const { absent } of [svg, png, array, csv])
      assert.match(absent ?? "", /“gradients” shows is not computed yet: press its button first/);
    assert.equal(npz.absent, null, "activations do not depend on the view");
  });
});

test("the menu is used with keys alone, and fits a phone", async () => {
  await visit(site, { path: address({ prompt: TEXT }), width: 390, height: 844 }, async (page) => {
    await settled(page);
    await page.locator("#share").focus();
    await byKeyboard(page, async () => {
      await page.keyboard.press("Enter");
      await page.locator("export-menu button[name=svg]").waitFor();
      await pressTo(page, ({ name, tag }) => tag === "button" && name === "SVG");
      const [download] = await Promise.all([
        page.waitForEvent("download"),
        page.keyboard.press("Enter"),
      ]);
      assert.match(download.suggestedFilename(), /\.svg$/);
      await page
        .locator("export-menu")
        .getByText(/^saved .*\.svg/)
        .waitFor();
      assert.match((await focused(page)).path, /export-menu button/, "the button keeps the focus");
      await pressTo(page, ({ tag, path }) => tag === "input" && path.includes("export-menu"));
      await page.keyboard.type("z");
      await page.locator("export-menu").getByText("4 hook points: blocks.0.attn.hook_z").waitFor();
    });
    const wide = await page.evaluate(() => {
      const { renderRoot } = /** @type {any} */ (document.querySelector("export-menu"));
      const all = [...renderRoot.querySelectorAll("button, select, input, .says, .meaning")];
      return all.filter((one) => one.getBoundingClientRect().right > innerWidth).length;
    });
    assert.equal(wide, 0, "nothing leaves the screen");
  });
});
