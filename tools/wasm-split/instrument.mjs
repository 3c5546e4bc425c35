// Finds out which functions of a module run: `withCounters(wasm)` returns a module whose functions record that they ran.
//
// Each function first writes a 1 into its own byte. The bytes are in pages added behind the memory that the module starts
// with; memory that the module allocates later comes behind them.

import {
  bodiesOf,
  leb,
  moduleOf,
  SECTION,
  sectionsOf,
  toLeb,
  toSignedLeb,
  vector,
} from "./binary.mjs";

const PAGE_BYTES = 65536;
const [I32_STORE8, I32_CONST] = [0x3a, 0x41];

/**
 * @param {Buffer} wasm
 * @returns {{ wasm: Buffer, hasRun: (memory: WebAssembly.Memory) => boolean[] }} `hasRun`: by defined function
 */
export function withCounters(wasm) {
  const sections = sectionsOf(wasm);
  const [memory, code] = [SECTION.memory, SECTION.code].map((kind) => {
    const section = sections.find(({ id }) => id === kind);
    if (!section) throw new Error("expected a module that defines a memory and functions");
    return section;
  });
  const bodies = bodiesOf(code.body);
  // One memory: flags, the minimum number of pages, and perhaps the maximum.
  const [minimum, end] = leb(memory.body, 2);
  const start = minimum * PAGE_BYTES;
  const pages = minimum + Math.ceil(bodies.length / PAGE_BYTES);
  memory.body = Buffer.concat([
    memory.body.subarray(0, 2),
    Buffer.from(toLeb(pages)),
    memory.body.subarray(end),
  ]);
  code.body = vector(bodies.map((body, i) => counted(body, start + i)));
  const hasRun = (/** @type {WebAssembly.Memory} */ { buffer }) => {
    const counters = new Uint8Array(buffer, start, bodies.length);
    if (counters.some((value) => value > 1)) throw new Error("the module wrote over the counters");
    return Array.from(counters, (value) => value === 1);
  };
  return { wasm: moduleOf(sections), hasRun };
}

/** A sized body that begins with `i32.const counter; i32.const 1; i32.store8`. @param {Buffer} body @param {number} counter */
function counted(body, counter) {
  let [groups, at] = leb(body, 0);
  for (; groups > 0; groups--) at = leb(body, at)[1] + 1; // a number of locals, and their type
  const code = [I32_CONST, ...toSignedLeb(counter), I32_CONST, 1, I32_STORE8, 0, 0];
  const whole = Buffer.concat([body.subarray(0, at), Buffer.from(code), body.subarray(at)]);
  return Buffer.concat([Buffer.from(toLeb(whole.length)), whole]);
}
