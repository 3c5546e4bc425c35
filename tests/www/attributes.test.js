import assert from "node:assert/strict";
import { test } from "node:test";

import { fitted, unchanged } from "../../www/elements/scope/attributes.ts";
import { misspelt } from "../../www/elements/scope/misspelt.ts";
import {
  PAGE_FIELDS,
  readAttribute,
  readProperty,
  ALL_FIELDS,
  SCOPE_PROPERTIES,
  SETTINGS,
  withSetting,
} from "../../www/elements/scope/fields.ts";
import { VIEWS } from "../../www/elements/views/index.ts";
import { complete } from "../../www/state/fields.ts";
import { read } from "../../www/state/address.ts";
import { FIELDS } from "../../www/state/state.ts";

const model = {
  config: { n_layer: 4, n_head: 2, attn_only: true },
  hookPoints: ["hook_resid_post", "attn.hook_z"].flatMap((point) =>
    [0, 1].map((layer) => ({ name: `blocks.${layer}.${point}` })),
  ),
  hasTokenizer: true,
};
/** What is drawn for attributes as they stand in HTML. */
const fit = (
  /** @type {Record<string, string>} */ attributes,
  /** @type {any} */ loaded = model,
  /** @type {number | null} */ length = null,
) => {
  const written = complete(ALL_FIELDS);
  /** @type {any} */
  let views = {};
  for (const [name, text] of Object.entries(attributes)) {
    const setting = SETTINGS.get(name);
    if (setting) views = withSetting(views, setting, text);
    else
      Object.assign(written, {
        [name]: readAttribute(/** @type {any} */ (ALL_FIELDS)[name], text),
      });
  }
  return fitted({ ...written, views }, loaded, length);
};

test("every field of the page's state is an attribute, except those that only the page has", () => {
  assert.deepEqual(PAGE_FIELDS, ["files", "tree", "treeSearch", "lesson", "step"]);
  for (const name of Object.keys(FIELDS))
    assert.equal(
      SCOPE_PROPERTIES[name]?.attribute,
      PAGE_FIELDS.includes(name) ? undefined : name.toLowerCase(),
    );
  for (const [view, { settings }] of Object.entries(VIEWS))
    for (const name of Object.keys(settings))
      assert.ok(SETTINGS.has(`${view}.${name}`.toLowerCase()), `${view}.${name}`);
  const names = [...Object.keys(ALL_FIELDS), ...SETTINGS.keys()].map((name) => name.toLowerCase());
  assert.equal(new Set(names).size, names.length, "HTML ignores the case of names");
});

test("attributes mean what the same names mean in an address", () => {
  const fields = Object.fromEntries(
    Object.entries(VIEWS).map(([name, { settings }]) => [name, settings]),
  );
  const attributes = {
    ...{ prompt: "a b", corrupted: "a c", view: "patching", lock: "3,1", position: "2" },
    ...{ answer: " Juliet", against: '"12"', seed: "7", topK: "5", doSample: "false", dtype: "q8" },
    ...{ "patching.at": "z", scale: "sqrt", direction: "to", layer: "1", head: "0" },
    interventions: '[{"at":"blocks.1.attn.hook_z","head":1,"do":{"scale":0.5}}]',
  };
  const { state } = read(new URLSearchParams(attributes).toString(), fields);
  const found = /** @type {any} */ (fit(attributes));
  assert.deepEqual(found.problems, []);
  for (const name of [...Object.keys(attributes).filter((one) => !one.includes(".")), "views"])
    assert.deepEqual(found[name], /** @type {any} */ (state)[name], name);
});

test("a layer and a head count from the end if they are negative, once the model is there", () => {
  const { layer, head, problems } = fit({ layer: "-1", head: "-2" });
  assert.deepEqual([layer, head, problems], [3, 0, []]);
  assert.equal(fit({ layer: "-1", head: "1" }, null).layer, null);
});

test("heads that are switched off are listed", () => {
  assert.deepEqual(fit({ off: "1.0, 1.1" }).off, [
    { layer: 1, head: 0 },
    { layer: 1, head: 1 },
  ]);
});

test("attributes that there are give no sentence", () => {
  assert.deepEqual(fit({}).problems, []);
  const { layer, head, problems } = fit({ layer: "3", head: "1", view: "lens", dtype: "q4" });
  assert.deepEqual([layer, head, problems], [3, 1, []]);
  assert.equal(fit({ layer: "2" }).head, null, "a layer without a head stays as it is written");
});

