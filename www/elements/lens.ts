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
  /** [layer pos]; in nats */
  kl: Tensor;
};
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

/** How many places have no most probable token, because the logits are not finite. */
export function countNotFinitePlaces(lens: Lens) {
  const [, , top] = lensSize(lens);
  const { data } = lens.topProbabilities;
  let count = 0;
  for (let at = 0; at < data.length; at += top) if (Number.isNaN(data[at])) count += 1;
  return count;
}

/** The name of a row: "L2" for a layer's output. */
export function rowName(lens: Lens, layer: number) {
  const name = lens.topProbabilities.labels?.layer?.[layer] ?? `layer ${layer}`;
  return name.replace(/^blocks\.(\d+)\..*/, "L$1");
}
