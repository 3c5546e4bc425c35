// <head-scores>: one score of every head. Layers run down, heads across.

import { css, html } from "lit";

import { formatAttention, formatSignificant, NOT_A_NUMBER } from "../draw/format.js";
import { countNotFinite, stripes } from "../draw/not-finite.js";
import { colourOf, textOn } from "../draw/scale.js";
import { TypedElement } from "./base.js";
import { headElements, includesHead, isSameHead, type Head } from "./heads.js";
import { meaningOf, SCORES, titleOf } from "./score-names.js";
import { clamp, Interaction } from "./interaction.js";
import { base, figure } from "./styles.js";
import { ThemeController } from "./theme.js";
import type { Tensor } from "../draw/matrix.js";

/** Why a head has no score. */
type Reason = "no place" | "not a number" | "either";
const REASONS: Record<Reason, string> = {
  "no place": "no place in this text to measure it",
  "not a number": NOT_A_NUMBER,
  either: `no place in this text to measure it, or ${NOT_A_NUMBER}`,
};

export interface HeadScoresEvents {
  "head-hover": Head | null;
  "head-select": Head;
  "kind-change": string;
}

export class HeadScores extends TypedElement<HeadScoresEvents> {
  static override properties = {
    scores: { attribute: false },
    kind: { type: String },
    layer: { type: Number },
    head: { type: Number },
    off: { attribute: false },
    measurable: { attribute: false },
    kept: { attribute: false },
  };

  static override styles = [
    base,
    figure,
    css`
      .tools {
        display: flex;
        flex-wrap: wrap;
        gap: 0.3rem 0.8rem;
        align-items: center;
        margin-bottom: 0.6rem;
      }
      .choice {
        display: inline-flex;
        flex-wrap: wrap;
        gap: 0.3rem;
      }
      .choice button {
        font-size: 0.85rem;
        padding: 0.14em 0.8em;
      }
      .scroll {
        overflow-x: auto;
        scrollbar-width: thin;
        padding: 3px;
      }
      .row {
        display: flex;
        gap: 3px;
        margin-bottom: 3px;
        width: max-content;
      }
      .layer,
      .column {
        flex: none;
        font-size: 0.75rem;
        color: var(--soft);
        display: grid;
        place-items: center;
      }
      .layer {
        width: 2.2em;
      }
      .column,
      .cell {
        width: var(--cell);
      }
      .cell {
        flex: none;
        height: calc(0.68 * var(--cell));
        min-height: 1.5rem;
        display: grid;
        place-items: center;
        font-size: 0.8rem;
        border-radius: 3px;
        cursor: pointer;
        print-color-adjust: exact;
      }
      .cell:hover {
        box-shadow: 0 0 0 1px var(--soft);
      }
      .cell[aria-selected="true"] {
        box-shadow: 0 0 0 2px var(--paper), 0 0 0 4px var(--flame);
      }
      .cell.left-out {
        border: 1px dashed var(--line);
        color: var(--soft);
      }
      .cell.off {
        text-decoration: line-through;
        text-decoration-thickness: 2px;
      }
      .broken {
        padding: 0 0.3em;
        border-radius: 3px;
        color: var(--ink);
        background: var(--paper);
      }
      .none {
        border: 1px dashed var(--line);
        color: var(--soft);
      }
      .readout {
        min-height: 1.5em;
        margin: 0.4rem 0 0;
        font-size: 0.92rem;
      }
    `,
  ];

  /** `scores` of what `model.headScores` returns: [score layer head]; `labels.score` has the names of the scores. */
  declare scores: Tensor | null;
  /** The name of the score that is drawn. */
  declare kind: string;
  /** The selected head. */
  declare layer: number;
  declare head: number;
  /** Heads that are switched off. */
  declare off: readonly Head[];
  /** The scores that can be measured on the text; null if that is unknown. */
  declare measurable: ReadonlySet<string> | null;
  /** The heads that a filter keeps, the others are faint; null without a filter. */
  declare kept: readonly Head[] | null;
  #theme = new ThemeController(this);
  readonly interaction: Interaction<Head> = new Interaction(this, {
    start: () => ({ layer: this.layer, head: this.head }),
    move: ({ layer, head }, { rows, columns }) => {
      const [layers, heads] = this.size;
      return { layer: clamp(layer + rows, layers), head: clamp(head + columns, heads) };
    },
    onHover: (head) => {
      this.#describe(head);
      this.emit("head-hover", head);
    },
    onSelect: (head) => this.emit("head-select", head),
    elements: headElements(this),
  });

  constructor() {
    super();
    this.scores = null;
    this.kind = "induction";
    this.layer = 0;
    this.head = 0;
    this.off = [];
    this.measurable = null;
    this.kept = null;
  }

  get size(): [layers: number, heads: number] {
    return this.scores ? [this.scores.shape[1], this.scores.shape[2]] : [0, 0];
  }

  /** The names of the scores. */
  get kinds(): readonly string[] {
    return this.scores?.labels?.score ?? SCORES;
  }

