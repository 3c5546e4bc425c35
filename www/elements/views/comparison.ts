// The words of <two-prompts-view>: what can be compared, and why something cannot.

import { announced } from "../../draw/token.js";
import type { AlignedPair } from "../../session/align.js";
import { matchHooks, shownPoint } from "../../session/hook-match.js";
import type { Reading } from "../../session/reading.js";
import {
  alignedPrompts,
  hasPositions,
  placesOf,
  type LensQuantity,
  type PromptTokens,
} from "../../session/two-prompts.js";
import type { FigureState } from "./view.js";

export type Of = "attention" | "lens" | "activations" | "tokens" | "loss";

export interface ComparisonSettings {
  /** What the two runs are compared in. */
  of: Of;
  /** The number of the lens. */
  lens: LensQuantity;
  /** Which of several hook points is compared; the first, if it is none of them. */
  point: string;
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

/** What selects the hook points: the residual stream after the last layer, if nothing was chosen. */
export function hookOf({ hook, architecture }: FigureState) {
  return hook || `blocks.${(architecture.n_layer ?? 1) - 1}.hook_resid_post`;
}

/** The hook point that is compared; null if there is none. */
export function comparedPoint(figure: FigureState, { point }: Pick<ComparisonSettings, "point">) {
  const { points, architecture } = figure;
  return shownPoint(matchHooks(hookOf(figure), points, architecture), point);
}

/** A pair in words: its positions and tokens. */
export function pairWords({ clean, corrupted }: PromptTokens, pair: AlignedPair) {
  const side = ({ tokens }: Pick<Reading, "tokens">, at: number | null) =>
    at === null ? "none" : `${at} ${announced(tokens[at])}`;
  const [mine, theirs] = [side(clean, pair.clean), side(corrupted, pair.corrupted)];
  return mine === theirs ? mine : `${mine} (clean) and ${theirs} (corrupted)`;
}

/** Why there is no difference; empty if there is one. */
export function whyNot(figure: FigureState, settings: ComparisonSettings): string {
  const { reading, corrupted, points, answer, position } = figure;
  const { of, lens } = settings;
  if (!reading || !corrupted) return "";
  if (of === "activations") {
    const name = comparedPoint(figure, settings);
    const point = points.find((one) => one.name === name);
    if (!point) return "Nothing is compared, because the box selects no hook point.";
    if (!hasPositions(point)) return `The values at ${name} have no positions to align.`;
  }
  if (of === "lens" && lens === "answerProbability" && answer === null)
    return "Choose an answer first: the token whose probability is compared.";
  if (of === "tokens" && placesOf(alignedPrompts(reading, corrupted), position) === null)
    return position !== null && position >= reading.ids.length
      ? `The text has no position ${position}: its last is ${reading.ids.length - 1}.`
      : `Position ${position} of the clean prompt has no partner in the corrupted one. Choose another token above.`;
  return "";
}
