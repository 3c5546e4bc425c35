// Which constants functions need, by the relocations of a linked module, and how they are divided among the two modules.

import assert from "node:assert/strict";
import { test } from "node:test";

import openWabt from "wabt";

import { moduleOf, sectionsOf, toLeb, vector } from "../../tools/wasm-split/binary.mjs";
import { constantsOf, functionNames, segmentsOf } from "../../tools/wasm-split/constants.mjs";
import { EXPORTS, split } from "../../tools/wasm-split/split.mjs";

const wabt = await openWabt();
const LONG = "(drop (i32.const 1000000))".repeat(16);
const [CODE, DATA] = [10, 11];
/** R_WASM_MEMORY_ADDR_SLEB and R_WASM_MEMORY_ADDR_I32. */
const [ADDRESS_IN_CODE, ADDRESS_IN_DATA] = [4, 5];

/**
 * Four constants of 20 bytes from address 1024 on; the first holds the address of the third. `first` refers to the first one, with
 * an operand before it, as the compiler writes for an index that begins above 0; `second` refers to the second.
 */
const SOURCE = `(module
  (import "env" "log" (func $log (param i32)))
  (table 1 funcref)
  (memory (export "memory") 1)
  (global $stack (mut i32) (i32.const 1000))
  (elem (i32.const 0) $second)
  (func $first (export "first") (param i32) (result i32) ${LONG} (i32.load8_u offset=40 (i32.sub (local.get 0) (i32.const 984))))
  (func $second (export "second") (result i32) ${LONG} (i32.load8_u (i32.const 1044)))
  (func $plain (export "plain") (result i32) ${LONG} (i32.const 5))
  (data (i32.const 1024) "AAAAAAAAAAAAAAAAAAAABBBBBBBBBBBBBBBBBBBBCCCCCCCCCCCCCCCCCCCCDDDDDDDDDDDDDDDDDDDD")
  (data (i32.const 2000) "mutable"))`;
const [A, B, C] = [0, 1, 2].map((i) => ({ start: 1024 + 20 * i, end: 1044 + 20 * i }));

function linked() {
  const module = wabt.parseWat("test.wat", SOURCE);
  const { buffer } = module.toBinary({ write_debug_names: true });
  module.destroy();
  const sections = sectionsOf(Buffer.from(buffer));
  const text = (/** @type {string} */ name) => [...toLeb(name.length), ...Buffer.from(name)];
  /** @param {string} name @param {number[]} body */
  const custom = (name, body) => ({ id: 0, body: Buffer.from([...text(name), ...body]) });
  const symbol = (/** @type {number} */ i) => [1, 0, ...text(`s${i}`), 0, ...toLeb(20 * i), 20];
  const symbols = [...vector([0, 1, 2, 3].map(symbol))];
  const code = /** @type {Buffer} */ (sections.find(({ id }) => id === CODE)?.body);
  const data = /** @type {Buffer} */ (sections.find(({ id }) => id === DATA)?.body);
  // The places of the operands: the only load with an offset of 40, and the constant 1044.
  const places = [
    code.indexOf(Buffer.from([0x2d, 0, 40])) + 2,
    code.indexOf(Buffer.from([0x41, 0x94, 8])) + 1,
  ];
  assert.ok(places.every((place) => place > 2));
  const inCode = places.map((place, i) => [ADDRESS_IN_CODE, ...toLeb(place), i, 0]);
  const inData = [[ADDRESS_IN_DATA, ...toLeb(data.indexOf("AAAA") + 4), 2, 0]];
  return moduleOf([
    ...sections,
    custom("linking", [2, 8, ...toLeb(symbols.length), ...symbols]),
    custom("reloc.CODE", [CODE, ...vector(inCode)]),
    custom("reloc.DATA", [DATA, ...vector(inData)]),
  ]);
}

test("a function needs the constants that it refers to, and those that these refer to", () => {
  const { readOnly, neededBy } = constantsOf(linked());
  assert.deepEqual({ start: readOnly.start, end: readOnly.end }, { start: 1024, end: 1104 });
  assert.deepEqual(neededBy(["first"]), [A, C]);
  assert.deepEqual(neededBy(["second"]), [B]);
  assert.deepEqual(neededBy(["plain"]), []);
  assert.deepEqual(neededBy(["second", "first"]), [B, A, C]);
});

test("shims of wasm-bindgen and bodies in place of imports need none, and an unknown function is an error", () => {
  const { neededBy } = constantsOf(linked());
  assert.deepEqual(neededBy([undefined, "first externref shim", "log"]), []);
  assert.throws(() => neededBy(["third"]), /the linked module has no function `third`/);
});

test("a module without relocations is refused", () => {
  const sections = sectionsOf(linked()).filter(
    ({ body }) => !body.toString("latin1").includes("reloc.CODE"),
  );
  assert.throws(() => constantsOf(moduleOf(sections)), /expected a section `reloc.CODE`/);
});

test("the primary module has the constants of its functions; the secondary one brings the others", () => {
  const wasm = linked();
  const whole = moduleOf(sectionsOf(wasm).filter(({ id }) => id !== 0));
  const names = functionNames(wasm).defined;
  const { readOnly, neededBy } = constantsOf(wasm);
  const parts = split(whole, [true, false, true], {
    readOnly,
    neededBy: (functions) => neededBy(functions.map((at) => names[at])),
  });
  const segments = (/** @type {Buffer} */ module) => {
    const data = sectionsOf(module).find(({ id }) => id === DATA)?.body ?? Buffer.of(0);
    return segmentsOf(data).map(({ start, end }) => [start, end]);
  };
  assert.deepEqual(segments(parts.primary), [
    [1024, 1044],
    [1064, 1084],
    [2000, 2007],
  ]);
  assert.deepEqual(segments(parts.secondary), [
    [1044, 1064],
    [1084, 1104],
  ]);

  const start = (/** @type {Buffer} */ module, /** @type {any} */ imports) =>
    /** @type {Record<string, any>} */ (
      new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(module)), imports).exports
    );
  const exports = start(parts.primary, { env: { log: () => {} } });
  const memory = () => Buffer.from(exports.memory.buffer).toString("latin1", 1024, 1104);
  assert.equal(memory(), `${"A".repeat(20)}${"\0".repeat(20)}${"C".repeat(20)}${"\0".repeat(20)}`);
  assert.equal(exports.first(984 + 984), "A".charCodeAt(0));
  new Uint8Array(exports.memory.buffer)[2000] = 1;
  const loader = wabt.parseWat("f.wat", '(module (import "" "" (func $f)) (export "f" (func $f)))');
  const load = start(Buffer.from(loader.toBinary({}).buffer), {
    "": { "": () => start(parts.secondary, { primary: { ...exports } }) },
  });
  exports[EXPORTS.table].set(exports[EXPORTS.loaderIndex].value, load.f);
  assert.equal(exports.second(), "B".charCodeAt(0));
  assert.equal(memory(), ["A", "B", "C", "D"].map((letter) => letter.repeat(20)).join(""));
  assert.equal(new Uint8Array(exports.memory.buffer)[2000], 1, "what was written stays");
});
