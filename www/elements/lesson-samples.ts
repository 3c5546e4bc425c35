// <lesson-samples>: texts to try, as one row of buttons near the text.

import { css, html } from "lit";

import { TypedElement } from "./base.js";
import { base } from "./styles.js";

export interface LessonSamplesEvents {
  /** the place of the chosen text in the list */
  "sample-choose": number;
}

export class LessonSamples extends TypedElement<LessonSamplesEvents> {
  static override properties = { samples: { attribute: false }, disabled: { type: Boolean } };

  static override styles = [
    base,
    css`
      .row {
        display: flex;
        align-items: center;
        gap: 0.4rem;
        min-height: 1.7rem;
        overflow-x: auto;
        scrollbar-width: thin;
        font-size: 0.84rem;
      }
      button {
        flex: none;
        font-size: 0.82rem;
        padding: 0.08em 0.7em;
      }
    `,
  ];

  /** `text` is what the button fills in. */
  declare samples: readonly { label: string; text: string }[];
  declare disabled: boolean;

  constructor() {
    super();
    this.samples = [];
    this.disabled = false;
  }

  override render() {
    return html`<div class="row" role="group" aria-label="texts to try">
      <span class="soft">try:</span>
      ${this.samples.map(({ label, text }, at) => html`<button title=${text} ?disabled=${this.disabled} @click=${() => this.emit("sample-choose", at)}>${label}</button>`)}
    </div>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "lesson-samples": LessonSamples;
  }
}
