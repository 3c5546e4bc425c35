import assert from "node:assert/strict";
import { test } from "node:test";

import { describe, detectors, earlierSame, score, scoreLayer, strongestInduction } from "../../www/scores.js";

const ids = [5, 6, 7, 5, 6, 7];

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
const duplicate = head((query) => (query < 3 ? query : query - 3));

test("earlier_occurrences_are_found", () => {
  assert.deepEqual(earlierSame([1, 2, 1, 1]), [[], [], [0], [0, 2]]);
});

test("a_perfect_head_of_a_kind_scores_one_in_it", () => {
  const [a, b, c] = scoreLayer(layer([induction, previous, duplicate]), 3, earlierSame(ids));
  assert.equal(a.induction.score, 1);
  assert.equal(b.previous.score, 1);
  assert.equal(c.duplicate.score, 1);
  assert.deepEqual([a.layer, c.head], [3, 2]);
  assert.ok(b.induction.score === 0 && c.induction.score === 0);
});

test("the_score_is_the_mean_over_queries_that_have_a_key", () => {
  const half = { data: induction.map((value) => value / 2), rows: 6, columns: 6 };
  assert.equal(score(half, earlierSame(ids), detectors.induction).score, 0.5);
});

test("a_token_does_not_induce_itself", () => {
  assert.deepEqual(detectors.induction(1, [0]), []);
});

test("the_example_is_a_word_rather_than_a_comma", () => {
  const { example } = score({ data: induction, rows: 6, columns: 6 }, earlierSame(ids), detectors.induction, [";", " moon", ",", ";", " moon", ","]);
  assert.deepEqual(example, { query: 4, key: 2 });
});

test("the_strongest_induction_head_is_chosen", () => {
  const scores = [...scoreLayer(layer([previous, duplicate]), 0, earlierSame(ids)), ...scoreLayer(layer([duplicate, induction]), 1, earlierSame(ids))];
  const { layer: at, head: which } = strongestInduction(scores);
  assert.deepEqual([at, which], [1, 1]);
});

test("words_follow_the_numbers", () => {
  const [a, b] = scoreLayer(layer([induction, previous]), 1, earlierSame(ids));
  assert.equal(describe(a).does, "looks back to what followed this word last time");
  assert.equal(describe(b).does, "looks at the word just before");
  const [flat] = scoreLayer(layer([new Float32Array(36)]), 0, earlierSame(ids));
  assert.equal(describe(flat).clear, false);
  assert.equal(describe(a).clear, true);
});
