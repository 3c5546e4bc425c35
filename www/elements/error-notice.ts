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

/** A policy of the page stops the same request again, and its message says what to do. */
function adviceOn(name: string, message: string) {
  return message.includes("Content-Security-Policy") ? "" : (ADVICE[name] ?? "");
}

export interface ErrorNoticeEvents {
  "error-dismiss": undefined;
  /** what failed is wanted again */
  "error-retry": undefined;
}

export class ErrorNotice extends TypedElement<ErrorNoticeEvents> {
  static override properties = {
    error: { attribute: false },
    stays: { type: Boolean },
    retries: { type: Boolean },
  };

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
  /** It cannot be dismissed, because nothing else says why what it is about is missing. */
  declare stays: boolean;
  /** The owner can try again. */
  declare retries: boolean;

  constructor() {
    super();
    this.error = null;
    this.stays = false;
    this.retries = false;
  }

  override render() {
    return html`<div role="alert">${this.error ? this.#notice(this.error) : ""}</div>`;
  }

  #notice({ name, message }: { name: string; message: string }) {
    return html`<div class="notice">
      <p>${withCode(message)} <span class="soft">${adviceOn(name, message)}</span></p>
      ${this.retries ? html`<button @click=${() => this.emit("error-retry")}>Try again</button>` : ""}
      ${this.stays ? "" : html`<button @click=${() => this.emit("error-dismiss")}>Dismiss</button>`}
    </div>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "error-notice": ErrorNotice;
  }
}
