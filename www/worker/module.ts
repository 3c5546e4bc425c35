// The wasm module of this worker, which starts to load at once.

import { createError, messageOf } from "../api/errors.js";
import { directiveThatBlocked } from "../api/policy.js";
import { start } from "./threads.js";
import { oneThread } from "./wasm-files.js";

/** A module with one function that returns a vector: valid if the browser has SIMD. */
const SIMD_PROBE = "AGFzbQEAAAABBQFgAAF7AwIBAAoIAQYAQQD9Dws=";

/**
 * Resolves when the module, or its primary part, can be called.
 * @throws InternalError if the browser cannot run it; NetworkError
 */
export const moduleReady = start().catch(async (error: unknown) => {
  throw error instanceof WebAssembly.CompileError ? compileError(error) : await fetchError(error);
});
moduleReady.catch(() => {}); // reported by the calls that wait for it

/**
 * Resolves when the secondary part is there too. Calls that need it wait for it, because a call into it before loads it
 * synchronously.
 * @throws as moduleReady
 */
export async function wholeModule(): Promise<void> {
  await (await moduleReady)?.ensureLoaded();
  isWhole = true;
}

let isWhole = false;

/** Whether a call has waited for the secondary part, and it is there. */
export function isModuleWhole(): boolean {
  return isWhole;
}

async function fetchError(error: unknown) {
  const { href, origin } = oneThread.primary;
  const directive = await directiveThatBlocked(href);
  return createError(
    "NetworkError",
    directive
      ? `the WebAssembly module was stopped by this page's Content-Security-Policy (${directive}): allow ${origin} there`
      : `the WebAssembly module cannot be loaded, expected it in pkg/ beside worker.js (${messageOf(error)})`,
  );
}

function compileError(error: WebAssembly.CompileError) {
  if (/content.security.policy|unsafe-eval|blocked by CSP/i.test(error.message))
    return createError(
      "NetworkError",
      "the WebAssembly module was stopped by this page's Content-Security-Policy (script-src): allow 'wasm-unsafe-eval' there",
    );
  if (!hasSimd())
    return createError(
      "InternalError",
      "this browser has no SIMD in WebAssembly, which Candlescope needs: Chrome has it from version 91, Firefox from 89, Safari from 16.4",
    );
  return createError(
    "InternalError",
    `this browser cannot compile the WebAssembly module (${error.message})`,
  );
}

function hasSimd() {
  return WebAssembly.validate(
    Uint8Array.from(atob(SIMD_PROBE), (character) => character.charCodeAt(0)),
  );
}
