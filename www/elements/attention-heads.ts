// <attention-heads>: the pattern of every head as a thumbnail.

import { css, html } from "lit";

import { fitNear } from "../draw/fit.js";
import { formatAttention } from "../draw/format.js";
import { drawHeatmap, fullView } from "../draw/heatmap.js";
import { headMatrix, maxPoolTo, sizeOf, type Tensor } from "../draw/matrix.js";
import { pixelRatio, TypedElement, WidthController } from "./base.js";
import { CellQueue } from "./cell-queue.js";
import { headElements, includesHead, isSameHead, type Head } from "./heads.js";
import { clamp, Interaction, type Step } from "./interaction.js";
import { base } from "./styles.js";
import { ThemeController } from "./theme.js";
import type { HeadScore, Kind } from "../session/scores.js";
import type { Stretch } from "../draw/scale.js";

export type { Head } from "./heads.js";

/** Milliseconds of drawing in the first frame with new patterns, and at most. The budget doubles from frame to frame. */
const [FIRST_BUDGET_MS, MAX_BUDGET_MS] = [0.5, 8];
/** The largest cell of a thumbnail in CSS pixels: a text of one token is a small square, not a black head. */
const MAX_CELL = 14;
/** The size of a thumbnail in a strip, in CSS pixels. */
const STRIP_SIZE = 44;
/** Screens of at most this width show the heads as a strip. */
const NARROW_SCREEN = "(max-width: 619px)";
/** Cells have narrow margins if a row has more heads than this. */
const DENSE = 8;

export interface AttentionHeadsEvents {
  "head-hover": Head | null;
  "head-select": Head;
}

export class AttentionHeads extends TypedElement<AttentionHeadsEvents> {
  static override properties = {
    patterns: { attribute: false },
    scores: { attribute: false },
    layer: { type: Number },
    head: { type: Number },
    scale: { type: String },
    width: { state: true },
    order: { type: String },
    off: { attribute: false },
    strip: { type: Boolean },
    compact: { type: Boolean },
    isNarrow: { state: true },
  };

  static override styles = [
    base,
    css`
      .grid {
        display: grid;
        gap: 2px;
        overflow-x: auto;
        scrollbar-width: thin;
        padding: 3px;
      }
      .row {
        display: flex;
        align-items: center;
        gap: 2px;
      }
      .strip {
        display: flex;
        gap: 6px;
      }
      .strip .row {
        flex: none;
      }
      .strip .layer {
        width: auto;
        padding-right: 2px;
      }
      .layer {
        flex: none;
        width: 1.9em;
        font-size: 0.75rem;
        color: var(--soft);
      }
      .cell {
        position: relative;
        flex: none;
        display: grid;
        place-items: center;
        padding: 3px;
        border: 1px solid transparent;
        border-radius: 4px;
        cursor: pointer;
        scroll-margin: 8px;
      }
      .dense .cell {
        padding: 1px;
      }
      .cell:hover {
        border-color: var(--soft);
      }
      .cell[aria-selected="true"] {
        border-color: var(--flame);
        background: var(--glow);
        box-shadow: 0 0 0 1px var(--flame);
      }
      .cell:focus-visible {
        outline-offset: 1px;
      }
      @media (forced-colors: active) {
        .cell {
          border-color: Canvas;
        }
      }
      .image {
        display: grid;
        place-items: center;
        min-width: var(--thumbnail);
        min-height: var(--thumbnail);
        pointer-events: none;
      }
      canvas {
        width: var(--thumbnail);
        height: var(--thumbnail);
        display: block;
        image-rendering: pixelated;
        background: var(--sheet);
        pointer-events: none;
      }
      .cell.off canvas {
        opacity: 0.45;
      }
      .cell.off::after {
        content: "";
        position: absolute;
        inset: 3px;
        background: linear-gradient(to top right, transparent calc(50% - 1px), var(--flame) calc(50% - 1px) calc(50% + 1px), transparent calc(50% + 1px));
        pointer-events: none;
      }
      .number {
        font-size: 0.68rem;
        line-height: 1.2;
        color: var(--soft);
      }
      .tools {
        display: var(--choices, flex);
        align-items: baseline;
        justify-content: space-between;
        gap: 0.5em;
        font-size: 0.85rem;
        color: var(--soft);
        margin-top: 0.4rem;
      }
      select {
        font-size: 0.8rem;
      }
    `,
  ];

