#!/usr/bin/env node
// Writes dist/, a static folder that any host can serve under any path: the scripts of www/, the wasm builds of pkg/, and the
// bundled models.

import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { extname, join, relative } from "node:path";
import { build } from "esbuild";
import { elements, isolate, page, worker } from "./entries.mjs";

const WWW = "www";
const OUT = "dist";
const MODELS = ["models/shakespeare"];

/** Every file below a folder. @param {string} folder @returns {Promise<string[]>} */
async function files(folder) {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

const sources = await files(WWW);

/** @param {Record<string, string>} entries */
const entryPoints = (entries) =>
  Object.entries(entries).map(([out, path]) => ({ in: join(WWW, path), out }));

/** Keeps the public API as an import of dist/candlescope.js, so that page and elements share one worker. @type {import("esbuild").Plugin} */
const externalApi = {
  name: "external API",
  setup({ onResolve }) {
    onResolve({ filter: /\/api\/candlescope\.js$/ }, () => ({
      path: "./candlescope.js",
      external: true,
    }));
  },
};

/** @type {import("esbuild").BuildOptions} */
const common = {
  outdir: OUT,
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  legalComments: "none",
  logLevel: "warning",
};

await rm(OUT, { recursive: true, force: true });

// Chunks lie beside the entries, so that `new URL("./worker.js", import.meta.url)` also works in a chunk.
const splitting = { splitting: true, chunkNames: "chunk-[hash]" };

const [{ metafile }] = await Promise.all([
  // The page is bundled without the elements' entry points, so that it loads a few large chunks.
  build({
    ...common,
    ...splitting,
    metafile: true,
    entryPoints: entryPoints({ ...page, style: "style.css" }),
  }),
  build({
    ...common,
    ...splitting,
    entryPoints: entryPoints(elements),
    plugins: [externalApi],
  }),
  // The worker chooses among the wasm builds at run time.
  build({ ...common, entryPoints: entryPoints(worker), external: ["./pkg/*"] }),
]);

await build({
  ...common,
  format: "iife",
  entryPoints: entryPoints(isolate),
});

// The whole build with threads is not published: www/worker/threads.ts loads its primary and secondary modules.
const copied = sources.filter((path) => ![".js", ".css", ".ts"].includes(extname(path)));
await Promise.all([
  ...copied.map((path) => cp(path, join(OUT, relative(WWW, path)))),
  ...MODELS.map((model) => cp(model, join(OUT, model), { recursive: true })),
  cp("pkg", join(OUT, "pkg"), {
    recursive: true,
    filter: (path) =>
      !/\/(\.gitignore|package\.json|README\.md|LICENSE[^/]*|\w+_threads_bg\.wasm|.*\.d\.ts)$/.test(
        path,
      ),
  }),
]);
await mkdir(OUT, { recursive: true });
await preloadModules("index.html", ["preload.js", "main.js"]);

/**
 * Adds a modulepreload link for every module that the page's scripts import, so that the browser requests them in parallel.
 * @param {string} page @param {string[]} scripts in the order in which they are needed
 */
async function preloadModules(page, scripts) {
  const found = new Set();
  for (const script of scripts) {
    for (const path of staticImports(join(OUT, script))) found.add(path);
  }
  const links = [...found].map(
    (path) => `<link rel="modulepreload" href="${relative(OUT, path)}" />`,
  );
  const text = await readFile(join(OUT, page), "utf8");
  if (!text.includes("</head>")) throw new Error(`${page} has no </head>`);
  await writeFile(join(OUT, page), text.replace("</head>", `${links.join("")}</head>`));
}

/** A script and all modules that it imports statically, directly or not. @param {string} script */
function staticImports(script) {
  const found = new Set([script]);
  for (const path of found) {
    for (const { path: imported, kind } of metafile.outputs[path].imports) {
      if (kind === "import-statement") found.add(imported);
    }
  }
  return found;
}
