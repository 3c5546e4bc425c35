// Loading and using models through the built page's module, in headless Chromium: every kind of source, progress,
// aborting, failures by name, several models and generations at once, memory.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";

import { start } from "./browser.js";
import { gpt2Tensors } from "./safetensors.js";
import { byteLevelTokenizer } from "./tokenizer-file.js";

/** @typedef {typeof import("../../www/api/candlescope.ts")} Api */
/** What evaluate() runs in the page: it gets the module and one plain argument. @template A @template R @typedef {(api: Api, argument: A) => Promise<R>} InPage */

const fixture = (/** @type {string} */ name) =>
  readFileSync(new URL(`../fixtures/plain/${name}`, import.meta.url));
const config = fixture("config.json");
const weights = fixture("model.safetensors");
const expected = JSON.parse(String(fixture("expected.json")));

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
/** @type {Awaited<ReturnType<typeof serveModels>>} */
let models;
/** @type {import("playwright-core").Page} */
let page;

before(async () => {
  site = await start();
  models = await serveModels();
});

after(async () => {
  await site?.stop();
  await models?.close();
});

beforeEach(async () => {
  await page?.close();
  page = await site.browser.newPage();
  await page.goto(`${site.url}tensor.js`); // any file of the site without code that runs: it is shown as text
  models.asked.length = 0;
});

/**
 * Runs a function in the page with candlescope.js and one argument.
 * @template A, R @param {InPage<A, R>} inPage @param {A} [argument] @returns {Promise<R>}
 */
async function evaluate(inPage, argument) {
  const { value, failed } = await attempt(inPage, argument);
  if (failed) throw new Error(`${failed.name}: ${failed.message}`);
  return /** @type {R} */ (value);
}

/** The same for an expected failure. @template A @param {InPage<A, unknown>} inPage @param {string} name @param {RegExp} message @param {A} [argument] */
async function assertFails(inPage, name, message, argument) {
  const { failed } = await attempt(inPage, argument);
  assert.ok(failed, `expected ${name}, but it went well`);
  assert.equal(failed.name, name, failed.message);
  assert.match(failed.message, message);
  assert.ok(failed.isError);
}

/**
 * @template A, R @param {InPage<A, R>} inPage @param {A} [argument]
 * @returns {Promise<{ value?: R, failed?: { name: string, message: string, isError: boolean } }>}
 */
function attempt(inPage, argument) {
  return page.evaluate(`(async (argument) => {
    try {
      return { value: await (${inPage})(await import("${site.url}candlescope.js"), argument) };
    } catch (error) {
      return { failed: { name: error.name, message: error.message, isError: error instanceof Error } };
    }
  })(${JSON.stringify(argument ?? null)})`);
}

// ---- sources ----

