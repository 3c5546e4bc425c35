// What a visitor writes to say where: as a selector, the points that it selects, and what is said if there is none.

import assert from "node:assert/strict";
import { test } from "node:test";

import { selectPoints } from "../../www/api/selectors.ts";
import { countWords, inLayers, matchHooks, shownPoint } from "../../www/session/hook-match.ts";
import { selectorOf, selectorOrText } from "../../www/session/hook-text.ts";
import { layerPair, textOf } from "../../www/session/selector-text.ts";
import { draftOf, EMPTY_DRAFT, interventionOf } from "../../www/session/intervention-draft.ts";
import { nameOf } from "../../www/session/intervention-words.ts";
import { isIntervention } from "../../www/state/interventions.ts";

const KINDS =
  `hook_resid_pre ln1.hook_normalized attn.hook_q attn.hook_k attn.hook_pattern attn.hook_z attn.hook_result
  hook_attn_out ln2.hook_normalized mlp.hook_post hook_mlp_out hook_resid_post`.split(/\s+/);
/** @param {string} name */
const point = (name) => ({ name, axes: ["batch", "pos"], onRequest: name.endsWith("result") });
const points = [
  point("hook_embed"),
  ...[0, 1, 2, 3].flatMap((layer) => KINDS.map((kind) => point(`blocks.${layer}.${kind}`))),
  point("ln_final.hook_normalized"),
];
/** @param {string} text @param {object} [architecture] */
const match = (text, architecture = {}) => matchHooks(text, points, architecture);

/** @type {[string, import("../../www/state/interventions.ts").PlainSelector][]} */
const TEXTS = [
  ["blocks.0.attn.hook_pattern", "blocks.0.attn.hook_pattern"],
  ["  pattern ", "pattern"],
  ["blocks.*.attn.hook_?", "blocks.*.attn.hook_?"],
  ["/HOOK_[qk]$/i", "/HOOK_[qk]$/i"],
  ['["pattern", 2]', ["pattern", 2]],
  ['["pattern",-1]', ["pattern", -1]],
  ['["pattern", [0, -1]]', ["pattern", [0, -1]]],
  ["('pattern', 2)", ["pattern", 2]],
  ["pattern 2", ["pattern", 2]],
  ["pattern -1", ["pattern", -1]],
  ["pattern, 2", ["pattern", 2]],
  ["pattern 0, 2-3", ["pattern", [0, 2, 3]]],
  ["pattern 0 - 2", ["pattern", [0, 1, 2]]],
  ["pattern 0 -1", ["pattern", [0, -1]]],
  ["pattern layer 2", ["pattern", 2]],
  ["attn.pattern of layers 1, 2", ["attn.pattern", [1, 2]]],
  ["* 1", ["*", 1]],
  ['["pattern", "z"]', ["pattern", "z"]],
  ['[["pattern", 1], "hook_embed"]', [["pattern", 1], "hook_embed"]],
  ['"pattern"', "pattern"],
  ['["/hook_(q|k)$/", "z"]', ["/hook_(q|k)$/", "z"]],
];

test("every selector that is a text can be written, as code and in words", () => {
  for (const [text, selector] of TEXTS) {
    assert.deepEqual(selectorOf(text), selector, text);
    assert.deepEqual(selectorOf(textOf(selector)), selector, "and is written as it is read");
    assert.deepEqual(
      match(text).names,
      selectPoints(selector, points).map(({ name }) => name),
      `${text} selects what the API selects`,
    );
  }
  assert.equal(textOf(["pattern", [0, -1]]), '["pattern", [0, -1]]');
  assert.deepEqual(layerPair(["pattern", "z"]), undefined);
});

test("a text that is no selector has a sentence", () => {
  for (const [text, problem] of /** @type {[string, RegExp][]} */ ([
    ["", /^Expected a hook point, such as pattern/],
    ["[pattern]", /is no selector: expected a pair/],
    ["[]", /is no selector/],
    ["pattern 3-1", /“3-1” is no range of layers/],
    ["/(?=x)/", /looks around or refers back/],
    ["/(a)\\1/", /looks around or refers back/],
    ["/[/", /is not a regular expression/],
    ["/a/x", /has the flag x, expected i, m, s, g or u/],
  ])) {
    assert.match(match(text).problem, problem);
    assert.deepEqual(match(text).names, []);
  }
  assert.equal(selectorOrText("[pattern"), "[pattern");
});

