// <intervention-effect>: what the interventions changed: the next token, the loss, and how the model goes on.

import { css, html } from "lit";

import { formatChange, formatProbabilities } from "../draw/format.js";
import { announced, truncate, type Token } from "../draw/token.js";
import {
  commonLength,
  type Continuations,
  type Effect,
  type TokenChange,
} from "../session/effect.js";
import type { Pair } from "../session/compare.js";
import { TypedElement } from "./base.js";
import { base } from "./styles.js";

export class InterventionEffect extends TypedElement<Record<never, never>> {
  static override properties = {
    active: { type: Boolean, reflect: true },
    effect: { attribute: false },
    continuations: { attribute: false },
    note: { type: String },
    failure: { type: String },
  };

  static override styles = [
    base,
    css`
      :host {
        font-size: 0.88rem;
      }
      h2 {
        margin: 0 0 0.2rem;
        font-size: 0.92rem;
        font-weight: 600;
      }
      dl {
        margin: 0;
        display: grid;
        gap: 0.2rem;
      }
      dl > div {
        display: flex;
        flex-wrap: wrap;
        gap: 0.1rem 0.5rem;
        align-items: baseline;
      }
      dt {
        color: var(--soft);
      }
      dd {
        margin: 0;
        min-width: 0;
      }
      .tokens {
        display: grid;
        grid-template-columns: auto 1fr;
        gap: 0 0.7rem;
        font-size: 0.84rem;
      }
      .token,
      .text {
        white-space: pre-wrap;
        overflow-wrap: anywhere;
      }
      .token {
        background: var(--paper);
        border-radius: 3px;
        padding: 0.02em 0.25em;
      }
      .text {
        font-size: 0.82rem;
      }
      .changed {
        background: var(--paper);
        border-bottom: 2px solid var(--flame);
        text-decoration: none;
        color: inherit;
      }
      .unit {
        font-family: var(--prose);
        color: var(--soft);
      }
    `,
  ];

  /** There are interventions that are on. */
  declare active: boolean;
  /** Null while it is measured. */
  declare effect: Effect | null;
  /** Null while they are computed. */
  declare continuations: Continuations | null;
  /** Why there is no effect, in place of one. */
  declare note: string;
  /** Why there are no continuations. */
  declare failure: string;

  constructor() {
    super();
    this.active = false;
    this.effect = null;
    this.continuations = null;
    this.note = "";
    this.failure = "";
  }

  override render() {
    if (!this.active) return "";
    return html`<section aria-label="effect of the interventions">
      <h2>Effect <span class="soft">before → with the interventions</span></h2>
      <dl role="status">${this.note ? html`<div><dt>${this.note}</dt></div>` : this.effect ? this.#renderEffect(this.effect) : html`<div><dt>measuring …</dt></div>`}</dl>
      ${this.note ? "" : this.#renderContinuations()}
    </section>`;
  }

  #renderEffect({ tokens, loss, repeated, position }: Effect) {
    return html`
      ${repeated ? this.#renderLoss(html`loss where the text repeats itself (${repeated.count} tokens)`, "repeated", repeated) : ""}
      ${loss ? this.#renderLoss("loss on the whole text", "whole", loss) : html`<div><dt>One token has no loss: nothing comes before it.</dt></div>`}
      <div class="next"><dt>next token after position ${position}</dt>
        <dd>${tokens ? html`<span class="tokens">${tokens.map((one) => this.#renderToken(one))}</span>` : html`is unknown: the model's output there is not a number`}</dd></div>
    `;
  }

  #renderToken({ string, before, after }: TokenChange) {
    const [first, second] = formatProbabilities(before, after);
    return html`<span class="token mono" title=${announced(string)}>${truncate(string, 14)}</span><span class="mono">${first} → <b>${second}</b></span>`;
  }

  /** @param pair nats per token */
  #renderLoss(title: unknown, name: string, { before, after }: Pair) {
    const [first, second] = formatChange(before, after);
    return html`<div class=${name}>
      <dt>${title}</dt>
      <dd class="mono">${first} → <b>${second}</b> <span class="unit">nats</span></dd>
    </div>`;
  }

  /** The likeliest continuations, from the token on where they differ marked. */
  #renderContinuations() {
    const { continuations, failure } = this;
    if (failure)
      return html`<dl class="goes-on"><div><dt>how it goes on is unknown: ${failure}</dt></div></dl>`;
    if (!continuations)
      return html`<dl class="goes-on"><div><dt>how it goes on: computing …</dt></div></dl>`;
    const same = commonLength(continuations);
    const { before, after } = continuations;
    const isSame = same === before.ids.length && same === after.ids.length;
    return html`<dl class="goes-on">
      <div><dt>goes on, greedy, before</dt><dd class="text mono">${text(before.strings)}</dd></div>
      <div><dt>with them</dt><dd class="text mono">${text(after.strings.slice(0, same))}${isSame ? "" : html`<mark class="changed">${text(after.strings.slice(same)) || "(ends)"}</mark>`}${isSame ? html` <span class="unit">the same</span>` : ""}</dd></div>
    </dl>`;
  }
}

/** Tokens as one text in one line. */
function text(tokens: readonly Token[]) {
  return tokens
    .map((token) => (typeof token === "string" ? token : token.string).replaceAll("\n", "⏎"))
    .join("");
}

declare global {
  interface HTMLElementTagNameMap {
    "intervention-effect": InterventionEffect;
  }
}