describe("a model loads from", () => {
  test("a folder on another site, with its config, parameters and hook points", async () => {
    const found = await evaluate(async ({ loadModel }, folder) => {
      const model = await loadModel(folder);
      const { config, parameters, parameterCount, hookPoints, backend, hasTokenizer } = model;
      return { config, parameters, parameterCount, hookPoints, backend, hasTokenizer };
    }, `${models.url}plain`);
    assert.equal(found.config.n_embd, 18);
    assert.equal(
      found.parameterCount,
      found.parameters.reduce((sum, { count }) => sum + count, 0),
    );
    assert.deepEqual(found.parameters[0], {
      name: "wte.weight",
      shape: [61, 18],
      axes: ["vocab", "d_model"],
      dtype: "f32",
      count: 61 * 18,
      views: [
        { name: "embed.W_E", shape: [61, 18], axes: ["vocab", "d_model"] },
        { name: "unembed.W_U", shape: [18, 61], axes: ["d_model", "vocab"] },
      ],
    });
    assert.deepEqual(
      found.hookPoints.find(({ name }) => name === "blocks.1.attn.hook_result"),
      {
        name: "blocks.1.attn.hook_result",
        axes: ["batch", "pos", "head", "d_model"],
        onRequest: true,
      },
    );
    assert.equal(found.hasTokenizer, false);
    assert.equal(found.backend.dtype, "f32");
    assert.ok(found.backend.memoryBytes > 1e6);
  });

  test("a folder whose address is relative to the page", async () => {
    await page.route(`${site.url}some/where/*`, (route) => {
      const name = /** @type {string} */ (route.request().url().split("/").at(-1));
      return /^(tokenizer|vocab|meta)\./.test(name)
        ? route.fulfill({ status: 404 })
        : route.fulfill({ body: fixture(name) });
    });
    const found = await evaluate(async ({ loadModel }) => ({
      count: (await loadModel("some/where")).parameterCount,
    }));
    assert.ok(found.count > 0);
  });

  test("addresses, Files, a Blob and bytes, and an array of Files, all the same", async () => {
    const found = await evaluate(
      async ({ loadModel }, [url, ids]) => {
        const bytes = async (/** @type {string} */ name) =>
          new Uint8Array(await (await fetch(url + name)).arrayBuffer());
        const config = await bytes("config.json");
        const weights = await bytes("model.safetensors");
        const sources = [
          { config: `${url}config.json`, weights: new URL(`${url}model.safetensors`) },
          {
            config: new File([config], "config.json"),
            weights: new File([weights], "any.safetensors"),
          },
          { config: new Blob([config]), weights },
          { config: config.buffer, weights: new Blob([weights]) },
          [new File([weights], "any.safetensors"), new File([config], "config.json")],
        ];
        const losses = [];
        for (const source of sources)
          losses.push(
            (await (await loadModel(/** @type {any} */ (source))).runWithCache(ids)).loss,
          );
        return { losses, intact: weights.length };
      },
      /** @type {[string, number[]]} */ ([`${models.url}plain/`, expected.tokens]),
    );
    assert.equal(found.losses.length, 5);
    for (const loss of found.losses)
      assert.ok(Math.abs(Number(loss) - expected.loss) < 1e-5, `${loss}`);
    assert.equal(found.intact, weights.length, "the caller's bytes are still the caller's");
  });

  test("a Hugging Face id", async () => {
    /** @type {string[]} */
    const asked = [];
    await page.route("https://huggingface.co/**", (route) => {
      const address = route.request().url();
      asked.push(address);
      const name = /** @type {string} */ (address.split("/").at(-1));
      const headers = { "access-control-allow-origin": "*" };
      return /^(tokenizer|vocab|meta)\./.test(name)
        ? route.fulfill({ status: 404, headers })
        : route.fulfill({ body: fixture(name), headers });
    });
    const found = await evaluate(async ({ loadModel }) => {
      const one = await loadModel("hf:someone/tiny");
      const other = await loadModel("hf:someone/tiny@v2");
      return { counts: [one.parameterCount, other.parameterCount] };
    });
    assert.equal(found.counts[0], found.counts[1]);
    assert.deepEqual(
      asked.filter((address) => address.endsWith("config.json")),
      [
        "https://huggingface.co/someone/tiny/resolve/main/config.json",
        "https://huggingface.co/someone/tiny/resolve/v2/config.json",
      ],
    );
  });

  test("only the page's own host, even if a name could be a Hugging Face id", async () => {
    /** @type {string[]} */
    const asked = [];
    await page.route("https://**", (route) => (asked.push(route.request().url()), route.abort()));
    await page.route(`${site.url}someone/**`, (route) =>
      route.fulfill({ contentType: "text/html", body: "<!doctype html><p>Home" }),
    );
    const load = (/** @type {Api} */ { loadModel }, /** @type {string} */ source) =>
      loadModel(source);
    await assertFails(
      load,
      "NetworkError",
      /someone\/tiny\/config\.json is not a config\.json but a page; if you mean the Hugging Face model, write "hf:someone\/tiny"/,
      "someone/tiny",
    );
    await assertFails(
      load,
      "NetworkError",
      /no\/such\/config\.json answered 404 Not Found; if you mean the Hugging Face model, write "hf:no\/such"/,
      "no/such",
    );
    assert.deepEqual(asked, []);
  });

  test("a module on another site than the page's", async () => {
    const found = await page.evaluate(
      async ([module, folder]) => {
        const { loadModel } = await import(module);
        return (await loadModel(folder)).parameterCount;
      },
      [`${models.url}dist/candlescope.js`, `${models.url}plain`],
    );
    assert.ok(found > 0);
  });
});

// ---- failures ----

