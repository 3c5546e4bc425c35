// The worker: owns the wasm module and every model in it, and answers connection.js, its only caller. Arguments are plain
// data (plain.js), whose options the wasm module checks. Typed arrays in answers are transferred, not copied.

import * as Comlink from "comlink";

import { openable, prefetch, revalidate } from "./network.js";
import { WasmModel } from "./pkg/candlescope.js";
import { isProblem, problem } from "./problem.js";
import { canBeKept, find, forget, keep, list } from "./store.js";
import { listFiles } from "./source.js";
import { start } from "./threads.js";

/** @typedef {import("./source.js").Files} Files */
/** @typedef {import("./pkg/candlescope.js").WasmGeneration} WasmGeneration */
/** @typedef {import("./pkg/candlescope.js").WasmMeasurement} WasmMeasurement */
/** @typedef {import("./candlescope.js").Progress} Progress */

/** A module with one function, which returns a vector. */
const SIMD = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11);

const ready = start().catch((error) => {
  if (error instanceof WebAssembly.CompileError) {
    if (!WebAssembly.validate(SIMD)) throw problem("InternalError", "this browser has no SIMD in WebAssembly, without which Candlescope does not compute: Chrome has it from version 91, Firefox from 89, Safari from 16.4");
    throw problem("InternalError", `this browser cannot compile the WebAssembly module (${error.message})`);
  }
  throw problem("NetworkError", `the WebAssembly module cannot be loaded, expected it in pkg/ beside worker.js (${error.message})`);
});
ready.catch(() => {}); // reported by the calls that wait for it

/** How long a measurement works before it looks for other calls. */
const FRAME_MS = 16;
/** A loaded model is kept, and the rest of the module brought, this much later: what it was loaded for comes first. */
const QUIET_AFTER_MS = 700;

let lastKey = 0;
/** @type {Map<number, WasmModel>} */
const models = new Map();
/** @type {Map<number, WasmGeneration>} */
const generations = new Map();
/** @type {Map<number, WasmMeasurement>} */
const measurements = new Map();
/** What can be aborted, by the key that the caller chose. @type {Map<number, AbortController>} */
const jobs = new Map();
/** Rejections of the loads under way, for a panic in the middle of one. @type {Set<(error: unknown) => void>} */
const hanging = new Set();

