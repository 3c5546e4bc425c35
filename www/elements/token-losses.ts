// <token-losses>: how much each token of the text surprised the model.

import { css, html, LitElement } from "lit";

import { columnWidth, drawColumns } from "../draw/bars.js";
import { countNotFinite, NOT_A_NUMBER } from "../draw/not-a-number.js";
import { logProbability, precise, said, shown, type Token } from "../draw/token.js";
import { base, define, pixelRatio, send, ThemeController, Voice, WidthController } from "./base.js";

/** CSS pixels. */
const HEIGHT = 260;

export class TokenLosses extends LitElement {
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
    this.voice = new Voice();
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
      <div class="axis"><span>surprise of each token: minus its log-probability, up to ${logProbability(this.most)}${broken > 0 ? `; stripes: ${broken} of ${this.logProbs.length} are ${NOT_A_NUMBER}` : ""}</span></div>
      <div
        class="frame"
        role="img"
        tabindex="0"
        aria-label="surprise of ${this.tokens.length} tokens, mean ${this.loss === null ? "unknown" : logProbability(this.loss)}. Arrows move along the text."
        @pointermove=${this.#onMove}
        @pointerleave=${() => send(this, "token-hover", null)}
        @keydown=${this.#onKey}
      >
        <canvas aria-hidden="true"></canvas>
        ${mean === null ? "" : html`<span class="mean" style="top: ${mean}px"><span>mean ${logProbability(this.loss as number)}</span></span>`}
        ${at >= 0 ? html`<span class="here" style="left: ${at * this.step}px; width: ${Math.max(3, this.step)}px"></span>` : ""}
      </div>
      <div class="axis"><span>first token</span><span>last →</span></div>
      <p class="readout mono">${value === undefined ? "" : html`${at} <b>${shown(this.tokens[at])}</b> log-probability ${logProbability(value)}, probability ${precise(Math.exp(value), 2)}`}</p>
      <p class="heard" aria-live="polite"></p>
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
        most: this.most,
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
    if (event.key === "Escape") send(this, "token-hover", null);
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
        this.renderRoot.querySelector(".heard"),
        `token ${inside} ${said(this.tokens[inside])}, log-probability ${logProbability(value)}`,
      );
    send(this, "token-hover", inside);
  }
}

define("token-losses", TokenLosses);
