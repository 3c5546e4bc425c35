// Steering vectors: rows and columns of the model's weights, and values from runs of the model.

import { createError, describe } from "../api/errors.js";
import type { Activations, Config, HookPoint, Intervention, Means } from "../api/generated.js";
import type { Model } from "../api/model.js";
import { fromStart } from "../state/indices.js";
import type { Direction, LabIntervention } from "../state/interventions.js";
import { parseIds } from "./ids.js";
import { singleToken } from "./single-token.js";

type Values = { readonly shape: readonly number[]; readonly data: ArrayLike<number> };
type Captured = { names(): string[]; get(name: string): Values };
type Options = {
  names: readonly LabIntervention["at"][];
  interventions?: readonly Intervention[];
  positions?: readonly number[];
  stopAtLayer?: number;
  signal?: AbortSignal;
};

/** What interventions need of a model: a part of the `Model` class. */
export interface Steerable {
  config: Pick<Config, "n_layer" | "n_head" | "n_positions" | "vocab_size">;
  hookPoints: readonly HookPoint[];
  hasTokenizer: boolean;
  tokenize: (
    input: string | Uint32Array,
    options?: { signal?: AbortSignal },
  ) => Promise<{ ids: Uint32Array; strings: string[] }>;
  parameter: Model["parameter"];
  runWithCache: (input: string | Uint32Array, options: Options) => Promise<{ cache: Captured }>;
  means: (options: {
    texts: readonly (string | Uint32Array)[];
    names: readonly LabIntervention["at"][];
    signal?: AbortSignal;
  }) => Promise<Exclude<Activations, Means | Readonly<Record<string, Values>>>>;
}

/** A text as the model takes it: ids, if it has no tokenizer. */
export function inputOf(model: Steerable, text: string): string | Uint32Array {
  return model.hasTokenizer ? text : parseIds(text, model.config.vocab_size);
}

/** The end of a text that is longer than the context, which is what the page reads of it. */
export async function croppedInput(
  model: Steerable,
  input: string | Uint32Array,
  signal?: AbortSignal,
): Promise<Uint32Array> {
  const ids = typeof input === "string" ? (await model.tokenize(input, { signal })).ids : input;
  return ids.subarray(Math.max(0, ids.length - model.config.n_positions));
}

/** A token that every model has, for a run of which only the names of its captures matter. */
const ANY_TOKEN = Uint32Array.of(0);

/**
 * The hook points that `at` and `layer` select, in firing order. The model itself matches globs and regular expressions.
 * @throws HookError if there are none
 */
export async function pointsOf(
  model: Steerable,
  { at, layer }: Pick<LabIntervention, "at" | "layer">,
  signal?: AbortSignal,
): Promise<HookPoint[]> {
  const isName = typeof at === "string" && model.hookPoints.some(({ name }) => name === at);
  const names = isName
    ? [at as string]
    : (await model.runWithCache(ANY_TOKEN, { names: [at], signal })).cache.names();
  const { n_layer } = model.config;
  const layers =
    layer === undefined ? null : [layer].flat().map((index) => fromStart(index, n_layer));
  const among = names.filter(
    (name) => layers === null || layers.includes(Number(/^blocks\.(\d+)\./.exec(name)?.[1] ?? NaN)),
  );
  if (among.length === 0)
    throw createError("HookError", `${describe(at)} names no hook point of layer ${layers}`);
  return model.hookPoints.filter(({ name }) => among.includes(name));
}

/** A vector to add at one hook point. */
export interface Summand {
  at: string;
  /** over the last axes of the selected values */
  shape: readonly number[];
  data: Float32Array;
}

/**
 * The vector of a direction at each point that the intervention selects, before it is multiplied.
 * @param input the text under study, of which a head's output is taken
 */
export async function summands(
  model: Steerable,
  lab: Omit<LabIntervention, "do">,
  direction: Direction,
  { input, signal }: { input: string | Uint32Array; signal?: AbortSignal },
): Promise<Summand[]> {
  const points = await pointsOf(model, lab, signal);
  if (!isList(direction) && "difference" in direction)
    return differences(model, lab, points, direction.difference, signal);
  const vector = isList(direction)
    ? Float32Array.from(direction)
    : await residualVector(model, direction, { input, signal });
  const other = points.find(({ axes }) => axes.at(-1) !== "d_model");
  if (!isList(direction) && other)
    throw createError(
      "InputError",
      `the vector has a number for each dimension of the residual stream, so it cannot be added at \`${other.name}\`, whose axes are ${other.axes.join(" ")}`,
    );
  const data = isList(direction) ? vector : pick(vector, lab.dim);
  checkFinite(data);
  return points.map(({ name }) => ({ at: name, shape: [data.length], data }));
}

function isList(direction: Direction): direction is readonly number[] {
  return Array.isArray(direction);
}

/** The values at these indices, which must exist; all without indices. */
function pick(vector: Float32Array, indices: number | readonly number[] | undefined) {
  if (indices === undefined) return vector;
  return Float32Array.from([indices].flat() as number[], (written) => {
    const index = fromStart(written, vector.length);
    if (index >= 0 && index < vector.length) return vector[index];
    throw createError(
      "InputError",
      `dimension ${index} is out of range: the vector has ${vector.length}`,
    );
  });
}

