// The hook points that a text selects, and what to say about them: how many they are, or why there is none and what may be meant.

import {
  layerOf,
  longForm,
  nearest,
  nearestNames,
  type SelectablePoint,
  shortForm,
  withoutLayer,
} from "../api/hook-names.js";
import { replacementOf } from "../api/other-names.js";
import { selectPoints } from "../api/selectors.js";
import type { PlainSelector } from "../state/interventions.js";
import { type Architecture, plural, whyAbsent } from "./architecture.js";
import { selectorOf } from "./hook-text.js";
import { isExpression, layerPair, textOf } from "./selector-text.js";

/** What a text selects in a model. */
export interface HookMatch {
  /** null if the text is no selector */
  selector: PlainSelector | null;
  /** in the order of the forward pass; none if there is a problem */
  names: readonly string[];
  /** why there is none, in sentences with names in backticks; empty if there is one */
  problem: string;
  /** what may be meant, each a text that selects a point */
  proposals: readonly string[];
}

type Points = readonly SelectablePoint[];

/** The last answer for each list of points: several parts of the page ask about the same text. */
const answers: WeakMap<Points, { text: string; architecture: Architecture; match: HookMatch }> =
  new WeakMap();

/**
 * @param points the model's
 * @param architecture its config, which may say why it lacks a point
 */
export function matchHooks(text: string, points: Points, architecture: Architecture): HookMatch {
  const known = answers.get(points);
  if (known?.text === text && known.architecture === architecture) return known.match;
  const match = matched(text, points, architecture);
  answers.set(points, { text, architecture, match });
  return match;
}

function matched(text: string, points: Points, architecture: Architecture): HookMatch {
  let selector: PlainSelector;
  try {
    selector = selectorOf(text);
  } catch (error) {
    return none(null, (error as Error).message);
  }
  try {
    const names = selectPoints(selector, points).map(({ name }) => name);
    return { selector, names, problem: "", proposals: [] };
  } catch (error) {
    const { message } = error as Error;
    if (typeof selector !== "string")
      return none(selector, sentence(message), pairs(selector, points));
    // An expression may also be no expression.
    const selectsNone = !isExpression(selector) || message.includes(" selects none of ");
    return selectsNone ? absent(selector, points, architecture) : none(selector, sentence(message));
  }
}

function none(
  selector: PlainSelector | null,
  problem: string,
  proposals: readonly string[] = [],
): HookMatch {
  return { selector, names: [], problem, proposals };
}

// ---- why there is none ----

/** A name, a glob or a regular expression that selects nothing, or a short name of several kinds of points. */
function absent(text: string, points: Points, architecture: Architecture): HookMatch {
  const shown = `\`${text.slice(0, 80).replaceAll("`", "")}\``;
  const names = points.map(({ name }) => name);
  const kinds = [...new Set(names.map(withoutLayer))];
  const several = kinds.filter((kind) => shortForm(kind) === text);
  if (several.length > 1)
    return none(text, `${shown} is the short name of several hook points.`, several.map(longForm));
  const isPattern = /[*?/]/.test(text);
  const start = isPattern
    ? `No hook point of this model matches ${shown}`
    : `This model has no hook point ${shown}`;
  const reason = whyAbsent(text, architecture);
  if (reason) return none(text, `${start}: ${reason}.`);
  const other = replacementOf(text, names);
  const layers = names.flatMap((name) => layerOf(name) ?? []);
  const last = Math.max(...layers);
  const layer = layerOf(text) ?? other?.absentLayer?.layer;
  const isBeyond = layer !== undefined && layer > last;
  const sentences = [
    `${start}.`,
    isBeyond ? `Its layers are 0 to ${last}.` : "",
    other?.why ? sentence(other.why[0].toUpperCase() + other.why.slice(1)) : "",
  ];
  const inLast = isBeyond ? selecting([`blocks.${last}.${withoutLayer(text)}`], points) : [];
  const meant = [...inLast, ...selecting(other?.selectors ?? [], points)];
  const near = meant.length > 0 || isPattern ? [] : nearestNames(text, names);
  return none(text, sentences.filter(Boolean).join(" "), [...meant, ...near]);
}

/** What may be meant by a pair whose short name or layer is none. */
function pairs(selector: PlainSelector, points: Points): string[] {
  const pair = layerPair(selector);
  if (!pair) return [];
  const [short, layers] = pair;
  const names = points.map(({ name }) => name);
  const inBlocks = names.filter((name) => layerOf(name) !== undefined);
  const longForms = [...new Set(inBlocks.map(longForm))];
  const ofShort = longForms.filter((long) => long !== short && shortForm(long) === short);
  const other = replacementOf(short, names)?.selectors[0];
  const meant = [
    ...(ofShort.length > 1 ? ofShort : []),
    ...(typeof other === "string" ? [other] : []),
    ...(longForms.some((long) => [long, shortForm(long)].includes(short)) ? [short] : []),
  ];
  const known = short.includes(".") ? longForms : [...new Set(inBlocks.map(shortForm))];
  const words = meant.length > 0 ? meant : nearest(short, known);
  const found = (at: number | readonly number[]) =>
    selecting(
      words.map((word) => [word, at] as const),
      points,
    );
  const ofLayers = found(layers);
  return ofLayers.length > 0 ? ofLayers : found(-1);
}

/** The texts of those selectors that select a point: at most three. */
function selecting(selectors: readonly PlainSelector[], points: Points): string[] {
  const fitting = selectors.filter((selector) => {
    try {
      return selectPoints(selector, points).length > 0;
    } catch {
      return false;
    }
  });
  return [...new Set(fitting.map(textOf))].slice(0, 3);
}

function sentence(message: string) {
  return message.replace(/[.!]?$/, ".");
}

// ---- words ----

/** The names that are listed. */
const LISTED = 3;

/** "4 hook points", "blocks.0.attn.hook_pattern, …" and " and 1 more"; the parts, so that names can be drawn as code. */
export function countWords(names: readonly string[]): {
  count: string;
  listed: string;
  more: string;
} {
  const more = names.length - LISTED;
  return {
    count: plural(names.length, "hook point"),
    listed: names.slice(0, LISTED).join(", "),
    more: more > 0 ? ` and ${more} more` : "",
  };
}

/** The point that is drawn of those that a text selects: the chosen one, otherwise the first; null if there is none. */
export function shownPoint({ names }: HookMatch, chosen: unknown): string | null {
  return names.find((name) => name === chosen) ?? names[0] ?? null;
}

/** Those of some points that are in the given layers; all without layers. */
export function inLayers(
  names: readonly string[],
  layers: number | readonly number[] | undefined,
): string[] {
  const wanted = layers === undefined ? null : [layers].flat();
  return names.filter((name) => wanted === null || wanted.includes(layerOf(name) ?? -1));
}
