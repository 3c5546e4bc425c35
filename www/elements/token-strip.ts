// <token-strip>: a text as its tokens. Whitespace can be seen, and copying still gives the text itself.

import { css, html } from "lit";
import { NOT_A_NUMBER } from "../draw/format.js";
import { announced, pieces, textOf, type Token, type Piece } from "../draw/token.js";
import { repeat } from "lit/directives/repeat.js";

import { colourOf, gradient, textOn, type Stretch } from "../draw/scale.js";
import { stripes } from "../draw/not-finite.js";
import { TypedElement } from "./base.js";
import { LiveRegion } from "./interaction.js";
import { base } from "./styles.js";
import { INKS, ThemeController } from "./theme.js";

export interface TokenStripEvents {
  "token-hover": number | null;
  /** the token to lock, or null to release the lock; the owner sets `locked` */
  "token-lock": number | null;
}

export class TokenStrip extends TypedElement<TokenStripEvents> {
  static override properties = {
    tokens: { attribute: false },
    values: { attribute: false },
    scale: { type: String },
    sentences: { attribute: false },
    position: { type: Number },
    target: { type: Number },
    locked: { type: Number },
    generated: { type: Number },
    legend: { attribute: false },
  };

  static override styles = [
    base,
    css`
      .tokens {
        margin: 0;
        font-family: var(--mono);
        font-size: var(--token-size, 0.95rem);
        line-height: 1.85;
        white-space: pre-wrap;
        overflow-wrap: anywhere;
      }
      .token {
        position: relative;
        display: inline-block;
        max-width: 100%;
        line-height: 1.45;
        min-height: 1.45em;
        vertical-align: top;
        border-radius: 3px;
        box-shadow: inset -1px 0 0 var(--line);
        cursor: pointer;
        print-color-adjust: exact;
      }
      /* Below the letters, so that they can be read. */
      .token.broken {
        background: bottom / 100% 0.32em no-repeat;
      }
      .token.generated {
        border-bottom: 2px solid var(--flame);
      }
      .token[data-target] {
        outline: 2px solid var(--flame);
        outline-offset: -1px;
      }
      .token[data-here] {
        box-shadow: 0 0 0 2px var(--ink);
        z-index: 1;
      }
      .token:focus-visible {
        outline: 2px solid var(--flame);
        outline-offset: 2px;
      }
      /* The sign is drawn, not written: selecting and copying give the space itself. */
      .sign {
        position: relative;
      }
      .sign::before {
        content: attr(data-glyph);
        position: absolute;
        inset: 0;
        display: grid;
        place-items: center;
        line-height: 1;
        opacity: 0.5;
        pointer-events: none;
      }
      .token.breaks {
        display: inline;
        unicode-bidi: isolate;
      }
      .newline::before,
      .code::before {
        position: static;
        display: inline;
      }
      .code {
        font-size: 0;
      }
      .code::before {
        font-size: 0.72rem;
        border: 1px solid currentColor;
        border-radius: 2px;
        padding: 0 0.2em;
      }
      .legend {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 0.4rem;
        margin-top: 0.3rem;
        font-size: 0.82rem;
        color: var(--soft);
      }
      .ramp {
        width: 6rem;
        height: 0.65rem;
        border-radius: 2px;
        box-shadow: 0 0 0 1px var(--line);
        print-color-adjust: exact;
      }
    `,
  ];

  declare tokens: readonly Token[];
  /** One value of 0 to 1 per token, or null for none; NaN is drawn as stripes. null for no colour at all. */
  declare values: ArrayLike<number | null> | null;
  declare scale: Stretch;
  /** What is said of each token. */
  declare sentences: ((position: number) => string) | null;
  /** The token whose view of the text this is; -1 for none. */
  declare position: number;
  /** The token singled out as looked at (or looking); -1 for none. */
  declare target: number;
  declare locked: number;
  /** Tokens from this position on were written by the model. */
  declare generated: number;
  declare legend: { from: string; to: string; text: string } | null;
  declare theme: any;
  declare voice: any;
  /** The colour that each token's element has now. */
  declare painted: WeakMap<HTMLElement, string>;

  constructor() {
    super();
    this.tokens = [];
    this.values = null;
    this.scale = "linear";
    this.sentences = null;
    this.position = -1;
    this.target = -1;
    this.locked = -1;
    this.generated = Infinity;
    this.legend = null;
    this.theme = new ThemeController(this);
    this.voice = new LiveRegion();
    this.painted = new WeakMap();
  }

