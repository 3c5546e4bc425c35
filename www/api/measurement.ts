// Measurements, which run in the worker in steps, so that it can answer other calls in between.

import { createError } from "./errors.js";
import type { Answer, Inputs, Measurements, PatchingOptions } from "./generated.js";
import type { ModelHandle } from "./model-handle.js";
import { notify, type ShowingProgress } from "./options.js";
import { toTensor } from "./results.js";
import { showListener } from "./show.js";
import type { MeasurementData, Request, TensorData } from "./worker-api.js";

/** The means over several prompts, and the result of each. */
export type Averaged<Result> = Result & { prompts: Result[] };

/** Several pairs of prompts: the metric is one for all of them, or one for each. */
export interface PatchingBatchOptions
  extends Omit<PatchingOptions, "clean" | "corrupted" | "answer" | "against" | "position"> {
  /** The prompts that give the clean answers. */
  clean: Inputs;
  /** The prompts that do not, as many. */
  corrupted: Inputs;
  /** The token whose logit counts. */
  answer?: Answer | readonly Answer[];
  /** The token whose logit is subtracted. */
  against?: Answer | readonly Answer[];
  /** The position of the logits; negative ones count from the end. The last one if absent. */
  position?: number | readonly number[];
}

/**
 * Runs a measurement.
 * @throws InputError, HookError, WeightsError, MemoryError; AbortError; WorkerError
 */
export async function measure<Name extends keyof Measurements>(
  handle: ModelHandle,
  name: Name,
  request: Request,
  { signal, onProgress, onShow }: ShowingProgress,
): Promise<Measurements[Name]> {
  const options = { signal, name, onShow: showListener(onShow) };
  const { connection, value: measurement } = await handle.begin(
    (api, key, listener) => api.measure(key, name, request, listener),
    (api, late) => api.forget(late),
    options,
  );
  try {
    for (let more = true; more; ) {
      const progress = await connection.call(
        (api, listener) => api.advance(measurement, listener),
        options,
      );
      if (onProgress) notify(onProgress, { done: progress.done, total: progress.total });
      more = progress.more;
    }
    const found = await connection.call(
      (api, listener) => api.findings(measurement, listener),
      options,
    );
    return toResult(found) as unknown as Measurements[Name]; // Rust declares which fields a measurement has
  } finally {
    connection.call((api) => api.forget(measurement)).catch(() => {});
  }
}

/**
 * The options of a measurement with those that are arguments of its method.
 * @throws InputError for an option that is an argument too
 */
export function withArguments(name: string, options: object, fixed: object) {
  const twice = Object.keys(fixed).find((key) => Object.hasOwn(options, key));
  if (twice)
    throw createError("InputError", `${name} has no option \`${twice}\`: it is the first argument`);
  return { ...options, ...fixed };
}

/** The fields of a result; its arrays become tensors. */
function toResult(found: MeasurementData): Record<string, unknown> {
  const convert = (name: string, value: unknown) => {
    if (name === "prompts" && Array.isArray(value)) return value.map(toResult);
    return isTensorData(value) ? toTensor(value) : value;
  };
  return Object.fromEntries(
    Object.entries(found).map(([name, value]) => [name, convert(name, value)]),
  );
}

function isTensorData(value: unknown): value is TensorData {
  return typeof value === "object" && value !== null && "data" in value && "shape" in value;
}
