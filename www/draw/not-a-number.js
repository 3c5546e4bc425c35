// How numbers that are not finite are drawn and written: as stripes that no colour scale has, and in words, never as 0.

/** @typedef {import("./scale.js").Theme} Theme */

/** What stands in a sentence for NaN. */
export const NOT_A_NUMBER = "not a number";

/** sRGB of the stripes. The pattern tells them from every colour, so that hue is not needed. @type {Record<Theme, [number, number, number]>} */
const INK = { light: [164, 22, 120], dark: [255, 128, 214] };
/** Device pixels from one stripe to the next, and those that a stripe is wide. */
const PERIOD = 6;
const WIDE = 3;

/** The stripes' colour as a pixel for an ImageData's Uint32 view. @param {Theme} theme */
export function stripePixel(theme) {
  const [red, green, blue] = INK[theme];
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/** Whether a device pixel lies on a stripe. @param {number} x @param {number} y */
export function onStripe(x, y) {
  return (x + y) % PERIOD < WIDE;
}

/** The stripes as a CSS background. @param {Theme} theme */
export function stripes(theme) {
  const ink = `rgb(${INK[theme].join(" ")})`;
  return `repeating-linear-gradient(135deg, ${ink} 0 2px, transparent 2px 4px)`;
}

/**
 * Stripes over a rectangle of a canvas.
 * @param {CanvasRenderingContext2D} context in device pixels @param {number} x @param {number} y @param {number} width @param {number} height @param {Theme} theme
 */
export function fillStripes(context, x, y, width, height, theme) {
  context.save();
  context.fillStyle = context.createPattern(tile(theme), "repeat") ?? `rgb(${INK[theme].join(" ")})`;
  context.fillRect(x, y, width, height);
  context.restore();
}

/** @type {Map<Theme, OffscreenCanvas>} */
const tiles = new Map();

/** One period of the stripes. @param {Theme} theme */
function tile(theme) {
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

/** How many values are not finite. @param {ArrayLike<number>} values */
export function countNotFinite(values) {
  let count = 0;
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) count += 1;
  return count;
}

/**
 * A number in words or digits: what is not finite has a word or a sign, and a minus is a true minus.
 * @param {number | null | undefined} value @param {(value: number) => string} digits of a finite number
 */
export function written(value, digits) {
  if (value === null || value === undefined || Number.isNaN(value)) return NOT_A_NUMBER;
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  return digits(value).replace("-", "−");
}
