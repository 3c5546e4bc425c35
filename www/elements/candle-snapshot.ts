// <candle-snapshot>: a snapshot as a figure for any page, from a file or from a script inside of the element. It needs no model.
// "Run live" puts a <candle-scope> in its place, whose code `CandleSnapshot.loadLive` fetches.

import { css, html, type PropertyDeclaration } from "lit";

import { messageOf, createError } from "../api/errors.js";
import type { Reading } from "../session/reading.js";
import type { Recorded } from "../session/snapshot/held.js";
import { complete, type ValuesOf } from "../state/fields.js";
import { TypedElement } from "./base.js";
import type { LiveState } from "./snapshot-figure.js";
import { withCode } from "./code.js";
import { FocusKeeper } from "./scope/focus.js";
import { ALL_FIELDS, hiddenParts, readingAccessor, SCOPE_PROPERTIES } from "./scope/fields.js";
import { Wanted } from "./scope/lazy.js";
import { misspelt } from "./scope/misspelt.js";
import { scopeStyles } from "./scope/styles.js";
import { chosen } from "./snapshot/chosen.js";
import { CHOSEN, type Given, givenBy, needingModel } from "./snapshot/given.js";
import { InlineSnapshot } from "./snapshot/inline.js";
import { isLoadable, type LiveValues, liveValues, whatLoads, whyNotLive } from "./snapshot/live.js";
import { SnapshotSource } from "./snapshot/source.js";
import { base, code } from "./styles.js";
import { refreshThemes } from "./theme.js";

const NAMES = [
  ...(["src", "live", "loading", "theme", "controls", "parts", "model", "dtype"] as const),
  ...CHOSEN,
] as const;
type Name = (typeof NAMES)[number];
type Values = Pick<ValuesOf<typeof ALL_FIELDS>, Name>;

const PROPERTIES: Record<string, PropertyDeclaration> = Object.fromEntries(
  NAMES.map((name) => [name, SCOPE_PROPERTIES[name]]),
);
const DEFAULTS = Object.fromEntries(
  Object.entries(complete(ALL_FIELDS)).filter(([name]) => NAMES.includes(name as Name)),
);

/** The element that takes the place of the snapshot. */
type Live = HTMLElement & { snapshot: unknown; runLive(values: LiveValues): void };

export interface CandleSnapshotEvents {
  /** the model of the snapshot is wanted, with these properties of a <candle-scope>; `preventDefault` leaves that to the listener */
  "run-live": LiveValues;
  /** the snapshot cannot be loaded, read or drawn */
  "snapshot-error": Error;
}

// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the properties are those of NAMES
export class CandleSnapshot extends TypedElement<CandleSnapshotEvents> {
  static override properties = {
    ...PROPERTIES,
    snapshot: { attribute: false },
    given: { attribute: false },
    running: { attribute: false },
    liveFigure: { state: true },
    failure: { state: true },
  };

  protected static override getPropertyDescriptor(
    name: PropertyKey,
    key: string | symbol,
    options: PropertyDeclaration,
  ) {
    // biome-ignore lint/complexity/noThisInStatic: Lit makes the accessor for the class that asks
    return readingAccessor(name, super.getPropertyDescriptor(name, key, options));
  }

  static override styles = [
    base,
    code,
    scopeStyles,
    css`
      /* Until the file is there. */
      .absent {
        min-height: 22rem;
      }
      /* The frame is this element's. */
      candle-scope {
        margin: 0;
        padding: 0;
        border: 0;
      }
    `,
  ];

  /** Fetches the code that defines <candle-scope>, with its loader of models. */
  static loadLive: (() => Promise<unknown>) | null = null;

  /** What a file says, as its text or as an object, in place of a file. */
  declare snapshot: unknown;
  /** What an owner chose, in place of the attributes. */
  declare given: Given | null;
  /** The live figure is on its way. */
  declare running: boolean;
  declare liveFigure: Live | null;
  /** Why the figure does not run live. */
  declare failure: Error | null;

  #source = new SnapshotSource(() => this.requestUpdate());
  #inline = new InlineSnapshot(this);
  #wanted = new Wanted(this);
  /** What is drawn, or will be. */
  #opened: { src: string; content: unknown } | null = null;
  #drawn: { from: Recorded; given: string; recorded: Recorded; problems: string[] } | null = null;
  #reported: Error | null = null;
  #hasRun = false;

