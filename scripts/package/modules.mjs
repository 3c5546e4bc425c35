// The scripts of the npm package. They differ from those of dist/: no page, one build of browser and Node.js that share chunks,
// and a worker that contains the glue of wasm-bindgen, so that a bundler meets only the wasm modules that are published.

import { readFile } from "node:fs/promises";
import { resolve } from "node:path";

import { build } from "esbuild";

import { ESM, entryPoints, node, SPLITTING, typed, worker } from "../entries.mjs";

/** @typedef {import("esbuild").Metafile} Metafile */

/** Contains the glue, without the address of the module that is not split. @type {import("esbuild").Plugin} */
export const splitOnly = {
  name: "split modules only",
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^\.\/pkg\/candlescope\.js$/ }, () => ({
      path: resolve("pkg/candlescope.js"),
    }));
    onLoad({ filter: /pkg[\\/]candlescope\.js$/ }, async ({ path }) => {
      const glue = await readFile(path, "utf8");
      const contents = glue.replace("new URL('candlescope_bg.wasm', import.meta.url)", "undefined");
      if (contents === glue)
        throw new Error(
          `expected the address of candlescope_bg.wasm in ${path}, whose form has changed`,
        );
      return { contents };
    });
    onLoad({ filter: /worker[\\/]whole-module\.ts$/ }, () => ({
      contents: "export const whole = undefined;",
    }));
  },
};

/**
 * Writes the scripts.
 * @param {string} folder
 * @returns {Promise<{ sideEffects: string[], dependencies: string[] }>} the scripts that do something when they are imported, and the
 *   npm packages that are contained
 */
export async function writeModules(folder) {
  const common = { ...ESM, outdir: folder, metafile: true };
  const [library, workers] = await Promise.all([
    build({
      ...common,
      entryPoints: entryPoints({ ...typed, ...node }),
      ...SPLITTING,
      external: ["node:*"],
    }),
    build({ ...common, entryPoints: entryPoints(worker), plugins: [splitOnly] }),
  ]);
  const metafiles = [library.metafile, workers.metafile].filter((one) => one !== undefined);
  const isPure = reachable(metafiles[0], folder, ["candlescope", "tensor"]);
  const outputs = metafiles.flatMap(({ outputs }) => Object.keys(outputs));
  return {
    sideEffects: outputs
      .map((path) => path.slice(folder.length + 1))
      .filter((path) => !isPure.has(path))
      .sort(),
    dependencies: packagesIn(metafiles),
  };
}

/**
 * The scripts that these entries import, themselves included.
 * @param {Metafile | undefined} metafile @param {string} folder @param {string[]} entries
 */
function reachable(metafile, folder, entries) {
  const found = new Set(entries.map((name) => `${folder}/${name}.js`));
  for (const path of found)
    for (const { path: imported, external } of metafile?.outputs[path]?.imports ?? [])
      if (!external) found.add(imported);
  return new Set([...found].map((path) => path.slice(folder.length + 1)));
}

/** @param {Metafile[]} metafiles */
function packagesIn(metafiles) {
  const inputs = metafiles.flatMap(({ inputs }) => Object.keys(inputs));
  const names = inputs.flatMap(
    (path) => /(?:.*\/)?node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? [],
  );
  return [...new Set(names)].sort();
}
