// <attention-heads>: every head of every layer as a small pattern.

import { css, html } from "lit";
import { formatAttention } from "../draw/format.js";

import { fitNear } from "../draw/fit.js";
import { drawHeatmap, fullView } from "../draw/heatmap.js";
import { headMatrix, maxPoolTo, sizeOf, type Tensor } from "../draw/matrix.js";
import { TypedElement, pixelRatio, WidthController } from "./base.js";
import { base } from "./styles.js";
import { ThemeController } from "./theme.js";
import type { HeadScore, Kind } from "../session/scores.js";
import type { Stretch } from "../draw/scale.js";

/** What drawing may take of the first frame with new patterns, in milliseconds, and of any; it doubles from frame to frame. */
const [FIRST_MS, MOST_MS] = [0.5, 8];

export type Head = { layer: number; head: number };

export interface AttentionHeadsEvents {
  /** the pointer or the keyboard is on a head, or on none */
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
      canvas {
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
        display: flex;
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

  /** Patterns of each layer, axes head, query and key; null where one has not come yet. */
  declare patterns: readonly (Tensor | null)[];
  declare scores: readonly HeadScore[];
  declare layer: number;
  declare head: number;
  declare scale: Stretch;
  /** "layer": as in the model. Or by a score: the strongest heads first. */
  declare order: string;
  /** Heads that are switched off. */
  declare off: readonly Head[];
  declare width: number;
  declare theme: any;
  /** What each canvas shows now, so that nothing is drawn twice. */
  declare drawn: WeakMap<HTMLCanvasElement, string>;
  declare drawnPatterns: readonly (Tensor | null)[];
  declare onScreen: Set<Element>;
  /** The frame in which drawing goes on, and the cell that was drawn last. */
  declare frame: number;
  declare next: number;
  /** Milliseconds that drawing may take of the next frame. */
  declare allowed: any;
  declare measured: any;
  declare seen: any;

  constructor() {
    super();
    this.patterns = [];
    this.scores = [];
    this.layer = 0;
    this.head = 0;
    this.scale = "linear";
    this.order = "layer";
    this.off = [];
    this.width = 0;
    this.theme = new ThemeController(this);
    this.drawn = new WeakMap();
    this.drawnPatterns = [];
    this.onScreen = new Set();
    this.frame = 0;
    this.next = -1;
    this.allowed = FIRST_MS;
    this.measured = new WidthController(this);
    this.seen = new IntersectionObserver((entries) => this.#onSeen(entries), {
      rootMargin: "120px",
    });
  }

  override connectedCallback() {
    super.connectedCallback();
    this.requestUpdate(); // cells are watched anew
  }

  override disconnectedCallback() {
    super.disconnectedCallback();
    this.seen.disconnect();
    this.onScreen.clear();
    cancelAnimationFrame(this.frame);
    this.frame = 0;
  }

  /**
   * Rows of the grid: layers in order, or the heads by a score, as many to a row as a layer has.
   */
  get rows(): Head[][] {
    const widest = Math.max(
      1,
      ...this.patterns.map((pattern) => (pattern ? sizeOf(pattern, "head") : 0)),
    );
    const heads = this.patterns.flatMap((pattern, layer) =>
      Array.from({ length: pattern ? sizeOf(pattern, "head") : widest }, (_, head) => ({
        layer,
        head,
      })),
    );
    if (this.order !== "layer") heads.sort((a, b) => (this.#score(b) || 0) - (this.#score(a) || 0)); // NaN last
    return Array.from({ length: Math.ceil(heads.length / widest) }, (_, row) =>
      heads.slice(row * widest, (row + 1) * widest),
    );
  }

  /** Many heads side by side need narrow margins. */
  get dense() {
    return this.rows.some((row) => row.length > 8);
  }

  /** @returns NaN if it was not measured */
  #score({ layer, head }: Head): number {
    const found = this.scores.find((one) => one.layer === layer && one.head === head);
    return found ? found[this.order as Kind] : 0;
  }

  override render() {
    const rows = this.rows;
    return html`
      <div class="grid ${this.dense ? "dense" : ""}" role="grid" aria-label="attention heads, ${this.patterns.length} layers" @keydown=${this.#onKey} @pointerleave=${() => this.emit("head-hover", null)} @focusout=${this.#onFocusOut}>
        ${rows.map(
          (row, i) => html`<div class="row" role="row">
            ${this.order === "layer" ? html`<span class="layer mono" role="rowheader" aria-label="layer ${i}">L${i}</span>` : ""}
            ${row.map((one) => this.#cell(one))}
          </div>`,
        )}
      </div>
      ${this.scores.length > 0 ? this.#tools() : ""}
    `;
  }

  #cell(one: Head) {
    const chosen = one.layer === this.layer && one.head === this.head;
    const label =
      this.order === "layer"
        ? ""
        : html`<span class="number mono">${one.layer}.${one.head} ${Number.isNaN(this.#score(one)) ? "–" : formatAttention(this.#score(one))}</span>`;
    return html`<div
      class="cell ${this.#isOff(one) ? "off" : ""}"
      role="gridcell"
      tabindex=${chosen ? 0 : -1}
      aria-selected=${chosen}
      aria-label=${this.#name(one)}
      title=${this.#name(one)}
      data-layer=${one.layer}
      data-head=${one.head}
      @pointerenter=${() => this.emit("head-hover", one)}
      @click=${() => this.emit("head-select", one)}
    >
      <canvas aria-hidden="true"></canvas>${label}
    </div>`;
  }

  #isOff({ layer, head }: Head) {
    return this.off.some((other) => other.layer === layer && other.head === head);
  }

  #name({ layer, head }: Head) {
    const found = this.scores.find((score) => score.layer === layer && score.head === head);
    const name = `head ${layer}.${head}${this.#isOff({ layer, head }) ? ", switched off" : ""}`;
    const score = (value: number) =>
      Number.isNaN(value) ? "not measured" : formatAttention(value);
    return found
      ? `${name}, induction ${score(found.induction)}, previous token ${score(found.previous)}`
      : name;
  }

