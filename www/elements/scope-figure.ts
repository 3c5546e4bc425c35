// <scope-figure>: one reading as a figure: its tokens, and one of the views that views/index.ts lists. It keeps what is hovered,
// and reports what is chosen. It knows no model: its owner computes what a view `needs`.

import { css, html, type LitElement } from "lit";

import { formatAttention, formatLogProb, NOT_A_NUMBER } from "../draw/format.js";
import { type Band, headMatrix, masked, type Pair } from "../draw/matrix.js";
import type { Stretch } from "../draw/scale.js";
import { announced } from "../draw/token.js";
import type { Need, Prepared, Reading } from "../session/reading.js";
import type { Architecture } from "../session/architecture.js";
import { describe } from "../session/scores.js";
import { isSameHead, type Head } from "./heads.js";
import { TypedElement } from "./base.js";
import { base } from "./styles.js";
import { isView, VIEWS } from "./views/index.js";
import {
  choiceStyles,
  type Description,
  type FigureChoice,
  type FigureState,
  type Hover,
} from "./views/view.js";

export interface ScopeFigureEvents {
  /** the properties that the visitor changed */
  "figure-change": FigureChoice;
  /** the token that is hovered or locked */
  "position-focus": number | null;
}

export class ScopeFigure extends TypedElement<ScopeFigureEvents> {
  static override properties = {
    reading: { attribute: false },
    vocabulary: { type: Number },
    layer: { type: Number },
    head: { type: Number },
    view: { type: String },
    scale: { type: String },
    direction: { type: String },
    lock: { attribute: false },
    off: { attribute: false },
    hook: { type: String },
    points: { attribute: false },
    architecture: { attribute: false },
    lens: { attribute: false },
    value: { attribute: false },
    random: { attribute: false },
    measured: { type: String },
    generated: { type: Number },
    stale: { type: Boolean, reflect: true },
    hoveredHead: { state: true },
    hoveredToken: { state: true },
    hoveredCell: { state: true },
  };

  static override styles = [
    base,
    choiceStyles,
    css`
      :host {
        container: figure / inline-size;
      }
      .frame {
        transition: opacity 150ms;
      }
      :host([stale]) .frame {
        opacity: 0.55;
      }
      .tools {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 0.4rem 1.2rem;
        margin-top: 0.45rem;
        font-size: 0.85rem;
      }
      .end {
        margin-left: auto;
      }
      @media (prefers-reduced-motion: reduce) {
        .frame {
          transition: none;
        }
      }
    `,
  ];

  declare reading: Reading | null;
  declare vocabulary: number;
  declare layer: number;
  declare head: number;
  declare view: string;
  declare scale: Stretch;
  /** Tokens show what the focused one attends to ("from"), or what attends to it ("to"). */
  declare direction: "from" | "to";
  declare lock: Band | null;
  /** Heads that are switched off. */
  declare off: readonly Head[];
  /** The hook point whose values are drawn. */
  declare hook: string;
  /** The model's hook points. */
  declare points: readonly { name: string; axes: readonly string[] }[];
  /** What the model does not have: a part of its config. */
  declare architecture: Architecture;
  declare lens: Prepared["lens"] | null;
  declare value: Prepared["value"] | null;
  declare random: Prepared["random"] | null;
  /** What head scores are measured on. */
  declare measured: "text" | "random";
  /** Tokens from this position on were generated. */
  declare generated: number;
  /** A newer text is being read, or could not be read: the figure is dimmed. */
  declare stale: boolean;
  declare hoveredHead: Head | null;
  declare hoveredToken: number | null;
  declare hoveredCell: Pair | null;

  #settings: Record<string, object> = {};
  #described: (Description & { reading: Reading }) | null = null;
  /** The position of the last `position-focus` event. */
  #lastReported: number | null = null;

  constructor() {
    super();
    this.reading = null;
    this.vocabulary = 0;
    this.layer = 0;
    this.head = 0;
    this.view = "attention";
    this.scale = "linear";
    this.direction = "from";
    this.lock = null;
    this.off = [];
    this.hook = "";
    this.points = [];
    this.architecture = {};
    this.lens = null;
    this.value = null;
    this.random = null;
    this.measured = "text";
    this.generated = Infinity;
    this.stale = false;
    this.hoveredHead = null;
    this.hoveredToken = null;
    this.hoveredCell = null;
  }

