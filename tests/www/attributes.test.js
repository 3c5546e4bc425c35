import assert from "node:assert/strict";
import { test } from "node:test";

import { fitted, misspelt } from "../../www/elements/attributes.ts";

const model = {
  config: { n_layer: 4, n_head: 2, attn_only: true },
  hookPoints: [{ name: "blocks.0.hook_resid_post" }, { name: "blocks.0.attn.hook_z" }],
};
const WRITTEN = {
  ...{ dtype: "f32", view: "attention", layer: null, head: null, scale: "linear" },
  ...{ direction: "from", hook: "blocks.0.hook_resid_post", measured: "text" },
};
const fit = (/** @type {object} */ change, /** @type {any} */ loaded = model) =>
  fitted({ ...WRITTEN, ...change }, loaded);

test("attributes that there are give no sentence", () => {
  assert.deepEqual(fit({}).problems, []);
  const { layer, head, problems } = fit({ layer: 3, head: 1, view: "lens", dtype: "q4" });
  assert.deepEqual([layer, head, problems], [3, 1, []]);
  assert.equal(fit({ layer: 2 }).head, null, "a layer without a head stays as it is written");
});

const WRONG = {
  "a view": [
    { view: "lents" },
    /`view="lents"` is unknown, and the attention is drawn\. There are `attention`.*`lens`/,
    { view: "attention" },
  ],
  "a dtype": [
    { dtype: "f33" },
    /`dtype="f33"` is unknown, and f32 is used\. There are `f32`, `f16`, `q8`, `q4`/,
    { dtype: "f32" },
  ],
  "a scale": [
    { scale: "log" },
    /`scale="log"` is unknown, and linear is used/,
    { scale: "linear" },
  ],
  "a direction": [{ direction: "up" }, /`direction="up"` is unknown/, { direction: "from" }],
  "a layer": [
    { layer: 99 },
    /There is no `layer="99"`: the model has layers 0 to 3 and heads 0 to 1\. The strongest induction head/,
    { layer: null, head: null },
  ],
  "a head": [
    { layer: 1, head: 2 },
    /There is no `layer="1"` `head="2"`: the model has layers 0 to 3 and heads 0 to 1/,
    { layer: null, head: null },
  ],
  "a layer too far from the end": [
    { layer: -5 },
    /There is no `layer="-5"`: the model has layers 0 to 3 and heads 0 to 1/,
    { layer: null },
  ],
  "half a head": [{ head: 0.5 }, /`head="0\.5"`: expected a whole number/, { head: null }],
  "a layer that is a word": [
    { layer: NaN },
    /`layer` is no number: expected a whole number/,
    { layer: null },
  ],
  "a hook point": [
    { hook: "blocks.0.attn.hook_zz" },
    /no `hook="blocks\.0\.attn\.hook_zz"`\. The nearest are `blocks\.0\.attn\.hook_z`/,
    {},
  ],
  "a hook point that the config explains": [
    { hook: "blocks.0.mlp.hook_post" },
    /because it has no MLPs/,
    {},
  ],
};
for (const [title, [change, sentence, drawn]] of Object.entries(WRONG))
  test(`${title} that there is not is said, with what there is and what is drawn`, () => {
    const found = /** @type {any} */ (fit(change));
    assert.equal(found.problems.length, 1, found.problems.join("\n"));
    assert.match(found.problems[0], /** @type {RegExp} */ (sentence));
    for (const [name, value] of Object.entries(drawn)) assert.equal(found[name], value);
  });

test("the layers are checked when the model is there", () => {
  assert.deepEqual(fit({ layer: 99 }, null).problems, []);
  assert.equal(fit({ view: "lents" }, null).problems.length, 1);
  const one = { config: { n_layer: 1, n_head: 1 } };
  assert.match(fit({ layer: 2 }, one).problems[0], /only layer 0 and only head 0/);
});

test("the view of activations says itself what is wrong with its hook point", () => {
  assert.deepEqual(fit({ view: "activations", hook: "nowhere" }).problems, []);
});

test("a misspelt attribute is named with the one that may be meant; attributes of others are none", () => {
  const known = ["model", "layer", "head", "view", "prompt"];
  assert.deepEqual(
    misspelt(
      ["model", "layers", "class", "id", "data-x", "aria-label", "onclick", "tabindex", "slot"],
      known,
    ),
    ["The attribute `layers` is unknown; `layer` may be meant."],
  );
  assert.equal(misspelt(["promt"], known).length, 1);
  assert.equal(misspelt(["vieww"], known).length, 1);
  assert.deepEqual(misspelt(["xyz"], known), []);
});
