// Starts the wasm module with as many threads as the page may have. Threads need shared memory, which a page has only
// where its server isolates it (the README says how); elsewhere, and where anything is refused, there is one.

import init, { askHelpers } from "./pkg/candlescope.js";

/** More would wait for memory, not for arithmetic. */
const MOST = 8;

/** Loads the module; gives what `init` gives. */
export async function start() {
  const threads = Math.min(navigator.hardwareConcurrency || 1, MOST);
  if (threads > 1 && globalThis.crossOriginIsolated && typeof SharedArrayBuffer === "function") {
    try {
      const wasm = await init({ module_or_path: new URL("./pkg/candlescope_threads_bg.wasm", import.meta.url) });
      hire(threads - 1);
      return wasm;
    } catch (error) {
      console.info(`candlescope runs in one thread: ${error}`);
    }
  }
  return init({ module_or_path: new URL("./pkg/candlescope_bg.wasm", import.meta.url) });
}

/** Helpers come when they come; until then the others do their work. @param {number} count */
function hire(count) {
  const asked = askHelpers(count);
  for (let number = 1; number <= count; number++) {
    const helper = new Worker(new URL("./helper.js", import.meta.url), { type: "module", name: `candlescope helper ${number}` });
    helper.postMessage({ ...asked, number });
  }
}
