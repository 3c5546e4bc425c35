import assert from "node:assert/strict";
import { test } from "node:test";

import { codeOf } from "../../www/session/code.ts";
import { Code, inOneLine, literal } from "../../www/session/literal.ts";
import { OPENING } from "../../www/state/state.ts";

/** @typedef {import("../../www/session/code.ts").Shown} Shown */
/** @typedef {import("../../www/state/state.ts").LabState} LabState */

const AsyncFunction = /** @type {any} */ (async () => {}).constructor;

/** @param {Partial<LabState>} state @param {Partial<Shown>} shown */
function panel(state, shown) {
  const all = {
    ...{ methods: ["runWithCache"], settings: {}, layer: 1, head: 2 },
    ...{ hook: "blocks.0.hook_resid_post", input: state.prompt ?? OPENING.prompt },
    ...shown,
  };
  return codeOf({ ...OPENING, ...state }, all, "panel");
}

/** A run after which token 7 is the likeliest. */
const RUN = { logits: { at: () => ({ data: Float32Array.of(1, 2, 0, 0, 0, 0, 0, 9, 3) }) } };

/**
 * Runs code against a model that records its calls.
 * @param {string} code
 */
async function record(code) {
  /** @type {{ method: string, args: any[] }[]} */
  const calls = [];
  /** @type {() => any} */
  const anything = () =>
    new Proxy(() => {}, {
      get: (_, name) => (name === "then" ? undefined : anything()),
      apply: () => anything(),
    });
  const model = new Proxy(/** @type {any} */ ({}), {
    get: (_, method) =>
      method === "then"
        ? undefined
        : (/** @type {any[]} */ ...args) => {
            calls.push({ method: String(method), args });
            if (method === "runWithCache") return { ...RUN, cache: anything() };
            return anything();
          },
  });
  const signal = new AbortController().signal;
  await new AsyncFunction("model", "print", "signal", code)(model, () => {}, signal);
  return calls.map(({ method, args }) => ({
    method,
    args,
    signal: args.at(-1)?.signal === signal,
  }));
}

const values = [
  ...["", 'a "quoted" \n\u2028 text', 0, -0, 1.5e-7, NaN, -Infinity, true, null],
  ...[[], {}, [1, 2, 3], { at: "z", "data-x": 1, nested: { list: [[1], ["a"]] } }],
  Array.from({ length: 90 }, (_, at) => `token ${at}`),
];
for (const value of values)
  test(`the literal of ${JSON.stringify(value).slice(0, 40)} is read as the same value`, () => {
    assert.deepEqual(new Function(`return ${literal(value)}`)(), value);
  });

test("undefined fields are left out, and names stand for themselves", () => {
  assert.equal(
    literal({ a: undefined, model: new Code("model"), b: new Code("c") }),
    "{ model, b: c }",
  );
  assert.equal(literal(Float32Array.of(0.5, 2)), "[0.5, 2]");
});

test("the attention of a head is a capture of its layer's patterns", async () => {
  const [{ method, args, signal }] = await record(panel({}, {}));
  assert.equal(method, "runWithCache");
  assert.equal(args[0], OPENING.prompt);
  assert.deepEqual(args[1].names, ["blocks.1.attn.hook_pattern"]);
  assert.ok(signal, "Stop reaches the call");
  assert.match(panel({}, {}), /\.at\(\{ batch: 0, head: 2 \}\)/);
});

test("ids stand for a text that was cropped", async () => {
  const [{ args }] = await record(panel({}, { input: Uint32Array.of(3, 1, 2) }));
  assert.deepEqual(args[0], [3, 1, 2]);
});

test("the hook point of the activations is captured", async () => {
  const [{ args }] = await record(panel({ view: "activations" }, {}));
  assert.deepEqual(args[1].names, ["blocks.0.hook_resid_post"]);
});

