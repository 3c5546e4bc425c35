// Causal analysis of the bundled model, in headless Chromium through the worker: interventions, gradients, sweeps, and the
// results of measurements.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { start } from "./browser.js";

const SENTENCE =
  "You are gentlemen of brave metal; you would lift the moon out of her sphere, if she would continue in it five weeks without changing. ";

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
    const half = (run) => { const { data } = run.logProbs; const second = data.slice(data.length / 2); return -second.reduce((a, b) => a + b, 0) / second.length; };
    const interventions = [{ at: ["z", layer], head, do: "zero" }];
    return { layer, head, plain: half(await model.runWithCache(text)), without: half(await model.runWithCache(text, { interventions })) };
  `);
  console.log(
    `# head ${layer}.${head} at zero: second half ${plain.toFixed(3)} -> ${without.toFixed(3)} nats a token`,
  );
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

test("under a large frequency penalty, sampling repeats no token of the prompt or the text", async () => {
  const { prompt, drawn, free } = await inLab(`
    const text = async (options) => { const ids = []; for await (const step of model.generate(sentence, { maxNewTokens: 30, doSample: true, stopAtEos: false, ...options })) ids.push(step.id); return ids; };
    return { prompt: [...(await model.tokenize(sentence)).ids], drawn: await text({ frequencyPenalty: 1000 }), free: await text({}) };
  `);
  assert.equal(drawn.length, 30);
  assert.equal(new Set([...prompt, ...drawn]).size, new Set(prompt).size + drawn.length);
  assert.notEqual(new Set([...prompt, ...free]).size, new Set(prompt).size + free.length);
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
  const effects = activation.map((/** @type {number} */ metric, /** @type {number} */ i) => ({
    real: metric - base,
    estimated: attribution[i] - base,
  }));
  const top = effects
    .sort((/** @type {any} */ a, /** @type {any} */ b) => Math.abs(b.real) - Math.abs(a.real))
    .slice(0, 5);
  for (const { real, estimated } of top)
    assert.equal(Math.sign(real), Math.sign(estimated), `${real} against ${estimated}`);
});

