// The form of an intervention as texts that the visitor edits: from an intervention to texts, and back with a sentence for
// each text that is none. Whether the model has what they name, the API says when the intervention is tried.

import type { Edge } from "../api/generated.js";
import type { Direction, LabIntervention, PlainSelector, Recipe } from "../state/interventions.js";
import type { Kind, PointChoice, Vector } from "./hook-choices.js";
import { selectorOf } from "./hook-text.js";
import { textOf } from "./selector-text.js";

export interface Draft {
  name: string;
  kind: Kind;
  /** The key of a `PointChoice`; empty if `pattern` says where. */
  point: string;
  /** A text that selects hook points: see hook-text.ts. */
  pattern: string;
  layer: string;
  head: string;
  neuron: string;
  dim: string;
  positions: string;
  step: string;
  scale: string;
  set: string;
  /** One a line. */
  texts: string;
  source: "corrupted" | "prompt";
  prompt: string;
  fromPositions: string;
  edges: string;
  renormalize: boolean;
  js: string;
  vector: Vector;
  more: string;
  less: string;
  /** "1.3" */
  vectorHead: string;
  vectorPosition: string;
  /** "1.300" */
  vectorNeuron: string;
  token: string;
  of: "W_U" | "W_E";
  numbers: string;
  times: string;
}

export type DraftField = keyof Draft;

export const EMPTY_DRAFT: Draft = {
  ...{ name: "", kind: "zero", point: "attn.hook_z", pattern: "" },
  ...{ layer: "", head: "", neuron: "", dim: "", positions: "", step: "" },
  ...{ scale: "0.5", set: "0", texts: "", source: "corrupted", prompt: "", fromPositions: "" },
  ...{
    edges: "",
    renormalize: true,
    js: "(x, { shape, positions }) => x.map((value) => 2 * value)",
  },
  ...{ vector: "difference", more: "", less: "", vectorHead: "", vectorPosition: "" },
  ...{ vectorNeuron: "", token: "", of: "W_U", numbers: "", times: "4" },
};

// ---- from an intervention ----

export function draftOf(lab: LabIntervention, choices: readonly PointChoice[]): Draft {
  const at = textOf(lab.at);
  const [, ofLayer, rest] = /^blocks\.(\d+|\*)\.(.*)$/.exec(at) ?? [];
  const choice = choices.find(
    ({ key, layers }) => key === (rest ?? at) && layers.length > 0 === (rest !== undefined),
  );
  const layer = ofLayer !== undefined && ofLayer !== "*" ? Number(ofLayer) : lab.layer;
  const isChoice = choice !== undefined && (ofLayer === "*" || lab.layer === undefined);
  return {
    ...EMPTY_DRAFT,
    name: lab.name ?? "",
    ...(isChoice ? { point: choice.key } : { point: "", pattern: at }),
    layer: written(isChoice ? layer : lab.layer),
    ...{ head: written(lab.head), neuron: written(lab.neuron), dim: written(lab.dim) },
    ...{ positions: written(lab.positions), step: written(lab.step) },
    ...recipeDraft(lab.do),
  };
}

function recipeDraft(recipe: Recipe): Partial<Draft> {
  if (typeof recipe === "string") return { kind: recipe };
  if ("scale" in recipe) return { kind: "scale", scale: String(recipe.scale) };
  if ("set" in recipe) return { kind: "set", set: [recipe.set].flat().join(", ") };
  if ("js" in recipe) return { kind: "js", js: recipe.js };
  if ("mean" in recipe) return { kind: "texts", texts: recipe.mean.texts.map(escaped).join("\n") };
  if ("knockOut" in recipe) {
    const { knockOut, renormalize = true } = recipe;
    return { kind: "knockOut", edges: knockOut.map(edgeText).join(", "), renormalize };
  }
  if ("from" in recipe) {
    const { from } = recipe;
    const fromPositions = written(recipe.fromPositions);
    return from === "corrupted"
      ? { kind: "from", source: "corrupted", fromPositions }
      : { kind: "from", source: "prompt", prompt: from.prompt, fromPositions };
  }
  return { kind: "add", times: String(recipe.times), ...directionDraft(recipe.add) };
}

function directionDraft(direction: Direction): Partial<Draft> {
  if (Array.isArray(direction)) return { vector: "numbers", numbers: direction.join(", ") };
  const given = direction as Exclude<Direction, readonly number[]>;
  if ("difference" in given) {
    const [more, less] = given.difference;
    return { vector: "difference", more, less };
  }
  if ("head" in given) {
    const { layer, head, position } = given.head;
    return { vector: "head", vectorHead: `${layer}.${head}`, vectorPosition: written(position) };
  }
  if ("neuron" in given)
    return { vector: "neuron", vectorNeuron: `${given.neuron.layer}.${given.neuron.neuron}` };
  const token = typeof given.token === "number" ? `#${given.token}` : given.token;
  return { vector: "token", token, of: given.of };
}

