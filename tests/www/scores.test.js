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

/** The text of a description. @param {ReturnType<typeof describe>} found */
const words = (found) =>
  found.evidence.map((part) => (typeof part === "string" ? part : `[${part.token}]`)).join("");

/** One head of a square pattern. @param {number[][]} rows */
function patternOf(rows) {
  const data = Float32Array.from(rows.flat());
  return {
    data,
    shape: [1, 1, rows.length, rows.length],
    axes: ["batch", "head", "query", "key"],
  };
}

const unmeasured = { layer: 0, head: 0, induction: NaN, previous: NaN, duplicate: NaN };

test("a text of one token shows nothing about a head", () => {
  const found = describe(unmeasured, patternOf([[1]]), [5], [" a"]);
  assert.equal(found.does, "can attend only to the one token that there is");
  assert.match(words(found), /all of them look alike/);
  assert.deepEqual([found.kind, found.clear, found.example], [null, false, null]);
});

test("of two tokens, the second one's attention is said", () => {
  const pattern = patternOf([
    [1, 0],
    [0.75, 0.25],
  ]);
  const found = describe({ ...unmeasured, previous: 0.75 }, pattern, [5, 6], [" a", " b"]);
  assert.equal(
    found.does,
    "gives 0.75 of the second token's attention to the first token, and 0.25 to itself",
  );
  assert.deepEqual(found.example, { query: 1, key: 0 });
  assert.doesNotMatch(words(found), /same word/);
  const same = describe({ ...unmeasured, previous: 0.75 }, pattern, [5, 5], [" a", " a"]);
  assert.match(words(same), /the same word/);
});

test("without a repeated token nothing is said about repetitions, except that they are unknown", () => {
  const even = patternOf([
    [1, 0, 0, 0],
    [0, 1, 0, 0],
    [0, 0.95, 0.05, 0],
    [0, 0.05, 0.9, 0.05],
  ]);
  const found = describe({ ...unmeasured, previous: 0.9 }, even, [1, 2, 3, 4], tokens);
  assert.equal(found.does, "looks at the word just before");
  const weak = describe(
    { ...unmeasured, previous: 0.04 },
    patternOf([
      [1, 0, 0, 0],
      [0.04, 0.04, 0, 0],
      [0.04, 0.04, 0.04, 0],
      [0.04, 0.04, 0.04, 0.04],
    ]),
    [1, 2, 3, 4],
    tokens,
  );
  assert.equal(weak.does, "fits none of the kinds of head that this text can show");
  assert.match(words(weak), /No token occurs twice/);
  assert.doesNotMatch(words(weak), /most like|0\.0\d of its attention:|followed last time/);
});

test("a head is called like a kind only if it gives that a tenth of its attention", () => {
  const patterns = layer([new Float32Array(36).fill(0.01)]);
  const score = { layer: 0, head: 0, induction: 0, previous: 0, duplicate: 0 };
  const never = describe(score, patterns, ids, tokens);
  assert.doesNotMatch(words(never), /most like/);
  assert.match(words(never), /each of these less than 0\.10 of its attention: what followed last/);
  const slight = describe({ ...score, induction: 0.21 }, patterns, ids, tokens);
  assert.match(words(slight), /^It is most like a head for what followed last time, .* only 0\.21/);
  assert.equal(slight.clear, false);
});

test("the evidence says where it was measured, and gives the attention of the example", () => {
  const found = describe(
    { layer: 0, head: 0, induction: 0.8, previous: 0, duplicate: 0 },
    layer([induction]),
    ids,
    tokens,
  );
  assert.equal(
    words(found),
    "Where a token occurs again (3 places), on average 0.80 of its attention goes to what followed it before; for example from [3] to [1] (1.00).",
  );
});

test("a head that attends to the word itself is one of its kind", () => {
  const found = describe(
    { layer: 0, head: 0, induction: 0, previous: 0, duplicate: 0 },
    layer([head((query) => query)]),
    ids,
    tokens,
  );
  assert.deepEqual([found.does, found.kind, found.mean], ["attends to the word itself", "self", 1]);
});
