// The table of capabilities names every method, option and action of the API once, and only what there is.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { actions, capabilities, FILE, methods, render } from "../../scripts/capabilities.mjs";
import { Model } from "../../www/api/model.ts";

const { rows, problems } = capabilities();

test("every method, option and action of the API has a place on the page, and no place is listed for nothing", () => {
  assert.deepEqual(problems, []);
});

test("the methods are those of the class itself", () => {
  const own = Object.getOwnPropertyNames(Model.prototype).filter((name) => name !== "constructor");
  assert.deepEqual([...methods().keys()].sort(), own.sort());
  assert.ok(own.length >= 20);
  for (const name of own)
    assert.ok(
      rows.some(({ method, option }) => method === name && option === ""),
      name,
    );
});

test("the options of a method are found through its types", () => {
  const { options } = methods().get("patching") ?? { options: new Map() };
  for (const name of ["clean", "corrupted", "at", "eachPosition", "signal", "onProgress"])
    assert.ok(options.has(name), `patching.${name}`);
  assert.ok(methods().get("tokenize")?.options.has("prependBos"));
  assert.deepEqual([...new Set(actions())].sort(), [
    "add",
    "from",
    "js",
    "knockOut",
    "mean",
    "scale",
    "set",
    "zero",
  ]);
});

test("docs/capabilities.md is the table (npm run capabilities writes it)", async () => {
  assert.equal(await readFile(FILE, "utf8"), render(rows));
});
