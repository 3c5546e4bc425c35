import assert from "node:assert/strict";
import { test } from "node:test";

import {
  clearest,
  describe,
  earlierSame,
  measurable,
  meanOnFirst,
  scoresOf,
  strongestInduction,
} from "../../www/session/scores.ts";

const ids = [5, 6, 7, 5, 6, 7];
const tokens = [" a", " b", " c", " a", " b", " c"];

/** A head that puts all attention on one key. @param {(query: number) => number} key */
function head(key) {
  const data = new Float32Array(36);
  for (let query = 0; query < 6; query++) data[query * 6 + key(query)] = 1;
  return data;
}

/** @param {Float32Array[]} heads */
function layer(heads) {
  const data = new Float32Array(heads.length * 36);
  heads.forEach((one, at) => data.set(one, at * 36));
  return { data, shape: [1, heads.length, 6, 6], axes: ["batch", "head", "query", "key"] };
}

const induction = head((query) => (query < 3 ? 0 : query - 2));
const previous = head((query) => Math.max(0, query - 1));
const matrix = { data: induction, rows: 6, columns: 6 };

/** The model's table of two layers of two heads. @param {number[]} data */
function table(data) {
  return {
    data: Float32Array.from(data),
    shape: [3, 2, 2],
    axes: ["score", "layer", "head"],
    labels: { score: ["previous_token", "duplicate_token", "induction"] },
  };
}

test("earlier occurrences are found", () => {
  assert.deepEqual(earlierSame([1, 2, 1, 1]), [[], [], [0], [0, 2]]);
});

test("the scores of each head are found by their names", () => {
  const scores = scoresOf(table([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, NaN]));
  assert.deepEqual(scores[2], { layer: 1, head: 0, previous: 3, duplicate: 7, induction: 11 });
  assert.equal(scores[3].induction, NaN, "what was not measured is not 0");
});

test("the strongest induction head is chosen", () => {
  const { layer: at, head: which } = strongestInduction(
    scoresOf(table([9, 9, 9, 9, 9, 9, 9, 9, NaN, 0.2, 0.7, 0.3])),
  );
  assert.deepEqual([at, which], [1, 0]);
});

test("only some scores can be measured on a text", () => {
  assert.deepEqual([...measurable([1])], []);
  assert.deepEqual([...measurable([1, 2, 3])], ["previous_token"]);
  assert.deepEqual([...measurable([1, 2, 1])].sort(), [
    "duplicate_token",
    "induction",
    "previous_token",
  ]);
});

test("a head whose attention is not a number has no description", () => {
  const broken = Float32Array.from(induction);
  broken[5 * 6 + 2] = NaN;
  broken[2 * 6 + 4] = NaN; // masked: no query may see it
  const found = describe(
    { layer: 0, head: 0, induction: NaN, previous: 0.9, duplicate: 0 },
    layer([broken]),
    ids,
    tokens,
  );
  assert.deepEqual(
    [found.does, found.notNumbers, found.clear, found.example],
    ["has attention that is not a number", 1, false, null],
  );
});

test("the example is a word rather than a comma", () => {
  assert.deepEqual(
    clearest(matrix, "induction", earlierSame(ids), [";", " moon", ",", ";", " moon", ","]),
    { query: 4, key: 2 },
  );
});

test("the example of a kind is an edge of that kind", () => {
  for (const kind of /** @type {const} */ (["induction", "previous", "duplicate", "first"])) {
    const found = clearest(
      { data: new Float32Array(36).fill(1 / 6), rows: 6, columns: 6 },
      kind,
      earlierSame(ids),
      tokens,
    );
    const expected = { induction: -2, previous: -1, duplicate: -3, first: -(found?.query ?? 0) }[
      kind
    ];
    assert.equal((found?.key ?? 0) - (found?.query ?? 0), expected, kind);
  }
  assert.equal(clearest(matrix, "duplicate", earlierSame([1, 2, 3, 4, 5, 6]), tokens), null);
});

test("attention on the first token is the mean over the others", () => {
  assert.equal(meanOnFirst(matrix), 2 / 5);
  assert.equal(meanOnFirst({ data: Float32Array.of(1), rows: 1, columns: 1 }), 0);
});

test("the description depends on the scores", () => {
  const patterns = layer([induction, previous, new Float32Array(36)]);
  const none = { layer: 1, induction: 0, previous: 0, duplicate: 0 };
  assert.equal(
    describe({ ...none, head: 0, induction: 1 }, patterns, ids, tokens).does,
    "looks back to what followed this word last time",
  );
  const second = describe({ ...none, head: 1, previous: 0.9 }, patterns, ids, tokens);
  assert.deepEqual(
    [second.does, second.mean, second.clear],
    ["looks at the word just before", 0.9, true],
  );
  assert.equal(describe({ ...none, head: 2, previous: 0.1 }, patterns, ids, tokens).clear, false);
});
