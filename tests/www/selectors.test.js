// Selectors of hook points, and the selections that model.select gives.

import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";

import { Cache } from "../../www/api/cache.ts";
import { createError } from "../../www/api/errors.ts";
import { Selection } from "../../www/api/selection.ts";
import { patternsOf, resolver, selectOne, selectPoints } from "../../www/api/selectors.ts";
import { Tensor } from "../../www/api/tensor.ts";

/** @param {string} name @param {RegExp} message */
const failure = (name, message) => (/** @type {any} */ error) =>
  error instanceof Error && error.name === name && message.test(error.message);

const RESID = ["batch", "pos", "d_model"];
const PATTERN = ["batch", "head", "query", "key"];

/** Kinds of points in a block, some of those of GPT-2. @type {[string, string[], boolean?][]} */
const KINDS = [
  ["hook_resid_pre", RESID],
  ["ln1.hook_scale", ["batch", "pos", "1"]],
  ["ln1.hook_normalized", RESID],
  ["attn.hook_q", ["batch", "pos", "head", "d_head"]],
  ["attn.hook_k", ["batch", "pos", "head", "d_head"]],
  ["attn.hook_v", ["batch", "pos", "head", "d_head"]],
  ["attn.hook_attn_scores", PATTERN],
  ["attn.hook_pattern", PATTERN],
  ["attn.hook_z", ["batch", "pos", "head", "d_head"]],
  ["attn.hook_result", ["batch", "pos", "head", "d_model"], true],
  ["hook_attn_out", RESID],
  ["hook_resid_mid", RESID],
  ["ln2.hook_scale", ["batch", "pos", "1"]],
  ["ln2.hook_normalized", RESID],
  ["mlp.hook_pre", ["batch", "pos", "d_mlp"]],
  ["mlp.hook_post", ["batch", "pos", "d_mlp"]],
  ["hook_mlp_out", RESID],
  ["hook_resid_post", RESID],
];
const LAYERS = [0, 1, 2, 3];
const points = [
  { name: "hook_embed", axes: RESID, onRequest: false },
  { name: "hook_pos_embed", axes: RESID, onRequest: false },
  ...LAYERS.flatMap((layer) =>
    KINDS.map(([kind, axes, onRequest = false]) => ({
      name: `blocks.${layer}.${kind}`,
      axes,
      onRequest,
    })),
  ),
  { name: "ln_final.hook_normalized", axes: RESID, onRequest: false },
  { name: "unembed.hook_in", axes: RESID, onRequest: false },
  { name: "unembed.hook_out", axes: ["batch", "pos", "vocab"], onRequest: false },
];
const patterns = LAYERS.map((layer) => `blocks.${layer}.attn.hook_pattern`);

/** @param {any} selector */
const names = (selector) => selectPoints(selector, points).map(({ name }) => name);
/** @param {any} selector */
const select = (selector) => new Selection(selectPoints(selector, points), points);

// ---- what selects ----

test("every form selects the points that it says", () => {
  for (const [selector, expected] of /** @type {[any, string[]][]} */ ([
    ["hook_embed", ["hook_embed"]],
    ["blocks.2.attn.hook_pattern", [patterns[2]]],
    ["blocks.*.attn.hook_pattern", patterns],
    ["*pattern", patterns],
    ["/pattern$/", patterns],
    ["/PATTERN$/i", patterns],
    ["/(?i)PATTERN$/", patterns],
    ["/blocks\\.[13]\\..*pattern/gi", [patterns[1], patterns[3]]],
    [/attn\.hook_pattern/, patterns],
    [/HOOK_PATTERN/i, patterns],
    ["pattern", patterns],
    ["attn.pattern", patterns],
    ["embed", ["hook_embed"]],
    ["ln1.scale", LAYERS.map((layer) => `blocks.${layer}.ln1.hook_scale`)],
    [["pattern", 2], [patterns[2]]],
    [["pattern", -1], [patterns[3]]],
    [
      ["pattern", [-1, 0, 0]],
      [patterns[0], patterns[3]],
    ],
    [["attn.hook_pattern", 1], [patterns[1]]],
    [["hook_resid_*", 1], ["pre", "mid", "post"].map((one) => `blocks.1.hook_resid_${one}`)],
    [
      (/** @type {any} */ point) => point.axes.includes("key") && /pattern/.test(point.name),
      patterns,
    ],
    [
      [["pattern", -1], "hook_embed", /^blocks\.0\.attn\.hook_pattern$/],
      ["hook_embed", patterns[0], patterns[3]],
    ],
    [select("pattern"), patterns],
    [[["pattern", 0]], [patterns[0]]],
  ])) {
    assert.deepEqual(names(selector), expected, String(selector));
  }
});

