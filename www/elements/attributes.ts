// What the attributes of <candle-scope> say and no view, model or dtype has: the sentences about it, and what is drawn in its place.

import { nearest, type SelectablePoint } from "../api/hook-names.js";
import { type Architecture, whyAbsent } from "../session/architecture.js";
import { matchHooks } from "../session/hook-match.js";
import { type Dtype, DTYPES } from "../session/memory.js";
import { fromStart } from "../state/indices.js";
import type { Stretch } from "../draw/scale.js";
import { VIEWS } from "./views/index.js";

/** The attributes as they were written; a number that is none is NaN. */
export interface Written {
  dtype: string;
  view: string;
  layer: number | null;
  head: number | null;
  scale: string;
  direction: string;
  hook: string;
  measured: string;
}

/** What is needed of a model. */
export interface Fitting {
  config: Architecture & { n_layer: number; n_head: number };
  hookPoints?: readonly SelectablePoint[];
}

/** What is drawn: each value is one that there is. */
export interface Fitted {
  dtype: Dtype;
  view: string;
  /** null for the strongest induction head */
  layer: number | null;
  head: number | null;
  scale: Stretch;
  direction: "from" | "to";
  measured: "text" | "random";
  problems: readonly string[];
}

/** @param model null while it is not there, so that its layers and heads are not known */
export function fitted(written: Written, model: Fitting | null): Fitted {
  const problems: string[] = [];
  const one = <T extends string>(
    name: string,
    value: string,
    known: readonly T[],
    instead: string = `${known[0]} is used`,
  ): T => {
    if ((known as readonly string[]).includes(value)) return value as T;
    problems.push(
      `${attribute(name, value)} is unknown, and ${instead}. There are ${listed(known)}.`,
    );
    return known[0];
  };
  const view = one("view", written.view, Object.keys(VIEWS), "the attention is drawn");
  const dtype = one("dtype", written.dtype, DTYPES);
  const scale = one<Stretch>("scale", written.scale, ["linear", "sqrt"]);
  const direction = one("direction", written.direction, ["from", "to"] as const);
  const measured = one("measured", written.measured, ["text", "random"] as const);
  const place = placeIn(written, model, problems);
  // The view of activations says itself that there is no such point.
  if (model && view !== "activations" && !hasPoint(model, written.hook))
    problems.push(absent(written.hook, model));
  return { dtype, view, scale, direction, measured, ...place, problems };
}

/** The layer and the head, counted from 0, if the model has them; otherwise none. */
function placeIn(
  written: Pick<Written, "layer" | "head">,
  model: Fitting | null,
  problems: string[],
): Pick<Fitted, "layer" | "head"> {
  const wrong = [
    { name: "layer", value: written.layer },
    { name: "head", value: written.head },
  ].filter(({ value }) => value !== null && !Number.isInteger(value));
  const instead = "The strongest induction head of the text is drawn.";
  for (const { name, value } of wrong)
    problems.push(
      `${Number.isNaN(value) ? `\`${name}\` is no number` : attribute(name, String(value))}: expected a whole number. ${instead}`,
    );
  if (wrong.length > 0) return { layer: null, head: null };
  const { n_layer: layers, n_head: heads } = model?.config ?? { n_layer: 0, n_head: 0 };
  const counted = (value: number | null, all: number) => value && fromStart(value, all);
  const [layer, head] = [counted(written.layer, layers), counted(written.head, heads)];
  const isKnown = (value: number | null) => value === null || value >= 0;
  // Without a model, an index that counts from the end is not known yet.
  if (!model)
    return isKnown(layer) && isKnown(head) ? { layer, head } : { layer: null, head: null };
  const exists = (value: number | null, all: number) =>
    value === null || (value >= 0 && value < all);
  if (exists(layer, layers) && exists(head, heads)) return { layer, head };
  const asked = [
    ...(layer === null ? [] : [attribute("layer", String(layer))]),
    ...(head === null ? [] : [attribute("head", String(head))]),
  ];
  problems.push(
    `There is no ${asked.join(" ")}: the model has ${range("layer", layers)} and ${range("head", heads)}. ${instead}`,
  );
  return { layer: null, head: null };
}

/** Also true for a model that does not say which points it has. */
function hasPoint({ hookPoints, config }: Fitting, hook: string) {
  return !hookPoints || matchHooks(hook, hookPoints, config).names.length > 0;
}

function absent(hook: string, { config, hookPoints = [] }: Fitting) {
  const reason = whyAbsent(hook, config);
  const names = hookPoints.map(({ name }) => name);
  return reason
    ? `The model has no ${attribute("hook", hook)}, because ${reason}.`
    : `The model has no ${attribute("hook", hook)}. The nearest are ${listed(nearest(hook, names))}.`;
}

/** Attributes that may be meant by one that is unknown. */
export function misspelt(names: readonly string[], known: readonly string[]): string[] {
  return names
    .filter((name) => /^[a-z]+$/.test(name) && !known.includes(name) && !GLOBAL.has(name))
    .flatMap((name) => {
      const near = known.find((one) => isNear(name, one));
      return near ? [`The attribute \`${name}\` is unknown; \`${near}\` may be meant.`] : [];
    });
}

/** Attributes that every element may have, and that a misspelt one could be near to. */
const GLOBAL: ReadonlySet<string> = new Set([
  "class",
  "dir",
  "hidden",
  "id",
  "lang",
  "part",
  "role",
  "slot",
  "style",
  "title",
]);

/** A name with one more, less or another letter. */
function isNear(a: string, b: string) {
  const [short, long] = a.length <= b.length ? [a, b] : [b, a];
  if (long.length - short.length > 1) return false;
  let start = 0;
  while (start < short.length && short[start] === long[start]) start += 1;
  const isSame = short.length === long.length;
  return short.slice(isSame ? start + 1 : start) === long.slice(start + 1);
}

// ---- words ----

/** `view="lents"`, shortened. */
function attribute(name: string, value: string) {
  return `\`${name}="${value.length > 60 ? `${value.slice(0, 59)}…` : value}"\``;
}

function listed(names: readonly string[]) {
  return names.map((name) => `\`${name}\``).join(", ");
}

/** "layers 0 to 3" */
function range(noun: string, count: number) {
  return count === 1 ? `only ${noun} 0` : `${noun}s 0 to ${count - 1}`;
}
