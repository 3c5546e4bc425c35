// What a page can load a model from, in frames, under policies, and while files change. In headless Chromium.

import assert from "node:assert/strict";
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";

import { start as startBrowser } from "./browser.js";
import * as faults from "./fault-server.js";

/** @typedef {typeof import("../../www/api/candlescope.ts")} Api */
/** @typedef {{ loss?: number | null, name?: string, message?: string }} Outcome */

const FIXTURES = new URL("../fixtures/plain/", import.meta.url).pathname;
const IDS = [3, 1, 4, 1, 5];

/** @type {Awaited<ReturnType<typeof startBrowser>>} */
let site;
/** @type {faults.FaultServer} */
let server;
/** @type {import("playwright-core").Page} */
let page;
/** @type {number} */
let loss;

before(async () => {
  server = await faults.serveFaults();
  site = await startBrowser();
  page = await site.browser.newPage();
  await page.goto(`${server.url}dist/empty.html`);
  const good = await attempt(
    (load, folder) => load(folder),
    server.set("good", { which: "config" }),
  );
  assert.ok(good.loss, good.message);
  loss = good.loss;
});

after(async () => {
  await site?.stop();
  server?.close();
});

beforeEach(async () => {
  await page.close();
  page = await site.browser.newPage();
  await page.goto(`${server.url}dist/empty.html`);
});

/**
 * The outcome of a load in the page. `inPage` gets a function that loads and runs, and one plain argument.
 * @template A @param {(load: (source: any, options?: object) => Promise<Outcome>, argument: A) => Promise<Outcome>} inPage @param {A} argument
 * @param {string} [folder] of the module @returns {Promise<Outcome>}
 */
function attempt(inPage, argument, folder = "dist") {
  return page.evaluate(`(async (argument) => {
    const { loadModel } = await import("${server.url}${folder}/candlescope.js");
    const load = async (source, options) => ({ loss: (await (await loadModel(source, { keep: false, ...options })).runWithCache(${JSON.stringify(IDS)})).loss });
    try {
      return await (${inPage})(load, argument);
    } catch ({ name, message }) {
      return { name, message };
    }
  })(${JSON.stringify(argument)})`);
}

/** @param {Outcome} found @param {string} name @param {RegExp} message */
function assertFailed(found, name, message) {
  assert.equal(found.name, name, found.message);
  assert.match(found.message ?? "", message);
}

// ---- kinds of sources ----

test("data: and blob: addresses are files", async () => {
  const found = await attempt(
    async (load, folder) => {
      const blob = async (/** @type {string} */ name) => (await fetch(`${folder}/${name}`)).blob();
      const reader = new FileReader();
      reader.readAsDataURL(await blob("config.json"));
      await new Promise((resolve) => (reader.onload = resolve));
      return load({
        config: reader.result,
        weights: URL.createObjectURL(await blob("model.safetensors")),
      });
    },
    server.set("data", { which: "config" }),
  );
  assert.equal(found.loss, loss, found.message);
});

test("a blob: address that was revoked says so", async () => {
  const found = await attempt(async (load) => {
    const address = URL.createObjectURL(new Blob(["{}"]));
    URL.revokeObjectURL(address);
    return load({ config: address, weights: address });
  }, null);
  assertFailed(found, "NetworkError", /blob:.* cannot be reached/);
});

test("redirects of a host are followed, to another host too", async () => {
  const target = server.set("target", { which: "config" });
  const fault = (/** @type {faults.Exchange} */ { response }) => (
    response.writeHead(302, { Location: `${target}/model.safetensors` }).end(), true
  );
  const found = await attempt(
    (load, folder) => load(folder),
    server.set("redirecting", { which: "weights", fault }),
  );
  assert.equal(found.loss, loss, found.message);
});

