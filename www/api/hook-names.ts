// Names of hook points, and the short form that TransformerLens's users write: ["pattern", 2].

import { createError, describe } from "./errors.js";

/**
 * The name of a hook point, a `*` glob or a `/regular expression/`; or a short name with a layer, which is counted from the
 * end if it is negative: ["pattern", -1].
 */
export type HookName = string | readonly [string, number];

/** The time of a comparison grows with the square of the length. */
const MAX_NAME_LENGTH = 1000;

/**
 * The full name. A text is returned as it is: the model finds out whether it matches a point.
 * @param name ["pattern", 2] is "blocks.2.attn.hook_pattern"; ["ln1.scale", 0] tells ln1 from ln2
 * @param points the model's
 * @throws HookError if the short name fits no point of that layer, or several; InputError for another type
 */
export function hookName(name: HookName, points: readonly { name: string }[]): string {
  if (typeof name === "string") return name;
  if (
    !Array.isArray(name) ||
    name.length !== 2 ||
    typeof name[0] !== "string" ||
    !Number.isInteger(name[1])
  ) {
    throw createError(
      "InputError",
      `a hook name is ${describe(name)}, expected a text such as "blocks.2.attn.hook_pattern" or a pair such as ["pattern", 2]`,
    );
  }
  const [short, asked] = name;
  if (short.length > MAX_NAME_LENGTH)
    throw createError(
      "HookError",
      `a hook name has ${short.length} characters, expected at most ${MAX_NAME_LENGTH}; it begins with ${describe(short)}`,
    );
  const layers =
    1 + Math.max(...points.map((point) => Number(/^blocks\.(\d+)\./.exec(point.name)?.[1] ?? -1)));
  const layer = asked < 0 ? asked + layers : asked;
  const prefix = `blocks.${layer}.`;
  const ofLayer = points
    .filter((point) => point.name.startsWith(prefix))
    .map((point) => point.name.slice(prefix.length));
  if (ofLayer.length === 0)
    throw createError(
      "HookError",
      `["${short}", ${asked}] names layer ${asked}, expected ${-layers} to ${layers - 1}`,
    );
  const fitting = ofLayer.filter((full) => [full, longForm(full), shortForm(full)].includes(short));
  if (fitting.length === 1) return prefix + fitting[0];
  const near = fitting.length
    ? fitting.map(longForm)
    : nearest(short, ofLayer.map(short.includes(".") ? longForm : shortForm));
  const what = fitting.length ? "fits several points" : "fits no hook point; the nearest are";
  throw createError(
    "HookError",
    `["${short}", ${asked}] ${what}: ${near.map((form) => `["${form}", ${asked}]`).join(", ")}`,
  );
}

/** "attn.pattern" of "attn.hook_pattern". */
function longForm(full: string) {
  return full.replace("hook_", "");
}

/** "pattern" of "attn.hook_pattern". */
function shortForm(full: string) {
  return longForm(full).replace(/^.*\./, "");
}

/** The three of `known` with the smallest edit distance to `word`; names that contain it come first. */
export function nearest(word: string, known: readonly string[]) {
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
