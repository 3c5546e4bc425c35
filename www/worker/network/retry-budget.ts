// How long a file is waited for, and how often it is requested: exponential backoff with jitter, `Retry-After`, a timeout.

import { createError } from "../../api/errors.js";
import { type LoadContext, throwIfAborted } from "./load-context.js";

/** Attempts in a row, the first included, each of which brings less than PROGRESS_BYTES. */
const MAX_ATTEMPTS = 4;
/** An attempt that brings this many bytes resets the count of attempts. */
const PROGRESS_BYTES = 1 << 20;
const FIRST_DELAY_MS = 250;
/** If a server asks for a longer delay, the load fails. */
const MAX_DELAY_MS = 10_000;

/** A failure that may pass, so that the request is tried again. */
export class TransientError extends Error {
  readonly attempts: number;
  readonly delay: number | undefined;
  readonly advice: string;

  /**
   * @param options attempts: how many there are at most. delay: milliseconds that the server asks for. advice: what to do
   *   after the last one
   */
  constructor(
    message: string,
    {
      attempts = MAX_ATTEMPTS,
      delay,
      advice = "try again later",
    }: { attempts?: number; delay?: number; advice?: string } = {},
  ) {
    super(message);
    this.attempts = attempts;
    this.delay = delay;
    this.advice = advice;
  }
}

/** `timeout` is counted in timer ticks, so that time in which the worker itself was busy does not count. */
const TICKS = 8;
/** The longest delay that timers accept. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** The attempts and the time that are left for one file. */
export class RetryBudget {
  #context;
  #name;
  #failures = 0;
  #lastFailure: TransientError | undefined;
  /** Bytes of the file, when the failures were last reset and now. */
  #milestone = 0;
  #position = 0;
  #ticks = 0;
  #lastProgress = performance.now();
  #isStalled = false;
  /** Ends the request that is waited for. */
  #cancel: (() => void) | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** @param name of the file, for messages */
  constructor(context: LoadContext, name: string) {
    this.#context = context;
    this.#name = name;
  }

  /** Whether the time is up, or the signal fired. */
  get isStopped(): boolean {
    return this.#isStalled || this.#context.signal.aborted;
  }

  /**
   * Calls `cancel` if the signal fires, or if nothing arrives for `timeout`, until the function that it returns is called.
   */
  watch(cancel: () => void): () => void {
    const { signal, timeout } = this.#context;
    this.#cancel = cancel;
    this.#restartClock();
    if (timeout !== Infinity)
      this.#timer ??= setInterval(() => this.#tick(), Math.min(timeout / TICKS, MAX_TIMER_MS));
    signal.addEventListener("abort", cancel);
    return () => {
      this.#cancel = undefined;
      signal.removeEventListener("abort", cancel);
    };
  }

  /** Stops the clock. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /**
   * Records that bytes arrived.
   * @param position bytes of the file so far
   */
  progress(position: number): void {
    this.#restartClock();
    this.#position = position;
    if (position < this.#milestone + PROGRESS_BYTES) return;
    this.#milestone = position;
    this.#failures = 0;
    this.#lastFailure = undefined;
  }

  #restartClock() {
    this.#ticks = 0;
    this.#lastProgress = performance.now();
  }

  #tick() {
    if (!this.#cancel) return;
    this.#ticks += 1;
    if (this.#ticks <= TICKS) return; // the first may be a part of one
    this.#isStalled = true;
    this.#cancel();
  }

  /** @throws AbortError, NetworkError */
  throwIfStopped(): void {
    throwIfAborted(this.#context.signal, this.#name);
    if (this.#isStalled) throw this.#lastFailure ? this.#final(this.#lastFailure) : this.#stalled();
  }

  /**
   * Waits until the next attempt.
   * @throws NetworkError if there is none; `failure` if it is not transient
   */
  async retry(failure: Error): Promise<void> {
    this.throwIfStopped();
    if (!(failure instanceof TransientError)) throw failure;
    this.#failures += 1;
    this.#lastFailure = failure;
    const delay =
      failure.delay ?? FIRST_DELAY_MS * 2 ** (this.#failures - 1) * (0.75 + Math.random() / 2);
    const isTooLate = performance.now() + delay > this.#lastProgress + this.#context.timeout;
    if (this.#failures >= failure.attempts || delay > MAX_DELAY_MS || isTooLate)
      throw this.#final(failure);
    await sleep(delay, this.#context.signal);
    this.throwIfStopped();
  }

  #final({ message, advice }: TransientError) {
    const asked = this.#failures > 1 ? `, asked ${this.#failures} times` : "";
    return createError("NetworkError", `${message}${asked}; ${advice}`);
  }

  #stalled() {
    return createError(
      "NetworkError",
      `${this.#name} sent nothing for ${this.#context.timeout} ms, after ${this.#position} bytes; try again, or wait longer with the option \`timeout\``,
    );
  }
}

/**
 * Resolves after a delay in milliseconds, or as soon as the signal fires.
 */
function sleep(delay: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, delay);
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
  });
}
