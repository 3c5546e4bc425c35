// Reading the results of `model.logitLens`: values by layer and position.

import type { Tensor } from "../draw/matrix.js";
import type { Token } from "../draw/token.js";

export type Place = { layer: number; position: number };
/** What `model.logitLens` returns; `topStrings` may also hold tokens with their bytes. */
export type Lens = {
  /** [layer pos top] */
  topProbabilities: Tensor;
  topStrings: readonly Token[];
  /** [layer pos]; the last position has no next token and is left out */
  nextProbability: Tensor;
  /** [layer pos]; from 0, NaN if it is unknown */
  nextRank: Tensor;
  /** [layer pos], of the answer if one was chosen; ranks count from 0 */
  answerProbability?: Tensor;
  answerRank?: Tensor;
  /** [layer pos]; in nats */
  kl: Tensor;
};
/**
 * What the cells show: the most probable token, the probability of the true next token, that of the chosen answer, or how far the
 * prediction is from the final one.
 */
export type LensShow = "top" | "next" | "answer" | "kl";
export type Guess = { token: Token; probability: number };
export type NextToken = { token: Token; probability: number; rank: number };

/** The lengths of layer, position and top. */
export function lensSize(lens: Lens | null): [layers: number, positions: number, top: number] {
  const [layers = 0, positions = 0, top = 0] = lens?.topProbabilities.shape ?? [];
  return [layers, positions, top];
}

/** The most probable next tokens at a place, in descending order. */
export function guessesAt(lens: Lens, { layer, position }: Place): Guess[] {
  const [, positions, top] = lensSize(lens);
  const from = (layer * positions + position) * top;
  return Array.from({ length: top }, (_, i) => ({
    token: lens.topStrings[from + i] ?? "",
    probability: lens.topProbabilities.data[from + i],
  }));
}

/** The true next token at a place; null at the end of the text. */
export function nextTokenAt(
  lens: Lens,
  tokens: readonly Token[],
  { layer, position }: Place,
): NextToken | null {
  const positions = lens.nextRank.shape[1];
  if (position >= positions) return null;
  const at = layer * positions + position;
  return {
    token: tokens[position + 1] ?? "",
    probability: lens.nextProbability.data[at],
    rank: lens.nextRank.data[at],
  };
}

/** The KL divergence from the model's final prediction, in nats. */
export function divergenceAt(lens: Lens, { layer, position }: Place) {
  return lens.kl.data[layer * lensSize(lens)[1] + position];
}

/** The answer's probability and rank at a place; null without an answer. */
export function answerAt(
  lens: Lens,
  { layer, position }: Place,
): { probability: number; rank: number } | null {
  const { answerProbability, answerRank } = lens;
  if (!answerProbability || !answerRank) return null;
  const at = layer * answerProbability.shape[1] + position;
  return { probability: answerProbability.data[at], rank: answerRank.data[at] };
}

/** The number that a cell is coloured by; null if there is none there. */
export function numberAt(
  lens: Lens,
  tokens: readonly Token[],
  place: Place,
  show: LensShow,
): number | null {
  if (show === "kl") return divergenceAt(lens, place);
  if (show === "answer") return answerAt(lens, place)?.probability ?? null;
  if (show === "next") return nextTokenAt(lens, tokens, place)?.probability ?? null;
  return guessesAt(lens, place)[0]?.probability ?? null;
}

/** The largest finite divergence: the end of its scale. */
export function maxDivergence({ kl }: Lens) {
  let max = 0;
  for (const value of kl.data) if (Number.isFinite(value) && value > max) max = value;
  return max;
}

/** How many places have no most probable token, because the logits are not finite. */
export function countNotFinitePlaces(lens: Lens) {
  const [, , top] = lensSize(lens);
  const { data } = lens.topProbabilities;
  let count = 0;
  for (let at = 0; at < data.length; at += top) if (Number.isNaN(data[at])) count += 1;
  return count;
}

/** The name of a row: "L2" for the point of a layer; other points by their names. */
export function rowName(lens: Lens, layer: number) {
  const name = lens.topProbabilities.labels?.layer?.[layer] ?? `layer ${layer}`;
  return name.replace(/^blocks\.(\d+)\..*/, "L$1");
}

/** Which state of the stream is read: "After L2" for resid_post. */
export function placeName(lens: Lens, layer: number) {
  const name = lens.topProbabilities.labels?.layer?.[layer] ?? "";
  const [, number = String(layer), point = "resid_post"] =
    /^blocks\.(\d+)\.hook_(\w+)$/.exec(name) ?? [];
  const names: Record<string, string> = {
    resid_pre: `Before L${number}`,
    resid_mid: `After the attention of L${number}`,
    attn_out: `From what the attention of L${number} writes`,
    mlp_out: `From what the MLP of L${number} writes`,
  };
  return names[point] ?? `After L${number}`;
}
