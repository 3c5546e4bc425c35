import assert from "node:assert/strict";
import { test } from "node:test";

import {
  attribute,
  largestShares,
  partOf,
  sumsByKind,
  wordsFor,
} from "../../www/session/attributed.ts";
import { effortOf } from "../../www/session/effort.ts";
import { cutToContext } from "../../www/session/most-active.ts";
import { neuronAt } from "../../www/session/neuron-effect.ts";
import { neuronEffect } from "../../www/session/neuron-effect.ts";
import { findTarget, positionIn } from "../../www/session/target.ts";

/** @typedef {import("../../www/session/target.ts").Targeted} Targeted */

test("labels of parts say their layer, head and neuron, and have words", () => {
  assert.deepEqual(partOf("L11H3"), { layer: 11, head: 3 });
  assert.deepEqual(partOf("L0N3071"), { layer: 0, neuron: 3071 });
  assert.deepEqual(partOf("10_mlp_out"), { layer: 10 });
  assert.deepEqual(partOf("embed"), {});
  assert.deepEqual(
    [
      "embed",
      "pos_embed",
      "3_attn_out",
      "0_mlp_out",
      "L1H2",
      "L1N20",
      "2_b_O",
      "ln_final_bias",
      "new_part",
    ].map(wordsFor),
    [
      "token embedding",
      "position embedding",
      "attention of layer 3",
      "MLP of layer 0",
      "head 1.2",
      "neuron 1.20",
      "attention bias of layer 2",
      "bias of the final LayerNorm",
      "new_part",
    ],
  );
});

test("every share is in one kind, and the kinds add up to all shares", () => {
  const labels = [
    "embed",
    "pos_embed",
    "L0H0",
    "0_b_O",
    "0_mlp_out",
    "L1N2",
    "1_b_out",
    "2_attn_out",
    "ln_final_bias",
  ];
  const shares = labels.map((label, i) => ({ label, value: 2 ** i, ...partOf(label) }));
  const sums = sumsByKind(shares);
  assert.deepEqual(Object.fromEntries(sums.map(({ kind, sum }) => [kind, sum])), {
    embeddings: 1 + 2,
    heads: 4,
    biases: 8 + 64 + 256,
    MLPs: 16,
    neurons: 32,
    attention: 128,
  });
});

test("the largest shares and the others together are all shares", () => {
  const shares = [1, -5, 3, 0.5, -2].map((value, i) => ({ label: String(i), value }));
  const { largest, others } = largestShares(shares, 2);
  assert.deepEqual(
    largest.map(({ value }) => value),
    [-5, 3],
  );
  assert.deepEqual(others, { count: 3, sum: -0.5 });
  assert.deepEqual(largestShares(shares, 9).others, { count: 0, sum: 0 });
});

test("a position counts from either end, and one outside of the text is refused", () => {
  assert.deepEqual(
    [null, -1, 0, 4].map((at) => positionIn(5, at)),
    [4, 4, 0, 4],
  );
  for (const at of [5, -6, 0.5]) assert.throws(() => positionIn(5, at), { name: "InputError" });
});

/** Texts are tokens by their length: "ab" is two. @type {Targeted} */
const model = /** @type {any} */ ({
  config: { vocab_size: 3 },
  hasTokenizer: true,
  tokenize: async (/** @type {string} */ text) => ({
    ids: Uint32Array.from(text, (character) => character.charCodeAt(0) - 97),
    strings: [...text],
  }),
});
const logits = {
  data: Float32Array.of(0, 1, 2, 9, 1, 0),
  shape: [1, 2, 3],
  axes: ["batch", "pos", "vocab"],
};
const text = { ids: Uint32Array.of(7, 8), logits, interventions: [] };

test("the target is the likeliest token at the position, or the chosen one less the other", async () => {
  const none = { position: null, answer: null, against: null };
  assert.deepEqual(await findTarget(model, text, none), {
    ...{ position: 1, answer: 0, against: null, logit: 9, isLikeliest: true },
  });
  assert.deepEqual(await findTarget(model, text, { position: 0, answer: "c", against: 1 }), {
    ...{ position: 0, answer: 2, against: 1, logit: 1, isLikeliest: false },
  });
});

