// Where a pointer is on the plot of <tensor-view>, and how gestures change the visible part.

import { placeUnder, type Side, SIDES } from "../../draw/panel-plot.js";
import { cellUnder } from "../../draw/panels.js";
import type { PanelCell } from "../../draw/plane.js";
import type { Window } from "../../draw/lines.js";
import { moveWindow, zoomWindow } from "../../draw/windows.js";
import type { Movement, Point } from "../plot-gestures.js";
import type { Drawing } from "./drawing.js";
import { ZOOMABLE } from "./window.js";

/** One axis when a gesture begins. */
interface AxisStart {
  window: Window;
  length: number;
  /** CSS pixels of one position */
  pitch: number;
  /** the place that stays where it is when zooming */
  at: number;
}

export type PlotStart = Record<Side, AxisStart>;

interface PlotOwner {
  drawing: () => Drawing | null;
  /** the canvas of the cells */
  cells: () => HTMLCanvasElement | null;
  setWindow: (side: Side, window: Window) => void;
}

export class PlotPlaces {
  #owner: PlotOwner;

  constructor(owner: PlotOwner) {
    this.#owner = owner;
  }

  /** The panel and the drawn cell under a point of the page. */
  #placeUnder({ clientX, clientY }: Point) {
    const box = this.#owner.cells()?.getBoundingClientRect();
    const geometry = this.#owner.drawing()?.geometry;
    if (!box || !geometry) return null;
    const { ratio } = geometry;
    return placeUnder(geometry, (clientX - box.left) * ratio, (clientY - box.top) * ratio);
  }

  cellUnder(point: Point): PanelCell | null {
    const drawing = this.#owner.drawing();
    const place = this.#placeUnder(point);
    if (!drawing?.geometry || !place) return null;
    return cellUnder(drawing.plane, place, drawing.geometry.grid, drawing.shown);
  }

  /** @param about the middle of each axis stays, if the point is outside of panels */
  start(about: Point): PlotStart | null {
    const drawing = this.#owner.drawing();
    const geometry = drawing?.geometry;
    if (!drawing || !geometry || drawing.isVector) return null;
    const place = this.#placeUnder(about);
    const along = (side: Side): AxisStart => {
      const { cell, factor } = side === "rows" ? geometry.down : geometry.across;
      const window = drawing.window(side);
      const drawn = side === "rows" ? place?.line : place?.place;
      const from = drawn === undefined ? window.count / 2 : drawn * factor;
      const pitch = cell / factor / geometry.ratio;
      return { window, length: drawing.length(side), pitch, at: window.first + from };
    };
    return { rows: along("rows"), columns: along("columns") };
  }

  /** @returns whether there is a hidden part to move to */
  drag(start: PlotStart, by: Movement) {
    let isZoomed = false;
    for (const side of SIDES) {
      const { window, length, pitch } = start[side];
      if (window.count === length) continue;
      isZoomed = true;
      this.#owner.setWindow(side, moveWindow(length, window, -along(by, side) / pitch));
    }
    return isZoomed;
  }

  /** Rows that all fit stay, so that the long axis is zoomed. */
  zoom(start: PlotStart, factor: number, by: Movement) {
    for (const side of SIDES) {
      const { window, length, pitch, at } = start[side];
      if (length <= ZOOMABLE) continue;
      const zoomed = zoomWindow(length, window, factor, at);
      const now = (pitch * window.count) / zoomed.count;
      this.#owner.setWindow(side, moveWindow(length, zoomed, -along(by, side) / now));
    }
  }
}

function along({ x, y }: Movement, side: Side) {
  return side === "rows" ? y : x;
}
