// What the lessons say is true of the bundled model: every number of a text is measured with the public API, and no text has a
// number that is not.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { LESSONS, stepOf } from "../../www/lessons/index.ts";
import { OPENING } from "../../www/state/state.ts";
import { start, visit } from "./browser.js";

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
before(async () => {
  site = await start();
});
after(() => site.stop());

/** @param {number} value @param {number} [digits] */
const fixed = (value, digits = 2) => value.toFixed(digits);

/**
 * The text of a step has all of these words, and no digit outside of them.
 * @param {string} lesson @param {number} at @param {readonly string[]} words each as often as the text has it
 */
function assertSays(lesson, at, words) {
  let rest = stepOf(lesson, at)?.text ?? "";
  for (const word of [...words].sort((a, b) => b.length - a.length)) {
    const found = rest.indexOf(word);
    assert.ok(found >= 0, `${lesson} ${at} does not say "${word}": ${stepOf(lesson, at)?.text}`);
    rest = `${rest.slice(0, found)}…${rest.slice(found + word.length)}`;
  }
  assert.doesNotMatch(rest, /\d/, `${lesson} ${at} has a number that no test measures: ${rest}`);
}

/**
 * Runs the body of a function of `model`, of `given` and of these helpers, in the page.
 * @param {object} given @param {string} body @returns {Promise<any>}
 */
async function measure(given, body) {
  /** @type {any} */
  let result;
  await visit(site, { path: "#prompt=a" }, async (page) => {
    result = await page.evaluate(`(async () => {
      const { loadModel } = await import(new URL("candlescope.js", location.href).href);
      const model = await loadModel("models/shakespeare");
      const given = ${JSON.stringify(given)};
      const off = (...heads) => heads.map(([layer, head]) => ({ at: "blocks." + layer + ".attn.hook_z", head, do: "zero" }));
      const pattern = async (text, layer, head) => {
        const name = "blocks." + layer + ".attn.hook_pattern";
        const { cache } = await model.runWithCache(text, { names: [name] });
        const { data, shape } = cache.get(name).at({ batch: 0, head });
        return Array.from({ length: shape[0] }, (_, row) => [...data.slice(row * shape[1], (row + 1) * shape[1])]);
      };
      const next = async (text, interventions = []) => {
        const { logits } = await model.runWithCache(text, { interventions });
        const row = logits.at({ batch: 0, pos: -1 }).data;
        const max = Math.max(...row);
        const sum = row.reduce((total, value) => total + Math.exp(value - max), 0);
        const best = row.indexOf(max);
        const probability = async (token) => Math.exp(row[(await model.tokenize(token)).ids[0]] - max) / sum;
        return { best: await model.detokenize([best]), probability };
      };
      const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
      /** The mean loss of the first copy of a text that stands there twice, and of the tokens that an earlier pair foretells. */
      const losses = async (text, interventions = []) => {
        const { ids } = await model.tokenize(text);
        const loss = [...(await model.tokenScores(text, { interventions })).loss.data];
        const pairs = new Set();
        const repeated = [];
        for (let at = 1; at < ids.length; at++) {
          const pair = ids[at - 1] + " " + ids[at];
          if (pairs.has(pair)) repeated.push(loss[at - 1]);
          pairs.add(pair);
        }
        return { first: mean(loss.slice(0, ids.length / 2 - 1)), repeated: mean(repeated) };
      };
      const generate = async (text, interventions, sampling) => {
        let written = "";
        for await (const { string } of model.generate(text, { ...sampling, interventions })) written += string;
        return written;
      };
      try { ${body} } finally { model.dispose(); }
    })()`);
  });
  return result;
}

const { prompt } = OPENING;

