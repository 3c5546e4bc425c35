import assert from "node:assert/strict";
import { test } from "node:test";

import { branches } from "../../www/elements/model-tree.ts";

/** @param {string} name @param {number} count */
const parameter = (name, count) => ({
  name,
  shape: [count],
  axes: ["d_model"],
  dtype: "f32",
  count,
  views: [],
});

test("parameters become a tree of their names, with counts", () => {
  const root = branches([
    parameter("wte.weight", 10),
    parameter("h.0.ln_1.weight", 2),
    parameter("h.0.ln_1.bias", 2),
    parameter("h.1.ln_1.weight", 2),
  ]);
  assert.deepEqual([root.count, [...root.children.keys()]], [16, ["wte", "h"]]);
  const block = root.children.get("h")?.children.get("0");
  assert.equal(block?.count, 4);
  const norm = block?.children.get("ln_1");
  assert.deepEqual([...(norm?.children.keys() ?? [])], ["weight", "bias"]);
  assert.equal(norm?.parameter, null, "a branch is no parameter");
  assert.equal(norm?.children.get("bias")?.parameter?.name, "h.0.ln_1.bias");
});
