// What the functions of interventions showed while a text was read: the first values, because each one is a copy that is kept.

import type { Shown } from "../api/options.js";

export interface ShownValues {
  /** in the order in which they were shown */
  values: readonly Shown[];
  /** how many more there were */
  more: number;
}

export const NOTHING_SHOWN: ShownValues = { values: [], more: 0 };

/** How many values are kept, and how many numbers in them (64 MB). */
const MAX_VALUES = 100;
const MAX_NUMBERS = 16 * 2 ** 20;

/** Collects what a run shows. */
export class ShownCollector implements ShownValues {
  values: Shown[] = [];
  more = 0;
  #numbers = 0;

  readonly add = (shown: Shown) => {
    const numbers = this.#numbers + sizeOf(shown.value);
    if (this.values.length === MAX_VALUES || (numbers > MAX_NUMBERS && this.values.length > 0)) {
      this.more += 1;
      return;
    }
    this.#numbers = numbers;
    this.values.push(shown);
  };
}

/** How many numbers or characters a value holds, with what is in it: it is a structured clone, so it holds no functions. */
function sizeOf(value: unknown, seen: Set<unknown> = new Set()): number {
  if (typeof value === "string") return value.length;
  if (typeof value !== "object" || value === null || seen.has(value)) return 1;
  seen.add(value);
  if (ArrayBuffer.isView(value)) return Math.ceil(value.byteLength / 4);
  if (value instanceof ArrayBuffer) return Math.ceil(value.byteLength / 4);
  const parts = value instanceof Map || value instanceof Set ? [...value] : Object.values(value);
  return parts.reduce((sum: number, part: unknown) => sum + sizeOf(part, seen), 0);
}