describe("a load that fails says why:", () => {
  /** @param {any} source @param {string} name @param {RegExp} message */
  const assertLoadFails = (source, name, message) =>
    assertFails(({ loadModel }, source) => loadModel(source), name, message, source);

  test("404", async () => {
    await assertLoadFails(
      `${models.url}nowhere`,
      "NetworkError",
      /nowhere\/config\.json answered 404/,
    );
  });

  test("a Hugging Face model that does not exist, or is private", async () => {
    await page.route("https://huggingface.co/**", (route) =>
      route.fulfill({ status: 401, headers: { "access-control-allow-origin": "*" } }),
    );
    await assertLoadFails(
      "hf:no/such",
      "NetworkError",
      /huggingface\.co\/no\/such\/resolve\/main\/config\.json answered 401.*check the name/,
    );
  });

  test("missing weights", async () => {
    await assertLoadFails(
      `${models.url}no-weights`,
      "NetworkError",
      /no-weights\/model\.safetensors answered 404/,
    );
  });

  test("a tokenizer that was named but is absent", async () => {
    const source = {
      config: `${models.url}plain/config.json`,
      tokenizer: `${models.url}nowhere.json`,
      weights: `${models.url}plain/model.safetensors`,
    };
    await assertLoadFails(source, "NetworkError", /nowhere\.json answered 404/);
  });

  test("a site that cannot be reached", async () => {
    await assertLoadFails(
      "http://localhost:1/m",
      "NetworkError",
      /localhost:1\/m\/config\.json cannot be reached.*CORS/,
    );
  });

  test("a web page instead of a config", async () => {
    await assertLoadFails(
      `${models.url}web-page`,
      "NetworkError",
      /web-page\/config\.json is not a config\.json but a page/,
    );
  });

  test("a config of another architecture, or that is not JSON", async () => {
    await assertLoadFails(
      { config: `${models.url}llama.json`, weights: `${models.url}plain/model.safetensors` },
      "ConfigError",
      /"llama", expected "gpt2"/,
    );
    await assertLoadFails(
      { config: `${models.url}plain/model.safetensors`, weights: "x" },
      "ConfigError",
      /./,
    );
  });

  test("weights that end early, with and without a known length", async () => {
    await assertLoadFails(`${models.url}cut`, "WeightsError", /cut short.*its header promises/);
    await assertLoadFails(
      `${models.url}cut-chunked`,
      "WeightsError",
      /cut short.*its header promises/,
    );
  });

  test("a connection that is lost", async () => {
    await assertLoadFails(
      `${models.url}broken`,
      "NetworkError",
      /model\.safetensors broke off after \d+ bytes/,
    );
  });

  test("a file that is not safetensors", async () => {
    await assertLoadFails(
      { config: `${models.url}plain/config.json`, weights: `${models.url}plain/config.json` },
      "WeightsError",
      /not a safetensors file/,
    );
  });

  test("a wrong type of source, option and dtype", async () => {
    await assertLoadFails(3, "InputError", /cannot load 3/);
    const load = (/** @type {Api} */ { loadModel }, /** @type {any} */ options) =>
      loadModel("./x", options);
    await assertFails(
      load,
      "InputError",
      /no option `onProgres`, expected dtype, keep, config, checkpoint, headers, fetch, prefetch, timeout, onProgress, signal/,
      { onProgres: 1 },
    );
    await assertFails(load, "InputError", /`dtype` is "f64", expected/, { dtype: "f64" });
  });

  test("a failed load is forgotten, so that the next one tries again", async () => {
    models.failOnce = true;
    const found = await evaluate(async ({ loadModel }, folder) => {
      const first = await loadModel(folder).catch((/** @type {Error} */ error) => error.name);
      return { first, count: (await loadModel(folder)).parameterCount };
    }, `${models.url}fails-once`);
    assert.equal(found.first, "NetworkError");
    assert.ok(found.count > 0);
  });
});

// ---- the worker itself ----

test("an absent worker or wasm module is a NetworkError that names it", async () => {
  const load = (/** @type {Api} */ { loadModel }) => loadModel("./models/shakespeare");
  await page.route(`${site.url}pkg/*.wasm`, (route) => route.fulfill({ status: 404 }));
  await assertFails(load, "NetworkError", /WebAssembly module cannot be loaded/);
  await page.reload();
  await page.route(`${site.url}worker.js`, (route) => route.fulfill({ status: 404 }));
  await assertFails(load, "NetworkError", /worker cannot be started: expected .*worker\.js/);
});

test("a panic rejects, at once and inside a load, instead of hanging", async () => {
  const glue = (/** @type {string} */ load) =>
    `export default async () => {}; export const askHelpers = () => { throw "none"; }; export class WasmModel { static load() { ${load} } }`;
  const panic = `throw new WebAssembly.RuntimeError("unreachable");`;
  for (const body of [
    panic,
    `queueMicrotask(() => { ${panic} }); return new Promise(() => {});`,
    `Promise.resolve().then(() => { ${panic} }); return new Promise(() => {});`,
  ]) {
    await page.unroute("**/pkg/candlescope.js");
    await page.route("**/pkg/candlescope.js", (route) =>
      route.fulfill({ contentType: "text/javascript", body: glue(body) }),
    );
    await page.reload();
    await assertFails(
      ({ loadModel }) => loadModel("./x"),
      "WorkerError",
      /failed inside the WebAssembly module.*a trap/,
    );
  }
});