test("an expression that would hold the page is refused before it is tried", () => {
  for (const text of ["/(.+)+x/", "/(a|a)*$/", "/.*.*.*.*x/", "/(.{1,30}){1,30}x/", '["/(.+)+x/"]'])
    assert.match(match(text).problem, /may take too long to match here/, text);
  for (const text of ["/hook_(q|k)$/", "/blocks\\.[02]\\..*hook_(q|k)?$/", "/^[*+]|hook_z/"])
    assert.equal(match(text).problem, "", text);
});

test("why nothing is selected is said, with what may be meant", () => {
  /** @type {[string, RegExp, string[]][]} */
  const cases = [
    [
      "attn_dropout",
      /^This model has no hook point `attn_dropout`\. The dropout of attention receives/,
      ["pattern", '["pattern", 0]'],
    ],
    ["hook_attn_out", /no hook point `hook_attn_out`\.$/, ["attn_out", '["attn_out", 0]']],
    ["h.2.attn.attn_dropout", /dropout/, ["blocks.2.attn.hook_pattern"]],
    [
      "blocks.9.mlp.hook_post",
      /`blocks\.9\.mlp\.hook_post`\. Its layers are 0 to 3\.$/,
      ["blocks.3.mlp.hook_post"],
    ],
    ["patern", /no hook point `patern`/, ["pattern", "embed", "post"]],
    [
      "normalized",
      /short name of several/,
      ["ln1.normalized", "ln2.normalized", "ln_final.normalized"],
    ],
    ["normalized 1", /fits several/, ['["ln1.normalized", 1]', '["ln2.normalized", 1]']],
    ["attn_dropout 2", /fits no hook point/, ['["pattern", 2]']],
    ["pattern 9", /names layer 9, expected -4 to 3/, ['["pattern", -1]']],
    ["blocks.*.foo", /^No hook point of this model matches `blocks\.\*\.foo`\.$/, []],
    [
      "/attn_dropout/",
      /^No hook point of this model matches .* The dropout/,
      ["pattern", '["pattern", 0]'],
    ],
  ];
  for (const [text, problem, proposals] of cases) {
    const found = match(text);
    assert.match(found.problem, problem, text);
    assert.deepEqual([found.names, found.proposals], [[], proposals], text);
    for (const one of proposals) assert.ok(match(one).names.length > 0, `${one} selects a point`);
  }
  assert.match(
    match("blocks.0.mlp.hook_pre", { attn_only: true }).problem,
    /^This model has no hook point `blocks\.0\.mlp\.hook_pre`: it has no MLPs\.$/,
  );
});

test("one of several points is shown: the chosen one, or the first", () => {
  const several = match("pattern");
  assert.equal(shownPoint(several, ""), "blocks.0.attn.hook_pattern");
  assert.equal(shownPoint(several, "blocks.2.attn.hook_pattern"), "blocks.2.attn.hook_pattern");
  assert.equal(shownPoint(several, "hook_embed"), "blocks.0.attn.hook_pattern");
  assert.equal(shownPoint(match("nothing"), "hook_embed"), null);
  assert.deepEqual(countWords(several.names), {
    count: "4 hook points",
    listed: several.names.slice(0, 3).join(", "),
    more: " and 1 more",
  });
  assert.deepEqual(inLayers(several.names, [1, 9]), ["blocks.1.attn.hook_pattern"]);
  assert.deepEqual(inLayers(several.names, undefined), several.names);
});

test("an intervention keeps what was written, as the API takes it", () => {
  for (const [text, at] of TEXTS) {
    const { intervention } = interventionOf({ ...EMPTY_DRAFT, point: "", pattern: text }, []);
    assert.deepEqual(intervention?.at, at);
    assert.ok(isIntervention(intervention), "the state and the address take it");
    const again = draftOf(/** @type {any} */ (intervention), []);
    assert.deepEqual(interventionOf(again, []).intervention, intervention);
  }
  const { problems } = interventionOf({ ...EMPTY_DRAFT, point: "", pattern: "[pattern" }, []);
  assert.match(problems?.pattern ?? "", /is no selector/);
  assert.equal(nameOf({ at: ["pattern", [0, -1]], do: "zero" }), "zero at pattern of layers 0, -1");
  assert.equal(nameOf({ at: ["pattern", "z"], do: "zero" }), 'zero at ["pattern", "z"]');
  for (const at of [[], ["pattern", 1.5], 3, [["pattern", 1], 2], null])
    assert.equal(isIntervention({ at, do: "zero" }), false, JSON.stringify(at));
});
