// The plot of a tensor: where its panels, cells and labels are, and what is drawn over them.

import { fit, type Fit } from "./fit.js";
import { axisLabels, gutterFor, type Palette } from "./labels.js";
import type { Surface } from "./surface.js";
import type { Token } from "./token.js";

/** The largest size of a cell and of one panel's width in CSS pixels, and the plot's largest share of the window's height. */
const MAX_CELL = 24;
const MAX_WIDTH = 1160;
const MAX_HEIGHT_SHARE = 0.6;
/** CSS pixels between panels, and for their titles. */
const GAP = 10;
const TITLE = 16;
/** CSS pixels of one digit of a number in a cell, and around it. */
const DIGIT = 6.1;
const DIGIT_ROOM = 6;
/** The smallest cells of a vector with this many more lines than fit. */
const SMALLEST = 1;

export type Side = "rows" | "columns";
export const SIDES: readonly Side[] = ["rows", "columns"];
/** The labels of both axes, of what is visible. */
export type PanelLabels = Readonly<Record<Side, readonly Token[]>>;
/** The cells of one panel. A vector is broken into lines of `wrap` cells; 0 for no vector. */
export type Grid = { down: Fit; across: Fit; wrap: number };

export type PanelGeometry = {
  /** device pixels per CSS pixel */
  ratio: number;
  /** CSS pixels that are reserved for the labels of rows and columns */
  left: number;
  top: number;
  down: Fit;
  across: Fit;
  grid: Grid;
  panels: number;
  /** panels side by side */
  perLine: number;
  lines: number;
  /** device pixels from one panel to the next */
  pitch: { x: number; y: number };
  /** device pixels of a panel's title */
  title: number;
  /** device pixels of all panels together */
  width: number;
  height: number;
};

export type PlotSpace = {
  /** of the element, and of the window, in CSS pixels */
  width: number;
  windowHeight: number;
  /** device pixels per CSS pixel */
  ratio: number;
};

export type PlotShape = {
  /** visible rows and columns of one panel */
  rows: number;
  columns: number;
  /** panels across and down */
  across: number;
  down: number;
  /** broken into lines */
  isVector: boolean;
  /** cells are as wide as high: both axes are of the same kind */
  isSquare?: boolean;
  /** the longest number in a cell, if numbers are to be written into cells */
  digits?: number;
};

export function panelGeometry(
  shape: PlotShape,
  labels: PanelLabels,
  space: PlotSpace,
): PanelGeometry {
  const { width, windowHeight, ratio } = space;
  const height = Math.max(240, MAX_HEIGHT_SHARE * windowHeight);
  const widest = Math.max(MAX_CELL, (shape.digits ?? 0) * DIGIT + DIGIT_ROOM);
  if (shape.isVector && shape.across * shape.down === 1)
    return vectorGeometry(shape.columns, labels, space, { height, widest });
  const gutter = (side: Side, room: number) => {
    const pitch = Math.min(MAX_CELL, room / Math.max(1, labels[side].length));
    return gutterFor(labels[side], pitch, 1);
  };
  const [left, top] = [gutter("rows", height), gutter("columns", width - 60)];
  const panels = shape.across * shape.down;
  const room = Math.max(40, width - 18 - left);
  const title = panels > 1 ? Math.round(TITLE * ratio) : 0;
  const gap = Math.round((panels > 24 ? GAP / 2 : GAP) * ratio);
  const arranged = (perLine: number) => {
    const lines = Math.ceil(shape.across / perLine) * shape.down;
    const wide = Math.min(MAX_WIDTH * ratio, (room * ratio - gap * (perLine - 1)) / perLine);
    const tall = Math.max(40 * ratio, (height * ratio) / lines - title - gap);
    let across = fit(shape.columns, wide, widest * ratio);
    let down = fit(shape.rows, panels > 1 ? tall : height * ratio, MAX_CELL * ratio);
    if (shape.isSquare && panels > 1 && across.factor === 1 && down.factor === 1) {
      const cell = Math.min(across.cell, down.cell);
      across = fit(shape.columns, wide, cell);
      down = fit(shape.rows, shape.rows * cell, cell);
    }
    const area = (across.cell / across.factor) * (down.cell / down.factor);
    return { perLine, lines, across, down, area };
  };
  // Panels of one kind fill lines; with panels down and across, they are a table.
  const choices =
    shape.down > 1 ? [shape.across] : Array.from({ length: shape.across }, (_, i) => i + 1);
  const { perLine, lines, across, down } = choices
    .map(arranged)
    .reduce((best, one) => (one.area >= best.area * 1.02 ? one : best));
  const pitch = { x: across.size + gap, y: down.size + gap + title };
  return {
    ...{ ratio, left, top, down, across, panels, perLine, lines, pitch, title },
    grid: { down, across, wrap: 0 },
    width: perLine * pitch.x - gap,
    height: lines * pitch.y - gap,
  };
}

