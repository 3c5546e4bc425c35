// <query-key-products>: why a query attends to a key. The query's vector, the keys' vectors and their products by dimension, the sums
// of the products, the attention scores and the attention (the neuron view of BertViz, Vig 2019).

import { html } from "lit";

import { formatAttention, formatShort, formatSignificant } from "../draw/format.js";
import {
  commonMax,
  dimensionAt,
  paintRows,
  productsGeometry,
  rowsOf,
} from "../draw/products-plot.js";
import { countNotFinite } from "../draw/not-finite.js";
import { announced, glyphs, truncate, type Token } from "../draw/token.js";
import { pixelRatio, SpaceController, TypedElement } from "./base.js";
import { clamp, Interaction, liveRegion } from "./interaction.js";
import { PlotValues } from "./plot.js";
import { productsStyles } from "./styles/products.js";
import { base, figure } from "./styles.js";
import { ThemeController } from "./theme.js";
import type { Matrix } from "../draw/matrix.js";
import type { Stretch } from "../draw/scale.js";
import type { Divisor, Products } from "../session/products.js";

/** How many keys are visible at most, and their share of the window's height. */
const MAX_KEYS = 40;
const HEIGHT_SHARE = 0.5;
/** CSS pixels of the labels, of the numbers and of the gap between panels. */
const WIDE = { labels: 112, numbers: 190 };
const NARROW = { labels: 84, numbers: 44 };
const NARROW_WIDTH = 620;
const GAP = 12;

/** A cell: a key's number and a dimension. */
export type ProductPlace = { key: number; dim: number };

/** Keys in the order of the text, or with the greatest attention first. */
export type KeyOrder = "position" | "attention";

export interface QueryKeyProductsEvents {
  "product-hover": ProductPlace | null;
  "scale-change": Stretch;
  "order-change": KeyOrder;
}

export class QueryKeyProducts extends TypedElement<QueryKeyProductsEvents> {
  static override properties = {
    products: { attribute: false },
    divisor: { attribute: false },
    changed: { attribute: false },
    captured: { attribute: false },
    tokens: { attribute: false },
    label: { type: String },
    scale: { type: String },
    order: { type: String },
    lock: { attribute: false },
    panel: { state: true },
    first: { state: true },
    width: { state: true },
  };

  static override styles = [base, figure, productsStyles];

  declare products: Products | null;
  declare divisor: Divisor;
  /** Keys whose captured score is not the sum of products, or whose attention is not the softmax: an intervention changed it. */
  declare changed: Readonly<Record<"scores" | "attention", readonly number[]>>;
  /** The captured attention scores and attention of the query. */
  declare captured: { scores: ArrayLike<number>; attention: ArrayLike<number> } | null;
  declare tokens: readonly Token[];
  /** The head, such as "head 1.1". */
  declare label: string;
  declare scale: Stretch;
  declare order: KeyOrder;
  declare lock: ProductPlace | null;
  /** The panel that is drawn if there is room for one only. */
  declare panel: "products" | "k";
  /** The first visible row, if the visitor has moved. */
  declare first: number | null;
  declare width: number;

