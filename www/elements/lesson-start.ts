// <lesson-start>: one line that says what one sees, and the button that starts the tour.

import { css, html } from "lit";

import { TypedElement } from "./base.js";
import { base } from "./styles.js";

export interface LessonStartEvents {
  "tour-start": undefined;
}

export class LessonStart extends TypedElement<LessonStartEvents> {
  static override properties = { sentence: { type: String }, isOpen: { type: Boolean } };

  static override styles = [
    base,
    css`
      p {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 0.25rem 0.8rem;
        margin: 0;
        font-size: 1.02rem;
        text-wrap: pretty;
      }
      button {
        font-size: 0.86rem;
        padding: 0.16em 0.9em;
        border-color: var(--flame);
        background: var(--glow);
      }
      @media (max-width: 620px) {
        p {
          display: block;
          font-size: 0.94rem;
        }
        button {
          padding: 0.02em 0.7em;
        }
      }
    `,
  ];

  declare sentence: string;
  /** A lesson is open. */
  declare isOpen: boolean;

  constructor() {
    super();
    this.sentence = "";
    this.isOpen = false;
  }

  override render() {
    return html`<p>
      <span class="sentence">${this.sentence}</span>
      <button ?disabled=${this.isOpen} @click=${() => this.emit("tour-start")}>Start the tour</button>
    </p>`;
  }

  override focus() {
    this.renderRoot.querySelector("button")?.focus();
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "lesson-start": LessonStart;
  }
}
