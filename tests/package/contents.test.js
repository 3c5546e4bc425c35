// What the tarballs hold: the files and no others, types that stand alone, a manifest that describes the running elements.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";

import { Ajv } from "ajv";
import { publint } from "publint";
import { formatMessage } from "publint/utils";

import { node, typed, worker } from "../../scripts/entries.mjs";
import { serve } from "../../scripts/serve.mjs";
import { start } from "../e2e/browser.js";
import { newProject, PACKAGES, ROOT } from "./project.js";

/** @type {ReturnType<typeof newProject>} */
let project;
before(() => {
  project = newProject();
});
after(() => project?.remove());

/** @param {string[]} parts */
const read = (...parts) => readFileSync(project.path("node_modules", ...parts), "utf8");
/** @param {string} name */
const folderOf = (name) => project.path("node_modules", name);
/** @param {string} name */
const filesOf = (name) =>
  readdirSync(folderOf(name), { recursive: true, encoding: "utf8" })
    .filter((path) => statSync(join(folderOf(name), path)).isFile())
    .sort();

describe("the files", () => {
  it("are scripts, declarations, wasm, the manifest and texts", () => {
    const others = filesOf("candlescope").filter((path) => !/\.(js|d\.ts|wasm)$/.test(path));
    assert.deepEqual(others, [
      "LICENSE-APACHE",
      "LICENSE-MIT",
      "README.md",
      "THIRD-PARTY-LICENSES.txt",
      "custom-elements.json",
      "package.json",
    ]);
    assert.deepEqual(filesOf("candlescope-shakespeare"), [
      "LICENSE-APACHE",
      "LICENSE-MIT",
      "README.md",
      "config.json",
      "index.d.ts",
      "index.js",
      "model.safetensors",
      "package.json",
      "tokenizer.json",
    ]);
  });

  it("include every published module and nothing that no module imports", () => {
    const files = filesOf("candlescope");
    for (const name of Object.keys({ ...typed, ...node, ...worker }))
      assert.ok(files.includes(`${name}.js`), name);
    for (const name of Object.keys(typed)) assert.ok(files.includes(`${name}.d.ts`), name);
    const text = files
      .filter((path) => path.endsWith(".js"))
      .map((path) => read("candlescope", path));
    const isNamed = (/** @type {string} */ path) =>
      text.some((one) => one.includes(path.split("/").at(-1) ?? path));
    const entries = Object.keys({ ...typed, ...node }).map((name) => `${name}.js`);
    const idle = files.filter(
      (path) => /\.(js|wasm)$/.test(path) && !entries.includes(path) && !isNamed(path),
    );
    assert.deepEqual(idle, []);
  });

  it("name each worker and wasm module once, so that a bundler copies it once", () => {
    const text = filesOf("candlescope")
      .filter((path) => path.endsWith(".js"))
      .map((path) => read("candlescope", path))
      .join("\n");
    const named = [...text.matchAll(/new URL\("([^"]+)", ?import\.meta\.url\)/g)].map(
      ([, name]) => name,
    );
    assert.deepEqual(named.sort(), [
      "./helper.js",
      "./node-thread.js",
      "./pkg/candlescope_primary.wasm",
      "./pkg/candlescope_secondary.wasm",
      "./pkg/candlescope_threads_primary.wasm",
      "./pkg/candlescope_threads_secondary.wasm",
      "./worker.js", // in a browser
      "./worker.js", // in Node.js
    ]);
    for (const name of named) assert.ok(existsSync(join(folderOf("candlescope"), name)), name);
  });

  it("fit package.json, as publint says", async () => {
    for (const name of PACKAGES) {
      const { messages, pkg } = await publint({ pkgDir: folderOf(name), strict: true });
      assert.deepEqual(
        messages.map((message) => formatMessage(message, pkg)),
        [],
      );
    }
  });

  it("name the licence of every part", () => {
    const text = read("candlescope", "THIRD-PARTY-LICENSES.txt");
    for (const part of ["lit-html", "comlink", "candle-core", "tokenizers", "wasm-bindgen"])
      assert.match(text, new RegExp(`^${part} \\d+\\.\\d+\\.\\d+.*: .+$`, "m"), part);
    assert.match(text, /Permission is hereby granted/);
    assert.match(text, /Redistribution and use in source and binary forms/);
  });
});

