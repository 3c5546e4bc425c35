// <head-scatter>: two scores of each head as a point. Layers are told apart by colour.

import { css, html, svg } from "lit";

import { formatShort, formatSignificant } from "../draw/format.js";
import { colourOf } from "../draw/scale.js";
import { labelled, neighbour, scatterGeometry, type Point } from "../draw/scatter.js";
import type { HeadRow } from "../session/head-table.js";
import { TypedElement, WidthController } from "./base.js";
import { headElements, includesHead, isSameHead, type Head } from "./heads.js";
import { titleOf } from "./score-names.js";
import { Interaction, liveRegion } from "./interaction.js";
import { base, figure } from "./styles.js";
import { ThemeController } from "./theme.js";

/** Heads with a score of at least this get a label, up to a number of them. */
const LABELLED = { minimum: 0.3, count: 12 };

export interface HeadScatterEvents {
  "head-hover": Head | null;
  "head-select": Head;
}

export class HeadScatter extends TypedElement<HeadScatterEvents> {
  static override properties = {
    rows: { attribute: false },
    x: { type: String },
    y: { type: String },
    layers: { type: Number },
    layer: { type: Number },
    head: { type: Number },
    off: { attribute: false },
    width: { state: true },
  };

  static override styles = [
    base,
    figure,
    css`
      svg {
        display: block;
        max-width: 100%;
        overflow: visible;
      }
      text {
        font-size: 11px;
        fill: var(--soft);
        font-family: var(--mono);
      }
      .axis {
        font-family: var(--prose);
        font-style: italic;
        font-size: 13px;
      }
      .grid {
        stroke: var(--line);
      }
      circle {
        stroke: var(--ink);
        stroke-width: 1px;
        cursor: pointer;
        print-color-adjust: exact;
      }
      circle.off {
        stroke-dasharray: 2 2;
        fill-opacity: 0.3;
      }
      circle[aria-selected="true"] {
        stroke: var(--flame);
        stroke-width: 3px;
      }
      circle.here,
      circle:focus-visible {
        stroke-width: 3px;
      }
      circle:focus-visible {
        outline: 2px solid var(--flame);
        outline-offset: 2px;
      }
      .label {
        fill: var(--ink);
        pointer-events: none;
      }
      .readout {
        min-height: 1.5em;
        margin: 0.4rem 0 0;
        font-size: 0.92rem;
      }
    `,
  ];

  /** The heads that are shown. */
  declare rows: readonly HeadRow[];
  /** The names of the scores along the axes. */
  declare x: string;
  declare y: string;
  /** The number of layers of the model. */
  declare layers: number;
  /** The selected head. */
  declare layer: number;
  declare head: number;
  /** Heads that are switched off. */
  declare off: readonly Head[];
  declare width: number;
  readonly theme = new ThemeController(this);
  readonly interaction: Interaction<Head> = new Interaction(this, {
    start: () => this.#drawn.find((row) => isSameHead(row, this)) ?? this.#drawn[0] ?? this,
    move: (from, step) => {
      const at = this.#drawn.findIndex((row) => isSameHead(row, from));
      const to = this.#drawn[neighbour(this.#points, at, step)];
      return to ? { layer: to.layer, head: to.head } : null;
    },
    onHover: (head) => {
      this.requestUpdate();
      this.emit("head-hover", head);
    },
    describe: (head) => this.#words(head),
    onSelect: (head) => this.emit("head-select", head),
    elements: headElements(this),
  });

  constructor() {
    super();
    this.rows = [];
    this.x = "previous_token";
    this.y = "induction";
    this.layers = 1;
    this.layer = 0;
    this.head = 0;
    this.off = [];
    this.width = 0;
    new WidthController(this);
  }

