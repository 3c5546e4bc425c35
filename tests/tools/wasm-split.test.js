// The splitter and the instrumentation of tools/wasm-split, on small modules written as text.

import assert from "node:assert/strict";
import { test } from "node:test";

import openWabt from "wabt";

import { leb, moduleOf, sectionsOf, toLeb, toSignedLeb } from "../../tools/wasm-split/binary.mjs";
import { withCounters } from "../../tools/wasm-split/instrument.mjs";
import { EXPORTS, split } from "../../tools/wasm-split/split.mjs";

const wabt = await openWabt();

/** Makes a body longer than those that both modules keep. */
const LONG = "(drop (i32.const 1000000))".repeat(16);

/**
 * Calls in all directions: `entry` -> `even` <-> `odd` -> `tiny`; `indirect` calls `inTable` through the table; `store` and `load`
 * share memory and a global; `unused` is never called.
 */
const SOURCE = `(module
  (import "env" "log" (func $log (param i32)))
  (type $unary (func (param i32) (result i32)))
  (table 1 funcref)
  (memory (export "memory") 1)
  (global $stack (mut i32) (i32.const 1024))
  (elem (i32.const 0) $inTable)
  (func $entry (export "entry") (param i32) (result i32) ${LONG} (call $log (local.get 0)) (call $even (local.get 0)))
  (func $even (param i32) (result i32) ${LONG}
    (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 1)) (else (call $odd (i32.sub (local.get 0) (i32.const 1))))))
  (func $odd (param i32) (result i32) ${LONG}
    (if (result i32) (i32.eqz (local.get 0)) (then (call $tiny)) (else (call $even (i32.sub (local.get 0) (i32.const 1))))))
  (func $tiny (result i32) (i32.const 0))
  (func $inTable (param i32) (result i32) ${LONG} (call $log (i32.const 7)) (i32.mul (local.get 0) (i32.const 3)))
  (func $indirect (export "indirect") (param i32) (result i32) ${LONG} (call_indirect (type $unary) (local.get 0) (i32.const 0)))
  (func $store (export "store") (param i32) (result i32) ${LONG}
    (i32.store (i32.const 8) (local.get 0)) (global.set $stack (i32.add (global.get $stack) (i32.const 1))) (i32.const 0))
  (func $load (export "load") (param i32) (result i32) ${LONG} (i32.add (i32.load (i32.const 8)) (global.get $stack)))
  (func $unused (param f64 i64) (result f64) ${LONG} (call $log (i32.const 9)) (local.get 0)))`;
const NAMES = ["entry", "even", "odd", "tiny", "inTable", "indirect", "store", "load", "unused"];

/** @param {string} source @returns {Buffer} */
function wasmOf(source) {
  const module = wabt.parseWat("test.wat", source);
  const { buffer } = module.toBinary({});
  module.destroy();
  return Buffer.from(buffer);
}

/** @param {...string} names of primary functions @returns {boolean[]} */
const primary = (...names) => NAMES.map((name) => names.includes(name));

/** A function of wasm that calls one of JavaScript: tables accept no others. @param {() => void} call */
function asWasm(call) {
  const source = '(module (import "" "" (func $f)) (export "f" (func $f)))';
  const instance = new WebAssembly.Instance(
    new WebAssembly.Module(new Uint8Array(wasmOf(source))),
    {
      "": { "": call },
    },
  );
  return instance.exports.f;
}

/** @param {Buffer} wasm @param {object} imports @returns {Record<string, any>} */
const instantiate = (wasm, imports) =>
  new WebAssembly.Instance(
    new WebAssembly.Module(new Uint8Array(wasm)),
    /** @type {any} */ (imports),
  ).exports;

/**
 * Starts the primary module with a loader of the secondary one.
 * @param {Buffer} wasm @param {boolean[]} isPrimary @param {() => void} [beforeLoad]
 */
function start(wasm, isPrimary, beforeLoad = () => {}) {
  const parts = split(wasm, isPrimary);
  /** @type {number[]} */
  const logged = [];
  const exports = instantiate(parts.primary, {
    env: { log: (/** @type {number} */ value) => logged.push(value) },
  });
  const state = { exports, logged, loads: 0, parts };
  const load = () => {
    beforeLoad();
    state.loads += 1;
    instantiate(parts.secondary, { primary: { ...exports } });
  };
  exports[EXPORTS.table].set(exports[EXPORTS.loaderIndex].value, asWasm(load));
  return state;
}

/** Calls every export of the test module several times. @param {Record<string, any>} exports */
function useAll(exports) {
  const calls = [5, 4, 0].flatMap((value) =>
    ["entry", "indirect", "store", "load"].map((name) => [name, value]),
  );
  return calls.map(([name, value]) => exports[name](value));
}