test("what a head does: tokens, rows that add up to 1, and the previous-token head", async () => {
  const found = await measure(
    { prompt },
    `
    const { ids, strings } = await model.tokenize(given.prompt);
    const { scores } = await model.headScores(given.prompt);
    const previous = [...scores.at({ score: scores.labels.score.indexOf("previous_token") }).data];
    const rows = await pattern(given.prompt, 1, 1);
    return {
      count: ids.length, strings, previous, heads: model.config.n_head,
      sums: rows.map((row) => row.reduce((sum, value) => sum + value, 0)),
      future: rows.map((row, at) => Math.max(0, ...row.slice(at + 1))),
      before: await losses(given.prompt), after: await losses(given.prompt, off([0, 1])),
    };`,
  );
  const half = prompt.length / 2;
  assert.equal(prompt.slice(0, Math.floor(half)), prompt.slice(Math.ceil(half)));
  assert.ok([" met", "al"].every((token) => found.strings.includes(token)));
  assertSays("heads", 1, [`${found.count}`, "·met", "head 1.1"]);
  for (const sum of found.sums) assert.ok(Math.abs(sum - 1) < 1e-5);
  assert.equal(Math.max(...found.future), 0);
  assertSays("heads", 2, ["1"]);
  const best = found.previous.indexOf(Math.max(...found.previous));
  const name = `${Math.floor(best / found.heads)}.${best % found.heads}`;
  assertSays("heads", 3, [
    `Head ${name}`,
    fixed(found.previous[best]),
    `other ${found.previous.length - 1} heads`,
  ]);
  assertSays("heads", 4, [
    `head ${name}`,
    fixed(found.before.repeated),
    fixed(found.after.repeated),
  ]);
  assert.equal(LESSONS[2].name, "circuit", "the third lesson shows what reads it");
});

test("finding induction heads: scores, the stripe, and the loss without them", async () => {
  const found = await measure(
    { prompt },
    `
    const { strings } = await model.tokenize(given.prompt);
    const { scores } = await model.headScores(given.prompt);
    const induction = scores.at({ score: scores.labels.score.indexOf("induction") });
    const loss = async (...heads) => losses(given.prompt, off(...heads));
    return {
      strings, rows: await pattern(given.prompt, 1, 1),
      scores: [...induction.data].map((value, at) => ({ value, name: Math.floor(at / model.config.n_head) + "." + at % model.config.n_head })),
      losses: [await loss(), await loss([1, 1]), await loss([1, 0]), await loss([1, 0], [1, 1])],
    };`,
  );
  const [first, second, third] = found.scores.sort(
    (/** @type {any} */ a, /** @type {any} */ b) => b.value - a.value,
  );
  assertSays("induction", 1, [
    `Heads ${first.name} (${fixed(first.value)})`,
    `${second.name} (${fixed(second.value)})`,
    fixed(third.value),
  ]);

  const { strings, rows } = found;
  const half = strings.length / 2;
  const at = strings.lastIndexOf(" contin");
  const to = strings.indexOf("ue");
  assert.equal(at, to + half - 1);
  assert.deepEqual(stepOf("induction", 2)?.state.lock, { query: at, key: to });
  assertSays("induction", 2, [
    `${half - 1} columns`,
    `(token ${at})`,
    `head ${first.name}`,
    fixed(rows[at][to]),
    `(token ${to})`,
  ]);
  const onStripe = rows
    .slice(half + 1)
    .filter((/** @type {number[]} */ row, /** @type {number} */ index) => {
      const query = half + 1 + index;
      return row[query - half + 1] === Math.max(...row);
    });
  assert.ok(onStripe.length > 0.75 * (half - 1), `${onStripe.length} rows are brightest there`);

  const [all, without, withoutTwin, neither] = found.losses;
  assertSays("induction", 3, [fixed(all.first), fixed(all.repeated)]);
  assertSays("induction", 4, [
    `head ${first.name}`,
    fixed(all.repeated),
    fixed(without.repeated),
    `(${fixed(all.first, 1)} to ${fixed(without.first, 1)})`,
  ]);
  assertSays("induction", 5, [
    `head ${second.name}`,
    fixed(withoutTwin.repeated),
    fixed(neither.repeated),
    `(${fixed(neither.first)})`,
  ]);
  assert.ok(neither.repeated >= neither.first, "nothing is left to copy with");
});

