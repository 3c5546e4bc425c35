// <token-losses>: the surprisal (loss) of each token of a text, its rank, or the entropy of its prediction, as columns.

import { css, html } from "lit";

import { columnWidth, drawColumns } from "../draw/columns.js";
import { formatCount, formatLogProb, formatSignificant, NOT_A_NUMBER } from "../draw/format.js";
import { CHARACTER_WIDTH, labelling, MAX_LENGTH } from "../draw/labels.js";
import { countNotFinite } from "../draw/not-finite.js";
import { announced, glyphs, type Token } from "../draw/token.js";
import { pixelRatio, TypedElement, WidthController } from "./base.js";
import { clamp, Interaction, liveRegion } from "./interaction.js";
import { base } from "./styles.js";
import { ThemeController } from "./theme.js";

/** The height of the columns in CSS pixels. */
const HEIGHT = 260;

/** What the columns show. */
export type Quantity = "loss" | "rank" | "entropy";

/** What `Model.tokenScores` returns. */
export interface Scores {
  /** How many tokens have a greater logit than the token after each position but the last. */
  rank: { data: ArrayLike<number> };
  /** Of the prediction at every position, in nats. */
  entropy: { data: ArrayLike<number> };
}

/** The title of the columns, by what they show. The prediction of a token is made at the token before it. */
const TITLES: Readonly<Record<Quantity, string>> = {
  loss: "surprisal of each token: minus its log-probability, up to",
  rank: "rank of each token: how many tokens the model found likelier, on a logarithmic scale up to",
  entropy: "entropy of the prediction of each token, in nats, up to",
};

export interface TokenLossesEvents {
  /** The token to highlight. The owner sets `position`. */
  "token-hover": number | null;
}

export class TokenLosses extends TypedElement<TokenLossesEvents> {
  static override properties = {
    tokens: { attribute: false },
    logProbs: { attribute: false },
    scores: { attribute: false },
    show: { type: String },
    loss: { type: Number },
    vocabulary: { type: Number },
    position: { type: Number },
    width: { state: true },
  };

  static override styles = [
    base,
    css`
      .frame {
        position: relative;
        height: ${HEIGHT}px;
        border-bottom: 1px solid var(--soft);
        cursor: crosshair;
      }
      canvas {
        position: absolute;
        left: 0;
        bottom: 0;
        image-rendering: pixelated;
      }
      .mean {
        position: absolute;
        left: 0;
        right: 0;
        border-top: 1px dashed var(--soft);
        pointer-events: none;
      }
      .here {
        position: absolute;
        top: 0;
        bottom: 0;
        border: 1px solid var(--flame);
        background: color-mix(in oklab, var(--flame) 14%, transparent);
        pointer-events: none;
      }
      .axis {
        display: flex;
        justify-content: space-between;
        font-size: 0.78rem;
        font-style: italic;
        gap: 1rem;
        color: var(--soft);
        margin: 0.3rem 0;
      }
      .axis span + span {
        flex: none;
      }
      .dashes {
        display: inline-block;
        width: 1.6em;
        margin-right: 0.3em;
        border-top: 1px dashed currentColor;
        vertical-align: middle;
      }
      .names {
        position: relative;
        margin-top: 0.25rem;
        white-space: pre;
      }
      .names span {
        position: absolute;
        top: 0;
      }
      .names.upright span {
        writing-mode: vertical-rl;
        transform: rotate(180deg);
      }
      .readout {
        margin: 0.4rem 0 0;
        min-height: 1.6em;
      }
    `,
  ];

  declare tokens: readonly Token[];
  /** The log-probability of each token but the first. */
  declare logProbs: ArrayLike<number>;
  /** For `show` "rank" and "entropy". */
  declare scores: Scores | null;
  declare show: Quantity;
  /** The mean loss. */
  declare loss: number | null;
  /** The size of the vocabulary. Its logarithm is the loss of a uniform prediction. */
  declare vocabulary: number;
  /** The highlighted token; -1 for none. */
  declare position: number;
  declare width: number;
  #theme = new ThemeController(this);
  readonly interaction: Interaction<number> = new Interaction(this, {
    start: () => this.position,
    move: (from, { rows, columns }) =>
      rows === 0 ? clamp(from + columns, this.tokens.length) : null,
    onHover: (position) => {
      if (position === null || position !== this.position) this.emit("token-hover", position);
    },
    describe: (position) => this.#sentence(position),
  });

  constructor() {
    super();
    this.tokens = [];
    this.logProbs = [];
    this.scores = null;
    this.show = "loss";
    this.loss = null;
    this.vocabulary = 0;
    this.position = -1;
    this.width = 0;
    new WidthController(this);
  }

