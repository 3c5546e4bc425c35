// `show` of the functions of interventions, in headless Chromium: what is shown arrives while the run goes on, in order, as a copy,
// at the listener of its own call, and before the call is answered.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { eventually, inPage as run, openApi, start } from "./browser.js";

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
/** @type {import("playwright-core").Page} */
let page;
/** What the page and its worker printed. @type {string[]} */
const printed = [];

before(async () => {
  site = await start();
  page = await openApi(site);
  page.on("console", (message) => printed.push(message.text()));
  await page.evaluate(async (url) => {
    const { loadModel, Tensor } = /** @type {any} */ (globalThis).api;
    const model = await loadModel(`${url}models/shakespeare/`, { keep: false });
    const text = "To be, or not to be";
    /** Options with a function at a point, and the list of what it shows. */
    const showing = (/** @type {any} */ js, at = "blocks.1.attn.hook_pattern", more = {}) => {
      /** @type {any[]} */
      const shown = [];
      const onShow = (/** @type {any} */ one) => shown.push(one);
      return { shown, options: { interventions: [{ at, ...more, do: { js } }], onShow } };
    };
    /** A tensor as plain data. */
    const plain = (/** @type {any} */ { name, shape, axes, data }) => ({
      name,
      shape,
      axes,
      data: [...data],
    });
    Object.assign(globalThis, { Tensor, model, text, showing, plain });
  }, site.url);
});

after(async () => {
  await site?.stop();
});

/** The body of an async function of the page, with what before() left there. @param {string} body @returns {Promise<any>} */
const inPage = (body) => run(page, body);

test("show() hands over the selected values: the bits that a run captures, with their name and axes", async () => {
  const found = await inPage(`
    const { shown, options } = showing((x, { show }) => show(), ["pattern", [1, 2]]);
    const run = await model.runWithCache(text, { ...options, names: "pattern" });
    const count = shown.length; // when the promise has resolved
    const plainRun = await model.runWithCache(text);
    return {
      count, names: shown.map(({ name }) => name), isTensor: shown.every(({ value }) => value instanceof Tensor),
      shown: shown.map(({ value }) => plain(value)), wanted: [1, 2].map((layer) => ({ ...plain(run.cache.get(["pattern", layer])), name: "blocks." + layer + ".attn.hook_pattern" })),
      fields: Object.keys(shown[0]).sort(), positions: shown[0].positions, row: shown[0].row, length: run.ids.size("pos"),
      same: String(run.logits.data) === String(plainRun.logits.data),
    };
  `);
  assert.equal(found.count, 2, "all values are there when the run is");
  assert.deepEqual(found.names, ["blocks.1.attn.hook_pattern", "blocks.2.attn.hook_pattern"]);
  assert.equal(found.isTensor, true);
  assert.deepEqual(found.shown, found.wanted);
  assert.deepEqual(found.fields, ["axes", "indices", "name", "positions", "row", "shape", "value"]);
  assert.deepEqual(
    found.positions,
    Array.from({ length: found.length }, (_, at) => at),
  );
  assert.equal(found.row, 0);
  assert.equal(found.same, true, "showing changes no number");
});

test("a selection is shown as it was selected", async () => {
  const found = await inPage(`
    const { shown, options } = showing((x, { show }) => show(x), "blocks.0.attn.hook_z", { head: [3, 1], positions: [-1, 2] });
    const run = await model.runWithCache(text, { ...options, names: "blocks.0.attn.hook_z" });
    const last = run.ids.size("pos") - 1;
    const [{ value, positions, indices, shape, axes }] = shown;
    const { name, isWhole, labels } = value;
    const wanted = run.cache.get("z").at({ pos: positions, head: [3, 1] });
    return { positions, indices, labels, last, shape, axes, name, isWhole, same: String(value.data) === String(wanted.data), value: value.shape };
  `);
  assert.deepEqual([...found.positions].sort(), [2, found.last].sort());
  assert.deepEqual(found.shape, [1, 2, 2, 64]);
  assert.deepEqual(found.value, found.shape);
  assert.deepEqual(found.axes, ["batch", "pos", "head", "d_head"]);
  assert.deepEqual(found.indices, { head: [3, 1], pos: found.positions });
  assert.deepEqual(found.labels, { head: ["3", "1"], pos: found.positions.map(String) });
  // Its indices are not those of what the name says, so no code may be written with them.
  assert.deepEqual([found.name, found.isWhole], ["blocks.0.attn.hook_z", false]);
  assert.equal(found.same, true);
});

