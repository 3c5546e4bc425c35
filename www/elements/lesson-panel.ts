// <lesson-panel>: one step of a lesson, as a card over the page that points at a control. It checks nothing: all of the page can
// be used while it is open. The card stays where it is, so that the buttons under the pointer do not move.

import { css, html, nothing, svg } from "lit";

import { TypedElement } from "./base.js";
import { liveRegion, LiveRegion } from "./interaction.js";
import { isOver, lineBetween, type Box } from "../draw/pointing.js";
import { base } from "./styles.js";

/** What the card shows. */
export interface ShownStep {
  /** the title of the lesson */
  lesson: string;
  title: string;
  text: string;
  /** the number of the step, counted from 1, and how many there are */
  step: number;
  count: number;
  /** what the step points at, in words */
  place: string;
  source?: { title: string; href: string };
  /** the address that opens this step */
  href: string;
  /** the title of the lesson that follows; empty after the last one */
  following: string;
  /** the visitor has changed what the step opened */
  isChanged: boolean;
}

export interface LessonPanelEvents {
  /** by how many steps to go: 1, −1, or 0 to open the step again */
  "lesson-move": 1 | -1 | 0;
  "lesson-leave": undefined;
  /** to the control that the step is about, by the keyboard */
  "lesson-visit": undefined;
}

/** How often the place of the control is looked up, besides every scroll and change of size. */
const INTERVAL_MS = 200;
/** What a step opens moves while it is computed: so long the control is kept in view, unless the visitor does something. */
const SETTLING_MS = 4000;
const VISITOR = ["wheel", "touchstart", "pointerdown", "keydown"] as const;
/** The outline stands this far outside of the control. */
const MARGIN = 4;

export class LessonPanel extends TypedElement<LessonPanelEvents> {
  static override properties = {
    shown: { attribute: false },
    find: { attribute: false },
    box: { state: true },
  };

  static override styles = [
    base,
    css`
      .card {
        position: fixed;
        z-index: 30;
        right: max(0.8rem, env(safe-area-inset-right));
        bottom: max(0.8rem, env(safe-area-inset-bottom));
        width: min(26rem, calc(100vw - 1.6rem));
        max-height: 46vh;
        overflow: auto;
        overscroll-behavior: contain;
        padding: 0.8rem 1rem 0.7rem;
        border: 1px solid var(--flame);
        border-radius: 10px;
        background: var(--sheet);
        box-shadow: 0 4px 22px oklch(0 0 0 / 0.18);
        font-size: 0.97rem;
      }
      .top,
      .moves {
        display: flex;
        align-items: baseline;
        gap: 0.3rem 0.6rem;
        flex-wrap: wrap;
      }
      .top {
        font-size: 0.84rem;
        color: var(--soft);
      }
      .progress {
        margin-right: auto;
      }
      h2 {
        margin: 0.2rem 0 0.25rem;
        font-size: 1.08rem;
        font-weight: 600;
      }
      h2:focus {
        outline: none;
      }
      h2:focus-visible {
        outline: 2px solid var(--flame);
      }
      p {
        margin: 0 0 0.5rem;
        text-wrap: pretty;
      }
      .links {
        font-size: 0.82rem;
        color: var(--soft);
      }
      a {
        color: inherit;
      }
      button {
        font-size: 0.84rem;
        padding: 0.2em 0.8em;
      }
      .top button {
        font-size: 0.8rem;
        padding: 0.05em 0.6em;
      }
      .next {
        border-color: var(--flame);
        background: var(--glow);
      }
      .back[aria-disabled="true"] {
        opacity: 0.5;
        cursor: default;
      }
      .visit {
        padding: 0;
        border: 0;
        background: none;
        color: inherit;
        font-size: inherit;
        text-decoration: underline;
      }
      .mark,
      .line {
        position: fixed;
        z-index: 29;
        pointer-events: none;
      }
      .mark {
        border: 2px solid var(--flame);
        border-radius: 6px;
        box-shadow: 0 0 0 3px color-mix(in oklch, var(--flame) 22%, transparent);
      }
      .flag {
        position: absolute;
        left: -2px;
        bottom: 100%;
        padding: 0.05em 0.5em;
        border-radius: 6px 6px 0 0;
        background: var(--flame);
        color: var(--paper);
        font-size: 0.78rem;
        white-space: nowrap;
      }
      .flag.inside {
        bottom: auto;
        top: 0;
        border-radius: 0 0 6px 0;
      }
      .line {
        inset: 0;
        width: 100%;
        height: 100%;
      }
      line {
        stroke: var(--flame);
        stroke-width: 1.5;
        stroke-dasharray: 2 4;
        stroke-linecap: round;
      }
      @media (max-width: 620px) {
        .card {
          width: auto;
          left: 0.5rem;
          right: 0.5rem;
          bottom: 0.5rem;
          max-height: 42vh;
          padding: 0.6rem 0.8rem;
          font-size: 0.92rem;
        }
        .line {
          display: none;
        }
      }
      @media (forced-colors: active) {
        .mark {
          border-color: Highlight;
        }
        .flag {
          background: Highlight;
          color: HighlightText;
          forced-color-adjust: none;
        }
        line {
          stroke: Highlight;
        }
      }
      @media print {
        :host {
          display: none;
        }
      }
    `,
  ];

