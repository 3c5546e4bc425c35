// Batches through the browser: each text of a batch has the bits of a run of that text alone; the padded tensors are those of
// TransformerLens under an attention_mask, padded on either side; what does not fit is refused.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { inPage as run, openApi, start } from "./browser.js";
import { parsed } from "./safetensors.js";

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
/** @type {import("playwright-core").Page} */
let page;

const FIXTURES = ["plain", "scaled", "gelu", "toy_attn", "toy_solu", "toy_shortformer"];
/** Both round each operation to f32, in different orders: as natively, in tests/common/mod.rs. */
const TOLERANCE = { absolute: 1e-5, relative: 1e-4 };

before(async () => {
  site = await start();
  page = await openApi(site);
  await page.evaluate(async (url) => {
    const { loadModel, Tensor } = /** @type {any} */ (globalThis).api;
    const model = await loadModel(`${url}models/shakespeare/`);
    const texts = [
      "To be, or not to be",
      "ROMEO:",
      "But soft, what light through yonder window breaks",
      "I",
    ];
    /** Whether two tensors have the same axes, shape and bits. */
    const isSame = (/** @type {any} */ one, /** @type {any} */ other) => {
      if (one === null || typeof one === "number") return Object.is(one, other);
      const bits = (/** @type {any} */ { data }) =>
        new Uint32Array(data.buffer, data.byteOffset, data.length);
      const others = bits(other);
      return (
        `${one.axes}:${one.shape}` === `${other.axes}:${other.shape}` &&
        bits(one).every((bit, at) => bit === others[at])
      );
    };
    Object.assign(globalThis, { loadModel, Tensor, model, texts, isSame });
  }, site.url);
});

after(async () => {
  await site?.stop();
});

/** The body of an async function of the page, with what before() left there. @param {string} body */
const inPage = (body) => run(page, body);

/**
 * Whether the number at `at` belongs to no token of its text.
 * @param {number} at @param {{ axes: string[], shape: number[] }} tensor @param {number[]} lengths of the texts @param {boolean} isLeft
 */
function isPadded(at, { axes, shape }, lengths, isLeft) {
  const index = shape.map((_, axis) => {
    const stride = shape.slice(axis + 1).reduce((product, length) => product * length, 1);
    return Math.floor(at / stride) % shape[axis];
  });
  const own = lengths[index[0]];
  return axes.some((axis, i) => {
    if (!["pos", "query", "key"].includes(axis)) return false;
    return isLeft ? index[i] < shape[i] - own : index[i] >= own;
  });
}

/** The names of what differs between each text of a batch and a run of it alone. @param {string} options */
const differences = (options, inputs = "texts") =>
  inPage(`
    const options = ${options};
    const batch = await model.runWithCache(${inputs}, options);
    const differing = [];
    for (const [i, input] of ${inputs}.entries()) {
      const { paddingSide, ...same } = options;
      const alone = await model.runWithCache(input, same);
      const row = batch.row(i);
      for (const field of ["logits", "residual", "headScores", "loss"])
        if (!isSame(row[field], alone[field])) differing.push([i, field]);
      if (String(row.ids.data) !== String(alone.ids.data)) differing.push([i, "ids"]);
      if (row.cache.names().join() !== alone.cache.names().join()) differing.push([i, "names"]);
      for (const name of alone.cache.names()) {
        if (!isSame(row.cache.get(name), alone.cache.get(name))) differing.push([i, name]);
        if (options.gradientsOf && !isSame(row.cache.gradient(name), alone.cache.gradient(name)))
          differing.push([i, "gradient of " + name]);
      }
    }
    return { differing, count: batch.cache.names().length };
  `);

test("each text has the bits of a run alone: values, gradients, head scores, parts of a run", async () => {
  for (const options of [
    `{ names: ["*", "blocks.*.attn.hook_result"] }`,
    `{ names: ["*"], paddingSide: "left" }`,
    `{ names: ["blocks.*"], gradientsOf: { answer: 5, against: 9 } }`,
    `{ names: ["blocks.*.attn.hook_pattern"], headScores: true }`,
    `{ names: ["blocks.0.*"], stopAtLayer: 1, positions: [-1], prependBos: false }`,
  ]) {
    const { differing, count } = await differences(options);
    assert.deepEqual(differing, [], options);
    assert.ok(count > 0);
  }
});

