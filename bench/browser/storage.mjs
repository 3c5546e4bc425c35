// Loading a model from the browser's private file system, compared with only reading the same bytes from there, in a
// headless Chromium with a profile on disk.

import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { serve } from "../../scripts/serve.mjs";
import { median } from "./statistics.mjs";

/**
 * Measures in turns, each in a new page. Times in ms: `load` from the call of `loadModel` to the model, `read` into a fresh buffer
 * of the file's size, `again` into 4 MB of memory that is already mapped.
 * @param {import("playwright-core").BrowserType} chromium
 * @param {import("playwright-core").LaunchOptions} options
 * @param {string} folder with config.json and model.safetensors
 * @param {number} rounds
 */
export async function measureStorage(chromium, options, folder, rounds) {
  const scratch = mkdtempSync(join(tmpdir(), "candlescope-storage-"));
  cpSync("dist", join(scratch, "site"), { recursive: true });
  symlinkSync(resolve(folder), join(scratch, "site/measured"));
  const server = await serve({ root: join(scratch, "site") });
  const visitor = await chromium.launchPersistentContext(join(scratch, "profile"), options);
  try {
    const network = await withPage(visitor, server.url, loadOnce, true);
    const times = { load: [], read: [], again: [] };
    let memory = 0;
    for (let round = -1; round < rounds; round++) {
      const { whole, again } = await withPage(visitor, server.url, readBytes);
      const load = await withPage(visitor, server.url, loadOnce, false);
      memory = load.memory;
      if (round < 0) continue; // the warm-up
      times.load.push(load.ms);
      times.read.push(whole);
      times.again.push(again);
    }
    return {
      load: median(times.load),
      read: median(times.read),
      again: median(times.again),
      network: network.ms,
      bytes: network.bytes,
      memory,
    };
  } finally {
    await visitor.close();
    await server.close();
    rmSync(scratch, { recursive: true });
  }
}

/** @param {import("playwright-core").BrowserContext} visitor @param {string} url @param {(argument: any) => Promise<any>} act @param {any} [argument] */
async function withPage(visitor, url, act, argument) {
  const page = await visitor.newPage();
  await page.goto(`${url}tensor.js`);
  const found = await page.evaluate(act, argument);
  await page.close();
  return found;
}

/** From the call of `loadModel` in a new page, with the start of worker and wasm, to the model. @param {boolean} waitUntilCached */
async function loadOnce(waitUntilCached) {
  const { loadModel, storedModels } = await import(new URL("candlescope.js", location.href).href);
  const start = performance.now();
  const model = await loadModel("./measured");
  const ms = performance.now() - start;
  const memory = model.backend.memoryBytes;
  while (waitUntilCached && (await storedModels()).length === 0)
    await new Promise((done) => setTimeout(done, 20));
  const cachedMs = performance.now() - start - ms;
  return { ms, cachedMs, memory, bytes: (await storedModels())[0]?.bytes };
}

/** Reads the cached file in a worker in pieces of 4 MB: into memory of its size, and into the same 4 MB repeatedly. */
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
    new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" }))).onmessage = ({
      data,
    }) => done(data);
  });
}
