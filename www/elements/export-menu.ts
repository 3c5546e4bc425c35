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

/** What the visitor chooses for the entries of a group: one of some values, or a text. */
export interface ExportField {
  name: string;
  /** the heading that it stands under */
  group: string;
  label: string;
  value: string;
  /** the values with their words: if there is one, it is only said; a text without them */
  choices?: readonly (readonly [value: string, title: string])[];
  /** what a text may be */
  suggestions?: readonly string[];
  /** what the value means */
  says?: string;
  /** why the value cannot be used; empty if it can */
  problem?: string;
}

export interface ExportMenuEvents {
  /** the name of the entry that was chosen */
  "export-choose": string;
  /** the caption that the visitor wrote */
  "caption-change": string;
  /** a value that the visitor chose */
  "field-change": { name: string; value: string };
}

export class ExportMenu extends TypedElement<ExportMenuEvents> {
  static override properties = {
    entries: { attribute: false },
    fields: { attribute: false },
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
      .fields {
        display: flex;
        flex-wrap: wrap;
        gap: 0.35rem 1.1rem;
        margin: 0 0 0.5rem;
        font-size: 0.9rem;
      }
      .field {
        display: inline-flex;
        gap: 0.45rem;
        align-items: center;
        min-width: 0;
        max-width: 100%;
      }
      .field :is(select, input) {
        min-width: 0;
        max-width: 100%;
      }
      .field input {
        flex: 0 1 22rem;
        width: 22rem;
        font-family: var(--mono);
        font-size: 0.85rem;
      }
      .meaning {
        flex-basis: 100%;
        margin: 0;
        color: var(--soft);
        font-size: 0.86rem;
        overflow-wrap: anywhere;
      }
      .problem {
        padding: 0.1rem 0.6rem;
        border-left: 3px solid var(--flame);
        background: var(--glow);
        color: inherit;
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
  declare fields: readonly ExportField[];
  declare caption: string;
  /** The caption of a file whose caption the visitor leaves empty. */
  declare placeholder: string;
  /** The name of the entry that is being made; empty for none. */
  declare busy: string;
  /** The status message of the last export. */
  declare note: string;

  constructor() {
    super();
    this.entries = [];
    this.fields = [];
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
      ${groups.map((group) => html`<h3>${group}</h3>${this.#fields(group)}<ul class="entries">${this.entries.filter((entry) => entry.group === group).map((entry) => this.#entry(entry))}</ul>`)}
      <p class="note" role="status">${this.note}</p>
    `;
  }

  #fields(group: string) {
    const own = this.fields.filter((field) => field.group === group);
    return own.length === 0
      ? ""
      : html`<div class="fields">${own.map((field) => this.#field(field))}</div>`;
  }

  #field({ name, label, value, choices, suggestions = [], says, problem }: ExportField) {
    const change = (event: Event) =>
      this.emit("field-change", { name, value: (event.target as HTMLSelectElement).value });
    const meaning = problem || says;
    if (choices?.length === 1)
      return html`<p class="meaning" data-field=${name}>${label}: ${choices[0][1]}</p>`;
    return html`
      <label class="field"><span>${label}</span>${
        choices
          ? html`<select name=${name} @change=${change}>${choices.map(([one, title]) => html`<option value=${one} ?selected=${one === value} .selected=${one === value}>${title}</option>`)}</select>`
          : html`<input name=${name} list="suggestions-${name}" spellcheck="false" autocomplete="off" .value=${value} aria-invalid=${Boolean(problem)} aria-describedby=${meaning ? `meaning-${name}` : nothing} @input=${change} /><datalist id="suggestions-${name}">${suggestions.map((one) => html`<option value=${one}></option>`)}</datalist>`
      }</label>
      ${meaning ? html`<p class="meaning ${problem ? "problem" : ""}" id="meaning-${name}" role="status">${meaning}</p>` : ""}
    `;
  }

  // While a file is made the buttons stay enabled, because a disabled one would lose the focus: the owner makes one at a time.
  #entry({ name, title, says, size, absent }: ExportEntry) {
    const isBusy = this.busy === name;
    return html`<li>
      <button name=${name} ?disabled=${Boolean(absent)} aria-disabled=${this.busy !== "" || nothing} aria-busy=${isBusy || nothing} aria-describedby="says-${name}" @click=${() => this.emit("export-choose", name)}>${title}</button>
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
