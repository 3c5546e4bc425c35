// How numbers that are not finite are drawn and written: as stripes that no colour scale has, and in words, never as 0.

import type { Theme } from "./scale.js";

/** What stands in a sentence for NaN. */
export const NOT_A_NUMBER = "not a number";

/** sRGB of the stripes. The pattern tells them from every colour, so that hue is not needed. */
const INK: Record<Theme, [number, number, number]> = {
  light: [164, 22, 120],
  dark: [255, 128, 214],
};
/** Device pixels from one stripe to the next, and those that a stripe is wide. */
const PERIOD = 6;
const WIDE = 3;

/** The stripes' colour as a pixel for an ImageData's Uint32 view. */
export function stripePixel(theme: Theme) {
  const [red, green, blue] = INK[theme];
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/** Whether a device pixel lies on a stripe. */
export function onStripe(x: number, y: number) {
  return (x + y) % PERIOD < WIDE;
}

/** The stripes as a CSS background. */
export function stripes(theme: Theme) {
  const ink = `rgb(${INK[theme].join(" ")})`;
  return `repeating-linear-gradient(135deg, ${ink} 0 2px, transparent 2px 4px)`;
}

/**
 * Stripes over a rectangle of a canvas.
 * @param context in device pixels
 */
export function fillStripes(
  context: CanvasRenderingContext2D,
  x: number,
  y: number,
  width: number,
  height: number,
  theme: Theme,
) {
  context.save();
  context.fillStyle =
    context.createPattern(tile(theme), "repeat") ?? `rgb(${INK[theme].join(" ")})`;
  context.fillRect(x, y, width, height);
  context.restore();
}

const tiles: Map<Theme, OffscreenCanvas> = new Map();

/** One period of the stripes. */
function tile(theme: Theme) {
  const known = tiles.get(theme);
  if (known) return known;
  const canvas = new OffscreenCanvas(PERIOD, PERIOD);
  const context = canvas.getContext("2d");
  const image = new ImageData(PERIOD, PERIOD);
  const pixels = new Uint32Array(image.data.buffer);
  pixels.forEach((_, at) => {
    if (onStripe(at % PERIOD, Math.floor(at / PERIOD))) pixels[at] = stripePixel(theme);
  });
  context?.putImageData(image, 0, 0);
  tiles.set(theme, canvas);
  return canvas;
}

/** How many values are not finite. */
export function countNotFinite(values: ArrayLike<number>) {
  let count = 0;
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) count += 1;
  return count;
}

/**
 * A number in words or digits: what is not finite has a word or a sign, and a minus is a true minus.
 * @param digits of a finite number
 */
export function written(value: number | null | undefined, digits: (value: number) => string) {
  if (value === null || value === undefined || Number.isNaN(value)) return NOT_A_NUMBER;
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  return digits(value).replace("-", "−");
}