test("values come in order and are copies of what they were", async () => {
  const found = await inPage(`
    const { shown, options } = showing((x, info) => {
      const { show, shape } = info;
      const parts = { sum: 1, inner: [1, 2], x };
      show();
      show(parts, "text", null, undefined, NaN, 3n, new Map([["a", 1]]));
      x.fill(7);
      parts.inner[0] = 9;
      shape[0] = 99;
      info.name = "another";
      show();
    }, "blocks.0.hook_resid_pre", { positions: 0 });
    const run = await model.runWithCache(text, { ...options, names: "blocks.0.hook_resid_pre" });
    const [first, parts, ...others] = shown.map(({ value }) => value);
    const last = others.pop();
    return {
      others: others.map((one) => typeof one === "bigint" ? one + "n" : one instanceof Map ? [...one] : String(one)),
      inner: parts.inner, kept: parts.x.every((one) => one !== 7) && String(parts.x) === String(first.data),
      last: last.data.every((one) => one === 7), shape: last.shape, names: shown.map(({ name }) => name),
      changed: run.cache.get("resid_pre").at({ pos: 0 }).data.every((one) => one === 7),
    };
  `);
  assert.deepEqual(found.others, ["text", "null", "undefined", "NaN", "3n", [["a", 1]]]);
  assert.deepEqual(found.inner, [1, 2]);
  assert.equal(found.kept, true, "a change after show does not reach the page");
  assert.equal(found.last, true, "show() shows x as it is now");
  assert.deepEqual(found.shape, [1, 1, 256]);
  assert.deepEqual([...new Set(found.names)], ["blocks.0.hook_resid_pre"]);
  assert.equal(found.changed, true);
});

test("a value arrives while the run goes on", async () => {
  let arrive = () => {};
  /** @type {Promise<void>} */
  const arrived = new Promise((resolve) => {
    arrive = resolve;
  });
  await page.exposeFunction("arrive", () => arrive());
  await page.route("**/gate", async (route) => {
    await arrived;
    await route.fulfill({ body: "open" });
  });
  // The function waits for the gate in the middle of the run, and the listener opens it.
  const state = await inPage(`
    const options = {
      interventions: [{ at: "blocks.0.attn.hook_pattern", do: { js: (x, { show }) => {
        show();
        const request = new XMLHttpRequest();
        request.open("GET", self.location.origin + "/gate", false);
        request.send();
        show(request.responseText);
      } } }],
      onShow: ({ value }) => { seen.push(isDone); if (value instanceof Tensor) arrive(); else seen.push(value); },
    };
    const seen = [];
    let isDone = false;
    await model.runWithCache(text, options);
    isDone = true;
    return seen;
  `);
  assert.deepEqual(state, [false, false, "open"]);
});

test("each text of a batch shows its own values, with its row", async () => {
  const found = await inPage(`
    const texts = [text, "ROMEO:", "O Romeo"];
    const { shown, options } = showing((x, { show, row }) => { show(); show(row); }, "blocks.1.hook_attn_out");
    const batch = await model.runWithCache(texts, { ...options, names: "blocks.1.hook_attn_out" });
    const some = showing((x, { show }) => show("some"), "hook_embed", { batch: [0, -1] });
    await model.runWithCache(texts, some.options);
    const tensors = shown.filter(({ value }) => value instanceof Tensor);
    return {
      rows: tensors.map(({ row }) => row), told: shown.filter(({ value }) => !(value instanceof Tensor)).map(({ value, row }) => [value, row]),
      same: tensors.map(({ row, value }) => String(value.data) === String(batch.row(row).cache.get("attn_out").data)),
      some: some.shown.map(({ row }) => row),
    };
  `);
  assert.deepEqual([...found.rows].sort(), [0, 1, 2]);
  assert.deepEqual([...found.told].sort(), [
    [0, 0],
    [1, 1],
    [2, 2],
  ]);
  assert.deepEqual(found.same, [true, true, true]);
  assert.deepEqual([...found.some].sort(), [0, 2]);
});

test("a generation says the step, and all values of a step are there before it is given", async () => {
  const found = await inPage(`
    const results = {};
    for (const useCache of [true, false]) {
      const { shown, options } = showing((x, { show }) => show(), "blocks.0.hook_resid_pre", { step: [0, 2] });
      const counts = [];
      for await (const step of model.generate(text, { ...options, maxNewTokens: 4, stopAtEos: false, useCache })) counts.push(shown.length);
      results[useCache] = { counts, steps: shown.map(({ step }) => step), positions: shown.map(({ positions }) => positions.length) };
    }
    const { shown, options } = showing((x, { show }) => show(), "blocks.0.hook_resid_pre");
    await collect(model.generate([text, "ROMEO:"], { ...options, maxNewTokens: 2, stopAtEos: false }));
    return { ...results, batch: shown.map(({ step, row }) => [step, row]), length: (await model.tokenize(text)).ids.length };
  `);
  assert.deepEqual(found.true, {
    counts: [1, 1, 2, 2],
    steps: [0, 2],
    positions: [found.length, 1],
  });
  // Without the key/value cache, each pass computes all positions again.
  assert.deepEqual(found.false, {
    counts: [1, 2, 3, 4],
    steps: [0, 1, 2, 3],
    positions: [0, 0, 1, 1].map((more) => found.length + more), // those of the prompt, and from step 2 on that of its token
  });
  assert.deepEqual(
    [...found.batch].sort((a, b) => a[0] - b[0] || a[1] - b[1]),
    [
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1],
    ],
  );
});

