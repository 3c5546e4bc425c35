// One file on its way from a server or a blob: its bytes in order, or the parts of it that are asked for.
//
// - A file is absent if its server answers 404 or 410, or an HTML page with status 200. Every other failure is an error.
// - Transient failures (no connection, 408, 425, 429, 500, 502, 503, 504, a body that ends early) are retried with exponential
//   backoff and jitter, and with `Retry-After` if the server sends it. A body that ended early is resumed by a range request
//   if the server answers those, otherwise requested from its beginning, and only if the server says that the file is the
//   same.
// - If a server sends nothing for `timeout` milliseconds, the load fails, retries included.

import { createError, hasStableName, messageOf } from "../../api/errors.js";
import type { ModelFile } from "../../api/model-files.js";
import { BlobFile, BlobParts } from "./blob-file.js";
import { isTransient, statusError, statusOf, unreachable, withHint } from "./failures.js";
import type { LoadContext } from "./load-context.js";
import { RetryBudget, TransientError } from "./retry-budget.js";
import {
  identityOf,
  isEncoded,
  isSameSite,
  isSameState,
  isStrong,
  lengthOf,
  rangeOf,
} from "./validators.js";
import { isPage, mayBecomePage } from "./web-page.js";

/** A file that is being downloaded. Rust reads these names (src/load/download.rs). */
export class Download {
  #file;
  #context;
  #budget;
  #request: AbortController | undefined;
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  /** The first chunks, which were read to distinguish a web page from a file. */
  #prefetched: Uint8Array[] = [];
  #parts = new BlobParts();
  /** Bytes of the file that arrived, and those that read() returned. */
  #received = 0;
  #delivered = 0;
  /** Bytes to drop from a body that was requested again from its beginning. */
  #skip = 0;
  /** Whether two states of the file with the same `identity` have the same bytes. */
  #isStrong = false;
  #acceptsRanges = false;

  /** Why the file is absent; undefined if it is not. */
  absent: string | undefined;
  /** The validator of the file's state, if the server sends one. */
  identity: string | undefined;
  /** The file's length in bytes, if it is certain. */
  length: number | undefined;
  /** `content-length`. A response of another site does not say whether it counts compressed bytes. */
  claimedLength: number | undefined;

