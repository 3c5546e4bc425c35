// The connection to the page's one worker: starts it, calls it, notices when it has died or hangs, and replaces it.
//
// A worker dies when a wasm call traps (its memory may then be inconsistent), when it closes or the browser ends it, or when
// a call that was aborted does not come back. Its pending calls then reject with a WorkerError; the next call starts a new
// worker. Which models a worker holds is the concern of model-handle.js.

import * as Comlink from "comlink";

import { problem } from "./errors.js";
import type { WorkerApi } from "../worker/worker.js";

export type Api = Comlink.Remote<WorkerApi>;
/** what: the name of the call, for messages; isLoad: it waits for a network. */
export type CallOptions = { signal?: AbortSignal; what?: string; isLoad?: boolean };
/** onLate: gets the answer that comes after the call was aborted, to free what it names. */
export type FullOptions<T> = CallOptions & { onLate?: (value: T) => void };
/** started: when the worker began it, in ms; ids: of the messages that were sent for it. done: resolves when it was answered or failed. */
export type Call = {
  fail: (error: Error) => void;
  aborted: boolean;
  ids: Set<string>;
  started: number;
  done: Promise<void>;
};

/** An aborted call may take this many times as long as the longest call so far, within these limits, before the worker counts as stuck. */
const GRACE_FACTOR = 2;
const MIN_GRACE_MS = 1000;
const MAX_GRACE_MS = 10_000;

export class Connection {
  #thread;
  #api;
  #calls: Set<Call> = new Set();
  /** The call whose message is being sent. */
  #sending: Call | undefined;
  /** The call that the worker began last. */
  #last: Call | undefined;
  #hasAnswered = false;
  /** The longest time that the worker took for a call in ms, loads excluded. */
  #longest = 0;
  #isWatched = false;
  #death: Error | undefined;
  #lifetime = new AbortController();

  /** @param address for messages */
  constructor(thread: Worker, address: URL) {
    this.#thread = thread;
    thread.addEventListener("message", ({ data }) => {
      this.#hasAnswered = true;
      if (data?.started) this.#begun(data.started);
      if (data?.failed) this.#end(problem("WorkerError", data.failed));
    });
    thread.addEventListener("messageerror", () => this.#die("sent an answer that cannot be read"));
    thread.addEventListener("error", (event) => {
      if (event.message && this.#hasAnswered) return; // an exception inside the worker, which the call that caused it reports
      this.#end(
        problem(
          "NetworkError",
          `the worker cannot be started: expected ${address} and pkg/ beside it${event.message ? ` (${event.message})` : ""}`,
        ),
      );
    });
    this.#api = Comlink.wrap(this.#endpoint()) as Api;
    this.#detectExit();
  }

  get isDead() {
    return this.#death !== undefined;
  }

  /**
   * Calls the worker.
   * @throws AbortError as soon as the signal fires; WorkerError when the worker has died; InputError when an argument cannot
   *   be sent; otherwise what the worker's function throws
   */
  call<T>(
    send: (api: Api) => Promise<T>,
    { signal, what = "the call", isLoad = false, onLate = () => {} }: FullOptions<T> = {},
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) throw aborted(what, signal);
      if (this.#death) throw this.#death;
      let resolveDone = () => {};
      const done = new Promise((resolve) => (resolveDone = () => resolve())) as Promise<void>;
      const finish = () => {
        this.#calls.delete(call);
        signal?.removeEventListener("abort", onAbort);
        resolveDone();
      };
      const call: Call = {
        fail: (error) => (finish(), reject(error)),
        aborted: false,
        ids: new Set(),
        started: Infinity,
        done,
      };
      const onAbort = () => {
        call.aborted = true;
        reject(aborted(what, signal));
        this.#watch();
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#calls.add(call);
      this.#send(call, send)
        .then(
          (value) => (call.aborted ? onLate(value) : resolve(value)),
          (error) => reject(this.#failure(error)),
        )
        .finally(() => {
          finish();
          if (!isLoad) this.#longest = Math.max(this.#longest, performance.now() - call.started);
        });
    });
  }

  #send<T>(call: Call, send: (api: Api) => Promise<T>): Promise<T> {
    this.#sending = call;
    try {
      return Promise.resolve(send(this.#api));
    } finally {
      this.#sending = undefined;
    }
  }

  /** The worker as Comlink sees it, with a record of which message belongs to which call. */
  #endpoint(): Comlink.Endpoint {
    const thread = this.#thread;
    return {
      postMessage: (message, transfer) => {
        this.#sending?.ids.add(message.id);
        thread.postMessage(message, transfer ?? []);
      },
      addEventListener: thread.addEventListener.bind(thread),
      removeEventListener: thread.removeEventListener.bind(thread),
    };
  }

  /** @param id of a message that the worker begins to handle */
  #begun(id: string) {
    const call = [...this.#calls].find(({ ids }) => ids.has(id));
    if (!call) return; // a ping
    call.started = performance.now();
    this.#last = call;
  }

  /** What a failed call rejects with. */
  #failure(error: any) {
    if (error?.name === "DataCloneError")
      return problem("InputError", `an argument cannot be sent to the worker: ${error.message}`);
    if (error?.name === "WorkerError") this.#end(error);
    return error;
  }

