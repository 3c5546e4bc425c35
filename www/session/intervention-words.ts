// An intervention in words, for the list, for error messages and for screen readers.

import { formatShort } from "../draw/format.js";
import {
  type Direction,
  type Head,
  includesHead,
  type LabIntervention,
  type Recipe,
  zeroedHead,
} from "../state/interventions.js";
import { layerPair, textOf } from "./selector-text.js";

/** How many heads and other interventions are named in a sentence about all of them. */
const [MAX_HEADS, MAX_OTHERS] = [16, 3];

/**
 * What was changed in the model, for everything that shows numbers of it: "heads 1.0 and 1.1 switched off", or "head 1.0 switched off
 * and 1 intervention (zero at hook_mlp_out of layer 0)". Empty if nothing was.
 */
export function changeWords(list: readonly LabIntervention[]): string {
  const heads: Head[] = [];
  const others: LabIntervention[] = [];
  for (const { name: _, disabled, ...one } of list) {
    const head = zeroedHead(one);
    if (disabled) continue;
    if (!head) others.push(one);
    else if (!includesHead(heads, head)) heads.push(head);
  }
  const names = heads.map(({ layer, head }) => `${layer}.${head}`);
  const what = others.map((one) => `${whatItDoes(one.do)} at ${whereItActs(one)}`);
  const noun = others.length === 1 ? "1 intervention" : `${others.length} interventions`;
  return [
    ...(names.length > 0
      ? [`head${names.length === 1 ? "" : "s"} ${joined(names, MAX_HEADS)} switched off`]
      : []),
    ...(what.length > 0 ? [`${noun} (${joined(what, MAX_OTHERS, "; ")})`] : []),
  ].join(" and ");
}

/** "a, b and c" */
function joined(all: readonly string[], most: number, comma: string = ", ") {
  const more = all.length - most;
  if (more > 0) return `${all.slice(0, most).join(comma)} and ${more} more`;
  return comma === ", " && all.length > 1
    ? `${all.slice(0, -1).join(comma)} and ${all.at(-1)}`
    : all.join(comma);
}

/** What the visitor calls it, in quotation marks; otherwise what it does and where. */
export function nameOf(lab: LabIntervention): string {
  return lab.name ? `“${lab.name}”` : `${whatItDoes(lab.do)} at ${whereItActs(lab)}`;
}

/** "zero", "× 0.5", "patch from the second prompt". */
export function whatItDoes(recipe: Recipe): string {
  if (recipe === "zero") return "zero";
  if (recipe === "mean") return "mean over positions";
  if ("scale" in recipe) return `× ${number(recipe.scale)}`;
  if ("set" in recipe) return `set to ${values(recipe.set)}`;
  if ("js" in recipe) return "JavaScript function";
  if ("add" in recipe) return `add ${number(recipe.times)} × ${directionWords(recipe.add)}`;
  if ("mean" in recipe) {
    const { length } = recipe.mean.texts;
    return `mean over ${length} reference text${length === 1 ? "" : "s"}`;
  }
  if ("knockOut" in recipe) return `cut ${list(recipe.knockOut.map(edgeWords), 3)}`;
  const rows = recipe.fromPositions ? `, its positions ${list(recipe.fromPositions, 6)}` : "";
  return recipe.from === "corrupted"
    ? `patch from the second prompt${rows}`
    : `patch from ${quoted(recipe.from.prompt)}${rows}`;
}

/** "attn.hook_z of layer 1, head 3, positions 4, 5". */
export function whereItActs({
  at,
  layer,
  head,
  neuron,
  dim,
  positions,
  step,
}: LabIntervention): string {
  const pair = layerPair(at);
  const name = pair ? pair[0] : textOf(at);
  const [, ofLayer, rest] = /^blocks\.(\d+|\*)\.(.*)$/.exec(name) ?? [];
  const layers = pair
    ? pair[1]
    : ofLayer === "*" || ofLayer === undefined
      ? layer
      : Number(ofLayer);
  const among =
    layers !== undefined
      ? ` of ${indices("layer", layers)}`
      : ofLayer === "*"
        ? " of every layer"
        : "";
  const parts = [
    (rest ?? name) + among,
    head === undefined ? "" : indices("head", head),
    neuron === undefined ? "" : indices("neuron", neuron),
    dim === undefined ? "" : indices("dimension", dim),
    pair && layer !== undefined ? `of these ${indices("layer", layer)}` : "",
    positions === undefined ? "" : indices("position", positions),
    step === undefined ? "" : indices("step", step),
  ];
  return parts.filter((part) => part !== "").join(", ");
}

function indices(noun: string, chosen: number | readonly number[]) {
  const all = [chosen].flat() as number[];
  return `${noun}${all.length === 1 ? "" : "s"} ${list(all, 6)}`;
}

function directionWords(direction: Direction): string {
  if (Array.isArray(direction)) return `a vector of ${direction.length} numbers`;
  const recipe = direction as Exclude<Direction, readonly number[]>;
  if ("difference" in recipe) return `(${recipe.difference.map((one) => quoted(one)).join(" − ")})`;
  if ("head" in recipe) {
    const { layer, head, position } = recipe.head;
    return `what head ${layer}.${head} writes${position === undefined ? "" : ` at position ${position}`}`;
  }
  if ("neuron" in recipe)
    return `the direction of neuron ${recipe.neuron.layer}.${recipe.neuron.neuron}`;
  const token = typeof recipe.token === "number" ? `token ${recipe.token}` : quoted(recipe.token);
  return `${recipe.of} of ${token}`;
}

/** "query 4 → key 2". */
export function edgeWords({ query, key }: { query?: number; key?: number }) {
  return `${query ?? "every query"} → ${key ?? "every key"}`;
}

function values(set: number | readonly number[]) {
  return typeof set === "number" ? number(set) : `${set.length} numbers`;
}

function number(value: number) {
  return formatShort(value, 4);
}

function quoted(text: string) {
  const characters = [...text];
  return `“${characters.length > 24 ? `${characters.slice(0, 23).join("")}…` : text}”`;
}

function list(all: readonly (number | string)[], most: number) {
  const more = all.length - most;
  return more > 0 ? `${all.slice(0, most).join(", ")} and ${more} more` : all.join(", ");
}
