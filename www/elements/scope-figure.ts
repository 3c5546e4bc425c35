// <scope-figure>: one reading as a figure: its tokens, the heads, and one or two of the views that views/index.ts lists. It keeps
// what is hovered, and reports what is chosen. It knows no model: its owner computes what the views request.

import { html, type LitElement, nothing } from "lit";

import type { HookPoint } from "../api/generated.js";
import type { Band, Pair } from "../draw/matrix.js";
import type { Stretch } from "../draw/scale.js";
import type { Reading } from "../session/reading.js";
import { NO_RESULT, type Requests, type ViewResult } from "../session/results.js";
import { describe } from "../session/scores.js";
import type { Held } from "../session/snapshot/held.js";
import { define, TypedElement, WidthController } from "./base.js";
import { isSameHead, type Head } from "./heads.js";
import { figureLayout, MIN_WIDTH_OF_GRID, MIN_WIDTH_OF_TWO } from "./figure-layout.js";
import { figureTokens } from "./figure-tokens.js";
import { besideChoice, directionChoice, showOpenTab, viewTabs } from "./figure-tabs.js";
import { base } from "./styles.js";
import { holds } from "./views/held.js";
import { entryOf, VIEWS } from "./views/index.js";
import {
  choiceStyles,
  type Description,
  type FigureChoice,
  type FigureState,
  type FigureView,
  type Hover,
  settingsOf,
  type ViewEntry,
  type ViewModule,
  type ViewSettings,
} from "./views/view.js";

export interface ScopeFigureEvents {
  /** the properties that the visitor changed */
  "figure-change": FigureChoice;
  /** the token that is hovered or locked */
  "position-focus": number | null;
}

type Config = FigureState["architecture"] & { vocab_size?: number };

export class ScopeFigure extends TypedElement<ScopeFigureEvents> {
  static override properties = {
    reading: { attribute: false },
    corrupted: { attribute: false },
    config: { attribute: false },
    parameterCount: { type: Number },
    hasTokenizer: { attribute: false },
    layer: { type: Number },
    head: { type: Number },
    view: { type: String },
    beside: { type: String },
    views: { attribute: false },
    scale: { type: String },
    direction: { type: String },
    lock: { attribute: false },
    off: { attribute: false },
    hook: { type: String },
    points: { attribute: false },
    position: { attribute: false },
    answer: { attribute: false },
    against: { attribute: false },
    results: { attribute: false },
    measured: { type: String },
    generated: { type: Number },
    held: { attribute: false },
    stale: { type: Boolean, reflect: true },
    compact: { type: Boolean, reflect: true },
    width: { state: true },
    hoveredHead: { state: true },
    hoveredToken: { state: true },
    hoveredCell: { state: true },
  };

  static override styles = [base, choiceStyles, figureLayout];

  declare reading: Reading | null;
  /** The second prompt. */
  declare corrupted: Reading | null;
  /** The model's config: its sizes, and what it does not have. */
  declare config: Config;
  declare parameterCount: number;
  declare hasTokenizer: boolean;
  declare layer: number;
  declare head: number;
  declare view: string;
  /** A second view, beside the first on wide screens; empty for none. */
  declare beside: string;
  /** The settings of each view. */
  declare views: ViewSettings;
  declare scale: Stretch;
  /** Tokens show what the focused one attends to ("from"), or what attends to it ("to"). */
  declare direction: "from" | "to";
  declare lock: Band | null;
  /** Heads that are switched off. */
  declare off: readonly Head[];
  /** The hook point whose values are drawn. */
  declare hook: string;
  /** The model's hook points. */
  declare points: readonly HookPoint[];
  /** The position whose prediction is studied; null for the last. */
  declare position: number | null;
  /** The token that is attributed or patched, and the one that it is compared with. */
  declare answer: string | number | null;
  declare against: string | number | null;
  /** What the views requested, by the view's name. */
  declare results: Readonly<Record<string, ViewResult>>;
  /** What head scores are measured on. */
  declare measured: "text" | "random";
  /** Tokens from this position on were generated. */
  declare generated: number;
  /** What a snapshot has numbers for; null for a figure with a model, which computes what it needs. */
  declare held: Held | null;
  /** A newer text is being read, or could not be read: the figure is dimmed. */
  declare stale: boolean;
  /** Small cells, and what a page around the figure has room for. */
  declare compact: boolean;
  declare width: number; // of the figure, in CSS pixels
  declare hoveredHead: Head | null;
  declare hoveredToken: number | null;
  declare hoveredCell: Pair | null;

  #described: (Description & { reading: Reading }) | null = null;
  /** The modules of views that were opened, and their elements. */
  #modules: Map<string, ViewModule | "loading" | Error> = new Map();
  #elements: Map<string, FigureView> = new Map();
  /** The position of the last `position-focus` event. */
  #lastReported: number | null = null;

