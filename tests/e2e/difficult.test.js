// Every view with difficult texts and models: it shows a picture or says why there is none; it does not hang, report an error to
// the console or print a value that is no text. The views are those of www/elements/views/index.ts.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { DIST, settled, start, visit } from "./browser.js";
import {
  address,
  compute,
  openView,
  ready,
  shown,
  TWO_PROMPTS,
  VIEW_NAMES,
} from "./lab-helpers.js";
import { models } from "./small-models.js";

/** @typedef {import("playwright-core").Page} Page */

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
before(async () => {
  site = await start(DIST, models);
});
after(async () => {
  await site?.stop();
});

const WORDS = "the moon and the stars and the sun ";

/**
 * @typedef {object} Difficulty
 * @property {Record<string, unknown>} state what the address asks for
 * @property {boolean} [isComputed] whether "Compute" is pressed; not for what would take minutes
 * @property {boolean} [hasNaN] whether numbers may be missing
 * @property {{ width: number, height: number }} [size]
 * @property {RegExp} [expect] of the console
 */

/** @type {Record<string, Difficulty>} */
const DIFFICULTIES = {
  "one token": { state: { prompt: "the", corrupted: "a" }, isComputed: true },
  "two tokens": { state: { prompt: "the the", corrupted: "a the" }, isComputed: true },
  "two prompts of different lengths": {
    state: { prompt: "to be, or not to be", corrupted: "the moon", answer: " the", against: " a" },
    isComputed: true,
  },
  "emoji, marks and right-to-left text": {
    state: { prompt: "👩‍👩‍👧 e\u0301 🌙\n\tשלום \u0000 %s <b>", corrupted: "🌙🌙" },
  },
  "1,000 tokens": { state: { model: "models/long", prompt: WORDS.repeat(40).slice(0, 1000) } },
  "a model without a tokenizer": {
    state: {
      ...{ model: "models/no-tokenizer", ids: "5,6,7,5,6" },
      ...{ corrupted: "5,6,8,5,6", answer: 7, against: 8 },
    },
    isComputed: true,
    expect: /404/,
  },
  "a model with attention only": {
    state: {
      ...{ model: "models/attention-only", ids: "5,6,7,5,6" },
      ...{ corrupted: "5,6,8,5,6", answer: 7, against: 8 },
    },
    isComputed: true,
    expect: /404/,
  },
  "a model with weights that are not numbers": {
    state: { model: "models/broken", ...TWO_PROMPTS },
    isComputed: true,
    hasNaN: true,
  },
  "12 layers of 12 heads": { state: { model: "models/many-heads", prompt: WORDS } },
  "one layer of one head": {
    state: { model: "models/one-head", prompt: "the moon" },
    isComputed: true,
  },
  "a phone": { state: { prompt: WORDS.repeat(4) }, size: { width: 390, height: 844 } },
  "probabilities with many digits on a phone": {
    state: { layer: 0, head: 1, off: "0.1" },
    size: { width: 390, height: 844 },
  },
  "two prompts on a phone": {
    state: TWO_PROMPTS,
    isComputed: true,
    size: { width: 390, height: 844 },
  },
};

/** What the page calls a model in the bar, by its address. @param {Page} page @param {unknown} source */
const modelIsUsed = (page, source) =>
  source === undefined ||
  page.waitForFunction(
    (name) => document.querySelector("#model-name")?.textContent?.includes(name),
    String(source).split("/").at(-1) ?? "",
  );

for (const [name, { state, isComputed, hasNaN, size, expect }] of Object.entries(DIFFICULTIES)) {
  test(`every view serves ${name}`, async () => {
    await visit(site, { path: address(state), expect, ...size }, async (page) => {
      page.setDefaultTimeout(60_000);
      await modelIsUsed(page, state.model);
      await settled(page);
      const problems = [];
      for (const view of VIEW_NAMES) {
        try {
          await openView(page, view);
          if (isComputed) await compute(page);
          else await ready(page);
        } catch (error) {
          problems.push(`${view}: ${String(error).split("\n")[0]}`);
          continue;
        }
        const { text, pictures, overflow } = await shown(page);
        if (text.length < 20) problems.push(`${view} says only "${text}"`);
        const odd = /\bundefined\b|\bnull\b|\[object|\bInfinity\b/.exec(text);
        if (odd)
          problems.push(
            `${view} says ${odd[0]}: ${text.slice(Math.max(0, odd.index - 60), odd.index + 60)}`,
          );
        const missing = /\bNaN\b|not a number/.exec(text);
        if (missing && !hasNaN)
          problems.push(
            `${view} says ${missing[0]}: ${text.slice(Math.max(0, missing.index - 60), missing.index + 60)}`,
          );
        if (overflow > 0) problems.push(`${view} is ${overflow} pixels wider than the window`);
        if (pictures === 0 && text.length < 60) problems.push(`${view} shows nothing: "${text}"`);
      }
      assert.deepEqual(problems, []);
    });
  });
}
