// Selectors of hook points: their forms, and how they are resolved.
//
// A call sends names to the worker, or a glob or `/regular expression/` as it was written, which the model matches itself: its
// engine takes linear time, and its errors say why a model lacks a point. Everything else is resolved here.

import { createError, describe, hasStableName } from "./errors.js";
import {
  checkLength,
  layerOf,
  longForm,
  nearest,
  nearestNames,
  type SelectablePoint,
  shortForm,
  withoutLayer,
} from "./hook-names.js";
import { meaningOfOtherName } from "./other-names.js";
import { isRegExp } from "./realms.js";

/**
 * Which hook points:
 * - a text: the exact name, a glob with `*` and `?`, a `/regular expression/` with the flags i, m, s, or a short name such
 *   as "pattern", "resid_post" or "ln1.scale", which is that point in all layers
 * - a RegExp, which selects every point whose name it matches
 * - a short name with a layer, or several: ["pattern", 2], ["pattern", [0, -1]]. Negative layers count from the end. The short
 *   name may be a glob: ["*", 2] is layer 2
 * - a function that returns whether a point is selected
 * - a Selection, as `model.select` returns it
 * - an array of these, which selects what any of them does
 *
 * An array of two whose first item is a text, and whose second is a number or an array of numbers, is one short name with its
 * layers. Every other array is a list.
 *
 * A point *on request* is selected by its name, by a short name, by a glob whose last part has no `*` or `?` or that matches
 * nothing else, by a regular expression that matches it, and by a function, which is asked about every point.
 */
export type HookSelector =
  | string
  | RegExp
  | readonly [name: string, layers: number | readonly number[]]
  | ((point: SelectablePoint) => boolean)
  | SelectedPoints
  | readonly HookSelector[];

/** Points that were selected before: a `Selection`. */
export interface SelectedPoints {
  readonly points: readonly SelectablePoint[];
  readonly names: readonly string[];
}

/** The points of a model, and those of them among which one selects: all, or those that were selected before. */
interface Candidates {
  all: readonly SelectablePoint[];
  among: readonly SelectablePoint[];
  isRefinement: boolean;
}

/**
 * The points that a selector selects, in the order of the forward pass; at least one.
 * @param all the model's
 * @param selected those to choose from; all by default
 * @throws HookError if the selector, or an item of a list, selects nothing, with the nearest names; or if a function throws.
 *   InputError for a value that is no selector
 */
export function selectPoints(
  selector: HookSelector,
  all: readonly SelectablePoint[],
  selected?: readonly SelectablePoint[],
): SelectablePoint[] {
  const among = selected ?? all;
  const candidates = { all, among, isRefinement: selected !== undefined };
  const names = new Set(matched(selector, candidates).map(({ name }) => name));
  return among.filter(({ name }) => names.has(name));
}

/**
 * What a selector is for the model: names, globs and regular expressions.
 * @throws as selectPoints; a text that matches nothing fails only in the call, if it is not known what it means
 */
export function patternsOf(selector: HookSelector, points: readonly SelectablePoint[]): string[] {
  if (typeof selector === "string") return patternsOfText(selector, points);
  if (isList(selector))
    return [...new Set(selector.flatMap((one) => patternsOf(one as HookSelector, points)))];
  return namesOf(selectPoints(selector, points));
}

function patternsOfText(text: string, points: readonly SelectablePoint[]): string[] {
  checkLength(text);
  const isKnown = points.some(({ name }) => name === text);
  const source = regularExpression(text)?.source;
  if (source !== undefined && IS_BACKTRACKING.test(source))
    return namesOf(selectPoints(text, points));
  // Only what is surely no pattern of the model's engine is refused here.
  if (isKnown || (source !== undefined && !isOtherWord(source, points))) return [text];
  const fitting =
    source === undefined
      ? fittingText(text, { all: points, among: points, isRefinement: false })
      : [];
  if (fitting.length > 0) return isPattern(text) ? [text] : namesOf(fitting);
  const meaning = meaningOfOtherName(text, namesOf(points));
  if (meaning) throw nothing(text, meaning);
  return [text];
}

