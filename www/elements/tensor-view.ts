// <tensor-view>: a tensor of any number of axes. Two of them in a panel, others as small multiples or with a slider.

import { html } from "lit";

import type { Arrangement, NamedArray, Wanted } from "../draw/arrangement.js";
import type { Order } from "../draw/axis-order.js";
import type { Window } from "../draw/lines.js";
import { placeUnder, type PanelGeometry, type Side } from "../draw/panel-plot.js";
import { cellUnder } from "../draw/panels.js";
import { contains, valueAt, type PanelCell } from "../draw/plane.js";
import type { Stretch } from "../draw/scale.js";
import type { ColourMap } from "../draw/tensor-scale.js";
import type { Token } from "../draw/token.js";
import { zoomWindow } from "../draw/windows.js";
import { pixelRatio, TypedElement, WidthController } from "./base.js";
import { clamp, Interaction } from "./interaction.js";
import { PlotCanvases, plotStyles, PlotValues, renderPlot } from "./plot.js";
import { base, figure } from "./styles.js";
import { tensorStyles } from "./styles/tensor.js";
import { axesStyles, renderAxes } from "./tensor/axes.js";
import { codeOfCell, codeOfView, type Source } from "./tensor/code.js";
import { codeStyles, renderCode } from "./tensor/code-box.js";
import { Drawing } from "./tensor/drawing.js";
import { legendStyles, renderColours, renderLegend, type ColourChoice } from "./tensor/legend.js";
import { TensorPainter } from "./tensor/painter.js";
import { axisTitles, renderOrder, renderSummary } from "./tensor/parts.js";
import { PlotPointer, renderWindows, windowStyles } from "./tensor/window.js";
import * as words from "./tensor/words.js";
import { ThemeController } from "./theme.js";

/** A cell of the panel that is numbered `panel`, 0 if absent. */
export type TensorCell = { row: number; column: number; panel?: number };
/** What the visitor chose: where the axes are, the colours, and the order of the columns. */
export type TensorSettings = Required<Wanted> & {
  map: ColourMap | "";
  limits: string;
  order: Order;
};

export interface TensorViewEvents {
  /** `index` is the position on every axis */
  "value-hover": (PanelCell & { value: number; index: Readonly<Record<string, number>> }) | null;
  "value-lock": PanelCell | null;
  "slice-change": TensorSettings;
  "scale-change": Stretch;
}

export class TensorView extends TypedElement<TensorViewEvents> {
  static override properties = {
    tensor: { attribute: false },
    name: { type: String },
    source: { attribute: false },
    mask: { attribute: false },
    tokens: { attribute: false },
    rows: { type: String },
    columns: { type: String },
    down: { type: String },
    across: { type: String },
    index: { attribute: false },
    map: { type: String },
    limits: { type: String },
    order: { type: String },
    scale: { type: String },
    lock: { attribute: false },
    highlight: { attribute: false },
    width: { state: true },
    zoom: { state: true },
  };

  static override styles = [
    base,
    figure,
    plotStyles,
    axesStyles,
    windowStyles,
    legendStyles,
    codeStyles,
    tensorStyles,
  ];

  declare tensor: NamedArray | null;
  /** For screen readers: the name of the hook point or the parameter. */
  declare name: string;
  /** What the tensor is in code; without it, its name. */
  declare source: Source | null;
  /** 0 for each value that does not count; its axes are some of the tensor's. */
  declare mask: NamedArray | null;
  /** The labels of pos, query and key. */
  declare tokens: readonly Token[];
  /** The axes of a panel, and the axes of which each position has one; empty for the usual ones. */
  declare rows: string;
  declare columns: string;
  declare down: string;
  declare across: string;
  /** The position on every other axis. */
  declare index: Readonly<Record<string, number>>;
  /** Empty for the map that fits the values. */
  declare map: ColourMap | "";
  /** Empty for three standard deviations; `all`, `99%`, or two numbers: `-1,1`. */
  declare limits: string;
  /** The order of the columns: as stored, by the locked row, or by their largest values. */
  declare order: Order;
  declare scale: Stretch;
  declare lock: TensorCell | null;
  /** A token that something else on the page points at. */
  declare highlight: number | null;
  declare width: number;
  /** The visible parts of the axes that the visitor has chosen. */
  declare zoom: Partial<Record<Side, Window>>;

