// <tensor-view>: any activation as a heat map of two of its axes, with zero in the colour of the paper.

import { html } from "lit";

import { formatShort } from "../draw/format.js";
import { windowWith, type Window } from "../draw/lines.js";
import { resolveSlice, sliceTensor, type Slice } from "../draw/slice.js";
import {
  drawSliceLabels,
  drawSliceOverlay,
  sliceGeometry,
  type SliceLabels,
} from "../draw/slice-plot.js";
import {
  cellAt,
  hasMask,
  isInvalid,
  largestCells,
  maxAbs,
  paintSigned,
  type Cell,
} from "../draw/signed-heatmap.js";
import { announced, glyphs, truncate, type Token } from "../draw/token.js";
import { axesStyles, renderAxes } from "./axes.js";
import { pixelRatio, TypedElement, WidthController } from "./base.js";
import { clamp, Interaction } from "./interaction.js";
import { PlotCanvases, plotStyles, PlotValues, renderPlot } from "./plot.js";
import { base, figure } from "./styles.js";
import { tensorStyles } from "./styles/tensor.js";
import { ThemeController } from "./theme.js";
import type { Matrix, Tensor } from "../draw/matrix.js";
import type { Stretch } from "../draw/scale.js";

/** Axes whose positions are the tokens of the text. */
const TOKEN_AXES = ["pos", "query", "key"];

/** The name of an axis in a sentence. */
const AXIS_NAMES: Record<string, string> = {
  pos: "position",
  d_model: "dimension",
  d_head: "dimension",
  d_mlp: "neuron",
  vocab: "token id",
};

/** Device pixels around the last cells for the outline of a focused cell. */
const OUTLINE = 3;
/** How many tokens are visible at once, until the visitor asks for all: so many rows are still told apart. */
const VISIBLE_TOKENS = 64;
/** Rows of the table. */
const TABLE_ROWS = 20;

export interface TensorViewEvents {
  "value-hover": (Cell & { value: number }) | null;
  "value-lock": Cell | null;
  "slice-change": Slice;
  "scale-change": Stretch;
}

export class TensorView extends TypedElement<TensorViewEvents> {
  static override properties = {
    tensor: { attribute: false },
    name: { type: String },
    tokens: { attribute: false },
    rows: { type: String },
    columns: { type: String },
    index: { attribute: false },
    scale: { type: String },
    lock: { attribute: false },
    width: { state: true },
    first: { state: true },
    isWhole: { state: true },
  };

  static override styles = [base, figure, plotStyles, axesStyles, tensorStyles];

  /** At least two axes. */
  declare tensor: Tensor | null;
  /** The name of the hook point. */
  declare name: string;
  /** The labels of pos, query and key. */
  declare tokens: readonly Token[];
  /** The axis that runs down and the axis that runs across; empty for the default ones. */
  declare rows: string;
  declare columns: string;
  /** The position on every other axis. */
  declare index: Readonly<Record<string, number>>;
  declare scale: Stretch;
  declare lock: Cell | null;
  declare width: number;
  /** The first visible row, if the visitor has moved. */
  declare first: number | null;
  /** All rows of a long text are visible. */
  declare isWhole: boolean;

