// What was changed in a model, in words.

import assert from "node:assert/strict";
import { test } from "node:test";

import { captionText } from "../../www/draw/figure/caption.ts";
import { changeWords } from "../../www/session/intervention-words.ts";
import { zeroHead } from "../../www/state/interventions.ts";

/** @typedef {import("../../www/state/interventions.ts").LabIntervention} LabIntervention */

const [first, second] = [0, 1].map((head) => zeroHead({ layer: 1, head }));
/** @type {LabIntervention} */
const halved = { at: "blocks.0.hook_mlp_out", do: { scale: 0.5 } };

test("heads that are switched off are named, and other interventions counted and named", () => {
  assert.equal(changeWords([]), "");
  assert.equal(changeWords([first]), "head 1.0 switched off");
  assert.equal(changeWords([first, second, first]), "heads 1.0 and 1.1 switched off");
  assert.equal(changeWords([{ ...first, name: "mine" }]), "head 1.0 switched off");
  assert.equal(changeWords([{ ...first, disabled: true }]), "");
  assert.equal(changeWords([halved]), "1 intervention (× 0.5 at hook_mlp_out of layer 0)");
  assert.equal(
    changeWords([first, halved, { ...halved, do: "mean" }]),
    "head 1.0 switched off and 2 interventions (× 0.5 at hook_mlp_out of layer 0; mean over positions at hook_mlp_out of layer 0)",
  );
  const heads = Array.from({ length: 20 }, (_, head) => zeroHead({ layer: 0, head }));
  assert.match(changeWords(heads), /^heads 0\.0, .*0\.15 and 4 more switched off$/);
  assert.match(changeWords(Array(5).fill(halved)), /; .*; .* and 2 more\)$/);
});

test("a caption says it once, whatever else it says", () => {
  const changes = "head 1.0 switched off";
  assert.equal(captionText(undefined, changes), "With head 1.0 switched off.");
  assert.equal(captionText("Copies", changes), "Copies. With head 1.0 switched off.");
  assert.equal(captionText("Copies, with head 1.0 switched off", changes).match(/off/g)?.length, 1);
  assert.equal(captionText({ model: "m" }, changes), "m. With head 1.0 switched off.");
  assert.equal(captionText("Copies"), "Copies");
});
