// Weights by name and models with other weights, through the built API in headless Chromium: against the bytes of the files,
// TransformerLens and interventions.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { start } from "./browser.js";
import { half, parsed } from "./safetensors.js";

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
/** @type {import("playwright-core").Page} */
let page;

/** One with positions of each kind, untied and tied, attention only, LayerNorm on the neurons, a bias of the logits. */
const FIXTURES = /** @type {const} */ ([
  "plain",
  "untied",
  "toy_attn",
  "toy_solu",
  "toy_shortformer",
  "toy_no_positions",
]);
/** @typedef {typeof FIXTURES[number]} Name */

/** @param {Name} name @param {string} file */
const read = (name, file) => readFileSync(new URL(`../fixtures/${name}/${file}`, import.meta.url));

before(async () => {
  site = await start();
  page = await site.browser.newPage();
  await page.goto(`${site.url}tensor.js`); // a file of the site without code
  const files = FIXTURES.map((name) => [
    name,
    ...["config.json", "model.safetensors"].map((file) => read(name, file).toString("base64")),
  ]);
  await page.evaluate(
    async ({ url, files }) => {
      const { loadModel, Tensor } = await import(`${url}candlescope.js`);
      const bytes = (/** @type {string} */ text) =>
        Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
      /** @type {Record<string, any>} */
      const models = { shakespeare: await loadModel(`${url}models/shakespeare/`) };
      for (const [name, config, weights] of files)
        models[name] = await loadModel({ config: bytes(config), weights: bytes(weights) });
      const failure = (/** @type {Promise<unknown>} */ promise) =>
        promise.then(
          () => "none",
          (error) => `${error.name}: ${error.message}`,
        );
      /** The bits of the logits. */
      const bits = async (/** @type {any} */ model, /** @type {object} */ options) => {
        const { data } = (await model.runWithCache([1, 2, 3, 2], options)).logits;
        return new Uint32Array(data.buffer, data.byteOffset, data.length).join();
      };
      Object.assign(globalThis, { loadModel, Tensor, models, failure, bits });
    },
    { url: site.url, files },
  );
});

after(async () => {
  await site?.stop();
});

/**
 * Runs a function body in the page, which sees loadModel, Tensor, models, `failure` of a promise, `bits` of the logits, and `given`.
 * @param {string} body @param {unknown} [given] @returns {Promise<any>}
 */
const run = (body, given) =>
  page.evaluate(`(async (given) => { ${body} })(${JSON.stringify(given ?? null)})`);

/** Tensors of a safetensors file in f32 or f16: shape, and bits in f32. @param {Buffer} file */
function tensors(file) {
  const { header, data } = parsed(file);
  return Object.entries(header).map(
    ([
      name,
      {
        dtype,
        shape,
        data_offsets: [from, to],
      },
    ]) => {
      assert.ok(["F32", "F16"].includes(dtype), `${name}: ${dtype}`);
      const bytes = Uint8Array.from(data.subarray(from, to)).buffer;
      const values =
        dtype === "F32"
          ? new Float32Array(bytes)
          : Float32Array.from(new Uint16Array(bytes), (one) => half(one));
      return { name, shape, bits: [...new Uint32Array(values.buffer)] };
    },
  );
}

/** Weights of a model: shape, axes and bits. @param {Name} model @param {readonly string[]} names */
const weights = (model, names) =>
  run(
    `const found = [];
    for (const name of given.names) {
      const weight = await models[given.model].parameter(name);
      const { shape, axes, data, note } = weight;
      found.push({ name: weight.name, shape, axes, note, isTensor: weight instanceof Tensor, bits: [...new Uint32Array(data.buffer, data.byteOffset, data.length)] });
    }
    return found;`,
    { model, names },
  );

const MASKS = /attn\.(bias|masked_bias|mask|IGNORE)$/;

test("every tensor of the files has the bits of the file", async () => {
  for (const model of FIXTURES) {
    const expected = tensors(read(model, "model.safetensors")).filter(
      ({ name }) => !MASKS.test(name),
    );
    const found = await weights(
      model,
      expected.map(({ name }) => name),
    );
    for (const [i, { name, shape, bits }] of expected.entries()) {
      const { axes, note, isTensor } = found[i];
      assert.deepEqual(found[i].shape, shape, `${model}: ${name}`);
      assert.deepEqual(found[i].bits, bits, `${model}: ${name}`);
      assert.equal(found[i].name, name.replace(/^transformer\./, ""));
      assert.deepEqual([axes.length, note, isTensor], [shape.length, undefined, true]);
    }
  }
});

