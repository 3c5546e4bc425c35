// <candle-scope>: the figure for any page: the model and the prompt are attributes. Its loader is `CandleScope.load`, which
// elements.js sets; elements on one page that name the same model share it, because the loader does.

import { css, html, LitElement } from "lit";

import { type Architecture, type Describable, summaryOf } from "../session/architecture.js";
import type { AnyNotice } from "../session/notices.js";
import { type Answer, type Question, questionOf, withAnswer } from "../session/questions.js";
import type { Readable, Reading } from "../session/reading.js";
import { strongestInduction } from "../session/scores.js";
import { Session, type LoadContext, type SessionChange } from "../session/session.js";
import { fitted, misspelt } from "./attributes.js";
import { withCode } from "./code.js";
import { base } from "./styles.js";

import type { Stretch } from "../draw/scale.js";
import type { Head } from "./heads.js";
import type { FigureChoice, ViewSettings } from "./views/view.js";

/** What the figure needs of a model. */
export type ScopeModel = Readable & {
  config: Readable["config"] & Architecture;
  report?: readonly AnyNotice[];
  /** the same model with a tokenizer */
  withTokenizer?: (files: File[]) => Promise<ScopeModel>;
} & Partial<Pick<Describable, "parameters" | "parameterCount" | "checkpoint">>;
/** `loadModel` of candlescope.js, or a function that gives a model in the same way. */
export type Load = (
  source: string,
  options: LoadContext & Answer & { dtype?: string },
) => Promise<ScopeModel>;

/** The properties on which it depends what the views request. */
const VIEW_PROPERTIES = ["view", "hook", "measured", "views", "position", "answer", "against"];

export class CandleScope extends LitElement {
  static override properties = {
    model: { type: String },
    dtype: { type: String },
    prompt: { type: String },
    view: { type: String },
    layer: { type: Number },
    head: { type: Number },
    scale: { type: String },
    direction: { type: String },
    hook: { type: String },
    measured: { attribute: false },
    views: { attribute: false },
    position: { type: Number },
    answer: { type: String },
    against: { type: String },
    editable: { type: Boolean },
    load: { attribute: false },
    error: { state: true },
    question: { state: true },
  };

  static override styles = [
    base,
    css`
      :host {
        --token-size: 0.88rem;
        margin-block: 1rem;
        padding: 1rem;
        border: 1px solid var(--line);
        border-radius: 8px;
        background: var(--paper);
      }
      textarea {
        display: block;
        width: 100%;
        margin-bottom: 0.6rem;
        padding: 0.4rem 0.6rem;
        border: 1px solid var(--line);
        border-radius: 5px;
        background: var(--sheet);
        field-sizing: content;
        resize: vertical;
      }
      .problems {
        margin: 0 0 0.6rem;
        padding: 0.35rem 0.7rem;
        border-left: 3px solid var(--flame);
        border-radius: 3px;
        background: var(--glow);
        font-size: 0.92rem;
        list-style: none;
        overflow-wrap: anywhere;
      }
    `,
  ];

  /** The loader of elements that were not given their own. */
  static load: Load | null = null;

  declare model: string;
  declare dtype: string;
  declare prompt: string;
  declare view: string;
  /** Without a layer and a head, the strongest induction head is shown. */
  declare layer: number | null;
  declare head: number | null;
  declare scale: Stretch;
  declare direction: "from" | "to";
  /** The hook point that the view `activations` draws. */
  declare hook: string;
  /** What head scores are measured on. */
  declare measured: "text" | "random";
  /** The settings of each view. */
  declare views: ViewSettings;
  /** The position whose prediction is studied; null for the last. */
  declare position: number | null;
  /** The token that is attributed, and the one that it is compared with. */
  declare answer: string | null;
  declare against: string | null;
  declare editable: boolean;
  declare load: Load | null;
  declare error: Error | null;
  /** What the load of the model asks. */
  declare question: Question | null;

  /** What was answered about the model that the attribute names. */
  #answer: Answer = {};
  #session = new Session<ScopeModel>({ formerModel: "discard" });

