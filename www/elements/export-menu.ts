// <export-menu>: what the page can export, in groups, with how large each file will be. Its owner makes the files.

import { css, html, nothing } from "lit";

import { TypedElement } from "./base.js";
import { base } from "./styles.js";

export interface ExportEntry {
  name: string;
  /** the heading that it stands under */
  group: string;
  /** the text of its button */
  title: string;
  /** what one gets, in a sentence */
  says: string;
  /** how large the file will be, such as "23 kB"; null while it is not known */
  size?: string | null;
  /** why it cannot be exported now; null if it can */
  absent?: string | null;
}

export interface ExportMenuEvents {
  /** the name of the entry that was chosen */
  "export-choose": string;
  /** the caption that the visitor wrote */
  "caption-change": string;
}

export class ExportMenu extends TypedElement<ExportMenuEvents> {
  static override properties = {
    entries: { attribute: false },
    caption: { type: String },
    placeholder: { type: String },
    busy: { type: String },
    note: { type: String },
  };

  static override styles = [
    base,
    css`
      h3 {
        margin: 0.9rem 0 0.4rem;
        font-size: 0.95rem;
        font-weight: 600;
      }
      button {
        padding: 0.2em 0.85em;
        font-size: 0.88rem;
      }
      .caption {
        display: flex;
        flex-wrap: wrap;
        gap: 0.2rem 0.9rem;
        align-items: center;
        font-size: 0.9rem;
      }
      .caption input {
        flex: 0 1 32rem;
        min-width: 0;
      }
      .entries {
        display: grid;
        grid-template-columns: minmax(12rem, auto) 4.2rem 1fr;
        gap: 0.4rem 0.9rem;
        align-items: center;
        margin: 0;
        padding: 0;
        list-style: none;
      }
      li {
        display: contents;
      }
      .says {
        color: var(--soft);
        font-size: 0.9rem;
      }
      .size {
        font-size: 0.82rem;
        text-align: right;
        white-space: nowrap;
      }
      .note {
        min-height: 1.3rem;
        margin: 0.5rem 0 0;
        font-size: 0.9rem;
        overflow-wrap: anywhere;
      }
      @media (max-width: 619px) {
        .entries {
          grid-template-columns: auto 1fr;
        }
        .says {
          grid-column: 1 / -1;
          margin-bottom: 0.35rem;
        }
        .size {
          text-align: left;
        }
        .caption input {
          flex-basis: 100%;
        }
      }
    `,
  ];

  declare entries: readonly ExportEntry[];
  declare caption: string;
  /** The caption of a file whose caption the visitor leaves empty. */
  declare placeholder: string;
  /** The name of the entry that is being made; empty for none. */
  declare busy: string;
  /** What became of the last export. */
  declare note: string;

  constructor() {
    super();
    this.entries = [];
    this.caption = "";
    this.placeholder = "";
    this.busy = "";
    this.note = "";
  }

  override render() {
    const groups = [...new Set(this.entries.map(({ group }) => group))];
    return html`
      <label class="caption"><span>caption</span>
        <input type="text" .value=${this.caption} placeholder=${this.placeholder} @input=${(event: Event) => this.emit("caption-change", (event.target as HTMLInputElement).value)} />
      </label>
      ${groups.map((group) => html`<h3>${group}</h3><ul class="entries">${this.entries.filter((entry) => entry.group === group).map((entry) => this.#entry(entry))}</ul>`)}
      <p class="note" role="status">${this.note}</p>
    `;
  }

  #entry({ name, title, says, size, absent }: ExportEntry) {
    const isBusy = this.busy === name;
    return html`<li>
      <button name=${name} ?disabled=${Boolean(absent) || this.busy !== ""} aria-busy=${isBusy || nothing} aria-describedby="says-${name}" @click=${() => this.emit("export-choose", name)}>${title}</button>
      <span class="size mono">${isBusy ? "making …" : (size ?? "")}</span>
      <span class="says" id="says-${name}">${absent ?? says}</span>
    </li>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "export-menu": ExportMenu;
  }
}
