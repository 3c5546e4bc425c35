#!/usr/bin/env node
// Makes a wasm build ready for threads: `node scripts/threads.mjs pkg`.
// Comes in: what wasm-bindgen wrote. Goes out: NAME_threads_bg.wasm beside NAME_bg.wasm, the same module with its memory
// declared shared; and glue that works with both.
//
// Shared memory is all that the module needs to know: helpers run the small module of src/kernel/simd/, never this one.
// wasm-bindgen's own way to threads wants a standard library built with atomics, hence a nightly compiler.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { leb, moduleOf, SECTION, sectionsOf, toLeb } from "../tools/wasm-split/binary.mjs";

const [folder = "pkg", name = "candlescope"] = process.argv.slice(2);
/** The most pages that 32 bits address; src/kernel's modules expect the same. */
const MOST_PAGES = 65536;

writeFileSync(
  join(folder, `${name}_threads_bg.wasm`),
  withSharedMemory(readFileSync(join(folder, `${name}_bg.wasm`))),
);
const glue = join(folder, `${name}.js`);
writeFileSync(glue, fitForSharedMemory(readFileSync(glue, "utf8")));

/** @param {Buffer} wasm */
function withSharedMemory(wasm) {
  const sections = sectionsOf(wasm);
  const memory = sections.find(({ id }) => id === SECTION.memory);
  if (!memory) throw new Error("the module has no memory of its own");
  // One memory: flags, then the least number of pages, then the most.
  const [least] = leb(memory.body, 2);
  memory.body = Buffer.from([1, 3, ...toLeb(least), ...toLeb(MOST_PAGES)]);
  return moduleOf(sections);
}

/** @param {string} text */
function fitForSharedMemory(text) {
  const replacements = [
    // Shared memory that grew leaves the old views as they were: they are not emptied, only too short.
    { from: /(cached\w+ArrayMemory0)\.byteLength === 0/g, to: "$1.buffer !== wasm.memory.buffer" },
    // Browsers decode no shared bytes, and encode into none.
    {
      from: /decodeText\(getUint8ArrayMemory0\(\)\.subarray\(/g,
      to: "decodeText(getUint8ArrayMemory0().slice(",
    },
    { from: /if \(!\('encodeInto' in cachedTextEncoder\)\) \{/g, to: "{" },
    // Nor do they put random numbers there.
    {
      from: /globalThis\.crypto\.getRandomValues\(getArrayU8FromWasm0\((\w+), (\w+)\)\)/g,
      to: "getArrayU8FromWasm0($1, $2).set(crypto.getRandomValues(new Uint8Array($2)))",
    },
  ];
  return replacements.reduce((glue, { from, to }) => {
    if (!from.test(glue))
      throw new Error(`wasm-bindgen writes other glue now: ${from} is not in it`);
    return glue.replace(from, to);
  }, text);
}
