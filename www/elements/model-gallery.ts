// <model-gallery>: the models that were opened in this browser: opens one again, shows its report, forgets it.

import { css, html } from "lit";

import { formatBytes } from "../draw/format.js";
import { formatAgo, type OpenedModel, type StoredCopy } from "../session/gallery.js";
import { roundedCount } from "../session/architecture.js";
import { DTYPES } from "../session/memory.js";
import { TypedElement } from "./base.js";
import { MODEL_ENDINGS } from "./files.js";
import type { Choice } from "./model-chooser.js";
import { base } from "./styles.js";

export interface ModelGalleryEvents {
  "model-choose": Choice;
  /** the id of the model */
  "model-forget": string;
}

export class ModelGallery extends TypedElement<ModelGalleryEvents> {
  static override properties = {
    models: { attribute: false },
    stored: { attribute: false },
    current: { type: String },
    opened: { state: true },
  };

  static override styles = [
    base,
    css`
      ul {
        margin: 0;
        padding: 0;
        list-style: none;
      }
      li {
        padding: 0.45rem 0;
        border-top: 1px solid var(--line);
      }
      .line {
        display: flex;
        flex-wrap: wrap;
        align-items: baseline;
        gap: 0.2rem 0.8rem;
      }
      .what {
        flex: 1 1 16rem;
        min-width: 0;
        overflow-wrap: anywhere;
      }
      .name {
        font-weight: 600;
      }
      .facts {
        display: block;
        font-size: 0.85rem;
      }
      .actions {
        display: flex;
        flex-wrap: wrap;
        align-items: baseline;
        gap: 0.35rem;
      }
      button,
      label {
        font-size: 0.82rem;
        padding: 0.1em 0.7em;
      }
      label {
        border: 1px solid var(--line);
        border-radius: 999px;
        background: var(--sheet);
        cursor: pointer;
      }
      label:hover {
        border-color: var(--flame);
      }
      label:focus-within {
        outline: 2px solid var(--flame);
        outline-offset: 2px;
      }
    `,
  ];

  declare models: readonly OpenedModel[];
  /** The copies that the browser holds, by the models' ids. */
  declare stored: ReadonlyMap<string, StoredCopy>;
  /** The id of the model in use. */
  declare current: string;
  /** The id of the model whose report is shown. */
  declare opened: string;

  constructor() {
    super();
    this.models = [];
    this.stored = new Map();
    this.current = "";
    this.opened = "";
  }

  override render() {
    return html`<ul aria-label="models that were opened">${this.models.map((one) => this.#model(one))}</ul>`;
  }

  #model(model: OpenedModel) {
    const { id, name, summary, report } = model;
    const isOpened = this.opened === id;
    return html`<li>
      <div class="line">
        <div class="what">
          <span class="name">${name}</span>${id === this.current ? html` <span class="soft">in use</span>` : ""}
          <span class="facts soft">${this.#facts(model)}</span>
        </div>
        <div class="actions">
          ${this.#open(model)}
          <button aria-expanded=${isOpened} aria-label="report of ${name}" @click=${() => (this.opened = isOpened ? "" : id)}>report</button>
          <button aria-label="forget ${name}" title=${this.#isStored(model) ? "Removes it from this list, and its copy from this browser" : "Removes it from this list"} @click=${() => this.emit("model-forget", id)}>forget</button>
        </div>
      </div>
      ${isOpened ? html`<model-report open .notices=${report ?? []} .summary=${summary}></model-report>${report === null ? html`<p class="soft">The list of its tensors was not kept: open the model to see it.</p>` : ""}` : ""}
    </li>`;
  }

  #isStored({ id }: OpenedModel) {
    return this.stored.has(id);
  }

  #facts(model: OpenedModel) {
    const { source, summary, dtype, bytes, opened } = model;
    const where = source === "" ? "from disk" : source;
    return [
      `${summary.family}, ${summary.format}`,
      `${roundedCount(summary.parameterCount)} parameters`,
      dtype,
      bytes === null ? "" : formatBytes(bytes),
      where,
      this.#isStored(model) ? "kept in this browser" : "",
      formatAgo(Date.now() - opened),
    ]
      .filter(Boolean)
      .join(" · ");
  }

  /** Files on the disk must be chosen again unless the browser holds a copy, because a page cannot read them by itself. */
  #open(model: OpenedModel) {
    const { id, name, source, answer, keep } = model;
    const dtype = DTYPES.find((one) => one === model.dtype);
    const copy = this.stored.get(id);
    const choice =
      source !== "" ? { source, name, answer, keep, dtype } : copy && { source: copy, name, id };
    if (choice) {
      const open = () => this.emit("model-choose", choice);
      return html`<button aria-label="open ${name}" ?disabled=${id === this.current} @click=${open}>open</button>`;
    }
    const pick = (event: Event) => {
      const input = event.target as HTMLInputElement;
      const files = [...(input.files ?? [])];
      input.value = ""; // the same files can be picked again
      if (files.length > 0) this.emit("model-choose", { source: files, name, answer, dtype });
    };
    return html`<label title="The model came from your disk, which a page cannot read by itself">choose the files again<input class="visually-hidden" type="file" name="again" multiple accept=${MODEL_ENDINGS} aria-label="choose the files of ${name} again" @change=${pick} /></label>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "model-gallery": ModelGallery;
  }
}
