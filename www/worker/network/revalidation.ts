// Whether servers still have the files that a stored copy was made from.

import { type LoadContext, throwIfAborted } from "./load-context.js";
import { statusError, unreachable } from "./failures.js";
import { RetryBudget, TransientError } from "./retry-budget.js";
import { identityOf } from "./validators.js";
import { isPage, mayBecomePage } from "./web-page.js";

/** A file and the validator of the state that a copy was made from; no identity if the file was absent. */
export interface Origin {
  address: string;
  identity?: string;
}

/** Rust reads these fields (src/load/fetch.rs). */
export interface Freshness {
  state: "same" | "changed" | "unverified";
  /** why a server could not be asked */
  reason?: string;
}

/** The time in which servers have to respond. The copy is read meanwhile. */
const TIMEOUT_MS = 4000;
const MAX_ATTEMPTS = 3;

/**
 * Compares the files of a copy with those on their servers: "changed" if one has another state, "unverified" if a server fails
 * or does not respond in time.
 * @throws NetworkError if a server refuses a file; AbortError
 */
export async function revalidate(
  origins: readonly Origin[],
  { signal, timeout, fetcher }: LoadContext,
): Promise<Freshness> {
  const limit = Math.min(TIMEOUT_MS, timeout);
  const all = await Promise.all(
    origins.map((origin) => revalidateOne(origin, { signal, timeout: limit, fetcher })),
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
      return await compare(origin, context, deadline);
    } catch (error) {
      if (!(error instanceof TransientError)) throw error;
      reason ??= error.message; // a later one may only say that the time is up
      const isOver =
        attempt === MAX_ATTEMPTS ||
        (await budget.retry(error).then(
          () => false,
          () => true,
        ));
      if (isOver) return { state: "unverified", reason };
    }
  }
}

/** One attempt: a HEAD request, or a GET request if the server refuses HEAD or sends no validator with it. */
async function compare(
  { address, identity }: Origin,
  context: LoadContext,
  deadline: number,
): Promise<Freshness> {
  const left = () => Math.max(0, deadline - performance.now());
  const head = await request(address, "HEAD", left() / 2, context).catch(() => undefined);
  if (head && hasState(head, identity)) return { state: "same" };
  if (head?.status === 200 && identity !== undefined && identityOf(head) !== undefined)
    return { state: "changed" };
  const response = await request(address, "GET", left(), context);
  const { status } = response;
  const isStillPage = status === 200 && identity === undefined && (await startsAsPage(response));
  response.body?.cancel().catch(() => {});
  if (hasState(response, identity) || isStillPage) return { state: "same" };
  if ([200, 404, 410].includes(status)) return { state: "changed" };
  const error = statusError(response, { name: address });
  throw status >= 500 && !(error instanceof TransientError)
    ? new TransientError(error.message)
    : error;
}

/** Whether a response has this state of a file; no identity stands for an absent file. */
function hasState(response: Response, identity: string | undefined) {
  if (identity === undefined) return response.status === 404 || response.status === 410;
  return response.status === 200 && identityOf(response) === identity;
}

async function startsAsPage({ body }: Response) {
  const reader = body?.getReader();
  const chunks: Uint8Array[] = [];
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

/**
 * The response to a request, if it comes within `timeout` milliseconds.
 * @throws TransientError; NetworkError
 */
async function request(
  address: string,
  method: string,
  timeout: number,
  { signal, fetcher }: LoadContext,
) {
  const controller = new AbortController();
  let isOver = false;
  const abort = () => controller.abort();
  const timer = setTimeout(() => {
    isOver = true;
    abort();
  }, timeout);
  signal.addEventListener("abort", abort);
  try {
    return await fetcher(address, { method, signal: controller.signal, cache: "no-store" });
  } catch (error) {
    throw isOver
      ? new TransientError(`${address} did not answer within ${Math.round(timeout)} ms`, {
          attempts: 1,
        })
      : await unreachable(address, address, error);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
}
