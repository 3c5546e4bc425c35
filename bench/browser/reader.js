// A worker that reads memory as fast as it can, for the limit of several threads: `machine` in engines.js.

const BYTES = 400e6;

const { instance } = await WebAssembly.instantiateStreaming(
  fetch("/bench/build/machine-simd.wasm"),
);
const { memory, read } = instance.exports;
const at = memory.grow(Math.ceil(BYTES / 65536)) * 65536;
new Float32Array(memory.buffer, at, BYTES / 4).fill(1);

/** Each message is answered with the milliseconds of one pass over the memory. */
addEventListener("message", () => {
  const start = performance.now();
  read(at, BYTES);
  postMessage(performance.now() - start);
});
postMessage("ready");
