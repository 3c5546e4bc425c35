// Every build of the kernels, in a browser: plain and relaxed SIMD, one thread and several.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { after, before, describe, it } from "node:test";

import { build } from "esbuild";

import { DIST, start } from "./browser.js";

const PROMPT = "You are gentlemen of brave metal; you would lift the moon out of her sphere,";

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
before(async () => {
  site = await start();
});
after(() => site.stop());

/** `www/worker/network.ts` as one JavaScript module. */
const network = build({
  entryPoints: ["www/worker/network.ts"],
  bundle: true,
  format: "esm",
  write: false,
}).then(({ outputFiles }) => outputFiles[0].text);

/** Runs `act` in a page at `url`. @param {string} url @param {(argument: any) => Promise<any>} act @param {any} [argument] */
async function inPage(url, act, argument) {
  const page = await site.browser.newPage();
  try {
    // Pages take this build in its two parts, so the whole of it is not in dist/.
    await page.route("**/pkg/candlescope_threads_bg.wasm", (route) =>
      route.fulfill({ path: "pkg/candlescope_threads_bg.wasm", contentType: "application/wasm" }),
    );
    // The network layer is a part of worker.js in dist/.
    await page.route("**/network.js", async (route) =>
      route.fulfill({ body: await network, contentType: "text/javascript" }),
    );
    await page.goto(`${url}tensor.js`);
    return await page.evaluate(act, argument);
  } finally {
    await page.close();
  }
}

/** What a build makes of the prompt: greedy ids, logits, how many helpers came. @param {{ build: string, threads: number, dtype: string, prompt: string }} options */
async function written({ build, threads, dtype, prompt }) {
  const glue = await import(new URL("pkg/candlescope.js", location.href).href);
  const wasm = await glue.default({
    module_or_path: `pkg/candlescope${threads > 1 ? "_threads" : ""}_bg.wasm`,
  });
  if (!glue.chooseBuild(build)) throw new Error(`no ${build} build here`);
  let helpers = 0;
  if (threads > 1) {
    const { module, memory, pool } = glue.askHelpers(threads - 1);
    for (let number = 1; number < threads; number++)
      new Worker("helper.js", { type: "module" }).postMessage({ module, memory, pool, number });
    // The third number of the pool counts those who came; so they have helped in what follows.
    while (helpers < threads - 1) {
      helpers = new Uint32Array(memory.buffer)[pool / 4 + 2];
      await new Promise((done) => setTimeout(done, 5));
    }
  }
  /** @param {string} name */
  const at = (name) => ({
    name,
    address: new URL(`models/shakespeare/${name}`, location.href).href,
  });
  const { openable, plainFetcher } = await import(new URL("network.js", location.href).href);
  const files = openable(
    {
      name: "shakespeare",
      config: [at("config.json")],
      tokenizer: [[at("tokenizer.json")]],
      weights: [{ files: [at("model.safetensors")] }],
    },
    { signal: new AbortController().signal, timeout: Infinity, fetcher: plainFetcher },
  );
  const model = await glue.WasmModel.load({ ...files, mayBeKept: false }, dtype);
  const { logits } = model.runWithCache(prompt, {});
  const generation = model.generate(prompt, {
    maxNewTokens: 50,
    doSample: false,
    stopAtEos: false,
  });
  const ids = [];
  for (let step = generation.next(); step; step = generation.next()) ids.push(step.id);
  return {
    ids,
    logits: [...logits.data.subarray(-512)],
    helpers,
    shared: wasm.memory.buffer instanceof SharedArrayBuffer,
  };
}

/** More than most machines that run the tests have cores. */
const THREADS = [1, 3, 8];

