// <load-progress>: how many bytes of a model have been loaded.

import { css, html } from "lit";

import { formatBytes } from "../draw/format.js";
import { TypedElement } from "./base.js";
import { base } from "./styles.js";

export interface LoadProgressEvents {
  "load-cancel": undefined;
}

export class LoadProgress extends TypedElement<LoadProgressEvents> {
  static override properties = {
    stage: { type: String },
    file: { type: String },
    loaded: { type: Number },
    total: { type: Number },
    name: { type: String },
  };

  static override styles = [
    base,
    css`
      :host {
        font-size: 0.88rem;
        animation: appear 0s 200ms both; /* a short load shows no bar */
      }
      @keyframes appear {
        from {
          visibility: hidden;
        }
      }
      .line {
        display: flex;
        align-items: center;
        gap: 0.8rem;
      }
      progress {
        flex: 1;
        min-width: 3rem;
        height: 4px;
        border: 0;
        border-radius: 2px;
        overflow: hidden;
        background: var(--line);
        accent-color: var(--flame);
        appearance: none;
      }
      progress::-webkit-progress-bar {
        background: var(--line);
      }
      progress::-webkit-progress-value {
        background: var(--flame);
      }
      progress::-moz-progress-bar {
        background: var(--flame);
      }
      button {
        font-size: 0.82rem;
        padding: 0.1em 0.7em;
      }
    `,
  ];

  declare name: string;
  declare stage: string;
  declare file: string;
  declare loaded: number;
  declare total: number | null;

  constructor() {
    super();
    this.name = "";
    this.stage = "";
    this.file = "";
    this.loaded = 0;
    this.total = null;
  }

  override render() {
    const known = this.total !== null && this.total > 0;
    const amount = known
      ? `${formatBytes(this.loaded)} of ${formatBytes(this.total as number)}`
      : this.loaded > 0
        ? formatBytes(this.loaded)
        : "";
    return html`<div class="line">
      <span>Loading ${this.name}</span>
      ${
        known
          ? html`<progress aria-label="loading ${this.name}" max=${this.total as number} .value=${this.loaded}></progress>`
          : html`<progress aria-label="loading ${this.name}"></progress>`
      }
      <span class="mono soft">${this.file.split("/").at(-1)} ${amount}</span>
      <button @click=${() => this.emit("load-cancel")}>Cancel</button>
    </div>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "load-progress": LoadProgress;
  }
}
