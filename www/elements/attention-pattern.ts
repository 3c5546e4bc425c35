// <attention-pattern>: one head's pattern, large. Rows are queries, columns keys; the future is empty paper.

import { css, html } from "lit";
import { NOT_A_NUMBER, formatAttention, formatSignificant } from "../draw/format.js";
import { describePair, glyphs, truncate, type Token } from "../draw/token.js";

import { fit } from "../draw/fit.js";
import { clip, drawHeatmap, fullView, pairAt, reveal, zoom, type View } from "../draw/heatmap.js";
import { axisLabels, labelling, type Palette } from "../draw/labels.js";
import { headMatrix, masked, type Tensor, type Matrix } from "../draw/matrix.js";
import { countNotFinite, stripes } from "../draw/not-finite.js";
import { gradient, type Stretch } from "../draw/scale.js";
import { TypedElement, pixelRatio, WidthController } from "./base.js";
import { LiveRegion } from "./interaction.js";
import { base, figure } from "./styles.js";
import { ThemeController } from "./theme.js";
import { bold, Canvases, copyValues, plot } from "./plot.js";
import type { Pair } from "../session/scores.js";

/** A cell; or with one of the two, a row or a column. */
export type Band = { query?: number; key?: number };

/** Characters of a label, at most; the rest of a longer token is shown on hover. */
const LABEL = 11;
/** CSS pixels that the plot takes at most, and the share of the window's height: it should be seen at one look. */
const WIDEST = 680;
const TALLEST = 0.6;

