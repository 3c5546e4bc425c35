// What <attention-heads>, <head-scores>, <head-table> and <head-scatter> share: heads as places in a grid.

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
