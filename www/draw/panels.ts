// Panels of a tensor as pixels. Every kind of cell that has no colour on the scale has its own pattern, in any colour vision.

import { formatExact } from "./format.js";
import type { Window } from "./lines.js";
import { inkOn, packPixel, type Rgb, type Theme } from "./scale.js";
import { onStripe, stripePixel } from "./not-finite.js";
import { panelOrigin, type Grid, type PanelGeometry } from "./panel-plot.js";
import type { Surface } from "./surface.js";
import { isMasked, KIND, kindOf, valueAt, type Kind, type PanelCell, type Plane } from "./plane.js";
import { coloursOf, levelsOf, type TensorScale } from "./tensor-scale.js";

/** The drawn cells of a panel; each covers a block of the panel's. */
export type Pooled = { values: Float32Array; kinds: Uint8Array; rows: number; columns: number };

/** Which rows and columns are visible, and in which order they are drawn: the position at each place, if not as stored. */
export type Shown = {
  rows: Window;
  columns: Window;
  rowOrder: Uint32Array | null;
  columnOrder: Uint32Array | null;
};

/** Pixels of a cell below which a pattern in it is not legible. */
const MARK = 5;
/** Off every scale: they are more saturated than its ends. */
const CLIPPED: Record<"above" | "below", Rgb> = { above: [255, 74, 0], below: [0, 148, 255] };
const MASK_DOT: Record<Theme, Rgb> = { light: [168, 158, 146], dark: [112, 104, 95] };

/**
 * Each block becomes its value that is farthest from zero, or its first one that is not finite. It is masked only if all of its
 * values are.
 */
export function poolPanel(plane: Plane, panel: number, grid: Grid, shown: Shown): Pooled {
  const { data, rowStep, columnStep, mask, hidesNegative } = plane;
  const { start, maskStart } = plane.panels[panel];
  const { down, across } = grid;
  const values = new Float32Array(down.cells * across.cells);
  const kinds = new Uint8Array(down.cells * across.cells); // masked, until a value is found
  const { rowOrder, columnOrder } = shown;
  const lines = grid.wrap > 0 ? down.cells : shown.rows.count;
  for (let line = 0; line < lines; line++) {
    const place = grid.wrap > 0 ? 0 : shown.rows.first + line;
    const row = rowOrder ? rowOrder[place] : place;
    const first = grid.wrap > 0 ? line * grid.wrap : shown.columns.first;
    const count = grid.wrap > 0 ? Math.min(grid.wrap, plane.columns - first) : shown.columns.count;
    const from = start + row * rowStep;
    const maskFrom = mask ? maskStart + row * mask.rowStep : 0;
    const to = Math.floor(line / down.factor) * across.cells;
    let [cell, left] = [to, across.factor];
    for (let i = 0; i < count; i++) {
      const column = columnOrder ? columnOrder[first + i] : first + i;
      const value = data[from + column * columnStep];
      const kind =
        mask !== null && mask.data[maskFrom + column * mask.columnStep] === 0
          ? KIND.masked
          : kindOf(value, hidesNegative);
      const present = kinds[cell];
      if (
        kind > present ||
        (kind === KIND.finite &&
          present === KIND.finite &&
          Math.abs(value) > Math.abs(values[cell]))
      ) {
        values[cell] = value;
        kinds[cell] = kind;
      }
      if (--left === 0) {
        cell += 1;
        left = across.factor;
      }
    }
  }
  return { values, kinds, rows: down.cells, columns: across.cells };
}

/** Where the canvas of all panels is, and how wide it is, in device pixels. */
type Target = { image: Uint32Array<ArrayBufferLike>; stride: number; height: number };

/** Paints every panel. @param theme of the page */
export function paintPanels(
  image: Uint32Array<ArrayBufferLike>,
  plane: Plane,
  geometry: PanelGeometry,
  shown: Shown,
  { scale, theme }: { scale: TensorScale; theme: Theme },
) {
  const target = { image, stride: geometry.width, height: geometry.height };
  const table = coloursOf(scale, theme);
  const inks = { pixels: Uint32Array.from(table, packPixel), table, theme };
  const { grid } = geometry;
  plane.panels.forEach((_, panel) => {
    const pooled = poolPanel(plane, panel, grid, shown);
    const origin = panelOrigin(geometry, panel);
    const last = grid.wrap > 0 ? plane.columns : Infinity;
    paintPanel(target, pooled, { origin, grid, scale, inks, last });
  });
}

type Inks = { pixels: Uint32Array; table: readonly Rgb[]; theme: Theme };
type PanelOptions = {
  origin: { x: number; y: number };
  grid: Grid;
  scale: TensorScale;
  inks: Inks;
  /** cells from this one on do not exist */
  last: number;
};

