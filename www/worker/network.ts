// A model's files on their way from servers and blobs: `Download` gives a file's bytes in order, or the parts of it that are
// asked for, and `revalidate` says whether a server still has the files that a stored copy was made from.
//
// - A file is absent if its server answers 404 or 410, or an HTML page with status 200. Every other failure is an error.
// - What may pass (no connection, 408, 425, 429, 500, 502, 503, 504, a body that breaks off) is tried again with exponential
//   backoff and jitter, and with `Retry-After` if the server sends it. A broken body goes on where it ended, by a range
//   request if the server answers those, else from its beginning, and only if the server says that the file is the same.
// - A server that sends nothing for `timeout` milliseconds ends the load, retries included.

import { hasStableName, createError } from "../api/errors.js";
import { sibling, type ModelFile, type ModelFiles } from "../api/source.js";

/** A file, and the state of it that a copy was made from: no identity if the file was absent. */
export type Origin = { address: string; identity?: string };
/** What all requests of a load share. */
export interface LoadContext {
  signal: AbortSignal;
  /** milliseconds */
  timeout: number;
  /** the browser's HTTP cache is known to be out of date */
  bypassCache?: boolean;
  /** filled with which state of each file came, by address: null if the file is absent, undefined if its server does not tell states apart */
  states?: Map<string, string | null | undefined>;
}

/** Attempts in a row, the first included, each of which brings less than `ENOUGH` bytes. */
const ATTEMPTS = 4;
/** fetch() reports a server that is down and one that does not allow the page in the same way; the second stays so. */
const UNREACHABLE_ATTEMPTS = 3;
const ENOUGH = 1 << 20;
const FIRST_DELAY_MS = 250;
/** The longest delay before a retry. If the server asks for more, the load fails. */
const LONGEST_DELAY_MS = 10_000;
/** How long servers have to say whether their files have changed. The copy is read meanwhile. */
const REVALIDATION_MS = 4000;
const REVALIDATION_ATTEMPTS = 3;
const TRANSIENT = [408, 425, 429, 500, 502, 503, 504];

// ---- the files of a load ----

/** A file that a load can open. Rust reads these names (src/load/download.rs). */
export class RemoteFile {
  #file;
  #context;
  #budget;
  #prefetched: Promise<Download> | undefined;

  name: any;
  address: any;
  optional: any;

  constructor(file: ModelFile, context: LoadContext) {
    this.#file = file;
    this.#context = context;
    this.#budget = new RetryBudget(context, file.name);
    this.name = file.name;
    this.address = file.address;
    this.optional = file.optional ?? false;
  }

  /** Sends the request before open() is called. */
  prefetch() {
    this.#prefetched = this.#open();
    this.#prefetched.catch(() => {}); // open() reports it
  }

  /** @throws NetworkError, AbortError; InputError for a blob that cannot be read */
  open(): Promise<Download> {
    const prefetched = this.#prefetched;
    this.#prefetched = undefined;
    return prefetched ?? this.#open();
  }

  async #open() {
    const download = new Download(this.#file, this.#context, this.#budget);
    await download.start();
    return download;
  }

  /**
   * A file beside this one.
   * @throws WeightsError
   */
  sibling(name: string): ModelFile {
    return sibling(this.#file, name);
  }
}

export type OpenableFiles = {
  config: RemoteFile;
  tokenizer?: RemoteFile;
  weights: RemoteFile;
  more: RemoteFile[];
  index?: RemoteFile;
  shard(name: string): RemoteFile;
};

/** The same files, which can be opened. */
export function openable(
  { config, tokenizer, weights, more = [], index }: ModelFiles,
  context: LoadContext,
): OpenableFiles {
  const shards: Map<string, RemoteFile> = new Map();
  const remote = (file: ModelFile) => new RemoteFile(file, context);
  return {
    config: remote(config),
    ...(tokenizer && { tokenizer: remote(tokenizer) }),
    weights: remote(weights),
    more: more.map(remote),
    ...(index && { index: remote(index) }),
    /** The same object for the same name, so that attempts are counted over restarts. */
    shard(name) {
      const known = shards.get(name) ?? remote(sibling(index ?? weights, name));
      shards.set(name, known);
      return known;
    },
  };
}

/** Sends the requests for a model's files while the wasm module is still on its way. */
export function prefetch({ config, tokenizer, weights }: OpenableFiles) {
  for (const file of [config, weights, tokenizer]) file?.prefetch();
}

// ---- one file ----

export class Download {
  #file;
  #context;
  #budget;
  #request: AbortController | undefined;
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  /** Chunks that were read to tell a page from a file. */
  #ahead: Uint8Array[] = [];
  /** Bytes of the file that came, and those that read() gave out. */
  #received = 0;
  #delivered = 0;
  /** Bytes to drop of a body that was asked for again from its beginning. */
  #skip = 0;
  /** Whether `identity` tells any two states of the file apart, byte for byte. */
  #isStrong = false;
  #acceptsRanges = false;

