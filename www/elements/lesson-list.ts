// <lesson-list>: the lessons, each a link to its first step, and the links to its other steps.

import { css, html } from "lit";

import { TypedElement } from "./base.js";
import { base } from "./styles.js";

export interface ListedLesson {
  name: string;
  title: string;
  sentence: string;
  minutes: number;
  steps: readonly { title: string; href: string }[];
}

export interface LessonListEvents {
  /** the lesson and its step, counted from 1 */
  "lesson-open": { lesson: string; step: number };
}

export class LessonList extends TypedElement<LessonListEvents> {
  static override properties = {
    lessons: { attribute: false },
    lesson: { type: String },
    step: { type: Number },
  };

  static override styles = [
    base,
    css`
      ol.lessons {
        display: grid;
        grid-template-columns: repeat(auto-fit, minmax(min(100%, 19rem), 1fr));
        gap: 0.9rem 1.8rem;
        margin: 0;
        padding: 0;
        list-style: none;
        counter-reset: lesson;
      }
      .lessons > li {
        counter-increment: lesson;
      }
      h3 {
        margin: 0;
        font-size: 1rem;
        font-weight: 600;
      }
      h3::before {
        content: counter(lesson) ". ";
        color: var(--soft);
      }
      p {
        margin: 0.1rem 0 0.25rem;
        font-size: 0.92rem;
      }
      .steps {
        display: flex;
        flex-wrap: wrap;
        gap: 0.1rem 0.75rem;
        margin: 0;
        padding: 0;
        list-style: none;
        font-size: 0.84rem;
      }
      a {
        color: inherit;
      }
      a:hover {
        color: var(--flame);
      }
      a[aria-current="step"] {
        font-weight: 600;
        text-decoration-color: var(--flame);
      }
    `,
  ];

  declare lessons: readonly ListedLesson[];
  /** The open lesson and its step; empty for none. */
  declare lesson: string;
  declare step: number;

  constructor() {
    super();
    this.lessons = [];
    this.lesson = "";
    this.step = 1;
  }

  override render() {
    return html`<ol class="lessons">${this.lessons.map((one) => this.#item(one))}</ol>`;
  }

  #item({ name, title, sentence, minutes, steps }: ListedLesson) {
    return html`<li>
      <h3>${this.#link(name, 1, steps[0]?.href ?? "", title)} <span class="soft">${minutes} min</span></h3>
      <p>${sentence}</p>
      <ol class="steps" aria-label="steps of ${title}">${steps.map((step, at) => html`<li>${this.#link(name, at + 1, step.href, step.title)}</li>`)}</ol>
    </li>`;
  }

  #link(lesson: string, step: number, href: string, title: string) {
    const isOpen = this.lesson === lesson && this.step === step;
    return html`<a href=${href} aria-current=${isOpen ? "step" : "false"} @click=${(event: MouseEvent) => this.#onClick(event, { lesson, step })}>${title}</a>`;
  }

  /** A plain click opens the step in this page; with a modifier the browser follows the link. */
  #onClick(event: MouseEvent, detail: LessonListEvents["lesson-open"]) {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    this.emit("lesson-open", detail);
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "lesson-list": LessonList;
  }
}
