// What the page keeps and says about models of one's own: token ids, questions, reports, the gallery, rate and time left.

import assert from "node:assert/strict";
import { test } from "node:test";

import { nameOf, areOfTokenizer } from "../../www/elements/files.ts";
import { differences, roundedCount, sizesOf, whyAbsent } from "../../www/session/architecture.ts";
import { copiesOf, formatAgo, Gallery, GALLERY_KEY } from "../../www/session/gallery.ts";
import { idToken, openingIds, parseIds, withId } from "../../www/session/ids.ts";
import { filterNotices, groupNotices, keysOf } from "../../www/session/notices.ts";
import { choiceNote, fieldTitle, questionOf, withAnswer } from "../../www/session/questions.ts";
import { formatLeft, Rate } from "../../www/session/rate.ts";

// ---- ids ----

test("ids are read with spaces, commas, brackets or as copied tokens", () => {
  for (const text of ["1 5 60", "1, 5,60", "[1, 5, 60]", "⟨1⟩⟨5⟩⟨60⟩", " 1\n5\t60 "])
    assert.deepEqual([...parseIds(text, 61)], [1, 5, 60], text);
});

test("what is no id of the vocabulary is refused with its place", () => {
  const refuses = (/** @type {string} */ text, /** @type {RegExp} */ message) =>
    assert.throws(() => parseIds(text, 3), { name: "InputError", message });
  refuses("0 1 3", /^"3", at position 2, is not a token id: expected whole numbers from 0 to 2/);
  refuses("0 one", /"one", at position 1/);
  refuses("-1", /"-1", at position 0/);
  refuses("1.5", /"1\.5"/);
  refuses("1e0", /"1e0"/);
  refuses(" , ", /^there are no token ids/);
});

test("an id is appended as the others are separated", () => {
  assert.equal(withId("1 2", 3), "1 2 3");
  assert.equal(withId("1,2, ", 3), "1,2, 3");
  assert.equal(withId("", 3), "3");
  assert.equal(idToken(17), "⟨17⟩");
});

test("the opening ids repeat once, and fit any vocabulary and context", () => {
  for (const [vocab_size, n_positions] of [
    [50257, 1024],
    [3, 8],
    [3, 1],
    [1, 2],
    [61, 20],
    [12, 23],
  ]) {
    const ids = [...parseIds(openingIds({ vocab_size, n_positions }), vocab_size)];
    assert.ok(ids.length <= n_positions, `${ids.length} of ${n_positions}`);
    const half = ids.length / 2;
    if (n_positions < 2) continue;
    assert.deepEqual(ids.slice(0, half), ids.slice(half));
    assert.equal(new Set(ids).size, half, "each id once in each half");
  }
});

// ---- what the files do not say ----

test("an error asks only if answers help", () => {
  assert.equal(questionOf(new Error("no")), null);
  assert.equal(questionOf(null), null);
  assert.equal(questionOf(Object.assign(new Error("no"), { missing: [] })), null);
  const missing = [{ field: "n_head", choices: [1, 2] }];
  assert.deepEqual(questionOf(Object.assign(new Error("which"), { missing })), {
    message: "which",
    missing,
    checkpoints: [],
  });
  assert.deepEqual(
    questionOf(Object.assign(new Error("which"), { checkpoints: ["a", "b"] }))?.checkpoints,
    ["a", "b"],
  );
});

test("answers add up", () => {
  assert.deepEqual(withAnswer({}, {}), {});
  assert.deepEqual(
    withAnswer(
      { checkpoint: "b", config: { n_head: 2 } },
      { config: { position_embedding: "none" } },
    ),
    { checkpoint: "b", config: { n_head: 2, position_embedding: "none" } },
  );
});

test("positions are explained in a sentence each, other fields have a name", () => {
  for (const kind of ["learned", "sinusoidal", "none", "shortformer"])
    assert.match(choiceNote("position_embedding", kind), /\.$/);
  assert.equal(choiceNote("n_head", 4), "");
  assert.equal(fieldTitle("n_head"), "heads in each layer");
  assert.equal(fieldTitle("rope_theta"), "rope_theta");
});

// ---- architectures ----

const GPT2 = {
  n_layer: 12,
  n_head: 12,
  n_embd: 768,
  n_inner: null,
  n_positions: 1024,
  vocab_size: 50257,
};

