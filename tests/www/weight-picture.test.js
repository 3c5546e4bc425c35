// Weights as the tree shows them: one that is too large is read in part, its sentence says so, and its code names the part.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Tensor } from "../../www/api/tensor.ts";
import { arrange } from "../../www/draw/arrangement.ts";
import { codeOfCell, codeOfView } from "../../www/elements/tensor/code.ts";
import { MAX_NUMBERS, pictureOfWeight, readWeight } from "../../www/session/weight-picture.ts";

const [VOCAB, WIDTH] = [50257, 96];

/** A model whose embedding and unembedding have more numbers than are read at once. Each number encodes its place. */
const model = {
  parameters: [
    {
      ...{ name: "wte.weight", shape: [VOCAB, WIDTH], axes: ["vocab", "d_model"], dtype: "f32" },
      count: VOCAB * WIDTH,
      views: [
        { name: "embed.W_E", shape: [VOCAB, WIDTH], axes: ["vocab", "d_model"] },
        { name: "unembed.W_U", shape: [WIDTH, VOCAB], axes: ["d_model", "vocab"] },
        { name: "small", shape: [2, WIDTH], axes: ["vocab", "d_model"] },
      ],
    },
  ],
  /** @param {string} name @param {{ vocab?: readonly number[] }} [options] @returns {Promise<any>} */
  async parameter(name, options) {
    const { axes, shape } =
      this.parameters[0].views.find((one) => one.name === name) ?? assert.fail(name);
    const count = shape[axes.indexOf("vocab")];
    const ids = options?.vocab ?? Array.from({ length: count }, (_, id) => id);
    const isFirst = axes[0] === "vocab";
    const data = new Float32Array(ids.length * WIDTH);
    ids.forEach((id, row) => {
      for (let at = 0; at < WIDTH; at++)
        data[isFirst ? row * WIDTH + at : at * ids.length + row] = id + at / 128;
    });
    const read = isFirst ? [ids.length, WIDTH] : [WIDTH, ids.length];
    return new Tensor(data, read, axes, {}, { name, isWhole: options?.vocab === undefined });
  },
};

/** @param {string} code @returns {Promise<any>} */
const value = (code) => new Function("model", `return (async () => ${code})()`)(model);

test("the code of a part of a large weight gives the part that is drawn", async () => {
  for (const name of ["embed.W_E", "unembed.W_U"]) {
    const { tensor, source, sentence } = await readWeight(model, name);
    const kept = tensor.shape[tensor.axes.indexOf("vocab")];
    assert.ok(kept < VOCAB && tensor.data.length <= MAX_NUMBERS);
    assert.equal(sentence, "43,690 of 50,257 tokens, the first ones");
    const arrangement = arrange(tensor);
    const [rows, columns] = [arrangement.rows, arrangement.columns].map((axis) => ({
      first: 0,
      count: tensor.shape[tensor.axes.indexOf(axis)],
    }));
    const view = codeOfView(source, tensor, arrangement, { rows, columns });
    const given = await value(view.javascript);
    assert.deepEqual(given.shape, tensor.shape);
    assert.deepEqual(given.data, tensor.data);
    const slice = name === "embed.W_E" ? "[:43690, :]" : "[:, :43690]";
    assert.equal(view.python, `model.${name}${slice}`);
    const cell = codeOfCell(source, tensor, { vocab: kept - 1, d_model: 64 });
    assert.equal(await value(cell.javascript), kept - 1 + 0.5);
  }
});

test("a weight that is read whole has its name", async () => {
  const { tensor, source } = await readWeight(model, "small");
  assert.deepEqual([source, tensor.shape], ["small", [2, WIDTH]]);
});

test("a picture reads far fewer numbers, of tokens in the whole vocabulary", async () => {
  const { numbers, sentence } = await pictureOfWeight(model, "embed.W_E");
  assert.ok(numbers.data.length <= MAX_NUMBERS >> 3);
  const last = numbers.data[numbers.data.length - WIDTH];
  assert.ok(last > 0.99 * VOCAB && last < VOCAB, `the last token is ${last}`);
  assert.match(sentence, /of 5,461 of 50,257 tokens, evenly spaced/);
});

test("a part of a tensor says that it is one", () => {
  const whole = new Tensor(new Float32Array(6), [2, 3], ["head", "pos"], {}, { name: "W_Q" });
  assert.deepEqual([whole.isWhole, whole.at({ head: 1 }).isWhole], [true, false]);
  assert.deepEqual(Object.keys(whole).includes("isWhole"), false, "equal tensors stay equal");
});
