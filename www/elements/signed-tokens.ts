// <signed-tokens>: tokens with one signed number each as colour. Zero has the colour of the paper.

import { css, html } from "lit";
import { repeat } from "lit/directives/repeat.js";

import { inkOnSigned, signedColour } from "../draw/bars.js";
import { formatShort } from "../draw/format.js";
import { countNotFinite, stripes } from "../draw/not-finite.js";
import { announced, pieces, textOf, type Piece, type Token } from "../draw/token.js";
import { TypedElement } from "./base.js";
import { clamp, Interaction, liveRegion } from "./interaction.js";
import { base, figure } from "./styles.js";
import { ThemeController } from "./theme.js";

export interface SignedTokensEvents {
  /** the position of the hovered token, counted from `first` */
  "token-hover": number | null;
}

export class SignedTokens extends TypedElement<SignedTokensEvents> {
  static override properties = {
    tokens: { attribute: false },
    values: { attribute: false },
    first: { type: Number },
    max: { type: Number },
    mark: { type: Number },
    label: { type: String },
    unit: { type: String },
    legend: { type: String },
    quiet: { type: Boolean },
  };

  static override styles = [
    base,
    figure,
    css`
      .tokens {
        margin: 0;
        padding: 3px;
        font-family: var(--mono);
        font-size: var(--token-size, 0.92rem);
        line-height: 1.85;
        white-space: pre-wrap;
        overflow-wrap: anywhere;
        max-height: var(--token-height, none);
        overflow-y: auto;
      }
      .token {
        border-radius: 3px;
        box-shadow: inset -1px 0 0 var(--line);
        display: inline-block;
        max-width: 100%;
        line-height: 1.45;
        cursor: default;
        print-color-adjust: exact;
        forced-color-adjust: none;
      }
      .token.mark {
        outline: 2px solid var(--flame);
        outline-offset: -1px;
      }
      .token[data-here] {
        box-shadow: 0 0 0 2px var(--ink);
      }
      .token.broken {
        background: bottom / 100% 0.32em no-repeat;
        color: var(--ink);
      }
      .readout {
        min-height: 1.5em;
        margin: 0.3rem 0 0;
        font-size: 0.88rem;
      }
    `,
  ];

  declare tokens: readonly Token[];
  /** One for each token; null for no colour. */
  declare values: ArrayLike<number | null>;
  /** The position of the first token in its text. */
  declare first: number;
  /** The value at the end of the scale; the largest magnitude if 0. */
  declare max: number;
  /** A token that is outlined, counted from `first`; -1 for none. */
  declare mark: number;
  declare label: string;
  declare unit: string;
  /** What the colours show; empty for no legend. */
  declare legend: string;
  /** Without the line that describes the hovered token, which the owner shows. */
  declare quiet: boolean;
  #theme = new ThemeController(this);
  readonly interaction: Interaction<number> = new Interaction(this, {
    start: () => Math.max(0, this.mark - this.first),
    move: (from, { rows, columns }) => clamp(from + rows + columns, this.tokens.length),
    onHover: (at) => {
      this.emit("token-hover", at === null ? null : at + this.first);
      this.requestUpdate();
    },
    describe: (at) => this.describe(at),
    elements: {
      placeOf: ({ dataset }) => (dataset?.index === undefined ? null : Number(dataset.index)),
      elementOf: (at) => this.renderRoot.querySelector(`[data-index="${at}"]`),
    },
  });

  constructor() {
    super();
    this.tokens = [];
    this.values = [];
    this.first = 0;
    this.max = 0;
    this.mark = -1;
    this.label = "";
    this.unit = "";
    this.legend = "";
    this.quiet = false;
  }

  /** The value at the end of the scale. */
  get end() {
    if (this.max > 0) return this.max;
    let max = 0;
    for (let i = 0; i < this.values.length; i++) {
      const value = Math.abs(this.values[i] ?? 0);
      if (Number.isFinite(value) && value > max) max = value;
    }
    return max || 1;
  }

  /** A token in words, with every digit of its value. */
  describe(at: number) {
    const value = this.values[at];
    const number =
      value === null || value === undefined
        ? "no value"
        : `${formatShort(value, 7)}${this.unit ? ` ${this.unit}` : ""}`;
    return `token ${at + this.first} ${announced(this.tokens[at] ?? "")}, ${number}`;
  }

  override willUpdate() {
    this.interaction.prune((at) => at < this.tokens.length);
  }

  override render() {
    const { hovered } = this.interaction;
    const { end } = this;
    const inTabOrder = hovered ?? Math.max(0, this.mark - this.first);
    return html`
      <p class="tokens" role="listbox" aria-label=${this.label} @keydown=${this.interaction.onKeyDown} @pointerleave=${this.interaction.leave} @focusout=${this.interaction.onFocusOut}>${repeat(
        this.tokens,
        (_, at) => at,
        (token, at) => this.#token(token, at, end, at === inTabOrder),
      )}</p>
      ${this.quiet ? "" : html`<p class="readout mono">${hovered === null ? "" : this.describe(hovered)}</p>`}
      ${this.legend ? this.#legend(end) : ""}
      ${liveRegion}
    `;
  }

  #token(token: Token, at: number, end: number, isInTabOrder: boolean) {
    const value = this.values[at] ?? null;
    const { theme } = this.#theme;
    const colour = value === null ? null : signedColour(value, end, theme);
    const isBroken = value !== null && colour === null;
    const style = colour
      ? `background: ${colour}; color: ${inkOnSigned(value as number, end, theme)}`
      : isBroken
        ? `background-image: ${stripes(theme)}`
        : "";
    return html`<span
      class="token ${isBroken ? "broken" : ""} ${at + this.first === this.mark ? "mark" : ""}"
      .style=${style}
      role="option"
      aria-selected=${at + this.first === this.mark}
      aria-description=${this.describe(at)}
      tabindex=${isInTabOrder ? 0 : -1}
      data-index=${at}
      ?data-here=${at === this.interaction.hovered}
      @pointerenter=${() => this.interaction.hover(at)}
      @focus=${this.#onFocus}
    >${pieces(token).map(renderPiece)}</span>${textOf(token).endsWith("\n") ? "\n" : ""}`;
  }

  #legend(end: number) {
    const broken = countNotFinite(
      Array.from(this.values).filter((value): value is number => value !== null),
    );
    const text = formatShort(end, 3);
    return html`<div class="below"><color-legend
      signed
      from="−${text}"
      to=${text}
      .text=${this.legend}
      .notFinite=${broken > 0 ? `not finite: ${broken} tokens` : ""}
    ></color-legend></div>`;
  }

  /** Focus by the keyboard counts as hovering. */
  #onFocus(event: FocusEvent) {
    const element = event.currentTarget as HTMLElement;
    if (element.matches(":focus-visible")) this.interaction.hover(Number(element.dataset.index));
  }
}

function renderPiece({ kind, glyph }: Piece) {
  return kind === "text" ? glyph : html`<span class="glyph">${glyph}</span>`;
}

declare global {
  interface HTMLElementTagNameMap {
    "signed-tokens": SignedTokens;
  }
}
