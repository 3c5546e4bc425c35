// <candle-scope>: the figure for any page: a model and a prompt as attributes, nothing else to write.
// It is handed a loader (elements.js does that); several on a page share one model, because the loader does.

import { css, html, LitElement } from "lit";

import { Reader } from "../reading.js";
import { strongestInduction } from "../scores.js";
import { base, define } from "./base.js";

import "./error-notice.js";
import "./load-progress.js";
import "./model-report.js";
import "./scope-figure.js";

/** @typedef {import("../reading.js").Readable} Readable */
/**
 * loadModel of candlescope.js, or anything that gives a model in the same way.
 * @callback Load
 * @param {string} source
 * @param {{ dtype?: string, onProgress?: (progress: { stage: string, file: string, loaded: number, total?: number | null }) => void, signal?: AbortSignal }} options
 * @returns {Promise<Readable>}
 */

export class CandleScope extends LitElement {
  static properties = {
    model: { type: String },
    dtype: { type: String },
    prompt: { type: String },
    view: { type: String },
    layer: { type: Number },
    head: { type: Number },
    scale: { type: String },
    look: { type: String },
    hook: { type: String },
    editable: { type: Boolean },
    load: { attribute: false },
    loaded: { state: true },
    reading: { state: true },
    progress: { state: true },
    error: { state: true },
    busy: { state: true },
  };

  static styles = [
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

  /** The loader of elements that were not given their own. @type {Load | null} */
  static load = null;

  constructor() {
    super();
    this.model = "";
    this.dtype = "f32";
    this.prompt = "";
    this.view = "attention";
    /** Without a layer or a head, the strongest induction head. @type {number | null} */
    this.layer = null;
    /** @type {number | null} */
    this.head = null;
    /** @type {import("../draw/scale.js").Stretch} */
    this.scale = "linear";
    /** @type {"from" | "to"} */
    this.look = "from";
    /** The hook point that the view `activations` draws. */
    this.hook = "blocks.0.hook_resid_post";
    /** What head scores are measured on. @type {"text" | "random"} */
    this.measured = "text";
    this.editable = false;
    /** @type {Load | null} */
    this.load = null;
    /** @type {Readable | null} */
    this.loaded = null;
    /** @type {import("../reading.js").Reading | null} */
    this.reading = null;
    /** @type {{ stage: string, file: string, loaded: number, total?: number | null } | null} */
    this.progress = null;
    /** @type {Error | null} */
    this.error = null;
    this.busy = false;
    /** @type {Reader | null} */
    this.reader = null;
    /** @type {AbortController | null} */
    this.loading = null;
  }

  connectedCallback() {
    super.connectedCallback();
    if (this.hasUpdated && !this.loaded) this.#load();
  }

  /** An element that was moved is connected again at once; one that was removed lets go of its model. */
  disconnectedCallback() {
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
    Object.assign(this.renderRoot.querySelector("scope-figure") ?? {}, { lens: null, value: null, random: null });
  }

  /** @param {Map<string, unknown>} changed */
  updated(changed) {
    if (changed.has("model") || changed.has("dtype") || (changed.has("load") && !this.loaded)) this.#load();
    else if (changed.has("prompt")) this.#read();
    this.#prepare();
  }

  /** What the view on show needs beyond the reading is computed when it is shown, and asked for once. */
  async #prepare() {
    const figure = /** @type {import("./scope-figure.js").ScopeFigure} */ (this.renderRoot.querySelector("scope-figure"));
    const { needs, reading } = figure;
    const asked = `${needs} ${this.hook}`;
    if (!needs || !reading || !this.reader || (this.#prepared.reading === reading && this.#prepared.asked === asked)) return;
    this.#prepared = { reading, asked };
    const isCurrent = () => this.#prepared.reading === reading && this.#prepared.asked === asked;
    try {
      const prepared = await this.reader.prepare(reading, needs, this.hook);
      if (isCurrent()) Object.assign(figure, prepared);
    } catch (error) {
      if (isCurrent()) this.error = /** @type {Error} */ (error);
    }
  }

  /** @type {{ reading: import("../reading.js").Reading | null, asked: string }} */
  #prepared = { reading: null, asked: "" };

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
      this.error = /** @type {Error} */ (error);
    } finally {
      if (this.loading === loading) this.progress = null;
    }
  }

  /** Reads the prompt. If it cannot be read, the last figure stays dimmed, and the error says why. */
  async #read() {
    const { reader } = this;
    if (!reader) return;
    this.busy = true;
    /** @param {import("../reading.js").Reading} part */
    const onLayer = (part) => {
      if (this.reader === reader) this.reading = part;
    };
    try {
      const reading = await reader.read(this.prompt, { layer: this.layer ?? 0, onLayer });
      if (!reading || this.reader !== reader) return; // a newer prompt is being read, or another model
      this.reading = reading;
      this.error = null;
      this.busy = false;
    } catch (error) {
      if (this.reader === reader) this.error = /** @type {Error} */ (error);
    }
  }

  /** @returns {import("./attention-heads.js").Head} */
  get shown() {
    const strongest = this.reading && this.reading.scores.length > 0 ? strongestInduction(this.reading.scores) : { layer: 0, head: 0 };
    const { layer, head } = this;
    return layer === null && head === null ? { layer: strongest.layer, head: strongest.head } : { layer: layer ?? 0, head: head ?? 0 };
  }

  render() {
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
        .look=${this.look}
        .hook=${this.hook}
        .points=${this.loaded?.hookPoints ?? []}
        .measured=${this.measured}
        .stale=${this.busy && this.reading !== null}
        @figure-change=${this.#onChange}
      ></scope-figure>
    `;
  }

  /** @param {Event} event */
  #onInput(event) {
    this.prompt = /** @type {HTMLTextAreaElement} */ (event.target).value;
  }

  /** @param {CustomEvent} event */
  async #onChange(event) {
    Object.assign(this, event.detail);
    this.requestUpdate();
    const reading = this.reading;
    if (!("layer" in event.detail) || !reading || !this.reader || reading.patterns[event.detail.layer]) return;
    try {
      const fuller = await this.reader.layer(reading, event.detail.layer);
      if (this.reading === reading) this.reading = fuller;
    } catch (error) {
      if (this.reading === reading) this.error = /** @type {Error} */ (error);
    }
  }
}

define("candle-scope", CandleScope);
