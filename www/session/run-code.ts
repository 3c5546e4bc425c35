// Runs JavaScript that a visitor wrote, with variables such as the model. It can be stopped where it waits for something, and an
// error says in which line of the code it happened. No DOM.

import { type Printed, printed } from "./printed.js";

export interface RunOptions {
  signal: AbortSignal;
  /** called with everything that the code prints, while it runs: as the code panel shows it, and the value itself */
  onPrint: (printed: Printed, value: unknown) => void;
  /** the variables whose calls are watched; without it, all that are no plain data */
  watches?: (value: object) => boolean;
}

/** The name that stack traces have for the code. */
const NAME = "code-panel.js";

type AsyncFunctionConstructor = new (
  ...parts: string[]
) => (...values: unknown[]) => Promise<unknown>;
const AsyncFunction = (async () => {}).constructor as AsyncFunctionConstructor;

/**
 * Runs code as the body of an async function. What it returns is printed, unless it is undefined.
 * @param variables by name; calls of their methods end when the run is stopped
 * @returns how it failed, or null
 */
export async function runCode(
  code: string,
  variables: Readonly<Record<string, unknown>>,
  { signal, onPrint, watches = () => true }: RunOptions,
): Promise<Printed | null> {
  const trace = new Trace();
  try {
    signal.throwIfAborted();
    const print = (...values: unknown[]) => {
      signal.throwIfAborted();
      for (const value of values) onPrint(printed(value), value);
    };
    const watched = Object.entries(variables).map(([name, value]) => [
      name,
      isInstance(value) && watches(value) ? watch(value, signal, trace) : value,
    ]);
    const all: Record<string, unknown> = { ...Object.fromEntries(watched), print, signal };
    const body = await compiled(Object.keys(all), `${code}\n//# sourceURL=${NAME}`, trace);
    const value = await untilStopped(body(...Object.values(all)), signal);
    if (value !== undefined) print(value);
    return null;
  } catch (error) {
    if (signal.aborted)
      return { kind: "error", name: "stopped", message: "The code was stopped.", line: null };
    return failure(error, trace);
  }
}

/** @throws SyntaxError, whose line `trace` knows if the browser says it */
async function compiled(names: readonly string[], code: string, trace: Trace) {
  try {
    return new AsyncFunction(...names, code);
  } catch (error) {
    if (error instanceof SyntaxError)
      trace.add(error, syntaxLine(error) ?? (await reported(names, code)));
    throw error;
  }
}

/** Rejects when the run is stopped, whatever the code waits for. */
async function untilStopped<T>(result: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop: (() => void) | undefined;
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop);
  });
  try {
    return await Promise.race([result, stopped]);
  } finally {
    if (stop) signal.removeEventListener("abort", stop);
  }
}

// ---- calls of methods ----

/**
 * An object whose methods reject when the run is stopped. An error of a method keeps the line that called it, because the stack of
 * an error that comes from the worker does not have it.
 */
function watch(value: object, signal: AbortSignal, trace: Trace): unknown {
  const watched = new Proxy(value, {
    get(target, name) {
      const found = Reflect.get(target, name, target); // private fields belong to the object itself
      if (typeof found !== "function" || name === "constructor") return found;
      return (...args: unknown[]) => {
        signal.throwIfAborted();
        const line = lineOf(new Error());
        let result: unknown;
        try {
          result = found.apply(target, args);
        } catch (error) {
          throw trace.add(error, line);
        }
        if (result instanceof Promise)
          return untilStopped(result, signal).catch((error) => {
            throw trace.add(error, line);
          });
        return isIterator(result) ? steps(result, signal, trace, line) : result;
      };
    },
  });
  WATCHED.set(watched, value);
  return watched;
}

/** What watched objects stand for. */
const WATCHED: WeakMap<object, object> = new WeakMap();

/** The object itself, if the value is one that is watched. */
export function unwatched(value: unknown): unknown {
  return typeof value === "object" && value !== null ? (WATCHED.get(value) ?? value) : value;
}

/** Plain data has no methods to watch. */
function isInstance(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype !== Object.prototype && prototype !== null && !Array.isArray(value);
}

function isIterator(value: unknown): value is AsyncGenerator<unknown, void, void> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}

async function* steps(
  generation: AsyncGenerator<unknown, void, void>,
  signal: AbortSignal,
  trace: Trace,
  line: number | null,
) {
  try {
    for (;;) {
      const { done, value } = await untilStopped(generation.next(), signal);
      if (done) return;
      yield value;
    }
  } catch (error) {
    throw trace.add(error, line);
  } finally {
    generation.return(undefined).catch(() => {});
  }
}

// ---- lines ----

/** The lines whose calls failed, by their errors. */
class Trace {
  #lines: WeakMap<object, number> = new WeakMap();

  /** @returns the error */
  add(error: unknown, line: number | null): unknown {
    if (typeof error === "object" && error !== null && line !== null && !this.#lines.has(error))
      this.#lines.set(error, line);
    return error;
  }

  lineOf(error: object): number | undefined {
    return this.#lines.get(error);
  }
}

function failure(error: unknown, trace: Trace): Printed {
  if (!(error instanceof Error))
    return { kind: "error", name: "thrown", message: printedText(error), line: null };
  if (error.name === "EvalError")
    return {
      kind: "error",
      name: "EvalError",
      message:
        "this page's Content-Security-Policy forbids code that is written here: its script-src lacks 'unsafe-eval'. The browser's console runs code without it: candlescope.model is the model there",
      line: null,
    };
  const line = trace.lineOf(error) ?? lineOf(error);
  return { kind: "error", name: error.name, message: error.message, line };
}

function printedText(value: unknown) {
  const found = printed(value);
  return found.kind === "text" ? found.text : found.kind;
}

/** The line of the code in a stack, from 1; null if it has none. */
function lineOf({ stack = "" }: Error): number | null {
  const found = new RegExp(`${NAME.replace(".", "\\.")}:(\\d+)`).exec(stack);
  return found ? Number(found[1]) - offset() : null;
}

/** Firefox and Safari say the line of a syntax error. */
function syntaxLine(error: Error): number | null {
  const { lineNumber, line = lineNumber } = error as { lineNumber?: number; line?: number };
  return line === undefined ? null : Math.max(1, line - offset());
}

/** Chromium says it only in the event of an error that nothing catches. The event goes no further. */
function reported(names: readonly string[], code: string): Promise<number | null> {
  if (!("ErrorEvent" in globalThis)) return Promise.resolve(null);
  return new Promise((done) => {
    let line: number | null = null;
    const listen = (event: Event) => {
      event.preventDefault();
      event.stopImmediatePropagation();
      if (event instanceof ErrorEvent) line = Math.max(1, event.lineno - offset());
    };
    setTimeout(() => {
      // The event comes right after this function, before anything else runs.
      globalThis.addEventListener("error", listen, { capture: true });
      setTimeout(() => {
        globalThis.removeEventListener("error", listen, { capture: true });
        done(line);
      });
      new AsyncFunction(...names, code);
    });
  });
}

let measured: number | undefined;

/** The lines that the browser puts before the body of a function. */
function offset(): number {
  if (measured === undefined) {
    measured = 0;
    const probe = new Function(`throw new Error()\n//# sourceURL=${NAME}`);
    try {
      probe();
    } catch (error) {
      measured = (lineOf(error as Error) ?? 1) - 1;
    }
  }
  return measured;
}
