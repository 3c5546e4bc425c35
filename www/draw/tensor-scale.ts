// The colours of a tensor: which map, and between which limits. Values outside the limits are clipped, and said to be.

import { divergingColours, signedLevel } from "./diverging.js";
import { eachFinite, type Plane, type Summary } from "./plane.js";
import { colours, level, type Rgb, type Stretch, type Theme } from "./scale.js";

/**
 * Diverging: zero in the colour of the paper, and equal magnitudes equally strong on both sides of it, also between limits that do not
 * lie symmetrically around zero: then one side ends before its strongest colour. Sequential: from light to dark.
 */
export type ColourMap = "diverging" | "sequential";
export type TensorScale = { map: ColourMap; min: number; max: number; stretch: Stretch };

/**
 * How limits are found: three standard deviations (as Treescope), all values, the 99 % nearest to zero (or to the smallest value), or
 * two numbers by hand.
 */
export type Limits = "auto" | "all" | "99%" | readonly [min: number, max: number];

/** Limits as an attribute: empty for the automatic ones, a word, or "-1,1". */
export function parseLimits(text: string): Limits {
  if (text === "all" || text === "99%") return text;
  const [min, max] = text.split(",").map((part) => (part.trim() === "" ? NaN : Number(part)));
  return Number.isFinite(min) && Number.isFinite(max) && min < max ? [min, max] : "auto";
}

export function writeLimits(limits: Limits) {
  return limits === "auto" ? "" : typeof limits === "string" ? limits : limits.join(",");
}

/**
 * The scale of a plane. The map is sequential if no value is below zero, or if limits by hand do not lie around zero.
 * @param wanted.map empty for the usual one
 */
export function scaleOf(
  plane: Plane,
  summary: Summary,
  { map, limits, stretch }: { map: ColourMap | ""; limits: Limits; stretch: Stretch },
): TensorScale {
  const usual = (isSequential: boolean) => map || (isSequential ? "sequential" : "diverging");
  if (typeof limits !== "string") {
    const [min, max] = limits;
    return { map: usual(min >= 0 || max <= 0), min, max, stretch };
  }
  if (summary.finite === 0) return { map: usual(false), min: -1, max: 1, stretch };
  const chosen = usual(summary.min >= 0);
  const [min, max] =
    chosen === "diverging" ? symmetric(plane, summary, limits) : oneSided(plane, summary, limits);
  return { map: chosen, min, max, stretch };
}

function symmetric(plane: Plane, { min, max, rms }: Summary, limits: string): [number, number] {
  const all = Math.max(Math.abs(min), Math.abs(max));
  const end =
    limits === "auto" ? Math.min(all, 3 * rms) : limits === "99%" ? quantile(plane, 0, all) : all;
  return [-(end || 1), end || 1];
}

/**
 * From zero, if values start there: so equal numbers of two tensors have nearly equal colours. Numbers from 0 to 1 are probabilities, of
 * which none is an outlier.
 */
function oneSided(plane: Plane, summary: Summary, limits: string): [number, number] {
  const { min, max, mean, deviation } = summary;
  const areProbabilities = min >= 0 && max <= 1;
  const from = min >= 0 ? 0 : limits === "auto" ? Math.max(min, mean - 3 * deviation) : min;
  const to =
    limits === "auto" && !areProbabilities
      ? Math.min(max, mean + 3 * deviation)
      : limits === "99%"
        ? from + quantile(plane, from, max - from)
        : max;
  return [from, to > from ? to : from + 1];
}

const BINS = 4096;
const SHARE = 0.99;

/** A distance from `middle` within which 99 % of the values lie: exact to 1/4096 of `farthest`, and never too small. */
function quantile(plane: Plane, middle: number, farthest: number) {
  if (!(farthest > 0)) return 0;
  const counts = new Float64Array(BINS + 1);
  let total = 0;
  eachFinite(plane, (values, count) => {
    for (let i = 0; i < count; i++)
      counts[Math.ceil((BINS * Math.abs(values[i] - middle)) / farthest)] += 1;
    total += count;
  });
  let sum = 0;
  const bin = counts.findIndex((count) => {
    sum += count;
    return sum >= SHARE * total;
  });
  return (Math.max(1, bin) / BINS) * farthest;
}

/** The level of a finite value in the table of colours, as a function, because a plot asks for many. */
export function levelsOf({ map, min, max, stretch }: TensorScale): (value: number) => number {
  if (map === "diverging") {
    const end = Math.max(Math.abs(min), Math.abs(max));
    return (value) => signedLevel(value < min ? min : value > max ? max : value, end, stretch);
  }
  const range = max - min;
  return (value) => level((value - min) / range, stretch);
}

export function coloursOf({ map }: TensorScale, theme: Theme): readonly Rgb[] {
  return map === "diverging" ? divergingColours(theme) : colours(theme);
}

/** The first and the last level that a diverging scale has. */
export function levelRange(scale: TensorScale): [number, number] {
  const levelOf = levelsOf(scale);
  return [levelOf(scale.min), levelOf(scale.max)];
}

/** Where zero is on a diverging scale, in words. */
export function zeroText({ min, max }: TensorScale) {
  if (min === -max) return "zero in the middle";
  if (min < 0 && max > 0) return "zero at the mark";
  if (min === 0 || max === 0) return `zero at the ${min === 0 ? "lower" : "upper"} end`;
  return `zero is ${min > 0 ? "below" : "above"} the limits`;
}

/** How many finite values lie below and above the limits. */
export function clippedIn(plane: Plane, { min, max }: TensorScale) {
  let [below, above] = [0, 0];
  eachFinite(plane, (values, count) => {
    for (let i = 0; i < count; i++) {
      if (values[i] < min) below += 1;
      else if (values[i] > max) above += 1;
    }
  });
  return { below, above };
}
