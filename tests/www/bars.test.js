import assert from "node:assert/strict";
import { test } from "node:test";

import {
  barColour,
  byMagnitude,
  decimalsFor,
  formatSigned,
  inkOnSigned,
  signedColour,
  spanOf,
  sumOf,
  trackOf,
} from "../../www/draw/bars.ts";
import { divergingColours } from "../../www/draw/diverging.ts";
import { contrast } from "../../www/draw/scale.ts";

/** @typedef {import("../../www/draw/scale.ts").Rgb} Rgb */
/** @param {string} css @returns {Rgb} */
const rgb = (css) => /** @type {Rgb} */ ((css.match(/\d+/g) ?? []).map(Number));

test("bars start at zero, and their lengths are proportional to the values", () => {
  const values = [3, -1, 0, 0.5];
  const track = trackOf(values);
  assert.equal(track.zero, 0.25);
  const spans = values.map((value) => spanOf(value, track));
  assert.deepEqual(spans, [
    { start: 0.25, width: 0.75 },
    { start: 0, width: 0.25 },
    { start: 0.25, width: 0 },
    { start: 0.25, width: 0.125 },
  ]);
});

test("a list of one sign has its zero at an end, and zeros have no length", () => {
  assert.equal(trackOf([1, 2]).zero, 0);
  assert.equal(trackOf([-1, -2]).zero, 1);
  assert.deepEqual(spanOf(0, trackOf([0, 0])), { start: 0, width: 0 });
  assert.deepEqual(trackOf([]), { zero: 0, unit: 0 });
});

test("a value that is not finite has no bar and does not change the others", () => {
  for (const broken of [NaN, Infinity, -Infinity]) {
    assert.deepEqual(trackOf([2, broken, -2]), trackOf([2, -2]));
    assert.equal(spanOf(broken, trackOf([2])), null);
    assert.equal(signedColour(broken, 1, "light"), null);
  }
});

test("bars of different sign have different colours, which stand out from the paper", () => {
  for (const theme of /** @type {const} */ (["light", "dark"])) {
    const [plus, minus] = [rgb(barColour(0.01, theme)), rgb(barColour(-7, theme))];
    assert.notDeepEqual(plus, minus);
    const paper = divergingColours(theme)[127];
    for (const colour of [plus, minus]) assert.ok(contrast(colour, paper) > 3, `${colour}`);
  }
});

test("text on every colour of the scale has a contrast of at least 4.5", () => {
  for (const theme of /** @type {const} */ (["light", "dark"])) {
    for (let value = -1; value <= 1; value += 1 / 64) {
      const [ink, ground] = [inkOnSigned(value, 1, theme), signedColour(value, 1, theme) ?? ""];
      assert.ok(contrast(rgb(ink), rgb(ground)) >= 4.5, `${theme} ${value}`);
    }
  }
});

test("numbers have as many decimals as the largest of them needs", () => {
  assert.deepEqual(
    [123.4, 13.11, 0.522, 0.00071, 0, NaN, Infinity].map(decimalsFor),
    [1, 2, 4, 7, 2, 2, 2],
  );
  assert.equal(formatSigned(0.5, 3), "+0.500");
  assert.equal(formatSigned(-0.5, 3), "−0.500");
  assert.equal(formatSigned(0, 1), "0.0");
  assert.equal(formatSigned(-1e-9, 3), "0.000");
  assert.equal(formatSigned(1e-9, 0), "0");
  assert.equal(formatSigned(NaN, 1), "not a number");
  assert.equal(formatSigned(-Infinity, 1), "−∞");
});

test("what is not finite comes first, then the values farthest from zero; equal ones keep their order", () => {
  assert.deepEqual(byMagnitude([1, -3, NaN, 2, -2, Infinity]), [2, 5, 1, 3, 4, 0]);
  assert.equal(sumOf(Float32Array.of(1, 2, -4)), -1);
});