  readonly theme = new ThemeController(this);
  readonly #box = new SpaceController(this);
  readonly interaction: Interaction<ProductPlace> = new Interaction(this, {
    start: () => ({ key: this.rows.at(this.visible.end - 1) ?? 0, dim: 0 }),
    move: ({ key, dim }, { rows, columns }) => {
      const { products } = this;
      if (!products) return null;
      const at = clamp(this.rows.indexOf(key) + rows, this.rows.length);
      this.#reveal(at);
      return { key: this.rows[at], dim: clamp(dim + columns, products.k.columns) };
    },
    onHover: (place) => {
      this.requestUpdate();
      this.emit("product-hover", place);
    },
    describe: (place) => this.#sentence(place),
    locked: () => this.lock,
    onLock: (place) => {
      this.lock = place;
    },
    shiftSteps: 5,
  });
  #values = new PlotValues(
    this,
    () => this.products?.products ?? null,
    (sentence) => this.interaction.announce(sentence),
  );

  constructor() {
    super();
    this.products = null;
    this.divisor = { value: 1, text: "1" };
    this.changed = { scores: [], attention: [] };
    this.captured = null;
    this.tokens = [];
    this.label = "";
    this.scale = "linear";
    this.order = "position";
    this.lock = null;
    this.panel = "products";
    this.first = null;
    this.width = 0;
  }

  /** The keys in the order of the rows. Computed once for each set of products and order. */
  get rows(): readonly number[] {
    const { products, order } = this;
    if (!products) return [];
    if (this.#sorted?.products !== products || this.#sorted.order !== order) {
      const keys = Array.from(products.attention.keys());
      const weight = (key: number) =>
        Number.isNaN(products.attention[key]) ? 2 : products.attention[key];
      if (order === "attention") keys.sort((a, b) => weight(b) - weight(a));
      this.#sorted = { products, order, keys };
    }
    return this.#sorted.keys;
  }

  #sorted: { products: Products; order: KeyOrder; keys: number[] } | null = null;

  /** The rows that are visible: at the end of the text, or at the strongest keys, until the visitor moves. */
  get visible(): { from: number; end: number } {
    const { length } = this.rows;
    const room = Math.floor((HEIGHT_SHARE * this.#box.space.windowHeight) / this.#rowHeight);
    const count = Math.min(length, MAX_KEYS, Math.max(8, room));
    const usual = this.order === "position" ? length - count : 0;
    const from = Math.max(0, Math.min(length - count, this.first ?? usual));
    return { from, end: from + count };
  }

  /** On a narrow screen only the softmax stands beside the cells. */
  get #room() {
    return this.width < NARROW_WIDTH ? NARROW : WIDE;
  }

  /** Where cells are. With it a value can be read back from the pixels. */
  get geometry() {
    const { products, width } = this;
    if (!products || width === 0) return null;
    const { labels, numbers } = this.#room;
    const space = { width: width - labels - numbers - 2 * GAP, gap: GAP, ratio: pixelRatio() };
    return productsGeometry(products.k.columns, space);
  }

  get #rowHeight() {
    return this.geometry?.rowHeight ?? 18;
  }

  /** The values at the ends of the scales: of q and k, and of the products. */
  get maxima() {
    const { products } = this;
    if (!products) return { vectors: 1, products: 1 };
    if (this.#maxima?.of !== products)
      this.#maxima = {
        of: products,
        vectors: commonMax(products.k, asRow(products.q)),
        products: commonMax(products.products),
      };
    return this.#maxima;
  }

  #maxima: { of: Products; vectors: number; products: number } | null = null;

  override willUpdate(changed: Map<string, unknown>) {
    const { products } = this;
    if (changed.has("order")) this.first = null;
    if (!changed.has("products") || !products) return;
    const before = changed.get("products") as Products | null;
    if (before?.query !== products.query || before.k.rows !== products.k.rows) this.first = null;
    const contains = ({ key, dim }: ProductPlace) =>
      key < products.k.rows && dim < products.k.columns;
    this.interaction.prune(contains);
    if (this.lock && !contains(this.lock)) this.lock = null;
  }

  override render() {
    const { products, geometry } = this;
    if (!products) return "";
    const rows = this.rows.slice(this.visible.from, this.visible.end);
    const { k } = products;
    return html`
      <div
        class="board mono ${this.#room === NARROW ? "narrow" : ""}"
        .style="--row: ${this.#rowHeight}px; grid-template-columns: ${this.#room.labels}px ${geometry?.isWide ? "max-content " : ""}max-content 1fr"
        role="application"
        aria-roledescription="products by dimension"
        aria-label="${this.label}, query ${products.query}: products with ${k.rows} keys in ${k.columns} dimensions. Arrows move among keys and dimensions, Enter locks, Escape releases."
        tabindex="0"
        @keydown=${this.interaction.onKeyDown}
        @pointerleave=${this.interaction.leave}
        @blur=${this.interaction.leave}
      >
        <span class="side">query</span>${this.#panels.map((panel) => html`<span class="title">${panel === "k" || !geometry?.isWide ? "q" : ""}</span>`)}<span></span>
        ${this.#renderLabel(products.query, "query")}${this.#panels.map((panel) => (panel === "k" || !geometry?.isWide ? this.#renderCanvas("q", 1) : html`<span></span>`))}<span></span>
        <span class="side">key</span>${this.#panels.map((panel) => html`<span class="title">${panel === "k" ? "k" : "q × k"}</span>`)}
        <span class="numbers heads"><span>sum</span><span title="attention score: the sum divided by ${this.divisor.text}">÷ ${this.divisor.text}</span><span>softmax</span></span>
        <div class="labels">${rows.map((key) => this.#renderLabel(key, "key"))}</div>
        ${this.#panels.map((panel) => this.#renderCanvas(panel, rows.length))}
        <div class="values">${rows.map((key) => this.#renderNumbers(products, key))}</div>
      </div>
      ${this.#renderReadout(products)}
      ${this.#renderWindow(products)}
      ${this.#renderChanged()}
      <div class="below">${this.#renderLegends()}${this.#values.renderButtons(this.#renderButtons())}</div>
      ${liveRegion}
      ${this.#values.renderTable(() => this.#table(products))}
    `;
  }

  get #panels(): readonly ("k" | "products")[] {
    return this.geometry?.isWide ? ["k", "products"] : [this.panel];
  }

  #renderLabel(at: number, side: "query" | "key") {
    const isHere = side === "key" && at === this.interaction.focused?.key;
    return html`<span class="label ${isHere ? "here" : ""}" title="${at} ${glyphs(this.tokens[at] ?? "")}"><span class="at">${at}</span> ${truncate(this.tokens[at] ?? "", 10)}</span>`;
  }

  /** A canvas with the outline of the focused dimension over it. */
  #renderCanvas(name: "q" | "k" | "products", rows: number) {
    const { across, ratio = 1 } = this.geometry ?? {};
    const { focused } = this.interaction;
    const isIn = focused && across && this.products && focused.dim < this.products.k.columns;
    const left = isIn ? (Math.floor(focused.dim / across.factor) * across.cell) / ratio : 0;
    const row = isIn ? this.rows.indexOf(focused.key) - this.visible.from : -1;
    const outline = (style: string, kind: string) => html`<i class=${kind} .style=${style}></i>`;
    return html`<div
      class="cells"
      .style="width: ${across ? across.size / ratio : 0}px; height: ${rows * this.#rowHeight}px"
      @pointermove=${name === "q" ? null : this.#onMove}
      @click=${name === "q" ? null : this.#onClick}
    >
      <canvas class=${name}></canvas>
      ${isIn && across ? outline(`left: ${left}px; width: ${Math.max(3, across.cell / ratio)}px; top: 0; bottom: 0`, "column") : ""}
      ${isIn && name !== "q" && row >= 0 && row < rows ? outline(`top: ${row * this.#rowHeight}px; height: ${this.#rowHeight}px; left: 0; right: 0`, "row") : ""}
    </div>`;
  }

  #renderNumbers({ sums, scores, attention }: Products, key: number) {
    const isHere = key === this.interaction.focused?.key;
    const share = Number.isFinite(attention[key]) ? 100 * attention[key] : 0;
    return html`<span class="numbers ${isHere ? "here" : ""} ${Object.values(this.changed).some((keys) => keys.includes(key)) ? "changed" : ""}" data-key=${key}>
      <span>${short(sums[key])}</span><span>${short(scores[key])}</span><span class="share"><i .style="width: ${share.toFixed(1)}%"></i>${Number.isNaN(attention[key]) ? "NaN" : formatAttention(attention[key])}</span>
    </span>`;
  }

  #renderReadout({ q, k, products, sums, scores, attention }: Products) {
    const { focused } = this.interaction;
    if (!focused)
      return html`<p class="readout soft screen-only">Point at a cell for its exact numbers. Click to lock it.</p>`;
    const { key, dim } = focused;
    const at = key * k.columns + dim;
    const exact = (value: number) => formatShort(value, 7);
    return html`<p class="readout mono">
      <span class="line">dimension <b>${dim}</b>: q ${exact(q[dim])} × k ${exact(k.data[at])} = ${exact(products.data[at])}</span>
      <span class="line">key <b>${key} ${truncate(this.tokens[key] ?? "", 20)}</b>: sum ${exact(sums[key])} ÷ ${this.divisor.text} = score ${exact(scores[key])}, softmax ${exact(attention[key])}</span>
    </p>`;
  }

  /** What the rows leave out. */
  #renderWindow({ attention }: Products) {
    const { length } = this.rows;
    const { from, end } = this.visible;
    if (end - from >= length) return "";
    const left = this.rows.filter((_, row) => row < from || row >= end);
    const sum = left.reduce((total, key) => total + attention[key], 0);
    const step = Math.max(1, (end - from) >> 1);
    const move = (by: number) => () => (this.first = clamp(from + by, length - (end - from) + 1));
    return html`<p class="window">
      <button ?disabled=${from === 0} @click=${move(-step)}>↑</button>
      <button ?disabled=${end >= length} @click=${move(step)}>↓</button>
      <span>${end - from} of ${length} keys are shown; the others have ${formatAttention(sum)} of the attention.</span>
    </p>`;
  }

  /** Interventions may change scores after the products, and attention after the softmax. */
  #renderChanged() {
    const { changed, captured } = this;
    if (!captured) return "";
    const notice = (what: "scores" | "attention", words: string) => {
      const keys = changed[what];
      if (keys.length === 0) return "";
      const named = keys
        .slice(0, 3)
        .map(
          (key) =>
            `${key} ${glyphs(this.tokens[key] ?? "")} ${formatSignificant(captured[what][key], 4)}`,
        );
      return html`<p class="notice" role="status">At ${keys.length} of ${this.rows.length} keys ${words}: in the run it is ${named.join(", ")}${keys.length > 3 ? ", …" : ""}. An intervention changed it.</p>`;
    };
    return html`${notice("scores", "the score is not the sum of the products")}${notice("attention", "the attention is not this softmax")}`;
  }

  #renderLegends() {
    const { vectors, products } = this.maxima;
    const legend = (max: number, text: string) =>
      html`<color-legend signed from="−${formatShort(max, 3)}" to=${formatShort(max, 3)} .text=${text}></color-legend>`;
    const factor = this.geometry?.across.factor ?? 1;
    const broken = countNotFinite(this.products?.sums ?? []);
    return html`${broken > 0 ? html`<span role="status">Striped: not finite, at ${broken} of ${this.rows.length} keys.</span>` : ""}${legend(vectors, "q and k")}${legend(products, "q × k")}${factor > 1 ? html`<span class="soft">a cell shows the farthest from zero of ${factor} dimensions</span>` : ""}`;
  }

  #renderButtons() {
    const { order, scale, panel, geometry } = this;
    const other = order === "attention" ? "position" : "attention";
    return html`
      ${geometry && !geometry.isWide ? html`<button aria-pressed=${panel === "k"} @click=${() => (this.panel = panel === "k" ? "products" : "k")}>keys instead of products</button>` : ""}
      <button aria-pressed=${order === "attention"} @click=${() => this.emit("order-change", other)}>strongest first</button>
      <button aria-pressed=${scale === "sqrt"} title="Makes small values more visible" @click=${() => this.emit("scale-change", scale === "sqrt" ? "linear" : "sqrt")}>square root</button>`;
  }

  /** The text alternative: for each key the numbers and the dimension that adds most. */
  #table({ products, sums, scores, attention }: Products) {
    const rows = this.rows.map((key) => {
      const row = products.data.subarray(key * products.columns, (key + 1) * products.columns);
      const dim = row.reduce(
        (best, one, at) => (Math.abs(one) > Math.abs(row[best]) ? at : best),
        0,
      );
      const numbers = [sums[key], scores[key], attention[key]].map((value) =>
        formatShort(value, 5),
      );
      return [
        `${key} ${glyphs(this.tokens[key] ?? "")}`,
        ...numbers,
        `${dim}: ${formatShort(row[dim], 4)}`,
      ];
    });
    return {
      caption: `The keys of query ${this.products?.query} (${this.label}).`,
      columns: ["key", "sum", "score", "softmax", "largest product"],
      rows,
    };
  }

  override updated() {
    const { products, geometry, maxima, scale } = this;
    if (!products || !geometry) return;
    const rows = this.rows.slice(this.visible.from, this.visible.end);
    const { theme } = this.theme;
    const paint = (name: string, matrix: () => Matrix, max: number) => {
      const canvas = this.renderRoot.querySelector<HTMLCanvasElement>(`canvas.${name}`);
      const context = canvas?.getContext("2d");
      if (!canvas || !context) return;
      const { across, ratio, rowHeight } = geometry;
      const key = JSON.stringify([name, rows, across, ratio, theme, scale]);
      const drawn = this.#painted.get(canvas);
      // One canvas may show one panel after the other.
      if (drawn?.products === products && drawn.key === key) return;
      this.#painted.set(canvas, { products, key });
      const { image, width, height } = paintRows(matrix(), {
        across,
        ratio,
        rowHeight,
        max,
        theme,
        stretch: scale,
      });
      Object.assign(canvas, { width, height });
      Object.assign(canvas.style, { width: `${width / ratio}px`, height: `${height / ratio}px` });
      context.putImageData(new ImageData(new Uint8ClampedArray(image.buffer), width, height), 0, 0);
    };
    paint("q", () => asRow(products.q), maxima.vectors);
    paint("k", () => rowsOf(products.k, rows), maxima.vectors);
    paint("products", () => rowsOf(products.products, rows), maxima.products);
  }

  /** What each canvas shows. */
  #painted: WeakMap<HTMLCanvasElement, { products: Products; key: string }> = new WeakMap();

  #placeUnder(event: MouseEvent): ProductPlace | null {
    const { products, geometry, rows } = this;
    const box = (event.currentTarget as Element).getBoundingClientRect();
    if (!products || !geometry) return null;
    const row = Math.floor((event.clientY - box.top) / geometry.rowHeight) + this.visible.from;
    if (row < this.visible.from || row >= this.visible.end) return null;
    const isKeys = (event.currentTarget as Element).querySelector("canvas.k") !== null;
    const matrix = isKeys ? products.k : products.products;
    const x = (event.clientX - box.left) * geometry.ratio;
    const dim = dimensionAt(matrix, rows[row], geometry.across, x);
    return dim === null ? null : { key: rows[row], dim };
  }

  #onMove = (event: PointerEvent) => this.interaction.hover(this.#placeUnder(event));

  #onClick = (event: MouseEvent) => {
    const place = this.#placeUnder(event);
    if (place) this.interaction.choose(place);
  };

  #reveal(row: number) {
    const { from, end } = this.visible;
    const first = Math.min(row, Math.max(from, row - (end - from) + 1));
    if (first !== from) this.first = first;
  }

  #sentence({ key, dim }: ProductPlace) {
    const { products } = this;
    if (!products) return "";
    const { data, columns } = products.products;
    const value = formatShort(data[key * columns + dim], 4);
    return `key ${key} ${announced(this.tokens[key] ?? "")}, dimension ${dim}, product ${value}, score ${formatShort(products.scores[key], 4)}, attention ${formatAttention(products.attention[key])}`;
  }
}

/** Four digits; NaN by its sign, because the words have no room. */
function short(value: number) {
  return Number.isNaN(value) ? "NaN" : formatSignificant(value, 4);
}

function asRow(data: Float32Array): Matrix {
  return { data, rows: 1, columns: data.length };
}

declare global {
  interface HTMLElementTagNameMap {
    "query-key-products": QueryKeyProducts;
  }
}