/** A vector in lines of the largest cells that fit. Long lines have a round number of cells. */
function vectorGeometry(
  count: number,
  labels: PanelLabels,
  { width, ratio }: PlotSpace,
  { height, widest }: { height: number; widest: number },
): PanelGeometry {
  const left = gutterFor([String(Math.max(0, count - 1))], MAX_CELL, 1);
  const room = Math.max(40, Math.min(MAX_WIDTH, width - 18 - left)) * ratio;
  const arranged = (cell: number) => {
    const max = Math.max(1, Math.min(count, Math.floor(room / (cell * (widest / MAX_CELL)))));
    const perLine = max >= count || max < 20 ? max : max - (max % 10);
    return { cell, perLine, lines: Math.ceil(count / perLine) };
  };
  let best = arranged(MAX_CELL * ratio);
  while (best.cell > SMALLEST && best.lines * best.cell > height * ratio)
    best = arranged(Math.max(SMALLEST, Math.floor(best.cell * 0.9)));
  const cell = Math.floor(best.cell);
  const wide = Math.max(1, Math.floor((cell * widest) / MAX_CELL));
  const down = { factor: 1, cells: best.lines, cell, size: best.lines * cell };
  const across = { factor: 1, cells: best.perLine, cell: wide, size: best.perLine * wide };
  const top =
    best.lines === 1
      ? gutterFor(labels.columns, wide / ratio, 1)
      : gutterFor(["00"], wide / ratio, 1);
  return {
    ...{ ratio, left: best.lines === 1 ? 8 : left, top, down, across },
    grid: { down, across, wrap: best.perLine },
    ...{ panels: 1, perLine: 1, lines: 1, title: 0 },
    pitch: { x: across.size, y: down.size },
    width: across.size,
    height: down.size,
  };
}

/** The first device pixel of a panel's cells. */
export function panelOrigin({ perLine, pitch, title }: PanelGeometry, panel: number) {
  return {
    x: (panel % perLine) * pitch.x,
    y: Math.floor(panel / perLine) * pitch.y + title,
  };
}

/** The panel and its drawn cell under a device pixel; null between panels. */
export function placeUnder(geometry: PanelGeometry, x: number, y: number) {
  const { perLine, pitch, panels, down, across } = geometry;
  if (x < 0 || y < 0) return null;
  const column = Math.floor(x / pitch.x);
  const panel = Math.floor(y / pitch.y) * perLine + column;
  if (column >= perLine || panel >= panels) return null;
  const origin = panelOrigin(geometry, panel);
  const line = Math.floor((y - origin.y) / down.cell);
  const place = Math.floor((x - origin.x) / across.cell);
  if (line < 0 || place < 0 || line >= down.cells || place >= across.cells) return null;
  return { panel, line, place };
}