describe("the types", () => {
  const SOURCE = `
    import { loadModel, type Model } from "candlescope";
    import { Tensor } from "candlescope/tensor";
    import "candlescope/elements";
    import { TokenStrip } from "candlescope/elements/token-strip";
    import shakespeare from "candlescope-shakespeare";
    const model: Model = await loadModel(shakespeare);
    const { cache } = await model.runWithCache("To be");
    export const tensor: Tensor = cache.get("hook_embed");
    export const strip: TokenStrip = document.createElement("token-strip");
    document.createElement("candle-scope").prompt = "To be";`;
  const RESOLUTIONS = [
    { module: "esnext", moduleResolution: "bundler" },
    { module: "nodenext", moduleResolution: "nodenext" },
  ];

  /** @param {string} source @param {object} options */
  function errors(source, options) {
    const compilerOptions = {
      strict: true,
      skipLibCheck: false,
      noEmit: true,
      target: "es2022",
      lib: ["es2022", "dom", "dom.iterable"],
      types: [],
      ...options,
    };
    writeFileSync(project.path("main.ts"), source);
    writeFileSync(
      project.path("tsconfig.json"),
      JSON.stringify({ compilerOptions, files: ["main.ts"] }),
    );
    const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
    return spawnSync(tsc, ["-p", project.folder], { encoding: "utf8" }).stdout;
  }

  for (const options of RESOLUTIONS)
    it(`compile where nothing else is installed, with moduleResolution ${options.moduleResolution}`, () => {
      assert.equal(errors(SOURCE, options), "");
    });

  it("refuse what is not there", () => {
    const [options] = RESOLUTIONS;
    assert.match(errors('import "candlescope/worker";', options), /TS2882|TS2307/);
    assert.match(errors(`${SOURCE}\nmodel.run("x");`, options), /Property 'run' does not exist/);
  });

  it("fit the JavaScript in the packages' README files", () => {
    for (const name of PACKAGES)
      for (const [, code] of read(name, "README.md").matchAll(/^```js\n([\s\S]*?)^```$/gm))
        assert.equal(errors(code, { ...RESOLUTIONS[0], noImplicitAny: false }), "", code);
  });
});

describe("the custom-elements manifest", () => {
  /** @type {any} */
  let manifest;
  before(() => {
    manifest = JSON.parse(read("candlescope", "custom-elements.json"));
  });

  it("follows its schema", () => {
    const require = createRequire(import.meta.url);
    const schema = JSON.parse(
      readFileSync(require.resolve("custom-elements-manifest/schema.json"), "utf8"),
    );
    const validate = new Ajv({ strict: false, allowUnionTypes: true }).compile(schema);
    assert.ok(validate(manifest), JSON.stringify(validate.errors));
  });

  it("has the attributes that the elements observe in a browser, and their events", async () => {
    const server = await serve({ root: folderOf("candlescope") });
    const site = await start(folderOf("candlescope"));
    const page = await site.browser.newPage();
    await page.goto(`${server.url}package.json`);
    for (const { path, declarations } of manifest.modules) {
      const [{ tagName, name, attributes }] = declarations;
      const found = await page.evaluate(
        async ({ path, tagName }) => {
          const module = await import(`/${path}`);
          const element = /** @type {any} */ (customElements.get(tagName));
          return { exported: Object.keys(module), observed: element.observedAttributes };
        },
        { path, tagName },
      );
      assert.ok(found.exported.includes(name), path);
      assert.deepEqual(
        attributes.map((/** @type {{ name: string }} */ one) => one.name).sort(),
        found.observed.sort(),
        tagName,
      );
    }
    await site.stop();
    await server.close();
    const strip = manifest.modules.find(
      (/** @type {any} */ one) => one.path === "elements/token-strip.js",
    );
    assert.deepEqual(
      strip.declarations[0].events.map((/** @type {{ name: string }} */ one) => one.name),
      ["token-hover", "token-lock"],
    );
  });

  it("says what the package's own elements are, all of them", () => {
    const tags = manifest.modules.map((/** @type {any} */ one) => one.declarations[0].tagName);
    const published = Object.keys(typed).filter((name) => name.startsWith("elements/"));
    assert.deepEqual(
      tags.map((/** @type {string} */ tag) => `elements/${tag}`).sort(),
      published.sort(),
    );
  });
});
