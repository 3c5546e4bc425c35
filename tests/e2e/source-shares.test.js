// What each source token contributes to a logit through a head, in headless Chromium through the worker, against plain arithmetic on
// TransformerLens's activations and the weights of the checkpoint.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { build } from "esbuild";

import { start } from "./browser.js";
import { parsed } from "./safetensors.js";

const fixtures = new URL("../fixtures/", import.meta.url);

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
/** @type {import("playwright-core").Page} */
let page;

before(async () => {
  site = await start();
  page = await site.browser.newPage();
  await page.route("**/fixtures/**", (route) => {
    const [, path] = new URL(route.request().url()).pathname.split("/fixtures/");
    return route
      .fulfill({ body: readFileSync(new URL(path, fixtures)) })
      .catch(() => route.abort());
  });
  const { outputFiles } = await build({
    stdin: {
      contents: `export * from "./www/session/source-shares.ts"; export * from "./www/session/neuron-effect.ts"; export * from "./www/session/most-active.ts";`,
      resolveDir: new URL("../../", import.meta.url).pathname,
    },
    bundle: true,
    write: false,
    format: "esm",
  });
  const { text } = outputFiles[0];
  await page.route("**/session.js", (route) =>
    route.fulfill({ body: text, contentType: "text/javascript" }),
  );
  await page.goto(`${site.url}tensor.js`); // any file of the site without code that runs: it is shown as text
});

after(() => site?.stop());

/** Runs the body of a function of `model`, `session` and `given` in the page. @param {string} folder @param {object} given @param {string} body @returns {Promise<any>} */
function inLab(folder, given, body) {
  return page.evaluate(`(async () => {
    const { loadModel } = await import(${JSON.stringify(`${site.url}candlescope.js`)});
    const session = await import(${JSON.stringify(`${site.url}session.js`)});
    const at = ${JSON.stringify(`${site.url}fixtures/${folder}/`)};
    const model = await loadModel({ config: at + "config.json", weights: at + "model.safetensors" });
    const given = ${JSON.stringify(given)};
    try { ${body} } finally { model.dispose(); }
  })()`);
}

/** The tensors of a file, which are f32 or f16. @param {string} folder @param {string} file @returns {Record<string, { shape: number[], data: ArrayLike<number> }>} */
function tensors(folder, file) {
  const { header, data } = parsed(readFileSync(new URL(`${folder}/${file}`, fixtures)));
  return Object.fromEntries(
    Object.entries(header).map(([name, { dtype, shape, data_offsets }]) => {
      const bytes = Uint8Array.from(data.subarray(...data_offsets));
      const values =
        dtype === "F16"
          ? Array.from(new Uint16Array(bytes.buffer), half)
          : new Float32Array(bytes.buffer);
      return [name, { shape, data: values }];
    }),
  );
}

/** The value of 16 bits. @param {number} bits */
function half(bits) {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  return (
    sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15))
  );
}

/** @param {string} folder @param {string} file */
const json = (folder, file) =>
  JSON.parse(readFileSync(new URL(`${folder}/${file}`, fixtures), "utf8"));

/**
 * The shares of every key, by the definition.
 * @param {string} folder @param {{ layer: number, head: number, position: number, answer: number, against: number | null }} what
 */
function expectedShares(folder, { layer, head, position, answer, against }) {
  const weights = tensors(folder, "model.safetensors");
  const seen = tensors(folder, "activations.safetensors");
  const {
    n_head: heads,
    n_embd: width,
    normalization_type: norm = "LN",
  } = json(folder, "config.json");
  const size = width / heads;
  /** @param {string} name */
  const weight = (name) => weights[name] ?? weights[`transformer.${name}`];
  const unembedding = weight("lm_head.weight") ?? weight("wte.weight");
  const gain = norm === "LN" ? weight("ln_f.weight").data : null;
  const scale = norm === "none" ? 1 : seen["ln_final.hook_scale"].data[position];
  const direction = Array.from({ length: width }, (_, i) => {
    const u = (/** @type {number} */ id) => unembedding.data[id * width + i];
    return (gain ? gain[i] : 1) * (u(answer) - (against === null ? 0 : u(against)));
  });
  const mean = norm === "none" ? 0 : direction.reduce((sum, value) => sum + value, 0) / width;
  const pattern = seen[`blocks.${layer}.attn.hook_pattern`];
  const values = seen[`blocks.${layer}.attn.hook_v`];
  const projection = weight(`h.${layer}.attn.c_proj.weight`).data;
  const length = pattern.shape.at(-1) ?? 0;
  return Array.from({ length: position + 1 }, (_, key) => {
    const attention = pattern.data[(head * length + position) * length + key];
    let share = 0;
    for (let k = 0; k < size; k++) {
      const value = values.data[(key * heads + head) * size + k];
      for (let i = 0; i < width; i++)
        share +=
          attention * value * projection[(head * size + k) * width + i] * (direction[i] - mean);
    }
    return share / scale;
  });
}

