// Stored models with flipped bits: none is used, each is downloaded again and replaced. In headless Chromium, with its private
// file system.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { eventually, start } from "./browser.js";

/** @typedef {import("playwright-core").Page} Page */

/** @type {Awaited<ReturnType<typeof start>>} */
let site;

before(async () => {
  site = await start();
});

after(() => site?.stop());

/** Where a part of a copy begins and ends. @typedef {{ name: string, from: number, to: number }} Region */

/** Runs with the one file of our folder as `handle`, and `bytes`. @param {Page} page @param {string} body @returns {Promise<any>} */
function withCopy(page, body) {
  return page.evaluate(`(async () => {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("candlescope-models", { create: true });
    const found = [];
    for await (const [, handle] of folder.entries()) found.push(handle);
    const [handle] = found;
    const bytes = handle && new Uint8Array(await (await handle.getFile()).arrayBuffer());
    const write = async (changed) => {
      const writable = await handle.createWritable();
      await writable.write(changed);
      await writable.close();
    };
    ${body}
  })()`);
}

/** Loads the bundled model in a new page; gives the bits of its logits and its tokens. @param {import("playwright-core").BrowserContext} visitor */
async function load(visitor) {
  const page = await visitor.newPage();
  await page.goto(`${site.url}tensor.js`);
  const found = await page.evaluate(async () => {
    const { loadModel } = await import(new URL("candlescope.js", location.href).href);
    const model = await loadModel("models/shakespeare");
    const { logits, ids } = await model.runWithCache("You are gentlemen of brave metal");
    return { bits: [...new Uint32Array(logits.data.slice().buffer)], ids: [...ids] };
  });
  return { page, ...found };
}

/** The number of models that are listed as kept. @param {Page} page @returns {Promise<number>} */
const kept = (page) =>
  page.evaluate(
    async () =>
      (await (await import(new URL("candlescope.js", location.href).href)).storedModels()).length,
  );

/** The hash of the copy, the time of its last use aside. @param {Page} page @returns {Promise<string>} */
const hash = (page) =>
  withCopy(
    page,
    `
  if (!bytes) return "";
  bytes.fill(0, 16, 24);
  return [...new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))].join(" ");`,
  );

/** The parts of a copy, as www/worker/store.ts and src/load/store.rs write them. @param {Page} page @returns {Promise<Region[]>} */
const regionsOf = (page) =>
  withCopy(
    page,
    `
  const view = new DataView(bytes.buffer);
  const label = 32 + view.getUint32(24, true);
  const head = label + 16;
  const headEnd = head + Number(view.getBigUint64(label, true));
  const tokenizer = headEnd + 8;
  const tokenizerEnd = tokenizer + JSON.parse(new TextDecoder().decode(bytes.subarray(head, headEnd))).tokenizer;
  const at = { magic: [0, 8], length: [8, 16], "length of the label": [24, 28], "checksum of the label": [28, 32], label: [32, label],
    "length of the head": [label, head], head: [head, headEnd], "checksum of the head": [headEnd, tokenizer], tokenizer: [tokenizer, tokenizerEnd],
    "checksum of the tokenizer": [tokenizerEnd, tokenizerEnd + 8], embedding: [tokenizerEnd + 8, tokenizerEnd + 1e6], tensors: [tokenizerEnd + 1e6, bytes.length - 8], end: [bytes.length - 8, bytes.length] };
  return Object.entries(at).map(([name, [from, to]]) => ({ name, from, to }));`,
  );

/** A visitor whose browser keeps the bundled model. @param {(visit: { visitor: import("playwright-core").BrowserContext, downloads: () => number, bits: number[], ids: number[], good: string, page: Page }) => Promise<void>} act */
async function asVisitor(act) {
  const visitor = await site.browser.newContext();
  let count = 0;
  visitor.on("request", (request) => {
    if (request.method() === "GET" && request.url().endsWith("model.safetensors")) count += 1;
  });
  try {
    const { page, bits, ids } = await load(visitor);
    await eventually(async () => assert.equal(await kept(page), 1));
    const good = await hash(page);
    const downloads = () => {
      const found = count;
      count = 0;
      return found;
    };
    assert.equal(downloads(), 1);
    await act({ visitor, downloads, bits, ids, good, page });
  } finally {
    await visitor.close();
  }
}