test("analyses with interventions show too, and those without refuse the listener", async () => {
  const found = await inPage(`
    const counts = {};
    const calls = {
      logitLens: (options) => model.logitLens(text, options),
      attribution: (options) => model.attribution(text, { ...options, answer: 5 }),
      residual: (options) => model.residual(text, options),
      headScores: (options) => model.headScores(text, options),
      tokenScores: (options) => model.tokenScores(text, options),
    };
    for (const [name, call] of Object.entries(calls)) {
      const { shown, options } = showing((x, { show }) => show());
      await call(options);
      counts[name] = shown.length;
    }
    const onShow = () => {};
    const refused = [
      () => model.circuits({ layer: 0, head: 0, onShow }), () => model.patching({ clean: text, corrupted: text, answer: 5, onShow }),
      () => model.tokenize(text, { onShow }), () => model.runWithCache(text, { onShow: 3 }), () => model.logitLens(text, { onShow: "log" }),
      () => collect(model.generate(text, { onShow: {} })), () => model.runWithCache(text, { onshow: onShow }),
    ];
    return { counts, refused: await Promise.all(refused.map(failure)) };
  `);
  for (const [name, count] of Object.entries(found.counts))
    assert.ok(count >= 1, `${name} showed ${count}`);
  const patterns = [
    /^InputError: .*`onShow` of circuits/,
    /^InputError: .*`onShow` of patching/,
    /^InputError: tokenize has no option `onShow`/,
    /^InputError: `onShow` of runWithCache is 3, expected a function/,
    /^InputError: `onShow` of logitLens is "log", expected a function/,
    /^InputError: `onShow` of generate is an object of type Object, expected a function/,
    /^InputError: .*`onshow` of runWithCache/,
  ];
  found.refused.forEach((/** @type {string} */ message, /** @type {number} */ at) =>
    assert.match(message, patterns[at]),
  );
});

test("a value that cannot be copied is a HookError with the hook point; what came before it arrived", async () => {
  const found = await inPage(`
    const results = [];
    for (const js of [(x, { show }) => { show(1); show(() => 1); }, (x, { show }) => show({ deep: [Symbol("s")] }), (x, { show }) => show({ get a() { throw new Error("no"); } })]) {
      const { shown, options } = showing(js);
      results.push([await failure(() => model.runWithCache(text, options)), shown.map(({ value }) => value)]);
      results.push(await failure(() => model.runWithCache(text, { interventions: options.interventions }))); // without a listener
    }
    const { shown, options } = showing((x, { show }) => { try { show(() => 1); } catch { show("caught"); } });
    await model.runWithCache(text, options);
    return { results, caught: shown.map(({ value }) => value) };
  `);
  const refused =
    /^HookError: .*the function at `blocks\.1\.attn\.hook_pattern` threw TypeError: show got a value that cannot be copied to the page, expected data without functions/;
  assert.equal(found.results.length, 6);
  for (const result of found.results.flat()) {
    if (typeof result === "string") assert.match(result, refused);
  }
  assert.deepEqual(found.results[0][1], [1]);
  assert.deepEqual(found.caught, ["caught"]);
});

test("an error of the listener is reported, and the run goes on", async () => {
  const found = await inPage(`
    const reported = [];
    const report = (event) => { reported.push(event.error.message); event.preventDefault(); };
    addEventListener("error", report);
    const { interventions } = showing((x, { show }) => { show(1); show(2); }).options;
    const run = await model.runWithCache(text, { interventions, onShow: ({ value }) => { throw new Error("listener " + value); } });
    removeEventListener("error", report);
    return [reported, run.loss > 0];
  `);
  assert.deepEqual(found, [["listener 1", "listener 2"], true]);
});