// ---- progress and aborting ----

test("progress names the stage and the file, counts bytes up, and ends at the total", async () => {
  const events = await evaluate(async ({ loadModel }, folder) => {
    /** @type {import("../../www/api/candlescope.ts").Progress[]} */
    const events = [];
    await loadModel(folder, { onProgress: (event) => events.push(event) });
    return events;
  }, `${models.url}plain`);
  const of = (/** @type {string} */ stage) => events.filter((event) => event.stage === stage);
  assert.deepEqual(
    [of("config").at(-1)?.loaded, of("config").at(-1)?.total],
    [config.length, config.length],
  );
  assert.deepEqual(of("weights").at(-1), {
    stage: "weights",
    file: `${models.url}plain/model.safetensors`,
    loaded: weights.length,
    total: weights.length,
  });
  assert.equal(of("weights")[0].loaded, 0);
  const loaded = of("weights").map((event) => event.loaded);
  assert.deepEqual(
    loaded,
    [...loaded].sort((a, b) => a - b),
  );
});

test("a listener that throws does not stop the load", async () => {
  const found = await evaluate(async ({ loadModel }, folder) => {
    const onProgress = () => {
      throw new Error("the page's own trouble");
    };
    return { count: (await loadModel(folder, { onProgress })).parameterCount };
  }, `${models.url}plain`);
  assert.ok(found.count > 0);
});

test("compressed and chunked responses load, with a total that is never too small", async () => {
  for (const folder of ["compressed", "chunked"]) {
    const found = await evaluate(async ({ loadModel }, folder) => {
      /** @type {import("../../www/api/candlescope.ts").Progress[]} */
      const events = [];
      const model = await loadModel(folder, { onProgress: (event) => events.push(event) });
      return {
        count: model.parameterCount,
        last: events.filter(({ stage }) => stage === "weights").at(-1),
      };
    }, `${models.url}${folder}`);
    assert.ok(found.count > 0);
    assert.deepEqual(
      [found.last?.loaded, found.last?.total],
      [weights.length, weights.length],
      folder,
    );
  }
});

test("aborting in the middle of a load stops the download and rejects at once", async () => {
  const found = await evaluate(async ({ loadModel }, folder) => {
    const controller = new AbortController();
    let started = 0;
    const onProgress = (/** @type {{ stage: string }} */ { stage }) => {
      if (stage !== "weights") return;
      started = performance.now();
      controller.abort();
    };
    const error = await loadModel(folder, { signal: controller.signal, onProgress }).catch(
      (error) => error,
    );
    return {
      name: error.name,
      message: error.message,
      seconds: (performance.now() - started) / 1000,
    };
  }, `${models.url}slow`);
  assert.equal(found.name, "AbortError");
  assert.match(found.message, /aborted/);
  assert.ok(found.seconds < 1, `${found.seconds} s`);
  await models.until(() => models.hungUp === 1);
});

test("a signal that fired before the call sends no request", async () => {
  const load = (/** @type {Api} */ { loadModel }, /** @type {string} */ folder) =>
    loadModel(folder, { signal: AbortSignal.abort() });
  await assertFails(load, "AbortError", /loading was aborted/, `${models.url}plain`);
  assert.deepEqual(models.asked, []);
});

test("aborting one of two loads of the same address does not abort the other; they share one download", async () => {
  const found = await evaluate(async ({ loadModel }, folder) => {
    const controller = new AbortController();
    const first = loadModel(folder, { signal: controller.signal }).catch(
      (/** @type {Error} */ error) => error.name,
    );
    const second = loadModel(folder);
    controller.abort();
    return { first: await first, count: (await second).parameterCount };
  }, `${models.url}plain`);
  assert.equal(found.first, "AbortError");
  assert.ok(found.count > 0);
  assert.deepEqual(
    models.asked.filter((path) => path.endsWith("model.safetensors")),
    ["/plain/model.safetensors"],
  );
});

test("a model that was loaded before is not fetched again, until the last of its users disposes of it", async () => {
  const downloads = () => models.asked.filter((path) => path.endsWith("model.safetensors")).length;
  const folder = `${models.url}plain`;
  const load = (/** @type {boolean} */ dispose) =>
    evaluate(
      async ({ loadModel }, { folder, dispose }) => {
        const kept = /** @type {any} */ (globalThis);
        kept.models = [...(kept.models ?? []), await loadModel(folder)];
        if (dispose) for (const model of kept.models.splice(0)) model.dispose();
        return {};
      },
      { folder, dispose },
    );
  await load(false);
  await load(false);
  assert.equal(downloads(), 1);
  await load(true);
  assert.equal(downloads(), 1);
  await load(true);
  assert.equal(downloads(), 2);
});

