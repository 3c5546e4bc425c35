import assert from "node:assert/strict";
import { test } from "node:test";

import { read, write } from "../../www/state/address.ts";
import * as field from "../../www/state/fields.ts";
import { headsOff, isIntervention, toggleHead, zeroHead } from "../../www/state/interventions.ts";
import { reduce } from "../../www/state/reducer.ts";
import { completeState, FIELDS, OPENING } from "../../www/state/state.ts";
import { Store } from "../../www/state/store.ts";

/** @typedef {import("../../www/state/state.ts").LabState} LabState */
/** @typedef {import("../../www/state/interventions.ts").LabIntervention} LabIntervention */
/** @typedef {import("../../www/state/reducer.ts").Action} Action */

const VIEWS = {
  attention: {},
  patching: {
    at: field.choice(["resid", "z"], "resid"),
    metric: field.text(""),
    top: field.whole(5),
  },
  lens: { atEnd: field.flag(true) },
};

/** @param {Partial<LabState>} fields @returns {LabState} */
const stateOf = (fields) => ({ ...OPENING, ...fields });

/** @type {readonly LabIntervention[]} */
const RECIPES = [
  zeroHead({ layer: 1, head: 0 }),
  { at: "blocks.0.hook_mlp_out", do: "mean", positions: [0, -1], name: "no MLP", disabled: true },
  { at: ["z", -1], head: [0, 2], do: { scale: 0.5 } },
  { at: "blocks.*.hook_resid_pre", layer: 2, dim: 3, do: { set: [1, 2] } },
  {
    at: "blocks.0.attn.hook_pattern",
    do: { knockOut: [{ query: 3, key: 0 }], renormalize: false },
  },
  { at: "a", do: { add: { difference: ["love", "hate"] }, times: -2 } },
  { at: "a", do: { add: { head: { layer: 0, head: 1, position: -1 } }, times: 1 } },
  { at: "a", neuron: 4, step: 0, do: { add: { neuron: { layer: 1, neuron: 7 } }, times: 1 } },
  { at: "a", do: { add: { token: " moon", of: "W_E" }, times: 1 } },
  { at: "a", do: { add: [0.5, 1], times: 1 } },
  { at: "a", do: { from: "corrupted", fromPositions: [1] } },
  { at: "a", do: { from: { prompt: "another" } } },
  { at: "a", do: { mean: { texts: ["one", "two"] } } },
];

/** @type {Partial<LabState>} */
const EVERYTHING = {
  model: "hf:openai-community/gpt2",
  dtype: "q8",
  prompt: "a & b = #c?\n 100% “moon” 🌙 +",
  ids: [1, 0, 7],
  corrupted: "",
  view: "patching",
  beside: "lens",
  layer: 11,
  head: 0,
  hook: "blocks.0.attn.hook_z",
  scale: "sqrt",
  direction: "to",
  lock: { query: 31, key: 0 },
  measured: "random",
  position: 0,
  answer: " Paris",
  against: 42,
  interventions: RECIPES,
  doSample: false,
  temperature: 1.05,
  topK: 3,
  topP: 0.9,
  seed: 7,
  maxNewTokens: 12,
  tree: "blocks.1.attn.W_Q",
  treeSearch: "W_*",
  lesson: "induction",
  step: 2,
  views: { patching: { at: "z", metric: "loss" }, lens: { atEnd: false } },
};

// ---- the address ----

test("every field of the state is written to an address and read from it", () => {
  const state = stateOf(EVERYTHING);
  assert.deepEqual(
    Object.keys(OPENING).filter((name) => !(name in EVERYTHING)),
    ["files"],
  );
  const address = read(`#${write(state, VIEWS)}`, VIEWS);
  assert.deepEqual(address.problems, []);
  assert.deepEqual(address.state, state);
});

test("what has its default value is left out of the address", () => {
  assert.equal(write(OPENING, VIEWS), "");
  assert.deepEqual(read("", VIEWS), { state: OPENING, named: new Set(), problems: [] });
  assert.equal(write(stateOf({ layer: 0, head: 0 }), VIEWS), "layer=0&head=0");
  assert.equal(
    write(stateOf({ views: { patching: { at: "z" } } }), VIEWS),
    "patching.at=z",
    "settings are written with the name of their view",
  );
});

test("the gallery's id of files on a disk stays out of the address", () => {
  assert.equal(write(stateOf({ model: "", files: "an id" }), VIEWS), "model=");
  assert.match(read("#files=x", VIEWS).problems[0], /^The address has the name "files", which/);
});