test("sizes are said with the right number", () => {
  assert.equal(
    sizesOf(GPT2),
    "12 layers of 12 heads, 768 wide, 64 a head, MLPs of 3072, context of 1,024 tokens, vocabulary of 50,257 tokens",
  );
  assert.equal(
    sizesOf({
      ...GPT2,
      n_layer: 1,
      n_head: 1,
      n_embd: 4,
      n_positions: 8,
      vocab_size: 3,
      attn_only: true,
    }),
    "1 layer of 1 head, 4 wide, 4 a head, no MLPs, context of 8 tokens, vocabulary of 3 tokens",
  );
});

test("what a model lacks is said, and nothing of a GPT-2", () => {
  assert.deepEqual(differences({}), []);
  assert.deepEqual(
    differences({ position_embedding: "learned", normalization_type: "LN", attn_only: false }),
    [],
  );
  const all = differences({
    position_embedding: "none",
    normalization_type: "none",
    attn_only: true,
  });
  assert.equal(all.length, 3);
  assert.match(all.join(" "), /no position embedding.*no MLPs.*no LayerNorm/);
});

test("a hook point that a model lacks has a reason, and one of no model has none", () => {
  assert.equal(
    whyAbsent("hook_pos_embed", { position_embedding: "none" }),
    "it has no position embedding",
  );
  assert.equal(whyAbsent("blocks.3.mlp.hook_pre", { attn_only: true }), "it has no MLPs");
  assert.equal(whyAbsent("blocks.3.hook_resid_mid", { attn_only: true }), "it has no MLPs");
  assert.equal(
    whyAbsent("ln_final.hook_scale", { normalization_type: "none" }),
    "it has no LayerNorm",
  );
  assert.equal(whyAbsent("ln_final.hook_scale", { normalization_type: "LNPre" }), null);
  assert.equal(whyAbsent("blocks.0.hook_residual", { attn_only: true }), null);
});

test("counts of parameters have at most three digits and a unit", () => {
  assert.deepEqual(
    [3, 999, 9738, 28_891_136, 124_439_808, 999_960, 1_557_611_200].map(roundedCount),
    ["3", "999", "9.7k", "28.9M", "124M", "1M", "1.6B"],
  );
});

// ---- the report ----

const notice = (/** @type {string} */ kind, /** @type {string} */ name, message = "It is so.") => ({
  kind,
  name,
  message,
});

test("notices that matter come first, and none is lost", () => {
  const notices = [
    notice("renamed", "wte.weight"),
    notice("ignored", "h.0.attn.bias"),
    notice("quantized", "h.0.x"),
    notice("assumed", "n_head"),
    notice("nonFinite", "wpe.weight"),
    notice("unknown", "ema"),
    notice("renamed", "wpe.weight"),
  ];
  const groups = groupNotices(notices);
  assert.deepEqual(
    groups.map(({ kind }) => kind),
    ["quantized", "nonFinite", "unknown", "assumed", "ignored", "renamed"],
  );
  assert.equal(groups.at(-1)?.notices.length, 2);
  assert.equal(groups.at(-1)?.matters, false);
  assert.equal(groups.flatMap((group) => group.notices).length, notices.length);
});

test("a filter finds words in the name, the key and the sentence", () => {
  const notices = [
    { ...notice("renamed", "h.0.ln_1.bias"), from: ["blocks_0/LayerNorm_0/bias"] },
    notice("transposed", "h.0.mlp.c_fc.weight", "Stored as [out, in]."),
  ];
  const names = (/** @type {string} */ words, kind = "") =>
    filterNotices(notices, { words, kind }).map(({ name }) => name);
  assert.equal(names("").length, 2);
  assert.deepEqual(names("LAYERNORM bias"), ["h.0.ln_1.bias"]);
  assert.deepEqual(names("stored out"), ["h.0.mlp.c_fc.weight"]);
  assert.deepEqual(names("h.0", "renamed"), ["h.0.ln_1.bias"]);
  assert.deepEqual(names("nothing"), []);
});

test("the keys of a tensor are listed if they say more than its name, and not all of many", () => {
  const keys = (/** @type {string[] | undefined} */ from) =>
    keysOf({ ...notice("joined", "a"), from });
  assert.equal(keys(undefined), "");
  assert.equal(keys(["a"]), "");
  assert.equal(keys(["W_Q", "W_K"]), "W_Q, W_K");
  assert.equal(keys(["q0", "q1", "q2", "q3", "q4", "q5"]), "q0, q1, q2, q3, 2 more");
});

// ---- the gallery ----