function paintPanel(
  target: Target,
  { values, kinds, rows, columns }: Pooled,
  { origin, grid, scale, inks, last }: PanelOptions,
) {
  const { image, stride } = target;
  const { down, across } = grid;
  const hasMarks = isLegible(grid);
  const levelOf = levelsOf(scale);
  const marked: { cell: number; x: number; y: number }[] = [];
  const clipped = { above: packPixel(CLIPPED.above), below: packPixel(CLIPPED.below) };
  for (let row = 0; row < rows; row++) {
    const top = (origin.y + row * down.cell) * stride + origin.x;
    for (let column = 0; column < columns; column++) {
      const cell = row * columns + column;
      if (cell >= last) break;
      const value = values[cell];
      const isNumber = kinds[cell] === KIND.finite;
      const isClipped = isNumber && (value > scale.max || value < scale.min);
      if (!isNumber || isClipped)
        marked.push({ cell, x: origin.x + column * across.cell, y: origin.y + row * down.cell });
      if (!isNumber) continue;
      const from = top + column * across.cell;
      const pixel =
        isClipped && !hasMarks
          ? clipped[value > scale.max ? "above" : "below"]
          : inks.pixels[levelOf(value)];
      if (across.cell === 1) image[from] = pixel;
      else image.fill(pixel, from, from + across.cell);
    }
    for (let line = 1; line < down.cell; line++)
      image.copyWithin(top + line * stride, top, top + across.size);
  }
  for (const { cell, x, y } of marked) {
    const kind = kinds[cell] as Kind;
    const box = { x, y, width: across.cell, height: down.cell };
    if (kind !== KIND.finite) paintPattern(target, box, kind, inks.theme, hasMarks);
    else if (hasMarks) {
      const isAbove = values[cell] > scale.max;
      const ink = packPixel(inkOn(inks.table[levelOf(values[cell])]));
      paintTriangle(target, box, isAbove, ink);
    }
  }
}

/** Whether a mark in a cell can be seen. Clipped values have a colour of their own in smaller cells. */
export function isLegible({ down, across }: Grid) {
  return down.cell >= MARK && across.cell >= MARK;
}

type Box = { x: number; y: number; width: number; height: number };

/** A triangle in the corner, so that the middle of a cell keeps its colour: at the top above the limits, at the bottom below. */
function paintTriangle({ image, stride }: Target, box: Box, isAbove: boolean, ink: number) {
  const size = Math.max(3, Math.min(9, Math.floor(Math.min(box.width, box.height) * 0.4)));
  for (let line = 0; line < size; line++) {
    const y = isAbove ? box.y + line : box.y + box.height - 1 - line;
    const to = y * stride + box.x + box.width;
    image.fill(ink, to - size + line, to);
  }
}

/** Masked: two dots. Not a number: diagonal stripes. Infinity: upright stripes; minus infinity: level ones. */
export function paintPattern(
  { image, stride }: Pick<Target, "image" | "stride">,
  { x: left, y: top, width, height }: Box,
  kind: Kind,
  theme: Theme,
  isLarge = true,
) {
  if (kind === KIND.masked) {
    if (!isLarge) return;
    for (const share of [0.25, 0.7]) {
      const at = (top + Math.floor(height * share)) * stride + left + Math.floor(width * share);
      image[at] = image[at + 1] = packPixel(MASK_DOT[theme]);
    }
    return;
  }
  const ink = stripePixel(theme);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const isInk =
        kind === KIND.nan
          ? onStripe(left + x, top + y)
          : kind === KIND.positive
            ? x % 4 < 2
            : y % 4 < 2;
      if (isInk) image[(top + y) * stride + left + x] = ink;
    }
  }
}

/** CSS colours of clipped cells that are too small for a mark. */
export function clippedColour(side: "above" | "below") {
  return `rgb(${CLIPPED[side].join(" ")})`;
}

/**
 * The cell under a point of the canvas; null between panels. If a drawn cell covers several, the one that it shows: the first that is
 * not finite, or else the one farthest from zero.
 */
export function cellUnder(
  plane: Plane,
  { panel, line, place }: { panel: number; line: number; place: number },
  grid: Grid,
  shown: Shown,
): PanelCell | null {
  const column = (at: number) => shown.columnOrder?.[at] ?? at;
  if (grid.wrap > 0) {
    const at = line * grid.wrap + place;
    return at < plane.columns ? { panel, row: 0, column: column(at) } : null;
  }
  const firstRow = shown.rows.first + line * grid.down.factor;
  const firstColumn = shown.columns.first + place * grid.across.factor;
  const lastRow = Math.min(firstRow + grid.down.factor, shown.rows.first + shown.rows.count);
  const lastColumn = Math.min(
    firstColumn + grid.across.factor,
    shown.columns.first + shown.columns.count,
  );
  let best: PanelCell | null = null;
  let most = -1;
  for (let row = firstRow; row < lastRow; row++) {
    for (let at = firstColumn; at < lastColumn; at++) {
      const cell = { panel, row: shown.rowOrder?.[row] ?? row, column: column(at) };
      const value = valueAt(plane, cell);
      const rank = isMasked(plane, cell) ? 0 : Number.isFinite(value) ? Math.abs(value) : Infinity;
      if (rank > most) [best, most] = [cell, rank];
    }
  }
  return best;
}

/** Writes whole numbers into their cells. @param size of the digits in CSS pixels */
export function drawDigits(
  context: Surface,
  plane: Plane,
  geometry: PanelGeometry,
  shown: Shown,
  { scale, theme, font, size }: { scale: TensorScale; theme: Theme; font: string; size: number },
) {
  const { grid, ratio } = geometry;
  const { down, across } = grid;
  const inks = coloursOf(scale, theme).map((colour) => `rgb(${inkOn(colour).join(" ")})`);
  const levelOf = levelsOf(scale);
  context.save();
  context.font = `${size * ratio}px ${font}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  plane.panels.forEach((_, panel) => {
    const { values, kinds, columns } = poolPanel(plane, panel, grid, shown);
    const origin = panelOrigin(geometry, panel);
    values.forEach((value, cell) => {
      if (kinds[cell] !== KIND.finite) return;
      context.fillStyle = inks[levelOf(value)];
      const x = origin.x + ((cell % columns) + 0.5) * across.cell;
      const y = origin.y + (Math.floor(cell / columns) + 0.5) * down.cell;
      context.fillText(formatExact(value), x, y);
    });
  });
  context.restore();
}
