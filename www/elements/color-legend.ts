// <color-legend>: a colour scale with the values at its ends, what it shows, and a switch between linear and square root.

import { css, html } from "lit";

import { signedGradient } from "../draw/diverging.js";
import { stripes } from "../draw/not-finite.js";
import { gradient, type Stretch } from "../draw/scale.js";
import { TypedElement } from "./base.js";
import { base } from "./styles.js";
import { ThemeController } from "./theme.js";

export interface ColorLegendEvents {
  "scale-change": Stretch;
}

export class ColorLegend extends TypedElement<ColorLegendEvents> {
  static override properties = {
    from: { type: String },
    to: { type: String },
    text: { type: String },
    detail: { type: String },
    dot: { type: String },
    notFinite: { type: String },
    signed: { type: Boolean },
    range: { attribute: false },
    scale: { type: String },
  };

  static override styles = [
    base,
    css`
      :host {
        display: contents;
        font-size: inherit;
      }
      .legend {
        display: flex;
        flex-wrap: var(--legend-wrap, wrap);
        min-width: 0; /* narrower than the ramp's own width in a narrow column */
        align-items: center;
        gap: 0.4rem;
        color: var(--soft);
      }
      .ramp {
        width: var(--ramp-width, 8.5rem);
        max-width: 100%;
        height: var(--ramp-height, 0.72rem);
        border-radius: 2px;
        box-shadow: 0 0 0 1px var(--line);
        print-color-adjust: exact;
      }
      .ramp.signed {
        position: relative;
      }
      .ramp.signed::after {
        content: "";
        position: absolute;
        left: var(--zero, 50%);
        top: 100%;
        height: 4px;
        border-left: 1px solid var(--soft);
      }
      .ramp,
      .swatch {
        forced-color-adjust: none;
      }
      .swatch {
        width: 1.4em;
        height: 0.8em;
        border: 1px solid var(--line);
        print-color-adjust: exact;
      }
      .dot {
        display: inline-block;
        width: 5px;
        height: 5px;
        border-radius: 50%;
        background: currentColor;
        vertical-align: middle;
      }
      @media (forced-colors: active) {
        .dot {
          forced-color-adjust: none;
          background: CanvasText;
        }
      }
      button {
        display: var(--buttons, inline-block);
        font-size: 0.8rem;
        padding: 0.12em 0.65em;
      }
    `,
  ];

  /** The values at the ends of the scale. */
  declare from: string;
  declare to: string;
  /** The quantity. */
  declare text: string;
  /** What else there is to know about the colours. */
  declare detail: string;
  /** What a dot in a cell means. */
  declare dot: string;
  /** How many values are striped because they are not finite. */
  declare notFinite: string;
  /** The scale of signed numbers, with zero in the middle. */
  declare signed: boolean;
  /** The first and the last level of signed numbers whose limits are not symmetric; null for all levels. */
  declare range: readonly [number, number] | null;
  /** Whether colours are linear in the value or in its square root. Without it there is no switch. */
  declare scale: Stretch | null;
  #theme = new ThemeController(this);

  constructor() {
    super();
    this.from = "0";
    this.to = "1";
    this.text = "";
    this.detail = "";
    this.dot = "";
    this.notFinite = "";
    this.signed = false;
    this.range = null;
    this.scale = null;
  }

  /** The legend in words. */
  get words() {
    const stretch = this.scale && (this.scale === "sqrt" ? "square root" : "linear");
    const quantity = [this.text, stretch].filter(Boolean).join(", ");
    return [quantity, this.detail].filter(Boolean).join("; ");
  }

  override render() {
    const { theme } = this.#theme;
    const signed = this.signed ? signedGradient(theme, this.range ?? undefined) : null;
    const ramp = signed?.gradient ?? gradient(theme);
    const zero = signed?.zero ?? null;
    const spoken = [this.words, this.dot && `a dot: ${this.dot}`, this.notFinite];
    const label = `colour scale from ${this.from} to ${this.to}: ${spoken.filter(Boolean).join("; ")}`;
    return html`
      <span class="legend" role="img" aria-label=${label}>
        <span class="mono">${this.from}</span><span class="ramp ${zero === null ? "" : "signed"}" .style="background: ${ramp}; --zero: ${100 * (zero ?? 0)}%"></span><span class="mono">${this.to}</span>
        <span>${this.words}</span>
        ${this.dot ? html`<span>· <span class="dot"></span> ${this.dot}</span>` : ""}
        ${this.notFinite ? html`<span class="swatch" .style="background: ${stripes(theme)}"></span><span>${this.notFinite}</span>` : ""}
      </span>
      ${this.scale === null ? "" : this.#switch(this.scale)}
    `;
  }

  #switch(scale: Stretch) {
    const other = scale === "sqrt" ? "linear" : "sqrt";
    return html`<button aria-pressed=${scale === "sqrt"} title="Makes small values more visible" @click=${() => this.emit("scale-change", other)}>square root</button>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "color-legend": ColorLegend;
  }
}
