// Arguments as plain data that can be sent to the worker: tensors, caches and functions inside them are spelled out.

import { problem, shown } from "./problem.js";
import { Tensor } from "./tensor.js";

/** @typedef {import("./names.js").HookName} HookName */
/** @typedef {number | readonly number[] | Float32Array | Tensor} Values numbers that broadcast to a selection by their last axes */
/** Activations by hook name: a cache, or what one was stored as. @typedef {{ names(): string[], get(name: string): Tensor } | Record<string, { shape: readonly number[], data: ArrayLike<number> }>} Source */
/** An attention edge; what is left out means all of them. @typedef {{ query?: number, key?: number }} Edge */
/** @typedef {string | ((x: Float32Array, info: { name: string, axes: string[], shape: number[], positions: number[] }) => ArrayLike<number> | void)} HookFunction its text is what counts: it runs in the worker and sees nothing of the page */
/** @typedef {"zero" | "mean" | { scale: number } | { add: Values } | { set: Values } | { from: Source, fromPositions?: readonly number[] } | { mean: Source } | { knockOut: readonly Edge[], renormalize?: boolean } | { js: HookFunction }} Action */
/**
 * One change to a run. What is left out selects everything.
 * @typedef {object} Intervention
 * @property {HookName} at a hook point, glob or /regular expression/
 * @property {number | readonly number[]} [layer] @property {number | readonly number[]} [head]
 * @property {number | readonly number[]} [neuron] of `d_mlp` @property {number | readonly number[]} [dim] of `d_model` or `d_head`
 * @property {number | readonly number[]} [positions] negative from the end of the prompt
 * @property {number | readonly number[]} [step] of a generation: the prompt is step 0's, then one token each
 * @property {Action} do
 */

/**
 * @param {readonly Intervention[]} interventions @param {(name: HookName) => string} named
 * @returns {object[]} as they can be stored as JSON and used again
 * @throws InputError
 */
export function plainInterventions(interventions, named) {
  return interventions.map((one, i) => {
    if (one === null || typeof one !== "object") throw problem("InputError", `intervention ${i} is ${shown(one)}, expected { at, do }`);
    const at = named(one.at);
    return { ...plain(one), at, do: plainAction(one.do, at) };
  });
}

/** @param {any} action @param {string} at */
function plainAction(action, at) {
  if (action === null || typeof action !== "object") return action;
  const spelled = plain(action);
  if (typeof action.js === "function") spelled.js = String(action.js);
  if (action.from) spelled.from = plainSource(action.from, at);
  if (action.mean) spelled.mean = plainSource(action.mean, at);
  return spelled;
}

/** Of a cache, only what is needed at `at`. @param {any} source @param {string} at */
function plainSource(source, at) {
  if (typeof source.names !== "function") return plain(source);
  const names = source.names().includes(at) ? [at] : source.names();
  return Object.fromEntries(names.map((/** @type {string} */ name) => [name, plain(source.get(name))]));
}

/**
 * Typed arrays become arrays, tensors `{ shape, data }`, what is undefined is left out.
 * @param {any} value @returns {any}
 */
export function plain(value) {
  if (value instanceof Tensor) return { shape: [...value.shape], data: Array.from(value.data) };
  if (ArrayBuffer.isView(value)) return Array.from(/** @type {any} */ (value));
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  const given = Object.entries(value).filter(([, inner]) => inner !== undefined && typeof inner !== "function");
  return Object.fromEntries(given.map(([name, inner]) => [name, plain(inner)]));
}
