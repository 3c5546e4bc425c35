// A thread that helps the worker with matrix products: it runs the small module of src/kernel/simd/ over the worker's
// memory, sleeps where there is nothing to do, and ends with the page.

self.addEventListener(
  "message",
  ({ data: { module, memory, pool, number } }) => {
    const { exports } = new WebAssembly.Instance(module, { env: { memory, wake() {} } });
    const [enter, help] = [exports.enter, exports.help] as Function[];
    enter(pool);
    for (;;) {
      const epoch = help(pool, number);
      // The memory may have grown: each view ends where it ended when it was made. The epoch comes first in the pool.
      Atomics.wait(new Int32Array(memory.buffer), pool / 4, epoch);
    }
  },
  { once: true },
);
