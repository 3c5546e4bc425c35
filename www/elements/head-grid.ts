// <head-grid>: one signed number for each head. Layers run down, heads across; zero has the colour of the paper.

import { css, html, nothing } from "lit";

import { decimalsFor, formatSigned, inkOnSigned, signedColour } from "../draw/bars.js";
import { formatShort } from "../draw/format.js";
import { countNotFinite, stripes } from "../draw/not-finite.js";
import { TypedElement } from "./base.js";
import { headElements, isSameHead, type Head } from "./heads.js";
import { clamp, Interaction, liveRegion } from "./interaction.js";
import { base, figure } from "./styles.js";
import { ThemeController } from "./theme.js";
import { maxAbs, type Tensor } from "../draw/matrix.js";

export interface HeadGridEvents {
  "head-hover": Head | null;
  "head-select": Head;
}

/** Cells of a row with at most this many heads have room for their numbers. */
const MAX_WITH_NUMBERS = 16;

export class HeadGrid extends TypedElement<HeadGridEvents> {
  static override properties = {
    values: { attribute: false },
    layer: { type: Number },
    head: { type: Number },
    label: { type: String },
    unit: { type: String },
  };

  static override styles = [
    base,
    figure,
    css`
      :host {
        container-type: inline-size;
      }
      .scroll {
        overflow-x: auto;
        scrollbar-width: thin;
        padding: 4px;
      }
      .row {
        display: flex;
        gap: 2px;
        margin-bottom: 2px;
        width: max-content;
      }
      .layer,
      .column {
        flex: none;
        font-size: 0.75rem;
        color: var(--soft);
        display: grid;
        place-items: center;
      }
      .layer {
        width: 2.2em;
      }
      .column,
      .cell {
        width: var(--cell);
      }
      .cell {
        flex: none;
        height: 1.7rem;
        display: grid;
        place-items: center;
        font-size: 0.7rem;
        border-radius: 3px;
        cursor: pointer;
        print-color-adjust: exact;
        forced-color-adjust: none;
      }
      .cell:hover {
        box-shadow: 0 0 0 1px var(--soft);
      }
      .cell[aria-selected="true"] {
        box-shadow: 0 0 0 2px var(--paper), 0 0 0 4px var(--flame);
      }
      .readout {
        min-height: 1.5em;
        margin: 0.3rem 0 0;
        font-size: 0.88rem;
      }
    `,
  ];

  /** Axes `layer head`. */
  declare values: Tensor | null;
  /** The selected head. */
  declare layer: number;
  declare head: number;
  /** What the numbers are, for screen readers and the legend. */
  declare label: string;
  declare unit: string;
  #theme = new ThemeController(this);
  readonly interaction: Interaction<Head> = new Interaction(this, {
    start: () => ({ layer: this.layer, head: this.head }),
    move: ({ layer, head }, { rows, columns }) => {
      const [layers, heads] = this.values?.shape ?? [1, 1];
      return { layer: clamp(layer + rows, layers), head: clamp(head + columns, heads) };
    },
    onHover: (head) => {
      this.emit("head-hover", head);
      this.requestUpdate();
    },
    describe: (head) => this.describe(head),
    onSelect: (head) => this.emit("head-select", head),
    elements: headElements(this),
  });

  constructor() {
    super();
    this.values = null;
    this.layer = 0;
    this.head = 0;
    this.label = "";
    this.unit = "";
  }

  valueAt({ layer, head }: Head) {
    return this.values ? this.values.data[layer * this.values.shape[1] + head] : NaN;
  }

  /** A head in words, with every digit of its value. */
  describe(head: Head) {
    return `head ${head.layer}.${head.head}, ${formatShort(this.valueAt(head), 7)}${this.unit ? ` ${this.unit}` : ""}`;
  }

  override render() {
    const { values } = this;
    if (!values) return "";
    const [layers, heads] = values.shape;
    const max = maxAbs({ data: values.data, rows: layers, columns: heads });
    const decimals = Math.min(2, decimalsFor(max));
    const end = formatShort(max || 1, 3);
    const broken = countNotFinite(values.data);
    const all = Array.from({ length: heads }, (_, head) => head);
    const { hovered } = this.interaction;
    return html`
      <div class="scroll" .style="--cell: ${heads > MAX_WITH_NUMBERS ? "1.7rem" : `clamp(2.3rem, calc((100cqi - 3.2rem) / ${heads} - 2px), 4.4rem)`}" role="grid" aria-label="${this.label}, by layer and head" @keydown=${this.interaction.onKeyDown} @focusout=${this.interaction.onFocusOut}>
        <div class="row" role="row" aria-hidden="true"><span class="layer"></span>${all.map((head) => html`<span class="column mono">H${head}</span>`)}</div>
        ${Array.from(
          { length: layers },
          (_, layer) =>
            html`<div class="row" role="row"><span class="layer mono" role="rowheader" aria-label="layer ${layer}">L${layer}</span>${all.map((head) => this.#cell({ layer, head }, max, decimals))}</div>`,
        )}
      </div>
      <p class="readout mono">${hovered ? this.describe(hovered) : ""}</p>
      <div class="below"><color-legend
        signed
        from="−${end}"
        to=${end}
        .text=${`${this.label}${this.unit ? `, ${this.unit}` : ""}`}
        .notFinite=${broken > 0 ? `not finite: ${broken} heads` : ""}
      ></color-legend></div>
      ${liveRegion}
    `;
  }

  #cell(head: Head, max: number, decimals: number) {
    const value = this.valueAt(head);
    const { theme } = this.#theme;
    const colour = signedColour(value, max, theme);
    const style = colour
      ? `background: ${colour}; color: ${inkOnSigned(value, max, theme)}`
      : `background: ${stripes(theme)}`;
    const isSelected = isSameHead(head, this);
    const isWritten = colour !== null && (this.values?.shape[1] ?? 0) <= MAX_WITH_NUMBERS;
    return html`<div
      class="cell mono"
      .style=${style}
      role="gridcell"
      tabindex=${isSelected ? 0 : -1}
      aria-selected=${isSelected}
      aria-label=${isWritten ? nothing : this.describe(head)}
      aria-description=${this.describe(head)}
      data-layer=${head.layer}
      data-head=${head.head}
      @pointerenter=${() => this.interaction.hover(head)}
      @pointerleave=${this.interaction.leave}
      @focus=${() => this.interaction.hover(head)}
      @click=${() => this.interaction.choose(head)}
    >${isWritten ? formatSigned(value, decimals).replace(/^\+/, "") : ""}</div>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "head-grid": HeadGrid;
  }
}
