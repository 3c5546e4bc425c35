// `runWithCache("*")` against `run_with_cache` of native TransformerLens, in turns, with as many threads: 256 tokens of a GPT-2 with 124
// million random weights. TRANSFORMER_LENS_PYTHON names a Python that has TransformerLens 3, as tests/fixtures/requirements.txt does.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

import { serve } from "../../scripts/serve.mjs";
import { makeModel } from "./lab-model.mjs";
import { openModel } from "./lab-page.mjs";
import { mapValues, warmMedian } from "./statistics.mjs";

const FOLDER = "bench/build/lab/";
const TOKENS = 256;

/** For one thread and for all: the times of both. @param {import("playwright-core").Browser} browser @param {number} rounds @param {string} python */
export async function measureNative(browser, rounds, python) {
  makeModel(FOLDER);
  const server = await serve({ root: "." });
  const found = [];
  try {
    for (const isolated of [false, true]) {
      const lab = await openModel(browser, server.url, FOLDER, isolated);
      const peer = await start(python, lab.threads);
      const times = { plain: [], captured: [], peerPlain: [], peerCaptured: [] };
      for (let round = -1; round < rounds; round++) {
        times.plain.push(await lab.page.evaluate(run, [TOKENS, []]));
        times.peerPlain.push(await peer.ask(`plain ${TOKENS}`));
        times.captured.push(await lab.page.evaluate(run, [TOKENS, ["*"]]));
        times.peerCaptured.push(await peer.ask(`captured ${TOKENS}`));
      }
      peer.stop();
      await lab.close();
      const { threads } = lab;
      found.push({ threads, version: peer.version, ...mapValues(times, warmMedian) });
    }
  } finally {
    await server.close();
  }
  return found;
}

/** Starts `native_lens.py`, which answers each line with one line. @param {string} python @param {number} threads */
async function start(python, threads) {
  const options = { stdio: ["pipe", "pipe", "inherit"] };
  const child = spawn(python, ["bench/browser/native_lens.py", String(threads)], options);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${python} ended: does it have TransformerLens?`);
    return value;
  };
  await once(child, "spawn");
  const version = await next();
  const ask = async (line) => {
    child.stdin.write(`${line}\n`);
    return Number(await next());
  };
  return { version, ask, stop: () => child.stdin.end() };
}

/** For page.evaluate. */
async function run([length, names]) {
  const ids = Uint32Array.from({ length }, (_, i) => (i * 7919 + 13) % 50257);
  const start = performance.now();
  await window.model.runWithCache(ids, { names });
  return performance.now() - start;
}
