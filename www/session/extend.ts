// A reading that grows while the model generates.

import { grow, sizeOf, type Tensor } from "../draw/matrix.js";
import { textOf, type Token } from "../draw/token.js";
import { idToken, withId } from "./ids.js";
import { type Alternative, patternOf, type Reading } from "./reading.js";
import { NOTHING_SHOWN } from "./shown-values.js";

/** One generated token. */
export interface GeneratedStep {
  id: number;
  string: Token;
  logProb: number;
  top: Alternative[];
  cache?: { get: (name: string) => Tensor };
}

/**
 * The reading with one generated token more. Its pattern has rows for the positions that the model has run so far. When
 * the context is full, the model reads only the end of the text, and the first token of the reading is dropped.
 * @param context how many tokens the model can read
 */
export function extend(reading: Reading, step: GeneratedStep, context: number = Infinity): Reading {
  const { isIds } = reading;
  const named = <T extends { id: number; string: Token }>(one: T): T =>
    isIds ? { ...one, string: idToken(one.id) } : one;
  const tops = [...reading.tops];
  tops[reading.ids.length - 1] = isIds ? step.top.map(named) : step.top;
  const patterns = reading.patterns.map((pattern, layer) => {
    if (!pattern || !step.cache) return pattern;
    const rows = step.cache.get(patternOf(layer));
    return sizeOf(rows, "query") === sizeOf(rows, "key") ? rows : grow(pattern, rows); // a whole prompt, or a cropped one
  });
  const gone = reading.ids.length > context ? 1 : 0;
  return {
    ...reading,
    text: isIds ? withId(reading.text, step.id) : reading.text + textOf(step.string),
    dropped: reading.dropped + gone,
    ids: Uint32Array.of(...reading.ids.subarray(gone), step.id),
    tokens: [...reading.tokens.slice(gone), named(step).string],
    logProbs: Float32Array.of(...reading.logProbs.subarray(gone), step.logProb),
    patterns,
    thumbnails: reading.thumbnails.map((small, layer) =>
      small === reading.patterns[layer] ? patterns[layer] : small,
    ),
    logits: gone ? null : reading.logits, // its rows are no longer those of the tokens
    plain: null,
    shown: NOTHING_SHOWN, // of the text before it
    tops: tops.slice(gone),
  };
}
