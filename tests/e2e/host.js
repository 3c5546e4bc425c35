// A host of the built page that sets no headers but the type and CORS, with pages and headers of a test: what a blog or a CDN is.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join } from "node:path";

import { DIST } from "./browser.js";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".wasm": "application/wasm",
  ".json": "application/json",
  ".svg": "image/svg+xml",
};

/**
 * dist/ is at /cs/.
 * @param {{ pages?: Record<string, string>, headers?: (path: string) => Record<string, string> }} [options]
 */
export async function startHost({ pages = {}, headers = () => ({}) } = {}) {
  /** @type {string[]} */
  const asked = [];
  const server = createServer(async (request, response) => {
    const path = new URL(request.url ?? "/", "http://localhost").pathname;
    asked.push(path);
    const extension = /** @type {keyof typeof TYPES} */ (extname(path));
    const type = TYPES[extension] ?? "application/octet-stream";
    const all = { "content-type": type, "access-control-allow-origin": "*", ...headers(path) };
    const body = pages[path] ?? (await file(path));
    response.writeHead(body === null ? 404 : 200, all);
    response.end(body ?? "no such file");
  });
  await new Promise((done) => server.listen(0, "localhost", () => done(undefined)));
  const address = server.address();
  assert.ok(address && typeof address === "object");
  return {
    asked,
    pages,
    url: `http://localhost:${address.port}/`,
    origin: `http://localhost:${address.port}`,
    stop: async () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** @param {string} path */
async function file(path) {
  if (path === "/favicon.ico") return "";
  if (!path.startsWith("/cs/")) return null;
  return readFile(join(DIST, path.slice(3))).catch(() => null);
}

/** A whole page with figures. @param {string} body @param {string} [script] the address of elements.js */
export function pageOf(body, script = "/cs/elements.js") {
  return `<!doctype html>
<meta charset="utf-8" />
<meta name="viewport" content="width=device-width, initial-scale=1" />
<title>A post</title>
<link rel="icon" href="/cs/icon.svg" />
<script type="module" src="${script}"></script>
<main>
${body}
</main>
`;
}

/** @param {string} attributes @param {string} [content] */
export function figure(attributes, content = "") {
  return `<candle-scope model="/cs/models/shakespeare" ${attributes}>${content}</candle-scope>`;
}

/** Waits until every figure of the page has been drawn or says an error. @param {import("playwright-core").Page | import("playwright-core").Frame} page */
export async function drawn(page) {
  await page.waitForFunction(() =>
    [...document.querySelectorAll("candle-scope")].every((/** @type {any} */ one) => {
      const inner = one.renderRoot?.querySelector("scope-figure");
      return one.error || (one.reading && !one.busy && inner && !inner.needs);
    }),
  );
}

/** Chooses a view of the page's first figure, and waits until it is drawn. @param {import("playwright-core").Page} page @param {string} view */
export async function showView(page, view) {
  await page.evaluate(
    (view) => document.querySelector("candle-scope")?.setAttribute("view", view),
    view,
  );
  await page.waitForFunction((view) => {
    const scope = /** @type {any} */ (document.querySelector("candle-scope"));
    const inner = scope.renderRoot.querySelector("scope-figure");
    return inner.view === view && !inner.needs;
  }, view);
}
