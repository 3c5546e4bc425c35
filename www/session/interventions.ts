// The interventions of the page as those of the API: recipes become numbers, which this file computes from runs of the model
// without interventions. A failure says which intervention failed; the run is then not made without it.

import { createError, hasStableName, type ErrorName } from "../api/errors.js";
import type { Action, Intervention } from "../api/generated.js";
import type { LabIntervention } from "../state/interventions.js";
import {
  croppedInput,
  inputOf,
  pointsOf,
  summands,
  type Steerable,
  type Summand,
} from "./directions.js";
import { nameOf } from "./intervention-words.js";

export interface ResolveContext {
  /** The text under study, or its ids. */
  input: string | Uint32Array;
  /** The second prompt, if there is one. */
  corrupted: string | null;
  signal?: AbortSignal;
}

/**
 * The interventions of a list that are enabled, as the API takes them, in the same order.
 * @throws the API's error with the name of the intervention in front
 */
export async function resolveInterventions(
  model: Steerable,
  list: readonly LabIntervention[],
  context: ResolveContext,
): Promise<Intervention[]> {
  return (await resolveEach(model, list, context)).flat();
}

/** The same, separately for each intervention of the list; none for those that are disabled. */
export async function resolveEach(
  model: Steerable,
  list: readonly LabIntervention[],
  context: ResolveContext,
): Promise<Intervention[][]> {
  const resolved: Intervention[][] = [];
  for (const [at, lab] of list.entries()) {
    try {
      resolved.push(lab.disabled ? [] : await resolve(model, lab, context));
    } catch (error) {
      throw named(error, list, at);
    }
  }
  return resolved;
}

/**
 * Runs the text with all of the interventions, so that the API checks what only a run can check.
 * @throws the API's error, with the name of the intervention that it is about in front
 */
export async function checkInterventions(
  model: Steerable,
  list: readonly LabIntervention[],
  context: ResolveContext,
): Promise<Intervention[]> {
  const each = await resolveEach(model, list, context);
  const { signal } = context;
  const interventions = each.flat();
  if (interventions.length > 0) {
    const input = await croppedInput(model, context.input, signal);
    try {
      await model.runWithCache(input, { names: [], interventions, signal });
    } catch (error) {
      throw await blame(model, list, each, { error, input, signal });
    }
  }
  return interventions;
}

/**
 * The error of a run with the name of the intervention that it is about: the first that fails alone. Unchanged if none does.
 * @param each what `resolveEach` returned
 */
export async function blame(
  model: Steerable,
  list: readonly LabIntervention[],
  each: readonly (readonly Intervention[])[],
  { error, input, signal }: { error: unknown } & Omit<ResolveContext, "corrupted">,
): Promise<unknown> {
  if (!["HookError", "InputError"].includes((error as Error).name)) return error;
  try {
    await model.runWithCache(input, { names: [], signal });
  } catch {
    return error; // it is about the text
  }
  for (const [at, interventions] of each.entries()) {
    if (interventions.length === 0) continue;
    try {
      await model.runWithCache(input, { names: [], interventions, signal });
    } catch (alone) {
      return named(alone, list, at);
    }
  }
  return error;
}

/** An error with the intervention's name in front. An abort is no failure of the intervention. */
function named(error: unknown, list: readonly LabIntervention[], at: number): unknown {
  if (!hasStableName(error) || error.name === "AbortError" || error.name === "WorkerError")
    return error;
  const which = list.length > 1 ? `intervention ${at + 1}, ` : "";
  const message = error.message.replace(/^(hook|input): /, "");
  return createError(error.name as ErrorName, `${which}${nameOf(list[at])}: ${message}`);
}

