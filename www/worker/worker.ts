// The worker: owns the wasm module and every model in it, and implements the functions of worker-api.ts for the page.

import * as Comlink from "comlink";

import { createError } from "../api/errors.js";
import type { LoadRequest } from "../api/load-request.js";
import { haveAddresses, type ModelFiles } from "../api/model-files.js";
import type { LoadedModel, WorkerApi, WorkerMessage } from "../api/worker-api.js";
import { type Implementation, watchForTraps, withErrorNames, rejectOnTrap } from "./failures.js";
import { loadFiles } from "./load.js";
import { isModuleWhole, wholeModule } from "./module.js";
import { plainFetcher, RemoteFile } from "./network.js";
import type {
  WasmBatchGeneration,
  WasmGeneration,
  WasmMeasurement,
  WasmModel,
} from "./pkg/candlescope.js";
import { showingTo } from "./show.js";
import {
  forgetStored,
  labelOf,
  listStored,
  nameOf,
  nameOfContents,
  type PendingSave,
  save,
} from "./store.js";

/** A tokenizer from an address fails after this many milliseconds without a byte. */
const TOKENIZER_TIMEOUT_MS = 30_000;
/** How long a measurement runs before the worker handles other messages. */
const FRAME_MS = 16;
/** After a load, the first calls come first; then the model is stored and the secondary module is loaded. */
const IDLE_AFTER_MS = 700;

/** A mark on the worker's timeline for each load: the model is cached, or will not be. Tests and profilers read it. */
const CACHE_SETTLED = "candlescope:cache-settled";

let lastKey = 0;
const models: Map<number, WasmModel> = new Map();
const generations: Map<number, WasmGeneration> = new Map();
const batchGenerations: Map<number, WasmBatchGeneration> = new Map();
const measurements: Map<number, WasmMeasurement> = new Map();
/** Models for which the rest of the program is fetched only when a call needs it. */
const frugal: Set<number> = new Set();
/** The loads under way, by their job. */
const loads: Map<number, AbortController> = new Map();