test("names of TransformerLens give its shapes and bits, also of all layers at once", async () => {
  for (const model of /** @type {const} */ (["plain", "untied"])) {
    const expected = tensors(read(model, "weights.safetensors"));
    const names = expected.map(({ name }) => name);
    assert.ok(names.includes("W_Q") && names.includes("blocks.1.attn.W_O"));
    const found = await weights(model, names);
    for (const [i, { name, shape, bits }] of expected.entries())
      assert.deepEqual([found[i].shape, found[i].bits], [shape, bits], `${model}: ${name}`);
  }
  const [queries, output, unembed] = await weights("plain", ["W_Q", "blocks.0.attn.W_O", "W_U"]);
  assert.deepEqual(queries.axes, ["layer", "head", "d_model", "d_head"]);
  assert.deepEqual(output.axes, ["head", "d_head", "d_model"]);
  assert.deepEqual([unembed.axes, unembed.name], [["d_model", "vocab"], "unembed.W_U"]);
});

test("a part is that part of the whole", async () => {
  const parts = await run(`
    const model = models.shakespeare;
    const whole = await model.parameter("W_O");
    const same = (a, b) => a.shape.join() === b.shape.join() && a.axes.join() === b.axes.join() && a.data.every((value, i) => value === b.data[i]);
    const one = await model.parameter(["W_O", -1], { head: 2 });
    const listed = await model.parameter(["W_O", [3, 0]], { head: [1] });
    const [embed, unembed] = [await model.parameter("W_E"), await model.parameter("W_U", { vocab: 7 })];
    const rows = await model.parameter("wte.weight", { vocab: [-1, 7] });
    const row = embed.at({ vocab: 7 });
    return [
      same(one, whole.at({ layer: -1, head: 2 })),
      listed.shape.join() === "2,1,64,256" && same(listed.at({ layer: 0, head: 0 }), whole.at({ layer: 3, head: 1 })),
      unembed.data.length === row.data.length && unembed.data.every((value, i) => value === row.data[i]),
      same(rows.at({ vocab: 1 }), row) && same(rows.at({ vocab: 0 }), embed.at({ vocab: -1 })),
    ];`);
  assert.deepEqual(parts, [true, true, true, true]);
});

test("a weight has the name by which its numbers are found again", async () => {
  const found = await run(`
    const model = models.shakespeare;
    const of = async (...args) => {
      const { name, isWhole, data } = await model.parameter(...args);
      const again = await model.parameter(name);
      return [name, isWhole, again.data.length === data.length && again.data.every((value, i) => value === data[i])];
    };
    const found = [];
    for (const args of [[["W_O", -1]], ["W_O", { layer: 3 }], ["W_O"], ["W_U"], ["W_U", { vocab: undefined }]])
      found.push(await of(...args));
    for (const args of [[["W_O", [3]]], [["W_O", -1], { head: 2 }], ["W_U", { vocab: 7 }]]) {
      const { name, isWhole } = await model.parameter(...args);
      found.push([name, isWhole]);
    }
    return found;`);
  assert.deepEqual(found, [
    ["blocks.3.attn.W_O", true, true],
    ["blocks.3.attn.W_O", true, true],
    ["W_O", true, true],
    ["unembed.W_U", true, true],
    ["unembed.W_U", true, true],
    ["W_O", false],
    ["blocks.3.attn.W_O", false],
    ["unembed.W_U", false],
  ]);
});

test("rounded weights and zeros that no file holds say so", async () => {
  const notes = await run(
    `
    const notes = {};
    for (const dtype of ["f32", "f16", "q8", "q4"]) {
      const model = await loadModel(given, { dtype, keep: false });
      const note = async (name) => (await model.parameter(name)).note;
      notes[dtype] = [await note("blocks.0.mlp.W_in"), await note("blocks.0.mlp.b_in"), await note("b_U")];
      model.dispose();
    }
    return notes;`,
    `${site.url}models/shakespeare/`,
  );
  const zeros = "zeros: the logits of this model have no bias";
  // JSON of the page has no undefined
  assert.deepEqual(notes, {
    f32: [undefined, undefined, zeros],
    f16: ["rounded to f16: to 11 significant bits", undefined, zeros],
    q8: ["rounded to q8: to 8 bits, scaled in blocks of 64", undefined, zeros],
    q4: ["rounded to q4: to 4 bits, scaled in blocks of 32", undefined, zeros],
  });
});