test("the colours of the second copy are paler, as the lesson about induction heads says", async () => {
  const loss = await measure(
    { prompt },
    "return [...(await model.tokenScores(given.prompt)).loss.data];",
  );
  const half = (loss.length + 1) / 2;
  const paler = loss
    .slice(0, half - 1)
    .filter((/** @type {number} */ value, /** @type {number} */ at) => loss[at + half] < value);
  assert.ok(paler.length > (half - 1) / 2, `${paler.length} of ${half - 1} tokens are paler`);
});

test("the circuit: attention, composition and paths", async () => {
  const [{ state: text }, , , { state: question }] = LESSONS[2].steps;
  const found = await measure(
    { ...question, text: text.prompt },
    `
    const { text, prompt: clean, corrupted, answer, against } = given;
    const { strings } = await model.tokenize(text);
    const { scores } = await model.compositionScores({ path: "k" });
    const composition = Array.from({ length: model.config.n_head }, (_, writer_head) =>
      scores.at({ writer_layer: 0, writer_head, reader_layer: 1, reader_head: 1 }));
    const receivers = [{ layer: 1, head: 1, input: "k" }];
    const path = async (mlps) => [...(await model.pathPatching({ clean, corrupted, answer, against, receivers, mlps })).normalized.data];
    const swapped = await model.tokenize(corrupted);
    return {
      strings, swapped: swapped.strings, composition: composition.map((one) => one.data ? one.data[0] : one), width: model.config.n_embd,
      induction: await pattern(text, 1, 1), previous: await pattern(text, 0, 1),
      best: (await next(text)).best, probability: await (await next(text)).probability(" Troilus"),
      recomputed: await path("recomputed"), frozen: await path("frozen"),
    };`,
  );
  const { strings, induction, previous, composition } = found;
  const last = strings.length - 1;
  assert.equal(strings[last], " loves");
  const name = strings.indexOf(" Troilus");
  assert.equal(strings[name - 1], " loves");
  assert.equal(found.best, " Troilus");
  assertSays("circuit", 1, [
    `(token ${name})`,
    "head 1.1",
    `${fixed(induction[last][name])} of its attention`,
    `probability ${fixed(found.probability)}`,
  ]);
  assertSays("circuit", 2, [
    `(token ${name})`,
    "head 0.1",
    fixed(previous[name][name - 1]),
    "head 1.1",
  ]);
  const order = composition
    .map((/** @type {number} */ value, /** @type {number} */ head) => ({ value, head }))
    .sort((/** @type {any} */ a, /** @type {any} */ b) => b.value - a.value);
  assert.equal(order[0].head, 1);
  assertSays("circuit", 3, [
    "layer 0",
    "head 0.1",
    "head 1.1",
    fixed(order[0].value, 3),
    fixed(1 / Math.sqrt(found.width), 4),
    `head 0.${order[1].head} has ${fixed(order[1].value, 3)}`,
  ]);

  const swap = (/** @type {string} */ token) =>
    ({ " loves": " knows", " knows": " loves" })[token] ?? token;
  assert.deepEqual(
    strings.slice(0, last).map(swap),
    found.swapped.slice(0, last),
    "only the verbs are swapped",
  );
  assert.equal(found.swapped[last], strings[last]);
  const strongest = found.recomputed[1];
  const others = found.recomputed.filter(
    (/** @type {number} */ _, /** @type {number} */ place) => place !== 1,
  );
  for (const other of others) assert.ok(Math.abs(other) < 0.01, `another head restores ${other}`);
  assertSays("circuit", 4, ["head 1.1", "Head 0.1", fixed(strongest), "0.01"]);
  for (const value of found.frozen) assert.ok(Math.abs(value) < 0.005, `${value} with frozen MLPs`);
  assertSays("circuit", 5, ["0.00", "layer 0"]);
});

