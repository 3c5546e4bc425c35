// Random calls of the public API, most of them almost valid. Runs in a page that serves candlescope.js.

/** @typedef {import("./random.js").Random} Random */
/** @typedef {{ method: string, args: any[], mustFail: string | null }} Call mustFail: why no result may come of it, or null */

const TEXTS = [
  "",
  "a",
  "ROMEO:",
  "To be, or not to be",
  "To be, or not to be, that is the question",
  "\u00e9\u4e16\u{1f600}",
  "x".repeat(300),
  "\ud800",
  "\n\n  ",
];
const HOOKS = [
  "blocks.0.attn.hook_pattern",
  "blocks.1.attn.hook_z",
  "blocks.3.hook_resid_post",
  "blocks.*.mlp.hook_post",
  "*",
  "/hook_(q|k)$/",
  "hook_embed",
  "blocks.2.attn.hook_result",
  "ln_final.hook_scale",
  "nothing",
  "",
  "/(/",
  "blocks.9.hook_resid_pre",
  "a".repeat(5000),
];
/** Values that fit no option, or hardly one. */
const ODD = [
  null,
  NaN,
  Infinity,
  -Infinity,
  -1,
  1.5,
  2 ** 32,
  2 ** 53,
  "",
  "7",
  true,
  [],
  {},
  [[1]],
  10n,
  () => 1,
  Symbol("s"),
  new Date(0),
  new Map(),
  new BigInt64Array(2),
];

/** @param {Random} random @returns {any} */
const number = (random) => random.pick([0, 1, 2, 3, 5, 20, -1, -2, 100, 5000]);
/** @param {Random} random @returns {any} */
const choice = (random) =>
  random.chance(0.5) ? number(random) : random.list(3, () => number(random));
/** @param {Random} random @returns {any} */
const input = (random) =>
  random.chance(0.6)
    ? random.pick(TEXTS)
    : random.list(8, () => random.below(random.chance(0.1) ? 10_000 : 4096));
/** @param {Random} random @returns {any} */
const answer = (random) =>
  random.pick([" the", "the", " Romeo", 5, 4095, 4096, "not a single token", ""]);
/** @param {Random} random @returns {any} */
const names = (random) =>
  random.list(3, () =>
    random.chance(0.2)
      ? [random.pick(["pattern", "z", "resid_pre", "none"]), number(random)]
      : random.pick(HOOKS),
  );

/** @param {Random} random @returns {any} */
function values(random) {
  const list = random.list(6, () => random.pick([0, 0.5, -3, 1e30]));
  return random.pick([
    0,
    1,
    list,
    Float32Array.from(list),
    { shape: [list.length], data: list },
    { shape: [2, 3], data: list },
    { shape: [65536, 65537], data: [1] },
  ]);
}

/** @param {Random} random @returns {any} */
function action(random) {
  return random.pick([
    () => "zero",
    () => "mean",
    () => ({ scale: random.pick([0, 0.5, 2, -1]) }),
    () => ({ add: values(random) }),
    () => ({ set: values(random) }),
    () => ({ knockOut: random.list(3, () => ({ query: number(random), key: number(random) })) }),
    () => ({ mean: { "blocks.1.attn.hook_z": values(random) } }),
    () => ({ from: { "blocks.1.attn.hook_z": values(random) } }),
    () => ({
      js: random.pick([
        "(x) => x.fill(0)",
        "(x) => x.slice(1)",
        "(x) => 'text'",
        "() => [1n]",
        "() => { throw new Error('mine') }",
        "1 + 1",
        "(",
        "(x) => [,,1]",
        "() => ({ length: 2 ** 31 })",
        "() => NaN",
      ]),
    }),
  ])();
}

/** @param {Random} random @returns {any} */
function intervention(random) {
  const one = { at: random.pick(HOOKS), do: action(random) };
  for (const field of ["layer", "head", "neuron", "dim", "positions", "step"])
    if (random.chance(0.2)) Object.assign(one, { [field]: choice(random) });
  return one;
}

/** @param {Random} random @returns {any} */
const interventions = (random) => random.list(3, () => intervention(random));
/** @param {Random} random @returns {any} */
const metric = (random) =>
  random.chance(0.2)
    ? { loss: true }
    : {
        answer: answer(random),
        ...(random.chance(0.5) && { against: answer(random) }),
        ...(random.chance(0.5) && { position: number(random) }),
      };