test("a name or a part that does not fit is refused with the reason", async () => {
  /** @type {[model: string, args: string, message: RegExp][]} */
  const cases = [
    ["plain", `"W_q"`, /^InputError: .*there is no weight `W_q`; the nearest are `W_Q`/],
    ["plain", `"blocks.9.attn.W_Q"`, /the model has 2 layers, counted from 0/],
    ["plain", `["W_Q", 9]`, /`layer` 9 is out of range, expected -2 to 1/],
    [
      "plain",
      `["blocks.0.attn.W_Q", 0]`,
      /has no axis `layer`, its axes are head, d_model, d_head/,
    ],
    ["plain", `["W_Q", 0], { layer: 1 }`, /the layer is given twice/],
    ["plain", `["W_Q", "0"]`, /`layer`.*"0".*expected/],
    ["plain", `["W_Q"]`, /the name of a weight is .*expected a text such as "W_E"/],
    ["plain", `7`, /the name of a weight is 7/],
    ["plain", `"\\ud800"`, /lone surrogate/],
    ["plain", `"W_E", { head: 0 }`, /`embed.W_E` has no axis `head`, its axes are vocab, d_model/],
    ["plain", `"W_E", { vocab: 1e6 }`, /`vocab` 1000000 is out of range/],
    ["plain", `"W_E", { vocab: 1.5 }`, /`vocab`.*1\.5.*expected/],
    ["plain", `"W_Q", { heads: 0 }`, /no option `heads`/],
    ["plain", `"W_Q", { head: [] }`, /`head` is an empty list/],
    ["plain", `"W_Q", 3`, /the options of parameter are 3/],
    ["plain", `"W_E", { signal: AbortSignal.abort() }`, /^AbortError/],
    ["toy_attn", `"W_in"`, /this model has attention only/],
    ["toy_no_positions", `"W_pos"`, /this model has no positions/],
  ];
  for (const [model, args, message] of cases)
    assert.match(
      await run(`return failure(models.${model}.parameter(${args}))`),
      message,
      `${model}: ${args}`,
    );
});

test("a model with its own weights computes the same bits", async () => {
  for (const model of FIXTURES) {
    const wrong = await run(
      `
      const model = models[given];
      const before = await bits(model);
      const wrong = [];
      for (const { name, views } of model.parameters)
        for (const each of [name, ...views.map((view) => view.name)]) {
          const same = await model.withParameters({ [each]: await model.parameter(each) });
          if ((await bits(same)) !== before) wrong.push(each);
          if (!same.report.some(({ kind }) => kind === "replaced")) wrong.push(each + " in the report");
          same.dispose();
        }
      return wrong;`,
      model,
    );
    assert.deepEqual(wrong, [], model);
  }
});

test("a head without output is the intervention that zeroes it", async () => {
  const { off, zeroed, unchanged } = await run(`
    const model = models.shakespeare;
    const name = "blocks.1.attn.W_O";
    const weight = await model.parameter(name);
    weight.at({ head: 3 }).data.fill(0);
    const changed = await model.withParameters({ [name]: weight });
    const logits = async (model, interventions = []) => [...(await model.runWithCache("To be, or", { interventions })).logits.data];
    const found = { off: await logits(changed), zeroed: await logits(model, [{ at: "blocks.1.attn.hook_z", head: 3, do: "zero" }]), unchanged: await logits(model) };
    changed.dispose();
    return found;`);
  const distance = (/** @type {number[]} */ a, /** @type {number[]} */ b) =>
    a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);
  assert.ok(distance(off, zeroed) < 1e-5, "sums of the same products in f32");
  assert.ok(distance(off, unchanged) > 1e-2, "the head does something");
});

test("a model with other weights takes no memory for those that it shares", async () => {
  const [before, after, weights] = await run(`
    const made = [];
    for (let i = 0; i < 10; i++)
      made.push(await models.shakespeare.withParameters({ W_pos: await models.shakespeare.parameter("W_pos") }));
    const [first, last] = [made[0], made.at(-1)].map(({ backend }) => backend.memoryBytes);
    for (const one of made) one.dispose();
    return [first, last, 4 * models.shakespeare.parameterCount];`);
  assert.ok(after - before < weights / 2, `${after - before} bytes for 9 models of ${weights}`);
});

