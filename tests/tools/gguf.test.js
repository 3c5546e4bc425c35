// The bundled model as GGUF with 8-bit weights: the arithmetic of the blocks, and the bytes of a whole file.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import { quantized } from "../../scripts/quantize.mjs";
import { BLOCK, BLOCK_BYTES, fromHalf, quantize, toHalf } from "../../tools/gguf/q8.mjs";
import { gguf } from "../../tools/gguf/write.mjs";

test("every finite f16 that is not negative is read and written as the same bits", () => {
  for (let bits = 0; bits < 0x7c00; bits++) assert.equal(toHalf(fromHalf(bits)), bits);
});

test("a number between two f16 becomes the nearer one, and the even one of two", () => {
  for (const bits of [0, 1, 2, 0x3ff, 0x400, 0x401, 0x3c00, 0x3dff, 0x7bfe]) {
    const [low, high] = [fromHalf(bits), fromHalf(bits + 1)];
    const at = (/** @type {number} */ share) => toHalf(low + share * (high - low));
    assert.deepEqual(
      [at(0.49), at(0.5), at(0.51)],
      [bits, bits % 2 === 0 ? bits : bits + 1, bits + 1],
    );
  }
  assert.throws(() => toHalf(1e6), /1000000 is no scale in f16/);
});

/** The numbers that blocks stand for. @param {Uint8Array} bytes */
function dequantize(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / BLOCK_BYTES }, (_, block) => {
    const scale = fromHalf(view.getUint16(block * BLOCK_BYTES, true));
    return Array.from(
      { length: BLOCK },
      (_, at) => scale * view.getInt8(block * BLOCK_BYTES + 2 + at),
    );
  }).flat();
}

test("a number is at most half a step, and the rounding of the scale, away from its level", () => {
  const values = Float32Array.from(
    { length: 64 * BLOCK },
    (_, i) => Math.sin(i * i) * 0.2 * 1.1 ** (i >> 5),
  );
  const found = dequantize(quantize(values));
  values.forEach((value, i) => {
    const block = values.subarray(i - (i % BLOCK), i - (i % BLOCK) + BLOCK);
    const largest = block.reduce((max, one) => Math.max(max, Math.abs(one)), 0);
    assert.ok(Math.abs(found[i] - value) <= largest * (0.5 / 127 + 2 ** -11), `number ${i}`);
  });
});

test("zeros stay zeros, the largest number gets the level 127, and halves are rounded away from zero", () => {
  const levels = (/** @type {Float32Array} */ values) => [
    ...new Int8Array(quantize(values).buffer, 2),
  ];
  assert.deepEqual(levels(new Float32Array(BLOCK)), Array(BLOCK).fill(0));
  const values = new Float32Array(BLOCK);
  values.set([127, -127, 2.5, -2.5, 0.4]);
  assert.deepEqual(levels(values).slice(0, 5), [127, -127, 3, -3, 0]);
  assert.throws(() => quantize(Float32Array.from({ length: BLOCK }, () => NaN)), /not finite/);
  assert.throws(() => quantize(new Float32Array(5)), /expected a multiple of 32 numbers, found 5/);
});

test("a file is its header, its metadata, its tensors, and bytes that are aligned", () => {
  const file = gguf({ "general.architecture": { string: "gpt2" } }, [
    { name: "a", dtype: "F32", shape: [1, 2], bytes: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8) },
    { name: "b", dtype: "F16", shape: [1], bytes: Uint8Array.of(9, 10) },
  ]);
  assert.equal(file.toString("latin1", 0, 4), "GGUF");
  assert.deepEqual(
    [file.readUInt32LE(4), file.readBigUInt64LE(8), file.readBigUInt64LE(16)],
    [3, 2n, 1n],
  );
  assert.equal(file.length % 32, 0);
  assert.deepEqual([...file.subarray(-64, -56)], [1, 2, 3, 4, 5, 6, 7, 8]);
  assert.deepEqual([...file.subarray(-32, -30)], [9, 10]);
});

test("the bundled model gives the same file each time", async () => {
  const hash = async () =>
    createHash("sha256")
      .update(await quantized("models/shakespeare"))
      .digest("hex");
  assert.equal(await hash(), await hash());
  const { length } = await quantized("models/shakespeare");
  assert.ok(length < 4.8e6, `${length} bytes`);
});
