#!/usr/bin/env node
// Measures Candlescope beside its peers, in turns, in one headless Chromium: `node bench/run.mjs [ROUNDS [PART...]]`, after
// a build. PARTs are race, growth, page and storage; all, where none is named.
// Comes in: pkg/ and dist/. Goes out: a table, bench/results.json and bench/README.md. The models are made on the first run.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { serve } from "../scripts/serve.mjs";
import { measurePage } from "./page.mjs";
import { growth, race } from "./race.mjs";
import { write } from "./report.mjs";
import { measureStorage } from "./storage.mjs";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const [rounds = "5", ...named] = process.argv.slice(2);
const ROUNDS = Number(rounds);
const parts = named.length > 0 ? named : ["race", "growth", "page", "storage"];
const CHROMIUM = {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox"],
};

prepare();
const { chromium } = await import("./node_modules/playwright-core/index.mjs");
const server = await serve({ root: "." });
/** What was not measured this time stays as it was. */
const found = existsSync("bench/results.json")
  ? (JSON.parse(readFileSync("bench/results.json", "utf8")).raw ?? {})
  : {};
try {
  for (const part of parts) {
    const browser = await chromium.launch(CHROMIUM);
    found.chromium = browser.version();
    // A run that is cut short leaves what it had.
    const keep = (result) => write(Object.assign(found, { [part]: result }));
    try {
      if (part === "race") await race(browser, server.url, ROUNDS, keep);
      if (part === "growth") keep(await growth(browser, server.url, Math.min(ROUNDS, 3)));
      if (part === "page") keep(await measurePage(browser, ROUNDS));
      if (part === "storage")
        keep(await measureStorage(chromium, CHROMIUM, "bench/build/candlescope", ROUNDS));
    } finally {
      await browser.close();
    }
  }
  console.log(readFileSync("bench/README.md", "utf8").split(/<!-- .* -->/)[1]);
} finally {
  await server.close();
}

/** Makes what is missing: the peers, the models, the machine's own limits. */
function prepare() {
  const run = (command, ...args) => execFileSync(command, args, { stdio: "inherit" });
  if (!existsSync("bench/node_modules")) run("npm", "ci", "--prefix", "bench");
  if (!existsSync("bench/build/gpt2-q8_0.gguf")) {
    const python = process.env.PYTHON ?? "bench/build/venv/bin/python";
    if (!process.env.PYTHON && !existsSync(python)) {
      run("python3", "-m", "venv", "bench/build/venv");
      run("bench/build/venv/bin/pip", "install", "--quiet", "-r", "bench/requirements.txt");
    }
    run(python, "bench/make_models.py", "bench/build");
  }
  for (const [name, features] of [
    ["simd", "+simd128"],
    ["relaxed", "+simd128,+relaxed-simd"],
  ]) {
    const flags = [
      "--crate-type=cdylib",
      "--edition=2024",
      "--target=wasm32-unknown-unknown",
      "-Copt-level=3",
      "-Cpanic=abort",
    ];
    run(
      "rustc",
      "bench/machine.rs",
      ...flags,
      `-Ctarget-feature=${features}`,
      "-o",
      `bench/build/machine-${name}.wasm`,
    );
  }
}
