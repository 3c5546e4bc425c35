// The differences of two prompts: each cell is corrupted minus clean at the aligned places, or has no value.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  activationDifference,
  alignedPrompts,
  attentionDifference,
  lensDifference,
  lossDifference,
  nextTokens,
  placesOf,
} from "../../www/session/two-prompts.ts";
import { suggestionsOf } from "../../www/session/suggestions.ts";

/** @param {number[]} ids @returns {any} */
const reading = (ids) => ({
  ids: Uint32Array.from(ids),
  tokens: ids.map(String),
  interventions: [],
  patterns: [],
  logProbs: Float32Array.from(ids.slice(1), (id) => -id / 8),
  logits: null,
});
// One token against two: the last of the two is its partner.
const prompts = alignedPrompts(reading([7, 5, 9]), reading([7, 4, 6, 9]));

/** Values that say their place. @param {string[]} axes @param {number[]} shape @param {number} factor */
const tensor = (axes, shape, factor) => ({
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, at) => factor * at),
  ...{ axes, shape },
});

test("a head's attention is compared between aligned queries and keys", () => {
  const axes = ["batch", "head", "query", "key"];
  const clean = tensor(axes, [1, 2, 3, 3], 1);
  const corrupted = tensor(axes, [1, 2, 4, 4], 100);
  const { table } = attentionDifference(prompts, [clean, corrupted], 1);
  assert.deepEqual([table.rows, table.columns], [4, 4]);
  const at = (/** @type {number} */ row, /** @type {number} */ column) => row * 4 + column;
  // The pair 2 is position 1 of the clean prompt and 2 of the corrupted one.
  assert.equal(table.data[at(3, 2)], 100 * (16 + 3 * 4 + 2) - (9 + 2 * 3 + 1));
  for (let row = 0; row < 4; row++)
    for (let column = 0; column < 4; column++)
      assert.equal(
        table.absent?.[at(row, column)],
        Number(column > row || row === 1 || column === 1),
        `${row} ${column}`,
      );
});

test("the lens compares the next token only where it is the same", () => {
  const axes = ["layer", "pos"];
  const lens = {
    clean: { nextProbability: tensor(axes, [2, 2], 1), kl: tensor(axes, [2, 3], 1) },
    corrupted: { nextProbability: tensor(axes, [2, 3], 10), kl: tensor(axes, [2, 4], 10) },
  };
  const next = lensDifference(prompts, lens, "nextProbability");
  assert.deepEqual(Array.from(next?.table.absent ?? []), [1, 1, 0, 1, 1, 1, 0, 1]);
  assert.equal(next?.table.data[6], 10 * (3 + 2) - (2 + 1));
  const kl = lensDifference(prompts, lens, "kl");
  assert.equal(kl?.table.data[7], 10 * (4 + 3) - (3 + 2));
  assert.deepEqual(Array.from(kl?.table.absent ?? []), [0, 1, 0, 0, 0, 1, 0, 0]);
  assert.equal(lensDifference(prompts, lens, "answerProbability"), null);
});

test("activations are compared by position and by the last axis, of one head if there are heads", () => {
  const plain = activationDifference(
    prompts,
    [
      tensor(["batch", "pos", "d_model"], [1, 3, 2], 1),
      tensor(["batch", "pos", "d_model"], [1, 4, 2], 10),
    ],
    1,
  );
  assert.deepEqual([plain.columnTitle, plain.isByKey], ["d_model", false]);
  assert.equal(plain.table.data[2 * 2 + 1], 10 * (2 * 2 + 1) - (1 * 2 + 1));
  assert.deepEqual(Array.from(plain.table.absent ?? []), [0, 0, 1, 1, 0, 0, 0, 0]);
  const axes = ["batch", "pos", "head", "d_head"];
  const heads = activationDifference(
    prompts,
    [tensor(axes, [1, 3, 2, 2], 1), tensor(axes, [1, 4, 2, 2], 10)],
    1,
  );
  assert.equal(heads.table.data[3 * 2], 10 * (3 * 4 + 2) - (2 * 4 + 2));
});

test("log-probabilities are compared from the second token on", () => {
  const { table, clean, corrupted } = lossDifference(prompts);
  assert.deepEqual(Array.from(table.absent ?? []), [1, 1, 0, 0]);
  assert.deepEqual([clean[2], corrupted[2], table.data[2]], [-5 / 8, -6 / 8, -1 / 8]);
});

test("the next tokens are those of both prompts, with the divergence between them", async () => {
  const row = (/** @type {number[]} */ logits) => Float32Array.from(logits);
  const rows = (/** @type {number[]} */ last, /** @type {number} */ count) => ({
    ...{ axes: ["batch", "pos", "vocab"], shape: [1, count, 4] },
    data: row([...Array(4 * (count - 1)).fill(0), ...last]),
  });
  /** @type {any} */
  const both = {
    ...prompts,
    clean: { ...prompts.clean, logits: rows([2, 0, 0, 0], 3) },
    corrupted: { ...prompts.corrupted, logits: rows([0, 0, 0, 1], 4) },
  };
  /** @type {any} */
  const context = {
    signal: new AbortController().signal,
    spell: async (/** @type {number[]} */ ids) => ids.map(String),
  };
  const places = placesOf(both, null);
  assert.deepEqual(places, [2, 3]);
  const found = await nextTokens(/** @type {any} */ (null), both, [2, 3], context, 1);
  assert.deepEqual(
    found.list.map(({ id }) => id),
    [0, 3],
  );
  const softmax = (/** @type {number[]} */ x) => {
    const e = x.map(Math.exp);
    return e.map((one) => one / e.reduce((a, b) => a + b));
  };
  const [p, q] = [softmax([2, 0, 0, 0]), softmax([0, 0, 0, 1])];
  assert.ok(
    Math.abs(found.list[0].clean - p[0]) < 1e-9 && Math.abs(found.list[0].corrupted - q[0]) < 1e-9,
  );
  const kl = p.reduce((sum, one, i) => sum + one * Math.log(one / q[i]), 0);
  assert.ok(Math.abs(found.kl - kl) < 1e-9);
  both.clean.logits.data[4 * 2] = NaN;
  const unknown = await nextTokens(/** @type {any} */ (null), both, [2, 3], context, 1);
  assert.ok(Number.isNaN(unknown.kl), "the divergence is unknown if a logit is not a number");
  both.clean.logits.data[4 * 2] = 2;
  const suggestions = await suggestionsOf(
    { reading: both.clean, corrupted: both.corrupted, position: null },
    context.spell,
    1,
  );
  assert.deepEqual(
    suggestions.map(({ id }) => id),
    [0, 3],
  );
});

test("a position without a partner has no next tokens to compare", () => {
  const longer = alignedPrompts(reading([7, 5, 6, 9]), reading([7, 4, 9]));
  assert.equal(placesOf(longer, 1), null);
  assert.deepEqual(placesOf(longer, 2), [2, 1]);
  assert.equal(placesOf(longer, 12), null);
});
