// <logit-lens>: the next token that the model would predict if it stopped after each layer. Layers run down, positions across.
// Only the visible columns are in the document, so a text may be as long as the context.

import { html } from "lit";

import {
  formatAttention,
  formatLogProb,
  formatShort,
  formatSignificant,
  NOT_A_NUMBER,
} from "../draw/format.js";
import { stripes } from "../draw/not-finite.js";
import { colourOf, textOn, type Stretch } from "../draw/scale.js";
import { announced, truncate, type Token } from "../draw/token.js";
import { TypedElement, WidthController } from "./base.js";
import { clamp, Interaction, liveRegion } from "./interaction.js";
import {
  answerAt,
  countNotFinitePlaces,
  divergenceAt,
  guessesAt,
  lensSize,
  maxDivergence,
  nextTokenAt,
  numberAt,
  placeName,
  rowName,
  type Lens,
  type LensShow,
  type Place,
} from "./lens.js";
import { base, figure } from "./styles.js";
import { lensStyles } from "./styles/lens.js";
import { ThemeController } from "./theme.js";

export type { Lens, LensShow, Place } from "./lens.js";

/** The size of a cell in CSS pixels. */
const CELL_WIDTH = 78;
const CELL_HEIGHT = 29;
/** CSS pixels before the columns. */
const LAYERS_WIDTH = 54;
/** Columns that are rendered beyond the visible ones. */
const OVERSCAN = 4;
/** Divergences up to this many nats are rounding errors. */
const ROUNDING = 1e-6;

export interface LogitLensEvents {
  "cell-hover": Place | null;
  "cell-lock": Place | null;
  "scale-change": Stretch;
  "show-change": LensShow;
}

/** What the cells can show: the button, and the words of the legend. */
const SHOWN: Record<LensShow, [title: string, legend: string]> = {
  top: ["likeliest token", "probability"],
  next: ["true next token", "probability of the true next token"],
  answer: ["answer", "probability of the answer; # is its rank"],
  kl: ["distance from the final prediction", "KL divergence from the final prediction, in nats"],
};

export class LogitLens extends TypedElement<LogitLensEvents> {
  static override properties = {
    lens: { attribute: false },
    tokens: { attribute: false },
    scale: { type: String },
    lock: { attribute: false },
    show: { type: String },
    answer: { attribute: false },
    first: { state: true },
    width: { state: true },
  };

  static override styles = [base, figure, lensStyles(CELL_WIDTH, CELL_HEIGHT)];

  declare lens: Lens | null;
  /** The text. */
  declare tokens: readonly Token[];
  declare scale: Stretch;
  declare lock: Place | null;
  /** What the cells show. */
  declare show: LensShow;
  /** The token that `answerProbability` is about; null if none was chosen. */
  declare answer: Token | null;
  /** The first visible column. */
  declare first: number;
  declare width: number;
  #theme = new ThemeController(this);
  readonly interaction: Interaction<Place> = new Interaction(this, {
    start: () => this.#start,
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
    this.show = "top";
    this.answer = null;
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

  /** Where the keyboard starts: at the last visible column, after the last layer. */
  get #start(): Place {
    const [layers, positions] = this.size;
    const visible = Math.floor((this.width - LAYERS_WIDTH) / CELL_WIDTH);
    return { layer: layers - 1, position: clamp(this.first + visible, positions) };
  }

  /** The columns that are in the document; all of them on paper, which cannot be scrolled. */
  get #columns(): number[] {
    const [, positions] = this.size;
    const visible = Math.ceil(this.width / CELL_WIDTH) + 2 * OVERSCAN;
    const count = this.#theme.isPrinted ? positions : visible;
    const from = Math.max(0, Math.min(this.first - OVERSCAN, positions - count));
    return Array.from({ length: Math.min(count, positions - from) }, (_, i) => from + i);
  }

  /** Whether the visitor has scrolled: until then, a new lens opens at its last column, or at the locked one. */
  #hasScrolled = false;
  #mustOpen = false;
  /** The last position of the scroll bar that the element itself has set. */
  #placed = -1;