test("each action changes each text as it changes that text alone", async () => {
  for (const change of [
    `{ at: "blocks.*.attn.hook_z", head: 1, do: "zero" }`,
    `{ at: "blocks.1.hook_resid_pre", positions: -1, do: { scale: 0.5 } }`,
    `{ at: "blocks.0.hook_mlp_out", do: "mean" }`,
    `{ at: "blocks.1.attn.hook_pattern", do: { knockOut: [{ query: -1, key: 0 }] } }`,
    `{ at: "blocks.0.hook_resid_post", do: { add: 0.25 } }`,
    `{ at: "blocks.0.mlp.hook_post", neuron: 3, do: { set: 1 } }`,
    `{ at: "blocks.1.attn.hook_q", do: { js: (x, { positions }) => x.map((one) => one * positions.length) } }`,
    `{ at: "blocks.0.hook_resid_mid", do: { mean: (await model.means({ texts: ["ROMEO:"], names: ["blocks.0.hook_resid_mid"] })) } }`,
  ]) {
    const { differing } = await differences(
      `{ names: ["blocks.1.*"], interventions: [${change}] }`,
    );
    assert.deepEqual(differing, [], change);
  }
});

test("an intervention selects texts, and patches text i from text i of a batch", async () => {
  const found = await inPage(`
    const at = "blocks.1.hook_resid_pre";
    const ids = await Promise.all(texts.map(async (one) => (await model.tokenize(one)).ids));
    const others = ids.map((list) => list.map((id) => (id + 100) % model.config.vocab_size));
    const from = await model.runWithCache(others, { names: [at] });
    const patched = await model.runWithCache(texts, { interventions: [{ at, do: { from: from.cache } }] });
    const rows = [];
    for (const [i, text] of texts.entries()) {
      const alone = await model.runWithCache(text, { interventions: [{ at, do: { from: from.cache.row(i) } }] });
      const plain = await model.runWithCache(text);
      rows.push([isSame(patched.row(i).logits, alone.logits), isSame(patched.row(i).logits, plain.logits)]);
    }
    const zero = { at, do: "zero" };
    const some = await model.runWithCache(texts, { interventions: [{ ...zero, batch: [0, -1] }] });
    const selected = [];
    for (const [i, text] of texts.entries()) {
      const plain = await model.runWithCache(text);
      const zeroed = await model.runWithCache(text, { interventions: [{ ...zero, batch: 0 }] });
      selected.push([isSame(some.row(i).logits, plain.logits), isSame(some.row(i).logits, zeroed.logits)]);
    }
    return { rows, selected };
  `);
  assert.deepEqual(found.rows, Array(4).fill([true, false]));
  assert.deepEqual(found.selected, [
    [false, true],
    [true, false],
    [true, false],
    [false, true],
  ]);
});

test("the tensors of a batch are padded with NaN, and the mask says where", async () => {
  for (const side of ["right", "left"]) {
    const found = await inPage(`
      const batch = await model.runWithCache(texts, { names: ["pattern", "blocks.0.hook_resid_pre"].map((name, i) => i ? name : "blocks.0.attn.hook_pattern"), paddingSide: "${side}" });
      const [first] = batch;
      const lengths = [...batch].map((run) => run.logits.shape[1]);
      const longest = Math.max(...lengths);
      const real = (row, pos) => "${side}" === "left" ? pos >= longest - lengths[row] : pos < lengths[row];
      const at = (tensor, index) => tensor.at(index).item();
      let wrong = 0;
      for (let row = 0; row < batch.length; row++)
        for (let pos = 0; pos < longest; pos++) {
          const place = "${side}" === "left" ? pos - longest + lengths[row] : pos;
          if (at(batch.mask, { batch: row, pos }) !== Number(real(row, pos))) wrong++;
          const logit = at(batch.logits, { batch: row, pos, vocab: 7 });
          const resid = at(batch.cache.get("blocks.0.hook_resid_pre"), { batch: row, pos, d_model: 3 });
          if (!real(row, pos)) wrong += Number(!Number.isNaN(logit)) + Number(!Number.isNaN(resid));
          else {
            wrong += Number(logit !== at(batch.row(row).logits, { batch: 0, pos: place, vocab: 7 }));
            wrong += Number(resid !== at(batch.cache.row(row).get("blocks.0.hook_resid_pre"), { batch: 0, pos: place, d_model: 3 }));
          }
          for (let key = 0; key < longest; key++) {
            const weight = at(batch.cache.get("blocks.0.attn.hook_pattern"), { batch: row, head: 1, query: pos, key });
            wrong += Number(Number.isNaN(weight) === (real(row, pos) && real(row, key)));
          }
        }
      return { wrong, side: batch.paddingSide, loss: [batch.loss.axes, batch.loss.shape, [...batch.loss.data]],
        logProbs: batch.logProbs.shape, ranks: batch.ranks.shape, ids: batch.ids.shape, longest,
        losses: [...batch].map((run) => run.loss) };
    `);
    assert.equal(found.wrong, 0, side);
    assert.equal(found.side, side);
    const { longest } = found;
    assert.deepEqual(found.ids, [4, longest]);
    assert.deepEqual(found.logProbs, [4, longest - 1]);
    assert.deepEqual(found.ranks, [4, longest - 1]);
    assert.deepEqual(found.loss.slice(0, 2), [["batch"], [4]]);
    for (const [row, loss] of found.loss[2].entries())
      assert.ok(Object.is(loss, found.losses[row] ?? Number.NaN), `${side} ${row}`);
  }
});

