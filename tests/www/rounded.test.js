import assert from "node:assert/strict";
import { test } from "node:test";

import { beforeRounding, bitsByName, isSameModel } from "../../www/session/rounded.ts";

test("a file of 8 bits is named after the folder that it lies in", () => {
  for (const [file, folder] of /** @type {const} */ ([
    ["models/shakespeare/shakespeare-q8.gguf", "models/shakespeare"],
    ["https://host.example/a/b/b-q8.gguf", "https://host.example/a/b"],
    ["b/b-q8.gguf", "b"],
    ["/b/b-q8.gguf", "/b"],
    ["a/b/c-q8.gguf", null],
    ["b-q8.gguf", null],
    ["b/b.gguf", null],
    ["b/b-q8.gguf/", null],
    ["models/shakespeare", null],
    ["hf:owner/name", null],
    ["", null],
  ]))
    assert.equal(beforeRounding(file), folder, file);
});

test("a model is the same in 8 bits, and with or without the slash at its end", () => {
  const [folder, file] = ["models/a", "models/a/a-q8.gguf"];
  for (const [one, other] of [
    [folder, file],
    [file, folder],
    [folder, folder],
    [`${folder}/`, file],
    ["/", "/"],
  ])
    assert.ok(isSameModel(one, other), `${one} ${other}`);
  for (const [one, other] of [
    ["", ""],
    [folder, ""],
    ["/", ""],
    ["", "/"],
    [folder, "models/b"],
    [file, "models/b/b-q8.gguf"],
    [folder, "models/a/other.gguf"],
  ])
    assert.ok(!isSameModel(one, other), `${one} ${other}`);
});

test("the name of a GGUF file says how many bits its weights have, or nothing", () => {
  for (const [file, bits] of /** @type {const} */ ([
    ["models/a/a-q8.gguf", 8],
    ["https://host.example/gpt2.Q8_0.gguf", 8],
    ["gpt2.Q4_K_M.gguf", 4],
    ["gpt2_q5_1.gguf", 5],
    ["gpt2-f16.gguf", null],
    ["models/faq8/model.safetensors", null],
    ["models/a-q8", null],
    ["aq8.gguf", null],
    ["gpt2-q6_k.gguf", 6],
    ["gpt2.Q3_K_L-00001-of-00002.gguf", 3],
    ["my-q2-report-f16.gguf", null],
    ["gpt2-q1_final.f32.gguf", null],
    ["gpt2-q4_kept-f16.gguf", null],
    ["gpt2-q9.gguf", null],
  ]))
    assert.equal(bitsByName(file), bits, file);
});
