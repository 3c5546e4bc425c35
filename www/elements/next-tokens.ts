// <next-tokens>: the most probable next tokens, and the controls of text generation.

import { css, html } from "lit";
import { formatLogProb, formatProbabilities, formatProbability } from "../draw/format.js";
import { announced, truncate, type Token } from "../draw/token.js";

import { TypedElement } from "./base.js";
import { clamp, Interaction, liveRegion, type Step } from "./interaction.js";
import { base } from "./styles.js";
import type { Alternative } from "../session/reading.js";

/** Options of `model.generate`. */
export interface Sampling {
  doSample: boolean;
  temperature: number;
  topK: number | undefined;
  topP: number | undefined;
  seed: number;
  maxNewTokens: number;
}

export interface NextTokensEvents {
  /** an alternative, and the position that it follows */
  "token-pick": Alternative & { after: number };
  generate: Sampling;
  "generate-stop": undefined;
  /** The settings after the visitor has changed one. */
  "sampling-change": Sampling;
}

/** What stands in a field that was emptied. */
const DEFAULTS: Record<string, number> = { temperature: 0.7, seed: 0, maxNewTokens: 40 };

export class NextTokens extends TypedElement<NextTokensEvents> {
  static override properties = {
    position: { type: Number },
    token: { attribute: false },
    truth: { type: Number },
    alternatives: { attribute: false },
    notFinite: { type: Boolean },
    sampling: { attribute: false },
    generating: { type: Boolean },
    disabled: { type: Boolean },
    note: { type: String },
    active: { state: true },
  };

  static override styles = [
    base,
    css`
      :host {
        max-width: 36rem;
      }
      h2 {
        margin: 0 0 0.3rem;
        font-size: 1rem;
        font-weight: 600;
      }
      .after {
        margin: 0 0 0.5rem;
        font-size: 0.88rem;
        color: var(--soft);
      }
      .after b {
        color: var(--ink);
        font-weight: 500;
        white-space: pre;
        background: var(--glow);
        border-radius: 3px;
        padding: 0.05em 0.25em;
      }
      .warning {
        margin: 0 0 0.5rem;
        padding: 0.4rem 0.6rem;
        border-left: 3px solid var(--flame);
        background: var(--glow);
        font-size: 0.88rem;
      }
      input[type="checkbox"] {
        accent-color: var(--flame);
      }
      ol {
        list-style: none;
        margin: 0;
        padding: 0;
        min-height: 15.5rem;
      }
      .one {
        position: relative;
        display: grid;
        grid-template-columns: 7.2rem 1fr 3.8rem;
        align-items: center;
        gap: 0.5rem;
        width: 100%;
        padding: 0.08rem 0.3rem;
        border: 1px solid transparent;
        border-radius: 4px;
        background: none;
        text-align: left;
        font-size: 0.84rem;
      }
      .one .name {
        white-space: pre;
        overflow: hidden;
        text-overflow: ellipsis;
      }
      .changed .one {
        grid-template-columns: 4.4rem 1fr max(7.7rem, 44%);
      }
      .one.true {
        background: var(--glow);
      }
      .bars {
        position: relative;
      }
      .was {
        position: absolute;
        inset: -2px auto -2px 0;
        border-right: 1px solid var(--ink);
      }
      .bar {
        height: 0.62rem;
        background: var(--flame);
        border-radius: 1px;
        min-width: 1px;
        print-color-adjust: exact;
      }
      .value {
        text-align: right;
        color: var(--soft);
      }
      form {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: 0.5rem;
        margin-top: 0.9rem;
        padding-top: 0.8rem;
        border-top: 1px solid var(--line);
        font-size: 0.88rem;
      }
      .pair {
        display: grid;
        grid-template-columns: repeat(2, minmax(0, 1fr));
        gap: 0.5rem 0.9rem;
      }
      label {
        display: flex;
        justify-content: space-between;
        align-items: center;
        gap: 0.5rem;
        color: var(--soft);
      }
      label input[type="number"] {
        width: 4.6rem;
        min-width: 0;
        font-family: var(--mono);
        font-size: 0.82rem;
        color: var(--ink);
      }
      label.wide input {
        flex: 1;
        min-width: 0;
        accent-color: var(--flame);
        padding: 0;
      }
      fieldset {
        display: contents;
      }
      .go {
        display: flex;
        align-items: center;
        gap: 0.6rem;
      }
      .go button {
        border-color: var(--flame);
        background: var(--glow);
        padding: 0.32em 1.1em;
      }
      .note {
        font-size: 0.82rem;
        color: var(--soft);
        margin: 0;
      }
    `,
  ];

  /** The position whose continuation this is. */
  declare position: number;
  declare token: Token;
  /** The id of the true next token; -1 at the end of the text. */
  declare truth: number;
  declare alternatives: readonly Alternative[];
  /** The model's output at this position is not finite, so there are no alternatives. */
  declare notFinite: boolean;
  declare sampling: Sampling;
  declare generating: boolean;
  declare disabled: boolean;
  declare note: string;
  /** The alternative in the tab order: all of them are one tab stop. */
  declare active: number;

  readonly interaction = new Interaction<number>(this, {
    start: () => this.active,
    move: (at: number, { rows, columns }: Step) => {
      if (Math.abs(columns) === 1) return null;
      return clamp(at + (rows || columns), this.alternatives.length);
    },
    onHover: (at) => {
      if (at !== null) this.active = at;
    },
    onSelect: (at) => this.emit("token-pick", { ...this.alternatives[at], after: this.position }),
    elements: {
      placeOf: ({ dataset }) => (dataset?.place === undefined ? null : Number(dataset.place)),
      elementOf: (at) => this.renderRoot.querySelector(`[data-place="${at}"]`),
    },
  });