/** @param {Partial<import("../../www/session/gallery.ts").OpenedModel>} [fields] */
function opened(fields = {}) {
  const summary = {
    ...{ family: "nanoGPT", format: "PyTorch", sizes: "1 layer", differences: [] },
    ...{ parameterCount: 12, tensorCount: 3 },
  };
  return {
    ...{ id: "a", name: "A", source: "", answer: {}, dtype: "f32", bytes: 100, opened: 0 },
    ...{ summary, report: [notice("renamed", "wte.weight")] },
    ...fields,
  };
}

/** A storage of at most `room` characters. */
function storageOf(room = Infinity) {
  /** @type {Map<string, string>} */
  const values = new Map();
  return {
    values,
    getItem: (/** @type {string} */ key) => values.get(key) ?? null,
    setItem: (/** @type {string} */ key, /** @type {string} */ value) => {
      if (value.length > room) throw new Error("QuotaExceededError");
      values.set(key, value);
    },
  };
}

const ids = (/** @type {Gallery} */ gallery) => gallery.models.map(({ id }) => id);

test("the gallery lists the last opened model first, once, also for another page", () => {
  const storage = storageOf();
  const gallery = new Gallery(storage);
  for (const id of ["a", "b", "a"]) gallery.add(opened({ id }));
  assert.deepEqual(ids(gallery), ["a", "b"]);
  const other = new Gallery(storage);
  assert.deepEqual(ids(other), ["a", "b"]);
  other.forget("a");
  assert.deepEqual(ids(gallery), ["b"]);
});

test("a model that is opened from the browser's copy keeps the size of its files", () => {
  const gallery = new Gallery(storageOf());
  gallery.add(opened({ bytes: 100 }));
  gallery.add(opened({ bytes: null, dtype: "f16" }));
  assert.deepEqual(
    gallery.models.map(({ bytes, dtype }) => [bytes, dtype]),
    [[100, "f16"]],
  );
});

test("without a storage the gallery lasts as long as the page", () => {
  const broken = {
    getItem: () => {
      throw new Error("SecurityError");
    },
    setItem: () => {
      throw new Error("SecurityError");
    },
  };
  for (const storage of [null, broken]) {
    const gallery = new Gallery(storage);
    gallery.add(opened({ id: "a" }));
    gallery.add(opened({ id: "b" }));
    assert.deepEqual(ids(gallery), ["b", "a"]);
    assert.equal(gallery.models[1].report?.length, 1);
    gallery.forget("b");
    assert.deepEqual(ids(gallery), ["a"]);
  }
});

test("in a full storage the oldest reports go first, then the oldest models", () => {
  const length = JSON.stringify(opened()).length;
  const room = 3 * length - 10; // three models, but not three reports
  const storage = storageOf(room);
  const gallery = new Gallery(storage);
  for (const id of ["a", "b", "c"]) gallery.add(opened({ id }));
  assert.deepEqual(
    gallery.models.map(({ id, report }) => [id, report !== null]),
    [
      ["c", true],
      ["b", true],
      ["a", false],
    ],
  );
  for (let i = 0; i < 20; i++) gallery.add(opened({ id: `m${i}` }));
  assert.equal(gallery.models[0].id, "m19");
  assert.ok((storage.values.get(GALLERY_KEY) ?? "").length <= room);
});

test("what another version or another script wrote does not break the gallery", () => {
  const storage = storageOf();
  const gallery = new Gallery(storage);
  for (const text of ["{", "null", "7", '[null, {"id": 1}, {"id": "x", "summary": null}]']) {
    storage.setItem(GALLERY_KEY, text);
    assert.deepEqual(gallery.models, [], text);
  }
  storage.setItem(GALLERY_KEY, JSON.stringify([opened(), { ...opened(), report: [{}] }]));
  assert.equal(gallery.models.length, 1);
});

