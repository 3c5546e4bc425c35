#!/usr/bin/env node
// Writes dist/, a static folder that any host can serve under any path: the scripts of www/, the wasm builds of pkg/, and the
// bundled models.

import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, extname, join, relative } from "node:path";
import { build, transform } from "esbuild";
import { chunksByEntry, chunksOfFigures, joinChunks, scriptsOf } from "./chunks.mjs";
import {
  classic,
  elements,
  embed,
  entryPoints,
  ESM,
  FEW_VIEWS,
  notebook,
  page,
  snapshot,
  SPLITTING,
  standalone,
  standaloneFigure,
  standaloneWorker,
  worker,
} from "./entries.mjs";
import { splitOnly } from "./package/modules.mjs";
import { quantized } from "./quantize.mjs";

const WWW = "www";
const OUT = "dist";
const MODELS = ["models/shakespeare"];
/** The bundled model with 8-bit weights. */
const Q8 = "models/shakespeare/shakespeare-q8.gguf";

/** Every file below a folder. @param {string} folder @returns {Promise<string[]>} */
async function files(folder) {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

const sources = await files(WWW);

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

/** Keeps what "run live" loads as an import of dist/elements.js. @type {import("esbuild").Plugin} */
const externalElements = {
  name: "external elements",
  setup({ onResolve }) {
    onResolve({ filter: /^\.\/elements\.js$/ }, ({ path }) => ({ path, external: true }));
  },
};

/** In a script that is one file, addresses beside it mean nothing. */
const ONE_FILE = /** @type {const} */ ({
  format: "iife",
  define: { "import.meta.url": '"about:blank"' },
});

/** Leaves out what a small file does not need: other views, what computes with a model, and files of figures. @type {import("esbuild").Plugin} */
const fewViews = {
  name: "few views",
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^\.\/[\w-]+-view\.js$/ }, ({ path }) => {
      const isIn = FEW_VIEWS.some((name) => path === `./${name}-view.js`);
      return isIn ? undefined : { path, namespace: "absent" };
    });
    onResolve({ filter: /\/(attention-values|export\/[\w-]+)\.js$/ }, ({ path }) => ({
      path,
      namespace: "absent",
    }));
    onLoad({ filter: /.*/, namespace: "absent" }, () => ({
      contents: 'throw new Error("this file does not have the code for this: use the page")',
    }));
  },
};

/** Takes the addresses of the wasm modules from a global variable (www/page/standalone/live.ts). @type {import("esbuild").Plugin} */
const givenWasm = {
  name: "given wasm",
  setup({ onLoad }) {
    onLoad({ filter: /worker[\\/]wasm-files\.ts$/ }, () => ({
      contents: "export const oneThread = self.candlescopeWasm, threads = oneThread;",
    }));
  },
};

const common = { ...ESM, outdir: OUT };

// docs/site/build.mjs writes the documentation, and knows whether it is up to date.
await mkdir(OUT, { recursive: true });
for (const name of await readdir(OUT))
  if (name !== "docs") await rm(join(OUT, name), { recursive: true });

/** What shares the chunks of the elements, besides styles. */
const withElements = { ...elements, ...embed, ...notebook };

const [ofPage, ofSnapshot, ofElements] = await Promise.all([
  build({
    ...common,
    ...SPLITTING,
    write: false,
    entryPoints: entryPoints({ ...page, style: "style.css" }),
  }),
  build({
    ...common,
    ...SPLITTING,
    write: false,
    entryPoints: entryPoints(snapshot),
    plugins: [externalElements],
  }),
  build({
    ...common,
    ...SPLITTING,
    write: false,
    entryPoints: entryPoints({
      ...withElements,
      "embed-style": "embed.css",
      "no-script": "no-script.css",
      "notebook-style": "notebook/notebook.css",
    }),
    plugins: [externalApi],
  }),
  build({ ...common, ...ONE_FILE, entryPoints: entryPoints(standalone) }),
  build({
    ...common,
    ...ONE_FILE,
    entryPoints: entryPoints(standaloneFigure),
    plugins: [fewViews],
  }),
  build({
    ...common,
    ...ONE_FILE,
    entryPoints: entryPoints(standaloneWorker),
    plugins: [splitOnly, givenWasm],
  }),
  // The worker chooses among the wasm builds at run time.
  build({ ...common, ...SPLITTING, entryPoints: entryPoints(worker), external: ["./pkg/*"] }),
]);

await build({
  ...common,
  format: "iife",
  entryPoints: entryPoints(classic),
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
const glue = join(OUT, "pkg/candlescope.js");
const { code } = await transform(await readFile(glue, "utf8"), { format: "esm", minify: true });
await writeFile(glue, code);
await writeFile(join(OUT, Q8), await quantized(dirname(Q8)));
const figures = ["candle-scope", "candle-snapshot", "scope-figure", "snapshot-figure"];
const elementOf = (/** @type {string} */ name) => `elements/${name}.js`;
const [first] = await Promise.all([
  // preload.js stays outside of the API's chunk, because it loads a model: other pages import only the API.
  joinChunks(
    ofPage.outputFiles,
    OUT,
    page,
    chunksByEntry(["candlescope.js", "preload.js", "main.js"]),
  ),
  joinChunks(ofSnapshot.outputFiles, OUT, snapshot, chunksByEntry(["snapshot.js"])),
  joinChunks(
    ofElements.outputFiles,
    OUT,
    withElements,
    chunksOfFigures({
      main: "figure.js",
      figure: elementOf("scope-figure"),
      figures: figures.map(elementOf),
      others: Object.keys(elements)
        .filter((name) => name.startsWith("elements/"))
        .map((name) => `${name}.js`),
    }),
  ),
]);
await preloadModules("index.html", scriptsOf(first, ["preload.js", "main.js"]));

/**
 * Adds a modulepreload link for each script, so that the browser requests them in parallel.
 * @param {string} page @param {string[]} scripts
 */
async function preloadModules(page, scripts) {
  const links = scripts.map((path) => `<link rel="modulepreload" href="${path}" />`);
  const text = await readFile(join(OUT, page), "utf8");
  if (!text.includes("</head>")) throw new Error(`${page} has no </head>`);
  await writeFile(join(OUT, page), text.replace("</head>", `${links.join("")}</head>`));
}