test("a value that is not a source is refused before any request", async () => {
  /** @type {string[]} */
  const asked = [];
  page.on("request", (request) => asked.push(request.url()));
  await page.route("https://**", (route) => route.abort());
  for (const [source, message] of /** @type {[any, RegExp][]} */ ([
    ["hf:a/b@../../x", /not a Hugging Face id/],
    ["hf:..", /not a Hugging Face id/],
    ["hf:a//b", /not a Hugging Face id/],
    ["hf:a%2Fb", /not a Hugging Face id/],
    ["file:///etc/model", /begins with "file:"/],
    ["data:,x", /a data: address is one file/],
    [
      { config: "c", tokeniser: "t", weights: "w" },
      /no file "tokeniser", did you mean `tokenizer`/,
    ],
    [{ config: "c" }, /`weights` is undefined, expected a file of weights/],
  ])) {
    assertFailed(await attempt((load, source) => load(source), source), "InputError", message);
  }
  assert.deepEqual(
    asked.filter((address) => !address.includes("/dist/")),
    [],
  );
});

test("an index that leads out of its folder is refused, and nothing outside is requested", async () => {
  const outside = server.set("outside", { which: "config" });
  for (const name of [
    "..",
    "../x.safetensors",
    `${outside}/model.safetensors`,
    "//outside.localhost/x.safetensors",
    "%2e%2e/x.safetensors",
    "x/y.bin",
  ]) {
    const fault = (/** @type {faults.Exchange} */ { response, content }) => {
      const { weight_map } = JSON.parse(String(content));
      response.writeHead(200).end(
        JSON.stringify({
          weight_map: Object.fromEntries(Object.keys(weight_map).map((key) => [key, name])),
        }),
      );
      return true;
    };
    assertFailed(
      await attempt((load, folder) => load(folder), server.set("index", { which: "index", fault })),
      "WeightsError",
      /is in "[^"]*".*expected the name of a file/,
    );
    assert.deepEqual(
      server
        .asked("index")
        .map(({ name }) => name)
        .sort(),
      ["config.json", "model.safetensors", "model.safetensors.index.json", "tokenizer.json"],
    );
  }
  assert.deepEqual(server.asked("outside"), []);
});

test("empty files are errors of their kind", async () => {
  const folder = server.set("empty", { which: "config" });
  for (const [empty, name] of [
    ["config", "ConfigError"],
    ["tokenizer", "TokenizerError"],
    ["weights", "WeightsError"],
  ]) {
    const found = await attempt(
      (load, [folder, empty]) =>
        load({
          config: `${folder}/config.json`,
          tokenizer: `${folder}/tokenizer.json`,
          weights: `${folder}/model.safetensors`,
          [empty]: new Blob([]),
        }),
      [folder, empty],
    );
    assertFailed(found, name, /./);
  }
});

describe("a file that was picked and then", () => {
  for (const [what, change] of /** @type {[string, (path: string) => Promise<void>][]} */ ([
    ["changed", (path) => writeFile(path, "something else, and longer than before".repeat(5000))],
    ["deleted", (path) => rm(path)],
  ])) {
    test(`${what} is an InputError that names it`, async () => {
      const folder = await mkdtemp(join(tmpdir(), "picked-"));
      try {
        for (const changed of ["config.json", "model.safetensors"]) {
          const paths = ["config.json", "model.safetensors"].map((name) => join(folder, name));
          await Promise.all(
            paths.map((path, i) =>
              copyFile(join(FIXTURES, ["config.json", "model.safetensors"][i]), path),
            ),
          );
          await page.setContent(`<input type="file" multiple>`);
          await page.setInputFiles("input", paths);
          const picked = () =>
            attempt(
              (load) =>
                load(/** @type {HTMLInputElement} */ (document.querySelector("input")).files),
              null,
            );
          assert.equal((await picked()).loss, loss);
          await change(join(folder, changed));
          const found = await picked();
          assertFailed(
            found,
            "InputError",
            /cannot be read.*changed, moved or deleted after it was chosen; choose it again/,
          );
          assert.ok(found.message?.includes(changed), found.message);
        }
      } finally {
        await rm(folder, { recursive: true });
      }
    });
  }
});