test("a row or a column can be locked", () => {
  for (const lock of [{ query: 0 }, { key: 7 }])
    assert.deepEqual(read(write(stateOf({ lock }), VIEWS), VIEWS).state.lock, lock);
});

test("answers keep apart ids and texts that look like ids", () => {
  for (const answer of ["12", 12, '"quoted', "", " 12", "⟨7⟩"])
    assert.equal(read(write(stateOf({ answer }), VIEWS), VIEWS).state.answer, answer);
});

test("earlier addresses stay readable", () => {
  const { state, problems } = read("#look=to&off=1.0,11.10&layer=2", VIEWS);
  assert.deepEqual(problems, []);
  assert.equal(state.direction, "to");
  assert.deepEqual([state.layer, state.head], [2, 0]);
  assert.deepEqual(state.interventions, [
    { at: "blocks.1.attn.hook_z", head: 0, do: "zero" },
    { at: "blocks.11.attn.hook_z", head: 10, do: "zero" },
  ]);
  assert.equal(write(state, VIEWS), "layer=2&head=0&direction=to&off=1.0%2C11.10");
});

test("unknown names and unfit values are reported, and the rest is read", () => {
  const { state, problems } = read(
    '#layer=1.5&head=two&scale=log&direction=up&lock=,&x=1&off=1,3.4&topP=2&view=constructor&patching.top=no&patching.by=2&attention.__proto__=1&interventions=[{"at":1}]&seed=5&seed=6',
    VIEWS,
  );
  assert.deepEqual(problems, [
    'The address has "1.5" for layer, expected a whole number',
    'The address has "two" for head, expected a whole number',
    'The address has "log" for scale, expected one of linear, sqrt',
    'The address has "up" for direction, expected one of from, to',
    'The address has "," for lock, expected a query and a key as in 31,12, of which one may be absent',
    'The address has the name "x", which this page does not know',
    'The address has "1" for off, expected a head such as 1.0',
    'The address has "2" for topP, expected a number of at least 0 and at most 1',
    'The address has "no" for patching.top, expected a whole number of at least 0',
    'The address has the name "patching.by", which this page does not know',
    'The address has the name "attention.__proto__", which this page does not know',
    'The address has "[{\\"at\\":1}]" for interventions, expected interventions as JSON, such as [{"at":"blocks.1.attn.hook_z","head":0,"do":"zero"}]',
    'The address names "seed" more than once; the first value counts',
    'The address asks for the view "constructor", which this page does not have',
  ]);
  assert.deepEqual(state, stateOf({ interventions: [zeroHead({ layer: 3, head: 4 })], seed: 5 }));
});

test("a link does not run JavaScript", () => {
  const interventions = [{ at: "a", do: { js: "(x) => x" } }];
  const { state, problems } = read(write(stateOf({ interventions }), VIEWS), VIEWS);
  assert.deepEqual(state.interventions, [{ ...interventions[0], disabled: true }]);
  assert.match(problems[0], /JavaScript, which is switched off/);
  const again = read(write(state, VIEWS), VIEWS);
  assert.deepEqual(again.problems, []);
});

// ---- fields ----

test("fields accept exactly the values that they read and write", () => {
  for (const [name, one] of Object.entries(FIELDS)) {
    assert.ok(one.accepts(one.fallback), name);
    const value = EVERYTHING[/** @type {keyof LabState} */ (name)] ?? "an id";
    assert.ok(one.accepts(value), name);
    const read = one.parse(/** @type {field.Field<unknown>} */ (one).write(value));
    assert.deepEqual(read, value, name);
    assert.equal(one.accepts({ x: 1 }), false, name);
  }
  assert.equal(field.number(0, { max: 1 }).parse("1e1"), undefined);
  assert.equal(field.number(0).parse("1e1"), 10);
  assert.equal(field.number(0).parse(""), undefined);
  assert.equal(field.whole(0).accepts(NaN), false);
  assert.equal(field.list(field.whole(0), "").parse("1,,2"), undefined);
});