  constructor() {
    super();
    this.model = "";
    this.dtype = "f32";
    this.prompt = "";
    this.view = "attention";
    this.layer = null;
    this.head = null;
    this.scale = "linear";
    this.direction = "from";
    this.hook = "blocks.0.hook_resid_post";
    this.measured = "text";
    this.views = {};
    this.position = null;
    this.answer = null;
    this.against = null;
    this.editable = false;
    this.load = null;
    this.error = null;
    this.question = null;
    this.#session.onChange = (change) => this.#onSessionChange(change);
  }

  /** The model in use. */
  get loaded(): ScopeModel | null {
    return this.#session.model;
  }

  /** What is drawn. */
  get reading(): Reading | null {
    return this.#session.reading;
  }

  /** A model is loading, or the text is not read: `reading` is not what the attributes say. */
  get busy(): boolean {
    const { isLoading, isRead, model } = this.#session;
    return isLoading || (model !== null && !isRead);
  }

  override connectedCallback() {
    super.connectedCallback();
    if (this.hasUpdated && !this.loaded) this.#load();
  }

  /** An element that is moved is connected again in the same task; one that is removed frees its model. */
  override disconnectedCallback() {
    super.disconnectedCallback();
    queueMicrotask(() => {
      if (!this.isConnected) this.#session.dispose();
    });
  }

  override updated(changed: Map<string, unknown>) {
    if (changed.has("model")) this.#answer = {};
    if (changed.has("model") || changed.has("dtype") || (changed.has("load") && !this.loaded))
      this.#load();
    else if (changed.has("prompt")) this.#read();
    else if (changed.has("layer") && this.reading) this.#needLayer();
    const isViewChanged = VIEW_PROPERTIES.some((name) => changed.has(name));
    if (isViewChanged || this.#isUnprepared) this.#prepare();
  }

  /** Loads the model that the attribute names. The results of the former model are dimmed until then. */
  async #load() {
    const load = this.load ?? CandleScope.load;
    const { model: source } = this;
    const { dtype } = this.#fitted;
    this.error = null;
    this.question = null;
    if (!load || !source) return this.#session.dispose();
    await this.#report(
      this.#session
        .load((context) => load(source, { dtype, ...context, ...this.#answer }))
        .then(async (model) => {
          if (model) await this.#read();
        }),
    );
  }

  /** Reads the prompt. */
  async #read() {
    const { layer } = this.#fitted;
    const reading = await this.#report(this.#session.read(this.prompt, { layer: layer ?? 0 }));
    if (!reading) return;
    this.error = null;
    await this.#needLayer();
  }

  /** Of a long text, only one layer's pattern is kept in full: that of the head on show. */
  async #needLayer() {
    await this.#report(this.#session.needLayer(this.shownHead.layer));
  }