test("an error of a function about points that were left out is not hidden", () => {
  const others = select("pattern").invert();
  assert.ok(others.leftOut.length > 0);
  const refusing = (/** @type {any} */ point) => {
    if (point.onRequest) throw createError("InputError", "no such point");
    return true;
  };
  assert.throws(() => others.select(refusing), failure("InputError", /no such point/));
  const picky = (/** @type {any} */ point) => !point.onRequest;
  assert.deepEqual(others.select(picky).leftOut, []);
});

test("two texts are a list; a text with numbers is a pair", () => {
  assert.equal(names(["pattern", "z"]).length, 8);
  assert.equal(names(["pattern", ["z", 1]]).length, 5, "a list with a pair in it");
  assert.equal(names(["pattern", 1]).length, 1);
  assert.throws(() => names(["pattern", []]), failure("HookError", /no layer/));
  assert.throws(() => names([]), failure("HookError", /empty list/));
});

test("lastIndex of a RegExp is neither read nor changed, and a sticky one begins at the first character", () => {
  const global = /hook_pattern/g;
  global.lastIndex = 20;
  assert.deepEqual(names(global), patterns);
  assert.deepEqual(names(global), patterns);
  assert.equal(global.lastIndex, 20);
  const sticky = /unembed/y;
  sticky.lastIndex = 5;
  assert.deepEqual(names(sticky), ["unembed.hook_in", "unembed.hook_out"]);
  assert.throws(() => names(/hook_pattern/y), failure("HookError", /selects none/));
});

test("points on request are selected by name, by expression and by function only", () => {
  const results = LAYERS.map((layer) => `blocks.${layer}.attn.hook_result`);
  const isResult = (/** @type {string} */ name) => name.endsWith("hook_result");
  assert.deepEqual(names("result"), results);
  assert.deepEqual(names("blocks.*.attn.hook_result"), results);
  assert.deepEqual(names("*hook_resul?"), results, "nothing else matches");
  assert.deepEqual(names("*").filter(isResult), []);
  assert.deepEqual(names(["*", 1]).filter(isResult), []);
  assert.deepEqual(names(["attn.hook_result", 1]), [results[1]]);
  assert.deepEqual(names(/attn/).filter(isResult), results);
  assert.deepEqual(names(() => true).length, points.length);
  assert.deepEqual(
    names((/** @type {any} */ point) => !point.onRequest),
    names("*"),
  );
});

test("a glob of many stars is answered at once", () => {
  assert.throws(() => names("*a".repeat(400)), failure("HookError", /selects none/));
});

// ---- what does not ----

test("a selector that selects nothing is a HookError with the nearest names", () => {
  for (const [selector, message] of /** @type {[any, RegExp][]} */ ([
    ["blocks.1.attn.hook_patern", /selects none.*nearest are "blocks.1.attn.hook_pattern"/],
    ["patern", /nearest are "pattern"/],
    ["resid_pst", /nearest are "resid_post"/],
    ["atn_out", /nearest are "attn_out"/],
    ["mlp_ot", /nearest are "mlp_out"/],
    ["attn.patern", /nearest are "attn.pattern"/],
    ["c_proj", /expected "attn_out".*that of `mlp.c_proj` is `mlp_out`/],
    ["resid_dropout", /expected "attn_out"/],
    ["blocks.-1.attn.hook_pattern", /expected "blocks.3.attn.hook_pattern"$/],
    ["blocks.-9.attn.hook_pattern", /there is no layer -9: the layers are 0, 1, 2, 3/],
    ["*nothing*", /"\*nothing\*" selects none of 77 hook points/],
    [/nothing/, /"\/nothing\/" selects none/],
    ["scale", /fits several points: "ln1.scale", "ln2.scale"/],
    [["scale", 0], /several points: \["ln1.scale",0\], \["ln2.scale",0\]/],
    [["patern", 0], /\["patern",0\] fits no hook point; the nearest are: \["pattern",0\]/],
    [["attn.patern", 0], /nearest are: \["attn.pattern",0\]/],
    [["pattern", 4], /layer 4, expected -4 to 3/],
    [["pattern", [0, -5]], /layer -5, expected -4 to 3/],
    [["pattern", 0.5], /layer 0.5/],
    [["pattern", ["z", "nothing"]], /"nothing" selects none/],
    ["/(/", /"\/\(\/" is not a regular expression/],
    ["/a/q", /has the flag q, expected i, m, s, g or u/],
    ["x".repeat(1001), /1001 characters/],
  ]))
    assert.throws(() => names(selector), failure("HookError", message), String(selector));
  for (const wrong of [3, null, undefined, {}, Symbol("s")])
    assert.throws(() => names(wrong), failure("InputError", /expected a name such as/));
});