function checkFinite(data: Float32Array) {
  const found = data.findIndex((value) => !Number.isFinite(value));
  if (found >= 0)
    throw createError(
      "InputError",
      `the vector has ${data[found]} at index ${found}, expected finite numbers: the weights or the activations of this model are not finite`,
    );
}

/** A vector of the residual stream: `d_model` numbers. */
function residualVector(
  model: Steerable,
  direction: Exclude<Direction, readonly number[] | { difference: unknown }>,
  { input, signal }: { input: string | Uint32Array; signal?: AbortSignal },
): Promise<Float32Array> {
  if ("head" in direction) return headOutput(model, direction.head, { input, signal });
  if ("neuron" in direction) return neuronOutput(model, direction.neuron, signal);
  return tokenVector(model, direction, signal);
}

/**
 * The difference between two prompts at each point: the values at the last position of each. One subtraction of two
 * captured numbers, as `cache.get` gives them.
 */
async function differences(
  model: Steerable,
  lab: Omit<LabIntervention, "do">,
  points: readonly HookPoint[],
  [more, less]: readonly [string, string],
  signal?: AbortSignal,
): Promise<Summand[]> {
  const edges = points.find(({ axes }) => axes.includes("key"));
  if (edges)
    throw createError(
      "InputError",
      `the difference of two prompts is not defined at \`${edges.name}\`, whose keys are the tokens of each prompt`,
    );
  const names = points.map(({ name }) => name);
  const capture = (text: string) =>
    model.runWithCache(inputOf(model, text), { names, positions: [-1], signal });
  const [first, second] = [await capture(more), await capture(less)];
  return points.map(({ name, axes }) => {
    const [a, b] = [first.cache.get(name), second.cache.get(name)];
    const whole = Float32Array.from(a.data, (value, i) => value - b.data[i]);
    const found = select(whole, a.shape.slice(2), axes.slice(2), lab);
    checkFinite(found.data);
    return { at: name, ...found };
  });
}

/** The part of one position's values that an intervention selects: its heads, then its neurons or dimensions. */
function select(
  data: Float32Array,
  shape: readonly number[],
  axes: readonly string[],
  { head, neuron, dim }: Omit<LabIntervention, "do">,
) {
  const chosen = axes.map((axis, i) => {
    const listed = axis === "head" ? head : axis === "d_mlp" ? neuron : dim;
    const isSelectable = ["head", "d_mlp", "d_model", "d_head"].includes(axis);
    const indices =
      listed === undefined || !isSelectable
        ? Array.from({ length: shape[i] }, (_, index) => index)
        : ([listed].flat() as number[]).map((index) => fromStart(index, shape[i]));
    const outside = indices.find((index) => index < 0 || index >= shape[i]);
    if (outside !== undefined)
      throw createError(
        "InputError",
        `\`${axis}\` ${outside} is out of range: there are ${shape[i]}`,
      );
    return indices;
  });
  const flat = chosen.reduce(
    (bases, indices, i) => bases.flatMap((base) => indices.map((index) => base * shape[i] + index)),
    [0],
  );
  return {
    shape: chosen.map((indices) => indices.length),
    data: Float32Array.from(flat, (at) => data[at]),
  };
}

/** What a head writes into the residual stream at a position of the text: `hook_result`, as the run computes it. */
async function headOutput(
  model: Steerable,
  { layer, head, position = -1 }: { layer: number; head: number; position?: number },
  { input, signal }: { input: string | Uint32Array; signal?: AbortSignal },
): Promise<Float32Array> {
  const { n_layer: layers, n_head: heads } = model.config;
  const isThere = layer >= 0 && layer < layers && head >= 0 && head < heads;
  if (!isThere)
    throw createError(
      "InputError",
      `there is no head ${layer}.${head}: the model has ${layers} layers of ${heads} heads`,
    );
  const name = `blocks.${layer}.attn.hook_result`;
  const options = { names: [name], positions: [position], stopAtLayer: layer + 1, signal };
  const ids = await croppedInput(model, input, signal);
  const { data } = (await model.runWithCache(ids, options)).cache.get(name); // [1 1 head d_model]
  const width = data.length / heads;
  return Float32Array.from({ length: width }, (_, i) => data[head * width + i]);
}

/** A neuron's row of W_out. */
export async function neuronOutput(
  model: Pick<Steerable, "config" | "hookPoints" | "parameter">,
  { layer, neuron }: { layer: number; neuron: number },
  signal?: AbortSignal,
): Promise<Float32Array> {
  const at = `blocks.${layer}.mlp.hook_post`;
  if (layer >= model.config.n_layer || !model.hookPoints.some((point) => point.name === at))
    throw createError("HookError", `layer ${layer} has no neurons: the model has no \`${at}\``);
  return (await model.parameter(["W_out", layer], { d_mlp: neuron, signal })).data;
}

/** A token's column of W_U, or its row of W_E. */
async function tokenVector(
  model: Steerable,
  { token, of }: { token: string | number; of: "W_U" | "W_E" },
  signal?: AbortSignal,
): Promise<Float32Array> {
  const vocab = await singleToken(model, token, signal);
  return (await model.parameter(of, { vocab, signal })).data;
}
