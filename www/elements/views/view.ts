// What the views of <scope-figure> share. A view is one entry of the list in index.ts, and one module that the entry loads: an
// element that extends FigureView, and what it needs computed. The figure gives the element one FigureState; the element answers
// with the events view-hover and view-choose.

import { css, html } from "lit";

import type { HookPoint } from "../../api/generated.js";
import type { Band, Pair } from "../../draw/matrix.js";
import { textOf } from "../../draw/token.js";
import type { Architecture } from "../../session/architecture.js";
import type { Reading } from "../../session/reading.js";
import { NO_RESULT, type Request, type ViewResult } from "../../session/results.js";
import type { describe, HeadScore } from "../../session/scores.js";
import type { Fields } from "../../state/fields.js";
import type { LabIntervention } from "../../state/interventions.js";
import type { LabState } from "../../state/state.js";
import { TypedElement } from "../base.js";
import type { Head } from "../heads.js";
import { base } from "../styles.js";

export { NO_RESULT } from "../../session/results.js";
export type { ComputeContext, Request, ViewResult } from "../../session/results.js";

/** The settings of each view, by the view's name. */
export type ViewSettings = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** What the visitor chose: the part of the state that a figure shows. */
export type Choices = Pick<
  LabState,
  | "view"
  | "beside"
  | "scale"
  | "direction"
  | "lock"
  | "hook"
  | "measured"
  | "position"
  | "answer"
  | "against"
  | "views"
> & { layer: number; head: number };
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
  /** The second prompt, read without interventions. */
  readonly corrupted: Reading | null;
  readonly vocabulary: number;
  /** Heads whose output is zero. */
  readonly off: readonly Head[];
  /** The model's hook points. */
  readonly points: readonly HookPoint[];
  /** The model's config: its sizes, and what it does not have. */
  readonly architecture: Architecture & Partial<Sizes>;
  readonly parameterCount: number;
  readonly hasTokenizer: boolean;
  /** The hovered head if its pattern is there, otherwise the chosen head. */
  readonly shownHead: Head;
  /** The part of the pattern under the pointer or the keyboard. */
  readonly hovered: Band | null;
  /** The hovered part, otherwise the locked one, otherwise the example of `described`. */
  readonly focused: Band | null;
  /** Of `shownHead`. */
  readonly described: Description | null;
  /** It stands on another page and takes little room. */
  readonly compact: boolean;
  /** The whole figure is dimmed. */
  readonly stale: boolean;
  /** What the views needed computed, by the view's name. */
  readonly results: Readonly<Record<string, ViewResult>>;
  /** Whether what a choice shows can be drawn: a snapshot has numbers for some choices only. */
  readonly offers: (choice: FigureChoice) => boolean;
}

/** Sizes of a model, as its config names them. */
export interface Sizes {
  n_layer: number;
  n_head: number;
  n_embd: number;
  n_inner: number | null;
  n_positions: number;
}

/** The groups of views, in the order of their tabs. */
export const GROUPS = ["attention", "prediction", "heads", "two prompts", "values"] as const;

/** One entry of the list of views. It is small, because the first bundle has all of them. */
export interface ViewEntry {
  /** The text of its tab. */
  title: string;
  group: (typeof GROUPS)[number];
  /** The methods of `Model` that it uses. */
  methods: readonly string[];
  /** What colours the tokens while the view is open. */
  tokenColors: "attention" | "surprisal" | "none";
  /** The heads stand beside it. */
  usesHead: boolean;
  /** It compares the text with a second prompt. */
  usesCorrupted?: boolean;
  /** It is about an answer, and about a wrong answer if there is one. */
  usesAnswer?: boolean;
  /** Its state, by the names of the API's options; in the address as `view.name`. */
  settings: Fields;
  load: () => ViewModule | Promise<ViewModule>;
}

/** What an entry loads. */
export interface ViewModule {
  tag: keyof HTMLElementTagNameMap;
  element: CustomElementConstructor;
  /** It has a place for what the owner of the figure puts beside the name of the head. */
  hasHeadSlot?: boolean;
  /** What the view needs computed; null if it needs nothing, or cannot say yet what. */
  request?: (figure: FigureState, settings: Readonly<Record<string, unknown>>) => Request | null;
}