  override render() {
    const reachable = this.position >= 0 ? this.position : this.locked >= 0 ? this.locked : 0;
    return html`
      <p class="tokens" role="listbox" aria-label="tokens of the text" @keydown=${this.#onKey} @pointerleave=${() => this.emit("token-hover", null)} @focusout=${this.#onFocusOut}>${repeat(
        this.tokens,
        (_, position) => position,
        (token, position) =>
          this.#token(token, position, position === Math.min(reachable, this.tokens.length - 1)),
      )}</p>
      ${this.legend ? this.#legend(this.legend) : ""}
      <p class="visually-hidden" aria-live="polite"></p>
    `;
  }

  /** @param reachable by the tab key */
  #token(token: Token, position: number, reachable: boolean) {
    return html`<span
      class="token ${position >= this.generated ? "generated" : ""} ${textOf(token).includes("\n") ? "breaks" : ""}"
      role="option"
      aria-selected=${position === this.locked}
      aria-label="token ${position} ${announced(token)}"
      tabindex=${reachable ? 0 : -1}
      data-position=${position}
      ?data-here=${position === this.position}
      ?data-target=${position === this.target}
      @pointerenter=${() => this.#hover(position)}
      @focus=${this.#onFocus}
      @click=${() => this.#click(position)}
    >${pieces(token).map(piece)}</span>`;
  }

  #legend({ from, to, text }: { from: string; to: string; text: string }) {
    return html`<div class="legend" role="img" aria-label="colour scale: ${text}, from ${from} to ${to}">
      <span class="mono">${from}</span><span class="ramp" style="background: ${gradient(this.theme.theme)}"></span><span class="mono">${to}</span><span>${text}${Array.from(this.values ?? []).some(Number.isNaN) ? html`; stripes: ${NOT_A_NUMBER}` : ""}</span>
    </div>`;
  }

  /** Colours are set on the elements one by one: hovering must not render a thousand tokens anew. */
  override updated() {
    const tokens = this.renderRoot.querySelectorAll(".token") as NodeListOf<HTMLElement>;
    const { theme } = this.theme;
    tokens.forEach((element, position) => {
      const value = this.values?.[position] ?? null;
      const broken = value !== null && Number.isNaN(value);
      const colour = value === null || broken ? "" : colourOf(value, theme, this.scale);
      const paint = broken ? stripes(theme) : colour;
      if ((this.painted.get(element) ?? "") === paint) return;
      this.painted.set(element, paint);
      element.classList.toggle("broken", broken);
      element.style.backgroundImage = broken ? paint : "";
      element.style.backgroundColor = colour;
      element.style.color = value === null || broken ? "" : INKS[textOn(value, theme, this.scale)];
    });
  }

  #hover(position: number) {
    if (this.sentences)
      this.voice.say(this.renderRoot.querySelector(".visually-hidden"), this.sentences(position));
    this.emit("token-hover", position);
  }

  #onFocus(event: FocusEvent) {
    const element = event.currentTarget as HTMLElement;
    if (element.matches(":focus-visible")) this.#hover(Number(element.dataset.position));
  }

  /** Moving from token to token is no leaving. */
  #onFocusOut(event: FocusEvent) {
    if (!(event.relatedTarget as Element | null)?.matches?.(".token"))
      this.emit("token-hover", null);
  }

  /** A drag that selected text is not a click. */
  #click(position: number) {
    if (getSelection()?.isCollapsed === false) return;
    this.emit("token-lock", position === this.locked ? null : position);
  }

  #onKey(event: KeyboardEvent) {
    const at = Number((event.target as HTMLElement).dataset?.position ?? 0);
    const moves: Record<string, number> = {
      ArrowLeft: at - 1,
      ArrowUp: at - 1,
      ArrowRight: at + 1,
      ArrowDown: at + 1,
      Home: 0,
      End: this.tokens.length - 1,
    };
    if (event.key === "Enter" || event.key === " ")
      this.emit("token-lock", at === this.locked ? null : at);
    else if (event.key === "Escape") {
      this.emit("token-lock", null);
      this.emit("token-hover", null);
    } else if (event.key in moves && !event.ctrlKey && !event.metaKey)
      this.#focus(moves[event.key]);
    else return;
    event.preventDefault();
  }

  #focus(position: number) {
    const inside = Math.max(0, Math.min(this.tokens.length - 1, position));
    (this.renderRoot.querySelector(`[data-position="${inside}"]`) as HTMLElement | null)?.focus();
    this.#hover(inside);
  }
}

function piece({ kind, text, glyph }: Piece) {
  return kind === "text"
    ? text
    : html`<span class="sign ${kind}" data-glyph=${glyph}>${text}</span>`;
}

declare global {
  interface HTMLElementTagNameMap {
    "token-strip": TokenStrip;
  }
}
