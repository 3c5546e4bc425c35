// <tensor-view>: any activation, two of its axes at a time, as a heat map whose paper is zero.

import { css, html } from "lit";
import { formatNumber } from "../draw/format.js";
import { announced, glyphs, truncate, type Token } from "../draw/token.js";

import { signedGradient } from "../draw/diverging.js";
import { axisLabels, labelling } from "../draw/labels.js";
import { stripes } from "../draw/not-finite.js";
import { fit, type Fit } from "../draw/fit.js";
import { resolveSlice, sliceTensor, type Slice } from "../draw/slice.js";
import {
  type Cell,
  cellAt,
  hasMask,
  isInvalid,
  largestCells,
  maxAbs,
  paintSigned,
} from "../draw/signed-heatmap.js";
import { TypedElement, pixelRatio, WidthController } from "./base.js";
import { LiveRegion } from "./interaction.js";
import { base, figure } from "./styles.js";
import { ThemeController } from "./theme.js";
import { bold, Canvases, copyValues, plot } from "./plot.js";
import type { Tensor, Matrix } from "../draw/matrix.js";
import type { Stretch } from "../draw/scale.js";

type Place = Cell;

/** Characters of a label, at most. */
const LABEL = 11;
/** CSS pixels that a cell and the plot take at most, and the share of the window's height. */
const CELL = 24;
const WIDEST = 860;
const TALLEST = 0.6;
/** Axes whose places are the tokens of the text. */
const OF_TOKENS = ["pos", "query", "key"];

