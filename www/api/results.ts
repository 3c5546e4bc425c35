// Results of the worker, which are plain data, to the classes and types of the API.

import { Cache } from "./cache.js";
import type { HookPoint, Run, Step, Tokens } from "./generated.js";
import { Tensor, type TensorArray, type TensorDetails } from "./tensor.js";
import type { Captured, RunData, StepData, TensorData } from "./worker-api.js";

/** A run that stopped at a layer: a residual stream, and no predictions. */
export interface StoppedRun extends Omit<Run, "logits" | "residual" | "loss"> {
  logits: null;
  /** [1, T, d_model] before the block where the run stopped */
  residual: Tensor;
  loss: null;
}

/** A run, whether or not it stopped at a layer. */
export type AnyRun = Run | StoppedRun;

export function toTensor<Data extends TensorArray>(
  found: TensorData<Data>,
  details?: TensorDetails,
): Tensor<Data> {
  const { data, shape, axes, labels } = found;
  return new Tensor(data, shape, axes, labels, details);
}

/** Name and note of `logProbs`; the error for a missing axis `vocab` quotes them. */
export const LOG_PROBS: TensorDetails = {
  name: "logProbs",
  note: 'already those of the next tokens; logits.logSoftmax("vocab") has those of all tokens',
};

/** What a gradient is, under the name of its hook point. */
const GRADIENT: TensorDetails = { note: "the gradient", isWhole: false };

/** What the results of a run say of their model. */
export interface RunModel {
  readonly source: string;
  readonly hookPoints: readonly HookPoint[];
  tokenize(ids: Uint32Array): Promise<Tokens>;
}

/**
 * @param hasAllPositions whether captures have every position, so that their indices are those of the activations
 * @param interventions of the run, as JSON; empty for none
 */
export function toRun(
  model: RunModel,
  answer: RunData,
  hasAllPositions: boolean,
  interventions: string = "",
): AnyRun {
  const { ids, loss, logProbs, ranks, logits, residual, headScores, cache, gradients } = answer;
  const captured = tensorsByName(cache, { isWhole: hasAllPositions });
  const run = {
    loss,
    ids: toTensor(ids),
    logProbs: toTensor(logProbs, LOG_PROBS),
    ranks: toTensor(ranks),
    logits: logits && toTensor(logits),
    residual: residual && toTensor(residual),
    headScores: headScores && toTensor(headScores),
    cache: new Cache(captured, model.hookPoints, tensorsByName(gradients, GRADIENT), {
      model: model.source,
      ids: ids.data,
      tokens: (list) => model.tokenize(list),
      interventions,
    }),
  };
  return run as AnyRun; // a run has either logits or a residual stream
}

export function toStep(points: readonly HookPoint[], { cache, ...step }: StepData): Step {
  // A step may have its new positions only.
  return { ...step, cache: new Cache(tensorsByName(cache, { isWhole: false }), points) };
}

function tensorsByName(
  list: readonly Captured[],
  details: TensorDetails,
): ReadonlyMap<string, Tensor> {
  return new Map(list.map(({ name, value }) => [name, toTensor(value, { ...details, name })]));
}
