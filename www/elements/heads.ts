// What <attention-heads>, <head-scores>, <head-table> and <head-scatter> share: heads as places in a grid, and the names of scores.

import type { LitElement } from "lit";

import { includesHead, isSameHead, type Head } from "../state/interventions.js";

export { includesHead, isSameHead, type Head };

/** Roving focus among elements with `data-layer` and `data-head`. */
export function headElements(host: LitElement) {
  return {
    placeOf: ({ dataset }: HTMLElement): Head | null =>
      dataset?.layer === undefined
        ? null
        : { layer: Number(dataset.layer), head: Number(dataset.head) },
    elementOf: ({ layer, head }: Head): HTMLElement | null =>
      host.renderRoot.querySelector(`[data-layer="${layer}"][data-head="${head}"]`),
  };
}

/** The scores: their titles and definitions. */
const KINDS: Record<string, [title: string, meaning: string]> = {
  previous_token: ["previous token", "mean attention to the token just before"],
  duplicate_token: ["same token", "mean attention to earlier occurrences of the same token"],
  induction: ["induction", "mean attention to the token that followed the same token before"],
  similarity: ["similarity", "similarity of the attention to that of the chosen head"],
};

/** The names of the scores that every model has. */
export const SCORES: readonly string[] = ["previous_token", "duplicate_token", "induction"];

/** The title of a score, or of another column. */
export function titleOf(kind: string) {
  return KINDS[kind]?.[0] ?? kind;
}

export function meaningOf(kind: string) {
  return KINDS[kind]?.[1] ?? kind;
}
