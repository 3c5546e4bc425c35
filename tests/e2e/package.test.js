// The crate's package without the page: a separate page imports what `wasm-pack build --target web` writes to pkg/.
// `PKG=folder` tests another folder.

import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, it } from "node:test";

import { start } from "./browser.js";

let folder = "";
/** @type {Awaited<ReturnType<typeof start>>} */
let site;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "candlescope-package-"));
  cpSync(process.env.PKG ?? "pkg", join(folder, "pkg"), { recursive: true });
  cpSync("models/shakespeare", join(folder, "model"), { recursive: true });
  site = await start(folder);
});
after(async () => {
  await site?.stop();
  rmSync(folder, { recursive: true });
});

it("loads a model from bytes and runs it", async () => {
  const page = await site.browser.newPage();
  await page.goto(`${site.url}model/config.json`);
  const found = await page.evaluate(async () => {
    const { default: init, WasmModel } = await import(
      new URL("/pkg/candlescope.js", location.href).href
    );
    await init();

    /** A file as the crate reads it: `read` gives its bytes, and then undefined. @param {string} name */
    const file = async (name) => {
      const bytes = new Uint8Array(await (await fetch(`/model/${name}`)).arrayBuffer());
      const chunks = [bytes];
      const body = {
        length: bytes.length,
        answersRanges: false,
        peek: async (/** @type {number} */ count) => bytes.subarray(0, count),
        read: async () => chunks.shift(),
        confirmLength() {},
        pause() {},
        close() {},
      };
      return { name, open: async () => body };
    };
    const files = {
      name: "shakespeare",
      config: [await file("config.json")],
      tokenizer: [[await file("tokenizer.json")]],
      weights: [{ files: [await file("model.safetensors")] }],
      markers: [],
      ignored: [],
      mayBeKept: false, // no copy in the browser's storage
    };
    const model = await WasmModel.load(files, "f32");
    const { ids, logits } = model.runWithCache("To be, or not to be", {});
    const generation = model.generate("ROMEO:", { maxNewTokens: 3, doSample: false });
    let text = "";
    for (let step = generation.next(); step; step = generation.next()) text += step.string;
    generation.free();
    model.free();
    return {
      shape: [...logits.shape],
      count: ids.data.length,
      isFinite: logits.data.every(Number.isFinite),
      text,
    };
  });
  assert.deepEqual(found.shape, [1, found.count, 4096]);
  assert.ok(found.isFinite);
  assert.ok(found.text.length > 0);
});