  get #view() {
    return isView(this.view) ? VIEWS[this.view] : VIEWS.attention;
  }

  /**
   * What the owner must compute for the open view, because it is missing or is about another text. The former value stays
   * visible until then.
   */
  get needs(): Need | null {
    const { reading } = this;
    return reading ? (this.#view.needs?.(this.#state) ?? null) : null;
  }

  /** The hovered head if its pattern is there, otherwise the chosen head. */
  get shownHead(): Head {
    const hovered = this.hoveredHead;
    return hovered && this.reading?.patterns[hovered.layer]
      ? hovered
      : { layer: this.layer, head: this.head };
  }

  /** The part of the pattern under the pointer or the keyboard. */
  get hovered(): Band | null {
    if (this.hoveredCell) return this.hoveredCell;
    if (this.hoveredToken === null) return null;
    return this.direction === "from" ? { query: this.hoveredToken } : { key: this.hoveredToken };
  }

  /** The hovered part, otherwise the locked one, otherwise the clearest example of what the head does. */
  get focused(): Band | null {
    return this.hovered ?? this.lock ?? this.described?.example ?? null;
  }

  /** What the shown head does on this text; computed once for each head and text. */
  get described(): Description | null {
    const { reading, shownHead } = this;
    const score = reading?.scores.find((one) => isSameHead(one, shownHead));
    const pattern = score && reading?.patterns[score.layer];
    if (!reading || !score || !pattern) return null;
    if (this.#described?.reading !== reading || this.#described.score !== score) {
      const description = describe(score, pattern, reading.ids, reading.tokens);
      this.#described = { reading, score, ...description };
    }
    return this.#described;
  }

  get #state(): FigureState {
    const { reading, vocabulary, layer, head, view, scale, direction, lock, off, hook, points } =
      this;
    const { architecture } = this;
    const { lens, value, random, measured, stale } = this;
    const { hoveredHead, hoveredToken, hoveredCell, shownHead, hovered } = this;
    const figure = this;
    return {
      ...{ reading, vocabulary, layer, head, view, scale, direction, lock, off, hook, points },
      architecture,
      ...{ lens, value, random, measured, stale, settings: this.#settings },
      ...{ hoveredHead, hoveredToken, hoveredCell, shownHead, hovered },
      // Only some views need these, and a long text takes long to describe.
      get focused() {
        return figure.focused;
      },
      get described() {
        return figure.described;
      },
    };
  }

  override render() {
    const { reading } = this;
    return html`
      <slot name="text"></slot>
      <div class="frame" aria-busy=${this.stale} @view-hover=${this.#onHover} @view-choose=${this.#onChoose}>
        ${reading ? [this.#strip(reading), this.#tools()] : ""}
        ${this.#view.render(this.#state, this.#slots())}
      </div>
    `;
  }

  /** Passes on to the view what the owner placed in the figure. */
  #slots() {
    return html`<slot name="head" slot="head"></slot>${this.querySelector("[slot=aside]") ? html`<slot name="aside" slot="aside"></slot>` : ""}`;
  }

  #strip(reading: Reading) {
    const { tokenColors } = this.#view;
    const isAttention = tokenColors === "attention";
    const { position, target, values } = isAttention
      ? this.#attentionOf(reading)
      : this.#surprisalOf(reading);
    const locked = this.direction === "from" ? this.lock?.query : this.lock?.key;
    const legend = {
      from: "0",
      to: formatLogProb(this.#guessLoss),
      text: "surprisal: minus the log-probability of the token, given those before it; the far end is a uniform guess",
    };
    return html`
      <token-strip
        .tokens=${reading.tokens}
        .values=${tokenColors === "none" ? null : values}
        .scale=${isAttention ? this.scale : "linear"}
        .position=${position}
        .target=${target}
        .locked=${locked ?? -1}
        .generated=${this.generated}
        .sentences=${(at: number) => this.#sentence(reading, at)}
        .legend=${tokenColors === "surprisal" ? legend : null}
        @token-hover=${this.#onTokenHover}
        @token-lock=${this.#onTokenLock}
      ></token-strip>
    `;
  }

  #tools() {
    const choice = (label: string, isPressed: boolean, choose: FigureChoice) =>
      html`<button aria-pressed=${isPressed} @click=${() => this.#choose(choose)}>${label}</button>`;
    return html`
      <div class="tools">
        <span class="choice" role="group" aria-label="view">
          ${Object.entries(VIEWS).map(([name, { title }]) => choice(title, this.view === name, { view: name }))}
        </span>
        ${
          this.#view.tokenColors === "attention"
            ? html`<span class="choice" role="group" aria-label="which way">
              ${choice("what a word attends to", this.direction === "from", { direction: "from" })}
              ${choice("what attends to it", this.direction === "to", { direction: "to" })}
            </span>`
            : ""
        }
        ${this.lock ? html`<button @click=${() => this.#choose({ lock: null })}>release (Esc)</button>` : ""}
        <slot name="tools" class="end"></slot>
      </div>
      <slot name="changes"></slot>
    `;
  }

  /** The colours of the tokens: a row of the pattern, or a column. A masked edge has no colour. */
  #attentionOf(reading: Reading) {
    const { layer, head } = this.shownHead;
    const pattern = reading.patterns[layer];
    const focused = this.focused;
    const position = (this.direction === "from" ? focused?.query : focused?.key) ?? -1;
    const target = (this.direction === "from" ? focused?.key : focused?.query) ?? -1;
    if (!pattern || position < 0) return { position, target, values: null };
    const matrix = headMatrix(pattern, head);
    const values = reading.tokens.map((_, other) => {
      const [query, key] = this.direction === "from" ? [position, other] : [other, position];
      return query >= matrix.rows || masked(matrix, query, key)
        ? null
        : matrix.data[query * matrix.columns + key];
    });
    return { position, target, values };
  }

  /** The loss of a uniform guess, in nats. */
  get #guessLoss() {
    return Math.log(Math.max(2, this.vocabulary));
  }

  #surprisalOf(reading: Reading) {
    const max = this.#guessLoss;
    const values = [null, ...Array.from(reading.logProbs, (value) => -value / max)];
    return { position: this.hoveredToken ?? this.lock?.query ?? -1, target: -1, values };
  }

  /** What a screen reader says about a token. */
  #sentence(reading: Reading, position: number) {
    const token = `token ${position} ${announced(reading.tokens[position])}`;
    if (this.#view.tokenColors !== "attention") {
      return position === 0
        ? `${token}, the first`
        : `${token}, log-probability ${formatLogProb(reading.logProbs[position - 1])}`;
    }
    const { values } = this.#attentionOf(reading);
    if (values?.some(Number.isNaN)) return `${token}, attention ${NOT_A_NUMBER}`;
    const best = (values ?? []).reduce(
      (most: number, value, at) => ((value ?? -1) > ((values ?? [])[most] ?? -1) ? at : most),
      -1,
    );
    if (!values || best < 0) return token;
    const verb = this.direction === "from" ? "attends most to" : "is attended to most by";
    return `${token} ${verb} ${best} ${announced(reading.tokens[best])}, ${formatAttention(values[best] ?? NaN)}`;
  }

  #onTokenHover(event: CustomEvent<number | null>) {
    event.stopPropagation();
    this.hoveredToken = event.detail;
  }

  #onTokenLock(event: CustomEvent<number | null>) {
    event.stopPropagation();
    const at = event.detail;
    const isKey = this.direction === "to" && this.#view.tokenColors === "attention";
    this.#choose({ lock: at === null ? null : isKey ? { key: at } : { query: at } });
  }

  #onHover(event: CustomEvent<Partial<Hover>>) {
    event.stopPropagation();
    Object.assign(this, event.detail);
  }

  #onChoose(event: CustomEvent<FigureChoice>) {
    event.stopPropagation();
    this.#choose(event.detail);
  }

  #choose(choice: FigureChoice) {
    Object.assign(this, choice);
    if ("layer" in choice) this.hoveredHead = null;
    this.emit("figure-change", choice);
  }

  override willUpdate(changed: Map<string, unknown>) {
    const count = this.reading?.tokens.length ?? 0;
    if (changed.has("reading") && count > 0) {
      if (this.hoveredToken !== null && this.hoveredToken >= count) this.hoveredToken = null;
      if (this.hoveredCell && this.hoveredCell.query >= count) this.hoveredCell = null;
      if (this.lock && Math.max(this.lock.query ?? 0, this.lock.key ?? 0) >= count)
        this.lock = null;
    }
  }

  override updated() {
    const position = this.hovered?.query ?? this.hoveredToken ?? this.lock?.query ?? null;
    if (position === this.#lastReported) return;
    this.#lastReported = position;
    this.emit("position-focus", position);
  }

  protected override async getUpdateComplete() {
    const isDone = await super.getUpdateComplete();
    await (this.renderRoot.querySelector(".frame > :last-child") as LitElement | null)
      ?.updateComplete;
    return isDone;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "scope-figure": ScopeFigure;
  }
}
