// Starts the wasm module with as many threads as the page may have. Threads need shared memory, which a page has only if its
// server isolates it (docs/guide.md says how). Otherwise, or if the browser refuses, there is one thread.

import { trustedAddress } from "../api/policy.js";
import { LazyModule } from "./lazy-module.js";
import init, { askHelpers } from "./pkg/candlescope.js";
import { oneThread, type SplitModule, threads as manyThreads } from "./wasm-files.js";
import { whole } from "./whole-module.js";

/** With more threads, products are limited by the memory's bandwidth. */
const MAX_THREADS = 8;
/** The first pattern is too little work to share, and starting the threads would take time from it. */
const SPAWN_AFTER_MS = 1000;

/** What a helper thread is started with (helper.ts). */
export interface HelperRequest {
  /** the compute kernels */
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  /** the address of the thread pool in the memory */
  pool: number;
  /** from 1 */
  number: number;
}

/** Starts the primary module, or the whole one; returns the loader of the secondary module if there is one. */
export async function start(): Promise<LazyModule | undefined> {
  const threads = Math.min(navigator.hardwareConcurrency || 1, MAX_THREADS);
  if (threads > 1 && globalThis.crossOriginIsolated && typeof SharedArrayBuffer === "function") {
    const lazyModule = await begin(manyThreads).catch(reportSingleThread);
    if (lazyModule) {
      spawnWorkers(threads - 1).catch(reportSingleThread); // refused on a page of another site
      return lazyModule;
    }
  }
  try {
    return await begin(oneThread);
  } catch (error) {
    if (!whole) throw error;
    console.info(`candlescope takes its wasm module as a whole: ${error}`);
    await init({ module_or_path: whole });
  }
}

function reportSingleThread(error: unknown) {
  console.info(`candlescope runs in one thread: ${error}`);
}

async function begin({ primary, secondary }: SplitModule) {
  return new LazyModule(await init({ module_or_path: primary }), secondary);
}

/** Starts the helper threads. Each joins the thread pool when it is ready; products do not wait for it. */
async function spawnWorkers(count: number) {
  const request: Omit<HelperRequest, "number"> = askHelpers(count);
  await new Promise((resolve) => setTimeout(resolve, SPAWN_AFTER_MS));
  for (let number = 1; number <= count; number++)
    newHelper().postMessage({ ...request, number } satisfies HelperRequest);
}

const HELPER = "./helper.js";
const trusted = trustedAddress("candlescope");
let needsTrust = false;

/** As the worker (start-worker.ts): bundlers look for the first expression, which a policy with Trusted Types refuses. */
function newHelper(): Worker {
  if (!needsTrust)
    try {
      // The same for each, because bundlers read the options too.
      return new Worker(new URL("./helper.js", import.meta.url), {
        type: "module",
        name: "candlescope helper",
      });
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      needsTrust = true;
    }
  const address = trusted(beside(import.meta.url));
  return new Worker(address, { type: "module", name: "candlescope helper" });
}

/** A function of its own, because a bundler would copy the script a second time. */
function beside(module: string) {
  return new URL(HELPER, module);
}
