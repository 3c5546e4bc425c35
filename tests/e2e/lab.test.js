// Causal work on the bundled model, in headless Chromium through the worker: interventions, gradients, sweeps, and what
// the measurements of the face answer.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { chromium } from "playwright-core";

import { serve } from "../../scripts/serve.mjs";

const SENTENCE = "You are gentlemen of brave metal; you would lift the moon out of her sphere, if she would continue in it five weeks without changing. ";

/** @type {Awaited<ReturnType<typeof serve>>} */
let site;
/** @type {import("playwright-core").Browser} */
let browser;
/** @type {import("playwright-core").Page} */
let page;

before(async () => {
  site = await serve({ root: "dist" });
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
  page = await browser.newPage();
  await page.goto(`${site.url}tensor.js`); // any file of the site without code that runs: it is shown as text
});

after(async () => {
  await browser?.close();
  await site?.close();
});

/** Runs the body of a function of `model` and `sentence` in the page. @param {string} body @returns {Promise<any>} */
function inLab(body) {
  const program = `(async () => {
    const { loadModel } = await import(${JSON.stringify(`${site.url}candlescope.js`)});
    const model = await loadModel(${JSON.stringify(`${site.url}models/shakespeare/`)});
    const sentence = ${JSON.stringify(SENTENCE)};
    const failure = async (call) => { try { await call(); return "none"; } catch (error) { return error.name + ": " + error.message; } };
    const strongest = async () => {
      const { scores } = await model.headScores();
      const induction = scores.at({ score: scores.labels.score.indexOf("induction") });
      const best = induction.data.indexOf(Math.max(...induction.data));
      return { layer: Math.floor(best / induction.size("head")), head: best % induction.size("head") };
    };
    ${body}
  })()`;
  return page.evaluate(program);
}

test("zeroing the strongest induction head raises the loss on the second copy of a sentence", async () => {
  const { plain, without, layer, head } = await inLab(`
    const { layer, head } = await strongest();
    const text = sentence + sentence;
    const half = (run) => { const second = run.logProbs.slice(run.logProbs.length / 2); return -second.reduce((a, b) => a + b, 0) / second.length; };
    const interventions = [{ at: ["z", layer], head, do: "zero" }];
    return { layer, head, plain: half(await model.runWithCache(text)), without: half(await model.runWithCache(text, { interventions })) };
  `);
  console.log(`# head ${layer}.${head} at zero: second half ${plain.toFixed(3)} -> ${without.toFixed(3)} nats a token`);
  assert.ok(without > plain + 0.1, `${without} against ${plain}`);
});

test("generation streams under ablation, the same with and without cached keys and values", async () => {
  const { cached, whole, plain } = await inLab(`
    const { layer } = await strongest();
    const interventions = [{ at: ["z", layer], do: "zero" }];
    const text = async (options) => { const ids = []; for await (const step of model.generate(sentence + "You are", { maxNewTokens: 8, ...options })) ids.push(step.id); return ids; };
    return { cached: await text({ interventions }), whole: await text({ interventions, useCache: false }), plain: await text({}) };
  `);
  assert.equal(cached.length, 8);
  assert.deepEqual(cached, whole);
  assert.notDeepEqual(cached, plain);
});

test("attribution and activation patching agree in sign on the five heads that matter most", async () => {
  const { activation, attribution, base, steps } = await inLab(`
    const { ids } = await model.tokenize(sentence + "You are gentle");
    const clean = [...ids];
    const corrupted = [...ids];
    const answer = (await model.tokenize(sentence)).ids[3];
    corrupted[3] = answer === 500 ? 501 : 500;
    const task = { clean: clean.slice(0, -1), corrupted: corrupted.slice(0, -1), answer, at: "z" };
    let steps = 0;
    const { raw, corrupted: base } = await model.patching({ ...task, onProgress: () => { steps += 1; } });
    const estimated = await model.patching({ ...task, method: "attribution" });
    return { activation: [...raw.data], attribution: [...estimated.raw.data], base, steps };
  `);
  assert.ok(steps > 0);
  const effects = activation.map((/** @type {number} */ metric, /** @type {number} */ i) => ({ real: metric - base, estimated: attribution[i] - base }));
  const top = effects.sort((/** @type {any} */ a, /** @type {any} */ b) => Math.abs(b.real) - Math.abs(a.real)).slice(0, 5);
  for (const { real, estimated } of top) assert.equal(Math.sign(real), Math.sign(estimated), `${real} against ${estimated}`);
});

