// How long a model takes from the browser's own storage, beside reading as many bytes from there, in one headless
// Chromium with a profile on disk.

import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { serve } from "../scripts/serve.mjs";
import { median } from "./race.mjs";

/**
 * In turns: the model from the storage in a new page, and its bytes alone in another. Times in ms: `load` from open to
 * ready, `read` into a buffer of that size, `again` into 4 MB of memory that is in use already.
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
      if (round < 0) continue; // to warm up
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

/** From the call of loadModel in a new page, worker and wasm included, to the model. @param {boolean} waitUntilKept */
async function loadOnce(waitUntilKept) {
  const { loadModel, storedModels } = await import(new URL("candlescope.js", location.href).href);
  const start = performance.now();
  const model = await loadModel("./measured");
  const ms = performance.now() - start;
  const memory = model.backend.memoryBytes;
  while (waitUntilKept && (await storedModels()).length === 0)
    await new Promise((done) => setTimeout(done, 20));
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
    new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" }))).onmessage = ({
      data,
    }) => done(data);
  });
}
