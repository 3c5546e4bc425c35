// <scope-figure>: one reading as a figure: its tokens, every head, the chosen head large, and what joins them.
// It keeps what is hovered to itself and tells what is chosen; it knows no model.

import { css, html } from "lit";
import { NOT_A_NUMBER, formatAttention, formatLogProb } from "../draw/format.js";
import { announced, truncate } from "../draw/token.js";

import { headMatrix, masked, type Band, type Pair } from "../draw/matrix.js";
import { countNotFinite } from "../draw/not-finite.js";
import { describe, measurable, type HeadScore } from "../session/scores.js";
import { TypedElement } from "./base.js";
import { base } from "./styles.js";

import type { Reading } from "../session/reading.js";
import type { Head } from "./attention-heads.js";
import type { Stretch } from "../draw/scale.js";
import type { Lens, Place } from "./logit-lens.js";
import type { Tensor } from "../draw/matrix.js";
import type { Slice } from "../draw/slice.js";
import type { TensorView } from "./tensor-view.js";
import type { Table } from "./head-scores.js";

/** What a view may need beyond the reading. */
export type Need = "lens" | "value" | "random";

/** The ways to look at a reading. A further one is a further entry. */
export const VIEWS: Record<
  string,
  { title: string; draw: (figure: ScopeFigure, reading: Reading) => unknown }
> = {
  attention: { title: "attention", draw: (figure, reading) => figure.drawAttention(reading) },
  "log-probability": {
    title: "log-probability",
    draw: (figure, reading) => figure.drawLosses(reading),
  },
  lens: { title: "lens", draw: (figure) => figure.drawLens() },
  heads: { title: "head scores", draw: (figure, reading) => figure.drawScores(reading) },
  activations: { title: "activations", draw: (figure) => figure.drawValue() },
};

/** On random tokens that repeat once there is a place for every score. */
const ALL_KINDS = measurable([0, 0, 0]);

export type FigureChoice = Partial<
  Pick<
    ScopeFigure,
    "layer" | "head" | "view" | "scale" | "direction" | "lock" | "hook" | "measured"
  >
