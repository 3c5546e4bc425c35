// The calls that toPython takes: one method of the model with its options.

import { createError, describe } from "./errors.js";
import type {
  Checkpoint,
  GenerateOptions,
  Input,
  IntegratedGradientsOptions,
  Notice,
  PatchingOptions,
  PathPatchingOptions,
  RunOptions,
  Transform,
} from "./generated.js";
import { readInput } from "./input.js";
import {
  isPlainObject,
  PROGRESSING,
  type Progressing,
  type Rules,
  SHOWING,
  type Showing,
  splitOptions,
} from "./options.js";
import type { Prompt } from "./worker-api.js";

/** A method by its name: its options, and `input` if it takes one. */
export type ModelCall =
  | { runWithCache: RunOptions & Showing & { input: Input } }
  | { generate: GenerateOptions & Showing & { input: Input } }
  | { patching: PatchingOptions & Progressing }
  | { pathPatching: PathPatchingOptions & Progressing }
  | { integratedGradients: IntegratedGradientsOptions & Progressing & { input: Input } };

interface Method {
  /** its options that are not sent to the worker */
  rules: Rules<object>;
  takesInput: boolean;
}

const METHODS: Record<string, Method> = {
  runWithCache: { rules: SHOWING, takesInput: true },
  generate: { rules: SHOWING, takesInput: true },
  patching: { rules: PROGRESSING, takesInput: false },
  pathPatching: { rules: PROGRESSING, takesInput: false },
  integratedGradients: { rules: PROGRESSING, takesInput: true },
};

/** What `GPT2LMHeadModel.from_pretrained` loads, as `Checkpoint` names it. */
const LOADED_BY_SCRIPTS = { family: "Hugging Face GPT-2", formats: ["safetensors", "PyTorch"] };

/**
 * Checks that a script can load the weights of a model.
 * @param folder that the caller names, if any
 * @throws InputError
 */
export function checkLoadable(
  model: {
    checkpoint: Checkpoint;
    transforms: readonly Transform[];
    report: readonly Notice[];
  },
  folder: string | undefined,
): void {
  const { family, format } = model.checkpoint;
  if (
    folder === undefined &&
    !(family === LOADED_BY_SCRIPTS.family && LOADED_BY_SCRIPTS.formats.includes(format))
  )
    throw createError(
      "InputError",
      `transformers does not load a checkpoint of ${family} (${format}): save it as a GPT-2 of Hugging Face, and pass that \`folder\` to toPython`,
    );
  const replaced = model.report.some(({ kind }) => kind === "replaced") ? ["withParameters"] : [];
  const done = [...replaced, ...model.transforms].join(", ");
  if (done)
    throw createError(
      "InputError",
      `the weights were rewritten (${done}), and Python would load those of the checkpoint: call toPython of the model that was loaded`,
    );
}

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