/** "4 → 2"; "*" stands for every query or key. */
export function edgeText({ query, key }: Edge) {
  return `${query ?? "*"} → ${key ?? "*"}`;
}

function written(chosen: number | readonly number[] | undefined) {
  return chosen === undefined ? "" : [chosen].flat().join(", ");
}

function escaped(text: string) {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

// ---- to an intervention ----

export type Problems = Partial<Record<DraftField, string>>;

/** The intervention, or what is wrong with each field. A field that the point or the action does not have is not read. */
export function interventionOf(
  draft: Draft,
  choices: readonly PointChoice[],
): { intervention: LabIntervention; problems: null } | { intervention: null; problems: Problems } {
  const problems: Problems = {};
  const read: Read = (field, parse) => {
    try {
      return parse(String(draft[field]));
    } catch (error) {
      problems[field] = (error as Error).message;
      return undefined;
    }
  };
  const { at, layer } = whereOf(draft, choices, read);
  const recipe = readRecipe(draft, read);
  const name = draft.name.trim();
  const intervention = {
    ...(name && { name }),
    at,
    ...defined({ layer, ...selectionOf(draft, choices, read) }),
    do: recipe as Recipe,
  };
  return Object.keys(problems).length > 0
    ? { intervention: null, problems }
    : { intervention, problems: null };
}

/** The value of a field, or undefined after its problem was noted. */
type Read = <T>(field: DraftField, parse: (text: string) => T) => T | undefined;

/** One layer is a part of the name; several are a glob and a list. */
function whereOf(
  { point }: Draft,
  choices: readonly PointChoice[],
  read: Read,
): { at: PlainSelector; layer?: number | number[] } {
  const choice = choices.find(({ key }) => key === point);
  if (!choice) return { at: read("pattern", selectorOf) ?? "", layer: read("layer", indices) };
  if (choice.layers.length === 0) return { at: choice.key };
  const layer = read("layer", indices);
  return typeof layer === "number" && layer >= 0
    ? { at: `blocks.${layer}.${choice.key}` }
    : { at: `blocks.*.${choice.key}`, layer };
}

function selectionOf({ point }: Draft, choices: readonly PointChoice[], read: Read) {
  const axes = axesOf(point, choices);
  const isAt = (...names: string[]) => names.some((axis) => axes.includes(axis));
  return {
    head: isAt("head") ? read("head", indices) : undefined,
    neuron: isAt("d_mlp") ? read("neuron", indices) : undefined,
    dim: isAt("d_model", "d_head") ? read("dim", indices) : undefined,
    positions: isAt("pos", "query") ? read("positions", positions) : undefined,
    step: read("step", steps),
  };
}

/** The axes of a point; all of them for a pattern, whose points only the model knows. */
export function axesOf(point: string, choices: readonly PointChoice[]): readonly string[] {
  const choice = choices.find(({ key }) => key === point);
  return choice?.axes ?? ["batch", "pos", "head", "query", "key", "d_mlp", "d_model"];
}

function readRecipe(draft: Draft, read: Read): Recipe | undefined {
  const { kind, source, renormalize } = draft;
  if (kind === "zero" || kind === "mean") return kind;
  if (kind === "add") {
    const [add, times] = [readDirection(draft, read), read("times", numeric)];
    return add === undefined || times === undefined ? undefined : { add, times };
  }
  if (kind === "from") {
    const prompt = source === "prompt" ? read("prompt", aPrompt) : "";
    const fromPositions = read("fromPositions", positions);
    const rows = fromPositions === undefined ? {} : { fromPositions: [fromPositions].flat() };
    return { from: source === "corrupted" ? source : { prompt: prompt ?? "" }, ...rows };
  }
  if (kind === "knockOut") {
    const knockOut = read("edges", edges);
    return knockOut && { knockOut, ...(!renormalize && { renormalize }) };
  }
  const parse: (text: string) => unknown = PARSERS[kind];
  const value = read(kind, parse);
  if (value === undefined) return undefined;
  return (kind === "texts" ? { mean: { texts: value } } : { [kind]: value }) as Recipe;
}

function readDirection(draft: Draft, read: Read): Direction | undefined {
  const { vector, of } = draft;
  if (vector === "difference") {
    const [more, less] = [read("more", aPrompt), read("less", aPrompt)];
    return more === undefined || less === undefined ? undefined : { difference: [more, less] };
  }
  if (vector === "head") {
    const head = read("vectorHead", (text) => pair(text, "a head as layer.head, such as 1.3"));
    const position = read("vectorPosition", (text) =>
      text.trim() ? whole(text.trim()) : undefined,
    );
    return head && { head: { layer: head[0], head: head[1], ...defined({ position }) } };
  }
  if (vector === "neuron") {
    const found = read("vectorNeuron", (text) =>
      pair(text, "a neuron as layer.number, such as 1.300"),
    );
    return found && { neuron: { layer: found[0], neuron: found[1] } };
  }
  if (vector === "numbers") return read("numbers", numberList);
  const token = read("token", (text) => required(text, "a single token, or # and its id"));
  if (token === undefined) return undefined;
  const id = /^#(\d+)$/.exec(token.trim())?.[1];
  return { token: id === undefined ? token : Number(id), of };
}

/** The layers that a field names; undefined if it names all, or is no list. */
export function layersOf(text: string): number | number[] | undefined {
  try {
    return indices(text);
  } catch {
    return undefined;
  }
}

/** The positions within a text that a field names; none if it names all, or is no list. */
export function positionsOf(text: string, count: number): number[] {
  try {
    const listed = positions(text);
    if (listed === undefined) return [];
    const all = [listed].flat().map((at) => (at < 0 ? at + count : at));
    return [...new Set(all)];
  } catch {
    return [];
  }
}

// ---- texts to values ----

const PARSERS = {
  scale: numeric,
  set: (text: string) => {
    const all = numberList(text);
    return all.length === 1 ? all[0] : all;
  },
  texts: (text: string) => {
    const lines = text.split("\n").filter((line) => line !== "");
    if (lines.length === 0) throw expected(text, "one or more texts, one a line");
    return lines.map((line) =>
      line.replaceAll(/\\([\\n])/g, (_, one) => (one === "n" ? "\n" : one)),
    );
  },
  js: (text: string) => required(text, "a function such as (x) => x"),
};

function expected(text: string, what: string) {
  const shown = text.length > 40 ? `${text.slice(0, 40)}…` : text;
  return new Error(
    text.trim() === "" ? `Expected ${what}.` : `“${shown}” does not fit: expected ${what}.`,
  );
}

function required(text: string, what: string) {
  if (text.trim() === "") throw expected(text, what);
  return text;
}

function aPrompt(text: string) {
  return required(text, "a prompt");
}

function numeric(text: string) {
  if (!/^[-+−]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text.trim())) throw expected(text, "a number");
  const value = Number(text.trim().replace("−", "-"));
  if (!Number.isFinite(value)) throw expected(text, "a number that is finite");
  return value;
}

