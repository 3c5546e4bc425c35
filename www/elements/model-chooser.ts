// <model-chooser>: chooses a bundled model, one from the Hugging Face hub, one at an address, files, a folder, or a model that
// was opened before.

import { css, html } from "lit";

import { filesWithPaths } from "../api/dropped-files.js";
import type { OpenedModel, StoredCopy } from "../session/gallery.js";
import type { LabState } from "../state/state.js";
import type { Answer } from "../session/questions.js";
import { type Dtype, DTYPE_NOTES, DTYPES } from "../session/memory.js";
import { TypedElement } from "./base.js";
import { MODEL_ENDINGS, nameOf } from "./files.js";
import { withCode } from "./code.js";
import type { KeptModel, ModelStorageEvents, Room } from "./model-storage.js";
import { base } from "./styles.js";

/**
 * The source that `loadModel` takes, a name for it, and what was answered when it was loaded before. The source may be a copy
 * that the browser holds; `id` is then that of the model in the gallery.
 */
export type Choice = {
  source: string | File[] | StoredCopy;
  name: string;
  answer?: Answer;
  id?: string;
  /** the dtype in memory; that of a stored copy, otherwise f32, if absent */
  dtype?: LabState["dtype"];
  /** a copy in the browser's storage @default true */
  keep?: boolean;
};

export interface ModelChooserEvents extends ModelStorageEvents {
  "model-choose": Choice;
  /** the id of a model that was opened before */
  "model-forget": string;
  /** the dtype in which the model in use is to be loaded again */
  "dtype-choose": Dtype;
}

export class ModelChooser extends TypedElement<ModelChooserEvents> {
  static override properties = {
    bundled: { attribute: false },
    current: { type: String },
    opened: { attribute: false },
    stored: { attribute: false },
    copies: { attribute: false },
    room: { attribute: false },
    measured: { type: Number },
    dtype: { type: String },
    problem: { state: true },
  };

  static override styles = [
    base,
    css`
      :host {
        font-size: 0.92rem;
      }
      .ways {
        display: grid;
        grid-template-columns: repeat(auto-fit, minmax(min(100%, 17rem), 1fr));
        gap: 0.9rem 1.6rem;
      }
      .way {
        display: grid;
        align-content: start;
        gap: 0.35rem;
      }
      h2 {
        margin: 0;
        font-size: 0.95rem;
        font-weight: 600;
      }
      p {
        margin: 0;
        color: var(--soft);
        font-size: 0.85rem;
      }
      form {
        display: flex;
        gap: 0.4rem;
      }
      form input {
        flex: 1;
        font-family: var(--mono);
        font-size: 0.82rem;
      }
      .drop {
        padding: 0.7rem;
        border: 1.5px dashed var(--line);
        border-radius: 6px;
        text-align: center;
      }
      .drop.over {
        border-color: var(--flame);
        background: var(--glow);
      }
      .problem {
        padding: 0.35rem 0.6rem;
        border-left: 3px solid var(--flame);
        border-radius: 3px;
        background: var(--glow);
        color: var(--ink);
        overflow-wrap: anywhere;
      }
      .part {
        margin-top: 1.2rem;
      }
      .part h2 {
        margin-bottom: 0.3rem;
      }
      fieldset {
        display: flex;
        flex-wrap: wrap;
        align-items: baseline;
        gap: 0.3rem 0.9rem;
        min-width: 0;
        margin: 0 0 0.9rem;
        padding: 0;
        border: 0;
      }
      legend {
        float: left;
        padding: 0;
        font-size: 0.95rem;
        font-weight: 600;
      }
      fieldset label {
        display: inline-flex;
        align-items: baseline;
        gap: 0.3rem;
        cursor: pointer;
      }
      fieldset input {
        accent-color: var(--flame);
      }
      .drop label {
        color: var(--flame);
        text-decoration: underline;
        cursor: pointer;
      }
      .drop label:focus-within {
        border-radius: 3px;
        outline: 2px solid var(--flame);
        outline-offset: 2px;
      }
    `,
  ];

  /** Models that are published with the page. */
  declare bundled: readonly { source: string; name: string; title: string; note: string }[];
  /** The id of the model in use in `opened`; of a bundled one, its source. */
  declare current: string;
  /** Models that were opened before, the last one first. */
  declare opened: readonly OpenedModel[];
  /** The copies that the browser holds, by the models' ids. */
  declare stored: ReadonlyMap<string, StoredCopy>;
  /** All copies that the browser holds; null while that is not known. */
  declare copies: readonly KeptModel[] | null;
  /** The room in the browser's storage. */
  declare room: Room | null;
  /** Bytes a second of this browser's last download; 0 if there was none. */
  declare measured: number;
  /** In which the next model is loaded. */
  declare dtype: Dtype;
  /** Why what was dropped cannot be read. */
  declare problem: string;

  constructor() {
    super();
    this.bundled = [];
    this.current = "";
    this.opened = [];
    this.stored = new Map();
    this.copies = null;
    this.room = null;
    this.measured = 0;
    this.dtype = "f32";
    this.problem = "";
  }

