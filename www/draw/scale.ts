// The colour scale for values from 0 to 1, and its inverse.
// Lightness changes evenly in OKLab, so equal steps of attention look equal, also in print and with any colour vision.
// Hue and chroma only make the middle of the scale warmer.

export type Theme = "light" | "dark";
export type Stretch = "linear" | "sqrt";
/** Red, green and blue in sRGB, each 0 to 255. */
export type Rgb = [number, number, number];

const LEVELS = 256;

/** Lightness at values 0 and 1; hue in degrees and chroma at values 0, 1/2 and 1. */
const ENDS = {
  light: { from: 0.958, to: 0.222, hues: [86, 50, 28], chroma: [0.016, 0.142, 0.05] },
  dark: { from: 0.232, to: 0.968, hues: [40, 52, 92], chroma: [0.018, 0.142, 0.045] },
};

/**
 * OKLCH to sRGB with Björn Ottosson's matrices. A channel outside 0 to 1 is out of gamut.
 * @param hue in degrees
 */
export function oklch(lightness: number, chroma: number, hue: number): Rgb {
  const a = chroma * Math.cos((hue * Math.PI) / 180);
  const b = chroma * Math.sin((hue * Math.PI) / 180);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    encode(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    encode(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    encode(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  ];
}

/** OKLab lightness of an sRGB colour. */
export function lightness([red, green, blue]: Rgb): number {
  const [r, g, b] = [decode(red / 255), decode(green / 255), decode(blue / 255)];
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return 0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s;
}

/** @param x linear light */
function encode(x: number) {
  return x <= 0.0031308 ? 12.92 * x : 1.055 * x ** (1 / 2.4) - 0.055;
}

/** @param x sRGB, 0 to 1 */
function decode(x: number) {
  return x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
}

/** Quadratic interpolation of three values at 0, 1/2 and 1. */
function interpolate([start, middle, end]: number[], t: number) {
  return start * (1 - t) * (1 - 2 * t) + middle * 4 * t * (1 - t) + end * t * (2 * t - 1);
}

/** The closest colour in gamut: lightness and hue stay, chroma is reduced. */
export function nearestColour(light: number, chroma: number, hue: number): Rgb {
  for (let c = chroma; ; c *= 0.96) {
    const rgb = oklch(light, c, hue);
    if (c < 0.002 || rgb.every((x) => x >= 0 && x <= 1)) {
      return rgb.map((x) => Math.round(255 * Math.min(1, Math.max(0, x)))) as Rgb;
    }
  }
}

const tables: Map<Theme, Rgb[]> = new Map();

/** The 256 colours of a theme's scale, from value 0 to value 1. */
export function colours(theme: Theme): Rgb[] {
  const known = tables.get(theme);
  if (known) return known;
  const { from, to, hues, chroma } = ENDS[theme];
  const table = Array.from({ length: LEVELS }, (_, level) => {
    const t = level / (LEVELS - 1);
    return nearestColour(from + t * (to - from), interpolate(chroma, t), interpolate(hues, t));
  });
  tables.set(theme, table);
  return table;
}

/** The level of a value, from 0 to 255. A square root makes small values more visible. NaN has level 0. */
export function level(value: number, stretch: Stretch) {
  const clamped = value > 0 ? Math.min(1, value) : 0;
  return Math.round((LEVELS - 1) * (stretch === "sqrt" ? Math.sqrt(clamped) : clamped));
}

/** The smallest and the largest value with this level. */
export function valuesOf(at: number, stretch: Stretch): [number, number] {
  const low = Math.max(0, (at - 0.5) / (LEVELS - 1));
  const high = Math.min(1, (at + 0.5) / (LEVELS - 1));
  return stretch === "sqrt" ? [low * low, high * high] : [low, high];
}

/** The inverse of the scale: the level with exactly this colour, or -1. */
export function levelOf([red, green, blue]: Rgb, theme: Theme) {
  return colours(theme).findIndex(([r, g, b]) => r === red && g === green && b === blue);
}

/** A colour as a pixel of an ImageData's Uint32 view: alpha, blue, green, red, because browsers are little-endian. */
export function packPixel([red, green, blue]: Rgb) {
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/** The scale as pixels of an ImageData's Uint32 view. */
export function pixels(theme: Theme) {
  return Uint32Array.from(colours(theme), packPixel);
}

export function colourOf(value: number, theme: Theme, stretch: Stretch = "linear") {
  return `rgb(${colours(theme)[level(value, stretch)].join(" ")})`;
}

/**
 * The colours of text on a colour of a scale. Text in the more readable one has a contrast of at least 4.5:1 on every colour.
 * That needs almost black and white: on the middle of a scale, black and white themselves reach no more than 4.58:1.
 */
const INKS: Record<Theme, Rgb> = { dark: [9, 5, 3], light: [255, 255, 255] };

/** The relative luminance of WCAG 2, from 0 to 1. */
export function luminance([red, green, blue]: Rgb) {
  return 0.2126 * decode(red / 255) + 0.7152 * decode(green / 255) + 0.0722 * decode(blue / 255);
}

/** The contrast ratio of WCAG 2, from 1 to 21. */
export function contrast(one: Rgb, other: Rgb) {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

/** The colour of text that is more readable on this background. */
export function inkOn(background: Rgb): Rgb {
  return contrast(INKS.dark, background) > contrast(INKS.light, background)
    ? INKS.dark
    : INKS.light;
}

/** The CSS colour of text on the colour of a value. */
export function textOn(value: number, theme: Theme, stretch: Stretch = "linear") {
  return `rgb(${inkOn(colours(theme)[level(value, stretch)]).join(" ")})`;
}

/** The scale as a CSS gradient. */
export function gradient(theme: Theme) {
  return gradientOf(colours(theme));
}

export function gradientOf(table: readonly Rgb[]) {
  const last = table.length - 1;
  const stops = Array.from(
    { length: 17 },
    (_, i) => `rgb(${table[Math.round((i * last) / 16)].join(" ")})`,
  );
  return `linear-gradient(to right, ${stops.join(", ")})`;
}
