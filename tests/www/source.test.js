// Resolving sources (texts, URLs, files and lists of files) to the addresses and blobs of a model.

import assert from "node:assert/strict";
import { test } from "node:test";
import vm from "node:vm";

import { sibling, sourceKey } from "../../www/api/model-files.ts";
import { isAbortSignal } from "../../www/api/realms.ts";
import { resolveSource } from "../../www/api/source.ts";

const page = "https://host.example/lab/index.html";
/** @param {any} source */
const resolve = (source) => flat(resolveSource(source, page));
/** The files that are tried first. @param {import("../../www/api/model-files.ts").ModelFiles} files */
function flat({ config, tokenizer, weights, ...more }) {
  const files = weights.map((one) => ("index" in one ? [one.index] : one.files));
  return {
    ...more,
    config: config[0],
    tokenizer: tokenizer[0]?.[0],
    weights: files[0]?.[0],
    others: files[0]?.slice(1),
    places: files.map(([{ name }]) => name),
    tokenizers: tokenizer.map((set) => set.map(({ name }) => name)),
    configs: config.map(({ name }) => name),
  };
}
/** @param {any} source */
const configOf = (source) => resolve(source).config.address;
/** @param {any} source @param {RegExp} message */
const assertRefused = (source, message) =>
  assert.throws(
    () => resolve(source),
    (/** @type {any} */ error) => error.name === "InputError" && message.test(error.message),
    String(source),
  );
const file = (/** @type {string} */ name) => new File([name], name);

test("a text is the address of a folder, relative to the page, and never leads to another host", () => {
  for (const [text, address] of [
    ["models/shakespeare", "https://host.example/lab/models/shakespeare/config.json"],
    ["models/shakespeare/", "https://host.example/lab/models/shakespeare/config.json"],
    ["openai-community/gpt2", "https://host.example/lab/openai-community/gpt2/config.json"],
    ["gpt2", "https://host.example/lab/gpt2/config.json"],
    ["gpt2@main", "https://host.example/lab/gpt2@main/config.json"],
    ["./gpt2", "https://host.example/lab/gpt2/config.json"],
    ["../gpt2/", "https://host.example/gpt2/config.json"],
    ["/a/b", "https://host.example/a/b/config.json"],
    ["a/b/c", "https://host.example/lab/a/b/c/config.json"],
    ["https://else.example/m?key=1", "https://else.example/m/config.json?key=1"],
    ["https://else.example/m?a=1?b=2#part", "https://else.example/m/config.json?a=1?b=2"],
    ["https://else.example", "https://else.example/config.json"],
    [" ./m ", "https://host.example/lab/m/config.json"],
  ]) {
    assert.equal(configOf(text), address);
  }
  assert.equal(configOf(new URL("https://else.example/m")), "https://else.example/m/config.json");
});

test("a text that looks like a Hugging Face id says how to write one", () => {
  assert.match(
    String(resolve("openai-community/gpt2").config.hint),
    /write "hf:openai-community\/gpt2"/,
  );
  for (const address of ["./gpt2", "https://else.example/m", "a/b/c", "models/x/"])
    assert.equal(resolve(address).config.hint, undefined, address);
});

test("hf: is a Hugging Face id, with a revision if it has one", () => {
  for (const [text, address] of [
    ["hf:gpt2", "https://huggingface.co/gpt2/resolve/main/config.json"],
    [
      "hf:openai-community/gpt2",
      "https://huggingface.co/openai-community/gpt2/resolve/main/config.json",
    ],
    [
      "hf:openai-community/gpt2@607a30d",
      "https://huggingface.co/openai-community/gpt2/resolve/607a30d/config.json",
    ],
    ["hf:a/b@refs/pr/1", "https://huggingface.co/a/b/resolve/refs%2Fpr%2F1/config.json"],
    ["hf:a_b/c.d-e", "https://huggingface.co/a_b/c.d-e/resolve/main/config.json"],
  ]) {
    assert.equal(configOf(text), address);
  }
});

