// Starts the wasm module with as many threads as the page may have. Threads need shared memory, which a page has only
// where its server isolates it (the README says how); elsewhere, and where anything is refused, there is one.

import init, { askHelpers } from "./pkg/candlescope.js";
import { LazyModule } from "./lazy-module.js";

/** More would wait for memory, not for arithmetic. */
const MOST = 8;
/** Helpers start so much later: what a first pattern needs is too little to share, and starting takes the cores from it. */
const HELP_AFTER_MS = 1000;

/** Starts the primary module, or the whole one; returns the loader of the secondary module if there is one. */
export async function start(): Promise<LazyModule | undefined> {
  const threads = Math.min(navigator.hardwareConcurrency || 1, MOST);
  if (threads > 1 && globalThis.crossOriginIsolated && typeof SharedArrayBuffer === "function") {
    const lazyModule = await begin("candlescope_threads").catch(alone);
    if (lazyModule) {
      hire(threads - 1).catch(alone); // a page on another site
      return lazyModule;
    }
  }
  try {
    return await begin("candlescope");
  } catch (error) {
    console.info(`candlescope takes its wasm module as a whole: ${error}`);
    await init({ module_or_path: file("candlescope_bg") });
  }
}

function alone(error: unknown) {
  console.info(`candlescope runs in one thread: ${error}`);
}

async function begin(build: string) {
  const primary = await init({ module_or_path: file(`${build}_primary`) });
  return new LazyModule(primary, file(`${build}_secondary`));
}

function file(name: string) {
  return new URL(`./pkg/${name}.wasm`, import.meta.url);
}

/** Helpers come when they come; until then the others do their work. */
async function hire(count: number) {
  const asked = askHelpers(count);
  await new Promise((resolve) => setTimeout(resolve, HELP_AFTER_MS));
  for (let number = 1; number <= count; number++) {
    const helper = new Worker(new URL("./helper.js", import.meta.url), {
      type: "module",
      name: `candlescope helper ${number}`,
    });
    helper.postMessage({ ...asked, number });
  }
}
