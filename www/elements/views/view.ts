// What the views of <scope-figure> share. A view is one file: an element that extends FigureView, and a ViewDefinition that
// index.ts lists. The figure gives it one FigureState; the view answers with the events view-hover and view-choose.

import { css, html, type TemplateResult } from "lit";

import type { Stretch } from "../../draw/scale.js";
import type { Architecture } from "../../session/architecture.js";
import type { Prepared, Need, Reading } from "../../session/reading.js";
import type { describe, HeadScore } from "../../session/scores.js";
import type { Head } from "../heads.js";
import type { Band, Pair } from "../../draw/matrix.js";
import { TypedElement } from "../base.js";
import { base } from "../styles.js";

/** What the visitor chose. */
export interface Choices {
  layer: number;
  head: number;
  view: string;
  scale: Stretch;
  /** Tokens show what the focused one attends to ("from"), or what attends to it ("to"). */
  direction: "from" | "to";
  lock: Band | null;
  /** The hook point whose values are drawn. */
  hook: string;
  /** What head scores are measured on. */
  measured: "text" | "random";
}
export type FigureChoice = Partial<Choices>;

/** What the pointer or the keyboard is on. */
export interface Hover {
  hoveredHead: Head | null;
  hoveredToken: number | null;
  hoveredCell: Pair | null;
}

/** What a head does on a text, in words, and its scores. */
export type Description = ReturnType<typeof describe> & { score: HeadScore };

/** Everything that a view can draw. */
export interface FigureState extends Readonly<Choices>, Readonly<Hover> {
  readonly reading: Reading | null;
  readonly vocabulary: number;
  /** Heads that are switched off. */
  readonly off: readonly Head[];
  /** The model's hook points. */
  readonly points: readonly { name: string; axes: readonly string[] }[];
  /** What the model does not have. */
  readonly architecture: Architecture;
  readonly lens: Prepared["lens"] | null;
  readonly value: Prepared["value"] | null;
  readonly random: Prepared["random"] | null;
  /** The hovered head if its pattern is there, otherwise the chosen head. */
  readonly shownHead: Head;
  /** The part of the pattern under the pointer or the keyboard. */
  readonly hovered: Band | null;
  /** The hovered part, otherwise the locked one, otherwise the example of `described`. */
  readonly focused: Band | null;
  /** Of `shownHead`. */
  readonly described: Description | null;
  /** The whole figure is dimmed. */
  readonly stale: boolean;
  /** The settings of each view, by its tag. They outlast a change of view. */
  readonly settings: Record<string, object>;
}

export interface ViewDefinition {
  /** The text of its button. */
  title: string;
  tag: keyof HTMLElementTagNameMap;
  element: CustomElementConstructor;
  /** What colours the tokens while the view is open. */
  tokenColors: "attention" | "surprisal" | "none";
  /** What the owner of the figure must compute, because it is missing or is about another text. */
  needs?: (figure: FigureState) => Need | null;
  /** The element in a template. `slots` pass on what the owner placed in the figure. */
  render: (figure: FigureState, slots: unknown) => TemplateResult;
}

/** A row of buttons of which one is pressed. */
export const choiceStyles = css`
  .choice {
    display: inline-flex;
  }
  .choice button {
    font-size: 0.85rem;
    padding: 0.14em 0.8em;
    border-radius: 0;
    margin-left: -1px;
    position: relative;
  }
  .choice button:first-child {
    border-radius: 999px 0 0 999px;
    margin-left: 0;
  }
  .choice button:last-child {
    border-radius: 0 999px 999px 0;
  }
  .choice button[aria-pressed="true"] {
    z-index: 1;
  }
  @container figure (max-width: 619px) {
    .choice {
      flex-wrap: wrap;
      gap: 0.25rem;
    }
    .choice button,
    .choice button:first-child,
    .choice button:last-child {
      border-radius: 999px;
      margin-left: 0;
    }
  }
`;

/** The sentence above a picture, and the grid of pictures with the owner's part beside them. */
const layout = css`
  :host {
    container: figure / inline-size;
  }
  .says {
    margin: 0.8rem 0 0.7rem;
    font-size: 1.14rem;
    line-height: 1.4;
    text-wrap: pretty;
    max-width: 62rem;
  }
  .says strong {
    font-weight: 600;
  }
  .says .soft {
    font-size: 0.98rem;
  }
  .board {
    display: grid;
    grid-template-columns: minmax(0, 1fr);
    gap: 1.4rem;
    align-items: start;
  }
  .aside {
    order: 3;
    min-width: 0;
  }
  .stale {
    opacity: 0.55;
  }
  @container figure (min-width: 620px) {
    .board {
      grid-template-columns: minmax(11rem, 17rem) minmax(0, 1fr);
    }
    .whole,
    .aside {
      grid-column: 1 / -1;
    }
  }
  @container figure (min-width: 1080px) {
    .board {
      grid-template-columns: minmax(13rem, 24rem) minmax(0, 1fr) 18.5rem;
      gap: 2rem;
    }
    .whole {
      grid-column: span 2;
    }
    .aside {
      grid-column: auto;
      padding-left: 1.6rem;
      border-left: 1px solid var(--line);
      align-self: stretch;
    }
  }
`;

export interface FigureViewEvents {
  "view-hover": Partial<Hover>;
  "view-choose": FigureChoice;
}

/** @template Settings what the view keeps while another view is open */
export abstract class FigureView<
  Settings extends object = object,
> extends TypedElement<FigureViewEvents> {
  static override properties = { figure: { attribute: false } };

  static override styles = [base, layout];

  declare figure: FigureState | null;

  constructor() {
    super();
    this.figure = null;
  }

  override render() {
    const { figure } = this;
    return figure?.reading
      ? this.draw(figure, figure.reading)
      : html`<div class="board"><span class="whole"></span>${this.aside()}</div>`;
  }

  abstract draw(figure: FigureState, reading: Reading): unknown;

  /** What the owner of the figure placed beside the picture, if anything. */
  aside() {
    return this.querySelector("[slot=aside]")
      ? html`<div class="aside"><slot name="aside"></slot></div>`
      : "";
  }

  hover(part: Partial<Hover>) {
    this.emit("view-hover", part);
  }

  choose(choice: FigureChoice) {
    this.emit("view-choose", choice);
  }

  get settings(): Partial<Settings> {
    return this.figure?.settings[this.localName] ?? {};
  }

  /** Keeps settings until the figure is removed. */
  remember(settings: Partial<Settings>) {
    if (!this.figure) return;
    this.figure.settings[this.localName] = { ...this.settings, ...settings };
    this.requestUpdate();
  }
}

/** The class of a part that shows a former text, in a figure that is not dimmed as a whole. */
export function staleClass(isCurrent: boolean, { stale }: FigureState) {
  return isCurrent || stale ? "" : "stale";
}
