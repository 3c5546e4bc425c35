// <attention-pattern>: the attention pattern of one head, large. Rows are queries and columns are keys.

import { css, html } from "lit";

import { formatAttention, formatShort, formatSignificant, NOT_A_NUMBER } from "../draw/format.js";
import { clip, drawHeatmap, pairAt, reveal, zoom, type View } from "../draw/heatmap.js";
import {
  countUnmaskedNotFinite,
  headMatrix,
  masked,
  strongestKeys,
  type Band,
  type Matrix,
  type Pair,
  type Tensor,
} from "../draw/matrix.js";
import {
  compactCell,
  drawPatternLabels,
  drawPatternOverlay,
  patternGeometry,
} from "../draw/pattern-plot.js";
import { describePair, glyphs, truncate, type Token } from "../draw/token.js";
import { SpaceController, TypedElement } from "./base.js";
import { clamp, Interaction, type Step } from "./interaction.js";
import { type Movement, PlotGestures, type Point } from "./plot-gestures.js";
import { PlotCanvases, plotStyles, PlotValues, renderPlot } from "./plot.js";
import { base, figure } from "./styles.js";
import { ThemeController } from "./theme.js";
import type { Stretch } from "../draw/scale.js";
import type { Surface } from "../draw/surface.js";

/** The room that the legend of a compact plot needs beside it, in CSS pixels. */
const MIN_WIDTH_BESIDE = 150;
/** Texts of more tokens get buttons for zooming. */
const ZOOMABLE = 24;
/** How much one press of a zoom button or key changes the number of visible tokens. */
const ZOOM_STEP = 0.6;

export interface AttentionPatternEvents {
  "cell-hover": (Pair & { value: number }) | null;
  /** The cell to lock, or null to release the lock. The owner sets `lock`. */
  "cell-lock": Pair | null;
  "scale-change": Stretch;
}

export class AttentionPattern extends TypedElement<AttentionPatternEvents> {
  static override properties = {
    pattern: { attribute: false },
    head: { type: Number },
    tokens: { attribute: false },
    scale: { type: String },
    lock: { attribute: false },
    highlight: { attribute: false },
    label: { type: String },
    quantity: { type: String },
    max: { type: Number },
    compact: { type: Boolean },
    width: { state: true },
    view: { state: true },
  };

  static override styles = [
    base,
    figure,
    plotStyles,
    css`
      :host {
        --legend-wrap: nowrap;
      }
      .plot {
        touch-action: pan-x pan-y;
      }
      .plot.zoomed {
        touch-action: none;
        cursor: grab;
      }
      .table {
        max-height: 22rem;
      }
    `,
  ];

  /** [batch head query key], [head query key] or [query key] */
  declare pattern: Tensor | null;
  declare head: number;
  declare tokens: readonly Token[];
  declare scale: Stretch;
  /** The locked cell, row or column. */
  declare lock: Band | null;
  /** A cell, a row or a column that the owner highlights. */
  declare highlight: Band | null;
  declare label: string;
  /** What the values are. */
  declare quantity: string;
  /** The value at the dark end of the scale. */
  declare max: number;
  /** Small cells, with the legend beside them if there is room. */
  declare compact: boolean;
  declare width: number;
  /** The visible window; null for the whole pattern. */
  declare view: View | null;

