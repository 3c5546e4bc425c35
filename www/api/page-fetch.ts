// The caller's own `fetch`, which the worker calls through Comlink. Functions cannot be sent to a worker, and Safari does not
// transfer streams, so the response is sent in parts: first its head, then the chunks of its body, each when it is asked for.

import * as Comlink from "comlink";

import { createError, describe } from "./errors.js";

/** A request as it is sent between the worker and the page. */
export interface PlainRequest {
  method?: string;
  headers?: Record<string, string>;
  cache?: RequestCache;
  redirect?: RequestRedirect;
}

/** A response without its body. */
export interface PlainResponse {
  status: number;
  statusText: string;
  headers: [name: string, value: string][];
  type: ResponseType;
  url: string;
  redirected: boolean;
  hasBody: boolean;
}

/** What the worker calls. A request has a number, which the worker chooses. */
export interface PageFetch {
  /** Sends a request. */
  send(id: number, address: string, request: PlainRequest): Promise<PlainResponse>;
  /** The next chunk of the body; undefined at its end. */
  read(id: number): Promise<Uint8Array | undefined>;
  /** Ends the request. */
  cancel(id: number): void | Promise<void>;
}

/** The option `fetch` of loadModel. */
export type CustomFetch = (address: string, init: RequestInit) => Promise<Response>;

interface Exchange {
  controller: AbortController;
  reader?: ReadableStreamDefaultReader<Uint8Array>;
}

/** The functions that the worker calls, on the page. */
export function pageFetch(fetch: CustomFetch): PageFetch {
  const exchanges: Map<number, Exchange> = new Map();
  const end = (id: number) => {
    const exchange = exchanges.get(id);
    exchanges.delete(id);
    return exchange;
  };
  return {
    async send(id, address, request) {
      const exchange: Exchange = { controller: new AbortController() };
      exchanges.set(id, exchange);
      try {
        const init = { ...request, signal: exchange.controller.signal };
        const response = checkResponse(await fetch(address, init));
        exchange.reader = response.body?.getReader();
        return headOf(response);
      } catch (error) {
        end(id);
        throw error;
      }
    },
    async read(id) {
      const { done, value } = (await exchanges.get(id)?.reader?.read()) ?? { done: true };
      if (done || !value) return void end(id);
      const chunk = Uint8Array.from(value); // the caller may keep the memory of its own
      return Comlink.transfer(chunk, [chunk.buffer]);
    },
    cancel(id) {
      const exchange = end(id);
      exchange?.controller.abort();
      exchange?.reader?.cancel().catch(() => {});
    },
  };
}

/** Not `instanceof`: it may come from another frame, or be made by a library. */
function checkResponse(response: unknown): Response {
  const { status, headers } = (response ?? {}) as { status?: unknown; headers?: unknown };
  if (typeof status === "number" && status >= 200 && typeof headers === "object")
    return response as Response;
  throw createError(
    "InputError",
    `\`fetch\` of loadModel returned ${status === 0 ? "an opaque response" : describe(response)}, expected a Response with a status and a body that can be read`,
  );
}

function headOf(response: Response): PlainResponse {
  const { status, statusText, type, url, redirected, body } = response;
  return {
    status,
    statusText,
    headers: [...response.headers],
    type,
    url,
    redirected,
    hasBody: body !== null,
  };
}
