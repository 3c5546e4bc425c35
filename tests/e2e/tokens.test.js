// Names and labels of tokens, through the worker in headless Chromium.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";

import { start } from "./browser.js";

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
/** @type {import("playwright-core").Page} */
let page;

before(async () => {
  site = await start();
  page = await site.browser.newPage();
  await page.goto(`${site.url}tensor.js`); // any file of the site without code that runs: it is shown as text
});

after(() => site?.stop());

const tokenizer = JSON.parse(
  await readFile(new URL("../../models/shakespeare/tokenizer.json", import.meta.url), "utf8"),
);

/** The tokenizer without its last tokens, as models with padded embeddings have it. @param {number} count */
function shorter(count) {
  const vocab = Object.fromEntries(
    Object.entries(tokenizer.model.vocab).filter(([, id]) => Number(id) < count),
  );
  const merges = tokenizer.model.merges.filter(
    (/** @type {string[]} */ [a, b]) => a in vocab && b in vocab && a + b in vocab,
  );
  return { ...tokenizer, model: { ...tokenizer.model, vocab, merges } };
}

/**
 * Runs the body of a function of `model` in the page, the bundled model with this tokenizer.
 * @param {object} json @param {string} body @returns {Promise<any>}
 */
function withTokenizer(json, body) {
  const program = `(async () => {
    const { loadModel } = await import(${JSON.stringify(`${site.url}candlescope.js`)});
    const folder = ${JSON.stringify(`${site.url}models/shakespeare/`)};
    const tokenizer = new TextEncoder().encode(${JSON.stringify(JSON.stringify(json))});
    const failure = async (call) => { try { await call(); return "none"; } catch (error) { return error.name + ": " + error.message; } };
    const model = await loadModel({ config: folder + "config.json", tokenizer, weights: folder + "model.safetensors" });
    try { ${body} } finally { model.dispose(); }
  })()`;
  return page.evaluate(program);
}

test("a name depends on its id only, and generation and lens use it", async () => {
  const found = await withTokenizer(
    tokenizer,
    `
    const { ids } = await model.tokenize("😀 the the");
    const together = await model.tokenNames(ids);
    const alone = [];
    for (const id of ids) alone.push(await model.tokenNames([id]));
    const { value: step } = await model.generate(ids.slice(0, 1), { maxNewTokens: 1 }).next();
    const names = await model.tokenNames(step.top.map(({ id }) => id));
    const lens = await model.logitLens(ids.slice(0, 1), { top: 5 });
    const lensNames = await model.tokenNames(Uint32Array.from(lens.topIds.data));
    return { together, alone, top: step.top, names, lens: lens.topStrings, lensNames: lensNames.strings };
  `,
  );
  assert.deepEqual(
    found.together.strings,
    found.alone.map((/** @type {any} */ one) => one.strings[0]),
  );
  assert.deepEqual(
    found.together.bytes,
    found.alone.map((/** @type {any} */ one) => one.bytes[0]),
  );
  assert.ok(found.together.strings[0].includes("\ufffd"));
  assert.deepEqual(found.together.strings.slice(-2), [" the", " the"]);
  assert.deepEqual(
    found.top.map((/** @type {any} */ choice) => [choice.string, choice.bytes]),
    found.names.strings.map((/** @type {string} */ string, /** @type {number} */ i) => [
      string,
      found.names.bytes[i],
    ]),
  );
  assert.deepEqual(found.lens, found.lensNames);
});

test("an id that only the model knows is shown in brackets by every call", async () => {
  const found = await withTokenizer(
    shorter(4000),
    `
    const steps = [];
    for await (const step of model.generate([4050, 4060], { maxNewTokens: 1, top: 4096, stopAtEos: false })) steps.push(step);
    return {
      names: (await model.tokenNames([4050])).strings,
      tokens: (await model.tokenize([4050, 4060])).strings,
      text: await model.detokenize([4050]),
      choice: steps[0].top.find(({ id }) => id === 4050).string,
      lens: (await model.logitLens([4050], { top: 4096 })).topStrings.filter((name) => name === "⟨4050⟩").length,
      layers: model.config.n_layer,
      beyond: await failure(() => model.tokenNames([4096])),
      decoded: await failure(() => model.detokenize([4096])),
    };
  `,
  );
  assert.deepEqual(found.names, ["⟨4050⟩"]);
  assert.deepEqual(found.tokens, ["⟨4050⟩", "⟨4060⟩"]);
  assert.equal(found.text, "⟨4050⟩");
  assert.equal(found.choice, "⟨4050⟩");
  assert.equal(found.lens, found.layers);
  assert.match(found.beyond, /^InputError: .*4096.*below 4096/);
  assert.match(found.decoded, /^InputError: .*4096/);
});

test("a prefix space that the tokenizer adds moves no label", async () => {
  const json = {
    ...tokenizer,
    pre_tokenizer: { ...tokenizer.pre_tokenizer, add_prefix_space: true },
  };
  const found = await withTokenizer(
    json,
    `return [(await model.tokenize("the king")).strings, (await model.tokenize(" the king")).strings, (await model.tokenize("é the ")).strings.join("")];`,
  );
  assert.deepEqual(found, [["the", " king"], [" the", " king"], "é the "]);
});