test("a call that stays in the primary module does not load the secondary one", () => {
  const state = start(wasmOf(SOURCE), primary("entry", "even", "odd"));
  assert.equal(state.exports.entry(4), 1);
  assert.deepEqual(state.logged, [4]);
  assert.equal(state.loads, 0);
});

test("a call into the secondary module loads it once", () => {
  const state = start(wasmOf(SOURCE), primary("entry"));
  assert.equal(state.exports.entry(4), 1);
  assert.equal(state.exports.entry(3), 0);
  assert.equal(state.loads, 1);
});

test("the secondary module calls functions of the primary one and its imports", () => {
  const state = start(wasmOf(SOURCE), primary("odd"));
  assert.equal(state.exports.entry(6), 1);
  assert.deepEqual(state.logged, [6]);
});

test("both modules share memory, globals and the table", () => {
  const state = start(wasmOf(SOURCE), primary("load", "indirect"));
  state.exports.store(41);
  assert.equal(state.exports.load(0), 41 + 1025);
  assert.equal(state.exports.indirect(5), 15);
  assert.equal(state.exports[EXPORTS.stackPointer].value, 1025);
});

test("any choice of primary functions gives the results of the whole module", () => {
  const whole = wasmOf(SOURCE);
  /** @type {number[]} */
  const logged = [];
  const expected = useAll(
    instantiate(whole, { env: { log: (/** @type {number} */ value) => logged.push(value) } }),
  );
  for (let bits = 0; bits < 1 << NAMES.length; bits += 5) {
    const state = start(
      whole,
      NAMES.map((_, i) => ((bits >> i) & 1) === 1),
    );
    assert.deepEqual(useAll(state.exports), expected, `choice ${bits}`);
    assert.deepEqual(state.logged, logged, `choice ${bits}`);
    assert.ok(state.loads <= 1);
  }
});

test("a loader that fails ends the call, and the next call tries again", () => {
  let failures = 2;
  const state = start(wasmOf(SOURCE), primary("entry"), () => {
    if (failures-- > 0) throw new Error("offline");
  });
  assert.throws(() => state.exports.entry(4), /offline/);
  assert.throws(() => state.exports.entry(4), /offline/);
  assert.equal(state.exports.entry(4), 1);
});

test("functions that no call reaches have neither a body nor a stub", () => {
  const { parts } = start(wasmOf(SOURCE), primary("entry", "even", "odd"));
  const withUnused = start(
    wasmOf(SOURCE.replace("(func $unused", '(func $unused (export "unused")')),
    primary("entry", "even", "odd"),
  ).parts;
  assert.ok(parts.secondary.length < withUnused.secondary.length - 60);
});

test("modules that the splitter does not understand are refused", () => {
  const parts = {
    table: "(table 1 funcref)",
    memory: "(memory 1)",
    global: "(global $stack (mut i32) (i32.const 0))",
  };
  const refused = [
    { change: { table: "(table 1 9 funcref)" }, message: /without a maximum/ },
    { change: { global: "(global $stack i32 (i32.const 0))" }, message: /mutable first global/ },
    { change: { global: "(global f32 (f32.const 0))" }, message: /i32\.const as each global/ },
    {
      change: { memory: '(import "env" "memory" (memory 1))', table: "" },
      message: /only functions/,
    },
    { change: { table: "" }, message: /first table/ },
  ];
  for (const { change, message } of refused) {
    const { memory, table, global } = { ...parts, ...change };
    const source = `(module ${memory} ${table} ${global} (func (export "f")))`;
    assert.throws(() => split(wasmOf(source), [true]), message);
  }
  assert.throws(() => split(wasmOf(SOURCE), [true]), /1 flags for 9 functions/);
});

test("counters mark the functions that ran", () => {
  const counting = withCounters(wasmOf(SOURCE));
  const exports = instantiate(counting.wasm, { env: { log() {} } });
  exports.store(3);
  exports.entry(1);
  assert.deepEqual(
    counting.hasRun(exports.memory),
    primary("entry", "even", "odd", "tiny", "store"),
  );
  assert.equal(exports.load(0), 3 + 1025, "the module's own memory is as before");
});

test("numbers and sections survive being written and read", () => {
  for (const value of [0, 63, 64, 127, 128, 300, 16_384, 2 ** 21, 2 ** 31 - 1]) {
    const bytes = Buffer.from(toLeb(value));
    assert.deepEqual(leb(bytes, 0), [value, bytes.length]);
    const body = Buffer.from([0, 0x41, ...toSignedLeb(value), 0x0b]);
    const sections = sectionsOf(wasmOf('(module (func (export "f") (result i32) (i32.const 0)))'));
    const code = sections.find(({ id }) => id === 10);
    if (code) code.body = Buffer.from([1, ...toLeb(body.length), ...body]);
    assert.equal(instantiate(moduleOf(sections), {}).f(), value);
  }
  const wasm = wasmOf(SOURCE);
  assert.deepEqual(moduleOf(sectionsOf(wasm)), wasm);
});
