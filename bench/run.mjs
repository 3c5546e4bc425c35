#!/usr/bin/env node
// Measures Candlescope beside its peers, in turns, in one headless Chromium: `node bench/run.mjs [ROUNDS [PRECISION]]`, after a build.
// Comes in: pkg/. Goes out: a table, bench/results.json and bench/README.md. The models are made on the first run.

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { serve } from "../scripts/serve.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
process.chdir(root);
const ROUNDS = Number(process.argv[2] ?? 5);
const PRECISION = process.argv[3]; // this one alone, or all
const PKG = `/${process.env.PKG ?? "pkg"}`;
const DECODED = 16;
const WEIGHTS = { f32: 497.8e6 };

/** Multiplications and additions of a pass over `t` tokens, with the logits of every position. */
const flop = (t) => 2 * t * (12 * 12 * 768 * 768 + 768 * 50257) + 12 * 2 * t * t * 768;

/** Who runs: name, how its page makes it, what it measures. */
const CONTESTANTS = [
  { name: "candlescope", precision: "f32", threads: 1, make: ["candlescope", "relaxed", PKG], also: ["capture"] },
  { name: "candlescope simd", precision: "f32", threads: 1, make: ["candlescope", "simd", PKG] },
  { name: "onnxruntime-web", precision: "f32", threads: 1, make: ["onnx", "gpt2.onnx", 1] },
  { name: "onnxruntime-web", precision: "q8", threads: 1, make: ["onnx", "gpt2-int8.onnx", 1] },
  { name: "wllama", precision: "q8", threads: 1, make: ["wllama", "gpt2-q8_0.gguf", 1] },
];

prepare();
const { chromium } = await import("./node_modules/playwright-core/index.mjs");
const server = await serve({ root: "." });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
try {
  const machine = await open(["machine"]);
  const racers = [];
  for (const contestant of CONTESTANTS.filter(({ precision }) => !PRECISION || precision === PRECISION)) {
    try {
      racers.push({ ...contestant, ...(await open(contestant.make)), times: {} });
    } catch (error) {
      console.error(`${contestant.name} ${contestant.precision} does not run here: ${String(error).split("\n")[0]}`);
    }
  }
  const limits = { read: [], simd: [], relaxed: [] };
  // A run that is cut short leaves what it had.
  for (let round = -1; round < ROUNDS; round++) {
    await turn(round, machine, racers, limits);
    if (round >= 0) report(round + 1, racers, limits, browser.version());
  }
  console.log(readFileSync("bench/README.md", "utf8").split(/<!-- .* -->/)[1]);
} finally {
  await browser.close();
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
  for (const [name, features] of [["simd", "+simd128"], ["relaxed", "+simd128,+relaxed-simd"]]) {
    const flags = ["--crate-type=cdylib", "--edition=2024", "--target=wasm32-unknown-unknown", "-Copt-level=3", "-Cpanic=abort"];
    run("rustc", "bench/machine.rs", ...flags, `-Ctarget-feature=${features}`, "-o", `bench/build/machine-${name}.wasm`);
  }
}

/** A page of its own with one engine in it. */
async function open([engine, ...args]) {
  const page = await browser.newPage();
  await page.goto(`${server.url}bench/page.html`);
  await page.evaluate(async ([engine, args]) => {
    const engines = await import("/bench/engines.js");
    window.engine = await engines[engine](...args);
  }, [engine, args]);
  const call = (name, ...args) => page.evaluate(([name, args]) => window.engine[name](...args), [name, args]);
  const loading = await page.evaluate(() => window.engine.loading);
  return { call, loading, memory: engine === "machine" ? 0 : await call("memory") };
}

