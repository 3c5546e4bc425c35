// fetch() that also reads file: addresses, as a server would send them: in parts, and with a validator of the file's state.

import { createReadStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { extname } from "node:path";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";

import { createError, messageOf } from "../api/errors.js";

type Fetch = typeof globalThis.fetch;

/** The bytes of one chunk. */
const CHUNK_BYTES = 1 << 20;
/** Errors of a path that names no file. */
const ABSENT = ["ENOENT", "ENOTDIR"];

export function withFiles(fetch: Fetch): Fetch {
  return async (input, init = {}) => {
    const { href } = new URL(input instanceof Request ? input.url : input);
    return href.startsWith("file:") ? read(href, init) : fetch(input, init);
  };
}

/** @throws NetworkError for a file that may not be read; what the signal was aborted with */
async function read(address: string, init: RequestInit): Promise<Response> {
  init.signal?.throwIfAborted();
  const path = fileURLToPath(address);
  let file: FileHandle;
  try {
    file = await open(path);
  } catch (error) {
    if (ABSENT.includes((error as NodeJS.ErrnoException).code ?? "")) return absent("no such file");
    throw createError(
      "NetworkError",
      `${path} cannot be read (${messageOf(error)}): let this program read it`,
    );
  }
  const found = await file.stat({ bigint: true }).finally(() => file.close());
  if (!found.isFile()) return absent("it is not a file");
  return responseOf(path, Number(found.size), `"${found.mtimeNs}-${found.size}"`, address, init);
}

function absent(statusText: string) {
  return new Response(null, { status: 404, statusText });
}

function responseOf(
  path: string,
  size: number,
  etag: string,
  url: string,
  { headers, method, signal }: RequestInit,
): Response {
  const part = rangeOf(new Headers(headers).get("range"), size);
  const { start, end } = part ?? { start: 0, end: size };
  const response = new Response(method === "HEAD" ? null : bytesOf(path, start, end, signal), {
    status: part ? 206 : 200,
    headers: {
      "accept-ranges": "bytes",
      "content-length": String(end - start),
      "content-type": extname(path) === ".wasm" ? "application/wasm" : "application/octet-stream",
      etag,
      ...(part && { "content-range": `bytes ${start}-${end - 1}/${size}` }),
    },
  });
  // A response that is made by hand has neither, and the loader takes "basic" as: no header is hidden.
  return Object.defineProperties(response, { type: { value: "basic" }, url: { value: url } });
}

/** The part of a file that is asked for; `end` is excluded. */
function rangeOf(header: string | null, size: number) {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(header ?? "") ?? [];
  if (first === undefined) return undefined;
  const [start, end] = [Number(first), Math.min(size, last ? Number(last) + 1 : size)];
  return start < end ? { start, end } : undefined;
}

function bytesOf(path: string, start: number, end: number, signal: AbortSignal | null | undefined) {
  if (start === end) return new Uint8Array();
  const stream = createReadStream(path, { start, end: end - 1, highWaterMark: CHUNK_BYTES });
  const abort = () =>
    void stream.destroy(new DOMException("the request was aborted", "AbortError"));
  signal?.addEventListener("abort", abort, { once: true });
  stream.once("close", () => signal?.removeEventListener("abort", abort));
  return Readable.toWeb(stream) as ReadableStream<Uint8Array<ArrayBuffer>>;
}
