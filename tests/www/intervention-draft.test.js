// The form of an intervention: every intervention can be written as a draft and read again, and each wrong text has a sentence.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  kindsAt,
  pointChoices,
  preferredPoint,
  vectorsAt,
} from "../../www/session/hook-choices.ts";
import { draftOf, EMPTY_DRAFT, interventionOf } from "../../www/session/intervention-draft.ts";
import { nameOf } from "../../www/session/intervention-words.ts";

const point = (/** @type {string} */ name, /** @type {string} */ axes, onRequest = false) => ({
  name,
  axes: axes.split(" "),
  onRequest,
});
const POINTS = [
  point("hook_embed", "batch pos d_model"),
  ...[0, 1].flatMap((layer) => [
    point(`blocks.${layer}.hook_resid_pre`, "batch pos d_model"),
    point(`blocks.${layer}.ln1.hook_scale`, "batch pos 1"),
    point(`blocks.${layer}.attn.hook_pattern`, "batch head query key"),
    point(`blocks.${layer}.attn.hook_z`, "batch pos head d_head"),
    point(`blocks.${layer}.mlp.hook_post`, "batch pos d_mlp"),
    point(`blocks.${layer}.hook_resid_post`, "batch pos d_model"),
  ]),
];
const CHOICES = pointChoices(POINTS);

/** @type {[import("../../www/state/interventions.ts").LabIntervention, string][]} */
const EXAMPLES = [
  [{ at: "blocks.1.attn.hook_z", head: 3, do: "zero" }, "zero at attn.hook_z of layer 1, head 3"],
  [
    { at: "hook_embed", positions: [2, -1], dim: 4, do: "mean" },
    "mean over positions at hook_embed, dimension 4, positions 2, -1",
  ],
  [
    { at: "blocks.*.hook_resid_pre", layer: [0, 1], do: { scale: -0.5 } },
    "× −0.5 at hook_resid_pre of layers 0, 1",
  ],
  [
    { at: "blocks.*.mlp.hook_post", neuron: [1, 2, 3], do: { set: [1, 2, 3] } },
    "set to 3 numbers at mlp.hook_post of every layer, neurons 1, 2, 3",
  ],
  [{ name: "quiet", at: "blocks.0.ln1.hook_scale", do: { set: 2 } }, "“quiet”"],
  [
    {
      at: "blocks.0.attn.hook_pattern",
      head: [0, 1],
      do: { knockOut: [{ query: 4, key: 2 }, { key: 0 }, { query: -1 }], renormalize: false },
    },
    "cut 4 → 2, every query → 0, -1 → every key at attn.hook_pattern of layer 0, heads 0, 1",
  ],
  [
    { at: "blocks.0.attn.hook_z", step: [0, 2], do: { js: "(x) => x" } },
    "JavaScript function at attn.hook_z of layer 0, steps 0, 2",
  ],
  [
    { at: "blocks.1.hook_resid_pre", do: { add: { difference: [" love\n", "hate"] }, times: 4 } },
    "add 4 × (“ love\n” − “hate”) at hook_resid_pre of layer 1",
  ],
  [
    {
      at: "blocks.1.hook_resid_pre",
      do: { add: { head: { layer: 0, head: 3, position: -2 } }, times: 1 },
    },
    "add 1 × what head 0.3 writes at position -2 at hook_resid_pre of layer 1",
  ],
  [
    { at: "blocks.1.hook_resid_pre", do: { add: { neuron: { layer: 0, neuron: 300 } }, times: 1 } },
    "add 1 × the direction of neuron 0.300 at hook_resid_pre of layer 1",
  ],
  [
    { at: "blocks.1.hook_resid_pre", do: { add: { token: " Romeo", of: "W_E" }, times: 1e-7 } },
    "add 1e−7 × W_E of “ Romeo” at hook_resid_pre of layer 1",
  ],
  [
    { at: "blocks.1.hook_resid_pre", do: { add: { token: 350, of: "W_U" }, times: 1 } },
    "add 1 × W_U of token 350 at hook_resid_pre of layer 1",
  ],
  [
    { at: "blocks.1.hook_resid_pre", do: { add: [0.5, -1e-7], times: 1 } },
    "add 1 × a vector of 2 numbers at hook_resid_pre of layer 1",
  ],
  [
    { at: "blocks.1.hook_resid_pre", positions: 3, do: { from: "corrupted", fromPositions: [4] } },
    "patch from the second prompt, its positions 4 at hook_resid_pre of layer 1, position 3",
  ],
  [
    { at: "blocks.1.hook_resid_pre", do: { from: { prompt: "So be it" } } },
    "patch from “So be it” at hook_resid_pre of layer 1",
  ],
  [
    { at: "blocks.1.hook_resid_pre", do: { mean: { texts: ["a\\n b\nc", "d"] } } },
    "mean over 2 reference texts at hook_resid_pre of layer 1",
  ],
  [{ at: "/hook_.*_pre/", layer: 1, do: "zero" }, "zero at /hook_.*_pre/ of layer 1"],
  [{ at: "blocks.9.hook_unknown", do: "zero" }, "zero at hook_unknown of layer 9"],
];

