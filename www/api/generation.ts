// Generations, which continue in the worker from one step to the next.

import type { HookPoint, Input, Inputs, Step } from "./generated.js";
import { isBatch, readInput, readInputs } from "./input.js";
import type { ModelHandle } from "./model-handle.js";
import type { Showing } from "./options.js";
import { toStep } from "./results.js";
import { showListener } from "./show.js";
import type { Request, WorkerApi } from "./worker-api.js";

/** The next tokens of several texts that are generated together. */
export interface BatchStep {
  /** the step of each text, as if it was generated alone; undefined if the text has ended */
  rows: (Step | undefined)[];
}

export type Steps<T> = AsyncGenerator<T, void, void>;

/** A list of seeds has no other use than to draw differently for each text. */
export function withSampling<Options extends object>(options: Options | undefined) {
  const { seed, doSample } = (options ?? {}) as { seed?: unknown; doSample?: unknown };
  const isList = typeof seed === "object" && seed !== null;
  return isList && doSample === undefined ? { ...options, doSample: true } : options;
}

/**
 * Continues one text, or several together.
 * @param handle called at the first step; throws if the model was disposed of before
 * @param serialize gives the options as plain data, for so many texts
 * @throws InputError for an input that is no text; at the first step, as Model.generate
 */
export function generate(
  handle: () => ModelHandle,
  points: readonly HookPoint[],
  input: Input | Inputs,
  serialize: (rows: number) => Request,
  local: Showing,
): Steps<Step> | Steps<BatchStep> {
  if (isBatch(input)) {
    const prompts = readInputs(input);
    const request = serialize(prompts.length);
    return generateSteps(
      handle,
      (api, key) => api.generateBatch(key, prompts, request),
      (api, generation, listener) => api.nextOfEach(generation, listener),
      (steps) => ({ rows: steps.map((step) => step && toStep(points, step)) }),
      local,
    );
  }
  const prompt = readInput(input);
  const request = serialize(1);
  return generateSteps(
    handle,
    (api, key) => api.generate(key, prompt, request),
    (api, generation, listener) => api.next(generation, listener),
    (step) => toStep(points, step),
    local,
  );
}

/**
 * Runs a generation, a step for each call of `next`. It is freed at the end, if the caller leaves the loop, or if the signal
 * fires.
 * @param toResult makes a step of the worker's answer
 * @throws as Model.generate
 */
async function* generateSteps<Data, Result>(
  handle: () => ModelHandle,
  begin: (api: WorkerApi, key: number) => Promise<number>,
  next: (api: WorkerApi, generation: number, listener?: number) => Promise<Data | undefined>,
  toResult: (data: Data) => Result,
  { signal, onShow }: Showing,
): Steps<Result> {
  const options = { signal, name: "generate" };
  const { connection, value: generation } = await handle().begin(
    begin,
    (api, late) => api.stop(late),
    options,
  );
  try {
    for (let at = 0; ; at++) {
      const step = await connection.call((api, listener) => next(api, generation, listener), {
        ...options,
        onShow: showListener(onShow, at),
      });
      if (step === undefined) return;
      yield toResult(step);
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