test("a batch continues at a layer from the padded stream of another", async () => {
  const found = await inPage(`
    const results = [];
    for (const paddingSide of ["right", "left"]) {
      const stopped = await model.runWithCache(texts, { stopAtLayer: 1, paddingSide });
      const startAt = { layer: 1, resid: stopped.residual };
      const rest = await model.runWithCache(texts, { startAt, paddingSide });
      const whole = await model.runWithCache(texts, { paddingSide });
      results.push(isSame(rest.logits, whole.logits), stopped.logits, stopped.loss);
      results.push(await failure(() => model.runWithCache(texts, { startAt, paddingSide: paddingSide === "left" ? "right" : "left" })));
    }
    return results;
  `);
  for (const at of [0, 4]) {
    assert.deepEqual(found.slice(at, at + 3), [true, null, null]);
    assert.match(
      found[at + 3],
      /^InputError: .*has numbers where text \d is padded at the (left|right), expected NaN/,
    );
  }
});

test("what does not fit is refused, and the model stays usable", async () => {
  const refused = {
    "^InputError: .*text 1 of the batch is null, expected a text or token ids": `model.runWithCache(["a", null])`,
    "^InputError: .*token id 1 of text 0 of the batch is -1, expected a whole number from 0": `model.runWithCache([[1, -1], "b"])`,
    "^InputError: .*text 1 of the batch: there is no token, expected at least one": `model.runWithCache(["a", ""])`,
    "^InputError: .*text 1 of the batch: there is no token": `model.headScores(["a", ""])`,
    "^InputError: .*text 2 of the batch: there is no token": `model.generate(["a", "b", ""]).next()`,
    "^InputError: .*`texts\\[1\\]` of means: there is no token": `model.means({ texts: ["a", ""], names: ["z"] })`,
    "^InputError: .*text 1 of the batch: token id 9999999 is out of range": `model.runWithCache([[1], [9999999]])`,
    "^InputError: .*text 0 of the batch: the context has 300 tokens": `model.runWithCache([new Array(300).fill(1), [1]])`,
    "^InputError: input: the intervention at `hook_embed` has `batch` 2, but the call runs 2 texts: expected -2 to 1": `model.runWithCache(["a", "b"], { interventions: [{ at: "hook_embed", batch: 2, do: "zero" }] })`,
    "^InputError: .*has `batch` 1, but the call runs one text: expected -1 to 0": `model.runWithCache("a", { interventions: [{ at: "hook_embed", batch: 1, do: "zero" }] })`,
    "^InputError: input: the intervention at `hook_embed` lists 0 twice in `batch`": `model.runWithCache(["a", "b"], { interventions: [{ at: "hook_embed", batch: [0, 0], do: { from: batch.cache } }] })`,
    "^InputError: input: the intervention at `hook_embed` lists 1 twice in `batch`": `model.runWithCache(["a", "b"], { interventions: [{ at: "hook_embed", batch: [1, -1], do: { from: batch.cache } }] })`,
    "^InputError: .*`batch` is empty": `model.runWithCache(["a", "b"], { interventions: [{ at: "hook_embed", batch: [], do: { from: batch.cache } }] })`,
    "^InputError: .*`interventions\\[0\\]\\.do\\.from` of runWithCache is of 2 texts and the call runs 3": `model.runWithCache(["a", "b", "c"], { interventions: [{ at: "hook_embed", do: { from: batch.cache } }] })`,
    "^InputError: .*is of 2 texts and the call runs 1, expected as many, or the cache of one text": `model.runWithCache("a", { interventions: [{ at: "hook_embed", do: { from: batch.cache } }] })`,
    "^InputError: .*`paddingSide` of runWithCache is for a batch": `model.runWithCache("a", { paddingSide: "left" })`,
    "^InputError: .*`paddingSide` of runWithCache.*\\bmiddle\\b.*right": `model.runWithCache(["a"], { paddingSide: "middle" })`,
    "^InputError: .*has no option `padingSide`; did you mean `paddingSide`": `model.runWithCache(["a"], { padingSide: "left" })`,
    "^InputError: there is no text 2 in the batch: expected a whole number from -2 to 1": `batch.row(2)`,
    "^HookError: .*was not captured": `batch.cache.get("blocks.0.hook_resid_pre")`,
    "^InputError: .*is a batch of 2, expected a text or token ids of one text": `model.logitLens(["a", "b"])`,
  };
  for (const [pattern, call] of Object.entries(refused)) {
    const found = await inPage(
      `const batch = await model.runWithCache(["a", "b"], { names: ["hook_embed"] }); return failure(async () => ${call})`,
    );
    assert.match(found, new RegExp(pattern), call);
  }
  assert.deepEqual((await differences(`{}`)).differing, []);
});

