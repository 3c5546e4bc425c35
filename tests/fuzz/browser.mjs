#!/usr/bin/env node
// Random calls and mutated files in a headless Chromium, through the public API: `node tests/fuzz/browser.mjs [SECONDS [SEED]]`.
//
// An input fails if its call gives neither a result nor an error with one of the names for callers' mistakes, if invalid input
// is accepted, if the call does not settle, or if the bundled model computes other numbers afterwards.
// Needs dist/. Prints inputs, seconds and crashes for each kind of input; the exit status is 1 if any failed.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { start } from "../e2e/browser.js";

/** Errors that say what the caller can do. A WorkerError or an InternalError would be our bug. */
const ALLOWED = [
  "ConfigError",
  "WeightsError",
  "TokenizerError",
  "HookError",
  "InputError",
  "NetworkError",
  "MemoryError",
  "AbortError",
];
/** Words of serde and of wasm engines, which mean nothing to a caller. */
const INTERNALS =
  "untagged|unreachable|expected value|invalid type|did not match any variant|key must be a string|missing field";
/** A call that takes longer on a model of this size counts as hung. */
const SETTLE_MS = 120_000;

const [seconds = "30", seed = "1"] = process.argv.slice(2);
const failed = await main(Number(seconds), Number(seed));
process.exitCode = failed ? 1 : 0;

/** @param {number} seconds @param {number} seed */
async function main(seconds, seed) {
  const site = await start();
  let failures = 0;
  try {
    for (const [name, run] of /** @type {const} */ ([
      ["calls", fuzzCalls],
      ["files", fuzzFiles],
    ])) {
      const page = await opened(site);
      const { inputs, resolved, crashes, ms } = await page.evaluate(run, {
        seconds: seconds / 2,
        seed,
        allowed: ALLOWED,
        internals: INTERNALS,
        settle: SETTLE_MS,
      });
      await page.close();
      for (const crash of crashes) console.log(`  ${crash}`);
      console.log(
        `${name}: ${inputs} inputs (${resolved} accepted), ${(ms / 1000).toFixed(1)} s, ${crashes.length} crashes, seed ${seed}`,
      );
      if (inputs === 0) throw new Error(`${name}: no input was tried`);
      failures += crashes.length;
    }
  } finally {
    await site.stop();
  }
  return failures > 0;
}

/** A page with the public API, with the modules of this folder and the files that are mutated. @param {Awaited<ReturnType<typeof start>>} site */
async function opened(site) {
  const page = await site.browser.newPage();
  page.setDefaultTimeout(0);
  const file = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));
  await page.route("**/fuzz/*", (route) => {
    const name = new URL(route.request().url()).pathname.split("/").at(-1) ?? "";
    const path = name.endsWith(".js") ? file(name) : file(`../fixtures/plain/${name}`);
    return route.fulfill({
      body: readFileSync(path),
      contentType: name.endsWith(".js") ? "text/javascript" : "application/octet-stream",
      headers: { "Cross-Origin-Resource-Policy": "same-origin" },
    });
  });
  await page.goto(`${site.url}tensor.js`);
  return page;
}

/** @typedef {{ seconds: number, seed: number, allowed: string[], internals: string, settle: number }} Settings */
/** @typedef {{ inputs: number, resolved: number, crashes: string[], ms: number }} Found */

