// Indices that count from the end if they are negative, as those of the API, become those that count from 0 once the model is
// known. What the model does not have stays as it was written, so that messages can say it.

import type { Head, LabIntervention, Recipe } from "./interventions.js";

/** What a model has. */
export interface Sizes {
  layers: number;
  heads: number;
  /** `d_mlp`; 0 for a model with attention only */
  neurons: number;
  /** `d_model` */
  width: number;
}

/** The index that counts from 0; one that is out of range as it is. */
export function fromStart(index: number, length: number): number {
  return index < 0 && index >= -length ? index + length : index;
}

/** An intervention with the indices that the model has counted from 0; the same object if they already are. */
export function countedFromStart(
  lab: LabIntervention,
  sizes: Sizes,
  points: readonly { name: string; axes: readonly string[] }[],
): LabIntervention {
  const { at } = lab;
  // A selector stays as it was written. How many dimensions its points have is left to the API.
  const lastAxis = points.find(({ name }) => name === at)?.axes.at(-1);
  const width = lastAxis === "d_head" ? sizes.width / sizes.heads : sizes.width;
  const counted = {
    ...lab,
    ...each("layer", lab.layer, sizes.layers),
    ...each("head", lab.head, sizes.heads),
    ...each("neuron", lab.neuron, sizes.neurons),
    ...(lastAxis !== undefined && each("dim", lab.dim, width)),
    do: recipeFromStart(lab.do, sizes),
  };
  return JSON.stringify(counted) === JSON.stringify(lab) ? lab : counted;
}

type Chosen = number | readonly number[] | undefined;

function each(name: "layer" | "head" | "neuron" | "dim", chosen: Chosen, length: number) {
  if (chosen === undefined) return {};
  const one = (index: number) => fromStart(index, length);
  return { [name]: typeof chosen === "number" ? one(chosen) : chosen.map(one) };
}

function recipeFromStart(recipe: Recipe, { layers, heads, neurons }: Sizes): Recipe {
  if (typeof recipe === "string" || !("add" in recipe)) return recipe;
  const { add } = recipe;
  if ("head" in add) {
    const { layer, head } = add.head;
    const counted: Head = { layer: fromStart(layer, layers), head: fromStart(head, heads) };
    return { ...recipe, add: { head: { ...add.head, ...counted } } };
  }
  if ("neuron" in add) {
    const { layer, neuron } = add.neuron;
    const counted = { layer: fromStart(layer, layers), neuron: fromStart(neuron, neurons) };
    return { ...recipe, add: { neuron: counted } };
  }
  return recipe;
}

/** A layer, head or neuron that an intervention names and the model does not have: "head 9.1"; and what it has instead. */
export interface Missing {
  part: string;
  /** "2 layers of 4 heads, counted from 0" */
  has: string;
}

/** What an intervention names first that the model does not have; null if it has all of it. */
export function missingPart(
  { at, layer, head, neuron, do: recipe }: LabIntervention,
  sizes: Sizes,
): Missing | null {
  const written = typeof at === "string" ? /^blocks\.(\d+)\./.exec(at)?.[1] : undefined;
  const named = written === undefined ? layer : Number(written);
  const { add } = typeof recipe === "object" && "add" in recipe ? recipe : { add: [] };
  return (
    missingIn({ layer: named, head }, sizes) ??
    missingIn({ layer: named, neuron }, sizes) ??
    missingIn("head" in add ? add.head : "neuron" in add ? add.neuron : {}, sizes)
  );
}

function missingIn(
  { layer, head, neuron }: { layer?: Chosen; head?: Chosen; neuron?: Chosen },
  { layers, heads, neurons }: Sizes,
): Missing | null {
  const isNeuron = neuron !== undefined;
  const [of, index, length] = isNeuron ? ["neuron", neuron, neurons] : ["head", head, heads];
  const [noLayer, none] = [outside(layer, layers), outside(index as Chosen, length as number)];
  if (noLayer === undefined && none === undefined) return null;
  const inner = none ?? (typeof index === "number" ? index : undefined);
  const outer = noLayer ?? (typeof layer === "number" ? layer : "*");
  return {
    part: inner === undefined ? `layer ${outer}` : `${of} ${outer}.${inner}`,
    has: `${count(layers, "layer")} of ${count(length as number, of as string)}, counted from 0`,
  };
}

function outside(chosen: Chosen, length: number): number | undefined {
  if (chosen === undefined) return undefined;
  const isOutside = (index: number) => index < -length || index >= length;
  return ([chosen].flat() as number[]).find(isOutside);
}

function count(number: number, noun: string) {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