  readonly theme = new ThemeController(this);
  readonly interaction: Interaction<Cell> = new Interaction(this, {
    start: () => ({ row: this.visible.first + this.visible.count - 1, column: 0 }),
    move: ({ row, column }, { rows, columns }) => {
      const matrix = this.matrix;
      if (!matrix) return null;
      const cell = {
        row: clamp(row + rows, matrix.rows),
        column: clamp(column + columns, matrix.columns),
      };
      this.first = windowWith(matrix.rows, this.visible, cell.row).first;
      return cell;
    },
    onHover: (cell) => this.#onHover(cell),
    describe: (cell) => this.#sentence(cell),
    locked: () => this.lock,
    onLock: (cell) => {
      if (!cell && !this.lock) return;
      this.lock = cell;
      this.emit("value-lock", cell);
    },
    shiftSteps: 5,
  });
  #canvases = new PlotCanvases(this);
  #values = new PlotValues(
    this,
    () => this.matrix,
    (sentence) => this.interaction.announce(sentence),
  );

  constructor() {
    super();
    this.tensor = null;
    this.name = "";
    this.tokens = [];
    this.rows = "";
    this.columns = "";
    this.index = {};
    this.scale = "linear";
    this.lock = null;
    this.width = 0;
    this.first = null;
    this.isWhole = false;
    new WidthController(this);
  }

  get hovered() {
    return this.interaction.hovered;
  }

  /** The slice that is drawn. */
  get slice(): Slice {
    if (!this.tensor) return { rows: "", columns: "", index: {} };
    const { rows, columns, index } = this;
    const wanted = { rows: rows || undefined, columns: columns || undefined, index };
    return resolveSlice(this.tensor, wanted);
  }

  /** The matrix that is drawn. */
  get matrix() {
    return this.#drawn?.matrix ?? null;
  }

  /** The value at the ends of the scale. */
  get maxAbs() {
    return this.#drawn?.maxAbs || 1;
  }

  /** The matrix and what is known of it. Computed once for each tensor and slice. */
  get #drawn() {
    const { tensor, slice } = this;
    if (!tensor) return null;
    const key = JSON.stringify(slice);
    if (this.#cached?.tensor !== tensor || this.#cached.key !== key) {
      const matrix = sliceTensor(tensor, slice);
      const masks = hasMask(tensor);
      let invalid = 0;
      for (const value of matrix.data) if (isInvalid(value, masks)) invalid += 1;
      this.#cached = { tensor, key, matrix, masks, invalid, maxAbs: maxAbs(matrix) };
    }
    return this.#cached;
  }

  #cached: {
    tensor: Tensor;
    key: string;
    matrix: Matrix;
    /** −∞ is a mask */
    masks: boolean;
    /** how many values are neither finite nor masks */
    invalid: number;
    maxAbs: number;
  } | null = null;

  /** The visible rows. Of the tokens of a long text only the last ones are, until the visitor moves. */
  get visible(): Window {
    const rows = this.matrix?.rows ?? 0;
    const isLong = TOKEN_AXES.includes(this.slice.rows) && rows > VISIBLE_TOKENS;
    if (!isLong || this.isWhole) return { first: 0, count: rows };
    const last = rows - VISIBLE_TOKENS;
    return { first: clamp(this.first ?? last, last + 1), count: VISIBLE_TOKENS };
  }

  /** The part of the matrix that is drawn. */
  get #shown(): Matrix | null {
    const { matrix, visible } = this;
    if (!matrix || visible.count === matrix.rows) return matrix;
    const { first, count } = visible;
    const { columns } = matrix;
    const data = matrix.data.subarray(first * columns, (first + count) * columns);
    return { data, rows: count, columns };
  }

  /** Where cells and labels are. With it a value can be read back from the pixels. */
  get geometry() {
    const { width } = this;
    const shown = this.#shown;
    if (!shown || width === 0) return null;
    const space = { width, windowHeight: window.innerHeight, ratio: pixelRatio() };
    return sliceGeometry(shown, this.#labels, space);
  }

  /** The labels of what is drawn. */
  get #labels(): SliceLabels {
    const { rows, columns } = this.slice;
    const { first, count } = this.visible;
    const labels = this.#labelsOf(rows).slice(first, first + count);
    return { rows: labels, columns: this.#labelsOf(columns) };
  }

  #labelsOf(axis: string): readonly Token[] {
    if (TOKEN_AXES.includes(axis) && this.tokens.length > 0) return this.tokens;
    const at = this.tensor?.axes.indexOf(axis) ?? -1;
    return Array.from({ length: at < 0 ? 0 : (this.tensor?.shape[at] ?? 0) }, (_, i) => String(i));
  }

  valueAt({ row, column }: Cell) {
    const matrix = this.matrix;
    return matrix ? matrix.data[row * matrix.columns + column] : NaN;
  }

  override willUpdate(changed: Map<string, unknown>) {
    const matrix = this.matrix;
    if (!matrix || !["tensor", "rows", "columns"].some((name) => changed.has(name))) return;
    const contains = ({ row, column }: Cell) => row < matrix.rows && column < matrix.columns;
    this.interaction.prune(contains);
    if (this.lock && !contains(this.lock)) this.lock = null;
  }

  override render() {
    const { tensor, geometry, slice, matrix } = this;
    if (!tensor || !matrix) return "";
    const { down, across, left = 0, top = 0, ratio = 1 } = geometry ?? {};
    const plot = renderPlot({
      axes: { across: slice.columns, down: slice.rows },
      corner: { left, top },
      width: across ? across.size / ratio + left : 200,
      height: down ? down.size / ratio + top : 200,
      kind: "heat map",
      label: `${this.name}, ${matrix.rows} ${slice.rows} by ${matrix.columns} ${slice.columns}. Arrows move among values, Enter locks, Escape releases.`,
      on: {
        pointermove: (event) => this.interaction.hover(this.#cellUnder(event)),
        leave: this.interaction.leave,
        click: this.#onClick,
        keydown: this.interaction.onKeyDown,
      },
      below: html`${this.#renderLegend()}${this.#values.renderButtons()}`,
      table: this.#values.renderTable(() => this.#table(matrix)),
    });
    return html`${renderAxes(tensor, slice, this.#setSlice)}${this.#renderWindow(matrix)}${plot}`;
  }

  /** What is left out, and how to reach it. */
  #renderWindow(matrix: Matrix) {
    const { first, count } = this.visible;
    if (count === matrix.rows && !this.isWhole) return "";
    if (matrix.rows <= VISIBLE_TOKENS) return "";
    const last = matrix.rows - count;
    const move = (by: number) => () => {
      this.first = clamp(first + by, last + 1);
    };
    const step = count >> 1;
    return html`<p class="window">
      <button ?disabled=${first === 0} @click=${move(-step)}>↑ earlier</button>
      <button ?disabled=${first >= last} @click=${move(step)}>↓ later</button>
      <button aria-pressed=${this.isWhole} @click=${() => (this.isWhole = !this.isWhole)}>all tokens</button>
      <span>Tokens ${first} to ${first + count - 1} of ${matrix.rows} are shown.</span>
    </p>`;
  }

  #renderLegend() {
    const max = formatShort(this.maxAbs, 3);
    const { down, across } = this.geometry ?? {};
    const isPooled = down && across && down.factor * across.factor > 1;
    const invalid = this.#drawn?.invalid ?? 0;
    return html`<color-legend
      signed
      from="−${max}"
      to=${max}
      text="zero in the middle"
      .detail=${isPooled ? `a cell shows the farthest from zero of ${down.factor} × ${across.factor}` : ""}
      .notFinite=${invalid > 0 ? `not finite: ${invalid} values` : ""}
      .scale=${this.scale}
    ></color-legend>`;
  }

  /** The text alternative: the values with the largest magnitude. */
  #table(matrix: Matrix) {
    const { rows, columns } = this.slice;
    const position = (axis: string, at: number) =>
      TOKEN_AXES.includes(axis) ? `${at} ${glyphs(this.tokens[at] ?? "")}` : String(at);
    return {
      caption: this.#drawn?.invalid
        ? "Values that are not finite, then those farthest from zero."
        : "The values farthest from zero.",
      columns: [rows, columns, "value"],
      rows: largestCells(matrix, TABLE_ROWS, this.#drawn?.masks).map(({ row, column, value }) => [
        position(rows, row),
        position(columns, column),
        formatShort(value, 7),
      ]),
    };
  }

  override updated() {
    this.#drawCells();
    this.#describe();
    this.#canvases.schedule(() => this.#drawText());
  }

  /** The matrix, the geometry and the theme of the cells on the canvas. */
  #painted: { drawKey: string; matrix: Matrix } | null = null;
  /** The labels on the canvas belong to earlier cells. */
  #staleLabels = true;

  #drawCells() {
    const { matrix, geometry, slice, scale, maxAbs, visible } = this;
    const shown = this.#shown;
    const { theme } = this.theme;
    const cells = this.#canvases.get("cells");
    const context = cells?.getContext("2d");
    if (!matrix || !shown || !geometry || !cells || !context) return;
    const labelCount = this.#labels.rows.length;
    const drawKey = JSON.stringify([geometry, slice, visible, scale, theme, labelCount]);
    if (this.#painted?.drawKey === drawKey && this.#painted.matrix === matrix) return;
    this.#painted = { drawKey, matrix };
    this.#staleLabels = true;
    const { ratio, left, top, down, across } = geometry;
    Object.assign(cells, { width: across.size, height: down.size });
    Object.assign(cells.style, {
      left: `${Math.round(left * ratio) / ratio}px`,
      top: `${Math.round(top * ratio) / ratio}px`,
      width: `${across.size / ratio}px`,
      height: `${down.size / ratio}px`,
    });
    const image = context.createImageData(across.size, down.size);
    const masks = this.#drawn?.masks;
    const options = { down, across, max: maxAbs, theme, stretch: scale, masks };
    paintSigned(new Uint32Array(image.data.buffer), shown, options);
    context.putImageData(image, 0, 0);
  }

  #drawText() {
    const { geometry } = this;
    if (!geometry) return;
    const { ratio, left, top, down, across } = geometry;
    const [gutterLeft, gutterTop] = [Math.ceil(left * ratio), Math.ceil(top * ratio)];
    const width = gutterLeft + across.size + OUTLINE;
    this.#canvases.resize(width, gutterTop + down.size + OUTLINE, ratio);
    const context = this.#staleLabels && this.#canvases.clear("labels");
    if (context) {
      this.#staleLabels = false;
      for (const side of ["rows", "columns"] as const)
        drawSliceLabels(context, side, this.#labels, geometry, this.#canvases.palette);
    }
    this.#drawOverlay();
  }

  #drawOverlay() {
    const { geometry } = this;
    const { focused } = this.interaction;
    const { first, count } = this.visible;
    const context = this.#canvases.clear("overlay");
    if (!context || !geometry || !focused) return;
    const cell = { ...focused, row: focused.row - first };
    if (cell.row >= 0 && cell.row < count)
      drawSliceOverlay(context, cell, this.#labels, geometry, this.#canvases.palette);
  }

  #describe() {
    const { focused } = this.interaction;
    if (!focused) return this.#canvases.describe();
    const { rows, columns } = this.slice;
    const position = (axis: string, at: number) => {
      const token = TOKEN_AXES.includes(axis) ? this.tokens[at] : undefined;
      return { bold: token === undefined ? String(at) : `${at} ${truncate(token, 24)}` };
    };
    this.#canvases.describe(
      `${rows} `,
      position(rows, focused.row),
      ", ",
      `${columns} `,
      position(columns, focused.column),
      `  ${formatShort(this.valueAt(focused), 7)}`,
    );
  }

  #sentence(cell: Cell) {
    const { rows, columns } = this.slice;
    const position = (axis: string, at: number) => {
      const token = TOKEN_AXES.includes(axis) ? this.tokens[at] : undefined;
      return `${AXIS_NAMES[axis] ?? axis} ${at}${token === undefined ? "" : ` ${announced(token)}`}`;
    };
    return `${position(rows, cell.row)}, ${position(columns, cell.column)}, ${formatShort(this.valueAt(cell), 7)}`;
  }

  #onHover(cell: Cell | null) {
    this.#drawOverlay();
    this.#describe();
    this.emit("value-hover", cell && { ...cell, value: this.valueAt(cell) });
  }

  #cellUnder(event: MouseEvent) {
    const { geometry } = this;
    const shown = this.#shown;
    const box = this.#canvases.get("cells")?.getBoundingClientRect();
    if (!shown || !geometry || !box) return null;
    const { ratio, down, across } = geometry;
    const x = (event.clientX - box.left) * ratio;
    const y = (event.clientY - box.top) * ratio;
    const cell = cellAt(shown, down, across, x, y, this.#drawn?.masks);
    return cell && { ...cell, row: cell.row + this.visible.first };
  }

  #onClick = (event: MouseEvent) => {
    const cell = this.#cellUnder(event);
    if (cell) this.interaction.choose(cell);
  };

  #setSlice = ({ rows, columns, index }: Slice) => {
    Object.assign(this, { rows, columns, index: { ...this.index, ...index } });
    this.emit("slice-change", { rows, columns, index: this.index });
  };
}

declare global {
  interface HTMLElementTagNameMap {
    "tensor-view": TensorView;
  }
}