const METHODS = {
  logitLens: {
    settings: { of: "attn_out", top: 3, drawn: true },
    options: { of: "attn_out", top: 3 },
  },
  headScores: { settings: {}, options: {} },
  attribution: { settings: { by: "head" }, options: { by: "head", answer: 7 } },
  residual: { settings: { stack: "heads" }, options: { stack: "heads" } },
  integratedGradients: { settings: { steps: 8 }, options: { steps: 8, answer: 7 } },
  tokenScores: { settings: {}, options: {} },
  patching: {
    settings: { at: "z", method: "attribution" },
    options: { at: "z", method: "attribution", answer: 7 },
  },
  pathPatching: { settings: { mlps: "frozen" }, options: { mlps: "frozen", answer: 7 } },
  circuits: { settings: { top: 4 }, options: { layer: 1, head: 2, top: 4 } },
  compositionScores: { settings: { path: "v" }, options: { path: "v" } },
  mostActive: { settings: { index: 5 }, options: { index: 5, at: "blocks.0.mlp.hook_post" } },
};
for (const [method, { settings, options }] of Object.entries(METHODS))
  test(`${method} is called with the settings of its view that are options of it`, async () => {
    const code = panel({ corrupted: "other" }, { methods: [method], settings });
    const call = (await record(code)).find((one) => one.method === method);
    assert.ok(call, code);
    const { signal: _, ...found } = call.args.at(-1);
    for (const [name, value] of Object.entries(options)) assert.deepEqual(found[name], value, name);
    assert.equal(found.drawn, undefined);
    assert.ok(call.signal);
  });

test("settings that are no options of the call become what the view computes", async () => {
  const last = async (
    /** @type {Partial<LabState>} */ state,
    /** @type {Partial<Shown>} */ shown,
  ) => (await record(panel({ corrupted: "other", ...state }, shown))).map(({ args }) => args);
  const [[, ofLoss]] = await last(
    {},
    { methods: ["integratedGradients"], settings: { loss: true, baseline: "corrupted" } },
  );
  assert.equal(ofLoss.loss, true);
  assert.equal(ofLoss.answer, undefined);
  assert.equal(ofLoss.baseline, "other");
  const patch = async (/** @type {object} */ settings) =>
    (
      await last({ answer: 1 }, { methods: ["patching"], settings: { layer: 3, ...settings } })
    )[0][0];
  assert.equal((await patch({ at: "post", eachPosition: true })).layer, 3);
  assert.equal((await patch({ at: "z", eachPosition: true })).layer, undefined);
  assert.equal((await patch({ at: "z", eachPosition: true })).eachPosition, true);
  assert.equal((await patch({ at: "resid_pre", eachPosition: false })).eachPosition, undefined);
  const paths = async (/** @type {string} */ receivers) =>
    (await last({ answer: 1 }, { methods: ["pathPatching"], settings: { receivers } }))[0][0]
      .receivers;
  assert.equal(await paths("logits"), "logits");
  assert.deepEqual(await paths("k"), [{ layer: 1, head: 2, input: "k" }]);
});

test("a residual stream without LayerNorm has no option for it", async () => {
  const residual = async (/** @type {string} */ layerNorm) =>
    (await record(panel({}, { methods: ["residual"], settings: { layerNorm } })))[0].args[1];
  assert.equal((await residual("none")).layerNorm, undefined);
  assert.equal((await residual("frozen")).layerNorm, "frozen");
});

test("two prompts are two runs of what is compared", async () => {
  const both = async (/** @type {string} */ of) =>
    record(
      panel(
        { corrupted: "other", prompt: "one", view: "two-prompts" },
        { settings: { of }, input: "one" },
      ),
    );
  const runs = await both("attention");
  assert.deepEqual(
    runs.map(({ args }) => [args[0], args[1].names]),
    [
      ["one", ["blocks.1.attn.hook_pattern"]],
      ["other", ["blocks.1.attn.hook_pattern"]],
    ],
  );
  assert.deepEqual(
    (await both("lens")).map(({ method }) => method),
    ["logitLens", "logitLens"],
  );
});

test("a chosen answer, another token and a position are options", async () => {
  const state = { answer: " Juliet", against: 12, position: 4 };
  const [{ method, args }] = await record(panel(state, { methods: ["attribution"] }));
  assert.equal(method, "attribution");
  const { answer, against, position } = args[1];
  assert.deepEqual({ answer, against, position }, state);
});