test("a function that throws, or returns no boolean, is named", () => {
  const isOdd = (/** @type {any} */ point) => point.nothing.length > 1;
  assert.throws(
    () => names(isOdd),
    failure("HookError", /`isOdd` threw TypeError: .*"hook_embed"/),
  );
  assert.throws(
    () => names(() => 1),
    failure(
      "HookError",
      /function `\(\) => 1` returned 1 for "hook_embed", expected true or false/,
    ),
  );
  assert.throws(() => names(async () => true), failure("HookError", /type Promise/));
  assert.throws(
    () => names(() => false),
    failure("HookError", /selects no hook point: it returned false for all 77/),
  );
});

// ---- names of other libraries ----

test("likely names of other libraries lead to the right one", () => {
  const all = (/** @type {string} */ short) => `"${short}" for all layers, or \\["${short}", 0\\]`;
  for (const [name, expected] of /** @type {[string, string][]} */ ([
    ["attn_dropout", all("pattern")],
    ["transformer.h.0.attn.attn_dropout", '"blocks.0.attn.hook_pattern"'],
    ["h.3.attn.attn_dropout", '"blocks.3.attn.hook_pattern"'],
    ["attn_weights", all("pattern")],
    ["attention.weights", all("pattern")],
    ["attention_weights", all("pattern")],
    ["output_attentions", all("pattern")],
    ["attn_probs", all("pattern")],
    ["hook_attn", all("attn_out")],
    ["hook_attn_out", all("attn_out")],
    ["hook_pattern", all("pattern")],
    ["attn.hook_pattern", all("pattern")],
    ["h.0.attn", '"blocks.0.hook_attn_out"'],
    ["transformer.h.3.mlp", '"blocks.3.hook_mlp_out"'],
    ["transformer/h/3/mlp", '"blocks.3.hook_mlp_out"'],
    ["transformer.h.1.mlp.c_fc", '"blocks.1.mlp.hook_pre"'],
    ["transformer.h.1.mlp.act", '"blocks.1.mlp.hook_post"'],
    ["transformer.h.2.ln_1", '"blocks.2.ln1.hook_normalized"'],
    ["transformer.h.2.attn.c_attn", '"blocks.2.attn.hook_q"'],
    ["transformer.h.2", '"blocks.2.hook_resid_post"'],
    ["transformer.h.*.attn.attn_dropout", all("pattern")],
    ["transformer.wte", '"hook_embed"'],
    ["wte", '"hook_embed"'],
    ["wpe", '"hook_pos_embed"'],
    ["ln_f", '"unembed.hook_in"'],
    ["transformer.ln_f", '"unembed.hook_in"'],
    ["lm_head", '"unembed.hook_out"'],
    ["logits", '"unembed.hook_out"'],
    ["hidden_states", all("resid_post")],
    ["output_hidden_states", all("resid_post")],
    ["resid_final", '"blocks.3.hook_resid_post"'],
    ["block_1/attention/query_key_to_attn", '"blocks.1.attn.hook_pattern"'],
    ["params/h_2/attn/c_proj", '"blocks.2.hook_attn_out"'],
    ["input_to_query", all("q")],
    ["blocks.1.hook_in", '"blocks.1.hook_resid_pre"'],
    ["blocks.1.hook_out", '"blocks.1.hook_resid_post"'],
    ["blocks.1.attn.hook_hidden_states", '"blocks.1.hook_attn_out"'],
    ["blocks.1.attn.hook_attention_weights", '"blocks.1.attn.hook_pattern"'],
    ["blocks.1.attn.q.hook_out", '"blocks.1.attn.hook_q"'],
    ["blocks.1.attn.o.hook_in", '"blocks.1.attn.hook_z"'],
    ["blocks.1.attn.hook_attn", '"blocks.1.attn.hook_pattern"'],
    ["blocks.1.mlp.out.hook_in", '"blocks.1.mlp.hook_post"'],
    ["embed.hook_out", '"hook_embed"'],
    ["/attn_dropout/", all("pattern")],
    ["*attn_dropout", all("pattern")],
  ])) {
    const expectation = failure("HookError", new RegExp(`expected ${expected}`));
    assert.throws(() => names(name), expectation, `select ${name}`);
    assert.throws(() => patternsOf(name, points), expectation, `names: ${name}`);
  }
  assert.throws(
    () => names(["attn_dropout", 2]),
    failure("HookError", /expected "pattern" for all layers.*attention weights/),
  );
  const late = points.filter(({ name }) => !/^blocks\.[01]\.attn/.test(name));
  for (const [name, expected] of [
    ["h.2.attn.attn_dropout", /expected "blocks\.2\.attn\.hook_pattern": /],
    ["h.0.attn.attn_dropout", /or \["pattern", 2\] \(there is no layer 0: the layers are 2, 3\): /],
    ["h.0.attn", /expected "blocks\.0\.hook_attn_out": /],
    ["resid_final", /expected "blocks\.3\.hook_resid_post": /],
  ])
    assert.throws(
      () => selectPoints(/** @type {string} */ (name), late),
      failure("HookError", /** @type {RegExp} */ (expected)),
      "a layer is no place in the list of the points of a kind",
    );
  const withoutMlp = points.filter(({ name }) => !name.includes("mlp"));
  assert.throws(
    () => selectPoints("transformer.h.0.mlp", withoutMlp),
    failure("HookError", /nearest are/),
    "no point is proposed that the model lacks",
  );
});