  constructor() {
    super();
    this.reading = null;
    this.corrupted = null;
    this.config = {};
    this.parameterCount = 0;
    this.hasTokenizer = true;
    this.layer = 0;
    this.head = 0;
    this.view = "attention";
    this.beside = "";
    this.views = {};
    this.scale = "linear";
    this.direction = "from";
    this.lock = null;
    this.off = [];
    this.hook = "";
    this.points = [];
    this.position = null;
    this.answer = null;
    this.against = null;
    this.results = {};
    this.measured = "text";
    this.generated = Infinity;
    this.held = null;
    this.stale = false;
    this.compact = false;
    this.width = 0;
    new WidthController(this);
    this.hoveredHead = null;
    this.hoveredToken = null;
    this.hoveredCell = null;
  }

  get #entry(): ViewEntry {
    return entryOf(this.view);
  }

  /** The names of the views on show. */
  get #shown(): string[] {
    const first = Object.hasOwn(VIEWS, this.view) ? this.view : "attention";
    const hasRoom = this.width >= MIN_WIDTH_OF_TWO;
    const hasSecond = hasRoom && Object.hasOwn(VIEWS, this.beside) && this.beside !== first;
    return hasSecond ? [first, this.beside] : [first];
  }

  // ---- what the views request ----

  /** What the owner must compute for the views on show. */
  get requests(): Requests {
    if (!this.reading) return {};
    const found = this.#shown.flatMap((name) => {
      const request = this.#request(name);
      return request ? [[name, request]] : [];
    });
    return Object.fromEntries(found);
  }

  #request(name: string, figure = this.#state) {
    const module = this.#modules.get(name);
    if (!module || module === "loading" || module instanceof Error) return null;
    return module.request?.(figure, settingsOf(entryOf(name), figure.views[name])) ?? null;
  }

  /** Whether what a choice shows can be drawn. A figure with a model computes what it lacks. */
  offers(choice: FigureChoice): boolean {
    return (
      !this.held || holds(this.held, this.#state, choice, (name, next) => this.#request(name, next))
    );
  }

  /** A view on show is not there yet, or lacks what it requested. A request that waits for the visitor, or failed, does not count. */
  get needs(): boolean {
    return this.#lacks("current");
  }

  /** @param what "any": a former result is enough, but a request that waits for the visitor is not */
  #lacks(what: "current" | "any"): boolean {
    return this.#shown.some((name) => {
      if ((this.#modules.get(name) ?? "loading") === "loading") return true;
      if (!this.#request(name)) return false;
      const { value, isCurrent, isWaiting, error } = this.#results[name] ?? NO_RESULT;
      return !(error || (what === "any" ? value : isCurrent || isWaiting));
    });
  }

  /** The results; one that is about a former text is not current. */
  get #results(): Readonly<Record<string, ViewResult>> {
    const entries = Object.entries(this.results).map(([name, result]) => {
      const isAboutThis = result.reading?.ids === this.reading?.ids;
      return [name, isAboutThis ? result : { ...result, isCurrent: false }];
    });
    return Object.fromEntries(entries);
  }

  // ---- what is shown ----

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
    const { reading, corrupted, config, layer, head, view, beside, views } = this;
    const { scale, direction, lock, off, hook, points, position, answer, against } = this;
    const { measured, stale, compact, parameterCount, hasTokenizer } = this;
    const { hoveredHead, hoveredToken, hoveredCell, shownHead, hovered } = this;
    const figure = this;
    return {
      ...{ reading, corrupted, architecture: config, vocabulary: config.vocab_size ?? 0 },
      ...{ layer, head, view, beside, views, scale, direction, lock, off, hook, points },
      ...{ position, answer, against, measured, stale, compact, parameterCount, hasTokenizer },
      ...{ hoveredHead, hoveredToken, hoveredCell, shownHead, hovered },
      results: this.#results,
      offers: (choice) => figure.offers(choice),
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
    const figure = this.#state;
    const shown = this.#shown;
    const usesHead = shown.some((name) => entryOf(name).usesHead);
    const board = `board ${reading ? "" : "unread"} ${usesHead ? "with-heads" : ""} ${shown.length > 1 ? "two" : ""} ${this.querySelector("[slot=aside]") ? "with-aside" : ""}`;
    return html`
      <div class="text">
        <slot name="text"></slot>
        <div class="frame strip">${reading ? this.#tokens(figure, reading) : ""}</div>
      </div>
      <slot name="under"></slot>
      ${this.#tools()}
      <slot name="prompts"></slot>
      ${reading?.changes ? html`<p class="changed frame">With ${reading.changes}.</p>` : ""}
      <div class=${board} @view-hover=${this.#onHover} @view-choose=${this.#onChoose}>
        ${usesHead ? html`<div class="heads frame">${reading && this.#heads(figure, reading)}</div>` : ""}
        ${shown.map((name) => html`<section class="view frame" role=${this.compact ? "group" : nothing} aria-label=${entryOf(name).title} aria-busy=${this.stale}>${this.#panel(name, figure, shown.length > 1)}</section>`)}
        <div class="aside"><slot name="aside"></slot></div>
      </div>
    `;
  }

  #tokens(figure: FigureState, reading: Reading) {
    return figureTokens(figure, reading, {
      ...{ colors: this.#entry.tokenColors, generated: this.generated },
      ...{ hover: this.#onTokenHover, lock: this.#onTokenLock },
    });
  }

  #heads(figure: FigureState, reading: Reading) {
    return html`
      <h2>Heads</h2>
      <attention-heads
        .strip=${this.compact && this.width < MIN_WIDTH_OF_GRID}
        .compact=${this.compact}
        .patterns=${reading.thumbnails}
        .scores=${reading.scores}
        .layer=${figure.layer}
        .head=${figure.head}
        .scale=${figure.scale}
        .off=${figure.off}
        @head-hover=${(event: CustomEvent<Head | null>) => (this.hoveredHead = event.detail)}
        @head-select=${(event: CustomEvent<Head>) => this.#choose(event.detail)}
      ></attention-heads>
    `;
  }

  /** A view: its element, or why it is not there. */
  #panel(name: string, figure: FigureState, hasTitle: boolean) {
    const module = this.#modules.get(name);
    if (module instanceof Error)
      return html`<p role="alert">This view could not be loaded: ${module.message} <button @click=${() => this.#load(name)}>Try again</button></p>`;
    const element = this.#elements.get(name);
    if (!element) return html`<p class="soft" role="status">Opening …</p>`;
    const estimate = figure.results[name]?.isWaiting ? (this.#request(name)?.estimate ?? "") : "";
    Object.assign(element, { figure, estimate });
    return html`${hasTitle ? html`<h2 class="title">${entryOf(name).title}${name === this.beside ? html` <button @click=${() => this.#choose({ beside: "" })}>close</button>` : ""}</h2>` : ""}${element}`;
  }

  /** Loads a view's module and makes its element. */
  #load(name: string) {
    const entry = entryOf(name);
    const use = (module: ViewModule) => {
      define(module.tag, module.element);
      const element = document.createElement(module.tag) as unknown as FigureView;
      Object.assign(element, { name, entry });
      if (module.hasHeadSlot) {
        const slot = document.createElement("slot");
        Object.assign(slot, { name: "head", slot: "head" });
        element.append(slot);
      }
      this.#elements.set(name, element);
      this.#modules.set(name, module);
    };
    const loaded = entry.load();
    if (!(loaded instanceof Promise)) return use(loaded);
    this.#modules.set(name, "loading");
    loaded
      .then(use, (error: Error) => this.#modules.set(name, error))
      .then(() => {
        this.requestUpdate();
        this.#choose({}); // the owner can compute what the view requests
      });
  }

  #tools() {
    const choose = (choice: FigureChoice) => this.#choose(choice);
    return html`
      ${viewTabs(this, choose, this.held?.views)}
      <div class="row"><div class="tools">
        ${this.#entry.tokenColors === "attention" ? directionChoice(this, choose) : ""}
        ${this.lock ? html`<button @click=${() => choose({ lock: null })}>release (Esc)</button>` : ""}
        <span class="end">${besideChoice(this, choose, this.held?.views)}<slot name="tools"></slot></span>
      </div><slot name="changes"></slot></div>
    `;
  }

  #onTokenHover(event: CustomEvent<number | null>) {
    event.stopPropagation();
    this.hoveredToken = event.detail;
  }

  #onTokenLock(event: CustomEvent<number | null>) {
    event.stopPropagation();
    const at = event.detail;
    const isKey = this.direction === "to" && this.#entry.tokenColors === "attention";
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
    for (const name of this.#shown) if (!this.#modules.has(name)) this.#load(name);
    this.toggleAttribute("unread", !this.reading);
    const count = this.reading?.tokens.length ?? 0;
    if (changed.has("reading") && count > 0) {
      if (this.hoveredToken !== null && this.hoveredToken >= count) this.hoveredToken = null;
      if (this.hoveredCell && this.hoveredCell.query >= count) this.hoveredCell = null;
      if (this.lock && Math.max(this.lock.query ?? 0, this.lock.key ?? 0) >= count)
        this.lock = null;
    }
  }

  override updated(changed: Map<string, unknown>) {
    if (changed.has("view")) showOpenTab(this.renderRoot);
    this.toggleAttribute("drawn", this.reading !== null);
    this.toggleAttribute("settled", this.reading !== null && !this.#lacks("any"));
    this.toggleAttribute("two", this.#shown.length > 1);
    const position = this.hovered?.query ?? this.hoveredToken ?? this.lock?.query ?? null;
    if (position === this.#lastReported) return;
    this.#lastReported = position;
    this.emit("position-focus", position);
  }

  protected override async getUpdateComplete() {
    const isDone = await super.getUpdateComplete();
    const shown = this.#shown.map((name) => this.#elements.get(name) as LitElement | undefined);
    await Promise.all(shown.map((element) => element?.updateComplete));
    return isDone;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "scope-figure": ScopeFigure;
  }
}
