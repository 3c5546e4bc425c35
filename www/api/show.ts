// Delivers shown values to the call's `onShow`, in order and before the call resolves.

import { notify, type Shown } from "./options.js";
import { toTensor } from "./results.js";
import type { ShownData } from "./worker-api.js";

/**
 * The listener of a call as the connection calls it.
 * @param onShow undefined: the worker prints what is shown on the console
 * @param step of a generation
 */
export function showListener(
  onShow: ((shown: Shown) => void) | undefined,
  step?: number,
): ((data: ShownData) => void) | undefined {
  return onShow && ((data) => notify(onShow, toShown(data, step)));
}

function toShown(data: ShownData, step: number | undefined): Shown {
  const { value, isSelection, name, axes, shape, positions, indices, row } = data;
  const place = { name, axes, shape, positions, indices, row, ...(step !== undefined && { step }) };
  if (!isSelection) return { value, ...place };
  // These heads and positions, before the function changes them: a capture at this point has other indices and maybe other numbers.
  const labels = labelsOf(indices);
  const selection = { data: value as Float32Array, shape, axes, labels };
  return { value: toTensor(selection, { name, isWhole: false }), ...place };
}

/** By axis, the labels of selected indices: what they are in the whole activation. */
export function labelsOf(indices: ShownData["indices"]): Record<string, string[]> {
  const labels = Object.entries(indices).map(([axis, list]) => [axis, list.map(String)]);
  return Object.fromEntries(labels);
}
