// <model-chooser>: chooses a bundled model, one from the Hugging Face hub, one at an address, or files.

import { css, html } from "lit";

import { TypedElement } from "./base.js";
import { base } from "./styles.js";

/** The source that `loadModel` takes, and a name for it. */
export type Choice = { source: string | File[]; name: string };

export interface ModelChooserEvents {
  "model-choose": Choice;
}

export class ModelChooser extends TypedElement<ModelChooserEvents> {
  static override properties = { bundled: { attribute: false }, current: { type: String } };

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
      h3 {
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
      .drop label {
        color: var(--flame);
        text-decoration: underline;
        cursor: pointer;
      }
      .drop:focus-within {
        border-color: var(--flame);
      }
    `,
  ];

  /** Models that are published with the page. */
  declare bundled: readonly { source: string; name: string; note: string }[];
  declare current: string;

  constructor() {
    super();
    this.bundled = [];
    this.current = "";
  }

  override render() {
    return html`<div class="ways">
      <div class="way">
        <h3>Bundled</h3>
        ${this.bundled.map(
          (
            one,
          ) => html`<div><button ?disabled=${one.source === this.current} @click=${() => this.#choose(one)}>${one.name}</button>${one.source === this.current ? html` <span class="soft">in use</span>` : ""}</div>
            <p>${one.note}</p>`,
        )}
      </div>
      ${this.#address("id", "From the Hugging Face hub", "openai-community/gpt2", "The id of any GPT-2. GPT-2 itself is 548 MB.", "hf:")}
      ${this.#address("folder", "From an address", "https://…/my-model/", "A folder with config.json, tokenizer.json and model.safetensors.")}
      <div class="way">
        <h3>From files</h3>
        <div class="drop" @dragover=${this.#onOver} @dragleave=${this.#onLeave} @drop=${this.#onDrop}>
          Drop the three files here, or
          <label>choose them<input class="visually-hidden" type="file" multiple accept=".json,.safetensors" @change=${this.#onPick} /></label>.
        </div>
        <p>They stay on your machine.</p>
      </div>
    </div>`;
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
      <h3>${title}</h3>
      <form @submit=${submit}>
        <input name=${name} aria-label=${title} placeholder=${placeholder} autocomplete="off" autocapitalize="off" spellcheck="false" required />
        <button>Load</button>
      </form>
      <p>${note}</p>
    </div>`;
  }

  #choose({ source, name }: Choice) {
    this.emit("model-choose", { source, name });
  }

  /** Chooses files. The loader reports the missing ones. Also called for files that are dropped on the page. */
  take(files: File[]) {
    if (files.length > 0) this.#choose({ source: files, name: "your files" });
  }

  #onPick(event: Event) {
    this.take([...((event.target as HTMLInputElement).files ?? [])]);
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
    this.take([...(event.dataTransfer?.files ?? [])]);
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "model-chooser": ModelChooser;
  }
}
