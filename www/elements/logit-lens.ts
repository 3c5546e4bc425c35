// <logit-lens>: what the model would say next if it stopped after each layer, layers down and positions across.
// Only the columns in view are in the document, so a text may be as long as the context.

import { css, html } from "lit";
import { NOT_A_NUMBER, formatAttention, formatLogProb, formatSignificant } from "../draw/format.js";
import { announced, truncate, type Token } from "../draw/token.js";

import { colourOf, gradient, textOn, type Stretch } from "../draw/scale.js";
import { stripes } from "../draw/not-finite.js";
import { TypedElement, WidthController } from "./base.js";
import { LiveRegion } from "./interaction.js";
import { base, figure } from "./styles.js";
import { INKS, ThemeController } from "./theme.js";
import type { Tensor } from "../draw/matrix.js";

export type Place = { layer: number; position: number };
/** What model.logitLens returns; `topStrings` may hold tokens with their bytes. */
export type Lens = {
  topProbabilities: Tensor & { labels?: Readonly<Record<string, readonly string[]>> };
  topStrings: readonly Token[];
  nextProbability: Tensor;
  nextRank: Tensor;
  kl: Tensor;
};
export type Guess = { token: Token; probability: number };

/** CSS pixels of a cell. */
const WIDE = 78;
const TALL = 29;
/** Columns kept beyond the visible ones. */
const SPARE = 4;

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
    hovered: { state: true },
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
        height: ${TALL}px;
      }
      .layers > * {
        display: flex;
        align-items: center;
      }
      .layers .what {
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
        width: ${WIDE}px;
        height: ${TALL}px;
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
      .swatch {
        display: inline-block;
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
      .dot {
        display: inline-block;
        width: 5px;
        height: 5px;
        border-radius: 50%;
        background: currentColor;
        vertical-align: middle;
      }
    `,
  ];

  declare lens: Lens | null;
  /** The text. */
  declare tokens: readonly Token[];
  declare scale: Stretch;
  declare lock: Place | null;
  declare hovered: Place | null;
  declare first: number;
  declare width: number;
  declare theme: any;
  declare voice: any;
  declare measured: any;

  constructor() {
    super();
    this.lens = null;
    this.tokens = [];
    this.scale = "linear";
    this.lock = null;
    this.hovered = null;
    this.first = 0;
    this.width = 0;
    this.theme = new ThemeController(this);
    this.voice = new LiveRegion();
    this.measured = new WidthController(this);
  }

  get size(): [layers: number, positions: number, top: number] {
    const [layers = 0, positions = 0, top = 0] = this.lens?.topProbabilities.shape ?? [];
    return [layers, positions, top];
  }

  /** The likeliest next tokens there, the likeliest first. */
  guesses({ layer, position }: Place): Guess[] {
    const [, positions, top] = this.size;
    const from = (layer * positions + position) * top;
    const { lens } = this;
    return lens
      ? Array.from({ length: top }, (_, i) => ({
          token: lens.topStrings[from + i] ?? "",
          probability: lens.topProbabilities.data[from + i],
        }))
      : [];
  }

  /** How many cells have no likeliest token, because the logits there are not finite. */
  get broken() {
    const { data } = this.lens?.topProbabilities ?? { data: [] };
    const [, , top] = this.size;
    let count = 0;
    for (let at = 0; at < data.length; at += top) if (Number.isNaN(data[at])) count += 1;
    return count;
  }

  /** About the true next token, which the last position does not have. */
  next({ layer, position }: Place) {
    const { lens } = this;
    const positions = lens?.nextRank.shape[1] ?? 0;
    if (!lens || position >= positions) return null;
    const at = layer * positions + position;
    return {
      token: this.tokens[position + 1] ?? "",
      probability: lens.nextProbability.data[at],
      rank: lens.nextRank.data[at],
    };
  }

  /** @param place the distance from what the model says in the end, in nats */
  divergence({ layer, position }: Place) {
    return this.lens ? this.lens.kl.data[layer * this.size[1] + position] : NaN;
  }

  /** The name of a row. */
  #row(layer: number) {
    const name = this.lens?.topProbabilities.labels?.layer?.[layer] ?? `layer ${layer}`;
    return name.replace(/^blocks\.(\d+)\..*/, "L$1");
  }

  /** The columns in the document. */
  get shown(): number[] {
    const [, positions] = this.size;
    const count = Math.ceil(this.width / WIDE) + 2 * SPARE;
    const from = Math.max(0, Math.min(this.first - SPARE, positions - count));
    return Array.from({ length: Math.min(count, positions - from) }, (_, i) => from + i);
  }

  override willUpdate(changed: Map<string, unknown>) {
    if (!changed.has("lens")) return;
    const [layers, positions] = this.size;
    const gone = (place: Place | null) =>
      place && (place.layer >= layers || place.position >= positions);
    if (gone(this.hovered)) this.hovered = null;
    if (gone(this.lock)) this.lock = null;
  }

  override render() {
    const [layers, positions] = this.size;
    if (layers === 0) return "";
    const rows = Array.from({ length: layers }, (_, layer) => layer);
    const shown = this.shown;
    const before = (shown[0] ?? 0) * WIDE;
    const after = (positions - (shown[0] ?? 0) - shown.length) * WIDE;
    const row = (cell: (position: number) => unknown) =>
      html`<div class="row" style="padding-left: ${before}px; padding-right: ${after}px; width: ${positions * WIDE}px">${shown.map(cell)}</div>`;
    return html`
      <div class="board mono" @pointerleave=${() => this.#hover(null)}>
        <div class="layers" aria-hidden="true"><span class="what">read</span>${rows.map((layer) => html`<span>${this.#row(layer)}</span>`)}<span class="what">next</span></div>
        <div
          class="scroll"
          role="application"
          aria-roledescription="logit lens"
          aria-label="the likeliest next token after each of ${layers} layers, at ${positions} positions. Arrows move among them, Enter locks, Escape releases."
          tabindex="0"
          @scroll=${this.#onScroll}
          @keydown=${this.#onKey}
          @blur=${() => this.#hover(null)}
        >
          ${row((position) => html`<span class="cell head" ?data-here=${position === this.focused?.position}><span class="at">${position}</span>${truncate(this.tokens[position] ?? "", 9 - String(position).length)}</span>`)}
          ${rows.map((layer) => row((position) => this.#cell({ layer, position })))}
          ${row((position) => html`<span class="cell foot" ?data-here=${position === this.focused?.position}>${position + 1 < positions ? truncate(this.tokens[position + 1] ?? "", 9) : ""}</span>`)}
        </div>
      </div>
      ${this.#legend()}
      <div class="detail">${this.#detail()}</div>
      <p class="visually-hidden" aria-live="polite"></p>
    `;
  }

  /** The place that is hovered, or else locked. */
  get focused() {
    return this.hovered ?? this.lock;
  }

  #cell(place: Place) {
    const [first] = this.guesses(place);
    const { theme } = this.theme;
    const broken = Number.isNaN(first.probability);
    const colours = broken
      ? `background: ${stripes(theme)}`
      : `background: ${colourOf(first.probability, theme, this.scale)}; color: ${INKS[textOn(first.probability, theme, this.scale)]}`;
    const here = place.layer === this.focused?.layer && place.position === this.focused?.position;
    return html`<span
      class="cell ${this.next(place)?.rank === 0 ? "right" : ""}"
      style=${colours}
      data-layer=${place.layer}
      data-position=${place.position}
      ?data-here=${here}
      @pointerenter=${() => this.#hover(place)}
      @click=${() => this.#setLock(place)}
    >${broken ? html`<span class="broken">NaN</span>` : truncate(first.token, 9)}</span>`;
  }

  #legend() {
    const root = this.scale === "sqrt";
    return html`<div class="below">
      <span class="legend" role="img" aria-label="colour scale from 0 to 1: the probability of the likeliest token, ${root ? "square root" : "linear"}; a dot where it is the true next token">
        <span class="mono">0</span><span class="ramp" style="background: ${gradient(this.theme.theme)}"></span><span class="mono">1</span>
        <span>probability, ${root ? "square root" : "linear"}</span><span>· <span class="dot"></span> it is the true next token</span>
        ${this.broken > 0 ? html`<span>· <span class="swatch" style="background: ${stripes(this.theme.theme)}"></span> ${NOT_A_NUMBER}: ${this.broken} places</span>` : ""}
      </span>
      <button aria-pressed=${root} title="Lifts faint values" @click=${() => this.emit("scale-change", root ? "linear" : "sqrt")}>square root</button>
    </div>`;
  }

  #detail() {
    const place = this.focused;
    if (!place)
      return html`<p class="soft">Point at a cell for the five likeliest tokens there; a click keeps it.</p>`;
    const next = this.next(place);
    const guesses = this.guesses(place);
    if (Number.isNaN(guesses[0].probability)) {
      return html`<p>After ${this.#row(place.layer)}, at token <span class="mono">${place.position}</span> <b class="mono">${truncate(this.tokens[place.position] ?? "", 20)}</b>, the logits are ${NOT_A_NUMBER}: no token is the likeliest, and the true next token has no rank.</p>`;
    }
    return html`
      <p>After ${this.#row(place.layer)}, at token <span class="mono">${place.position}</span> <b class="mono">${truncate(this.tokens[place.position] ?? "", 20)}</b>, the next token would be</p>
      <ol>
        ${guesses.map(({ token, probability }, i) => html`<li class=${next?.rank === i ? "true" : ""}><span class="name mono">${truncate(token, 16)}</span><span><span class="bar" style="width: ${Number.isFinite(probability) ? (100 * probability).toFixed(1) : 0}%"></span></span><span class="value mono">${formatSignificant(probability, 3)}</span></li>`)}
      </ol>
      <p class="soft">
        ${
          next
            ? html`The true next token <b class="mono">${truncate(next.token, 16)}</b> has ${rankWords(next.rank)} and probability <span class="mono probability">${formatSignificant(next.probability, 3)}</span>.`
            : "The text ends here: there is no true next token."
        }
        ${!(this.divergence(place) <= 1e-6) ? html`From what the model says in the end this is <span class="mono">${formatLogProb(this.divergence(place))}</span> nats away.` : ""}
      </p>
    `;
  }

  sentence(place: Place) {
    const next = this.next(place);
    const first = this.guesses(place)[0];
    const where = `${this.#row(place.layer).replace("L", "layer ")}, position ${place.position} ${announced(this.tokens[place.position] ?? "")}`;
    if (Number.isNaN(first.probability)) return `${where}: ${NOT_A_NUMBER}`;
    const truth = next
      ? `, true next ${announced(next.token)} ${Number.isFinite(next.rank) ? `rank ${next.rank + 1}` : "without rank"}, ${formatAttention(next.probability)}`
      : "";
    return `${where}: ${announced(first.token)}, ${formatAttention(first.probability)}${truth}`;
  }

  #hover(place: Place | null) {
    if (place?.layer === this.hovered?.layer && place?.position === this.hovered?.position) return;
    this.hovered = place;
    if (place)
      this.voice.say(this.renderRoot.querySelector(".visually-hidden"), this.sentence(place));
    this.emit("cell-hover", place);
  }

  /** Locking what is locked releases it. */
  #setLock(place: Place | null) {
    const same =
      place &&
      this.lock &&
      place.layer === this.lock.layer &&
      place.position === this.lock.position;
    this.lock = same ? null : place;
    this.emit("cell-lock", this.lock);
  }

  #onScroll(event: Event) {
    this.first = Math.floor((event.currentTarget as Element).scrollLeft / WIDE);
  }

  #onKey(event: KeyboardEvent) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const [layers, positions] = this.size;
    const at = this.focused ?? { layer: 0, position: this.first };
    const by = event.shiftKey ? 5 : 1;
    const moves: Record<string, Place> = {
      ArrowUp: { ...at, layer: at.layer - by },
      ArrowDown: { ...at, layer: at.layer + by },
      ArrowLeft: { ...at, position: at.position - by },
      ArrowRight: { ...at, position: at.position + by },
      Home: { ...at, position: 0 },
      End: { ...at, position: positions - 1 },
    };
    const to = moves[event.key];
    if (to)
      this.#go({
        layer: Math.max(0, Math.min(layers - 1, to.layer)),
        position: Math.max(0, Math.min(positions - 1, to.position)),
      });
    else if (event.key === "Enter") this.#setLock(this.focused);
    else if (event.key === "Escape") {
      this.#hover(null);
      if (this.lock) this.#setLock(this.lock);
    } else return;
    event.preventDefault();
  }

  /** Brings a place into view. */
  #go(place: Place) {
    const scroll = this.renderRoot.querySelector(".scroll");
    if (scroll) {
      const left = place.position * WIDE;
      const last = left + WIDE - scroll.clientWidth;
      scroll.scrollLeft = Math.min(left, Math.max(scroll.scrollLeft, last));
    }
    this.#hover(place);
  }
}

/** @param rank from 0; NaN where there is none */
function rankWords(rank: number) {
  return Number.isFinite(rank)
    ? html`rank <span class="mono rank">${rank + 1}</span>`
    : html`<span class="rank">no rank</span>`;
}

declare global {
  interface HTMLElementTagNameMap {
    "logit-lens": LogitLens;
  }
}
