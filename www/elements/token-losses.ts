// <token-losses>: how much each token of the text surprised the model.

import { css, html } from "lit";
import { NOT_A_NUMBER, formatLogProb, formatSignificant } from "../draw/format.js";
import { announced, glyphs, type Token } from "../draw/token.js";

import { columnWidth, drawColumns } from "../draw/columns.js";
import { countNotFinite } from "../draw/not-finite.js";
import { TypedElement, pixelRatio, WidthController } from "./base.js";
import { LiveRegion } from "./interaction.js";
import { base } from "./styles.js";
import { ThemeController } from "./theme.js";

/** CSS pixels. */
const HEIGHT = 260;

export interface TokenLossesEvents {
  "token-hover": number | null;
}

export class TokenLosses extends TypedElement<TokenLossesEvents> {
  static override properties = {
    tokens: { attribute: false },
    logProbs: { attribute: false },
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
        font-size: 0.78rem;
        color: var(--soft);
        text-align: right;
        pointer-events: none;
      }
      .mean span {
        padding: 0 0.3em;
        border-radius: 3px;
        background: var(--paper);
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
        color: var(--soft);
        margin: 0.3rem 0;
      }
      .readout {
        margin: 0.4rem 0 0;
        min-height: 1.6em;
      }
    `,
  ];

  declare tokens: readonly Token[];
  /** Log-probability of each token but the first. */
  declare logProbs: ArrayLike<number>;
  declare loss: number | null;
  /** How many tokens there are to guess from: guessing blindly costs its logarithm. */
  declare vocabulary: number;
  declare position: number;
  declare width: number;
  declare theme: any;
  declare voice: any;
  declare measured: any;

  constructor() {
    super();
    this.tokens = [];
    this.logProbs = [];
    this.loss = null;
    this.vocabulary = 0;
    this.position = -1;
    this.width = 0;
    this.theme = new ThemeController(this);
    this.voice = new LiveRegion();
    this.measured = new WidthController(this);
  }

  /** The value at the top of the figure: the largest that is finite, or a blind guess. */
  get most() {
    return Math.max(
      Math.log(Math.max(2, this.vocabulary)),
      ...Array.from(this.logProbs, (value) => -value).filter(Number.isFinite),
    );
  }

  get step() {
    return columnWidth(this.tokens.length, this.width * pixelRatio()) / pixelRatio();
  }

  override render() {
    const { loss } = this;
    const mean =
      loss === null
        ? null
        : (Number.isFinite(loss) ? HEIGHT * (1 - loss / this.most) : 0).toFixed(1);
    const broken = countNotFinite(this.logProbs);
    const at = this.position;
    const value = at > 0 ? this.logProbs[at - 1] : undefined;
    return html`
      <div class="axis"><span>surprise of each token: minus its log-probability, up to ${formatLogProb(this.most)}${broken > 0 ? `; stripes: ${broken} of ${this.logProbs.length} are ${NOT_A_NUMBER}` : ""}</span></div>
      <div
        class="frame"
        role="img"
        tabindex="0"
        aria-label="surprise of ${this.tokens.length} tokens, mean ${this.loss === null ? "unknown" : formatLogProb(this.loss)}. Arrows move along the text."
        @pointermove=${this.#onMove}
        @pointerleave=${() => this.emit("token-hover", null)}
        @keydown=${this.#onKey}
      >
        <canvas aria-hidden="true"></canvas>
        ${mean === null ? "" : html`<span class="mean" style="top: ${mean}px"><span>mean ${formatLogProb(this.loss as number)}</span></span>`}
        ${at >= 0 ? html`<span class="here" style="left: ${at * this.step}px; width: ${Math.max(3, this.step)}px"></span>` : ""}
      </div>
      <div class="axis"><span>first token</span><span>last →</span></div>
      <p class="readout mono">${value === undefined ? "" : html`${at} <b>${glyphs(this.tokens[at])}</b> log-probability ${formatLogProb(value)}, probability ${formatSignificant(Math.exp(value), 2)}`}</p>
      <p class="visually-hidden" aria-live="polite"></p>
    `;
  }

  override updated() {
    const canvas = this.renderRoot.querySelector("canvas");
    const ratio = pixelRatio();
    if (!canvas || this.width === 0) return;
    canvas.width = Math.round(this.width * ratio);
    canvas.height = Math.round(HEIGHT * ratio);
    canvas.style.width = `${canvas.width / ratio}px`;
    canvas.style.height = `${canvas.height / ratio}px`;
    const context = canvas.getContext("2d");
    const values = [null, ...Array.from(this.logProbs, (value) => -value)];
    if (context)
      drawColumns(context, {
        values,
        max: this.most,
        width: canvas.width,
        height: canvas.height,
        theme: this.theme.theme,
      });
  }

  #onMove(event: PointerEvent) {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    this.#go(Math.floor((event.clientX - box.left) / this.step));
  }

  #onKey(event: KeyboardEvent) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Escape") this.emit("token-hover", null);
    if (by === undefined) return;
    event.preventDefault();
    this.#go(this.position + by);
  }

  #go(position: number) {
    const inside = Math.max(0, Math.min(this.tokens.length - 1, position));
    if (inside === this.position) return;
    const value = this.logProbs[inside - 1];
    if (value !== undefined)
      this.voice.say(
        this.renderRoot.querySelector(".visually-hidden"),
        `token ${inside} ${announced(this.tokens[inside])}, log-probability ${formatLogProb(value)}`,
      );
    this.emit("token-hover", inside);
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "token-losses": TokenLosses;
  }
}
