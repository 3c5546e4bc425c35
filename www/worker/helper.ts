// A thread that helps the worker with matrix products. It runs the compute kernels (src/kernel/simd/) over the worker's memory,
// sleeps when there is no job, and ends with the page.

import type { HelperRequest } from "./threads.js";

/** What the kernels export to helper threads (src/kernel/simd/pool.rs). */
interface Kernels {
  /** Joins the thread pool. */
  enter(pool: number): void;
  /** Takes pieces of jobs until there are none; gives the epoch to wait for the next one. */
  help(pool: number, number: number): number;
}

self.addEventListener(
  "message",
  ({ data: { module, memory, pool, number } }: MessageEvent<HelperRequest>) => {
    const { exports } = new WebAssembly.Instance(module, { env: { memory, wake() {} } });
    const { enter, help } = exports as WebAssembly.Exports & Kernels;
    enter(pool);
    for (;;) {
      const epoch = help(pool, number);
      // A view does not grow with the memory, so each wait makes a new one. The epoch is the first field of the pool.
      Atomics.wait(new Int32Array(memory.buffer), pool / 4, epoch);
    }
  },
  { once: true },
);
