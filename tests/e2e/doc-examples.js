// The examples in Markdown files: fenced blocks, each in the language that its fence names.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { readCell } from "../../www/notebook/program.ts";

/**
 * @typedef {object} Example
 * @property {string} file
 * @property {number} line of the fence, from 1
 * @property {string} section the heading above it, of the first or second level; blocks of a section share variables
 * @property {string} language
 * @property {readonly string[]} flags what the fence says behind the language
 * @property {string} code
 * @property {string} before what is run before it, from a comment `<!-- before: … -->` since the last block
 * @property {string} reason why it does not run, from a comment `<!-- no-run: … -->` there
 */

const HEADING = /^##? (.*)$/;
const FENCE = /^( *)```(.*)$/;
/** In a file with this comment, the blocks of all sections share variables. */
const SHARED = "<!-- examples share variables -->";
const BEFORE = /<!-- before:([\s\S]*?)-->/g;
const REASON = /<!-- no-run:([\s\S]*?)-->/;

/** Languages of examples that run, or that are checked in another way. */
export const CHECKED = ["js", "html", "css", "json", "python"];
/** What nothing runs: commands, diagrams, headers of a host. A fence with another language must say `no-run`, and a comment in front of it why. */
export const NOT_CODE = ["sh", "mermaid", ""];

/** @param {string} file @returns {Example[]} */
export function examplesOf(file) {
  const source = readFileSync(file, "utf8");
  const lines = source.split("\n");
  /** @type {Example[]} */
  const examples = [];
  let section = "";
  let text = "";
  for (let at = 0; at < lines.length; at++) {
    if (!source.includes(SHARED)) section = lines[at].match(HEADING)?.[1] ?? section;
    const fence = lines[at].match(FENCE);
    if (!fence) {
      text += `${lines[at]}\n`;
      continue;
    }
    const [, indent, info] = fence;
    const [language, ...flags] = info.trim().split(/\s+/);
    const end = lines.findIndex((line, other) => other > at && line === `${indent}\`\`\``);
    if (end < 0) throw new Error(`${file}:${at + 1}: the block has no end`);
    const code = lines.slice(at + 1, end).map((line) => line.slice(indent.length));
    const before = [...text.matchAll(BEFORE)].map(([, part]) => part).join("\n");
    examples.push({
      file,
      line: at + 1,
      section,
      language,
      flags,
      code: `${code.join("\n")}\n`,
      before,
      reason: text.match(REASON)?.[1].trim() ?? "",
    });
    text = "";
    at = end;
  }
  return examples;
}

