import assert from "node:assert/strict";
import { test } from "node:test";

import { formatBytes, formatNumber, formatShort } from "../../www/draw/format.ts";

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
