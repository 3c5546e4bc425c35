// The colour scale for signed numbers: paper at zero, blue below, flame above. Equal magnitudes have the same lightness.
// The two hues are distinguishable with any colour vision.

import {
  gradientOf,
  nearestColour,
  packPixel,
  type Theme,
  type Stretch,
  type Rgb,
} from "./scale.js";

/** Levels on each side of zero. */
const SIDE = 127;

/** Lightness at zero and at the ends; hue and chroma of each end. */
const ENDS = {
  light: { zero: 0.965, end: 0.36, below: [255, 0.135], above: [42, 0.15] },
  dark: { zero: 0.225, end: 0.87, below: [245, 0.12], above: [68, 0.145] },
};

const tables: Map<Theme, Rgb[]> = new Map();

/** The 255 colours from the lowest value to the highest; the middle one is zero. */
export function divergingColours(theme: Theme): Rgb[] {
  const known = tables.get(theme);
  if (known) return known;
  const { zero, end, below, above } = ENDS[theme];
  const table = Array.from({ length: 2 * SIDE + 1 }, (_, level) => {
    const t = Math.abs(level - SIDE) / SIDE;
    if (t === 0) return nearestColour(zero, 0.012, 86); // paper
    const [hue, chroma] = level < SIDE ? below : above;
    return nearestColour(zero + t * (end - zero), chroma * Math.sqrt(t), hue);
  });
  tables.set(theme, table);
  return table;
}

/**
 * The level of a value on a scale from -max to max; -1 for a value that is not finite, which has no colour.
 * @param max above 0
 * @param stretch a square root makes small values more visible
 */
export function signedLevel(value: number, max: number, stretch: Stretch) {
  if (!Number.isFinite(value)) return -1;
  const share = Math.min(1, Math.abs(value) / max);
  return (
    SIDE + Math.sign(value) * Math.round(SIDE * (stretch === "sqrt" ? Math.sqrt(share) : share))
  );
}

/** The smallest and the largest value with this level. */
export function signedValuesOf(level: number, max: number, stretch: Stretch): [number, number] {
  const valueAt = (at: number) => {
    const share = Math.max(-1, Math.min(1, at / SIDE));
    return max * (stretch === "sqrt" ? Math.sign(share) * share * share : share);
  };
  return [valueAt(level - SIDE - 0.5), valueAt(level - SIDE + 0.5)];
}

/** The level with exactly this colour, or -1. */
export function signedLevelOf([red, green, blue]: Rgb, theme: Theme) {
  return divergingColours(theme).findIndex(([r, g, b]) => r === red && g === green && b === blue);
}

/** The scale as pixels of an ImageData's Uint32 view. */
export function signedPixels(theme: Theme) {
  return Uint32Array.from(divergingColours(theme), packPixel);
}

/** The scale, or a range of its levels, as a CSS gradient, and where zero is in it, from 0 to 1; null if it is not in the range. */
export function signedGradient(theme: Theme, range: readonly [number, number] = [0, 2 * SIDE]) {
  const [first, last] = range;
  const zero = (SIDE - first) / Math.max(1, last - first);
  return {
    gradient: gradientOf(divergingColours(theme).slice(first, last + 1)),
    zero: zero >= 0 && zero <= 1 ? zero : null,
  };
}
