// Everything that <tensor-view> draws, from what it was given. Each part is computed once until what it depends on changes.

import {
  arrange,
  lengthOf,
  TOKEN_AXES,
  type Arrangement,
  type NamedArray,
  type Wanted,
} from "../../draw/arrangement.js";
import { axisOrder, inverseOf } from "../../draw/axis-order.js";
import type { Order } from "../../draw/orders.js";
import { formatExact } from "../../draw/format.js";
import { windowWith, type Window } from "../../draw/lines.js";
import type { Matrix } from "../../draw/matrix.js";
import { panelGeometry, type PlotSpace, type Side } from "../../draw/panel-plot.js";
import type { Shown } from "../../draw/panels.js";
import { maskProblem, planeOf, summarise, type PanelCell } from "../../draw/plane.js";
import type { Stretch } from "../../draw/scale.js";
import { clippedIn, parseLimits, scaleOf, type ColourMap } from "../../draw/tensor-scale.js";
import type { Token } from "../../draw/token.js";
import { usualWindow } from "../../draw/windows.js";
import { clamp, type Step } from "../interaction.js";
import { cellOf, labelAt, numberAt, type Position } from "./position.js";
import { tensorProblem } from "./unfit.js";

export interface Inputs extends Required<Wanted> {
  tensor: NamedArray;
  mask: NamedArray | null;
  tokens: readonly Token[];
  map: ColourMap | "";
  limits: string;
  stretch: Stretch;
  order: Order;
  rowOrder: Order;
  /** the pinned positions, the last one last */
  pins: readonly Position[];
  zoom: Partial<Record<Side, Window>>;
  space: PlotSpace;
}

/** Results with what they were computed from. */
class Memo {
  #entries = new Map<string, { from: readonly unknown[]; value: unknown }>();

  get<T>(name: string, from: readonly unknown[], compute: () => T): T {
    const known = this.#entries.get(name);
    if (known?.from.every((one, i) => one === from[i])) return known.value as T;
    const value = compute();
    this.#entries.set(name, { from, value });
    return value;
  }
}

export class Drawing {
  #memo = new Memo();
  inputs: Inputs;
  /** the pins that were set and that the tensor does not have */
  lostPins: readonly Position[] = [];

  constructor(inputs: Inputs) {
    this.inputs = inputs;
  }

  get tensor() {
    return this.inputs.tensor;
  }

  get tokens() {
    return this.inputs.tokens;
  }