/** Look-around and back references, which the model's engine does not have: the page's has. */
const IS_BACKTRACKING = /\(\?<?[=!]|\\[1-9k]/;

/** Whether an expression is a word that no name contains. */
function isOtherWord(source: string, points: readonly SelectablePoint[]) {
  const word = source.toLowerCase();
  return /^[\w./]+$/.test(word) && !points.some(({ name }) => name.toLowerCase().includes(word));
}

/**
 * The only point that a selector selects.
 * @param what for messages: "`at` of mostActive"
 * @throws HookError if it selects several; otherwise as selectPoints
 */
export function selectOne(
  what: string,
  selector: HookSelector,
  points: readonly SelectablePoint[],
): string {
  const selected = selectPoints(selector, points);
  if (selected.length === 1) return selected[0].name;
  throw createError(
    "HookError",
    `${what} selects ${selected.length} hook points, expected one: ${listed(namesOf(selected))}`,
  );
}

/**
 * Resolves the selectors of one call.
 * @returns a function that gives what a selector is for the model; with `one`, which names the option, the point that it must
 *   select alone
 */
export function resolver(
  points: readonly SelectablePoint[],
): (selector: HookSelector, one?: string) => string[] {
  const known = new Map<string, string[]>(); // most of many interventions name the same points
  return (selector, one) => {
    if (one !== undefined) return [selectOne(one, selector, points)];
    const key = typeof selector === "string" || isPair(selector) ? JSON.stringify(selector) : "";
    const resolved = (key && known.get(key)) || patternsOf(selector, points);
    if (key) known.set(key, resolved);
    return resolved;
  };
}

function matched(selector: HookSelector, places: Candidates): SelectablePoint[] {
  if (typeof selector === "string") return matchedByText(selector, places);
  if (typeof selector === "function") return matchedByFunction(selector, places);
  if (isRegExp(selector)) return matchedByRegExp(selector, places);
  if (isPair(selector)) return matchedByPair(selector, places);
  if (isList(selector)) {
    if (selector.length === 0)
      throw createError("HookError", "an empty list selects no hook point, expected a selector");
    return selector.flatMap((one) => matched(one as HookSelector, places));
  }
  if (isSelected(selector)) return matchedByNames(selector.names, places);
  throw createError(
    "InputError",
    `a selector of hook points is ${describe(selector)}, expected a name such as "blocks.2.attn.hook_pattern" or "pattern", a pair such as ["pattern", 2], a RegExp, a function of a point, a Selection, or an array of these`,
  );
}

// ---- texts ----

function isPattern(text: string) {
  return text.startsWith("/") || /[*?]/.test(text);
}

function matchedByText(text: string, places: Candidates): SelectablePoint[] {
  checkLength(text);
  const expression = regularExpression(text);
  return expression
    ? matchedByRegExp(compile(expression, text), places, text)
    : found(text, fittingText(text, places), places);
}

/** The points that a name, a glob or a short name selects. */
function fittingText(text: string, { among, isRefinement }: Candidates): SelectablePoint[] {
  const exact = among.filter(({ name }) => name === text);
  if (exact.length > 0) return exact;
  if (isPattern(text))
    return matchedByGlob(
      text,
      among.map((point) => ({ point, text: point.name })),
      isRefinement,
    );
  const fitting = among.filter(({ name }) => [longForm(name), shortForm(name)].includes(text));
  const kinds = [...new Set(fitting.map(({ name }) => withoutLayer(name)))];
  if (kinds.length > 1)
    throw createError(
      "HookError",
      `${describe(text)} fits several points: ${quoted(kinds.map(longForm))}`,
    );
  return fitting;
}

/** The flags of a text. `g` changes nothing, because each name is matched once. */
const TEXT_FLAGS = "imsug";

/**
 * The parts of "/source/flags"; undefined for another text. Flags may stand in front as the model's engine has them, "/(?i)source/",
 * which JavaScript does not know.
 */
function regularExpression(text: string) {
  const parts = /^\/(?:\(\?([ims]+)\))?(.*)\/([a-z]*)$/s.exec(text);
  return parts ? { source: parts[2], flags: (parts[1] ?? "") + parts[3] } : undefined;
}

function compile({ source, flags }: { source: string; flags: string }, text: string): RegExp {
  const wrong = [...flags].find((flag) => !TEXT_FLAGS.includes(flag));
  if (wrong)
    throw createError(
      "HookError",
      `${describe(text)} has the flag ${wrong}, expected i, m, s, g or u`,
    );
  try {
    return new RegExp(source, [...new Set(flags)].join(""));
  } catch (error) {
    throw createError(
      "HookError",
      `${describe(text)} is not a regular expression: ${(error as Error).message}`,
    );
  }
}

/**
 * As the model does it: points on request only if the last part of the glob names them, or nothing else matches.
 * @param texts what is compared for each point
 * @param isRefinement the points were selected before, so that those on request have been asked for
 */
function matchedByGlob(
  glob: string,
  texts: readonly { point: SelectablePoint; text: string }[],
  isRefinement: boolean,
): SelectablePoint[] {
  const matching = texts.filter(({ text }) => globMatches(glob, text)).map(({ point }) => point);
  const plain = matching.filter(({ onRequest }) => !onRequest);
  const isNamed = !/[*?]/.test(glob.slice(glob.lastIndexOf(".") + 1));
  return isNamed || plain.length === 0 || isRefinement ? matching : plain;
}

/** `*` stands for any run of characters, `?` for one. Takes time in proportion to both lengths, however many stars there are. */
function globMatches(glob: string, name: string): boolean {
  // matched[n]: the part of the glob read so far matches the first n characters of the name.
  const matched = [true, ...Array<boolean>(name.length).fill(false)];
  for (const expected of glob) {
    if (expected === "*") {
      const shortest = matched.indexOf(true);
      if (shortest >= 0) matched.fill(true, shortest);
    } else {
      for (let n = name.length; n > 0; n--)
        matched[n] = matched[n - 1] && (expected === "?" || expected === name[n - 1]);
      matched[0] = false;
    }
  }
  return matched[name.length];
}

// ---- regular expressions, functions, pairs, selections ----

/** A copy is matched, so that `lastIndex` is neither read nor changed. A sticky expression must match from the first character. */
function matchedByRegExp(expression: RegExp, places: Candidates, text = String(expression)) {
  const { source, flags } = expression;
  const copy = new RegExp(source, flags.replace("g", ""));
  const matching = places.among.filter(({ name }) => {
    copy.lastIndex = 0;
    return copy.test(name);
  });
  return found(text, matching, places);
}

function matchedByFunction(predicate: (point: SelectablePoint) => boolean, { among }: Candidates) {
  const called = predicate.name
    ? `the function \`${predicate.name}\``
    : `the function ${excerpt(predicate)}`;
  const matching = among.filter((point) => {
    const answer: unknown = answerOf(predicate, point, called);
    if (typeof answer === "boolean") return answer;
    throw createError(
      "HookError",
      `${called} returned ${describe(answer)} for "${point.name}", expected true or false`,
    );
  });
  if (matching.length > 0) return matching;
  throw createError(
    "HookError",
    `${called} selects no hook point: it returned false for all ${among.length}, from "${among[0].name}" to "${among.at(-1)?.name}"`,
  );
}

function answerOf(
  predicate: (point: SelectablePoint) => boolean,
  point: SelectablePoint,
  called: string,
) {
  try {
    return predicate(point);
  } catch (error) {
    const thrown = error instanceof Error ? `${error.name}: ${error.message}` : describe(error);
    throw hasStableName(error)
      ? error
      : createError("HookError", `${called} threw ${thrown} for "${point.name}"`);
  }
}

function excerpt(predicate: object) {
  const source = String(predicate).replace(/\s+/g, " ");
  return `\`${source.length > 80 ? `${source.slice(0, 80)}…` : source}\``;
}

function matchedByPair(
  [short, layers]: readonly [string, number | readonly number[]],
  { all, among, isRefinement }: Candidates,
): SelectablePoint[] {
  checkLength(short);
  const asked = typeof layers === "number" ? [layers] : layers;
  const text = (name: string) => JSON.stringify([name, layers]);
  const count = 1 + Math.max(-1, ...all.map(({ name }) => layerOf(name) ?? -1));
  if (asked.length === 0)
    throw createError("HookError", `${text(short)} names no layer, expected one or more`);
  const wrong = asked.find((layer) => !Number.isInteger(layer) || layer < -count || layer >= count);
  if (wrong !== undefined)
    throw createError(
      "HookError",
      `${text(short)} names layer ${wrong}, expected ${-count} to ${count - 1}`,
    );
  const numbers = asked.map((layer) => (layer < 0 ? layer + count : layer));
  const ofLayers = among.filter(({ name }) => numbers.includes(layerOf(name) ?? -1));
  if (/[*?]/.test(short)) {
    const texts = ofLayers.map((point) => ({ point, text: withoutLayer(point.name) }));
    const matching = matchedByGlob(short, texts, isRefinement);
    if (matching.length > 0) return matching;
  }
  const fitting = ofLayers.filter(({ name }) =>
    [withoutLayer(name), longForm(name), shortForm(name)].includes(short),
  );
  const kinds = [...new Set(fitting.map(({ name }) => withoutLayer(name)))];
  if (kinds.length === 1) return fitting;
  if (kinds.length === 0 && isRefinement) throw notSelected(text(short), among);
  const known = [
    ...new Set(ofLayers.map(({ name }) => name).map(short.includes(".") ? longForm : shortForm)),
  ];
  const near = kinds.length ? kinds.map(longForm) : nearest(short, known);
  const what = kinds.length ? "fits several points" : "fits no hook point; the nearest are";
  const meaning = kinds.length ? undefined : meaningOfOtherName(short, namesOf(all));
  throw createError(
    "HookError",
    `${text(short)} ${what}: ${near.map(text).join(", ")}${meaning ? `; ${meaning}` : ""}`,
  );
}

function matchedByNames(names: readonly string[], { among }: Candidates): SelectablePoint[] {
  const known = new Map(among.map((point) => [point.name, point]));
  return names.map((name) => {
    const point = known.get(name);
    if (point) return point;
    throw createError(
      "HookError",
      `the selection has "${name}", which is not among these ${among.length} hook points; the nearest are ${quoted(nearest(name, [...known.keys()]))}`,
    );
  });
}

// ---- kinds of values ----

/** A text with a number or an array of numbers. */
function isPair(value: unknown): value is readonly [string, number | readonly number[]] {
  if (!Array.isArray(value) || value.length !== 2 || typeof value[0] !== "string") return false;
  const layers: unknown = value[1];
  return (
    typeof layers === "number" ||
    (Array.isArray(layers) && layers.every((layer) => typeof layer === "number"))
  );
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value) && !isPair(value);
}