/** The settings of a view, with the defaults of those that were not chosen. */
export function settingsOf(
  { settings }: ViewEntry,
  chosen: Readonly<Record<string, unknown>> = {},
) {
  return Object.fromEntries(
    Object.entries(settings).map(([name, { fallback }]) => [name, chosen[name] ?? fallback]),
  );
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
  .choice button:only-child {
    border-radius: 999px;
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

const layout = css`
  :host {
    container: figure / inline-size;
    min-width: 0;
  }
  .says {
    display: var(--sentence, block);
    margin: 0 0 var(--sentence-gap, 0.7rem);
    font-size: var(--sentence-size, 1.06rem);
    line-height: 1.4;
    text-wrap: pretty;
    max-width: 62rem;
  }
  .says strong {
    font-weight: 600;
  }
  .says .soft {
    font-size: var(--evidence-size, 0.95rem);
  }
  .says a {
    color: inherit;
    font-size: 0.86rem;
    white-space: nowrap;
  }
  .work {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0.4rem 0.8rem;
    margin: 0 0 0.7rem;
    font-size: 0.9rem;
  }
  .work progress {
    width: 12rem;
    accent-color: var(--flame);
  }
  .error {
    padding: 0.4rem 0.7rem;
    border-left: 3px solid var(--flame);
    border-radius: 3px;
    background: var(--glow);
    overflow-wrap: anywhere;
  }
  .stale {
    opacity: 0.55;
  }
  /* On a phone the picture stands in the first screen, and the sentence below it. */
  @media (max-width: 480px) {
    :host {
      display: flex;
      flex-direction: column;
    }
    .says {
      order: 1;
      margin: 0.7rem 0 0;
    }
  }
`;

export interface FigureViewEvents {
  "view-hover": Partial<Hover>;
  "view-choose": FigureChoice;
  /** the name of the view whose request is to begin, or to be cancelled */
  "view-compute": string;
  "view-cancel": string;
  /** a change that the visitor wants to apply */
  "intervention-add": LabIntervention;
}

/**
 * @template Settings the view's settings
 * @template Result what its request computes
 */
export abstract class FigureView<
  Settings extends object = object,
  Result = never,
> extends TypedElement<FigureViewEvents> {
  static override properties = {
    figure: { attribute: false },
    name: { type: String },
    entry: { attribute: false },
  };

  static override styles = [base, layout];

  declare figure: FigureState | null;
  /** What one sees, in plain words. */
  readonly sentence: string = "";
  /** The paper that it comes from. */
  readonly paper: { readonly title: string; readonly href: string } | null = null;

  /** The view's name in the list. */
  declare name: string;
  declare entry: ViewEntry | null;

  constructor() {
    super();
    this.figure = null;
    this.name = "";
    this.entry = null;
  }

  override render() {
    const { figure } = this;
    if (!figure?.reading) return "";
    const { value, isCurrent, reading } = this.result;
    const isStale = value !== null && !isCurrent && !figure.stale;
    return html`
      <p class="says">${this.says(figure, figure.reading)}</p>
      ${this.#work()}
      ${isStale ? html`<p class="work soft" role="status">${staleNote(reading, figure.reading)}</p>` : ""}
      <div class=${isStale ? "picture stale" : "picture"}>${this.draw(figure, figure.reading)}</div>
    `;
  }

  /** The picture. It may be drawn before there is a result. */
  abstract draw(figure: FigureState, reading: Reading): unknown;

  /** The sentence above the picture. */
  says(_figure: FigureState, _reading: Reading): unknown {
    return html`${this.sentence} ${this.source()}`;
  }

  /** The link to the view's paper. */
  source() {
    const { paper } = this;
    return paper
      ? html`<a href=${paper.href} target="_blank" rel="noopener">${paper.title}</a>`
      : "";
  }

  /** The progress of what is being computed, or how to begin it, or why it failed. */
  #work() {
    const { progress, isRunning, isWaiting, error } = this.result;
    const start = (label: string) =>
      html`<button @click=${() => this.emit("view-compute", this.name)}>${label}</button>`;
    if (error)
      return html`<p class="work error" role="alert"><span>${error.message}</span> ${start("Try again")}</p>`;
    if (isRunning)
      return html`<p class="work" role="status">
        <progress max=${progress?.total ?? 1} .value=${progress?.done ?? 0} aria-label="computed"></progress>
        <span class="mono">${progress ? `${progress.done} of ${progress.total}` : "computing …"}</span>
        <button @click=${() => this.emit("view-cancel", this.name)}>Cancel</button>
      </p>`;
    if (isWaiting)
      return html`<p class="work">${start("Compute")} <span class="soft">${this.estimate}</span></p>`;
    return "";
  }

  /** How long the request takes, in words. The figure sets it. */
  estimate = "";

  /** What the view needed computed. */
  get result(): ViewResult<Result> {
    const found = this.figure?.results[this.name] as ViewResult<Result> | undefined;
    return found ?? NO_RESULT;
  }

  hover(part: Partial<Hover>) {
    this.emit("view-hover", part);
  }

  choose(choice: FigureChoice) {
    this.emit("view-choose", choice);
  }

  get settings(): Settings {
    return (this.entry ? settingsOf(this.entry, this.figure?.views[this.name]) : {}) as Settings;
  }

  /** Changes settings of the view. */
  remember(settings: Partial<Settings>) {
    this.choose(this.#with(settings));
  }

  /** Whether the view can be drawn with these settings. */
  offers(settings: Partial<Settings>): boolean {
    return this.figure?.offers(this.#with(settings)) ?? true;
  }

  #with(settings: Partial<Settings>): FigureChoice {
    const views = this.figure?.views ?? {};
    return { views: { ...views, [this.name]: { ...views[this.name], ...settings } } };
  }
}

/** What a dimmed picture shows. */
function staleNote(shown: Reading | null, current: Reading) {
  const isOtherText = shown !== null && shown.text !== current.text;
  const text = shown?.tokens.slice(0, 8).map(textOf).join("") ?? "";
  return isOtherText
    ? `The dimmed picture is about a former text, “${text.trim()} …”.`
    : "The dimmed picture is about former settings.";
}
