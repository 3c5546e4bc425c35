// The words of <two-prompts-view>: what can be compared, and why something cannot.

import { announced } from "../../draw/token.js";
import type { AlignedPair } from "../../session/align.js";
import { whyAbsent } from "../../session/architecture.js";
import type { Reading } from "../../session/reading.js";
import {
  alignedPrompts,
  hasPositions,
  placesOf,
  type LensQuantity,
  type Prompts,
} from "../../session/two-prompts.js";
import type { FigureState } from "./view.js";

export type Of = "attention" | "lens" | "activations" | "tokens" | "loss";

export interface ComparisonSettings {
  /** What the two runs are compared in. */
  of: Of;
  /** The number of the lens. */
  lens: LensQuantity;
}

export const TITLES: Readonly<Record<Of, string>> = {
  attention: "attention",
  lens: "lens",
  activations: "activations",
  tokens: "next tokens",
  loss: "log-probability",
};
export const LENS_TITLES: Readonly<Record<LensQuantity, string>> = {
  nextProbability: "probability of the next token",
  answerProbability: "probability of the answer",
  kl: "KL divergence from the final prediction, in nats",
};

/** The values of the residual stream after the last layer, if no hook point was chosen. */
export function hookOf({ hook, architecture }: FigureState) {
  return hook || `blocks.${(architecture.n_layer ?? 1) - 1}.hook_resid_post`;
}

/** A pair in words: its positions and tokens. */
export function pairWords({ clean, corrupted }: Prompts, pair: AlignedPair) {
  const side = ({ tokens }: Reading, at: number | null) =>
    at === null ? "none" : `${at} ${announced(tokens[at])}`;
  const [mine, theirs] = [side(clean, pair.clean), side(corrupted, pair.corrupted)];
  return mine === theirs ? mine : `${mine} (clean) and ${theirs} (corrupted)`;
}

/** Why there is no difference; empty if there is one. */
export function whyNot(figure: FigureState, { of, lens }: ComparisonSettings): string {
  const { reading, corrupted, points, architecture, answer, position } = figure;
  if (!reading || !corrupted) return "";
  if (of === "activations") {
    const hook = hookOf(figure);
    const point = points.find(({ name }) => name === hook);
    const absent = whyAbsent(hook, architecture);
    if (!point)
      return `This model has no hook point ${hook.slice(0, 80)}${absent ? `: ${absent}` : ""}.`;
    if (!hasPositions(point)) return `The values at ${hook} have no positions to align.`;
  }
  if (of === "lens" && lens === "answerProbability" && answer === null)
    return "Choose an answer first: the token whose probability is compared.";
  if (of === "tokens" && placesOf(alignedPrompts(reading, corrupted), position) === null)
    return position !== null && position >= reading.ids.length
      ? `The text has no position ${position}: its last is ${reading.ids.length - 1}.`
      : `Position ${position} of the clean prompt has no partner in the corrupted one. Choose another token above.`;
  return "";
}