  readonly theme = new ThemeController(this);
  readonly #box = new SpaceController(this);
  readonly interaction: Interaction<Pair> = new Interaction(this, {
    start: () => this.#firstVisible,
    move: (from, step) => this.#move(from, step),
    onHover: (pair) => this.#onHover(pair),
    describe: (pair) => describePair(this.tokens, pair, this.#format(this.valueAt(pair))),
    locked: () => cellOf(this.lock),
    onLock: (pair) => {
      if (pair || this.lock) this.emit("cell-lock", pair);
    },
    shiftSteps: 5,
  });
  #canvases = new PlotCanvases(this);
  #values = new PlotValues(
    this,
    () => this.matrix,
    (sentence) => this.interaction.announce(sentence),
  );
  #gestures = new PlotGestures<GestureStart>({
    start: (about) => this.#startOf(about),
    drag: (start, by) => this.#drag(start, by),
    zoom: (start, factor, by) => this.#pinch(start, factor, by),
    hover: (event) => this.interaction.hover(this.#pairUnder(event)),
    tap: (event) => {
      const pair = this.#pairUnder(event);
      if (!pair) return;
      this.interaction.hover(pair);
      this.interaction.choose(pair);
    },
    leave: () => this.interaction.leave(),
  });

  constructor() {
    super();
    this.pattern = null;
    this.head = 0;
    this.tokens = [];
    this.scale = "linear";
    this.lock = null;
    this.highlight = null;
    this.label = "attention pattern";
    this.quantity = "attention";
    this.max = 1;
    this.compact = false;
    this.width = 0;
    this.view = null;
  }

  get matrix(): Matrix | null {
    return this.pattern && headMatrix(this.pattern, this.head);
  }

  get hovered() {
    return this.interaction.hovered;
  }

  /** How many unmasked values are not finite. Counted once for each pattern and head. */
  get #notFinite() {
    const { pattern, head, matrix } = this;
    if (!pattern || !matrix) return 0;
    if (this.#counted?.pattern !== pattern || this.#counted.head !== head)
      this.#counted = { pattern, head, count: countUnmaskedNotFinite(matrix) };
    return this.#counted.count;
  }

  #counted: { pattern: Tensor; head: number; count: number } | null = null;

  /** Where cells and labels are. With it a value can be read back from the pixels. */
  get geometry() {
    const { matrix, width } = this;
    if (!matrix || width === 0) return null;
    const { space } = this.#box;
    const limit = this.compact ? { maxCell: compactCell(this.tokens.length) } : {};
    return patternGeometry(matrix, this.tokens, this.view, { ...space, ...limit });
  }

  get #isZoomed() {
    const { matrix, geometry } = this;
    return matrix !== null && geometry !== null && geometry.view.count < sideOf(matrix);
  }

  /** Two decimals of a share; of other quantities, significant digits. */
  #format(value: number) {
    return this.max === 1 ? formatAttention(value) : formatSignificant(value, 3);
  }

  valueAt({ query, key }: Pair) {
    const matrix = this.matrix;
    return matrix ? matrix.data[query * matrix.columns + key] : NaN;
  }

  override willUpdate(changed: Map<string, unknown>) {
    const matrix = this.matrix;
    if (!matrix) return;
    if (changed.has("tokens") && this.view && this.view.count >= sideOf(matrix)) this.view = null;
    this.interaction.prune(({ query }) => query < matrix.rows);
  }

  override render() {
    const { geometry } = this;
    const side = geometry ? geometry.size + geometry.gutter : 200;
    this.toggleAttribute("beside", this.compact && this.width - side > MIN_WIDTH_BESIDE);
    const corner = geometry?.gutter ?? 0;
    return renderPlot({
      axes: { across: "key (attended to)", down: "query (attends)" },
      corner: { left: corner, top: corner },
      width: side,
      height: side,
      className: this.#isZoomed ? "zoomed" : "",
      kind: "attention pattern",
      label: `${this.label}, ${this.tokens.length} tokens. Arrows move among cells, Enter locks, Escape releases, plus and minus zoom.`,
      on: { ...this.#gestures.handlers, keydown: this.#onKeyDown },
      below: html`${this.#renderLegend()}${this.#values.renderButtons(this.#renderZoomButtons())}`,
      table: this.#values.renderTable(() => this.#table()),
    });
  }

  #renderLegend() {
    const factor = this.geometry?.fit.factor ?? 1;
    return html`<color-legend
      .text=${this.quantity}
      to=${this.max === 1 ? "1" : formatShort(this.max, 3)}
      .detail=${factor > 1 ? `a cell shows the largest of ${factor}²` : ""}
      .notFinite=${this.#notFinite > 0 ? `${NOT_A_NUMBER}: ${this.#notFinite} values` : ""}
      .scale=${this.scale}
    ></color-legend>`;
  }

  #renderZoomButtons() {
    if (this.tokens.length <= ZOOMABLE) return "";
    return html`<button title="Zoom in (+)" aria-label="zoom in" @click=${() => this.#zoomBy(ZOOM_STEP)}>+</button>
      <button title="Zoom out (−)" aria-label="zoom out" ?disabled=${!this.#isZoomed} @click=${() => this.#zoomBy(1 / ZOOM_STEP)}>−</button>`;
  }

  /** The text alternative: the keys that each token attends to most. */
  #table() {
    const { matrix } = this;
    const place = (at: number) => `${at} ${glyphs(this.tokens[at] ?? "")}`;
    const rows = this.tokens.slice(0, matrix?.rows ?? 0).map((_, query) => {
      const keys = matrix ? strongestKeys(matrix, query, 4) : [];
      const value = (key: number) => this.#format(this.valueAt({ query, key }));
      return [place(query), ...keys.map((key) => `${place(key)} ${value(key)}`)];
    });
    return {
      caption: `The keys with the most ${this.quantity} of each token (${this.label}).`,
      columns: ["query", "keys, strongest first"],
      rows,
    };
  }

  override updated(changed: Map<string, unknown>) {
    if (this.#mustDraw(changed)) this.#drawCells();
    this.#describe();
    this.#canvases.schedule(() => this.#drawText());
  }

  /** A lock or a highlight changes only the overlay. */
  #mustDraw(changed: Map<string, unknown>) {
    const { gutter, ratio, fit, view } = this.geometry ?? {};
    const drawKey = JSON.stringify([gutter, ratio, fit?.size, view, this.theme.theme]);
    const isOther = drawKey !== this.#drawKey;
    this.#drawKey = drawKey;
    return (
      isOther || ["pattern", "head", "tokens", "scale", "max"].some((name) => changed.has(name))
    );
  }

  /** The geometry and the theme of the cells on the canvas. */
  #drawKey = "";
  /** The labels on the canvas belong to earlier cells. */
  #staleLabels = true;

  #drawCells() {
    const { matrix, geometry } = this;
    const cells = this.#canvases.get("cells");
    if (!matrix || !geometry || !cells) return;
    const { ratio, gutter, view, fit } = geometry;
    cells.style.left = cells.style.top = `${Math.round(gutter * ratio) / ratio}px`;
    const { theme } = this.theme;
    drawHeatmap(cells, matrix, { view, fit, theme, stretch: this.scale, ratio, max: this.max });
    this.#staleLabels = true;
  }

  #drawText() {
    const { geometry, tokens } = this;
    if (!geometry) return;
    const side = Math.ceil((geometry.size + geometry.gutter) * geometry.ratio);
    this.#canvases.resize(side, side, geometry.ratio);
    const context = this.#staleLabels && this.#canvases.clear("labels");
    if (context) {
      this.#staleLabels = false;
      drawPatternLabels(context, tokens, geometry, this.#canvases.palette);
    }
    this.#drawOverlay();
  }

  /** The cell, row or column that is outlined: the hovered one, the highlighted one, or the locked one. */
  get focused(): Band | null {
    return this.interaction.hovered ?? this.highlight ?? this.lock;
  }

  #drawOverlay() {
    const { geometry, focused, tokens } = this;
    const context = this.#canvases.clear("overlay");
    if (context && geometry && focused)
      drawPatternOverlay(context, tokens, focused, geometry, this.#canvases.palette);
  }

  /** For exports: labels and outlines as text and lines. */
  paintCanvas({ className }: HTMLCanvasElement, surface: Surface) {
    const { geometry, focused, tokens } = this;
    if (!geometry || className === "cells") return false;
    const { palette } = this.#canvases;
    if (className === "labels") drawPatternLabels(surface, tokens, geometry, palette);
    else if (focused) drawPatternOverlay(surface, tokens, focused, geometry, palette);
    return true;
  }

  #describe() {
    const pair = cellOf(this.focused);
    if (!pair) return this.#canvases.describe();
    const { query, key } = pair;
    const value = this.valueAt(pair);
    const isLocked = this.lock?.query === query && this.lock.key === key;
    const token = (at: number) => ({ bold: `${at} ${truncate(this.tokens[at] ?? "", 24)}` });
    this.#canvases.describe(
      "query ",
      token(query),
      " → key ",
      token(key),
      `  ${isLocked ? formatSignificant(value, 7) : this.#format(value)}`,
    );
  }

  #onHover(pair: Pair | null) {
    this.#drawOverlay();
    this.#describe();
    this.emit("cell-hover", pair && { ...pair, value: this.valueAt(pair) });
  }

  #pairUnder({ clientX, clientY }: Point) {
    const { matrix, geometry } = this;
    const box = this.#canvases.get("cells")?.getBoundingClientRect();
    if (!matrix || !geometry || !box) return null;
    const x = (clientX - box.left) * geometry.ratio;
    const y = (clientY - box.top) * geometry.ratio;
    return pairAt(matrix, geometry.view, geometry.fit, x, y);
  }

  #startOf(about: Point): GestureStart | null {
    const { geometry } = this;
    if (!geometry) return null;
    const { view, pitch } = geometry;
    const { row, column, count } = view;
    const middle = { query: row + count / 2, key: column + count / 2 };
    return { view, pitch, about: this.#pairUnder(about) ?? this.interaction.focused ?? middle };
  }

  #drag({ view, pitch }: GestureStart, { x, y }: Movement) {
    const { matrix } = this;
    if (!matrix || !this.#isZoomed) return false;
    const [across, down] = [Math.round(x / pitch), Math.round(y / pitch)];
    this.view = clip(matrix, { ...view, row: view.row - down, column: view.column - across });
    return true;
  }

  #pinch({ view, pitch, about }: GestureStart, factor: number, { x, y }: Movement) {
    const { matrix } = this;
    if (!matrix) return;
    const next = zoom(matrix, view, view.count * factor, about);
    const now = (pitch * view.count) / next.count;
    const [across, down] = [Math.round(x / now), Math.round(y / now)];
    const moved = clip(matrix, { ...next, row: next.row - down, column: next.column - across });
    this.view = moved.count >= sideOf(matrix) ? null : moved;
  }

  #onKeyDown = (event: KeyboardEvent) => {
    if (!this.geometry) return;
    this.interaction.onKeyDown(event);
    if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "+" || event.key === "=") this.#zoomBy(ZOOM_STEP);
    else if (event.key === "-") this.#zoomBy(1 / ZOOM_STEP);
    else if (event.key === "0") this.view = null;
    else return;
    event.preventDefault();
  };

  /** @param by the factor of the number of visible tokens, about the focused pair or the middle */
  #zoomBy(by: number) {
    const start = this.#startOf({ clientX: NaN, clientY: NaN });
    if (start) this.#pinch(start, by, { x: 0, y: 0 });
  }

  get #firstVisible(): Pair {
    const { row = 0, column = 0 } = this.geometry?.view ?? {};
    return { query: row, key: column };
  }

  /** The cell that a key leads to, never a masked one. It is brought into view. */
  #move(from: Pair, { rows, columns }: Step): Pair | null {
    const { matrix, geometry } = this;
    if (!matrix || !geometry) return null;
    const query = clamp(from.query + rows, matrix.rows);
    const visibleKeys = query + 1 + matrix.columns - matrix.rows;
    const pair = { query, key: clamp(from.key + columns, visibleKeys) };
    if (masked(matrix, pair.query, pair.key)) return null;
    if (this.#isZoomed) this.view = reveal(matrix, geometry.view, pair);
    return pair;
  }
}

/** What was visible when a gesture began: CSS pixels of a token, and the pair that keeps its place. */
interface GestureStart {
  view: View;
  pitch: number;
  about: Pair;
}

/** The number of tokens along the longer side. */
function sideOf(matrix: Matrix) {
  return Math.max(matrix.rows, matrix.columns);
}

/** The cell of a band that is one. */
function cellOf(band: Band | null): Pair | null {
  return band?.query !== undefined && band.key !== undefined
    ? { query: band.query, key: band.key }
    : null;
}

declare global {
  interface HTMLElementTagNameMap {
    "attention-pattern": AttentionPattern;
  }
}
