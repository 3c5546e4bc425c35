// A call of runWithCache: one text, or several as a batch.

import { BatchRun } from "./batch.js";
import { interventionsText } from "./export/interventions.js";
import { isBatch, readInput, readInputs } from "./input.js";
import type { SendTo } from "./model-handle.js";
import { type AnyRun, type RunModel, toRun } from "./results.js";
import type { Request, RunData } from "./worker-api.js";

/** The option of a run through all layers. */
export type Whole = { stopAtLayer?: undefined };
/** The option of a run that stops at a layer. */
export type Stops = { stopAtLayer: number };

/** What is sent to the worker, and what becomes of its answer. */
interface RunCall {
  send: SendTo<RunData | RunData[]>;
  toResult(answer: RunData | RunData[]): AnyRun | BatchRun<AnyRun>;
}

/**
 * @param serialize the options of a run of this many texts
 * @throws InputError for an input that is no text and no ids
 */
export function runCall(
  input: unknown,
  model: RunModel,
  serialize: (rows: number) => Request,
): RunCall {
  if (!isBatch(input)) {
    const prompt = readInput(input);
    const request = serialize(1);
    const hasAll = (request.positions ?? null) === null;
    const interventions = interventionsText(request.interventions); // before their numbers are transferred
    return {
      send: (api, key, listener) => api.runWithCache(key, prompt, request, listener),
      toResult: (answer) => toRun(model, answer as RunData, hasAll, interventions),
    };
  }
  const prompts = readInputs(input);
  const request = serialize(prompts.length);
  const hasAll = (request.positions ?? null) === null;
  const interventions = interventionsText(request.interventions);
  const side = request.paddingSide === "left" ? "left" : "right"; // the worker refuses any other
  return {
    send: (api, key, listener) => api.runBatch(key, prompts, request, listener),
    toResult: (answers) =>
      new BatchRun<AnyRun>(
        (answers as RunData[]).map((answer) => toRun(model, answer, hasAll, interventions)),
        side,
      ),
  };
}
