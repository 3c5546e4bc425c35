// Exceptions of the worker's functions: each gets a stable name, and a trap reports the worker as damaged.

import { createError, type ErrorName, hasStableName, type LabError } from "../api/errors.js";
import type { SentError, WorkerMessage } from "../api/worker-api.js";

/** Functions with whatever parameters: `never` is assignable to each of them. */
type Functions<T> = Record<keyof T, (...args: never[]) => unknown>;

/** The functions of T before they are asynchronous. */
export type Implementation<T extends Functions<T>> = {
  [Name in keyof T]: (
    ...args: Parameters<T[Name]>
  ) => ReturnType<T[Name]> | Awaited<ReturnType<T[Name]>>;
};

/** The same functions, asynchronous; each of their exceptions has a stable name. */
export function withErrorNames<T extends Functions<T>>(functions: Implementation<T>): T {
  const entries = Object.entries(functions as Functions<T>) as [string, Functions<T>[keyof T]][];
  const wrapped = entries.map(([name, call]) => [
    name,
    async (...args: never[]) => {
      try {
        return await call(...args);
      } catch (error) {
        throw hasStableName(error) ? withDetails(error) : workerError(error);
      }
    },
  ]);
  return Object.fromEntries(wrapped) as T;
}

/** Comlink sends the name, the message and the stack of an Error, but all of a plain object. */
function withDetails(error: LabError): LabError | SentError {
  const { name, message, missing, checkpoints } = error;
  if (!missing && !checkpoints) return error;
  return { sentError: { name: name as ErrorName, message, details: { missing, checkpoints } } };
}

/** The functions that reject the pending promises of wasm. */
const pending: Set<(error: unknown) => void> = new Set();

/**
 * Settles as the promise of an async wasm function does. A panic in such a function, or a failure to load the secondary
 * module, is reported as an error of the worker and leaves the promise pending, so it is rejected here.
 */
export function rejectOnTrap<T>(promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    pending.add(reject);
    promise.then(resolve, reject).finally(() => pending.delete(reject));
  });
}

/** Handles errors that no call catches. */
export function watchForTraps(): void {
  self.addEventListener("error", (event) => onUncaught(event, event.error));
  self.addEventListener("unhandledrejection", (event) => onUncaught(event, event.reason));
}

function onUncaught(event: Event, error: unknown) {
  if (!(error instanceof WebAssembly.RuntimeError || hasStableName(error))) return;
  for (const reject of pending) reject(error);
  if (hasStableName(error))
    event.preventDefault(); // the pending calls report it
  else self.postMessage({ failed: workerError(error).message } satisfies WorkerMessage);
}

/**
 * An exception that no code expects: a trap, a stack overflow, an allocation that the browser refused. It passed through wasm
 * functions without running their destructors, so the page replaces this worker.
 */
function workerError(error: unknown) {
  console.error(error);
  return createError(
    "WorkerError",
    `the computation failed inside the WebAssembly module, because memory ran out or because of a bug in Candlescope (${describe(error)}); the next call starts a new worker and loads the model again`,
  );
}

/** The engine's message, except for a Rust panic, whose message is on the console. */
function describe(error: unknown) {
  return error instanceof WebAssembly.RuntimeError ? "a trap, see the console" : String(error);
}
