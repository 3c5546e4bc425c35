#!/usr/bin/env node
// Splits the wasm builds in a folder: `node --import tsx scripts/split.mjs pkg`.
// Reads NAME_bg.wasm, NAME_threads_bg.wasm and their glue. Writes for each NAME_primary.wasm, with the functions that a first
// visit needs (profile.mjs measures which), and NAME_secondary.wasm with the others. tools/wasm-split has the method,
// www/worker/lazy-module.ts loads the secondary module.

import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

import { split } from "../tools/wasm-split/split.mjs";
import { functionsUsed } from "./profile.mjs";

const [folder = "pkg", name = "candlescope"] = process.argv.slice(2);
const builds = [name, `${name}_threads`].map((build) => ({
  build,
  whole: readFileSync(join(folder, `${build}_bg.wasm`)),
}));
const isPrimary = await functionsUsed(
  builds.map(({ whole }) => whole),
  pathToFileURL(resolve(folder, `${name}.js`)),
);
for (const { build, whole } of builds) {
  for (const [part, wasm] of Object.entries(split(whole, isPrimary))) {
    // Validates: the split does not decode instructions, so a new encoding would show here first.
    new WebAssembly.Module(new Uint8Array(wasm));
    writeFileSync(join(folder, `${build}_${part}.wasm`), wasm);
  }
}
