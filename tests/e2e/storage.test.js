// Models that the browser stores between visits, loading parts of files, and failures: storage that is refused, full or damaged,
// two tabs, too little memory, no SIMD. In headless Chromium, with the built module.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";

import { chromium } from "playwright-core";

import { CHROMIUM, DIST, eventually } from "./browser.js";
import { gpt2Tensors, joined, parsed, withHeader } from "./safetensors.js";

/** @typedef {typeof import("../../www/api/candlescope.ts")} Api */
/** @typedef {import("playwright-core").Page} Page */
/** @template A @template R @typedef {(api: Api, argument: A) => Promise<R>} InPage */

const IDS = [3, 1, 4, 1, 5];

/** @type {import("playwright-core").Browser} */
let browser;
/** One visitor: pages of a context share their storage. @type {import("playwright-core").BrowserContext} */
let visitor;
/** @type {Awaited<ReturnType<typeof servePage>>} */
let site;
/** @type {Awaited<ReturnType<typeof serveModels>>} */
let models;

before(async () => {
  site = await servePage();
  browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
});

after(async () => {
  await browser?.close();
  await site?.close();
});

beforeEach(async () => {
  models = await serveModels();
  visitor = await browser.newContext();
});

afterEach(async () => {
  await visitor.close();
  await models.close();
});

/** A new page of the same visitor. @param {string} [stubs] code that runs first in its worker */
async function visit(stubs = "") {
  const page = await visitor.newPage();
  site.stubs = stubs;
  await page.goto(`${site.url}empty.html`);
  return page;
}

/**
 * Runs a function in a page with candlescope.js and one argument.
 * @template A, R @param {Page} page @param {InPage<A, R>} inPage @param {A} [argument] @returns {Promise<R>}
 */
function evaluate(page, inPage, argument) {
  return page.evaluate(
    `(async (argument) => (${inPage})(await import("${site.url}candlescope.js"), argument))(${JSON.stringify(argument ?? null)})`,
  );
}

/** Loads a model and gives the bits of its logits. @param {Page} page @param {string} name @param {object} [options] */
function load(page, name, options = {}) {
  return evaluate(
    page,
    async ({ loadModel }, { folder, options, ids }) => {
      const model = await loadModel(folder, options);
      /** @type {any} */ (globalThis).model = model;
      const { logits } = await model.runWithCache(ids);
      return [...new Uint32Array(logits.data.buffer, logits.data.byteOffset, logits.data.length)];
    },
    { folder: models.url + name, options, ids: IDS },
  );
}

/** @param {Page} page @param {string} name @param {object} [options] @returns {Promise<{ name: string, message: string }>} */
function failure(page, name, options = {}) {
  return evaluate(
    page,
    ({ loadModel }, { folder, options }) =>
      loadModel(folder, options).then(
        () => ({ name: "none", message: "" }),
        ({ name, message }) => ({ name, message }),
      ),
    { folder: models.url + name, options },
  );
}

/** @param {Page} page */
function stored(page) {
  return evaluate(page, async ({ storedModels }) =>
    (await storedModels()).map((model) => ({ ...model, lastUsed: Number(model.lastUsed) })),
  );
}

