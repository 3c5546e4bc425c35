// <head-scores>: how much every head is of one kind, layers down and heads across.

import { css, html } from "lit";
import { NOT_A_NUMBER, formatAttention } from "../draw/format.js";

import { colourOf, gradient, textOn } from "../draw/scale.js";
import { countNotFinite, stripes } from "../draw/not-finite.js";
import { TypedElement } from "./base.js";
import { base, figure } from "./styles.js";
import { INKS, ThemeController } from "./theme.js";
import type { Tensor } from "../draw/matrix.js";
import type { Head } from "./attention-heads.js";

/** axes score, layer and head; `labels.score` names the scores */
export type Table = Tensor & { labels?: Readonly<Record<string, readonly string[]>> };

/** What the names of scores mean. */
const KINDS: Record<string, [title: string, meaning: string]> = {
  previous_token: ["previous token", "how much of its attention goes to the token just before"],
  duplicate_token: [
    "same token",
    "how much of its attention goes to earlier places of the same token",
  ],
  induction: ["induction", "how much of its attention goes to what followed the same token before"],
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
      .legend {
        margin-top: 0.6rem;
        font-size: 0.85rem;
      }
      .readout {
        min-height: 1.5em;
        margin: 0.4rem 0 0;
        font-size: 0.92rem;
      }
    `,
  ];

  /** What model.headScores returns as `scores`. */
  declare scores: Table | null;
  /** One of its scores. */
  declare kind: string;
  declare layer: number;
  declare head: number;
  /** Heads that are switched off. */
  declare off: readonly Head[];
  /** The scores that the text has a place for; null if that is not known. */
  declare measurable: ReadonlySet<string> | null;
  /** The head that the pointer or the keyboard is on. */
  declare hovered: Head | null;
  declare theme: any;

  constructor() {
    super();
    this.scores = null;
    this.kind = "induction";
    this.layer = 0;
    this.head = 0;
    this.off = [];
    this.measurable = null;
    this.hovered = null;
    this.theme = new ThemeController(this);
  }

  get size(): [layers: number, heads: number] {
    const table = this.scores;
    return table ? [table.shape[1], table.shape[2]] : [0, 0];
  }

  /** The names of the scores. */
  get kinds() {
    return this.scores?.labels?.score ?? Object.keys(KINDS);
  }

  /** How many heads have no score. */
  #missing(layers: number, heads: number) {
    const all = Array.from({ length: layers * heads }, (_, at) =>
      this.scoreOf({ layer: Math.floor(at / heads), head: at % heads }),
    );
    return countNotFinite(all);
  }

  /** Why a score is not a number. */
  #reason(kind: string): "no place" | "not a number" | "either" {
    if (this.measurable === null) return "either";
    return this.measurable.has(kind) ? NOT_A_NUMBER : "no place";
  }

  /** NaN where the text has no place to measure it, or where the attention is not a number. */
  scoreOf({ layer, head }: Head, kind: string = this.kind) {
    const [layers, heads] = this.size;
    const row = this.kinds.indexOf(kind);
    return this.scores && row >= 0 ? this.scores.data[(row * layers + layer) * heads + head] : NaN;
  }

  override render() {
    const [layers, heads] = this.size;
    if (layers === 0) return "";
    const broken = this.#reason(this.kind) === NOT_A_NUMBER ? this.#missing(layers, heads) : 0;
    const meaning = KINDS[this.kind]?.[1] ?? this.kind;
    const cell =
      heads > 16 ? "2.3rem" : heads > 8 ? "2.9rem" : heads > 6 ? "4.2rem" : "min(6rem, 18vw)";
    return html`
      <div class="tools">
        <span class="choice" role="group" aria-label="kind of head">
          ${this.kinds.map((kind) => html`<button aria-pressed=${kind === this.kind} @click=${() => this.#pick(kind)}>${KINDS[kind]?.[0] ?? kind}</button>`)}
        </span>
        <slot></slot>
      </div>
      <div class="scroll" style="--cell: ${cell}" role="grid" aria-label="${meaning}, by layer and head" @keydown=${this.#onKey}>
        <div class="row" role="row" aria-hidden="true"><span class="layer"></span>${Array.from({ length: heads }, (_, head) => html`<span class="column mono">H${head}</span>`)}</div>
        ${Array.from(
          { length: layers },
          (_, layer) =>
            html`<div class="row" role="row"><span class="layer mono" role="rowheader" aria-label="layer ${layer}">L${layer}</span>${Array.from({ length: heads }, (_, head) => this.#cell({ layer, head }))}</div>`,
        )}
      </div>
      <p class="readout mono" aria-live="polite"></p>
      <div class="legend" role="img" aria-label="colour scale from 0 to 1: ${meaning}">
        <span class="mono">0</span><span class="ramp" style="background: ${gradient(this.theme.theme)}"></span><span class="mono">1</span><span>${meaning}</span>
        ${broken > 0 ? html`<span class="swatch" style="background: ${stripes(this.theme.theme)}"></span><span>${NOT_A_NUMBER}: ${broken} heads</span>` : ""}
      </div>
    `;
  }

  #cell(one: Head) {
    const value = this.scoreOf(one);
    const chosen = one.layer === this.layer && one.head === this.head;
    const none = !Number.isFinite(value);
    const broken = none && this.#reason(this.kind) === NOT_A_NUMBER;
    const { theme } = this.theme;
    const colours = broken
      ? `background: ${stripes(theme)}`
      : none
        ? ""
        : `background: ${colourOf(value, theme)}; color: ${INKS[textOn(value, theme)]}`;
    return html`<div
      class="cell mono ${none ? "none" : ""} ${this.#isOff(one) ? "off" : ""}"
      style=${colours}
      role="gridcell"
      tabindex=${chosen ? 0 : -1}
      aria-selected=${chosen}
      aria-label=${this.sentence(one)}
      data-layer=${one.layer}
      data-head=${one.head}
      @pointerenter=${() => this.#hover(one)}
      @pointerleave=${() => this.#hover(null)}
      @focus=${() => this.#hover(one)}
      @blur=${() => this.#hover(null)}
      @click=${() => this.emit("head-select", one)}
    >${broken ? html`<span class="broken">NaN</span>` : none ? "–" : formatAttention(value)}</div>`;
  }

  #isOff({ layer, head }: Head) {
    return this.off.some((other) => other.layer === layer && other.head === head);
  }

  sentence(one: Head) {
    const value = this.scoreOf(one);
    const reasons = {
      "no place": "no place in this text to measure it",
      "not a number": NOT_A_NUMBER,
      either: `no place in this text to measure it, or ${NOT_A_NUMBER}`,
    };
    const score = Number.isFinite(value)
      ? formatAttention(value)
      : reasons[this.#reason(this.kind)];
    return `head ${one.layer}.${one.head}, ${KINDS[this.kind]?.[0] ?? this.kind} ${score}${this.#isOff(one) ? ", switched off" : ""}`;
  }

  #hover(one: Head | null) {
    this.hovered = one;
    const line = this.renderRoot.querySelector(".readout");
    if (!line) return;
    const others = one
      ? this.kinds.map((kind) => `${KINDS[kind]?.[0] ?? kind} ${this.#exact(one, kind)}`)
      : [];
    line.textContent = one
      ? `head ${one.layer}.${one.head}${this.#isOff(one) ? " (off)" : ""}  ${others.join(", ")}`
      : "";
    this.emit("head-hover", one);
  }

  #exact(one: Head, kind: string) {
    const value = this.scoreOf(one, kind);
    if (Number.isFinite(value)) return value.toPrecision(4);
    return this.#reason(kind) === NOT_A_NUMBER ? NOT_A_NUMBER : "–";
  }

  #pick(kind: string) {
    this.kind = kind;
    this.emit("kind-change", kind);
  }

  #onKey(event: KeyboardEvent) {
    const [layers, heads] = this.size;
    const focused = (event.target as HTMLElement).dataset;
    const at = {
      layer: Number(focused.layer ?? this.layer),
      head: Number(focused.head ?? this.head),
    };
    const moves: Record<string, [number, number]> = {
      ArrowUp: [-1, 0],
      ArrowDown: [1, 0],
      ArrowLeft: [0, -1],
      ArrowRight: [0, 1],
      Home: [0, -heads],
      End: [0, heads],
    };
    if (event.key === "Enter" || event.key === " ") this.emit("head-select", at);
    else if (moves[event.key]) {
      const [down, right] = moves[event.key];
      const layer = Math.max(0, Math.min(layers - 1, at.layer + down));
      const head = Math.max(0, Math.min(heads - 1, at.head + right));
      (
        this.renderRoot.querySelector(
          `[data-layer="${layer}"][data-head="${head}"]`,
        ) as HTMLElement | null
      )?.focus();
    } else return;
    event.preventDefault();
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "head-scores": HeadScores;
  }
}
