// <value-columns>: a few positive numbers as columns, such as the singular values of a matrix.

import { css, html, svg } from "lit";

import { formatShort } from "../draw/format.js";
import { countNotFinite } from "../draw/not-finite.js";
import { columnsOf } from "../draw/spectrum.js";
import { TypedElement } from "./base.js";
import { clamp, Interaction, liveRegion } from "./interaction.js";
import { base } from "./styles.js";

export interface ValueColumnsEvents {
  "value-hover": number | null;
}

const WIDTH = 320;
const HEIGHT = 72;

export class ValueColumns extends TypedElement<ValueColumnsEvents> {
  static override properties = {
    values: { attribute: false },
    label: { type: String },
    name: { type: String },
    marked: { type: Number },
  };

  static override styles = [
    base,
    css`
      svg {
        display: block;
        width: 100%;
        max-width: ${WIDTH}px;
        border-bottom: 1px solid var(--soft);
      }
      .column {
        fill: var(--soft);
        forced-color-adjust: none;
      }
      .marked {
        fill: var(--flame);
      }
      .broken {
        fill: none;
        stroke: var(--flame);
        stroke-dasharray: 2 2;
      }
      .target {
        fill: transparent;
        outline: none;
      }
      .node:focus-visible {
        outline: 2px solid var(--flame);
      }
      .node[data-here] .column {
        fill: var(--ink);
      }
      .readout {
        min-height: 1.5em;
        margin: 0.25rem 0 0;
        font-size: 0.86rem;
      }
    `,
  ];

  declare values: ArrayLike<number>;
  /** What the values are. */
  declare label: string;
  /** What one value is called, such as "singular value". */
  declare name: string;
  /** This many columns from the left are marked. */
  declare marked: number;
  readonly interaction: Interaction<number> = new Interaction(this, {
    start: () => 0,
    move: (from, { rows, columns }) => clamp(from + rows + columns, this.values.length),
    onHover: (at) => {
      this.emit("value-hover", at);
      this.requestUpdate();
    },
    describe: (at) => this.describe(at),
    elements: {
      placeOf: ({ dataset }) => (dataset?.index === undefined ? null : Number(dataset.index)),
      elementOf: (at) => this.renderRoot.querySelector(`[data-index="${at}"]`),
    },
  });

  constructor() {
    super();
    this.values = [];
    this.label = "";
    this.name = "value";
    this.marked = 0;
  }

  describe(at: number) {
    return `${this.name} ${at}: ${formatShort(this.values[at], 7)}`;
  }

  #broken() {
    const count = countNotFinite(this.values);
    return count > 0 ? `dashed: ${count} of ${this.values.length} are not finite` : "";
  }

  override willUpdate() {
    this.interaction.prune((at) => at < this.values.length);
  }

  override render() {
    const columns = columnsOf(this.values, WIDTH, HEIGHT);
    const { hovered } = this.interaction;
    return html`
      <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="listbox" aria-label=${this.label} @keydown=${this.interaction.onKeyDown} @pointerleave=${this.interaction.leave} @focusout=${this.interaction.onFocusOut}>
        ${columns.map(
          ({ x, y, width, height }, at) => svg`<g
            class="node"
            role="option"
            aria-selected="false"
            aria-label=${this.describe(at)}
            tabindex=${at === (hovered ?? 0) ? 0 : -1}
            data-index=${at}
            ?data-here=${at === hovered}
            @pointerenter=${() => this.interaction.hover(at)}
            @focus=${this.#onFocus}
          ><rect class="target" x=${x} y="0" width=${width} height=${HEIGHT}></rect><rect class="column ${at < this.marked ? "marked" : ""} ${Number.isFinite(this.values[at]) ? "" : "broken"}" x=${x} y=${y} width=${width} height=${height}></rect></g>`,
        )}
      </svg>
      <p class="readout mono">${hovered === null ? this.#broken() : this.describe(hovered)}</p>
      ${liveRegion}
    `;
  }

  #onFocus(event: FocusEvent) {
    const element = event.currentTarget as SVGElement;
    if (element.matches(":focus-visible")) this.interaction.hover(Number(element.dataset.index));
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "value-columns": ValueColumns;
  }
}