/** @param {Random} random @returns {any} */
const weightName = (random) =>
  random.pick([
    ...["W_E", "W_pos", "W_Q", "b_U", "blocks.1.attn.W_O", "h.0.ln_1.bias", "ln_final.w"],
    ...["W_q", "", "blocks.9.attn.W_O", "\ud800", 7, null, ["W_Q"], ["W_Q", 1, 2]],
    ["W_V", choice(random)],
    ["ln1.w", number(random)],
  ]);
/** @param {Random} random @returns {any} */
const newWeights = (random) =>
  Object.fromEntries([
    ...random.list(2, () => [String(weightName(random)), values(random)]),
    ...(random.chance(0.5) ? [["ln_final.b", { shape: [256], data: new Float32Array(256) }]] : []),
  ]);

/**
 * The options of each method, and its first argument: `input` stands for a text or ids. @type {Record<string, { input?: boolean, first?: (random: Random) => any, options: Record<string, (random: Random) => any>, required?: string[] }>}
 */
const METHODS = {
  parameter: {
    first: weightName,
    options: Object.fromEntries(
      ["layer", "head", "vocab", "pos", "d_model", "d_head", "d_mlp", "qkv"].map((axis) => [
        axis,
        choice,
      ]),
    ),
  },
  withParameters: { first: newWeights, options: {} },
  tokenize: { input: true, options: { prependBos: (random) => random.chance(0.5) } },
  runWithCache: {
    input: true,
    options: {
      prependBos: (random) => random.chance(0.5),
      names,
      interventions,
      positions: (random) => random.list(3, () => number(random)),
      stopAtLayer: number,
      gradientsOf: metric,
      headScores: (random) => random.chance(0.5),
      startAt: (random) => ({ layer: number(random), resid: values(random) }),
    },
  },
  generate: {
    input: true,
    options: {
      maxNewTokens: (random) => random.pick([0, 1, 3]),
      doSample: (random) => random.chance(0.5),
      temperature: (random) => random.pick([0, 0.7, 1, 1e-9, 1e9, -1]),
      topK: number,
      topP: (random) => random.pick([0, 0.5, 1, 2]),
      seed: number,
      stop: (random) => random.pick(["", "a", ["b", "\n"]]),
      stopAtEos: (random) => random.chance(0.5),
      top: number,
      names,
      interventions,
      useCache: (random) => random.chance(0.5),
    },
  },
  logitLens: {
    input: true,
    options: {
      top: number,
      of: (random) =>
        random.pick(["resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out", "z"]),
      answer,
      interventions,
    },
  },
  attribution: {
    input: true,
    required: ["answer"],
    options: {
      answer,
      against: answer,
      position: number,
      by: (random) => random.pick(["component", "head", "neuron", "layer"]),
      layerNorm: (random) => random.pick(["frozen", "recomputed", "none"]),
      interventions,
    },
  },
  residual: {
    input: true,
    options: {
      stack: (random) => random.pick(["decomposed", "accumulated", "heads", "neurons", "all"]),
      by: (random) => random.pick(["component", "head", "neuron"]),
      sublayers: (random) => random.chance(0.5),
      reader: (random) => ({ layer: number(random), part: random.pick(["attn", "mlp", "none"]) }),
      positions: (random) => random.list(2, () => number(random)),
    },
  },
  headScores: {
    input: true,
    options: {
      pattern: (random) => random.list(3, () => random.list(3, () => 0.5)),
      measure: (random) => random.pick(["mul", "abs", "dot"]),
      excludeFirstToken: (random) => random.chance(0.5),
      interventions,
    },
  },
  patching: {
    required: ["clean", "corrupted"],
    options: {
      clean: input,
      corrupted: input,
      answer,
      against: answer,
      position: number,
      at: (random) => random.pick(["resid_pre", "z", "pattern", "mlp_out", "post", "nothing"]),
      layer: number,
      eachPosition: (random) => random.chance(0.5),
      method: (random) => random.pick(["activation", "attribution", "gradient"]),
      direction: (random) => random.pick(["denoise", "noise", "both"]),
    },
  },
  pathPatching: {
    required: ["clean", "corrupted", "receivers"],
    options: {
      clean: input,
      corrupted: input,
      answer,
      receivers: (random) =>
        random.pick([
          "logits",
          [],
          [
            {
              layer: number(random),
              head: number(random),
              input: random.pick(["q", "k", "v", "x"]),
            },
          ],
        ]),
      mlps: (random) => random.pick(["frozen", "recomputed", "none"]),
    },
  },
  integratedGradients: {
    input: true,
    options: {
      answer,
      against: answer,
      position: number,
      baseline: input,
      steps: (random) => random.pick([0, 1, 3]),
    },
  },
  circuits: {
    required: ["layer", "head"],
    options: { layer: number, head: number, top: number, components: number },
  },
  compositionScores: {
    required: ["path"],
    options: { path: (random) => random.pick(["q", "k", "v", "o"]) },
  },
  tokenScores: { input: true, options: { interventions } },
  mostActive: {
    required: ["texts", "at", "index"],
    options: {
      texts: (random) => random.list(3, () => input(random)),
      at: (random) => random.pick(HOOKS),
      head: number,
      index: number,
      count: number,
    },
  },
  means: {
    required: ["texts", "names"],
    options: { texts: (random) => random.list(2, () => input(random)), names },
  },
  detokenize: { input: true, options: {} },
};