test("the lens: where the answer appears, and where it does not", async () => {
  const { prompt: text } = LESSONS[3].steps[0].state;
  const found = await measure(
    { text },
    `
    const { strings } = await model.tokenize(given.text);
    const last = strings.length - 1;
    const read = async (interventions) => {
      const lens = await model.logitLens(given.text, { top: 1, answer: " Troilus", interventions });
      const layers = lens.topIds.shape[0];
      const count = strings.length;
      return {
        tops: Array.from({ length: layers }, (_, layer) => lens.topStrings.slice(layer * count, (layer + 1) * count)),
        probabilities: Array.from({ length: layers }, (_, layer) => [...lens.answerProbability.data.slice(layer * count, (layer + 1) * count)]),
        ranks: Array.from({ length: layers }, (_, layer) => [...lens.answerRank.data.slice(layer * count, (layer + 1) * count)]),
      };
    };
    return { strings, last, all: await read([]), without: await read(off([1, 1])), previous: await pattern(given.text, 0, 1) };`,
  );
  const { last, strings, all, without } = found;
  const column = (/** @type {any[][]} */ rows, /** @type {number} */ at) =>
    rows.map((row) => row[at]);
  assert.deepEqual(column(all.tops, last), [",", " Troilus", " Troilus", " Troilus"]);
  assertSays("lens", 1, ["layer 0", "layer 1"]);
  const [, one, two, end] = column(all.probabilities, last);
  assertSays("lens", 2, [`(token ${last})`, `${fixed(one)} after layer 1`, fixed(two), fixed(end)]);
  const first = strings.indexOf(" loves");
  for (const rank of column(all.ranks, first).slice(1)) assert.ok(rank > 1500, `rank ${rank}`);
  assertSays("lens", 3, [`(token ${first})`, "1500", "layers 1, 2 and 3"]);
  assert.ok(!column(without.tops, last).includes(" Troilus"));
  assertSays("lens", 4, ["Head 1.1", fixed(without.probabilities[3][last], 3), fixed(end)]);
  const name = strings.indexOf(" Troilus");
  assert.equal(all.tops[0][name], ",");
  assert.ok(found.previous[name][name - 1] > 0.9);
  assertSays("lens", 5, [`(token ${name})`, "layer 0", "head 0.1"]);
});

test("patching an answer: where it is, which head moves it, and the patch the other way round", async () => {
  const [{ state }] = LESSONS[4].steps;
  const found = await measure(
    state,
    `
    const { prompt: clean, corrupted, answer, against } = given;
    const options = { clean, corrupted, answer, against };
    const [before, other] = [await next(clean), await next(corrupted)];
    const { cache } = await model.runWithCache(corrupted, { names: ["blocks.1.attn.hook_z"] });
    const patched = await next(clean, [{ at: "blocks.1.attn.hook_z", head: 1, do: { from: cache } }]);
    const [one, two] = [await model.tokenize(clean), await model.tokenize(corrupted)];
    const map = async (more) => { const { normalized } = await model.patching({ ...options, ...more }); return { shape: normalized.shape, data: [...normalized.data] }; };
    return {
      strings: one.strings, differ: one.strings.flatMap((string, at) => string === two.strings[at] ? [] : [at]), counts: [one.ids.length, two.ids.length],
      best: [before.best, other.best],
      before: [await before.probability(answer), await before.probability(against)], other: await other.probability(against),
      after: [await patched.probability(answer), await patched.probability(against)],
      stream: await map({ at: "resid_pre" }), heads: await map({ at: "z" }), estimate: await map({ at: "z", method: "attribution" }),
    };`,
  );
  const { strings, before, after: patched, stream, heads, estimate } = found;
  assert.equal(found.counts[0], found.counts[1]);
  assert.deepEqual(found.differ, [3], "the prompts differ in one token");
  assert.deepEqual(found.best, [" Caesar", " Antony"]);
  assertSays("patching", 1, [`(${fixed(before[0])})`, `(${fixed(found.other)})`]);
  const [layers, count] = stream.shape;
  const at = (/** @type {number} */ layer, /** @type {number} */ position) =>
    stream.data[layer * count + position];
  assert.equal(layers, 4);
  const last = strings.length - 1;
  assertSays("patching", 2, [
    "1 brings",
    "0 changes",
    "layers 0 and 1",
    "(token 3)",
    `(${fixed(at(0, 3))} and ${fixed(at(1, 3))})`,
    "layers 2 and 3",
    `(${fixed(at(2, last))} and ${fixed(at(3, last))})`,
  ]);
  const others = heads.data.filter(
    (/** @type {number} */ _, /** @type {number} */ place) => place !== 5,
  );
  assert.ok(Math.max(...others.map(Math.abs)) < 0.085);
  assertSays("patching", 3, ["Head 1.1", fixed(heads.data[5]), fixed(Math.max(...others))]);
  assertSays("patching", 4, [
    "head 1.1",
    `from ${fixed(before[0])} to ${fixed(patched[0])}`,
    `from ${fixed(before[1])} to ${fixed(patched[1])}`,
  ]);
  assertSays("patching", 5, [fixed(estimate.data[5]), "head 1.1", fixed(heads.data[5])]);
});