for (const folder of ["plain", "untied", "toy_attn", "toy_linear", "toy_shortformer", "toy_solu"]) {
  test(`${folder}: the shares of source tokens are those of the definition, and add up to the head's`, async () => {
    const { tokens } = json(folder, "expected.json");
    const config = json(folder, "config.json");
    const ids = Array.isArray(tokens[0]) ? tokens[0] : tokens;
    let largest = 0;
    for (const against of [null, 5]) {
      for (const position of [0, ids.length - 2]) {
        const found = await inLab(
          folder,
          { ids, against, position, layers: config.n_layer, heads: config.n_head },
          `
          const ids = Uint32Array.from(given.ids), { against, position } = given, answer = 11;
          const { shares } = await model.attribution(ids, { answer, position, by: "head", ...(against !== null && { against }) });
          const found = [];
          for (let layer = 0; layer < given.layers; layer++) for (let head = 0; head < given.heads; head++) {
            const part = await session.sourceShares(model, ids, { layer, head, position, answer, against, interventions: [] });
            found.push({ layer, head, shares: [...part.shares], pattern: [...part.pattern], whole: shares.data[shares.labels.component.indexOf("L" + layer + "H" + head)] });
          }
          return found;`,
        );
        for (const { layer, head, shares, pattern, whole } of found) {
          const expected = expectedShares(folder, { layer, head, position, answer: 11, against });
          assert.equal(shares.length, position + 1);
          assert.equal(pattern.length, position + 1);
          shares.forEach((/** @type {number} */ share, /** @type {number} */ key) => {
            largest = Math.max(largest, Math.abs(share));
            assert.ok(
              Math.abs(share - expected[key]) < 2e-5 * Math.max(1, Math.abs(expected[key])),
              `${layer}.${head} key ${key}: ${share}, expected ${expected[key]}`,
            );
          });
          const sum = shares.reduce((/** @type {number} */ a, /** @type {number} */ b) => a + b, 0);
          assert.ok(
            Math.abs(sum - whole) < 2e-5 * Math.max(1, Math.abs(whole)),
            `${sum}, ${whole}`,
          );
        }
      }
    }
    assert.ok(largest > 0.01, "the shares are not all near zero");
  });
}

test("a neuron's effect on the logits is that of its row of W_out through the gain and the unembedding", async () => {
  for (const folder of ["plain", "untied", "toy_shortformer", "toy_solu"]) {
    const config = json(folder, "config.json");
    const weights = tensors(folder, "model.safetensors");
    const { n_embd: width, vocab_size: vocabulary, normalization_type: norm = "LN" } = config;
    /** @param {string} name */
    const weight = (name) => weights[name] ?? weights[`transformer.${name}`];
    const unembedding = weight("lm_head.weight") ?? weight("wte.weight");
    const [layer, neuron, count] = [1, 7, 4];
    const row = Array.from(weight(`h.${layer}.mlp.c_proj.weight`).data).slice(
      neuron * width,
      (neuron + 1) * width,
    );
    const mean = row.reduce((sum, value) => sum + value, 0) / width;
    const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / width;
    const read = row.map((value, i) => {
      const normalized = (value - mean) / Math.sqrt(variance + config.layer_norm_epsilon);
      return norm === "LN" ? normalized * weight("ln_f.weight").data[i] : normalized;
    });
    const effects = Array.from({ length: vocabulary }, (_, id) => ({
      id,
      value: read.reduce((sum, value, i) => sum + value * unembedding.data[id * width + i], 0),
    })).sort((a, b) => b.value - a.value);
    const found = await inLab(
      folder,
      { layer, neuron, count },
      `return await session.neuronEffect(model, { layer: given.layer, neuron: given.neuron }, given.count);`,
    );
    for (const [side, expected] of /** @type {const} */ ([
      ["raised", effects.slice(0, count)],
      ["lowered", effects.slice(-count).reverse()],
    ])) {
      assert.deepEqual(
        found[side].map((/** @type {{ id: number }} */ one) => one.id),
        expected.map(({ id }) => id),
        `${folder} ${side}`,
      );
      found[side].forEach((/** @type {{ value: number }} */ one, /** @type {number} */ i) =>
        assert.ok(
          Math.abs(one.value - expected[i].value) < 1e-4,
          `${one.value}, ${expected[i].value}`,
        ),
      );
    }
  }
});

test("the most active places of a text in pieces are those that mostActive finds in all pieces, with their neighbours", async () => {
  for (const channel of [
    { at: "blocks.1.mlp.hook_post", head: null, index: 3 },
    { at: "blocks.0.attn.hook_z", head: 1, index: 2 },
  ]) {
    const { found, whole, values, pieces, progress } = await inLab(
      "plain",
      { channel },
      `
      const ids = Uint32Array.from({ length: 71 }, (_, i) => (i * i * 7 + 3 * i) % model.config.vocab_size);
      const { at, head, index } = given.channel;
      const progress = [];
      const found = await session.findMostActive(model, ids, { ...given.channel, count: 12, onProgress: (p) => progress.push(p) });
      const pieces = session.cutToContext(ids, model.config.n_positions);
      const whole = await model.mostActive({ at, index, ...(head !== null && { head }), texts: pieces, count: 12 });
      const values = [];
      for (const piece of pieces) {
        const value = (await model.runWithCache(piece, { names: [at] })).cache.get(at).at({ batch: 0, ...(head !== null && { head }) });
        values.push(Array.from({ length: piece.length }, (_, pos) => value.data[pos * value.shape[1] + index]));
      }
      return {
        found: found.places.map((place) => ({ ...place, ids: [...place.ids], values: [...place.values] })),
        whole: [...whole.value.data].map((value, i) => ({ value, text: whole.text.data[i], position: whole.position.data[i] })),
        pieces: pieces.map((piece) => [...piece]), values, progress,
      };`,
    );
    assert.equal(pieces.length, 4, "71 tokens in a context of 20");
    assert.deepEqual(
      found.map((/** @type {any} */ { value, text, position }) => ({ value, text, position })),
      whole,
    );
    for (const { text, position, first, ids, values: around, value } of found) {
      assert.equal(around[position - first], value);
      assert.deepEqual(ids, pieces[text].slice(first, first + ids.length));
      assert.deepEqual(around, values[text].slice(first, first + around.length));
    }
    assert.deepEqual(progress.at(-1), { done: 5, total: 5 });
  }
});