test("gradients, lens, attribution, circuits and token scores come back with their axes", async () => {
  const found = await inLab(`
    const run = await model.runWithCache(sentence, { names: ["blocks.1.hook_resid_pre"], gradientsOf: { loss: true } });
    const lens = await model.logitLens(sentence, { top: 3 });
    const { ids } = await model.tokenize(sentence);
    const shares = (await model.attribution(sentence, { answer: ids[0], by: "head" })).shares;
    const logit = run.logits.at({ batch: 0, pos: -1, vocab: ids[0] }).item();
    const circuits = await model.circuits({ layer: 1, head: 0, top: 2 });
    const scores = await model.tokenScores(sentence);
    const integrated = await model.integratedGradients(sentence, { answer: ids[0], steps: 4 });
    return {
      gradient: run.cache.gradient(["resid_pre", 1]).axes.join(" "), tops: lens.topStrings.length, topAxes: lens.topIds.axes.join(" "),
      sum: shares.data.reduce((a, b) => a + b, 0), logit, labels: shares.labels.component.length === shares.data.length,
      singular: circuits.ovSingularValues.data.length, copying: circuits.copyingScore, tokens: ids.length,
      losses: scores.loss.data.length, mean: scores.loss.data.reduce((a, b) => a + b, 0) / scores.loss.data.length, loss: run.loss, shares: integrated.shares.data.length,
    };
  `);
  assert.equal(found.gradient, "batch pos d_model");
  assert.equal(found.topAxes, "layer pos top");
  assert.equal(found.tops, 4 * found.tokens * 3);
  assert.ok(found.labels);
  assert.ok(Math.abs(found.sum - found.logit) < 1e-3, `${found.sum} against ${found.logit}`); // f32 sums in another order
  assert.equal(found.singular, 64);
  assert.ok(Math.abs(found.copying) <= 1);
  assert.equal(found.losses, found.tokens - 1);
  assert.ok(Math.abs(found.mean - found.loss) < 1e-4);
  assert.equal(found.shares, found.tokens);
});

test("a function runs in the worker, a bad one is named, and the model stays usable", async () => {
  const found = await inLab(`
    const run = (js) => model.runWithCache(sentence, { interventions: [{ at: "blocks.0.attn.hook_z", head: 1, do: { js } }] });
    const zero = await model.runWithCache(sentence, { interventions: [{ at: "blocks.0.attn.hook_z", head: 1, do: "zero" }] });
    return {
      same: (await run((x) => x.map(() => 0))).loss === zero.loss,
      inPlace: (await run("(x) => { x.fill(0); }")).loss === zero.loss,
      throws: await failure(() => run("() => { throw new Error('no') }")),
      short: await failure(() => run("(x) => x.slice(1)")),
      syntax: await failure(() => run("(x => ")),
      nothing: await failure(() => model.runWithCache(sentence, { interventions: [{ at: "blocks.0.hook_resid_pre", head: 1, do: "zero" }] })),
      lengths: await failure(() => model.patching({ clean: sentence, corrupted: "To be", answer: 5 })),
      several: await failure(() => model.patching({ clean: sentence, corrupted: sentence, answer: "two words of it" })),
      aborted: await failure(() => model.patching({ clean: sentence, corrupted: sentence, answer: 5, signal: AbortSignal.abort() })),
      still: (await model.runWithCache(sentence)).loss > 0,
    };
  `);
  assert.ok(found.same && found.inPlace && found.still);
  assert.match(found.throws, /^HookError: .*threw.*no/);
  assert.match(found.short, /^HookError: .*expected/);
  assert.match(found.syntax, /^InputError: .*not a function/);
  assert.match(found.nothing, /^HookError: .*head/);
  assert.match(found.lengths, /^InputError: .*same length/);
  assert.match(found.several, /^InputError: .*tokens/);
  assert.match(found.aborted, /^AbortError: /);
});
