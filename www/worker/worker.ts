// The worker: owns the wasm module and every model in it, and answers connection.js, its only caller. Arguments are plain
// data (plain.js), whose options the wasm module checks. Typed arrays in answers are transferred, not copied.

import * as Comlink from "comlink";

import { openable, prefetch, revalidate, type Origin } from "./network.js";
import {
  WasmModel,
  type WasmGeneration,
  type WasmMeasurement,
  type WasmKeeping,
} from "./pkg/candlescope.js";
import { hasStableName, createError } from "../api/errors.js";
import { canBeKept, find, forget, keep, list, type Copy } from "./store.js";
import { listFiles, type ModelFiles } from "../api/source.js";
import { start } from "./threads.js";
import type { Progress } from "../api/candlescope.js";

/** A module with one function, which returns a vector. */
const SIMD = Uint8Array.of(
  0,
  97,
  115,
  109,
  1,
  0,
  0,
  0,
  1,
  5,
  1,
  96,
  0,
  1,
  123,
  3,
  2,
  1,
  0,
  10,
  8,
  1,
  6,
  0,
  65,
  0,
  253,
  15,
  11,
);

const ready = start().catch((error) => {
  if (error instanceof WebAssembly.CompileError) {
    if (!WebAssembly.validate(SIMD))
      throw createError(
        "InternalError",
        "this browser has no SIMD in WebAssembly, without which Candlescope does not compute: Chrome has it from version 91, Firefox from 89, Safari from 16.4",
      );
    throw createError(
      "InternalError",
      `this browser cannot compile the WebAssembly module (${error.message})`,
    );
  }
  throw createError(
    "NetworkError",
    `the WebAssembly module cannot be loaded, expected it in pkg/ beside worker.js (${error.message})`,
  );
});
ready.catch(() => {}); // reported by the calls that wait for it

/** How long a measurement works before it looks for other calls. */
const FRAME_MS = 16;
/** A loaded model is kept, and the rest of the module brought, this much later: what it was loaded for comes first. */
const QUIET_AFTER_MS = 700;

/** A mark on the worker's timeline for each load: the model is cached, or will not be. Tests and profilers read it. */
const CACHE_SETTLED = "candlescope:cache-settled";

let lastKey = 0;
const models: Map<number, WasmModel> = new Map();
const generations: Map<number, WasmGeneration> = new Map();
const measurements: Map<number, WasmMeasurement> = new Map();
/** What can be aborted, by the key that the caller chose. */
const jobs: Map<number, AbortController> = new Map();
/** Rejections of the loads under way, for a panic in the middle of one. */
const hanging: Set<(error: unknown) => void> = new Set();

