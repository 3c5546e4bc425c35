// <candle-scope>: the figure for any page: the model and the prompt are attributes. Its loader is `CandleScope.load`, which
// elements.js sets; elements on one page that name the same model share it, because the loader does.
import { html, type PropertyDeclaration } from "lit";

import { type Answer, type Question, questionOf, withAnswer } from "../session/questions.js";
import type { Reading } from "../session/reading.js";
import { isSameModel } from "../session/rounded.js";
import { Session } from "../session/session.js";
import { tellingHead, whyTelling } from "../session/telling-head.js";
import { complete } from "../state/fields.js";
import type { LabIntervention } from "../state/interventions.js";
import { TypedElement, WidthController } from "./base.js";
import { withCode } from "./code.js";
import { fitted, hookOf, unchanged, written, type Fitted } from "./scope/attributes.js";
import {
  ALL_FIELDS,
  SCOPE_PROPERTIES,
  hiddenParts,
  readingAccessor,
  SETTINGS,
  withSetting,
  type ScopeValues,
  type ViewValues,
} from "./scope/fields.js";
import { FocusKeeper } from "./scope/focus.js";
import { Frozen } from "./scope/frozen.js";
import { Wanted } from "./scope/lazy.js";
import { formerPicture, ofAttribute, whatIsMissing } from "./scope/missing.js";
import { misspelt } from "./scope/misspelt.js";
import type { Load, ScopeModel } from "./scope/model.js";
import { reportOf } from "./scope/report.js";
import { onDemand } from "./scope/on-demand.js";
import { reservedHeight } from "./scope/reserved.js";
import { scopeStyles } from "./scope/styles.js";
import { textOf, TextReader, type Text } from "./scope/text.js";
import { Weights } from "./scope/weights.js";
import { base } from "./styles.js";
import { refreshThemes } from "./theme.js";
import { entryOf } from "./views/index.js";

import type { Head } from "./heads.js";
import type { LiveValues } from "./snapshot/live.js";
import type { FigureChoice } from "./views/view.js";

// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the properties are those of SCOPE_PROPERTIES
export class CandleScope extends TypedElement<Record<never, never>> {
  static override properties = {
    ...SCOPE_PROPERTIES,
    views: { attribute: false },
    editable: { type: Boolean },
    snapshot: { attribute: false },
    load: { attribute: false },
    error: { state: true },
    question: { state: true },
    width: { state: true },
  };

  static override get observedAttributes() {
    // biome-ignore lint/complexity/noThisInStatic: Lit collects them for the class that asks
    return [...super.observedAttributes, ...SETTINGS.keys()];
  }

  protected static override getPropertyDescriptor(
    name: PropertyKey,
    key: string | symbol,
    options: PropertyDeclaration,
  ) {
    // biome-ignore lint/complexity/noThisInStatic: Lit makes the accessor for the class that asks
    return readingAccessor(name, super.getPropertyDescriptor(name, key, options));
  }

  static override styles = [base, scopeStyles];

  /** The loader of elements that were not given their own. */
  static load: Load | null = null;

  /** The settings of each view; `patching.at` is an attribute too. */
  declare views: ViewValues;
  declare editable: boolean;
  /** A snapshot in place of a file (`src`): what such a file says, as its text or as an object. */
  declare snapshot: unknown;
  declare load: Load | null;
  declare error: Error | null;
  /** What the load of the model asks. */
  declare question: Question | null;

  /** of the content, in CSS pixels */
  declare width: number;

