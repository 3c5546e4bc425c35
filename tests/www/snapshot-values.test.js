// The numbers of a snapshot are checked: what is no probability, or contradicts another number or the text of the file, is not drawn.

import assert from "node:assert/strict";
import { test } from "node:test";

import { encodeNumbers, encodeValue } from "../../www/api/snapshot/arrays.ts";
import { shownHead } from "../../www/session/snapshot/held.ts";
import { readSnapshot } from "../../www/session/snapshot/read.ts";
import { changed } from "./snapshot-parts.js";

/** A result of the lens on a text of three tokens, without rounding. */
const lens = () =>
  encodeValue({
    lens: {
      topIds: named(Uint32Array.of(1, 2, 3, 4, 5, 6), [2, 3, 1], "layer pos top"),
      topProbabilities: named(new Float32Array(6).fill(0.5), [2, 3, 1], "layer pos top"),
      topStrings: ["a", "b", "c", "d", "e", "f"],
      nextProbability: named(new Float32Array(4).fill(0.25), [2, 2], "layer pos"),
      nextRank: named(Float32Array.of(0, 1, 2, 3), [2, 2], "layer pos"),
      kl: named(new Float32Array(6), [2, 3], "layer pos"),
    },
    tokens: ["To", " be", " or"],
    answer: null,
  });

/** The result of the view of log-probabilities. */
const tokenScores = () =>
  encodeValue({
    loss: named(Float32Array.of(1, 4 / 3), [2], "pos"),
    rank: named(Float32Array.of(0, NaN), [2], "pos"),
    entropy: named(Float32Array.of(1, 2, 3), [3], "pos"),
  });

/** @param {ArrayBufferView} data @param {number[]} shape @param {string} axes */
const named = (data, shape, axes) => ({ data, shape, axes: axes.split(" ") });

/** @param {any} array @param {number[]} values */
function replaceData(array, ...values) {
  Object.assign(array, { data: encodeNumbers(Float32Array.from(values)).data, encoding: "f32" });
}

/** What is wrong with a file, and what the message says. @type {[string, (data: any) => void, RegExp][]} */
const WRONG = [
  ["a negative head", (data) => (data.state.head = -1), /`state\.head` is -1, expected at least 0/],
  [
    "no pattern of the layer that is shown",
    (data) => (data.reading.patterns[1] = null),
    /`reading\.patterns\[1\]` is null, expected the pattern of the layer that is shown/,
  ],
  [
    "attention above 1",
    (data) => (data.reading.patterns[1].step = 100),
    /`reading\.patterns\[1\]` is .*expected probabilities, from 0 to 1/,
  ],
  [
    "rows of attention that do not add up",
    (data) => (data.reading.patterns[0].step *= 0.9),
    /`reading\.patterns\[0\], row 0` is 0\.8999.*expected attention that adds up to 1/,
  ],
  [
    "scores above 1",
    (data) => replaceData(data.reading.scores, ...new Array(18).fill(99)),
    /`reading\.scores` is 99, expected probabilities/,
  ],
  [
    "log-probabilities above 0",
    (data) => replaceData(data.reading.logProbs, 5, -1),
    /`reading\.logProbs` is 5, expected logarithms of probabilities, at most 0/,
  ],
  [
    "a loss that is not the mean",
    (data) => (data.reading.loss = 99),
    /`reading\.loss` is 99, expected 1\.16.*the mean of -logProbs/,
  ],
  [
    "a loss that is finite, of log-probabilities that are not",
    (data) => replaceData(data.reading.logProbs, NaN, -1),
    /`reading\.loss` is 1\.16.*expected NaN/,
  ],
  [
    "a loss without log-probabilities",
    (data) => (data.reading.logProbs = null),
    /`reading\.loss` is .*expected null, because there are no log-probabilities/,
  ],
  [
    "an id beyond the vocabulary",
    (data) => (data.reading.ids[0] = 999999),
    /`reading\.ids\[0\]` is 999999, expected less than 50, the size of the vocabulary/,
  ],
  [
    "another text than its tokens",
    (data) => (data.reading.text = "Something else"),
    /`reading\.text` is "Something else", expected the text of `ids` and `tokens`/,
  ],
  [
    "other ids than its text of ids",
    (data) => Object.assign(data.reading, { isIds: true, text: "0 1 3" }),
    /`reading\.text` is "0 1 3"/,
  ],
  [
    "probabilities of the lens above 1",
    (data) => {
      data.results.lens = [{ key: "resid_post null", value: lens() }];
      replaceData(data.results.lens[0].value.lens.nextProbability, 1, 0, 2, 0);
    },
    /`results\.lens\[0\]\.value\.lens\.nextProbability` is 2, expected probabilities/,
  ],
  [
    "ids of the lens beyond the vocabulary",
    (data) => {
      data.results.lens = [{ key: "resid_post null", value: lens() }];
      data.model.config.vocab_size = 6;
    },
    /`results\.lens\[0\]\.value\.lens\.topIds` is 6, expected ids below 6/,
  ],
  [
    "a lens of another text",
    (data) => {
      data.results.lens = [{ key: "resid_post null", value: lens() }];
      data.results.lens[0].value.tokens.pop();
    },
    /`results\.lens\[0\]\.value\.tokens` is a list of 2, expected 3, as in the text/,
  ],
  [
    "losses that contradict the log-probabilities",
    (data) => {
      data.results["log-probability"] = [{ key: "token scores", value: tokenScores() }];
      replaceData(data.results["log-probability"][0].value.loss, 1, 2);
    },
    /value\.loss, position 1` is 2, expected 1\.33.*as in logProbs/,
  ],
  [
    "entropies that no distribution over the vocabulary has",
    (data) => {
      data.results["log-probability"] = [{ key: "token scores", value: tokenScores() }];
      replaceData(data.results["log-probability"][0].value.entropy, 1, 2, 9);
    },
    /value\.entropy` is 9, expected entropies, from 0 to 3\.912/,
  ],
];