  /** The model in use. */
  get #inUse() {
    return this.opened.find(({ id }) => id === this.current);
  }

  override render() {
    const source = this.#inUse?.source ?? this.current;
    const dtype = this.#inUse?.dtype ?? "f32";
    return html`${this.#precision()}<div class="ways">
      <div class="way">
        <h2>Bundled</h2>
        ${this.bundled.map(
          (
            one,
          ) => html`<div><button ?disabled=${one.source === source && dtype === this.dtype} @click=${() => this.#choose(one)}>${one.title}</button>${one.source === source ? html` <span class="soft">in use, kept in ${dtype}</span>` : ""}</div>
            <p>${one.note}</p>`,
        )}
      </div>
      ${this.#address("id", "From the Hugging Face hub", "openai-community/gpt2", "The id of any GPT-2, or one of those below.", "hf:")}
      ${this.#address("folder", "From an address", "https://…/my-model/", "A folder with the model's files, or the address of its weights.")}
      <div class="way">
        <h2>From your disk</h2>
        <div class="drop" @dragover=${this.#onOver} @dragleave=${this.#onLeave} @drop=${this.#onDrop}>
          Drop the model's folder or files here, or choose
          <label>files<input class="visually-hidden" type="file" name="files" multiple accept=${MODEL_ENDINGS} @change=${this.#onPick} /></label> or
          <label>a folder<input class="visually-hidden" type="file" name="directory" webkitdirectory @change=${this.#onPick} /></label>.
        </div>
        <div role="alert">${this.problem ? html`<p class="problem">${withCode(this.problem)}</p>` : ""}</div>
        <p>safetensors, PyTorch (.bin, .pt, .pth), Flax msgpack, .npz or GGUF; with config and tokenizer, if there are any. They stay on your machine.</p>
      </div>
    </div>
    <div class="part">
      <h2>GPT-2 on the Hugging Face hub</h2>
      <model-presets .dtype=${this.dtype} .current=${source} .currentDtype=${dtype} .measured=${this.measured}></model-presets>
    </div>
    ${
      this.opened.length > 0
        ? html`<div class="part">
          <h2>Opened in this browser</h2>
          <model-gallery .models=${this.opened} .stored=${this.stored} .current=${this.current}></model-gallery>
        </div>`
        : ""
    }
    <div class="part">
      <h2>Copies in this browser</h2>
      <model-storage .copies=${this.copies} .room=${this.room}></model-storage>
    </div>`;
  }

  /** In which dtype models are loaded, those of files too. */
  #precision() {
    const { dtype } = this;
    const inUse = this.#inUse;
    const isOther = inUse !== undefined && inUse.dtype !== dtype;
    return html`<fieldset>
      <legend>Precision in memory</legend>
      ${DTYPES.map((one) => html`<label><input type="radio" name="dtype" value=${one} .checked=${one === dtype} @change=${() => (this.dtype = one)} /><span class="mono">${one}</span></label>`)}
      <span class="soft">${DTYPE_NOTES[dtype]}. The next model is kept in this precision, whatever its file has.</span>
      ${isOther ? html`<button @click=${() => this.emit("dtype-choose", dtype)}>load ${inUse.name} in ${dtype}</button>` : ""}
    </fieldset>`;
  }

  /** A form for an id or an address. @param prefix of the source */
  #address(name: string, title: string, placeholder: string, note: string, prefix: string = "") {
    const submit = (event: SubmitEvent) => {
      event.preventDefault();
      const source = String(new FormData(event.target as HTMLFormElement).get(name)).trim();
      if (source)
        this.#choose({
          source: prefix + source,
          name: source.replace(/\/$/, "").split("/").at(-1) ?? source,
        });
    };
    return html`<div class="way">
      <h2>${title}</h2>
      <form @submit=${submit}>
        <input name=${name} aria-label=${title} placeholder=${placeholder} autocomplete="off" autocapitalize="off" spellcheck="false" required />
        <button>Load</button>
      </form>
      <p>${note}</p>
    </div>`;
  }

  #choose({ source, name }: Choice) {
    this.emit("model-choose", { source, name, dtype: this.dtype });
  }

  /** Chooses files. The loader reports the missing ones. */
  take(files: File[]) {
    this.problem = "";
    if (files.length > 0) this.#choose({ source: files, name: nameOf(files) });
  }

  /** Chooses what was dropped here or elsewhere on the page: files, or a folder with everything in it. */
  async takeDropped(files: ReturnType<typeof filesWithPaths>) {
    this.problem = "";
    try {
      this.take(await files);
    } catch (error) {
      this.problem = (error as Error).message;
    }
  }

  #onPick(event: Event) {
    const input = event.target as HTMLInputElement;
    const files = [...(input.files ?? [])];
    input.value = ""; // the same files can be picked again
    this.take(files);
  }

  #onOver(event: DragEvent) {
    event.preventDefault();
    (event.currentTarget as Element).classList.add("over");
  }

  #onLeave(event: DragEvent) {
    (event.currentTarget as Element).classList.remove("over");
  }

  #onDrop(event: DragEvent) {
    event.preventDefault();
    event.stopPropagation();
    this.#onLeave(event);
    if (event.dataTransfer) this.takeDropped(filesWithPaths(event.dataTransfer));
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "model-chooser": ModelChooser;
  }
}
