// The canvases of <tensor-view>: cells, labels and digits, and what is drawn over them.

import type { Recorder } from "../../draw/figure/recorder.js";
import {
  digitSize,
  drawFrames,
  drawPanelLabels,
  drawPanelOverlay,
  drawTitles,
  SIDES,
} from "../../draw/panel-plot.js";
import { drawDigits, paintPanels } from "../../draw/panels.js";
import type { PanelCell } from "../../draw/plane.js";
import type { Theme } from "../../draw/scale.js";
import type { Surface } from "../../draw/surface.js";
import type { PlotCanvases } from "../plot.js";
import type { Drawing } from "./drawing.js";
import { titles } from "./words.js";

/** Device pixels around the last cells for the outline of a focused cell. */
const OUTLINE = 3;

/** What is outlined besides the pinned cells. `highlight`: a token that something else on the page points at. */
type Marks = { hovered: PanelCell | null; highlight: number | null };

/** The position of the first label. What is sorted is counted from the first. */
function firstOf({ shown }: Drawing, side: "rows" | "columns") {
  const order = side === "rows" ? shown.rowOrder : shown.columnOrder;
  return order ? 0 : shown[side].first;
}

export class TensorPainter {
  #canvases: PlotCanvases;
  /** What the cells on the canvas were painted from. */
  #painted: readonly unknown[] = [];
  /** The labels on the canvas belong to earlier cells. */
  #isStale = true;

  constructor(canvases: PlotCanvases) {
    this.#canvases = canvases;
  }

  /** Paints the cells, unless they are on the canvas. */
  cells(drawing: Drawing | null, theme: Theme) {
    const cells = this.#canvases.get("cells");
    const context = cells?.getContext("2d");
    if (!drawing?.geometry || !cells || !context) return;
    const { geometry, plane, shown, scale, labels } = drawing;
    const from = [cells, geometry, plane, shown, scale, theme, labels];
    if (from.every((one, i) => one === this.#painted[i])) return;
    this.#painted = from;
    this.#isStale = true;
    const { ratio, left, top, width, height } = geometry;
    Object.assign(cells, { width, height });
    Object.assign(cells.style, {
      left: `${Math.round(left * ratio) / ratio}px`,
      top: `${Math.round(top * ratio) / ratio}px`,
      width: `${width / ratio}px`,
      height: `${height / ratio}px`,
    });
    const image = context.createImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    paintPanels(pixels, plane, geometry, shown, { scale, theme });
    context.putImageData(image, 0, 0);
  }

  /** Draws labels, titles and digits, unless they belong to the cells on the canvas. */
  text(drawing: Drawing, theme: Theme) {
    const { geometry } = drawing;
    if (!geometry) return;
    const { ratio, left, top, width, height } = geometry;
    const room = (pixels: number, gutter: number) => Math.ceil(gutter * ratio) + pixels + OUTLINE;
    this.#canvases.resize(room(width, left), room(height, top), ratio);
    const context = this.#isStale && this.#canvases.clear("labels");
    if (!context) return;
    this.#isStale = false;
    this.#paintLabels(context, drawing);
    const cells = this.#canvases.get("cells")?.getContext("2d");
    if (cells) this.#paintDigits(cells, drawing, theme);
  }

  #paintLabels(context: Surface, drawing: Drawing) {
    const { geometry, axisLabels } = drawing;
    if (!geometry) return;
    const { palette } = this.#canvases;
    drawFrames(context, geometry, palette);
    for (const side of SIDES)
      drawPanelLabels(context, side, axisLabels, geometry, {
        palette,
        first: firstOf(drawing, side),
      });
    drawTitles(context, titles(drawing), geometry, palette);
  }

  /** @param context in device pixels */
  #paintDigits(context: Surface, drawing: Drawing, theme: Theme) {
    const { geometry, plane, shown, scale, digits } = drawing;
    const size = geometry && digits > 0 ? digitSize(geometry, digits) : 0;
    if (!geometry || size === 0) return;
    const look = { scale, theme, font: this.#canvases.palette.font, size };
    drawDigits(context, plane, geometry, shown, look);
  }

  /** Shapes for an export. The canvas of the cells may have digits on it already, so the cells are painted again. */
  record(
    recorder: Recorder,
    name: string,
    drawing: Drawing,
    { theme, marks }: { theme: Theme; marks: Marks },
  ) {
    const { geometry, plane, shown, scale } = drawing;
    if (!geometry) return;
    const { ratio, width, height } = geometry;
    if (name === "labels") this.#paintLabels(recorder, drawing);
    else if (name === "overlay") this.#paintMarks(recorder, drawing, marks);
    else {
      const pixels = new Uint32Array(width * height);
      paintPanels(pixels, plane, geometry, shown, { scale, theme });
      recorder.pixels(pixels, width, height, { width: width / ratio, height: height / ratio });
      recorder.save();
      recorder.scale(1 / ratio, 1 / ratio);
      this.#paintDigits(recorder, drawing, theme);
      recorder.restore();
    }
  }

  /** Outlines the pinned cells and the hovered one, whose labels are bold. */
  overlay(drawing: Drawing, marks: Marks) {
    const context = this.#canvases.clear("overlay");
    if (context) this.#paintMarks(context, drawing, marks);
  }

  #paintMarks(context: Surface, drawing: Drawing, { hovered, highlight }: Marks) {
    const focused = hovered ?? drawing.locked;
    const { geometry, axisLabels, shown } = drawing;
    if (!geometry) return;
    const { palette } = this.#canvases;
    for (const pinned of drawing.pinned) {
      const pin = pinned !== focused && drawing.placeOf(pinned);
      if (pin) drawPanelOverlay(context, pin, geometry, palette, true);
    }
    if (!hovered && highlight !== null) this.#highlight(context, drawing, highlight);
    const place = focused && drawing.placeOf(focused);
    if (!place) return;
    drawPanelOverlay(context, place, geometry, palette);
    if (geometry.grid.wrap > 0 && geometry.down.cells > 1) return;
    const at = { rows: focused.row, columns: focused.column };
    for (const side of SIDES) {
      const first = firstOf(drawing, side);
      const only = drawing.placeAlong(side, at[side]) - shown[side].first + first;
      const options = { palette, panel: place.panel, first, only };
      if (axisLabels[side].length > 0)
        drawPanelLabels(context, side, axisLabels, geometry, options);
    }
  }

  /** The label of a token, in bold, beside every panel. */
  #highlight(context: Surface, drawing: Drawing, token: number) {
    const { geometry, axisLabels, shown, arrangement } = drawing;
    const side = SIDES.find((one) => ["pos", "query"].includes(arrangement[one]));
    if (!geometry || !side || geometry.grid.wrap > 0) return;
    const place = drawing.placeAlong(side, token) - shown[side].first;
    if (place < 0 || place >= shown[side].count) return;
    const { palette } = this.#canvases;
    const first = firstOf(drawing, side);
    drawPanelLabels(context, side, axisLabels, geometry, { palette, first, only: place + first });
  }
}