/** Waits until that many models are kept. @param {Page} page @param {number} count */
async function untilKept(page, count) {
  for (let waited = 0; ; waited += 50) {
    const found = await stored(page);
    if (found.length === count) return found;
    assert.ok(waited < 60_000, `${found.length} models are kept, expected ${count}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Waits until the page's only load has written its model to the cache, or has decided not to. @param {Page} page */
async function cacheSettled(page) {
  const worker = page.workers().find((worker) => worker.url().includes("worker.js"));
  assert.ok(worker, "the page has a worker");
  await eventually(async () => {
    const marks = await worker.evaluate(
      () => performance.getEntriesByName("candlescope:cache-settled").length,
    );
    assert.equal(marks, 1);
  });
}

/** The files of ours in the browser's storage. @param {Page} page @returns {Promise<{ name: string, size: number }[]>} */
function files(page) {
  return page.evaluate(async () => {
    const found = [];
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle(
      "candlescope-models",
      { create: true },
    );
    for await (const [name, handle] of /** @type {any} */ (folder).entries())
      found.push({ name, size: (await handle.getFile()).size });
    return found;
  });
}

/** Loads a model, and waits until it is kept. @param {string} name @param {number} [count] models kept then */
async function firstVisit(name, count = 1) {
  const page = await visit();
  const bits = await load(page, name);
  const kept = await untilKept(page, count);
  await page.close();
  models.asked.length = 0;
  return { bits, kept };
}

/** The downloads of weights, whole or in part. */
const downloads = () =>
  models.asked.filter(({ method, path }) => method === "GET" && path.endsWith(".safetensors"));

// ---- from one visit to the next ----

describe("a second visit", () => {
  test("downloads nothing, asks whether the files have changed, and computes the same bits", async () => {
    const { bits, kept } = await firstVisit("plain");
    assert.equal(kept[0].address, `${models.url}plain/`);
    assert.equal(kept[0].dtype, "f32");
    assert.ok(kept[0].bytes > 30_000);
    const page = await visit();
    assert.deepEqual(await load(page, "plain"), bits);
    const heads = ["config.json", "tokenizer.json", "model.safetensors"].map((name) => ({
      method: "HEAD",
      path: `/plain/${name}`,
      range: undefined,
    }));
    assert.deepEqual(sorted(models.asked), sorted(heads));
    assert.deepEqual(
      await load(await visit(), "plain", { keep: false }),
      bits,
      "the network's are the same",
    );
  });

  test("needs no network: weights, config and tokenizer are stored", async () => {
    const { kept } = await firstVisit("shakespeare");
    await models.close();
    const page = await visit();
    const found = await evaluate(
      page,
      async ({ loadModel }, folder) => {
        /** @type {import("../../www/api/candlescope.ts").Progress[]} */
        const events = [];
        const model = await loadModel(folder, { onProgress: (event) => events.push(event) });
        const { strings } = await model.tokenize("To be");
        const { loss } = await model.runWithCache("To be, or not to be");
        return { strings, loss, hidden: model.config.n_embd, last: events.at(-1) };
      },
      kept[0].address,
    );
    assert.equal(found.strings.join(""), "To be");
    assert.ok(Number(found.loss) > 0);
    assert.equal(found.last?.stage, "weights");
    assert.equal(found.last?.loaded, found.last?.total);
  });

  for (const file of ["config.json", "tokenizer.json", "model.safetensors"]) {
    test(`notices that ${file} has changed, and keeps the new state`, async () => {
      const { bits } = await firstVisit("shakespeare");
      models.change("shakespeare", file);
      const page = await visit();
      const changed = await load(page, "shakespeare");
      assert.equal(downloads().length, 1);
      if (file === "model.safetensors") assert.notDeepEqual(changed, bits);
      await cacheSettled(page);
      assert.equal((await stored(page)).length, 1);
      models.asked.length = 0;
      assert.deepEqual(await load(await visit(), "shakespeare"), changed);
      assert.deepEqual(downloads(), []);
    });
  }

  test("identifies a file by Last-Modified if there is no ETag", async () => {
    models.identify = "time";
    const { bits } = await firstVisit("plain");
    assert.deepEqual(await load(await visit(), "plain"), bits);
    assert.deepEqual(downloads(), []);
    models.change("plain", "model.safetensors");
    assert.notDeepEqual(await load(await visit(), "plain"), bits);
  });

  test("finds nothing if a server sends no validator", async () => {
    models.identify = "not at all";
    const page = await visit();
    await load(page, "plain");
    await cacheSettled(page);
    assert.deepEqual(await files(page), []);
  });

  test("uses the stored model while the server fails, and sends a GET request if it refuses HEAD", async () => {
    const { bits } = await firstVisit("plain");
    models.fault = "busy";
    assert.deepEqual(await load(await visit(), "plain"), bits);
    models.fault = "no HEAD";
    models.asked.length = 0;
    assert.deepEqual(await load(await visit(), "plain"), bits);
    models.change("plain", "model.safetensors");
    assert.notDeepEqual(await load(await visit(), "plain"), bits);
  });

  test("does not wait for a server that does not answer", async () => {
    const { bits } = await firstVisit("plain");
    models.fault = "silent";
    assert.deepEqual(await load(await visit(), "plain"), bits);
  });

  test("fails with a NetworkError if the files no longer exist", async () => {
    await firstVisit("plain");
    models.fault = "gone";
    assert.match(
      (await failure(await visit(), "plain")).message,
      /plain\/config\.json answered 404/,
    );
  });

  test("neither uses nor writes a stored model with keep: false", async () => {
    const page = await visit();
    await load(page, "plain", { keep: false });
    await cacheSettled(page);
    assert.deepEqual(await files(page), []);
    await firstVisit("plain");
    await load(await visit(), "plain", { keep: false });
    assert.equal(downloads().length, 1);
  });

  test("can be aborted while it reads", async () => {
    await firstVisit("shakespeare");
    const page = await visit();
    const name = await evaluate(
      page,
      async ({ loadModel }, folder) => {
        const controller = new AbortController();
        const loading = loadModel(folder, { signal: controller.signal });
        controller.abort();
        return loading.then(
          () => "",
          (/** @type {Error} */ error) => error.name,
        );
      },
      `${models.url}shakespeare`,
    );
    assert.equal(name, "AbortError");
    assert.ok((await load(page, "shakespeare")).length > 0);
    assert.deepEqual(downloads(), []);
  });
});

test("a model in shared memory is stored and read too", async () => {
  site.isolated = true;
  try {
    const { bits } = await firstVisit("plain");
    const page = await visit();
    assert.deepEqual(await load(page, "plain"), bits);
    assert.deepEqual(downloads(), []);
    assert.ok(await page.evaluate(() => globalThis.crossOriginIsolated));
  } finally {
    site.isolated = false;
  }
});

for (const dtype of ["f16", "q8", "q4"]) {
  test(`a model in ${dtype} has a copy of its own`, async () => {
    const { bits, kept } = await firstVisit("plain");
    const page = await visit();
    const rounded = await load(page, "plain", { dtype });
    assert.notDeepEqual(rounded, bits);
    const sizes = new Map((await untilKept(page, 2)).map(({ dtype, bytes }) => [dtype, bytes]));
    assert.deepEqual(new Set(sizes.keys()), new Set(["f32", dtype]));
    assert.ok(Number(sizes.get(dtype)) < kept[0].bytes);
    models.asked.length = 0;
    assert.deepEqual(await load(await visit(), "plain", { dtype }), rounded);
    assert.deepEqual(await load(await visit(), "plain"), bits);
    assert.deepEqual(downloads(), []);
  });
}

test("stored models are listed, the last used first, and removed one by one or all at once", async () => {
  await firstVisit("plain", 1);
  await firstVisit("untied", 2);
  const page = await visit();
  const names = async () =>
    (await stored(page)).map(({ address = "" }) => address.slice(models.url.length));
  assert.deepEqual(await names(), ["untied/", "plain/"]);
  await load(page, "plain");
  await eventually(async () => assert.deepEqual(await names(), ["plain/", "untied/"]));
  const forget = (/** @type {string | undefined} */ name) =>
    evaluate(
      page,
      ({ forgetStored }, source) => forgetStored(source ?? undefined),
      name && models.url + name,
    );
  assert.equal(await forget("nowhere"), 0);
  assert.equal(await forget("untied"), 1);
  assert.deepEqual(await names(), ["plain/"]);
  assert.equal(await forget(undefined), 1);
  assert.deepEqual(await files(page), []);
});

test("a model that is disposed of at once is not stored and leaves no file", async () => {
  const page = await visit();
  await load(page, "plain");
  await page.evaluate(() => /** @type {any} */ (globalThis).model.dispose());
  await cacheSettled(page);
  assert.deepEqual(await files(page), []);
});

test("loading a stored model takes little more wasm memory than its weights", async () => {
  await firstVisit("shakespeare");
  const page = await visit();
  const found = await evaluate(
    page,
    async ({ loadModel }, folder) => {
      const { parameterCount, backend } = await loadModel(folder);
      return { weights: 4 * parameterCount, memory: backend.memoryBytes };
    },
    `${models.url}shakespeare`,
  );
  assert.ok(
    found.memory <= 1.05 * found.weights + 8e6,
    `${found.memory} bytes for ${found.weights} of weights`,
  );
});

// ---- damaged copies ----

describe("a copy is not used, and replaced, when", () => {
  /** Changes the one file in the storage. @param {Page} page @param {(bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>} change */
  const damage = (page, change) =>
    page.evaluate(`(async () => {
      const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("candlescope-models");
      for await (const [name, handle] of folder.entries()) {
        const bytes = new Uint8Array(await (await handle.getFile()).arrayBuffer());
        const writable = await handle.createWritable();
        await writable.write((${change})(bytes));
        await writable.close();
      }
    })()`);

  /** @type {[string, (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>][]} */
  const damages = [
    ["it was cut short", (bytes) => bytes.subarray(0, bytes.length - 1000)],
    ["it is empty", () => new Uint8Array()],
    [
      "its writing was broken off: all is there but the head",
      (bytes) => (bytes.fill(0, 0, 32), bytes),
    ],
    ["another version wrote it", (bytes) => ((bytes[7] += 1), bytes)],
    ["its label is no JSON", (bytes) => ((bytes[32] = 0), bytes)],
    [
      "its weights have no head",
      (bytes) => (
        bytes.fill(255, 32 + bytes[24] + 256 * bytes[25], 32 + bytes[24] + 256 * bytes[25] + 8),
        bytes
      ),
    ],
    [
      "its weights' head is damaged",
      (bytes) => ((bytes[32 + bytes[24] + 256 * bytes[25] + 12] ^= 1), bytes),
    ],
  ];
  for (const [name, change] of damages) {
    test(name, async () => {
      const { bits, kept } = await firstVisit("plain");
      const page = await visit();
      await damage(page, change);
      assert.deepEqual(await load(page, "plain"), bits);
      assert.equal(downloads().length, 1);
      const [again] = await untilKept(page, 1);
      assert.equal(again.bytes, kept[0].bytes);
      models.asked.length = 0;
      assert.deepEqual(await load(await visit(), "plain"), bits);
      assert.deepEqual(downloads(), []);
    });
  }

  test("another model was written only in part, which is removed", async () => {
    await firstVisit("plain");
    const page = await visit();
    await damage(page, (bytes) => (bytes.fill(0, 0, 32), bytes));
    await load(page, "untied");
    await untilKept(page, 1);
    assert.equal((await files(page)).length, 1);
  });

  test("the tab was closed while it was written", async () => {
    // The worker stops for good after the first piece.
    const page = await visit(`
      const write = FileSystemSyncAccessHandle.prototype.write;
      let pieces = 0;
      FileSystemSyncAccessHandle.prototype.write = function (...args) {
        if ((pieces += 1) > 4) for (;;);
        return write.apply(this, args);
      };`);
    await load(page, "plain");
    await eventually(async () => {
      assert.ok((await files(page))[0]?.size > 30_000, "it has its length already");
    });
    await page.close();
    const next = await visit();
    assert.ok((await load(next, "plain")).length > 0);
    await untilKept(next, 1);
    assert.equal(downloads().length, 2);
  });
});

// ---- storage refused, or full ----

describe("a model loads even if", () => {
  /** @type {[string, string][]} */
  const refusals = [
    [
      "the browser refuses its storage",
      `StorageManager.prototype.getDirectory = async () => { throw new DOMException("no", "SecurityError"); };`,
    ],
    ["the browser has no such storage", `delete StorageManager.prototype.getDirectory;`],
    [
      "there is no storage at all, as on an insecure page",
      `Object.defineProperty(navigator, "storage", { value: undefined }); Object.defineProperty(crypto, "subtle", { value: undefined });`,
    ],
    [
      "files cannot be opened for reading and writing",
      `delete FileSystemFileHandle.prototype.createSyncAccessHandle;`,
    ],
    [
      "a file cannot grow",
      `FileSystemSyncAccessHandle.prototype.truncate = (size) => { if (size > 0) throw new DOMException("full", "QuotaExceededError"); };`,
    ],
    [
      "the disk is full in the middle",
      `const write = FileSystemSyncAccessHandle.prototype.write; let count = 0;
      FileSystemSyncAccessHandle.prototype.write = function (...args) { if (++count > 3) throw new DOMException("full", "QuotaExceededError"); return write.apply(this, args); };`,
    ],
    [
      "a write is cut short",
      `const write = FileSystemSyncAccessHandle.prototype.write; let count = 0;
      FileSystemSyncAccessHandle.prototype.write = function (bytes, options) { return ++count > 3 ? 1 : write.call(this, bytes, options); };`,
    ],
    [
      "the browser allows too little",
      `StorageManager.prototype.estimate = async () => ({ quota: 10_000, usage: 0 });`,
    ],
  ];
  for (const [name, stubs] of refusals) {
    test(name, async () => {
      const page = await visit(stubs);
      /** @type {string[]} */
      const notes = [];
      page.on("console", (message) => notes.push(`${message.type()} ${message.text()}`));
      const bits = await load(page, "plain");
      await cacheSettled(page);
      assert.deepEqual(
        notes
          .filter((note) => !/404/.test(note))
          .map((note) => note.replace(/next visit: .*/s, "next visit")),
        ["info candlescope: the model is not kept for the next visit"],
      );
      assert.deepEqual(await files(await visit()), [], "nothing half-written is left");
      assert.deepEqual(await stored(page), []);
      await page.close();
      assert.deepEqual(await load(await visit(), "plain"), bits);
    });
  }

  test("reading the stored model fails", async () => {
    const { bits } = await firstVisit("plain");
    const page = await visit(`const read = FileSystemSyncAccessHandle.prototype.read; let count = 0;
      FileSystemSyncAccessHandle.prototype.read = function (...args) { if (++count > 8) throw new DOMException("gone", "InvalidStateError"); return read.apply(this, args); };`);
    assert.deepEqual(await load(page, "plain"), bits);
    assert.equal(downloads().length, 1);
  });
});

test("if space is short, the model that was not used for longest is removed", async () => {
  const { kept } = await firstVisit("scaled", 1);
  await evaluate(await visit(), ({ forgetStored }) => forgetStored());
  await firstVisit("plain", 1);
  await firstVisit("untied", 2);
  const last = await visit();
  await load(last, "plain");
  await eventually(async () => assert.match((await stored(last))[0].address ?? "", /plain\/$/));
  // One byte too little: the smallest copy's place is enough.
  const room = `const estimate = StorageManager.prototype.estimate;
    StorageManager.prototype.estimate = async function () { return { quota: ((await estimate.call(this)).usage + ${kept[0].bytes - 1}) / 0.9, usage: (await estimate.call(this)).usage }; };`;
  const page = await visit(room);
  await load(page, "scaled");
  await eventually(async () => {
    const names = (await stored(page)).map(({ address = "" }) => address.slice(models.url.length));
    assert.deepEqual(names, ["scaled/", "plain/"]);
  });
});

// ---- two tabs ----

describe("two tabs of one visitor", () => {
  test("load and store the same model at the same time", async () => {
    const pages = [await visit(), await visit()];
    const [one, other] = await Promise.all(pages.map((page) => load(page, "plain")));
    assert.deepEqual(one, other);
    await untilKept(pages[0], 1);
    for (const page of pages) await cacheSettled(page);
    assert.equal((await files(pages[0])).length, 1);
    models.asked.length = 0;
    assert.deepEqual(await load(await visit(), "plain"), one);
    assert.deepEqual(downloads(), []);
  });

  test("read a stored model at the same time", async () => {
    const { bits } = await firstVisit("shakespeare");
    const pages = [await visit(), await visit()];
    for (const found of await Promise.all(pages.map((page) => load(page, "shakespeare"))))
      assert.deepEqual(found, bits);
    assert.deepEqual(downloads(), []);
  });

  test("take turns if the browser opens a file only once", async () => {
    const { bits } = await firstVisit("plain");
    const page = await visit();
    // The other tab has the file for itself.
    await page.evaluate(`new Promise((resolve) => {
      const worker = new Worker(URL.createObjectURL(new Blob([\`(async () => {
        const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("candlescope-models");
        for await (const [, handle] of folder.entries()) self.handle = await handle.createSyncAccessHandle();
        postMessage("open");
      })()\`])));
      worker.onmessage = resolve;
    })`);
    const other = await visit();
    assert.deepEqual(await load(other, "plain"), bits);
    assert.equal(downloads().length, 1, "it does without");
    await page.close();
    // The browser frees the file some time after the page is closed.
    await eventually(async () => {
      models.asked.length = 0;
      assert.deepEqual(await load(await visit(), "plain"), bits);
      assert.deepEqual(downloads(), []);
    });
  });
});

// ---- a part of a file ----

describe("of a file with tensors that no model needs", () => {
  const sent = () => downloads().reduce((sum, { bytes = 0 }) => sum + bytes, 0);

  test("only the needed parts are downloaded, several at once, if the server answers range requests", async () => {
    const page = await visit();
    const bits = await load(page, "plain");
    models.asked.length = 0;
    models.slow = true; // the browser's buffers hold less than the file
    assert.deepEqual(await load(page, "masked"), bits);
    const ranges = downloads().filter(({ range }) => range);
    assert.ok(ranges.length > 1, `${ranges.length} ranges`);
    assert.ok(models.together > 1, `${models.together} at once`);
    assert.ok(sent() < models.size("masked") / 2, `${sent()} of ${models.size("masked")} bytes`);
    models.asked.length = 0;
    assert.deepEqual(await load(await visit(), "masked", { keep: false }), bits);
  });

  for (const fault of [
    "no ranges",
    "200 instead of 206",
    "wrong content-range",
    "another range",
    "short range",
    "encoded range",
    "another state",
    "range breaks off",
    "no etag in ranges",
  ]) {
    test(`all of it is streamed if the server has ${fault}`, async () => {
      models.slow = true;
      models.fault = fault;
      const page = await visit();
      assert.deepEqual(
        await load(page, "masked", { keep: false }),
        await load(page, "plain", { keep: false }),
      );
      assert.ok(
        downloads().some(
          ({ range, bytes = 0, path }) =>
            !range && path === "/masked/model.safetensors" && bytes >= models.size("masked"),
        ),
      );
    });
  }

  test("a file that changes in the middle is an error, not a mixture", async () => {
    models.slow = true;
    models.fault = "changes";
    const { name, message } = await failure(await visit(), "masked", { keep: false });
    assert.equal(name, "NetworkError");
    assert.match(message, /masked\/model\.safetensors changed while it was being loaded/);
  });
});

// ---- weights in several files ----

describe("weights in several files", () => {
  test("load from a folder with an index, and are stored", async () => {
    const { bits, kept } = await firstVisit("sharded");
    assert.deepEqual(await load(await visit(), "plain"), bits);
    assert.equal(kept[0].address, `${models.url}sharded/`);
    models.asked.length = 0;
    const page = await visit();
    assert.deepEqual(await load(page, "sharded"), bits);
    assert.deepEqual(downloads(), []);
    models.change("sharded", "model-00002-of-00002.safetensors");
    assert.notDeepEqual(await load(await visit(), "sharded"), bits);
  });

  test("load from a Hugging Face id", async () => {
    const page = await visit();
    await page.route("https://huggingface.co/**", (route) => {
      const [name = ""] = route.request().url().split("/").slice(-1);
      const body = file(`/sharded/${name}`);
      const headers = { "access-control-allow-origin": "*" };
      return body ? route.fulfill({ body, headers }) : route.fulfill({ status: 404, headers });
    });
    const count = await evaluate(
      page,
      async ({ loadModel }) => (await loadModel("hf:someone/sharded")).parameterCount,
    );
    assert.ok(count > 0);
  });

  test("load from Files, in any order, and from addresses", async () => {
    const page = await visit();
    const found = await evaluate(
      page,
      async ({ loadModel }, { url, ids }) => {
        const names = [
          "model-00002-of-00002.safetensors",
          "config.json",
          "model.safetensors.index.json",
          "model-00001-of-00002.safetensors",
        ];
        const files = await Promise.all(
          names.map(
            async (name) => new File([await (await fetch(url + name)).arrayBuffer()], name),
          ),
        );
        const fromFiles = await loadModel(files);
        const fromAddresses = await loadModel({
          config: `${url}config.json`,
          weights: [`${url}${names[0]}`, `${url}${names[3]}`],
        });
        return Promise.all(
          [fromFiles, fromAddresses].map(async (model) => (await model.runWithCache(ids)).loss),
        );
      },
      { url: `${models.url}sharded/`, ids: IDS },
    );
    const whole = await evaluate(
      page,
      async ({ loadModel }, { folder, ids }) =>
        (await (await loadModel(folder)).runWithCache(ids)).loss,
      { folder: `${models.url}plain`, ids: IDS },
    );
    assert.deepEqual(found, [whole, whole]);
  });

  test("are refused with the name of a missing one", async () => {
    const page = await visit();
    const { name, message } = await failure(page, "half");
    assert.equal(name, "NetworkError");
    assert.match(message, /half\/model-00002-of-00002\.safetensors answered 404/);
    const without = await failure(page, "unlisted");
    assert.equal(without.name, "WeightsError");
    assert.match(without.message, /`wte\.weight` is missing, expected with shape \[61, 18\]/);
    const outside = await failure(page, "outside");
    assert.equal(outside.name, "WeightsError");
    assert.match(
      outside.message,
      /"\.\.\/plain\/model\.safetensors", expected the name of a file beside this one/,
    );
  });
});

// ---- bad luck ----

for (const isolated of [false, true]) {
  test(`weights that memory cannot hold are a MemoryError before the tab dies, and the next model loads${isolated ? ", with shared memory too" : ""}`, async () => {
    site.isolated = isolated;
    try {
      const page = await visit();
      const { name, message } = await failure(page, "huge");
      assert.equal(name, "MemoryError");
      assert.match(message, /the weights need 6\d{3} MB/);
      assert.ok((await load(page, "plain")).length > 0);
      const memory = await page.evaluate(
        () => /** @type {any} */ (globalThis).model.backend.memoryBytes,
      );
      assert.ok(memory < 64e6, `${memory} bytes`);
    } finally {
      site.isolated = false;
    }
  });
}

test("weights within 32 bits are a MemoryError too if the browser allocates less", async () => {
  const poor = await chromium.launch({
    executablePath: CHROMIUM,
    args: ["--no-sandbox", "--js-flags=--wasm-max-mem-pages=16384"],
  });
  try {
    const page = await poor.newPage();
    site.stubs = "";
    await page.goto(`${site.url}empty.html`);
    const { name, message } = await failure(page, "large");
    assert.equal(name, "MemoryError");
    assert.match(message, /the weights need 3\d{3} MB/);
    assert.ok((await load(page, "plain")).length > 0);
  } finally {
    await poor.close();
  }
});

test("a browser without SIMD says so", async () => {
  const other = await chromium.launch({
    executablePath: CHROMIUM,
    args: ["--no-sandbox", "--js-flags=--no-enable-sse4-1"],
  });
  try {
    const page = await other.newPage();
    site.stubs = "";
    await page.goto(`${site.url}empty.html`);
    const { message } = await failure(page, "plain");
    assert.match(message, /this browser has no SIMD in WebAssembly.*Chrome.*Firefox.*Safari/);
  } finally {
    await other.close();
  }
});

test("nothing needs shared memory or an isolated page", async () => {
  const page = await visit("delete globalThis.SharedArrayBuffer;");
  assert.equal(await page.evaluate(() => globalThis.crossOriginIsolated), false);
  assert.ok((await load(page, "plain")).length > 0);
});

test("a model loads in a worker, where there is no document", async () => {
  const page = await visit();
  const found = await page.evaluate(
    ([module, folder, ids]) =>
      new Promise((resolve, reject) => {
        const code = `
          import(${JSON.stringify(module)})
            .then(({ loadModel }) => loadModel(${JSON.stringify(folder)}))
            .then((model) => model.runWithCache(${JSON.stringify(ids)}))
            .then(({ loss }) => postMessage({ loss, document: typeof document }), (error) => postMessage({ error: String(error) }));`;
        const worker = new Worker(
          URL.createObjectURL(new Blob([code], { type: "text/javascript" })),
          { type: "module" },
        );
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = ({ message }) => reject(new Error(message));
      }),
    [`${site.url}candlescope.js`, `${models.url}plain`, IDS],
  );
  assert.ok(/** @type {any} */ (found).loss > 0, JSON.stringify(found));
  assert.equal(/** @type {any} */ (found).document, "undefined");
});

// ---- the servers ----

/** The built page, and an empty one; `stubs` run first in the worker; `isolated` pages may share memory. */
async function servePage() {
  const state = { url: "", stubs: "", isolated: false, close: async () => {} };
  const types = { ".js": "text/javascript", ".wasm": "application/wasm", ".html": "text/html" };
  const server = createServer(async (request, response) => {
    const path = new URL(request.url ?? "/", "http://localhost").pathname;
    const type =
      types[/** @type {keyof typeof types} */ (extname(path))] ?? "application/octet-stream";
    const body =
      path === "/empty.html"
        ? "<!doctype html><title>Empty</title>"
        : await readFile(DIST + path).catch(() => undefined);
    if (body === undefined) return void response.writeHead(404).end();
    const isolation = state.isolated
      ? {
          "Cross-Origin-Opener-Policy": "same-origin",
          "Cross-Origin-Embedder-Policy": "require-corp",
        }
      : {};
    response.writeHead(200, { "Content-Type": type, "Cache-Control": "no-store", ...isolation });
    if (path === "/worker.js") response.write(`{ ${state.stubs} }\n`);
    response.end(body);
  });
  Object.assign(state, await listen(server));
  return state;
}

/** Models on a site of their own, with each state of a file and each fault that a test asks for. */
async function serveModels() {
  /** @type {{ method: string, path: string, range: string | undefined, bytes?: number }[]} */
  const asked = [];
  const state = {
    url: "",
    close: async () => {},
    asked,
    /** @type {"etag" | "time" | "not at all"} */
    identify: "etag",
    fault: "",
    /** Send what is large a little at a time. */
    slow: false,
    /** The most ranges that were being sent at once. */
    together: 0,
    /** @param {string} model @param {string} file */
    change: (model, file) =>
      versions.set(`/${model}/${file}`, (versions.get(`/${model}/${file}`) ?? 1) + 1),
    /** @param {string} model */
    size: (model) => contentOf(`/${model}/model.safetensors`)?.length ?? 0,
  };
  /** @type {Map<string, number>} */
  const versions = new Map();
  let sending = 0;

  /** @param {string} path @returns {Buffer | undefined} */
  function contentOf(path) {
    const content = file(path);
    if (!content || !path.endsWith(".safetensors") || !versions.has(path)) return content;
    const changed = Buffer.from(content);
    changed[changed.length - 1] ^= 1; // of a float's exponent
    return changed;
  }

  const server = createServer((request, response) => void answer(request, response));

  /** @param {import("node:http").IncomingMessage} request @param {import("node:http").ServerResponse} response */
  async function answer({ method = "", url = "/", headers }, response) {
    const path = new URL(url, "http://localhost").pathname;
    const entry = {
      method,
      path,
      range: headers.range,
      bytes: /** @type {number | undefined} */ (undefined),
    };
    asked.push(entry);
    if (entry.bytes === undefined) delete entry.bytes;
    const { fault } = state;
    response.setHeader("Access-Control-Allow-Origin", "*");
    response.setHeader("Access-Control-Allow-Headers", "*");
    response.setHeader("Access-Control-Expose-Headers", "*");
    response.setHeader("Cache-Control", "no-store");
    if (method === "OPTIONS") return void response.writeHead(204).end();
    if (fault === "silent") return;
    if (fault === "busy") return void response.writeHead(503).end();
    if (fault === "no HEAD" && method === "HEAD") return void response.writeHead(405).end();
    const content = fault === "gone" ? undefined : contentOf(path);
    if (!content) return void response.writeHead(404).end();
    const version =
      (versions.get(path) ?? 1) +
      (fault === "changes" && asked.filter((one) => one.path === path).length > 1 ? 1 : 0);
    if (state.identify === "etag") response.setHeader("ETag", `"v${version}"`);
    if (state.identify === "time")
      response.setHeader("Last-Modified", new Date(1.7e12 + version * 1e6).toUTCString());
    if (fault !== "no ranges") response.setHeader("Accept-Ranges", "bytes");
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? "") ?? [];
    if (first === undefined || fault === "no ranges" || fault === "200 instead of 206") {
      response.writeHead(200, { "Content-Length": content.length });
      if (method === "HEAD") return void response.end();
      return send(content, response, entry);
    }
    await sendRange(content, Number(first), Number(last), response, entry);
  }

  /** @param {Buffer} content @param {number} first @param {number} last @param {import("node:http").ServerResponse} response @param {any} entry */
  async function sendRange(content, first, last, response, entry) {
    const { fault } = state;
    let part = content.subarray(first, last + 1);
    let range = `bytes ${first}-${last}/${content.length}`;
    if (fault === "wrong content-range") range = `bytes ${first}-${last}/${content.length + 1}`;
    if (fault === "another range") {
      part = content.subarray(first + 4, last + 5);
      range = `bytes ${first + 4}-${last + 4}/${content.length}`;
    }
    if (fault === "short range") part = part.subarray(0, part.length >> 1);
    if (fault === "another state") response.setHeader("ETag", '"another"');
    if (fault === "no etag in ranges") response.removeHeader("ETag");
    if (fault === "encoded range") {
      const { gzipSync } = await import("node:zlib");
      part = gzipSync(part);
      response.setHeader("Content-Encoding", "gzip");
    }
    response.writeHead(206, { "Content-Range": range, "Content-Length": part.length });
    if (fault === "range breaks off")
      return void response.write(part.subarray(0, 1000), () =>
        setTimeout(() => response.destroy(), 50),
      );
    sending += 1;
    state.together = Math.max(state.together, sending);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await send(part, response, entry);
    sending -= 1;
  }

  /** @param {Buffer} content @param {import("node:http").ServerResponse} response @param {{ bytes?: number }} entry */
  async function send(content, response, entry) {
    entry.bytes = 0;
    for (let start = 0; start < content.length && !response.destroyed; start += 1 << 18) {
      const piece = content.subarray(start, start + (1 << 18));
      const drained = response.write(piece);
      entry.bytes += piece.length;
      if (!drained)
        await new Promise(
          (resolve) => (response.once("drain", resolve), response.once("close", resolve)),
        );
      if (state.slow && start > 0) await new Promise((resolve) => setTimeout(resolve, 20));
    }
    response.end();
  }

  Object.assign(state, await listen(server));
  return state;
}

/** @param {import("node:http").Server} server */
async function listen(server) {
  await new Promise((resolve) => server.listen(0, "localhost", () => resolve(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const close = async () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://localhost:${port}/`, close };
}

/** @param {{ path: string }[]} requests */
function sorted(requests) {
  return [...requests].sort((a, b) => a.path.localeCompare(b.path));
}

/** @type {Map<string, Buffer | undefined>} */
const made = new Map();

/** A file of the models: those of the fixtures, the bundled one, and some that are made. @param {string} path @returns {Buffer | undefined} */
function file(path) {
  if (!made.has(path)) made.set(path, make(path));
  return made.get(path);
}

/** @param {string} path */
function make(path) {
  const [, model, name] = path.split("/");
  const read = (/** @type {string} */ path) =>
    readFileSync(new URL(`../../${path}`, import.meta.url));
  try {
    if (model === "shakespeare") return read(`models/shakespeare/${name}`);
    if (/^(tokenizer|vocab|merges|meta)\./.test(name)) return undefined;
    if (model === "masked")
      return name === "config.json"
        ? read("tests/fixtures/plain/config.json")
        : masked(read("tests/fixtures/plain/model.safetensors"));
    if (["sharded", "half", "unlisted", "outside"].includes(model))
      return sharded(model, name, read);
    const shape = promised[/** @type {keyof typeof promised} */ (model)];
    if (shape) return name === "config.json" ? Buffer.from(JSON.stringify(shape)) : header(shape);
    return read(`tests/fixtures/${model}/${name}`);
  } catch {
    return undefined;
  }
}

/** The plain checkpoint in two files: by the evenness of a tensor's place. @param {string} model @param {string} name @param {(path: string) => Buffer} read */
function sharded(model, name, read) {
  if (name === "config.json") return read("tests/fixtures/plain/config.json");
  const { header, data } = parsed(read("tests/fixtures/plain/model.safetensors"));
  const names = Object.keys(header).sort();
  const fileOf = (/** @type {number} */ place) =>
    model === "outside"
      ? "../plain/model.safetensors"
      : `model-0000${(place % 2) + 1}-of-00002.safetensors`;
  if (name === "model.safetensors.index.json") {
    const known = names.filter((tensor) => model !== "unlisted" || !tensor.endsWith("wte.weight"));
    return Buffer.from(
      JSON.stringify({
        metadata: {},
        weight_map: Object.fromEntries(
          known.map((tensor) => [tensor, fileOf(names.indexOf(tensor))]),
        ),
      }),
    );
  }
  const some = names.filter((_, place) => fileOf(place) === name);
  if (some.length === 0 || (model === "half" && name.includes("00002-of"))) return undefined;
  return joined(
    some.map((tensor) => ({
      name: tensor,
      entry: header[tensor],
      part: data.subarray(...header[tensor].data_offsets),
    })),
  );
}

/** GPT-2 with 1.5 billion and with 774 million parameters. */
const promised = {
  huge: {
    model_type: "gpt2",
    n_layer: 48,
    n_head: 25,
    n_embd: 1600,
    n_positions: 1024,
    vocab_size: 50257,
  },
  large: {
    model_type: "gpt2",
    n_layer: 36,
    n_head: 20,
    n_embd: 1280,
    n_positions: 1024,
    vocab_size: 50257,
  },
};

/** The header of a checkpoint, without data. @param {typeof promised.huge} config */
function header(config) {
  let end = 0;
  const entries = gpt2Tensors(config).map(([name, shape]) => {
    const start = end;
    end += 4 * shape.reduce((product, length) => product * length, 1);
    return [name, { dtype: "F32", shape, data_offsets: [start, end] }];
  });
  return withHeader(Object.fromEntries(entries), []);
}

/** A checkpoint with what old files hold besides: causal masks, and the head of another task. @param {Buffer} bytes */
function masked(bytes) {
  const { header, data } = parsed(bytes);
  const known = Object.entries(header).map(([name, entry]) => ({
    name,
    entry,
    part: data.subarray(...entry.data_offsets),
  }));
  const mask = Buffer.alloc(12 << 20, 7);
  const extra = ["transformer.h.0.attn.bias", "transformer.h.1.attn.bias", "score.weight"].map(
    (name) => ({ name, entry: { dtype: "U8", shape: [mask.length] }, part: mask }),
  );
  const third = Math.ceil(known.length / 3);
  return joined([0, 1, 2].flatMap((i) => [extra[i], ...known.slice(i * third, (i + 1) * third)]));
}
