// Interventions as the state keeps them: those of the API, with recipes in place of numbers that must be computed first. A list
// of them is plain data: it can be undone, written to an address and stored.

import type { Edge, Intervention } from "../api/generated.js";

/** A head, by its place in the model. */
export type Head = { layer: number; head: number };

export function isSameHead(a: Head, b: Head) {
  return a.layer === b.layer && a.head === b.head;
}

export function includesHead(heads: readonly Head[], head: Head) {
  return heads.some((other) => isSameHead(other, head));
}

/** A selector that is plain data: a text, a short name with its layers, or several of these. */
export type PlainSelector =
  | string
  | readonly [name: string, layers: number | readonly number[]]
  | readonly PlainSelector[];

/** An intervention of the API with a recipe in place of its values. */
export type LabIntervention = Omit<Intervention, "do" | "at"> & {
  at: PlainSelector;
  /** What the visitor calls it. */
  name?: string;
  /** It stays in the list without effect. */
  disabled?: true;
  do: Recipe;
};

export type Recipe =
  | "zero"
  | "mean"
  | { scale: number }
  | { set: number | readonly number[] }
  | { knockOut: readonly Edge[]; renormalize?: boolean }
  /** the source text of a function of the selected values */
  | { js: string }
  /** a steering vector */
  | { add: Direction; times: number }
  /** a patch from another prompt */
  | { from: "corrupted" | { prompt: string }; fromPositions?: readonly number[] }
  /** the mean over a reference set */
  | { mean: { texts: readonly string[] } };

/** A vector that is computed from the model. */
export type Direction =
  /** the difference between two prompts: their values at `at`, each at the last position */
  | { difference: readonly [string, string] }
  /** what a head writes (`hook_result`); at the last position of the prompt, if none is named */
  | { head: Head & { position?: number } }
  /** a neuron's row of `W_out` */
  | { neuron: { layer: number; neuron: number } }
  /** a token's column of `W_U`, or its row of `W_E` */
  | { token: string | number; of: "W_U" | "W_E" }
  | readonly number[];

// ---- heads that are switched off ----

/** The intervention that switches a head off. */
export function zeroHead({ layer, head }: Head): LabIntervention {
  return { at: `blocks.${layer}.attn.hook_z`, head, do: "zero" };
}

/** The head that an intervention switches off, if it does exactly that. */
export function zeroedHead(intervention: LabIntervention): Head | null {
  const { at, head, do: recipe, ...others } = intervention;
  const layer = typeof at === "string" ? /^blocks\.(\d+)\.attn\.hook_z$/.exec(at)?.[1] : undefined;
  const isPlain = Object.values(others).every((value) => value === undefined);
  if (layer === undefined || typeof head !== "number" || recipe !== "zero" || !isPlain) return null;
  return { layer: Number(layer), head };
}

/** The heads that are switched off. */
export function headsOff(interventions: readonly LabIntervention[]): Head[] {
  return interventions.flatMap((one) => zeroedHead(one) ?? []);
}

/** The list with a head switched off, or on again. */
export function toggleHead(
  interventions: readonly LabIntervention[],
  head: Head,
): readonly LabIntervention[] {
  const isOther = (one: LabIntervention) => {
    const { disabled: _, name: __, ...plain } = one;
    const zeroed = zeroedHead(plain);
    return !zeroed || !isSameHead(zeroed, head);
  };
  if (includesHead(headsOff(interventions), head)) return interventions.filter(isOther);
  return [...interventions.filter(isOther), zeroHead(head)];
}

// ---- the second prompt ----

/** Whether an intervention takes values from the second prompt. */
export function patchesFromCorrupted({ do: recipe }: LabIntervention) {
  return typeof recipe === "object" && "from" in recipe && recipe.from === "corrupted";
}

// ---- code ----

/** Whether an intervention runs code. */
function isScript({ do: recipe, disabled }: LabIntervention) {
  return typeof recipe === "object" && "js" in recipe && !disabled;
}

/** Whether the function of an intervention that is on may show values. */
export function shows(one: LabIntervention) {
  return isScript(one) && /\bshow\b/.test((one.do as { js: string }).js);
}

/**
 * The list with its JavaScript disabled. A link, and what a browser stores, must not run code: it stays in the list without
 * effect until the visitor enables it.
 */
export function withoutScripts(interventions: readonly LabIntervention[]) {
  const hasScripts = interventions.some(isScript);
  const disabled = interventions.map((one) =>
    isScript(one) ? { ...one, disabled: true as const } : one,
  );
  return { hasScripts, interventions: hasScripts ? disabled : interventions };
}

// ---- what fits ----

type Check = (value: unknown) => boolean;

