#!/usr/bin/env node
// A static server for the built page: `node scripts/serve.mjs [FOLDER]`. PORT is the first port to try (8080).
// It isolates pages from other origins, which wasm threads need. serve-static answers ranges and conditional requests.

import { createServer } from "node:http";
import { fileURLToPath } from "node:url";

import serveStatic from "serve-static";

const HEADERS = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
  "X-Content-Type-Options": "nosniff",
  "Cache-Control": "no-cache",
};

/** @typedef {import("node:http").IncomingMessage} Request */
/** @typedef {import("node:http").ServerResponse} Response */

/**
 * Serves `root` on localhost. Port 0 lets the system choose a port; if a port is taken, the next one is tried. `handle` gets
 * each request first and returns whether it has answered it.
 * @param {{ root: string, port?: number, handle?: (request: Request, response: Response) => boolean }} options
 * @returns {Promise<{ url: string, port: number, close: () => Promise<void> }>}
 */
export async function serve({ root, port = 0, handle = () => false }) {
  const files = serveStatic(root, {
    cacheControl: false,
    lastModified: false,
    fallthrough: false,
    // Strong, unlike the library's own: only a strong ETag may be used in If-Range to resume a download.
    setHeaders: (response, _, { size, mtimeMs }) =>
      response.setHeader("ETag", `"${size.toString(36)}-${Math.round(mtimeMs).toString(36)}"`),
  });
  const server = createServer((request, response) => {
    if (handle(request, response)) return;
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    files(request, response, (error) => {
      const { statusCode = 500, message = "" } = error ?? {};
      response.writeHead(statusCode, { "Content-Type": "text/plain; charset=utf-8" });
      response.end(statusCode === 404 ? `no such file: ${request.url}\n` : `${message}\n`);
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

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = process.argv[2] ?? "dist";
  const { url } = await serve({ root, port: Number(process.env.PORT ?? 8080) });
  console.log(`Candlescope is at ${url} (Ctrl+C stops it)`);
}