test("an invalid Hugging Face id is refused, above all one that would leave its folder", () => {
  const wrong = [
    "",
    "..",
    ".",
    "a/..",
    "../a",
    "a/b/c",
    "a/",
    "/a",
    "a//b",
    "a/b@",
    "a/b@..",
    "a/b@../../x",
    "a/b@x/../y",
    "a/b@./x",
    "a/b@x//y",
    "a/b@/x",
    "a/b@x@y",
    "@main",
    "a%2Fb",
    "a/b@%2e%2e",
    "a b",
    "a/b?x",
    "a/b#x",
    "a\\b",
    "a/b@x\\y",
    "-a/b",
    "a:b/c",
    "//host/x",
    "é/x",
  ];
  for (const id of wrong)
    assertRefused(`hf:${id}`, /is not a Hugging Face id: expected "hf:owner\/name"/);
});

test("an address that fetch() does not support, or that is one file, is refused", () => {
  for (const [source, message] of /** @type {[any, RegExp][]} */ ([
    ["https://[nonsense", /is not an address/],
    ["file:///models/gpt2", /begins with "file:", expected an http: or https: address/],
    ["ftp://host/x", /begins with "ftp:"/],
    ["HF:openai-community/gpt2", /begins with "hf:"/],
    ["javascript:alert(1)", /begins with "javascript:"/],
    ["data:text/plain,x", /a data: address is one file, expected the address of a folder/],
    ["blob:https://host.example/1-2", /a blob: address is one file/],
    ["https://user:secret@host.example/m", /holds a user name or password/],
    [new URL("file:///x"), /begins with "file:"/],
    [{ config: "file:///c", weights: "w" }, /begins with "file:"/],
  ])) {
    assertRefused(source, message);
  }
  assert.ok(
    !/secret/.test(String(attempt("https://user:secret@host.example/m"))),
    "a password is not repeated",
  );
  const extension = "chrome-extension://abc/page.html";
  assert.equal(
    resolveSource("m", extension).config[0].address,
    "chrome-extension://abc/m/config.json",
  );
  assert.equal(
    resolve({ config: "data:application/json,{}", weights: "w" }).config.name,
    "config.json",
  );
});

/** @param {any} source */
function attempt(source) {
  try {
    return resolve(source);
  } catch (error) {
    return error;
  }
}

test("the tokenizer of a folder may be missing, one that is named may not", () => {
  assert.equal(resolve("./m").tokenizer?.optional, true);
  const files = resolve({
    config: "c.json",
    tokenizer: "t.json",
    weights: new URL("https://else.example/w"),
  });
  assert.equal(files.tokenizer?.optional, undefined);
  assert.equal(files.tokenizer?.address, "https://host.example/lab/t.json");
  assert.equal(files.weights.address, "https://else.example/w");
});

test("files, blobs and bytes are blobs with names", async () => {
  const bytes = new Uint8Array([0, 1, 2, 3]).subarray(1, 3);
  const files = resolve({ config: new File(["{}"], "my.json"), weights: bytes });
  assert.deepEqual(
    [files.config.name, files.weights.name, files.tokenizer],
    ["my.json", "model.safetensors", undefined],
  );
  assert.deepEqual(
    new Uint8Array(await /** @type {Blob} */ (files.weights.blob).arrayBuffer()),
    new Uint8Array([1, 2]),
  );
  assert.equal(
    resolve({ config: bytes.buffer, weights: new DataView(bytes.buffer) }).weights.blob?.size,
    4,
  );
  const shared = new Uint8Array(new SharedArrayBuffer(4)).fill(7).subarray(1);
  assert.deepEqual(
    new Uint8Array(
      await /** @type {Blob} */ (
        resolve({ config: "c", weights: shared }).weights.blob
      ).arrayBuffer(),
    ),
    new Uint8Array([7, 7, 7]),
  );
});

test("bytes that were transferred are refused with the name of their file", () => {
  const buffer = new ArrayBuffer(4);
  structuredClone(buffer, { transfer: [buffer] });
  const found = /** @type {any} */ (attempt({ config: "c", weights: buffer }));
  assert.ok(
    found.weights?.blob?.size === 0 ||
      (found.name === "InputError" && /model\.safetensors/.test(found.message)),
    String(found),
  );
});

test("objects of another realm are recognised", () => {
  const [buffer, view, list] = vm.runInNewContext("[new ArrayBuffer(3), new Uint8Array(2), []]");
  assert.equal(buffer instanceof ArrayBuffer, false);
  assert.equal(resolve({ config: buffer, weights: view }).config.blob?.size, 3);
  assert.deepEqual(
    resolve({ config: "c", weights: Object.assign(list, ["a", "b"]) }).others.length,
    1,
  );
  assert.equal(isAbortSignal(new AbortController().signal), true);
  for (const wrong of [
    {},
    { aborted: false },
    null,
    undefined,
    3,
    new EventTarget(),
    new AbortController(),
  ])
    assert.equal(isAbortSignal(wrong), false);
});

