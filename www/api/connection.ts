// The connection to the page's one worker: starts it, calls it, detects that it died or hangs, and replaces it.
//
// A worker dies if a wasm call traps (its memory may then be inconsistent), if it closes or the browser ends it, or if a call
// that was aborted does not return. Its pending calls then reject with a WorkerError; the next call starts a new worker.
// model-handle.ts keeps track of the models that a worker holds.

import * as Comlink from "comlink";

import { abortError, createError } from "./errors.js";
import { platform } from "./platform.js";
import { type StartedWorker, startError } from "./start-worker.js";
import type { SentError, ShownData, WorkerApi, WorkerMessage } from "./worker-api.js";

export interface CallOptions {
  signal?: AbortSignal;
  /** the name of the call, for messages */
  name?: string;
  /** the call waits for the network, so its duration says nothing about the worker */
  isLoad?: boolean;
  /** gets what functions of interventions show, before the call is answered */
  onShow?: (shown: ShownData) => void;
}

interface FullOptions<T> extends CallOptions {
  /** gets a result that comes after the call was aborted, to free what it names */
  onLate?: (value: T) => void;
}

/** Calls a function of the worker. */
type Send<T> = (api: WorkerApi, listener?: number) => Promise<T>;

/** A call that was neither answered nor has failed. */
interface Call {
  fail: (error: Error) => void;
  aborted: boolean;
  /** of the messages that were sent for it */
  ids: Set<string>;
  /** when the worker began it, in ms */
  started: number;
  /** resolves when it is answered or fails */
  done: Promise<void>;
}

/**
 * The grace period is this many times the duration of the longest call so far, within the limits below. An aborted call that
 * blocks the worker for longer ends it.
 */
const GRACE_FACTOR = 2;
const MIN_GRACE_MS = 1000;
const MAX_GRACE_MS = 10_000;

export class Connection {
  #thread;
  #api: WorkerApi;
  #calls: Set<Call> = new Set();
  /** Of the calls that were neither answered nor aborted, by the numbers that the worker knows. */
  #listeners: Map<number, (shown: ShownData) => void> = new Map();
  #lastListener = 0;
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

  constructor(started: StartedWorker) {
    const { thread, reportsExit } = started;
    this.#thread = thread;
    thread.addEventListener("message", ({ data }: MessageEvent<WorkerMessage | null>) => {
      this.#hasAnswered = true;
      if (data?.started) this.#recordStart(data.started);
      if (data?.failed) this.#end(createError("WorkerError", data.failed));
      if (data?.shown) this.#listeners.get(data.shown.listener)?.(data.shown);
    });
    thread.addEventListener("messageerror", () => this.#die("sent an answer that cannot be read"));
    thread.addEventListener("error", async ({ message }) => {
      if (message && this.#hasAnswered) return; // an exception inside the worker, which the call that caused it reports
      this.#end(await startError(started, message));
    });
    this.#api = Comlink.wrap<WorkerApi>(this.#endpoint()) as WorkerApi;
    if (!reportsExit) this.#detectExit();
  }

  get isDead(): boolean {
    return this.#death !== undefined;
  }

  /**
   * Calls the worker.
   * @param send gets the number of the listener, if there is one
   * @throws AbortError as soon as the signal fires; WorkerError when the worker has died; InputError when an argument cannot
   *   be sent; otherwise what the worker's function throws
   */
  call<T>(
    send: Send<T>,
    { signal, name = "the call", isLoad = false, onShow, onLate = () => {} }: FullOptions<T> = {},
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) throw abortError(name, signal);
      if (this.#death) throw this.#death;
      let resolveDone = () => {};
      const done = new Promise<void>((resolve) => {
        resolveDone = resolve;
      });
      const listener = this.#listen(onShow);
      const stopListening = () => listener && this.#listeners.delete(listener);
      const finish = () => {
        stopListening();
        this.#calls.delete(call);
        signal?.removeEventListener("abort", onAbort);
        resolveDone();
      };
      const call: Call = {
        fail(error) {
          finish();
          reject(error);
        },
        aborted: false,
        ids: new Set(),
        started: Infinity,
        done,
      };
      const onAbort = () => {
        call.aborted = true;
        stopListening();
        reject(abortError(name, signal));
        this.#watch();
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#calls.add(call);
      this.#send(call, (api) => send(api, listener))
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

  /** The number of a listener. */
  #listen(onShow: CallOptions["onShow"]): number | undefined {
    if (!onShow) return undefined;
    this.#listeners.set(++this.#lastListener, onShow);
    return this.#lastListener;
  }

  #send<T>(call: Call, send: Send<T>): Promise<T> {
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
  #recordStart(id: string) {
    const call = [...this.#calls].find(({ ids }) => ids.has(id));
    if (!call) return; // a ping
    call.started = performance.now();
    this.#last = call;
  }

  /** What a failed call rejects with. */
  #failure(error: unknown): unknown {
    if (isSent(error)) {
      const { name, message, details } = error.sentError;
      return createError(name, message, details);
    }
    if (!(error instanceof Error)) return error;
    if (error.name === "DataCloneError")
      return createError(
        "InputError",
        `an argument cannot be sent to the worker: ${error.message}`,
      );
    if (error.name === "WorkerError") this.#end(error);
    return error;
  }

  // ---- death ----

  /** @param what the worker did */
  #die(what: string) {
    this.#end(
      createError(
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

  /** The page gets the worker's lock when the worker exits. Without the Web Locks API an exit is not detected. */
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
        this.#die("was stopped, because an aborted call did not return");
      if (isAlive) await delay(MIN_GRACE_MS / 4);
    }
    this.#isWatched = false;
  }

  /** Resolves when the worker turns out not to be stuck in an aborted call, or has died. */
  async settled(): Promise<void> {
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
   * The worker handles one message at a time, so the call that it began last blocks it. If that call was answered, an earlier
   * one blocks it, which continued after an `await`. It counts as aborted if all pending calls are, or if the worker is silent
   * for the longest grace period.
   */
  #isBlockedByAborted(silentMs: number) {
    if (this.#last && this.#calls.has(this.#last)) return this.#last.aborted;
    const aborted = this.#abortedCalls().length;
    return aborted > 0 && (aborted === this.#calls.size || silentMs >= MAX_GRACE_MS);
  }
}

function isSent(error: unknown): error is SentError {
  return typeof error === "object" && error !== null && "sentError" in error;
}

let current: Connection | undefined;

/**
 * The connection to a worker that is alive and answers; starts one if there is none.
 * @throws NetworkError
 */
export async function connect(): Promise<Connection> {
  await current?.settled();
  if (!current || current.isDead) {
    current = new Connection(platform.startWorker());
  }
  return current;
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

// ---- aborting ----

/** Settles as the promise does, or rejects with an AbortError as soon as the signal fires. */
export function abortable<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
  what: string,
): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const stop = () => reject(abortError(what, signal));
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}