  /** What was answered about the model that the attribute names. */
  #answer: Answer = {};
  #session = new Session<ScopeModel>({ formerModel: "discard" });
  #text = new TextReader(this.#session);
  /** What the second prompt was read for. */
  #corrupted: { model: ScopeModel; text: string | null } | null = null;
  #lastFitted: Fitted | null = null;
  #wanted = new Wanted(this);
  #weights = new Weights(this);
  /** What is being loaded, or was loaded last. */
  #requested = { source: "", dtype: "" };
  /** What `loaded` was loaded from, which is not what the attributes say while another model is loading. */
  #origin = this.#requested;
  #hasStarted = false;
  #frozen = new Frozen(
    this,
    (values) => this.#begin(values),
    (error) => (this.error = error),
  );

  constructor() {
    super();
    Object.assign(this, complete(ALL_FIELDS));
    Object.assign(this, { views: {}, editable: false, load: null, snapshot: null });
    Object.assign(this, { error: null, question: null, width: 0 });
    new WidthController(this);
    new FocusKeeper(this, () => this.renderRoot.querySelector("scope-figure"));
    this.#session.onChange = (change) => {
      if (change === "model") {
        this.#text.forget();
        this.#origin = this.#requested;
      }
      this.requestUpdate();
    };
  }

  /** The model in use. */
  get loaded(): ScopeModel | null {
    return this.#session.model;
  }

  /** What is drawn. */
  get reading(): Reading | null {
    return this.#frozen.reading ?? this.#session.reading;
  }

  /** A model is loading, or the text is not read: `reading` is not what the attributes say. */
  get busy(): boolean {
    const { isLoading, isRead, model } = this.#session;
    return isLoading || (model !== null && !(isRead && this.#text.isRead));
  }

  override attributeChangedCallback(name: string, former: string | null, value: string | null) {
    super.attributeChangedCallback(name, former, value);
    const setting = SETTINGS.get(name);
    if (setting) this.views = withSetting(this.views, setting, value);
  }

  override connectedCallback() {
    super.connectedCallback();
    // The first load begins in `updated`, also if `start` was called before.
    if (this.#hasStarted && this.#wanted.isWanted && !this.loaded && this.#frozen.needsModel)
      this.#load();
  }

  /** An element that is moved is connected again in the same task; one that is removed frees its model. */
  override disconnectedCallback() {
    super.disconnectedCallback();
    queueMicrotask(() => {
      if (!this.isConnected) this.#session.dispose();
    });
  }

  override willUpdate() {
    if (this.#frozen.follow()) this.#stop();
  }

  override updated(changed: Map<string, unknown>) {
    if (changed.has("theme")) this.#showTheme();
    if (changed.has("model")) this.#answer = {};
    if (!this.#frozen.needsModel) return;
    this.#wanted.follow(this.#fitted.loading);
    if (!this.#wanted.isWanted) return;
    const isOther = changed.has("model") && this.model !== this.#requested.source;
    const isNew = !this.#hasStarted || isOther || changed.has("dtype");
    this.#hasStarted = true;
    if (isNew || (changed.has("load") && !this.loaded)) this.#load();
    else this.#readIfNeeded();
    if (changed.has("layer") && this.#session.reading) this.#needLayer();
    this.#prepare();
  }

  #showTheme() {
    const { theme } = this.#fitted;
    this.style.colorScheme = theme === "auto" ? "" : theme;
    refreshThemes();
  }

  /** Loads the model and draws the figure, however far it is from the screen. */
  start() {
    this.#wanted.start();
  }

  /** Loads the model of the snapshot that is shown, and puts the live figure in its place, as its button does. */
  runLive(values?: LiveValues) {
    if (values) this.#begin(values);
    else this.#frozen.run();
  }

  #begin(values: LiveValues) {
    this.#frozen.begin(values);
    this.#hasStarted = false;
    this.start();
  }

  /** Ends the live figure, if there is one: its snapshot is another one, or is gone. */
  #stop() {
    this.#session.dispose();
    Object.assign(this, { error: null, question: null });
    this.#hasStarted = false;
  }

  /** Loads the model that the attribute names. The results of the former model are dimmed until then. */
  async #load() {
    const load = this.load ?? CandleScope.load;
    const { model: source } = this;
    const { dtype } = this.#fitted;
    Object.assign(this, { error: null, question: null });
    const former = this.#origin;
    const requested = (this.#requested = { source, dtype });
    if (!load || !source) return this.#session.dispose();
    const isOther = source !== former.source && isSameModel(source, former.source); // file of the same model
    const loaded = await this.#report(
      // A page with a figure does not download what its readers may never open.
      this.#session.load(
        (context) => load(source, { dtype, prefetch: false, ...context, ...this.#answer }),
        isOther ? "keep" : "discard",
      ),
    );
    if (isOther && this.loaded && !loaded && this.error && this.#requested === requested) {
      this.#requested = former;
      this.model = former.source; // which is still drawn
    }
  }

  /** Reads the texts that are not the ones that were read last. */
  #readIfNeeded() {
    const { loaded } = this;
    if (!loaded || this.#session.isLoading) return;
    const { layer, corrupted, ...values } = this.#fitted;
    const text = textOf({ ...values, corrupted }, loaded.hasTokenizer !== false);
    if (this.#text.isNew(text)) this.#read(text, layer ?? 0);
    if (this.#corrupted?.model === loaded && this.#corrupted.text === corrupted) return;
    this.#corrupted = { model: loaded, text: corrupted };
    const at = { layer: layer ?? 0 };
    this.#report(ofAttribute("corrupted", this.#session.readCorrupted(corrupted, at)));
  }

  async #read(text: Text, layer: number) {
    if (this.error) this.#corrupted = null; // read again, so that its error is said again
    this.error = null; // before, because the second prompt has errors of its own
    const reading = await this.#report(this.#text.read(text, layer));
    if (!reading) return;
    this.#frozen.finish();
    await this.#needLayer();
  }

  /** Of a long text, only one layer's pattern is kept in full: that of the head on show. */
  async #needLayer() {
    await this.#report(this.#session.needLayer(this.shownHead.layer));
  }

  /** Computes what the views need beyond the reading. */
  #prepare() {
    this.#session.prepare(this.renderRoot.querySelector("scope-figure")?.requests ?? {});
  }

  /** Shows what a call of the session rejects with. */
  async #report<T>(call: Promise<T>): Promise<T | null> {
    try {
      return await call;
    } catch (error) {
      this.question = questionOf(error);
      this.error = this.question ? null : (error as Error);
      if (this.error && this.#frozen.phase === "starting") this.#giveUp();
      return null;
    } finally {
      this.requestUpdate();
    }
  }

  /** The live figure cannot be had: the snapshot stays, with the error. */
  #giveUp() {
    this.#frozen.stop();
    this.#session.dispose();
  }

  /** The head that the attributes name, or the most telling one. */
  get shownHead(): Head {
    const { layer, head } = this.#fitted;
    return this.#telling ?? { layer: layer ?? 0, head: head ?? 0 };
  }

  /** The head that is drawn because none is named. */
  get #telling() {
    const { layer, head } = this.#fitted;
    return layer === null && head === null && this.#session.reading
      ? tellingHead(this.#session.reading)
      : null;
  }

  /** What the attributes say, with what there is in place of what there is not. */
  get #fitted(): Fitted {
    const length = this.#text.isRead ? (this.#session.reading?.ids.length ?? null) : null;
    this.#lastFitted = unchanged(fitted(written(this), this.loaded, length), this.#lastFitted);
    return this.#lastFitted;
  }

  /** What is wrong with the attributes. */
  get #problems(): readonly string[] {
    const known = [...(this.constructor as typeof CandleScope).observedAttributes];
    const unknown = misspelt(this.getAttributeNames(), known);
    if (this.#frozen.isShown) return [...unknown, ...this.#frozen.problems];
    const missing = whatIsMissing(this.model, this.load ?? CandleScope.load);
    return [...missing, ...unknown, ...(missing.length > 0 ? [] : this.#fitted.problems)];
  }

  /** Says that the picture is of another text than the attributes name, if it will stay so. */
  get #former() {
    const { reading, readingSince, isLoading, model } = this.#session;
    const { isRead, isReading } = this.#text;
    return reading && model && !isLoading && readingSince === null && !isRead && !isReading
      ? html`<p class="problems" role="status">${formerPicture(reading.text, reading.changes)}</p>`
      : "";
  }

  override render() {
    const problems = this.#problems;
    const { progress } = this.#session;
    const { loaded } = this;
    const isUnnamed = loaded?.hasTokenizer === false;
    return html`
      ${progress ? html`<load-progress .name=${this.model} .stage=${progress.stage} .file=${progress.file} .loaded=${progress.loaded} .total=${progress.total ?? null} @load-cancel=${() => this.#session.cancelLoad()}></load-progress>` : ""}
      <div role="status">${problems.length > 0 ? html`<ul class="problems">${problems.map((one) => html`<li>${withCode(one)}</li>`)}</ul>` : ""}</div>
      ${this.error && !this.#frozen.says(this.error) ? html`<error-notice .error=${this.error} .stays=${!this.#frozen.isShown && !this.#text.isRead} .retries=${!this.#frozen.isShown && !loaded} @error-retry=${() => this.#load()} @error-dismiss=${() => (this.error = null)}></error-notice>` : ""}
      ${this.question ? onDemand(this, "load-question", html`<load-question .name=${this.model} .question=${this.question} @load-answer=${this.#onAnswer} @load-dismiss=${this.#onDismiss}></load-question>`) : ""}
      ${isUnnamed ? onDemand(this, "add-tokenizer", html`<add-tokenizer .vocabulary=${loaded?.config.vocab_size} @tokenizer-add=${this.#onTokenizer}></add-tokenizer>`) : ""}
      ${this.editable && !this.#frozen.isShown ? html`<textarea aria-label=${isUnnamed ? "token ids" : "text"} spellcheck="false" .value=${this.prompt} @input=${this.#onInput}></textarea>` : ""}
      ${this.#frozen.isShown ? this.#frozen.render() : this.#live()}
      ${loaded && !this.#frozen.isShown ? reportOf(this, loaded, this.#fitted.controls) : ""}
    `;
  }

  #live() {
    const { source, dtype } = this.#origin;
    return html`${this.#former} ${this.#figure()} ${this.#why()} ${this.#weights.render(this.loaded && source, this.#fitted.controls)}
      <div class="caption"><slot name="caption" @slotchange=${() => this.requestUpdate()}>${this.#frozen.caption}</slot></div>
      ${this.#frozen.isThere && this.loaded ? html`<p class="why" role="status">Live: computed here by ${source} in ${dtype}.</p>` : ""}`;
  }

  /** Which head is drawn, and why, if no attribute names one. */
  #why() {
    if (this.layer !== null || this.head !== null) return "";
    if (!entryOf(this.#fitted.view).usesHead) return "";
    return html`<p class="why">${this.#telling ? whyTelling(this.#telling) : ""}</p>`;
  }

  /** The text as it is written, until its tokens are known; and the button that starts a figure on request. */
  #unread() {
    const isWaiting = this.#fitted.loading === "on-request" && !this.#wanted.isWanted;
    return html`<div slot="text" class="words">${this.#fitted.prompt}</div>
      ${isWaiting && this.model ? html`<p slot="under"><button class="start" @click=${this.#wanted.start}>▶ run this figure</button> <span class="soft">loads the model <span class="mono">${this.model}</span></span></p>` : ""}`;
  }

  #figure() {
    const { layer, head } = this.shownHead;
    const shown = this.#fitted;
    const { reading, corrupted, isStale, results, model: loaded } = this.#session;
    const hidden = hiddenParts(shown);
    const { width } = this;
    const space = { ...shown, width, hidden, isRead: reading !== null };
    return html`<scope-figure
      compact
      hide=${hidden.join(" ")}
      ?hidden=${this.error !== null && !reading}
      ?pending=${shown.corrupted !== null && !corrupted && !this.error}
      .style="--reserved: ${reservedHeight(space)}px"
      .reading=${reading}
      .corrupted=${corrupted}
      .config=${loaded?.config ?? NO_CONFIG}
      .parameterCount=${loaded?.parameterCount ?? 0}
      .hasTokenizer=${loaded?.hasTokenizer ?? true}
      .layer=${layer}
      .head=${head}
      .view=${shown.view}
      .beside=${shown.beside}
      .views=${shown.views}
      .scale=${shown.scale}
      .direction=${shown.direction}
      .lock=${shown.lock}
      .off=${shown.off}
      .hook=${hookOf(shown.hook, loaded)}
      .points=${loaded?.hookPoints ?? NO_POINTS}
      .position=${shown.position}
      .answer=${shown.answer}
      .against=${shown.against}
      .results=${results}
      .measured=${shown.measured}
      .stale=${isStale || (reading !== null && !this.#text.isRead)}
      @figure-change=${this.#onChoice}
      @view-compute=${(event: CustomEvent<string>) => this.#session.compute(event.detail)}
      @view-cancel=${(event: CustomEvent<string>) => this.#session.cancelCompute(event.detail)}
      @intervention-add=${this.#onIntervention}
    >${reading ? "" : this.#unread()}</scope-figure>`;
  }

  #onDismiss() {
    this.question = null;
    if (this.#frozen.phase === "starting") this.#giveUp();
  }

  #onAnswer({ detail }: CustomEvent<Answer>) {
    this.#answer = withAnswer(this.#answer, detail);
    this.#load();
  }

  /** The model goes on with a tokenizer, and reads the prompt as a text. */
  async #onTokenizer({ detail: files }: CustomEvent<File[]>) {
    const { loaded } = this;
    if (!loaded?.withTokenizer) return;
    const add = loaded.withTokenizer.bind(loaded);
    this.error = null;
    this.#requested = this.#origin; // a load of another model is aborted
    await this.#report(this.#session.load(() => add(files)));
  }

  #onInput(event: Event) {
    this.prompt = (event.target as HTMLTextAreaElement).value;
    this.lock = null; // the tokens move
  }

  #onChoice({ detail: choice }: CustomEvent<FigureChoice>) {
    Object.assign(this, choice);
    this.#prepare(); // a view may have been loaded
  }

  #onIntervention({ detail }: CustomEvent<LabIntervention>) {
    this.interventions = [...this.#fitted.interventions, detail];
  }
}

export interface CandleScope extends ScopeValues {}

const NO_CONFIG = {};
const NO_POINTS: NonNullable<ScopeModel["hookPoints"]> = [];

declare global {
  interface HTMLElementTagNameMap {
    "candle-scope": CandleScope;
  }
}
