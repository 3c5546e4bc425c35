// <candle-scope>: the figure for any page: a model and a prompt as attributes, nothing else to write.
// It is handed a loader (elements.js does that); several on a page share one model, because the loader does.

import { css, html, LitElement } from "lit";

import { Reader, type Readable, type Reading } from "../session/reading.js";
import { strongestInduction } from "../session/scores.js";
import { base } from "./styles.js";

import type { Stretch } from "../draw/scale.js";
import type { ScopeFigure } from "./scope-figure.js";
import type { Head } from "./attention-heads.js";

/** loadModel of candlescope.js, or anything that gives a model in the same way. */
export type Load = (
  source: string,
  options: {
    dtype?: string;
    onProgress?: (progress: {
      stage: string;
      file: string;
      loaded: number;
      total?: number | null;
    }) => void;
    signal?: AbortSignal;
  },
) => Promise<Readable>;

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
    editable: { type: Boolean },
    load: { attribute: false },
    loaded: { state: true },
    reading: { state: true },
    progress: { state: true },
    error: { state: true },
    busy: { state: true },
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
      .start {
        display: flex;
        gap: 0.8rem;
        align-items: baseline;
      }
    `,
  ];

  /** The loader of elements that were not given their own. */
  static load: Load | null = null;

  declare model: string;
  declare dtype: string;
  declare prompt: string;
  declare view: string;
  /** Without a layer or a head, the strongest induction head. */
  declare layer: number | null;
  declare head: number | null;
  declare scale: Stretch;
  declare direction: "from" | "to";
  /** The hook point that the view `activations` draws. */
  declare hook: string;
  /** What head scores are measured on. */
  declare measured: "text" | "random";
  declare editable: boolean;
  declare load: Load | null;
  declare loaded: Readable | null;
  declare reading: Reading | null;
  declare progress: { stage: string; file: string; loaded: number; total?: number | null } | null;
  declare error: Error | null;
  declare busy: boolean;
  declare reader: Reader | null;
  declare loading: AbortController | null;

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
    this.editable = false;
    this.load = null;
    this.loaded = null;
    this.reading = null;
    this.progress = null;
    this.error = null;
    this.busy = false;
    this.reader = null;
    this.loading = null;
  }

  override connectedCallback() {
    super.connectedCallback();
    if (this.hasUpdated && !this.loaded) this.#load();
  }

  /** An element that was moved is connected again at once; one that was removed lets go of its model. */
  override disconnectedCallback() {
    super.disconnectedCallback();
    queueMicrotask(() => {
      if (!this.isConnected) this.#leave();
    });
  }

  #leave() {
    this.loading?.abort();
    Object.assign(this, { loading: null });
    this.#clear();
  }

  /** Disposes of the model and removes what it computed. */
  #clear() {
    this.reader?.cancel();
    this.loaded?.dispose?.();
    Object.assign(this, { reader: null, loaded: null, reading: null, busy: false });
    this.#prepared = { reading: null, asked: "" };
    Object.assign(this.renderRoot.querySelector("scope-figure") ?? {}, {
      lens: null,
      value: null,
      random: null,
    });
  }

  override updated(changed: Map<string, unknown>) {
    if (changed.has("model") || changed.has("dtype") || (changed.has("load") && !this.loaded))
      this.#load();
    else if (changed.has("prompt")) this.#read();
    this.#prepare();
  }

  /** What the view on show needs beyond the reading is computed when it is shown, and asked for once. */
  async #prepare() {
    const figure = this.renderRoot.querySelector("scope-figure") as ScopeFigure;
    const { needs, reading } = figure;
    const asked = `${needs} ${this.hook}`;
    if (
      !needs ||
      !reading ||
      !this.reader ||
      (this.#prepared.reading === reading && this.#prepared.asked === asked)
    )
      return;
    this.#prepared = { reading, asked };
    const isCurrent = () => this.#prepared.reading === reading && this.#prepared.asked === asked;
    try {
      const prepared = await this.reader.prepare(reading, needs, this.hook);
      if (isCurrent()) Object.assign(figure, prepared);
    } catch (error) {
      if (isCurrent()) this.error = error as Error;
    }
  }

  #prepared: { reading: Reading | null; asked: string } = { reading: null, asked: "" };

  /** Loads the model that the attribute names. What the former one computed is dimmed until then, and never stays after a failure. */
  async #load() {
    const load = this.load ?? CandleScope.load;
    this.loading?.abort();
    this.error = null;
    if (!load || !this.model) return this.#clear();
    const loading = (this.loading = new AbortController());
    this.reader?.cancel();
    this.reader = null; // the former model reads no further text
    this.busy = true;
    try {
      const model = await load(this.model, {
        dtype: this.dtype,
        signal: loading.signal,
        onProgress: (progress) => {
          if (this.loading === loading) this.progress = progress;
        },
      });
      if (this.loading !== loading) return void model.dispose?.();
      this.#clear();
      this.loaded = model;
      this.reader = new Reader(model);
      await this.#read();
    } catch (error) {
      if (this.loading !== loading) return;
      this.#clear();
      this.error = error as Error;
    } finally {
      if (this.loading === loading) this.progress = null;
    }
  }

  /** Reads the prompt. If it cannot be read, the last figure stays dimmed, and the error says why. */
  async #read() {
    const { reader } = this;
    if (!reader) return;
    this.busy = true;
    const onLayer = (part: Reading) => {
      if (this.reader === reader) this.reading = part;
    };
    try {
      const reading = await reader.read(this.prompt, { layer: this.layer ?? 0, onLayer });
      if (!reading || this.reader !== reader) return; // a newer prompt is being read, or another model
      this.reading = reading;
      this.error = null;
      this.busy = false;
    } catch (error) {
      if (this.reader === reader) this.error = error as Error;
    }
  }

  get shown(): Head {
    const strongest =
      this.reading && this.reading.scores.length > 0
        ? strongestInduction(this.reading.scores)
        : { layer: 0, head: 0 };
    const { layer, head } = this;
    return layer === null && head === null
      ? { layer: strongest.layer, head: strongest.head }
      : { layer: layer ?? 0, head: head ?? 0 };
  }

  override render() {
    const { layer, head } = this.shown;
    return html`
      ${this.progress ? html`<load-progress .name=${this.model} .file=${this.progress.file} .loaded=${this.progress.loaded} .total=${this.progress.total ?? null} @load-cancel=${() => this.loading?.abort()}></load-progress>` : ""}
      ${this.error ? html`<error-notice .error=${this.error} @error-dismiss=${() => (this.error = null)}></error-notice>` : ""}
      <model-report .notices=${this.loaded?.report ?? []}></model-report>
      ${this.editable ? html`<textarea aria-label="text" spellcheck="false" .value=${this.prompt} @input=${this.#onInput}></textarea>` : ""}
      <scope-figure
        .reading=${this.reading}
        .vocabulary=${this.loaded?.config.vocab_size ?? 0}
        .layer=${layer}
        .head=${head}
        .view=${this.view}
        .scale=${this.scale}
        .direction=${this.direction}
        .hook=${this.hook}
        .points=${this.loaded?.hookPoints ?? []}
        .measured=${this.measured}
        .stale=${this.busy && this.reading !== null}
        @figure-change=${this.#onChange}
      ></scope-figure>
    `;
  }

  #onInput(event: Event) {
    this.prompt = (event.target as HTMLTextAreaElement).value;
  }

  async #onChange(event: CustomEvent) {
    Object.assign(this, event.detail);
    this.requestUpdate();
    const reading = this.reading;
    if (
      !("layer" in event.detail) ||
      !reading ||
      !this.reader ||
      reading.patterns[event.detail.layer]
    )
      return;
    try {
      const fuller = await this.reader.layer(reading, event.detail.layer);
      if (this.reading === reading) this.reading = fuller;
    } catch (error) {
      if (this.reading === reading) this.error = error as Error;
    }
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "candle-scope": CandleScope;
  }
}
