// Which functions of the wasm module a visitor's first minutes need: `functionsUsed(builds, glue)` runs them, in Node.
// Comes in: the module, once with memory of its own and once with shared memory, and the address of its glue. Goes out: for
// each of its functions whether it ran in either while the bundled model was loaded, read and kept, and wrote some words, as
// the page asks for it (www/reading.js does the asking here too).
//
// The module counts for itself: each function begins by writing a 1 into a byte of its own. The bytes are pages added to
// the memory that the module starts with, behind everything it has; what it asks for later comes behind them.

import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";

import { transformSync } from "esbuild";

import { openable, prefetch } from "../www/worker/network.ts";
import { Reader } from "../www/session/reading.ts";
import { Tensor } from "../www/api/tensor.ts";
import { leb, moduleOf, SECTION, sectionsOf, toLeb, toSignedLeb, vector } from "./binary.mjs";
import { bodiesOf } from "./binary.mjs";
import { serve } from "./serve.mjs";

const PAGE_BYTES = 65536;
const MODEL = "models/shakespeare";
/** A model so small that it loads in no time: what names collide in hash tables differs from load to load. */
const TINY = "tests/fixtures/plain";
const TINY_LOADS = 60;
/** Of ASCII: other texts are cut by a regular expression, whose compiler is a large part of all code. */
const TEXT =
  "You are gentlemen of brave metal; you'd lift the moon out of her sphere, 12 times,\n\n\tand so on, and so on.";

/** @param {Buffer[]} builds the same module but for its memory @param {URL} glue @returns {Promise<boolean[]>} */
export async function functionsUsed(builds, glue) {
  /** @type {boolean[][]} */
  const used = [];
  for (const [i, wasm] of builds.entries())
    used.push(await functionsUsedBy(wasm, `${glue.href}?${i}`));
  return used[0].map((_, at) => used.some((those) => those[at]));
}

/** @param {Buffer} wasm @param {string} glue another address for each, so that each has a glue of its own */
async function functionsUsedBy(wasm, glue) {
  const { counting, start, count } = withCounters(wasm);
  const { default: init, ...face } = await import(glue);
  const { memory } = await init({ module_or_path: counting });
  const helper = memory.buffer instanceof ArrayBuffer ? undefined : hire(face.askHelpers(1));
  await visit(face);
  await helper?.terminate();
  const counters = new Uint8Array(memory.buffer).subarray(start, start + count);
  if (counters.some((value) => value > 1))
    throw new Error("the module wrote where it had no memory");
  return Array.from(counters, (value) => value === 1);
}

/** A helper as www/threads.js hires it. @param {object} asked */
function hire(asked) {
  const path = fileURLToPath(new URL("../www/worker/helper.ts", import.meta.url));
  const { code } = transformSync(readFileSync(path, "utf8"), { loader: "ts", format: "cjs" });
  const asInBrowser = `const { parentPort } = require("node:worker_threads");
    globalThis.self = { addEventListener: (_, listener) => parentPort.once("message", (data) => listener({ data })) };
    ${code}`;
  const helper = new Worker(asInBrowser, { eval: true });
  helper.postMessage({ ...asked, number: 1 });
  return helper;
}

/** @param {Buffer} wasm */
function withCounters(wasm) {
  const sections = sectionsOf(wasm);
  /** @param {number} id */
  const section = (id) =>
    /** @type {import("./binary.mjs").Section} */ (sections.find((one) => one.id === id));
  const [memory, code] = [section(SECTION.memory), section(SECTION.code)];
  const bodies = bodiesOf(code.body);
  const [least, rest] = leb(memory.body, 2);
  const pages = least + Math.ceil(bodies.length / PAGE_BYTES);
  memory.body = Buffer.concat([
    memory.body.subarray(0, 2),
    Buffer.from(toLeb(pages)),
    memory.body.subarray(rest),
  ]);
  const start = least * PAGE_BYTES;
  code.body = vector(bodies.map((body, i) => counted(body, start + i)));
  return { counting: moduleOf(sections), start, count: bodies.length };
}

