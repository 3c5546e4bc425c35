import assert from "node:assert/strict";
import { test } from "node:test";

import {
  countNotFinitePlaces,
  divergenceAt,
  guessesAt,
  lensSize,
  nextTokenAt,
  rowName,
} from "../../www/elements/lens.ts";

/** @param {number[]} data @param {number[]} shape */
const tensor = (data, shape) => ({
  data: Float32Array.from(data),
  shape,
  axes: ["layer", "pos", "top"].slice(0, shape.length),
});

/** Two layers, three positions, the two most probable tokens. */
const lens = {
  topProbabilities: {
    ...tensor([0.5, 0.25, 0.5, 0.25, NaN, NaN, 0.75, 0.125, 0.5, 0.25, 0.5, 0.25], [2, 3, 2]),
    labels: { layer: ["blocks.0.hook_resid_post", "blocks.1.hook_resid_post"] },
  },
  topStrings: ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"],
  nextProbability: tensor([0.5, 0.25, 0.75, 0.125], [2, 2]),
  nextRank: tensor([0, 1, 0, 2], [2, 2]),
  kl: tensor([3, 2, 1, 0, 0, 0], [2, 3]),
};

test("the guesses at a place are its most probable tokens", () => {
  assert.deepEqual(lensSize(lens), [2, 3, 2]);
  assert.deepEqual(lensSize(null), [0, 0, 0]);
  assert.deepEqual(guessesAt(lens, { layer: 1, position: 0 }), [
    { token: "g", probability: 0.75 },
    { token: "h", probability: 0.125 },
  ]);
});

test("the last position has no next token", () => {
  const tokens = ["x", "y", "z"];
  assert.deepEqual(nextTokenAt(lens, tokens, { layer: 1, position: 1 }), {
    token: "z",
    probability: 0.125,
    rank: 2,
  });
  assert.equal(nextTokenAt(lens, tokens, { layer: 1, position: 2 }), null);
});

test("places, divergences and rows are counted by layer and position", () => {
  assert.equal(countNotFinitePlaces(lens), 1);
  assert.equal(divergenceAt(lens, { layer: 0, position: 2 }), 1);
  assert.deepEqual([rowName(lens, 1), rowName(lens, 7)], ["L1", "layer 7"]);
});