export interface AttentionPatternEvents {
  "cell-hover": (Pair & { value: number }) | null;
  /** the cell to lock, or null to release the lock; the owner sets `lock` */
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
    width: { state: true },
    view: { state: true },
    table: { state: true },
  };

  static override styles = [
    base,
    figure,
    plot,
    css`
      .plot {
        touch-action: pan-x pan-y;
      }
      .plot.zoomed {
        touch-action: none;
        cursor: grab;
      }
      .legend {
        flex-wrap: nowrap;
      }
      .table {
        max-height: 22rem;
      }
    `,
  ];

  /** axes [batch] [head] query key */
  declare pattern: Tensor | null;
  declare head: number;
  declare tokens: readonly Token[];
  declare scale: Stretch;
  /** The locked cell, row or column. */
  declare lock: Band | null;
  /** What is hovered elsewhere. */
  declare highlight: Band | null;
  declare label: string;
  declare width: number;
  declare view: View | null;
  declare table: boolean;
  declare hovered: Pair | null;
  declare theme: any;
  declare voice: any;
  declare drag: { x: number; y: number; view: View; moved: boolean } | null;
  declare measured: any;
  declare canvases: any;

  constructor() {
    super();
    this.pattern = null;
    this.head = 0;
    this.tokens = [];
    this.scale = "linear";
    this.lock = null;
    this.highlight = null;
    this.label = "attention pattern";
    this.width = 0;
    this.view = null;
    this.table = false;
    this.hovered = null;
    this.theme = new ThemeController(this);
    this.voice = new LiveRegion();
    this.drag = null;
    this.measured = new WidthController(this);
    this.canvases = new Canvases(this);
  }

  get matrix(): Matrix | null {
    return this.pattern && headMatrix(this.pattern, this.head);
  }

  /** How many of the values that queries may see are not finite; counted once for each pattern and head. */
  get broken() {
    const { pattern, head, matrix } = this;
    if (!pattern || !matrix) return 0;
    if (this.#counted?.pattern !== pattern || this.#counted.head !== head) {
      let count = 0;
      for (let row = 0; row < matrix.rows; row++) {
        const seen = row + 1 + matrix.columns - matrix.rows;
        count += countNotFinite(
          matrix.data.subarray(row * matrix.columns, row * matrix.columns + seen),
        );
      }
      this.#counted = { pattern, head, count };
    }
    return this.#counted.count;
  }

  #counted: { pattern: Tensor; head: number; count: number } | null = null;

  /** Where everything is: what a test needs to read a value back from the pixels. */
  get geometry() {
    const matrix = this.matrix;
    if (!matrix || this.width === 0) return null;
    const ratio = pixelRatio();
    const gutter = this.gutter;
    const room = Math.min(
      WIDEST,
      Math.max(320, TALLEST * window.innerHeight),
      this.width - 18 - gutter,
    );
    const view = this.view ? clip(matrix, this.view) : fullView(matrix);
    const fitted = fit(view.count, Math.max(room, 40) * ratio);
    return {
      ratio,
      gutter,
      view,
      fit: fitted,
      size: fitted.size / ratio,
      pitch: fitted.cell / fitted.factor / ratio,
    };
  }

  /** CSS pixels for the labels: as long as the longest, within reason. */
  get gutter() {
    const longest = Math.max(
      3,
      ...this.tokens.map((token) => Math.min(LABEL, [...glyphs(token)].length)),
    );
    const { size } = labelling((this.width - 90) / Math.max(1, this.tokens.length)); // what the pitch will be, near enough
    return Math.ceil(longest * size * 0.61) + 12;
  }

  valueAt({ query, key }: Pair) {
    const matrix = this.matrix;
    return matrix ? matrix.data[query * matrix.columns + key] : NaN;
  }

  override willUpdate(changed: Map<string, unknown>) {
    const matrix = this.matrix;
    if (
      changed.has("tokens") &&
      this.view &&
      matrix &&
      this.view.count >= Math.max(matrix.rows, matrix.columns)
    )
      this.view = null;
    if (this.hovered && matrix && this.hovered.query >= matrix.rows) this.hovered = null;
  }

  override render() {
    const geometry = this.geometry;
    const zoomed =
      geometry !== null &&
      this.matrix !== null &&
      geometry.view.count < Math.max(this.matrix.rows, this.matrix.columns);
    const side = geometry ? geometry.size + geometry.gutter : 200;
    return html`
      <div class="axes">
        <span class="axis across" style="margin-left: ${geometry?.gutter ?? 0}px">key, looked at →</span>
        <span class="axis down" style="margin-top: ${geometry?.gutter ?? 0}px">← query, looking</span>
        <div
          class="plot ${zoomed ? "zoomed" : ""}"
          style="width: ${side}px; height: ${side}px"
          role="application"
          aria-roledescription="attention pattern"
          aria-label="${this.label}, ${this.tokens.length} tokens. Arrows move among cells, Enter locks, Escape releases, plus and minus zoom."
          tabindex="0"
          @pointermove=${this.#onMove}
          @pointerleave=${this.#onLeave}
          @pointerdown=${this.#onDown}
          @pointerup=${this.#onUp}
          @wheel=${this.#onWheel}
          @keydown=${this.#onKey}
          @blur=${this.#onLeave}
        >
          <canvas class="labels"></canvas>
          <canvas class="cells"></canvas>
          <canvas class="overlay"></canvas>
        </div>
      </div>
      <p class="readout mono"></p>
      <div class="below">${this.#legend()}${this.#buttons(zoomed)}</div>
      <p class="visually-hidden" aria-live="polite"></p>
      ${this.table ? this.#table() : ""}
    `;
  }

  #legend() {
    const root = this.scale === "sqrt";
    return html`
      <span class="legend" role="img" aria-label="colour scale from 0 to 1, ${root ? "square root" : "linear"}">
        <span class="mono">0</span><span class="ramp" style="background: ${gradient(this.theme.theme)}"></span><span class="mono">1</span>
        ${this.broken > 0 ? html`<span class="swatch" style="background: ${stripes(this.theme.theme)}"></span><span>${NOT_A_NUMBER}: ${this.broken} values</span>` : ""}
        <span>attention, ${root ? "square root" : "linear"}${(this.geometry?.fit.factor ?? 1) > 1 ? html`; a cell shows the largest of ${this.geometry?.fit.factor}²` : ""}</span>
      </span>
      <button aria-pressed=${root} title="Lifts faint values" @click=${() => this.emit("scale-change", root ? "linear" : "sqrt")}>square root</button>
    `;
  }

  #buttons(zoomed: boolean) {
    const large = this.tokens.length > 24;
    return html`<span class="push">
      ${large ? html`<button title="Zoom in (+)" aria-label="zoom in" @click=${() => this.#zoomBy(0.6)}>+</button><button title="Zoom out (−)" aria-label="zoom out" ?disabled=${!zoomed} @click=${() => this.#zoomBy(1 / 0.6)}>−</button>` : ""}
      <button aria-pressed=${this.table} @click=${() => (this.table = !this.table)}>table</button>
      <button title="Copy all values, tab-separated" @click=${this.#copy}>copy</button>
    </span>`;
  }

  /** The text alternative: what each token looks at most. */
  #table() {
    const matrix = this.matrix;
    if (!matrix) return "";
    return html`<div class="table" tabindex="0" role="region" aria-label="the same as a table">
      <table class="mono">
        <caption>What each token looks at most (${this.label}). “copy” gives every value.</caption>
        <thead><tr><th scope="col">query</th><th scope="col">keys, strongest first</th></tr></thead>
        <tbody>
          ${this.tokens.slice(0, matrix.rows).map((token, query) => {
            const keys = strongest(matrix, query, 4).map(
              (key) =>
                `${key} ${glyphs(this.tokens[key] ?? "")} ${formatAttention(this.valueAt({ query, key }))}`,
            );
            return html`<tr><th scope="row">${query} ${glyphs(token)}</th>${keys.map((key) => html`<td>${key}</td>`)}</tr>`;
          })}
        </tbody>
      </table>
    </div>`;
  }

  override updated(changed: Map<string, unknown>) {
    if (this.#mustDraw(changed)) this.#draw();
    this.#readout();
    this.canvases.write(() => this.#write());
  }

  /** The labels are those of an earlier picture. */
  unlabelled = true;

  #write() {
    const { geometry } = this;
    if (!geometry) return;
    const side = Math.ceil((geometry.size + geometry.gutter) * geometry.ratio);
    this.canvases.fit(side, side, geometry.ratio);
    if (this.unlabelled) this.#drawLabels();
    this.#drawOverlay();
  }

  /** A lock or a mark touches the overlay alone. */
  #mustDraw(changed: Map<string, unknown>) {
    const geometry = this.geometry;
    const what =
      geometry &&
      [
        geometry.gutter,
        geometry.ratio,
        geometry.fit.size,
        geometry.view.row,
        geometry.view.column,
        geometry.view.count,
        this.theme.theme,
      ].join();
    const other = what !== this.what;
    this.what = what;
    return other || ["pattern", "head", "tokens", "scale"].some((name) => changed.has(name));
  }

  /** Where and in which theme the picture was drawn. */
  what: string | null = null;
  #draw() {
    const { matrix, geometry } = this;
    if (!matrix || !geometry) return;
    const { ratio, gutter, view, fit: fitted } = geometry;
    const corner = Math.round(gutter * ratio) / ratio;
    const cells = this.canvases.get("cells");
    if (!cells) return;
    cells.style.left = cells.style.top = `${corner}px`;
    drawHeatmap(cells, matrix, {
      view,
      fit: fitted,
      theme: this.theme.theme,
      stretch: this.scale,
      ratio,
    });
    this.unlabelled = true;
  }

  #drawLabels() {
    const { geometry } = this;
    const context = this.canvases.clear("labels");
    if (!geometry || !context) return;
    this.unlabelled = false;
    const { gutter, view, pitch } = geometry;
    const options = { pitch, gutter, palette: this.canvases.palette };
    axisLabels(context, this.tokens.slice(view.row, view.row + view.count), view.row, {
      axis: "query",
      ...options,
    });
    axisLabels(context, this.tokens.slice(view.column, view.column + view.count), view.column, {
      axis: "key",
      ...options,
    });
  }

  /** The pair or band on show: hovered here, hovered elsewhere, or locked. */
  get focused() {
    return this.hovered ?? this.highlight ?? this.lock;
  }

  #drawOverlay() {
    const { geometry, matrix, focused } = this;
    const context = this.canvases.clear("overlay");
    if (!context || !geometry || !matrix || !focused) return;
    const { gutter, view, pitch, size, ratio } = geometry;
    const { query, key } = focused;
    const { palette } = this.canvases;
    context.strokeStyle = palette.ink;
    context.globalAlpha = 0.5;
    context.lineWidth = 1 / ratio;
    const inView = (at: number, first: number) => at >= first && at < first + view.count;
    const band = Math.max(pitch, 3);
    if (query !== undefined && inView(query, view.row)) {
      const width = Math.min(size, (query + 1 - view.column) * pitch);
      context.strokeRect(gutter, gutter + (query - view.row) * pitch, Math.max(0, width), band);
    }
    if (key !== undefined && inView(key, view.column)) {
      const top = Math.max(0, (key - view.row) * pitch);
      context.strokeRect(
        gutter + (key - view.column) * pitch,
        gutter + top,
        band,
        Math.max(0, size - top),
      );
    }
    context.globalAlpha = 1;
    if (
      query !== undefined &&
      key !== undefined &&
      inView(query, view.row) &&
      inView(key, view.column)
    ) {
      context.strokeStyle = palette.accent;
      context.lineWidth = 2;
      context.strokeRect(
        gutter + (key - view.column) * pitch - 1,
        gutter + (query - view.row) * pitch - 1,
        band + 2,
        band + 2,
      );
    }
    this.#boldLabels(context, focused, geometry, palette);
  }

  #boldLabels(
    context: CanvasRenderingContext2D,
    { query, key }: Band,
    { gutter, view, pitch }: NonNullable<AttentionPattern["geometry"]>,
    palette: Palette,
  ) {
    for (const [axis, at, first] of [
      ["query", query, view.row],
      ["key", key, view.column],
    ] as const) {
      if (at === undefined || at < first || at >= first + view.count) continue;
      const tokens = this.tokens.slice(first, first + view.count);
      axisLabels(context, tokens, first, { axis, pitch, gutter, palette, only: at });
    }
  }

  #readout() {
    const line = this.renderRoot.querySelector(".readout") as HTMLElement;
    const focused = this.focused;
    if (!focused || focused.query === undefined || focused.key === undefined) {
      line.textContent = "";
      return;
    }
    const pair = { query: focused.query, key: focused.key };
    const value = this.valueAt(pair);
    const exact = this.lock && this.lock.query === pair.query && this.lock.key === pair.key;
    const parts = [
      "query ",
      bold(`${pair.query} ${truncate(this.tokens[pair.query] ?? "", 24)}`),
      " → key ",
      bold(`${pair.key} ${truncate(this.tokens[pair.key] ?? "", 24)}`),
      `  ${exact ? formatSignificant(value, 7) : formatAttention(value)}`,
    ];
    line.replaceChildren(...parts);
  }

  #hover(pair: Pair | null, aloud: boolean = true) {
    if (pair?.query === this.hovered?.query && pair?.key === this.hovered?.key) return;
    this.hovered = pair;
    this.#drawOverlay();
    this.#readout();
    if (pair && aloud)
      this.voice.say(
        this.renderRoot.querySelector(".visually-hidden"),
        describePair(this.tokens, pair, this.valueAt(pair)),
      );
    this.emit("cell-hover", pair && { ...pair, value: this.valueAt(pair) });
  }

  #pairUnder(event: PointerEvent | WheelEvent) {
    const { matrix, geometry } = this;
    if (!matrix || !geometry) return null;
    const box = this.canvases.get("cells")?.getBoundingClientRect();
    if (!box) return null;
    const x = (event.clientX - box.left) * geometry.ratio;
    const y = (event.clientY - box.top) * geometry.ratio;
    return pairAt(matrix, geometry.view, geometry.fit, x, y);
  }

  #onMove(event: PointerEvent) {
    const { drag, matrix, geometry } = this;
    if (
      !drag ||
      !matrix ||
      !geometry ||
      geometry.view.count === Math.max(matrix.rows, matrix.columns)
    ) {
      this.#hover(this.#pairUnder(event));
      return;
    }
    const across = Math.round((event.clientX - drag.x) / geometry.pitch);
    const down = Math.round((event.clientY - drag.y) / geometry.pitch);
    if (across === 0 && down === 0 && !drag.moved) return;
    drag.moved = true;
    this.view = clip(matrix, {
      row: drag.view.row - down,
      column: drag.view.column - across,
      count: drag.view.count,
    });
  }

  #onDown(event: PointerEvent) {
    if (event.button !== 0 || !this.geometry) return;
    this.drag = { x: event.clientX, y: event.clientY, view: this.geometry.view, moved: false };
    if (event.pointerType === "mouse")
      (event.currentTarget as Element).setPointerCapture(event.pointerId);
  }

  #onUp(event: PointerEvent) {
    const moved = this.drag?.moved;
    this.drag = null;
    if (moved) return;
    const pair = this.#pairUnder(event);
    if (!pair) return;
    this.#hover(pair);
    this.#setLock(pair);
  }

  #onLeave() {
    this.drag = null;
    this.#hover(null);
  }

  /** Locking what is locked releases it. */
  #setLock(pair: Pair | null) {
    const same = pair && this.lock && pair.query === this.lock.query && pair.key === this.lock.key;
    this.emit("cell-lock", same ? null : pair);
  }

  /**
   * Pinch (which browsers send as a wheel with ctrl) zooms about the pointer; a plain wheel scrolls the page.
   */
  #onWheel(event: WheelEvent) {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    this.#zoomBy(Math.exp(event.deltaY / 240), this.#pairUnder(event));
  }

  #zoomBy(by: number, about: Pair | null = this.hovered ?? cellOf(this.lock)) {
    const { matrix, geometry } = this;
    if (!matrix || !geometry) return;
    const middle = {
      query: geometry.view.row + geometry.view.count / 2,
      key: geometry.view.column + geometry.view.count / 2,
    };
    const next = zoom(matrix, geometry.view, geometry.view.count * by, about ?? middle);
    this.view = next.count >= Math.max(matrix.rows, matrix.columns) ? null : next;
  }

  #onKey(event: KeyboardEvent) {
    const { matrix, geometry } = this;
    if (!matrix || !geometry || event.altKey || event.ctrlKey || event.metaKey) return;
    const moves: Record<string, [number, number]> = {
      ArrowUp: [-1, 0],
      ArrowDown: [1, 0],
      ArrowLeft: [0, -1],
      ArrowRight: [0, 1],
    };
    const move = moves[event.key];
    if (move) this.#step(move, event.shiftKey ? 5 : 1);
    else if (event.key === "Enter") this.#setLock(this.hovered ?? cellOf(this.lock));
    else if (event.key === "Escape") {
      this.#hover(null);
      if (this.lock) this.emit("cell-lock", null);
    } else if (event.key === "+" || event.key === "=") this.#zoomBy(0.6);
    else if (event.key === "-") this.#zoomBy(1 / 0.6);
    else if (event.key === "0") this.view = null;
    else return;
    event.preventDefault();
  }

  #step([down, right]: [number, number], by: number) {
    const { matrix, geometry } = this;
    if (!matrix || !geometry) return;
    const from = this.hovered ??
      cellOf(this.lock) ?? { query: geometry.view.row, key: geometry.view.column };
    const query = Math.max(0, Math.min(matrix.rows - 1, from.query + down * by));
    const last = query + matrix.columns - matrix.rows;
    const key = Math.max(0, Math.min(last, from.key + right * by));
    if (masked(matrix, query, key)) return;
    if (geometry.view.count < Math.max(matrix.rows, matrix.columns))
      this.view = reveal(matrix, geometry.view, { query, key });
    this.#hover({ query, key });
  }

  async #copy() {
    const matrix = this.matrix;
    if (!matrix) return;
    this.voice.say(this.renderRoot.querySelector(".visually-hidden"), await copyValues(matrix));
  }
}

function cellOf(band: Band | null): Pair | null {
  return band && band.query !== undefined && band.key !== undefined
    ? { query: band.query, key: band.key }
    : null;
}

function strongest(matrix: Matrix, query: number, count: number) {
  const row = matrix.data.subarray(query * matrix.columns, (query + 1) * matrix.columns);
  return Array.from(row.keys())
    .filter((key) => !masked(matrix, query, key))
    .sort((a, b) => rankOf(row[b]) - rankOf(row[a]))
    .slice(0, count);
}

/** What a value is sorted by: what is not a number comes first, so that it is not overlooked. */
function rankOf(value: number) {
  return Number.isNaN(value) ? Number.MAX_VALUE : value;
}

declare global {
  interface HTMLElementTagNameMap {
    "attention-pattern": AttentionPattern;
  }
}
