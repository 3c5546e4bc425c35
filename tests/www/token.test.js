import assert from "node:assert/strict";
import { test } from "node:test";

import { formatAttention, formatCount, formatLogProb } from "../../www/draw/format.ts";
import {
  announced,
  continued,
  describePair,
  glyphs,
  pieces,
  textOf,
  truncate,
} from "../../www/draw/token.ts";

test("the pieces of a token join to the token", () => {
  for (const token of [" moon", "\n\n", "a b", "\u0000x", "é", "👩‍🚀", "\u202eevil", "", " "]) {
    assert.equal(
      pieces(token)
        .map(({ text }) => text)
        .join(""),
      token,
    );
  }
});

test("whitespace is visible", () => {
  assert.equal(glyphs(" moon"), "·moon");
  assert.equal(glyphs("\n"), "⏎");
  assert.equal(glyphs("\t  "), "⇥··");
  assert.equal(glyphs("\u00a0"), "⍽");
});

test("invisible characters are written in hexadecimal", () => {
  assert.equal(glyphs("\u0007"), "0x07");
  assert.equal(glyphs("\u202eevil"), "U+202Eevil");
  assert.equal(glyphs("\ufffd"), "U+FFFD");
});

test("letters of all scripts are unchanged", () => {
  for (const token of ["日本", "é", "ß", "🌙", "<b>"]) assert.equal(glyphs(token), token);
});

test("a token that is part of a character shows its bytes", () => {
  const part = { string: "", bytes: [0xe6, 0x97] };
  assert.equal(glyphs(part), "0xE6 0x97");
  assert.equal(textOf(part), "");
  assert.equal(announced(part), "part of a character");
  assert.equal(glyphs(""), "∅");
});

test("long tokens end with an ellipsis", () => {
  assert.equal(truncate(" indistinguishable", 8), "·indist…");
  assert.equal(truncate("moon", 8), "moon");
});

test("the sentence for screen readers is the documented one", () => {
  const tokens = [...Array(12).fill("x"), " the", ...Array(18).fill("x"), " moon"];
  assert.equal(
    describePair(tokens, { query: 31, key: 12 }, "0.83"),
    "query 31 ' moon', key 12 ' the', 0.83",
  );
});

test("numbers have two decimals and U+2212 as minus", () => {
  assert.equal(formatAttention(0.8), "0.80");
  assert.equal(formatLogProb(-1.239), "−1.24");
});

test("thousands are separated by commas", () => {
  assert.deepEqual([0, 999, 1000, 3_424_512, 124_439_808].map(formatCount), [
    "0",
    "999",
    "1,000",
    "3,424,512",
    "124,439,808",
  ]);
});

test("a text is continued only by whole characters", () => {
  const [first, second, third] = [[0xf0], [0x9f, 0x8c], [0x99]].map((bytes) => ({
    string: "\ufffd",
    bytes,
  }));
  assert.equal(continued(["a", " b"], " c"), "a b c");
  assert.equal(continued(["a", first, second], third), "a🌙");
  assert.equal(continued(["a", first], second), null);
  assert.equal(continued(["a"], third), null);
  assert.equal(continued(["a", first], " c"), null);
});