const api: Implementation<WorkerApi> = {
  // ---- models ----

  async load(source, options, job, onProgress, fetch) {
    const controller = new AbortController();
    loads.set(job, controller);
    let lastReport: Promise<void> | undefined;
    try {
      const { files, request } = await resolveStored(source, options);
      const { model, origins, pending } = await loadFiles(
        files,
        request,
        controller,
        (progress) => {
          lastReport = Promise.resolve(onProgress(progress)).catch(() => {});
        },
        fetch,
      );
      const key = ++lastKey;
      models.set(key, model);
      if (pending) saveLater(key, files, request, pending);
      else performance.mark(CACHE_SETTLED);
      await lastReport; // it uses another port, so the answer could arrive first
      // A call that needs it tries again and reports it.
      if (request.prefetch) setTimeout(() => wholeModule().catch(() => {}), IDLE_AFTER_MS);
      else frugal.add(key);
      return { key, origins, isTransformed: false, ...describe(model) };
    } finally {
      loads.delete(job);
      for (const proxy of [onProgress, fetch] as (Partial<Comlink.ProxyMethods> | undefined)[])
        proxy?.[Comlink.releaseProxy]?.();
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

  async withParameters(key, weights) {
    await wholeModule();
    const model = modelOf(key).withParameters(weights);
    models.set(++lastKey, model);
    return { key: lastKey, origins: undefined, isTransformed: true, ...describe(model) };
  },

  async withTokenizer(key, files) {
    await wholeModule();
    const { signal } = new AbortController();
    const context = { signal, timeout: TOKENIZER_TIMEOUT_MS, fetcher: plainFetcher };
    const opened = files.map((file) => new RemoteFile(file, context));
    const model = await rejectOnTrap<WasmModel>(modelOf(key).withTokenizer(opened, signal));
    models.set(++lastKey, model);
    return { key: lastKey, origins: undefined, isTransformed: true, ...describe(model) };
  },

  async fingerprint(key, isNeeded) {
    return isNeeded || !frugal.has(key) || isModuleWhole() ? fingerprintOf(key) : undefined;
  },

  dispose(key) {
    models.get(key)?.free();
    models.delete(key);
    frugal.delete(key);
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

  async parameter(key, name, options) {
    await wholeModule();
    return transferred(modelOf(key).parameter(name, options));
  },

  tokenize(key, input, prependBos) {
    return transferred(modelOf(key).tokenize(input, prependBos));
  },

  tokenNames(key, ids) {
    return transferred(modelOf(key).tokenNames(ids));
  },

  detokenize(key, ids) {
    return modelOf(key).detokenize(ids);
  },

  runWithCache(key, input, options, listener) {
    return transferred(showingTo(listener, () => modelOf(key).runWithCache(input, options)));
  },

  async runBatch(key, inputs, options, listener) {
    await wholeModule();
    return transferred(showingTo(listener, () => modelOf(key).runBatch(inputs, options)));
  },

  async toPython(key, call, input, options, folder) {
    await wholeModule();
    return modelOf(key).toPython(call, input, options, folder);
  },

  // ---- generations ----

  async generate(key, input, options) {
    await wholeModule();
    const generation = modelOf(key).generate(input, options);
    generations.set(++lastKey, generation);
    return lastKey;
  },

  next(generation, listener) {
    return transferred(showingTo(listener, () => generations.get(generation)?.next()));
  },

  async generateBatch(key, inputs, options) {
    await wholeModule();
    const generation = modelOf(key).generateBatch(inputs, options);
    batchGenerations.set(++lastKey, generation);
    return lastKey;
  },

  nextOfEach(generation, listener) {
    return transferred(showingTo(listener, () => batchGenerations.get(generation)?.next()));
  },

  stop(generation) {
    batchGenerations.get(generation)?.free();
    batchGenerations.delete(generation);
    generations.get(generation)?.free();
    generations.delete(generation);
  },

  // ---- measurements ----

  async measure(key, name, request, listener) {
    await wholeModule();
    const measurement = showingTo(listener, () => modelOf(key).measure(name, request));
    measurements.set(++lastKey, measurement);
    return lastKey;
  },

  advance(key, listener) {
    const measurement = measurements.get(key);
    if (!measurement) return { more: false, done: 0, total: 0 };
    const start = performance.now();
    let more = true;
    while (more && performance.now() - start < FRAME_MS)
      more = showingTo(listener, () => measurement.step());
    return { more, done: measurement.done(), total: measurement.total() };
  },

  findings(measurement, listener) {
    return transferred(showingTo(listener, () => measurements.get(measurement)?.finish()));
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

/** A hash of a model; undefined if it is disposed of meanwhile. */
async function fingerprintOf(key: number): Promise<string | undefined> {
  await wholeModule();
  for (let start = performance.now(); models.has(key); ) {
    const fingerprint = modelOf(key).fingerprintStep();
    if (fingerprint !== undefined) return fingerprint;
    if (performance.now() - start < FRAME_MS) continue;
    await new Promise((resolve) => setTimeout(resolve));
    start = performance.now();
  }
}

/** The files of a stored model, so that its copy is renewed if they have changed. */
async function resolveStored(files: ModelFiles, request: LoadRequest) {
  if (files.stored === undefined) return { files, request };
  const label = await labelOf(files.stored);
  if (!label)
    throw createError(
      "InputError",
      `the browser no longer keeps ${files.name}: load it from its source again`,
    );
  const { dtype, config } = label;
  return { files: label.files ?? files, request: { ...request, dtype, config } };
}

/** Stores a model for the next visit, unless it is disposed of before. */
async function saveLater(
  key: number,
  files: ModelFiles,
  { dtype, config }: LoadRequest,
  pending: PendingSave,
) {
  const shouldContinue = () => models.has(key);
  await new Promise((resolve) => setTimeout(resolve, IDLE_AFTER_MS));
  try {
    if (!shouldContinue()) return;
    const fromServer = haveAddresses(files);
    const fingerprint = fromServer ? undefined : await fingerprintOf(key);
    if (!shouldContinue()) return;
    const name = await (fingerprint === undefined
      ? nameOf(files, { dtype, config })
      : nameOfContents(dtype, fingerprint)
    ).catch(() => "");
    const { checkpoint, parameterCount } = describe(modelOf(key));
    const label = {
      name: files.name,
      dtype,
      address: files.address,
      ...(fromServer && { files }),
      config,
      ...checkpoint,
      parameterCount,
    };
    await save(name, label, pending, shouldContinue);
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
