// <switched-off>: the heads that are switched off, each with a button that switches it on, and the effect.

import { css, html } from "lit";
import { formatNumber, formatLogProb } from "../draw/format.js";
import { truncate } from "../draw/token.js";

import { TypedElement } from "./base.js";
import { base } from "./styles.js";
import type { Head } from "./heads.js";
import type { Change } from "../session/compare.js";

export interface SwitchedOffEvents {
  /** the head to switch on again, or null for all */
  "head-restore": Head | null;
}

export class SwitchedOff extends TypedElement<SwitchedOffEvents> {
  static override properties = {
    heads: { attribute: false },
    change: { attribute: false },
  };

  static override styles = [
    base,
    css`
      .frame {
        display: flex;
        flex-wrap: wrap;
        align-items: baseline;
        gap: 0.35rem 1.6rem;
        margin-top: 0.7rem;
        padding: 0.5rem 0.8rem;
        border: 1px solid var(--flame);
        border-radius: 8px;
        background: var(--glow);
        font-size: 0.92rem;
      }
      .heads {
        display: flex;
        flex-wrap: wrap;
        align-items: baseline;
        gap: 0.35rem;
      }
      button {
        font-size: 0.82rem;
        padding: 0.08em 0.65em;
      }
      .effect {
        display: flex;
        flex-wrap: wrap;
        gap: 0.2rem 1.6rem;
        margin: 0;
      }
      .effect > div {
        display: flex;
        flex-wrap: wrap;
        gap: 0.15rem 0.45rem;
        align-items: baseline;
      }
      dt {
        color: var(--soft);
      }
      dd {
        margin: 0;
      }
      dd b {
        font-weight: 600;
      }
      .unit {
        font-family: var(--prose);
        color: var(--soft);
      }
      .token {
        white-space: pre;
        background: var(--paper);
        border-radius: 3px;
        padding: 0.02em 0.25em;
      }
    `,
  ];

  declare heads: readonly Head[];
  /** The effect; null while it is measured. */
  declare change: Change | null;

  constructor() {
    super();
    this.heads = [];
    this.change = null;
  }

  override render() {
    if (this.heads.length === 0) return "";
    return html`<section class="frame" aria-label="switched off">
      <span class="heads">
        <span>Switched off:</span>
        ${this.heads.map((one) => html`<button title="Switch it on again" aria-label="switch head ${one.layer}.${one.head} on again" @click=${() => this.emit("head-restore", one)}>head ${one.layer}.${one.head} ✕</button>`)}
        ${this.heads.length > 1 ? html`<button @click=${() => this.emit("head-restore", null)}>switch all on</button>` : ""}
      </span>
      <dl class="effect" role="status">${this.change ? this.#renderChange(this.change) : html`<div><dt>measuring …</dt></div>`}</dl>
    </section>`;
  }

  #renderChange({ loss, repeated, next }: Change) {
    return html`
      ${repeated ? this.#renderPair(html`loss where the text repeats itself (${repeated.count} tokens)`, "repeated", repeated) : ""}
      ${loss ? this.#renderPair("loss on the whole text", "whole", loss) : ""}
      ${
        next
          ? html`<div class="next">
            <dt>next token <span class="token mono">${truncate(next.token, 14)}</span></dt>
            <dd class="mono">${probability(next.before)} → <b>${probability(next.after)}</b></dd>
          </div>`
          : ""
      }
    `;
  }

  /** @param pair nats per token */
  #renderPair(title: unknown, name: string, { before, after }: { before: number; after: number }) {
    return html`<div class=${name}>
      <dt>${title}</dt>
      <dd class="mono">${formatLogProb(before)} → <b>${formatLogProb(after)}</b> <span class="unit">nats</span></dd>
    </div>`;
  }
}

function probability(value: number) {
  return formatNumber(value, (finite) =>
    finite >= 0.0095 ? finite.toFixed(2) : finite.toPrecision(1),
  );
}

declare global {
  interface HTMLElementTagNameMap {
    "switched-off": SwitchedOff;
  }
}
