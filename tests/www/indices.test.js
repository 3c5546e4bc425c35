// Indices that count from the end, in the state of the page.

import assert from "node:assert/strict";
import { test } from "node:test";

import { interventionOf, EMPTY_DRAFT } from "../../www/session/intervention-draft.js";
import { countedFromStart, fromStart, missingPart } from "../../www/state/indices.js";
import { isIntervention } from "../../www/state/interventions.js";

const SIZES = { layers: 2, heads: 4, neurons: 32, width: 8 };
const POINTS = [
  { name: "blocks.0.attn.hook_z", axes: ["batch", "pos", "head", "d_head"] },
  { name: "blocks.0.hook_resid_pre", axes: ["batch", "pos", "d_model"] },
];
/** @param {object} fields @returns {any} */
const zero = (fields) => ({ at: "blocks.0.attn.hook_z", do: "zero", ...fields });
/** @param {any} lab */
const counted = (lab) => countedFromStart(lab, SIZES, POINTS);

test("a negative index counts from the end, and one that is out of range stays as it was written", () => {
  const found = [-1, -4, -5, 0, 3, 9].map((index) => fromStart(index, 4));
  assert.deepEqual(found, [3, 0, -5, 0, 3, 9]);
});

test("an intervention of an address may count from the end, except its steps", () => {
  for (const fields of [{ head: -1 }, { layer: [0, -1] }, { neuron: -3 }, { dim: [-1] }])
    assert.equal(isIntervention(zero(fields)), true, JSON.stringify(fields));
  assert.equal(isIntervention(zero({ step: -1 })), false);
  assert.equal(isIntervention(zero({ head: 0.5 })), false);
});

test("every index of an intervention is counted from the start once the model is known", () => {
  assert.deepEqual(counted(zero({ layer: -1, head: [-1, 0] })), zero({ layer: 1, head: [3, 0] }));
  assert.deepEqual(counted(zero({ dim: -1 })), zero({ dim: 1 })); // d_head is 2
  const stream = { at: "blocks.0.hook_resid_pre", do: "zero" };
  assert.deepEqual(counted({ ...stream, dim: -1 }), { ...stream, dim: 7 });
  assert.deepEqual(counted({ at: "post", neuron: -32, do: "zero" }), {
    at: "post",
    neuron: 0,
    do: "zero",
  });
  const pair = { at: ["z", -2], do: "zero" };
  assert.equal(counted(pair), pair); // a selector stays as it was written
  const add = (/** @type {object} */ direction) => ({
    at: "resid_pre",
    do: { add: direction, times: 2 },
  });
  assert.deepEqual(
    counted(add({ head: { layer: -1, head: -4, position: -1 } })),
    add({ head: { layer: 1, head: 0, position: -1 } }),
  );
  assert.deepEqual(
    counted(add({ neuron: { layer: -2, neuron: -1 } })),
    add({ neuron: { layer: 0, neuron: 31 } }),
  );
});

test("an intervention that counts from the start stays the same object", () => {
  const lab = zero({ head: 3, dim: 1 });
  assert.equal(counted(lab), lab);
  const vector = { at: "resid_pre", do: { add: [1, 2], times: 1 } };
  assert.equal(counted(vector), vector);
});

test("dimensions of a pattern are left to the API, which knows its points", () => {
  const lab = { at: "*.hook_z", dim: -1, do: "zero" };
  assert.equal(counted(lab), lab);
});

test("what the model does not have is named with what it has", () => {
  const has = "2 layers of 4 heads, counted from 0";
  /** @type {[any, any][]} */
  const cases = [
    [
      { at: "blocks.9.attn.hook_z", head: 1, do: "zero" },
      { part: "head 9.1", has },
    ],
    [zero({ head: 7 }), { part: "head 0.7", has }],
    [zero({ head: -5 }), { part: "head 0.-5", has }],
    [
      { at: "z", head: [0, 4], do: "zero" },
      { part: "head *.4", has },
    ],
    [
      { at: "z", layer: 5, do: "zero" },
      { part: "layer 5", has },
    ],
    [
      { at: "resid_pre", do: { add: { head: { layer: 9, head: 1 } }, times: 1 } },
      { part: "head 9.1", has },
    ],
    [
      { at: "post", layer: 1, neuron: 32, do: "zero" },
      { part: "neuron 1.32", has: "2 layers of 32 neurons, counted from 0" },
    ],
    [zero({ head: -1 }), null],
    [{ at: "resid_pre", do: { add: { neuron: { layer: 1, neuron: 31 } }, times: 1 } }, null],
    [{ at: "resid_pre", do: { set: 1 } }, null],
  ];
  for (const [lab, expected] of cases)
    assert.deepEqual(missingPart(lab, SIZES), expected, JSON.stringify(lab));
});

test("the form takes indices from the end", () => {
  const choices = [{ key: "attn.hook_z", label: "z", layers: [0, 1], axes: POINTS[0].axes }];
  const draft = { ...EMPTY_DRAFT, layer: "-1", head: "-1, 0" };
  const { intervention, problems } = interventionOf(draft, /** @type {any} */ (choices));
  assert.deepEqual(problems, null);
  assert.deepEqual(intervention, {
    at: "blocks.*.attn.hook_z",
    layer: -1,
    head: [-1, 0],
    do: "zero",
  });
  assert.match(
    interventionOf({ ...draft, step: "-1" }, /** @type {any} */ (choices)).problems?.step ?? "",
    /numbers from 0/,
  );
});
