// <error-notice>: an error message, and what to do about it.

import { css, html } from "lit";

import { TypedElement } from "./base.js";
import { withCode } from "./code.js";
import { base, code } from "./styles.js";

/** What to do, by the name of the error. The messages of other errors say it themselves. */
const ADVICE: Record<string, string> = {
  NetworkError: "Check the address and the connection, then try again.",
  MemoryError: "Close other tabs, or choose a smaller model.",
  AbortError: "Nothing was changed.",
};

export interface ErrorNoticeEvents {
  "error-dismiss": undefined;
}

export class ErrorNotice extends TypedElement<ErrorNoticeEvents> {
  static override properties = { error: { attribute: false } };

  static override styles = [
    base,
    code,
    css`
      .notice {
        display: flex;
        gap: 0.8rem;
        align-items: baseline;
        padding: 0.5rem 0.8rem;
        border-left: 3px solid var(--flame);
        border-radius: 3px;
        background: var(--glow);
        font-size: 0.92rem;
      }
      p {
        margin: 0;
        flex: 1;
        min-width: 0;
        overflow-wrap: anywhere;
      }
      button {
        font-size: 0.82rem;
        padding: 0.1em 0.7em;
      }
    `,
  ];

  declare error: { name: string; message: string } | null;

  constructor() {
    super();
    this.error = null;
  }

  override render() {
    return html`<div role="alert">${this.error ? this.#notice(this.error) : ""}</div>`;
  }

  #notice({ name, message }: { name: string; message: string }) {
    return html`<div class="notice">
      <p>${withCode(message)} <span class="soft">${ADVICE[name] ?? ""}</span></p>
      <button @click=${() => this.emit("error-dismiss")}>Dismiss</button>
    </div>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "error-notice": ErrorNotice;
  }
}
