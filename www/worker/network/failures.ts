// The errors for responses with an unexpected status, and for requests without a response.

import { createError, messageOf } from "../../api/errors.js";
import type { ModelFile } from "../../api/model-files.js";
import { directiveThatBlocked } from "../../api/policy.js";
import { TransientError } from "./retry-budget.js";

const TRANSIENT_STATUS = [408, 425, 429, 500, 502, 503, 504];
/** fetch() reports a server that is down and one that does not allow the page in the same way. Only the first may pass. */
const UNREACHABLE_ATTEMPTS = 3;

export function isTransient({ status }: Response): boolean {
  return TRANSIENT_STATUS.includes(status);
}

/** "404 Not Found". */
export function statusOf({ status, statusText }: Response): string {
  return `${status} ${statusText}`.trim();
}

/** The message with the file's hint, if it has one. */
export function withHint(message: string, { hint }: ModelFile): string {
  return hint ? `${message}; ${hint}` : message;
}

/** The error for a response that does not have the file. */
export function statusError(response: Response, file: ModelFile): Error {
  const { status } = response;
  const message = `${file.name} answered ${statusOf(response)}`;
  if (isTransient(response)) return transientError(message, response);
  if (status === 401 || status === 403)
    return createError(
      "NetworkError",
      `${message}: its server does not allow this page to load it; ${file.hint ?? "check the address, or pass what a private model needs with the options `headers` or `fetch`"}`,
    );
  if (status >= 200 && status < 300)
    return createError("NetworkError", `${message}, expected 200 and the whole file`);
  return createError("NetworkError", withHint(message, file));
}

function transientError(message: string, response: Response) {
  const delay = retryAfter(response);
  const advice =
    delay === undefined
      ? "try again later"
      : `its server asks to wait ${Math.ceil(delay / 1000)} s: try again then`;
  return new TransientError(message, { delay, advice });
}

/** `Retry-After`, which is seconds or a date, in milliseconds. */
function retryAfter({ headers }: Response): number | undefined {
  const value = headers.get("retry-after")?.trim();
  if (!value) return undefined;
  const delay = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(delay) ? undefined : Math.max(0, delay);
}

/**
 * The error for a request without a response.
 * @param error what fetch() threw
 */
export async function unreachable(address: string, name: string, error: unknown): Promise<Error> {
  const directive = await directiveThatBlocked(address);
  if (directive)
    return createError(
      "NetworkError",
      `${name} was stopped by this page's Content-Security-Policy (${directive}): allow ${new URL(address).origin} there`,
    );
  const isMixed = globalThis.origin?.startsWith("https:") && address.startsWith("http:");
  const advice = isMixed
    ? "a page loaded by https cannot load from an http address"
    : "its server may be down or redirect in a loop; if it is on another site, that site must allow this page (CORS)";
  return new TransientError(`${name} cannot be reached (${messageOf(error)})`, {
    attempts: UNREACHABLE_ATTEMPTS,
    advice,
  });
}
