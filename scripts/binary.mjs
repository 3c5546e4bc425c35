// A wasm module as the list of its sections, and back: what threads.mjs and split.mjs read and write. No instruction is
// understood here.

/** The kinds of section that these scripts know, by their ids. */
export const SECTION = {
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  memory: 5,
  global: 6,
  export: 7,
  start: 8,
  element: 9,
  code: 10,
  data: 11,
  dataCount: 12,
};

const HEADER_BYTES = 8;

/** @typedef {{ id: number, body: Buffer }} Section */

/** @param {Buffer} wasm @returns {Section[]} */
export function sectionsOf(wasm) {
  const sections = [];
  for (let at = HEADER_BYTES; at < wasm.length; ) {
    const [size, start] = leb(wasm, at + 1);
    sections.push({ id: wasm[at], body: wasm.subarray(start, start + size) });
    at = start + size;
  }
  return sections;
}

/** @param {{ id: number, body: Buffer | number[] }[]} sections @returns {Buffer} */
export function moduleOf(sections) {
  const header = Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  return Buffer.concat([
    header,
    ...sections.flatMap(({ id, body }) => [
      Buffer.from([id, ...toLeb(body.length)]),
      Buffer.from(body),
    ]),
  ]);
}

/** A number and where it ends. @param {Buffer} bytes @param {number} at @returns {[number, number]} */
export function leb(bytes, at) {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++];
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return [value >>> 0, at];
  }
}

/** @param {number} value @returns {number[]} */
export function toLeb(value) {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...toLeb(value >>> 7)];
}

/** The same of an `i32.const`, whose numbers have a sign. @param {number} value not negative @returns {number[]} */
export function toSignedLeb(value) {
  return value < 0x40 ? [value] : [(value & 0x7f) | 0x80, ...toSignedLeb(value >>> 7)];
}

/** Things of any kind, after their number. @param {(Buffer | number[])[]} items @returns {Buffer} */
export function vector(items) {
  return Buffer.concat([
    Buffer.from(toLeb(items.length)),
    ...items.map((item) => Buffer.from(item)),
  ]);
}

/** Things of any kind that stand one after the other, each ending where `end` says. @param {Buffer} body @param {(at: number) => number} end @returns {Buffer[]} */
export function items(body, end) {
  let [count, at] = leb(body, 0);
  const found = [];
  for (; count > 0; count--) {
    const next = end(at);
    found.push(body.subarray(at, next));
    at = next;
  }
  return found;
}

/** The bodies of a code section, without their sizes. @param {Buffer} code @returns {Buffer[]} */
export function bodiesOf(code) {
  const sized = items(code, (at) => {
    const [size, start] = leb(code, at);
    return start + size;
  });
  return sized.map((item) => item.subarray(leb(item, 0)[1]));
}
