#!/usr/bin/env node
// How long a model takes from the browser's own storage, beside reading as many bytes from there, in one headless
// Chromium with a profile on disk: `node bench/storage.mjs [FOLDER [ROUNDS]]`, after a build.
// Comes in: dist/ and a folder with config.json and model.safetensors (that of bench/run.mjs). Goes out: a table.

import { cpSync, existsSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

import { serve } from "../scripts/serve.mjs";

const folder = resolve(process.argv[2] ?? fileURLToPath(new URL("build/candlescope", import.meta.url)));
const ROUNDS = Number(process.argv[3] ?? 5);
if (!existsSync(join(folder, "model.safetensors"))) {
  console.error(`${folder} has no model.safetensors: \`make bench\` makes one`);
  process.exit(1);
}

const scratch = mkdtempSync(join(tmpdir(), "candlescope-storage-"));
cpSync(fileURLToPath(new URL("../dist", import.meta.url)), join(scratch, "site"), { recursive: true });
symlinkSync(folder, join(scratch, "site/measured"));
const server = await serve({ root: join(scratch, "site") });
const options = { executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] };
const visitor = await chromium.launchPersistentContext(join(scratch, "profile"), options);
try {
  await measure();
} finally {
  await visitor.close();
  await server.close();
  rmSync(scratch, { recursive: true });
}

/** In turns: the model from the storage in a new page, and its bytes alone in another. */
async function measure() {
  const network = await withPage(loadOnce, true);
  console.log(`from the network of this machine: ${network.ms.toFixed(0)} ms; kept: ${(network.bytes / 1e6).toFixed(0)} MB after ${network.keptMs.toFixed(0)} ms more`);
  const times = { load: [], read: [], readAgain: [] };
  let memory = 0;
  for (let round = -1; round < ROUNDS; round++) {
    const { whole, again } = await withPage(readBytes);
    const load = await withPage(loadOnce, false);
    memory = load.memory;
    if (round < 0) continue; // to warm up
    times.load.push(load.ms);
    times.read.push(whole);
    times.readAgain.push(again);
  }
  const [load, read, again] = [times.load, times.read, times.readAgain].map(median);
  console.log(`medians of ${ROUNDS} rounds, Chromium ${visitor.browser()?.version() ?? ""}`);
  console.log(`open to ready from the storage:                     ${load.toFixed(0)} ms (${spread(times.load)})`);
  console.log(`as many bytes into a buffer of that size:           ${read.toFixed(0)} ms (${spread(times.read)}), ratio ${(load / read).toFixed(2)}, must be at most 2.5`);
  console.log(`the same into 4 MB of memory that is in use already: ${again.toFixed(0)} ms (${spread(times.readAgain)}), ratio ${(load / again).toFixed(2)}`);
  console.log(`wasm memory: ${(memory / 1e6).toFixed(0)} MB, ${(memory / network.bytes).toFixed(3)} times what is kept`);
}

/** @param {(argument: any) => Promise<any>} act @param {any} [argument] */
async function withPage(act, argument) {
  const page = await visitor.newPage();
  await page.goto(`${server.url}tensor.js`);
  const found = await page.evaluate(act, argument);
  await page.close();
  return found;
}

/** From the call of loadModel in a new page, worker and wasm included, to the model. @param {boolean} waitUntilKept */
async function loadOnce(waitUntilKept) {
  const { loadModel, storedModels } = await import(new URL("candlescope.js", location.href).href);
  const start = performance.now();
  const model = await loadModel("./measured");
  const ms = performance.now() - start;
  const memory = model.backend.memoryBytes;
  while (waitUntilKept && (await storedModels()).length === 0) await new Promise((done) => setTimeout(done, 20));
  const keptMs = performance.now() - start - ms;
  return { ms, keptMs, memory, bytes: (await storedModels())[0]?.bytes };
}

/** The kept file, read in a worker in pieces of 4 MB: into memory of its size, and into 4 MB over and over. */
function readBytes() {
  const code = `(async () => {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("candlescope-models");
    for await (const [, file] of folder.entries()) {
      const handle = await file.createSyncAccessHandle({ mode: "read-only" });
      const size = handle.getSize();
      const time = (place) => {
        const start = performance.now();
        for (let at = 0; at < size; at += 4 << 20) handle.read(place(at, Math.min(4 << 20, size - at)), { at });
        return performance.now() - start;
      };
      const fresh = new WebAssembly.Memory({ initial: Math.ceil(size / 65536) }).buffer;
      const used = new Uint8Array(4 << 20).fill(1);
      postMessage({ whole: time((at, length) => new Uint8Array(fresh, at, length)), again: time((at, length) => used.subarray(0, length)) });
    }
  })()`;
  return new Promise((done) => {
    new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" }))).onmessage = ({ data }) => done(data);
  });
}

/** @param {number[]} values */
function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

/** @param {number[]} values */
function spread(values) {
  return `${Math.min(...values).toFixed(0)} to ${Math.max(...values).toFixed(0)}`;
}