/** What an axis is called in a sentence. */
const NAMES: Record<string, string> = {
  pos: "position",
  d_model: "dimension",
  d_head: "dimension",
  d_mlp: "neuron",
  vocab: "token id",
};

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
    table: { state: true },
  };

  static override styles = [
    base,
    figure,
    plot,
    css`
      .cut {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 0.4rem 1rem;
        margin-bottom: 0.6rem;
        font-size: 0.88rem;
        color: var(--soft);
      }
      .cut label {
        display: inline-flex;
        align-items: center;
        gap: 0.4rem;
      }
      .cut select,
      .cut input {
        font-family: var(--mono);
        font-size: 0.82rem;
        color: var(--ink);
      }
      .cut input {
        width: 4.6rem;
      }
      .plot {
        cursor: crosshair;
      }
      .cells {
        box-shadow: 0 0 0 1px var(--line);
      }
      .readout {
        overflow-wrap: anywhere;
      }
      .readout b {
        white-space: pre-wrap;
      }
      .ramp {
        position: relative;
        width: 10rem;
      }
      .ramp::after {
        content: "";
        position: absolute;
        left: 50%;
        top: 100%;
        height: 4px;
        border-left: 1px solid var(--soft);
      }
      .table {
        max-height: 20rem;
      }
    `,
  ];

  /** Two axes or more. */
  declare tensor: Tensor | null;
  /** The hook point's name. */
  declare name: string;
  /** What the places of pos, query and key are called. */
  declare tokens: readonly Token[];
  /** The axis that runs down, and the one that runs across; empty for the usual ones. */
  declare rows: string;
  declare columns: string;
  /** Where along each other axis. */
  declare index: Readonly<Record<string, number>>;
  declare scale: Stretch;
  declare lock: Place | null;
  declare width: number;
  declare table: boolean;
  declare hovered: Place | null;
  declare theme: any;
  declare voice: any;
  declare measured: any;
  declare canvases: any;

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
    this.table = false;
    this.hovered = null;
    this.theme = new ThemeController(this);
    this.voice = new LiveRegion();
    this.measured = new WidthController(this);
    this.canvases = new Canvases(this);
  }

  /** The cut on show. */
  get slice(): Slice {
    const asked = {
      rows: this.rows || undefined,
      columns: this.columns || undefined,
      index: this.index,
    };
    return this.tensor ? resolveSlice(this.tensor, asked) : { rows: "", columns: "", index: {} };
  }

  /** The matrix that is drawn, cut out once for each tensor and cut. */
  get matrix() {
    const { tensor, slice: cut } = this;
    if (!tensor) return null;
    const key = JSON.stringify(cut);
    if (this.#drawn?.tensor !== tensor || this.#drawn.key !== key) {
      const matrix = sliceTensor(tensor, cut);
      const masks = hasMask(tensor);
      const broken = matrix.data.reduce(
        (count, value) => count + Number(isInvalid(value, masks)),
        0,
      );
      this.#drawn = { tensor, key, matrix, most: maxAbs(matrix), masks, broken };
    }
    return this.#drawn.matrix;
  }

  #drawn: {
    tensor: Tensor;
    key: string;
    matrix: Matrix;
    most: number;
    masks: boolean;
    broken: number;
  } | null = null;

  /** The value at the ends of the scale. */
  get most() {
    return this.matrix ? this.#drawn?.most || 1 : 1;
  }

  /** Where everything is: what a test needs to read a value back from the pixels. */
  get geometry() {
    const matrix = this.matrix;
    if (!matrix || this.width === 0) return null;
    const ratio = pixelRatio();
    const [left, top] = [this.#gutter("rows"), this.#gutter("columns")];
    const across = fit(
      matrix.columns,
      Math.max(40, Math.min(WIDEST, this.width - 18 - left)) * ratio,
      CELL * ratio,
    );
    const down = fit(
      matrix.rows,
      Math.max(240, TALLEST * window.innerHeight) * ratio,
      CELL * ratio,
    );
    return { ratio, left, top, down, across };
  }

  /**
   * CSS pixels for the labels of an axis, in letters of about the size that its pitch will allow.
   */
  #gutter(side: "rows" | "columns") {
    const labels = this.#labels(this.slice[side]);
    const longest = Math.max(
      1,
      ...labels.map((label) => Math.min(LABEL, [...glyphs(label)].length)),
    );
    const room = side === "rows" ? TALLEST * window.innerHeight : this.width - 60;
    const { size } = labelling(Math.min(CELL, room / Math.max(1, labels.length)));
    return Math.ceil(longest * size * 0.61) + 12;
  }

  #labels(axis: string): readonly Token[] {
    if (OF_TOKENS.includes(axis) && this.tokens.length > 0) return this.tokens;
    const at = this.tensor?.axes.indexOf(axis) ?? -1;
    return Array.from({ length: at < 0 ? 0 : (this.tensor?.shape[at] ?? 0) }, (_, i) => String(i));
  }

  valueAt({ row, column }: Place) {
    const matrix = this.matrix;
    return matrix ? matrix.data[row * matrix.columns + column] : NaN;
  }

  override willUpdate(changed: Map<string, unknown>) {
    const matrix = this.matrix;
    if (["tensor", "rows", "columns"].some((name) => changed.has(name)) && matrix) {
      const gone = (place: Place | null) =>
        place && (place.row >= matrix.rows || place.column >= matrix.columns);
      if (gone(this.hovered)) this.hovered = null;
      if (gone(this.lock)) this.lock = null;
    }
  }

  override render() {
    const { tensor, geometry, slice: cut } = this;
    if (!tensor) return "";
    const height = geometry ? geometry.down.size / geometry.ratio + geometry.top : 200;
    const width = geometry ? geometry.across.size / geometry.ratio + geometry.left : 200;
    return html`
      ${this.#controls(tensor, cut)}
      <div class="axes">
        <span class="axis across" style="margin-left: ${geometry?.left ?? 0}px">${cut.columns} →</span>
        <span class="axis down" style="margin-top: ${geometry?.top ?? 0}px">← ${cut.rows}</span>
        <div
          class="plot"
          style="width: ${width}px; height: ${height}px"
          role="application"
          aria-roledescription="heat map"
          aria-label="${this.name}, ${this.matrix?.rows} ${cut.rows} by ${this.matrix?.columns} ${cut.columns}. Arrows move among values, Enter locks, Escape releases."
          tabindex="0"
          @pointermove=${(event: PointerEvent) => this.#hover(this.#placeUnder(event))}
          @pointerleave=${() => this.#hover(null)}
          @click=${this.#onClick}
          @keydown=${this.#onKey}
          @blur=${() => this.#hover(null)}
        >
          <canvas class="labels"></canvas>
          <canvas class="cells"></canvas>
          <canvas class="overlay"></canvas>
        </div>
      </div>
      <p class="readout mono"></p>
      <div class="below">${this.#legend()}${this.#buttons()}</div>
      <p class="visually-hidden" aria-live="polite"></p>
      ${this.table ? this.#table() : ""}
    `;
  }

  #controls({ axes, shape }: Tensor, cut: Slice) {
    const cuttable = axes.filter((_, i) => shape[i] > 1 || axes.length <= 2);
    const choice = (side: "rows" | "columns", title: string) => html`<label>${title}
      <select name=${side} @change=${(event: Event) => this.#turn(side, (event.target as HTMLSelectElement).value)}>
        ${cuttable.map((name) => html`<option value=${name} ?selected=${cut[side] === name} .selected=${cut[side] === name}>${name}</option>`)}
      </select>
    </label>`;
    const places = Object.entries(cut.index).filter(([name]) => shape[axes.indexOf(name)] > 1);
    return html`<div class="cut" role="group" aria-label="what is drawn">
      ${cuttable.length > 1 ? html`${choice("rows", "down")}${choice("columns", "across")}` : ""}
      ${places.map(
        ([name, place]) => html`<label>${name}
          <input type="number" name=${name} min="0" max=${shape[axes.indexOf(name)] - 1} step="1" .value=${String(place)} @change=${(event: Event) => this.#move(name, event)} />
          <span class="mono">of ${shape[axes.indexOf(name)]}</span>
        </label>`,
      )}
    </div>`;
  }

  #legend() {
    const root = this.scale === "sqrt";
    const most = number(this.most);
    const { down, across } = this.geometry ?? { down: { factor: 1 }, across: { factor: 1 } };
    const covered = down.factor * across.factor;
    return html`
      <span class="legend" role="img" aria-label="colour scale from minus ${most} over zero to ${most}, ${root ? "square root" : "linear"}">
        <span class="mono">−${most}</span><span class="ramp" style="background: ${signedGradient(this.theme.theme)}"></span><span class="mono">${most}</span>
        <span>zero in the middle, ${root ? "square root" : "linear"}${covered > 1 ? html`; a cell shows the farthest from zero of ${down.factor} × ${across.factor}` : ""}</span>
        ${this.#drawn?.broken ? html`<span class="swatch" style="background: ${stripes(this.theme.theme)}"></span><span>not finite: ${this.#drawn.broken} values</span>` : ""}
      </span>
      <button aria-pressed=${root} title="Lifts faint values" @click=${() => this.emit("scale-change", root ? "linear" : "sqrt")}>square root</button>
    `;
  }

  #buttons() {
    return html`<span class="push">
      <button aria-pressed=${this.table} @click=${() => (this.table = !this.table)}>table</button>
      <button title="Copy all values on show, tab-separated" @click=${this.#copy}>copy</button>
    </span>`;
  }

  /** The text alternative: the values farthest from zero. */
  #table() {
    const matrix = this.matrix;
    if (!matrix) return "";
    const { rows, columns } = this.slice;
    const [down, across] = [this.#labels(rows), this.#labels(columns)];
    const place = (labels: readonly Token[], axis: string, at: number) =>
      OF_TOKENS.includes(axis) ? `${at} ${glyphs(labels[at] ?? "")}` : String(at);
    return html`<div class="table" tabindex="0" role="region" aria-label="the same as a table">
      <table class="mono">
        <caption>${this.#drawn?.broken ? "Values that are not finite, then those farthest from zero." : "The values farthest from zero."} “copy” gives every value.</caption>
        <thead><tr><th scope="col">${rows}</th><th scope="col">${columns}</th><th scope="col">value</th></tr></thead>
        <tbody>
          ${largestCells(matrix, 20, this.#drawn?.masks).map((one) => html`<tr><td>${place(down, rows, one.row)}</td><td>${place(across, columns, one.column)}</td><td>${signed(one.value)}</td></tr>`)}
        </tbody>
      </table>
    </div>`;
  }

  override updated() {
    this.#draw();
    this.#readout();
    this.canvases.write(() => this.#write());
  }

  /** What was drawn last, and from which matrix. */
  #what: string = "";
  #painted: unknown = null;
  /** The labels are those of an earlier picture. */
  #unlabelled = true;

  #draw() {
    const { matrix, geometry } = this;
    const cells = this.canvases.get("cells");
    if (!matrix || !geometry || !cells) return;
    const { ratio, left, top, down, across } = geometry;
    const what = [
      JSON.stringify([geometry, this.slice, this.scale, this.theme.theme]),
      this.#labels(this.slice.rows).length,
    ].join();
    if (what === this.#what && this.#painted === matrix) return;
    [this.#what, this.#painted, this.#unlabelled] = [what, matrix, true];
    cells.width = across.size;
    cells.height = down.size;
    Object.assign(cells.style, {
      left: `${Math.round(left * ratio) / ratio}px`,
      top: `${Math.round(top * ratio) / ratio}px`,
      width: `${across.size / ratio}px`,
      height: `${down.size / ratio}px`,
    });
    const context = cells.getContext("2d");
    if (!context) return;
    const image = context.createImageData(across.size, down.size);
    paintSigned(new Uint32Array(image.data.buffer), matrix, {
      down,
      across,
      max: this.most,
      theme: this.theme.theme,
      stretch: this.scale,
      masks: this.#drawn?.masks,
    });
    context.putImageData(image, 0, 0);
  }

  #write() {
    if (!this.geometry) return;
    const { ratio, left, top, down, across } = this.geometry;
    const frame = 3; // around the last cells, when they are in focus
    this.canvases.fit(
      Math.ceil(left * ratio) + across.size + frame,
      Math.ceil(top * ratio) + down.size + frame,
      ratio,
    );
    if (this.#unlabelled) this.#drawLabels();
    this.#drawOverlay();
  }

  #drawLabels() {
    const context = this.canvases.clear("labels");
    if (!context) return;
    this.#unlabelled = false;
    for (const side of ["rows", "columns"] as const) this.#label(context, side);
  }

  #label(context: CanvasRenderingContext2D, side: "rows" | "columns", only?: number) {
    const { geometry } = this;
    if (!geometry) return;
    const { ratio, left, top } = geometry;
    const fit = side === "rows" ? geometry.down : geometry.across;
    const pitch = fit.cell / fit.factor / ratio;
    const [gutter, start] = side === "rows" ? [left, top] : [top, left];
    axisLabels(context, this.#labels(this.slice[side]), 0, {
      axis: side === "rows" ? "query" : "key",
      pitch,
      gutter,
      start,
      palette: this.canvases.palette,
      only,
    });
  }

  /** The cell that is described: hovered or locked. */
  get focused() {
    return this.hovered ?? this.lock;
  }

  #drawOverlay() {
    const { geometry, focused } = this;
    const context = this.canvases.clear("overlay");
    if (!context || !geometry || !focused) return;
    const { ratio, left, top, down, across } = geometry;
    const from = (fit: Fit, place: number) => (Math.floor(place / fit.factor) * fit.cell) / ratio;
    const [x, y] = [left + from(across, focused.column), top + from(down, focused.row)];
    context.strokeStyle = this.canvases.palette.accent;
    context.lineWidth = 2;
    context.strokeRect(x - 1, y - 1, across.cell / ratio + 2, down.cell / ratio + 2);
    this.#label(context, "rows", focused.row);
    this.#label(context, "columns", focused.column);
  }

  #readout() {
    const { focused } = this;
    const line = this.renderRoot.querySelector(".readout");
    if (!line) return;
    if (!focused) return line.replaceChildren();
    const { rows, columns } = this.slice;
    const parts = [
      ...this.#spoken(rows, focused.row),
      ", ",
      ...this.#spoken(columns, focused.column),
      `  ${signed(this.valueAt(focused))}`,
    ];
    line.replaceChildren(...parts);
  }

  #spoken(axis: string, at: number): (string | HTMLElement)[] {
    const token = OF_TOKENS.includes(axis) ? this.tokens[at] : undefined;
    return [`${axis} `, bold(token === undefined ? String(at) : `${at} ${truncate(token, 24)}`)];
  }

  sentence({ row, column }: Place) {
    const { rows, columns } = this.slice;
    const part = (axis: string, at: number) =>
      `${NAMES[axis] ?? axis} ${at}${OF_TOKENS.includes(axis) && this.tokens[at] !== undefined ? ` ${announced(this.tokens[at])}` : ""}`;
    return `${part(rows, row)}, ${part(columns, column)}, ${signed(this.valueAt({ row, column }))}`;
  }

  #hover(place: Place | null) {
    if (place?.row === this.hovered?.row && place?.column === this.hovered?.column) return;
    this.hovered = place;
    this.#drawOverlay();
    this.#readout();
    if (place)
      this.voice.say(this.renderRoot.querySelector(".visually-hidden"), this.sentence(place));
    this.emit("value-hover", place && { ...place, value: this.valueAt(place) });
  }

  #placeUnder(event: MouseEvent) {
    const { matrix, geometry } = this;
    const box = this.canvases.get("cells")?.getBoundingClientRect();
    if (!matrix || !geometry || !box) return null;
    return cellAt(
      matrix,
      geometry.down,
      geometry.across,
      (event.clientX - box.left) * geometry.ratio,
      (event.clientY - box.top) * geometry.ratio,
      this.#drawn?.masks,
    );
  }

  #onClick(event: MouseEvent) {
    const place = this.#placeUnder(event);
    if (place) this.#setLock(place);
  }

  /** Locking what is locked releases it. */
  #setLock(place: Place | null) {
    const same =
      place && this.lock && place.row === this.lock.row && place.column === this.lock.column;
    this.lock = same ? null : place;
    this.emit("value-lock", this.lock);
  }

  #onKey(event: KeyboardEvent) {
    const { matrix } = this;
    if (!matrix || event.altKey || event.ctrlKey || event.metaKey) return;
    const moves: Record<string, [number, number]> = {
      ArrowUp: [-1, 0],
      ArrowDown: [1, 0],
      ArrowLeft: [0, -1],
      ArrowRight: [0, 1],
    };
    const move = moves[event.key];
    if (move) {
      const from = this.hovered ?? this.lock ?? { row: 0, column: 0 };
      const by = event.shiftKey ? 5 : 1;
      const within = (at: number, count: number) => Math.max(0, Math.min(count - 1, at));
      this.#hover({
        row: within(from.row + move[0] * by, matrix.rows),
        column: within(from.column + move[1] * by, matrix.columns),
      });
    } else if (event.key === "Enter") this.#setLock(this.hovered ?? this.lock);
    else if (event.key === "Escape") {
      this.#hover(null);
      if (this.lock) this.#setLock(this.lock);
    } else return;
    event.preventDefault();
  }

  /** The other side gives way where both would be the same axis. */
  #turn(side: "rows" | "columns", axis: string) {
    const cut = this.slice;
    const other = side === "rows" ? "columns" : "rows";
    this.#choose({ ...cut, [side]: axis, ...(cut[other] === axis && { [other]: cut[side] }) });
  }

  #move(axis: string, event: Event) {
    const input = event.target as HTMLInputElement;
    if (input.value !== "" && input.validity.valid)
      this.#choose({ ...this.slice, index: { ...this.slice.index, [axis]: Number(input.value) } });
    else input.value = String(this.slice.index[axis]);
  }

  #choose({ rows, columns, index }: Slice) {
    Object.assign(this, { rows, columns, index: { ...this.index, ...index } });
    this.emit("slice-change", { rows, columns, index: this.index });
  }

  async #copy() {
    const matrix = this.matrix;
    if (!matrix) return;
    this.voice.say(this.renderRoot.querySelector(".visually-hidden"), await copyValues(matrix));
  }
}

/** A size for a legend. */
function number(value: number) {
  return Number(value.toPrecision(3)).toString();
}

/** Every digit that an f32 holds, with a true minus sign. */
function signed(value: number) {
  return formatNumber(value, (finite) => Number(finite.toPrecision(7)).toString());
}

declare global {
  interface HTMLElementTagNameMap {
    "tensor-view": TensorView;
  }
}
