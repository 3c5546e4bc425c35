// Runs snapshot_test.py with the Python that scripts/setup.sh installs, and reads what tools/snapshot.py writes with the page's code.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { readSnapshot } from "../../www/session/snapshot/read.ts";

const PYTHON = new URL("../../.tools/python/bin/python", import.meta.url).pathname;
const TESTS = new URL("snapshot_test.py", import.meta.url).pathname;
const EXPECTED = new URL("../fixtures/plain/expected.json", import.meta.url).pathname;

const { error, status, stderr } = spawnSync(PYTHON, ["-W", "ignore", TESTS, "--verbose"], {
  encoding: "utf8",
});
const results = [
  ...(stderr ?? "").matchAll(/^test_(\w+) \(.*\) \.\.\. (ok|FAIL|ERROR|skipped '(.*)')$/gm),
];

for (const [, name, result, reason] of results)
  test(`snapshot.py: ${name.replaceAll("_", " ")}`, { skip: reason }, () =>
    assert.equal(result, "ok", stderr),
  );

test("snapshot_test.py reports all of its tests", () => {
  assert.ifError(error);
  assert.equal(status, 0, stderr);
  assert.equal(results.length, Number(/^Ran (\d+) tests/m.exec(stderr)?.[1]));
});

test("the page reads what Python writes", () => {
  const folder = mkdtempSync(join(tmpdir(), "candlescope-"));
  try {
    const path = join(folder, "figure.json");
    const written = spawnSync(PYTHON, [TESTS, "--write", path], { encoding: "utf8" });
    assert.equal(written.status, 0, written.stderr);
    const { reading, state, caption } = readSnapshot(readFileSync(path, "utf8"));
    const { tokens, log_probs: logProbs } = JSON.parse(readFileSync(EXPECTED, "utf8"));
    assert.deepEqual([...reading.ids], tokens);
    assert.equal(caption, "written by Python");
    assert.equal(state.view, "attention");
    reading.logProbs.forEach((value, at) => assert.ok(Math.abs(value - logProbs[at]) < 2e-5));
    for (const pattern of reading.patterns) {
      assert.ok(pattern);
      const [, , rows, columns] = pattern.shape;
      for (let row = 0; row < pattern.data.length / columns; row++) {
        const values = pattern.data.subarray(row * columns, (row + 1) * columns);
        // Each of at most 11 values is rounded by at most half of 0.00025.
        assert.ok(Math.abs(values.reduce((sum, one) => sum + one, 0) - 1) < 11 * 0.000126);
        assert.ok(values.subarray((row % rows) + 1).every((one) => one === 0));
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