/** What a block prints, as the comments `// → …`, in Python `# → …`, behind its lines say. @param {string} code */
export const expectedOutput = (code) =>
  [...code.matchAll(/(?:\/\/|#) → (.*)$/gm)].map(([, text]) => text.trim());

/** Whether a block printed what its comments say; without comments, anything. @param {Example} example @param {readonly string[]} printed */
export function isAsSaid({ code }, printed) {
  const expected = expectedOutput(code);
  if (expected.length === 0) return true;
  return (
    printed.length === expected.length && expected.every((text, at) => isOutput(printed[at], text))
  );
}

const NUMBER = /-?\d+(?:\.\d+)?(?:e[+-]?\d+)?/gi;

/**
 * Whether a text is what was expected. A number may differ by one unit in the last digit that is expected, because instruction sets
 * round differently.
 * @param {string} found @param {string} expected
 */
export function isOutput(found, expected) {
  if (found.replaceAll(NUMBER, "#") !== expected.replaceAll(NUMBER, "#")) return false;
  const numbers = found.match(NUMBER) ?? [];
  return (expected.match(NUMBER) ?? []).every((text, at) => {
    const digits = text.split(".")[1]?.length ?? 0;
    const unit = digits === 0 ? 0 : 10 ** -digits;
    return Math.abs(Number(numbers[at]) - Number(text)) <= unit * 1.000001;
  });
}

const IMPORTS = `<script type="importmap">${JSON.stringify({
  imports: {
    candlescope: "/candlescope.js",
    "candlescope/elements": "/elements.js",
    "candlescope-shakespeare":
      "data:text/javascript,export default new URL('/models/shakespeare', location.href).href",
  },
})}</script>`;

/** The page that a block of HTML makes, where the packages of npm have their names. @param {string} html */
export const pageOf = (html) =>
  `<!doctype html><html lang="en"><meta charset="utf-8"><title>example</title><link rel="icon" href="data:,">${IMPORTS}<body>\n${html}</body></html>`;

/**
 * Runs the blocks of JavaScript of one section on a page, one after the other. They share variables, and have `model`, the bundled
 * model, `loadModel`, `Tensor` and `text`.
 * @param {import("playwright-core").Page} page
 * @param {readonly Example[]} blocks
 * @returns {Promise<{ example: Example, printed: string[], error: string | null, files: OfferedFile[] }[]>}
 */
export async function runSection(page, blocks) {
  await page.evaluate(async () => {
    const { loadModel, Tensor } = await import(/** @type {string} */ ("./candlescope.js"));
    const model = await loadModel("models/shakespeare");
    Object.assign(globalThis, { scope: { loadModel, Tensor, model, text: "To be, or not to be" } });
  });
  const results = [];
  /** @type {string[]} */
  let known = ["loadModel", "Tensor", "model", "text"];
  for (const example of blocks) {
    let printed = /** @type {string[]} */ ([]);
    let error = null;
    for (const code of [example.before, example.code]) {
      if (code.trim() === "" || error) continue;
      const program = readCell(code, known);
      const outcome = await page.evaluate(run, {
        body: program.body,
        known: known.filter((name) => !program.declares.includes(name)),
      });
      ({ printed, error } = outcome);
      known = [...new Set([...known, ...program.declares])];
    }
    results.push({ example, printed, error, files: await offeredFiles(page) });
  }
  return results;
}

/** @typedef {{ name: string, bytes: number[] }} OfferedFile */

/**
 * The files that the variables of a page offer to be saved: those that a link has the name of a download for.
 * @param {import("playwright-core").Page} page @returns {Promise<OfferedFile[]>}
 */
const offeredFiles = (page) =>
  page.evaluate(async () => {
    const files = [];
    for (const one of Object.values(/** @type {any} */ (globalThis).scope)) {
      if (!(one instanceof HTMLAnchorElement) || !one.download) continue;
      const bytes = await (await fetch(one.href)).arrayBuffer();
      files.push({ name: one.download, bytes: [...new Uint8Array(bytes)] });
    }
    return files;
  });

const PYTHON = new URL("../../.tools/python/bin/python", import.meta.url).pathname;
const RUN_PYTHON = new URL("doc_examples.py", import.meta.url).pathname;

/**
 * Runs the blocks of Python of one section, one after the other. They share variables.
 * @param {readonly Example[]} blocks
 * @param {readonly OfferedFile[]} files that the blocks can read
 * @returns {{ example: Example, printed: string[], error: string | null, figure: string | null }[]} figure: figure.json, if the block wrote it
 */
export function runPython(blocks, files) {
  if (blocks.length === 0) return [];
  const folder = mkdtempSync(join(tmpdir(), "candlescope-docs-"));
  try {
    for (const { name, bytes } of files) writeFileSync(join(folder, name), Uint8Array.from(bytes));
    const input = JSON.stringify(blocks.map(({ before, code }) => ({ before, code })));
    const options = { input, cwd: folder, encoding: /** @type {const} */ ("utf8") };
    const { stdout, stderr, status } = spawnSync(PYTHON, ["-W", "ignore", RUN_PYTHON], options);
    if (status !== 0) throw new Error(`doc_examples.py ended with ${status}: ${stderr}`);
    const outcomes = JSON.parse(stdout);
    return blocks.map((example, at) => ({ example, ...outcomes[at] }));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** In the page. @param {{ body: string, known: string[] }} program */
async function run({ body, known }) {
  const scope = /** @type {any} */ (globalThis).scope;
  /** @type {string[]} */
  const printed = [];
  const log = (/** @type {unknown[]} */ ...values) => printed.push(values.map(String).join(" "));
  const AsyncFunction = /** @type {any} */ (async () => {}).constructor;
  const keep = (/** @type {object} */ variables) => Object.assign(scope, variables);
  try {
    const declared = known.map((name) => `let ${name} = scope$.${name};`).join("");
    await new AsyncFunction("scope$", "keepVariables$", "console", declared + body)(scope, keep, {
      ...console,
      log,
    });
    return { printed, error: null };
  } catch (error) {
    return {
      printed,
      error: error instanceof Error ? `${error.name}: ${error.message}` : String(error),
    };
  }
}
