// Arrays of numbers as text, exact or rounded, and back.

import type { EncodedArray, EncodedNumber } from "./format.js";

/** What drawing needs of a tensor. */
export interface PlainTensor {
  data: Float32Array;
  shape: readonly number[];
  axes: readonly string[];
  labels?: Readonly<Record<string, readonly string[]>>;
}

/** How exact the numbers are: all of their bits, or codes of 16, 12 or 8 bits. */
export type Precision = "exact" | keyof typeof CODES;

type Numbers = Float32Array | Float64Array | Int32Array | Uint32Array | Uint8Array | Uint16Array;

const EXACT = {
  f32: Float32Array,
  f64: Float64Array,
  i32: Int32Array,
  u32: Uint32Array,
} as const;
const KINDS = Object.keys(EXACT) as (keyof typeof EXACT)[];
const CODES = { u8: Uint8Array, u12: Uint16Array, u16: Uint16Array } as const;
/** The bytes of a number. */
export const ENCODINGS = { f32: 4, f64: 8, i32: 4, u32: 4, u8: 1, u12: 1.5, u16: 2 } as const;

/** The largest code, which stands for NaN. */
const nanCode = (encoding: keyof typeof CODES) => 2 ** (8 * ENCODINGS[encoding]) - 1;

export function hasCodes(encoding: EncodedArray["encoding"]): encoding is keyof typeof CODES {
  return Object.hasOwn(CODES, encoding);
}

/** Typed arrays have the byte order of the machine, and all machines with browsers are little-endian. */
export function toBase64({ buffer, byteOffset, byteLength }: Numbers): string {
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  let binary = "";
  // Longer argument lists overflow the stack.
  for (let at = 0; at < bytes.length; at += 0x2000)
    binary += String.fromCharCode(...bytes.subarray(at, at + 0x2000));
  return btoa(binary);
}

/** @throws if the text is no base64 */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/** A tensor of any element type. Patterns whose masked half is zero leave it out. */
export function encodeTensor(
  tensor: Omit<PlainTensor, "data"> & { data: unknown },
  precision: Precision = "exact",
): EncodedArray {
  const { shape, axes, labels } = tensor;
  const size = shape.at(-1) ?? 0;
  const numbers = tensor.data as Numbers;
  const isPattern = axes.at(-1) === "key" && axes.at(-2) === "query" && shape.at(-2) === size;
  const isCausal = isPattern && size > 1 && isZeroAbove(numbers, size);
  const kept = isCausal ? lowerTriangles(numbers, size) : numbers;
  return {
    ...encodeNumbers(kept, precision),
    ...(isCausal && { causal: true }),
    shape: [...shape],
    axes: [...axes],
    ...(labels && { labels }),
  };
}

/** A list of numbers. Rounding applies only to finite numbers of 32 bits: others stay exact. */
export function encodeNumbers(numbers: Numbers, precision: Precision = "exact"): EncodedArray {
  if (precision === "exact" || !isKind(numbers, "f32")) return encodeExact(numbers);
  const codes = encodeCodes(numbers, precision);
  return codes ?? encodeExact(numbers);
}

/** Whether an array has this type. `instanceof` would not know the arrays of another frame. */
function isKind(numbers: Numbers, kind: "f32"): numbers is Float32Array;
function isKind(numbers: Numbers, kind: keyof typeof EXACT): boolean;
function isKind(numbers: Numbers, kind: keyof typeof EXACT): boolean {
  return numbers[Symbol.toStringTag] === EXACT[kind].name;
}

function encodeExact(numbers: Numbers): EncodedArray {
  const encoding = KINDS.find((kind) => isKind(numbers, kind));
  if (encoding) return { encoding, data: toBase64(numbers) };
  return { encoding: "u32", data: toBase64(Uint32Array.from(numbers)) };
}