const isWhole: Check = (value) => Number.isSafeInteger(value);
const isIndex: Check = (value) => isWhole(value) && (value as number) >= 0;
const isNumber: Check = (value) => Number.isFinite(value);
const isText: Check = (value) => typeof value === "string";
const isFlag: Check = (value) => typeof value === "boolean";
const arrayOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const either =
  (...checks: Check[]): Check =>
  (value) =>
    checks.some((check) => check(value));
const oneOf =
  (...values: unknown[]): Check =>
  (value) =>
    values.includes(value);

/** A record that has all of the required fields, and no others than these and the optional ones. */
function record(required: Record<string, Check>, maybe: Record<string, Check> = {}): Check {
  const fields = { ...required, ...maybe };
  return (value) =>
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    Object.keys(required).every((name) => Object.hasOwn(value, name)) &&
    Object.entries(value).every(([name, one]) => Object.hasOwn(fields, name) && fields[name](one));
}

const isHead = record({ layer: isWhole, head: isWhole }, { position: isWhole });
const isPair: Check = (value) => arrayOf(isText)(value) && (value as unknown[]).length === 2;

const isDirection = either(
  record({ difference: isPair }),
  record({ head: isHead }),
  record({ neuron: record({ layer: isWhole, neuron: isWhole }) }),
  record({ token: either(isText, isIndex), of: oneOf("W_U", "W_E") }),
  arrayOf(isNumber),
);

const isRecipe = either(
  oneOf("zero", "mean"),
  record({ scale: isNumber }),
  record({ set: either(isNumber, arrayOf(isNumber)) }),
  record(
    { knockOut: arrayOf(record({}, { query: isWhole, key: isWhole })) },
    { renormalize: isFlag },
  ),
  record({ js: isText }),
  record({ add: isDirection, times: isNumber }),
  record(
    { from: either(oneOf("corrupted"), record({ prompt: isText })) },
    { fromPositions: arrayOf(isWhole) },
  ),
  record({ mean: record({ texts: arrayOf(isText) }) }),
);

const isSteps = either(isIndex, arrayOf(isIndex));
/** Negative ones count from the end. */
const isPlaces = either(isWhole, arrayOf(isWhole));

const isLayerPair: Check = (value) =>
  Array.isArray(value) && value.length === 2 && isText(value[0]) && isPlaces(value[1]);

/** Whether a value is a selector that is plain data. */
export function isPlainSelector(value: unknown): value is PlainSelector {
  if (isText(value) || isLayerPair(value)) return true;
  return Array.isArray(value) && value.length > 0 && value.every(isPlainSelector);
}

const REQUIRED: Record<string, Check> = { at: isPlainSelector, do: isRecipe };
const OPTIONAL: Record<string, Check> = {
  ...{ name: isText, disabled: oneOf(true), layer: isPlaces, head: isPlaces },
  ...{ neuron: isPlaces, dim: isPlaces, positions: isPlaces, step: isSteps },
};

/** Whether plain data has the form of an intervention. Only the model knows whether it has the point that is named. */
export const isIntervention: Check = record(REQUIRED, OPTIONAL);

/** What a field expects, if it is not a place of an axis. */
const EXPECTED: Readonly<Record<string, string>> = {
  at: "the name of a hook point",
  do: '"zero", "mean", or an object with one of scale, set, add and times, from, mean, knockOut, js',
  name: "a text",
  disabled: "true",
  step: "a whole number of at least 0, or a list of them",
};

/** Which part of a list of interventions does not fit, in words; empty if all do. @param written the list, or its JSON */
export function whyNoInterventions(written: unknown): string {
  let list = written;
  try {
    if (typeof written === "string") list = JSON.parse(written);
  } catch (error) {
    return `it is no JSON (${(error as Error).message})`;
  }
  if (!Array.isArray(list)) return "expected a list of interventions, in brackets";
  const at = list.findIndex((one) => !isIntervention(one));
  return at < 0 ? "" : `intervention ${at + 1} ${whyNoIntervention(list[at])}`;
}

function whyNoIntervention(value: unknown): string {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return "is no object, expected { at, do }";
  const fields = { ...REQUIRED, ...OPTIONAL };
  const missing = Object.keys(REQUIRED).find((name) => !Object.hasOwn(value, name));
  if (missing) return `has no \`${missing}\`, expected ${EXPECTED[missing]}`;
  const wrong = Object.entries(value).find(
    ([name, one]) => !Object.hasOwn(fields, name) || !fields[name](one),
  );
  const [name, one] = wrong ?? ["", null];
  return Object.hasOwn(fields, name)
    ? `has \`${name}\` ${shortened(one)}, expected ${EXPECTED[name] ?? "a whole number or a list of them"}`
    : `has a field \`${name}\`, expected only ${Object.keys(fields).join(", ")}`;
}

function shortened(value: unknown) {
  const written = JSON.stringify(value);
  return written.length > 60 ? `${written.slice(0, 59)}…` : written;
}
