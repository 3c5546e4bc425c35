// Values that code printed, as what the code panel shows: tensors with their shape and axes, everything else as text.

import { formatCount, formatShort } from "../draw/format.js";
import type { Tensor } from "../draw/matrix.js";
import { countNotFinite } from "../draw/not-finite.js";

export type Printed =
  | { kind: "tensor"; title: string; preview: string; tensor: Tensor }
  | { kind: "text"; text: string }
  | {
      kind: "error";
      name: string;
      message: string;
      /** from 1; null if it is not known */
      line: number | null;
    };

/** Significant digits of a number in a preview. */
const DIGITS = 4;
/** A preview shows this many numbers of an array, elements of a list and fields of an object. */
const MAX_NUMBERS = 12;
const MAX_ITEMS = 40;
/** Values within values within values are counted, not shown. */
const MAX_DEPTH = 3;

export function printed(value: unknown): Printed {
  if (isTensor(value))
    return { kind: "tensor", title: titleOf(value), preview: numbersOf(value.data), tensor: value };
  return { kind: "text", text: typeof value === "string" ? value : textOf(value, 0) };
}

function isTensor(value: unknown): value is Tensor {
  const { data, shape, axes } = (value ?? {}) as Partial<Tensor>;
  return (
    data instanceof Float32Array &&
    Array.isArray(shape) &&
    Array.isArray(axes) &&
    axes.length === shape.length
  );
}

/** "Tensor [1, 4, 12, 12]: batch, head, query, key" */
function titleOf({ shape, axes, data }: Tensor) {
  const broken = countNotFinite(data);
  const notFinite =
    broken > 0
      ? `; ${formatCount(broken)} of ${formatCount(data.length)} values are not finite`
      : "";
  return `Tensor [${shape.join(", ")}]${axes.length > 0 ? `: ${axes.join(", ")}` : ""}${notFinite}`;
}

function numbersOf(data: ArrayLike<number>) {
  const shown = Array.from({ length: Math.min(data.length, MAX_NUMBERS) }, (_, at) =>
    formatShort(data[at], DIGITS),
  );
  const rest = data.length - shown.length;
  return shown.join(", ") + (rest > 0 ? `, … ${formatCount(rest)} more` : "");
}

function textOf(value: unknown, depth: number): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return `function ${value.name}`;
  if (typeof value !== "object" || value === null)
    return Object.is(value, -0) ? "-0" : String(value);
  if (isTensor(value)) return `${titleOf(value)}`;
  if (ArrayBuffer.isView(value)) return viewOf(value);
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  const list = Array.isArray(value) ? value : value instanceof Set ? [...value] : null;
  if (!list && depth > 0 && hasOwnText(value)) return String(value);
  const name = value.constructor?.name ?? "Object";
  if (depth >= MAX_DEPTH) return list ? `[${formatCount(list.length)} values]` : name;
  try {
    if (list)
      return bracket(
        "[",
        list.map((one) => textOf(one, depth + 1)),
        "]",
      );
    const entries = value instanceof Map ? [...value] : Object.entries(value);
    const fields = entries.map(([key, one]) => `${String(key)}: ${textOf(one, depth + 1)}`);
    const text = bracket("{ ", fields, " }");
    return name === "Object" ? text : `${name} ${text}`;
  } catch (error) {
    return `${name}, which cannot be shown (${(error as Error).message})`; // a getter failed
  }
}

/** Whether an object says itself what it is, such as a selection. A module and an object without a prototype are no text. */
export function hasOwnText(value: object): boolean {
  try {
    return !String(value).startsWith("[object "); // as the `toString` of all objects, also of those of another frame
  } catch {
    return false;
  }
}

function viewOf(value: ArrayBufferView) {
  const { name } = value.constructor;
  return value instanceof DataView
    ? `${name}(${value.byteLength})`
    : `${name}(${(value as Float32Array).length}) [${numbersOf(value as Float32Array)}]`;
}

function bracket(open: string, items: readonly string[], close: string) {
  if (items.length === 0) return (open + close).replace(/ {2}/, "");
  const rest = items.length - MAX_ITEMS;
  const shown = items.slice(0, MAX_ITEMS).join(", ");
  return `${open}${shown}${rest > 0 ? `, … ${formatCount(rest)} more` : ""}${close}`;
}