/** A function's body that begins with `i32.const counter; i32.const 1; i32.store8`. @param {Buffer} body @param {number} counter */
function counted(body, counter) {
  let [groups, at] = leb(body, 0);
  for (; groups > 0; groups--) at = leb(body, at)[1] + 1; // so many locals, of one type
  const code = [0x41, ...toSignedLeb(counter), 0x41, 1, 0x3a, 0, 0];
  const whole = Buffer.concat([body.subarray(0, at), Buffer.from(code), body.subarray(at)]);
  return Buffer.concat([Buffer.from(toLeb(whole.length)), whole]);
}

/** What people do first. @param {any} face what the glue exports */
async function visit({ WasmModel }) {
  const server = await serve({ root: "." });
  const names = {
    config: "config.json",
    tokenizer: "tokenizer.json",
    weights: "model.safetensors",
  };
  /** @param {(name: string) => object} place */
  const files = (place) =>
    Object.fromEntries(Object.entries(names).map(([key, name]) => [key, { name, ...place(name) }]));
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
  const context = { signal: new AbortController().signal, timeout: Infinity };
  /** @param {any} files @param {any} [copy] */
  const open = (files, copy = undefined) => ({
    ...openable(files, context),
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
    const bytes = keep(fresh.takeUnkept());
    await read(fresh);
    await read(await load(files(address), { bytes }));
    await read(await load(files((name) => ({ blob: blobs[name] }))));
    (await WasmModel.load(open(files(address)), "q8", undefined, undefined)).free();
    const [config, weights] = await Promise.all(
      [names.config, names.weights].map(async (name) => ({
        name,
        blob: new Blob([await readFile(`${TINY}/${name}`)]),
      })),
    );
    for (let i = 0; i < TINY_LOADS; i++) {
      const tiny = await load({ config, weights });
      tiny.runWithCache(Uint32Array.of(1, 2, i % 50), { names: ["*"], headScores: true });
      if (i % 3 === 0) tiny.free();
    }
  } finally {
    await server.close();
  }
}

/** A copy as www/store.js makes it, in memory. @param {any} keeping */
function keep(keeping) {
  const bytes = new Uint8Array(keeping.length);
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  const copy = {
    start: 0,
    length: keeping.length,
    origins: keeping.origins,
    /** @param {Uint8Array} into @param {number} at */
    read: (into, at) => (into.set(bytes.subarray(at, at + into.length)), into.length),
    /** @param {Uint8Array} piece @param {number} at */
    write: (piece, at) => (bytes.set(piece, at), piece.length),
    pause: turn,
    close: () => {},
  };
  while (keeping.step(copy)) continue;
  keeping.free();
  return copy;
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
      runWithCache: async (/** @type {any} */ ids, /** @type {any} */ options) =>
        asRun(model.runWithCache(ids, options)),
    }),
  );
  const interventions = [{ at: "blocks.1.attn.hook_z", head: 0, do: "zero" }];
  for (const text of [TEXT, `${TEXT} ${TEXT}`, "a"]) {
    const reading = await reader.read(text);
    if (!reading) throw new Error("nothing was read");
    await reader.alternatives(reading, 0);
    model.detokenize(reading.ids);
    write(model, reading.ids, { interventions: [] });
  }
  const reading = await reader.read(TEXT, { interventions: /** @type {any} */ (interventions) });
  if (reading) await reader.change(reading, 0);
  write(model, TEXT, { interventions });
  model.free();
}

/** Some words, the likeliest and drawn ones. @param {any} model @param {any} input @param {object} options */
function write(model, input, options) {
  const sampling = {
    maxNewTokens: 6,
    stopAtEos: true,
    top: 10,
    names: ["blocks.*.attn.hook_pattern"],
    ...options,
  };
  for (const how of [
    { doSample: false },
    { doSample: true, temperature: 0.8, topK: 40, topP: 0.9, seed: 1 },
  ]) {
    const generation = model.generate(input, { ...sampling, ...how });
    while (generation.next()) continue;
    generation.free();
  }
}

/** What www/candlescope.js makes of an answer. @param {any} answer */
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
