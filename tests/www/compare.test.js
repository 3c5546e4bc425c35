import assert from "node:assert/strict";
import { test } from "node:test";

import { repeatedBigrams, lossAt, lossesOf } from "../../www/session/compare.ts";

test("a repeated bigram is a token that followed the same token before", () => {
  assert.deepEqual(repeatedBigrams([1, 2, 3, 1, 2, 3]), [4, 5]);
  assert.deepEqual(repeatedBigrams([1, 2, 1, 3]), []);
  assert.deepEqual(repeatedBigrams([7, 7, 7]), [2]);
  assert.deepEqual(repeatedBigrams([1]), []);
});

test("the loss is the mean over the requested tokens", () => {
  assert.equal(lossAt({ logProbs: [-1, -2, -4] }, [1, 3]), 2.5);
});

test("losses before and after are over the same tokens", () => {
  const before = { logProbs: [-1, -1, -1, -1] };
  const after = { logProbs: [-1, -1, -3, -3] };
  assert.deepEqual(lossesOf([1, 2, 3, 1, 2], before, after), {
    loss: { before: 1, after: 2 },
    repeated: { count: 1, before: 1, after: 3 },
  });
  assert.deepEqual(lossesOf([1, 2], { logProbs: [-1] }, { logProbs: [-2] }), {
    loss: { before: 1, after: 2 },
    repeated: null,
  });
  assert.deepEqual(lossesOf([1], { logProbs: [] }, { logProbs: [] }), {
    loss: null,
    repeated: null,
  });
});
