// Steering vectors and patches of the page, computed by www/session/ in headless Chromium with the built API, against the
// weights of the checkpoints as their safetensors files have them.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { start } from "./browser.js";
import { addModule } from "./module.js";
import { half, parsed } from "./safetensors.js";

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
/** @type {import("playwright-core").Page} */
let page;

const MODELS = {
  shakespeare: "models/shakespeare",
  attn: "tests/fixtures/toy_attn",
  solu: "tests/fixtures/toy_solu",
  untied: "tests/fixtures/untied",
};
/** @typedef {keyof typeof MODELS} Name */
/** @param {Name} name @param {string} file */
const file = (name, file) =>
  readFileSync(new URL(`../../${MODELS[name]}/${file}`, import.meta.url));

before(async () => {
  site = await start();
  page = await site.browser.newPage();
  await page.goto(`${site.url}style.css`); // a file of the site without code
  await addModule(page, "session/interventions.ts", "session");
  const files = ["attn", "solu", "untied"].map((name) => [
    name,
    ...["config.json", "model.safetensors"].map((one) =>
      file(/** @type {Name} */ (name), one).toString("base64"),
    ),
  ]);
  await page.evaluate(
    async ({ url, files }) => {
      const { loadModel } = await import(`${url}candlescope.js`);
      const bytes = (/** @type {string} */ text) =>
        Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
      /** @type {Record<string, any>} */
      const models = { shakespeare: await loadModel(`${url}models/shakespeare/`) };
      for (const [name, config, weights] of files)
        models[name] = await loadModel({ config: bytes(config), weights: bytes(weights) });
      Object.assign(globalThis, { models, loadModel });
    },
    { url: site.url, files },
  );
});

after(async () => {
  await site?.stop();
});

/**
 * The list as the API takes it, with plain arrays; or the error.
 * @param {Name} model @param {unknown[]} list @param {{ input?: string | number[], corrupted?: string | null, check?: boolean }} [context]
 * @returns {Promise<any>}
 */
function resolved(model, list, { input = [1, 2, 3], corrupted = null, check = false } = {}) {
  return page.evaluate(
    async ({ model, list, input, corrupted, check }) => {
      const { session, models } = /** @type {any} */ (globalThis);
      try {
        const run = check ? session.checkInterventions : session.resolveInterventions;
        const given = typeof input === "string" ? input : Uint32Array.from(input);
        const found = await run(models[model], list, { input: given, corrupted });
        return JSON.parse(
          JSON.stringify(found, (_, value) =>
            ArrayBuffer.isView(value) ? [.../** @type {any} */ (value)] : value,
          ),
        );
      } catch (/** @type {any} */ error) {
        return `${error.name}: ${error.message}`;
      }
    },
    { model, list, input, corrupted, check },
  );
}

/** A tensor of a checkpoint as numbers. @param {Name} model @param {string} name */
function weight(model, name) {
  const { header, data } = parsed(file(model, "model.safetensors"));
  const key = Object.keys(header).find((one) => one.replace(/^transformer\./, "") === name);
  const {
    dtype,
    shape,
    data_offsets: [from, to],
  } = header[key ?? ""];
  const bytes = data.subarray(from, to);
  const count = shape.reduce((/** @type {number} */ a, /** @type {number} */ b) => a * b, 1);
  const at =
    dtype === "F16"
      ? (/** @type {number} */ i) => half(bytes.readUInt16LE(2 * i))
      : (/** @type {number} */ i) => bytes.readFloatLE(4 * i);
  const values = Array.from({ length: count }, (_, i) => at(i));
  return {
    shape,
    row: (/** @type {number} */ i) => values.slice(i * shape[1], (i + 1) * shape[1]),
  };
}

/** @param {unknown} add @param {string} [at] */
const adding = (add, at = "blocks.0.hook_resid_post") => [{ at, do: { add, times: 1 } }];

