// <composition-lines>: heads as dots, layer below layer, and lines from heads that write to later heads that read.

import { css, html, svg } from "lit";

import {
  compositionGeometry,
  compositionsOf,
  linePath,
  linesOf,
  strength,
  type Composition,
  type CompositionGeometry,
} from "../draw/composition.js";
import { formatShort } from "../draw/format.js";
import { countNotFinite } from "../draw/not-finite.js";
import { TypedElement, WidthController } from "./base.js";
import { headElements, isSameHead, type Head } from "./heads.js";
import { clamp, Interaction, liveRegion } from "./interaction.js";
import { base } from "./styles.js";
import type { Tensor } from "../draw/matrix.js";

export interface CompositionLinesEvents {
  "head-hover": Head | null;
  "head-select": Head;
}

/** Lines of a hovered head, each way. */
const HOVERED_LINES = 8;
/** Heads that the readout names, each way. */
const NAMED = 3;

export class CompositionLines extends TypedElement<CompositionLinesEvents> {
  static override properties = {
    scores: { attribute: false },
    lines: { attribute: false },
    baseline: { type: Number },
    layer: { type: Number },
    head: { type: Number },
    marked: { attribute: false },
    width: { state: true },
  };

  static override styles = [
    base,
    css`
      svg {
        display: block;
        max-width: 100%;
        overflow: visible;
      }
      text {
        font-family: var(--mono);
        font-size: 11px;
        fill: var(--soft);
      }
      .line {
        fill: none;
        stroke: var(--ink);
        pointer-events: none;
      }
      .line.writes,
      .line.marked {
        stroke: var(--flame);
      }
      .line.reads {
        stroke: light-dark(oklch(0.45 0.135 255), oklch(0.78 0.12 245));
        stroke-dasharray: 5 3;
      }
      .dimmed .line:not(.writes, .reads, .marked) {
        stroke: var(--line);
      }
      .dot {
        fill: var(--sheet);
        stroke: var(--soft);
        stroke-width: 1.2;
      }
      .node {
        cursor: pointer;
        outline: none;
      }
      .target {
        fill: transparent;
      }
      .node[data-here] .dot {
        fill: var(--glow);
        stroke: var(--ink);
        stroke-width: 2;
      }
      .node[aria-selected="true"] .dot {
        fill: var(--flame);
        stroke: var(--flame);
      }
      .node:focus-visible .dot {
        stroke: var(--flame);
        stroke-width: 3.5;
      }
      .readout {
        min-height: 3em;
        margin: 0.4rem 0 0;
        font-size: 0.88rem;
        overflow-wrap: anywhere;
      }
    `,
  ];

