#!/usr/bin/env node
// Splits the wasm builds in a folder: `node --import tsx scripts/split.mjs pkg LINKED`.
// Reads NAME_bg.wasm, NAME_threads_bg.wasm, their glue, and LINKED, the module as the linker wrote it, with relocations. Writes
// for each NAME_primary.wasm, with the functions that a first visit needs (profile.mjs measures which) and the constants that
// they need, and NAME_secondary.wasm with the others. Names and relocations are removed from all modules.
// tools/wasm-split has the method, www/worker/lazy-module.ts loads the secondary module.

import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

import { moduleOf, sectionsOf } from "../tools/wasm-split/binary.mjs";
import { constantsOf, functionNames } from "../tools/wasm-split/constants.mjs";
import { split } from "../tools/wasm-split/split.mjs";
import { functionsUsed } from "./profile.mjs";

const [folder, linkedPath, name = "candlescope"] = process.argv.slice(2);
if (!linkedPath)
  throw new Error("expected the folder of the builds, and the module as it was linked");

const path = (/** @type {string} */ build) => join(folder, `${build}_bg.wasm`);
const builds = [name, `${name}_threads`];
const names = functionNames(readFileSync(path(name))).defined;
const stripped = builds.map((build) => ({
  build,
  whole: withoutCustom(readFileSync(path(build))),
}));
const isPrimary = await functionsUsed(
  stripped.map(({ whole }) => whole),
  pathToFileURL(resolve(folder, `${name}.js`)),
);
const { readOnly, neededBy } = constantsOf(readFileSync(linkedPath));
const constants = {
  readOnly,
  neededBy: (/** @type {number[]} */ functions) => neededBy(functions.map((at) => names[at])),
};
for (const { build, whole } of stripped) {
  writeFileSync(path(build), whole);
  for (const [part, wasm] of Object.entries(split(whole, isPrimary, constants))) {
    // Validates: the split does not decode instructions, so a new encoding would show here first.
    new WebAssembly.Module(new Uint8Array(wasm));
    writeFileSync(join(folder, `${build}_${part}.wasm`), wasm);
  }
}

/** @param {Buffer} wasm */
function withoutCustom(wasm) {
  return moduleOf(sectionsOf(wasm).filter(({ id }) => id !== 0));
}