  /** How many heads have no score of the kind that is drawn. */
  #countMissing() {
    const [layers, heads] = this.size;
    const all = Array.from({ length: layers * heads }, (_, at) =>
      this.scoreOf({ layer: Math.floor(at / heads), head: at % heads }),
    );
    return countNotFinite(all);
  }

  #reason(kind: string): Reason {
    if (this.measurable === null) return "either";
    return this.measurable.has(kind) ? "not a number" : "no place";
  }

  /** NaN if the score cannot be measured on the text, or if the attention is not a number. */
  scoreOf({ layer, head }: Head, kind: string = this.kind) {
    const [layers, heads] = this.size;
    const row = this.kinds.indexOf(kind);
    return this.scores && row >= 0 ? this.scores.data[(row * layers + layer) * heads + head] : NaN;
  }

  override render() {
    const [layers, heads] = this.size;
    if (layers === 0) return "";
    const missing = this.#reason(this.kind) === "not a number" ? this.#countMissing() : 0;
    const meaning = meaningOf(this.kind);
    const everyHead = Array.from({ length: heads }, (_, head) => head);
    return html`
      <div class="tools">
        <span class="choice" role="group" aria-label="score">
          ${this.kinds.map((kind) => html`<button aria-pressed=${kind === this.kind} @click=${() => this.#setKind(kind)}>${titleOf(kind)}</button>`)}
        </span>
        <slot></slot>
      </div>
      <div class="scroll" .style="--cell: ${cellWidth(heads)}" role="grid" aria-label="${meaning}, by layer and head" @keydown=${this.interaction.onKeyDown}>
        <div class="row" role="row" aria-hidden="true"><span class="layer"></span>${everyHead.map((head) => html`<span class="column mono">H${head}</span>`)}</div>
        ${Array.from(
          { length: layers },
          (_, layer) =>
            html`<div class="row" role="row"><span class="layer mono" role="rowheader" aria-label="layer ${layer}">L${layer}</span>${everyHead.map((head) => this.#renderCell({ layer, head }))}</div>`,
        )}
      </div>
      <p class="readout mono" aria-live="polite"></p>
      <div class="below">
        <color-legend
          .text=${meaning}
          .notFinite=${missing > 0 ? `${NOT_A_NUMBER}: ${missing} heads` : ""}
        ></color-legend>
      </div>
    `;
  }

  #renderCell(head: Head) {
    const value = this.scoreOf(head);
    const isSelected = isSameHead(head, this);
    const isMissing = !Number.isFinite(value);
    const isNotANumber = isMissing && this.#reason(this.kind) === "not a number";
    const { theme } = this.#theme;
    const colours = isNotANumber
      ? `background: ${stripes(theme)}; forced-color-adjust: none`
      : isMissing || this.#isLeftOut(head)
        ? ""
        : `background: ${colourOf(value, theme)}; color: ${textOn(value, theme)}; forced-color-adjust: none`;
    return html`<div
      class="cell mono ${isMissing ? "none" : ""} ${includesHead(this.off, head) ? "off" : ""} ${this.#isLeftOut(head) ? "left-out" : ""}"
      .style=${colours}
      role="gridcell"
      tabindex=${isSelected ? 0 : -1}
      aria-selected=${isSelected}
      aria-label=${this.#label(head)}
      data-layer=${head.layer}
      data-head=${head.head}
      @pointerenter=${() => this.interaction.hover(head)}
      @pointerleave=${this.interaction.leave}
      @focus=${() => this.interaction.hover(head)}
      @blur=${this.interaction.leave}
      @click=${() => this.interaction.choose(head)}
    >${isNotANumber ? html`<span class="broken">NaN</span>` : isMissing ? "–" : formatAttention(value)}</div>`;
  }

  #label(head: Head) {
    const value = this.scoreOf(head);
    const score = Number.isFinite(value)
      ? formatAttention(value)
      : REASONS[this.#reason(this.kind)];
    const off = includesHead(this.off, head) ? ", switched off" : "";
    const leftOut = this.#isLeftOut(head) ? ", left out by the filter" : "";
    return `head ${head.layer}.${head.head}, ${titleOf(this.kind)} ${score}${off}${leftOut}`;
  }

  #isLeftOut(head: Head) {
    return this.kept !== null && !includesHead(this.kept, head);
  }

  /** Writes all scores of a head below the grid. */
  #describe(head: Head | null) {
    const readout = this.renderRoot.querySelector(".readout");
    if (!readout) return;
    if (!head) return readout.replaceChildren();
    const scores = this.kinds.map((kind) => `${titleOf(kind)} ${this.#exactScore(head, kind)}`);
    const off = includesHead(this.off, head) ? " (off)" : "";
    readout.textContent = `head ${head.layer}.${head.head}${off}  ${scores.join(", ")}`;
  }

  #exactScore(head: Head, kind: string) {
    const value = this.scoreOf(head, kind);
    if (Number.isFinite(value)) return formatSignificant(value, 4);
    return this.#reason(kind) === "not a number" ? NOT_A_NUMBER : "–";
  }

  #setKind(kind: string) {
    this.kind = kind;
    this.emit("kind-change", kind);
  }
}

/** The CSS width of a cell, by the number of heads in a row. */
function cellWidth(heads: number) {
  if (heads > 16) return "2.3rem";
  if (heads > 8) return "2.9rem";
  return heads > 6 ? "4.2rem" : "min(6rem, 18vw)";
}

declare global {
  interface HTMLElementTagNameMap {
    "head-scores": HeadScores;
  }
}