const WRONG = {
  "a view": [
    { view: "lents" },
    /`view="lents"` does not fit: expected one of attention, .*lens.*\. The attention is drawn\.$/,
    { view: "attention" },
  ],
  "a dtype": [
    { dtype: "f33" },
    /`dtype="f33"` does not fit: expected one of f32, f16, q8, q4\. `f32` is used/,
    { dtype: "f32" },
  ],
  "a scale": [
    { scale: "log" },
    /`scale="log"` does not fit: .*`linear` is used/,
    { scale: "linear" },
  ],
  "a direction": [{ direction: "up" }, /`direction="up"` does not fit/, { direction: "from" }],
  "a layer": [
    { layer: "99" },
    /There is no `layer="99"`: the model has layers 0 to 3 and heads 0 to 1\. The most telling head/,
    { layer: null, head: null },
  ],
  "a head": [
    { layer: "1", head: "2" },
    /There is no `layer="1"` `head="2"`: the model has layers 0 to 3 and heads 0 to 1/,
    { layer: null, head: null },
  ],
  "a layer too far from the end": [
    { layer: "-5" },
    /There is no `layer="-5"`: the model has layers 0 to 3 and heads 0 to 1/,
    { layer: null },
  ],
  "half a head": [{ head: "0.5" }, /`head="0\.5"` does not fit: expected a whole/, { head: null }],
  "a layer that is a word": [
    { layer: "one" },
    /`layer="one"` does not fit: expected a whole number/,
    { layer: null },
  ],
  "a head that is switched off": [
    { off: "1.0,two" },
    /`off="1\.0,two"` does not fit: expected heads, separated by commas, as in 1\.0,1\.1\. It is ignored/,
    { off: [] },
  ],
  interventions: [
    { interventions: "[{}]" },
    /`interventions="\[\{\}\]"` does not fit: intervention 1 has no `at`, expected the name of a hook point/,
    { interventions: [] },
  ],
  "a seed": [
    { seed: "x" },
    /`seed="x"` does not fit: expected a whole number.*`116` is used/,
    { seed: 116 },
  ],
  "a setting of a view": [
    { "patching.at": "zz" },
    /`patching\.at="zz"` does not fit: expected one of resid_pre/,
    { views: { patching: {} } },
  ],
  "a setting in camel case": [
    { "patching.eachposition": "yes" },
    /`patching\.eachposition="yes"` does not fit: expected true or false/,
    {},
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
  "ids for a tokenizer": [{ ids: "1,2" }, /`ids` is for a model without a tokenizer/, {}],
};
for (const [title, [change, sentence, drawn]] of Object.entries(WRONG))
  test(`${title} that there is not is said, with what there is and what is drawn`, () => {
    const found = /** @type {any} */ (fit(/** @type {any} */ (change)));
    assert.equal(found.problems.length, 1, found.problems.join("\n"));
    assert.match(found.problems[0], /** @type {RegExp} */ (sentence));
    for (const [name, value] of Object.entries(drawn)) assert.deepEqual(found[name], value);
  });

test("the layers are checked when the model is there", () => {
  assert.deepEqual(fit({ layer: "99" }, null).problems, []);
  assert.equal(fit({ view: "lents" }, null).problems.length, 1);
  const one = { config: { n_layer: 1, n_head: 1 } };
  assert.match(fit({ layer: "2" }, one).problems[0], /only layer 0 and only head 0/);
});

test("a place that the text does not have is said", () => {
  const { lock, position, problems } = fit({ lock: "9,2", position: "7" }, model, 7);
  assert.deepEqual([lock, position], [null, null]);
  assert.match(
    problems.join("\n"),
    /There is no `lock="9,2"`: the text has tokens 0 to 6\. Nothing is locked/,
  );
  assert.match(problems.join("\n"), /There is no `position="7"`.*The last token is studied/);
  assert.deepEqual(fit({ lock: "6,2", position: "6" }, model, 7).problems, []);
  assert.match(fit({ lock: "1," }, model, 1).problems[0], /the text has only token 0/);
});

test("an attribute runs no code", () => {
  const { interventions, problems } = fit({
    interventions: '[{"at":"blocks.0.attn.hook_z","do":{"js":"(x) => x"}}]',
  });
  assert.equal(interventions[0].disabled, true);
  assert.match(problems[0], /JavaScript is switched off.*set the property `interventions`/);
});

test("an equal value stays the same, so that nothing is drawn again", () => {
  const first = fit({ off: "1.0", "patching.at": "z" });
  const next = unchanged(fit({ off: "1.0", "patching.at": "z", head: "1" }), first);
  assert.equal(next.off, first.off);
  assert.equal(next.views, first.views);
  assert.equal(next.head, 1);
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
  assert.deepEqual(misspelt(["max-new-tokens"], ["maxnewtokens"]), [
    "The attribute `max-new-tokens` is unknown; `maxnewtokens` may be meant.",
  ]);
  assert.deepEqual(misspelt(["lens.off"], ["lens.of", "lens.show"]), [
    "The attribute `lens.off` is unknown. The view has `lens.of`, `lens.show`.",
  ]);
});

test("a property takes what its attribute takes, and nothing resets it", () => {
  const { off, layer, prompt, interventions, view, parts } = ALL_FIELDS;
  const cases = /** @type {[any, unknown, unknown][]} */ ([
    [off, "1.0", [{ layer: 1, head: 0 }]],
    [off, null, []],
    [layer, "1", 1],
    [layer, null, null],
    [prompt, 5, "5"],
    [prompt, undefined, ""],
    [interventions, "[]", []],
    [view, null, "attention"],
    [view, "lents", "lents"],
    [parts, "pattern tokens", ["pattern", "tokens"]],
    [off, 7, 7],
  ]);
  for (const [field, given, found] of cases)
    assert.deepEqual(readProperty(field, given), found, String(given));
});

test("what is empty or said twice is named", () => {
  const said = (/** @type {Record<string, string>} */ given) => fit(given).problems;
  assert.match(said({ corrupted: "" })[0], /^`corrupted` is empty/);
  assert.match(said({ beside: "attention" })[0], /^`beside="attention"` is the view/);
  assert.match(said({ parts: "" })[0], /^`parts=""` does not fit: expected some of tokens/);
});

test("the part of interventions that does not fit is named", () => {
  const said = (/** @type {string} */ text) => fit({ interventions: text }).problems[0];
  assert.match(said("[{"), /: it is no JSON/);
  assert.match(said("{}"), /expected a list of interventions/);
  const good = { at: "blocks.0.attn.hook_z", do: "zero" };
  const list = (/** @type {unknown} */ one) => said(JSON.stringify([good, one]));
  assert.match(
    list({ ...good, do: "zap" }),
    /intervention 2 has `do` "zap", expected "zero", "mean"/,
  );
  assert.match(list({ ...good, by: "x" }), /intervention 2 has a field `by`, expected only at, do/);
  assert.match(
    list({ ...good, head: "x" }),
    /intervention 2 has `head` "x", expected a whole number/,
  );
  assert.match(list({ at: "x" }), /intervention 2 has no `do`, expected "zero"/);
});

test("an intervention on what the model does not have is left out, and the others act", () => {
  const kept = [{ layer: 1, head: 0 }];
  const { off, problems } = fit({ off: "9.9,1.0" });
  assert.deepEqual(off, kept);
  assert.deepEqual(problems, [
    "There is no head 9.9, which `off` names: the model has layers 0 to 3 and heads 0 to 1. It is left out.",
  ]);
  const good = { at: "blocks.0.attn.hook_z", head: 1, do: "zero" };
  const list = [good, { ...good, head: 99 }, { ...good, at: "blocks.0.hook_zz" }];
  const found = fit({ interventions: JSON.stringify(list) });
  assert.deepEqual(found.interventions, [good]);
  assert.match(found.problems[0], /^The model has no head 0\.99: it has .* Intervention 2 of/);
  assert.match(
    found.problems[1],
    /^The model has no `at="blocks\.0\.hook_zz"`.* Intervention 3 of/,
  );
});

test("exchanged letters and other words for an attribute are named", () => {
  const known = ["view", "model", "prompt", "corrupted", "ids", "src", "off", "lock"];
  const meant = (/** @type {string} */ name) =>
    /; `(.*)` may/.exec(misspelt([name], known)[0] ?? "")?.[1];
  assert.deepEqual(["veiw", "modle", "text", "compare", "promt", "lcok", "href"].map(meant), [
    "view",
    "model",
    "prompt",
    "corrupted",
    "prompt",
    "lock",
    "src",
  ]);
  for (const name of ["is", "id", "inert", "title", "data-veiw", "aria-modle", "tabindex"])
    assert.equal(meant(name), undefined, name);
});