test("a token's row of W_E and column of W_U are those of the checkpoint, bit for bit", async () => {
  for (const model of /** @type {const} */ (["shakespeare", "attn", "solu", "untied"])) {
    const unembed = {
      shakespeare: "wte.weight",
      attn: "lm_head.weight",
      solu: "lm_head.weight",
      untied: "lm_head.weight",
    }[model];
    const cases = [
      ["W_E", "wte.weight"],
      ["W_U", unembed],
    ];
    for (const [of, name] of cases) {
      const [
        {
          do: { add },
        },
      ] = await resolved(model, adding({ token: 7, of }));
      assert.deepEqual(add.data, weight(model, name).row(7), `${of} of ${model}`);
    }
  }
});

test("a neuron's row of W_out is that of the checkpoint, bit for bit", async () => {
  for (const [model, layer, neuron] of /** @type {const} */ ([
    ["shakespeare", 0, 5],
    ["shakespeare", 3, 1023],
    ["solu", 1, 40],
    ["untied", 2, 0],
  ])) {
    const [
      {
        do: { add },
      },
    ] = await resolved(model, adding({ neuron: { layer, neuron } }));
    assert.deepEqual(
      add.data,
      weight(model, `h.${layer}.mlp.c_proj.weight`).row(neuron),
      `neuron ${layer}.${neuron} of ${model}`,
    );
  }
});

test("what a head writes is its z times its rows of W_O", async () => {
  for (const [model, layer, head, width] of /** @type {const} */ ([
    ["shakespeare", 1, 1, 64],
    ["attn", 1, 2, 6],
  ])) {
    const input = [5, 6, 7, 5];
    const z = await page.evaluate(
      async ({ model, layer, head, input }) => {
        const name = `blocks.${layer}.attn.hook_z`;
        const run = await /** @type {any} */ (globalThis).models[model].runWithCache(input, {
          names: [name],
        });
        return [...run.cache.get(name).at({ batch: 0, pos: 2, head }).data];
      },
      { model, layer, head, input },
    );
    const output = weight(model, `h.${layer}.attn.c_proj.weight`);
    const expected = output
      .row(0)
      .map((_, i) => z.reduce((sum, value, k) => sum + value * output.row(head * width + k)[i], 0));
    const [
      {
        do: { add },
      },
    ] = await resolved(model, adding({ head: { layer, head, position: 2 } }), { input });
    // f32 sums of up to 64 products
    for (const [i, value] of expected.entries())
      assert.ok(Math.abs(add.data[i] - value) < 1e-5, `${model} ${i}`);
  }
});

test("a difference of two prompts is that of their captures, for each point, head and dimension", async () => {
  const texts = ["I love thee", "I hate thee so"];
  const list = [
    {
      at: "blocks.*.attn.hook_z",
      layer: [1, 2],
      head: [3, 0],
      dim: [2, 60],
      do: { add: { difference: texts }, times: 2.5 },
    },
  ];
  const found = await resolved("shakespeare", list, { input: "To be" });
  const expected = await page.evaluate(async (texts) => {
    /** @type {any[]} */
    const runs = [];
    for (const text of texts)
      runs.push(
        await /** @type {any} */ (globalThis).models.shakespeare.runWithCache(text, {
          names: ["blocks.*.attn.hook_z"],
        }),
      );
    return [1, 2].map((layer) => {
      const [a, b] = runs.map(({ cache }) =>
        cache.get(`blocks.${layer}.attn.hook_z`).at({ batch: 0, pos: -1 }),
      );
      return [3, 0].flatMap((head) =>
        [2, 60].map((dim) =>
          Math.fround(
            Math.fround(a.at({ head, d_head: dim }).item() - b.at({ head, d_head: dim }).item()) *
              2.5,
          ),
        ),
      );
    });
  }, texts);
  assert.deepEqual(
    found.map((/** @type {any} */ { at }) => at),
    ["blocks.1.attn.hook_z", "blocks.2.attn.hook_z"],
  );
  assert.deepEqual(
    found.map((/** @type {any} */ one) => one.do.add.shape),
    [
      [2, 2],
      [2, 2],
    ],
  );
  assert.deepEqual(
    found.map((/** @type {any} */ one) => one.do.add.data),
    expected,
  );
});