  /** The heads that have both scores. */
  get #drawn() {
    const isKnown = ({ scores }: HeadRow) =>
      Number.isFinite(scores[this.x]) && Number.isFinite(scores[this.y]);
    return this.rows.filter(isKnown);
  }

  get #points(): Point[] {
    return this.#drawn.map(({ scores }) => ({ x: scores[this.x], y: scores[this.y] }));
  }

  override render() {
    const drawn = this.#drawn;
    const missing = this.rows.length - drawn.length;
    const points = this.#points;
    const geometry = scatterGeometry(points, this.width);
    const { width, height } = geometry;
    return html`
      <svg width=${width} height=${height} viewBox="0 0 ${width} ${height}" role="listbox" aria-label="${titleOf(this.x)} against ${titleOf(this.y)} of ${drawn.length} heads. Left and right move by the first, up and down by the second; Enter chooses a head." @keydown=${this.interaction.onKeyDown} @focusout=${this.interaction.onFocusOut} @pointerleave=${this.interaction.leave}>
        ${this.#renderAxes(geometry)}
        ${drawn.map((row, at) => this.#renderPoint(row, points[at], geometry, at))}
        ${this.#renderLabels(drawn, points, geometry)}
      </svg>
      <p class="readout mono">${this.#renderReadout(missing)}</p>
      <div class="below">
        <color-legend from="0" to=${this.layers - 1} text="layer"></color-legend>
        ${missing > 0 ? html`<span role="status">${missing} of ${this.rows.length} heads lack one of the two scores and are not drawn.</span>` : ""}
      </div>
      ${liveRegion}
    `;
  }

  #renderAxes({
    ticks,
    across,
    down,
    left,
    bottom,
    width,
    height,
    max,
  }: ReturnType<typeof scatterGeometry>) {
    const right = across(max);
    const number = (value: number) => formatShort(value, 3);
    return svg`
      ${ticks.map(
        (
          tick,
        ) => svg`<line class="grid" x1=${across(tick)} x2=${across(tick)} y1=${down(0)} y2=${down(max)}></line><line class="grid" x1=${left} x2=${right} y1=${down(tick)} y2=${down(tick)}></line>
        <text x=${across(tick)} y=${bottom + 15} text-anchor="middle">${number(tick)}</text><text x=${left - 6} y=${down(tick) + 4} text-anchor="end">${number(tick)}</text>`,
      )}
      <text class="axis" x=${(left + width) / 2} y=${height - 6} text-anchor="middle">${titleOf(this.x)} score →</text>
      <text class="axis" transform="translate(11 ${bottom / 2}) rotate(-90)" text-anchor="middle">${titleOf(this.y)} score →</text>
    `;
  }

  /** Layers from the light end of the scale to the dark one. */
  #colour(layer: number) {
    return colourOf(this.layers > 1 ? layer / (this.layers - 1) : 0.5, this.theme.theme);
  }

  #renderPoint(
    row: HeadRow,
    { x, y }: Point,
    { across, down }: ReturnType<typeof scatterGeometry>,
    at: number,
  ) {
    const { layer, head } = row;
    const place = { layer, head };
    const isSelected = isSameHead(row, this);
    const isInTabOrder =
      isSelected || (at === 0 && !this.#drawn.some((one) => isSameHead(one, this)));
    const { hovered } = this.interaction;
    return svg`<circle
      role="option"
      class="${includesHead(this.off, place) ? "off" : ""} ${hovered && isSameHead(hovered, row) ? "here" : ""}"
      cx=${across(x)} cy=${down(y)} r=${isSelected ? 7 : 5}
      fill=${this.#colour(layer)}
      tabindex=${isInTabOrder ? 0 : -1}
      aria-selected=${isSelected}
      aria-label=${this.#words(place)}
      data-layer=${layer}
      data-head=${head}
      @pointerenter=${() => this.interaction.hover(place)}
      @focus=${() => this.interaction.hover(place)}
      @click=${() => this.interaction.choose(place)}
    ></circle>`;
  }

  #renderLabels(
    rows: readonly HeadRow[],
    points: readonly Point[],
    geometry: ReturnType<typeof scatterGeometry>,
  ) {
    const selected = rows.findIndex((row) => isSameHead(row, this));
    const first = selected < 0 ? [] : [selected];
    return labelled(points, geometry, { ...LABELLED, first }).map((at) => {
      const isFar = geometry.across(points[at].x) > geometry.width - 50;
      return svg`<text class="label" x=${geometry.across(points[at].x) + (isFar ? -9 : 9)} y=${geometry.down(points[at].y) + 4} text-anchor=${isFar ? "end" : "start"}>${rows[at].layer}.${rows[at].head}</text>`;
    });
  }

  #words({ layer, head }: Head) {
    const row = this.rows.find((one) => isSameHead(one, { layer, head }));
    if (!row) return "";
    const score = (name: string) => `${titleOf(name)} ${formatSignificant(row.scores[name], 4)}`;
    const off = includesHead(this.off, { layer, head }) ? ", switched off" : "";
    return `head ${layer}.${head}${off}: ${score(this.x)}, ${score(this.y)}`;
  }

  #renderReadout(missing: number) {
    const { hovered } = this.interaction;
    if (hovered) return this.#words(hovered);
    return missing === this.rows.length && missing > 0
      ? "No head has both scores on this text: try random tokens."
      : "";
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "head-scatter": HeadScatter;
  }
}