  #tools() {
    const sort = (event: Event) => (this.order = (event.target as HTMLSelectElement).value);
    return html`<div class="tools">
      <label>sort by
        <select @change=${sort}>
          <option value="layer" ?selected=${this.order === "layer"}>layer</option>
          <option value="induction" ?selected=${this.order === "induction"}>induction</option>
          <option value="previous" ?selected=${this.order === "previous"}>previous token</option>
          <option value="duplicate" ?selected=${this.order === "duplicate"}>same token</option>
        </select>
      </label>
    </div>`;
  }

  override updated() {
    for (const cell of this.renderRoot.querySelectorAll(".cell")) this.seen.observe(cell);
    if (this.drawnPatterns !== this.patterns) {
      this.drawn = new WeakMap();
      this.drawnPatterns = this.patterns;
      this.allowed = FIRST_MS;
    }
    if (!this.frame) this.#drawSome();
  }

  /**
   * Draws what is out of date, a little of it a frame: while a model writes, that is every head at every token, and few of
   * them are looked at so soon.
   */
  #drawSome() {
    const cells = this.renderRoot.querySelectorAll(".cell");
    const end = performance.now() + this.allowed;
    this.allowed = Math.min(MOST_MS, 2 * this.allowed);
    for (let count = 0; count < cells.length; count++) {
      if (performance.now() > end) return this.#goOn();
      // Each in its turn, or the last ones would wait for the text's end.
      this.next = (this.next + 1) % cells.length;
      this.#draw(cells[this.next] as HTMLElement);
    }
  }

  #goOn() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.#drawSome();
    });
  }

  #onSeen(entries: IntersectionObserverEntry[]) {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) this.onScreen.add(target);
      else this.onScreen.delete(target);
    }
    this.#goOn();
  }

  /** CSS pixels that a thumbnail should take, so that a layer fits the element's width where it can. */
  get thumbnailSize() {
    const heads = Math.max(1, ...this.rows.map((row) => row.length));
    const room = this.width - 8 - (this.order === "layer" ? 30 : 0) - heads * (this.dense ? 6 : 10);
    return Math.max(20, Math.min(72, Math.floor(room / heads)));
  }

  #draw(cell: HTMLElement) {
    const canvas = cell.querySelector("canvas");
    const layer = Number(cell.dataset.layer);
    const head = Number(cell.dataset.head);
    const ratio = pixelRatio();
    const target = this.thumbnailSize * ratio;
    if (!canvas || this.width === 0) return;
    const pattern = this.patterns[layer];
    if (!pattern) {
      canvas.style.width = canvas.style.height = `${this.thumbnailSize}px`;
      return;
    }
    if (!this.onScreen.has(cell)) {
      if (!this.drawn.has(canvas))
        canvas.style.width = canvas.style.height = `${this.thumbnailSize}px`; // keeps its place
      return;
    }
    const what = [layer, head, target, this.scale, this.theme.theme].join();
    if (this.drawn.get(canvas) === what) return;
    this.drawn.set(canvas, what);
    const matrix = maxPoolTo(headMatrix(pattern, head), Math.floor(target));
    const fit = fitNear(matrix.rows, target, target);
    drawHeatmap(canvas, matrix, {
      view: fullView(matrix),
      fit,
      theme: this.theme.theme,
      stretch: this.scale,
      ratio,
    });
  }

  #onKey(event: KeyboardEvent) {
    const rows = this.rows;
    const at = this.#focused();
    const row = rows.findIndex((heads) =>
      heads.some((one) => one.layer === at.layer && one.head === at.head),
    );
    const column =
      rows[row]?.findIndex((one) => one.layer === at.layer && one.head === at.head) ?? 0;
    const moves: Record<string, [number, number]> = {
      ArrowUp: [-1, 0],
      ArrowDown: [1, 0],
      ArrowLeft: [0, -1],
      ArrowRight: [0, 1],
      Home: [0, -column],
      End: [0, Infinity],
    };
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.emit("head-select", at);
    } else if (event.key === "Escape") {
      this.#focus({ layer: this.layer, head: this.head });
      this.emit("head-hover", null);
    } else if (moves[event.key]) {
      event.preventDefault();
      const [down, right] = moves[event.key];
      const to = rows[Math.max(0, Math.min(rows.length - 1, row + down))];
      const next = to[Math.max(0, Math.min(to.length - 1, column + right))];
      this.#focus(next);
      this.emit("head-hover", next);
    }
  }

  /** Moving from head to head is no leaving. */
  #onFocusOut(event: FocusEvent) {
    if (!(event.relatedTarget as Element | null)?.matches?.(".cell")) this.emit("head-hover", null);
  }

  #focused(): Head {
    const cell = (
      this.renderRoot instanceof ShadowRoot ? this.renderRoot.activeElement : null
    ) as HTMLElement | null;
    return cell?.dataset.layer
      ? { layer: Number(cell.dataset.layer), head: Number(cell.dataset.head) }
      : { layer: this.layer, head: this.head };
  }

  #focus({ layer, head }: Head) {
    (
      this.renderRoot.querySelector(
        `[data-layer="${layer}"][data-head="${head}"]`,
      ) as HTMLElement | null
    )?.focus();
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "attention-heads": AttentionHeads;
  }
}
