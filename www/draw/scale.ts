// The colour scale: a value from 0 to 1 comes in, a colour between paper and ink goes out, and back.
// Lightness falls (or, by candlelight, rises) evenly in OKLab, so equal steps of attention look equal,
// in print and to colour-blind eyes too. Hue and chroma only warm the middle.

export type Theme = "light" | "dark";
export type Stretch = "linear" | "sqrt";
/** each 0 to 255 */
export type Rgb = [number, number, number];

const LEVELS = 256;

/** Where each scale starts and ends: lightness, then hue in degrees at values 0, 1/2 and 1. */
const ENDS = {
  light: { from: 0.958, to: 0.222, hues: [86, 50, 28], chroma: [0.016, 0.142, 0.05] },
  dark: { from: 0.232, to: 0.968, hues: [40, 52, 92], chroma: [0.018, 0.142, 0.045] },
};

/**
 * OKLCH to sRGB (Björn Ottosson's matrices), each channel 0 to 1 when the colour can be shown.
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

/** A smooth curve through three values at 0, 1/2 and 1. */
function through([start, middle, end]: number[], t: number) {
  return start * (1 - t) * (1 - 2 * t) + middle * 4 * t * (1 - t) + end * t * (2 * t - 1);
}

/** The nearest colour that a screen can show: chroma gives way, lightness stays. */
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
    return nearestColour(from + t * (to - from), through(chroma, t), through(hues, t));
  });
  tables.set(theme, table);
  return table;
}

/**
 * Which of the 256 levels a value takes. Square root lifts faint values; the legend says when it is on.
 */
export function level(value: number, stretch: Stretch) {
  const clamped = value > 0 ? Math.min(1, value) : 0; // NaN counts as 0
  return Math.round((LEVELS - 1) * (stretch === "sqrt" ? Math.sqrt(clamped) : clamped));
}

/** The smallest and the largest value that are painted with this level. */
export function valuesOf(at: number, stretch: Stretch): [number, number] {
  const low = Math.max(0, (at - 0.5) / (LEVELS - 1));
  const high = Math.min(1, (at + 0.5) / (LEVELS - 1));
  return stretch === "sqrt" ? [low * low, high * high] : [low, high];
}

/** The inverse of the scale: the level painted with exactly this colour, or -1. */
export function levelOf([red, green, blue]: Rgb, theme: Theme) {
  return colours(theme).findIndex(([r, g, b]) => r === red && g === green && b === blue);
}

/**
 * The scale as pixels for an ImageData's Uint32 view (alpha, blue, green, red: wasm and every browser are little-endian).
 */
export function pixels(theme: Theme) {
  return Uint32Array.from(
    colours(theme),
    ([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0,
  );
}

export function colourOf(value: number, theme: Theme, stretch: Stretch = "linear") {
  return `rgb(${colours(theme)[level(value, stretch)].join(" ")})`;
}

/**
 * Whether text on this value's colour must be light or dark to be read.
 * @returns the text's shade
 */
export function textOn(value: number, theme: Theme, stretch: Stretch = "linear"): Theme {
  return lightness(colours(theme)[level(value, stretch)]) > 0.585 ? "dark" : "light";
}

/** The scale as a CSS gradient, for legends. */
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
