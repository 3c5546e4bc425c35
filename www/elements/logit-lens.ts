// <logit-lens>: the next token that the model would predict if it stopped after each layer. Layers run down, positions across.
// Only the visible columns are in the document, so a text may be as long as the context.

import { css, html } from "lit";

import { formatAttention, formatLogProb, formatSignificant, NOT_A_NUMBER } from "../draw/format.js";
import { stripes } from "../draw/not-finite.js";
import { colourOf, textOn, type Stretch } from "../draw/scale.js";
import { announced, truncate, type Token } from "../draw/token.js";
import { TypedElement, WidthController } from "./base.js";
import { clamp, Interaction, liveRegion } from "./interaction.js";
import {
  countNotFinitePlaces,
  divergenceAt,
  guessesAt,
  lensSize,
  nextTokenAt,
  rowName,
  type Lens,
  type Place,
} from "./lens.js";
import { base, figure } from "./styles.js";
import { ThemeController } from "./theme.js";

export type { Lens, Place } from "./lens.js";

/** The size of a cell in CSS pixels. */
const CELL_WIDTH = 78;
const CELL_HEIGHT = 29;
/** Columns that are rendered beyond the visible ones. */
const OVERSCAN = 4;
/** Divergences up to this many nats are rounding errors. */
const ROUNDING = 1e-6;

export interface LogitLensEvents {
  "cell-hover": Place | null;
  "cell-lock": Place | null;
  "scale-change": Stretch;
}

export class LogitLens extends TypedElement<LogitLensEvents> {
  static override properties = {
    lens: { attribute: false },
    tokens: { attribute: false },
    scale: { type: String },
    lock: { attribute: false },
    first: { state: true },
    width: { state: true },
  };

  static override styles = [
    base,
    figure,
    css`
      .board {
        display: flex;
        font-size: 0.78rem;
      }
      .layers {
        flex: none;
        width: 3.4rem;
        color: var(--soft);
      }
      .layers > *,
      .row {
        height: ${CELL_HEIGHT}px;
      }
      .layers > * {
        display: flex;
        align-items: center;
      }
      .layers .title {
        font-family: var(--prose);
        font-style: italic;
        line-height: 1.1;
      }
      .scroll {
        overflow-x: auto;
        scrollbar-width: thin;
        flex: 1;
        min-width: 0;
        border-radius: 3px;
        padding-bottom: 4px;
      }
      .row {
        display: flex;
      }
      .cell {
        flex: none;
        position: relative;
        width: ${CELL_WIDTH}px;
        height: ${CELL_HEIGHT}px;
        padding: 0 0.35em;
        display: flex;
        align-items: center;
        overflow: hidden;
        white-space: pre;
        border: 1px solid var(--paper);
        border-radius: 4px;
        cursor: pointer;
        print-color-adjust: exact;
      }
      .cell.right::after {
        content: "";
        position: absolute;
        right: 3px;
        top: 3px;
        width: 5px;
        height: 5px;
        border-radius: 50%;
        background: currentColor;
      }
      .broken {
        padding: 0 0.3em;
        border-radius: 3px;
        background: var(--paper);
      }
      .head,
      .foot {
        cursor: default;
        color: var(--ink);
        gap: 0.4em;
      }
      .head .at {
        color: var(--soft);
        font-size: 0.68rem;
      }
      .foot {
        color: var(--soft);
      }
      .cell[data-here] {
        box-shadow: inset 0 0 0 2px var(--flame);
      }
      .head[data-here],
      .foot[data-here] {
        background: var(--glow);
        box-shadow: none;
      }
      .detail {
        min-height: 11.2rem;
        margin-top: 0.8rem;
        font-size: 0.9rem;
      }
      .detail p {
        margin: 0 0 0.4rem;
      }
      .detail b {
        font-weight: 500;
        background: var(--glow);
        border-radius: 3px;
        padding: 0.05em 0.25em;
        white-space: pre;
      }
      ol {
        list-style: none;
        margin: 0 0 0.5rem;
        padding: 0;
        max-width: 30rem;
      }
      li {
        display: grid;
        grid-template-columns: 8rem 1fr 4.4rem;
        align-items: center;
        gap: 0.5rem;
        font-size: 0.84rem;
        padding: 0.06rem 0.3rem;
        border-radius: 4px;
      }
      li.true {
        background: var(--glow);
      }
      li .name {
        white-space: pre;
        overflow: hidden;
        text-overflow: ellipsis;
      }
      .bar {
        display: block;
        height: 0.6rem;
        min-width: 1px;
        border-radius: 1px;
        background: var(--flame);
        print-color-adjust: exact;
      }
      .value {
        text-align: right;
        color: var(--soft);
      }
      .below {
        margin-top: 0.5rem;
      }
    `,
  ];

