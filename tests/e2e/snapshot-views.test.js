// Every view as a snapshot: what the page exports is drawn without a model, with the words and the numbers of the page.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { readSnapshot } from "../../www/session/snapshot/read.ts";
import { settled, visit } from "./browser.js";
import { useHost } from "./host.js";
import { address, compute, TWO_PROMPTS, VIEW_NAMES } from "./lab-helpers.js";
import { inlined } from "./snapshots.js";

/** @typedef {import("playwright-core").Page} Page */

const { site, host, open } = useHost();

/** What only a live figure needs. */
const LIVE = /worker\.js|helper\.js|\.wasm|\/models\/|\/candlescope\.js/;

/** Choices of a view for which it looks more up than with its defaults. @type {Record<string, Record<string, unknown>[]>} */
const CHOICES = {
  attention: [{}, { "attention.show": "value-weighted" }, { "attention.show": "rollout" }],
  heads: [{}, { measured: "random" }],
  "two-prompts": [
    ...["tokens", "attention", "lens", "loss", "activations"].map((of) => ({
      "two-prompts.of": of,
    })),
    { "two-prompts.of": "activations", hook: "z", "two-prompts.point": "blocks.2.attn.hook_z" },
  ],
  activations: [{ hook: "resid_mid", "activations.point": "blocks.2.hook_resid_mid" }],
  neurons: [
    { "neurons.tokens": 100 },
    {
      ...{ "neurons.at": "z", "neurons.point": "blocks.1.attn.hook_z", "neurons.head": 2 },
      "neurons.search": "prompt",
    },
  ],
};
const CASES = VIEW_NAMES.flatMap((view) =>
  (CHOICES[view] ?? [{}]).map((choices) => ({
    name: [view, ...Object.values(choices)].join(" "),
    state: { ...TWO_PROMPTS, layer: 1, head: 2, view, ...choices },
  })),
);

test("a snapshot of every view draws what the page showed", async (t) => {
  await visit(site, { path: address(CASES[0].state) }, (page) =>
    open(
      "",
      async (reader) => {
        host.asked.length = 0;
        for (const { name, state } of CASES)
          await t.test(name, async () => {
            await show(page, state);
            const [live, text] = [await contents(page), await exported(page)];
            const recorded = readSnapshot(text);
            assert.equal(recorded.state.view, state.view);
            assert.ok(text.length < 60_000, `${text.length} bytes, expected nothing twice`);
            await draw(reader, inlined(text));
            const found = await contents(reader);
            assert.deepEqual(found.errors, []);
            assert.doesNotMatch(found.words, /has no hook point|has no numbers|could not be/);
            assertSame(found.numbers, live.numbers, roundingOf(recorded));
            assertSaid(found.words, live.words);
          });
        assert.deepEqual(
          host.asked.filter((path) => LIVE.test(path)),
          [],
        );
      },
      { script: "/cs/snapshot.js" },
    ),
  );
});

test("a view without numbers is not exported, and one that has no room is left out", async () => {
  const { prompt } = TWO_PROMPTS;
  await visit(
    site,
    { path: address({ prompt, view: "activations", hook: "none" }), width: 1200 },
    async (page) => {
      await show(page, { prompt, view: "activations", hook: "none" });
      await page.locator("#share").click();
      const refused = page.locator("export-menu").getByText("“activations” shows no numbers");
      await refused.first().waitFor();
      await show(page, { prompt, view: "attention", beside: "lens" });
      assert.equal(readSnapshot(await exported(page)).state.beside, "");
    },
  );
});

/** Shows a state, and waits for its numbers. @param {Page} page @param {Record<string, unknown>} state */
async function show(page, state) {
  await page.evaluate(async (hash) => {
    if (location.hash === hash) return;
    const changed = new Promise((done) => addEventListener("hashchange", done, { once: true }));
    location.hash = hash;
    await changed;
  }, address(state));
  await page.waitForFunction(
    (view) => /** @type {any} */ (document.querySelector("scope-figure"))?.view === view,
    String(state.view),
  );
  await settled(page);
  await compute(page);
}

/** Draws one snapshot in place of a former one. @param {Page} page @param {string} script */
async function draw(page, script) {
  await page.evaluate((script) => {
    const main = document.querySelector("main");
    if (main) main.innerHTML = `<candle-snapshot>${script}</candle-snapshot>`;
  }, script);
  await page.waitForFunction(() => {
    const snapshot = /** @type {any} */ (document.querySelector("candle-snapshot"));
    if (snapshot.error) throw snapshot.error;
    const inner = snapshot.renderRoot?.querySelector("snapshot-figure");
    const figure = inner?.renderRoot?.querySelector("scope-figure");
    return figure?.reading && !figure.needs;
  });
}