test("a text of two tokens is no answer, and logits that are not finite have no likeliest token", async () => {
  await assert.rejects(findTarget(model, text, { position: 0, answer: "ab", against: null }), {
    name: "InputError",
    message:
      '"ab" is 2 tokens ("a", "b"), expected a single one; a leading space often belongs to the token',
  });
  await assert.rejects(findTarget(model, text, { position: 0, answer: 3, against: null }), {
    name: "InputError",
    message: /^"3", at position 0, is not a token id: expected whole numbers from 0 to 2/,
  });
  const broken = { ...text, logits: { ...logits, data: new Float32Array(6).fill(NaN) } };
  const none = { position: null, answer: null, against: null };
  await assert.rejects(findTarget(model, broken, none), /not finite.*choose an answer/);
  const chosen = await findTarget(model, broken, { ...none, answer: "b" });
  assert.ok(Number.isNaN(chosen.logit), "a chosen answer is explained as far as possible");
});

test("a text is cut into pieces that fit the context, and no token is lost", () => {
  const ids = Uint32Array.from({ length: 600 }, (_, i) => i);
  for (const context of [1, 20, 256, 1024]) {
    const pieces = cutToContext(ids, context);
    assert.ok(pieces.every(({ length }) => length > 0 && length <= context));
    assert.deepEqual(
      pieces.flatMap((piece) => [...piece]),
      [...ids],
    );
  }
  assert.deepEqual(cutToContext(new Uint32Array(), 20), []);
});

test("only values after the activation function are neurons", () => {
  assert.deepEqual(neuronAt("blocks.3.mlp.hook_post", 5), { layer: 3, neuron: 5 });
  assert.equal(neuronAt("blocks.3.mlp.hook_pre", 5), null);
  assert.equal(neuronAt("blocks.3.attn.hook_z", 5), null);
});

test("a request is long above some seconds of work, and says how long", () => {
  assert.equal(effortOf(98, 4_273_664, 72).isLong, false);
  const { isLong, estimate } = effortOf(98, 124_439_808, 72);
  assert.equal(isLong, true);
  assert.match(estimate, /^98 runs, about \d+ s$/);
  assert.match(effortOf(20, 1.5e9, 1000).estimate, /min$/);
  assert.match(effortOf(98, 1.5e9, 1000).estimate, /about \d+ hours$/);
});

test("the shares are computed once for a text, and again for another target, text or set of interventions", async () => {
  /** @type {any[]} */
  const asked = [];
  const shares = { data: Float32Array.of(1, 2), labels: { component: ["embed", "0_mlp_out"] } };
  /** @type {any} */
  const counting = {
    ...model,
    config: { n_layer: 1, n_head: 1, vocab_size: 3 },
    attribution: async (/** @type {any} */ ids, /** @type {any} */ options) => {
      asked.push([ids, options]);
      return { shares };
    },
  };
  /** @type {import("../../www/session/attributed.ts").AttributedOptions} */
  const options = {
    ...{ position: null, answer: 1, against: null, layer: 0, head: 0 },
    ...{ by: "component", layerNorm: "frozen" },
  };
  const found = await attribute(counting, text, options);
  assert.equal(found.sum, 3);
  assert.deepEqual(asked[0][1], { answer: 1, position: 1, by: "component", layerNorm: "frozen" });
  await attribute(counting, text, { ...options, head: 1 });
  assert.equal(asked.length, 1);
  await attribute(counting, text, { ...options, answer: 2 });
  assert.equal(asked.length, 2);
  await attribute(counting, text, { ...options, layerNorm: "recomputed" });
  assert.equal(asked.length, 3);
  await attribute(counting, { ...text, ids: text.ids.slice() }, options);
  assert.equal(asked.length, 4);
  /** @type {any} */
  const interventions = [{ at: "blocks.0.attn.hook_z", do: "zero" }];
  await attribute(counting, { ...text, interventions }, options);
  assert.equal(asked.length, 5);
  assert.equal(asked[4][1].interventions, interventions);
  await attribute({ ...counting }, text, options);
  assert.equal(asked.length, 6);
});

test("a logit that is not a number leads a neuron's list, and the others are in order", async () => {
  const row = [1, NaN, -2, 3, 0.5];
  /** @type {any} */
  const neurons = {
    config: { n_layer: 1, n_embd: 1 },
    hookPoints: [{ name: "blocks.0.mlp.hook_post" }],
    parameter: async () => ({ data: Float32Array.of(1) }),
    runWithCache: async (/** @type {any} */ _, /** @type {any} */ { startAt }) => ({
      logits: { data: Float32Array.from(row, (one) => one * startAt.resid.data[0]) },
    }),
  };
  const { raised, lowered } = await neuronEffect(neurons, { layer: 0, neuron: 2 }, 3);
  assert.deepEqual(
    [raised, lowered].map((list) => list.map(({ id }) => id)),
    [
      [1, 3, 0],
      [2, 4, 0],
    ],
  );
  assert.deepEqual([raised[1].value, lowered[0].value], [3, -2]);
});
