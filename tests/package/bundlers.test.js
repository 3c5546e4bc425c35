// The installed package in a browser: without a bundler, with Vite's server and build, with webpack and with esbuild. Each page
// computes the numbers of dist/ and draws a first pattern.

import assert from "node:assert/strict";
import { cpSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";

import { build as esbuild } from "esbuild";
import { build as viteBuild, createServer, preview } from "vite";
import webpack from "webpack";

import { start } from "../e2e/browser.js";
import { numbersInDist, numbersOn, recordingServer } from "./browser.js";
import { newProject } from "./project.js";

/** Threads need a page that is isolated from other origins. */
const ISOLATION = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

/** @type {Awaited<ReturnType<typeof start>>} */
let dist;
/** @type {import("./browser.js").Numbers} */
let expected;
/** @type {ReturnType<typeof newProject>} */
let project;

before(async () => {
  dist = await start();
  project = newProject();
  expected = await numbersInDist(dist, project);
});
after(async () => {
  await dist?.stop();
  project?.remove();
});

/** @param {string} url @param {string[]} paths */
async function compare(url, paths) {
  assert.deepEqual(await numbersOn(dist.browser, url, paths), expected);
}

/** A plugin of Vite that keeps the paths that were requested. @param {string[]} paths */
function recorder(paths) {
  const record = (
    /** @type {import("vite").ViteDevServer | import("vite").PreviewServer} */ server,
  ) =>
    void server.middlewares.use(({ url = "" }, _response, next) => {
      paths.push(url);
      next();
    });
  return { name: "recorder", configureServer: record, configurePreviewServer: record };
}

/** @param {string[]} paths @returns {import("vite").InlineConfig} */
const viteConfig = (paths) => ({
  root: project.folder,
  configFile: false,
  logLevel: "warn",
  plugins: [recorder(paths)],
  server: { headers: ISOLATION, port: 0 },
  preview: { headers: ISOLATION, port: 0 },
  build: { target: "es2022" },
});

it("works without a bundler, with an import map", async () => {
  const server = await recordingServer(project.folder);
  await compare(`${server.url}import-map.html`, server.paths);
  await server.close();
});

describe("Vite", () => {
  it("serves it, with its dependencies optimized", async () => {
    /** @type {string[]} */
    const paths = [];
    const server = await createServer(viteConfig(paths));
    await server.listen();
    const [url] = server.resolvedUrls?.local ?? [];
    await compare(url, paths);
    assert.ok(paths.some((path) => path.includes(".vite/deps/candlescope")));
    await server.close();
  });

  it("builds it", async () => {
    /** @type {string[]} */
    const paths = [];
    const config = viteConfig(paths);
    await viteBuild(config);
    const server = await preview(config);
    const [url] = server.resolvedUrls?.local ?? [];
    await compare(url, paths);
    assert.ok(paths.some((path) => /candlescope_(threads_)?secondary.*\.wasm$/.test(path)));
    await server.close();
  });
});

it("webpack builds it", async () => {
  const path = project.path("webpack");
  await new Promise((done, fail) =>
    webpack(
      {
        mode: "production",
        context: project.folder,
        entry: "./app.js",
        output: { path, filename: "app.js" },
        performance: { hints: false },
        // The tests know a helper's script by its name. Minifying takes the longest, and the package's scripts are minified.
        optimization: { chunkIds: "named", minimize: false },
      },
      (error, stats) => {
        if (error ?? stats?.hasErrors() ?? stats?.hasWarnings()) fail(error ?? stats?.toString());
        else done(undefined);
      },
    ),
  );
  await compareFolder(path);
});

it("esbuild builds it, with the worker's files copied beside the script", async () => {
  const outdir = project.path("esbuild");
  await esbuild({
    entryPoints: [project.path("app.js")],
    absWorkingDir: project.folder,
    bundle: true,
    format: "esm",
    outdir,
    logLevel: "warning",
  });
  for (const [name, files] of Object.entries({
    candlescope: ["worker.js", "helper.js", "pkg"],
    "candlescope-shakespeare": ["config.json", "tokenizer.json", "model.safetensors"],
  }))
    for (const file of files)
      cpSync(project.path("node_modules", name, file), project.path("esbuild", file), {
        recursive: true,
      });
  await compareFolder(outdir);
});

/** Opens a folder with the page beside its script. @param {string} folder */
async function compareFolder(folder) {
  writeFileSync(`${folder}/index.html`, await readFile(project.path("index.html")));
  const server = await recordingServer(folder);
  await compare(server.url, server.paths);
  await server.close();
}
