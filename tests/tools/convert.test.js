// Runs convert_test.py with the Python that scripts/setup.sh installs, and reports each of its tests.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

const PYTHON = new URL("../../.tools/python/bin/python", import.meta.url).pathname;
const TESTS = new URL("convert_test.py", import.meta.url).pathname;

const { error, status, stderr } = spawnSync(PYTHON, ["-W", "ignore", TESTS, "--verbose"], {
  encoding: "utf8",
});
const results = [
  ...(stderr ?? "").matchAll(/^test_(\w+) \(.*\) \.\.\. (ok|FAIL|ERROR|skipped '(.*)')$/gm),
];

for (const [, name, result, reason] of results)
  test(`convert.py: ${name.replaceAll("_", " ")}`, { skip: reason }, () =>
    assert.equal(result, "ok", stderr),
  );

test("convert_test.py reports all of its tests", () => {
  assert.ifError(error);
  assert.equal(status, 0, stderr);
  assert.equal(results.length, Number(/^Ran (\d+) tests/m.exec(stderr)?.[1]));
});
