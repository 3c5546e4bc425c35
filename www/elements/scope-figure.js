// <scope-figure>: one reading as a figure: its tokens, every head, the chosen head large, and what joins them.
// It keeps what is hovered to itself and tells what is chosen; it knows no model.

import { css, html, LitElement } from "lit";

import { headMatrix, masked } from "../draw/matrix.js";
import { attention, logProbability, said, short } from "../draw/token.js";
import { describe } from "../scores.js";
import { base, define, send } from "./base.js";

import "./attention-heads.js";
import "./attention-pattern.js";
import "./token-losses.js";
import "./token-strip.js";

/** @typedef {import("../reading.js").Reading} Reading */
/** @typedef {import("./attention-heads.js").Head} Head */
/** @typedef {import("./attention-pattern.js").Band} Band */

/** The ways to look at a reading. A further one is a further entry. @type {Record<string, { title: string, draw: (figure: ScopeFigure, reading: Reading) => unknown }>} */
const VIEWS = {
  attention: { title: "attention", draw: (figure, reading) => figure.drawAttention(reading) },
  "log-probability": { title: "log-probability", draw: (figure, reading) => figure.drawLosses(reading) },
};

export class ScopeFigure extends LitElement {
  static properties = {
    reading: { attribute: false },
    vocabulary: { type: Number },
    layer: { type: Number },
    head: { type: Number },
    view: { type: String },
    scale: { type: String },
    look: { type: String },
    lock: { attribute: false },
    generated: { type: Number },
    stale: { type: Boolean, reflect: true },
    hoveredHead: { state: true },
    hoveredToken: { state: true },
    hoveredCell: { state: true },
  };

  static styles = [
    base,
    css`
      :host {
        container: figure / inline-size;
      }
      .frame {
        transition: opacity 150ms;
      }
      :host([stale]) .frame {
        opacity: 0.55;
      }
      .tools {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 0.4rem 1.2rem;
        margin-top: 0.45rem;
        font-size: 0.85rem;
      }
      .choice {
        display: inline-flex;
      }
      .choice button {
        font-size: 0.85rem;
        padding: 0.14em 0.8em;
        border-radius: 0;
        margin-left: -1px;
        position: relative;
      }
      .choice button:first-child {
        border-radius: 999px 0 0 999px;
        margin-left: 0;
      }
      .choice button:last-child {
        border-radius: 0 999px 999px 0;
      }
      .choice button[aria-pressed="true"] {
        z-index: 1;
      }
      .end {
        margin-left: auto;
      }
      .says {
        margin: 0.8rem 0 0.7rem;
        font-size: 1.14rem;
        line-height: 1.4;
        text-wrap: pretty;
        max-width: 62rem;
      }
      .says strong {
        font-weight: 600;
      }
      .says .soft {
        font-size: 0.98rem;
      }
      .chip {
        color: var(--ink);
        background: var(--glow);
        border-radius: 3px;
        padding: 0.05em 0.25em;
        font-size: 0.86em;
        white-space: pre;
      }
      .board {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: 1.4rem;
        align-items: start;
      }
      .heads {
        order: 2;
      }
      .large {
        min-width: 0;
      }
      .aside {
        order: 3;
        min-width: 0;
      }
      h2 {
        margin: 0 0 0.35rem;
        font-size: 1rem;
        font-weight: 600;
      }
      .pinned {
        font-weight: 400;
        font-size: 0.85rem;
        color: var(--soft);
      }
      @container figure (min-width: 620px) {
        .board {
          grid-template-columns: minmax(11rem, 17rem) minmax(0, 1fr);
        }
        .heads {
          order: 0;
        }
        .losses {
          grid-column: 1 / -1;
        }
        .aside {
          grid-column: 1 / -1;
        }
      }
      @container figure (min-width: 1080px) {
        .board {
          grid-template-columns: minmax(13rem, 24rem) minmax(0, 1fr) 18.5rem;
          gap: 2rem;
        }
        .losses {
          grid-column: span 2;
        }
        .aside {
          grid-column: auto;
          padding-left: 1.6rem;
          border-left: 1px solid var(--line);
          align-self: stretch;
        }
      }
      @media (prefers-reduced-motion: reduce) {
        .frame {
          transition: none;
        }
      }
    `,
  ];