/**
 * How far a number of the view may be from the one that the page draws, by what the file says of its rounding.
 * @param {ReturnType<typeof readSnapshot>} recorded
 */
function roundingOf({ state, roundings, results, resultRoundings }) {
  const layers = roundings.map((one) => one ?? 0);
  const own = Math.max(layers[state.layer ?? 0], resultRoundings[state.view] ?? 0);
  const { show } = state.views.attention ?? {};
  if (state.view !== "attention" || !show || show === "pattern") return own;
  // A rollout multiplies layers; a weight is attention times the norm of a value.
  if (show === "rollout") return layers.reduce((sum, one) => sum + one, 0);
  const { norms } = /** @type {any} */ (results.attention[0].value);
  return own * Math.max(...norms[state.head ?? 0]);
}

/** @typedef {{ path: string, value: number }} Shown a number that an element was given, and by which property */

/** @param {Shown[]} found @param {Shown[]} live @param {number} rounding */
function assertSame(found, live, rounding) {
  const sorted = (/** @type {Shown[]} */ list) =>
    [...list].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  const [mine, theirs] = [sorted(found), sorted(live)];
  assert.ok(theirs.length > 0, "the page draws numbers");
  assert.deepEqual(
    mine.map(({ path }) => path),
    theirs.map(({ path }) => path),
  );
  mine.forEach(({ path, value }, at) => {
    const truth = theirs[at].value;
    const allowed = rounding + 1.2e-7 * Math.abs(truth); // f32
    const isNear = Object.is(value, truth) || Math.abs(value - truth) <= allowed;
    assert.ok(isNear, `${path}: ${value} in the snapshot, ${truth} on the page`);
  });
}

/** Each number in the words of the snapshot is in those of the page. @param {string} found @param {string} live */
function assertSaid(found, live) {
  const there = new Set(live.match(/[−-]?\d+(\.\d+)?/g));
  const said = found.match(/[−-]?\d+(\.\d+)?/g) ?? [];
  assert.deepEqual(
    said.filter((one) => !there.has(one)),
    [],
    "numbers that only the snapshot says",
  );
}

/** The text of the file that the page exports as a snapshot. @param {Page} page */
async function exported(page) {
  if (await page.locator("#sharing").isHidden()) await page.locator("#share").click();
  const button = page.locator('export-menu button[name="snapshot"]');
  const [download] = await Promise.all([page.waitForEvent("download"), button.click()]);
  return readFile(await download.path(), "utf8");
}

/**
 * What the view of the figure shows: its words, and every number that the elements in it draw, by the element and its property.
 * @param {Page} page
 */
function contents(page) {
  return page.evaluate(async () => {
    /** @returns {any[]} */
    const within = (/** @type {ParentNode} */ root) =>
      [...root.querySelectorAll("*")].flatMap((one) => [
        one,
        ...(one.shadowRoot ? within(one.shadowRoot) : []),
      ]);
    const figure = within(document).find(({ localName }) => localName === "scope-figure");
    const [section] = figure.renderRoot.querySelectorAll("section.view");
    const drawn = async () => {
      for (const one of within(section)) await one.updateComplete;
    };
    await drawn();
    await new Promise((done) => requestAnimationFrame(done));
    await drawn();
    /** @type {string[]} */
    const words = [];
    const read = (/** @type {Node} */ node) => {
      if (node instanceof Text) words.push(node.data);
      if (!(node instanceof Element)) return;
      if (/^(style|script|datalist)$/.test(node.localName)) return;
      for (const child of (node.shadowRoot ?? node).childNodes) read(child);
    };
    read(section);
    /** @type {{ path: string, value: number }[]} */
    const numbers = [];
    const collect = (/** @type {unknown} */ value, /** @type {string} */ path) => {
      if (typeof value === "number") numbers.push({ path, value });
      else if (ArrayBuffer.isView(value) || Array.isArray(value))
        for (const one of /** @type {unknown[]} */ (/** @type {unknown} */ (value)))
          collect(one, path);
      else if (typeof value === "object" && value !== null && !(value instanceof Node))
        for (const [name, one] of Object.entries(value)) collect(one, `${path}.${name}`);
    };
    for (const one of within(section)) {
      const declared = /** @type {any} */ (one.constructor).properties ?? {};
      for (const [name, options] of Object.entries(declared)) {
        if (name === "figure" || name === "entry" || options.state) continue;
        collect(one[name], `${one.localName}.${name}`);
      }
    }
    const errors = within(section)
      .filter((one) => one.matches("[role=alert], .error"))
      .map(({ textContent }) => textContent?.trim());
    return { words: words.join(" ").replace(/\s+/g, " ").trim(), numbers, errors };
  });
}
