// Writes a GGUF file of version 3: metadata, a list of tensors, and their bytes.
// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md

const ALIGNMENT = 32;
const VERSION = 3;
const TYPES = /** @type {const} */ ({ u32: 4, i32: 5, f32: 6, bool: 7, string: 8, array: 9 });
/** The types of tensors. */
export const DTYPES = /** @type {const} */ ({ F32: 0, F16: 1, Q8_0: 8 });

/** @typedef {{ u32: number } | { f32: number } | { bool: boolean } | { string: string } | { strings: readonly string[] } | { i32s: readonly number[] }} Value */
/** @typedef {{ name: string, dtype: keyof typeof DTYPES, shape: readonly number[], bytes: Uint8Array }} Tensor shape: rows first */

class Bytes {
  /** @type {Buffer[]} */
  #parts = [];
  length = 0;

  /** @param {Uint8Array} part */
  add(part) {
    this.#parts.push(Buffer.from(part));
    this.length += part.length;
  }
  /** @param {number} value */
  u32(value) {
    const part = Buffer.alloc(4);
    part.writeUInt32LE(value);
    this.add(part);
  }
  /** @param {number} value */
  i32(value) {
    const part = Buffer.alloc(4);
    part.writeInt32LE(value);
    this.add(part);
  }
  /** @param {number} value */
  f32(value) {
    const part = Buffer.alloc(4);
    part.writeFloatLE(value);
    this.add(part);
  }
  /** @param {number} value */
  u64(value) {
    const part = Buffer.alloc(8);
    part.writeBigUInt64LE(BigInt(value));
    this.add(part);
  }
  /** @param {string} text */
  string(text) {
    const part = Buffer.from(text);
    this.u64(part.length);
    this.add(part);
  }
  align() {
    this.add(new Uint8Array(-this.length & (ALIGNMENT - 1)));
  }
  whole() {
    return Buffer.concat(this.#parts);
  }
}

/** @param {Bytes} to @param {Value} value */
function writeValue(to, value) {
  if ("u32" in value) {
    to.u32(TYPES.u32);
    to.u32(value.u32);
  } else if ("f32" in value) {
    to.u32(TYPES.f32);
    to.f32(value.f32);
  } else if ("bool" in value) {
    to.u32(TYPES.bool);
    to.add(Uint8Array.of(value.bool ? 1 : 0));
  } else if ("string" in value) {
    to.u32(TYPES.string);
    to.string(value.string);
  } else {
    const items = "strings" in value ? value.strings : value.i32s;
    to.u32(TYPES.array);
    to.u32("strings" in value ? TYPES.string : TYPES.i32);
    to.u64(items.length);
    for (const item of items) typeof item === "string" ? to.string(item) : to.i32(item);
  }
}

/**
 * The bytes of a file. The same arguments give the same bytes.
 * @param {Readonly<Record<string, Value>>} metadata @param {readonly Tensor[]} tensors
 */
export function gguf(metadata, tensors) {
  const file = new Bytes();
  file.add(Buffer.from("GGUF"));
  file.u32(VERSION);
  file.u64(tensors.length);
  file.u64(Object.keys(metadata).length);
  for (const [key, value] of Object.entries(metadata)) {
    file.string(key);
    writeValue(file, value);
  }
  let offset = 0;
  for (const { name, dtype, shape, bytes } of tensors) {
    file.string(name);
    file.u32(shape.length);
    for (const length of [...shape].reverse()) file.u64(length); // the fastest axis first
    file.u32(DTYPES[dtype]);
    file.u64(offset);
    offset += bytes.length + (-bytes.length & (ALIGNMENT - 1));
  }
  for (const { bytes } of tensors) {
    file.align();
    file.add(bytes);
  }
  file.align();
  return file.whole();
}
