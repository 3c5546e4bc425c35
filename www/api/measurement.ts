// Measurements, which run in the worker in steps, so that it can answer other calls in between.

import type { Measurements } from "./generated.js";
import type { ModelHandle } from "./model-handle.js";
import { notify, type Progressing } from "./options.js";
import { toTensor } from "./results.js";
import type { MeasurementData, Request, TensorData } from "./worker-api.js";

/**
 * Runs a measurement.
 * @throws InputError, HookError, WeightsError, MemoryError; AbortError; WorkerError
 */
export async function measure<Name extends keyof Measurements>(
  handle: ModelHandle,
  name: Name,
  request: Request,
  { signal, onProgress }: Progressing,
): Promise<Measurements[Name]> {
  const options = { signal, name };
  const { connection, value: measurement } = await handle.begin(
    (api, key) => api.measure(key, name, request),
    (api, late) => api.forget(late),
    options,
  );
  try {
    for (let more = true; more; ) {
      const progress = await connection.call((api) => api.advance(measurement), options);
      if (onProgress) notify(onProgress, { done: progress.done, total: progress.total });
      more = progress.more;
    }
    const found = await connection.call((api) => api.findings(measurement), options);
    return toResult(found) as unknown as Measurements[Name]; // Rust declares which fields a measurement has
  } finally {
    connection.call((api) => api.forget(measurement)).catch(() => {});
  }
}

/** The fields of a result; its arrays become tensors. */
function toResult(found: MeasurementData): Record<string, unknown> {
  const converted = Object.entries(found).map(([name, value]) => [
    name,
    isTensorData(value) ? toTensor(value) : value,
  ]);
  return Object.fromEntries(converted);
}

function isTensorData(value: unknown): value is TensorData {
  return typeof value === "object" && value !== null && "data" in value && "shape" in value;
}