  /** Why there is no such file; undefined if there is. */
  absent: string | undefined;
  /** The state of the file on its server, if the server names it. */
  identity: string | undefined;
  /** The file's length in bytes, if it is sure. */
  length: number | undefined;
  /** `content-length`, of which another site does not say whether it counts compressed bytes. */
  claimedLength: number | undefined;

  constructor(file: ModelFile, context: LoadContext, budget: RetryBudget) {
    this.#file = file;
    this.#context = context;
    this.#budget = budget;
    context.signal.addEventListener("abort", this.#close); // also between two calls of read()
  }

  /** Whether a part of this state of the file can be asked for. */
  get answersRanges() {
    return this.#acceptsRanges && this.#isStrong && this.length !== undefined;
  }

  /** Waits for the file's first bytes, or for the news that it is absent. */
  async start() {
    while (!this.absent && mayBecomePage(this.#ahead)) {
      const chunk = await this.#next();
      if (!chunk) break;
      this.#ahead.push(chunk);
    }
    const { name, address } = this.#file;
    if (address !== undefined && isPage(this.#ahead))
      this.#setAbsent(`${name} is not a ${fileName(address)} but a page`);
    if (this.absent) this.close();
  }

  /**
   * The next bytes, undefined at the end.
   * @throws NetworkError, AbortError, InputError
   */
  async read(): Promise<Uint8Array | undefined> {
    const chunk = this.#ahead.shift() ?? (await this.#next());
    this.#delivered += chunk?.length ?? 0;
    if (!chunk) this.close();
    return chunk;
  }

  /** The file's own header says how long it is: if the server agrees, nothing was compressed. */
  confirmLength(length: number) {
    if (this.claimedLength === length) this.length = length;
  }

  /**
   * The bytes from `start` to before `end`; undefined if the server's answer is not exactly what was asked for. Several
   * calls may be under way.
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
      return undefined; // the whole file may come all the same
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

  /** Goes on reading after `position` bytes, without range requests. */
  restartAt(position: number) {
    this.pause();
    this.#acceptsRanges = false;
    this.#received = this.#delivered = position;
    this.#ahead = [];
  }

  /** Ends the stream; the next read() opens another. */
  pause() {
    this.#request?.abort();
    this.#reader?.cancel().catch(() => {});
    this.#request = this.#reader = undefined;
  }

  /** Ends the stream for good. */
  close() {
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

  /** The next bytes from the network; what may pass is tried again. */
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

  /** One chunk, without the bytes that came before; undefined at the end. */
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
    else this.#acceptRest(response, from);
    if (!this.absent) this.#reader = response.body?.getReader();
  }

  #openBlob(blob: Blob) {
    this.length = blob.size;
    this.#reader = blob.stream().getReader();
  }

  /** Nothing says that the file on the server is still the same: its bytes may not follow those that came. */
  #startOver() {
    if (this.#delivered > 0)
      throw Object.assign(
        createError("NetworkError", `${this.#file.name} broke off after ${this.#received} bytes`),
        { restart: true },
      );
    this.#received = 0;
    this.#ahead = [];
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

  /** @param response to a request for the bytes from `from` on, or for the whole file again */
  #acceptRest(response: Response, from: number) {
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
      this.#acceptsRanges = false; // the next attempt asks for all of it
      throw new Failure(
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
    if (TRANSIENT.includes(response.status)) throw statusError(response, this.#file);
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
    // The browser's HTTP cache would let only one request at a time have the address.
    const cache = isPart ? "no-store" : this.#context.bypassCache ? "no-cache" : "default";
    try {
      return await fetch(address, { headers, signal, cache });
    } catch (error) {
      throw await unreachable(address, name, error);
    }
  }

  /** What made an attempt end. */
  #failureOf(error: unknown): Error {
    if (error instanceof Failure || (hasStableName(error) && !(error instanceof DOMException)))
      return error as Error;
    const { name, blob } = this.#file;
    const reason = error instanceof Error ? error.message : String(error);
    if (blob)
      return createError(
        "InputError",
        `${name} cannot be read after ${this.#received} bytes (${reason}): the file was changed, moved or deleted after it was chosen; choose it again`,
      );
    const of = this.length === undefined ? "" : ` of ${this.length}`;
    return new Failure(`${name} broke off after ${this.#received} bytes${of} (${reason})`);
  }
}

// ---- retries ----

/** A failure that may pass. */
class Failure extends Error {
  attempts: any;
  delay: any;
  advice: any;

  /** @param options delay: milliseconds that the server asks for */
  constructor(
    message: string,
    {
      attempts = ATTEMPTS,
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
/** The longest delay that timers know. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** How long a file is waited for, and how often it is asked for. */
class RetryBudget {
  #context;
  #name;
  #failures = 0;
  #lastFailure: Failure | undefined;
  /** Bytes of the file, when the failures were last forgotten and now. */
  #milestone = 0;
  #position = 0;
  #ticks = 0;
  #lastProgress = performance.now();
  #isStalled = false;
  /** Ends what is waited for. */
  #cancel: (() => void) | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** @param name of the file */
  constructor(context: LoadContext, name: string) {
    this.#context = context;
    this.#name = name;
  }

  /** Whether the time is up, or the signal fired. */
  get isStopped() {
    return this.#isStalled || this.#context.signal.aborted;
  }

  /**
   * Until the function that it returns is called, calls `cancel` when the signal fires, or when nothing came for `timeout`.
   */
  watch(cancel: () => void) {
    const { signal, timeout } = this.#context;
    this.#cancel = cancel;
    this.#restartClock();
    if (timeout !== Infinity)
      this.#timer ??= setInterval(() => this.#tick(), Math.min(timeout / TICKS, LONGEST_TIMER));
    signal.addEventListener("abort", cancel);
    return () => {
      this.#cancel = undefined;
      signal.removeEventListener("abort", cancel);
    };
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /**
   * Something came.
   * @param position bytes of the file so far
   */
  progress(position: number) {
    this.#restartClock();
    this.#position = position;
    if (position < this.#milestone + ENOUGH) return;
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
  throwIfStopped() {
    throwIfAborted(this.#context.signal, this.#name);
    if (this.#isStalled) throw this.#lastFailure ? this.#final(this.#lastFailure) : this.#stalled();
  }

  /**
   * Waits for the next attempt.
   * @throws NetworkError if there is none; whatever is no Failure
   */
  async retry(failure: Error): Promise<void> {
    this.throwIfStopped();
    if (!(failure instanceof Failure)) throw failure;
    this.#failures += 1;
    this.#lastFailure = failure;
    const delay =
      failure.delay ?? FIRST_DELAY_MS * 2 ** (this.#failures - 1) * (0.75 + Math.random() / 2);
    const isTooLate = performance.now() + delay > this.#lastProgress + this.#context.timeout;
    if (this.#failures >= failure.attempts || delay > LONGEST_DELAY_MS || isTooLate)
      throw this.#final(failure);
    await sleep(delay, this.#context.signal);
    this.throwIfStopped();
  }

  #final({ message, advice }: Failure) {
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
 * @param delay in milliseconds
 * @returns resolves at once when the signal fires
 */
function sleep(delay: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => (clearTimeout(timer), signal.removeEventListener("abort", end), resolve());
    const timer = setTimeout(end, delay);
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
  });
}

function throwIfAborted(signal: AbortSignal, name: string) {
  if (signal.aborted) throw createError("AbortError", `while loading ${name}`);
}

// ---- what a server answered ----

function statusOf({ status, statusText }: Response) {
  return `${status} ${statusText}`.trim();
}

function statusError(response: Response, file: ModelFile): Error {
  const { status } = response;
  const said = `${file.name} answered ${statusOf(response)}`;
  if (TRANSIENT.includes(status)) return transient(said, response);
  if (status === 401 || status === 403)
    return createError(
      "NetworkError",
      `${said}: its server does not give it to this page; ${file.hint ?? "check the address and who may read it"}`,
    );
  if (status >= 200 && status < 300)
    return createError("NetworkError", `${said}, expected 200 and the whole file`);
  return createError("NetworkError", withHint(said, file));
}

function transient(said: string, response: Response) {
  const delay = retryAfter(response);
  const advice =
    delay === undefined
      ? "try again later"
      : `its server asks to wait ${Math.ceil(delay / 1000)} s: try again then`;
  return new Failure(said, { delay, advice });
}

/** `Retry-After`, seconds or a date, in milliseconds. */
function retryAfter(response: Response) {
  const value = response.headers.get("retry-after")?.trim();
  if (!value) return undefined;
  const delay = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(delay) ? undefined : Math.max(0, delay);
}

function withHint(said: string, { hint }: ModelFile) {
  return hint ? `${said}; ${hint}` : said;
}

function isEncoded(response: Response) {
  return (response.headers.get("content-encoding") ?? "identity") !== "identity";
}

function lengthOf(response: Response) {
  const length = response.headers.get("content-length");
  return length !== null && /^\d+$/.test(length) && !isEncoded(response)
    ? Number(length)
    : undefined;
}

/** Another site's answer hides its `content-encoding`. */
function isSameSite(response: Response) {
  return response.type === "basic";
}

/** `content-range`; `end` is excluded. */
function rangeOf(response: Response) {
  const [, start, last, total] =
    /^bytes (\d+)-(\d+)\/(\d+)$/.exec(response.headers.get("content-range") ?? "") ?? [];
  return total === undefined
    ? undefined
    : { start: Number(start), end: Number(last) + 1, total: Number(total) };
}

function fileName(address: string) {
  return new URL(address).pathname.split("/").at(-1);
}

const PAGE = /^\s*<(?:!doctype|!--|\?xml|[a-z]+[\s>])/i;
/** White space and a tag have room in so many bytes. */
const PAGE_HEAD = 256;

function headOf(chunks: readonly Uint8Array[]) {
  return chunks
    .map((chunk) => new TextDecoder("latin1").decode(chunk.subarray(0, PAGE_HEAD)))
    .join("")
    .slice(0, PAGE_HEAD)
    .replace(/^\u00ef\u00bb\u00bf/, "");
}

/** Many hosts answer with a page, and status 200, for an address that they do not know. */
function isPage(chunks: readonly Uint8Array[]) {
  return PAGE.test(headOf(chunks));
}

/** Whether more bytes could make a page of these. */
function mayBecomePage(chunks: readonly Uint8Array[]) {
  const head = headOf(chunks);
  return head.length < PAGE_HEAD && /^\s*(?:<[!?\w-]*)?$/.test(head) && !PAGE.test(head);
}

// ---- what is never answered ----

/** Addresses that a Content-Security-Policy stopped, with the directive. */
const blocked: Map<string, string> = new Map();
globalThis.addEventListener?.("securitypolicyviolation", (event) =>
  blocked.set(event.blockedURI, event.effectiveDirective),
);

async function unreachable(address: string, name: string, error: unknown): Promise<Error> {
  await new Promise((resolve) => setTimeout(resolve)); // the event of a violated policy comes after the error
  const directive = blocked.get(address) ?? blocked.get(new URL(address).origin);
  if (directive)
    return createError(
      "NetworkError",
      `${name} was stopped by this page's Content-Security-Policy (${directive}): allow ${new URL(address).origin} there`,
    );
  const isMixed = globalThis.origin?.startsWith("https:") && address.startsWith("http:");
  const advice = isMixed
    ? "a page that came by https cannot ask an http address"
    : "its server may be down or redirect in a circle; if it is on another site, that site must allow this page (CORS)";
  const reason = error instanceof Error ? error.message : String(error);
  return new Failure(`${name} cannot be reached (${reason})`, {
    attempts: UNREACHABLE_ATTEMPTS,
    advice,
  });
}

// ---- which state of a file ----

/**
 * The validator of this state of a file: its `ETag`, or its `Last-Modified` and its length. Undefined if the server sends
 * neither. Weak and strong tags are compared alike (RFC 9110, 8.8.3.2).
 */
function identityOf({ headers }: Response) {
  const [etag, time] = [headers.get("etag"), headers.get("last-modified")];
  if (etag) return `etag ${etag.replace(/^W\//, "")}`;
  const isPlain = (headers.get("content-encoding") ?? "identity") === "identity";
  return time
    ? `${time}, ${(isPlain && headers.get("content-length")) || "unknown"} bytes`
    : undefined;
}

/**
 * Whether two states with this identity have the same bytes: a time has seconds, so it must be a minute old (RFC 9110, 8.8.2.2).
 */
function isStrong({ headers }: Response) {
  const [etag, time] = [headers.get("etag"), headers.get("last-modified")];
  return etag ? !etag.startsWith("W/") : time !== null && Date.now() - Date.parse(time) > 60_000;
}

/**
 * Whether a part belongs to the state of the file with this identity. A part's length says nothing.
 */
function isSameState(identity: string | undefined, part: Response) {
  const found = identityOf(part);
  const time = (state: string | undefined) => state?.replace(/, \w+ bytes$/, "");
  return identity?.startsWith("etag ") ? found === identity : time(found) === time(identity);
}

/** reason: why a server could not be asked */
export type Freshness = { state: "same" | "changed" | "unverified"; reason?: string };

/**
 * Whether servers still have the files that a copy was made from: "changed" if one has another state of a file, "unverified"
 * if one is in trouble or does not answer in time.
 * @throws NetworkError when a server refuses a file; AbortError
 */
export async function revalidate(
  origins: readonly Origin[],
  { signal, timeout }: LoadContext,
): Promise<Freshness> {
  const limit = Math.min(REVALIDATION_MS, timeout);
  const all = await Promise.all(
    origins.map((origin) => revalidateOne(origin, { signal, timeout: limit })),
  );
  throwIfAborted(signal, origins[0]?.address ?? "a stored copy");
  return (
    all.find(({ state }) => state === "changed") ??
    all.find(({ state }) => state === "unverified") ?? { state: "same" }
  );
}

async function revalidateOne(origin: Origin, context: LoadContext): Promise<Freshness> {
  const budget = new RetryBudget(context, origin.address);
  const deadline = performance.now() + context.timeout;
  let reason: string | undefined;
  for (let attempt = 1; ; attempt++) {
    try {
      return await askForState(origin, context, deadline);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      reason ??= error.message; // a later one may only say that the time is over
      const isOver =
        attempt === REVALIDATION_ATTEMPTS ||
        (await budget.retry(error).then(
          () => false,
          () => true,
        ));
      if (isOver) return { state: "unverified", reason };
    }
  }
}

async function askForState(
  { address, identity }: Origin,
  context: LoadContext,
  deadline: number,
): Promise<Freshness> {
  /** @param time in milliseconds */
  const ask = (method: string, time: number) =>
    within(
      time,
      context.signal,
      (signal) => fetch(address, { method, signal, cache: "no-store" }),
      address,
    );
  const left = () => Math.max(0, deadline - performance.now());
  const head = await ask("HEAD", left() / 2).catch(() => undefined);
  if (head && isState(head, identity)) return { state: "same" };
  if (head?.status === 200 && identity !== undefined && identityOf(head) !== undefined)
    return { state: "changed" };
  // Some servers refuse HEAD, or name no state in its answer.
  const response = await ask("GET", left());
  const { status } = response;
  const isStillPage = status === 200 && identity === undefined && (await startsAsPage(response));
  response.body?.cancel().catch(() => {});
  if (isState(response, identity) || isStillPage) return { state: "same" };
  if ([200, 404, 410].includes(status)) return { state: "changed" };
  const error = statusError(response, { name: address });
  throw status >= 500 && !(error instanceof Failure) ? new Failure(error.message) : error;
}

function isState(response: Response, identity: string | undefined) {
  if (identity === undefined) return response.status === 404 || response.status === 410;
  return response.status === 200 && identityOf(response) === identity;
}

async function startsAsPage({ body }: Response) {
  const reader = body?.getReader();
  const chunks = [];
  try {
    while (reader && mayBecomePage(chunks)) {
      const { value } = await reader.read();
      if (!value) break;
      chunks.push(value);
    }
  } finally {
    reader?.releaseLock();
  }
  return isPage(chunks);
}

/** An answer that comes in so many milliseconds. */
async function within(
  time: number,
  signal: AbortSignal,
  ask: (signal: AbortSignal) => Promise<Response>,
  address: string,
) {
  const request = new AbortController();
  let isOver = false;
  const abort = () => request.abort();
  const timer = setTimeout(() => ((isOver = true), abort()), time);
  signal.addEventListener("abort", abort);
  try {
    return await ask(request.signal);
  } catch (error) {
    throw isOver
      ? new Failure(`${address} did not answer within ${Math.round(time)} ms`, { attempts: 1 })
      : await unreachable(address, address, error);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
}
