#!/usr/bin/env node
// Runs the tests of checkpoints, natively and in the browser, and writes what they measured into docs/checkpoints.md.
//
//     node scripts/checkpoints.mjs

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** @typedef {{ family: string, format: string, reference: string, logits: number, points: number }} Measured */

const DOCUMENT = "docs/checkpoints.md";
const folder = mkdtempSync(join(tmpdir(), "candlescope-checkpoints-"));

/** Runs a test that writes its measurements into the file that MEASURED names. @returns {Record<string, Measured>} by fixture */
function measured(
  /** @type {string} */ name,
  /** @type {string} */ program,
  /** @type {string[]} */ args,
) {
  const file = join(folder, name);
  execFileSync(program, args, { stdio: "inherit", env: { ...process.env, MEASURED: file } });
  return JSON.parse(readFileSync(file, "utf8"));
}

try {
  const native = measured("native", "cargo", ["test", "--quiet", "--test", "checkpoints"]);
  const browser = measured("browser", "node", [
    "--import",
    "tsx",
    "--test",
    "tests/e2e/families.test.js",
  ]);
  const number = (/** @type {number} */ value) => (value === 0 ? "0" : value.toExponential(1));
  /** @param {[string, Measured]} entry */
  const row = ([name, { family, format, reference, logits, points }]) => {
    const { logits: nativeLogits, points: nativePoints } = native[name];
    const cells = [family, format, `\`${name}\``, reference];
    const numbers = [nativeLogits, nativePoints, logits, points].map(number);
    return `| ${[...cells, ...numbers].join(" | ")} |`;
  };
  const table = [
    "| family | format | fixture | tested against | native: logits | hook points | browser: logits | hook points |",
    "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ...Object.entries(browser)
      .sort(([a, { family: x }], [b, { family: y }]) => `${x} ${a}`.localeCompare(`${y} ${b}`))
      .map(row),
  ].join("\n");
  const text = readFileSync(DOCUMENT, "utf8");
  const between = /(<!-- measured -->\n)[\s\S]*(<!-- end -->)/;
  if (!between.test(text)) throw new Error(`${DOCUMENT} lacks <!-- measured --> and <!-- end -->`);
  writeFileSync(
    DOCUMENT,
    text.replace(between, (_, start, end) => `${start}${table}\n${end}`),
  );
} finally {
  rmSync(folder, { recursive: true });
}