  get arrangement(): Arrangement {
    const { tensor, rows, columns, down, across, index } = this.inputs;
    const from = [tensor, rows, columns, down, across, index];
    return this.#memo.get("arrangement", from, () =>
      arrange(tensor, { rows, columns, down, across, index }),
    );
  }

  /** Why the mask is not used; empty if it is, or if there is none. */
  get maskProblem() {
    const { tensor, mask } = this.inputs;
    const problem = mask && tensorProblem(mask);
    return problem ? `the mask is not used: ${problem}` : maskProblem(tensor, mask);
  }

  /** The mask that is used. */
  get mask() {
    return this.maskProblem === "" ? this.inputs.mask : null;
  }

  get plane() {
    const { tensor } = this.inputs;
    const { arrangement, mask } = this;
    return this.#memo.get("plane", [tensor, mask, arrangement], () =>
      planeOf(tensor, arrangement, mask),
    );
  }

  get summary() {
    const { plane } = this;
    return this.#memo.get("summary", [plane], () => summarise(plane));
  }

  get limits() {
    return parseLimits(this.inputs.limits);
  }

  get scale() {
    const { plane, summary, limits } = this;
    const { map, stretch } = this.inputs;
    return this.#memo.get("scale", [plane, map, this.inputs.limits, stretch], () =>
      scaleOf(plane, summary, { map, limits, stretch }),
    );
  }

  get clipped() {
    const { plane, scale } = this;
    return this.#memo.get("clipped", [plane, scale], () => clippedIn(plane, scale));
  }

  /** The pins that the panels have, each with its cell. */
  get pinned(): PanelCell[] {
    const { plane, arrangement } = this;
    const { pins } = this.inputs;
    return this.#memo.get("pinned", [plane, pins], () =>
      pins.flatMap((pin) => cellOf({ ...this.inputs, arrangement, plane }, pin) ?? []),
    );
  }

  /** The cell that was pinned last, of those that the panels have. */
  get locked(): PanelCell | null {
    return this.pinned.at(-1) ?? null;
  }

  orderOf(side: Side): Order {
    return side === "rows" ? this.inputs.rowOrder : this.inputs.order;
  }

  /** The position at each place, if a side is not drawn as stored. */
  #order(side: Side) {
    const { plane, arrangement } = this;
    const order = this.orderOf(side);
    const pinned = order === "pinned" ? this.sortedBy : null;
    const labels = order === "name" ? this.tensor.labels?.[arrangement[side]] : undefined;
    const from = [plane, order, labels, pinned?.panel, pinned?.row, pinned?.column];
    return this.#memo.get(`order of ${side}`, from, () =>
      axisOrder(plane, side, order, { pinned, labels }),
    );
  }

  get rowOrder() {
    return this.#order("rows");
  }

  get columnOrder() {
    return this.#order("columns");
  }

  /** The cell by whose row columns may be sorted, and rows by its column: the pinned one, or the last row and the first column. */
  get sortedBy(): PanelCell {
    return this.locked ?? { panel: 0, row: Math.max(0, this.plane.rows - 1), column: 0 };
  }

  #places(side: Side) {
    const order = this.#order(side);
    return this.#memo.get(`places of ${side}`, [order], () => order && inverseOf(order));
  }

  /** The place at which a position of a side is drawn. */
  placeAlong(side: Side, position: number) {
    return this.#places(side)?.[position] ?? position;
  }

  /** A vector is broken into lines and has no part that is hidden. */
  get isVector() {
    return this.arrangement.rows === "";
  }

  length(side: Side) {
    return lengthOf(this.inputs.tensor, this.arrangement[side]);
  }

  window(side: Side): Window {
    const length = this.length(side);
    const chosen = this.isVector ? undefined : this.inputs.zoom[side];
    return chosen && chosen.first + chosen.count <= length
      ? chosen
      : this.isVector
        ? { first: 0, count: length }
        : usualWindow(this.arrangement[side], side, length, this.orderOf(side) !== "");
  }

  get shown(): Shown {
    const [rows, columns] = [this.window("rows"), this.window("columns")];
    const { rowOrder, columnOrder } = this;
    const from = [rows.first, rows.count, columns.first, columns.count, rowOrder, columnOrder];
    return this.#memo.get("shown", from, () => ({ rows, columns, rowOrder, columnOrder }));
  }

  /** The longest number in a cell; 0 if numbers are not written into cells. */
  get digits() {
    const { summary } = this;
    if (!summary.isWhole) return 0;
    return Math.max(formatExact(summary.min).length, formatExact(summary.max).length);
  }

  /** The labels of what is visible. */
  get labels() {
    const { shown, arrangement, isVector, plane } = this;
    const { tensor, tokens } = this.inputs;
    return this.#memo.get("labels", [shown, arrangement, tensor, tokens], () => {
      const label = (axis: string, at: number) =>
        labelAt({ tensor, tokens }, axis, at) ?? String(numberAt({ tensor }, axis, at));
      const along = (axis: string, { first, count }: Window, order: Uint32Array | null) =>
        axis === ""
          ? []
          : Array.from({ length: count }, (_, i) => label(axis, order?.[first + i] ?? first + i));
      return {
        rows: isVector ? [] : along(arrangement.rows, shown.rows, shown.rowOrder),
        columns:
          isVector && plane.columns > LABELLED_VECTOR
            ? []
            : along(arrangement.columns, shown.columns, shown.columnOrder),
      };
    });
  }

  get geometry() {
    const { shown, labels, plane, isVector, digits, arrangement } = this;
    const { width, windowHeight, ratio } = this.inputs.space;
    const from = [shown, labels, plane, width, windowHeight, ratio];
    if (width === 0 || plane.data.length === 0) return null;
    return this.#memo.get("geometry", from, () =>
      panelGeometry(
        {
          rows: shown.rows.count,
          columns: shown.columns.count,
          across: plane.across,
          down: plane.down,
          isVector,
          isSquare:
            TOKEN_AXES.includes(arrangement.rows) && TOKEN_AXES.includes(arrangement.columns),
          digits,
        },
        labels,
        { width, windowHeight, ratio },
      ),
    );
  }

  /** The labels as they stand beside the cells: those of a vector of several lines count its cells. */
  get axisLabels() {
    const { labels, geometry } = this;
    const wrap = geometry?.grid.wrap ?? 0;
    if (!geometry || wrap === 0 || geometry.down.cells === 1) return labels;
    const { columnOrder } = this;
    return this.#memo.get("axis labels", [geometry, columnOrder], () => ({
      rows: Array.from({ length: geometry.down.cells }, (_, line) =>
        columnOrder ? "" : String(line * wrap),
      ),
      columns: columnOrder ? [] : Array.from({ length: wrap }, (_, i) => String(i)),
    }));
  }

  /** The first panel, in the order of the tensor. */
  get matrix(): Matrix {
    return this.#memo.get("matrix", [this.plane], () => this.#read(1));
  }

  /** All panels, one below the other. */
  get stacked(): Matrix {
    return this.#read(this.plane.panels.length);
  }

  #read(panels: number): Matrix {
    const { data, rows, columns, rowStep, columnStep } = this.plane;
    const values = new Float32Array(panels * rows * columns);
    let at = 0;
    for (const { start } of this.plane.panels.slice(0, panels))
      for (let row = 0; row < rows; row++)
        for (let column = 0; column < columns; column++)
          values[at++] = data[start + row * rowStep + column * columnStep];
    return { data: values, rows: panels * rows, columns };
  }

  /** Where a cell is drawn: its panel, and the drawn cell in it; null if it is not visible. */
  placeOf({ panel, row, column }: PanelCell) {
    const { geometry, shown } = this;
    if (!geometry) return null;
    const at = this.placeAlong("columns", column);
    const { wrap } = geometry.grid;
    if (wrap > 0) return { panel, line: Math.floor(at / wrap), place: at % wrap };
    const from = this.placeAlong("rows", row) - shown.rows.first;
    const line = Math.floor(from / geometry.down.factor);
    const place = Math.floor((at - shown.columns.first) / geometry.across.factor);
    const isVisible =
      line >= 0 && place >= 0 && line < geometry.down.cells && place < geometry.across.cells;
    return isVisible ? { panel, line, place } : null;
  }

  /**
   * The cell a step away, and the windows that show it. Past an edge of a panel, the panel beside it is next.
   * @param step in drawn rows and columns
   */
  moved(from: PanelCell, step: Step): { cell: PanelCell; zoom: Partial<Record<Side, Window>> } {
    const { plane, geometry } = this;
    const { rowOrder, columnOrder } = this;
    const at = this.placeAlong("columns", from.column);
    const column = (place: number) => columnOrder?.[place] ?? place;
    const wrap = geometry?.grid.wrap ?? 0;
    if (wrap > 0) {
      const place = clamp(at + step.columns + step.rows * wrap, plane.columns);
      return { cell: { panel: 0, row: 0, column: column(place) }, zoom: {} };
    }
    const perLine = geometry?.perLine ?? 1;
    // Only a single step leaves a panel.
    const isOver = (to: number, length: number, by: number) =>
      Math.abs(by) === 1 && (to < 0 || to >= length);
    let panel = from.panel;
    let [line, place] = [this.placeAlong("rows", from.row) + step.rows, at + step.columns];
    const beside = (by: number) => panel + by >= 0 && panel + by < plane.panels.length;
    if (isOver(place, plane.columns, step.columns) && beside(Math.sign(step.columns))) {
      panel += Math.sign(step.columns);
      place = step.columns > 0 ? 0 : plane.columns - 1;
    } else if (isOver(line, plane.rows, step.rows) && beside(Math.sign(step.rows) * perLine)) {
      panel += Math.sign(step.rows) * perLine;
      line = step.rows > 0 ? 0 : plane.rows - 1;
    }
    [line, place] = [clamp(line, plane.rows), clamp(place, plane.columns)];
    const cell = { panel, row: rowOrder?.[line] ?? line, column: column(place) };
    return { cell, zoom: this.windowsWith(cell) };
  }

  /** The windows, moved so that they show a cell. */
  windowsWith({ row, column }: PanelCell): Record<Side, Window> {
    const along = (side: Side, at: number) =>
      windowWith(this.length(side), this.window(side), this.placeAlong(side, at));
    return { rows: along("rows", row), columns: along("columns", column) };
  }

  /** The visible position at which arrows start. */
  get start(): PanelCell {
    const [rows, columns] = [this.window("rows"), this.window("columns")];
    const column = this.columnOrder?.[columns.first] ?? columns.first;
    const line = Math.max(0, rows.first + rows.count - 1);
    return { panel: 0, row: this.rowOrder?.[line] ?? line, column };
  }
}

/** A longer vector has numbers at its lines instead of a label for each value. */
const LABELLED_VECTOR = 64;
