// Weights by name, models with other weights, and transforms of weights: what the methods of `Model` take and return.

import { createError, describe } from "./errors.js";
import type { ParameterOptions, Transform } from "./generated.js";
import { checkUnicode } from "./input.js";
import type { ModelHandle } from "./model-handle.js";
import { CANCELLABLE, type Cancellable, isPlainObject, rule, splitOptions } from "./options.js";
import { serializeOptions } from "./serialize.js";
import { Tensor } from "./tensor.js";
import type { NewWeightData, WeightData, WorkerApi } from "./worker-api.js";

/**
 * The name of a weight: the checkpoint's ("h.0.attn.c_attn.weight") or TransformerLens's ("blocks.0.attn.W_Q"). A short name
 * ("W_Q") is that weight of every layer, and with a layer (["W_Q", -1]) that of the layer, or of a list of layers.
 */
export type ParameterName = string | readonly [string, number | readonly number[]];

/** A weight of a model. */
export interface Weight extends Tensor {
  /** Its full name, or the short name of a weight of several layers. */
  name: string;
  /** How its numbers differ from those of the files: "rounded to q8: …", or zeros that no file holds. */
  note?: string;
}

/** Numbers for a weight, in row-major order. The axes of a `Tensor` must be those of the weight. */
export type NewWeight =
  | Tensor
  | {
      shape: readonly number[];
      data: ArrayLike<number>;
      axes?: readonly string[];
    };

/** New weights by the names that `Model.parameter` takes. A short name stands for that weight of every layer. */
export type NewWeights = Readonly<Record<string, NewWeight>>;

/**
 * Reads a weight.
 * @throws as Model.parameter
 */
export async function readParameter(
  handle: ModelHandle,
  name: unknown,
  options: (ParameterOptions & Cancellable) | undefined,
): Promise<Weight> {
  const { local, sent } = splitOptions("parameter", options, CANCELLABLE);
  const [full, part] = readName(name, sent);
  checkUnicode(full, "the name of a weight");
  const request = serializeOptions("parameter", part, () => []);
  const send = (api: WorkerApi, key: number) => api.parameter(key, full, request);
  const weight = await handle.call(send, { signal: local.signal, name: "parameter" });
  return toWeight(weight, isWhole(part));
}

/** Whether options leave the weight that the result is named after whole: one layer of a short name has a name of its own. */
function isWhole(options: Record<string, unknown>) {
  const given = Object.entries(options).filter(([, at]) => at !== undefined);
  return given.every(([axis, at]) => axis === "layer" && typeof at === "number");
}

/**
 * A name and the options that it implies.
 * @throws InputError
 */
function readName(
  name: unknown,
  options: Record<string, unknown>,
): [name: string, options: Record<string, unknown>] {
  if (typeof name === "string") return [name, options];
  if (!Array.isArray(name) || name.length !== 2 || typeof name[0] !== "string")
    throw createError(
      "InputError",
      `the name of a weight is ${describe(name)}, expected a text such as "W_E", or a short name with a layer such as ["W_Q", 2]`,
    );
  if (Object.hasOwn(options, "layer"))
    throw createError("InputError", "the layer is given twice: in the name and as `layer`");
  return [name[0], { ...options, layer: name[1] }];
}

function toWeight({ value, name, note }: WeightData, isWhole: boolean): Weight {
  const { data, shape, axes } = value;
  return new Tensor(data, shape, axes, {}, { name, note: note ?? undefined, isWhole }) as Weight;
}

/**
 * New weights as plain data, with the numbers copied.
 * @throws InputError
 */
export function serializeWeights(weights: unknown): NewWeightData[] {
  if (!isPlainObject(weights) || Object.keys(weights).length === 0)
    throw createError(
      "InputError",
      `the weights are ${describe(weights)}, expected an object of one or more, such as { W_pos: tensor }`,
    );
  for (const name of Object.keys(weights)) checkKey(name);
  const plain = serializeOptions("withParameters", weights, () => []);
  return Object.entries(plain).map(([name, value]) => {
    const given = weights[name];
    const axes = given instanceof Tensor ? { axes: [...given.axes] } : {};
    if (!isPlainObject(value) || !("shape" in value && "data" in value))
      throw createError(
        "InputError",
        `\`${name}\` of withParameters is ${describe(given)}, expected a Tensor or { shape, data }`,
      );
    return { ...value, ...axes, name } as NewWeightData; // the worker checks the fields
  });
}

/**
 * A key of an object is a text, so that JavaScript writes a pair such as ["W_O", 1] as "W_O,1".
 * @throws InputError
 */
function checkKey(key: string) {
  if (/^[^,]+,-?\d+(,-?\d+)*$/.test(key))
    throw createError(
      "InputError",
      `\`${key}\` of withParameters is a pair, which the key of an object cannot be: write the full name, such as "blocks.1.attn.W_O", or the short name for all layers`,
    );
}

/**
 * A copy of the names of transforms, which Rust checks.
 * @throws InputError
 */
export function readTransforms(transforms: unknown): Transform[] {
  if (Array.isArray(transforms) && rule.texts.fits(transforms)) return [...transforms];
  throw createError(
    "InputError",
    `the transforms are ${describe(transforms)}, expected an array of names such as "fold_ln"`,
  );
}
