// The calls that toPython takes: one method of the model with its options.

import { createError, describe } from "./errors.js";
import type {
  GenerateOptions,
  Input,
  IntegratedGradientsOptions,
  PatchingOptions,
  PathPatchingOptions,
  RunOptions,
} from "./generated.js";
import { readInput } from "./input.js";
import {
  CANCELLABLE,
  type Cancellable,
  isPlainObject,
  PROGRESSING,
  type Progressing,
  type Rules,
  splitOptions,
} from "./options.js";
import type { Prompt } from "./worker-api.js";

/** A method by its name: its options, and `input` if it takes one. */
export type ModelCall =
  | { runWithCache: RunOptions & Cancellable & { input: Input } }
  | { generate: GenerateOptions & Cancellable & { input: Input } }
  | { patching: PatchingOptions & Progressing }
  | { pathPatching: PathPatchingOptions & Progressing }
  | { integratedGradients: IntegratedGradientsOptions & Progressing & { input: Input } };

interface Method {
  /** its options that are not sent to the worker */
  rules: Rules<Cancellable> | Rules<Progressing>;
  takesInput: boolean;
}

const METHODS: Record<string, Method> = {
  runWithCache: { rules: CANCELLABLE, takesInput: true },
  generate: { rules: CANCELLABLE, takesInput: true },
  patching: { rules: PROGRESSING, takesInput: false },
  pathPatching: { rules: PROGRESSING, takesInput: false },
  integratedGradients: { rules: PROGRESSING, takesInput: true },
};

/**
 * The method that a call names, its input, and the options that are sent to the worker.
 * @throws InputError
 */
export function readCall(call: unknown): {
  name: string;
  input: Prompt | undefined;
  options: Record<string, unknown>;
} {
  const [name, options] = namedOptions(call);
  const { rules, takesInput } = METHODS[name];
  if (!takesInput)
    return { name, input: undefined, options: splitOptions(name, options, rules).sent };
  const { input, ...given } = options;
  const { sent } = splitOptions(name, given, rules);
  const prompt = readInput(input);
  // The worker takes the input of a measurement as one of its options.
  return {
    name,
    input: prompt,
    options: name === "integratedGradients" ? { ...sent, input: prompt } : sent,
  };
}

function namedOptions(call: unknown): [name: string, options: Record<string, unknown>] {
  const expected = `expected one of ${Object.keys(METHODS).join(", ")}, such as { runWithCache: { input: "To be" } }`;
  const methods = isPlainObject(call) ? call : {};
  const names = Object.keys(methods);
  const [name] = names;
  if (names.length !== 1 || !Object.hasOwn(METHODS, name))
    throw createError(
      "InputError",
      `the call is ${names.length ? `{ ${names.join(", ")} }` : describe(call)}, ${expected}`,
    );
  const options = methods[name];
  if (!isPlainObject(options))
    throw createError(
      "InputError",
      `the options of ${name} are ${describe(options)}, expected an object`,
    );
  return [name, options];
}