const api = {
  /**
   * @param job a key for abort()
   * @param onProgress a proxy, released at the end
   */
  async load(
    files: ModelFiles,
    options: { dtype: string; keep: boolean; timeout: number },
    job: number,
    onProgress: (progress: Progress) => void,
  ) {
    const controller = new AbortController();
    jobs.set(job, controller);
    const { signal } = controller;
    let told: Promise<void> | undefined;
    /** A copy that nobody has taken yet. */
    let opened: Copy | undefined;
    try {
      const context = { signal, timeout: options.timeout, bypassCache: false, states: new Map() };
      const open = openable(files, context);
      const mayBeKept = options.keep && canBeKept(files);
      // While the module compiles, the copy is opened, or the files are asked for.
      opened = mayBeKept ? await find(files, options.dtype) : undefined;
      if (!opened) prefetch(open);
      let used: Copy | undefined;
      const copy = () => {
        used = opened;
        opened = undefined;
        return used;
      };
      const isCurrent = (origins: Origin[]) => {
        const freshness = revalidate(origins, context).then((found) => {
          context.bypassCache ||= found.state === "changed";
          return found;
        });
        freshness.catch(() => {}); // the copy may turn out to be damaged before anyone waits for this
        return freshness;
      };
      await ready;
      const furthest: Map<string, number> = new Map();
      const tell = (stage: Progress["stage"], file: string, loaded: number, total?: number) => {
        const most = Math.max(loaded, furthest.get(file) ?? 0); // a download that starts again does not move the progress back
        furthest.set(file, most);
        told = Promise.resolve(onProgress({ stage, file, loaded: most, total })).catch(() => {});
      };
      const model = await unlessPanicked(
        WasmModel.load({ ...open, mayBeKept, copy, isCurrent } as any, options.dtype, tell, signal),
      );
      const key = ++lastKey;
      models.set(key, model);
      const pending = model.takeUnkept();
      const origins = originsOf(files, context.states, pending ? undefined : used);
      if (pending) keepLater(key, files, options.dtype, pending);
      else performance.mark(CACHE_SETTLED);
      await told; // by another port than the answer, which might overtake it
      setTimeout(() => whole().catch(() => {}), QUIET_AFTER_MS); // who needs it tries again, and is told
      return { key, origins, isTransformed: false, ...model.describe() };
    } finally {
      controller.abort(); // what was asked for ahead and then not needed
      opened?.close("used");
      jobs.delete(job);
      (onProgress as any)[Comlink.releaseProxy]();
    }
  },

  /**
   * Holds a lock until this worker ends.
   * @returns true once it is held; false if locks are not allowed here
   */
  holdLock(name: string): Promise<boolean> {
    return new Promise((resolve) => {
      const hold = async () =>
        navigator.locks.request(name, () => (resolve(true), new Promise(() => {})));
      hold().catch(() => resolve(false));
    });
  },

  ping() {
    return true;
  },

  stored: list,

  forgetStored: (files?: ModelFiles) => forget(files),

  abort(job: number) {
    jobs.get(job)?.abort();
  },

  tokenize(key: number, input: string | Uint32Array, prependBos: boolean) {
    return handOver(modelOf(key).tokenize(input, prependBos));
  },

  tokenNames(key: number, ids: Uint32Array) {
    return handOver(modelOf(key).tokenNames(ids));
  },

  detokenize(key: number, ids: Uint32Array) {
    return modelOf(key).detokenize(ids);
  },

  runWithCache(key: number, input: string | Uint32Array, options: object) {
    return handOver(modelOf(key).runWithCache(input, options));
  },

  /** Starts a generation; gives its key. */
  generate(key: number, input: string | Uint32Array, options: object) {
    const generation = modelOf(key).generate(input, options);
    generations.set(++lastKey, generation);
    return lastKey;
  },

  /** The next step, or undefined at the end. */
  next(key: number) {
    return handOver(generations.get(key)?.next());
  },

  /** Frees a generation. */
  stop(key: number) {
    generations.get(key)?.free();
    generations.delete(key);
  },

  async toPython(
    key: number,
    call: string,
    input: string | Uint32Array | undefined,
    options: object,
    folder: string,
  ) {
    await whole();
    return modelOf(key).toPython(call, input, options, folder);
  },

  /** The same model with its weights rewritten, as load() answers. */
  async transform(key: number, transforms: string[]) {
    await whole();
    const model = modelOf(key).transformed(transforms);
    models.set(++lastKey, model);
    return { key: lastKey, origins: undefined, isTransformed: true, ...model.describe() };
  },

  /** Starts a measurement; gives its key. */
  async measure(key: number, name: string, request: object) {
    await whole();
    measurements.set(++lastKey, modelOf(key).measure(name, request));
    return lastKey;
  },

  /** Goes on with a measurement for about a frame, so that other calls get their turn. */
  advance(key: number) {
    const measurement = measurements.get(key);
    const start = performance.now();
    let more = measurement !== undefined;
    while (more && performance.now() - start < FRAME_MS)
      more = (measurement as WasmMeasurement).step();
    return { more, done: measurement?.done() ?? 0, total: measurement?.total() ?? 0 };
  },

  /** What a measurement found. */
  findings(key: number) {
    return handOver(measurements.get(key)?.finish());
  },

  /** Frees a measurement. */
  forget(key: number) {
    measurements.get(key)?.free();
    measurements.delete(key);
  },

  /**
   * Tells models with different weights, config or tokenizer apart. Other calls have their turn between its steps.
   * @returns undefined if the model is disposed of meanwhile
   */
  async fingerprint(key: number): Promise<string | undefined> {
    await whole();
    for (let start = performance.now(); models.has(key); ) {
      const fingerprint = modelOf(key).fingerprintStep();
      if (fingerprint !== undefined) return fingerprint;
      if (performance.now() - start < FRAME_MS) continue;
      await new Promise((resolve) => setTimeout(resolve));
      start = performance.now();
    }
  },

  /** Frees a model. */
  dispose(key: number) {
    models.get(key)?.free();
    models.delete(key);
  },
};

