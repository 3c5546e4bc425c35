// What a load asks, because the files do not say it: fields of the config, or which of several checkpoints is meant.

import { NORMALIZATIONS, POSITIONS } from "./architecture.js";

export type Value = string | number;

/** A field of the config that the files do not say, and the values that fit them; none for any number. */
export interface MissingField {
  field: string;
  choices?: readonly Value[];
}

/** What must be answered before the model can be loaded. */
export interface Question {
  /** what was recognised, and what is missing */
  message: string;
  missing: readonly MissingField[];
  checkpoints: readonly string[];
}

/** The options of `loadModel` that answer a question. */
export interface Answer {
  config?: Record<string, Value>;
  checkpoint?: string;
}

/** What a failed load asks; null if answers do not help. */
export function questionOf(error: unknown): Question | null {
  if (typeof error !== "object" || error === null) return null;
  const { message, missing, checkpoints } = error as Partial<Question>;
  const question = {
    message: String(message ?? ""),
    missing: Array.isArray(missing) ? (missing as MissingField[]) : [],
    checkpoints: Array.isArray(checkpoints) ? (checkpoints as string[]) : [],
  };
  return question.missing.length + question.checkpoints.length > 0 ? question : null;
}

/** Both answers; where they differ, the later one. */
export function withAnswer(former: Answer, answer: Answer): Answer {
  const config = { ...former.config, ...answer.config };
  const checkpoint = answer.checkpoint ?? former.checkpoint;
  return {
    ...(Object.keys(config).length > 0 && { config }),
    ...(checkpoint !== undefined && { checkpoint }),
  };
}

/** A field in words. */
const FIELDS: Record<string, string> = {
  n_head: "heads in each layer",
  n_layer: "layers",
  n_embd: "width of the residual stream",
  n_inner: "width of the MLPs",
  n_positions: "longest context, in tokens",
  vocab_size: "tokens in the vocabulary",
  position_embedding: "how the model knows positions",
  normalization_type: "normalization",
  activation_function: "activation function of the MLPs",
  layer_norm_epsilon: "epsilon of LayerNorm",
};

/** Sentences about the values of a field. */
const CHOICES: Record<string, Record<string, string>> = {
  position_embedding: POSITIONS,
  normalization_type: NORMALIZATIONS,
};

/** The name of a field for a visitor. */
export function fieldTitle(field: string): string {
  return FIELDS[field] ?? field;
}

/** What a value of a field means; empty if the value says it. */
export function choiceNote(field: string, value: Value): string {
  return CHOICES[field]?.[String(value)] ?? "";
}