  /** One tensor for each layer, axes head, query and key; null if it is not there yet. */
  declare patterns: readonly (Tensor | null)[];
  declare scores: readonly HeadScore[];
  /** The selected head. */
  declare layer: number;
  declare head: number;
  declare scale: Stretch;
  /** "layer" for the order of the model, or a score for the strongest heads first. */
  declare order: "layer" | Kind;
  /** Heads that are switched off. */
  declare off: readonly Head[];
  /** One row that scrolls sideways. Narrow screens always have it. */
  declare strip: boolean;
  /** Its owner is narrower than the screen, and alone says whether it is a strip. */
  declare compact: boolean;
  declare isNarrow: boolean;
  declare width: number;
  #theme = new ThemeController(this);
  readonly interaction: Interaction<Head> = new Interaction(this, {
    start: () => ({ layer: this.layer, head: this.head }),
    move: (from, step) => this.#move(from, step),
    onHover: (head) => this.emit("head-hover", head),
    onSelect: (head) => this.emit("head-select", head),
    elements: headElements(this),
  });
  /** What each canvas shows. */
  #drawKeys: WeakMap<HTMLCanvasElement, string> = new WeakMap();
  #drawnPatterns: readonly (Tensor | null)[] = [];
  #queue = new CellQueue(this, { first: FIRST_BUDGET_MS, max: MAX_BUDGET_MS }, (cell) =>
    this.#draw(cell),
  );

  constructor() {
    super();
    this.patterns = [];
    this.scores = [];
    this.layer = 0;
    this.head = 0;
    this.scale = "linear";
    this.order = "layer";
    this.off = [];
    this.strip = false;
    this.compact = false;
    this.isNarrow = false;
    this.width = 0;
    new WidthController(this);
  }

  #screen = matchMedia(NARROW_SCREEN);
  #onScreen = () => {
    this.isNarrow = this.#screen.matches;
  };

  get #isStrip() {
    return this.strip || (this.isNarrow && !this.compact);
  }

  override connectedCallback() {
    super.connectedCallback();
    this.#screen.addEventListener("change", this.#onScreen);
    this.#onScreen();
    this.requestUpdate(); // observes the cells again
  }

  override disconnectedCallback() {
    super.disconnectedCallback();
    this.#screen.removeEventListener("change", this.#onScreen);
  }

  /** The rows of the grid: the heads of each layer; or all heads by a score, with as many in a row as a layer has. */
  get rows(): Head[][] {
    const counts = this.patterns.map((pattern) => (pattern ? sizeOf(pattern, "head") : null));
    const columns = Math.max(1, ...counts.map((count) => count ?? 0));
    const heads = counts.flatMap((count, layer) =>
      Array.from({ length: count ?? columns }, (_, head) => ({ layer, head })),
    );
    const { order } = this;
    if (order !== "layer") {
      const score = (head: Head) => this.#scoreOf(head, order) || 0; // NaN last
      heads.sort((a, b) => score(b) - score(a));
    }
    return Array.from({ length: Math.ceil(heads.length / columns) }, (_, row) =>
      heads.slice(row * columns, (row + 1) * columns),
    );
  }

  get #isDense() {
    return this.rows.some((row) => row.length > DENSE);
  }

  #scoresOf(head: Head) {
    return this.scores.find((score) => isSameHead(score, head));
  }

  /** @returns NaN if it was not measured */
  #scoreOf(head: Head, kind: Kind): number {
    return this.#scoresOf(head)?.[kind] ?? 0;
  }

  override render() {
    return html`
      <div class="grid ${this.#isStrip ? "strip" : ""} ${this.#isDense ? "dense" : ""}" .style="--thumbnail: ${this.#thumbnailSize}px" role="grid" aria-label="attention heads, ${this.patterns.length} layers" @keydown=${this.interaction.onKeyDown} @pointerleave=${this.interaction.leave} @focusout=${this.interaction.onFocusOut}>
        ${this.rows.map(
          (row, i) => html`<div class="row" role="row">
            ${this.order === "layer" ? html`<span class="layer mono" role="rowheader" aria-label="layer ${i}">L${i}</span>` : ""}
            ${row.map((head) => this.#renderCell(head))}
          </div>`,
        )}
      </div>
      ${this.scores.length > 0 ? this.#renderOrder() : ""}
    `;
  }

  #renderCell(head: Head) {
    const isSelected = isSameHead(head, this);
    const label = this.#label(head);
    return html`<div
      class="cell ${includesHead(this.off, head) ? "off" : ""}"
      role="gridcell"
      tabindex=${isSelected ? 0 : -1}
      aria-selected=${isSelected}
      aria-label=${label}
      title=${label}
      data-layer=${head.layer}
      data-head=${head.head}
      @pointerenter=${() => this.interaction.hover(head)}
      @click=${() => this.interaction.choose(head)}
    >
      <span class="image" aria-hidden="true"><canvas></canvas></span>${this.#renderScore(head)}
    </div>`;
  }

  /** The name and the score of a head, if heads are sorted by it. */
  #renderScore(head: Head) {
    if (this.order === "layer") return "";
    const score = this.#scoreOf(head, this.order);
    return html`<span class="number mono">${head.layer}.${head.head} ${Number.isNaN(score) ? "–" : formatAttention(score)}</span>`;
  }

  #label(head: Head) {
    const scores = this.#scoresOf(head);
    const off = includesHead(this.off, head) ? ", switched off" : "";
    const name = `head ${head.layer}.${head.head}${off}`;
    const words = (value: number) =>
      Number.isNaN(value) ? "not measured" : formatAttention(value);
    return scores
      ? `${name}, induction ${words(scores.induction)}, previous token ${words(scores.previous)}`
      : name;
  }

  #renderOrder() {
    const titles = {
      layer: "layer",
      induction: "induction",
      previous: "previous token",
      duplicate: "same token",
    };
    return html`<div class="tools">
      <label>sort by
        <select @change=${this.#onOrder}>
          ${Object.entries(titles).map(([order, title]) => html`<option value=${order} ?selected=${this.order === order}>${title}</option>`)}
        </select>
      </label>
    </div>`;
  }

  #onOrder = (event: Event) => {
    this.order = (event.target as HTMLSelectElement).value as "layer" | Kind;
  };

  override willUpdate() {
    if (this.#drawnPatterns === this.patterns) return;
    this.#drawKeys = new WeakMap();
    this.#drawnPatterns = this.patterns;
    this.#queue.restart();
  }

  override updated() {
    this.#revealSelected();
  }

  /** Scrolls a strip to the selected head, once for each selection: afterwards the visitor may scroll it. */
  #revealSelected() {
    const grid = this.renderRoot.querySelector(".grid");
    const cell = headElements(this).elementOf(this);
    const name = `${this.layer}.${this.head} ${this.order}`;
    if (!grid || !cell || !this.#isStrip || this.width === 0 || this.#revealed === name) return;
    this.#revealed = name;
    const left = cell.offsetLeft - (grid as HTMLElement).offsetLeft;
    const middle = left - (grid.clientWidth - cell.offsetWidth) / 2;
    const isVisible =
      left >= grid.scrollLeft && left + cell.offsetWidth <= grid.scrollLeft + grid.clientWidth;
    if (!isVisible) grid.scrollLeft = Math.max(0, middle);
  }

  /** The selection that the strip was scrolled to. */
  #revealed = "";

  /** The size of a thumbnail in CSS pixels. A layer fits the element's width if possible. */
  get #thumbnailSize() {
    if (this.#isStrip) return STRIP_SIZE;
    const heads = Math.max(1, ...this.rows.map((row) => row.length));
    const margins = heads * (this.#isDense ? 6 : 10);
    const room = this.width - 8 - (this.order === "layer" ? 30 : 0) - margins;
    return Math.max(12, Math.min(72, Math.floor(room / heads)));
  }

  #draw(cell: HTMLElement) {
    const canvas = cell.querySelector("canvas");
    if (!canvas || this.width === 0) return;
    const layer = Number(cell.dataset.layer);
    const head = Number(cell.dataset.head);
    const size = this.#thumbnailSize;
    const pattern = this.patterns[layer];
    if (!pattern || !this.#queue.isDue(cell)) {
      if (!pattern || !this.#drawKeys.has(canvas))
        canvas.style.width = canvas.style.height = `${size}px`; // reserves the place
      return;
    }
    const ratio = pixelRatio();
    const target = size * ratio;
    const { theme } = this.#theme;
    const drawKey = [layer, head, target, this.scale, theme].join();
    if (this.#drawKeys.get(canvas) === drawKey) return;
    this.#drawKeys.set(canvas, drawKey);
    this.#queue.isDrawn(cell);
    const matrix = maxPoolTo(headMatrix(pattern, head), Math.floor(target));
    const fit = fitNear(matrix.rows, target, target, MAX_CELL * ratio);
    drawHeatmap(canvas, matrix, { view: fullView(matrix), fit, theme, stretch: this.scale, ratio });
  }

  /** For exports: draws a thumbnail that was not on the screen yet. */
  paintCanvas(canvas: HTMLCanvasElement) {
    const cell = canvas.closest<HTMLElement>(".cell");
    if (!cell) return false;
    this.#queue.include(cell);
    return false;
  }

  #move(from: Head, step: Step) {
    const { rows } = this;
    if (this.#isStrip && step.rows === 0) {
      const heads = rows.flat();
      const at = heads.findIndex((head) => isSameHead(head, from));
      return heads[clamp(at + step.columns, heads.length)];
    }
    const row = rows.findIndex((heads) => includesHead(heads, from));
    const column = rows[row]?.findIndex((head) => isSameHead(head, from)) ?? 0;
    const to = rows[clamp(row + step.rows, rows.length)];
    return to[clamp(column + step.columns, to.length)];
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "attention-heads": AttentionHeads;
  }
}