export type WorkerApi = typeof api;

// Before the listener of Comlink, so that the page knows which message a worker that does not answer is handling.
self.addEventListener("message", ({ data }) => {
  if (data?.id) self.postMessage({ started: data.id });
});
Comlink.expose(withErrorNames(api));

/** All of the module is there: what the first part of it (scripts/split.mjs) lacks is not waited for in the middle of a call. */
async function whole() {
  await (await ready)?.ensureLoaded();
}

/**
 * Which state of its files a model came from, as text; undefined if a server does not tell states apart.
 * @param states of the files that were downloaded
 * @param copy if the model came from there
 */
function originsOf(
  files: ModelFiles,
  states: Map<string, string | null | undefined>,
  copy: Copy | undefined,
): string | undefined {
  const known =
    states.size > 0
      ? [...states]
      : (copy?.origins ?? []).map(({ address, identity }) => [address, identity ?? null] as const);
  const areBlobs = listFiles(files).every((file) => file === undefined || file.blob); // which never change
  const isComplete =
    areBlobs || (known.length > 0 && known.every(([, state]) => state !== undefined));
  // ModelFiles that are absent are not a part of the model, and a copy does not list all of them.
  return isComplete
    ? JSON.stringify(known.filter(([, state]) => state !== null).sort())
    : undefined;
}

/** Keeps a model for the next visit, unless it is disposed of before. */
async function keepLater(key: number, files: ModelFiles, dtype: string, pending: WasmKeeping) {
  const shouldContinue = () => models.has(key);
  await new Promise((resolve) => setTimeout(resolve, QUIET_AFTER_MS));
  try {
    if (shouldContinue()) await keep(files, dtype, pending, shouldContinue);
  } finally {
    pending.free();
    performance.mark(CACHE_SETTLED);
  }
}

function modelOf(key: number) {
  const model = models.get(key);
  if (!model) throw createError("InputError", "the model was disposed of: load it again");
  return model;
}

/** Transfers every typed array in an answer. */
function handOver<T>(answer: T): T {
  if (answer === undefined) return answer;
  const buffers: ArrayBuffer[] = [];
  collectBuffers(answer, buffers);
  return Comlink.transfer(answer as any, buffers);
}

function collectBuffers(value: unknown, buffers: ArrayBuffer[]) {
  if (ArrayBuffer.isView(value)) buffers.push(value.buffer as ArrayBuffer);
  else if (typeof value === "object" && value !== null)
    Object.values(value).forEach((inner) => collectBuffers(inner, buffers));
}

/**
 * A panic inside an async wasm function, or a rest of the module that cannot be had, surfaces as an error of the worker and
 * leaves its promise pending for ever.
 */
function unlessPanicked<T>(promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    hanging.add(reject);
    promise.then(resolve, reject).finally(() => hanging.delete(reject));
  });
}

function rejectHanging(event: Event, error: unknown) {
  if (!(error instanceof WebAssembly.RuntimeError || hasStableName(error))) return;
  hanging.forEach((reject) => reject(error));
  if (hasStableName(error))
    event.preventDefault(); // the calls that hang report it
  else self.postMessage({ failed: unexpected(error).message });
}
self.addEventListener("error", (event) => rejectHanging(event, event.error));
self.addEventListener("unhandledrejection", (event) => rejectHanging(event, event.reason));

/** Gives every exception of the functions a stable name. */
function withErrorNames<T extends Record<string, (...args: any[]) => any>>(functions: T): T {
  const wrapped = Object.entries(functions).map(([name, call]) => [
    name,
    async (...args: any[]) => {
      try {
        return await call(...args);
      } catch (error) {
        throw hasStableName(error) ? error : unexpected(error);
      }
    },
  ]);
  return Object.fromEntries(wrapped);
}

/**
 * An exception that no code expected: a trap, a full stack, an allocation that the browser refused. It passed through wasm
 * functions without running their destructors, so the page discards this worker.
 */
function unexpected(error: unknown) {
  console.error(error);
  return createError(
    "WorkerError",
    `the computation failed inside the WebAssembly module, for want of memory or by a bug of Candlescope (${describe(error)}); the next call starts a new worker and loads the model again`,
  );
}

/** The engine's words, but for those that mean a Rust panic, whose message is on the console. */
function describe(error: unknown) {
  return error instanceof WebAssembly.RuntimeError ? "a trap, see the console" : String(error);
}
