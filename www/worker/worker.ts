// The worker: owns the wasm module and every model in it, and implements the functions of worker-api.ts for the page.

import * as Comlink from "comlink";

import { createError } from "../api/errors.js";
import type { ModelFiles } from "../api/source.js";
import type { LoadedModel, WorkerApi, WorkerMessage } from "../api/worker-api.js";
import { type Implementation, watchForTraps, withErrorNames } from "./failures.js";
import { loadFiles } from "./load.js";
import { wholeModule } from "./module.js";
import type { WasmGeneration, WasmMeasurement, WasmModel } from "./pkg/candlescope.js";
import { forgetStored, listStored, type PendingSave, save } from "./store.js";

/** How long a measurement runs before the worker handles other messages. */
const FRAME_MS = 16;
/** After a load, the first calls come first; then the model is stored and the secondary module is loaded. */
const IDLE_AFTER_MS = 700;

/** A mark on the worker's timeline for each load: the model is cached, or will not be. Tests and profilers read it. */
const CACHE_SETTLED = "candlescope:cache-settled";

let lastKey = 0;
const models: Map<number, WasmModel> = new Map();
const generations: Map<number, WasmGeneration> = new Map();
const measurements: Map<number, WasmMeasurement> = new Map();
/** The loads under way, by their job. */
const loads: Map<number, AbortController> = new Map();

const api: Implementation<WorkerApi> = {
  // ---- models ----

  async load(files, request, job, onProgress) {
    const controller = new AbortController();
    loads.set(job, controller);
    let lastReport: Promise<void> | undefined;
    try {
      const { model, origins, pending } = await loadFiles(
        files,
        request,
        controller,
        (progress) => {
          lastReport = Promise.resolve(onProgress(progress)).catch(() => {});
        },
      );
      const key = ++lastKey;
      models.set(key, model);
      if (pending) saveLater(key, files, request.dtype, pending);
      else performance.mark(CACHE_SETTLED);
      await lastReport; // it uses another port, so the answer could arrive first
      setTimeout(() => wholeModule().catch(() => {}), IDLE_AFTER_MS); // a call that needs it tries again and reports it
      return { key, origins, isTransformed: false, ...describe(model) };
    } finally {
      loads.delete(job);
      (onProgress as Partial<Comlink.ProxyMethods>)[Comlink.releaseProxy]?.();
    }
  },

  abort(job) {
    loads.get(job)?.abort();
  },

  async transform(key, transforms) {
    await wholeModule();
    const model = modelOf(key).transformed([...transforms]);
    models.set(++lastKey, model);
    return { key: lastKey, origins: undefined, isTransformed: true, ...describe(model) };
  },

  async fingerprint(key) {
    await wholeModule();
    for (let start = performance.now(); models.has(key); ) {
      const fingerprint = modelOf(key).fingerprintStep();
      if (fingerprint !== undefined) return fingerprint;
      if (performance.now() - start < FRAME_MS) continue;
      await new Promise((resolve) => setTimeout(resolve));
      start = performance.now();
    }
  },

  dispose(key) {
    models.get(key)?.free();
    models.delete(key);
  },

  // ---- the worker itself ----

  holdLock(name) {
    return new Promise((resolve) => {
      const hold = async () =>
        navigator.locks.request(name, () => {
          resolve(true);
          return new Promise(() => {});
        });
      hold().catch(() => resolve(false));
    });
  },

  ping() {
    return true;
  },

  stored: listStored,
  forgetStored,

  // ---- calls ----

  tokenize(key, input, prependBos) {
    return transferred(modelOf(key).tokenize(input, prependBos));
  },

  tokenNames(key, ids) {
    return transferred(modelOf(key).tokenNames(ids));
  },

  detokenize(key, ids) {
    return modelOf(key).detokenize(ids);
  },

  runWithCache(key, input, options) {
    return transferred(modelOf(key).runWithCache(input, options));
  },

  async toPython(key, call, input, options, folder) {
    await wholeModule();
    return modelOf(key).toPython(call, input, options, folder);
  },

  // ---- generations ----

  generate(key, input, options) {
    const generation = modelOf(key).generate(input, options);
    generations.set(++lastKey, generation);
    return lastKey;
  },

  next(generation) {
    return transferred(generations.get(generation)?.next());
  },

  stop(generation) {
    generations.get(generation)?.free();
    generations.delete(generation);
  },

  // ---- measurements ----

  async measure(key, name, request) {
    await wholeModule();
    measurements.set(++lastKey, modelOf(key).measure(name, request));
    return lastKey;
  },

  advance(key) {
    const measurement = measurements.get(key);
    if (!measurement) return { more: false, done: 0, total: 0 };
    const start = performance.now();
    let more = true;
    while (more && performance.now() - start < FRAME_MS) more = measurement.step();
    return { more, done: measurement.done(), total: measurement.total() };
  },

  findings(measurement) {
    return transferred(measurements.get(measurement)?.finish());
  },

  forget(measurement) {
    measurements.get(measurement)?.free();
    measurements.delete(measurement);
  },
};

// Before the listener of Comlink, so that the page knows which message a worker that does not answer is handling.
self.addEventListener("message", ({ data }: MessageEvent<{ id?: string } | null>) => {
  if (data?.id) self.postMessage({ started: data.id } satisfies WorkerMessage);
});
Comlink.expose(withErrorNames<WorkerApi>(api));
watchForTraps();

/** The fields of a model that the page reads. */
function describe(model: WasmModel): Omit<LoadedModel, "key" | "origins" | "isTransformed"> {
  return model.describe();
}

/** Stores a model for the next visit, unless it is disposed of before. */
async function saveLater(key: number, files: ModelFiles, dtype: string, pending: PendingSave) {
  const shouldContinue = () => models.has(key);
  await new Promise((resolve) => setTimeout(resolve, IDLE_AFTER_MS));
  try {
    if (shouldContinue()) await save(files, dtype, pending, shouldContinue);
  } finally {
    pending.free();
    performance.mark(CACHE_SETTLED);
  }
}

/** @throws InputError */
function modelOf(key: number) {
  const model = models.get(key);
  if (!model) throw createError("InputError", "the model was disposed of: load it again");
  return model;
}

/** The same answer, whose typed arrays are transferred. */
function transferred<T>(answer: T): T {
  if (answer === undefined) return answer;
  const buffers: ArrayBuffer[] = [];
  collectBuffers(answer, buffers);
  return Comlink.transfer(answer, buffers);
}

function collectBuffers(value: unknown, buffers: ArrayBuffer[]) {
  if (ArrayBuffer.isView(value)) buffers.push(value.buffer as ArrayBuffer);
  else if (typeof value === "object" && value !== null)
    for (const inner of Object.values(value)) collectBuffers(inner, buffers);
}
