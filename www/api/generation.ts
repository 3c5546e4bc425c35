// Generations, which continue in the worker from one step to the next.

import type { HookPoint, Step } from "./generated.js";
import type { ModelHandle } from "./model-handle.js";
import { toStep } from "./results.js";
import type { Prompt, Request } from "./worker-api.js";

/**
 * Runs a generation, a step for each call of `next`. It is freed at the end, if the caller leaves the loop, or if the signal
 * fires.
 * @param handle called at the first step, and throws if the model was disposed of before
 * @throws as Model.generate
 */
export async function* generateSteps(
  handle: () => ModelHandle,
  input: Prompt,
  request: Request,
  points: readonly HookPoint[],
  signal: AbortSignal | undefined,
): AsyncGenerator<Step, void, void> {
  const options = { signal, name: "generate" };
  const { connection, value: generation } = await handle().begin(
    (api, key) => api.generate(key, input, request),
    (api, late) => api.stop(late),
    options,
  );
  try {
    for (;;) {
      const step = await connection.call((api) => api.next(generation), options);
      if (step === undefined) return;
      yield toStep(points, step);
    }
  } finally {
    connection.call((api) => api.stop(generation)).catch(() => {});
  }
}

/** A generation that fails at its first step. */
// biome-ignore lint/correctness/useYield: it never comes to a step
export async function* failingGeneration(error: unknown): AsyncGenerator<never, void, void> {
  throw error;
}
