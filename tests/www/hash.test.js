import assert from "node:assert/strict";
import { test } from "node:test";

import { read, write } from "../../www/page/hash.ts";

test("the state of the page is written to an address and read from it", () => {
  /** @type {import("../../www/page/hash.ts").AddressState} */
  const state = {
    model: "hf:openai-community/gpt2",
    prompt: "a & b = #c?\n 100% “moon” 🌙 +",
    layer: 11,
    head: 0,
    view: "log-probability",
    scale: "sqrt",
    direction: "to",
    lock: { query: 31, key: 12 },
  };
  assert.deepEqual(read(`#${write(state)}`), state);
});

test("a row or a column can be locked", () => {
  assert.deepEqual(read(write({ lock: { query: 0 } })), { lock: { query: 0 } });
  assert.deepEqual(read(write({ lock: { key: 7 } })), { lock: { key: 7 } });
});

test("unknown names and values are ignored", () => {
  assert.deepEqual(read("#look=to"), { direction: "to" }); // as earlier versions wrote it
  assert.deepEqual(read("#layer=-1&head=two&scale=log&direction=up&lock=a,b&lock=,&x=1"), {});
  assert.deepEqual(read(""), {});
});

test("an empty prompt is kept", () => {
  assert.deepEqual(read(write({ prompt: "" })), { prompt: "" });
});

test("heads that are switched off and a hook point are written and read", () => {
  const state = {
    off: [
      { layer: 1, head: 0 },
      { layer: 11, head: 10 },
    ],
    hook: "blocks.0.attn.hook_z",
    view: "activations",
  };
  assert.deepEqual(read(write(state)), state);
  assert.match(write(state), /off=1\.0%2C11\.10/);
  assert.deepEqual(read("off=1,x.2,3.4,"), { off: [{ layer: 3, head: 4 }] });
});