  declare lens: Lens | null;
  /** The text. */
  declare tokens: readonly Token[];
  declare scale: Stretch;
  declare lock: Place | null;
  /** The first visible column. */
  declare first: number;
  declare width: number;
  #theme = new ThemeController(this);
  readonly interaction: Interaction<Place> = new Interaction(this, {
    start: () => ({ layer: 0, position: this.first }),
    move: ({ layer, position }, { rows, columns }) => {
      const [layers, positions] = this.size;
      const place = {
        layer: clamp(layer + rows, layers),
        position: clamp(position + columns, positions),
      };
      this.#scrollTo(place.position);
      return place;
    },
    onHover: (place) => {
      this.requestUpdate();
      this.emit("cell-hover", place);
    },
    describe: (place) => this.#sentence(place),
    locked: () => this.lock,
    onLock: (place) => {
      if (!place && !this.lock) return;
      this.lock = place;
      this.emit("cell-lock", place);
    },
    shiftSteps: 5,
  });

  constructor() {
    super();
    this.lens = null;
    this.tokens = [];
    this.scale = "linear";
    this.lock = null;
    this.first = 0;
    this.width = 0;
    new WidthController(this);
  }

  get size() {
    return lensSize(this.lens);
  }

  get hovered() {
    return this.interaction.hovered;
  }

