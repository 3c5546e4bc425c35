// Properties of all source files: their length, and words that the project does not use.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const MAX_LINES = 450;
const FOLDERS = ["src", "www", "scripts", "tools", "bench", "docs", "examples", "fuzz", "build.rs"];
const IS_CODE = /\.(rs|ts|js|mjs|css|html|sh|py)$/;

/** Earlier names of things for which the field has a standard term; CHANGELOG.md may mention them. */
const RETIRED_NAMES =
  `Apart HandedOver Begun Looking Keeping Restoring Unkept Kept Extent Met Places Site Voice WasmKeeping takeUnkept
  letGo goOn sayingWhatFailed isProblem foretold hush summon hire fate pour_rest anew deaf isDeaf patience`.split(
    /\s+/,
  );

/** The files under version control in these folders. @param {...string} folders */
function files(...folders) {
  const list = execFileSync("git", [
    "ls-files",
    "--cached",
    "--others",
    "--exclude-standard",
    "--",
    ...folders,
  ]);
  return String(list)
    .split("\n")
    .filter((path) => IS_CODE.test(path) && !path.includes("generated."));
}

/** @param {string} path @returns {string} empty if the file was just removed */
function text(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

test(`no source file has more than ${MAX_LINES} lines, except tests and generated files`, () => {
  const sources = files(...FOLDERS);
  assert.ok(sources.length > 100);
  const lengths = sources.map((path) => ({ path, lines: text(path).split("\n").length - 1 }));
  assert.deepEqual(
    lengths.filter(({ lines, path }) => lines > MAX_LINES && !/\btests\.rs$/.test(path)),
    [],
  );
});

test("no source file uses a retired name", () => {
  const pattern = new RegExp(`\\b(${RETIRED_NAMES.join("|")})\\b`, "g");
  const sources = files(...FOLDERS, "tests");
  const found = sources
    .filter((path) => path !== "tests/tools/sources.test.js")
    .flatMap((path) => [...text(path).matchAll(pattern)].map(([name]) => `${path}: ${name}`));
  assert.deepEqual([...new Set(found)], []);
});