  // ---- death ----

  /** @param what the worker did */
  #die(what: string) {
    this.#end(
      problem(
        "WorkerError",
        `the worker ${what}, and what it was computing is lost; the next call starts a new one and loads the model again`,
      ),
    );
  }

  #end(error: Error) {
    if (this.#death) return;
    this.#death = error;
    this.#thread.terminate(); // with its helper threads
    this.#lifetime.abort();
    for (const call of [...this.#calls]) call.fail(error);
  }

  /** A worker that exits releases the lock that it holds, and the page gets it. Without the Web Locks API nothing tells of an exit. */
  async #detectExit() {
    const { locks } = navigator;
    if (!locks) return;
    const name = `candlescope-worker-${Date.now()}-${Math.random()}`;
    try {
      if (!(await this.#api.holdLock(name))) return;
      await locks.request(name, { signal: this.#lifetime.signal }, () =>
        this.#die("ended unexpectedly"),
      );
    } catch {
      // the lifetime is over, or the page may not use locks
    }
  }

  /** Ends the worker if a call that was aborted blocks it for longer than the grace period. */
  async #watch() {
    if (this.#isWatched || this.#death) return;
    this.#isWatched = true;
    let silentMs = 0;
    while (!this.#death && this.#abortedCalls().length > 0) {
      const grace = Math.min(MAX_GRACE_MS, Math.max(MIN_GRACE_MS, GRACE_FACTOR * this.#longest));
      const isAlive = await Promise.race([
        this.#api.ping().catch(() => true),
        delay(grace).then(() => false),
      ]);
      silentMs = isAlive ? 0 : silentMs + grace;
      if (!isAlive && this.#isBlockedByAborted(silentMs))
        this.#die("was stopped, because a call that had been aborted did not come back");
      if (isAlive) await delay(MIN_GRACE_MS / 4);
    }
    this.#isWatched = false;
  }

  /** Resolves once it is known that the worker is not stuck in a call that was aborted, or that it has died. */
  async verdict() {
    const aborted = this.#abortedCalls();
    if (aborted.length > 0)
      await Promise.race([
        Promise.all(aborted.map(({ done }) => done)),
        this.#api.ping().catch(() => {}),
      ]);
  }

  #abortedCalls() {
    return [...this.#calls].filter(({ aborted }) => aborted);
  }

  /**
   * The worker handles one message at a time, so the call that it began last blocks it. If that one was answered, an earlier
   * call does, which went on after an `await`: an aborted one, if there is no other or if the worker is silent for long.
   */
  #isBlockedByAborted(silentMs: number) {
    if (this.#last && this.#calls.has(this.#last)) return this.#last.aborted;
    const aborted = this.#abortedCalls().length;
    return aborted > 0 && (aborted === this.#calls.size || silentMs >= MAX_GRACE_MS);
  }
}

let current: Connection | undefined;

/** The connection to a worker that is alive and answers; starts one if there is none. */
export async function connect(): Promise<Connection> {
  await current?.verdict();
  if (!current || current.isDead) {
    const address = new URL("./worker.js", import.meta.url);
    current = new Connection(earlyWorker() ?? startWorker(address), address);
  }
  return current;
}

/** @throws NetworkError */
function startWorker(address: URL): Worker {
  try {
    return new Worker(sameOrigin(address), { type: "module", name: "candlescope" });
  } catch (error) {
    throw problem(
      "NetworkError",
      `the worker cannot be started from ${address} (${(error as Error).message}); a Content-Security-Policy must allow it in worker-src`,
    );
  }
}

/**
 * The worker that index.html starts before its modules have loaded, in a global variable, unless it has failed.
 */
function earlyWorker(): Worker | null {
  const page = globalThis as { candlescopeWorker?: unknown };
  const worker = page.candlescopeWorker;
  if (!(worker instanceof Worker)) return null; // an element with this id is a global variable too
  page.candlescopeWorker = null;
  worker.onerror = null;
  return worker;
}

/** The script for a worker from another origin. */
let importer = "";

/**
 * A worker must have the page's origin: one from elsewhere is started by a script that imports it.
 */
function sameOrigin(address: URL) {
  if (address.origin === self.origin) return address;
  const script = `import ${JSON.stringify(address.href)};`;
  // A sandboxed frame has no origin: Chrome starts no module from a blob there.
  if (self.origin === "null") return `data:text/javascript,${encodeURIComponent(script)}`;
  importer ||= URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  return importer;
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

// ---- aborting ----

export function aborted(what: string, signal: AbortSignal | undefined) {
  const reason =
    typeof signal?.reason?.message === "string" && signal.reason.name !== "AbortError"
      ? `: ${signal.reason.message}`
      : "";
  return problem("AbortError", `${what} was aborted${reason}`);
}

/** The outcome of a promise, or an AbortError as soon as the signal fires. */
export function abortable<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
  what: string,
): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const stop = () => reject(aborted(what, signal));
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}
