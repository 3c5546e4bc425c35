// How values that are not finite are drawn: as stripes, which no colour scale contains.

import { packPixel, type Rgb, type Theme } from "./scale.js";

/** sRGB of the stripes. The pattern distinguishes them from every colour, so colour vision is not needed. */
const INK: Record<Theme, Rgb> = {
  light: [164, 22, 120],
  dark: [255, 128, 214],
};
/** Distance between stripes and width of a stripe, in device pixels. */
const PERIOD = 6;
const WIDTH = 3;

/** The stripes' colour as a pixel of an ImageData's Uint32 view. */
export function stripePixel(theme: Theme) {
  return packPixel(INK[theme]);
}

/** Whether a device pixel lies on a stripe. */
export function onStripe(x: number, y: number) {
  return (x + y) % PERIOD < WIDTH;
}

/** The stripes as a CSS background. */
export function stripes(theme: Theme) {
  const ink = `rgb(${INK[theme].join(" ")})`;
  return `repeating-linear-gradient(135deg, ${ink} 0 2px, transparent 2px 4px)`;
}

/**
 * Fills a rectangle of a canvas with stripes.
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