describe("builds", () => {
  /** @type {Record<string, Awaited<ReturnType<typeof written>>>} */
  const found = {};

  for (const dtype of ["f32", "f16", "q8", "q4"]) {
    it(`${dtype}: the same text from each build, and the same logits within rounding`, async () => {
      for (const build of ["simd", "relaxed"]) {
        for (const threads of THREADS) {
          const answer = await inPage(site.url, written, { build, threads, dtype, prompt: PROMPT });
          assert.equal(answer.shared, threads > 1);
          assert.equal(answer.helpers, threads - 1);
          found[`${dtype} ${build} ${threads}`] = answer;
        }
        // How work is shared out changes no bit.
        const [one, ...more] = THREADS.map((threads) => found[`${dtype} ${build} ${threads}`]);
        for (const several of more) {
          assert.deepEqual(several.logits, one.logits);
          assert.deepEqual(several.ids, one.ids);
        }
      }
      const [simd, relaxed] = ["simd", "relaxed"].map((build) => found[`${dtype} ${build} 1`]);
      // Sums of products of bytes are exact, with whatever instruction.
      const dot = { build: "relaxed-dot", threads: 1, dtype, prompt: PROMPT };
      assert.deepEqual(await inPage(site.url, written, dot), relaxed);
      // Relaxed multiply-adds round once instead of twice; with fewer bits, an activation on the edge of a step may
      // land on the other one, which moves a logit by as much as such a step.
      const tolerance = ["f32", "f16"].includes(dtype) ? 1e-4 : 0.05;
      simd.logits.forEach((logit, i) =>
        assert.ok(
          Math.abs(logit - relaxed.logits[i]) < tolerance,
          `${logit} and ${relaxed.logits[i]}`,
        ),
      );
      if (dtype === "f32") assert.deepEqual(simd.ids, relaxed.ids);
    });
  }

  it("fewer bits move the logits a little, and more the fewer they are", () => {
    /** @param {string} dtype */
    const distance = (dtype) =>
      Math.hypot(
        ...found[`${dtype} relaxed 1`].logits.map(
          (logit, i) => logit - found["f32 relaxed 1"].logits[i],
        ),
      );
    const [f16, q8, q4] = ["f16", "q8", "q4"].map(distance);
    assert.ok(f16 < 1e-3, String(f16)); // the file holds halves already
    assert.ok(0.01 < q8 && q8 < q4 / 2, `${q8}, ${q4}`);
    assert.ok(q4 < 0.25 * Math.hypot(...found["f32 relaxed 1"].logits), String(q4));
  });

  it("an isolated page gets threads, and says so", async () => {
    const backend = await inPage(site.url, async () => {
      const { loadModel } = await import(new URL("candlescope.js", location.href).href);
      const model = await loadModel("./models/shakespeare", { keep: false });
      return { ...model.backend, cores: navigator.hardwareConcurrency };
    });
    if (backend.cores < 2) return;
    assert.equal(backend.build, "threads");
    assert.equal(backend.threads, Math.min(backend.cores, 8));
  });

  it("a page that is not isolated gets the same text from one thread", async () => {
    await withPlainHost(async (url) => {
      const plain = await inPage(
        url,
        async (prompt) => {
          const { loadModel } = await import(new URL("candlescope.js", location.href).href);
          const model = await loadModel("./models/shakespeare", { keep: false });
          const ids = [];
          for await (const { id } of model.generate(prompt, {
            maxNewTokens: 50,
            doSample: false,
            stopAtEos: false,
          }))
            ids.push(id);
          return { ids, backend: model.backend, isolated: crossOriginIsolated };
        },
        PROMPT,
      );
      assert.equal(plain.isolated, false);
      assert.equal(plain.backend.threads, 1);
      assert.equal(plain.backend.build, "relaxed");
      assert.deepEqual(plain.ids, found["f32 relaxed 1"].ids);
    });
  });

  it("isolate.js brings threads to a host without the headers", async () => {
    await withPlainHost(async (url) => {
      const page = await site.browser.newPage();
      try {
        await page.goto(`${url}isolated.html`);
        await page.waitForFunction(() => crossOriginIsolated);
        const backend = await page.evaluate(async () => {
          const { loadModel } = await import(new URL("candlescope.js", location.href).href);
          return {
            ...(await loadModel("./models/shakespeare", { keep: false })).backend,
            cores: navigator.hardwareConcurrency,
          };
        });
        assert.equal(backend.build, backend.cores > 1 ? "threads" : "relaxed");
      } finally {
        await page.close();
      }
    });
  });
});

/** A host that sets no headers but the type. @param {(url: string) => Promise<void>} act */
async function withPlainHost(act) {
  const server = createServer(async (request, response) => {
    const path = new URL(request.url ?? "/", "http://localhost").pathname;
    if (path === "/isolated.html")
      return void response
        .writeHead(200, { "content-type": "text/html" })
        .end('<!doctype html><script src="isolate.js"></script>');
    const type =
      { ".js": "text/javascript", ".wasm": "application/wasm", ".json": "application/json" }[
        extname(path)
      ] ?? "application/octet-stream";
    readFile(join(DIST, path)).then(
      (bytes) => response.writeHead(200, { "content-type": type }).end(bytes),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise((done) => server.listen(0, "localhost", () => done(undefined)));
  const address = server.address();
  assert.ok(address && typeof address === "object");
  try {
    await act(`http://localhost:${address.port}/`);
  } finally {
    server.close();
    server.closeAllConnections();
  }
}
