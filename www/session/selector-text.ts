// A selector of the API as a text, and what kind of selector it is.

import type { PlainSelector } from "../state/interventions.js";

/** The text of a selector: itself, or a pair as JavaScript writes it. */
export function textOf(selector: PlainSelector): string {
  return typeof selector === "string" ? selector : inner(selector);
}

function inner(value: unknown): string {
  return Array.isArray(value) ? `[${value.map(inner).join(", ")}]` : JSON.stringify(value);
}

/** A short name with its layers; undefined for another selector. */
export function layerPair(
  selector: PlainSelector,
): readonly [name: string, layers: number | readonly number[]] | undefined {
  if (typeof selector === "string" || selector.length !== 2) return undefined;
  const [name, layers] = selector as readonly [unknown, unknown];
  const isLayers = [layers].flat().every((layer) => typeof layer === "number");
  return typeof name === "string" && isLayers ? [name, layers as number] : undefined;
}

export function isExpression(value: unknown): value is string {
  return typeof value === "string" && /^\/.*\/[a-z]*$/s.test(value);
}