/** One measurement of everything, round -1 to warm up. */
async function turn(round, machine, racers, limits) {
  for (const [id, ask] of [["prefill 64", ["prefill", 64]], ["prefill 256", ["prefill", 256]], ["decode", ["decode", DECODED]], ["capture 256", ["capture", 256]]]) {
    for (const limit of Object.keys(limits)) {
      const rate = await machine.call(limit);
      if (round >= 0) limits[limit].push(rate);
    }
    for (const racer of racers) {
      if (ask[0] === "capture" && !racer.also) continue;
      const time = await racer.call(...ask);
      if (round >= 0) (racer.times[id] ??= []).push(time);
    }
  }
  console.error(round < 0 ? "warm" : `round ${round + 1} of ${ROUNDS}`);
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

function report(rounds, racers, samples, version) {
  const limits = Object.fromEntries(Object.entries(samples).map(([name, rates]) => [name, median(rates)]));
  const find = (name, precision, threads) => racers.find((r) => r.name === name && r.precision === precision && r.threads === threads);
  const at = (racer, id) => (racer?.times[id] ? median(racer.times[id]) : undefined);
  const ours = find("candlescope", "f32", 1);
  const rows = [];
  const add = (id, precision, tokens, our, peer, peerName, limit, target) => {
    if (our === undefined || peer === undefined) return;
    const ratio = peer / our;
    rows.push({ id, precision, threads: 1, tokens, ours: round(our), peer: round(peer), peerName, unit: "ms", ratio: round(ratio, 3), limit: round(limit), ofLimit: round(limit / our, 3), target, met: target === null ? null : ratio >= target });
  };
  const peer = find("onnxruntime-web", "f32", 1);
  for (const [tokens, target] of [[64, 1.2], [256, 1.25]]) {
    const id = `prefill ${tokens}`;
    add(`f32 ${id}`, "f32", tokens, at(ours, id), at(peer, id), peer?.name, flop(tokens) / limits.relaxed / 1e6, target);
  }
  add("f32 decode, per token", "f32", 1, at(ours, "decode"), at(peer, "decode"), peer?.name, WEIGHTS.f32 / limits.read / 1e6, 1.15);
  add("f32 prefill 256, simd build", "f32", 256, at(ours, "prefill 256"), at(find("candlescope simd", "f32", 1), "prefill 256"), "candlescope simd", flop(256) / limits.relaxed / 1e6, null);
  add("plain pass against capture of every default point, 256", "f32", 256, at(ours, "capture 256"), at(ours, "prefill 256"), "candlescope", flop(256) / limits.relaxed / 1e6, 1 / 1.15);
  const others = racers.filter((racer) => racer.precision === "q8" || racer.threads > 1);
  const peers = others.map(({ name, precision, threads, times }) => ({ name, precision, threads, ...Object.fromEntries(Object.entries(times).map(([id, all]) => [id, round(median(all))])) }));
  const memory = { loadMs: round(ours?.loading ?? 0), wasmMB: round((ours?.memory ?? 0) / 1e6), weightsMB: round(WEIGHTS.f32 / 1e6) };
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, memoryGB: Math.round(totalmem() / 1e9), chromium: version, readGBs: round(limits.read), simdGFLOPs: round(limits.simd), relaxedGFLOPs: round(limits.relaxed), rounds };
  writeFileSync("bench/results.json", `${JSON.stringify({ machine, rows, peers, memory }, null, 2)}\n`);
  const table = markdown(machine, rows, peers);
  const readme = readFileSync("bench/README.md", "utf8");
  writeFileSync("bench/README.md", readme.replace(/(<!-- results -->)[^]*(<!-- end -->)/, `$1\n${table}\n$2`));
}

function markdown(machine, rows, peers) {
  const line = (...cells) => `| ${cells.join(" | ")} |`;
  return [
    `${machine.cpu}, ${machine.cores} cores, Chromium ${machine.chromium}; medians of ${machine.rounds}. It reads ${machine.readGBs} GB/s in wasm and does ${machine.simdGFLOPs} GFLOP/s in f32 with plain, ${machine.relaxedGFLOPs} with relaxed SIMD, one thread.`,
    "",
    line("measure", "ours, ms", "peer", "peer's, ms", "times faster", "target", "of the limit"),
    line(...Array(7).fill("---")),
    ...rows.map((r) => line(r.id, r.ours, r.peerName, r.peer, r.ratio, r.target === null ? "" : `${round(r.target, 2)} ${r.met ? "met" : "not met"}`, r.ofLimit)),
    "",
    "Peers in forms that Candlescope does not have yet, ms:",
    "",
    line("peer", "precision", "threads", "prefill 64", "prefill 256", "decode, per token"),
    line(...Array(6).fill("---")),
    ...peers.map((p) => line(p.name, p.precision, p.threads, p["prefill 64"], p["prefill 256"], p.decode)),
  ].join("\n");
}

function round(value, digits = 1) {
  return Number(value.toFixed(digits));
}