for (const name of FIXTURES) {
  test(`${name}: a batch is TransformerLens's under an attention_mask, and its rows have the bits of runs alone`, async () => {
    const folder = new URL(`../fixtures/${name}/`, import.meta.url);
    const read = (/** @type {string} */ file) => readFileSync(new URL(file, folder));
    const { texts } = JSON.parse(read("batch.json").toString());
    const files = ["config.json", "model.safetensors"].map((file) => [file, [...read(file)]]);
    const found = await page.evaluate(
      async ({ files, texts }) => {
        const { loadModel, isSame } = /** @type {any} */ (globalThis);
        const model = await loadModel(
          files.map(
            ([file, bytes]) =>
              new File([Uint8Array.from(/** @type {number[]} */ (bytes))], String(file)),
          ),
        );
        const names = [
          "blocks.0.attn.hook_pattern",
          "blocks.1.attn.hook_z",
          "blocks.1.hook_resid_post",
        ];
        /** @type {Record<string, { data: number[], axes: string[], shape: number[] }>} */
        const tensors = {};
        const plain = (/** @type {any} */ { data, axes, shape }) => ({
          ...{ data: [...data], axes: [...axes], shape: [...shape] },
        });
        let same = true;
        for (const paddingSide of ["right", "left"]) {
          const batch = await model.runWithCache(texts, { names, paddingSide });
          tensors[`${paddingSide}.logits`] = plain(batch.logits);
          for (const point of names)
            tensors[`${paddingSide}.${point}`] = plain(batch.cache.get(point));
          for (const [row, ids] of texts.entries()) {
            const alone = await model.runWithCache(ids, { names });
            same &&= isSame(batch.row(row).logits, alone.logits);
            for (const point of names)
              same &&= isSame(batch.row(row).cache.get(point), alone.cache.get(point));
          }
        }
        model.dispose();
        return { tensors, same };
      },
      { files, texts },
    );
    assert.ok(found.same);
    const { header, data } = parsed(read("batch.safetensors"));
    const lengths = texts.map((/** @type {number[]} */ ids) => ids.length);
    for (const [key, { data: numbers, axes, shape }] of Object.entries(found.tensors)) {
      const [begin, end] = header[key].data_offsets;
      const bytes = data.subarray(begin, end);
      const expected = new Float32Array(Uint8Array.from(bytes).buffer);
      assert.equal(numbers.length, expected.length, key);
      for (const [at, number] of numbers.entries()) {
        const isPadding = isPadded(at, { axes, shape }, lengths, key.startsWith("left"));
        assert.equal(Number.isNaN(number), isPadding, `${key} ${at}: ${number}`);
        if (isPadding) continue;
        const allowed = TOLERANCE.absolute + TOLERANCE.relative * Math.abs(expected[at]);
        assert.ok(
          Math.abs(number - expected[at]) <= allowed,
          `${key} ${at}: ${number}, ${expected[at]}`,
        );
      }
    }
  });
}
