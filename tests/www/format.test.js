import assert from "node:assert/strict";
import { test } from "node:test";

import {
  formatBytes,
  formatChange,
  formatNumber,
  formatProbabilities,
  formatProbability,
  formatShort,
} from "../../www/draw/format.ts";

test("a short number has only the digits that it needs", () => {
  assert.equal(formatShort(0.5, 7), "0.5");
  assert.equal(formatShort(-1 / 3, 3), "−0.333");
  assert.equal(formatShort(Math.fround(1.1), 7), "1.1");
  assert.equal(formatShort(NaN, 3), "not a number");
  assert.equal(formatShort(-Infinity, 3), "−∞");
});

test("a missing number is not a number", () => {
  assert.deepEqual(
    [undefined, null].map((value) => formatNumber(value, String)),
    ["not a number", "not a number"],
  );
});

test("sizes have decimal units", () => {
  assert.deepEqual([999, 1000, 548_105_171, 1.5e9].map(formatBytes), [
    "999 B",
    "1 kB",
    "548.1 MB",
    "1.50 GB",
  ]);
});

test("a probability has the digits that it needs", () => {
  const cases = [
    [0.4123, "0.41"],
    [0.0104, "0.010"],
    [0.0098, "0.0098"],
    [0.000031, "3.1e−5"],
    [0.9987, "0.999"],
    [0.99995, "0.99995"],
    [1, "1.00"],
    [0, "0.00"],
    [NaN, "not a number"],
  ];
  for (const [value, text] of cases) assert.equal(formatProbability(Number(value)), text);
});

test("a change has the digits that the difference needs", () => {
  /** @type {[number, number, string, string][]} */
  const cases = [
    [0.0104, 0.0098, "0.0104", "0.0098"],
    [0.23, 0.41, "0.23", "0.41"],
    [0.0149, 0.0151, "0.0149", "0.0151"],
    [0.41, 0.00002, "0.41", "2.0e−5"],
    [0.00002, 0.00003, "0.000020", "0.000030"],
    [0.5, 0.5, "0.50", "0.50"],
    [0.5, NaN, "0.50", "not a number"],
    [0.123456789, 0.123456799, "0.1234568", "0.1234568"],
  ];
  for (const [before, after, ...texts] of cases)
    assert.deepEqual(formatProbabilities(before, after), texts);
  assert.deepEqual(formatChange(3.2004, 5.7), ["3.20", "5.70"]);
  assert.deepEqual(formatChange(2.3456, 2.346), ["2.3456", "2.3460"]);
  assert.deepEqual(formatChange(2, Infinity), ["2.00", "∞"]);
});
