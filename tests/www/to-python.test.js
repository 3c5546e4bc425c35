// Scripts load a model with transformers, which knows one layout of files.
import assert from "node:assert/strict";
import test from "node:test";
import { Model } from "../../www/api/model.ts";

const CALL = { runWithCache: { input: [1, 2] } };

/** A model whose worker answers with the folder that a script would load. */
function model(family, format) {
  const api = { toPython: (_key, _name, _input, _options, folder) => folder };
  const handle = { call: (send) => send(api, 0) };
  return new Model(handle, { config: {}, hookPoints: [], checkpoint: { family, format } }, "here");
}

test("a script of a checkpoint that transformers does not load is refused without a folder", async () => {
  for (const [family, format] of [
    ["nanoGPT", "PyTorch"],
    ["Hugging Face GPT-2", "GGUF"],
  ])
    await assert.rejects(
      model(family, format).toPython(CALL),
      (error) =>
        error.name === "InputError" &&
        error.message.includes(`a checkpoint of ${family} (${format})`),
    );
});

test("it loads the source of the model, or the folder that the caller names", async () => {
  for (const format of ["safetensors", "PyTorch"])
    assert.equal(await model("Hugging Face GPT-2", format).toPython(CALL), "here");
  assert.equal(await model("nanoGPT", "PyTorch").toPython(CALL, { folder: "saved" }), "saved");
});
