// A small picture of a weight: its last two axes, and what the axes before them hold side by side. Each pixel is the value farthest
// from zero of the block that it stands for.

import { signedLevel, signedPixels } from "./diverging.js";
import { summaryOf, type Plane } from "./plane.js";
import type { Theme } from "./scale.js";

/** Numbers in row-major order. */
export interface Numbers {
  data: Plane["data"];
  shape: readonly number[];
}

export interface Thumbnail {
  width: number;
  height: number;
  /** as the Uint32 view of an ImageData */
  pixels: Uint32Array;
  /** the value at the ends of the colours, which clip what lies beyond */
  limit: number;
}

/** Three standard deviations, as Treescope draws by default: a few outliers leave the rest visible. */
const DEVIATIONS = 3;

/** The picture, at most `maxWidth` × `maxHeight` pixels. A number that is not finite is transparent. */
export function thumbnail(
  numbers: Numbers,
  { maxWidth, maxHeight, theme }: { maxWidth: number; maxHeight: number; theme: Theme },
): Thumbnail {
  const { data, shape } = numbers;
  const columns = shape.at(-1) ?? 1;
  const rows = shape.at(-2) ?? 1;
  const panels = shape.slice(0, -2).reduce((product, length) => product * length, 1);
  const across = Math.max(1, Math.ceil((panels * columns) / maxWidth));
  const down = Math.max(1, Math.ceil(rows / maxHeight));
  const width = Math.ceil((panels * columns) / across);
  const height = Math.ceil(rows / down);
  const farthest = new Float64Array(width * height);
  const isThere = new Uint8Array(width * height);
  for (let i = 0; i < data.length; i++) {
    const value = data[i];
    if (!Number.isFinite(value)) continue;
    const panel = Math.floor(i / (rows * columns));
    const row = Math.floor(i / columns) % rows;
    const column = panel * columns + (i % columns);
    const at = Math.floor(row / down) * width + Math.floor(column / across);
    isThere[at] = 1;
    if (Math.abs(value) > Math.abs(farthest[at])) farthest[at] = value;
  }
  const { min, max, rms } = summaryOf(data);
  const all = Math.max(Math.abs(min), Math.abs(max));
  const limit = Math.min(all, DEVIATIONS * rms) || 1;
  const colours = signedPixels(theme);
  const pixels = Uint32Array.from(farthest, (value, at) =>
    isThere[at] ? colours[signedLevel(value, limit, "linear")] : 0,
  );
  return { width, height, pixels, limit };
}