  /** The quantity of each token but the first. */
  get #values(): readonly number[] {
    const { show, scores, logProbs } = this;
    if (show === "loss") return Array.from(logProbs, (value) => -value);
    const values = scores?.[show].data ?? [];
    return Array.from(values).slice(0, Math.max(0, this.tokens.length - 1));
  }

  /** The heights of the columns, in the unit of `#max`. */
  get #heights(): readonly number[] {
    return this.show === "rank" ? this.#values.map((rank) => Math.log1p(rank)) : this.#values;
  }

  /** The top of the figure: the largest finite height, but at least that of a uniform prediction. */
  get #max() {
    const uniform = Math.log(Math.max(2, this.vocabulary));
    return Math.max(uniform, ...this.#heights.filter(Number.isFinite));
  }

  /** The top of the figure in words. */
  get #top() {
    return this.show === "rank"
      ? formatCount(Math.round(Math.expm1(this.#max)))
      : formatLogProb(this.#max);
  }

  /** CSS pixels from one column to the next. */
  get #pitch() {
    return columnWidth(this.tokens.length, this.width * pixelRatio()) / pixelRatio();
  }

  override render() {
    const { position, tokens } = this;
    const mean = this.loss === null ? "unknown" : formatLogProb(this.loss);
    const values = this.#values;
    const notFinite = countNotFinite(values);
    const stripes =
      notFinite > 0 ? `; stripes: ${notFinite} of ${values.length} are ${NOT_A_NUMBER}` : "";
    const isLoss = this.show === "loss";
    const pitch = this.#pitch;
    return html`
      <div class="axis">
        <span>${TITLES[this.show]} ${this.#top}${stripes}</span>
        ${this.loss === null || !isLoss ? "" : html`<span><span class="dashes"></span>mean ${mean}</span>`}
      </div>
      <div
        class="frame"
        role="img"
        tabindex="0"
        aria-label="${isLoss ? "surprisal" : this.show} of ${tokens.length} tokens${isLoss ? `, mean ${mean}` : ""}. Arrows move along the text."
        @pointermove=${this.#onMove}
        @pointerleave=${this.interaction.leave}
        @keydown=${this.interaction.onKeyDown}
      >
        <canvas aria-hidden="true"></canvas>
        ${this.loss === null || !isLoss ? "" : this.#renderMean(this.loss)}
        ${position >= 0 ? html`<span class="here" .style="left: ${position * pitch}px; width: ${Math.max(3, pitch)}px"></span>` : ""}
      </div>
      ${this.#renderNames(pitch)}
      <p class="readout mono">${this.#renderReadout()}</p>
      ${liveRegion}
    `;
  }

  #renderMean(loss: number) {
    const top = (Number.isFinite(loss) ? HEIGHT * (1 - loss / this.#max) : 0).toFixed(1);
    return html`<span class="mean" .style="top: ${top}px"></span>`;
  }

  /** The tokens below their columns; upright where the columns are narrow. */
  #renderNames(pitch: number) {
    const { size, step } = labelling(pitch);
    const names = this.tokens.map(shortened);
    const longest = Math.max(0, ...names.map(({ length }) => length)) * size * CHARACTER_WIDTH;
    const isUpright = longest > pitch - 4;
    const height = Math.ceil(isUpright ? longest : 1.4 * size);
    // Of upright names, the middle is in the middle of the column.
    const left = (at: number) =>
      (at * pitch + (isUpright ? (pitch - 1.4 * size) / 2 : 0)).toFixed(1);
    return html`<div class="names mono ${isUpright ? "upright" : ""}" aria-hidden="true" .style="height: ${height}px; font-size: ${size}px; line-height: 1.4">${names.map((name, at) => (at % step === 0 ? html`<span .style="left: ${left(at)}px">${name}</span>` : ""))}</div>`;
  }

  #renderReadout() {
    const { position } = this;
    const value = position > 0 ? this.#describe(position) : null;
    return value === null ? "" : html`${position} <b>${glyphs(this.tokens[position])}</b> ${value}`;
  }

  /** The value of a token in words; null if it has none. */
  #describe(position: number) {
    const value = this.#values[position - 1];
    if (value === undefined) return null;
    // Not "rank 0": the lens counts ranks from 1.
    if (this.show === "rank" && Number.isFinite(value))
      return value === 0
        ? "the likeliest token"
        : `${formatCount(value)} ${value === 1 ? "token was" : "tokens were"} likelier`;
    if (this.show === "rank") return `rank ${NOT_A_NUMBER}`;
    if (this.show === "entropy") return `entropy of its prediction ${formatLogProb(value)} nats`;
    return `log-probability ${formatLogProb(-value)}, probability ${formatSignificant(Math.exp(-value), 2)}`;
  }

  override updated() {
    const canvas = this.renderRoot.querySelector("canvas");
    const context = canvas?.getContext("2d");
    if (!canvas || !context || this.width === 0) return;
    const ratio = pixelRatio();
    canvas.width = Math.round(this.width * ratio);
    canvas.height = Math.round(HEIGHT * ratio);
    canvas.style.width = `${canvas.width / ratio}px`;
    canvas.style.height = `${canvas.height / ratio}px`;
    drawColumns(context, {
      values: [null, ...this.#heights],
      max: this.#max,
      width: canvas.width,
      height: canvas.height,
      theme: this.#theme.theme,
    });
  }

  #onMove = (event: PointerEvent) => {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    const position = Math.floor((event.clientX - box.left) / this.#pitch);
    this.interaction.hover(clamp(position, this.tokens.length));
  };

  #sentence(position: number) {
    const token = `token ${position} ${announced(this.tokens[position])}`;
    const value = this.#describe(position);
    return value === null ? `${token}, the first` : `${token}, ${value}`;
  }
}

/** A token as a label. */
function shortened(token: Token) {
  const characters = [...glyphs(token)];
  const isLong = characters.length > MAX_LENGTH;
  return isLong ? `${characters.slice(0, MAX_LENGTH - 1).join("")}…` : characters.join("");
}

declare global {
  interface HTMLElementTagNameMap {
    "token-losses": TokenLosses;
  }
}
