// Starts the worker in a browser, from the same server or another one, and in a bundle.

import { createError, messageOf } from "./errors.js";
import { directiveThatBlocked, trustedAddress } from "./policy.js";

const trusted = trustedAddress("candlescope");

/** The worker's script, which lies beside the script that this module is in. */
const SCRIPT = "./worker.js";

export interface StartedWorker {
  thread: Worker;
  /** for messages */
  address: string;
  /** for messages: what to do if nothing is at the address */
  hint?: string;
  /** the script of the page's own that imports a worker from another origin */
  importer?: string;
  /** whether the thread itself reports that it has ended */
  reportsExit?: boolean;
}

/** Vite serves dependencies from this folder. Before version 8 it does not correct the addresses in them. */
const OPTIMIZED = "/.vite/deps/";

/** @throws NetworkError */
export function startBrowserWorker(): StartedWorker {
  const address = beside(import.meta.url);
  const early = earlyWorker();
  if (early) return { thread: early, ...described(address) };
  try {
    return { thread: newWorker(address), ...described(address) };
  } catch (error) {
    throw createError(
      "NetworkError",
      `the worker cannot be started from ${address} (${messageOf(error)}); a Content-Security-Policy must allow it in worker-src, and the policy candlescope in trusted-types`,
    );
  }
}

function newWorker(address: URL): Worker {
  if (isForeign(address))
    return new Worker(trusted(importerOf(address)), { type: "module", name: "candlescope" });
  try {
    // Bundlers look for this very expression: they bundle the worker and put its new address here.
    return new Worker(new URL("./worker.js", import.meta.url), {
      type: "module",
      name: "candlescope",
    });
  } catch (error) {
    // A page that demands Trusted Types refuses it, with a TypeError.
    if (!(error instanceof TypeError)) throw error;
    return new Worker(trusted(address), { type: "module", name: "candlescope" });
  }
}

/** The error of a worker that did not start. */
export async function startError(
  { address, importer: own, hint }: StartedWorker,
  message: string,
): Promise<Error> {
  // What a policy must allow. The browser does not report what an importing script is not allowed to import.
  const sources = [...(own ? [new URL(own).protocol] : []), new URL(address).origin].join(" ");
  const directive = await directiveThatBlocked(own ?? address);
  if (directive)
    return createError(
      "NetworkError",
      `the worker was stopped by this page's Content-Security-Policy (${directive}): allow ${sources} in its worker-src`,
    );
  const tail = [
    hint && `; ${hint}`,
    message && ` (${message})`,
    own && `; if the page has a Content-Security-Policy, allow ${sources} in its worker-src`,
  ];
  return createError(
    "NetworkError",
    `the worker cannot be started: expected ${address} and pkg/ beside it${tail.filter(Boolean).join("")}`,
  );
}

/** Not written at its use, because a bundler would copy the script a second time. */
function beside(module: string) {
  return new URL(SCRIPT, module);
}

function described(address: URL) {
  const { href } = address;
  const hint =
    'Vite before version 8 needs `optimizeDeps: { exclude: ["candlescope", "candlescope-shakespeare"] }`';
  return {
    address: href,
    ...(href.includes(OPTIMIZED) && { hint }),
    ...(isForeign(address) && { importer: importerOf(address) }),
  };
}

/** The worker that index.html starts before its modules have loaded, in a global variable, unless it has failed. */
function earlyWorker(): Worker | null {
  const page = globalThis as { candlescopeWorker?: unknown };
  const worker = page.candlescopeWorker;
  if (!(worker instanceof Worker)) return null; // an element with this id is a global variable too
  page.candlescopeWorker = null;
  worker.onerror = null;
  return worker;
}

/** Whether a script has another origin than the page. Some bundlers replace `import.meta.url` by the path of the source. */
function isForeign({ protocol, origin }: URL) {
  return protocol !== "file:" && origin !== self.origin;
}

/** The address of a script that imports a worker from another origin. */
let importer = "";

/** A worker must have the page's origin, so a worker of another one is imported by a script of the page's. */
function importerOf({ href }: URL) {
  const script = `import ${JSON.stringify(href)};`;
  // A sandboxed frame has no origin: Chrome starts no module from a blob there.
  if (self.origin === "null") return `data:text/javascript,${encodeURIComponent(script)}`;
  importer ||= URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  return importer;
}