  constructor(file: ModelFile, context: LoadContext, budget: RetryBudget) {
    this.#file = file;
    this.#context = context;
    this.#budget = budget;
    context.signal.addEventListener("abort", this.#close); // also between two calls of read()
  }

  /** Whether a part of this state of the file can be requested. */
  get answersRanges(): boolean {
    return this.#acceptsRanges && this.#isStrong && this.length !== undefined;
  }

  /** Waits for the file's first bytes, or until it turns out to be absent. */
  async start(): Promise<void> {
    while (!this.absent && mayBecomePage(this.#prefetched)) {
      const chunk = await this.#next();
      if (!chunk) break;
      this.#prefetched.push(chunk);
    }
    const { name, address } = this.#file;
    if (address !== undefined && isPage(this.#prefetched))
      this.#setAbsent(`${name} is not a ${fileName(address)} but a page`);
    if (this.absent) this.close();
  }

  /**
   * The first bytes, by which Rust recognises the format; fewer if the file is shorter. read() returns them too.
   * @throws NetworkError, AbortError, InputError
   */
  async peek(count: number): Promise<Uint8Array> {
    const length = () => this.#prefetched.reduce((sum, chunk) => sum + chunk.length, 0);
    while (length() < count) {
      const chunk = await this.#next();
      if (!chunk) break;
      this.#prefetched.push(chunk);
    }
    const bytes = new Uint8Array(Math.min(count, length()));
    let filled = 0;
    for (const chunk of this.#prefetched) {
      const part = chunk.subarray(0, bytes.length - filled);
      bytes.set(part, filled);
      filled += part.length;
    }
    return bytes;
  }

  /**
   * Reads the next bytes as a part of `collected`; gives their number, undefined at the end.
   * @throws as read()
   */
  async collect(): Promise<number | undefined> {
    const chunk = await this.read();
    if (chunk) this.#parts.add(chunk);
    return chunk?.length;
  }

  /** The whole file with random access, outside of wasm memory: that of the user, or what collect() has read. */
  get collected(): BlobFile {
    return new BlobFile(this.#file.blob ?? this.#parts.blob());
  }

  /** Whether the file need not be collected: it is on this machine. */
  get isLocal(): boolean {
    return this.#file.blob !== undefined;
  }

  /**
   * The next bytes, undefined at the end.
   * @throws NetworkError, AbortError, InputError
   */
  async read(): Promise<Uint8Array | undefined> {
    const chunk = this.#prefetched.shift() ?? (await this.#next());
    this.#delivered += chunk?.length ?? 0;
    if (!chunk) this.close();
    return chunk;
  }

  /** Takes the length that the file's own header says. If the server agrees, the body is not compressed. */
  confirmLength(length: number): void {
    if (this.claimedLength === length) this.length = length;
  }

  /**
   * The bytes from `start` to before `end`; undefined if the response is not exactly this part. Several calls may run at once.
   * @throws NetworkError, AbortError
   */
  async range(start: number, end: number): Promise<Uint8Array | undefined> {
    const budget = new RetryBudget(this.#context, this.#file.name);
    try {
      for (;;) {
        const outcome = await this.#tryRange(start, end, budget);
        if (!(outcome instanceof Error)) return outcome;
        await budget.retry(outcome);
      }
    } catch (error) {
      if (budget.isStopped) throw error;
      return undefined; // a request for the whole file may still succeed
    } finally {
      budget.stop();
    }
  }

  async #tryRange(start: number, end: number, budget: RetryBudget) {
    const request = new AbortController();
    const unwatch = budget.watch(() => request.abort());
    try {
      return await this.#readRange(start, end, request.signal, budget);
    } catch (error) {
      return this.#failureOf(error);
    } finally {
      unwatch();
    }
  }

  /** Continues to read after `position` bytes, without range requests. */
  restartAt(position: number): void {
    this.pause();
    this.#acceptsRanges = false;
    this.#received = this.#delivered = position;
    this.#prefetched = [];
  }

  /** Ends the stream; the next read() opens another. */
  pause(): void {
    this.#request?.abort();
    this.#reader?.cancel().catch(() => {});
    this.#request = this.#reader = undefined;
  }

  /** Ends the stream for good. */
  close(): void {
    this.#context.signal.removeEventListener("abort", this.#close);
    this.pause();
    this.#budget.stop();
  }

  #close = () => this.close();

  #setAbsent(reason: string) {
    this.absent = withHint(reason, this.#file);
    this.identity = undefined;
    this.#context.states?.set(this.#file.name, null);
  }

  /** The next bytes from the network; transient failures are retried. */
  async #next(): Promise<Uint8Array | undefined> {
    const unwatch = this.#budget.watch(() => this.pause());
    try {
      for (;;) {
        try {
          const chunk = await this.#receive();
          if (chunk === undefined || chunk.length > 0) return chunk;
        } catch (error) {
          this.pause();
          await this.#budget.retry(this.#failureOf(error));
        }
      }
    } catch (error) {
      this.close();
      throw error;
    } finally {
      unwatch();
    }
  }

  /** One chunk, without the bytes that arrived before; undefined at the end. */
  async #receive(): Promise<Uint8Array | undefined> {
    if (!this.#reader) await this.#connect();
    if (!this.#reader) return undefined; // absent
    const { done, value } = await this.#reader.read();
    this.#budget.throwIfStopped();
    if (done) {
      if (this.length !== undefined && this.#received < this.length)
        throw new Error("the body ended");
      return undefined;
    }
    const fresh = value.subarray(Math.min(this.#skip, value.length));
    this.#skip -= value.length - fresh.length;
    this.#received += fresh.length;
    this.#budget.progress(this.#received);
    return fresh;
  }

  async #connect() {
    if (this.#file.blob) return this.#openBlob(this.#file.blob);
    if (this.#received > 0 && !this.#isStrong) this.#startOver();
    this.#request = new AbortController();
    const from = this.#received;
    const headers: Record<string, string> =
      from > 0 && this.answersRanges ? { range: `bytes=${from}-` } : {};
    const response = await this.#fetch(headers, this.#request.signal, from > 0);
    if (from === 0) this.#accept(response);
    else this.#acceptResumed(response, from);
    if (!this.absent) this.#reader = response.body?.getReader();
  }

  #openBlob(blob: Blob) {
    this.length = blob.size;
    this.#reader = blob.stream().getReader();
  }

  /** The server does not say that the file is still the same, so it has to be read from its beginning. */
  #startOver() {
    if (this.#delivered > 0)
      throw Object.assign(
        createError("NetworkError", `${this.#file.name} broke off after ${this.#received} bytes`),
        { restart: true },
      );
    this.#received = 0;
    this.#prefetched = [];
  }

  #accept(response: Response) {
    const { status } = response;
    if (status === 404 || status === 410)
      return this.#setAbsent(`${this.#file.name} answered ${statusOf(response)}`);
    if (status !== 200 || !response.body) throw statusError(response, this.#file);
    this.identity = identityOf(response);
    this.#isStrong = isStrong(response);
    this.#context.states?.set(this.#file.name, this.#isStrong ? this.identity : undefined);
    this.claimedLength = lengthOf(response);
    this.length = isSameSite(response) ? this.claimedLength : undefined;
    this.#acceptsRanges = response.headers.get("accept-ranges") === "bytes";
    this.#budget.progress(0);
  }

  /** @param response to a request for the bytes from `from`, or for the whole file again */
  #acceptResumed(response: Response, from: number) {
    const { status } = response;
    const range = rangeOf(response);
    const isWhole = status === 200;
    const isRest =
      status === 206 &&
      range?.start === from &&
      range.end === this.length &&
      range.total === this.length &&
      isSameState(this.identity, response);
    if (isWhole && identityOf(response) !== this.identity)
      throw createError(
        "NetworkError",
        `${this.#file.name} changed while it was being loaded: load it again`,
      );
    if (!isWhole && !isRest) {
      if (status !== 206 && status !== 416) throw statusError(response, this.#file);
      this.#acceptsRanges = false; // the next attempt requests the whole file
      throw new TransientError(
        `${this.#file.name} answered a request for the bytes from ${from} on with others`,
      );
    }
    this.#skip = isWhole ? from : 0;
    this.#budget.progress(from);
  }

  async #readRange(
    start: number,
    end: number,
    signal: AbortSignal,
    budget: RetryBudget,
  ): Promise<Uint8Array | undefined> {
    const response = await this.#fetch({ range: `bytes=${start}-${end - 1}` }, signal, true);
    if (isTransient(response)) throw statusError(response, this.#file);
    const range = rangeOf(response);
    const isAskedFor =
      response.status === 206 &&
      range?.start === start &&
      range.end === end &&
      range.total === this.length &&
      !isEncoded(response) &&
      isSameState(this.identity, response);
    if (!isAskedFor || !response.body) return void response.body?.cancel().catch(() => {});
    const bytes = new Uint8Array(end - start);
    let filled = 0;
    for (const reader = response.body.getReader(); ; budget.progress(filled)) {
      const { done, value } = await reader.read();
      if (done) return filled === bytes.length ? bytes : undefined;
      if (filled + value.length > bytes.length) return void reader.cancel().catch(() => {});
      bytes.set(value, filled);
      filled += value.length;
    }
  }

  async #fetch(
    headers: Record<string, string>,
    signal: AbortSignal,
    isPart: boolean,
  ): Promise<Response> {
    const { address = "", name } = this.#file;
    // The browser's HTTP cache serialises requests for the same address.
    const cache = isPart ? "no-store" : this.#context.bypassCache ? "no-cache" : "default";
    try {
      return await this.#context.fetcher(address, { headers, signal, cache });
    } catch (error) {
      if (hasStableName(error) && !(error instanceof DOMException)) throw error;
      throw await unreachable(address, name, error);
    }
  }

  /** The error of an attempt. */
  #failureOf(error: unknown): Error {
    // fetch() rejects with a DOMException called AbortError if the request was cancelled.
    if (error instanceof TransientError) return error;
    if (hasStableName(error) && !(error instanceof DOMException)) return error;
    const { name, blob } = this.#file;
    const reason = messageOf(error);
    if (blob)
      return createError(
        "InputError",
        `${name} cannot be read after ${this.#received} bytes (${reason}): the file was changed, moved or deleted after it was chosen; choose it again`,
      );
    const of = this.length === undefined ? "" : ` of ${this.length}`;
    return new TransientError(`${name} broke off after ${this.#received} bytes${of} (${reason})`);
  }
}

/** The last segment of an address. */
function fileName(address: string) {
  return new URL(address).pathname.split("/").at(-1);
}