// ---- what is sent ----

test("patterns are sent as they are, everything else as names", () => {
  /** @param {any} selector */
  const sent = (selector) => patternsOf(selector, points);
  assert.deepEqual(sent("blocks.*.attn.*"), ["blocks.*.attn.*"]);
  assert.deepEqual(sent("/(?i)HOOK_Z/"), ["/(?i)HOOK_Z/"]);
  // The model's engine has no look-around.
  assert.deepEqual(sent("/(?<=hook_)pattern$/"), patterns);
  assert.deepEqual(sent("pattern"), patterns);
  assert.deepEqual(sent(["pattern", "*", /hook_pattern/g]), [...patterns, "*"]);
  assert.deepEqual(
    sent("blocks.9.hook_resid_pre"),
    ["blocks.9.hook_resid_pre"],
    "the model refuses it",
  );
  assert.deepEqual(sent([]), []);
  assert.deepEqual(resolver(points)("/PATTERN/i"), ["/PATTERN/i"]);
});

test("an option of one point refuses several", () => {
  assert.equal(selectOne("`at` of mostActive", ["post", -1], points), "blocks.3.mlp.hook_post");
  assert.throws(
    () => selectOne("`at` of mostActive", "post", points),
    failure("HookError", /`at` of mostActive selects 4 hook points, expected one: "blocks.0.mlp/),
  );
});

test("a cache gives the one captured activation that a selector selects", () => {
  const tensor = new Tensor(Float32Array.of(1), [1], ["pos"]);
  const other = new Tensor(Float32Array.of(2), [1], ["pos"]);
  const cache = new Cache(
    new Map([
      [patterns[1], tensor],
      ["hook_embed", other],
    ]),
    points,
    new Map([[patterns[1], other]]),
  );
  for (const selector of /** @type {any[]} */ ([
    patterns[1],
    ["pattern", 1],
    ["pattern", -3],
    "pattern",
    /pattern/,
    "*pattern",
    select("pattern"),
    (/** @type {any} */ { name }) => name.includes("pattern"),
  ]))
    assert.equal(cache.get(selector), tensor, String(selector));
  assert.equal(cache.gradient("pattern"), other);
  assert.throws(
    () => cache.get("*"),
    failure("HookError", /selects 2 of what was captured.*"hook_embed"/),
  );
  assert.throws(() => cache.get(["pattern", 2]), failure("HookError", /"blocks.2.*not captured/));
  assert.throws(
    () => cache.get("blocks.7.attn.hook_pattern"),
    failure("HookError", /not captured/),
  );
  assert.throws(() => cache.get("attn_dropout"), failure("HookError", /expected "pattern"/));
  assert.throws(() => cache.gradient("hook_embed"), failure("HookError", /not captured/));
});

// ---- selections ----

test("a selection can be read, refined, inverted and combined", () => {
  const selection = select("pattern");
  assert.deepEqual([selection.count, selection.names], [4, patterns]);
  assert.deepEqual(
    [...selection].map(({ axes }) => axes),
    patterns.map(() => PATTERN),
  );
  assert.deepEqual(select("blocks.1.*").select("*z").names, ["blocks.1.attn.hook_z"]);
  assert.deepEqual(
    select("*")
      .select(/pattern/)
      .select(["pattern", -1]).names,
    [patterns[3]],
  );
  const results = select(() => true).select("blocks.0.*");
  assert.ok(results.names.includes("blocks.0.attn.hook_result"), "it was selected before");
  const inverted = selection.invert();
  assert.equal(inverted.count, points.length - 4 - 4, "without those on request");
  assert.deepEqual(inverted.invert().without("result").names, patterns);
  assert.deepEqual(selection.with("hook_embed").names, ["hook_embed", ...patterns]);
  assert.deepEqual(selection.without(["pattern", [0, 1]]).names, patterns.slice(2));
  assert.deepEqual(selection.with("hook_embed", ["z", 0]).count, 6);
  assert.throws(
    () => selection.select("z"),
    failure("HookError", /"z" selects none of the 4 selected hook points: "blocks.0.attn/),
  );
  assert.throws(
    () => select(["pattern", 2]).select(["pattern", 1]),
    failure(
      "HookError",
      /\["pattern",1\] selects none of the 1 selected hook point: "blocks.2.attn/,
    ),
  );
  assert.throws(() => /** @type {any[]} */ (selection.points).push(points[0]), TypeError);
  assert.throws(() => selection.without("pattern"), failure("HookError", /no hook point is left/));
  assert.throws(() => select(() => true).invert(), failure("HookError", /no hook point is left/));
});

test("an inverted selection says what it left out, or includes it", () => {
  const results = LAYERS.map((layer) => `blocks.${layer}.attn.hook_result`);
  const inverted = select("pattern").invert();
  assert.deepEqual(inverted.leftOut, results);
  assert.match(String(inverted), /\n {2}4 others are on request and left out: see leftOut$/);
  const complete = select("pattern").invert({ onRequest: true });
  assert.deepEqual([complete.count, complete.leftOut], [points.length - 4, []]);
  assert.doesNotMatch(String(complete), /left out/);
  assert.deepEqual(select("pattern").leftOut, []);
  assert.deepEqual(inverted.without(["result", 0]).leftOut, results.slice(1), "named by a call");
  assert.deepEqual(inverted.with(["result", [0, 1]]).leftOut, results.slice(2));
  assert.deepEqual(inverted.select(["*", 1]).leftOut, [results[1]]);
  assert.deepEqual(inverted.select("ln1.scale").leftOut, []);
  assert.match(
    String(inverted.select(["*", 1])),
    /1 other is on request and left out: see leftOut$/,
  );
  const plain = select((/** @type {any} */ { onRequest }) => !onRequest);
  assert.throws(
    () => plain.invert(),
    failure("HookError", /left of the 77 .*: 4 others are on request, which invert\(\{ onReq/),
  );
  assert.deepEqual(plain.invert({ onRequest: true }).names, results);
  for (const [options, message] of /** @type {[any, RegExp][]} */ ([
    [{ onRequest: 1 }, /`onRequest` of invert is 1/],
    [{ all: true }, /`all`/],
  ]))
    assert.throws(() => select("pattern").invert(options), failure("InputError", message));
});

test("expect() fails with what is selected", () => {
  const selection = select("pattern");
  assert.equal(selection.expect(4), selection);
  assert.throws(
    () => selection.expect(5),
    failure("HookError", /4 hook points are selected, expected 5: "blocks.0.attn.hook_pattern", /),
  );
  assert.throws(
    () => select(["z", 0]).expect(2),
    failure("HookError", /1 hook point is selected, expected 2: "blocks.0.attn.hook_z"$/),
  );
  assert.throws(() => select("*").expect(1), failure("HookError", /and 65 more/));
  assert.throws(
    () => selection.expect(/** @type {any} */ ("4")),
    failure("InputError", /whole number/),
  );
});

test("a selection is shown by kind, with its layers and axes", () => {
  const selection = select([["pattern", [0, 1, 3]], "hook_embed", ["result", 2]]);
  assert.equal(
    String(selection),
    [
      "5 of 77 hook points",
      "  hook_embed                      [batch pos d_model]",
      "  blocks.0-1,3.attn.hook_pattern  [batch head query key]",
      "  blocks.2.attn.hook_result       [batch pos head d_model], on request",
    ].join("\n"),
  );
  assert.match(inspect(selection), /^Selection: 5 of 77/);
});