/** Objects inside the options, whose field names are checked as well. @param {any} value @returns {any[]} */
function objectsIn(value) {
  if (value === null || typeof value !== "object" || ArrayBuffer.isView(value)) return [];
  const inner = Object.values(value).flatMap(objectsIn);
  return Array.isArray(value) || "from" in value || "mean" in value ? inner : [value, ...inner];
}

/** @param {Random} random @returns {Call} */
export function randomCall(random) {
  const method = random.pick(Object.keys(METHODS));
  const { input: takesInput, first: argument, options: fields, required = [] } = METHODS[method];
  /** @type {Record<string, any>} */
  const options = {};
  for (const [name, make] of Object.entries(fields))
    if (required.includes(name) ? random.chance(0.95) : random.chance(0.3))
      options[name] = make(random);
  const mustFail = spoil(random, method, options);
  const make = argument ?? (takesInput ? input : null);
  const first = make ? [random.chance(0.03) ? random.pick(ODD) : make(random)] : [];
  return { method, args: method === "detokenize" ? first : [...first, options], mustFail };
}

/** Sometimes makes the options wrong in a way that must be refused; says how. @param {Random} random @param {string} method @param {Record<string, any>} options */
function spoil(random, method, options) {
  if (method === "detokenize" || !random.chance(0.3)) return null;
  if (random.chance(0.5)) {
    const object = random.pick([options, ...objectsIn(options)]);
    const name = random.pick(["heads", "position_", "Names", "tokeniser", "x", "__proto", "seeds"]);
    object[name] = random.pick([0, "a", [1]]);
    return `the unknown field ${name}`;
  }
  const given = Object.keys(options);
  if (given.length === 0) return null;
  const name = random.pick(given);
  options[name] = random.pick(ODD);
  const never =
    ["function", "symbol", "bigint"].includes(typeof options[name]) ||
    options[name] instanceof Date ||
    options[name] instanceof Map;
  return never ? `${name} of type ${typeof options[name]}` : null;
}

/** The outcome of a call: "resolved", or the error. @param {any} model @param {Call} call */
export async function outcome(model, { method, args }) {
  try {
    if (method === "withParameters") (await model.withParameters(...args)).dispose();
    else if (method !== "generate") await model[method](...args);
    else
      for await (const step of model.generate(...args))
        if (!(step.id >= 0)) throw new Error(`a step without a token: ${step.id}`);
    return "resolved";
  } catch (error) {
    return /** @type {Error} */ (error);
  }
}

/** A call as text, for a report. @param {Call} call */
export function described({ method, args }) {
  const text = JSON.stringify(args, (_, value) =>
    typeof value === "bigint"
      ? `${value}n`
      : typeof value === "function" || typeof value === "symbol"
        ? String(value)
        : ArrayBuffer.isView(value)
          ? [value.constructor.name, ...Array.from(/** @type {any} */ (value), String)]
          : typeof value === "number" && !Number.isFinite(value)
            ? String(value)
            : value,
  );
  return `${method}(${(text ?? "").slice(1, -1).slice(0, 2000)})`;
}