test("an intervention of an unknown form does not fit", () => {
  for (const one of RECIPES) assert.ok(isIntervention(one), JSON.stringify(one));
  /** @type {unknown[]} */
  const unfit = [
    null,
    [],
    {},
    { at: "a" },
    { at: "a", do: "none" },
    { at: "a", do: "zero", heads: 1 },
    { at: "a", do: "zero", head: 0.5 },
    { at: "a", do: "zero", step: -1 },
    { at: "a", do: "zero", disabled: false },
    { at: "a", do: { scale: NaN } },
    { at: "a", do: { scale: 1, set: 2 } },
    { at: "a", do: { add: { difference: ["one"] }, times: 1 } },
    { at: "a", do: { add: { token: "x", of: "W_Q" }, times: 1 } },
    { at: "a", do: { from: "clean" } },
    { at: "a", do: { knockOut: [{ row: 1 }] } },
    JSON.parse('{ "at": "a", "do": "zero", "__proto__": 1 }'),
  ];
  for (const one of unfit) assert.equal(isIntervention(one), false, JSON.stringify(one));
});

test("stored data become a state: what does not fit has its default", () => {
  assert.deepEqual(completeState(JSON.parse(JSON.stringify(stateOf(EVERYTHING))), VIEWS), {
    ...stateOf(EVERYTHING),
  });
  for (const data of [
    null,
    3,
    [],
    { prompt: 3, seed: -1, views: { patching: { at: "x", gone: 1 }, no: {} } },
  ])
    assert.deepEqual(completeState(data, VIEWS), OPENING);
});

// ---- the reducer ----

test("an action that changes nothing returns the same state", () => {
  const state = stateOf(EVERYTHING);
  /** @type {Action[]} */
  const actions = [
    { type: "choose", choice: {} },
    {
      type: "choose",
      choice: { prompt: undefined, lock: { query: 31, key: 0 }, views: { lens: { atEnd: false } } },
    },
    { type: "set-view", view: "patching", settings: { at: "z" } },
    { type: "set-view", view: "lens", settings: {} },
    { type: "remove-intervention", at: 99 },
    { type: "move-intervention", at: 1, to: 1 },
    { type: "edit-intervention", at: 0, intervention: { ...RECIPES[0] } },
    { type: "open", state: JSON.parse(JSON.stringify(state)) },
  ];
  for (const action of actions) assert.equal(reduce(state, action, VIEWS), state, action.type);
});

test("interventions are added, switched, edited, moved and removed", () => {
  /** @param {LabState} state @param {Action} action */
  const step = (state, action) => reduce(Object.freeze(state), action, VIEWS);
  const [a, b, c] = [0, 1, 2].map((head) => zeroHead({ layer: 0, head }));
  let state = OPENING;
  for (const intervention of [a, b, c])
    state = step(state, { type: "add-intervention", intervention });
  assert.deepEqual(state.interventions, [a, b, c]);
  state = step(state, { type: "move-intervention", at: 0, to: 2 });
  assert.deepEqual(state.interventions, [b, c, a]);
  state = step(state, { type: "toggle-intervention", at: 1 });
  assert.deepEqual(state.interventions, [b, { ...c, disabled: true }, a]);
  assert.deepEqual(headsOff(state.interventions), [
    { layer: 0, head: 1 },
    { layer: 0, head: 0 },
  ]);
  state = step(state, { type: "edit-intervention", at: 0, intervention: { ...b, name: "mine" } });
  state = step(state, { type: "remove-intervention", at: 2 });
  state = step(state, { type: "toggle-intervention", at: 1 });
  assert.deepEqual(state.interventions, [{ ...b, name: "mine" }, c]);
  assert.deepEqual(OPENING.interventions, []);
});

test("a head is switched off and on again, also if its intervention is disabled", () => {
  const head = { layer: 2, head: 1 };
  const others = [{ at: "blocks.2.attn.hook_z", head: 1, do: { scale: 2 } }];
  const off = toggleHead(others, head);
  assert.deepEqual(off, [...others, zeroHead(head)]);
  assert.deepEqual(toggleHead(off, head), others);
  const disabled = [{ ...zeroHead(head), disabled: /** @type {const} */ (true) }, ...others];
  assert.deepEqual(toggleHead(disabled, head), [...others, zeroHead(head)]);
});

