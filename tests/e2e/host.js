// A host of the built page that sets no headers but the type and CORS, with pages and headers of a test: what a blog or a CDN is.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { after, before } from "node:test";

import { DIST, start, visit } from "./browser.js";

/** @typedef {import("playwright-core").Page} Page */

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

/**
 * A browser and a host for the tests of a file, from before the first of them until after the last one.
 * @param {Parameters<typeof startHost>[0]} [options] of the host
 * @param {() => Promise<void>} [prepare] what else happens before the first test, when both are there
 */
export function useHost(options, prepare) {
  const site = /** @type {Awaited<ReturnType<typeof start>>} */ ({});
  const host = /** @type {Awaited<ReturnType<typeof startHost>>} */ ({});
  before(async () => {
    await Promise.all([
      start().then((started) => Object.assign(site, started)),
      startHost(options).then((started) => Object.assign(host, started)),
    ]);
    await prepare?.();
  });
  after(async () => {
    await site.stop?.();
    await host.stop?.();
  });

  /**
   * Opens a page with a body.
   * @param {string} body @param {(page: Page) => Promise<void>} act
   * @param {Partial<Parameters<typeof visit>[1]> & { script?: string }} [options] script: the address of elements.js
   */
  function open(body, act, { script, ...options } = {}) {
    host.pages["/page.html"] = pageOf(body, script);
    return visit({ ...site, url: host.url }, { path: "page.html", ...options }, act);
  }

  /** The same, and waits until the figures are drawn. @type {typeof open} */
  const openDrawn = (body, act, options) =>
    open(
      body,
      async (page) => {
        await drawn(page);
        await act(page);
      },
      options,
    );
  return { site, host, open, openDrawn };
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

/** Waits until every figure of the page has been drawn or says an error. @param {Page | import("playwright-core").Frame} page */
export async function drawn(page) {
  await page.waitForFunction(() =>
    [...document.querySelectorAll("candle-scope")].every((/** @type {any} */ one) => {
      const inner = one.renderRoot?.querySelector("scope-figure");
      return one.error || (one.reading && !one.busy && inner && !inner.needs);
    }),
  );
}

/** Chooses a view of the page's first figure, and waits until it is drawn. @param {Page} page @param {string} view */
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
