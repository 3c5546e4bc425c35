// The names of hook points: their layer, their short forms, and the names that are spelled most like a word.

import { createError, describe } from "./errors.js";

/** What selectors need of a hook point: the fields of `HookPoint`. */
export interface SelectablePoint {
  name: string;
  axes: string[];
  onRequest: boolean;
}

/** The time of a comparison grows with the square of the length. */
const MAX_NAME_LENGTH = 1000;

/** @throws HookError for a text that is too long to be compared with names */
export function checkLength(name: string): void {
  if (name.length > MAX_NAME_LENGTH)
    throw createError(
      "HookError",
      `a hook name has ${name.length} characters, expected at most ${MAX_NAME_LENGTH}; it begins with ${describe(name)}`,
    );
}

/** The layer of a point, if a block contains it: 2 of "blocks.2.attn.hook_pattern". */
export function layerOf(name: string): number | undefined {
  const layer = /^blocks\.(\d+)\./.exec(name)?.[1];
  return layer === undefined ? undefined : Number(layer);
}

/** "attn.hook_pattern" of "blocks.2.attn.hook_pattern". A name outside the blocks is returned whole. */
export function withoutLayer(name: string): string {
  return name.replace(/^blocks\.\d+\./, "");
}

/** "attn.pattern" of "blocks.2.attn.hook_pattern". */
export function longForm(name: string): string {
  return withoutLayer(name).replace("hook_", "");
}

/** "pattern" of "blocks.2.attn.hook_pattern". */
export function shortForm(name: string): string {
  return longForm(name).replace(/^.*\./, "");
}

/** The three of `known` with the smallest edit distance to `word`; names that contain it come first. */
export function nearest(word: string, known: readonly string[]): string[] {
  word = word.slice(0, MAX_NAME_LENGTH);
  const ranked = known.map((name) => ({
    name,
    distance: distance(word, name) - (name.includes(word) ? word.length : 0),
  }));
  return ranked
    .sort((a, b) => a.distance - b.distance)
    .slice(0, 3)
    .map(({ name }) => name);
}

/** The names that are nearest to a text, in its form: short ones, if it is short. */
export function nearestNames(text: string, names: readonly string[]): string[] {
  if (/^blocks\.|hook_|[*?/]/.test(text)) return nearest(text, names);
  const long = [...new Set(names.map(longForm))];
  if (text.includes(".")) return nearest(text, long);
  const isOnly = (short: string) => long.filter((one) => shortForm(one) === short).length === 1;
  return nearest(
    text,
    long.map((one) => (isOnly(shortForm(one)) ? shortForm(one) : one)),
  );
}

/** The Levenshtein distance. */
function distance(a: string, b: string) {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length];
}
