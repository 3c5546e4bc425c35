#!/usr/bin/env node
// A static server for the built page: `node scripts/serve.mjs [folder]`, port from PORT, the next free one if it is taken.
// Comes in: a folder. Goes out: its files, cross-origin isolated (so that wasm threads may be used), with ranges and ETags.

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".ts": "text/plain; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".map": "application/json; charset=utf-8",
  ".md": "text/markdown; charset=utf-8",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".woff2": "font/woff2",
};

const HEADERS = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
  "X-Content-Type-Options": "nosniff",
  "Accept-Ranges": "bytes",
  "Cache-Control": "no-cache",
  Vary: "Accept-Encoding",
};

/**
 * Serves `root` on localhost. Port 0 lets the system choose; a taken port moves on to the next. `handle` sees each request
 * first and returns whether it has answered it.
 * @param {{ root: string, port?: number, handle?: (request: import("node:http").IncomingMessage, response: import("node:http").ServerResponse) => boolean }} options
 * @returns {Promise<{ url: string, port: number, close: () => Promise<void> }>}
 */
export async function serve({ root, port = 0, handle = () => false }) {
  const server = createServer((request, response) => {
    if (handle(request, response)) return;
    answer(resolve(root), request, response).catch((error) => {
      if (!response.headersSent) reply(response, 500, String(error));
      else response.destroy();
    });
  });
  const bound = await listen(server, port);
  return {
    url: `http://localhost:${bound}/`,
    port: bound,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

/** @param {import("node:http").Server} server @param {number} port @returns {Promise<number>} */
function listen(server, port) {
  return new Promise((done, fail) => {
    server.once("error", (/** @type {NodeJS.ErrnoException} */ error) => {
      if (error.code === "EADDRINUSE" && port < 65535) done(listen(server, port + 1));
      else fail(error);
    });
    server.listen(port, "localhost", () => {
      const address = server.address();
      if (address && typeof address === "object") done(address.port);
    });
  });
}

/**
 * @param {string} root
 * @param {import("node:http").IncomingMessage} request
 * @param {import("node:http").ServerResponse} response
 */
async function answer(root, request, response) {
  if (request.method !== "GET" && request.method !== "HEAD")
    return reply(response, 405, "only GET and HEAD are served");
  const { pathname } = new URL(request.url ?? "/", "http://localhost");
  const asked = locate(root, pathname);
  if (!asked) return reply(response, 400, "not a path inside the served folder");
  const found = await find(asked);
  if (!found) return reply(response, 404, `no such file: ${pathname}`);
  if (found.folder && !pathname.endsWith("/")) return redirect(response, request.url ?? "/");

  const compressed =
    /\bbr\b/.test(request.headers["accept-encoding"] ?? "") && (await find(`${found.path}.br`));
  const file = compressed || found;
  const headers = {
    ...HEADERS,
    "Content-Type":
      TYPES[/** @type {keyof typeof TYPES} */ (extname(found.path))] ?? "application/octet-stream",
    ETag: `"${file.size.toString(36)}-${Math.round(file.modified).toString(36)}"`,
    ...(compressed && { "Content-Encoding": "br" }),
  };
  if (matches(request.headers["if-none-match"], headers.ETag))
    return void response.writeHead(304, headers).end();

  const fresh = !request.headers["if-range"] || request.headers["if-range"] === headers.ETag;
  const range = fresh && !compressed ? parseRange(request.headers.range, file.size) : undefined;
  if (range === "outside") {
    return void response
      .writeHead(416, { ...headers, "Content-Range": `bytes */${file.size}` })
      .end();
  }
  const [first, last] = range ?? [0, file.size - 1];
  response.writeHead(range ? 206 : 200, {
    ...headers,
    "Content-Length": last - first + 1,
    ...(range && { "Content-Range": `bytes ${first}-${last}/${file.size}` }),
  });
  if (request.method === "HEAD" || last < first) return void response.end();
  createReadStream(file.path, { start: first, end: last, highWaterMark: 1 << 20 })
    .on("error", () => response.destroy())
    .pipe(response);
}

/** The file below `root` that an address names, or undefined if it points out of it. @param {string} root @param {string} pathname */
function locate(root, pathname) {
  let path;
  try {
    path = normalize(join(root, decodeURIComponent(pathname)));
  } catch {
    return undefined; // not valid percent-encoding
  }
  return (path + sep).startsWith(root + sep) && !path.includes("\0") ? path : undefined;
}

/**
 * A folder stands for its index.html.
 * @param {string} path
 * @returns {Promise<{ path: string, size: number, modified: number, folder: boolean } | undefined>}
 */
async function find(path) {
  const stats = await stat(path).catch(() => undefined);
  if (stats?.isDirectory()) {
    const index = await find(join(path, "index.html"));
    return index && { ...index, folder: true };
  }
  return stats?.isFile()
    ? { path, size: stats.size, modified: stats.mtimeMs, folder: false }
    : undefined;
}

/** @param {string | undefined} header @param {string} etag */
function matches(header, etag) {
  return header
    ?.split(",")
    .some((one) => one.trim().replace(/^W\//, "") === etag || one.trim() === "*");
}

/**
 * `bytes=a-b`, `bytes=a-` or `bytes=-n`; anything else (several ranges too) is answered with the whole file, as HTTP allows.
 * @param {string | undefined} header @param {number} size
 * @returns {[number, number] | "outside" | undefined}
 */
function parseRange(header, size) {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header ?? "") ?? [];
  if (!first && !last) return undefined;
  if (!first)
    return Number(last) > 0 && size > 0 ? [Math.max(0, size - Number(last)), size - 1] : "outside";
  const end = last ? Math.min(Number(last), size - 1) : size - 1;
  if (Number(first) >= size) return "outside";
  return Number(first) <= end ? [Number(first), end] : undefined;
}

/** @param {import("node:http").ServerResponse} response @param {number} status @param {string} text */
function reply(response, status, text) {
  response
    .writeHead(status, { ...HEADERS, "Content-Type": "text/plain; charset=utf-8" })
    .end(`${text}\n`);
}

/** Relative addresses on a folder's page need the slash at its end. @param {import("node:http").ServerResponse} response @param {string} url */
function redirect(response, url) {
  const [path, query] = url.split("?", 2);
  // One leading slash only: `//host` would be an address on another machine.
  response
    .writeHead(301, {
      ...HEADERS,
      Location: `/${path.replace(/^\/+/, "")}/${query ? `?${query}` : ""}`,
    })
    .end();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = process.argv[2] ?? "dist";
  const { url } = await serve({ root, port: Number(process.env.PORT ?? 8080) });
  console.log(`Candlescope is at ${url} (Ctrl+C stops it)`);
}