/** @param {Settings} settings @returns {Promise<Found>} */
async function fuzzCalls({ seconds, seed, allowed, internals, settle }) {
  const [{ loadModel }, { Random }, { described, outcome, randomCall }] = await Promise.all(
    ["candlescope.js", "fuzz/random.js", "fuzz/calls.js"].map(
      (path) => import(new URL(path, location.href).href),
    ),
  );
  const model = await loadModel("models/shakespeare", { keep: false });
  const reference = async () => {
    const { logits } = await model.runWithCache("To be, or not to be");
    return new Uint32Array(logits.data.buffer, logits.data.byteOffset, logits.data.length).join();
  };
  const expected = await reference();
  const random = new Random(seed);
  const begun = performance.now();
  const found = { inputs: 0, resolved: 0, crashes: /** @type {string[]} */ ([]), ms: 0 };
  while (performance.now() - begun < seconds * 1000 && found.crashes.length < 20) {
    const call = randomCall(random);
    const result = await Promise.race([
      outcome(model, call),
      new Promise((done) => setTimeout(done, settle, "hung")),
    ]);
    found.inputs += 1;
    const what = `${described(call)}: `;
    if (result === "hung") found.crashes.push(`${what}did not settle`);
    else if (result === "resolved") {
      found.resolved += 1;
      if (call.mustFail) found.crashes.push(`${what}accepted in spite of ${call.mustFail}`);
    } else if (!allowed.includes(result.name))
      found.crashes.push(`${what}${result.name}: ${result.message}`);
    else if (new RegExp(internals).test(result.message))
      found.crashes.push(`${what}speaks of internals: ${result.message}`);
    if (found.inputs % 20 === 0 && (await reference()) !== expected)
      found.crashes.push(`${what}the model's numbers changed`);
  }
  if ((await reference()) !== expected)
    found.crashes.push("the model's numbers changed in the end");
  return { ...found, ms: performance.now() - begun };
}

/** @param {Settings} settings @returns {Promise<Found>} */
async function fuzzFiles({ seconds, seed, allowed, internals, settle }) {
  const [{ loadModel }, { Random }, { mutated }] = await Promise.all(
    ["candlescope.js", "fuzz/random.js", "fuzz/files.js"].map(
      (path) => import(new URL(path, location.href).href),
    ),
  );
  const bytes = async (/** @type {string} */ path) =>
    new Uint8Array(await (await fetch(path)).arrayBuffer());
  const [config, weights, tokenizer] = await Promise.all(
    ["fuzz/config.json", "fuzz/model.safetensors", "models/shakespeare/tokenizer.json"].map(bytes),
  );
  const wholes = [
    { config, weights, tokenizer: null },
    { config, weights, tokenizer: small(tokenizer) },
  ];
  const random = new Random(seed);
  const begun = performance.now();
  const found = { inputs: 0, resolved: 0, crashes: /** @type {string[]} */ ([]), ms: 0 };
  /** @param {any} checkpoint */
  const attempt = async (checkpoint) => {
    try {
      const { tokenizer: text, ...files } = checkpoint;
      const model = await loadModel(
        { ...files, ...(text && { tokenizer: text }) },
        { dtype: random.pick(["f32", "f16", "q8", "q4"]) },
      );
      try {
        await model.runWithCache(
          model.hasTokenizer && random.chance(0.5) ? "ROMEO: and then" : [0, 1, 2, 1],
        );
        for await (const _ of model.generate([1, 2], { maxNewTokens: 2 })); // a step must not trap either
      } finally {
        model.dispose();
      }
      return "resolved";
    } catch (error) {
      return /** @type {Error} */ (error);
    }
  };
  while (performance.now() - begun < seconds * 1000 && found.crashes.length < 20) {
    const { checkpoint, about, mustFail } = mutated(random.pick(wholes), random);
    const result = await Promise.race([
      attempt(checkpoint),
      new Promise((done) => setTimeout(done, settle, "hung")),
    ]);
    found.inputs += 1;
    if (result === "hung") found.crashes.push(`${about}: did not settle`);
    else if (result === "resolved") {
      found.resolved += 1;
      if (mustFail) found.crashes.push(`${about}: accepted although ${mustFail}`);
    } else if (!allowed.includes(result.name))
      found.crashes.push(`${about}: ${result.name}: ${result.message}`);
    else if (new RegExp(internals).test(result.message))
      found.crashes.push(`${about}: speaks of internals: ${result.message}`);
  }
  return { ...found, ms: performance.now() - begun };

  /** The same kind of tokenizer with the first tokens and merges only, so that a mutation seldom misses what matters. @param {Uint8Array} whole */
  function small(whole) {
    const json = JSON.parse(new TextDecoder().decode(whole));
    const kept = Object.entries(json.model.vocab).filter(([, id]) => Number(id) < 300);
    json.model.vocab = Object.fromEntries(kept);
    json.model.merges = json.model.merges.filter(
      (/** @type {any} */ merge) => [merge].flat().join("").replace(" ", "") in json.model.vocab,
    );
    return new TextEncoder().encode(JSON.stringify(json));
  }
}
