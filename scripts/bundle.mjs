#!/usr/bin/env node
// Writes dist/, the static folder that any host can serve under any path.
// Comes in: www/ (TypeScript modules), pkg/ (the wasm builds), models/. Leaves to others: building wasm, type declarations.

import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, extname, join, relative } from "node:path";
import { build } from "esbuild";

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

/** The entry points: the name in dist/ and the module. */
const page = {
  opening: "page/opening.ts",
  main: "page/main.ts",
  candlescope: "api/candlescope.ts",
  tensor: "api/tensor.ts",
  style: "style.css",
};
const elements = {
  elements: "elements/elements.ts",
  // A custom element's name holds a hyphen, so its module's does too; the others in elements/ are shared pieces.
  ...Object.fromEntries(
    sources
      .filter((path) => /^www\/elements\/[^/]*-[^/]*\.ts$/.test(path))
      .map((path) => [`elements/${basename(path, ".ts")}`, relative(WWW, path)]),
  ),
};
const worker = { worker: "worker/worker.ts", helper: "worker/helper.ts" };
/** @param {Record<string, string>} entries */
const entryPoints = (entries) =>
  Object.entries(entries).map(([out, path]) => ({ in: join(WWW, path), out }));

/** Leaves the public module outside, which stands beside the entry points. @type {import("esbuild").Plugin} */
const apiStaysOutside = {
  name: "api stays outside",
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

// Beside the entries, so that `new URL("./worker.js", import.meta.url)` holds in a shared chunk as well.
const parted = { splitting: true, chunkNames: "chunk-[hash]" };

const [{ metafile }] = await Promise.all([
  // The page alone, so that its scripts come in a few large pieces. It shares the public face, and so the worker.
  build({
    ...common,
    ...parted,
    metafile: true,
    entryPoints: entryPoints(page),
  }),
  build({
    ...common,
    ...parted,
    entryPoints: entryPoints(elements),
    plugins: [apiStaysOutside],
  }),
  // The worker chooses among the wasm builds when it runs: they stay what they are, in pkg/.
  build({ ...common, entryPoints: entryPoints(worker), external: ["./pkg/*"] }),
]);

// A classic script, so that it can be a page's script and a service worker at once.
await build({
  ...common,
  format: "iife",
  entryPoints: entryPoints({ isolate: "page/isolate.ts" }),
});

// Of the wasm, what www/threads.js takes: of the build with threads that is its two parts alone.
const copied = sources.filter((path) => ![".js", ".css", ".ts"].includes(extname(path)));
await Promise.all([
  ...copied.map((path) => cp(path, join(OUT, relative(WWW, path)))),
  ...MODELS.map((model) => cp(model, join(OUT, model), { recursive: true })),
  cp("pkg", join(OUT, "pkg"), {
    recursive: true,
    filter: (path) =>
      !/\/(\.gitignore|package\.json|README\.md|LICENSE[^/]*|\w+_threads_bg\.wasm)$/.test(path),
  }),
]);
await mkdir(OUT, { recursive: true });
await preloadModules("index.html", ["opening.js", "main.js"]);

/**
 * Names in a page all modules that its scripts import, so that they come at once and not each after the one that names it.
 * @param {string} page @param {string[]} scripts in the order in which they are needed
 */
async function preloadModules(page, scripts) {
  const found = new Set();
  for (const script of scripts) {
    for (const path of within(join(OUT, script))) found.add(path);
  }
  const links = [...found].map(
    (path) => `<link rel="modulepreload" href="${relative(OUT, path)}" />`,
  );
  const text = await readFile(join(OUT, page), "utf8");
  if (!text.includes("</head>")) throw new Error(`${page} has no </head>`);
  await writeFile(join(OUT, page), text.replace("</head>", `${links.join("")}</head>`));
}

/** A script and all that it imports at once. @param {string} script */
function within(script) {
  const found = new Set([script]);
  for (const path of found) {
    for (const { path: imported, kind } of metafile.outputs[path].imports) {
      if (kind === "import-statement") found.add(imported);
    }
  }
  return found;
}
