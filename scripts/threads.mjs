#!/usr/bin/env node
// Prepares a wasm build for threads: `node scripts/threads.mjs pkg`.
// Reads what wasm-bindgen wrote. Writes NAME_threads_bg.wasm, the same module with its memory declared shared, and changes
// the glue so that it works with both modules. Cargo.toml requires an exact version of wasm-bindgen for this reason.
//
// Helper threads run only the small module of src/kernel/simd/, so this module needs nothing but shared memory. wasm-bindgen's
// own support for threads needs a standard library built with atomics, hence a nightly compiler.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { leb, moduleOf, SECTION, sectionsOf, toLeb } from "../tools/wasm-split/binary.mjs";

const [folder = "pkg", name = "candlescope"] = process.argv.slice(2);
/** All pages that 32 bits can address; the modules of src/kernel/simd/ import a memory with this maximum. */
const MAX_PAGES = 65536;

writeFileSync(
  join(folder, `${name}_threads_bg.wasm`),
  withSharedMemory(readFileSync(join(folder, `${name}_bg.wasm`))),
);
const glue = join(folder, `${name}.js`);
writeFileSync(glue, forSharedMemory(readFileSync(glue, "utf8")));

/** @param {Buffer} wasm */
function withSharedMemory(wasm) {
  const sections = sectionsOf(wasm);
  const memory = sections.find(({ id }) => id === SECTION.memory);
  if (!memory) throw new Error("expected a module that defines its memory");
  // One memory: flags, the minimum number of pages, the maximum.
  const [minimum] = leb(memory.body, 2);
  memory.body = Buffer.from([1, 3, ...toLeb(minimum), ...toLeb(MAX_PAGES)]);
  return moduleOf(sections);
}

/** @param {string} text */
function forSharedMemory(text) {
  const replacements = [
    // When shared memory grows, existing views keep their length; they do not become empty.
    { from: /(cached\w+ArrayMemory0)\.byteLength === 0/g, to: "$1.buffer !== wasm.memory.buffer" },
    // TextDecoder and TextEncoder refuse shared memory.
    {
      from: /decodeText\(getUint8ArrayMemory0\(\)\.subarray\(/g,
      to: "decodeText(getUint8ArrayMemory0().slice(",
    },
    { from: /if \(!\('encodeInto' in cachedTextEncoder\)\) \{/g, to: "{" },
    // So does getRandomValues.
    {
      from: /globalThis\.crypto\.getRandomValues\(getArrayU8FromWasm0\((\w+), (\w+)\)\)/g,
      to: "getArrayU8FromWasm0($1, $2).set(crypto.getRandomValues(new Uint8Array($2)))",
    },
  ];
  return replacements.reduce((glue, { from, to }) => {
    if (!from.test(glue))
      throw new Error(`expected ${from} in the glue of wasm-bindgen, whose output has changed`);
    return glue.replace(from, to);
  }, text);
}
