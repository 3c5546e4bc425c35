// <bar-list>: a list of numbers as bars on both sides of zero. A bar can be selected, and its exact value is shown on demand.

import { css, html } from "lit";
import { repeat } from "lit/directives/repeat.js";

import { barColour, decimalsFor, formatSigned, spanOf, trackOf, type Track } from "../draw/bars.js";
import { formatShort } from "../draw/format.js";
import { stripes } from "../draw/not-finite.js";
import { announced, pieces, type Piece, type Token } from "../draw/token.js";
import { TypedElement } from "./base.js";
import { clamp, Interaction, liveRegion } from "./interaction.js";
import { base } from "./styles.js";
import { ThemeController } from "./theme.js";

export interface Bar {
  /** Distinguishes the bars of a list. */
  key: string;
  /** What stands before the bar. */
  name: string;
  /** A token that follows the name. */
  token?: Token;
  value: number;
  /** What else is said about the bar when it is hovered. */
  detail?: string;
}

export interface BarListEvents {
  /** the key of the hovered bar */
  "bar-hover": string | null;
  "bar-select": string;
}

export class BarList extends TypedElement<BarListEvents> {
  static override properties = {
    bars: { attribute: false },
    label: { type: String },
    unit: { type: String },
    selected: { type: String },
    selectable: { type: Boolean },
    unsigned: { type: Boolean },
    reference: { type: Number },
  };

  static override styles = [
    base,
    css`
      :host {
        position: relative;
      }
      .list {
        margin: 0;
        padding: 3px;
      }
      .row {
        display: grid;
        grid-template-columns: minmax(0, min(var(--bar-name, 11rem), 42%)) minmax(2.5rem, 1fr) 5.2rem;
        align-items: center;
        gap: 0.6rem;
        padding: 0.06rem 0.35rem;
        border-radius: 4px;
        font-size: 0.84rem;
        line-height: 1.45;
      }
      .selectable .row {
        cursor: pointer;
      }
      .row:hover,
      .row[data-here] {
        background: color-mix(in oklch, var(--glow) 60%, transparent);
      }
      .row[aria-selected="true"] {
        background: var(--glow);
        box-shadow: inset 3px 0 0 var(--flame);
      }
      .name {
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: pre;
      }
      .glyph {
        color: var(--soft);
      }
      .track {
        position: relative;
        height: 0.82em;
      }
      .zero {
        position: absolute;
        inset: -0.2em auto -0.2em;
        border-left: 1px solid var(--soft);
      }
      .reference {
        position: absolute;
        inset: -0.2em auto -0.2em;
        border-left: 1px dashed var(--ink);
      }
      .bar {
        position: absolute;
        inset: 0 auto;
        min-width: 1px;
        border-radius: 1px;
        print-color-adjust: exact;
        forced-color-adjust: none;
      }
      .broken {
        inset: 0;
      }
      .value {
        text-align: right;
        white-space: nowrap;
      }
      .readout {
        min-height: 1.5em;
        margin: 0.3rem 0 0;
        font-size: 0.88rem;
        overflow-wrap: anywhere;
      }
    `,
  ];

  declare bars: readonly Bar[];
  /** What the list is, for screen readers. */
  declare label: string;
  /** The unit of the values, such as "logits". */
  declare unit: string;
  /** The key of the selected bar; empty for none. */
  declare selected: string;
  /** A click, Enter or Space selects a bar. */
  declare selectable: boolean;
  /** Positive values have no plus sign. */
  declare unsigned: boolean;
  /** A value that every bar is compared with, such as that of chance; null for none. */
  declare reference: number | null;
  #theme = new ThemeController(this);
  readonly interaction: Interaction<number> = new Interaction(this, {
    start: () => this.#start,
    move: (from, { rows, columns }) => clamp(from + rows + columns, this.bars.length),
    onHover: (at) => {
      this.emit("bar-hover", at === null ? null : this.bars[at].key);
      this.requestUpdate();
    },
    describe: (at) => this.describe(this.bars[at]),
    onSelect: (at) => {
      if (this.selectable) this.emit("bar-select", this.bars[at].key);
    },
    elements: {
      placeOf: ({ dataset }) => (dataset?.index === undefined ? null : Number(dataset.index)),
      elementOf: (at) => this.renderRoot.querySelector(`[data-index="${at}"]`),
    },
  });