test("without a listener, the worker prints it on the console with its name", async () => {
  printed.length = 0;
  await inPage(
    `await model.runWithCache(text, { interventions: showing((x, { show }) => { show(); show({ mean: 0.5 }); }).options.interventions });`,
  );
  // Printing is asynchronous, so what an earlier test printed may come first.
  await eventually(() => assert.match(String(printed.at(-1)), /mean: 0\.5/));
  const [selected, other] = printed.slice(-2);
  assert.match(
    selected,
    /^Tensor\(batch: 1, head: 4, query: \d+, key: \d+\) blocks\.1\.attn\.hook_pattern\n\[\[\[\[1, 0/,
  );
  assert.match(other, /^blocks\.1\.attn\.hook_pattern .*mean: 0\.5/);
});

test("calls at once do not mix: runs, a batch, a generation and a measurement", async () => {
  const found = await inPage(`
    const all = Array.from({ length: 6 }, (_, at) => showing("(x, { show }) => show(" + at + ")"));
    const [a, b, c, d, e, f] = all.map(({ options }) => options);
    await Promise.all([
      model.runWithCache(text, a), model.runWithCache("ROMEO:", b), model.runWithCache([text, "ROMEO:"], c),
      collect(model.generate(text, { ...d, maxNewTokens: 5, stopAtEos: false })), collect(model.generate("ROMEO:", { ...e, maxNewTokens: 5, stopAtEos: false })),
      model.logitLens(text, f),
    ]);
    return all.map(({ shown }) => [shown.length, ...new Set(shown.map(({ value }) => value))]);
  `);
  assert.deepEqual(found, [
    [1, 0],
    [1, 1],
    [2, 2],
    [5, 3],
    [5, 4],
    [1, 5],
  ]);
});

test("nothing arrives after an abort, of a run or in a generation", async () => {
  const found = await inPage(`
    // The listener aborts the run at the first of many values.
    const run = new AbortController();
    const { shown, options } = showing((x, { show }) => show(), "pattern");
    options.onShow = (one) => { shown.push(one); run.abort(); };
    const aborted = await failure(() => model.runWithCache(text, { ...options, signal: run.signal }));
    const generation = new AbortController();
    const steps = showing((x, { show }) => show());
    const ended = await failure(async () => {
      for await (const _ of model.generate(text, { ...steps.options, maxNewTokens: 50, stopAtEos: false, signal: generation.signal }))
        if (steps.shown.length === 3) generation.abort();
    });
    const count = steps.shown.length;
    const next = showing((x, { show }) => show("next"));
    await model.runWithCache(text, next.options);
    return { aborted, shown: shown.length, ended, count, later: steps.shown.length, next: next.shown.map(({ value }) => value) };
  `);
  assert.match(found.aborted, /^AbortError: runWithCache was aborted/);
  assert.equal(found.shown, 1);
  assert.match(found.ended, /^AbortError: generate was aborted/);
  assert.deepEqual([found.count, found.later], [3, 3]);
  assert.deepEqual(found.next, ["next"]);
});

test("a show that outlives its run is refused, and reaches no other call", async () => {
  printed.length = 0;
  const found = await inPage(`
    const first = showing((x, { show }) => { globalThis.kept = show; show("in time"); setTimeout(() => show("late")); });
    await model.runWithCache(text, first.options);
    const second = showing((x, { show }) => { show("own"); globalThis.kept("of another run"); });
    const refused = await failure(() => model.runWithCache(text, second.options));
    const third = showing((x, { show }) => show("fine"));
    await model.runWithCache(text, third.options);
    return { refused, shown: [first, second, third].map(({ shown }) => shown.map(({ value }) => value)) };
  `);
  assert.match(
    found.refused,
    /^HookError: .*threw Error: show of `blocks\.1\.attn\.hook_pattern` was called after its run/,
  );
  assert.deepEqual(found.shown, [["in time"], ["own"], ["fine"]]);
  assert.ok(!printed.some((text) => text.startsWith("blocks.")), `${printed}`);
});

test("after a trap, the next run shows to its own listener only", async () => {
  const found = await inPage(`
    const TRAPS = "(x, { show }) => { show('before'); globalThis.Float32Array = function () { throw new WebAssembly.RuntimeError('unreachable'); }; }";
    const first = showing(TRAPS);
    const failed = await failure(() => model.runWithCache(text, first.options));
    const second = showing((x, { show }) => show("after"));
    await model.runWithCache(text, second.options);
    return { failed, shown: [first, second].map(({ shown }) => shown.map(({ value }) => value)) };
  `);
  assert.match(found.failed, /^WorkerError/);
  assert.deepEqual(found.shown, [["before"], ["after"]]);
});

test("a derived model shows as its parent does", async () => {
  const found = await inPage(`
    const derived = await model.transformed(["fold_ln"]);
    const { shown, options } = showing((x, { show }) => show());
    await derived.runWithCache(text, options);
    derived.dispose();
    return shown.map(({ name }) => name);
  `);
  assert.deepEqual(found, ["blocks.1.attn.hook_pattern"]);
});