test("steering: what the model writes with and without the direction", async () => {
  const { steps } = LESSONS[5];
  const [{ state: romeo }, , { state: iAm }] = steps;
  const { doSample, temperature, seed, maxNewTokens } = romeo;
  const [intervention] = steps[1].state.interventions ?? [];
  assert.equal(intervention.at, "blocks.3.hook_resid_pre");
  const found = await measure(
    {
      romeo: romeo.prompt,
      iAm: iAm.prompt,
      at: intervention.at,
      sampling: { doSample, temperature, seed, maxNewTokens },
    },
    `
    const last = async (text) => [...(await model.runWithCache(text, { names: [given.at] })).cache.get(given.at).at({ batch: 0, pos: -1 }).data];
    const [from, to] = [await last("the fool"), await last("the king")];
    const times = (factor) => [{ at: given.at, do: { add: to.map((value, at) => factor * (value - from[at])) } }];
    const of = async (interventions) => { const { best, probability } = await next(given.iAm, interventions); return { best, king: await probability(" king"), fool: await probability(" fool") }; };
    return {
      before: await generate(given.romeo, [], given.sampling), steered: await generate(given.romeo, times(1), given.sampling),
      drowned: await generate(given.romeo, times(2), given.sampling), none: await of([]), once: await of(times(1)), back: await of(times(-1)),
    };`,
  );
  const { before, steered, drowned, none, once, back } = found;
  for (const [at, times] of [
    [1, 1],
    [2, 1],
    [3, -1],
    [4, 2],
  ])
    assert.deepEqual(steps[at].state.interventions?.[0].do, {
      add: { difference: ["the king", "the fool"] },
      times,
    });
  assert.match(before, /JULIET:/);
  assert.doesNotMatch(before, /king/i);
  assertSays("steering", 1, []);
  assert.match(steered, /BUCKINGHAM:.*YORK:/s);
  assert.match(steered, /king/);
  assert.match(steered, /Duke of York/);
  assertSays("steering", 2, ["layer 3"]);
  assertSays("steering", 3, [`from ${fixed(none.king)} to ${fixed(once.king)}`]);
  assert.equal(back.best, " fool");
  assertSays("steering", 4, [
    "Times −1",
    `from ${fixed(none.king, 3)} to ${fixed(back.king, 3)}`,
    `with ${fixed(back.fool, 3)}`,
    `of ${fixed(none.fool, 3)}`,
  ]);
  assert.match(drowned, /^.{0,40}?( OF YORK){6,}( OF)?$/s);
  assertSays("steering", 5, ["Times 2"]);
});

test("Generate continues the opening text with two speeches in words of the plays", async () => {
  const { doSample, temperature, seed, maxNewTokens } = OPENING;
  const written = await measure(
    { prompt, sampling: { doSample, temperature, seed, maxNewTokens } },
    "return generate(given.prompt, [], given.sampling);",
  );
  assert.equal(
    written,
    "\n\nPAROLLES:\nSir, I will not be so much in money.\n\nBERTRAM:\nI would have I heard you know not what he should\nthe very man that is a fool to-morrow.",
  );
});
