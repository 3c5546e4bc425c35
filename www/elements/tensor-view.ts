// <tensor-view>: a tensor of any number of axes. Two of them in a panel, others as small multiples or with a slider.

import { html } from "lit";

import type { Arrangement, NamedArray, Wanted } from "../draw/arrangement.js";
import type { Order } from "../draw/orders.js";
import type { Recorder } from "../draw/figure/recorder.js";
import type { Window } from "../draw/lines.js";
import { type PanelGeometry, type Side, SIDES } from "../draw/panel-plot.js";
import { contains, valueAt, type PanelCell } from "../draw/plane.js";
import type { Stretch } from "../draw/scale.js";
import type { ColourMap } from "../draw/tensor-scale.js";
import type { Token } from "../draw/token.js";
import { zoomWindow } from "../draw/windows.js";
import { SpaceController, TypedElement } from "./base.js";
import { clamp, Interaction } from "./interaction.js";
import { PlotGestures } from "./plot-gestures.js";
import { PlotCanvases, plotStyles, PlotValues, renderPlot } from "./plot.js";
import { base, figure } from "./styles.js";
import { tensorStyles } from "./styles/tensor.js";
import { axesStyles, renderAxes } from "./tensor/axes.js";
import type { Source } from "./tensor/code.js";
import { codeStyles, renderCode } from "./tensor/code-box.js";
import { Drawing } from "./tensor/drawing.js";
import { legendStyles, renderColours, renderLegend } from "./tensor/legend.js";
import { TensorPainter } from "./tensor/painter.js";
import { axisTitles, renderOrder, renderSummary } from "./tensor/parts.js";
import * as pinning from "./tensor/pins.js";
import { cellOf, type Position, positionOf } from "./tensor/position.js";
import { PlotPlaces, type PlotStart } from "./tensor/places.js";
import { renderUnfit, tensorProblem } from "./tensor/unfit.js";
import { renderWindows, windowStyles } from "./tensor/window.js";
import * as words from "./tensor/words.js";
import { ThemeController } from "./theme.js";

/** A cell of the panel that is numbered `panel`, 0 if absent. */
export type TensorCell = { row: number; column: number; panel?: number };
/** What the visitor chose: where the axes are, the colours, and the order of columns and rows. */
export type TensorSettings = Required<Wanted> & {
  map: ColourMap | "";
  limits: string;
  order: Order;
  rowOrder: Order;
};

export interface TensorViewEvents {
  /** `index` is the position on every axis */
  "value-hover": (PanelCell & { value: number; index: Readonly<Record<string, number>> }) | null;
  "value-lock": PanelCell | null;
  /** all pinned values, each as a position on every axis; the last one is the locked one */
  "pins-change": readonly Position[];
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
    rowOrder: { type: String, attribute: "row-order" },
    pins: { attribute: false },
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
    pinning.pinStyles,
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
  /** The order of the columns, and of the rows: as stored, by the pinned row or column, by their largest values, or by name. */
  declare order: Order;
  declare rowOrder: Order;
  declare scale: Stretch;
  /** The cell that was pinned last, if it is drawn. Setting it pins this cell only. */
  declare lock: TensorCell | null;
  /** The pinned values, each as a position on every axis. */
  declare pins: readonly Position[];
  /** A token that something else on the page points at. */
  declare highlight: number | null;
  declare width: number;
  /** The visible parts of the axes that the visitor has chosen. */
  declare zoom: Partial<Record<Side, Window>>;