  readonly theme = new ThemeController(this);
  readonly interaction: Interaction<PanelCell> = new Interaction(this, {
    start: () => this.#drawing?.start ?? { panel: 0, row: 0, column: 0 },
    move: (cell, step) => {
      const moved = this.#drawing?.moved(cell, step);
      if (!moved) return null;
      for (const side of ["rows", "columns"] as const) this.#setWindow(side, moved.zoom[side]);
      return moved.cell;
    },
    onHover: (cell) => this.#onHover(cell),
    describe: (cell) => (this.#drawing ? words.sentence(this.#drawing, cell) : ""),
    locked: () => this.#locked,
    onLock: (cell) => {
      if (!cell && !this.lock) return;
      this.lock = cell;
      this.emit("value-lock", cell);
    },
    shiftSteps: 5,
  });
  #canvases = new PlotCanvases(this);
  #painter = new TensorPainter(this.#canvases);
  #values = new PlotValues(
    this,
    () => this.#drawing?.stacked ?? null,
    (text) => this.interaction.announce(text),
  );
  #pointer = new PlotPointer({
    axis: (side) => this.#axis(side),
    at: (side, event) => this.#positionUnder(side, event),
    set: (side, window) => this.#setWindow(side, window),
  });

  constructor() {
    super();
    this.tensor = null;
    this.name = "";
    this.source = null;
    this.mask = null;
    this.tokens = [];
    this.rows = "";
    this.columns = "";
    this.down = "";
    this.across = "";
    this.index = {};
    this.map = "";
    this.limits = "";
    this.order = "";
    this.scale = "linear";
    this.lock = null;
    this.highlight = null;
    this.width = 0;
    this.zoom = {};
    new WidthController(this);
  }

  get hovered() {
    return this.interaction.hovered;
  }

  #kept: Drawing | null = null;

  /** What is drawn of the tensor. */
  get #drawing() {
    const { tensor, mask, tokens, rows, columns, down, across, index, map, limits, zoom } = this;
    if (!tensor) return null;
    const locked = this.lock;
    const inputs = {
      ...{ tensor, mask, tokens, rows, columns, down, across, index, map, limits, zoom },
      stretch: this.scale,
      order: this.order,
      pinned: locked && { panel: locked.panel ?? 0, row: locked.row },
      space: { width: this.width, windowHeight: window.innerHeight, ratio: pixelRatio() },
    };
    if (this.#kept) this.#kept.inputs = inputs;
    else this.#kept = new Drawing(inputs);
    return this.#kept;
  }

  /** Where the axes are drawn. */
  get slice(): Arrangement {
    return this.#drawing?.arrangement ?? NOTHING;
  }

  /** The numbers of the first panel. */
  get matrix() {
    return this.#drawing?.matrix ?? null;
  }

  /** The colours and their limits. */
  get colours() {
    return this.#drawing?.scale ?? null;
  }

  /** The value at the upper end of the scale. */
  get maxAbs() {
    return this.colours?.max ?? 1;
  }

  /** The visible rows, and the visible columns. */
  get visible(): Window {
    return this.#drawing?.window("rows") ?? { first: 0, count: 0 };
  }

  get visibleColumns(): Window {
    return this.#drawing?.window("columns") ?? { first: 0, count: 0 };
  }

  /** Where cells and labels are. With it a value can be read back from the pixels. */
  get geometry(): PanelGeometry | null {
    return this.#drawing?.geometry ?? null;
  }

  get #locked(): PanelCell | null {
    return this.lock && { ...this.lock, panel: this.lock.panel ?? 0 };
  }

  /** @param cell of the first panel if it has no `panel` */
  valueAt({ panel = 0, row, column }: TensorCell) {
    const drawing = this.#drawing;
    return drawing ? valueAt(drawing.plane, { panel, row, column }) : NaN;
  }

  override willUpdate(changed: Map<string, unknown>) {
    const drawing = this.#drawing;
    const isOther = ["tensor", "rows", "columns", "down", "across"].some((one) => changed.has(one));
    if (!drawing || !isOther) return;
    const former = this.#zoomed;
    const { rows, columns } = drawing.arrangement;
    this.#zoomed = [rows, drawing.length("rows"), columns, drawing.length("columns")].join();
    if (former !== "" && former !== this.#zoomed) this.zoom = {};
    const isThere = (cell: PanelCell) => contains(drawing.plane, cell);
    this.interaction.prune(isThere);
    const locked = this.#locked;
    if (locked && !isThere(locked)) this.lock = null;
  }

  /** The axes that `zoom` is about. */
  #zoomed = "";

  override render() {
    const drawing = this.#drawing;
    if (!drawing) return "";
    const { geometry, arrangement, inputs, summary, plane } = drawing;
    const { tensor } = inputs;
    const label = (axis: string, at: number) => words.spokenLabel(drawing, axis, at);
    const order = renderOrder(drawing, this.#setOrder);
    const axes = renderAxes(tensor, arrangement, { label, order }, this.#choose);
    const summaryLine = renderSummary(drawing);
    if (tensor.data.length === 0) return html`${summaryLine}<p>no values</p>`;
    if (!arrangement.columns)
      return html`<p class="scalar mono">${words.scalarText(drawing)}</p>${summaryLine}${this.#renderCode()}`;
    const { left = 0, top = 0, ratio = 1, width = 200, height = 200 } = geometry ?? {};
    const panels = plane.panels.length;
    const plot = renderPlot({
      axes: axisTitles(drawing),
      corner: { left, top },
      width: width / ratio + left,
      height: height / ratio + top,
      className: this.zoom.columns ? "zoomed" : "",
      kind: "heat map",
      label: `${this.name}, ${panels > 1 ? `${panels} panels of ` : ""}${words.sizeText(drawing)}. Arrows move among values, Page Up and Page Down among panels, plus and minus zoom, Enter locks, Escape releases.`,
      on: {
        pointermove: this.#onMove,
        leave: this.interaction.leave,
        pointerdown: this.#pointer.onDown,
        click: this.#onClick,
        wheel: this.#pointer.onWheel,
        keydown: this.#onKeyDown,
      },
      below: html`${renderLegend(drawing, this.scale, this.theme.theme)}${this.#values.renderButtons()}`,
      table: this.#values.renderTable(() => words.table(drawing, summary)),
    });
    return html`${axes}${renderWindows(drawing, this.#setWindow)}${plot}${summaryLine}<div class="more">${renderColours(drawing, this.#setColours)}${this.#renderCode()}</div>`;
  }

  #renderCode() {
    const drawing = this.#drawing;
    const source = this.source ?? this.tensor?.name ?? null;
    if (!drawing || source === null) return "";
    const { tensor } = drawing.inputs;
    const cell = this.#locked ?? (drawing.arrangement.columns ? null : drawing.start);
    const { rows, columns } = drawing.shown;
    // A visible part of sorted columns is no range.
    const whole = { first: 0, count: drawing.length("columns") };
    const visible = { rows, columns: drawing.columnOrder ? whole : columns };
    return renderCode(
      {
        cell: cell && codeOfCell(source, tensor, words.positionOf(drawing, cell)),
        view: codeOfView(source, tensor, drawing.arrangement, visible),
      },
      (text) => this.interaction.announce(text),
    );
  }

  override updated() {
    if (!this.#drawing?.arrangement.columns) return;
    this.#painter.cells(this.#drawing, this.theme.theme);
    this.#describe();
    this.#canvases.schedule(() => this.#drawText());
  }

  #drawText() {
    const drawing = this.#drawing;
    if (!drawing?.geometry) return;
    this.#painter.text(drawing, words.titles(drawing), this.theme.theme);
    this.#drawOverlay();
  }

  #drawOverlay() {
    const { focused } = this.interaction;
    const marked = { locked: this.#locked, focused, highlight: this.highlight };
    if (this.#drawing) this.#painter.overlay(this.#drawing, marked);
  }

  #describe() {
    const { focused } = this.interaction;
    const drawing = this.#drawing;
    this.#canvases.describe(...(drawing && focused ? words.readout(drawing, focused) : []));
  }

  #onHover(cell: PanelCell | null) {
    this.#drawOverlay();
    this.#describe();
    const drawing = this.#drawing;
    const detail =
      cell && drawing
        ? { ...cell, value: this.valueAt(cell), index: words.positionOf(drawing, cell) }
        : null;
    this.emit("value-hover", detail);
  }

  /** Device pixels of the cells under the pointer. */
  #pixelUnder(event: MouseEvent) {
    const box = this.#canvases.get("cells")?.getBoundingClientRect();
    const ratio = this.geometry?.ratio ?? 1;
    return box && { x: (event.clientX - box.left) * ratio, y: (event.clientY - box.top) * ratio };
  }

  #cellUnder(event: MouseEvent) {
    const drawing = this.#drawing;
    const pixel = this.#pixelUnder(event);
    if (!drawing?.geometry || !pixel) return null;
    const place = placeUnder(drawing.geometry, pixel.x, pixel.y);
    return place && cellUnder(drawing.plane, place, drawing.geometry.grid, drawing.shown);
  }

  #axis(side: Side) {
    const drawing = this.#drawing;
    const fitted = side === "rows" ? this.geometry?.down : this.geometry?.across;
    return {
      window: drawing?.window(side) ?? { first: 0, count: 0 },
      length: drawing?.length(side) ?? 0,
      pitch: fitted ? fitted.cell / fitted.factor / (this.geometry?.ratio ?? 1) : 1,
    };
  }

  /** The drawn position under the pointer along one axis, for zooming; the middle outside of panels. */
  #positionUnder(side: Side, event: MouseEvent) {
    const { window } = this.#axis(side);
    const { geometry } = this;
    const pixel = this.#pixelUnder(event);
    const place = geometry && pixel && placeUnder(geometry, pixel.x, pixel.y);
    if (!place) return window.first + window.count / 2;
    const at =
      side === "rows" ? place.line * geometry.down.factor : place.place * geometry.across.factor;
    return window.first + at;
  }

  #setWindow = (side: Side, window: Window | undefined) => {
    const { first, count } = this.#axis(side).window;
    if (!window || (window.first === first && window.count === count)) return;
    this.zoom = { ...this.zoom, [side]: window };
  };

  #onMove = (event: PointerEvent) => {
    if (!this.#pointer.onMove(event)) this.interaction.hover(this.#cellUnder(event));
  };

  #onClick = (event: MouseEvent) => {
    if (this.#pointer.endsDrag()) return;
    const cell = this.#cellUnder(event);
    if (cell) this.interaction.choose(cell);
  };

  #onKeyDown = (event: KeyboardEvent) => {
    const drawing = this.#drawing;
    if (!drawing || event.altKey || event.ctrlKey || event.metaKey) return;
    const factor = { "+": 0.5, "=": 0.5, "-": 2 }[event.key];
    const by = { PageUp: -1, PageDown: 1 }[event.key];
    const from = this.interaction.focused ?? drawing.start;
    if (factor !== undefined && !drawing.isVector) this.#zoomAt(drawing, from, factor);
    else if (event.key === "0") this.zoom = {};
    else if (by !== undefined && drawing.plane.panels.length > 1) {
      const panel = clamp(from.panel + by, drawing.plane.panels.length);
      this.interaction.hover({ ...from, panel });
    } else {
      this.interaction.onKeyDown(event);
      return;
    }
    event.preventDefault();
  };

  #zoomAt(drawing: Drawing, from: PanelCell, factor: number) {
    const { length, window } = this.#axis("columns");
    const at = drawing.drawnColumn(from.column);
    this.#setWindow("columns", zoomWindow(length, window, factor, at));
  }

  #choose = (wanted: Required<Wanted>) => {
    Object.assign(this, wanted, { index: { ...this.index, ...wanted.index } });
    this.#emitSettings();
  };

  #setOrder = (order: Order) => {
    this.order = order;
    this.#emitSettings();
  };

  #setColours = (choice: Partial<ColourChoice>) => {
    Object.assign(this, choice);
    this.#emitSettings();
  };

  #emitSettings() {
    const { rows, columns, down, across, index, map, limits, order } = this;
    this.emit("slice-change", { rows, columns, down, across, index, map, limits, order });
  }
}

const NOTHING: Arrangement = { rows: "", columns: "", down: [], across: [], index: {} };

declare global {
  interface HTMLElementTagNameMap {
    "tensor-view": TensorView;
  }
}