test("a patch and reference means are the captures of runWithCache and means", async () => {
  const list = [
    { at: "blocks.*.hook_mlp_out", layer: 2, positions: [1], do: { from: "corrupted" } },
    { at: "blocks.0.hook_attn_out", do: { from: { prompt: "So be it" }, fromPositions: [0, 1] } },
    { at: "blocks.1.hook_resid_pre", do: { mean: { texts: ["To be", "or not"] } } },
  ];
  const found = await resolved("shakespeare", list, { input: "To be", corrupted: "To see" });
  const expected = await page.evaluate(async () => {
    const { shakespeare: model } = /** @type {any} */ (globalThis).models;
    const values = async (/** @type {string} */ text, /** @type {string} */ name) => [
      ...(await model.runWithCache(text, { names: [name] })).cache.get(name).data,
    ];
    const means = await model.means({
      texts: ["To be", "or not"],
      names: ["blocks.1.hook_resid_pre"],
    });
    return [
      await values("To see", "blocks.2.hook_mlp_out"),
      await values("So be it", "blocks.0.hook_attn_out"),
      [...means.get("blocks.1.hook_resid_pre").data],
    ];
  });
  assert.deepEqual(Object.keys(found[0].do.from), ["blocks.2.hook_mlp_out"]);
  assert.deepEqual(
    [
      found[0].do.from["blocks.2.hook_mlp_out"].data,
      found[1].do.from["blocks.0.hook_attn_out"].data,
      found[2].do.mean["blocks.1.hook_resid_pre"].data,
    ],
    expected,
  );
  assert.deepEqual(found[1].do.fromPositions, [0, 1]);
});

test("a model without a tokenizer takes ids in place of texts", async () => {
  const list = [
    { at: "blocks.0.hook_resid_post", do: { add: { difference: ["1 2 3", "4, 5"] }, times: 1 } },
  ];
  const [
    {
      do: { add },
    },
  ] = await resolved("solu", list);
  assert.equal(add.data.length, 14);
  assert.match(
    await resolved("solu", [
      { ...list[0], do: { add: { difference: ["1 2 3", "love"] }, times: 1 } },
    ]),
    /^InputError: .*"love".* is not a token id/,
  );
  assert.match(
    await resolved("solu", adding({ token: "love", of: "W_E" })),
    /^InputError: .*"love"/,
  );
});