/** One intervention of the page is one or several of the API: a vector may differ from point to point. */
async function resolve(
  model: Steerable,
  lab: LabIntervention,
  context: ResolveContext,
): Promise<Intervention[]> {
  const { name: _, disabled: __, do: recipe, ...where } = lab;
  if (typeof recipe === "string") return [{ ...where, do: recipe }];
  if ("from" in recipe) {
    const { from, fromPositions } = recipe;
    const values = await valuesOf(model, lab, from, context);
    return [{ ...where, do: { from: values, ...(fromPositions && { fromPositions }) } }];
  }
  if ("mean" in recipe) {
    const mean = await meansOf(model, lab, recipe.mean.texts, context);
    return [{ ...where, do: { mean } }];
  }
  if (!("add" in recipe)) return [{ ...where, do: recipe as Action }];
  const { add: direction, times } = recipe;
  // Only a head's output depends on the text under study.
  const isOfText = !Array.isArray(direction) && "head" in direction;
  const key = JSON.stringify([
    lab.at,
    lab.layer,
    lab.head,
    lab.neuron,
    lab.dim,
    direction,
    isOfText && inputKey(context),
  ]);
  const found = await cached(model, key, () => summands(model, where, direction, context));
  const { layer: ___, ...selection } = where;
  return found.map(({ at, shape, data }) => ({
    ...selection,
    at,
    do: { add: { shape, data: data.map((value) => value * times) } },
  }));
}

function inputKey({ input }: ResolveContext) {
  return typeof input === "string" ? input : Array.from(input);
}

type Stored = Record<string, { shape: readonly number[]; data: Float32Array }>;

/** The values of another prompt at the points of an intervention. */
function valuesOf(
  model: Steerable,
  lab: LabIntervention,
  from: "corrupted" | { prompt: string },
  { corrupted, signal }: ResolveContext,
): Promise<Stored> {
  const prompt = from === "corrupted" ? corrupted : from.prompt;
  if (prompt === null || prompt === "")
    throw createError(
      "InputError",
      from === "corrupted"
        ? "it takes values from the second prompt, and there is none: write one, or give the intervention a prompt of its own"
        : "it takes values from another prompt, which is empty: write one",
    );
  const key = JSON.stringify(["from", lab.at, lab.layer, prompt]);
  return cached(model, key, async () => {
    const names = (await pointsOf(model, lab, signal)).map(({ name }) => name);
    const { cache } = await model.runWithCache(inputOf(model, prompt), { names, signal });
    return stored(names, cache);
  });
}

/** The means over the reference texts at the points of an intervention. */
function meansOf(
  model: Steerable,
  lab: LabIntervention,
  texts: readonly string[],
  { signal }: ResolveContext,
): Promise<Stored> {
  if (texts.length === 0)
    throw createError("InputError", "it has no reference texts: write one or more");
  const key = JSON.stringify(["mean", lab.at, lab.layer, texts]);
  return cached(model, key, async () => {
    const names = (await pointsOf(model, lab, signal)).map(({ name }) => name);
    const inputs = texts.map((text) => inputOf(model, text));
    return stored(names, await model.means({ texts: inputs, names, signal }));
  });
}

/** Plain data: it can be stored, and sent again and again. */
function stored(
  names: readonly string[],
  cache: { get(name: string): { shape: readonly number[]; data: ArrayLike<number> } },
): Stored {
  return Object.fromEntries(
    names.map((name) => {
      const { shape, data } = cache.get(name);
      return [name, { shape: [...shape], data: Float32Array.from(data) }];
    }),
  );
}

// ---- vectors that were computed before ----

type Computed = Summand[] | Stored;
/** How many numbers are kept for a model (64 MB). */
const MAX_NUMBERS = 16 * 2 ** 20;
const computed: WeakMap<Steerable, Map<string, Computed>> = new WeakMap();

/** What `compute` returned for the same model and recipe; the oldest results are forgotten first. */
async function cached<T extends Computed>(
  model: Steerable,
  key: string,
  compute: () => Promise<T>,
): Promise<T> {
  const known = computed.get(model) ?? new Map<string, Computed>();
  computed.set(model, known);
  const found = known.get(key) ?? (await compute());
  known.delete(key);
  known.set(key, found); // the newest is the last
  let count = 0;
  for (const [one, values] of [...known].reverse()) {
    count += numbersIn(values);
    if (count > MAX_NUMBERS && one !== key) known.delete(one);
  }
  return found as T;
}

function numbersIn(values: Computed) {
  return Object.values(values).reduce((sum: number, { data }) => sum + data.length, 0);
}
