// Reads and writes the sections of a WebAssembly module (https://webassembly.github.io/spec/core/binary/modules.html).
// Instructions are not decoded.

/** Section ids. */
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

/** Reads an unsigned LEB128 number; returns it and the offset behind it. @param {Buffer} bytes @param {number} at @returns {[number, number]} */
export function leb(bytes, at) {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++] ?? 0; // the scans of split.mjs may begin close to the end
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return [value >>> 0, at];
  }
}

/** Unsigned LEB128. @param {number} value @returns {number[]} */
export function toLeb(value) {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...toLeb(value >>> 7)];
}

/** Signed LEB128, the operand of `i32.const`. @param {number} value not negative @returns {number[]} */
export function toSignedLeb(value) {
  return value < 0x40 ? [value] : [(value & 0x7f) | 0x80, ...toSignedLeb(value >>> 7)];
}

/** A vector: the number of items, then the items. @param {(Buffer | number[])[]} items @returns {Buffer} */
export function vector(items) {
  return Buffer.concat([
    Buffer.from(toLeb(items.length)),
    ...items.map((item) => Buffer.from(item)),
  ]);
}

/** The items of a vector; `end` returns where the item that begins at an offset ends. @param {Buffer} body @param {(at: number) => number} end @returns {Buffer[]} */
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