export type LabelChoice = {
  palette: Palette;
  /** the position of the first label, so that the same positions are labelled wherever an axis begins */
  first?: number;
  /** the only label to draw, as a position */
  only?: number;
  /** the only panel to label */
  panel?: number;
};

/** The labels of one axis, or only one of them in bold. Rows are labelled at the left of each line of panels, columns at the top. */
export function drawPanelLabels(
  context: Surface,
  side: Side,
  labels: PanelLabels,
  geometry: PanelGeometry,
  { palette, first = 0, only, panel }: LabelChoice,
) {
  const { ratio, left, top, down, across, perLine, lines, panels } = geometry;
  const fitted = side === "rows" ? down : across;
  const isRows = side === "rows";
  const repeats = isRows ? lines : Math.min(perLine, panels);
  for (let i = 0; i < repeats; i++) {
    if (panel !== undefined && i !== (isRows ? Math.floor(panel / perLine) : panel % perLine))
      continue;
    const { x, y } = panelOrigin(geometry, isRows ? i * perLine : i);
    axisLabels(context, labels[side], first, {
      axis: isRows ? "query" : "key",
      pitch: fitted.cell / fitted.factor / ratio,
      gutter: isRows ? left : top,
      start: isRows ? top + y / ratio : left + x / ratio,
      palette,
      only,
    });
  }
}

/** The titles of the panels. A title that is wider than its panel is left out, from the start. */
export function drawTitles(
  context: Surface,
  titles: readonly (readonly string[])[],
  geometry: PanelGeometry,
  palette: Palette,
) {
  const { ratio, left, top, across, title } = geometry;
  if (title === 0) return;
  context.font = `11px ${palette.font}`;
  context.textBaseline = "alphabetic";
  context.fillStyle = palette.ink;
  titles.forEach((versions, panel) => {
    const { x, y } = panelOrigin(geometry, panel);
    const room = (across.size + 6) / ratio;
    const text = versions.find((one) => context.measureText(one).width <= room);
    if (text) context.fillText(text, left + x / ratio, top + y / ratio - 4);
  });
}

/** A faint line around each panel. */
export function drawFrames(context: Surface, geometry: PanelGeometry, palette: Palette) {
  const { ratio, left, top, down, across, panels } = geometry;
  context.save();
  context.globalAlpha = 0.3;
  context.strokeStyle = palette.faint;
  context.lineWidth = 1;
  for (let panel = 0; panel < panels; panel++) {
    const { x, y } = panelOrigin(geometry, panel);
    const [width, height] = [across.size / ratio + 1, down.size / ratio + 1];
    context.strokeRect(left + x / ratio - 0.5, top + y / ratio - 0.5, width, height);
  }
  context.restore();
}

/** Outlines a cell and draws its labels in bold. */
export function drawPanelOverlay(
  context: Surface,
  { panel, line, place }: { panel: number; line: number; place: number },
  geometry: PanelGeometry,
  palette: Palette,
  isDashed = false,
) {
  const { ratio, left, top, down, across } = geometry;
  const origin = panelOrigin(geometry, panel);
  const x = left + (origin.x + place * across.cell) / ratio;
  const y = top + (origin.y + line * down.cell) / ratio;
  // On a light line, so that it is seen on cells of any colour.
  const outline = (colour: string, width: number) => {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.strokeRect(x - 1, y - 1, across.cell / ratio + 2, down.cell / ratio + 2);
  };
  outline(palette.glow, 4);
  context.setLineDash(isDashed ? [3, 2] : []);
  outline(palette.accent, 2);
  context.setLineDash([]);
}

/** The size of digits in cells; 0 if the longest does not fit. */
export function digitSize({ down, across, ratio }: PanelGeometry, digits: number) {
  if (down.factor > 1 || across.factor > 1) return 0;
  const size = Math.min(11, down.cell / ratio - 3, (across.cell / ratio - 3) / (digits * 0.61));
  return size >= 7 ? size : 0;
}