// ---- frames and policies ----

test("bytes, Blobs, URLs and signals of another frame are accepted", async () => {
  const folder = server.set("frames", { which: "config" });
  const found = await attempt(
    async (load, [folder, empty]) => {
      const frame = document.createElement("iframe");
      frame.src = empty;
      document.body.append(frame);
      await new Promise((resolve) => (frame.onload = resolve));
      const other = /** @type {any} */ (frame.contentWindow);
      const bytes = async (/** @type {string} */ name) =>
        new other.Uint8Array(await (await fetch(`${folder}/${name}`)).arrayBuffer());
      const config = await bytes("config.json");
      const weights = await bytes("model.safetensors");
      const controller = new other.AbortController();
      if (weights instanceof Uint8Array || controller.signal instanceof AbortSignal)
        throw new Error("the frame has classes of its own");
      const sources = [
        { config, weights },
        { config: config.buffer, weights: new other.Blob([weights]) },
        {
          config: new other.URL(`${folder}/config.json`),
          weights: new other.File([weights], "w.safetensors"),
        },
        other.Array.of(
          new other.File([config], "config.json"),
          new other.File([weights], "w.safetensors"),
        ),
        new other.URL(folder),
      ];
      /** @type {(number | null | undefined)[]} */
      const losses = [];
      for (const source of sources)
        losses.push((await load(source, { signal: controller.signal })).loss);
      controller.abort(new other.Error("enough"));
      const { name, message } = await load(folder, { signal: controller.signal }).catch(
        (error) => error,
      );
      return { loss: losses.every((one) => one === losses[0]) ? losses[0] : NaN, name, message };
    },
    [folder, `${server.url}dist/empty.html`],
  );
  assert.equal(found.loss, loss, found.message);
  assertFailed(found, "AbortError", /loading was aborted: enough/);
});

test("a frame without an origin of its own (sandbox) loads a model", async () => {
  const folder = server.set("sandboxed", { which: "config" });
  const found = await page.evaluate(
    async ([module, folder, ids]) => {
      const frame = document.createElement("iframe");
      frame.sandbox.add("allow-scripts");
      frame.srcdoc = `<script type="module">
        const say = (found) => parent.postMessage({ origin: self.origin, ...found }, "*");
        try {
          const { loadModel, storedModels } = await import(${JSON.stringify(module)});
          const model = await loadModel(${JSON.stringify(folder)});
          say({ loss: (await model.runWithCache(${JSON.stringify(ids)})).loss, stored: (await storedModels()).length });
        } catch ({ name, message }) {
          say({ name, message });
        }
      </script>`;
      const answer = new Promise((resolve) =>
        addEventListener("message", ({ data }) => resolve(data), { once: true }),
      );
      document.body.append(frame);
      return answer;
    },
    /** @type {const} */ ([`${server.url}dist/candlescope.js`, folder, IDS]),
  );
  assert.deepEqual(found, { origin: "null", loss, stored: 0 });
});

test("a Content-Security-Policy that stops a request is named, with the host to allow", async () => {
  const folder = server.set("policy", { which: "config" });
  await page.goto(`${server.url}policy/empty.html`);
  const start = Date.now();
  const found = await attempt((load, folder) => load(folder), folder, "policy");
  assertFailed(
    found,
    "NetworkError",
    /config\.json was stopped by this page's Content-Security-Policy \(connect-src\): allow http:\/\/policy\.localhost:\d+ there/,
  );
  assert.ok(Date.now() - start < 20_000);
  assert.deepEqual(server.asked("policy"), []);
  server.set("near", { which: "config" });
  const own = await attempt((load, folder) => load(folder), `${server.url}same/near`, "policy");
  assert.equal(own.loss, loss, own.message);
});