for (const [name, change, message] of WRONG)
  test(`a snapshot with ${name} is refused with the name of the field`, () => {
    assert.throws(() => readSnapshot(changed(change)), { name: "InputError", message });
  });

test("results of the format, and numbers that are not finite, are read", () => {
  const given = changed((data) => {
    data.results = {
      lens: [{ key: "resid_post null", value: lens() }],
      "log-probability": [{ key: "token scores", value: tokenScores() }],
    };
  });
  assert.deepEqual(Object.keys(readSnapshot(given).results), ["lens", "log-probability"]);
  const damaged = changed((data) => {
    replaceData(data.reading.logProbs, NaN, -1);
    data.reading.loss = { number: "NaN" };
    replaceData(data.reading.scores, ...new Array(18).fill(NaN));
    replaceData(data.reading.patterns[0], ...new Array(18).fill(NaN));
    delete data.reading.patterns[0].step;
    delete data.reading.patterns[0].offset;
  });
  assert.ok(Number.isNaN(readSnapshot(damaged).reading.loss));
});

test("an intervention may give attention values that are no distribution", () => {
  const given = changed((data) => {
    data.reading.patterns[1].step *= 3;
    data.state.interventions = [{ at: "blocks.1.attn.hook_pattern", do: { scale: 3 } }];
  });
  assert.ok(readSnapshot(given).reading.patterns[1]?.data.some((value) => value > 1.5));
  given.state.interventions[0].disabled = true;
  assert.throws(() => readSnapshot(given), /`reading\.patterns\[1\]` is .*from 0 to 1/);
});

test("tokens that do not say their characters, and changes of a tokenizer, fit their text", () => {
  /** @param {string} text @param {unknown[]} tokens */
  const read = (text, tokens, dropped = 0) =>
    readSnapshot(changed((data) => Object.assign(data.reading, { text, tokens, dropped })));
  read("a\u{1f600}b", ["a", { string: "\ufffd", bytes: [0xf0, 0x9f] }, "\ufffdb"]);
  read("a\u{1f600}b", [{ string: "", bytes: [97] }, "a\u{1f600}", "b"]);
  read("\u00c9t\u00e9 \u65e5", ["\u2581ete", " ", "<unk>"]);
  read("one two three four", [" two", " three", " four"], 1);
  assert.throws(() => read("one two three four", [" two", " three", " four"]), /reading\.text/);
  assert.throws(() => read("a\u{1f600}c", ["a", "\ufffd", "b"]), /reading\.text/);
});

test("without a choice, the strongest head of the layers that have a pattern is shown", () => {
  const given = changed((data) => {
    data.state = {};
    data.reading.patterns[1] = null;
  });
  assert.deepEqual(shownHead(readSnapshot(given)), { layer: 0, head: 2 });
});
