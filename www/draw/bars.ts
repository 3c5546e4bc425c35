// Bars on both sides of zero: their places along a track, their colours, and numbers with as many digits as the list needs.

import { divergingColours, signedLevel } from "./diverging.js";
import { formatNumber } from "./format.js";
import { inkOn, type Rgb, type Theme } from "./scale.js";

/** A part of a track, as shares of its width from 0 to 1. */
export type Span = { start: number; width: number };

/** The track of a list: where zero is, and how much of the track one unit takes. */
export type Track = { zero: number; unit: number };

/** Significant digits of the largest value of a list. */
const DIGITS = 4;

/** The finite values decide; a track without any has its zero at the left. Zero is always on the track. */
export function trackOf(values: ArrayLike<number>): Track {
  let [low, high] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const range = high - low;
  return range > 0 ? { zero: Math.abs(low) / range, unit: 1 / range } : { zero: 0, unit: 0 };
}

/** The bar of a value; null if the value is not finite, because it has no length. */
export function spanOf(value: number, { zero, unit }: Track): Span | null {
  if (!Number.isFinite(value)) return null;
  const end = Math.max(0, Math.min(1, zero + value * unit));
  return { start: Math.min(zero, end), width: Math.abs(end - zero) };
}

/** One strong colour for each sign, from the diverging scale. */
export function barColour(value: number, theme: Theme): string {
  return cssColour(divergingColours(theme)[signedLevel(Math.sign(value) * 0.72, 1, "linear")]);
}

/** The colour of a value on a diverging scale from -max to max; null for a value that is not finite. */
export function signedColour(value: number, max: number, theme: Theme): string | null {
  const level = signedLevel(value, max || 1, "linear");
  return level < 0 ? null : cssColour(divergingColours(theme)[level]);
}

/** The colour of text on the colour of a finite value. */
export function inkOnSigned(value: number, max: number, theme: Theme): string {
  const level = signedLevel(value, max || 1, "linear");
  return cssColour(inkOn(divergingColours(theme)[level]));
}

function cssColour(rgb: Rgb) {
  return `rgb(${rgb.join(" ")})`;
}

/** How many decimals the values of a list need: the largest has four significant digits. */
export function decimalsFor(max: number): number {
  if (!(max > 0) || !Number.isFinite(max)) return 2;
  return Math.max(0, Math.min(9, DIGITS - 1 - Math.floor(Math.log10(max))));
}

/** "+0.431", "−1.200". What is rounded to zero has no sign. */
export function formatSigned(value: number, decimals: number): string {
  const text = formatNumber(value, (finite) => finite.toFixed(decimals));
  if (/^−?0(\.0*)?$/.test(text)) return text.replace("−", "");
  return value > 0 ? `+${text}` : text;
}

/** The indices of the values, those farthest from zero first; values that are not finite come before all others. */
export function byMagnitude(values: ArrayLike<number>): number[] {
  const magnitude = (i: number) => (Number.isFinite(values[i]) ? Math.abs(values[i]) : Infinity);
  return Array.from({ length: values.length }, (_, i) => i).sort((a, b) => {
    const [left, right] = [magnitude(a), magnitude(b)];
    return left === right ? a - b : right - left;
  });
}

/** The sum in double precision. */
export function sumOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return sum;
}
