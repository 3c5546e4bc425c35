// <load-progress>: how far the load of a model is: its stage, file, bytes, rate and the time left.

import { css, html } from "lit";

import { formatBytes } from "../draw/format.js";
import { formatLeft, Rate } from "../session/rate.js";
import { TypedElement } from "./base.js";
import { base } from "./styles.js";

/** What happens in each stage. */
const STAGES: Record<string, string> = {
  config: "reading the config",
  tokenizer: "reading the tokenizer",
  download: "downloading",
  weights: "reading the weights",
};
/** The rate and the time left change once in this time. */
const REFRESH_MS = 1000;
/** A screen reader hears how far the load is at these shares of a file, and when the stage changes. */
const ANNOUNCED_SHARE = 0.25;

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
      .load {
        display: grid;
        gap: 0.3rem;
        padding: 0.5rem 0.8rem;
        border: 1px solid var(--line);
        border-radius: 5px;
        background: var(--sheet);
      }
      .line {
        display: flex;
        flex-wrap: wrap;
        align-items: baseline;
        gap: 0.1rem 0.8rem;
      }
      .name {
        overflow-wrap: anywhere;
      }
      .numbers {
        font-size: 0.82rem;
      }
      .file {
        overflow-wrap: anywhere;
      }
      button {
        margin-left: auto;
      }
      progress {
        width: 100%;
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

  #rate = new Rate();
  #timer = 0;
  /** What was announced last: a stage and a part of its file. */
  #announced = "";
  #sentence = "";
  /** The rate and the time left as they are shown. */
  #estimate = "";
  #estimatedAt = -Infinity;

  override disconnectedCallback() {
    super.disconnectedCallback();
    this.#stop();
  }

  override willUpdate() {
    if (this.stage === "") return this.#stop();
    this.#timer ||= window.setInterval(() => this.requestUpdate(), REFRESH_MS);
    const now = performance.now();
    this.#rate.add(now, `${this.stage} ${this.file}`, this.loaded);
    if (now - this.#estimatedAt >= REFRESH_MS) {
      this.#estimatedAt = now;
      this.#estimate = this.#estimated();
    }
    const part = Math.floor((this.#share ?? 0) / ANNOUNCED_SHARE);
    const key = `${this.stage} ${part}`;
    if (key === this.#announced) return;
    this.#announced = key;
    const share = part > 0 ? `, ${Math.round(100 * part * ANNOUNCED_SHARE)} percent` : "";
    this.#sentence = `Loading ${this.name}: ${this.#stageName}${share}`;
  }

  /** The load has ended; the next one starts from zero. */
  #stop() {
    clearInterval(this.#timer);
    this.#timer = 0;
    this.#rate = new Rate();
    this.#announced = "";
    this.#sentence = "";
    this.#estimate = "";
    this.#estimatedAt = -Infinity;
  }

  /** The share of the file that is there; null if its size is not known. */
  get #share() {
    return this.total !== null && this.total > 0 ? Math.min(1, this.loaded / this.total) : null;
  }

  get #stageName() {
    return STAGES[this.stage] ?? this.stage;
  }

  /** "3.1 MB a second, about 30 s left" */
  #estimated() {
    const { total } = this;
    const rate = this.#rate.perSecond;
    if (rate === null || this.#share === 1) return "";
    const speed = `${formatBytes(Math.round(rate))} a second`;
    if (this.#share === null) return speed;
    return `${speed}, ${formatLeft(this.#rate.left(total as number) ?? 0)}`;
  }

  /** "12.4 MB of 115 MB" */
  get #amount() {
    const { loaded, total } = this;
    if (this.#share !== null) return `${formatBytes(loaded)} of ${formatBytes(total as number)}`;
    return loaded > 0 ? formatBytes(loaded) : "";
  }

  override render() {
    const file = decoded(this.file.split("/").at(-1) ?? "");
    const label = `loading ${this.name}`;
    return html`<div class="load">
      <div class="line">
        <span class="name">Loading ${this.name}${this.stage ? html`<span class="soft">: ${this.#stageName}</span>` : ""}</span>
        <button @click=${() => this.emit("load-cancel")}>Cancel</button>
      </div>
      ${
        this.#share === null
          ? html`<progress aria-label=${label}></progress>`
          : html`<progress aria-label=${label} max=${this.total as number} .value=${this.loaded}></progress>`
      }
      <div class="line soft numbers">
        <span class="file mono">${file}</span> <span class="mono">${this.#amount}</span> <span class="estimate">${this.#estimate}</span>
      </div>
      <span class="visually-hidden" role="status">${this.#sentence}</span>
    </div>`;
  }
}

/** A name from an address. */
function decoded(name: string) {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "load-progress": LoadProgress;
  }
}