  override willUpdate(changed: Map<string, unknown>) {
    this.#mustOpen =
      !this.#hasScrolled && this.width > 0 && (changed.has("lens") || changed.has("width"));
    if (this.#mustOpen) this.first = Math.floor(this.#opening / CELL_WIDTH);
    if (!changed.has("lens")) return;
    const [layers, positions] = this.size;
    const contains = ({ layer, position }: Place) => layer < layers && position < positions;
    this.interaction.prune(contains);
    if (this.lock && !contains(this.lock)) this.lock = null;
  }

  /** CSS pixels before the visible columns, until the visitor scrolls. */
  get #opening() {
    const [, positions] = this.size;
    const visible = Math.max(1, this.width - LAYERS_WIDTH);
    const end = positions * CELL_WIDTH - visible;
    const locked = this.lock ? (this.lock.position + 0.5) * CELL_WIDTH - visible / 2 : end;
    return Math.max(0, Math.min(end, locked));
  }

  override updated() {
    const scroll = this.renderRoot.querySelector(".scroll");
    if (!scroll || !this.#mustOpen) return;
    scroll.scrollLeft = Math.ceil(this.#opening);
    this.#placed = scroll.scrollLeft;
  }

  /** What the cells show; an answer only if the lens has one. */
  get #shown(): LensShow {
    return this.show === "answer" && !this.lens?.answerProbability ? "top" : this.show;
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
      html`<div class="row" .style="padding-left: ${before}px; padding-right: ${after}px; width: ${positions * CELL_WIDTH}px">${columns.map(cell)}</div>`;
    const isFocused = (position: number) => position === this.interaction.focused?.position;
    const token = (at: number, max: number) => truncate(this.tokens[at] ?? "", max);
    return html`
      ${this.#renderTools(lens)}
      <div class="board mono ${this.#shown === "top" ? "" : "numbers"}" @pointerleave=${this.interaction.leave}>
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

  #renderTools(lens: Lens) {
    const shows = (Object.keys(SHOWN) as LensShow[]).filter(
      (show) => show !== "answer" || lens.answerProbability,
    );
    return html`<div class="tools">
      <span role="group" aria-label="what the cells show">
        ${shows.map((show) => html`<button aria-pressed=${show === this.#shown} @click=${() => this.emit("show-change", show)}>${SHOWN[show][0]}${show === "answer" && this.answer !== null ? html` <span class="mono">${truncate(this.answer, 12)}</span>` : ""}</button>`)}
      </span>
      <slot></slot>
    </div>`;
  }

  #renderCell(lens: Lens, place: Place) {
    const { theme } = this.#theme;
    const value = numberAt(lens, this.tokens, place, this.#shown);
    const isNotANumber = value !== null && Number.isNaN(value);
    const share = (value ?? 0) / (this.#shown === "kl" ? maxDivergence(lens) || 1 : 1);
    const colours = isNotANumber
      ? `background: ${stripes(theme)}; forced-color-adjust: none`
      : value === null
        ? ""
        : `background: ${colourOf(share, theme, this.scale)}; color: ${textOn(share, theme, this.scale)}; forced-color-adjust: none`;
    const { focused } = this.interaction;
    return html`<span
      class="cell ${nextTokenAt(lens, this.tokens, place)?.rank === 0 ? "right" : ""}"
      .style=${colours}
      data-layer=${place.layer}
      data-position=${place.position}
      ?data-here=${place.layer === focused?.layer && place.position === focused.position}
      @pointerenter=${() => this.interaction.hover(place)}
      @click=${() => this.interaction.choose(place)}
    >${isNotANumber ? html`<span class="broken">NaN</span>` : this.#renderContent(lens, place, value)}</span>`;
  }

  #renderContent(lens: Lens, place: Place, value: number | null) {
    const shown = this.#shown;
    if (shown === "top") return truncate(guessesAt(lens, place)[0].token, 9);
    if (value === null) return "–";
    if (shown === "kl") return formatLogProb(value <= ROUNDING ? 0 : value);
    const rank =
      shown === "answer"
        ? answerAt(lens, place)?.rank
        : nextTokenAt(lens, this.tokens, place)?.rank;
    return html`${formatShort(value, 2)}<span class="rank">${rank === undefined || Number.isNaN(rank) ? "" : `#${rank + 1}`}</span>`;
  }

  #renderLegend(lens: Lens) {
    const notFinite = countNotFinitePlaces(lens);
    return html`<div class="below">
      <color-legend
        .text=${SHOWN[this.#shown][1]}
        to=${this.#shown === "kl" ? formatShort(maxDivergence(lens), 3) : "1"}
        dot=${this.#shown === "top" ? "it is the true next token" : "the true next token is the likeliest"}
        .notFinite=${notFinite > 0 ? `${NOT_A_NUMBER}: ${notFinite} places` : ""}
        .scale=${this.scale}
      ></color-legend>
    </div>`;
  }

