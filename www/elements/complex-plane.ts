// <complex-plane>: complex numbers as points, such as the eigenvalues of a matrix.

import { css, html, svg } from "lit";

import { formatShort } from "../draw/format.js";
import { planeOf } from "../draw/spectrum.js";
import { TypedElement } from "./base.js";
import { clamp, Interaction, liveRegion } from "./interaction.js";
import { base } from "./styles.js";

export interface ComplexPlaneEvents {
  "value-hover": number | null;
}

const SIZE = 200;
const MARGIN = 12;

export class ComplexPlane extends TypedElement<ComplexPlaneEvents> {
  static override properties = {
    parts: { attribute: false },
    label: { type: String },
    name: { type: String },
  };

  static override styles = [
    base,
    css`
      svg {
        display: block;
        width: 100%;
        max-width: ${SIZE}px;
        border: 1px solid var(--line);
        border-radius: 3px;
      }
      .axis {
        stroke: var(--line);
      }
      text {
        font-family: var(--mono);
        font-size: 9px;
        fill: var(--soft);
      }
      .point {
        fill: var(--flame);
        fill-opacity: 0.65;
        outline: none;
        forced-color-adjust: none;
      }
      .point[data-here] {
        fill: var(--ink);
        fill-opacity: 1;
      }
      .point:focus-visible {
        stroke: var(--flame);
        stroke-width: 3;
      }
      .readout {
        min-height: 1.5em;
        margin: 0.25rem 0 0;
        font-size: 0.86rem;
      }
    `,
  ];

  /** The real and the imaginary part of each number, one after the other. */
  declare parts: ArrayLike<number>;
  declare label: string;
  /** What one number is called, such as "eigenvalue". */
  declare name: string;
  readonly interaction: Interaction<number> = new Interaction(this, {
    start: () => this.#drawn[0] ?? 0,
    move: (from, { rows, columns }) => {
      const drawn = this.#drawn;
      return drawn[clamp(drawn.indexOf(from) + rows + columns, drawn.length)] ?? null;
    },
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
    this.parts = [];
    this.label = "";
    this.name = "value";
  }

  get count() {
    return Math.floor(this.parts.length / 2);
  }

  /** The numbers that have a point: those that are finite. */
  get #drawn(): number[] {
    const hasPoint = (at: number) =>
      Number.isFinite(this.parts[2 * at]) && Number.isFinite(this.parts[2 * at + 1]);
    return Array.from({ length: this.count }, (_, at) => at).filter(hasPoint);
  }

  describe(at: number) {
    const [re, im] = [this.parts[2 * at], this.parts[2 * at + 1]];
    const imaginary = im === 0 ? "" : ` ${im < 0 ? "−" : "+"} ${formatShort(Math.abs(im), 5)} i`;
    return `${this.name} ${at}: ${formatShort(re, 5)}${imaginary}`;
  }

  override willUpdate() {
    this.interaction.prune((at) => at < this.count);
  }

  override render() {
    const { max, place } = planeOf(this.parts, SIZE, MARGIN);
    const { hovered } = this.interaction;
    const drawn = this.#drawn;
    const broken = this.count - drawn.length;
    return html`
      <svg viewBox="0 0 ${SIZE} ${SIZE}" role="listbox" aria-label=${this.label} @keydown=${this.interaction.onKeyDown} @pointerleave=${this.interaction.leave} @focusout=${this.interaction.onFocusOut}>
        <g aria-hidden="true">
          <line class="axis" x1="0" x2=${SIZE} y1=${SIZE / 2} y2=${SIZE / 2}></line>
          <line class="axis" y1="0" y2=${SIZE} x1=${SIZE / 2} x2=${SIZE / 2}></line>
          <text x=${SIZE - 4} y=${SIZE - 5} text-anchor="end">real, to ±${formatShort(max, 3)}</text>
          <text x=${SIZE / 2 + 4} y="10">imaginary</text>
        </g>
        ${drawn.map((at) => {
          const { x, y } = place(this.parts[2 * at], this.parts[2 * at + 1]);
          return svg`<circle
              class="point"
              role="option"
              aria-selected="false"
              aria-label=${this.describe(at)}
              tabindex=${at === (hovered ?? drawn[0]) ? 0 : -1}
              data-index=${at}
              ?data-here=${at === hovered}
              cx=${x}
              cy=${y}
              r="3.2"
              @pointerenter=${() => this.interaction.hover(at)}
              @focus=${this.#onFocus}
            ></circle>`;
        })}
      </svg>
      <p class="readout mono">${hovered === null ? (broken > 0 ? `${broken} of ${this.count} are not finite and have no point.` : "") : this.describe(hovered)}</p>
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
    "complex-plane": ComplexPlane;
  }
}
