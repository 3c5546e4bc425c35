// <load-consent>: asks for consent before a model that a link names is loaded from another host.

import { css, html } from "lit";

import type { Dtype } from "../session/memory.js";
import { TypedElement } from "./base.js";
import { base } from "./styles.js";

export type ConsentRequest = {
  source: string;
  name: string;
  host: string;
  /** in which the model would be loaded; f32 if absent */
  dtype?: Dtype;
};

export interface LoadConsentEvents {
  "load-consent": { source: string; name: string; keep: boolean; dtype?: Dtype };
  "load-refuse": undefined;
}

export class LoadConsent extends TypedElement<LoadConsentEvents> {
  static override properties = { request: { attribute: false } };

  static override styles = [
    base,
    css`
      .question {
        display: grid;
        gap: 0.5rem;
        margin-bottom: 0.7rem;
        padding: 0.6rem 0.8rem;
        border-left: 3px solid var(--flame);
        border-radius: 3px;
        background: var(--glow);
        font-size: 0.92rem;
      }
      p {
        margin: 0;
        overflow-wrap: anywhere;
      }
      .choices {
        display: flex;
        flex-wrap: wrap;
        gap: 0.6rem 1rem;
        align-items: center;
      }
      input {
        accent-color: var(--flame);
      }
    `,
  ];

  declare request: ConsentRequest | null;

  constructor() {
    super();
    this.request = null;
  }

  override render() {
    return html`<div role="alert">${this.request ? this.#question(this.request) : ""}</div>`;
  }

  #question({ source, name, host, dtype }: ConsentRequest) {
    const accept = (event: SubmitEvent) => {
      event.preventDefault();
      const keep = new FormData(event.target as HTMLFormElement).has("keep");
      this.emit("load-consent", { source, name, keep, ...(dtype && { dtype }) });
    };
    return html`<form class="question" @submit=${accept}>
      <p>This link asks for a model from <strong>${host}</strong>, which is another site: <span class="mono">${source}</span>${dtype && dtype !== "f32" ? html`, in <span class="mono">${dtype}</span>` : ""}. Nothing has been requested from it. If you load it, that site sees your network address.</p>
      <div class="choices">
        <button type="submit">Load from ${host}</button>
        <button type="button" @click=${() => this.emit("load-refuse")}>Do not load</button>
        <label><input type="checkbox" name="keep" /> keep it in this browser for later visits</label>
      </div>
    </form>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "load-consent": LoadConsent;
  }
}
