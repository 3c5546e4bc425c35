// Tokenizers in other files than tokenizer.json, through the worker in headless Chromium: the ids and texts of the libraries that
// use them, as in tests/tokenizer_forms.rs.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";

import { openApi, start } from "./browser.js";

/** @typedef {{ text: string, ids: number[] }} Case */

const FOLDER = new URL("../fixtures/tokenizer-forms/", import.meta.url);
/** @type {Record<string, { encoded: Case[], decoded: Case[] }>} */
const golden = JSON.parse(await readFile(new URL("golden.json", FOLDER), "utf8"));

/** @type {Awaited<ReturnType<typeof start>>} */
let site;
/** @type {import("playwright-core").Page} */
let page;

/** The bundled model, whose embedding is larger than each of these vocabularies, without a tokenizer: `globalThis.model`. */
before(async () => {
  site = await start();
  page = await openApi(site);
  await page.evaluate(async (url) => {
    const folder = `${url}models/shakespeare/`;
    const files = { config: `${folder}config.json`, weights: `${folder}model.safetensors` };
    const { api } = /** @type {any} */ (globalThis);
    Object.assign(globalThis, { model: await api.loadModel(files) });
  }, site.url);
});

after(() => site?.stop());

/** The files of a form by the names that their owner gave them. @param {string[]} names @returns {Promise<{ name: string, bytes: number[] }[]>} */
function read(names) {
  return Promise.all(
    names.map(async (name) => ({
      name: name.replace(/^.*\//, ""),
      bytes: [...(await readFile(new URL(name, FOLDER)))],
    })),
  );
}

/**
 * Runs `body` in the page, with `model` the bundled model, `files` the tokenizer's files, and `input`.
 * @param {{ name: string, bytes: number[] }[]} files @param {string} body @param {unknown} [input] @returns {Promise<any>}
 */
function run(files, body, input) {
  return page.evaluate(`(async () => {
    const { model } = globalThis;
    const files = ${JSON.stringify(files)}.map(({ name, bytes }) => new File([Uint8Array.from(bytes)], name));
    const input = ${JSON.stringify(input ?? null)};
    const failure = async (call) => { try { await call(); return "none"; } catch (error) { return error.name + ": " + error.message; } };
    ${body}
  })()`);
}

const FORMS = {
  bpe: ["bpe/vocab.json", "bpe/merges.txt"],
  bpe_added: ["bpe/vocab.json", "bpe/merges.txt", "bpe/tokenizer_config.json"],
  ranks: ["small.tiktoken"],
  characters: ["meta-2.pkl"],
};

for (const [name, names] of Object.entries(FORMS))
  test(`${names.join(", ")} gives the ids and the texts of its library`, async () => {
    const { encoded, decoded } = golden[name];
    const found = await run(
      await read(names),
      `
      const own = await model.withTokenizer(files);
      const tokens = [], texts = [];
      for (const { text } of input.encoded) {
        const { ids, strings } = text === "" ? { ids: [], strings: [] } : await own.tokenize(text);
        tokens.push({ text: strings.join(""), ids: [...ids] });
      }
      for (const { ids } of input.decoded) {
        const { strings } = await own.tokenize(ids);
        texts.push({ ids, text: await own.detokenize(ids), joined: strings.join("") });
      }
      const steps = [];
      for await (const step of own.generate(input.encoded[1].ids, { maxNewTokens: 8, stopAtEos: false })) steps.push(step);
      const ids = steps.map(({ id }) => id);
      const generated = { text: steps.map(({ string }) => string).join(""), ids };
      const whole = await own.detokenize([...input.encoded[1].ids, ...ids]);
      const has = [own.hasTokenizer, model.hasTokenizer];
      own.dispose();
      return { tokens, texts, generated, whole, has };
    `,
      golden[name],
    );
    assert.deepEqual(found.tokens, encoded);
    assert.deepEqual(
      found.texts,
      decoded.map(({ ids, text }) => ({ ids, text, joined: text })),
    );
    assert.deepEqual(found.has, [true, false]);
    const { text, ids } = found.generated;
    assert.ok(ids.length === 8 && found.whole.startsWith(encoded[1].text), found.whole);
    // A character that the last ids do not complete is U+FFFD in the whole text only.
    assert.ok(found.whole.replace(/\ufffd$/, "").endsWith(text.replace(/\ufffd$/, "")));
  });

test("meta.pkl of each protocol and meta.json name what is missing", async () => {
  const { encoded } = golden.characters;
  for (const name of ["meta-2.pkl", "meta-3.pkl", "meta-4.pkl", "meta-5.pkl", "meta.json"]) {
    const found = await run(
      await read([name]),
      `
      const own = await model.withTokenizer(files);
      const ids = [];
      for (const { text } of input) ids.push(text === "" ? [] : [...(await own.tokenize(text)).ids]);
      const names = (await own.tokenNames([0, 4095])).strings;
      const missing = await failure(() => own.tokenize("To \\u2603"));
      const messages = own.report.map(({ message }) => message);
      own.dispose();
      return { ids, names, missing, messages };
    `,
      encoded,
    );
    assert.deepEqual(
      found.ids,
      encoded.map(({ ids }) => ids),
    );
    assert.deepEqual(found.names, ["\n", "⟨4095⟩"]);
    assert.match(found.missing, /^TokenizerError: .*'☃', character 4 of the text/);
    assert.ok(
      found.messages.some((/** @type {string} */ message) => message.includes("⟨4095⟩")),
      found.messages.join("\n"),
    );
    assert.ok(
      found.messages.every(
        (/** @type {string} */ message) => !message.includes("without a tokenizer"),
      ),
    );
  }
});

test("files that do not fit are refused, and the model stays as it was", async () => {
  const [vocab] = await read(["bpe/vocab.json"]);
  const [merges] = await read(["bpe/merges.txt"]);
  const bytes = (/** @type {string} */ text) => [...new TextEncoder().encode(text)];
  const wrong = { name: "merges.txt", bytes: bytes("q z\n") };
  const body = `return [await failure(() => model.withTokenizer(files)), (await model.runWithCache([1, 2])).logits.data.length > 0];`;
  /** @type {[{ name: string, bytes: number[] }[], RegExp][]} */
  const cases = [
    [[vocab], /^TokenizerError: vocab\.json: its merges are missing/],
    [[merges], /^TokenizerError: merges\.txt: its vocabulary is missing/],
    [[vocab, wrong], /^TokenizerError: merges\.txt: line 1 merges "q" and "z", but vocab\.json/],
    [
      [{ name: "meta.json", bytes: bytes('{"itos": ["a"]}') }, vocab, merges],
      /^TokenizerError: vocab\.json and meta\.json are two different tokenizers/,
    ],
  ];
  for (const [files, message] of cases) {
    const [failed, runs] = await run(files, body);
    assert.match(failed, message);
    assert.equal(runs, true);
  }
});

test("a tokenizer takes the place of another, is read from an address or bytes, and outlives its model", async () => {
  const found = await run(
    await read(["meta.json"]),
    `
    const { ids, strings } = await (async () => {
      const characters = await model.withTokenizer(await files[0].arrayBuffer());
      const own = await characters.withTokenizer(new URL("models/shakespeare/tokenizer.json", input));
      characters.dispose();
      const tokens = await own.tokenize("the king");
      const { report } = own;
      own.dispose();
      return { ...tokens, strings: [...tokens.strings, ...report.map(({ message }) => message)] };
    })();
    const failures = [
      await failure(() => model.withTokenizer([])),
      await failure(() => model.withTokenizer(5)),
      await failure(() => model.withTokenizer(new URL("nowhere/vocab.json", input))),
      await failure(() => model.withTokenizer(files, { signals: 1 })),
      await failure(() => model.withTokenizer(files, { signal: AbortSignal.abort() })),
    ];
    return { ids: [...ids], strings, failures };
  `,
    site.url,
  );
  assert.deepEqual(found.strings, ["the", " king"]);
  assert.equal(found.ids.length, 2);
  const expected = [
    /^InputError: .*expected one/,
    /^InputError: tokenizer\.json is 5, expected an address, a File/,
    /^NetworkError: .*nowhere\/vocab\.json/,
    /^InputError: .*signals/,
    /^AbortError/,
  ];
  expected.forEach((message, i) => assert.match(found.failures[i], message));
});

test("a model opens with the files of its tokenizer, and a folder with all that it has", async () => {
  const found = await run(
    await read(["bpe/vocab.json", "bpe/merges.txt", "bpe/tokenizer_config.json"]),
    `
    const { loadModel } = await import(input + "candlescope.js");
    const folder = input + "models/shakespeare/";
    const fileOf = async (name) => new File([await (await fetch(folder + name)).arrayBuffer()], name);
    const own = await Promise.all(["config.json", "model.safetensors"].map(fileOf));
    const describe = async (source) => {
      const opened = await loadModel(source);
      const { ids } = await opened.tokenize("<pad>  the<mask> thing");
      const messages = opened.report.map(({ message }) => message);
      opened.dispose();
      return { ids: [...ids], messages };
    };
    return [
      await describe({ config: own[0], weights: own[1], tokenizer: files }),
      await describe([...own, ...files]),
      await describe([...own, ...files, await fileOf("tokenizer.json")]),
    ];
  `,
    site.url,
  );
  const { ids } = golden.bpe_added.encoded.find(({ text }) => text.startsWith("<pad>")) ?? {};
  assert.deepEqual(found[0].ids, ids);
  assert.deepEqual(found[1].ids, ids);
  assert.notDeepEqual(found[2].ids, ids);
  const all = found[2].messages.join("\n");
  assert.match(all, /vocab\.json was not used, because tokenizer\.json holds the whole tokenizer/);
  assert.match(all, /they differ \(it gives/);
  assert.match(all, /merges\.txt was not used/);
});