test("a model is reopened from a copy only if it cannot be another one", () => {
  const copy = (/** @type {object} */ fields) => ({
    ...{ key: "k1", name: "model.safetensors", address: undefined, dtype: "f32" },
    ...{ family: "nanoGPT", format: "PyTorch", parameterCount: 12 },
    lastUsed: new Date(file.opened + 1),
    ...fields,
  });
  const addressOf = (/** @type {string} */ source) => `https://here/${source}/`;
  const keys = (/** @type {any[]} */ models, /** @type {any[]} */ copies) =>
    [...copiesOf(models, copies, addressOf)].map(([id, { key }]) => [id, key]);
  const file = opened({ storedName: "model.safetensors" });
  assert.deepEqual(keys([file], [copy({})]), [["a", "k1"]]);
  assert.deepEqual(keys([file], [copy({}), copy({ key: "k2" })]), [], "two copies");
  const twin = { ...file, id: "b" };
  assert.deepEqual(keys([file, twin], [copy({})]), [], "two models");
  for (const other of [
    { name: "x" },
    { dtype: "f16" },
    { parameterCount: 13 },
    { family: "minGPT" },
    { lastUsed: new Date(file.opened - 1) },
  ])
    assert.deepEqual(keys([file], [copy(other)]), [], JSON.stringify(other));
  const reopened = { ...file, storedKey: "k1" };
  const earlier = { lastUsed: new Date(file.opened - 1) };
  assert.deepEqual(keys([reopened], [copy(earlier)]), [["a", "k1"]], "it was opened from the copy");
  assert.deepEqual(keys([reopened], [copy({ key: "k2" })]), [], "a copy of other files");
  const remote = opened({ id: "r", source: "gpt" });
  const held = copy({ key: "k3", address: "https://here/gpt/", family: "other" });
  assert.deepEqual(keys([file, remote], [copy({}), held]), [
    ["a", "k1"],
    ["r", "k3"],
  ]);
  assert.deepEqual(keys([remote], [copy({ name: "gpt" })]), []);
});

test("times are said in words", () => {
  const minute = 60_000;
  assert.deepEqual(
    [0, 5, 60, 120, 24 * 60, 72 * 60, 60 * 24 * 90].map((minutes) => formatAgo(minutes * minute)),
    [
      "just now",
      "5 min ago",
      "an hour ago",
      "2 hours ago",
      "a day ago",
      "3 days ago",
      "3 months ago",
    ],
  );
});

// ---- files ----

/** @param {string} path */
const file = (path) =>
  /** @type {File} */ ({
    name: path.split("/").at(-1),
    webkitRelativePath: path.includes("/") ? path : "",
  });

test("files are called by their folder or weights, if these say something", () => {
  assert.equal(nameOf(["run7/config.json", "run7/sub/model.pt"].map(file)), "run7");
  assert.equal(nameOf(["config.json", "pirate-gpt.safetensors"].map(file)), "pirate-gpt");
  assert.equal(nameOf(["gpt-00001-of-00002.safetensors"].map(file)), "gpt");
  for (const name of ["model.safetensors", "pytorch_model.bin", "ckpt.pt", "flax_model.msgpack"])
    assert.equal(nameOf(["config.json", name].map(file)), "your files", name);
});

test("the files of a tokenizer are told from those of a model", () => {
  assert.ok(areOfTokenizer(["vocab.json", "merges.txt"].map(file)));
  assert.ok(areOfTokenizer(["meta.pkl"].map(file)));
  assert.ok(areOfTokenizer(["tokenizer.json", "tokenizer_config.json"].map(file)));
  assert.ok(!areOfTokenizer(["tokenizer.json", "config.json"].map(file)));
  assert.ok(!areOfTokenizer(["ckpt.pt", "meta.pkl"].map(file)));
  assert.ok(!areOfTokenizer([]));
});

// ---- rate and time left ----

test("the rate is smoothed, and known only after a second", () => {
  const rate = new Rate();
  rate.add(0, "a", 0);
  rate.add(500, "a", 500_000);
  assert.equal(rate.perSecond, null);
  for (let time = 1000; time <= 5000; time += 500) rate.add(time, "a", time * 1000);
  assert.ok(Math.abs((rate.perSecond ?? 0) - 1e6) < 1);
  assert.ok(Math.abs((rate.left(15e6) ?? 0) - 10) < 0.01);
  rate.add(5500, "a", 15e6); // a burst of 20 MB a second does not make it 20 times as fast
  assert.ok((rate.perSecond ?? 0) < 5e6);
});

test("another file begins at zero, and a stalled load slows down", () => {
  const rate = new Rate();
  for (let time = 0; time <= 3000; time += 500) rate.add(time, "a", time * 1000);
  rate.add(3500, "b", 0);
  assert.ok(Math.abs((rate.perSecond ?? 0) - 1e6) < 1);
  for (let time = 4000; time <= 20_000; time += 1000) rate.add(time, "b", 0);
  assert.ok((rate.perSecond ?? 0) < 1e4);
});

test("a time left is as coarse as an estimate", () => {
  assert.deepEqual([3, 12, 44, 58, 100, 3000, 9000].map(formatLeft), [
    "a few seconds left",
    "about 10 s left",
    "about 45 s left",
    "about 1 min left",
    "about 2 min left",
    "about 50 min left",
    "about 3 hours left",
  ]);
});
