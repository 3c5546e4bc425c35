// <attention-lines>: the attention of one head, or of several, as lines between two columns of tokens. Queries stand at the left
// and keys at the right. Of a long text both columns show the same window.

import { html, svg } from "lit";
import { guard } from "lit/directives/guard.js";

import { formatAttention, formatSignificant, NOT_A_NUMBER } from "../draw/format.js";
import {
  attentionOutside,
  headColour,
  linesOf,
  windowAround,
  windowWith,
  type Line,
  type Window,
} from "../draw/lines.js";
import {
  countUnmaskedNotFinite,
  headMatrix,
  masked,
  strongestKeys,
  type Band,
  type Tensor,
} from "../draw/matrix.js";
import { colourOf, textOn, type Stretch } from "../draw/scale.js";
import { announced, glyphs, truncate, type Token } from "../draw/token.js";
import { TypedElement } from "./base.js";
import { linesStyles } from "./styles/lines.js";
import { clamp, Interaction, liveRegion } from "./interaction.js";
import { PlotValues } from "./plot.js";
import { base, figure } from "./styles.js";
import { ThemeController } from "./theme.js";

/** CSS pixels from one token to the next: as many as fit the height, between these. */
const [MIN_PITCH, MAX_PITCH] = [14, 20];
const HEIGHT_SHARE = 0.6;
/** How many tokens the columns show at most: for one or two heads, and for more, whose lines are many. */
const MAX_TOKENS = 96;
const MAX_TOKENS_OF_MANY = 64;
/** The readout names this many keys. */
const NAMED = 3;

/** A token of a column: 0 for queries, 1 for keys. */
type Place = { side: number; at: number };

export interface AttentionLinesEvents {
  "token-hover": Band | null;
  /** The token to lock, or null to release the lock. The owner sets `lock`. */
  "token-lock": Band | null;
  "scale-change": Stretch;
}

export class AttentionLines extends TypedElement<AttentionLinesEvents> {
  static override properties = {
    pattern: { attribute: false },
    layer: { type: Number },
    heads: { attribute: false },
    tokens: { attribute: false },
    scale: { type: String },
    lock: { attribute: false },
    highlight: { attribute: false },
    first: { state: true },
  };

  static override styles = [base, figure, linesStyles];

  /** [batch head query key] */
  declare pattern: Tensor | null;
  declare layer: number;
  /** The heads that are drawn; several have a hue each. */
  declare heads: readonly number[];
  declare tokens: readonly Token[];
  declare scale: Stretch;
  declare lock: Band | null;
  /** The query or key that the owner highlights. */
  declare highlight: Band | null;
  /** The first visible token, if the visitor has moved the window. */
  declare first: number | null;