test("every intervention is the same after it was written to the form and read again", () => {
  for (const [lab] of EXAMPLES)
    assert.deepEqual(interventionOf(draftOf(lab, CHOICES), CHOICES), {
      intervention: lab,
      problems: null,
    });
});

test("an intervention has a name, or says what it does and where", () => {
  for (const [lab, words] of EXAMPLES) assert.equal(nameOf(lab), words);
});

/** What is wrong with a form. @param {Partial<import("../../www/session/intervention-draft.ts").Draft>} draft */
const problems = (draft) => interventionOf({ ...EMPTY_DRAFT, ...draft }, CHOICES).problems;

test("a text that does not fit has a sentence at its field", () => {
  /** @type {[Partial<import("../../www/session/intervention-draft.ts").Draft>, string, RegExp][]} */
  const cases = [
    [{ layer: "x" }, "layer", /^“x” does not fit: expected numbers such as 3/],
    [{ head: "3-1" }, "head", /“3-1” does not fit/],
    [{ head: "--1" }, "head", /“--1” does not fit/],
    [{ step: "-1" }, "step", /“-1” does not fit: expected numbers from 0/],
    [{ positions: "1.5" }, "positions", /“1.5” does not fit: expected positions such as/],
    [{ positions: "0-99999999" }, "positions", /does not fit/],
    [{ kind: "scale", scale: "" }, "scale", /^Expected a number\.$/],
    [{ kind: "scale", scale: "1e999" }, "scale", /a number that is finite/],
    [{ kind: "scale", scale: "two" }, "scale", /“two” does not fit/],
    [{ kind: "set", set: "1, x" }, "set", /“x” does not fit/],
    [{ kind: "set", set: "" }, "set", /Expected one or more numbers/],
    [{ kind: "texts", texts: "\n" }, "texts", /one or more texts/],
    [{ kind: "from", source: "prompt" }, "prompt", /Expected a prompt/],
    [{ kind: "from", fromPositions: "b" }, "fromPositions", /“b”/],
    [{ kind: "knockOut", point: "attn.hook_pattern" }, "edges", /Expected edges/],
    [{ kind: "knockOut", point: "attn.hook_pattern", edges: "4" }, "edges", /“4” does not fit/],
    [{ kind: "js", js: " " }, "js", /Expected a function/],
    [{ kind: "add", vector: "difference", more: "x" }, "less", /Expected a prompt/],
    [{ kind: "add", vector: "head", vectorHead: "1" }, "vectorHead", /layer.head/],
    [{ kind: "add", vector: "neuron", vectorNeuron: "1.x" }, "vectorNeuron", /layer.number/],
    [{ kind: "add", vector: "token" }, "token", /single token/],
    [{ kind: "add", vector: "numbers", numbers: "1", times: "" }, "times", /Expected a number/],
    [{ point: "" }, "pattern", /Expected a hook point/],
  ];
  for (const [draft, field, sentence] of cases) {
    const found = problems(draft);
    assert.deepEqual(Object.keys(found ?? {}), [field], JSON.stringify(draft));
    assert.match(Object.values(found ?? {})[0], sentence);
  }
});

test("fields that the point does not have are not read", () => {
  assert.deepEqual(
    interventionOf(
      { ...EMPTY_DRAFT, point: "hook_embed", layer: "x", head: "x", neuron: "x" },
      CHOICES,
    ).intervention,
    {
      at: "hook_embed",
      do: "zero",
    },
  );
});

test("a form offers what exists for the model and the point", () => {
  assert.deepEqual(
    CHOICES.map(({ key, layers }) => `${key} ${layers}`),
    [
      "hook_resid_pre 0,1",
      "hook_resid_post 0,1",
      "attn.hook_pattern 0,1",
      "attn.hook_z 0,1",
      "mlp.hook_post 0,1",
      "ln1.hook_scale 0,1",
      "hook_embed ",
    ],
  );
  const [pattern, z, stream] = [
    ["batch", "head", "query", "key"],
    ["batch", "pos", "head", "d_head"],
    ["batch", "pos", "d_model"],
  ];
  assert.deepEqual(kindsAt(pattern), ["zero", "scale", "add", "set", "from", "knockOut", "js"]);
  assert.deepEqual(kindsAt(z), ["zero", "mean", "texts", "scale", "add", "set", "from", "js"]);
  assert.deepEqual(vectorsAt(pattern, true), ["numbers"]);
  assert.deepEqual(vectorsAt(z, true), ["difference", "numbers"]);
  assert.deepEqual(vectorsAt(stream, true), ["difference", "head", "neuron", "token", "numbers"]);
  assert.deepEqual(vectorsAt(stream, false), ["difference", "head", "token", "numbers"]);
  assert.equal(preferredPoint("knockOut", CHOICES), "attn.hook_pattern");
  assert.equal(preferredPoint("from", CHOICES), "hook_resid_pre");
  assert.equal(preferredPoint("zero", CHOICES), "attn.hook_z");
});
