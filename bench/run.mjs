#!/usr/bin/env node
// The benchmark: Candlescope and its peers, measured in turns in one headless Chromium. Needs a build (pkg/ and dist/).
//
//     node bench/run.mjs [ROUNDS [PART...]]    PART: race, growth, batch, gradients, load, page, storage or native; default: all
//
// native is a part only if TRANSFORMER_LENS_PYTHON names a Python that has TransformerLens.
//
// Writes bench/results.json and the tables in bench/README.md and README.md. The first run makes the models.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import { serve } from "../scripts/serve.mjs";
import { measureBatches } from "./browser/batch.mjs";
import { measureGradients } from "./browser/gradients.mjs";
import { measureLoads } from "./browser/load.mjs";
import { measureNative } from "./browser/native.mjs";
import { measurePage } from "./browser/page.mjs";
import { growth, race } from "./browser/race.mjs";
import { write } from "./browser/report.mjs";
import { measureStorage } from "./browser/storage.mjs";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const [roundsArgument = "5", ...partArguments] = process.argv.slice(2);
const rounds = Number(roundsArgument);
const { TRANSFORMER_LENS_PYTHON } = process.env;
const parts =
  partArguments.length > 0
    ? partArguments
    : ["race", "growth", "batch", "gradients", "load", "page", "storage"].concat(
        TRANSFORMER_LENS_PYTHON ? "native" : [],
      );
if (parts.includes("native") && !TRANSFORMER_LENS_PYTHON)
  throw new Error(
    "TRANSFORMER_LENS_PYTHON names no Python with TransformerLens, which the part `native` measures",
  );
const CHROMIUM = {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox"],
};

await prepare();
const server = await serve({ root: "." });
/** Parts that are not measured now keep their earlier results. */
const results = existsSync("bench/results.json")
  ? (JSON.parse(readFileSync("bench/results.json", "utf8")).raw ?? {})
  : {};
try {
  for (const part of parts) {
    const browser = await chromium.launch(CHROMIUM);
    results.chromium = browser.version();
    results.machine = {
      cpu: cpus()[0]?.model,
      cores: cpus().length,
      memoryGB: Math.round(totalmem() / 1e9),
    };
    // Called after each round of the race, so that an interrupted run keeps its completed rounds.
    const save = (result) => write(Object.assign(results, { [part]: result }));
    try {
      if (part === "race") await race(browser, server.url, rounds, save);
      if (part === "growth") save(await growth(browser, server.url, Math.min(rounds, 3)));
      if (part === "batch") save(await measureBatches(browser, rounds));
      if (part === "gradients") save(await measureGradients(browser, rounds));
      if (part === "native") save(await measureNative(browser, rounds, TRANSFORMER_LENS_PYTHON));
      if (part === "load") save(await measureLoads(browser, rounds));
      if (part === "page") save(await measurePage(browser, rounds));
      if (part === "storage")
        save(await measureStorage(chromium, CHROMIUM, "bench/build/candlescope", rounds));
    } finally {
      await browser.close();
    }
  }
  console.log(readFileSync("bench/README.md", "utf8").split(/<!-- .* -->/)[1]);
} finally {
  await server.close();
}

/** Makes what the parts need and is missing: peers, models, a module that measures the machine, the page's modules as JavaScript. */
async function prepare() {
  const run = (command, ...args) => execFileSync(command, args, { stdio: "inherit" });
  if (parts.every((part) => ["page", "batch", "gradients", "load", "native"].includes(part)))
    return;
  if (!existsSync("bench/node_modules")) run("npm", "ci", "--prefix", "bench");
  if (!existsSync("bench/build/gpt2-q8_0.gguf")) {
    const python = process.env.PYTHON ?? "bench/build/venv/bin/python";
    if (!process.env.PYTHON && !existsSync(python)) {
      run("python3", "-m", "venv", "bench/build/venv");
      const requirements = "bench/browser/requirements.txt";
      run("bench/build/venv/bin/pip", "install", "--quiet", "-r", requirements);
    }
    run(python, "bench/browser/make_models.py", "bench/build");
  }
  const options = ["--crate-type=cdylib", "--edition=2024", "-Copt-level=3", "-Cpanic=abort"];
  const target = "--target=wasm32-unknown-unknown";
  for (const [name, features] of [
    ["simd", "+simd128"],
    ["relaxed", "+simd128,+relaxed-simd"],
  ]) {
    const output = ["-o", `bench/build/machine-${name}.wasm`];
    const feature = `-Ctarget-feature=${features}`;
    run("rustc", "bench/browser/machine.rs", ...options, target, feature, ...output);
  }
  await build({
    entryPoints: ["www/worker/network.ts", "www/worker/helper.ts"],
    outdir: "bench/build",
    bundle: true,
    format: "esm",
    target: "es2022",
    logLevel: "warning",
  });
}
