// Results of the worker, which are plain data, to the classes and types of the API.

import { Cache } from "./cache.js";
import type { HookPoint, Run, Step } from "./generated.js";
import { Tensor, type TensorArray } from "./tensor.js";
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

export function toTensor<Data extends TensorArray>(found: TensorData<Data>): Tensor<Data> {
  const { data, shape, axes, labels } = found;
  return new Tensor(data, shape, axes, labels);
}

function toCache(
  points: readonly HookPoint[],
  captured: readonly Captured[],
  gradients: readonly Captured[] = [],
): Cache {
  return new Cache(tensorsByName(captured), points, tensorsByName(gradients));
}

export function toRun(points: readonly HookPoint[], answer: RunData): AnyRun {
  const { ids, loss, logProbs, ranks, logits, residual, headScores, cache, gradients } = answer;
  const run = {
    loss,
    ids: toTensor(ids),
    logProbs: toTensor(logProbs),
    ranks: toTensor(ranks),
    logits: logits && toTensor(logits),
    residual: residual && toTensor(residual),
    headScores: headScores && toTensor(headScores),
    cache: toCache(points, cache, gradients),
  };
  return run as AnyRun; // a run has either logits or a residual stream
}

export function toStep(points: readonly HookPoint[], { cache, ...step }: StepData): Step {
  return { ...step, cache: toCache(points, cache) };
}

function tensorsByName(list: readonly Captured[]): Map<string, Tensor> {
  return new Map(list.map(({ name, value }) => [name, toTensor(value)]));
}
