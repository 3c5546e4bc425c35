// The installed package in Node.js and in Deno: no DOM, no storage, worker threads in place of workers. Each program must end by
// itself once its calls are answered.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";

import { serve } from "../../scripts/serve.mjs";
import { start } from "../e2e/browser.js";
import { numbersInDist } from "./browser.js";
import { newProject } from "./project.js";

const MODEL = "node_modules/candlescope-shakespeare";
const DENO = join(import.meta.dirname, "node_modules/.bin/deno");
/**
 * Relaxed SIMD multiplies and adds with one rounding, plain SIMD with two, and engines differ in which they have. Values are at most
 * about 10, so f32 sums of some hundred products differ by less.
 */
const TOLERANCE = 1e-4;

/** @type {ReturnType<typeof newProject>} */
let project;
/** @type {import("./browser.js").Numbers} */
let expected;

before(async () => {
  project = newProject();
  const dist = await start();
  expected = await numbersInDist(dist, project);
  await dist.stop();
});
after(() => project?.remove());

/**
 * Runs a program to its end and parses what it prints. Fails for an exit status or for anything on stderr.
 * @param {string} program @param {string[]} args
 */
async function outputOf(program, args) {
  const { stdout, stderr } = await promisify(execFile)(program, args, {
    cwd: project.folder,
    maxBuffer: 1 << 24,
  });
  assert.equal(stderr, "");
  return JSON.parse(stdout);
}

/** @param {import("./browser.js").Numbers} found */
function compare({ loss, pattern, lens, generated, backend }) {
  const close = (/** @type {number} */ a, /** @type {number} */ b) =>
    assert.ok(Math.abs(a - b) < TOLERANCE, `${a} ${b}`);
  close(loss, expected.loss);
  assert.equal(pattern.length, expected.pattern.length);
  pattern.forEach((value, at) => close(value, expected.pattern[at]));
  assert.equal(lens.length, expected.lens.length);
  lens.forEach((value, at) => close(value, expected.lens[at]));
  assert.equal(generated, expected.generated);
  return backend;
}

describe("Node.js", () => {
  it("runs and analyses a model", async () => {
    compare(await outputOf("node", ["node.js", MODEL]));
  });

  it("does so in a worker thread", async () => {
    compare(await outputOf("node", ["node.js", MODEL, "thread"]));
  });

  it("uses one thread where there is one processor, and gets the same bits", async () => {
    await writeFile(
      project.path("one.js"),
      'Object.defineProperty(globalThis, "navigator", { value: { hardwareConcurrency: 1 } });',
    );
    const one = await outputOf("node", ["--import", "./one.js", "node.js", MODEL]);
    const all = await outputOf("node", ["node.js", MODEL]);
    assert.equal(compare(one).threads, 1);
    assert.deepEqual({ ...one, backend: undefined }, { ...all, backend: undefined });
  });

  it("loads paths, file: and http: addresses, and says what it lacks", async () => {
    const server = await serve({ root: project.folder });
    const { losses, failures, exit, ...found } = await outputOf("node", [
      "node-calls.js",
      server.url,
    ]);
    await server.close();
    const [loss] = Object.values(losses);
    assert.ok(loss > 0);
    for (const [name, value] of Object.entries(losses)) assert.equal(value, loss, name);
    assert.deepEqual(found, {
      requested: true,
      progress: "weights",
      stored: [],
      forgotten: 0,
      after: loss,
    });
    assert.match(
      failures.keep,
      /^InputError: `keep` is true, but models are kept in a browser's storage only/,
    );
    assert.match(failures.nowhere, /^NetworkError: .*nowhere.*no such file/);
    assert.match(failures["a file"], /^NetworkError: .*package\.json/);
    assert.match(failures.weights, /^NetworkError: .*nowhere\.safetensors/);
    assert.match(failures.aborted, /^AbortError: /);
    assert.match(failures.names, /^HookError: /);
    assert.match(failures.code, /^HookError: .*mine/);
    assert.match(exit, /^WorkerError: the worker ended unexpectedly/);
  });
});

describe("Deno", () => {
  it("runs and analyses a model", async () => {
    compare(await outputOf(DENO, ["run", "--allow-all", "--no-lock", "node.js", MODEL]));
  });
});
