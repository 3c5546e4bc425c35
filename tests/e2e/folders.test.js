// Folders with several checkpoints, and copies of files from this machine in the browser's storage. In headless Chromium.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { start as startBrowser } from "./browser.js";
import * as faults from "./fault-server.js";

const FIXTURES = new URL("../fixtures/", import.meta.url).pathname;
const IDS = [3, 1, 4, 1, 5];

/** @type {Awaited<ReturnType<typeof startBrowser>>} */
let site;
/** @type {faults.FaultServer} */
let server;
/** @type {import("playwright-core").Page} */
let page;

before(async () => {
  server = await faults.serveFaults();
  site = await startBrowser();
  page = await site.browser.newPage();
  await page.goto(`${server.url}dist/empty.html`);
});

after(async () => {
  await site?.stop();
  server?.close();
});

/** @param {string} path @param {string} [as] its path in the folder */
const given = (path, as = path) => ({
  path: as,
  bytes: [...readFileSync(FIXTURES + path)],
});

/**
 * Runs code in the page, with `api`, `files` (Files with their paths), `ids` and `lossOf(model)`.
 * @param {string} code @param {{ path: string, bytes: number[] }[]} list @returns {Promise<any>}
 */
const run = (code, list) =>
  page.evaluate(
    `(async (list) => {
      const api = await import("${server.url}dist/candlescope.js");
      const files = list.map(({ path, bytes }) => Object.defineProperty(
        new File([Uint8Array.from(bytes)], path.split("/").at(-1)), "path", { value: path }));
      const lossOf = async (model) => (await model.runWithCache(${JSON.stringify(IDS)})).loss;
      const failure = ({ name, message, missing, checkpoints }) => ({ name, message, missing, checkpoints });
      ${code}
    })(${JSON.stringify(list)})`,
  );

test("several checkpoints are listed, and the one that is chosen is loaded with its parent's config", async () => {
  const list = [
    given("plain/config.json", "out/config.json"),
    given("plain/model.safetensors", "out/checkpoint-500/model.safetensors"),
    given("scaled/model.safetensors", "out/checkpoint-1000/model.safetensors"),
    given("scaled/config.json", "out/checkpoint-1000/config.json"),
  ];
  const found = await run(
    `const failed = await api.loadModel(files).catch(failure);
    const first = await api.loadModel(files, { checkpoint: "checkpoint-500" });
    const second = await api.loadModel(files, { checkpoint: "checkpoint-1000" });
    const alone = await api.loadModel([files[0], files[1]]);
    return { failed, losses: [await lossOf(first), await lossOf(second), await lossOf(alone)], report: first.report };`,
    list,
  );
  assert.equal(found.failed.name, "InputError");
  assert.deepEqual(found.failed.checkpoints, ["checkpoint-500", "checkpoint-1000"]);
  assert.equal(found.losses[0], found.losses[2]);
  assert.notEqual(found.losses[0], found.losses[1]);
  const ignored = found.report.find((/** @type {any} */ { name }) => name === "files");
  assert.match(ignored.message, /out\/checkpoint-1000\/model\.safetensors/);
});

test("what the files do not say comes with the error, and goes back as the option `config`", async () => {
  const name = "family/flax_notebook_none/";
  const found = await run(
    `const failed = await api.loadModel(files).catch(failure);
    const config = Object.fromEntries(failed.missing?.map(({ field, choices }) => [field, choices.at(-1)]) ?? []);
    const model = await api.loadModel(files, { config: { ...config, n_head: 2, position_embedding: "none" } });
    const { family, format } = model.checkpoint;
    return { failed, family, format, loss: await lossOf(model), config: model.config };`,
    [given(`${name}model.safetensors`, "model.safetensors")],
  );
  assert.equal(found.failed.name, "ConfigError", JSON.stringify(found));
  const fields = found.failed.missing.map((/** @type {any} */ { field }) => field);
  assert.ok(fields.includes("n_head") && fields.includes("position_embedding"), String(fields));
  assert.equal(found.config.position_embedding, "none");
  assert.equal(found.format, "safetensors");
  assert.ok(Number.isFinite(found.loss));
});

test("with `keep`, files from this machine are kept, and opened by their entry only", async () => {
  const found = await run(
    `await api.forgetStored();
    const first = await api.loadModel(files, { keep: true });
    while ((await api.storedModels()).length === 0)
      await new Promise((again) => setTimeout(again, 20)); // it is kept after the model is there
    const [entry] = await api.storedModels();
    first.dispose();
    const again = await api.loadModel(entry);
    const loss = await lossOf(again);
    const { family, format } = again.checkpoint;
    again.dispose();
    const removed = await api.forgetStored(entry);
    const gone = await api.loadModel(entry).catch(failure);
    return { entry, loss, family, format, removed, gone, left: (await api.storedModels()).length };`,
    [
      given("plain/config.json", "mine/config.json"),
      given("plain/model.safetensors", "mine/model.safetensors"),
    ],
  );
  const { key, name, address, dtype, format, bytes } = found.entry;
  assert.match(key, /^[0-9a-f]{32}$/);
  assert.deepEqual([name, address, dtype, format], ["mine", undefined, "f32", "safetensors"]);
  assert.ok(bytes > 1000);
  assert.ok(Number.isFinite(found.loss));
  assert.equal(found.format, "safetensors");
  assert.equal(found.removed, 1);
  assert.equal(found.left, 0);
  assert.equal(found.gone.name, "InputError");
  assert.match(found.gone.message, /no longer keeps mine: load it from its source again/);
});

test("a host that answers everything with a web page has no model and says so", async () => {
  const folder = server.set("pages", { which: "config", fault: faults.page });
  const found = await run(`return api.loadModel("${folder}/deep/").catch(failure);`, []);
  assert.equal(found.name, "NetworkError");
  assert.match(found.message, /config\.json answered 404|is not a config\.json but a page/);
});