test("new weights that do not fit are refused", async () => {
  /** @type {[weights: string, message: RegExp][]} */
  const cases = [
    [`undefined`, /the weights are undefined, expected an object of one or more/],
    [`{}`, /expected an object of one or more/],
    [`[w]`, /expected an object of one or more/],
    [`{ W_q: w }`, /there is no weight `W_q`; the nearest/],
    [
      `{ [name]: [1, 2] }`,
      /`blocks.0.attn.W_O` of withParameters is .*expected a Tensor or { shape, data }/,
    ],
    [`{ [name]: null }`, /is null, expected a Tensor/],
    [
      `{ [name]: { ...plain, dtype: "f16" } }`,
      /`blocks.0.attn.W_O` has no option `dtype`; expected one of name, shape, data, axes/,
    ],
    [
      `{ [name]: { ...plain, shape: [1] } }`,
      /has shape \[1\], expected \[3, 6, 18\] over head, d_head, d_model/,
    ],
    [`{ [name]: { ...plain, data: [1] } }`, /has 1 numbers, expected 324/],
    [
      `{ [name]: { ...plain, data: ["x"] } }`,
      /`data\[0\]` of `blocks.0.attn.W_O` is "x", expected a number/,
    ],
    [
      `{ [name]: new Tensor(w.data, [18, 3, 6], ["d_model", "head", "d_head"]) }`,
      /has the axes d_model, head, d_head, expected head, d_head, d_model in this order/,
    ],
    [
      `{ [name]: w, "h.0.attn.c_proj.weight": { shape: [18, 18], data: w.data } }`,
      /are the same numbers of `h.0.attn.c_proj.weight`/,
    ],
    [`{ [name]: w }, { sign: 1 }`, /withParameters has no option `sign`/],
    [`{ [name]: w }, { signal: AbortSignal.abort() }`, /^AbortError/],
  ];
  for (const [weights, message] of cases)
    assert.match(
      await run(`
        const name = "blocks.0.attn.W_O";
        const w = await models.plain.parameter(name);
        const plain = { shape: [...w.shape], data: [...w.data] };
        return failure(models.plain.withParameters(${weights}));`),
      message,
      weights,
    );
});

test("a model with other weights can be rewritten and printed as little as any that differs from its files", async () => {
  const found = await run(`
    const model = models.shakespeare;
    const half = await model.parameter("W_pos");
    half.data = half.data.map((value) => value / 2);
    const changed = await model.withParameters({ W_pos: half });
    const logits = async (one) => (await one.runWithCache("To be, or")).logits.data;
    const folded = await changed.transformed(["fold_ln"]);
    const [a, b] = [await logits(changed), await logits(folded)];
    const nan = await changed.withParameters({ "ln_final.b": { shape: [256], data: new Float32Array(256).fill(NaN) } });
    const printed = await Promise.all([changed, folded].map((one) => failure(one.toPython({ runWithCache: { input: "To be" } }))));
    const found = {
      distance: a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0),
      printed,
      kept: (await nan.parameter("W_pos", { pos: 1, d_model: 0 })).item() === half.at({ pos: 1, d_model: 0 }).item(),
      kinds: nan.report.map(({ kind, name }) => kind + " " + name),
    };
    for (const one of [nan, folded, changed]) one.dispose();
    return { ...found, disposed: await failure(changed.parameter("W_pos")) };`);
  // Folding multiplies each weight by a scale before the sum instead of after it.
  assert.ok(found.distance < 1e-3);
  for (const message of found.printed)
    assert.match(message, /^InputError: the weights were rewritten \(withParameters/);
  assert.ok(found.kept);
  for (const one of ["replaced pos_embed.W_pos", "replaced ln_final.b", "nonFinite ln_final.b"])
    assert.ok(found.kinds.includes(one), found.kinds.join());
  assert.match(found.disposed, /^InputError: the model was disposed of/);
});

test("after the worker was replaced, the model has its other weights again", async () => {
  const found = await run(
    `
    const model = await loadModel("models/shakespeare/", { keep: false });
    const weight = await model.parameter(["W_out", 2]);
    weight.data.fill(0.25);
    const changed = await model.withParameters({ "blocks.2.mlp.W_out": weight });
    weight.data.fill(0); // the model has a copy
    const before = await bits(changed);
    const crash = await failure(changed.runWithCache("To be", { interventions: [{ at: "blocks.0.hook_resid_pre", do: { js: given } }] }));
    const found = { crash, same: (await bits(changed)) === before, weight: (await changed.parameter(["W_out", 2], { d_mlp: 3, d_model: 5 })).item(), differs: (await bits(model)) !== before };
    for (const one of [changed, model]) one.dispose();
    return found;`,
    // Every later copy of numbers out of wasm memory fails like a trap.
    `() => { globalThis.Float32Array = function () { throw new WebAssembly.RuntimeError("unreachable"); }; }`,
  );
  assert.match(found.crash, /^WorkerError/);
  assert.deepEqual({ ...found, crash: "" }, { crash: "", same: true, weight: 0.25, differs: true });
});
