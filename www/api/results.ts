// Results of the worker, which are plain data, to the classes and types of the API.

import { Cache } from "./cache.js";
import type { Origin } from "./export/origin.js";
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

function toCache(
  points: readonly HookPoint[],
  captured: readonly Captured[],
  gradients: readonly Captured[] = [],
  origin: Origin | null = null,
): Cache {
  return new Cache(tensorsByName(captured), points, tensorsByName(gradients), origin);
}

/** What the results of a run say of their model. */
export interface RunModel {
  readonly source: string;
  readonly hookPoints: readonly HookPoint[];
  tokenize(ids: Uint32Array): Promise<Tokens>;
}

export function toRun(model: RunModel, answer: RunData): AnyRun {
  const { ids, loss, logProbs, ranks, logits, residual, headScores, cache, gradients } = answer;
  const run = {
    loss,
    ids: toTensor(ids),
    logProbs: toTensor(logProbs, LOG_PROBS),
    ranks: toTensor(ranks),
    logits: logits && toTensor(logits),
    residual: residual && toTensor(residual),
    headScores: headScores && toTensor(headScores),
    cache: toCache(model.hookPoints, cache, gradients, {
      model: model.source,
      ids: ids.data,
      strings: async (list) => (await model.tokenize(list)).strings,
    }),
  };
  return run as AnyRun; // a run has either logits or a residual stream
}

export function toStep(points: readonly HookPoint[], { cache, ...step }: StepData): Step {
  return { ...step, cache: toCache(points, cache) };
}

function tensorsByName(list: readonly Captured[]): Map<string, Tensor> {
  return new Map(list.map(({ name, value }) => [name, toTensor(value)]));
}