test("gradients, lens, attribution, circuits and token scores have their axes", async () => {
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

test("a logit lens reports progress and can be aborted, and the model answers other calls meanwhile", async () => {
  const found = await inLab(`
    const seen = [];
    const controller = new AbortController();
    await model.logitLens(sentence + sentence, { onProgress: ({ done, total }) => seen.push([done, total]) });
    const aborted = failure(() => model.logitLens(sentence + sentence, { signal: controller.signal, onProgress: () => controller.abort() }));
    return { seen, aborted: await aborted, ids: (await model.tokenize(sentence + sentence)).ids.length, still: (await model.logitLens("To be", { top: 1 })).topStrings.length };
  `);
  const [done, total] = found.seen.at(-1);
  assert.deepEqual([done, total], [Math.ceil(found.ids / 16), Math.ceil(found.ids / 16)]);
  assert.match(found.aborted, /^AbortError: /);
  assert.equal(found.still, 8);
});

test("heads are measured on random tokens under interventions too, sequence by sequence", async () => {
  const found = await inLab(`
    const seen = [];
    const { scores } = await model.headScores(undefined, { onProgress: ({ done, total }) => seen.push([done, total]) });
    // Without the head that looks at the token before, the heads above it have nothing to find.
    const previous = scores.at({ score: scores.labels.score.indexOf("previous_token") });
    const best = previous.data.indexOf(Math.max(...previous.data));
    const interventions = [{ at: ["z", Math.floor(best / 4)], head: best % 4, do: "zero" }];
    const without = (await model.headScores(undefined, { interventions })).scores;
    const induction = (table) => Math.max(...table.at({ score: table.labels.score.indexOf("induction") }).data);
    return {
      seen, before: induction(scores), after: induction(without),
      nothing: await failure(() => model.headScores(undefined, { interventions: [{ at: "blocks.0.hook_resid_pre", head: 1, do: "zero" }] })),
      pattern: await failure(() => model.headScores(undefined, { pattern: [[1]] })),
    };
  `);
  assert.deepEqual(found.seen.at(-1), [4, 4]);
  assert.ok(
    found.before > 0.9 && found.after < found.before - 0.3,
    `${found.before} and ${found.after}`,
  );
  assert.match(found.nothing, /^HookError: .*head/);
  assert.match(found.pattern, /^InputError: .*expected an input/);
});

test("a function runs in the worker, an invalid one is refused by name, and the model stays usable", async () => {
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

test("a call with the options of a method is printed as Python that computes the same", async () => {
  const found = await inLab(`
    const z = ["z", 1];
    const off = [{ at: z, head: 0, do: "zero" }];
    const { ids } = await model.tokenize("To be, or not");
    const contrast = { clean: "To be, or not", corrupted: "To do, or not", answer: " to", against: " be" };
    return {
      ids: [...ids], to: (await model.tokenize(" to")).ids[0], be: (await model.tokenize(" be")).ids[0],
      run: await model.toPython({ runWithCache: { input: "To be, or not", names: [z, "blocks.0.hook_resid_mid"], interventions: off, gradientsOf: { answer: " to" } } }),
      ofIds: await model.toPython({ runWithCache: { input: ids } }, { folder: "gpt2" }),
      generate: await model.toPython({ generate: { input: "To be, or not", maxNewTokens: 7, interventions: off, doSample: true, temperature: 0.5, stop: "." } }),
      sweep: await model.toPython({ patching: { ...contrast, at: "z" } }),
      estimate: await model.toPython({ patching: { ...contrast, at: "z", method: "attribution" } }),
      paths: await model.toPython({ pathPatching: { ...contrast, receivers: [{ layer: 2, head: 1, input: "k" }] } }),
      integrated: await model.toPython({ integratedGradients: { input: "To be, or not", loss: true, steps: 9, baseline: "To do, or not" } }),
    };
  `);
  const tokens = `torch.tensor([[${found.ids.join(", ")}]])`;
  for (const script of Object.values(found).filter((one) => typeof one === "string")) {
    assert.match(script, /from transformer_lens.model_bridge import TransformerBridge/);
    assert.match(script, /print\(json.dumps\(/);
  }
  assert.ok(
    found.run.includes(`tokens = ${tokens}`) &&
      found.run.includes('names = ["blocks.0.hook_resid_mid", "blocks.1.attn.hook_z"]'),
  );
  assert.match(
    found.run,
    /select\(x, name, head=\[0\]\)\n {4}y = x.clone\(\)\n {4}y\[part\] = 0\.0\n {4}return y\n/,
  );
  assert.match(
    found.run,
    new RegExp(`return logits\\[0, ${found.ids.length - 1}, ${found.to}\\]\n`),
  );
  assert.match(found.run, /^folder = ".*models\/shakespeare\/"/m);
  assert.match(found.ofIds, /^folder = "gpt2"/m);
  assert.doesNotMatch(
    found.run,
    /def (keys|causal|cut|mean_of_prompt)\(/,
    "what is not needed is not printed",
  );
  assert.ok(found.ofIds.includes(`tokens = ${tokens}`));
  assert.match(found.generate, /for step in range\(7\):/);
  assert.match(found.generate, /logits \/ 0\.5/);
  assert.ok(found.sweep.includes(`other = ${tokens}  # the clean prompt`));
  assert.match(
    found.sweep,
    new RegExp(
      `logits\\[0, ${found.ids.length - 1}, ${found.to}\\] - logits\\[0, ${found.ids.length - 1}, ${found.be}\\]`,
    ),
  );
  assert.match(found.sweep, /for layer in range\(4\):/);
  assert.match(found.estimate, /\* gradients\[name\]\)\.sum\(-1\)/);
  assert.match(found.paths, /receivers = \{"blocks\.2\.attn\.hook_k": \[1\]\}/);
  assert.match(found.integrated, /^steps = 9$/m);
});

test("a call that cannot be printed as Python is an error that names the reason, and the model stays usable", async () => {
  const found = await inLab(`
    const js = [{ at: "blocks.0.attn.hook_z", do: { js: (x) => x } }];
    const folded = await model.transformed(["fold_ln"]);
    const failures = {
      js: await failure(() => model.toPython({ runWithCache: { input: sentence, interventions: js } })),
      generated: await failure(() => model.toPython({ generate: { input: sentence, interventions: js } })),
      unknown: await failure(() => model.toPython({ headScores: {} })),
      two: await failure(() => model.toPython({ patching: {}, generate: {} })),
      option: await failure(() => model.toPython({ runWithCache: { input: sentence, maxNewTokens: 3 } })),
      input: await failure(() => model.toPython({ patching: { input: sentence, clean: sentence, corrupted: sentence, answer: 5 } })),
      missing: await failure(() => model.toPython({ runWithCache: {} })),
      name: await failure(() => model.toPython({ runWithCache: { input: sentence, names: ["blocks.9.hook_resid_pre"] } })),
      lengths: await failure(() => model.toPython({ patching: { clean: sentence, corrupted: "To be", answer: 5 } })),
      folded: await failure(() => folded.toPython({ runWithCache: { input: sentence } })),
      still: (await model.toPython({ runWithCache: { input: sentence } })).length > 0,
    };
    folded.dispose();
    return failures;
  `);
  assert.match(
    found.js,
    /^HookError: hook: intervention 0 at `blocks.0.attn.hook_z` is a JavaScript function/,
  );
  assert.match(found.generated, /^HookError: .*JavaScript function/);
  assert.match(
    found.unknown,
    /^InputError: the call is { headScores }, expected one of runWithCache, generate, patching/,
  );
  assert.match(found.two, /^InputError: the call is { patching, generate }/);
  assert.match(found.option, /^InputError: input: runWithCache has no option `maxNewTokens`/);
  assert.match(found.input, /^InputError: input: patching has no option `input`/);
  assert.match(found.missing, /^InputError: the input is undefined/);
  assert.match(found.name, /^HookError: /);
  assert.match(found.lengths, /^InputError: .*same length/);
  assert.match(found.folded, /^InputError: the weights were rewritten \(fold_ln\)/);
  assert.ok(found.still);
});

test("weight transforms change only the requested weights, and no prediction", async () => {
  const found = await inLab(`
    const names = ["blocks.0.ln1.hook_normalized", "blocks.1.attn.hook_v"];
    const folded = await model.transformed(["fold_ln", "center_writing_weights", "center_unembed", "fold_value_biases"]);
    const [plain, other] = [await model.runWithCache(sentence, { names }), await folded.runWithCache(sentence, { names })];
    const maxDifference = (a, b) => a.reduce((most, one, i) => Math.max(most, Math.abs(one - b[i])), 0);
    const answer = {
      transforms: [model.transforms, folded.transforms],
      logProbs: maxDifference([...plain.logProbs], other.logProbs.data),
      values: maxDifference([...plain.cache.get(names[1]).data], other.cache.get(names[1]).data),
      logits: maxDifference([...plain.logits.data], other.logits.data),
      unknown: await failure(() => model.transformed(["fold"])),
      wrong: await failure(() => model.transformed("fold_ln")),
    };
    folded.dispose();
    return { ...answer, gone: await failure(() => folded.runWithCache("To be")), loss: (await model.runWithCache(sentence)).loss - plain.loss };
  `);
  assert.deepEqual(found.transforms, [
    [],
    ["fold_ln", "center_writing_weights", "center_unembed", "fold_value_biases"],
  ]);
  assert.ok(found.logProbs < 1e-3, `log-probabilities differ by ${found.logProbs}`); // other weights, other roundings
  assert.ok(found.values > 1e-2 && found.logits > 1e-2, "the transforms did something");
  assert.match(found.unknown, /^InputError: input: there is no weight transform `fold`, expected/);
  assert.match(found.wrong, /^InputError: the transforms are "fold_ln", expected an array/);
  assert.match(found.gone, /^InputError: .*disposed/);
  assert.equal(found.loss, 0);
});

test("stacks of the residual stream add up to it, and through the final LayerNorm to the logits", async () => {
  const found = await inLab(`
    const names = ["blocks.3.hook_resid_post", "blocks.2.hook_resid_mid", "blocks.2.ln2.hook_normalized", "blocks.1.attn.hook_result"];
    const { cache } = await model.runWithCache("To be, or not", { names });
    const maxDifference = (a, b) => a.reduce((most, one, i) => Math.max(most, Math.abs(one - b[i])), 0);
    const sum = (parts) => { const each = parts.data.length / parts.shape[0]; return Array.from({ length: each }, (_, i) => { let total = 0; for (let at = i; at < parts.data.length; at += each) total += parts.data[at]; return total; }); };
    const parts = async (options) => (await model.residual("To be, or not", options)).parts;
    const decomposed = await parts();
    const byNeuron = await parts({ by: "neuron", positions: [-1] });
    const before = await parts({ by: "head", reader: { layer: 2, part: "mlp" } });
    const accumulated = await parts({ stack: "accumulated" });
    const sublayers = await parts({ stack: "accumulated", sublayers: true, reader: { layer: 2, part: "mlp" } });
    const heads = await parts({ stack: "heads" });
    const neurons = await parts({ stack: "neurons", positions: [0, 2], reader: { layer: 1, part: "attn" } });
    const end = cache.get(names[0]).at({ batch: 0 });
    const result = cache.get(names[3]).at({ batch: 0, head: 2 });
    return {
      decomposed: maxDifference(sum(decomposed), end.data), byNeuron: maxDifference(sum(byNeuron), end.at({ pos: -1 }).data),
      before: maxDifference(sum(before), cache.get(names[1]).data),
      states: accumulated.labels.component, last: maxDifference([...accumulated.at({ component: -1 }).data], end.data),
      sublayers: sublayers.labels.component, mid: maxDifference([...sublayers.at({ component: -1 }).data], cache.get(names[1]).data),
      heads: heads.shape, head: maxDifference([...heads.at({ component: heads.labels.component.indexOf("L1H2") }).data], result.data),
      neurons: neurons.shape, label: neurons.labels.component.at(-1), axes: neurons.axes,
      normalised: (await parts({ layerNorm: "frozen" })).shape, recomputed: (await parts({ stack: "accumulated", layerNorm: "recomputed" })).shape,
      wrong: await failure(() => model.residual("To be", { layerNorm: "recomputed", reader: { layer: 1, part: "mlp" } })),
      none: await failure(() => model.residual("To be", { stack: "heads", reader: { layer: 0, part: "attn" } })),
    };
  `);
  for (const name of ["decomposed", "byNeuron", "before"])
    assert.ok(found[name] < 1e-3, `${name}: ${found[name]}`); // sums of up to 4,000 f32 parts
  assert.ok(
    found.last < 1e-6 && found.mid < 1e-6 && found.head < 1e-4,
    `${found.last} ${found.mid} ${found.head}`,
  );
  assert.deepEqual(found.states, ["0_pre", "1_pre", "2_pre", "3_pre", "final_post"]);
  assert.deepEqual(found.sublayers, ["0_pre", "0_mid", "1_pre", "1_mid", "2_pre", "2_mid"]);
  assert.equal(found.heads[0], 16);
  assert.deepEqual(
    [found.neurons[0], found.neurons[1], found.axes.join(" ")],
    [1024, 2, "component pos d_model"],
  );
  assert.equal(found.label, "L0N1023");
  assert.equal(found.normalised[0], 10);
  assert.equal(found.recomputed[0], 5);
  assert.match(found.wrong, /^InputError: .*recomputed/);
  assert.match(found.none, /^InputError: .*no component writes before a `reader` at layer 0/);
});

test("means over reference texts can be captured once and replace the output of a head", async () => {
  const found = await inLab(`
    const texts = ["To be, or not to be", "Good night, good night!"];
    const means = await model.means({ texts, names: [["z", 1], "blocks.0.hook_mlp_out"] });
    const sums = new Float64Array(256);
    let count = 0;
    for (const text of texts) {
      const { cache } = await model.runWithCache(text, { names: ["blocks.0.hook_mlp_out"] });
      const { data, shape } = cache.get("blocks.0.hook_mlp_out");
      data.forEach((one, i) => (sums[i % 256] += one));
      count += shape[1];
    }
    const mean = means.get("blocks.0.hook_mlp_out");
    const names = ["blocks.1.attn.hook_z"];
    const { cache, loss } = await model.runWithCache(sentence, { names, interventions: [{ at: names[0], head: 2, do: { mean: means } }] });
    const [written, wanted] = [cache.get(names[0]).at({ batch: 0, pos: 5, head: 2 }), means.get(names[0]).at({ batch: 0, pos: 0, head: 2 })];
    return {
      names: means.names(), shape: mean.shape, axes: mean.axes, width: sums.length,
      maxDifference: Math.max(...[...mean.data].map((one, i) => Math.abs(one - sums[i] / count))),
      written: [...written.data].every((one, i) => one === wanted.data[i]), changed: loss !== (await model.runWithCache(sentence)).loss,
      pattern: await failure(() => model.means({ texts, names: [["pattern", 0]] })),
      empty: await failure(() => model.means({ texts: [], names: ["*"] })),
    };
  `);
  assert.deepEqual(found.names, ["blocks.0.hook_mlp_out", "blocks.1.attn.hook_z"]);
  assert.deepEqual(
    [found.shape, found.axes],
    [
      [1, 1, found.width],
      ["batch", "pos", "d_model"],
    ],
  );
  assert.ok(found.maxDifference < 1e-4, String(found.maxDifference)); // f32 sums of values of some dozens
  assert.ok(found.written && found.changed);
  assert.match(found.pattern, /^HookError: .*cannot be averaged over positions/);
  assert.match(found.empty, /^InputError: .*no prompt/);
});

test("a run measures its own patterns as headScores does on the same text", async () => {
  const found = await inLab(`
    const options = { names: ["blocks.*.attn.hook_pattern"], headScores: true };
    const { headScores } = await model.runWithCache(sentence, options);
    const { scores } = await model.headScores(sentence);
    const off = [{ at: "blocks.0.attn.hook_z", do: "zero" }];
    const under = (await model.headScores(sentence, { interventions: off })).scores;
    return {
      same: [...headScores.data].every((one, i) => one === scores.data[i] || (Number.isNaN(one) && Number.isNaN(scores.data[i]))), axes: headScores.axes, labels: headScores.labels.score,
      under: [...under.data].some((one, i) => one !== scores.data[i]), none: (await model.runWithCache(sentence)).headScores,
      missing: await failure(() => model.runWithCache(sentence, { headScores: true })),
    };
  `);
  assert.ok(found.same && found.under);
  assert.deepEqual(
    [found.axes.join(" "), found.labels],
    ["score layer head", ["previous_token", "duplicate_token", "induction"]],
  );
  assert.equal(found.none, null);
  assert.match(found.missing, /^HookError: .*hook_pattern/);
});

test("log-probabilities by named axes are the run's, and ids as a tensor are an input", async () => {
  const found = await inLab(`
    const { ids, logits, logProbs, loss } = await model.runWithCache(sentence);
    const rows = logits.at({ batch: 0 }).logSoftmax("vocab");
    const picked = rows.at({ pos: { to: -1 } }).at({ vocab: ids.at({ pos: { from: 1 } }) });
    const contrast = { corrupted: "O Romeo", answer: 3, against: 5 };
    const sweep = async (clean) => [...(await model.patching({ ...contrast, clean })).raw.data].join();
    const { ids: prompt } = await model.runWithCache("O Caesar");
    return {
      axes: picked.axes, farthest: Math.max(...picked.sub(logProbs).map(Math.abs)), mean: picked.mean().item(), loss,
      again: (await model.runWithCache(ids)).loss,
      sweeps: [await sweep("O Caesar"), await sweep(prompt)].map((text, i, all) => text === all[0] && text.length > 0),
      refused: await failure(() => model.runWithCache(logits)),
    };
  `);
  assert.deepEqual(found.axes, ["pos"]);
  assert.ok(found.farthest < 1e-5, `they differ by ${found.farthest}`); // log-sum-exp in f64 here, in f32 there
  assert.ok(Math.abs(found.mean + found.loss) < 1e-5);
  assert.equal(found.again, found.loss);
  assert.deepEqual(found.sweeps, [true, true]);
  assert.match(found.refused, /InputError: .*Tensor over batch, pos, vocab.*one axis/);
});
