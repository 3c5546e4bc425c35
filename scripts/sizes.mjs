#!/usr/bin/env node
// Prints the size of every script and wasm file in dist/, raw and in brotli at its highest level, and the total of the files
// that the page needs for its first pattern.

import { readFile, readdir } from "node:fs/promises";
import { brotliCompressSync } from "node:zlib";

const names = (await readdir("dist", { recursive: true }))
  .filter((name) => /\.(js|wasm|css|html)$/.test(name))
  .sort();
/** @param {number} bytes */
const kb = (bytes) => `${(bytes / 1000).toFixed(1)} kB`.padStart(12);

/** @param {string} name @param {number} raw @param {number} brotli */
const line = (name, raw, brotli) =>
  console.log(`${name.padEnd(40)}${kb(raw)}${kb(brotli)} in brotli`);

const preloaded = String(await readFile("dist/index.html")).matchAll(
  /rel="modulepreload" href="([^"]+)"/g,
);
const needed = [
  ...[...preloaded].map(([, name]) => name),
  "worker.js",
  "helper.js",
  "pkg/candlescope.js",
  "pkg/candlescope_threads_primary.wasm",
];
const sum = { raw: 0, brotli: 0 };
for (const name of names) {
  const bytes = await readFile(`dist/${name}`);
  const brotli = brotliCompressSync(bytes).length;
  line(name, bytes.length, brotli);
  if (needed.includes(name))
    Object.assign(sum, { raw: sum.raw + bytes.length, brotli: sum.brotli + brotli });
}
line("scripts and wasm for a first pattern", sum.raw, sum.brotli);
