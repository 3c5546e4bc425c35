// What <attention-heads> and <head-scores> share: heads as places in a grid.

import type { LitElement } from "lit";

export type Head = { layer: number; head: number };

export function isSameHead(a: Head, b: Head) {
  return a.layer === b.layer && a.head === b.head;
}

export function includesHead(heads: readonly Head[], head: Head) {
  return heads.some((other) => isSameHead(other, head));
}

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