  /** Null while no lesson is open. */
  declare shown: ShownStep | null;
  /** Finds the control that the step is about; null while it is not there. */
  declare find: (() => Element | null) | null;
  /** Where the control is in the window. */
  declare box: Box | null;

  readonly #announcer = new LiveRegion(this);
  #timer: ReturnType<typeof setInterval> | undefined;
  /** The step whose control was scrolled into view. */
  #revealed = "";
  /** Until when its control is kept in view, as `performance.now()`. */
  #settles = 0;
  /** The step that was announced. */
  #announced = "";

  constructor() {
    super();
    this.shown = null;
    this.find = null;
    this.box = null;
  }

  override connectedCallback() {
    super.connectedCallback();
    addEventListener("scroll", this.#track, { capture: true, passive: true });
    addEventListener("resize", this.#track);
    for (const type of VISITOR)
      addEventListener(type, this.#release, { capture: true, passive: true });
  }

  override disconnectedCallback() {
    super.disconnectedCallback();
    clearInterval(this.#timer);
    this.#timer = undefined;
    removeEventListener("scroll", this.#track, { capture: true });
    removeEventListener("resize", this.#track);
    for (const type of VISITOR) removeEventListener(type, this.#release, { capture: true });
  }

  override render() {
    const { shown } = this;
    if (!shown) return liveRegion;
    return html`
      ${this.box ? this.#mark(this.box) : nothing}
      <section class="card" aria-label="lesson: ${shown.lesson}" @keydown=${this.#onKeyDown}>
        <div class="top">
          <span>${shown.lesson}</span>
          <span class="progress">${shown.step} of ${shown.count}</span>
          ${shown.isChanged ? html`<button class="again" title="Shows again what this step opened" @click=${this.#again}>show again</button>` : ""}
          <button class="leave" title="Leave the lesson; the page stays as it is (Esc)" @click=${() => this.emit("lesson-leave")}>leave</button>
        </div>
        <h2 tabindex="-1">${shown.title}</h2>
        <p class="text">${shown.text}</p>
        <p class="links">${this.box ? html`<button class="visit" title="Moves the keyboard to ${shown.place}; l comes back" @click=${() => this.emit("lesson-visit")}>go to ${shown.place}</button> · ` : ""}${shown.source ? html`<a href=${shown.source.href} target="_blank" rel="noopener">${shown.source.title}</a> · ` : ""}<a class="address" href=${shown.href}>link to this step</a></p>
        <div class="moves">
          <button class="back" aria-disabled=${shown.step === 1} @click=${() => this.#go(-1)}>Back</button>
          ${this.#next(shown)}
        </div>
      </section>
      ${liveRegion}
    `;
  }

  /** One button, so that it keeps the focus from the first step to the last. */
  #next({ step, count, following }: ShownStep) {
    const label = step < count ? "Next" : following === "" ? "Done" : `Next lesson: ${following}`;
    return html`<button class="next" @click=${() => this.#go(1)}>${label}</button>`;
  }

  /** Goes on or back; from the end of the last lesson on, it leaves. */
  #go(by: 1 | -1) {
    const { step = 1, count = 1, following = "" } = this.shown ?? {};
    if (by === -1 && step === 1) return;
    if (by === 1 && step === count && following === "") this.emit("lesson-leave");
    else this.emit("lesson-move", by);
  }

  #again() {
    this.focus(); // the button goes
    this.emit("lesson-move", 0);
  }

  #mark({ left, top, width, height }: Box) {
    const outline = {
      left: left - MARGIN,
      top: top - MARGIN,
      width: width + 2 * MARGIN,
      height: height + 2 * MARGIN,
    };
    const card = this.#card?.getBoundingClientRect();
    const ends = card && !isOver(card, outline) ? lineBetween(card, outline) : null;
    const place = `left: ${outline.left}px; top: ${outline.top}px; width: ${outline.width}px; height: ${outline.height}px`;
    return html`
      ${ends ? html`<svg class="line" aria-hidden="true">${svg`<line x1=${ends.from.x} y1=${ends.from.y} x2=${ends.to.x} y2=${ends.to.y} />`}</svg>` : ""}
      <div class="mark" .style=${place} aria-hidden="true"><span class="flag ${outline.top < 22 ? "inside" : ""}">look here</span></div>
    `;
  }

  get #card(): HTMLElement | null {
    return this.renderRoot.querySelector(".card");
  }

  override updated(changed: Map<string, unknown>) {
    if (!changed.has("shown") && !changed.has("find")) return;
    const { shown } = this;
    this.toggleAttribute("open", shown !== null);
    if (shown && this.#timer === undefined) this.#timer = setInterval(this.#track, INTERVAL_MS);
    if (!shown) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      this.#revealed = "";
      this.#announced = "";
    } else if (this.#announced !== shown.href) {
      this.#announced = shown.href;
      this.#announcer.announce(
        `${shown.lesson}, step ${shown.step} of ${shown.count}: ${shown.title}. ${shown.text}`,
      );
    }
    this.#track();
  }

  /** Follows the control; the first time in a step, and while the step settles, it is scrolled into view. */
  readonly #track = () => {
    const control = this.shown && this.find ? this.find() : null;
    if (control && this.shown && this.#revealed !== this.shown.href) {
      this.#revealed = this.shown.href;
      this.#settles = performance.now() + SETTLING_MS;
      this.#reveal(control);
    } else if (control && performance.now() < this.#settles && !isSame(boxOf(control), this.box))
      this.#reveal(control);
    const box = control ? boxOf(control) : null;
    if (!isSame(box, this.box)) this.box = box;
  };

  /** The visitor scrolls, or does something else: the page stays where it is. */
  readonly #release = () => (this.#settles = 0);

  /** Scrolls no further than needed, and not under the card. */
  #reveal(control: Element) {
    const { style } = document.documentElement;
    const [card, box] = [this.#card?.getBoundingClientRect(), control.getBoundingClientRect()];
    const isAbove = card !== undefined && box.right > card.left && box.left < card.right;
    const former = style.scrollPadding;
    style.scrollPadding = `28px 0 ${isAbove ? innerHeight - card.top + 12 : 12}px`;
    control.scrollIntoView({ block: "nearest", inline: "nearest" });
    style.scrollPadding = former;
  }

  /** Moves the keyboard to the card. */
  override focus() {
    this.updateComplete.then(() => this.renderRoot.querySelector("h2")?.focus());
  }

  #onKeyDown(event: KeyboardEvent) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const act = {
      ArrowRight: () => this.#isLast || this.#go(1),
      ArrowLeft: () => this.#go(-1),
      Escape: () => this.emit("lesson-leave"),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }

  /** An arrow key does not leave the last lesson. */
  get #isLast() {
    return this.shown?.step === this.shown?.count && this.shown?.following === "";
  }
}

function boxOf(control: Element): Box {
  const { left, top, width, height } = control.getBoundingClientRect();
  return { left, top, width, height };
}

function isSame(a: Box | null, b: Box | null) {
  if (!a || !b) return a === b;
  return a.left === b.left && a.top === b.top && a.width === b.width && a.height === b.height;
}

declare global {
  interface HTMLElementTagNameMap {
    "lesson-panel": LessonPanel;
  }
}