  constructor() {
    super();
    /** @type {Reading | null} */
    this.reading = null;
    this.vocabulary = 0;
    this.layer = 0;
    this.head = 0;
    this.view = "attention";
    /** @type {import("../draw/scale.js").Stretch} */
    this.scale = "linear";
    /** Tokens show what the chosen one attends to ("from"), or what attends to it ("to"). @type {"from" | "to"} */
    this.look = "from";
    /** @type {Band | null} */
    this.lock = null;
    /** Tokens from here on were written by the model. */
    this.generated = Infinity;
    /** A newer text is being read; this figure is the last good one. */
    this.stale = false;
    /** @type {Head | null} */
    this.hoveredHead = null;
    /** @type {number | null} */
    this.hoveredToken = null;
    /** @type {import("../scores.js").Pair | null} */
    this.hoveredCell = null;
  }

  /** The head on show: the previewed one, or the chosen one. */
  get shownHead() {
    const hovered = this.hoveredHead;
    return hovered && this.reading?.patterns[hovered.layer] ? hovered : { layer: this.layer, head: this.head };
  }

  get headScore() {
    const { layer, head } = this.shownHead;
    return this.reading?.scores.find((one) => one.layer === layer && one.head === head) ?? null;
  }

  /** What the pointer or the keyboard is on, as a part of the pattern. @returns {Band | null} */
  get hovered() {
    if (this.hoveredCell) return this.hoveredCell;
    if (this.hoveredToken === null) return null;
    return this.look === "from" ? { query: this.hoveredToken } : { key: this.hoveredToken };
  }

  /** The same, or what is locked, or at rest the clearest example of what the head does. @returns {Band | null} */
  get focused() {
    const reading = this.reading;
    const score = this.headScore;
    return this.hovered ?? this.lock ?? (reading && score ? describe(score).example : null);
  }