  /** The columns that are in the document. */
  get #columns(): number[] {
    const [, positions] = this.size;
    const count = Math.ceil(this.width / CELL_WIDTH) + 2 * OVERSCAN;
    const from = Math.max(0, Math.min(this.first - OVERSCAN, positions - count));
    return Array.from({ length: Math.min(count, positions - from) }, (_, i) => from + i);
  }

  override willUpdate(changed: Map<string, unknown>) {
    if (!changed.has("lens")) return;
    const [layers, positions] = this.size;
    const contains = ({ layer, position }: Place) => layer < layers && position < positions;
    this.interaction.prune(contains);
    if (this.lock && !contains(this.lock)) this.lock = null;
  }

  override render() {
    const { lens } = this;
    const [layers, positions] = this.size;
    if (!lens || layers === 0) return "";
    const rows = Array.from({ length: layers }, (_, layer) => layer);
    const columns = this.#columns;
    const before = (columns[0] ?? 0) * CELL_WIDTH;
    const after = (positions - (columns[0] ?? 0) - columns.length) * CELL_WIDTH;
    const row = (cell: (position: number) => unknown) =>
      html`<div class="row" style="padding-left: ${before}px; padding-right: ${after}px; width: ${positions * CELL_WIDTH}px">${columns.map(cell)}</div>`;
    const isFocused = (position: number) => position === this.interaction.focused?.position;
    const token = (at: number, max: number) => truncate(this.tokens[at] ?? "", max);
    return html`
      <div class="board mono" @pointerleave=${this.interaction.leave}>
        <div class="layers" aria-hidden="true"><span class="title">token</span>${rows.map((layer) => html`<span>${rowName(lens, layer)}</span>`)}<span class="title">next</span></div>
        <div
          class="scroll"
          role="application"
          aria-roledescription="logit lens"
          aria-label="the most probable next token after each of ${layers} layers, at ${positions} positions. Arrows move among them, Enter locks, Escape releases."
          tabindex="0"
          @scroll=${this.#onScroll}
          @keydown=${this.interaction.onKeyDown}
          @blur=${this.interaction.leave}
        >
          ${row((position) => html`<span class="cell head" ?data-here=${isFocused(position)}><span class="at">${position}</span>${token(position, 9 - String(position).length)}</span>`)}
          ${rows.map((layer) => row((position) => this.#renderCell(lens, { layer, position })))}
          ${row((position) => html`<span class="cell foot" ?data-here=${isFocused(position)}>${position + 1 < positions ? token(position + 1, 9) : ""}</span>`)}
        </div>
      </div>
      ${this.#renderLegend(lens)}
      <div class="detail">${this.#renderDetail(lens)}</div>
      ${liveRegion}
    `;
  }

  #renderCell(lens: Lens, place: Place) {
    const [first] = guessesAt(lens, place);
    const { theme } = this.#theme;
    const isNotANumber = Number.isNaN(first.probability);
    const colours = isNotANumber
      ? `background: ${stripes(theme)}`
      : `background: ${colourOf(first.probability, theme, this.scale)}; color: ${textOn(first.probability, theme, this.scale)}`;
    const { focused } = this.interaction;
    return html`<span
      class="cell ${nextTokenAt(lens, this.tokens, place)?.rank === 0 ? "right" : ""}"
      style=${colours}
      data-layer=${place.layer}
      data-position=${place.position}
      ?data-here=${place.layer === focused?.layer && place.position === focused.position}
      @pointerenter=${() => this.interaction.hover(place)}
      @click=${() => this.interaction.choose(place)}
    >${isNotANumber ? html`<span class="broken">NaN</span>` : truncate(first.token, 9)}</span>`;
  }

  #renderLegend(lens: Lens) {
    const notFinite = countNotFinitePlaces(lens);
    return html`<div class="below">
      <color-legend
        text="probability"
        dot="it is the true next token"
        .notFinite=${notFinite > 0 ? `${NOT_A_NUMBER}: ${notFinite} places` : ""}
        .scale=${this.scale}
      ></color-legend>
    </div>`;
  }

  #renderDetail(lens: Lens) {
    const place = this.interaction.focused;
    if (!place)
      return html`<p class="soft">Point at a cell for its five most probable tokens. Click to lock it.</p>`;
    const next = nextTokenAt(lens, this.tokens, place);
    const guesses = guessesAt(lens, place);
    const where = html`After ${rowName(lens, place.layer)}, at token <span class="mono">${place.position}</span> <b class="mono">${truncate(this.tokens[place.position] ?? "", 20)}</b>`;
    if (Number.isNaN(guesses[0].probability))
      return html`<p>${where}, the logits are ${NOT_A_NUMBER}: no token is the likeliest, and the true next token has no rank.</p>`;
    const divergence = divergenceAt(lens, place);
    return html`
      <p>${where}, the next token would be</p>
      <ol>
        ${guesses.map(({ token, probability }, i) => html`<li class=${next?.rank === i ? "true" : ""}><span class="name mono">${truncate(token, 16)}</span><span><span class="bar" style="width: ${Number.isFinite(probability) ? (100 * probability).toFixed(1) : 0}%"></span></span><span class="value mono">${formatSignificant(probability, 3)}</span></li>`)}
      </ol>
      <p class="soft">
        ${
          next
            ? html`The true next token <b class="mono">${truncate(next.token, 16)}</b> has ${renderRank(next.rank)} and probability <span class="mono probability">${formatSignificant(next.probability, 3)}</span>.`
            : "The text ends here: there is no true next token."
        }
        ${divergence <= ROUNDING ? "" : html`The KL divergence from the final prediction is <span class="mono">${formatLogProb(divergence)}</span> nats.`}
      </p>
    `;
  }

  #sentence(place: Place) {
    const { lens } = this;
    if (!lens) return "";
    const [first] = guessesAt(lens, place);
    const where = `${rowName(lens, place.layer).replace("L", "layer ")}, position ${place.position} ${announced(this.tokens[place.position] ?? "")}`;
    if (Number.isNaN(first.probability)) return `${where}: ${NOT_A_NUMBER}`;
    const guess = `${where}: ${announced(first.token)}, ${formatAttention(first.probability)}`;
    const next = nextTokenAt(lens, this.tokens, place);
    if (!next) return guess;
    const rank = Number.isFinite(next.rank) ? `rank ${next.rank + 1}` : "without rank";
    return `${guess}, true next ${announced(next.token)} ${rank}, ${formatAttention(next.probability)}`;
  }

  #onScroll = (event: Event) => {
    this.first = Math.floor((event.currentTarget as Element).scrollLeft / CELL_WIDTH);
  };

  #scrollTo(position: number) {
    const scroll = this.renderRoot.querySelector(".scroll");
    if (!scroll) return;
    const left = position * CELL_WIDTH;
    const last = left + CELL_WIDTH - scroll.clientWidth;
    scroll.scrollLeft = Math.min(left, Math.max(scroll.scrollLeft, last));
  }
}

/** @param rank from 0; NaN if it is unknown */
function renderRank(rank: number) {
  return Number.isFinite(rank)
    ? html`rank <span class="mono rank">${rank + 1}</span>`
    : html`<span class="rank">no rank</span>`;
}

declare global {
  interface HTMLElementTagNameMap {
    "logit-lens": LogitLens;
  }
}
