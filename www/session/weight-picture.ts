// A weight as the tree shows it: its numbers, or a part of a large one, and a sentence about them.

import type { Parameter } from "../api/generated.js";
import type { NamedArray } from "../draw/arrangement.js";
import { formatCount, formatShort } from "../draw/format.js";
import { summaryOf } from "../draw/plane.js";
import type { Numbers } from "../draw/thumbnail.js";

/** A weight with an axis `vocab` and more numbers than this (16 MB) is read in part. */
export const MAX_NUMBERS = 4 << 20;

export interface WeightPicture {
  numbers: Numbers;
  /** what the picture shows, and the range of its numbers */
  sentence: string;
}

/** A weight as `Model.parameter` gives it. */
type WeightLike = NamedArray & Numbers;

/** What is needed of a model: a part of `Model`. */
export interface WeightReader {
  parameters: readonly Parameter[];
  parameter(name: string, options?: { vocab?: readonly number[] }): Promise<WeightLike>;
}

/** How many tokens of a weight are read, and of how many; null if the weight is read whole. */
type Part = { kept: number; tokens: number } | null;

/**
 * A small picture of a weight. Of one with too many numbers, those of some tokens, evenly spaced in the vocabulary.
 * @throws as Model.parameter
 */
export async function pictureOfWeight(model: WeightReader, name: string): Promise<WeightPicture> {
  const part = partOf(model, name, MAX_NUMBERS >> 3);
  const vocab = (at: number, { kept, tokens }: NonNullable<Part>) =>
    Math.floor((at * tokens) / kept);
  const weight = await read(model, name, part, vocab);
  return { numbers: weight, sentence: sentenceOf(weight, part, "evenly spaced") };
}

export interface ShownWeight {
  tensor: WeightLike;
  sentence: string;
  /** what the tensor is in code: its name, or expressions of the part */
  source: string | { javascript: string; python: string };
}

/**
 * A weight for <tensor-view>. Of one with too many numbers, those of the first tokens, so that a place in it is a token id.
 * @throws as Model.parameter
 */
export async function readWeight(model: WeightReader, name: string): Promise<ShownWeight> {
  const part = partOf(model, name, MAX_NUMBERS);
  const tensor = await read(model, name, part, (at) => at);
  const source = part ? codeOfFirst(name, tensor.axes, part.kept) : name;
  // The viewer sums up the numbers itself.
  return { tensor, sentence: part ? partText(part, "the first ones") : "", source };
}

/** The rows or columns of the first tokens of a weight. */
function codeOfFirst(name: string, axes: readonly string[], count: number) {
  const ids = `Array.from({ length: ${count} }, (_, id) => id)`;
  const slices = axes.map((axis) => (axis === "vocab" ? `:${count}` : ":"));
  return {
    javascript: `(await model.parameter(${JSON.stringify(name)}, { vocab: ${ids} }))`,
    python: `model.${name.replace(/^blocks\.(\d+)\./, "blocks[$1].")}[${slices.join(", ")}]`,
  };
}

function read(
  model: WeightReader,
  name: string,
  part: Part,
  id: (at: number, part: NonNullable<Part>) => number,
) {
  if (!part) return model.parameter(name);
  return model.parameter(name, {
    vocab: Array.from({ length: part.kept }, (_, at) => id(at, part)),
  });
}

function partOf({ parameters }: WeightReader, name: string, max: number): Part {
  const view = parameters.flatMap(({ views }) => views).find((one) => one.name === name);
  if (!view) return null;
  const count = view.shape.reduce((product, length) => product * length, 1);
  const tokens = view.shape[view.axes.indexOf("vocab")];
  if (count <= MAX_NUMBERS || tokens === undefined) return null;
  return { tokens, kept: Math.max(1, Math.floor((max * tokens) / count)) };
}

function partText({ kept, tokens }: NonNullable<Part>, which: string) {
  return `${formatCount(kept)} of ${formatCount(tokens)} tokens, ${which}`;
}

function sentenceOf({ data, axes, shape, note }: WeightLike, part: Part, which: string) {
  const { count, finite, min, max, mean, deviation } = summaryOf(data);
  const notFinite = count - finite;
  const short = (value: number) => formatShort(value, 3);
  const sentences = [
    `${axes.map((axis, i) => `${axis} ${shape[i]}`).join(" × ")}: from ${short(min)} to ${short(max)}, mean ${short(mean)}, standard deviation ${short(deviation)}`,
    part && `of ${partText(part, which)}`,
    notFinite > 0 && `${formatCount(notFinite)} are not finite`,
    note,
  ];
  return sentences.filter((one) => typeof one === "string").join("; ");
}