>;

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
    lens: { attribute: false },
    value: { attribute: false },
    random: { attribute: false },
    measured: { type: String },
    generated: { type: Number },
    stale: { type: Boolean, reflect: true },
    hoveredHead: { state: true },
    hoveredToken: { state: true },
    hoveredCell: { state: true },
    lensLock: { state: true },
    kind: { state: true },
    slice: { state: true },
  };

  static override styles = [
    base,
    css`
      :host {
        container: figure / inline-size;
      }
      .frame {
        transition: opacity 150ms;
      }
      :host([stale]) .frame,
      .stale {
        opacity: 0.55;
      }
      :host([stale]) .stale {
        opacity: 1; /* the frame is dimmed already */
      }
      .tools {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 0.4rem 1.2rem;
        margin-top: 0.45rem;
        font-size: 0.85rem;
      }
      .choice {
        display: inline-flex;
      }
      .choice button {
        font-size: 0.85rem;
        padding: 0.14em 0.8em;
        border-radius: 0;
        margin-left: -1px;
        position: relative;
      }
      .choice button:first-child {
        border-radius: 999px 0 0 999px;
        margin-left: 0;
      }
      .choice button:last-child {
        border-radius: 0 999px 999px 0;
      }
      .choice button[aria-pressed="true"] {
        z-index: 1;
      }
      @container figure (max-width: 619px) {
        .choice {
          flex-wrap: wrap;
          gap: 0.25rem;
        }
        .choice button,
        .choice button:first-child,
        .choice button:last-child {
          border-radius: 999px;
          margin-left: 0;
        }
      }
      .end {
        margin-left: auto;
      }
      .says {
        margin: 0.8rem 0 0.7rem;
        font-size: 1.14rem;
        line-height: 1.4;
        text-wrap: pretty;
        max-width: 62rem;
      }
      .says strong {
        font-weight: 600;
      }
      .says .soft {
        font-size: 0.98rem;
      }
      .chip {
        color: var(--ink);
        background: var(--glow);
        border-radius: 3px;
        padding: 0.05em 0.25em;
        font-size: 0.86em;
        white-space: pre;
      }
      .board {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: 1.4rem;
        align-items: start;
      }
      .heads {
        order: 2;
      }
      .large {
        min-width: 0;
      }
      .aside {
        order: 3;
        min-width: 0;
      }
      h2 {
        margin: 0 0 0.35rem;
        font-size: 1rem;
        font-weight: 600;
      }
      .pinned {
        font-weight: 400;
        font-size: 0.85rem;
        color: var(--soft);
      }
      .hook {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 0.4rem 0.6rem;
        margin: 0 0 0.6rem;
        font-size: 0.9rem;
      }
      .hook label {
        display: flex;
        flex: 1 1 16rem;
        max-width: 30rem;
        align-items: center;
        gap: 0.5rem;
      }
      .hook input {
        flex: 1;
        font-family: var(--mono);
        font-size: 0.86rem;
      }
      .hook button {
        font-size: 0.8rem;
        padding: 0.14em 0.7em;
      }
      .off {
        color: var(--flame);
      }
      @container figure (min-width: 620px) {
        .board {
          grid-template-columns: minmax(11rem, 17rem) minmax(0, 1fr);
        }
        .heads {
          order: 0;
        }
        .losses {
          grid-column: 1 / -1;
        }
        .aside {
          grid-column: 1 / -1;
        }
      }
      @container figure (min-width: 1080px) {
        .board {
          grid-template-columns: minmax(13rem, 24rem) minmax(0, 1fr) 18.5rem;
          gap: 2rem;
        }
        .losses {
          grid-column: span 2;
        }
        .aside {
          grid-column: auto;
          padding-left: 1.6rem;
          border-left: 1px solid var(--line);
          align-self: stretch;
        }
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
  /** Tokens show what the chosen one attends to ("from"), or what attends to it ("to"). */
  declare direction: "from" | "to";
  declare lock: Band | null;
  /** Heads that are switched off. */
  declare off: readonly Head[];
  /** The hook point whose values are drawn. */
  declare hook: string;
  /** What can be drawn: the model's hook points. */
  declare points: readonly { name: string; axes: readonly string[] }[];
  /** A reading through the logit lens. */
  declare lens: { reading: Reading; lens: Lens } | null;
  /** The values at a hook point. */
  declare value: { reading: Reading; hook: string; tensor: Tensor } | null;
  /** Every head's scores on random tokens, under the interventions of a reading. */
  declare random: { interventions: Reading["interventions"]; table: Table } | null;
  /** What head scores are measured on. */
  declare measured: "text" | "random";
  /** Tokens from here on were written by the model. */
  declare generated: number;
  /** A newer text is being read; this figure is the last good one. */
  declare stale: boolean;
  declare hoveredHead: Head | null;
  declare hoveredToken: number | null;
  declare hoveredCell: Pair | null;
  declare lensLock: Place | null;
  /** Which score is on show. */
  declare kind: string;
  /** Which axes of a value are on show. */
  declare slice: Partial<Slice>;

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
    this.lens = null;
    this.value = null;
    this.random = null;
    this.measured = "text";
    this.generated = Infinity;
    this.stale = false;
    this.hoveredHead = null;
    this.hoveredToken = null;
    this.hoveredCell = null;
    this.lensLock = null;
    this.kind = "induction";
    this.slice = {};
  }

  /**
   * What the owner must compute for the view on show, because it is not there or is about another text; what is there
   * stays until then.
   */
  get needs(): Need | null {
    const { reading } = this;
    if (!reading) return null;
    if (this.view === "lens") return this.lens?.reading === reading ? null : "lens";
    if (this.view === "heads" && this.measured === "random")
      return this.random?.interventions === reading.interventions ? null : "random";
    if (this.view !== "activations" || !this.points.some(({ name }) => name === this.hook))
      return null;
    return this.value?.reading === reading && this.value.hook === this.hook ? null : "value";
  }

  /** The head on show: the previewed one, or the chosen one. */
  get shownHead() {
    const hovered = this.hoveredHead;
    return hovered && this.reading?.patterns[hovered.layer]
      ? hovered
      : { layer: this.layer, head: this.head };
  }

  get headScore() {
    const { layer, head } = this.shownHead;
    return this.reading?.scores.find((one) => one.layer === layer && one.head === head) ?? null;
  }

  /** What the pointer or the keyboard is on, as a part of the pattern. */
  get hovered(): Band | null {
    if (this.hoveredCell) return this.hoveredCell;
    if (this.hoveredToken === null) return null;
    return this.direction === "from" ? { query: this.hoveredToken } : { key: this.hoveredToken };
  }

  /** The same, or what is locked, or at rest the clearest example of what the head does. */
  get focused(): Band | null {
    return this.hovered ?? this.lock ?? this.described?.example ?? null;
  }

  /** What the head on show does on this text; worked out once for each. */
  get described() {
    const { reading, headScore: score } = this;
    const pattern = score && reading?.patterns[score.layer];
    if (!reading || !score || !pattern) return null;
    if (this.#described?.reading !== reading || this.#described.score !== score) {
      this.#described = {
        reading,
        score,
        ...describe(score, pattern, reading.ids, reading.tokens),
      };
    }
    return this.#described;
  }

  #described: (ReturnType<typeof describe> & { reading: Reading; score: HeadScore }) | null = null;

  isOff({ layer, head }: Head) {
    return this.off.some((other) => other.layer === layer && other.head === head);
  }

  override render() {
    const reading = this.reading;
    const view = Object.hasOwn(VIEWS, this.view) ? VIEWS[this.view] : VIEWS.attention;
    return html`
      <div class="frame" aria-busy=${this.stale}>
        <slot name="text"></slot>
        ${reading ? html`${this.#strip(reading)} ${view.draw(this, reading)}` : html`<div class="board"><span class="losses"></span>${this.#aside()}</div>`}
      </div>
    `;
  }

  /** The tokens are coloured by attention; else by how much each surprised the model. */
  get #inAttention() {
    return this.view === "attention" || this.view === "heads";
  }

  #strip(reading: Reading) {
    const inAttention = this.#inAttention;
    const bySurprise = !inAttention && this.view !== "activations";
    const { position, target, values } = inAttention
      ? this.#attentionOf(reading)
      : this.#surpriseOf(reading);
    const locked = this.direction === "from" ? this.lock?.query : this.lock?.key;
    return html`
      <token-strip
        .tokens=${reading.tokens}
        .values=${inAttention || bySurprise ? values : null}
        .scale=${inAttention ? this.scale : "linear"}
        .position=${position}
        .target=${target}
        .locked=${locked ?? -1}
        .generated=${this.generated}
        .sentences=${(at: number) => this.#announced(reading, at)}
        .legend=${!bySurprise ? null : { from: "0", to: formatLogProb(Math.log(Math.max(2, this.vocabulary))), text: "surprise: minus the log-probability of the token, given those before it; the far end is a blind guess" }}
        @token-hover=${this.#onTokenHover}
        @token-lock=${this.#onTokenLock}
      ></token-strip>
      <div class="tools">
        <span class="choice" role="group" aria-label="view">
          ${Object.entries(VIEWS).map(([name, { title }]) => html`<button aria-pressed=${this.view === name} @click=${() => this.#choose({ view: name })}>${title}</button>`)}
        </span>
        ${
          inAttention
            ? html`<span class="choice" role="group" aria-label="which way">
              <button aria-pressed=${this.direction === "from"} @click=${() => this.#choose({ direction: "from" })}>what a word attends to</button>
              <button aria-pressed=${this.direction === "to"} @click=${() => this.#choose({ direction: "to" })}>what attends to it</button>
            </span>`
            : ""
        }
        ${this.lock ? html`<button @click=${() => this.#choose({ lock: null })}>release (Esc)</button>` : ""}
        <slot name="tools" class="end"></slot>
      </div>
      <slot name="changes"></slot>
    `;
  }

  drawAttention(reading: Reading) {
    const { layer, head } = this.shownHead;
    const pattern = reading.patterns[layer];
    const preview = layer !== this.layer || head !== this.head;
    return html`
      ${this.#says(reading)}
      <div class="board">
        <div class="heads">
          <h2>Heads</h2>
          <attention-heads
            .patterns=${reading.thumbnails}
            .scores=${reading.scores}
            .layer=${this.layer}
            .head=${this.head}
            .scale=${this.scale}
            .off=${this.off}
            @head-hover=${(event: CustomEvent<Head | null>) => (this.hoveredHead = event.detail)}
            @head-select=${(event: CustomEvent<Head>) => this.#choose(event.detail)}
          ></attention-heads>
        </div>
        <div class="large">
          <h2>Head ${layer}.${head} <span class="pinned">${preview ? "preview; click to keep it" : ""}</span>${this.isOff({ layer, head }) ? html` <span class="pinned off">switched off: what it reads here is not passed on</span>` : ""} <slot name="head"></slot></h2>
          ${
            pattern
              ? html`<attention-pattern
                .pattern=${pattern}
                .head=${head}
                .tokens=${reading.tokens}
                .scale=${this.scale}
                .lock=${this.lock}
                .highlight=${this.hoveredToken === null ? (this.lock ? null : this.focused) : this.hovered}
                label="head ${layer}.${head}"
                @cell-hover=${(event: CustomEvent) => (this.hoveredCell = event.detail)}
                @cell-lock=${(event: CustomEvent) => this.#choose({ lock: event.detail })}
                @scale-change=${(event: CustomEvent) => this.#choose({ scale: event.detail })}
              ></attention-pattern>`
              : html`<p class="soft">Reading layer ${layer} …</p>`
          }
        </div>
        ${this.#aside()}
      </div>
    `;
  }

  /** What the owner put beside the picture, if anything. */
  #aside() {
    return this.querySelector("[slot=aside]")
      ? html`<div class="aside"><slot name="aside"></slot></div>`
      : "";
  }

  /** One line in words, so that the picture does not need to be known already. */
  #says(reading: Reading) {
    if (!this.described) return html`<p class="says"></p>`;
    const { score, does, mean, what, clear, example, notNumbers } = this.described;
    if (notNumbers > 0) {
      return html`<p class="says"><strong>Head ${score.layer}.${score.head} ${does}.</strong> <span class="soft">${notNumbers} of its values are ${NOT_A_NUMBER} (striped), so nothing can be said of what it looks at.</span></p>`;
    }
    const token = (at: number) =>
      html`<span class="chip mono">${truncate(reading.tokens[at] ?? "", 20)}</span>`;
    const evidence =
      clear && example
        ? html`On average ${formatAttention(mean)} of its attention goes there; here, from ${token(example.query)} to ${token(example.key)}.`
        : html`It is most like a head for ${what}, but gives that only ${formatAttention(mean)} of its attention.`;
    return html`<p class="says"><strong>Head ${score.layer}.${score.head} ${does}.</strong> <span class="soft">${evidence}</span></p>`;
  }

  drawLosses(reading: Reading) {
    const mean = reading.loss ?? -average(reading.logProbs);
    const broken = countNotFinite(reading.logProbs);
    const words =
      broken > 0
        ? html`<strong>The log-probability of ${broken} of ${reading.logProbs.length} tokens is ${NOT_A_NUMBER} or infinite.</strong> <span class="soft">Their mean is ${formatLogProb(-mean)}. Columns with stripes have no height.</span>`
        : html`<strong>On average the model gave the true next token a log-probability of ${formatLogProb(-mean)}.</strong>
      <span class="soft">A tall column surprised it. Where the text repeats itself and the model copies, the columns get short.</span>`;
    return html`
      <p class="says">${reading.logProbs.length > 0 ? words : "One token alone has nothing before it to be foreseen from."}</p>
      <div class="board">
        <div class="losses">
          <token-losses
            .tokens=${reading.tokens}
            .logProbs=${reading.logProbs}
            .loss=${mean}
            .vocabulary=${this.vocabulary}
            .position=${this.hoveredToken ?? this.lock?.query ?? -1}
            @token-hover=${this.#onTokenHover}
          ></token-losses>
        </div>
        ${this.#aside()}
      </div>
    `;
  }

  drawLens() {
    return html`
      <p class="says"><strong>What the model would say next, if it stopped after each layer.</strong>
        <span class="soft">Reading down a column shows where the guess is made. Each cell is the likeliest token there; the stronger its colour, the surer.</span></p>
      <div class="board">
        <div class=${`losses ${this.needs ? "stale" : ""}`}>
          ${
            this.lens
              ? html`<logit-lens
                .lens=${this.lens.lens}
                .tokens=${this.lens.reading.tokens}
                .scale=${this.scale}
                .lock=${this.lock ? this.lensLock : null}
                @cell-hover=${(event: CustomEvent) => (this.hoveredToken = event.detail?.position ?? null)}
                @cell-lock=${this.#onLensLock}
                @scale-change=${(event: CustomEvent) => this.#choose({ scale: event.detail })}
              ></logit-lens>`
              : html`<p class="soft" role="status">Asking each layer …</p>`
          }
        </div>
        ${this.#aside()}
      </div>
    `;
  }

  #onLensLock({ detail }: CustomEvent<Place | null>) {
    this.lensLock = detail;
    this.#choose({ lock: detail && { query: detail.position } });
  }

  /** Which scores the text has a place for; worked out once for each text. */
  #measurable({ ids }: Reading) {
    if (this.#places?.ids !== ids) this.#places = { ids, kinds: measurable(ids) };
    return this.#places.kinds;
  }

  #places: { ids: Uint32Array; kinds: Set<string> } | null = null;

  drawScores(reading: Reading) {
    const onText = this.measured === "text";
    const table = onText ? reading.table : (this.random?.table ?? null);
    return html`
      <p class="says"><strong>How much each head is of one kind${onText ? ", on this text" : ", on random tokens that repeat once"}.</strong>
        <span class="soft">${onText ? "The mean attention that it gives to such tokens." : "There only a head that looks back can foresee anything: this is how heads are usually lastReported apart."} Choosing a head shows its attention.</span></p>
      <div class="board">
        <div class=${`losses ${this.needs ? "stale" : ""}`}>
          ${
            table
              ? html`<head-scores
                .scores=${table}
                .measurable=${onText ? this.#measurable(reading) : ALL_KINDS}
                .kind=${this.kind}
                .layer=${this.layer}
                .head=${this.head}
                .off=${this.off}
                @kind-change=${(event: CustomEvent<string>) => (this.kind = event.detail)}
                @head-hover=${(event: CustomEvent<Head | null>) => (this.hoveredHead = event.detail)}
                @head-select=${(event: CustomEvent<Head>) => this.#choose({ ...event.detail, view: "attention" })}
                >${this.#measuredOn()}</head-scores
              >`
              : html`<p class="soft" role="status">Measuring the heads …</p>`
          }
        </div>
        ${this.#aside()}
      </div>
    `;
  }

  #measuredOn() {
    return html`<span class="choice" role="group" aria-label="measured on">
      <button aria-pressed=${this.measured === "text"} @click=${() => this.#choose({ measured: "text" })}>this text</button>
      <button aria-pressed=${this.measured === "random"} @click=${() => this.#choose({ measured: "random" })}>random tokens</button>
    </span>`;
  }

  drawValue() {
    const known = this.points.some(({ name }) => name === this.hook);
    return html`
      <p class="says"><strong>Any number inside the model, by its TransformerLens name.</strong>
        <span class="soft">Paper is zero, flame above it, blue below.</span></p>
      <div class="board">
        <div class="losses">
          ${this.#hookChoice()}
          ${
            this.value && known
              ? html`<tensor-view
                class=${this.needs ? "stale" : ""}
                .tensor=${this.value.tensor}
                name=${this.value.hook}
                .tokens=${this.value.reading.tokens}
                .rows=${this.slice.rows ?? ""}
                .columns=${this.slice.columns ?? ""}
                .index=${this.slice.index ?? {}}
                .scale=${this.scale}
                @value-hover=${this.#onValueHover}
                @slice-change=${(event: CustomEvent) => (this.slice = event.detail)}
                @scale-change=${(event: CustomEvent) => this.#choose({ scale: event.detail })}
              ></tensor-view>`
              : html`<p class="soft" role="status">${known || this.points.length === 0 ? "Reading …" : "There is no hook point of that name."}</p>`
          }
        </div>
        ${this.#aside()}
      </div>
    `;
  }

  /** A value that belongs to a token points at it. */
  #onValueHover({ detail, target }: CustomEvent<{ row: number; column: number } | null>) {
    const { rows, columns } = (target as TensorView).slice;
    const ofToken = (axis: string) => axis === "pos" || axis === "query";
    this.hoveredToken =
      detail && (ofToken(rows) ? detail.row : ofToken(columns) ? detail.column : null);
  }

  #hookChoice() {
    const at = this.points.findIndex(({ name }) => name === this.hook);
    /** The same point of another layer. */
    const layer = (by: number) =>
      this.hook.replace(/^blocks\.(\d+)\./, (_, here) => `blocks.${Number(here) + by}.`);
    const there = (name: string) =>
      name !== this.hook && this.points.some((point) => point.name === name);
    const button = (name: string, title: string) =>
      html`<button ?disabled=${!there(name)} @click=${() => this.#choose({ hook: name })}>${title}</button>`;
    return html`<div class="hook">
      <label><span>hook point</span>
        <input list="points" name="hook" spellcheck="false" autocomplete="off" .value=${this.hook} @change=${this.#onHook} @input=${this.#onHook} @focus=${(event: Event) => (event.target as HTMLInputElement).select()} />
      </label>
      <datalist id="points">${this.points.map(({ name, axes }) => html`<option value=${name}>${axes.filter((axis) => axis !== "batch").join(" × ")}</option>`)}</datalist>
      ${button(layer(-1), "layer −")}${button(layer(1), "layer +")}${button(this.points[at - 1]?.name ?? this.hook, "← previous")}${button(this.points[at + 1]?.name ?? this.hook, "next →")}
    </div>`;
  }

  /** A name takes effect once it is whole. */
  #onHook(event: Event) {
    const input = event.target as HTMLInputElement;
    const found = this.points.find(({ name }) => name === input.value.trim());
    if (found && found.name !== this.hook) this.#choose({ hook: found.name });
    else if (!found && event.type === "change") input.value = this.hook;
  }

  /**
   * The colours of the strip: a row of the pattern, or a column. What cannot see, or be seen, has none.
   */
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

  #surpriseOf(reading: Reading) {
    const most = Math.log(Math.max(2, this.vocabulary));
    const values = [null, ...Array.from(reading.logProbs, (value) => -value / most)];
    return { position: this.hoveredToken ?? this.lock?.query ?? -1, target: -1, values };
  }

  #announced(reading: Reading, position: number) {
    const token = `token ${position} ${announced(reading.tokens[position])}`;
    if (!this.#inAttention) {
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
    const band =
      this.direction === "from" || !this.#inAttention ? { query: at ?? 0 } : { key: at ?? 0 };
    this.#choose({ lock: at === null ? null : band });
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
    if (position === this.lastReported) return;
    this.lastReported = position;
    this.emit("position-focus", position);
  }

  /** The position of the last position-focus event. */
  lastReported: number | null = null;
}

function average(values: ArrayLike<number>) {
  return Array.from(values).reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}

declare global {
  interface HTMLElementTagNameMap {
    "scope-figure": ScopeFigure;
  }
}
