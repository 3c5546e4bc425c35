// <model-report>: what the load reports about a model's files. Numbers that are not finite are visible at once, the rest
// on request.

import { css, html, LitElement } from "lit";
import type { Notice } from "../api/generated.js";
import { formatCount } from "../draw/format.js";

import { base } from "./styles.js";

/** The titles of the kinds. */
const KINDS: Record<string, string> = {
  nonFinite: "not a number",
  ignored: "not used",
  used: "used",
  assumed: "assumed",
};

export class ModelReport extends LitElement {
  static override properties = { notices: { attribute: false } };

  static override styles = [
    base,
    css`
      :host {
        font-size: 0.92rem;
      }
      .warning,
      details {
        margin: 0.4rem 0;
        padding: 0.5rem 0.8rem;
        border: 1px solid var(--line);
        border-radius: 5px;
      }
      .warning {
        border: 0;
        border-left: 3px solid var(--flame);
        background: var(--glow);
      }
      p {
        margin: 0 0 0.25rem;
        font-weight: 600;
      }
      ul {
        margin: 0;
        padding: 0;
        list-style: none;
      }
      .warning ul {
        max-height: 9rem;
        overflow: auto;
      }
      li {
        padding: 0.12rem 0;
        overflow-wrap: anywhere;
      }
      .kind {
        padding: 0 0.4em;
        border: 1px solid var(--line);
        border-radius: 3px;
        font-size: 0.82rem;
        color: var(--soft);
      }
      summary {
        cursor: pointer;
      }
      details ul {
        margin-top: 0.4rem;
      }
    `,
  ];

  declare notices: readonly Notice[];

  constructor() {
    super();
    this.notices = [];
  }

  override render() {
    const warnings = this.notices.filter(({ kind }) => kind === "nonFinite");
    const others = this.notices.filter(({ kind }) => kind !== "nonFinite");
    return html`
      ${
        warnings.length > 0
          ? html`<div class="warning" role="status"><p>This model holds numbers that are not finite.</p><ul tabindex="0" aria-label="tensors with numbers that are not finite">${warnings.map((one) => this.#notice(one))}</ul></div>`
          : ""
      }
      ${
        others.length > 0
          ? html`<details><summary>${others.length} ${others.length === 1 ? "remark" : "remarks"} on this model's files</summary><ul>${others.map((one) => this.#notice(one))}</ul></details>`
          : ""
      }
    `;
  }

  #notice({ kind, name, message, count }: Notice) {
    return html`<li><span class="kind">${KINDS[kind] ?? kind}</span> <span class="mono">${name}</span>${count === undefined ? "" : html` <span class="soft">(${formatCount(count)})</span>`} ${message}</li>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "model-report": ModelReport;
  }
}
