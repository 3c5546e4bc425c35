// What a cell printed and returned, as plain data: text, tensors, patterns of attention, and how it failed.

import type { Tensor } from "../draw/matrix.js";
import { hasOwnText, type Printed, printed } from "../session/printed.js";

export type Output =
  | Printed
  | { kind: "written"; text: string }
  | {
      kind: "attention";
      title: string;
      patterns: readonly Tensor[];
      tokens: readonly string[];
      /** the head that is shown first */
      chosen: { layer: number; head: number };
    };

/** What `show` takes beside a value. */
export interface ShowOptions {
  /** the tokens of the text, for patterns of attention */
  tokens?: readonly string[];
  /** the head that is shown first; the layer is a place in the list of patterns */
  layer?: number;
  head?: number;
}

/** A value as an output. */
export function outputOf(value: unknown, options: ShowOptions = {}): Output {
  const { tokens, layer = 0, head = 0 } = options;
  const patterns = Array.isArray(value) ? value : [value];
  if (tokens && patterns.length > 0 && patterns.every(isPattern)) {
    const [{ shape, axes }] = patterns;
    if (!(layer in patterns && head in Array(shape[axes.indexOf("head")]).fill(0)))
      throw new RangeError(`show has no pattern of layer ${layer}, head ${head}`);
    const count = patterns.length > 1 ? `${patterns.length} × ` : "";
    return {
      kind: "attention",
      title: `${count}Tensor [${shape.join(", ")}]: ${axes.join(", ")}`,
      patterns,
      tokens,
      chosen: { layer, head },
    };
  }
  return hasText(value) ? { kind: "text", text: String(value) } : printed(value);
}

/** Text that is written bit by bit is one output. */
export function withOutput(outputs: readonly Output[], next: Output): Output[] {
  const last = outputs.at(-1);
  if (next.kind === "written" && last?.kind === "written")
    return [...outputs.slice(0, -1), { kind: "written", text: last.text + next.text }];
  return [...outputs, next];
}

function isPattern(value: unknown): value is Tensor {
  const { data, axes } = (value ?? {}) as Partial<Tensor>;
  return (
    data instanceof Float32Array &&
    Array.isArray(axes) &&
    ["head", "query", "key"].every((axis) => axes.includes(axis))
  );
}

/** Objects that say themselves what they are, such as a selection; tensors are drawn. */
function hasText(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value) || ArrayBuffer.isView(value) || value instanceof Error) return false;
  const { data } = value as { data?: unknown };
  return !(data instanceof Float32Array) && hasOwnText(value);
}
