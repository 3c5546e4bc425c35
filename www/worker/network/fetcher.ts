// How the requests of a load are sent: by this worker, with the caller's headers, or by the caller's own function on the page.

import { createError } from "../../api/errors.js";
import type { PageFetch, PlainRequest } from "../../api/page-fetch.js";

/** As fetch(), with plain headers. */
export type Fetcher = (address: string, init: FetcherInit) => Promise<Response>;

export interface FetcherInit extends PlainRequest {
  signal: AbortSignal;
}

export const plainFetcher: Fetcher = (address, init) => fetch(address, init);

/**
 * Sends `headers` with each request to one of `origins`. The browser's HTTP cache is not used, because it would give the
 * response to a later request without the headers.
 *
 * A browser removes `authorization` from a request that is redirected to another origin, and no other header. With others,
 * redirects are refused.
 */
export function privateFetcher(
  headers: readonly (readonly [string, string])[],
  origins: ReadonlySet<string>,
  send: Fetcher = plainFetcher,
): Fetcher {
  const revealing = headers.map(([name]) => name).filter((name) => name !== "authorization");
  return async (address, init) => {
    if (!origins.has(new URL(address).origin)) return send(address, init);
    const all = { ...Object.fromEntries(headers), ...init.headers };
    const redirect = revealing.length > 0 ? "manual" : "follow";
    const response = await send(address, { ...init, headers: all, cache: "no-store", redirect });
    if (response.type !== "opaqueredirect") return response;
    throw createError(
      "NetworkError",
      `${address} redirects, and the headers ${revealing.join(", ")} might go to another host: use the address that it leads to, or the option \`fetch\``,
    );
  };
}

let lastRequest = 0;

/** Statuses whose responses have no body. */
const WITHOUT_BODY = [101, 103, 204, 205, 304];

/** Has each request sent by a function of the caller, which runs on the page; the body comes in chunks. */
export function pageFetcher(page: PageFetch): Fetcher {
  return async (address, { signal, ...request }) => {
    const id = ++lastRequest;
    const cancel = () => {
      Promise.resolve(page.cancel(id)).catch(() => {});
    };
    signal.addEventListener("abort", cancel);
    const { hasBody, type, url, redirected, ...head } = await page.send(id, address, request);
    if (signal.aborted) cancel();
    const body = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const chunk = await page.read(id);
          if (chunk) return controller.enqueue(chunk);
          signal.removeEventListener("abort", cancel);
          controller.close();
        },
        cancel,
      },
      { highWaterMark: 0 },
    );
    signal.addEventListener("abort", () => body.cancel().catch(() => {}), { once: true });
    const response = new Response(
      hasBody && !WITHOUT_BODY.includes(head.status) ? body : null,
      head,
    );
    return Object.defineProperties(response, {
      type: { value: type },
      url: { value: url },
      redirected: { value: redirected },
    });
  };
}
