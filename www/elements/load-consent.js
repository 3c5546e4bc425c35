// <load-consent>: asks before a model that a link names is loaded from another host.

import { css, html, LitElement } from "lit";

import { base, define, send } from "./base.js";

/** @typedef {{ source: string, name: string, host: string }} LoadRequest */

export class LoadConsent extends LitElement {
  static properties = { request: { attribute: false } };

  static styles = [
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

  constructor() {
    super();
    /** @type {LoadRequest | null} */
    this.request = null;
  }

  render() {
    return html`<div role="alert">${this.request ? this.#question(this.request) : ""}</div>`;
  }

  /** @param {LoadRequest} request */
  #question({ source, name, host }) {
    /** @param {SubmitEvent} event */
    const accept = (event) => {
      event.preventDefault();
      const keep = new FormData(/** @type {HTMLFormElement} */ (event.target)).has("keep");
      send(this, "load-consent", { source, name, keep });
    };
    return html`<form class="question" @submit=${accept}>
      <p>This link asks for a model from <strong>${host}</strong>, which is another site: <span class="mono">${source}</span>. Nothing has been requested from it. If you load it, that site sees your network address.</p>
      <div class="choices">
        <button type="submit">Load from ${host}</button>
        <button type="button" @click=${() => send(this, "load-refuse")}>Do not load</button>
        <label><input type="checkbox" name="keep" /> keep it in this browser for later visits</label>
      </div>
    </form>`;
  }
}

define("load-consent", LoadConsent);
