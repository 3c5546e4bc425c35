// `show` of the functions of interventions. It sends a value to the page in the middle of a wasm call, on the port of the answers,
// so that every value arrives before the answer of its call.

import { messageOf } from "../api/errors.js";
import type { ShownData, WorkerMessage } from "../api/worker-api.js";

/** What Rust tells a function about its values. */
type Selected = Pick<ShownData, "name" | "axes" | "shape" | "positions" | "indices" | "row">;

/** A wasm call, and who listens to what its functions show. */
interface WasmCall {
  listener: number | undefined;
}

/** The wasm call that runs. There is one at most, because none waits for a promise. */
let running: WasmCall | undefined;

/**
 * Calls wasm. Values that functions show during `call` belong to this call.
 * @param listener undefined: it is printed on the console
 */
export function showingTo<T>(listener: number | undefined, call: () => T): T {
  const outer = running;
  running = { listener };
  try {
    return call();
  } finally {
    running = outer;
  }
}

/** The function `show` of one call of a function, which may change both arguments later. */
export function showOf(x: Float32Array, info: Selected): (...values: unknown[]) => void {
  const { name, row } = info;
  const [axes, shape, positions] = [[...info.axes], [...info.shape], [...info.positions]];
  const indices = structuredClone(info.indices);
  const call = running;
  return (...values) => {
    // Its listener has its answer.
    if (running !== call) throw new Error(`show of \`${name}\` was called after its run`);
    for (const value of values.length > 0 ? values : [x])
      send(
        { name, axes, shape, positions, indices, row, isSelection: value === x, value },
        call?.listener,
      );
  };
}

/**
 * Sends a copy.
 * @throws TypeError for a value that structured clone refuses
 */
function send(shown: Omit<ShownData, "listener">, listener: number | undefined) {
  try {
    if (listener === undefined) print(shown);
    else {
      const message: WorkerMessage = { shown: { ...shown, listener } };
      self.postMessage(message);
    }
  } catch (error) {
    throw new TypeError(
      `show got a value that cannot be copied to the page, expected data without functions: ${messageOf(error)}`,
    );
  }
}

/** Loaded with the first value, because few functions show any on the console. One promise keeps the order of the values. */
let tensors: ReturnType<typeof loadTensors> | undefined;
const loadTensors = () => Promise.all([import("../api/tensor.js"), import("../api/show.js")]);

/** Prints a copy of a value; a tensor as text, because the console would keep all of its numbers. */
function print({ name, axes, shape, indices, value, isSelection }: Omit<ShownData, "listener">) {
  const copy = structuredClone(value);
  const printed = async () => {
    tensors ??= loadTensors().catch((error) => {
      tensors = undefined; // the next value tries again
      throw error;
    });
    const [{ Tensor }, { labelsOf }] = await tensors; // also for other values
    if (!isSelection) return console.log(name, copy);
    const labels = labelsOf(indices);
    console.log(String(new Tensor(copy as Float32Array, shape, axes, labels, { name })));
  };
  printed().catch(reportError);
}