  render() {
    const reading = this.reading;
    const view = VIEWS[this.view] ?? VIEWS.attention;
    return html`
      <div class="frame" aria-busy=${this.stale}>
        <slot name="text"></slot>
        ${reading ? html`${this.#strip(reading)} ${view.draw(this, reading)}` : html`<div class="board"><span class="losses"></span>${this.#aside()}</div>`}
      </div>
    `;
  }

  /** @param {Reading} reading */
  #strip(reading) {
    const inAttention = this.view !== "log-probability";
    const { position, target, values } = inAttention ? this.#attentionOf(reading) : this.#surpriseOf(reading);
    const locked = this.look === "from" ? this.lock?.query : this.lock?.key;
    return html`
      <token-strip
        .tokens=${reading.tokens}
        .values=${values}
        .scale=${inAttention ? this.scale : "linear"}
        .position=${position}
        .target=${target}
        .locked=${locked ?? -1}
        .generated=${this.generated}
        .sentences=${(/** @type {number} */ at) => this.#said(reading, at)}
        .legend=${inAttention ? null : { from: "0", to: logProbability(Math.log(Math.max(2, this.vocabulary))), text: "surprise: minus the log-probability of the token, given those before it; the far end is a blind guess" }}
        @token-hover=${this.#onTokenHover}
        @token-lock=${this.#onTokenLock}
      ></token-strip>
      <div class="tools">
        <span class="choice" role="group" aria-label="view">
          ${Object.entries(VIEWS).map(([name, { title }]) => html`<button aria-pressed=${this.view === name} @click=${() => this.#choose({ view: name })}>${title}</button>`)}
        </span>
        ${inAttention
          ? html`<span class="choice" role="group" aria-label="which way">
              <button aria-pressed=${this.look === "from"} @click=${() => this.#choose({ look: "from" })}>what a word attends to</button>
              <button aria-pressed=${this.look === "to"} @click=${() => this.#choose({ look: "to" })}>what attends to it</button>
            </span>`
          : ""}
        ${this.lock ? html`<button @click=${() => this.#choose({ lock: null })}>release (Esc)</button>` : ""}
        <slot name="tools" class="end"></slot>
      </div>
    `;
  }

  /** @param {Reading} reading */
  drawAttention(reading) {
    const { layer, head } = this.shownHead;
    const pattern = reading.patterns[layer];
    const preview = layer !== this.layer || head !== this.head;
    return html`
      ${this.#says(reading)}
      <div class="board">
        <div class="heads">
          <h2>Heads</h2>
          <attention-heads
            .patterns=${reading.thumbnails}
            .scores=${reading.scores}
            .layer=${this.layer}
            .head=${this.head}
            .scale=${this.scale}
            @head-hover=${(/** @type {CustomEvent<Head | null>} */ event) => (this.hoveredHead = event.detail)}
            @head-select=${(/** @type {CustomEvent<Head>} */ event) => this.#choose(event.detail)}
          ></attention-heads>
        </div>
        <div class="large">
          <h2>Head ${layer}.${head} <span class="pinned">${preview ? "preview; click to keep it" : ""}</span> <slot name="head"></slot></h2>
          ${pattern
            ? html`<attention-pattern
                .pattern=${pattern}
                .head=${head}
                .tokens=${reading.tokens}
                .scale=${this.scale}
                .lock=${this.lock}
                .mark=${this.hoveredToken === null ? (this.lock ? null : this.focused) : this.hovered}
                label="head ${layer}.${head}"
                @cell-hover=${(/** @type {CustomEvent} */ event) => (this.hoveredCell = event.detail)}
                @cell-lock=${(/** @type {CustomEvent} */ event) => this.#choose({ lock: event.detail })}
                @scale-change=${(/** @type {CustomEvent} */ event) => this.#choose({ scale: event.detail })}
              ></attention-pattern>`
            : html`<p class="soft">Reading layer ${layer} …</p>`}
        </div>
        ${this.#aside()}
      </div>
    `;
  }

  /** What the owner put beside the picture, if anything. */
  #aside() {
    return this.querySelector("[slot=aside]") ? html`<div class="aside"><slot name="aside"></slot></div>` : "";
  }

  /** One line in words, so that the picture does not need to be known already. @param {Reading} reading */
  #says(reading) {
    const score = this.headScore;
    if (!score) return html`<p class="says"></p>`;
    const { does, mean, what, clear, example } = describe(score);
    /** @param {number} at */
    const token = (at) => html`<span class="chip mono">${short(reading.tokens[at] ?? "", 20)}</span>`;
    const evidence = clear && example
      ? html`On average ${attention(mean)} of its attention goes there; here, from ${token(example.query)} to ${token(example.key)}.`
      : html`It is most like a head for ${what}, but gives that only ${attention(mean)} of its attention.`;
    return html`<p class="says"><strong>Head ${score.layer}.${score.head} ${does}.</strong> <span class="soft">${evidence}</span></p>`;
  }

  /** @param {Reading} reading */
  drawLosses(reading) {
    const mean = reading.loss ?? -average(reading.logProbs);
    const words = html`<strong>On average the model gave the true next token a log-probability of ${logProbability(-mean)}.</strong>
      <span class="soft">A tall column surprised it. Where the text repeats itself and the model copies, the columns get short.</span>`;
    return html`
      <p class="says">${reading.logProbs.length > 0 ? words : "One token alone has nothing before it to be foreseen from."}</p>
      <div class="board">
        <div class="losses">
          <token-losses
            .tokens=${reading.tokens}
            .logProbs=${reading.logProbs}
            .loss=${mean}
            .vocabulary=${this.vocabulary}
            .position=${this.hoveredToken ?? this.lock?.query ?? -1}
            @token-hover=${this.#onTokenHover}
          ></token-losses>
        </div>
        ${this.#aside()}
      </div>
    `;
  }

  /**
   * The colours of the strip: a row of the pattern, or a column. What cannot see, or be seen, has none.
   * @param {Reading} reading
   */
  #attentionOf(reading) {
    const { layer, head } = this.shownHead;
    const pattern = reading.patterns[layer];
    const focused = this.focused;
    const position = (this.look === "from" ? focused?.query : focused?.key) ?? -1;
    const target = (this.look === "from" ? focused?.key : focused?.query) ?? -1;
    if (!pattern || position < 0) return { position, target, values: null };
    const matrix = headMatrix(pattern, head);
    const values = reading.tokens.map((_, other) => {
      const [query, key] = this.look === "from" ? [position, other] : [other, position];
      return query >= matrix.rows || masked(matrix, query, key) ? NaN : matrix.data[query * matrix.columns + key];
    });
    return { position, target, values };
  }

  /** @param {Reading} reading */
  #surpriseOf(reading) {
    const most = Math.log(Math.max(2, this.vocabulary));
    const values = [NaN, ...Array.from(reading.logProbs, (value) => -value / most)];
    return { position: this.hoveredToken ?? this.lock?.query ?? -1, target: -1, values };
  }

  /** @param {Reading} reading @param {number} position */
  #said(reading, position) {
    const token = `token ${position} ${said(reading.tokens[position])}`;
    if (this.view === "log-probability") {
      return position === 0 ? `${token}, the first` : `${token}, log-probability ${logProbability(reading.logProbs[position - 1])}`;
    }
    const { values } = this.#attentionOf(reading);
    const best = (values ?? []).reduce((most, value, at) => (value > ((values ?? [])[most] ?? -1) ? at : most), -1);
    if (!values || best < 0) return token;
    const verb = this.look === "from" ? "attends most to" : "is attended to most by";
    return `${token} ${verb} ${best} ${said(reading.tokens[best])}, ${attention(values[best])}`;
  }

  /** @param {CustomEvent<number | null>} event */
  #onTokenHover(event) {
    event.stopPropagation();
    this.hoveredToken = event.detail;
  }

  /** @param {CustomEvent<number | null>} event */
  #onTokenLock(event) {
    event.stopPropagation();
    const at = event.detail;
    const band = this.look === "from" || this.view === "log-probability" ? { query: at ?? 0 } : { key: at ?? 0 };
    this.#choose({ lock: at === null ? null : band });
  }

  /** @param {Partial<Pick<ScopeFigure, "layer" | "head" | "view" | "scale" | "look" | "lock">>} choice */
  #choose(choice) {
    Object.assign(this, choice);
    if ("layer" in choice) this.hoveredHead = null;
    send(this, "figure-change", choice);
  }

  /** @param {Map<string, unknown>} changed */
  willUpdate(changed) {
    const count = this.reading?.tokens.length ?? 0;
    if (changed.has("reading") && count > 0) {
      if (this.hoveredToken !== null && this.hoveredToken >= count) this.hoveredToken = null;
      if (this.hoveredCell && this.hoveredCell.query >= count) this.hoveredCell = null;
      if (this.lock && Math.max(this.lock.query ?? 0, this.lock.key ?? 0) >= count) this.lock = null;
    }
  }

  updated() {
    const position = this.hovered?.query ?? this.hoveredToken ?? this.lock?.query ?? null;
    if (position === this.told) return;
    this.told = position;
    send(this, "position-focus", position);
  }

  /** The position last told of. @type {number | null} */
  told = null;
}

/** @param {ArrayLike<number>} values */
function average(values) {
  return Array.from(values).reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}

define("scope-figure", ScopeFigure);