  readonly theme = new ThemeController(this);
  readonly interaction: Interaction<Place> = new Interaction(this, {
    start: () => ({ side: 0, at: this.window.first + this.window.count - 1 }),
    move: ({ side, at }, { rows, columns }) => {
      const isEnd = !Number.isFinite(columns); // Home and End
      const place = {
        side: isEnd ? side : clamp(side + Math.sign(columns), 2),
        at: clamp(at + (isEnd ? columns : rows), this.tokens.length),
      };
      this.first = windowWith(this.tokens.length, this.window, place.at).first;
      return place;
    },
    onHover: (place) => {
      this.requestUpdate();
      this.emit("token-hover", place && bandOf(place));
    },
    describe: (place) => this.#sentence(bandOf(place)),
    locked: () => placeOf(this.lock),
    onLock: (place) => {
      if (place || this.lock) this.emit("token-lock", place && bandOf(place));
    },
    shiftSteps: 5,
  });
  #values = new PlotValues(
    this,
    () => this.pattern && headMatrix(this.pattern, this.heads[0] ?? 0),
    (sentence) => this.interaction.announce(sentence),
  );

  constructor() {
    super();
    this.pattern = null;
    this.layer = 0;
    this.heads = [0];
    this.tokens = [];
    this.scale = "linear";
    this.lock = null;
    this.highlight = null;
    this.first = null;
  }

  /** The tokens of both columns. */
  get window(): Window {
    const length = this.tokens.length;
    const count = Math.min(length, this.heads.length > 2 ? MAX_TOKENS_OF_MANY : MAX_TOKENS);
    if (this.first !== null)
      return { first: Math.max(0, Math.min(length - count, this.first)), count };
    return windowAround(length, count, this.lock?.query ?? this.lock?.key ?? length - 1);
  }

  /** CSS pixels from one token to the next. */
  get pitch() {
    const room = (HEIGHT_SHARE * window.innerHeight) / Math.max(1, this.window.count);
    return Math.max(MIN_PITCH, Math.min(MAX_PITCH, Math.floor(room)));
  }

  /** The query, key or pair whose lines are lit. */
  get focused(): Band | null {
    const { hovered } = this.interaction;
    return hovered ? bandOf(hovered) : (this.highlight ?? this.lock);
  }

  /** The lines of all tokens in the window, or of the focused one. */
  linesOf(only?: Band): Line[] {
    const { pattern, heads, window, scale: stretch, pitch } = this;
    return pattern ? linesOf(pattern, heads, { window, only, stretch, pitch }) : [];
  }

  override willUpdate(changed: Map<string, unknown>) {
    const length = this.tokens.length;
    this.interaction.prune(({ at }) => at < length);
    // A new lock may lie outside of the window that the visitor has moved to.
    const locked = changed.has("lock") ? (this.lock?.query ?? this.lock?.key) : undefined;
    if (locked !== undefined && this.first !== null)
      this.first = windowWith(length, this.window, locked).first;
  }

  override render() {
    const { pattern, tokens, heads, window, focused, pitch } = this;
    if (!pattern || tokens.length === 0) return "";
    const height = window.count * pitch;
    const names = heads.map((head) => `${this.layer}.${head}`).join(", ");
    const label = `attention of ${heads.length === 1 ? "head" : "heads"} ${names} as lines from each of ${tokens.length} tokens. Up and down move among tokens, left and right change the column, Enter locks, Escape releases.`;
    return html`
      <div class="titles"><span>query (attends)</span><span>key (attended to)</span></div>
      <div
        class="board mono"
        .style="--pitch: ${pitch}px"
        role="application"
        aria-roledescription="attention lines"
        aria-label=${label}
        tabindex="0"
        @keydown=${this.interaction.onKeyDown}
        @pointerleave=${this.interaction.leave}
        @blur=${this.interaction.leave}
      >
        ${this.#renderColumn(0)}
        <svg class="${focused ? "focused" : ""} ${heads.length > 3 ? "many" : ""}" .style="height: ${height}px" viewBox="0 0 100 ${height}" preserveAspectRatio="none" aria-hidden="true">
          ${guard([pattern, heads.join(), window.first, window.count, pitch, this.scale, this.theme.theme], () => svg`<g class="all">${this.linesOf().map(this.#renderLine)}</g>`)}
          <g class="lit">${focused ? this.linesOf(focused).map(this.#renderLine) : ""}</g>
        </svg>
        ${this.#renderColumn(1)}
      </div>
      <p class="readout mono">${this.#renderReadout()}</p>
      ${this.#renderWindow()}
      <div class="below">${this.#renderLegend()}${this.#values.renderButtons()}</div>
      ${liveRegion}
      ${this.#values.renderTable(() => this.#table())}
    `;
  }

  /** The colour of a head's lines. */
  #colourOf(head: number) {
    return this.heads.length === 1 ? "var(--flame)" : headColour(head, this.theme.theme);
  }

  #renderLine = ({ head, query, key, value, opacity, from, to }: Line) =>
    svg`<line x1="0" x2="100" y1=${from} y2=${to} stroke=${this.#colourOf(head)} stroke-opacity=${opacity} class=${Number.isFinite(value) ? "" : "broken"} data-head=${head} data-query=${query} data-key=${key}></line>`;

  #renderColumn(side: number) {
    const { first, count } = this.window;
    const places = Array.from({ length: count }, (_, i) => ({ side, at: first + i }));
    return html`<div class="column ${side === 0 ? "queries" : "keys"}">${places.map((place) => this.#renderToken(place))}</div>`;
  }

  #renderToken(place: Place) {
    const { side, at } = place;
    const { focused } = this;
    const own = side === 0 ? focused?.query : focused?.key;
    const isLocked = (side === 0 ? this.lock?.query : this.lock?.key) === at;
    const values = this.#valuesAt(place);
    const isMasked = values !== null && values.length === 0;
    const [only] = values?.length === 1 ? values : [];
    const { theme } = this.theme;
    const colours =
      only === undefined || Number.isNaN(only)
        ? ""
        : `background: ${colourOf(only, theme, this.scale)}; color: ${textOn(only, theme, this.scale)}`;
    const number = only === undefined ? "" : Number.isNaN(only) ? "NaN" : formatAttention(only);
    return html`<span
      class="token ${own === at ? "here" : ""} ${isLocked ? "locked" : ""} ${isMasked ? "masked" : ""}"
      data-side=${side === 0 ? "query" : "key"}
      data-at=${at}
      title=${glyphs(this.tokens[at] ?? "")}
      @pointerenter=${() => this.interaction.hover(place)}
      @click=${() => this.interaction.choose(place)}
    ><span class="value">${number}</span>${this.#renderBars(values)}<span class="text" .style=${colours}>${truncate(this.tokens[at] ?? "", 14)}</span></span>`;
  }

  /** Of several heads: a bar for each, as tall as its attention. */
  #renderBars(values: readonly number[] | null) {
    if (!values || values.length < 2) return "";
    return html`<span class="bars">${values.map((value, i) => html`<i .style="background: ${this.#colourOf(this.heads[i])}; height: ${Number.isFinite(value) ? Math.round(100 * Math.min(1, Math.max(0, value))) : 0}%"></i>`)}</span>`;
  }

  /** The attention between the focused token and this one of the other column, by head; none if it is masked. */
  #valuesAt({ side, at }: Place): number[] | null {
    const { focused, pattern } = this;
    const isOther = side === 0 ? focused?.key !== undefined : focused?.query !== undefined;
    if (!focused || !pattern || !isOther) return null;
    const query = side === 0 ? at : (focused.query ?? at);
    const key = side === 0 ? (focused.key ?? at) : at;
    if (focused.query !== undefined && focused.key !== undefined && focused.query !== query)
      return null;
    if (focused.query !== undefined && focused.key !== undefined && focused.key !== key)
      return null;
    const matrices = this.heads.map((head) => headMatrix(pattern, head));
    if (matrices.length > 0 && masked(matrices[0], query, key)) return [];
    return matrices.map(({ data, columns }) => data[query * columns + key]);
  }

  #renderReadout() {
    const { focused, pattern } = this;
    if (!focused || !pattern)
      return html`<span class="soft screen-only">Point at a token for its lines. Click to lock it.</span>`;
    return this.heads.map(
      (head) =>
        html`<span class="line">${this.heads.length > 1 ? html`<i class="swatch" .style="background: ${this.#colourOf(head)}"></i> ${this.layer}.${head}: ` : ""}${this.#words(focused, head)}</span>`,
    );
  }

  /** The strongest edges of the focused token, with their attention. */
  #words(focused: Band, head: number) {
    const { tokens, pattern } = this;
    if (!pattern) return "";
    const matrix = headMatrix(pattern, head);
    const token = (at: number) => `${at} ${truncate(tokens[at] ?? "", 20)}`;
    const value = (query: number, key: number) => matrix.data[query * matrix.columns + key];
    if (focused.query !== undefined && focused.key !== undefined)
      return `query ${token(focused.query)} → key ${token(focused.key)} ${formatSignificant(value(focused.query, focused.key), 7)}`;
    const { query, key } = focused;
    const isQuery = query !== undefined;
    const edges = isQuery
      ? strongestKeys(matrix, query, NAMED).map((at) => [at, value(query, at)])
      : strongestQueries(this.tokens.length, (at) => value(at, key ?? 0), key ?? 0);
    const named = edges.map(([at, one]) => `${token(at)} ${formatSignificant(one, 4)}`).join(", ");
    return isQuery ? `query ${token(query)} → ${named}` : `${named} → key ${token(key ?? 0)}`;
  }

  /** What the columns leave out. */
  #renderWindow() {
    const { tokens, window, pattern, focused } = this;
    const { first, count } = window;
    if (count >= tokens.length) return "";
    const query = focused?.query;
    const outside =
      query !== undefined && pattern && this.heads.length === 1
        ? attentionOutside(headMatrix(pattern, this.heads[0]), query, window)
        : null;
    const move = (by: number) => () => (this.first = clamp(first + by, tokens.length - count + 1));
    const step = Math.max(1, count >> 1);
    return html`<p class="window">
      <button ?disabled=${first === 0} @click=${move(-step)}>↑ earlier</button>
      <button ?disabled=${first + count >= tokens.length} @click=${move(step)}>↓ later</button>
      <span>Both columns show tokens ${first} to ${first + count - 1} of ${tokens.length}; lines to the others are left out.${
        outside && query !== undefined
          ? ` Token ${query} gives ${formatAttention(outside.sum)} of its attention to them, most to ${outside.key} ${truncate(tokens[outside.key] ?? "", 14)} (${formatAttention(outside.value)}).`
          : ""
      }</span>
    </p>`;
  }

  #renderLegend() {
    const { pattern, heads, scale } = this;
    const notFinite = heads.reduce(
      (sum, head) => sum + (pattern ? countUnmaskedNotFinite(headMatrix(pattern, head)) : 0),
      0,
    );
    const words = `opacity is attention, ${scale === "sqrt" ? "square root" : "linear"}`;
    const broken = notFinite > 0 ? `dashed: ${NOT_A_NUMBER}, ${notFinite} values` : "";
    return html`<span class="legend" role="img" aria-label="from 0 to 1: ${words}${broken && `; ${broken}`}">
        <span class="mono">0</span><span class="ramp" .style="background: linear-gradient(to right, transparent, ${this.#colourOf(heads[0] ?? 0)})"></span><span class="mono">1</span>
        <span>${words}</span>${broken ? html`<span>· ${broken}</span>` : ""}
      </span>
      <button aria-pressed=${scale === "sqrt"} title="Makes small values more visible" @click=${() => this.emit("scale-change", scale === "sqrt" ? "linear" : "sqrt")}>square root</button>`;
  }

  /** The text alternative: the keys that each token attends to most. */
  #table() {
    const { pattern, heads, layer, tokens } = this;
    const place = (at: number) => `${at} ${glyphs(tokens[at] ?? "")}`;
    const rows = heads.flatMap((head) => {
      const matrix = pattern && headMatrix(pattern, head);
      return tokens.slice(0, matrix?.rows ?? 0).map((_, query) => {
        const keys = matrix ? strongestKeys(matrix, query, 4) : [];
        const value = (key: number) =>
          formatAttention(matrix ? matrix.data[query * matrix.columns + key] : NaN);
        return [
          place(query),
          `${layer}.${head}`,
          ...keys.map((key) => `${place(key)} ${value(key)}`),
        ];
      });
    });
    return {
      caption: "The keys that each token attends to most.",
      columns: ["query", "head", "keys, strongest first"],
      rows,
    };
  }

  #sentence(band: Band) {
    const side = band.query === undefined ? "key" : "query";
    const at = band.query ?? band.key ?? 0;
    const words = this.heads.map(
      (head) => `head ${this.layer}.${head}: ${this.#words(band, head)}`,
    );
    return `${side} ${at} ${announced(this.tokens[at] ?? "")}. ${words.join(". ")}`;
  }
}

/** The queries that attend most to a key, with their attention. NaN comes first. */
function strongestQueries(length: number, valueAt: (query: number) => number, key: number) {
  const order = (value: number) => (Number.isNaN(value) ? Number.MAX_VALUE : value);
  return Array.from({ length: length - key }, (_, i) => [key + i, valueAt(key + i)])
    .sort((a, b) => order(b[1]) - order(a[1]))
    .slice(0, NAMED);
}

function bandOf({ side, at }: Place): Band {
  return side === 0 ? { query: at } : { key: at };
}

/** The token of a band; of a pair, its query. */
function placeOf(band: Band | null): Place | null {
  if (band?.query !== undefined) return { side: 0, at: band.query };
  return band?.key !== undefined ? { side: 1, at: band.key } : null;
}

declare global {
  interface HTMLElementTagNameMap {
    "attention-lines": AttentionLines;
  }
}