test("a disabled intervention is left out, and an error names the one that failed", async () => {
  const good = { at: "blocks.0.attn.hook_z", head: 1, do: "zero" };
  assert.deepEqual(
    await resolved("shakespeare", [{ ...good, disabled: true }, good, { ...good, name: "x" }]),
    [good, good],
  );
  const cases = [
    [
      { at: "blocks.0.hook_mlp_out", name: "swap", do: { from: "corrupted" } },
      /^InputError: intervention 2, “swap”: it takes values from the second prompt, and there is none/,
    ],
    [
      { at: "blocks.0.hook_mlp_out", do: { mean: { texts: [] } } },
      /^InputError: intervention 2, mean over 0 reference texts at hook_mlp_out of layer 0: it has no reference texts/,
    ],
    [
      { at: "blocks.7.hook_mlp_out", do: { add: { token: 1, of: "W_U" }, times: 1 } },
      /^HookError: intervention 2, .*blocks.7.hook_mlp_out/,
    ],
    [
      adding({ token: 1, of: "W_U" }, "blocks.0.attn.hook_z")[0],
      /cannot be added at `blocks.0.attn.hook_z`, whose axes are batch pos head d_head/,
    ],
    [adding({ token: 1, of: "W_U" }, "blocks.0.attn.hook_pattern")[0], /cannot be added at/],
    [
      adding({ difference: ["a", "b"] }, "blocks.0.attn.hook_pattern")[0],
      /is not defined at `blocks.0.attn.hook_pattern`/,
    ],
    [
      adding({ token: "to be or not", of: "W_U" })[0],
      /is \d+ tokens \(.*\), expected a single one/,
    ],
    [adding({ token: 5000, of: "W_U" })[0], /5000.*is not a token id/],
    [
      adding({ head: { layer: 4, head: 0 } })[0],
      /there is no head 4.0: the model has 4 layers of 4 heads/,
    ],
    [adding({ head: { layer: 0, head: 0, position: 9 } })[0], /position 9 is out of range/],
    [adding({ neuron: { layer: 0, neuron: 1024 } })[0], /1024.*out of range/],
  ];
  for (const [bad, message] of cases)
    assert.match(await resolved("shakespeare", [good, bad]), /** @type {RegExp} */ (message));
  assert.match(
    await resolved("attn", adding({ neuron: { layer: 0, neuron: 1 } })),
    /^HookError: .*layer 0 has no neurons: the model has no `blocks.0.mlp.hook_post`/,
  );
});

test("a check runs the text, and names the intervention that the run refuses", async () => {
  const good = { at: "blocks.0.attn.hook_z", head: 1, do: "zero" };
  const cases = [
    [
      { ...good, positions: 40 },
      /^InputError: intervention 2, zero at attn.hook_z of layer 0, head 1, position 40: position 40 is out of range/,
    ],
    [{ ...good, name: "odd", head: 9 }, /^InputError: intervention 2, “odd”: .*9/],
    [
      { at: "blocks.0.attn.hook_pattern", do: "mean" },
      /^HookError: intervention 2, .*`mean` is not defined/,
    ],
    [
      { at: "blocks.0.attn.hook_pattern", do: { knockOut: [{ query: 9, key: 0 }] } },
      /intervention 2, cut 9 → 0/,
    ],
    [
      { at: "blocks.0.attn.hook_z", do: { js: "(x) => x.slice(1)" } },
      /intervention 2, JavaScript function at/,
    ],
    [
      { at: "blocks.0.hook_attn_out", do: { from: { prompt: "be" } } },
      /intervention 2, patch from “be” at .*: the intervention at `blocks.0.hook_attn_out` takes/,
    ],
  ];
  for (const [bad, message] of cases)
    assert.match(
      await resolved("shakespeare", [good, bad], { input: "To be or", check: true }),
      /** @type {RegExp} */ (message),
    );
  assert.deepEqual(await resolved("shakespeare", [good], { input: "To be", check: true }), [good]);
});

test("vectors are computed once for each model and recipe", async () => {
  const counts = await page.evaluate(async () => {
    const { session, models } = /** @type {any} */ (globalThis);
    let runs = 0;
    const model = new Proxy(models.shakespeare, {
      get: (target, name) => {
        const value = target[name];
        if (typeof value !== "function") return value;
        return (/** @type {unknown[]} */ ...given) => {
          if (name === "runWithCache") runs += 1;
          return value.apply(target, given);
        };
      },
    });
    const list = (/** @type {unknown} */ times) => [
      { at: "blocks.1.hook_resid_pre", do: { add: { difference: ["love", "hate"] }, times } },
      { at: "blocks.1.hook_resid_pre", do: { add: { head: { layer: 0, head: 0 } }, times } },
    ];
    const found = [];
    for (const [times, input] of [
      [1, "To be"],
      [2, "To be"],
      [2, "To see"],
    ]) {
      await session.resolveInterventions(model, list(times), { input, corrupted: null });
      found.push(runs);
    }
    return found;
  });
  // Two prompts and a head's output; nothing; the head's output on the other text.
  assert.deepEqual(counts, [3, 3, 4]);
});