function isSelected(value: unknown): value is SelectedPoints {
  if (typeof value !== "object" || value === null) return false;
  const { points, names } = value as Partial<SelectedPoints>;
  return Array.isArray(points) && Array.isArray(names);
}

// ---- messages ----

function namesOf(points: readonly { name: string }[]) {
  return points.map(({ name }) => name);
}

function found(
  text: string,
  points: SelectablePoint[],
  { all, among, isRefinement }: Candidates,
): SelectablePoint[] {
  if (points.length > 0) return points;
  if (isRefinement) throw notSelected(describe(text), among);
  const near = `the nearest are ${quoted(nearestNames(text, namesOf(among)))}`;
  throw nothing(text, meaningOfOtherName(text, namesOf(all)) ?? near, among.length);
}

/** Of a refinement, what the model has elsewhere does not help. */
function notSelected(what: string, among: readonly SelectablePoint[]) {
  return createError(
    "HookError",
    `${what} selects none of the ${among.length} selected hook point${among.length === 1 ? "" : "s"}: ${listed(namesOf(among))}`,
  );
}

function nothing(text: string, what: string, count?: number) {
  const points = count === undefined ? "no hook point" : `none of ${count} hook points`;
  return createError("HookError", `${describe(text)} selects ${points}; ${what}`);
}

function quoted(names: readonly string[]) {
  return names.map((name) => `"${name}"`).join(", ");
}

/** The first names, and how many more. */
export function listed(names: readonly string[]): string {
  const more = names.length > 8 ? `, and ${names.length - 8} more` : "";
  return quoted(names.slice(0, 8)) + more;
}