// ---- using ----

test("a run gives logits, scores and captured activations, with named axes", async () => {
  const found = await evaluate(
    async ({ loadModel }, [folder, ids]) => {
      const model = await loadModel(folder);
      const { logits, residual, loss, logProbs, ranks, cache } = await model.runWithCache(ids, {
        names: ["blocks.*.attn.hook_pattern", ["resid_post", -1], "hook_embed"],
      });
      const pattern = cache.get(["pattern", 1]);
      const row = pattern.at({ batch: 0, head: 2, query: -1 });
      return {
        logits: [logits.shape, logits.axes, logits.data.length],
        residual,
        loss,
        logProbs: [...logProbs],
        ranks: [...ranks],
        names: cache.names(),
        pattern: [pattern.shape, pattern.axes],
        row: [row.axes, row.data.reduce((sum, weight) => sum + weight, 0)],
      };
    },
    /** @type {[string, number[]]} */ ([`${models.url}plain`, expected.tokens]),
  );
  const length = expected.tokens.length;
  assert.deepEqual(found.logits, [[1, length, 61], ["batch", "pos", "vocab"], length * 61]);
  assert.equal(found.residual, null);
  assert.ok(Math.abs(/** @type {number} */ (found.loss) - expected.loss) < 1e-5);
  expected.log_probs.forEach((/** @type {number} */ logProb, /** @type {number} */ i) =>
    assert.ok(Math.abs(found.logProbs[i] - logProb) < 1e-4),
  );
  assert.deepEqual(found.ranks, expected.ranks);
  assert.deepEqual(found.names, [
    "hook_embed",
    "blocks.0.attn.hook_pattern",
    "blocks.1.attn.hook_pattern",
    "blocks.1.hook_resid_post",
  ]);
  assert.deepEqual(found.pattern, [
    [1, 3, length, length],
    ["batch", "head", "query", "key"],
  ]);
  assert.deepEqual(found.row[0], ["key"]);
  assert.ok(Math.abs(Number(found.row[1]) - 1) < 1e-5);
});

test("positions selects rows, stopAtLayer gives the residual stream there, prependBos puts a token in front", async () => {
  const found = await evaluate(
    async ({ loadModel }, [folder, ids]) => {
      const model = await loadModel(folder);
      const names = ["blocks.0.attn.hook_pattern", "blocks.1.hook_resid_pre"];
      const all = await model.runWithCache(ids, { names });
      const some = await model.runWithCache(ids, { names, positions: [2, -1] });
      const stopped = await model.runWithCache(ids, { stopAtLayer: 1 });
      const bos = await model.runWithCache(ids, { prependBos: true });
      const rows = [2, -1].flatMap((query) => [
        ...all.cache.get(["pattern", 0]).at({ head: 0, query }).data,
      ]);
      return {
        rows,
        kept: [...some.cache.get(["pattern", 0]).at({ head: 0 }).data],
        keptShape: some.cache.get(["resid_pre", 1]).shape,
        stream: [...all.cache.get(["resid_pre", 1]).data],
        stopped: [
          stopped.logits,
          [.../** @type {any} */ (stopped.residual).data],
          stopped.loss,
          stopped.residual?.axes,
        ],
        bos: [bos.ids.size("pos"), bos.ids.data[0], bos.logits.size("pos")],
      };
    },
    /** @type {[string, number[]]} */ ([`${models.url}plain`, expected.tokens]),
  );
  assert.deepEqual(found.kept, found.rows);
  assert.deepEqual(found.keptShape, [1, 2, 18]);
  assert.deepEqual(found.stopped, [null, found.stream, null, ["batch", "pos", "d_model"]]);
  assert.deepEqual(found.bos, [expected.tokens.length + 1, 0, expected.tokens.length + 1]);
});

