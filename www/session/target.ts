// The token whose logit the views explain: the one that was chosen, or else the likeliest next one.

import { createError } from "../api/errors.js";
import type { Answer, Intervention } from "../api/generated.js";
import type { Model } from "../api/model.js";
import type { Tensor } from "../draw/matrix.js";
import { likeliest, rowAt } from "./logits.js";
import { singleToken } from "./single-token.js";

/** What is needed of a model to find the target. */
export type Targeted = Pick<Model, "config" | "tokenize" | "runWithCache" | "hasTokenizer">;

/** What the visitor chose; null for the default. */
export interface TargetChoice {
  position: number | null;
  answer: Answer | null;
  against: Answer | null;
}

export interface Target {
  /** From 0. */
  position: number;
  answer: number;
  against: number | null;
  /** The logit of `answer`, less that of `against`, in the run. */
  logit: number;
  /** `answer` is the likeliest next token, because none was chosen. */
  isLikeliest: boolean;
}

/** The text as ids, its logits if they are there, and what is changed while it runs. */
export interface TargetText {
  ids: Uint32Array;
  /** `[position vocab]` */
  logits: Tensor | null;
  interventions: readonly Intervention[];
  signal?: AbortSignal;
}

/** @throws InputError if a chosen token is not a single token, or if no token is the likeliest */
export async function findTarget(
  model: Targeted,
  text: TargetText,
  choice: TargetChoice,
): Promise<Target> {
  const { ids, interventions, signal } = text;
  const position = positionIn(ids.length, choice.position);
  const known = rowAt(text.logits, position);
  const row =
    known ?? rowAt((await model.runWithCache(ids, { interventions, signal })).logits, position);
  if (!row) throw createError("InputError", `there are no logits at position ${position}`);
  const chosen = choice.answer === null ? null : await singleToken(model, choice.answer, signal);
  const [first] = chosen === null ? likeliest(row, 1) : [];
  const answer = chosen ?? first?.id;
  if (answer === undefined)
    throw createError(
      "InputError",
      `the logits after position ${position} are not finite, so no token is the likeliest: choose an answer`,
    );
  const against = choice.against === null ? null : await singleToken(model, choice.against, signal);
  const logit = row[answer] - (against === null ? 0 : row[against]);
  return { position, answer, against, logit, isLikeliest: chosen === null };
}

/** A position from 0, of one that may count from the end; null is the last. */
export function positionIn(length: number, position: number | null): number {
  const at = position === null ? length - 1 : position < 0 ? position + length : position;
  if (Number.isInteger(at) && at >= 0 && at < length) return at;
  throw createError(
    "InputError",
    `position ${position} is outside of the text, which has ${length} tokens`,
  );
}
