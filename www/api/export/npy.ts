// NumPy's file format for one array, .npy: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html

import { areIds, type TensorArray, type Values } from "../tensor/values.js";

const MAGIC = "\x93NUMPY";
/** The header ends at a multiple of this, so that the numbers can be mapped into memory. */
const ALIGNMENT = 64;
/** The longest header of version 1.0, whose length is a 16-bit number. Version 2.0 has 32 bits. */
const MAX_SHORT_HEADER = 0xffff;

/**
 * The header of a .npy file in C order. Versions 1.0 and 2.0 differ in the width of the header's length; 3.0 is for field names
 * beyond Latin-1, which an array of numbers does not have.
 */
export function npyHeader({
  data,
  shape,
}: Pick<Values, "data" | "shape">): Uint8Array<ArrayBuffer> {
  return headerOf(areIds(data) ? "<u4" : "<f4", shape);
}

function headerOf(dtype: string, shape: readonly number[]): Uint8Array<ArrayBuffer> {
  const lengths = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const dictionary = `{'descr': '${dtype}', 'fortran_order': False, 'shape': (${lengths}), }`;
  const isShort = dictionary.length + ALIGNMENT <= MAX_SHORT_HEADER;
  const start = MAGIC.length + 2 + (isShort ? 2 : 4);
  const end = Math.ceil((start + dictionary.length + 1) / ALIGNMENT) * ALIGNMENT;
  const header = new Uint8Array(end);
  const view = new DataView(header.buffer);
  header.set(ascii(MAGIC));
  header.set([isShort ? 1 : 2, 0], MAGIC.length);
  if (isShort) view.setUint16(MAGIC.length + 2, end - start, true);
  else view.setUint32(MAGIC.length + 2, end - start, true);
  header.fill(0x20, start);
  header.set(ascii(dictionary), start);
  header[end - 1] = 0x0a;
  return header;
}

/** The numbers as bytes, without copying. Little-endian, as every machine that runs wasm. */
export function bytesOf({ buffer, byteOffset, byteLength }: TensorArray): Uint8Array<ArrayBuffer> {
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
}

export function npyFile(values: Values): Blob {
  return new Blob([npyHeader(values), bytesOf(values.data)], { type: "application/octet-stream" });
}

/** A text as an array without axes, in UTF-32, as NumPy stores texts. */
export function npyText(text: string): Uint8Array<ArrayBuffer> {
  const points = Array.from(text, (character) => character.codePointAt(0) as number);
  const header = headerOf(`<U${points.length}`, []);
  const file = new Uint8Array(header.length + 4 * points.length);
  file.set(header);
  file.set(bytesOf(Uint32Array.from(points)), header.length);
  return file;
}

function ascii(text: string) {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