test("errors keep their names through the worker, and the model stays usable", async () => {
  const found = await evaluate(
    async ({ loadModel }, [folder, ids]) => {
      const model = await loadModel(folder);
      const calls = /** @type {(() => Promise<unknown>)[]} */ ([
        () => model.runWithCache(ids, { names: ["blocks.0.attn.hook_patern"] }),
        () => model.runWithCache(ids, { names: [["patern", 0]] }),
        () => model.runWithCache([61]),
        () => model.runWithCache([]),
        () => model.runWithCache(Array(21).fill(1)),
        () => model.runWithCache("text"),
        () => model.tokenize("text"),
        () => model.detokenize([1]),
        () => model.runWithCache(/** @type {any} */ (() => 1)),
        () => model.runWithCache(ids, /** @type {any} */ ({ name: [] })),
        () => model.runWithCache(ids, { positions: [99] }),
        () => model.runWithCache(ids, { stopAtLayer: 3 }),
        () => model.generate(ids, { topK: 0 }).next(),
        () => model.generate(ids, { stop: "x" }).next(),
        async () =>
          (await model.runWithCache(ids, { names: ["hook_embed"] })).cache.get("hook_pos_embed"),
      ]);
      const failures = [];
      for (const call of calls)
        failures.push(
          await call().then(
            () => "no failure",
            (error) => `${error.name}: ${error.message}`,
          ),
        );
      return { failures, loss: (await model.runWithCache(ids)).loss };
    },
    /** @type {[string, number[]]} */ ([`${models.url}plain`, expected.tokens]),
  );
  const patterns = [
    /^HookError: .*`blocks\.0\.attn\.hook_patern` matches no.*nearest.*`blocks\.0\.attn\.hook_pattern`/,
    /^HookError: .*nearest are: \["pattern",0\]/,
    /^InputError: .*61 is out of range, expected below 61/,
    /^InputError: .*no token/,
    /^InputError: .*21 tokens, expected at most 20/,
    /^InputError: .*without a tokenizer/,
    /^InputError: .*without a tokenizer/,
    /^InputError: .*without a tokenizer/,
    /^InputError: .*a function, expected a text or token ids/,
    /^InputError: .*no option `name`; did you mean `names`\? Expected one of names, interventions/,
    /^InputError: .*position 99 is out of range/,
    /^InputError: .*layers/,
    /^InputError: .*`topK` is 0/,
    /^InputError: .*no tokenizer/,
    /^HookError: .*"hook_pos_embed" was not captured.*"hook_embed"/,
  ];
  assert.equal(found.failures.length, patterns.length);
  patterns.forEach((pattern, i) => assert.match(found.failures[i], pattern));
  assert.ok(Math.abs(/** @type {number} */ (found.loss) - expected.loss) < 1e-5);
});

test("generation equals the oracle's, step by step", async () => {
  const found = await evaluate(
    async ({ loadModel }, { folder, greedy, sampled }) => {
      const model = await loadModel(folder);
      const ids = [];
      for await (const step of model.generate(greedy.prompt, {
        maxNewTokens: greedy.ids.length,
        stopAtEos: false,
        top: 3,
        names: ["blocks.1.attn.hook_pattern"],
      })) {
        const last = step.cache.get(["pattern", 1]);
        ids.push([
          step.id,
          step.top[0].id,
          step.top.length,
          step.logProb - step.top[0].logProb,
          last.shape[1],
        ]);
      }
      const drawn = [];
      const { prompt, seed, temperature, top_k, top_p } = sampled;
      const options = {
        doSample: true,
        seed,
        temperature,
        topK: top_k ?? undefined,
        topP: top_p ?? undefined,
        maxNewTokens: sampled.ids.length,
        stopAtEos: false,
      };
      for await (const { id } of model.generate(prompt, options)) drawn.push(id);
      return { ids, drawn };
    },
    { folder: `${models.url}plain`, greedy: expected.greedy, sampled: expected.sampled[0] },
  );
  assert.deepEqual(
    found.ids,
    expected.greedy.ids.map((/** @type {number} */ id) => [id, id, 3, 0, 3]),
  );
  assert.deepEqual(found.drawn, expected.sampled[0].ids);
});

test("two models, generations and runs at the same time do not mix", async () => {
  const found = await evaluate(
    async ({ loadModel }, { folders, prompt, ids }) => {
      const [plain, other] = await Promise.all(folders.map((folder) => loadModel(folder)));
      const write = async (/** @type {import("../../www/api/candlescope.ts").Model} */ model) => {
        const ids = [];
        for await (const { id } of model.generate(prompt, { maxNewTokens: 8, stopAtEos: false }))
          ids.push(id);
        return ids;
      };
      const alone = [await write(plain), await write(other)];
      const [one, two, again, run] = await Promise.all([
        write(plain),
        write(other),
        write(plain),
        plain.runWithCache(ids),
      ]);
      return { alone, together: [one, two], again, loss: run.loss };
    },
    {
      folders: [`${models.url}plain`, `${models.url}untied`],
      prompt: [3, 1, 4],
      ids: expected.tokens,
    },
  );
  assert.deepEqual(found.together, found.alone);
  assert.deepEqual(found.again, found.alone[0]);
  assert.notDeepEqual(found.alone[0], found.alone[1]);
  assert.ok(Math.abs(/** @type {number} */ (found.loss) - expected.loss) < 1e-5);
});