  constructor() {
    super();
    this.bars = [];
    this.label = "";
    this.unit = "";
    this.selected = "";
    this.selectable = false;
    this.unsigned = false;
    this.reference = null;
  }

  get #start() {
    return Math.max(
      0,
      this.bars.findIndex(({ key }) => key === this.selected),
    );
  }

  override willUpdate() {
    this.interaction.prune((at) => at < this.bars.length);
  }

  override render() {
    const values = this.bars.map(({ value }) => value);
    const track = trackOf(this.reference === null ? values : [...values, this.reference]);
    const max = Math.max(0, ...values.filter(Number.isFinite).map(Math.abs));
    const decimals = decimalsFor(max);
    const inTabOrder = this.interaction.hovered ?? this.#start;
    return html`
      <div class="list mono ${this.selectable ? "selectable" : ""}" role="listbox" aria-label=${this.label} @keydown=${this.interaction.onKeyDown} @pointerleave=${this.interaction.leave} @focusout=${this.interaction.onFocusOut}>
        ${repeat(
          this.bars,
          ({ key }) => key,
          (bar, at) => this.#row(bar, at, at === inTabOrder, track, decimals),
        )}
      </div>
      <p class="readout mono">${this.#readout()}</p>
      ${liveRegion}
    `;
  }

  #row(bar: Bar, at: number, isInTabOrder: boolean, track: Track, decimals: number) {
    const span = spanOf(bar.value, track);
    const { theme } = this.#theme;
    const style = span
      ? `left: ${percent(span.start)}; width: ${percent(span.width)}; background: ${barColour(bar.value, theme)}`
      : `width: 100%; background: ${stripes(theme)}`;
    return html`<div
      class="row"
      role="option"
      aria-selected=${this.selected !== "" && bar.key === this.selected}
      aria-description=${this.describe(bar)}
      tabindex=${isInTabOrder ? 0 : -1}
      data-index=${at}
      data-key=${bar.key}
      ?data-here=${at === this.interaction.hovered}
      @pointerenter=${() => this.interaction.hover(at)}
      @focus=${this.#onFocus}
      @click=${() => this.interaction.choose(at)}
    ><span class="name">${bar.name}${bar.token === undefined ? "" : html` ${pieces(bar.token).map(renderPiece)}`}</span><span class="track"><span class="bar ${span ? "" : "broken"}" .style=${style}></span><span class="zero" .style="left: ${percent(track.zero)}"></span>${this.reference === null ? "" : html`<span class="reference" .style="left: ${percent(track.zero + this.reference * track.unit)}"></span>`}</span><span class="value">${this.unsigned ? formatSigned(bar.value, decimals).replace(/^\+/, "") : formatSigned(bar.value, decimals)}</span></div>`;
  }

  /** A bar in words, with every digit. */
  describe({ name, token, value, detail }: Bar) {
    const what = token === undefined ? name : `${name} ${announced(token)}`;
    return [`${what}, ${formatShort(value, 7)}${this.unit ? ` ${this.unit}` : ""}`, detail]
      .filter(Boolean)
      .join(", ");
  }

  #readout() {
    const { hovered } = this.interaction;
    return hovered === null ? "" : this.describe(this.bars[hovered]);
  }

  /** Focus by the keyboard counts as hovering. */
  #onFocus(event: FocusEvent) {
    const element = event.currentTarget as HTMLElement;
    if (element.matches(":focus-visible")) this.interaction.hover(Number(element.dataset.index));
  }
}

function percent(share: number) {
  return `${(100 * share).toFixed(3)}%`;
}

function renderPiece({ kind, glyph }: Piece) {
  return kind === "text" ? glyph : html`<span class="glyph">${glyph}</span>`;
}

declare global {
  interface HTMLElementTagNameMap {
    "bar-list": BarList;
  }
}