  /** Axes `writer_layer writer_head reader_layer reader_head`. */
  declare scores: Tensor | null;
  /** The lines that are drawn. */
  declare lines: readonly Composition[];
  /** The score of two random heads. */
  declare baseline: number;
  /** The selected head. */
  declare layer: number;
  declare head: number;
  /** A line that is highlighted. */
  declare marked: Composition | null;
  declare width: number;
  readonly interaction: Interaction<Head> = new Interaction(this, {
    start: () => ({ layer: this.layer, head: this.head }),
    move: ({ layer, head }, { rows, columns }) => {
      const [layers, heads] = this.scores?.shape ?? [1, 1];
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
  #sorted: { scores: Tensor; all: Composition[] } | null = null;

  constructor() {
    super();
    this.scores = null;
    this.lines = [];
    this.baseline = 0;
    this.layer = 0;
    this.head = 0;
    this.marked = null;
    this.width = 0;
    new WidthController(this);
  }

  /** Every pair, strongest first; sorted once for each result. */
  get all(): readonly Composition[] {
    if (!this.scores) return [];
    if (this.#sorted?.scores !== this.scores)
      this.#sorted = { scores: this.scores, all: compositionsOf(this.scores) };
    return this.#sorted.all;
  }

  /** A head in words: what it reads from and writes into most. */
  describe(head: Head) {
    const { writes, reads } = linesOf(this.all, head, NAMED);
    const side = (verb: string, found: Composition[], end: "writer" | "reader") =>
      found.length === 0
        ? ""
        : `${verb} ${found.map((line) => `${line[end].layer}.${line[end].head} (${formatShort(line.score, 4)})`).join(", ")}`;
    const sides = [
      side("writes most into", writes, "reader"),
      side("reads most from", reads, "writer"),
    ];
    return `head ${head.layer}.${head.head} ${sides.filter(Boolean).join("; ") || "has no other layer to compose with"}`;
  }

  override render() {
    const { scores, width } = this;
    if (!scores || width === 0) return html`<p class="readout"></p>`;
    const [layers, heads] = scores.shape;
    const geometry = compositionGeometry(layers, heads, width);
    const { hovered } = this.interaction;
    const ofHovered = hovered && linesOf(this.all, hovered, HOVERED_LINES);
    const max = Math.max(0, ...this.lines.map(({ score }) => score).filter(Number.isFinite));
    const ends = { geometry, max };
    const broken = countNotFinite(scores.data);
    return html`
      <svg
        class=${hovered || this.marked ? "dimmed" : ""}
        width=${geometry.width}
        height=${geometry.height}
        viewBox="0 0 ${geometry.width} ${geometry.height}"
        role="listbox"
        aria-label="heads, layer below layer. Arrows move among heads, Enter chooses one."
        @keydown=${this.interaction.onKeyDown}
        @pointerleave=${this.interaction.leave}
        @focusout=${this.interaction.onFocusOut}
      >
        <g aria-hidden="true">${Array.from({ length: layers }, (_, layer) => svg`<text x="0" y=${geometry.yOf(layer) + 4}>L${layer}</text>`)}
        ${Array.from({ length: heads }, (_, head) => (heads > 24 && head % 4 ? "" : svg`<text x=${geometry.xOf(head)} y="9" text-anchor="middle">H${head}</text>`))}</g>
        <g role="presentation">
          ${[...this.lines].reverse().map((line) => this.#line(line, "", ends))}
          ${this.marked ? this.#line(this.marked, "marked", ends) : ""}
          ${ofHovered ? [...ofHovered.reads.map((line) => this.#line(line, "reads", ends)), ...ofHovered.writes.map((line) => this.#line(line, "writes", ends))] : ""}
        </g>
        ${Array.from({ length: layers * heads }, (_, at) => this.#node({ layer: Math.floor(at / heads), head: at % heads }, geometry))}
      </svg>
      <p class="readout mono">${hovered ? this.describe(hovered) : broken > 0 ? `${broken} scores are not finite and have no line.` : ""}</p>
      ${liveRegion}
    `;
  }

  #line(
    line: Composition,
    kind: string,
    { geometry, max }: { geometry: CompositionGeometry; max: number },
  ) {
    const share = strength(line.score, this.baseline, max);
    const name = ({ layer, head }: Head) => `${layer}.${head}`;
    return svg`<path class="line ${kind}" data-line="${name(line.writer)}-${name(line.reader)}" d=${linePath(line, geometry)} stroke-width=${(0.6 + (geometry.maxStroke - 0.6) * share).toFixed(2)} opacity=${(0.18 + 0.72 * share).toFixed(3)}></path>`;
  }

  #node(head: Head, { xOf, yOf, radius }: CompositionGeometry) {
    const [x, y] = [xOf(head.head), yOf(head.layer)];
    const isSelected = isSameHead(head, this);
    const { hovered } = this.interaction;
    return svg`<g
      class="node"
      role="option"
      aria-label="head ${head.layer}.${head.head}"
      aria-selected=${isSelected}
      tabindex=${isSelected ? 0 : -1}
      data-layer=${head.layer}
      data-head=${head.head}
      ?data-here=${hovered !== null && isSameHead(head, hovered)}
      @pointerenter=${() => this.interaction.hover(head)}
      @focus=${this.#onFocus}
      @click=${() => this.interaction.choose(head)}
    ><circle class="target" cx=${x} cy=${y} r=${radius + 6}></circle><circle class="dot" cx=${x} cy=${y} r=${radius}></circle></g>`;
  }

  /** Focus by the keyboard counts as hovering. */
  #onFocus(event: FocusEvent) {
    const { dataset } = event.currentTarget as SVGElement;
    if ((event.currentTarget as Element).matches(":focus-visible"))
      this.interaction.hover({ layer: Number(dataset.layer), head: Number(dataset.head) });
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "composition-lines": CompositionLines;
  }
}
