// What a visitor writes to say where, as a selector of the API. selector-text.ts writes it back.

import { isPlainSelector, type PlainSelector } from "../state/interventions.js";
import { isExpression } from "./selector-text.js";

/** "-1", or a range such as "5-7". */
const LAYER = String.raw`(-?\d+)(?:(?:-|\s+-\s+)(\d+))?`;
/** "pattern 2", "pattern of layers 0, 2", "ln1.scale, layer -1". */
const WITH_LAYERS = new RegExp(
  String.raw`^([\w.*?]+)(?:\s+of)?(?:\s+layers?)?[\s,]+(${LAYER}(?:[\s,]+${LAYER})*)$`,
);
/** More layers than this are a slip. */
const MAX_LAYERS = 1000;

/**
 * The selector that a text is:
 * - a name, a short name, a glob or a /regular expression/, as it is
 * - a pair or a list, as JavaScript, JSON and Python write it: ["pattern", 2], ('pattern', [0, 1])
 * - a name with its layers, in words: pattern 2, pattern of layers 0, 2-4
 * @throws Error with a sentence, if it is none
 */
export function selectorOf(text: string): PlainSelector {
  const written = text.trim();
  if (written === "") throw new Error("Expected a hook point, such as pattern or blocks.0.hook_*.");
  if (isExpression(written)) return checked(written);
  if (/^[[("']/.test(written)) return parsed(written);
  const [, name, layers] = WITH_LAYERS.exec(written) ?? [];
  return name === undefined ? written : [name, numbersOf(layers)];
}

/** The selector that a text is, or the text itself, which a call then refuses. */
export function selectorOrText(text: string): PlainSelector {
  try {
    return selectorOf(text);
  } catch {
    return text;
  }
}

function parsed(written: string): PlainSelector {
  // Python's quotation marks and tuples; the parentheses of an expression stand in a text.
  const json = written
    .replace(/'([^'"\\]*)'/g, '"$1"')
    .replace(/"(?:[^"\\]|\\.)*"|[()]/g, (part) => ({ "(": "[", ")": "]" })[part] ?? part);
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    value = undefined;
  }
  if (isPlainSelector(value)) {
    checkAll(value);
    return value;
  }
  throw new Error(
    `“${shortened(written)}” is no selector: expected a pair such as ["pattern", 2] or ["pattern", [0, -1]], or a list such as ["pattern", "z"].`,
  );
}

function numbersOf(layers: string): number | number[] {
  const all = [...layers.matchAll(new RegExp(LAYER, "g"))].flatMap(([word, from, to]) => {
    const count = to === undefined ? 1 : Number(to) - Number(from) + 1;
    if (count < 1 || count > MAX_LAYERS)
      throw new Error(`“${word}” is no range of layers: expected one such as 0-2.`);
    return Array.from({ length: count }, (_, i) => Number(from) + i);
  });
  return all.length === 1 ? all[0] : all;
}

/** @throws as `checked`, for each regular expression of a list */
function checkAll(value: unknown): void {
  if (Array.isArray(value)) value.forEach(checkAll);
  else if (isExpression(value)) checked(value);
}

/** Marks of a regular expression that the model's engine does not have. */
const UNKNOWN_TO_MODEL = /\(\?(?:[=!]|<[=!])|\\[1-9]|\\k</;
const MAX_REPETITIONS = 3;

/**
 * A regular expression that the page may match while it is being written: the browser tries every way to divide a name between the
 * repetitions, which takes forever for one such as /(.+)+x/. The model's engine takes linear time.
 */
function checked(expression: string): string {
  const source = expression.slice(1, expression.lastIndexOf("/"));
  if (UNKNOWN_TO_MODEL.test(source))
    throw new Error(
      `${shortened(expression)} looks around or refers back, which the model's expressions do not: write it without (?=…), (?!…), (?<…) and \\1.`,
    );
  const plain = source.replace(/\\./gs, "x").replace(/\[(?:\^?\]?)[^\]]*\]/g, "x");
  const repetitions = plain.match(/[*+{]/g)?.length ?? 0;
  const isNested = /\)[*+{]/.test(plain);
  if (isNested || repetitions > MAX_REPETITIONS || (plain.match(/\?/g)?.length ?? 0) > 6)
    throw new Error(
      `${shortened(expression)} repeats a group, or repeats more than ${MAX_REPETITIONS} times, and may take too long to match here: write a simpler expression, or a list such as ["pattern", "z"].`,
    );
  return expression;
}

function shortened(text: string) {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
