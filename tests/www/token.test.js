import assert from "node:assert/strict";
import { test } from "node:test";

import {
  continued,
  attention,
  grouped,
  logProbability,
  pieces,
  said,
  sentence,
  short,
  shown,
  textOf,
} from "../../www/draw/token.ts";

test("pieces_joined_are_the_token", () => {
  for (const token of [" moon", "\n\n", "a b", "\u0000x", "é", "👩‍🚀", "\u202eevil", "", " "]) {
    assert.equal(
      pieces(token)
        .map(({ text }) => text)
        .join(""),
      token,
    );
  }
});

test("whitespace_can_be_seen", () => {
  assert.equal(shown(" moon"), "·moon");
  assert.equal(shown("\n"), "⏎");
  assert.equal(shown("\t  "), "⇥··");
  assert.equal(shown("\u00a0"), "⍽");
});

test("what_cannot_be_seen_is_written_in_hexadecimal", () => {
  assert.equal(shown("\u0007"), "0x07");
  assert.equal(shown("\u202eevil"), "U+202Eevil");
  assert.equal(shown("\ufffd"), "U+FFFD");
});

test("letters_of_all_scripts_stay_as_they_are", () => {
  for (const token of ["日本", "é", "ß", "🌙", "<b>"]) assert.equal(shown(token), token);
});

test("a_token_that_is_part_of_a_character_shows_its_bytes", () => {
  const part = { string: "", bytes: [0xe6, 0x97] };
  assert.equal(shown(part), "0xE6 0x97");
  assert.equal(textOf(part), "");
  assert.equal(said(part), "part of a character");
  assert.equal(shown(""), "∅");
});

test("long_tokens_are_cut_with_a_sign", () => {
  assert.equal(short(" indistinguishable", 8), "·indist…");
  assert.equal(short("moon", 8), "moon");
});

test("the_sentence_for_screen_readers_is_the_documented_one", () => {
  const tokens = [...Array(12).fill("x"), " the", ...Array(18).fill("x"), " moon"];
  assert.equal(
    sentence(tokens, { query: 31, key: 12 }, 0.8312),
    "query 31 ' moon', key 12 ' the', 0.83",
  );
});

test("numbers_have_two_decimals_and_a_true_minus", () => {
  assert.equal(attention(0.8), "0.80");
  assert.equal(logProbability(-1.239), "−1.24");
});

test("thousands_stand_apart", () => {
  assert.deepEqual([0, 999, 1000, 3_424_512, 124_439_808].map(grouped), [
    "0",
    "999",
    "1,000",
    "3,424,512",
    "124,439,808",
  ]);
});

test("a_text_goes_on_only_with_whole_characters", () => {
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
