// <heat-table>: a table of numbers as a heat map, such as one number for each layer and head. A long table can be zoomed.

import { css, html } from "lit";

import { formatShort } from "../draw/format.js";
import {
  countInvalid,
  cellIn,
  drawTableLabels,
  drawTableOverlay,
  isAbsent,
  paintTable,
  partOf,
  partWith,
  reachOf,
  tableGeometry,
  numberAt,
  wholeOf,
  zoomed,
  type Part,
  type Table,
  type TableLabels,
} from "../draw/heat-table.js";
import type { Matrix } from "../draw/matrix.js";
import type { Stretch } from "../draw/scale.js";
import { cellAt, type Cell } from "../draw/signed-heatmap.js";
import { announced, type Token } from "../draw/token.js";
import { SpaceController, TypedElement } from "./base.js";
import { clamp, Interaction } from "./interaction.js";
import { farthestValues } from "./farthest.js";
import type { Surface } from "../draw/surface.js";
import { PlotCanvases, plotStyles, PlotValues, renderPlot } from "./plot.js";
import { base, figure } from "./styles.js";
import { ThemeController } from "./theme.js";

/** Device pixels around the last cells for the outline of a cell. */
const OUTLINE = 3;

export interface HeatTableEvents {
  "cell-hover": (Cell & { value: number }) | null;
  "cell-lock": Cell | null;
  /** a click or Enter, if `action` says what it does */
  "cell-choose": Cell;
  "scale-change": Stretch;
}

export class HeatTable extends TypedElement<HeatTableEvents> {
  static override properties = {
    table: { attribute: false },
    rows: { attribute: false },
    columns: { attribute: false },
    rowTitle: { type: String },
    columnTitle: { type: String },
    label: { type: String },
    quantity: { type: String },
    middle: { type: Number },
    middleText: { type: String },
    sequential: { type: Boolean },
    scale: { type: String },
    lock: { attribute: false },
    action: { type: String },
    empty: { type: String },
    sentence: { attribute: false, hasChanged: () => false }, // it changes with the table
    extent: { state: true },
    width: { state: true },
  };

  static override styles = [
    base,
    figure,
    plotStyles,
    css`
      :host {
        --ramp-width: 10rem;
        min-width: 0;
      }
      .plot {
        cursor: crosshair;
      }
      .plot.acts {
        cursor: pointer;
      }
      .cells {
        box-shadow: 0 0 0 1px var(--line);
      }
      .readout {
        overflow-wrap: anywhere;
        min-height: 3.2em;
      }
      .table {
        max-height: 20rem;
      }
      @media (forced-colors: active) {
        canvas {
          forced-color-adjust: none;
        }
      }
    `,
  ];

  declare table: Table | null;
  /** The labels of rows and columns. */
  declare rows: readonly Token[];
  declare columns: readonly Token[];
  /** The titles of the axes. */
  declare rowTitle: string;
  declare columnTitle: string;
  /** What the picture shows, for its accessible name. */
  declare label: string;
  /** The quantity, for the legend. */
  declare quantity: string;
  /** The value with the colour of the paper, and what it means. */
  declare middle: number;
  declare middleText: string;
  /** No value is below `middle`. */
  declare sequential: boolean;
  declare scale: Stretch;
  /** The cell that is outlined if none is hovered. */
  declare lock: Cell | null;
  /** What a click on a cell does; empty if it locks the cell. */
  declare action: string;
  /** Why a cell may be empty. */
  declare empty: string;
  /** The sentence about a cell, on the picture and for screen readers; null for its row, column and value. */
  declare sentence: ((cell: Cell) => string) | null;
  /** The part on show; null for all. */
  declare extent: Part | null;
  declare width: number;

  readonly theme = new ThemeController(this);
  readonly #box = new SpaceController(this);
  readonly interaction: Interaction<Cell> = new Interaction(this, {
    start: () => this.lock ?? { row: this.#shown.rows.first, column: this.#shown.columns.first },
    move: ({ row, column }, step) => {
      const { table } = this;
      if (!table) return null;
      return {
        row: clamp(row + step.rows, table.rows),
        column: clamp(column + step.columns, table.columns),
      };
    },
    onHover: (cell) => this.#onHover(cell),
    describe: (cell) => this.sentenceOf(cell),
    locked: () => this.lock,
    onSelect: (cell) => this.#choose(cell),
    onLock: (cell) => {
      if (cell === null) this.#setLock(null);
    },
    shiftSteps: 5,
  });
  #canvases = new PlotCanvases(this);
  #values = new PlotValues(
    this,
    () => this.table,
    (sentence) => this.interaction.announce(sentence),
  );

  constructor() {
    super();
    this.table = null;
    this.rows = [];
    this.columns = [];
    this.rowTitle = "";
    this.columnTitle = "";
    this.label = "";
    this.quantity = "";
    this.middle = 0;
    this.middleText = "";
    this.sequential = false;
    this.scale = "linear";
    this.lock = null;
    this.action = "";
    this.empty = "";
    this.sentence = null;
    this.extent = null;
    this.width = 0;
  }

