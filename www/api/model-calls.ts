// The calls of a model's functions in the worker, for the methods of Model: their options are checked, made plain data and sent.

import { createError } from "./errors.js";
import type { HookPoint, Measurements } from "./generated.js";
import { measure, withArguments } from "./measurement.js";
import type { ModelHandle, SendTo } from "./model-handle.js";
import {
  type Progressing,
  PROGRESSING,
  type Showing,
  SHOWING_PROGRESS,
  type ShowingProgress,
  splitOptions,
} from "./options.js";
import { resolver } from "./selectors.js";
import { serializeOptions } from "./serialize.js";
import { showListener } from "./show.js";
import type { Request } from "./worker-api.js";

/** The measurements that take interventions. */
const WITH_INTERVENTIONS: readonly (keyof Measurements)[] = [
  "logitLens",
  "attribution",
  "residual",
  "headScores",
  "tokenScores",
];

export class ModelCalls {
  #handle: ModelHandle | undefined;
  #points;

  constructor(handle: ModelHandle, points: readonly HookPoint[]) {
    this.#handle = handle;
    this.#points = points;
  }

  /** @throws InputError after end() */
  get handle(): ModelHandle {
    if (!this.#handle) throw createError("InputError", "the model was disposed of: load it again");
    return this.#handle;
  }

  /** The model is not called any more. */
  end(): void {
    this.#handle?.leave();
    this.#handle = undefined;
  }

  /** @param name of the method, for messages */
  async call<T>(name: string, { signal, onShow }: Showing, send: SendTo<T>): Promise<T> {
    return this.handle.call(send, { signal, name, onShow: showListener(onShow) });
  }

  /** @param fixed options that are arguments of the method */
  async measure<Name extends keyof Measurements>(
    name: Name,
    options: (object & ShowingProgress) | undefined,
    fixed: Record<string, unknown> = {},
  ): Promise<Measurements[Name]> {
    const { local, sent } = WITH_INTERVENTIONS.includes(name)
      ? splitOptions<ShowingProgress>(name, options, SHOWING_PROGRESS)
      : splitOptions<Progressing>(name, options, PROGRESSING);
    const rows = Array.isArray(fixed.input) ? fixed.input.length : 1;
    const request = this.serialize(name, withArguments(name, sent, fixed), rows);
    return measure(this.handle, name, request, local);
  }

  /** Options as plain data, with the full names of hook points. The call runs `rows` texts as a batch. */
  serialize(call: string, options: object, rows = 1): Request {
    return serializeOptions(call, options, resolver(this.#points), rows);
  }
}