test("a generation can be left, and aborted before and between steps", async () => {
  const found = await evaluate(
    async ({ loadModel }, [folder, prompt]) => {
      const model = await loadModel(folder);
      let steps = 0;
      for await (const _ of model.generate(prompt, { maxNewTokens: 50 })) if (++steps === 3) break;
      const controller = new AbortController();
      /** @type {number[]} */
      const seen = [];
      const error = await (async () => {
        for await (const { id } of model.generate(prompt, {
          maxNewTokens: 50,
          stopAtEos: false,
          signal: controller.signal,
        })) {
          seen.push(id);
          if (seen.length === 2) controller.abort();
        }
      })().catch((error) => error);
      const before = await model
        .generate(prompt, { signal: controller.signal })
        .next()
        .catch((error) => error);
      const after = [];
      for await (const { id } of model.generate(prompt, { maxNewTokens: 2, stopAtEos: false }))
        after.push(id);
      return { steps, seen, name: error?.name, before: before?.name, after };
    },
    /** @type {[string, number[]]} */ ([`${models.url}plain`, expected.greedy.prompt]),
  );
  assert.equal(found.steps, 3);
  assert.deepEqual([found.name, found.before], ["AbortError", "AbortError"]);
  assert.deepEqual(found.seen, found.after);
});

test("a model that was disposed of says so", async () => {
  const useAfterwards = async (/** @type {Api} */ { loadModel }, /** @type {string} */ folder) => {
    const model = await loadModel(folder);
    model.dispose();
    model.dispose();
    return model.runWithCache([1]);
  };
  await assertFails(useAfterwards, "InputError", /disposed of/, `${models.url}plain`);
});

test("any text works if there is a tokenizer", async () => {
  const found = await evaluate(
    async ({ loadModel }, { tokenizer }) => {
      const model = await loadModel({
        config: "models/shakespeare/config.json",
        tokenizer: new Blob([tokenizer]),
        weights: "models/shakespeare/model.safetensors",
      });
      const text = "naïve 🕯️ to\n";
      const { ids, strings, bytes } = await model.tokenize(text);
      return {
        text,
        strings,
        bytes: bytes.flat(),
        back: await model.detokenize(ids),
        count: ids.length,
        bos: [...(await model.tokenize("a", { prependBos: true })).ids].length,
      };
    },
    { tokenizer: JSON.stringify(byteTokenizer()) },
  );
  assert.equal(found.strings.join(""), found.text);
  assert.equal(found.back, found.text);
  assert.deepEqual(found.bytes, [...new TextEncoder().encode(found.text)]);
  assert.equal(found.count, found.bytes.length);
  assert.equal(found.bos, 2);
});

// ---- memory ----

for (const dtype of /** @type {const} */ (["F32", "F16"])) {
  test(`loading ${dtype} weights takes at most 1.15 times their final size plus 32 MB`, async (t) => {
    const config = {
      n_layer: 8,
      n_head: 8,
      n_embd: 768,
      n_positions: 512,
      vocab_size: 16000,
      model_type: "gpt2",
    };
    const found = await evaluate(
      async ({ loadModel }, { config, tensors, dtype }) => {
        let end = 0;
        let count = 0;
        /** @type {Record<string, object>} */
        const header = {};
        for (const [name, shape] of tensors) {
          const numbers = shape.reduce((product, length) => product * length, 1);
          const start = end;
          end += numbers * (dtype === "F32" ? 4 : 2);
          count += numbers;
          header[name] = { dtype, shape, data_offsets: [start, end] };
        }
        const head = new TextEncoder().encode(JSON.stringify(header));
        const piece = new Uint8Array(1 << 20);
        const body = Array.from({ length: Math.ceil(end / piece.length) }, (_, i) =>
          piece.subarray(0, Math.min(piece.length, end - i * piece.length)),
        );
        const weights = new Blob([
          new Uint8Array(new BigUint64Array([BigInt(head.length)]).buffer),
          head,
          ...body,
        ]);
        const model = await loadModel({ config: new Blob([JSON.stringify(config)]), weights });
        return { count: model.parameterCount, expected: count, peak: model.backend.memoryBytes };
      },
      { config, tensors: gpt2Tensors(config), dtype },
    );
    assert.equal(found.count, found.expected);
    const final = 4 * found.count; // held as f32
    const megabytes = (/** @type {number} */ bytes) => (bytes / 1e6).toFixed(1);
    t.diagnostic(
      `${dtype}: weights ${megabytes(final)} MB, peak wasm memory ${megabytes(found.peak)} MB, ${(found.peak / final).toFixed(3)} times`,
    );
    assert.ok(
      found.peak <= 1.15 * final + 32e6,
      `${megabytes(found.peak)} MB for ${megabytes(final)} MB`,
    );
  });
}