  get hovered() {
    return this.interaction.hovered;
  }

  get #shown(): Part {
    return this.extent ?? wholeOf(this.table ?? { data: new Float32Array(), rows: 0, columns: 0 });
  }

  /** How far the ends of the scale are from the middle. */
  get distance() {
    return this.#extremes.reach || 1;
  }

  /** What is known of the table. Computed once for each table and middle. */
  get #extremes() {
    const { table, middle } = this;
    if (!table) return { reach: 0, invalid: 0 };
    if (this.#measured?.table !== table || this.#measured.middle !== middle)
      this.#measured = {
        table,
        middle,
        reach: reachOf(table, middle),
        invalid: countInvalid(table),
      };
    return this.#measured;
  }

  #measured: { table: Table; middle: number; reach: number; invalid: number } | null = null;

  /** Where cells and labels are. With it a value can be read back from the pixels. */
  get geometry() {
    const { table, width } = this;
    if (!table || width === 0) return null;
    return tableGeometry(this.#labels, this.#box.space);
  }

  get #labels(): TableLabels {
    const { rows, columns } = this.#shown;
    return {
      rows: this.rows.slice(rows.first, rows.first + rows.count),
      columns: this.columns.slice(columns.first, columns.first + columns.count),
    };
  }

  /** The value of a cell; null if it has none. */
  valueAt(cell: Cell): number | null {
    const { table } = this;
    return !table || isAbsent(table, cell) ? null : numberAt(table, cell);
  }

  sentenceOf(cell: Cell): string {
    if (this.sentence) return this.sentence(cell);
    const value = this.valueAt(cell);
    const place = (title: string, labels: readonly Token[], at: number) =>
      `${title} ${announced(labels[at] ?? "")}`;
    return `${place(this.rowTitle, this.rows, cell.row)}, ${place(this.columnTitle, this.columns, cell.column)}: ${value === null ? "no value" : formatShort(value, 7)}`;
  }

  override willUpdate(changed: Map<string, unknown>) {
    const { table } = this;
    if (!table || !changed.has("table")) return;
    const former = changed.get("table") as Table | null | undefined;
    if (former?.rows !== table.rows || former?.columns !== table.columns) this.extent = null;
    const contains = ({ row, column }: Cell) => row < table.rows && column < table.columns;
    this.interaction.prune(contains);
    if (this.lock && !contains(this.lock)) this.lock = null;
  }

  override render() {
    const { table, geometry } = this;
    if (!table) return "";
    const { down, across, left = 0, top = 0, ratio = 1 } = geometry ?? {};
    return renderPlot({
      axes: { across: this.columnTitle, down: this.rowTitle },
      corner: { left, top },
      width: across ? across.size / ratio + left : 200,
      height: down ? down.size / ratio + top : 120,
      className: this.action ? "acts" : "",
      kind: "heat map",
      label: `${this.label}: ${table.rows} by ${table.columns} values. Arrows move among them, Enter ${this.action || "locks"}, Escape releases, plus and minus zoom.`,
      on: {
        pointermove: (event) => this.interaction.hover(this.#cellUnder(event)),
        leave: this.interaction.leave,
        click: this.#onClick,
        keydown: this.#onKeyDown,
      },
      below: html`${this.#renderLegend()}${this.#values.renderButtons(this.#renderZoom())}`,
      table: this.#values.renderTable(() => farthestValues(table, this)),
    });
  }

  #renderLegend() {
    const { middle, distance, sequential } = this;
    const { down, across } = this.geometry ?? {};
    const isPooled = down && across && down.factor * across.factor > 1;
    const { invalid } = this.#extremes;
    const detail = [
      this.middleText && `${this.middleText} ${formatShort(middle, 4)}`,
      this.empty && `an empty cell: ${this.empty}`,
      isPooled &&
        `a cell shows the farthest from ${formatShort(middle, 3)} of ${down.factor} × ${across.factor}`,
    ].filter(Boolean);
    return html`<color-legend
      ?signed=${!sequential}
      from=${formatShort(sequential ? middle : middle - distance, 3)}
      to=${formatShort(middle + distance, 3)}
      .text=${this.quantity}
      .detail=${detail.join("; ")}
      .notFinite=${invalid > 0 ? `not finite: ${invalid} values` : ""}
      .scale=${this.scale}
    ></color-legend>`;
  }

  #renderZoom() {
    const { table, geometry } = this;
    const isWhole = this.extent === null;
    const isSmall =
      geometry &&
      [geometry.across, geometry.down].some(
        ({ factor, cell }) => factor > 1 || cell / geometry.ratio < 12,
      );
    if (!table || (isWhole && !isSmall)) return "";
    return html`<button @click=${() => this.#zoom(0.5)}>zoom in</button><button ?disabled=${isWhole} @click=${() => this.#zoom(2)}>zoom out</button>`;
  }

  override updated() {
    this.#drawCells();
    this.#describe();
    this.#canvases.schedule(() => this.#drawText());
  }

  /** What the canvas shows, and the part of the table as the drawing takes it. */
  #painted: { drawKey: string; table: Table; part: Matrix } | null = null;

  #drawCells() {
    const { table, geometry, scale, middle, distance, sequential } = this;
    const { theme } = this.theme;
    const cells = this.#canvases.get("cells");
    const context = cells?.getContext("2d");
    if (!table || !geometry || !cells || !context) return;
    const drawKey = JSON.stringify([
      geometry,
      this.extent,
      scale,
      theme,
      middle,
      distance,
      sequential,
    ]);
    if (this.#painted?.drawKey === drawKey && this.#painted.table === table) return;
    const part = partOf(table, this.#shown, middle);
    this.#painted = { drawKey, table, part };
    const { ratio, left, top, down, across } = geometry;
    Object.assign(cells, { width: across.size, height: down.size });
    Object.assign(cells.style, {
      left: `${Math.round(left * ratio) / ratio}px`,
      top: `${Math.round(top * ratio) / ratio}px`,
      width: `${across.size / ratio}px`,
      height: `${down.size / ratio}px`,
    });
    const image = context.createImageData(across.size, down.size);
    const options = { middle, max: distance, isDiverging: !sequential, stretch: scale };
    paintTable(new Uint32Array(image.data.buffer), part, geometry, options, theme);
    context.putImageData(image, 0, 0);
  }

  #drawText() {
    const { geometry } = this;
    if (!geometry) return;
    const { ratio, left, top, down, across } = geometry;
    const width = Math.ceil(left * ratio) + across.size + OUTLINE;
    this.#canvases.resize(width, Math.ceil(top * ratio) + down.size + OUTLINE, ratio);
    const context = this.#canvases.clear("labels");
    if (context) drawTableLabels(context, this.#labels, geometry, this.#canvases.palette);
    this.#drawOverlay();
  }

  #drawOverlay() {
    const context = this.#canvases.clear("overlay");
    if (context) this.#paintOverlay(context);
  }

  /** For exports: labels and outlines as text and lines. */
  paintCanvas({ className }: HTMLCanvasElement, surface: Surface) {
    const { geometry } = this;
    if (!geometry || className === "cells") return false;
    if (className === "labels")
      drawTableLabels(surface, this.#labels, geometry, this.#canvases.palette);
    else this.#paintOverlay(surface);
    return true;
  }

  #paintOverlay(context: Surface) {
    const { geometry, lock } = this;
    const { hovered } = this.interaction;
    if (!geometry) return;
    drawTableOverlay(context, this.#labels, geometry, this.#canvases.palette, {
      locked: cellIn(this.#shown, lock),
      focused: cellIn(this.#shown, hovered),
    });
  }

  #describe() {
    const { focused } = this.interaction;
    this.#canvases.describe(...(focused ? [this.sentenceOf(focused)] : []));
  }

  #onHover(cell: Cell | null) {
    if (cell && this.table && !cellIn(this.#shown, cell))
      this.extent = partWith(this.#shown, this.table, cell);
    this.#drawOverlay();
    this.#describe();
    this.emit("cell-hover", cell && { ...cell, value: this.valueAt(cell) ?? NaN });
  }

  #cellUnder(event: MouseEvent): Cell | null {
    const { geometry } = this;
    const part = this.#painted?.part;
    const box = this.#canvases.get("cells")?.getBoundingClientRect();
    if (!part || !geometry || !box) return null;
    const { ratio, down, across } = geometry;
    const [x, y] = [(event.clientX - box.left) * ratio, (event.clientY - box.top) * ratio];
    const found = cellAt(part, down, across, x, y, true);
    const { rows, columns } = this.#shown;
    return found && { row: found.row + rows.first, column: found.column + columns.first };
  }

  #onClick = (event: MouseEvent) => {
    const cell = this.#cellUnder(event);
    if (cell) this.#choose(cell);
  };

  #choose(cell: Cell) {
    // Enter on a picture that was just entered shows a cell before it does something with it.
    if (!this.interaction.focused) return this.interaction.hover(cell);
    if (this.action) this.emit("cell-choose", cell);
    else
      this.#setLock(cell.row === this.lock?.row && cell.column === this.lock.column ? null : cell);
  }

  #setLock(cell: Cell | null) {
    if (!cell && !this.lock) return;
    this.lock = cell;
    this.emit("cell-lock", cell);
  }

  #onKeyDown = (event: KeyboardEvent) => {
    const factor = { "+": 0.5, "=": 0.5, "-": 2 }[event.key];
    if (!factor || event.ctrlKey || event.metaKey || event.altKey)
      return this.interaction.onKeyDown(event);
    this.#zoom(factor);
    event.preventDefault();
  };

  /** Around the cell under the pointer or the keyboard; otherwise around the last one, where a text ends. */
  #zoom(factor: number) {
    const { table } = this;
    if (!table) return;
    const { rows, columns } = this.#shown;
    const last = { row: rows.first + rows.count - 1, column: columns.first + columns.count - 1 };
    const part = zoomed(this.#shown, table, factor, this.interaction.focused ?? last);
    const isWhole = part.rows.count === table.rows && part.columns.count === table.columns;
    this.extent = isWhole ? null : part;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "heat-table": HeatTable;
  }
}