  #renderDetail(lens: Lens) {
    const place = this.interaction.focused;
    if (!place)
      return html`<p class="soft screen-only">Point at a cell for its five most probable tokens. Click to lock it.</p>`;
    const next = nextTokenAt(lens, this.tokens, place);
    const guesses = guessesAt(lens, place);
    const where = html`${placeName(lens, place.layer)}, at token <span class="mono">${place.position}</span> <b class="mono">${truncate(this.tokens[place.position] ?? "", 20)}</b>`;
    if (Number.isNaN(guesses[0].probability))
      return html`<p>${where}, the logits are ${NOT_A_NUMBER}: no token is the likeliest, and the true next token has no rank.</p>`;
    const divergence = divergenceAt(lens, place);
    return html`
      <p>${where}, the next token would be</p>
      <ol>
        ${guesses.map(({ token, probability }, i) => html`<li class=${next?.rank === i ? "true" : ""}><span class="name mono">${truncate(token, 16)}</span><span><span class="bar" .style="width: ${Number.isFinite(probability) ? (100 * probability).toFixed(1) : 0}%"></span></span><span class="value mono">${formatSignificant(probability, 3)}</span></li>`)}
      </ol>
      <p class="soft">
        ${
          next
            ? html`The true next token <b class="mono">${truncate(next.token, 16)}</b> has ${renderRank(next.rank)} and probability <span class="mono probability">${formatSignificant(next.probability, 3)}</span>.`
            : "The text ends here: there is no true next token."
        }
        ${this.#renderAnswer(lens, place)}
        ${divergence <= ROUNDING ? "" : html`The KL divergence from the final prediction is <span class="mono">${formatLogProb(divergence)}</span> nats.`}
      </p>
    `;
  }

  #renderAnswer(lens: Lens, place: Place) {
    const found = answerAt(lens, place);
    if (!found || this.answer === null) return "";
    return html`The answer <b class="mono">${truncate(this.answer, 16)}</b> has ${renderRank(found.rank)} and probability <span class="mono answer">${formatSignificant(found.probability, 3)}</span>.`;
  }

  #sentence(place: Place) {
    const { lens } = this;
    if (!lens) return "";
    const [first] = guessesAt(lens, place);
    const where = `${placeName(lens, place.layer).replace(/\bL(?=\d)/, "layer ")}, position ${place.position} ${announced(this.tokens[place.position] ?? "")}`;
    if (Number.isNaN(first.probability)) return `${where}: ${NOT_A_NUMBER}`;
    const guess = `${where}: ${announced(first.token)}, ${formatAttention(first.probability)}`;
    const next = nextTokenAt(lens, this.tokens, place);
    const answer = answerAt(lens, place);
    const answered = answer ? `, answer ${formatAttention(answer.probability)}` : "";
    if (!next) return guess + answered;
    const rank = Number.isFinite(next.rank) ? `rank ${next.rank + 1}` : "without rank";
    return `${guess}, true next ${announced(next.token)} ${rank}, ${formatAttention(next.probability)}${answered}`;
  }

  #onScroll = (event: Event) => {
    const { scrollLeft } = event.currentTarget as Element;
    if (Math.abs(scrollLeft - this.#placed) > 2) this.#hasScrolled = true;
    this.first = Math.floor(scrollLeft / CELL_WIDTH);
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