const api = {
  /**
   * @param {Files} files
   * @param {{ dtype: string, keep: boolean, timeout: number }} options
   * @param {number} job a key for abort()
   * @param {(progress: Progress) => void} onProgress a proxy, released at the end
   */
  async load(files, options, job, onProgress) {
    const controller = new AbortController();
    jobs.set(job, controller);
    const { signal } = controller;
    /** @type {Promise<void> | undefined} */
    let told;
    /** A copy that nobody has taken yet. @type {import("./store.js").Copy | undefined} */
    let opened;
    try {
      const context = { signal, timeout: options.timeout, bypassCache: false, states: new Map() };
      const open = openable(files, context);
      const mayBeKept = options.keep && canBeKept(files);
      // While the module compiles, the copy is opened, or the files are asked for.
      opened = mayBeKept ? await find(files, options.dtype) : undefined;
      if (!opened) prefetch(open);
      /** @type {import("./store.js").Copy | undefined} */
      let used;
      const copy = () => {
        used = opened;
        opened = undefined;
        return used;
      };
      /** @param {import("./network.js").Origin[]} origins */
      const isCurrent = (origins) => {
        const freshness = revalidate(origins, context).then((found) => {
          context.bypassCache ||= found.state === "changed";
          return found;
        });
        freshness.catch(() => {}); // the copy may turn out to be damaged before anyone waits for this
        return freshness;
      };
      await ready;
      /** @type {Map<string, number>} */
      const furthest = new Map();
      /** @param {Progress["stage"]} stage @param {string} file @param {number} loaded @param {number} [total] */
      const tell = (stage, file, loaded, total) => {
        const most = Math.max(loaded, furthest.get(file) ?? 0); // a download that starts again does not move the progress back
        furthest.set(file, most);
        told = Promise.resolve(onProgress({ stage, file, loaded: most, total })).catch(() => {});
      };
      const model = await unlessPanicked(WasmModel.load(/** @type {any} */ ({ ...open, mayBeKept, copy, isCurrent }), options.dtype, tell, signal));
      const key = ++lastKey;
      models.set(key, model);
      const pending = model.takeUnkept();
      const origins = originsOf(files, context.states, pending ? undefined : used);
      if (pending) keepLater(key, files, options.dtype, pending);
      await told; // by another port than the answer, which might overtake it
      setTimeout(() => whole().catch(() => {}), QUIET_AFTER_MS); // who needs it tries again, and is told
      return { key, origins, isTransformed: false, ...model.describe() };
    } finally {
      controller.abort(); // what was asked for ahead and then not needed
      opened?.close("good");
      jobs.delete(job);
      /** @type {any} */ (onProgress)[Comlink.releaseProxy]();
    }
  },

  /** Holds a lock until this worker ends. @param {string} name @returns {Promise<boolean>} true once it is held; false if locks are not allowed here */
  holdLock(name) {
    return new Promise((resolve) => {
      const hold = async () => navigator.locks.request(name, () => (resolve(true), new Promise(() => {})));
      hold().catch(() => resolve(false));
    });
  },

  ping() {
    return true;
  },

  stored: list,

  /** @param {Files} [files] */
  forgetStored: (files) => forget(files),

  /** @param {number} job */
  abort(job) {
    jobs.get(job)?.abort();
  },

  /** @param {number} key @param {string | Uint32Array} input @param {boolean} prependBos */
  tokenize(key, input, prependBos) {
    return handOver(modelOf(key).tokenize(input, prependBos));
  },

  /** @param {number} key @param {Uint32Array} ids */
  tokenNames(key, ids) {
    return handOver(modelOf(key).tokenNames(ids));
  },

  /** @param {number} key @param {Uint32Array} ids */
  detokenize(key, ids) {
    return modelOf(key).detokenize(ids);
  },

  /** @param {number} key @param {string | Uint32Array} input @param {object} options */
  runWithCache(key, input, options) {
    return handOver(modelOf(key).runWithCache(input, options));
  },

  /** Starts a generation; gives its key. @param {number} key @param {string | Uint32Array} input @param {object} options */
  generate(key, input, options) {
    const generation = modelOf(key).generate(input, options);
    generations.set(++lastKey, generation);
    return lastKey;
  },

  /** The next step, or undefined at the end. @param {number} key */
  next(key) {
    return handOver(generations.get(key)?.next());
  },

  /** Frees a generation. @param {number} key */
  stop(key) {
    generations.get(key)?.free();
    generations.delete(key);
  },

  /** @param {number} key @param {string} call @param {string | Uint32Array | undefined} input @param {object} options @param {string} folder */
  async toPython(key, call, input, options, folder) {
    await whole();
    return modelOf(key).toPython(call, input, options, folder);
  },

  /** The same model with its weights rewritten, as load() answers. @param {number} key @param {string[]} transforms */
  async transform(key, transforms) {
    await whole();
    const model = modelOf(key).transformed(transforms);
    models.set(++lastKey, model);
    return { key: lastKey, origins: undefined, isTransformed: true, ...model.describe() };
  },

  /** Starts a measurement; gives its key. @param {number} key @param {string} name @param {object} request */
  async measure(key, name, request) {
    await whole();
    measurements.set(++lastKey, modelOf(key).measure(name, request));
    return lastKey;
  },

  /** Goes on with a measurement for about a frame, so that other calls get their turn. @param {number} key */
  advance(key) {
    const measurement = measurements.get(key);
    const start = performance.now();
    let more = measurement !== undefined;
    while (more && performance.now() - start < FRAME_MS) more = /** @type {WasmMeasurement} */ (measurement).step();
    return { more, done: measurement?.done() ?? 0, total: measurement?.total() ?? 0 };
  },

  /** What a measurement found. @param {number} key */
  findings(key) {
    return handOver(measurements.get(key)?.finish());
  },

  /** Frees a measurement. @param {number} key */
  forget(key) {
    measurements.get(key)?.free();
    measurements.delete(key);
  },

  /** Tells models with different weights, config or tokenizer apart. Other calls have their turn between its steps. @param {number} key @returns {Promise<string | undefined>} undefined if the model is disposed of meanwhile */
  async fingerprint(key) {
    await whole();
    for (let start = performance.now(); models.has(key); ) {
      const fingerprint = modelOf(key).fingerprintStep();
      if (fingerprint !== undefined) return fingerprint;
      if (performance.now() - start < FRAME_MS) continue;
      await new Promise((resolve) => setTimeout(resolve));
      start = performance.now();
    }
  },

  /** Frees a model. @param {number} key */
  dispose(key) {
    models.get(key)?.free();
    models.delete(key);
  },
};

/** @typedef {typeof api} WorkerApi */

// Before the listener of Comlink, so that the page knows which message a worker that does not answer is handling.
self.addEventListener("message", ({ data }) => {
  if (data?.id) self.postMessage({ started: data.id });
});
Comlink.expose(withErrorNames(api));