  readonly theme = new ThemeController(this);
  readonly #box = new SpaceController(this);
  readonly interaction: Interaction<PanelCell> = new Interaction(this, {
    start: () => this.#drawing?.start ?? { panel: 0, row: 0, column: 0 },
    move: (cell, step) => {
      const moved = this.#drawing?.moved(cell, step);
      if (!moved) return null;
      for (const side of SIDES) this.#setWindow(side, moved.zoom[side]);
      return moved.cell;
    },
    onHover: (cell) => this.#onHover(cell),
    describe: (cell) => (this.#drawing ? words.sentence(this.#drawing, cell) : ""),
    locked: () => this.#drawing?.locked ?? null,
    onLock: (cell) => this.#togglePin(cell),
    shiftSteps: 5,
  });
  #canvases = new PlotCanvases(this);
  #painter = new TensorPainter(this.#canvases);
  #values = new PlotValues(
    this,
    () => this.#drawing?.stacked ?? null,
    (text) => this.interaction.announce(text),
  );
  #places = new PlotPlaces({
    drawing: () => this.#drawing,
    cells: () => this.#canvases.get("cells"),
    setWindow: (side, window) => this.#setWindow(side, window),
  });
  #gestures = new PlotGestures<PlotStart>({
    start: (about) => this.#places.start(about),
    drag: (start, by) => this.#places.drag(start, by),
    zoom: (start, factor, by) => this.#places.zoom(start, factor, by),
    hover: (event) => this.interaction.hover(this.#places.cellUnder(event)),
    tap: (event) => {
      const cell = this.#places.cellUnder(event);
      if (cell) this.interaction.choose(cell);
    },
    leave: () => this.interaction.leave(),
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
    this.rowOrder = "";
    this.pins = [];
    this.scale = "linear";
    this.lock = null;
    this.highlight = null;
    this.width = 0;
    this.zoom = {};
  }

  get hovered() {
    return this.interaction.hovered;
  }

  #cachedDrawing: Drawing | null = null;

  /** What is drawn of the tensor. */
  get #drawing() {
    const { tensor, mask, tokens, rows, columns, down, across, index, map, limits, zoom } = this;
    const { order, rowOrder, pins } = this;
    if (!tensor || tensorProblem(tensor)) return null;
    const inputs = {
      ...{ tensor, mask, tokens, rows, columns, down, across, index, map, limits, zoom },
      ...{ order, rowOrder, pins },
      stretch: this.scale,
      space: this.#box.space,
    };
    if (this.#cachedDrawing) this.#cachedDrawing.inputs = inputs;
    else this.#cachedDrawing = new Drawing(inputs);
    return this.#cachedDrawing;
  }

  /** Where the axes are drawn. */
  get slice(): Arrangement {
    return this.#drawing?.arrangement ?? { rows: "", columns: "", down: [], across: [], index: {} };
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

  /** The token of the value that is hovered, or else of the one that was pinned last; null if no axis has tokens. */
  get focusedToken(): number | null {
    const { focused } = this.interaction;
    return this.#drawing && focused ? words.tokenOf(this.#drawing, focused) : null;
  }

  /** @param cell of the first panel if it has no `panel` */
  valueAt({ panel = 0, row, column }: TensorCell) {
    const drawing = this.#drawing;
    return drawing ? valueAt(drawing.plane, { panel, row, column }) : NaN;
  }

  override willUpdate(changed: Map<string, unknown>) {
    const drawing = this.#drawing;
    if (!drawing) return;
    this.#syncPins(drawing, changed);
    const isOther = ["tensor", "rows", "columns", "down", "across"].some((one) => changed.has(one));
    if (!isOther) return;
    const former = this.#zoomed;
    const { rows, columns } = drawing.arrangement;
    this.#zoomed = [rows, drawing.length("rows"), columns, drawing.length("columns")].join();
    if (former !== "" && former !== this.#zoomed) this.zoom = {};
    const isThere = (cell: PanelCell) => contains(drawing.plane, cell);
    this.interaction.prune(isThere);
  }

  /** `lock` is the last pin if it is drawn, unless the owner has set it to another cell. Pins that a new tensor lacks are released. */
  #syncPins(drawing: Drawing, changed: Map<string, unknown>) {
    const isSet = changed.has("lock") && this.lock !== this.#ownLock;
    const present = pinning.present(drawing, this.pins, changed);
    const pins = isSet ? pinning.onlyPin(drawing, this.lock) : present;
    if (pins.length !== this.pins.length || isSet) this.pins = pins;
    this.lock = this.#ownLock = this.#drawing?.locked ?? null;
  }

  #ownLock: TensorCell | null = null;

  /** Pins a cell, or releases it; without a cell, releases the last pin. */
  #togglePin(cell: PanelCell | null) {
    const drawing = this.#drawing;
    if (!drawing || (!cell && this.pins.length === 0)) return;
    this.#setPins(
      cell
        ? pinning.toggled(this.pins, positionOf(drawing, cell))
        : pinning.withoutLast(drawing, this.pins),
    );
  }

  #setPins(pins: readonly Position[]) {
    this.pins = pins;
    this.lock = this.#ownLock = this.#drawing?.locked ?? null;
    this.emit("value-lock", this.#drawing?.locked ?? null);
    this.emit("pins-change", pins);
  }

  /** Moves sliders and the visible part to a pin. */
  async #goTo(pin: Position) {
    const drawing = this.#drawing;
    if (!drawing) return;
    const axes = Object.keys(drawing.arrangement.index);
    this.index = { ...this.index, ...Object.fromEntries(axes.map((axis) => [axis, pin[axis]])) };
    const cell = cellOf(this.#drawing ?? drawing, pin);
    if (!cell) return;
    for (const side of SIDES) this.#setWindow(side, this.#drawing?.windowsWith(cell)[side]);
    this.#emitSettings();
    await this.updateComplete;
    this.interaction.hover(cell);
  }

  /** The axes that `zoom` is about. */
  #zoomed = "";

  override render() {
    const drawing = this.#drawing;
    if (!drawing) return renderUnfit(this.tensor);
    const { geometry, arrangement, tensor, summary, plane } = drawing;
    const label = (axis: string, at: number) => words.spokenLabel(drawing, axis, at);
    const order = renderOrder(drawing, (side, order) =>
      this.#set(side === "rows" ? { rowOrder: order } : { order }),
    );
    const axes = renderAxes(tensor, arrangement, { label, order }, this.#choose);
    const summaryLine = renderSummary(drawing);
    if (tensor.data.length === 0) return html`${summaryLine}<p>no values</p>`;
    if (!arrangement.columns)
      return html`<p class="scalar mono">${words.scalarText(drawing)}</p>${summaryLine}${this.#renderCode(drawing)}`;
    const { left = 0, top = 0, ratio = 1, width = 200, height = 200 } = geometry ?? {};
    const panels = plane.panels.length;
    const plot = renderPlot({
      axes: axisTitles(drawing),
      corner: { left, top },
      width: width / ratio + left,
      height: height / ratio + top,
      className: `${this.zoom.columns ? "zoomed" : ""} ${this.zoom.rows ? "zoomed-rows" : ""}`,
      kind: "heat map",
      label: `${this.name}, ${panels > 1 ? `${panels} panels of ` : ""}${words.sizeText(drawing)}. Arrows move among values, Page Up and Page Down among panels, plus and minus zoom, Enter pins a value or releases it, Escape releases the last one.`,
      on: { ...this.#gestures.handlers, keydown: this.#onKeyDown },
      below: html`${renderLegend(drawing, this.scale, this.theme.theme)}${this.#values.renderButtons()}`,
      table: this.#values.renderTable(() => words.table(drawing, summary)),
    });
    return html`${axes}${renderWindows(drawing, this.#setWindow)}${plot}${pinning.renderPins(drawing, this.#pinActions)}${summaryLine}<div class="more">${renderColours(drawing, this.#set)}${this.#renderCode(drawing)}</div>`;
  }

  #pinActions: pinning.PinActions = {
    go: (pin) => this.#goTo(pin),
    release: (pins) => this.#setPins(this.pins.filter((pin) => !pins.includes(pin))),
  };

  #renderCode(drawing: Drawing) {
    return renderCode(drawing, this.source, (text) => this.interaction.announce(text));
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
    this.#painter.text(drawing, this.theme.theme);
    this.#drawOverlay();
  }

  #drawOverlay() {
    const { hovered } = this.interaction;
    if (this.#drawing) this.#painter.overlay(this.#drawing, { hovered, highlight: this.highlight });
  }

  /** For exports. */
  paintCanvas({ className }: HTMLCanvasElement, recorder: Recorder) {
    const look = { theme: this.theme.theme, marks: { hovered: null, highlight: this.highlight } };
    if (this.#drawing) this.#painter.record(recorder, className, this.#drawing, look);
    return true;
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
        ? { ...cell, value: this.valueAt(cell), index: positionOf(drawing, cell) }
        : null;
    this.emit("value-hover", detail);
  }

  #setWindow = (side: Side, window: Window | undefined) => {
    const { first, count } = this.#drawing?.window(side) ?? { first: 0, count: 0 };
    if (!window || (window.first === first && window.count === count)) return;
    this.zoom = { ...this.zoom, [side]: window };
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
    const at = drawing.placeAlong("columns", from.column);
    const [length, window] = [drawing.length("columns"), drawing.window("columns")];
    this.#setWindow("columns", zoomWindow(length, window, factor, at));
  }

  #choose = (wanted: Required<Wanted>) => {
    Object.assign(this, wanted, { index: { ...this.index, ...wanted.index } });
    this.#emitSettings();
  };

  #set = (choice: Partial<TensorSettings>) => {
    Object.assign(this, choice);
    this.#emitSettings();
  };

  #emitSettings() {
    const { rows, columns, down, across, index, map, limits, order, rowOrder } = this;
    const places = { rows, columns, down, across, index };
    this.emit("slice-change", { ...places, map, limits, order, rowOrder });
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "tensor-view": TensorView;
  }
}
