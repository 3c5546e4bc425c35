// The alignment of two prompts, against laws that must hold for any two sequences.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Random } from "../fuzz/random.js";
import { align, unequalParts } from "../../www/session/align.js";

/** @param {import("../../www/session/align.js").AlignedPair[]} pairs */
const places = (pairs) => pairs.map(({ clean, corrupted }) => [clean, corrupted]);

test("prompts of the same length are aligned position by position, also if their tokens are moved", () => {
  assert.deepEqual(align([1, 2, 3], [2, 3, 1]), [
    { clean: 0, corrupted: 0, isSame: false },
    { clean: 1, corrupted: 1, isSame: false },
    { clean: 2, corrupted: 2, isSame: false },
  ]);
  assert.deepEqual(align([7], [7]), [{ clean: 0, corrupted: 0, isSame: true }]);
  assert.deepEqual(align([], []), []);
});

test("a longer name is paired at its last token, and the rest has no partner", () => {
  // "When Mary and" against "When Alex|and|er and"
  const pairs = align([10, 20, 30], [10, 41, 42, 43, 30]);
  assert.deepEqual(places(pairs), [
    [0, 0],
    [null, 1],
    [null, 2],
    [1, 3],
    [2, 4],
  ]);
  assert.deepEqual(unequalParts(pairs), [{ clean: [1], corrupted: [1, 2, 3] }]);
});

test("tokens that only one prompt has, at its ends, have no partner", () => {
  assert.deepEqual(places(align([1, 2, 3], [2, 3])), [
    [0, null],
    [1, 0],
    [2, 1],
  ]);
  assert.deepEqual(places(align([], [5])), [[null, 0]]);
  assert.deepEqual(unequalParts(align([1, 2], [1, 2, 3])), [{ clean: [], corrupted: [2] }]);
});

test("parts of the same length are not unequal", () => {
  const pairs = align([1, 2, 3, 4, 9], [1, 5, 3, 4]);
  assert.deepEqual(unequalParts(pairs), [{ clean: [4], corrupted: [] }]);
});

/**
 * The length of a longest common subsequence, by its definition.
 * @param {number[]} a
 * @param {number[]} b
 * @returns {number}
 */
function longest(a, b) {
  if (a.length === 0 || b.length === 0) return 0;
  if (a[0] === b[0]) return 1 + longest(a.slice(1), b.slice(1));
  return Math.max(longest(a.slice(1), b), longest(a, b.slice(1)));
}

test("every position occurs once and in order, and as many tokens are common as can be", () => {
  const random = new Random(3);
  const ids = () => random.list(8, () => random.below(4));
  for (let run = 0; run < 500; run++) {
    const [a, b] = [ids(), ids()];
    const pairs = align(a, b);
    for (const side of /** @type {const} */ (["clean", "corrupted"])) {
      const positions = pairs.map((pair) => pair[side]).filter((at) => at !== null);
      assert.deepEqual(positions, [...(side === "clean" ? a : b).keys()]);
    }
    for (const { clean, corrupted, isSame } of pairs)
      assert.equal(isSame, clean !== null && corrupted !== null && a[clean] === b[corrupted]);
    const common = pairs.filter(({ isSame }) => isSame).length;
    if (a.length !== b.length) assert.equal(common, longest(a, b), `${a} and ${b}`);
  }
});

test("two texts of a thousand tokens take less than half a second", () => {
  const long = Array.from({ length: 1024 }, (_, at) => (at * 7919) % 301);
  const began = performance.now();
  assert.equal(align(long, long.slice(1)).length, 1024);
  assert.ok(performance.now() - began < 500);
});
