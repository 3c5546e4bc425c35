// The modules that dist/ publishes: the name there, without extension, and the source in www/. bundle.mjs makes the JavaScript,
// types.mjs the declarations, package/modules.mjs the npm package; how esbuild compiles a module is the same for all of them.

import { readdirSync } from "node:fs";
import { basename, join } from "node:path";

/** @typedef {Record<string, string>} Entries */

/** The page, and the public API, which the page shares. @type {Entries} */
export const page = {
  preload: "page/preload.ts",
  main: "page/main.ts",
  candlescope: "api/candlescope.ts",
  tensor: "api/tensor.ts",
};

/** The custom elements: all of them, and one module for each, which defines its element. @type {Entries} */
export const elements = {
  elements: "elements/elements.ts",
  figure: "elements/figure.ts",
  ...Object.fromEntries(
    readdirSync(new URL("../www/elements/define/", import.meta.url)).map((name) => [
      `elements/${basename(name, ".ts")}`,
      `elements/define/${name}`,
    ]),
  ),
};

/** The element of a page that shows only snapshots. In dist/ it shares no chunks with the others, so that it is one small file. @type {Entries} */
export const snapshot = { snapshot: "elements/snapshot.ts" };

/** The scripts of HTML files that have everything in them. @type {Entries} */
export const standalone = {
  "standalone/figure-all": "page/standalone/figure.ts",
  "standalone/live": "page/standalone/live.ts",
};
/** The same for figures of views that need little code, and the worker. @type {Entries} */
export const standaloneFigure = { "standalone/figure": "page/standalone/figure.ts" };
/** @type {Entries} */
export const standaloneWorker = { "standalone/worker": "worker/worker.ts" };
/** The files of the views whose code is in standalone/figure.js: those that www/page/exports/standalone.ts lists by their names. */
export const FEW_VIEWS = ["attention", "lines", "loss", "scores", "lens"];

/** The notebook, which shares the chunks of the elements. @type {Entries} */
export const notebook = { notebook: "notebook/main.ts" };

/** @type {Entries} */
export const worker = { worker: "worker/worker.ts", helper: "worker/helper.ts" };

/** What the npm package runs in Node.js: the API, and the first script of each of its worker threads. @type {Entries} */
export const node = { node: "node/main.ts", "node-thread": "node/thread.ts" };

/** The page of one figure, which shares the chunks of the elements. @type {Entries} */
export const embed = { embed: "page/embed.ts" };

/** Classic scripts: one is a page's script and a service worker, the other runs before the modules. @type {Entries} */
export const classic = { isolate: "page/isolate.ts", early: "page/early.ts" };

/**
 * The modules that other projects import: those of the npm package, which have declarations. @type {Entries}
 */
export const typed = {
  candlescope: page.candlescope,
  tensor: page.tensor,
  ...elements,
  ...snapshot,
};

/** What esbuild is told of entries. @param {Entries} entries */
export const entryPoints = (entries) =>
  Object.entries(entries).map(([out, path]) => ({ in: join("www", path), out }));

/** @satisfies {import("esbuild").BuildOptions} */
export const ESM = /** @type {const} */ ({
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  legalComments: "none",
  logLevel: "warning",
});

/** Chunks lie beside the entries, so that `new URL("./worker.js", import.meta.url)` also works in a chunk. */
export const SPLITTING = { splitting: true, chunkNames: "chunk-[hash]" };