test("interventions are written as the API takes them; disabled ones are left out", async () => {
  /** @type {LabState["interventions"]} */
  const interventions = [
    { at: "blocks.1.attn.hook_z", head: 3, do: "zero", name: "mine" },
    { at: "blocks.0.hook_mlp_out", do: { scale: 0.5 }, disabled: true },
    { at: "blocks.0.hook_resid_pre", do: { from: "corrupted" }, positions: [2] },
    { at: "blocks.0.hook_mlp_out", do: { mean: { texts: ["a", "b"] } } },
    { at: "blocks.1.hook_resid_pre", do: { add: { token: " a", of: "W_E" }, times: 2 } },
    { at: "blocks.0.attn.hook_pattern", do: { knockOut: [{ query: 3, key: 1 }] } },
    { at: "hook_embed", do: { js: "(x) => x.map((one) => -one)" } },
  ];
  const numbers = { shape: [3], data: Float32Array.of(1, 2, 3) };
  const resolved = interventions.map((_, at) =>
    at === 4 ? [{ at: "blocks.1.hook_resid_pre", do: { add: numbers } }] : [],
  );
  const code = panel({ interventions, corrupted: "second" }, { resolved });
  const calls = await record(code);
  assert.deepEqual(
    calls.map(({ method }) => method),
    ["runWithCache", "means", "runWithCache"],
  );
  assert.deepEqual(calls[0].args, ["second", { names: ["blocks.0.hook_resid_pre"] }]);
  assert.deepEqual(calls[1].args, [{ texts: ["a", "b"], names: ["blocks.0.hook_mlp_out"] }]);
  const written = calls[2].args[1].interventions;
  assert.equal(written.length, 6);
  assert.deepEqual(written[0], { at: "blocks.1.attn.hook_z", head: 3, do: "zero" });
  assert.deepEqual(written[3], {
    at: "blocks.1.hook_resid_pre",
    do: { add: { shape: [3], data: [1, 2, 3] } },
  });
  assert.equal(written[5].do.js, "(x) => x.map((one) => -one)");
  // Without its numbers a steering vector cannot be written: that is refused, not left out.
  assert.throws(() => panel({ interventions }, {}), /numbers of a steering vector/);
});

test("code of functions that show values prints them, and no other code has a listener", async () => {
  const options = async (/** @type {object} */ one) => {
    /** @type {any} */
    const interventions = [{ at: "hook_embed", do: { js: "(x, { show }) => show()" }, ...one }];
    return (await record(panel({ interventions }, {})))[0].args[1];
  };
  assert.equal(typeof (await options({})).onShow, "function");
  assert.equal((await options({ disabled: true })).onShow, undefined);
  assert.equal((await options({ do: { js: "(x) => x" } })).onShow, undefined);
  assert.equal((await options({ do: "zero" })).onShow, undefined);
});

test("at the end of a module it is a block, which uses the variables of the module", () => {
  const shown = {
    ...{ methods: ["attribution"], settings: { by: "head" }, layer: 0, head: 0, hook: "" },
    input: "a",
  };
  /** @type {LabState["interventions"]} */
  const interventions = [{ at: "blocks.0.attn.hook_z", head: 0, do: "zero" }];
  const code = codeOf({ ...OPENING, interventions }, shown, "module");
  assert.match(code, /^\{\n {2}\S[\s\S]*\n\}\n$/);
  assert.match(code, /^ {2}const attribution = await model\.attribution\(prompt, /m);
  assert.match(code, /interventions/);
  assert.match(code, /console\.log\(attribution\.shares\)/);
  assert.doesNotMatch(code, /const prompt|const interventions|signal|print\(|import /);
});

test("a text in a comment does not end the comment", () => {
  const text = "a name\n\r\u2028\u2029globalThis.ran = true";
  assert.equal(inOneLine(text), "a name globalThis.ran = true");
});

test("heads are compared with the pattern of the chosen one if their view compares them on the text", () => {
  const code = (/** @type {Partial<LabState>} */ state, /** @type {string} */ measure) =>
    panel(state, { methods: ["headScores"], settings: { measure } });
  assert.match(code({}, "mul"), /headScores\(prompt, \{\s*pattern,\s*measure: "mul"/);
  assert.doesNotMatch(code({}, "none"), /measure/);
  assert.doesNotMatch(code({ measured: "random" }, "mul"), /measure/);
});