  constructor() {
    super();
    this.position = -1;
    this.token = "";
    this.truth = -1;
    this.alternatives = [];
    this.notFinite = false;
    this.sampling = {
      doSample: true,
      temperature: 0.7,
      topK: undefined,
      topP: undefined,
      seed: 0,
      maxNewTokens: 40,
    };
    this.generating = false;
    this.disabled = false;
    this.note = "";
    this.active = 0;
  }

  override willUpdate(changed: Map<string, unknown>) {
    if (changed.has("alternatives") && this.active >= this.alternatives.length) this.active = 0;
    const wasGenerating = changed.get("generating");
    if (wasGenerating === false) this.interaction.announce("The model writes.");
    if (wasGenerating === true) this.interaction.announce("The model has stopped writing.");
  }

  override render() {
    return html`
      <h2>Next token</h2>
      ${
        this.position < 0
          ? html`<p class="after">appears after a text has been read</p>`
          : html`<p class="after">after token <span class="mono">${this.position}</span>, <b class="mono">${truncate(this.token, 18)}</b></p>`
      }
      ${this.notFinite ? html`<p class="warning" role="status">The model's output after this token is not a number, so no token is the likeliest.</p>` : ""}
      ${this.hasChanged ? html`<p class="after">probability before → now</p>` : ""}
      <ol aria-label="likeliest next tokens" class=${this.hasChanged ? "changed" : ""} @keydown=${this.interaction.onKeyDown}>${this.alternatives.map((one, at) => this.#alternative(one, at))}</ol>
      ${this.#controls()}
      ${liveRegion}
    `;
  }

  /** Whether the alternatives have probabilities without interventions beside those with them. */
  get hasChanged() {
    return this.alternatives.some((one) => one.before !== undefined);
  }

  #alternative(one: Alternative, at: number) {
    const probability = Math.exp(one.logProb);
    const before = one.before === undefined ? null : Math.exp(one.before);
    const isTrue = one.id === this.truth;
    const [first, now] =
      before === null
        ? ["", formatProbability(probability)]
        : formatProbabilities(before, probability);
    const label = `${announced(one.string)}, probability ${now}${before === null ? "" : `, before ${first}`}${isTrue ? ", the true next token" : ""}. Press to continue the text with it.`;
    return html`<li>
      <button class="one printed ${isTrue ? "true" : ""}" data-place=${at} tabindex=${at === this.active ? 0 : -1} title="log-probability ${formatLogProb(one.logProb)}${isTrue ? ", the true next token" : ""}" ?disabled=${this.generating || this.disabled} @focus=${() => this.interaction.hover(at)} @click=${() => this.interaction.choose(at)}>
        <span class="visually-hidden">${label}</span>
        <span class="name mono" aria-hidden="true">${truncate(one.string, 14)}</span>
        <span class="bars"><span class="bar" .style="display: block; width: ${barWidth(probability)}"></span>${before === null ? "" : html`<span class="was" .style="width: ${barWidth(before)}"></span>`}</span>
        <span class="value mono" aria-hidden="true">${before === null ? "" : `${first} → `}${now}</span>
      </button>
    </li>`;
  }

  #controls() {
    const { doSample, temperature, topK, topP, seed, maxNewTokens } = this.sampling;
    return html`<form @submit=${this.#onSubmit} @change=${this.#onChange} @input=${this.#onChange} aria-label="generation">
      <div class="go">
        <button type="submit" ?disabled=${this.disabled && !this.generating}>${this.generating ? "Stop" : "Generate"}</button>
        <label><input type="checkbox" name="doSample" .checked=${doSample} /> sample</label>
        <span class="soft">${doSample ? "" : "greedy: always the likeliest"}</span>
      </div>
      ${this.note ? html`<p class="note" role="status">${this.note}</p>` : ""}
      <fieldset ?disabled=${!doSample}>
        <label class="wide">temperature <input type="range" name="temperature" min="0.05" max="2" step="0.05" .value=${String(temperature)} /><span class="mono">${temperature.toFixed(2)}</span></label>
        <div class="pair">
          <label>top k <input type="number" name="topK" min="1" step="1" placeholder="all" .value=${topK === undefined ? "" : String(topK)} /></label>
          <label>top p <input type="number" name="topP" min="0.01" max="1" step="0.01" placeholder="1" .value=${topP === undefined ? "" : String(topP)} /></label>
        </div>
      </fieldset>
      <div class="pair">
        <label>seed <input type="number" name="seed" min="0" step="1" .value=${String(seed)} ?disabled=${!doSample} /></label>
        <label>tokens <input type="number" name="maxNewTokens" min="1" step="1" .value=${String(maxNewTokens)} /></label>
      </div>
    </form>`;
  }

  #onChange(event: Event) {
    const input = event.target as HTMLInputElement;
    const { name, value } = input;
    if (name !== "doSample" && value !== "" && !input.validity.valid) return;
    const setting =
      name === "doSample" ? input.checked : value === "" ? DEFAULTS[name] : Number(value);
    this.sampling = { ...this.sampling, [name]: setting };
    // A slider sends "input" for every step; the settings are chosen when it is released.
    if (event.type === "change") this.emit("sampling-change", this.sampling);
  }

  #onSubmit(event: Event) {
    event.preventDefault();
    if (this.generating) this.emit("generate-stop");
    else this.emit("generate", this.sampling);
  }
}

/** The CSS width of a bar; 0 for a value that is not finite. */
function barWidth(probability: number) {
  return Number.isFinite(probability) ? `${(100 * probability).toFixed(1)}%` : "0";
}

declare global {
  interface HTMLElementTagNameMap {
    "next-tokens": NextTokens;
  }
}
