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
        container: effect / inline-size;
        font-size: 0.88rem;
      }
      :host([active]) {
        margin-top: 0.4rem;
      }
      section {
        display: grid;
        gap: 0.25rem 2rem;
        padding: 0.4rem 0.8rem 0.5rem;
        border: 1px solid var(--flame);
        border-radius: 8px;
        background: var(--glow);
      }
      h2 {
        margin: 0;
        font-size: 0.92rem;
        font-weight: 600;
      }
      h2 .soft {
        font-weight: 400;
      }
      @container effect (min-width: 46rem) {
        section {
          grid-template-columns: auto minmax(0, 1fr);
        }
        h2,
        .goes-on {
          grid-column: 1 / -1;
        }
      }
      .measures {
        display: contents;
      }
      .line {
        display: flex;
        flex-wrap: wrap;
        gap: 0.1rem 0.5rem;
        align-items: baseline;
        min-width: 0;
      }
      .losses {
        display: grid;
        gap: 0.1rem;
        align-content: start;
      }
      .tokens {
        display: flex;
        flex-wrap: wrap;
        gap: 0.1rem 1.2rem;
        font-size: 0.84rem;
      }
      .tokens > span {
        display: inline-flex;
        gap: 0.4rem;
        align-items: baseline;
        white-space: nowrap;
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
      <div class="measures" role="status">${this.note ? html`<div class="line soft">${this.note}</div>` : this.effect ? this.#renderEffect(this.effect) : html`<div class="line soft">measuring …</div>`}</div>
      ${this.note ? "" : this.#renderContinuations()}
    </section>`;
  }

  #renderEffect({ tokens, loss, repeated, position }: Effect) {
    return html`<div class="losses">
      ${repeated ? this.#renderLoss(html`loss where the text repeats itself (${repeated.count} tokens)`, "repeated", repeated) : ""}
      ${loss ? this.#renderLoss("loss on the whole text", "whole", loss) : html`<div class="line soft">One token has no loss: nothing comes before it.</div>`}
      </div>
      <div class="line next"><span class="soft">next token after position ${position}</span>
        <span>${tokens ? html`<span class="tokens">${tokens.map((one) => this.#renderToken(one))}</span>` : html`is unknown: the model's output there is not a number`}</span></div>
    `;
  }

  #renderToken({ string, before, after }: TokenChange) {
    const [first, second] = formatProbabilities(before, after);
    return html`<span><span class="token mono" title=${announced(string)}>${truncate(string, 14)}</span><span class="mono">${first} → <b>${second}</b></span></span>`;
  }

  /** @param pair nats per token */
  #renderLoss(title: unknown, name: string, { before, after }: Pair) {
    const [first, second] = formatChange(before, after);
    return html`<div class="line ${name}">
      <span class="soft">${title}</span>
      <span class="mono">${first} → <b>${second}</b> <span class="unit">nats</span></span>
    </div>`;
  }

  /** The likeliest continuations, from the token on where they differ marked. */
  #renderContinuations() {
    const { continuations, failure } = this;
    if (failure) return html`<div class="goes-on soft">how it goes on is unknown: ${failure}</div>`;
    if (!continuations) return html`<div class="goes-on soft">how it goes on: computing …</div>`;
    const same = commonLength(continuations);
    const { before, after } = continuations;
    const isSame = same === before.ids.length && same === after.ids.length;
    return html`<div class="goes-on">
      <div class="line before"><span class="soft">goes on, greedy, before</span> <span class="text mono">${text(before.strings)}</span></div>
      <div class="line after"><span class="soft">with them</span> <span class="text mono">${text(after.strings.slice(0, same))}${isSame ? "" : html`<mark class="changed">${text(after.strings.slice(same)) || "(ends)"}</mark>`}${isSame ? html` <span class="unit">the same</span>` : ""}</span></div>
    </div>`;
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
