// Measures which functions of the wasm module a first visit needs. `functionsUsed(builds, glue)` runs the module in Node: it
// loads the bundled model, reads texts and caches the model, with the same calls as the page (www/session/).
// A missed function costs time, not correctness: the worker then loads the secondary module during the call.

import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";

import { transformSync } from "esbuild";

import { withCounters } from "../tools/wasm-split/instrument.mjs";
import { Tensor } from "../www/api/tensor.ts";
import { Reader } from "../www/session/reading.ts";
import { openable, prefetch } from "../www/worker/network.ts";
import { quantized } from "./quantize.mjs";
import { serve } from "./serve.mjs";

const MODEL = "models/shakespeare";
/** The same model in 8 bits, which the documented figures name. The build writes it after the wasm modules, so it is made here. */
const Q8 = "shakespeare-q8.gguf";
/** A model that loads in milliseconds. Which names collide in hash tables differs from load to load, hence many loads. */
const TINY = "tests/fixtures/plain";
const TINY_LOADS = 60;
/** Its names are in another table. */
const Q8_LOADS = 12;
/** ASCII only: other texts are split into words by a regular expression, whose compiler is a large part of the code. */
const TEXT =
  "You are gentlemen of brave metal; you'd lift the moon out of her sphere, 12 times,\n\n\tand so on, and so on.";

/**
 * @param {Buffer[]} builds the same module, with its own memory and with shared memory
 * @param {URL} glue of wasm-bindgen
 * @returns {Promise<boolean[]>} by defined function: whether it ran in any of the builds
 */
export async function functionsUsed(builds, glue) {
  /** @type {boolean[][]} */
  const used = [];
  for (const [i, wasm] of builds.entries()) {
    used.push(await functionsUsedBy(wasm, `${glue.href}?${i}`)); // each build gets its own instance of the glue
  }
  return used[0].map((_, at) => used.some((build) => build[at]));
}

/** @param {Buffer} wasm @param {string} glue */
async function functionsUsedBy(wasm, glue) {
  const counting = withCounters(wasm);
  const { default: init, ...exports } = await import(glue);
  const { memory } = await init({ module_or_path: counting.wasm });
  const isShared = !(memory.buffer instanceof ArrayBuffer);
  const helper = isShared ? startHelper(exports.askHelpers(1)) : undefined;
  await visit(exports);
  await helper?.terminate();
  return counting.hasRun(memory);
}

/** Starts a helper thread as www/worker/threads.ts does. @param {object} request */
function startHelper(request) {
  const path = fileURLToPath(new URL("../www/worker/helper.ts", import.meta.url));
  const { code } = transformSync(readFileSync(path, "utf8"), { loader: "ts", format: "cjs" });
  const withSelf = `const { parentPort } = require("node:worker_threads");
    globalThis.self = { addEventListener: (_, listener) => parentPort.once("message", (data) => listener({ data })) };
    ${code}`;
  const helper = new Worker(withSelf, { eval: true });
  helper.postMessage({ ...request, number: 1 });
  return helper;
}

/** The calls of a first visit and of a second one. @param {any} exports of the glue */
async function visit({ WasmModel }) {
  const q8 = await quantized(MODEL);
  const server = await serve({
    root: ".",
    handle: ({ url }, response) => {
      if (!url?.endsWith(Q8)) return false;
      response.setHeader("ETag", '"q8"'); // only a file with a version is kept
      response.end(q8);
      return true;
    },
  });
  const names = {
    config: "config.json",
    tokenizer: "tokenizer.json",
    weights: "model.safetensors",
  };
  /** @param {(name: string) => object} place @param {string} [weights] */
  const files = (place, weights = names.weights) => {
    const file = (/** @type {string} */ name) => ({ name, ...place(name) });
    return {
      name: MODEL,
      config: [file(names.config)],
      tokenizer: [[file(names.tokenizer)]],
      weights: [{ files: [file(weights)] }],
    };
  };
  const address = (/** @type {string} */ name) => ({
    address: `${server.url}${MODEL}/${name}`,
    optional: name === names.tokenizer,
  });
  const blobs = Object.fromEntries(
    await Promise.all(
      Object.values(names).map(async (name) => [
        name,
        new Blob([await readFile(`${MODEL}/${name}`)]),
      ]),
    ),
  );
  const context = { signal: new AbortController().signal, timeout: Infinity, fetcher: fetch };
  /** @param {any} files @param {any} [copy] @param {typeof fetch} [fetcher] */
  const open = (files, copy = undefined, fetcher = fetch) => ({
    ...openable(files, { ...context, fetcher }),
    name: files.name,
    mayBeKept: copy !== undefined,
    copy: () => copy?.bytes,
    isCurrent: async () => ({ state: "same" }),
  });
  const load = (/** @type {any} */ files, /** @type {any} */ copy = undefined) =>
    WasmModel.load(open(files, copy), "f32", () => {}, context.signal);
  try {
    const asked = open(files(address), {});
    prefetch(asked);
    const fresh = await WasmModel.load(asked, "f32", () => {}, context.signal);
    const bytes = writeCache(fresh.takePendingSave());
    await read(fresh);
    await read(await load(files(address), { bytes }));
    for (let i = 0; i < Q8_LOADS; i++) (await load(files(address, Q8))).free();
    const renamed = await load(files(address, Q8), {});
    writeCache(renamed.takePendingSave()); // with a report of the renamed tensors
    await read(renamed);
    for (const weights of [names.weights, Q8]) {
      const inPieces = open(files(address, weights), undefined, fetchInPieces);
      (await WasmModel.load(inPieces, "f32", () => {}, context.signal)).free();
    }
    await read(await load(files((name) => ({ blob: blobs[name] }))));
    const [config, weights] = await Promise.all(
      [names.config, names.weights].map(async (name) => ({
        name,
        blob: new Blob([await readFile(`${TINY}/${name}`)]),
      })),
    );
    for (let i = 0; i < TINY_LOADS; i++) {
      const tiny = await load({
        name: TINY,
        config: [config],
        tokenizer: [],
        weights: [{ files: [weights] }],
      });
      tiny.runWithCache(Uint32Array.of(1, 2, i % 50), { names: ["*"], headScores: true });
      if (i % 3 === 0) tiny.free();
    }
  } finally {
    await server.close();
  }
}