// ---- the server of models, on another site ----

async function serveModels() {
  const state = {
    url: "",
    /** Paths that were asked for. @type {string[]} */
    asked: [],
    /** Slow downloads that the browser gave up. */
    hungUp: 0,
    failOnce: false,
    /** @param {() => boolean} condition */
    async until(condition) {
      for (let waited = 0; !condition(); waited += 20) {
        assert.ok(waited < 5000, "waited 5 s in vain");
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    close: async () => {},
  };
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://localhost").pathname;
    state.asked.push(path);
    response.setHeader("Access-Control-Allow-Origin", "*");
    response.setHeader("Cross-Origin-Resource-Policy", "cross-origin");
    answer(path, response).catch((error) => response.writeHead(404).end(String(error)));
  });

  /** @param {string} path @param {import("node:http").ServerResponse} response */
  async function answer(path, response) {
    const [, folder, name] = path.split("/");
    if (folder === "dist") return sendFile(`dist${path.slice("/dist".length)}`, response);
    if (path === "/llama.json") return void response.end(JSON.stringify({ model_type: "llama" }));
    if (folder === "web-page") return void response.end("<!doctype html><p>Home");
    if (folder === "untied" && name !== "tokenizer.json")
      return sendFile(`tests/fixtures/untied/${name}`, response);
    if (name === "config.json" && folder !== "nowhere")
      return void response.writeHead(200, { "Content-Length": config.length }).end(config);
    if (name === "model.safetensors") return sendWeights(folder, response);
    response.writeHead(404).end();
  }

  /** @param {string} folder @param {import("node:http").ServerResponse} response */
  async function sendWeights(folder, response) {
    const half = weights.subarray(0, weights.length / 2);
    if (folder === "plain")
      return void response.writeHead(200, { "Content-Length": weights.length }).end(weights);
    if (folder === "chunked") return void response.writeHead(200).end(weights);
    if (folder === "cut")
      return void response.writeHead(200, { "Content-Length": half.length }).end(half);
    if (folder === "cut-chunked") return void response.writeHead(200).end(half);
    if (folder === "compressed") {
      const { gzipSync } = await import("node:zlib");
      const body = gzipSync(weights);
      return void response
        .writeHead(200, { "Content-Encoding": "gzip", "Content-Length": body.length })
        .end(body);
    }
    if (folder === "broken") {
      response.writeHead(200, { "Content-Length": weights.length });
      return void response.write(half, () => setTimeout(() => response.destroy(), 100));
    }
    if (folder === "slow") {
      response.on("close", () => (state.hungUp += 1));
      return void response.writeHead(200, { "Content-Length": weights.length }).write(half);
    }
    if (folder === "fails-once" && !state.failOnce)
      return void response.writeHead(200).end(weights);
    state.failOnce = false;
    response.writeHead(404).end();
  }

  const types = { ".js": "text/javascript", ".wasm": "application/wasm" };
  /** @param {string} path @param {import("node:http").ServerResponse} response */
  async function sendFile(path, response) {
    const body = await readFile(path);
    const type =
      types[/** @type {keyof typeof types} */ (extname(path))] ?? "application/octet-stream";
    response.writeHead(200, { "Content-Type": type, "Content-Length": body.length }).end(body);
  }

  await new Promise((resolve) => server.listen(0, "localhost", () => resolve(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  state.url = `http://localhost:${port}/`;
  state.close = async () => {
    server.closeAllConnections();
    server.close();
  };
  return state;
}

/** A tokenizer.json whose tokens are the 256 bytes, as GPT-2 spells them. */
function byteTokenizer() {
  const own = Array.from({ length: 256 }, (_, byte) => byte).filter(
    (byte) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174,
  );
  let next = 256;
  const spelled = Array.from({ length: 256 }, (_, byte) =>
    String.fromCodePoint(own.includes(byte) ? byte : next++),
  );
  return byteLevelTokenizer(
    Object.fromEntries(spelled.map((character, byte) => [character, byte])),
  );
}
