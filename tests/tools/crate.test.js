// What `cargo package` would publish.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { test } from "node:test";

/** What cargo writes itself. */
const MADE = [".cargo_vcs_info.json", "Cargo.toml.orig", "Cargo.lock", "Cargo.toml"];

const listed = execFileSync("cargo", ["package", "--list", "--allow-dirty", "--offline"], {
  encoding: "utf8",
  stdio: ["ignore", "pipe", "ignore"],
})
  .trim()
  .split("\n")
  .filter((path) => !MADE.includes(path));

test("the crate has its sources, examples, licences and README, and nothing else", () => {
  const places = new Set(listed.map((path) => path.split("/")[0]));
  assert.deepEqual([...places].sort(), [
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "bench",
    "build.rs",
    "examples",
    "src",
  ]);
  const others = listed.filter((path) => !/\.(rs|py|md)$|^LICENSE-/.test(path));
  assert.deepEqual(others, []);
});

test("the files that the sources include are in the crate", () => {
  for (const path of ["src/lib.rs", "src/python/templates/run.py", "src/kernel/simd/module.rs"]) {
    assert.ok(existsSync(path), path);
    assert.ok(listed.includes(path), path);
  }
});