test("settings of a view are merged, and those with their default value are not kept", () => {
  const set = (/** @type {LabState} */ state, /** @type {Record<string, unknown>} */ settings) =>
    reduce(state, { type: "set-view", view: "patching", settings }, VIEWS);
  const state = set(set(OPENING, { at: "z" }), { top: 3 });
  assert.deepEqual(state.views, { patching: { at: "z", top: 3 } });
  assert.deepEqual(set(state, { at: "resid" }).views, { patching: { top: 3 } });
  assert.equal(set(OPENING, { at: "resid" }), OPENING);
  assert.deepEqual(set(set(state, { at: "resid" }), { top: 5 }).views, {});
  const chosen = reduce(
    state,
    { type: "choose", choice: { view: "lens", views: { lens: { atEnd: false } } } },
    VIEWS,
  );
  assert.deepEqual(
    [chosen.view, chosen.views],
    ["lens", { patching: { at: "z", top: 3 }, lens: { atEnd: false } }],
  );
  const opened = reduce(state, { type: "open", state: { prompt: "x" } }, VIEWS);
  assert.deepEqual(opened, stateOf({ prompt: "x" }));
});

test("a layer and a head are chosen together", () => {
  assert.equal(reduce(OPENING, { type: "choose", choice: { layer: 3 } }).head, 0);
  const state = stateOf({ layer: 3, head: 2 });
  assert.equal(reduce(state, { type: "choose", choice: { layer: null, head: null } }).head, null);
});

// ---- the store ----

/** @param {string} prompt @returns {Action} */
const type = (prompt) => ({ type: "choose", choice: { prompt } });

test("steps are undone and done again, and a new step ends what could be done again", () => {
  const store = new Store(OPENING, VIEWS);
  /** @type {string[]} */
  const seen = [];
  const stop = store.subscribe((state, former, change) =>
    seen.push(`${change} ${former.prompt.length} ${state.prompt.length}`),
  );
  assert.equal(store.undo(), false);
  store.dispatch(type("a"));
  store.dispatch(type("ab"));
  assert.equal(store.dispatch(type("ab")), false);
  assert.ok(store.canUndo && !store.canRedo);
  store.undo();
  assert.equal(store.state.prompt, "a");
  assert.ok(store.canRedo);
  store.redo();
  assert.equal(store.state.prompt, "ab");
  store.undo();
  store.dispatch(type("abc"));
  assert.ok(!store.canRedo && !store.redo());
  store.undo();
  stop();
  store.undo();
  assert.equal(store.state, OPENING);
  const length = OPENING.prompt.length;
  assert.deepEqual(seen, [
    `dispatch ${length} 1`,
    "dispatch 1 2",
    "undo 2 1",
    "redo 1 2",
    "undo 2 1",
    "dispatch 1 3",
    "undo 3 1",
  ]);
});

test("actions of one key are one step until it is sealed, undone or followed by another", () => {
  const store = new Store(OPENING);
  const prompts = () => {
    const all = [];
    while (store.undo()) all.push(store.state.prompt);
    while (store.redo());
    return all.reverse().map((prompt) => (prompt === OPENING.prompt ? "" : prompt));
  };
  for (const text of ["a", "ab", "abc"]) store.dispatch(type(text), { merge: "prompt" });
  store.seal();
  for (const text of ["x", "xy"]) store.dispatch(type(text), { merge: "prompt" });
  store.dispatch({ type: "choose", choice: { temperature: 1 } }, { merge: "temperature" });
  store.dispatch(type("z"), { merge: "prompt" });
  assert.deepEqual(prompts(), ["", "abc", "xy", "xy"]);
});

test("a merged step that ends where it began is no step", () => {
  const store = new Store(OPENING);
  store.dispatch(type("first"));
  store.dispatch(type("firsts"), { merge: "prompt" });
  store.dispatch(type("first"), { merge: "prompt" });
  store.dispatch(type("firsty"), { merge: "prompt" });
  store.undo();
  assert.equal(store.state.prompt, "first");
  store.undo();
  assert.equal(store.state, OPENING);
  assert.equal(store.canUndo, false);
});

test("what follows a correction that took a step back does not join the step before", () => {
  const store = new Store(OPENING);
  store.dispatch(type("a"), { merge: "prompt" });
  store.seal();
  store.dispatch(type("b"), { merge: "prompt" });
  store.amend(type("a"));
  store.dispatch(type("c"), { merge: "prompt" });
  store.undo();
  assert.equal(store.state.prompt, "a");
});

test("a correction belongs to the last step and keeps what can be done again", () => {
  const store = new Store(OPENING);
  store.dispatch(type("a"));
  store.dispatch(type("b"));
  store.undo();
  store.amend({ type: "choose", choice: { layer: 1 } });
  assert.deepEqual([store.state.prompt, store.state.layer, store.canRedo], ["a", 1, true]);
  store.undo();
  assert.equal(store.state, OPENING);
  store.redo();
  assert.deepEqual([store.state.prompt, store.state.layer], ["a", 1]);
});
