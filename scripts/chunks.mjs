// Joins what esbuild wrote into fewer files. esbuild has a chunk for each set of entries and lazy views that share a module: fifty
// chunks for one figure. Each file is compressed alone, so few large ones take fewer bytes than many small ones, and fewer requests.

import { mkdir, writeFile } from "node:fs/promises";
import { join, posix, relative, resolve } from "node:path";

import { transform } from "esbuild";
import { rollup } from "rollup";

import { ESM } from "./entries.mjs";

/** @typedef {(path: string) => readonly string[]} ImportsOf the modules that a module imports, without those on demand */
/** @typedef {(importsOf: ImportsOf) => Map<string, string>} ChunksOf the chunk of each module, if it should be joined with others */

/**
 * Writes what esbuild made, joined by rollup.
 * @param {import("esbuild").OutputFile[]} files
 * @param {string} folder that they were made for
 * @param {import("./entries.mjs").Entries} inputs
 * @param {ChunksOf} chunksOf
 * @returns {Promise<import("rollup").RollupOutput["output"]>}
 */
export async function joinChunks(files, folder, inputs, chunksOf) {
  const texts = new Map(files.map(({ path, text }) => [relative(resolve(folder), path), text]));
  await mkdir(folder, { recursive: true });
  await Promise.all(
    [...texts]
      .filter(([path]) => !path.endsWith(".js"))
      .map(([path, text]) => writeFile(join(folder, path), text)),
  );
  /** @type {import("rollup").Plugin} */
  const fromMemory = {
    name: "from memory",
    resolveId: (path, importer) => {
      const name = posix.join(posix.dirname(importer ?? ""), path);
      return texts.has(name) ? name : { id: path, external: true };
    },
    load: (path) => texts.get(path),
    // rollup lengthens names that occur in several modules, so the result is minified again.
    renderChunk: async (code) => {
      const { format, target, minify, legalComments } = ESM;
      return (await transform(code, { format, target, minify, legalComments })).code;
    },
  };
  const bundle = await rollup({
    input: Object.fromEntries(Object.keys(inputs).map((name) => [name, `${name}.js`])),
    plugins: [fromMemory],
  });
  /** @type {Map<string, string> | undefined} */
  let chunks;
  const { output } = await bundle.write({
    dir: folder,
    compact: true,
    entryFileNames: "[name].js",
    chunkFileNames: "chunk-[hash].js",
    hoistTransitiveImports: false,
    manualChunks: (id, { getModuleInfo }) => {
      chunks ??= chunksOf((path) => getModuleInfo(path)?.importedIds ?? []);
      return chunks.get(id);
    },
  });
  await bundle.close();
  return output;
}

/**
 * One chunk for each entry. What an earlier entry needs belongs to its chunk.
 * @param {readonly string[]} entries
 * @returns {ChunksOf}
 */
export const chunksByEntry = (entries) => (importsOf) => {
  const chunks = new Map();
  for (const entry of entries)
    for (const path of closure(entry, importsOf)) if (!chunks.has(path)) chunks.set(path, entry);
  return chunks;
};

/** A module that at least so many other elements use goes into the chunk that all elements load. */
const MIN_USERS = 3;

/**
 * Few chunks for figures, without making a page that imports only one of the other elements load the figures.
 * @param {object} entries
 * @param {string} entries.main the script of a page with figures, whose modules are joined
 * @param {string} entries.figure the element that the others of `figures` contain
 * @param {readonly string[]} entries.figures what needs most modules of a figure
 * @param {readonly string[]} entries.others the other elements
 * @returns {ChunksOf}
 */
export const chunksOfFigures =
  ({ main, figure, figures, others }) =>
  (importsOf) => {
    const drawing = closure(figure, importsOf);
    const used = others
      .filter((entry) => !figures.includes(entry))
      .map((entry) => closure(entry, importsOf));
    const chunks = new Map();
    for (const path of closure(main, importsOf)) {
      if (path === main) continue; // another script may import what it imports
      const users = used.filter((modules) => modules.has(path)).length;
      const chunk =
        users >= MIN_USERS
          ? "common"
          : users === 0
            ? "figures"
            : drawing.has(path)
              ? "views"
              : "runs";
      chunks.set(path, chunk);
    }
    return chunks;
  };

/**
 * What is loaded with an entry.
 * @param {string} entry @param {ImportsOf} importsOf
 */
function closure(entry, importsOf) {
  const found = new Set([entry]);
  for (const path of found) for (const imported of importsOf(path)) found.add(imported);
  return found;
}

/**
 * The scripts that are loaded with some of them, in the order in which they are needed.
 * @param {import("rollup").RollupOutput["output"]} output
 * @param {string[]} entries
 */
export function scriptsOf(output, entries) {
  const chunks = new Map(output.map((chunk) => [chunk.fileName, chunk]));
  const found = new Set(entries);
  for (const path of found) {
    const chunk = chunks.get(path);
    if (chunk?.type === "chunk") for (const imported of chunk.imports) found.add(imported);
  }
  return [...found];
}
