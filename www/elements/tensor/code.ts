// A value or a part of a tensor as an expression of the JavaScript API, and of TransformerLens.

import type { Arrangement, NamedArray } from "../../draw/arrangement.js";
import type { Window } from "../../draw/lines.js";

/** The name of a hook point or a parameter, or an expression in one language or both. */
export type Source = string | { javascript: string; python?: string };
type Expressions = { javascript: string; python: string | null };

/** A weight by TransformerLens's name: `blocks.0.attn.W_Q`, `embed.W_E`, or `W_Q` of every layer. */
const TRANSFORMERLENS =
  /^((blocks\.\d+\.(attn|mlp|mlp\.ln|ln1|ln2)|embed|pos_embed|unembed|ln_final)\.(W_\w+|b_\w+|w|b)|[Wb]_\w+)$/;
/** A weight of every layer with its module, `ln1.w`, or one by its key in the checkpoint. */
const OTHER_WEIGHT = /^(attn|mlp|mlp\.ln|ln1|ln2)\.(W_\w+|b_\w+|w|b)$|\.(weight|bias)$/;

/** Tensors of a run that are no activations, by their names. */
const OF_RUN: ReadonlyMap<string, Source> = new Map([["logProbs", { javascript: "run.logProbs" }]]);

/** What a tensor is in code, by its name; null if the name is none of a hook point, a weight or a part of a run. */
export function sourceOfName(name: string): Source | null {
  const isKnown = name.includes("hook_") || TRANSFORMERLENS.test(name) || OTHER_WEIGHT.test(name);
  return isKnown ? name : (OF_RUN.get(name) ?? null);
}

/** The whole tensor. A hook point has `hook_` in its name, as TransformerLens's have; any other name is a parameter's. */
function expressionOf(source: Source): Expressions {
  if (typeof source !== "string")
    return { javascript: source.javascript, python: source.python ?? null };
  const quoted = JSON.stringify(source);
  if (source.includes("hook_"))
    return { javascript: `cache.get(${quoted})`, python: `cache[${quoted}]` };
  const path = source.replace(/^blocks\.(\d+)\./, "blocks[$1].");
  return {
    javascript: `(await model.parameter(${quoted}))`,
    python: TRANSFORMERLENS.test(source) ? `model.${path}` : null,
  };
}

/** The part of an axis: one position, a range, or all of it. */
type Part = number | Window | null;

function indexed(
  source: Source,
  tensor: NamedArray,
  part: (axis: string, length: number) => Part,
): Expressions {
  const { javascript, python } = expressionOf(source);
  const parts = tensor.axes.map((axis, i) => ({ axis, part: part(axis, tensor.shape[i]) }));
  const named = parts.flatMap(({ axis, part }, i) => {
    if (part === null || tensor.shape[i] === 1) return [];
    const name = /^[A-Za-z_$][\w$]*$/.test(axis) ? axis : JSON.stringify(axis);
    return typeof part === "number"
      ? [`${name}: ${part}`]
      : [`${name}: { from: ${part.first}, to: ${part.first + part.count} }`];
  });
  const slices = parts.map(({ part }) =>
    part === null
      ? ":"
      : typeof part === "number"
        ? String(part)
        : `${part.first}:${part.first + part.count}`,
  );
  const isWhole = slices.every((one) => one === ":");
  return {
    javascript: named.length > 0 ? `${javascript}.at({ ${named.join(", ")} })` : javascript,
    python: python === null || isWhole ? python : `${python}[${slices.join(", ")}]`,
  };
}

/** One number, by its position on every axis. */
export function codeOfCell(
  source: Source,
  tensor: NamedArray,
  position: Readonly<Record<string, number>>,
): Expressions {
  const { javascript, python } = indexed(source, tensor, (axis) => position[axis] ?? 0);
  return {
    javascript: `${javascript}.item()`,
    python: python === null ? null : `${python}.item()`,
  };
}

/** What is visible. */
export function codeOfView(
  source: Source,
  tensor: NamedArray,
  arrangement: Arrangement,
  visible: { rows: Window; columns: Window },
): Expressions {
  return indexed(source, tensor, (axis, length) => {
    const window =
      axis === arrangement.rows
        ? visible.rows
        : axis === arrangement.columns
          ? visible.columns
          : null;
    if (window) return window.count === length ? null : window;
    return arrangement.index[axis] ?? null;
  });
}
