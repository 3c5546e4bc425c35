// Several continuations at once through the browser: each has the bits of the same generation alone, and head scores and patching
// over several prompts are the means of those of each.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { inPage as run, openApi, start } from "./browser.js";

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
/** @type {import("playwright-core").Page} */
let page;

before(async () => {
  site = await start();
  page = await openApi(site);
  await page.evaluate(async (url) => {
    const model = await /** @type {any} */ (globalThis).api.loadModel(`${url}models/shakespeare/`);
    /** What a step says, with the numbers of its cache. */
    const serializeStep = (/** @type {any} */ step) => {
      const { cache, ...fields } = step;
      const values = cache.names().map((/** @type {string} */ name) => {
        const { shape, data } = cache.get(name);
        return [name, [...shape], [...data]];
      });
      return JSON.stringify([fields, values]);
    };
    Object.assign(globalThis, { model, serializeStep });
  }, site.url);
});

after(async () => {
  await site?.stop();
});

/** The body of an async function of the page, with what before() left there. @param {string} body */
const inPage = (body) => run(page, body);

/** The texts whose steps differ from those alone, and how many steps each has. @param {string} inputs @param {string} options @param {string} alone the options of text i */
const compared = (inputs, options, alone = "() => ({})") =>
  inPage(`
    const inputs = ${inputs}, options = ${options}, alone = ${alone};
    const batch = await collect(model.generate(inputs, options));
    const counts = [], differing = [];
    for (const [i, input] of inputs.entries()) {
      const { seed, ...same } = options;
      const expected = await collect(model.generate(input, { ...same, seed: seed?.[i] ?? 0, ...alone(i) }));
      const found = batch.map(({ rows }) => rows[i]);
      if (batch.some(({ rows }) => rows.length !== inputs.length)) differing.push("rows");
      const steps = found.filter((step) => step);
      if (found.slice(0, steps.length).some((step) => !step)) differing.push([i, "a gap"]);
      if (steps.map(serializeStep).join() !== expected.map(serializeStep).join()) differing.push(i);
      counts.push(steps.length);
    }
    return { counts, differing };
  `);

test("the same prompt with several seeds gives the continuation of each seed", async () => {
  const { counts, differing } = await compared(
    `["ROMEO:", "ROMEO:", "ROMEO:"]`,
    `{ seed: [1, 2, 3], doSample: true, temperature: 0.9, maxNewTokens: 12, stopAtEos: false }`,
  );
  assert.deepEqual({ counts, differing }, { counts: [12, 12, 12], differing: [] });
});

test("prompts of different lengths, also longer than the context, go on as alone, with captures and without a cache", async () => {
  for (const useCache of [true, false]) {
    const { differing } = await compared(
      `["To be", "I", Array.from({ length: model.config.n_positions + 2 }, (_, i) => i % 50), "A plague on both"]`,
      `{ seed: [4, 3, 2, 1], doSample: true, topK: 20, maxNewTokens: 3, useCache: ${useCache}, names: ["blocks.0.attn.hook_pattern", "hook_embed"] }`,
    );
    assert.deepEqual(differing, []);
  }
});

test("a text ends at its stop text and the others go on", async () => {
  const { counts, differing } = await compared(
    `["To be, or not", "ROMEO:", "My lord"]`,
    `{ maxNewTokens: 25, stop: [","], seed: [1, 2, 3], doSample: true }`,
  );
  assert.deepEqual(differing, []);
  assert(new Set(counts).size > 1, `${counts}`);
});

test("an intervention with batch changes only the texts that it selects", async () => {
  const change = `{ at: "blocks.*.hook_mlp_out", do: { scale: 0.3 } }`;
  const { differing } = await compared(
    `["ROMEO:", "ROMEO:", "To be"]`,
    `{ maxNewTokens: 6, interventions: [{ ...${change}, batch: [0, -1] }] }`,
    `(i) => ({ interventions: i === 1 ? [] : [${change}] })`,
  );
  assert.deepEqual(differing, []);
});

test("one seed gives each text draws of its own, text 0 those of the seed alone", async () => {
  const texts = await inPage(`
    const options = { seed: 7, doSample: true, maxNewTokens: 12, stopAtEos: false };
    const batch = await collect(model.generate(["ROMEO:", "ROMEO:", "ROMEO:"], options));
    const alone = await collect(model.generate("ROMEO:", options));
    const text = (steps) => steps.map(({ string }) => string).join("");
    return [...[0, 1, 2].map((i) => text(batch.map(({ rows }) => rows[i]))), text(alone)];
  `);
  assert.equal(texts[0], texts[3]);
  assert.equal(new Set(texts).size, 3, `${texts}`);
});

test("a list of seeds draws without doSample", async () => {
  const [both, one, two] = await inPage(`
    const options = { maxNewTokens: 12, stopAtEos: false };
    const batch = await collect(model.generate(["ROMEO:", "ROMEO:"], { ...options, seed: [1, 2] }));
    const alone = [];
    for (const seed of [1, 2])
      alone.push(await collect(model.generate("ROMEO:", { ...options, seed, doSample: true })));
    const text = (steps) => steps.map(({ string }) => string).join("");
    return [[0, 1].map((i) => text(batch.map(({ rows }) => rows[i]))), ...alone.map(text)];
  `);
  assert.deepEqual(both, [one, two]);
  assert.notEqual(one, two);
});