/** A network cuts files anywhere, also within a number. */
const PIECE = 65_521;

/** @param {Parameters<typeof fetch>} request */
async function fetchInPieces(...request) {
  const response = await fetch(...request);
  const bytes = new Uint8Array(await response.arrayBuffer());
  let at = 0;
  const body = new ReadableStream({
    pull(controller) {
      controller.enqueue(bytes.subarray(at, at + PIECE));
      at += PIECE;
      if (at >= bytes.length) controller.close();
    },
  });
  const { status, headers } = response;
  return Object.defineProperty(new Response(body, { status, headers }), "url", {
    value: response.url,
  });
}

/** Writes a cached model as www/worker/store.ts does, into memory. @param {any} pending */
function writeCache(pending) {
  const bytes = new Uint8Array(pending.length);
  const file = {
    start: 0,
    length: pending.length,
    origins: pending.origins,
    /** @param {Uint8Array} into @param {number} at */
    read: (into, at) => {
      into.set(bytes.subarray(at, at + into.length));
      return into.length;
    },
    /** @param {Uint8Array} piece @param {number} at */
    write: (piece, at) => {
      bytes.set(piece, at);
      return piece.length;
    },
    pause: () => new Promise((resolve) => setImmediate(resolve)),
    close: () => {},
  };
  while (pending.step(file)) {}
  pending.free();
  return file;
}

/** @param {any} model */
async function read(model) {
  const { config, hookPoints } = model.describe();
  const reader = new Reader(
    /** @type {any} */ ({
      config,
      hookPoints,
      tokenize: async (/** @type {any} */ input) => model.tokenize(input, false),
      tokenNames: async (/** @type {any} */ ids) => model.tokenNames(ids),
      // The API keeps `onShow` on the page.
      runWithCache: async (/** @type {any} */ ids, /** @type {any} */ { onShow: _, ...options }) =>
        asRun(model.runWithCache(ids, options)),
    }),
  );
  model.runWithCache(TEXT, { names: ["blocks.*.attn.hook_pattern"] }); // of a text, as a page's own script does
  const interventions = [{ at: "blocks.1.attn.hook_z", head: 0, do: "zero" }];
  for (const text of [TEXT, `${TEXT} ${TEXT}`, "a"]) {
    const reading = await reader.read(text);
    if (!reading) throw new Error("nothing was read");
    await reader.alternatives(reading, 0);
    model.detokenize(reading.ids);
  }
  const reading = await reader.read(TEXT, { interventions: /** @type {any} */ (interventions) });
  if (reading) await reader.change(reading, 0);
  model.free();
}

/** The result of a run as www/api/ makes it. @param {any} answer */
function asRun({ logits, cache, headScores, ...rest }) {
  const tensor = (/** @type {any} */ { data, shape, axes, labels }) =>
    new Tensor(data, shape, axes, labels);
  const captured = new Map(
    cache.map((/** @type {any} */ { name, value }) => [name, tensor(value)]),
  );
  return {
    ...rest,
    logits: tensor(logits),
    headScores: headScores && tensor(headScores),
    cache: captured,
  };
}
