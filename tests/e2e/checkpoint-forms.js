// The checkpoints of tests/fixtures in every family and format, each laid out as its owner has it, and a comparison of a model
// with what the reference program computed.

import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { DIST, eventually, start } from "./browser.js";

const FIXTURES = new URL("../fixtures/", import.meta.url).pathname;
const FAMILY = join(FIXTURES, "family");

/**
 * A checkpoint: its name, what its expected.json says, and the files by the names that their owner gave them.
 * @typedef {{ name: string, folder: string, files: string[], expected: Expected }} Form
 */

/**
 * @typedef {{ family: string, format: string, reference: string, tokens: number[], firing_order: string[],
 *   texts: { text: string, ids: number[] }[], options: Record<string, string | number>, parameters?: number,
 *   config: string | null, weights: string[], index?: string, tokenizer: string[] }} Expected
 */

/** Every form: those of family/, and TransformerLens's toy models under its own names. @returns {Form[]} */
function forms() {
  const json = (/** @type {string} */ path) => JSON.parse(readFileSync(path, "utf8"));
  const family = readdirSync(FAMILY).map((name) => {
    const folder = join(FAMILY, name);
    const expected = json(join(folder, "expected.json"));
    const { weights, index, config, tokenizer } = expected;
    return {
      name,
      folder,
      files: [...weights, index, config, ...tokenizer].filter(Boolean),
      expected,
    };
  });
  const toys = readdirSync(FIXTURES)
    .filter((name) => existsSync(join(FIXTURES, name, "transformer_lens.safetensors")))
    .map((name) => {
      const folder = join(FIXTURES, name);
      const expected = {
        family: "TransformerLens",
        format: "safetensors",
        reference: "TransformerLens",
        texts: [],
        options: {},
        ...json(join(folder, "expected.json")),
      };
      return {
        name,
        folder,
        files: ["transformer_lens.json", "transformer_lens.safetensors"],
        expected,
      };
    });
  return [...family, ...toys];
}

/** Names that the toys' files have in their folder. @type {Record<string, string>} */
const RENAMED = {
  "transformer_lens.json": "config.json",
  "transformer_lens.safetensors": "model.safetensors",
};

/**
 * The site with each checkpoint in `forms/NAME/`, which holds the checkpoint's files only, and the reference's values in
 * `expected/NAME/`.
 */
export async function siteOfForms() {
  const root = mkdtempSync(join(tmpdir(), "candlescope-forms-"));
  for (const name of readdirSync(DIST)) symlinkSync(join(DIST, name), join(root, name));
  const all = forms().map((form) => {
    const folder = join(root, "forms", form.name);
    mkdirSync(folder, { recursive: true });
    const files = form.files.map((name) => RENAMED[name] ?? name);
    form.files.forEach((name, i) => copyFileSync(join(form.folder, name), join(folder, files[i])));
    const expected = join(root, "expected", form.name);
    mkdirSync(expected, { recursive: true });
    for (const name of ["expected.json", "activations.safetensors"])
      copyFileSync(join(form.folder, name), join(expected, name));
    return { ...form, folder, files };
  });
  const site = await start(root);
  return {
    ...site,
    root,
    forms: all,
    stop: async () => {
      await site.stop();
      rmSync(root, { recursive: true });
    },
  };
}

/** What a comparison found. `largest` are absolute differences; `failures` are points beyond the tolerance.
 * @typedef {{ largest: { logits: number, points: number }, failures: string[], compared: number, points: string[],
 *   hookPoints: string[], parameterCount: number, sum: number, checkpoint: { family: string, format: string },
 *   report: { kind: string, name: string, message: string, from?: string[] }[], shape: number[] }} Comparison
 */

/**
 * For page.evaluate: defines `compareModel(model, folder)` on the page, which compares a model's logits and hook points with
 * the values in `folder`.
 */
export function defineComparison() {
  /** A safetensors file of F32 tensors. @param {ArrayBuffer} bytes */
  const tensorsOf = (bytes) => {
    const length = Number(new DataView(bytes).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 8, length)));
    const { __metadata__, ...entries } = header;
    return new Map(
      Object.entries(entries).map(
        ([
          name,
          {
            shape,
            data_offsets: [first, last],
          },
        ]) => [
          name,
          { shape, data: new Float32Array(bytes.slice(8 + length + first, 8 + length + last)) },
        ],
      ),
    );
  };
  /** @param {any} model @param {string} folder @returns {Promise<Comparison>} */
  const compareModel = async (model, folder) => {
    const [expected, bytes] = await Promise.all([
      fetch(`${folder}/expected.json`).then((response) => response.json()),
      fetch(`${folder}/activations.safetensors`).then((response) => response.arrayBuffer()),
    ]);
    const tensors = tensorsOf(bytes);
    const { logits, cache } = await model.runWithCache(Uint32Array.from(expected.tokens), {
      names: expected.firing_order,
    });
    const found = new Map([["logits", logits]]);
    for (const name of cache.names()) found.set(name, cache.get(name));
    /** @type {string[]} */
    const failures = [];
    const largest = { logits: 0, points: 0 };
    let compared = 0;
    for (const [name, tensor] of found) {
      const reference = tensors.get(name);
      if (reference === undefined) {
        failures.push(`${name} is not in the reference`);
        continue;
      }
      if (reference.data.length !== tensor.data.length) {
        failures.push(`${name} has shape ${tensor.shape}, the reference ${reference.shape}`);
        continue;
      }
      const kind = name === "logits" ? "logits" : "points";
      for (let i = 0; i < reference.data.length; i++) {
        const [actual, wanted] = [tensor.data[i], reference.data[i]];
        if (Object.is(actual, wanted)) continue; // minus infinity in masked scores
        const difference = Math.abs(actual - wanted);
        if (!(difference <= 1e-5 + 1e-4 * Math.abs(wanted))) {
          failures.push(`${name}[${i}] is ${actual}, the reference ${wanted}`);
          break;
        }
        largest[kind] = Math.max(largest[kind], difference);
      }
      compared += reference.data.length;
    }
    return {
      largest,
      failures,
      compared,
      points: cache.names(),
      hookPoints: model.hookPoints.map((/** @type {{ name: string }} */ { name }) => name),
      parameterCount: model.parameterCount,
      sum: model.parameters.reduce(
        (/** @type {number} */ sum, /** @type {{ count: number }} */ { count }) => sum + count,
        0,
      ),
      checkpoint: model.checkpoint,
      report: model.report,
      shape: [...logits.shape],
    };
  };
  Object.assign(globalThis, { compareModel, tensorsOf });
}

/**
 * Drops files or folders of this machine on the page, as the browser does it.
 * @param {import("playwright-core").Page} page @param {string[]} paths
 */
export async function dropPaths(page, paths) {
  const session = await page.context().newCDPSession(page);
  const { width = 800, height = 600 } = page.viewportSize() ?? {};
  const at = { x: width / 2, y: height / 2 };
  const data = { items: [], files: paths, dragOperationsMask: 1 };
  const arrival = await page.evaluateHandle(() => {
    const seen = { isDrop: false };
    const note = () => Object.assign(seen, { isDrop: true });
    document.addEventListener("drop", note, { capture: true, once: true });
    return seen;
  });
  // A browser that is busy may answer before the page has allowed the drop, and then gives up the drag instead of dropping.
  await eventually(async () => {
    for (const type of /** @type {const} */ (["dragEnter", "dragOver", "drop"]))
      await session.send("Input.dispatchDragEvent", { type, ...at, data });
    await page.waitForFunction((seen) => seen.isDrop, arrival, { timeout: 5000 });
  });
  await session.detach();
}