function numberList(text: string) {
  const words = text.split(/[\s,;]+/).filter((word) => word !== "");
  if (words.length === 0) throw expected(text, "one or more numbers, separated by commas");
  return words.map(numeric);
}

function whole(word: string) {
  if (!/^[-−]?\d+$/.test(word)) throw expected(word, "a whole number");
  return Number(word.replace("−", "-"));
}

/** The most indices that a range may name. */
const MAX_INDICES = 2 ** 16;

/** "3", "0, 2" or "4-7"; undefined for all. */
function steps(text: string) {
  return listOf(
    text,
    /^(\d+)(?:\s*[-–]\s*(\d+))?$/,
    "numbers from 0, such as 3, or 0, 2, 5-7; empty for all",
  );
}

const FROM_END = /^([-−]?\d+)(?:\s*[-–]\s*(\d+))?$/;

/** The same; negative ones count from the end. */
function indices(text: string) {
  return listOf(text, FROM_END, "numbers such as 3, or 0, 2, 5-7, -1 for the last; empty for all");
}

/** The same; negative ones count from the end of the prompt. */
function positions(text: string) {
  return listOf(text, FROM_END, "positions such as 3, or 0, 2, 5-7, -1; empty for all");
}

function listOf(text: string, form: RegExp, what: string): number | number[] | undefined {
  const words = text.split(/[,;]/).map((word) => word.trim());
  if (words.every((word) => word === "")) return undefined;
  const all = words
    .filter((word) => word !== "")
    .flatMap((word) => {
      const [, first, last] = form.exec(word) ?? [];
      if (first === undefined) throw expected(word, what);
      const from = whole(first);
      const to = last === undefined ? from : Number(last);
      if (to < from || to - from > MAX_INDICES) throw expected(word, what);
      return Array.from({ length: to - from + 1 }, (_, i) => from + i);
    });
  return all.length === 1 ? all[0] : all;
}

function pair(text: string, what: string): [number, number] {
  const [, first, second] = /^\s*(\d+)\s*[.,]\s*(\d+)\s*$/.exec(text) ?? [];
  if (first === undefined) throw expected(text, what);
  return [Number(first), Number(second)];
}

function edges(text: string): Edge[] {
  const words = text.split(/[,;\n]/).filter((word) => word.trim() !== "");
  const what = "edges from a query to a key, such as 4 → 2, or * → 0 for every query";
  if (words.length === 0) throw expected(text, what);
  return words.map((word) => {
    const [, query, key] = /^\s*(-?\d+|\*)\s*(?:→|->|>)\s*(-?\d+|\*)\s*$/.exec(word) ?? [];
    if (query === undefined) throw expected(word, what);
    return {
      ...(query !== "*" && { query: Number(query) }),
      ...(key !== "*" && { key: Number(key) }),
    };
  });
}

function defined<T extends object>(record: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(record).filter(([, value]) => value !== undefined),
  ) as Partial<T>;
}