  /** Computes what the view needs beyond the reading. */
  #prepare() {
    this.#isUnprepared = false;
    this.#session.prepare(this.renderRoot.querySelector("scope-figure")?.requests ?? {});
  }

  /** The reading changed since `#prepare` ran. */
  #isUnprepared = false;

  /** Shows what a call of the session rejects with. */
  async #report<T>(call: Promise<T>): Promise<T | null> {
    try {
      return await call;
    } catch (error) {
      this.question = questionOf(error);
      this.error = this.question ? null : (error as Error);
      return null;
    }
  }

  #onSessionChange(change: SessionChange) {
    if (change === "model" || change === "reading" || change === "layer") this.#isUnprepared = true;
    this.requestUpdate();
  }

  /** The head that the attributes name, or the strongest induction head. */
  get shownHead(): Head {
    const { reading } = this;
    const { layer, head } = this.#fitted;
    if (layer !== null || head !== null) return { layer: layer ?? 0, head: head ?? 0 };
    if (!reading || reading.scores.length === 0) return { layer: 0, head: 0 };
    const strongest = strongestInduction(reading.scores);
    return { layer: strongest.layer, head: strongest.head };
  }

  /** What the attributes say, with what there is in place of what there is not. */
  get #fitted() {
    return fitted(this, this.loaded);
  }

  /** What is wrong with the attributes. */
  get #problems(): readonly string[] {
    const known = [...(this.constructor as typeof CandleScope).observedAttributes];
    const unknown = misspelt(this.getAttributeNames(), known);
    if (!this.model)
      return [
        '`model` is missing: give the address of a model\'s folder, or a Hugging Face id, as in `model="hf:openai-community/gpt2"`.',
        ...unknown,
      ];
    if (!this.load && !CandleScope.load)
      return [
        "There is no function that loads models: import `elements.js`, or set the property `load`.",
        ...unknown,
      ];
    return [...unknown, ...this.#fitted.problems];
  }

  override render() {
    const { layer, head } = this.shownHead;
    const { view, scale, direction, measured } = this.#fitted;
    const problems = this.#problems;
    const { progress, reading, isStale, results } = this.#session;
    return html`
      ${progress ? html`<load-progress .name=${this.model} .stage=${progress.stage} .file=${progress.file} .loaded=${progress.loaded} .total=${progress.total ?? null} @load-cancel=${() => this.#session.cancelLoad()}></load-progress>` : ""}
      <div role="status">${problems.length > 0 ? html`<ul class="problems">${problems.map((one) => html`<li>${withCode(one)}</li>`)}</ul>` : ""}</div>
      ${this.error ? html`<error-notice .error=${this.error} @error-dismiss=${() => (this.error = null)}></error-notice>` : ""}
      ${this.question ? html`<load-question .name=${this.model} .question=${this.question} @load-answer=${this.#onAnswer} @load-dismiss=${() => (this.question = null)}></load-question>` : ""}
      ${this.loaded ? html`<model-report .notices=${this.loaded.report ?? []} .summary=${this.#summary(this.loaded)}></model-report>` : ""}
      ${this.loaded?.hasTokenizer === false ? html`<add-tokenizer .vocabulary=${this.loaded.config.vocab_size} @tokenizer-add=${this.#onTokenizer}></add-tokenizer>` : ""}
      ${this.editable ? html`<textarea aria-label=${this.loaded?.hasTokenizer === false ? "token ids" : "text"} spellcheck="false" .value=${this.prompt} @input=${this.#onInput}></textarea>` : ""}
      <scope-figure
        .reading=${reading}
        .config=${this.loaded?.config ?? {}}
        .parameterCount=${this.loaded?.parameterCount ?? 0}
        .hasTokenizer=${this.loaded?.hasTokenizer ?? true}
        .layer=${layer}
        .head=${head}
        .view=${view}
        .scale=${scale}
        .direction=${direction}
        .hook=${this.hook}
        .points=${this.loaded?.hookPoints ?? []}
        .views=${this.views}
        .position=${this.position}
        .answer=${this.answer}
        .against=${this.against}
        .results=${results}
        .measured=${measured}
        .stale=${isStale}
        @figure-change=${this.#onChoice}
        @view-compute=${(event: CustomEvent<string>) => this.#session.compute(event.detail)}
        @view-cancel=${(event: CustomEvent<string>) => this.#session.cancelCompute(event.detail)}
      ></scope-figure>
    `;
  }

  /** Null for a model that does not say what it was read from. */
  #summary({ config, parameters, parameterCount, checkpoint }: ScopeModel) {
    return parameters && parameterCount !== undefined && checkpoint
      ? summaryOf({
          config: config as Describable["config"],
          parameters,
          parameterCount,
          checkpoint,
        })
      : null;
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
    await this.#report(this.#session.load(() => add(files)).then((model) => model && this.#read()));
  }

  #onInput(event: Event) {
    this.prompt = (event.target as HTMLTextAreaElement).value;
  }

  #onChoice({ detail: choice }: CustomEvent<FigureChoice>) {
    Object.assign(this, choice);
    this.#prepare(); // a view may have been loaded
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "candle-scope": CandleScope;
  }
}