  constructor() {
    super();
    Object.assign(this, DEFAULTS);
    this.snapshot = null;
    this.given = null;
    this.running = false;
    this.liveFigure = null;
    this.failure = null;
    new FocusKeeper(this, (wish) =>
      wish === "live" ? this.liveFigure : this.renderRoot.querySelector("snapshot-figure"),
    );
  }

  /** What is drawn; null before that, and while the figure is live. */
  get reading(): Reading | null {
    return this.#source.recorded?.reading ?? null;
  }

  /** Why nothing is drawn. */
  get error(): Error | null {
    return this.#source.error;
  }

  override connectedCallback() {
    super.connectedCallback();
    if (!this.#opened) this.requestUpdate();
  }

  /** An element that is moved is connected again in the same task; one that is removed ends its request. */
  override disconnectedCallback() {
    super.disconnectedCallback();
    queueMicrotask(() => {
      if (!this.isConnected && this.#source.cancel()) this.#opened = null;
    });
  }

  /** Draws the snapshot, however far the element is from the screen. */
  start() {
    this.#wanted.start();
  }

  override willUpdate() {
    const { src } = this;
    const content = src === "" ? (this.snapshot ?? this.#inline.text) : null;
    // A snapshot inside of the page is there already.
    if (!this.#wanted.isWanted && src !== "") return;
    if (this.#opened && this.#opened.src === src && this.#opened.content === content) return;
    this.#opened = { src, content };
    this.#hasRun = false;
    Object.assign(this, { liveFigure: null, failure: null, running: false });
    this.#source.use(src, content);
  }

  override updated(changed: Map<string, unknown>) {
    if (changed.has("theme")) {
      const { theme } = this;
      this.style.colorScheme = theme === "light" || theme === "dark" ? theme : "";
      refreshThemes();
    }
    this.#wanted.follow(this.loading);
    const { error } = this;
    if (error !== this.#reported) {
      this.#reported = error;
      if (error) this.emit("snapshot-error", error);
    }
    if (this.live === "auto" && !this.#hasRun && this.#shown) this.run();
  }

  // ---- what is drawn ----

  /** The snapshot with what was chosen of it. The same object until one of them changes. */
  get #shown() {
    const from = this.#source.recorded;
    if (!from) return null;
    const given = this.given ?? givenBy(this);
    const key = JSON.stringify(given);
    if (this.#drawn?.from !== from || this.#drawn.given !== key)
      this.#drawn = { from, given: key, ...chosen(from, given) };
    return this.#drawn;
  }

  override render() {
    if (this.liveFigure) return this.liveFigure;
    const { error } = this;
    const shown = error ? null : this.#shown;
    const problems = [...this.#problems, ...(shown?.problems ?? [])];
    return html`
      <div role="status">${problems.length > 0 ? html`<ul class="problems">${problems.map((one) => html`<li>${withCode(one)}</li>`)}</ul>` : ""}</div>
      <div role="alert">${[error, this.failure].map((one) => one && this.#alert(one))}</div>
      ${shown ? this.#figure(shown.recorded) : this.#absent(error)}
    `;
  }

  #alert(one: Error) {
    const canRetry = one === this.error && this.src !== "";
    const retry = () => this.#source.use(this.src, null);
    return html`<p class="problems error">${withCode(one.message)} ${canRetry ? html`<button class="start" @click=${retry}>Try again</button>` : ""}</p>`;
  }

  #figure(recorded: Recorded) {
    const { controls, parts } = complete(ALL_FIELDS, {
      controls: this.controls,
      parts: this.parts,
    });
    const hasCaption = this.querySelector(':scope > [slot="caption"]') !== null;
    return html`<snapshot-figure
      compact
      hide=${hiddenParts({ controls, parts }).join(" ")}
      .recorded=${recorded}
      .canRun=${this.#canRun(recorded)}
      .loads=${this.#loads(recorded)}
      .whyNotLive=${whyNotLive(recorded)}
      @run-live=${this.#onRunLive}
      @snapshot-error=${this.#onDrawingError}
    >${hasCaption ? html`<slot name="caption" slot="caption"></slot>` : ""}</snapshot-figure>`;
  }

  /** What stands in the place of a snapshot that is not there. */
  #absent(error: Error | null) {
    if (error || !this.#hasSource) return "";
    const isWaiting = this.loading === "on-request" && !this.#wanted.isWanted;
    return html`<div class="absent">${isWaiting ? html`<button class="start" @click=${this.#wanted.start}>▶ show this figure</button> <span class="soft">loads <span class="mono">${this.src}</span></span>` : html`<p class="soft" role="status">${this.src === "" ? "" : `Loading ${this.src} …`}</p>`}</div>`;
  }

  get #hasSource() {
    return this.src !== "" || this.snapshot !== null || this.#inline.text !== null;
  }

  /** What is wrong with the attributes. An owner says it of its own. */
  get #problems(): string[] {
    if (this.given) return [];
    const names = this.getAttributeNames();
    const known = (this.constructor as typeof CandleSnapshot).observedAttributes;
    return [
      ...(this.#hasSource || document.readyState === "loading" ? [] : [NOTHING]),
      ...misspelt(names, [...known, ...Object.keys(ALL_FIELDS)]),
      ...needingModel(names),
    ];
  }

  // ---- live ----

  /** What is loaded, if it is not what the snapshot says. */
  get #own() {
    const { model = "", dtype } = this.given ?? givenBy(this);
    const { accepts } = ALL_FIELDS.dtype;
    return { model: String(model), dtype: accepts(dtype) ? (dtype as Values["dtype"]) : null };
  }

  /** A slot for the caption that the page gave. */
  #captions() {
    if (!this.querySelector(':scope > [slot="caption"]')) return [];
    const slot = document.createElement("slot");
    return [Object.assign(slot, { name: "caption", slot: "caption" })];
  }

  #canRun({ model }: Recorded) {
    const { loadLive } = this.constructor as typeof CandleSnapshot;
    const canLoad = this.given !== null || loadLive || customElements.get("candle-scope");
    const canBeHad = isLoadable(this.#own.model || model.source);
    return Boolean(canLoad && canBeHad && this.live !== "none" && !this.running);
  }

  #loads({ model }: Recorded) {
    const source = this.#own.model || model.source;
    return source ? whatLoads(source, source === model.source ? model : null) : "";
  }

  /** Loads the model and draws the same figure with it, as the button does. Does nothing if there is no such button. */
  async run() {
    this.#hasRun = true;
    const shown = this.#shown;
    const figure = this.renderRoot.querySelector("snapshot-figure");
    await figure?.updateComplete;
    const state = figure?.choices;
    if (shown && shown === this.#shown && state && this.#canRun(shown.recorded))
      await this.#run(shown.recorded, state);
  }

  #onRunLive(event: CustomEvent<LiveState>) {
    event.stopPropagation();
    if (this.#shown) this.#run(this.#shown.recorded, event.detail);
  }

  async #run(recorded: Recorded, state: LiveState) {
    const detail = liveValues(recorded, state, this.#own);
    if (!detail || whyNotLive(recorded)) return;
    const init = { detail, bubbles: true, composed: true, cancelable: true };
    if (!this.dispatchEvent(new CustomEvent("run-live", init))) return;
    const opened = this.#opened;
    const isCurrent = () => this.#opened === opened;
    Object.assign(this, { running: true, failure: null });
    try {
      await (this.constructor as typeof CandleSnapshot).loadLive?.();
      if (!isCurrent()) return;
      const figure = document.createElement("candle-scope") as unknown as Live;
      const { controls, parts } = this;
      Object.assign(figure, { controls, parts, snapshot: this.#source.content });
      figure.append(...this.#captions());
      figure.runLive(detail);
      this.liveFigure = figure;
    } catch (error) {
      if (isCurrent())
        this.failure = createError(
          "NetworkError",
          `the code that runs models cannot be loaded (${messageOf(error)}): expected elements.js beside snapshot.js`,
        );
    } finally {
      if (isCurrent()) this.running = false;
    }
  }

  #onDrawingError(event: CustomEvent<Error>) {
    event.stopPropagation();
    this.#source.fail(event.detail);
  }
}

const NOTHING =
  "There is no snapshot: give the address of one in `src`, or put one into the element, in a script of type `application/json`.";

export interface CandleSnapshot extends Values {}

declare global {
  interface HTMLElementTagNameMap {
    "candle-snapshot": CandleSnapshot;
  }
}
