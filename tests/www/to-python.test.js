// Scripts load a model with transformers, which knows one layout of files.
import assert from "node:assert/strict";
import test from "node:test";
import { Model } from "../../www/api/model.ts";

/** @type {import("../../www/api/candlescope.ts").ModelCall} */
const CALL = { runWithCache: { input: [1, 2] } };

/**
 * A model whose worker answers with the folder that a script would load.
 * @param {string} family
 * @param {string} format
 * @param {{ kind: string }[]} [report]
 */
function model(family, format, report = []) {
  /** @type {any} */
  const handle = {
    /** @param {Function} send */
    call: (send) => send({ toPython: (/** @type {string[]} */ ...sent) => sent.at(-1) }, 0),
  };
  /** @type {any} */
  const loaded = { config: {}, hookPoints: [], checkpoint: { family, format }, report };
  return new Model(handle, loaded, { folder: "here", address: null });
}

test("a script of a checkpoint that transformers does not load is refused without a folder", async () => {
  for (const [family, format] of [
    ["nanoGPT", "PyTorch"],
    ["Hugging Face GPT-2", "GGUF"],
  ])
    await assert.rejects(model(family, format).toPython(CALL), {
      name: "InputError",
      message: new RegExp(`a checkpoint of ${family} \\(${format}\\)`),
    });
});

test("it loads the source of the model, or the folder that the caller names", async () => {
  for (const format of ["safetensors", "PyTorch"])
    assert.equal(await model("Hugging Face GPT-2", format).toPython(CALL), "here");
  assert.equal(await model("nanoGPT", "PyTorch").toPython(CALL, { folder: "saved" }), "saved");
});

test("weights that `withParameters` replaced are not those that a script would load", async () => {
  const replaced = model("Hugging Face GPT-2", "safetensors", [{ kind: "replaced" }]);
  for (const folder of [undefined, "saved"])
    await assert.rejects(replaced.toPython(CALL, { folder }), {
      name: "InputError",
      message: /^the weights were rewritten \(withParameters\)/,
    });
});