/** All of the module is there: what the first part of it (scripts/split.mjs) lacks is not waited for in the middle of a call. */
async function whole() {
  await (await ready)?.arrive();
}

/**
 * Which state of its files a model came from, as text; undefined if a server does not tell states apart.
 * @param {Files} files @param {Map<string, string | null | undefined>} states of the files that were downloaded
 * @param {import("./store.js").Copy | undefined} copy if the model came from there @returns {string | undefined}
 */
function originsOf(files, states, copy) {
  const known = states.size > 0 ? [...states] : (copy?.origins ?? []).map(({ address, identity }) => /** @type {const} */ ([address, identity ?? null]));
  const areBlobs = listFiles(files).every((file) => file === undefined || file.blob); // which never change
  const isComplete = areBlobs || (known.length > 0 && known.every(([, state]) => state !== undefined));
  // Files that are absent are not a part of the model, and a copy does not list all of them.
  return isComplete ? JSON.stringify(known.filter(([, state]) => state !== null).sort()) : undefined;
}

/** Keeps a model for the next visit, unless it is disposed of before. @param {number} key @param {Files} files @param {string} dtype @param {import("./pkg/candlescope.js").WasmKeeping} pending */
async function keepLater(key, files, dtype, pending) {
  const shouldContinue = () => models.has(key);
  await new Promise((resolve) => setTimeout(resolve, QUIET_AFTER_MS));
  try {
    if (shouldContinue()) await keep(files, dtype, pending, shouldContinue);
  } finally {
    pending.free();
  }
}

/** @param {number} key */
function modelOf(key) {
  const model = models.get(key);
  if (!model) throw problem("InputError", "the model was disposed of: load it again");
  return model;
}

/** Transfers every typed array in an answer. @template T @param {T} answer @returns {T} */
function handOver(answer) {
  if (answer === undefined) return answer;
  /** @type {ArrayBuffer[]} */
  const buffers = [];
  collectBuffers(answer, buffers);
  return Comlink.transfer(/** @type {any} */ (answer), buffers);
}

/** @param {unknown} value @param {ArrayBuffer[]} buffers */
function collectBuffers(value, buffers) {
  if (ArrayBuffer.isView(value)) buffers.push(/** @type {ArrayBuffer} */ (value.buffer));
  else if (typeof value === "object" && value !== null) Object.values(value).forEach((inner) => collectBuffers(inner, buffers));
}

/**
 * A panic inside an async wasm function, or a rest of the module that cannot be had, surfaces as an error of the worker and
 * leaves its promise pending for ever.
 * @template T @param {Promise<T>} promise @returns {Promise<T>}
 */
function unlessPanicked(promise) {
  return new Promise((resolve, reject) => {
    hanging.add(reject);
    promise.then(resolve, reject).finally(() => hanging.delete(reject));
  });
}

/** @param {Event} event @param {unknown} error */
function rejectHanging(event, error) {
  if (!(error instanceof WebAssembly.RuntimeError || isProblem(error))) return;
  hanging.forEach((reject) => reject(error));
  if (isProblem(error)) event.preventDefault(); // the calls that hang report it
  else self.postMessage({ failed: unexpected(error).message });
}
self.addEventListener("error", (event) => rejectHanging(event, event.error));
self.addEventListener("unhandledrejection", (event) => rejectHanging(event, event.reason));

/** Gives every exception of the functions a stable name. @template {Record<string, (...args: any[]) => any>} T @param {T} functions @returns {T} */
function withErrorNames(functions) {
  const wrapped = Object.entries(functions).map(([name, call]) => [
    name,
    async (/** @type {any[]} */ ...args) => {
      try {
        return await call(...args);
      } catch (error) {
        throw isProblem(error) ? error : unexpected(error);
      }
    },
  ]);
  return Object.fromEntries(wrapped);
}

/**
 * An exception that no code expected: a trap, a full stack, an allocation that the browser refused. It passed through wasm
 * functions without running their destructors, so the page discards this worker.
 * @param {unknown} error
 */
function unexpected(error) {
  console.error(error);
  return problem("WorkerError", `the computation failed inside the WebAssembly module, for want of memory or by a bug of Candlescope (${describe(error)}); the next call starts a new worker and loads the model again`);
}

/** The engine's words, but for those that mean a Rust panic, whose message is on the console. @param {unknown} error */
function describe(error) {
  return error instanceof WebAssembly.RuntimeError ? "a trap, see the console" : String(error);
}