test("a misspelt file is answered with the nearest name", () => {
  assertRefused(
    { config: "c", tokeniser: "t", weights: "w" },
    /no file "tokeniser", did you mean `tokenizer`\? Expected config, tokenizer, weights/,
  );
  assertRefused({ config: "c", weight: "w" }, /no file "weight", did you mean `weights`/);
  assertRefused({ config: "c", weights: "w", index: "i" }, /no file "index"/);
  assert.equal(
    resolve({ config: "c", tokenizer: undefined, weights: "w", other: undefined }).tokenizer,
    undefined,
  );
});

test("dropped files are recognised by their names", () => {
  const files = resolve([
    file("README.md"),
    file("weights.safetensors"),
    file("config.json"),
    file("tokenizer.json"),
  ]);
  assert.deepEqual(
    [files.config.name, files.tokenizer?.name, files.weights.name],
    ["config.json", "tokenizer.json", "weights.safetensors"],
  );
  assertRefused(
    [file("config.json"), file("notes.txt")],
    /expected a file of weights \(\*\.safetensors, .*found config.json, notes.txt/,
  );
  assertRefused([], /found none/);
  assertRefused(["config.json"], /only File objects/);
  assertRefused([new Blob(["x"])], /only File objects/);
  assertRefused(
    (function* () {
      for (;;) yield file("x");
    })(),
    /more than 10000 files/,
  );
});

test("two checkpoints in one list are refused, never mixed", () => {
  for (const names of [
    ["config.json", "a.safetensors", "b.safetensors"],
    ["config.json", "a.safetensors", "model.safetensors"],
    ["config.json", "model.safetensors", "model-00001-of-00001.safetensors"],
  ]) {
    assertRefused(
      names.map(file),
      /the files hold 2 checkpoints \(.*choose with the option `checkpoint`/,
    );
  }
  assertRefused(
    [file("config.json"), file("config.json"), file("model.safetensors")],
    /hold "config\.json" twice, expected the files of one model/,
  );
  assertRefused(
    [file("config.json"), file("model.safetensors"), file("model.safetensors")],
    /hold "model\.safetensors" twice/,
  );
  assertRefused(
    [
      file("config.json"),
      file("tokenizer.json"),
      file("model.safetensors"),
      file("tokenizer.json"),
    ],
    /hold "tokenizer\.json" twice/,
  );
});

test("weights in several files must be complete according to their names", () => {
  const shard = (/** @type {number} */ number, count = 3, stem = "model") =>
    file(`${stem}-0000${number}-of-0000${count}.safetensors`);
  const files = resolve([
    shard(3),
    file("config.json"),
    shard(1),
    file("model.safetensors.index.json"),
    shard(2),
  ]);
  assert.deepEqual(files.places, ["model.safetensors.index.json"]);
  assert.deepEqual(
    files.shards?.map(({ name }) => name),
    [3, 1, 2].map((number) => shard(number).name),
  );
  for (const wrong of [
    [shard(1)],
    [shard(1), shard(3)],
    [shard(1), shard(2), shard(4)],
    [shard(1), shard(2), shard(3, 3, "other")],
    [shard(1), shard(2), shard(3, 4)],
  ]) {
    assertRefused(
      [file("config.json"), ...wrong],
      /expected all of model-00001-of-00003\.safetensors to model-00003-of-00003\.safetensors|hold 2 checkpoints/,
    );
  }
  assertRefused([file("config.json"), shard(1), shard(2), shard(2)], /twice/);
  assert.deepEqual(
    resolve({ config: "c.json", weights: ["a.safetensors", "b.safetensors"] }).others.map(
      ({ address }) => address,
    ),
    [new URL("b.safetensors", page).href],
  );
  assertRefused({ config: "c.json", weights: [] }, /empty array/);
  assert.equal(resolve("./x/").places[1], new URL("x/model.safetensors.index.json", page).href);
});

test("an index leads to files of its own folder only", () => {
  const address = resolve("https://else.example/m?key=1").places[1];
  const index = { name: address, address };
  assert.equal(
    sibling(index, "model-00001-of-00002.safetensors").address,
    "https://else.example/m/model-00001-of-00002.safetensors?key=1",
  );
  assert.equal(
    sibling(index, "a?b#c $&.safetensors").address,
    "https://else.example/m/a%3Fb%23c%20%24%26.safetensors?key=1",
  );
  for (const name of [
    "../x.safetensors",
    "/x.safetensors",
    "a/b.safetensors",
    "a\\b.safetensors",
    "..",
    ".",
    "",
    "https://evil.example/x.safetensors",
    "//evil.example/x.safetensors",
    "x.exe",
    "..safetensors",
    "a\0.safetensors",
    /** @type {any} */ (3),
  ]) {
    assert.throws(
      () => sibling(index, name),
      (/** @type {any} */ error) =>
        error.name === "WeightsError" &&
        /expected a file of weights in its own folder/.test(error.message),
      String(name),
    );
  }
});

test("a value that is not a source is refused with what a source is", () => {
  for (const [source, found] of /** @type {[any, RegExp][]} */ ([
    [undefined, /undefined/],
    [null, /null/],
    [3, /load 3/],
    ["", /empty/],
    [new Uint8Array(2), /Uint8Array/],
    [{ config: 1, weights: "w" }, /config.json is 1/],
    [{ config: "c" }, /`weights` is undefined, expected a file of weights or several/],
    [() => 1, /a function/],
  ])) {
    assertRefused(source, found);
  }
});

test("the same addresses have the same key, bytes have none", () => {
  const key = (/** @type {any} */ source) => sourceKey(resolveSource(source, page));
  assert.equal(key("./m"), key("/lab/m/"));
  assert.equal(key("m"), key("./m"));
  assert.notEqual(key("m"), key("hf:m"));
  assert.equal(key({ config: "c.json", weights: new Uint8Array(1) }), undefined);
});

// ---- one file ----

test("the address of a file of weights is that file, with the config and the tokenizer beside it", () => {
  const files = resolve("https://else.example/m/ckpt.pt?key=1");
  const beside = (/** @type {string} */ name) => `https://else.example/m/${name}?key=1`;
  assert.deepEqual(files.places, [beside("ckpt.pt")]);
  assert.deepEqual(files.configs, [beside("config.json")]);
  assert.deepEqual(files.tokenizers[0], [beside("tokenizer.json")]);
  assert.ok(files.tokenizers.some(([name]) => name === beside("meta.pkl")));
  for (const name of ["a.safetensors", "b.bin", "c.PTH", "d.msgpack", "e.npz", "f.gguf", "g.ckpt"])
    assert.deepEqual(resolve(`x/${name}`).places, [new URL(`x/${name}`, page).href]);
  assert.deepEqual(resolve("x/model-00002-of-00003.bin").places, [
    new URL("x/model.bin.index.json", page).href,
  ]);
});

test("a folder is asked for the usual files first, and for other formats in their order", () => {
  const names = resolve("m").places.map((name) => name.split("/").at(-1));
  assert.deepEqual(names, [
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    "flax_model.msgpack",
    "model.msgpack",
    "ckpt.pt",
    "model.pt",
    "model.pth",
    "model.npz",
    "model.gguf",
  ]);
});

test("`checkpoint` chooses a folder in an address, whose parent has what it lacks", () => {
  const files = flat(resolveSource("hf:a/b", page, "checkpoint-500"));
  const hub = "https://huggingface.co/a/b/resolve/main";
  assert.equal(files.places[0], `${hub}/checkpoint-500/model.safetensors`);
  assert.deepEqual(files.configs, [`${hub}/checkpoint-500/config.json`, `${hub}/config.json`]);
  for (const wrong of ["..", "a/../b", "", "/a"])
    assert.throws(() => resolveSource("m", page, wrong), /`checkpoint` is/);
});

// ---- folders ----

/** @param {string} path */
const inFolder = (path) =>
  Object.defineProperty(file(path.split("/").at(-1) ?? ""), "webkitRelativePath", { value: path });

test("a folder with several checkpoints asks which one, and never mixes them", () => {
  const list = [
    "out/config.json",
    "out/vocab.json",
    "out/merges.txt",
    "out/checkpoint-500/pytorch_model.bin",
    "out/checkpoint-500/optimizer.pt",
    "out/checkpoint-1000/pytorch_model.bin",
    "out/checkpoint-1000/config.json",
  ].map(inFolder);
  assert.throws(
    () => resolve(list),
    (/** @type {any} */ error) => {
      assert.deepEqual(error.checkpoints, ["checkpoint-500", "checkpoint-1000"]);
      return error.name === "InputError" && /hold 2 checkpoints/.test(error.message);
    },
  );
  const first = flat(resolveSource(list, page, "checkpoint-500"));
  assert.deepEqual(first.places, ["out/checkpoint-500/pytorch_model.bin"]);
  assert.deepEqual(first.configs, ["out/config.json"]);
  assert.deepEqual(first.tokenizers, [["out/vocab.json", "out/merges.txt"]]);
  assert.ok(first.ignored?.includes("out/checkpoint-500/optimizer.pt"));
  assert.ok(first.ignored?.includes("out/checkpoint-1000/pytorch_model.bin"));
  const second = flat(resolveSource(list, page, "checkpoint-1000"));
  assert.deepEqual(second.configs, ["out/checkpoint-1000/config.json"]);
  assert.throws(() => resolveSource(list, page, "checkpoint-7"), /expected one of those/);
});

test("all tokenizer files of the nearest folder that has one go to the worker, which decides", () => {
  const tokenizersOf = (/** @type {string[]} */ names) =>
    resolve(["m/config.json", "m/c/model.safetensors", ...names].map(inFolder)).tokenizers;
  const several = ["m/tokenizer.json", "m/vocab.json", "m/merges.txt", "m/tokenizer_config.json"];
  assert.deepEqual(tokenizersOf(several), [several]);
  assert.deepEqual(tokenizersOf(["m/c/meta.pkl", ...several]), [["m/c/meta.pkl"]]);
  assert.deepEqual(tokenizersOf(["m/c/special_tokens_map.json", "m/gpt2.tiktoken"]), [
    ["m/gpt2.tiktoken"],
  ]);
  // A file that needs another one is not left out: its error says which.
  assert.deepEqual(tokenizersOf(["m/merges.txt"]), [["m/merges.txt"]]);
  assert.deepEqual(tokenizersOf(["m/tokenizer_config.json", "m/notes.txt"]), []);
  const inAddress = resolve("https://else.example/m").tokenizers[1];
  assert.ok(inAddress.some((name) => name.endsWith("/m/added_tokens.json")));
});

test("one model in several formats is one checkpoint", () => {
  const names = ["config.json", "flax_model.msgpack", "pytorch_model.bin", "tf_model.h5"];
  const files = resolve(names.map(file));
  assert.deepEqual(files.places, ["pytorch_model.bin"]);
  assert.deepEqual(files.ignored, ["flax_model.msgpack", "tf_model.h5"]);
});

test("the index decides about files of weights whatever they are called", () => {
  const names = ["config.json", "pytorch_model.bin.index.json", "first half.bin", "rest.bin"];
  const { weights, shards } = resolveSource(names.map(file), page);
  assert.deepEqual(
    shards?.map(({ name }) => name),
    ["first half.bin", "rest.bin"],
  );
  const [place] = weights;
  assert.ok("index" in place);
  assert.equal(sibling(place.index, "rest.bin", shards).name, "rest.bin");
  assert.throws(() => sibling(place.index, "other.bin", shards), /not among the files/);
});

test("what a browser cannot read says what it is and what to do", () => {
  const convert = /`python tools\/convert\.py FOLDER TARGET`/;
  for (const [paths, message] of /** @type {[string[], RegExp][]} */ ([
    [["orbax/_METADATA", "orbax/manifest.ocdbt", "orbax/d/0123"], /orbax is an Orbax checkpoint/],
    [["m/tf_model.h5", "m/config.json"], /m\/tf_model\.h5 has a format that a browser cannot read/],
  ])) {
    assertRefused(paths.map(inFolder), message);
    assertRefused(paths.map(inFolder), convert);
  }
  assertRefused(
    [file("model.safetensors"), file("adapter_model.safetensors")],
    /is an adapter \(LoRA\), which changes the weights beside it/,
  );
  assertRefused([file("adapter_model.bin"), file("adapter_config.json")], /without its model/);
});
