// <load-question>: asks what the files of a model do not say: which of several checkpoints is meant, or fields of its config.

import { css, html } from "lit";

import {
  type Answer,
  choiceNote,
  fieldTitle,
  type MissingField,
  type Question,
  type Value,
} from "../session/questions.js";
import { TypedElement } from "./base.js";
import { withCode } from "./code.js";
import { base, code } from "./styles.js";

export interface LoadQuestionEvents {
  "load-answer": Answer;
  "load-dismiss": undefined;
}

export class LoadQuestion extends TypedElement<LoadQuestionEvents> {
  static override properties = { name: { type: String }, question: { attribute: false } };

  static override styles = [
    base,
    code,
    css`
      form {
        display: grid;
        gap: 0.8rem;
        margin-bottom: 0.7rem;
        padding: 0.7rem 0.9rem;
        border-left: 3px solid var(--flame);
        border-radius: 3px;
        background: var(--glow);
        font-size: 0.92rem;
      }
      h2,
      p {
        margin: 0;
        overflow-wrap: anywhere;
      }
      h2 {
        font-size: 1.02rem;
        font-weight: 600;
      }
      fieldset {
        min-width: 0;
        margin: 0;
        padding: 0;
        border: 0;
      }
      legend {
        padding: 0;
        margin-bottom: 0.35rem;
        font-weight: 600;
      }
      legend .mono {
        font-weight: 400;
        font-size: 0.82rem;
      }
      .options {
        display: grid;
        gap: 0.3rem;
        max-height: 22rem;
        overflow: auto;
      }
      .options label {
        display: grid;
        grid-template-columns: auto minmax(0, 1fr);
        gap: 0 0.5rem;
        align-items: baseline;
      }
      .options label .soft {
        grid-column: 2;
        font-size: 0.85rem;
      }
      .options.chips {
        display: flex;
        flex-wrap: wrap;
        gap: 0.35rem;
      }
      .chips label {
        display: inline-flex;
        gap: 0.35rem;
        padding: 0.15rem 0.6rem;
        border: 1px solid var(--line);
        border-radius: 999px;
        background: var(--sheet);
        cursor: pointer;
      }
      .chips label:has(:checked) {
        border-color: var(--flame);
      }
      input {
        accent-color: var(--flame);
      }
      input[type="radio"] {
        margin: 0;
      }
      .value {
        overflow-wrap: anywhere;
      }
      .actions {
        display: flex;
        flex-wrap: wrap;
        gap: 0.6rem;
      }
      .go {
        border-color: var(--flame);
      }
    `,
  ];

  /** Of the model. */
  declare name: string;
  declare question: Question | null;

  constructor() {
    super();
    this.name = "";
    this.question = null;
  }

  override render() {
    return this.question ? this.#form(this.question) : "";
  }

  override updated(changed: Map<string, unknown>) {
    if (changed.has("question") && this.question)
      this.renderRoot.querySelector("form")?.focus({ preventScroll: true });
  }

  #form({ message, missing, checkpoints }: Question) {
    const title =
      checkpoints.length > 0
        ? `Which checkpoint of ${this.name}?`
        : `${this.name}: ${missing.length === 1 ? "one answer is" : "some answers are"} needed`;
    return html`<form tabindex="-1" aria-labelledby="title" aria-describedby="message" @submit=${this.#onSubmit} @keydown=${this.#onKey}>
      <h2 id="title">${title}</h2>
      ${
        missing.length > 0
          ? html`<p id="message">The files say everything except this.</p>
            <p class="soft">${withCode(message)}</p>`
          : html`<p id="message">${withCode(message)}</p>`
      }
      ${
        checkpoints.length > 0
          ? html`<fieldset>
            <legend>checkpoint</legend>
            <div class="options">${checkpoints.map((name) => this.#radio("checkpoint", name, ""))}</div>
          </fieldset>`
          : ""
      }
      ${missing.map((one) => this.#field(one))}
      <div class="actions">
        <button class="go" type="submit">Load</button>
        <button type="button" @click=${() => this.emit("load-dismiss")}>Do not load</button>
      </div>
    </form>`;
  }

  #field({ field, choices = [] }: MissingField) {
    const legend = html`${fieldTitle(field)} <span class="mono soft">${field}</span>`;
    if (choices.length === 0)
      return html`<fieldset>
        <legend>${legend}</legend>
        <input name=${field} type="number" min="0" step="any" required aria-label=${fieldTitle(field)} />
      </fieldset>`;
    const hasNotes = choices.some((value) => choiceNote(field, value) !== "");
    return html`<fieldset>
      <legend>${legend}</legend>
      <div class="options ${hasNotes ? "" : "chips"}">
        ${choices.map((value) => this.#radio(field, value, choiceNote(field, value)))}
      </div>
    </fieldset>`;
  }

  #radio(field: string, value: Value, note: string) {
    return html`<label>
      <input type="radio" name=${field} value=${String(value)} required />
      <span class="value mono">${value}</span>${note ? html`<span class="soft">${note}</span>` : ""}
    </label>`;
  }

  #onKey(event: KeyboardEvent) {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    this.emit("load-dismiss");
  }

  #onSubmit(event: SubmitEvent) {
    event.preventDefault();
    if (!this.question) return;
    const { missing, checkpoints } = this.question;
    const data = new FormData(event.target as HTMLFormElement);
    const config = Object.fromEntries(
      missing.map(({ field, choices = [] }) => {
        const text = String(data.get(field));
        // The radio button has the value's text; the answer is the value itself.
        return [field, choices.find((value) => String(value) === text) ?? Number(text)];
      }),
    );
    this.emit("load-answer", {
      ...(missing.length > 0 && { config }),
      ...(checkpoints.length > 0 && { checkpoint: String(data.get("checkpoint")) }),
    });
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "load-question": LoadQuestion;
  }
}
