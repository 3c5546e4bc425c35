// Rounds numbers to 8 bits as ggml's Q8_0 does: blocks of 32 numbers, each a scale in f16 and 32 whole numbers. The arithmetic is
// that of `quantize_row_q8_0_ref` in ggml, in f32, so that the bytes are those of `llama-quantize`.

export const BLOCK = 32;
export const BLOCK_BYTES = 2 + BLOCK;
/** Half of the exponents and the bits of the fraction of an f16. */
const [BIAS, FRACTION] = [15, 10];
const MAX_HALF = 65504;

/** The number of an f16. @param {number} bits */
export function fromHalf(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> FRACTION) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction ? NaN : sign * Infinity;
  return exponent === 0
    ? sign * fraction * 2 ** (1 - BIAS - FRACTION)
    : sign * (fraction + 2 ** FRACTION) * 2 ** (exponent - BIAS - FRACTION);
}

/** The bits of the nearest f16, of two the even one. @param {number} value not negative, not larger than any f16 @returns {number} */
export function toHalf(value) {
  if (!(value >= 0 && value <= MAX_HALF)) throw new RangeError(`${value} is no scale in f16`);
  if (value === 0) return 0;
  const exponent = Math.max(Math.floor(Math.log2(value)), 1 - BIAS);
  const scaled = value * 2 ** (FRACTION - exponent); // exact
  const floor = Math.floor(scaled);
  const isUp = scaled - floor > 0.5 || (scaled - floor === 0.5 && floor % 2 === 1);
  // A fraction that is rounded up to the next power of two carries into the exponent.
  return (exponent + BIAS - 1) * 2 ** FRACTION + floor + (isUp ? 1 : 0);
}

/** Rows of numbers as blocks, row by row. @param {Float32Array} values whose number is a multiple of 32 @returns {Uint8Array} */
export function quantize(values) {
  if (values.length % BLOCK !== 0)
    throw new RangeError(`expected a multiple of ${BLOCK} numbers, found ${values.length}`);
  const bytes = new Uint8Array((values.length / BLOCK) * BLOCK_BYTES);
  const view = new DataView(bytes.buffer);
  for (let block = 0; block < values.length / BLOCK; block++) {
    const numbers = values.subarray(block * BLOCK, (block + 1) * BLOCK);
    const largest = numbers.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
    if (!Number.isFinite(largest)) throw new RangeError("a number is not finite");
    const scale = Math.fround(largest / 127);
    const inverse = scale === 0 ? 0 : Math.fround(1 / scale);
    view.setUint16(block * BLOCK_BYTES, toHalf(scale), true);
    for (const [at, value] of numbers.entries()) {
      const level = Math.fround(value * inverse);
      // Halves are rounded away from zero, as roundf does.
      const rounded = Math.sign(level) * Math.floor(Math.abs(level) + 0.5);
      view.setInt8(block * BLOCK_BYTES + 2 + at, rounded);
    }
  }
  return bytes;
}
