#!/usr/bin/env node
// Prints the size of every script and wasm file in dist/, raw and in brotli at its best level.

import { readFile, readdir } from "node:fs/promises";
import { brotliCompressSync } from "node:zlib";

const names = (await readdir("dist", { recursive: true })).filter((name) => /\.(js|wasm|css|html)$/.test(name)).sort();
/** @param {number} bytes */
const kb = (bytes) => `${(bytes / 1000).toFixed(1)} kB`.padStart(12);

for (const name of names) {
  const bytes = await readFile(`dist/${name}`);
  console.log(`${name.padEnd(40)}${kb(bytes.length)}${kb(brotliCompressSync(bytes).length)} in brotli`);
}