test("a copy with a flipped bit is never used, and replaced by a good one", async () => {
  await asVisitor(async ({ visitor, downloads, bits, ids, good, page }) => {
    const regions = await regionsOf(page);
    await page.close();
    let random = 1; // the same bits in each run
    const next = (/** @type {number} */ below) => (random = (random * 48271) % 2147483647) % below;
    for (const { name, from, to } of regions) {
      const [at, bit] = [from + next(to - from), 1 << next(8)];
      const before = await visitor.newPage();
      await before.goto(`${site.url}tensor.js`);
      await withCopy(before, `bytes[${at}] ^= ${bit}; await write(bytes);`);
      await before.close();
      const again = await load(visitor);
      assert.equal(downloads(), 1, `bit ${bit} of byte ${at}, of the ${name}, went unnoticed`);
      assert.deepEqual([again.bits, again.ids], [bits, ids], name);
      await eventually(async () => assert.equal(await hash(again.page), good, name));
      await again.page.close();
    }
    const last = await load(visitor);
    assert.equal(downloads(), 0, "the last copy is used");
    assert.deepEqual(last.bits, bits);
  });
});

test("a good copy under another name, in another format, cut or longer is replaced", async () => {
  await asVisitor(async ({ visitor, downloads, bits, good, page }) => {
    const changes = {
      "another format": `bytes[7] -= 1; await write(bytes);`,
      "cut short": `await write(bytes.subarray(0, bytes.length - 1000));`,
      longer: `const longer = new Uint8Array(bytes.length + 8); longer.set(bytes); await write(longer);`,
      "another dtype's": `const text = new TextDecoder("latin1").decode(bytes.subarray(0, 200)); bytes[text.indexOf('"f32"') + 1] = 103; await write(bytes);`,
      "all zeros": `await write(new Uint8Array(bytes.length));`,
    };
    await page.close();
    for (const [name, change] of Object.entries(changes)) {
      const before = await visitor.newPage();
      await before.goto(`${site.url}tensor.js`);
      await withCopy(before, change);
      const listed = await kept(before); // does not throw
      assert.ok(listed <= 1);
      await before.close();
      const again = await load(visitor);
      assert.equal(downloads(), 1, name);
      assert.deepEqual(again.bits, bits, name);
      await eventually(async () => assert.equal(await hash(again.page), good, name));
      await again.page.close();
    }
  });
});

test("a damaged folder is listed and forgotten without an error, and a damaged time changes nothing", async () => {
  await asVisitor(async ({ visitor, downloads, bits, page }) => {
    await withCopy(
      page,
      `
      bytes.fill(255, 16, 24);
      await write(bytes);
      await folder.getDirectoryHandle("a folder", { create: true });
      const stray = await (await folder.getFileHandle("stray", { create: true })).createWritable();
      await stray.write("not a copy");
      await stray.close();`,
    );
    const { page: again, bits: same } = await load(visitor);
    assert.equal(downloads(), 0);
    assert.deepEqual(same, bits);
    assert.equal(await kept(again), 1);
    await page.close();
    const forgotten = await again.evaluate(async () => {
      const { forgetStored, storedModels } = await import(
        new URL("candlescope.js", location.href).href
      );
      return [
        await forgetStored("models/shakespeare"),
        (await storedModels()).length,
        await forgetStored(),
      ];
    });
    assert.deepEqual(forgotten, [1, 0, 0]);
  });
});

test("a damaged copy is forgotten by the model's address", async () => {
  await asVisitor(async ({ page }) => {
    await withCopy(page, `bytes[40] ^= 1; await write(bytes);`);
    const count = await page
      .evaluate(async () => {
        const { forgetStored } = await import(new URL("candlescope.js", location.href).href);
        await forgetStored("models/shakespeare");
      })
      .then(() => withCopy(page, `return found.length;`));
    assert.equal(count, 0);
  });
});