/** Null if a number is infinite, because no code stands for it. */
function encodeCodes(numbers: Float32Array, encoding: keyof typeof CODES): EncodedArray | null {
  let [min, max] = [0, 0];
  for (const value of numbers) {
    if (Math.abs(value) === Infinity) return null;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  // Attention lies between 0 and 1; the same step for all layers is easier to say.
  if (min === 0 && max <= 1) max = 1;
  const nan = nanCode(encoding);
  const step = shortStep((max - min) / (nan - 2));
  const first = Math.floor(min / step);
  const codes = Uint16Array.from(numbers, (value) =>
    Number.isNaN(value) ? nan : Math.round(value / step) - first,
  );
  const bytes =
    encoding === "u16" ? codes : encoding === "u12" ? packed(codes) : Uint8Array.from(codes);
  return { encoding, step, offset: withDigitsOf(step)(first * step), data: toBase64(bytes) };
}

/** The smallest step of few digits that is not below another: a number of such steps is short too. */
function shortStep(least: number) {
  const exponent = Math.floor(Math.log10(least));
  const steps = [1, 2, 2.5, 4, 5, 10].map((digits) => Number(`${digits}e${exponent}`));
  return steps.find((step) => step >= least) ?? least;
}

/** Codes of 12 bits, two in three bytes, so that each is two characters of base64. */
function packed(codes: Uint16Array) {
  const bytes = new Uint8Array(Math.ceil(codes.length * ENCODINGS.u12));
  codes.forEach((code, at) => {
    const byte = Math.floor(at * ENCODINGS.u12);
    bytes[byte] |= at % 2 === 0 ? code >> 4 : code >> 8;
    bytes[byte + 1] = at % 2 === 0 ? code << 4 : code;
  });
  return bytes;
}

function isZeroAbove(numbers: Numbers, size: number) {
  for (let at = 0; at < numbers.length; at++)
    if (at % size > Math.floor(at / size) % size && !Object.is(numbers[at], 0)) return false;
  return true;
}

function lowerTriangles(numbers: Numbers, size: number): Numbers {
  return numbers.filter((_, at) => at % size <= Math.floor(at / size) % size);
}

/** How many numbers are in the data of a causal pattern. */
export function causalLength(length: number, size: number) {
  return (length / (size * size)) * ((size * (size + 1)) / 2);
}

/** The numbers of an array whose fields fit each other, with zeros for those that a causal pattern leaves out. */
export function decodeNumbers(array: EncodedArray): Exclude<Numbers, Uint8Array | Uint16Array> {
  const numbers = decodeValues(array, fromBase64(array.data));
  if (!array.causal || !array.shape) return numbers;
  const size = array.shape.at(-1) ?? 0;
  const whole = new Float32Array(array.shape.reduce((product, one) => product * one, 1));
  for (let at = 0, from = 0; at < whole.length; at++)
    if (at % size <= Math.floor(at / size) % size) whole[at] = numbers[from++];
  return whole;
}

function decodeValues({ encoding, step = 1, offset = 0 }: EncodedArray, bytes: Uint8Array) {
  const buffer = bytes.buffer as ArrayBuffer;
  if (!hasCodes(encoding)) return new EXACT[encoding](buffer);
  const codes = encoding === "u12" ? unpacked(bytes) : new CODES[encoding](buffer);
  const nan = nanCode(encoding);
  // The digits of an offset that is no multiple of the step's last one are digits of the number.
  const scale = scaleOf(step);
  const isExact = isWhole(step * scale) && !isWhole(offset * scale);
  const digits = isExact ? (value: number) => value : withDigitsOf(step);
  return Float32Array.from(codes, (code) => (code === nan ? NaN : digits(offset + code * step)));
}

/** The reverse of `packed`. */
function unpacked(bytes: Uint8Array) {
  return Uint16Array.from({ length: Math.floor(bytes.length / ENCODINGS.u12) }, (_, at) => {
    const [first, second] = bytes.subarray(Math.floor(at * ENCODINGS.u12));
    return at % 2 === 0 ? (first << 4) | (second >> 4) : ((first & 15) << 8) | second;
  });
}

/** Rounds a number to the decimals that a step tells apart, so that no readout has more digits than the file holds. */
function withDigitsOf(step: number) {
  const scale = scaleOf(step);
  return (value: number) => Math.round(value * scale) / scale;
}

/** The power of ten that makes a short step whole (1e5 for 0.00025); for another step, the first that makes it 1 or more. */
function scaleOf(step: number) {
  const decimals = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
  const more = 10 ** (decimals + 1);
  return isWhole(step * more) ? more : 10 ** decimals;
}

const isWhole = (value: number) => Math.abs(value - Math.round(value)) < 1e-6;

/** How far a number may be from the one that was computed; 0 if it is exact. */
export function roundingOf({ step }: EncodedArray) {
  if (step === undefined) return 0;
  const scale = scaleOf(step);
  return (isWhole(step * scale) ? step : step + 1 / scale) / 2;
}

// ---- plain data with arrays in it ----

/** Above so many numbers an array of a result is rounded to 16 bits. */
const MAX_EXACT = 4096;

/** Plain data with tensors and typed arrays, such as a result of the API. Functions are left out. */
export function encodeValue(value: unknown): unknown {
  if (typeof value === "number") return encodeNumber(value);
  if (typeof value !== "object" || value === null) return value;
  if (ArrayBuffer.isView(value)) return encodeNumbers(value as Numbers, precisionFor(value));
  if (isTensor(value)) return encodeTensor(value, precisionFor(value.data));
  if (Array.isArray(value)) return value.map(encodeValue);
  const fields = Object.entries(value).filter(
    ([, one]) => one !== undefined && typeof one !== "function",
  );
  return Object.fromEntries(fields.map(([name, one]) => [name, encodeValue(one)]));
}

/** A tensor, or its fields without labels. */
function isTensor(value: object): value is PlainTensor & { data: Numbers } {
  const { data, shape, axes } = value as Partial<PlainTensor>;
  return ArrayBuffer.isView(data) && Array.isArray(shape) && Array.isArray(axes);
}

function precisionFor(numbers: ArrayBufferView): Precision {
  return (numbers as Numbers).length > MAX_EXACT ? "u16" : "exact";
}

export function encodeNumber(value: number): EncodedNumber {
  if (Number.isFinite(value)) return value;
  return { number: Number.isNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity" };
}

/** The reverse of `encodeValue`, on checked data. A tensor has the fields that drawing needs, and no methods. */
export function decodeValue(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(decodeValue);
  if (isEncodedNumber(value)) return Number(value.number);
  if (isEncodedArray(value)) return decodeArray(value);
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, decodeValue(one)]));
}

/** A tensor, or a typed array if there is no shape. */
export function decodeArray(array: EncodedArray): unknown {
  const data = decodeNumbers(array);
  if (!array.shape) return data;
  const { shape, axes, labels } = array;
  return { data, shape, axes, ...(labels && { labels }) };
}

export function isEncodedNumber(value: object): value is { number: string } {
  const { number, ...others } = value as { number?: unknown };
  return typeof number === "string" && Object.keys(others).length === 0;
}

export function isEncodedArray(value: object): value is EncodedArray {
  const { encoding, data } = value as Partial<EncodedArray>;
  return typeof encoding === "string" && typeof data === "string";
}