test("leaving the loop and aborting end a batch, and the model goes on", async () => {
  const found = await inPage(`
    let steps = 0;
    for await (const { rows } of model.generate(["To be", "I"], { maxNewTokens: 1e6, stopAtEos: false })) if (++steps === 3) break;
    const controller = new AbortController();
    const aborted = await failure(async () => {
      for await (const step of model.generate(["To be", "I"], { maxNewTokens: 1e6, stopAtEos: false, signal: controller.signal })) controller.abort();
    });
    const after = await collect(model.generate("To be", { maxNewTokens: 2 }));
    return { steps, aborted, after: after.length };
  `);
  assert.match(found.aborted, /^AbortError/);
  assert.deepEqual([found.steps, found.after], [3, 2]);
});

test("what does not fit a batch is refused in the generation, with the text that it is about", async () => {
  const cases = {
    "^InputError: .*`seed` is an array of length 3, expected one seed for each of the 2 texts": `collect(model.generate(["a", "b"], { seed: [1, 2, 3] }))`,
    "^InputError: .*`seed` is an array of length 2, expected one seed for the text": `collect(model.generate("a", { seed: [1, 2] }))`,
    "^InputError: .*`seed\\[1\\]` of generate is -1": `collect(model.generate(["a", "b"], { seed: [1, -1] }))`,
    "^InputError: .*generate has no option `seeds`": `collect(model.generate(["a", "b"], { seeds: [1, 2] }))`,
    "^InputError: .*text 1 of the batch": `collect(model.generate(["a", 3]))`,
    "^(InputError|HookError): .*`batch` 2, but the call runs 2 texts": `collect(model.generate(["a", "b"], { interventions: [{ at: "hook_embed", batch: 2, do: "zero" }] }))`,
    "^InputError: .*batch of 2, expected a text or token ids of one text": `model.toPython({ generate: { input: ["a", "b"] } })`,
  };
  for (const [words, call] of Object.entries(cases))
    assert.match(await inPage(`return failure(() => ${call})`), new RegExp(words), call);
  assert.equal(
    await inPage(`return (await collect(model.generate(["a", "b"], { maxNewTokens: 2 }))).length`),
    2,
  );
});

test("head scores and patching of several prompts are means, with the result of each", async () => {
  const found = await inPage(`
    const data = (tensor) => [...tensor.data];
    const texts = ["To be, or not to be, that is", "A horse, a horse, my kingdom for a horse"];
    const scores = await model.headScores(texts);
    const each = await Promise.all(texts.map((text) => model.headScores(text)));
    const pairs = { clean: ["To be or", "I am so"], corrupted: ["To do or", "I was so"], answer: [1, 2], against: 3 };
    const seen = [];
    const patched = await model.patching({ ...pairs, at: "z", onProgress: ({ done, total }) => seen.push([done, total]) });
    const one = await model.patching({ clean: "To be or", corrupted: "To do or", answer: 1, against: 3, at: "z" });
    return {
      scores: data(scores.scores), of: scores.prompts.map(({ scores }) => data(scores)), each: each.map(({ scores }) => data(scores)),
      axes: [...scores.scores.axes], single: "prompts" in each[0],
      raw: data(patched.raw), raws: patched.prompts.map(({ raw }) => data(raw)), one: data(one.raw),
      progress: seen.at(-1), heads: one.raw.data.length,
    };
  `);
  assert.deepEqual(found.of, found.each);
  assert.equal(found.single, false);
  assert.deepEqual(found.axes, ["score", "layer", "head"]);
  assert.deepEqual(found.raws[0], found.one);
  assert.deepEqual(found.progress, [2 * found.heads, 2 * found.heads]);
  const isMean = (/** @type {number[]} */ mean, /** @type {number[][]} */ [one, other]) =>
    mean.every(
      (value, at) =>
        Math.abs(value - (one[at] + other[at]) / 2) < 1e-6 * Math.max(1, Math.abs(value)),
    ); // rounded once
  assert(isMean(found.scores, found.each));
  assert(isMean(found.raw, found.raws));
});

test("an analysis that takes one text refuses a batch, and the model goes on", async () => {
  const two = `["To be", "I am"]`;
  const words = /^InputError: .*batch/;
  for (const call of [
    `model.logitLens(${two})`,
    `model.attribution(${two}, { answer: 1 })`,
    `model.residual(${two})`,
    `model.integratedGradients(${two}, { answer: 1 })`,
    `model.tokenScores(${two})`,
    `model.tokenize(${two})`,
    `model.pathPatching({ clean: ${two}, corrupted: ${two}, answer: 1, receivers: "logits" })`,
  ])
    assert.match(await inPage(`return failure(() => ${call})`), words, call);
  const lengths = await inPage(
    `return failure(() => model.patching({ clean: [[1, 2], [1, 2, 3]], corrupted: [[1, 3], [1, 3, 3]], answer: 1 }))`,
  );
  assert.match(lengths, /text 0 of the batch has 2 tokens, text 1 3: expected texts with the same/);
  assert.equal(await inPage(`return (await model.tokenize("To be")).ids.length > 0`), true);
});
