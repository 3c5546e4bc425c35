// <snapshot-figure>: a snapshot as a figure, without a model: hover, lock, the choice of heads, and the views that it has numbers for.

import { css, html, type PropertyValues } from "lit";

import type { HookPoint } from "../api/generated.js";
import { formatShort } from "../draw/format.js";
import { NO_RESULT, type ViewResult } from "../session/results.js";
import {
  type Held,
  heldBy,
  pointsOf,
  type Recorded,
  shownHead,
  type SnapshotChoices,
} from "../session/snapshot/held.js";
import { headsOff } from "../state/interventions.js";
import { TypedElement } from "./base.js";
import type { Head } from "./heads.js";
import type { ScopeFigure } from "./scope-figure.js";
import { base } from "./styles.js";
import type { FigureChoice } from "./views/view.js";

/** What is chosen now: at first what the snapshot says. */
export type LiveState = SnapshotChoices & Head;

export interface SnapshotFigureEvents {
  /** the model of the snapshot is wanted, with what is chosen now */
  "run-live": LiveState;
  /** the snapshot cannot be drawn */
  "snapshot-error": Error;
}

export class SnapshotFigure extends TypedElement<SnapshotFigureEvents> {
  static override properties = {
    recorded: { attribute: false },
    canRun: { attribute: false },
    loads: { type: String },
    whyNotLive: { type: String },
    compact: { type: Boolean },
    hide: { type: String },
    choices: { state: true },
    results: { state: true },
    refused: { state: true },
  };

  static override styles = [
    base,
    css`
      .caption {
        margin: 0.8rem 0 0;
        max-width: 62rem;
        overflow-wrap: anywhere;
        white-space: pre-line;
      }
      .note {
        display: flex;
        flex-wrap: wrap;
        gap: 0.3rem 0.8rem;
        align-items: center;
        margin: 0.5rem 0 0;
        font-size: 0.85rem;
        color: var(--soft);
        overflow-wrap: anywhere;
      }
      .note:empty {
        display: none;
      }
    `,
  ];

  declare recorded: Recorded | null;
  /** The owner can load the model of the snapshot. */
  declare canRun: boolean;
  /** What "run live" loads, in words. */
  declare loads: string;
  /** Why the model cannot compute the same; empty if it can, or if there is no model. */
  declare whyNotLive: string;
  /** Small cells, as in a figure on another page. */
  declare compact: boolean;
  /** The parts of <scope-figure> that are hidden, separated by spaces. */
  declare hide: string;
  declare choices: LiveState | null;
  declare results: Readonly<Record<string, ViewResult>>;
  /** The last choice needs numbers that the snapshot does not have. */
  declare refused: boolean;

  #held: Held | null = null;
  #points: readonly HookPoint[] = [];

  constructor() {
    super();
    this.recorded = null;
    this.canRun = false;
    this.loads = "";
    this.whyNotLive = "";
    this.compact = false;
    this.hide = "";
    this.choices = null;
    this.results = {};
    this.refused = false;
  }

  override willUpdate(changed: PropertyValues<this>) {
    if (!changed.has("recorded")) return;
    const { recorded } = this;
    this.#held = recorded && heldBy(recorded);
    this.#points = recorded ? pointsOf(recorded) : [];
    this.choices = recorded && startOf(recorded);
    this.results = {};
    this.refused = false;
  }

  get #figure(): ScopeFigure | null {
    return this.renderRoot.querySelector("scope-figure");
  }

  override updated(changed: PropertyValues<this>) {
    if (changed.has("choices") || changed.has("recorded")) this.#match();
    // A view says what it requests when its code is there: at the first update of the figure, or later.
    if (this.#figure)
      settled(this.#figure)
        .then(() => this.#match())
        .catch((error: Error) => this.emit("snapshot-error", error));
  }

  /** Gives the views the results that they request. */
  #match() {
    const { recorded } = this;
    const requests = this.#figure?.requests ?? {};
    if (!recorded) return;
    const found = Object.entries(requests).map(([view, { key }]) => {
      const one = recorded.results[view]?.find((result) => result.key === key);
      return [view, one ? resultOf(one.value, recorded) : missing()] as const;
    });
    const isSame = found.every(([view, { value }]) => this.results[view]?.value === value);
    if (!isSame || found.length !== Object.keys(this.results).length)
      this.results = Object.fromEntries(found);
  }

  override render() {
    const { recorded, choices } = this;
    if (!recorded || !choices) return "";
    const { reading, corrupted, model } = recorded;
    return html`
      <scope-figure
        ?compact=${this.compact}
        hide=${this.hide}
        .reading=${reading}
        .corrupted=${corrupted}
        .config=${model.config}
        .parameterCount=${model.parameterCount}
        .hasTokenizer=${!reading.isIds}
        .layer=${choices.layer}
        .head=${choices.head}
        .view=${choices.view}
        .beside=${choices.beside}
        .scale=${choices.scale}
        .direction=${choices.direction}
        .lock=${choices.lock}
        .off=${headsOff(choices.interventions)}
        .hook=${choices.hook}
        .points=${this.#points}
        .views=${choices.views}
        .position=${choices.position}
        .answer=${choices.answer}
        .against=${choices.against}
        .measured=${choices.measured}
        .held=${this.#held}
        .results=${this.results}
        @figure-change=${this.#onChoice}
      ></scope-figure>
      <slot name="caption">${recorded.caption ? html`<p class="caption" dir="auto">${recorded.caption}</p>` : ""}</slot>
      <p class="note">
        <span>${this.#origin(recorded)} ${this.#rounding(recorded, choices)}</span>
        ${this.canRun ? html`<span class="screen-only"><button ?disabled=${this.whyNotLive !== ""} @click=${() => this.emit("run-live", choices)}>run live</button> ${this.whyNotLive || this.loads}</span>` : ""}
      </p>
      <p class="note" role="status">${this.refused ? "The snapshot has no numbers for that choice." : ""}</p>
    `;
  }

  /** Which model the numbers are from. The figure says what was changed in it. */
  #origin({ model }: Recorded) {
    return `Snapshot of ${model.name}, computed in ${model.dtype}.`;
  }

  /** How far the numbers may be from those that were computed. */
  #rounding({ roundings, resultRoundings }: Recorded, { view, beside, layer }: LiveState) {
    const attention = roundings[layer] ?? 0;
    const others = Math.max(resultRoundings[view] ?? 0, resultRoundings[beside] ?? 0);
    const nearest = (rounding: number) => formatShort(2 * rounding, 2);
    const said = [
      ...(attention > 0 ? [`attention to the nearest ${nearest(attention)}`] : []),
      ...(others > 0 ? [`other values to the nearest ${nearest(others)}`] : []),
    ];
    return said.length > 0 ? `Values are rounded: ${said.join(", ")}.` : "";
  }

  #onChoice(event: CustomEvent<FigureChoice>) {
    event.stopPropagation();
    const { choices } = this;
    const figure = this.#figure;
    if (!choices || !figure) return;
    this.refused = !figure.offers(event.detail);
    if (this.refused) {
      // The figure has taken the choice over.
      Object.assign(figure, choices, { lock: choices.lock });
      return;
    }
    this.choices = { ...choices, ...event.detail };
    this.#match(); // a view's module may be there now
  }
}

/**
 * An element and those in it have been drawn.
 * @throws what one of them throws, such as for numbers that it does not expect
 */
async function settled(element: Element): Promise<void> {
  await (element as Partial<ScopeFigure>).updateComplete;
  const inner = element.shadowRoot?.querySelectorAll("*") ?? [];
  await Promise.all(Array.from(inner, settled));
}

function startOf(recorded: Recorded): LiveState {
  return { ...recorded.state, ...shownHead(recorded) };
}

function resultOf(value: unknown, { reading }: Recorded): ViewResult {
  return { ...NO_RESULT, value, reading, isCurrent: true };
}

function missing(): ViewResult {
  return { ...NO_RESULT, error: new Error("The snapshot has no numbers for these settings.") };
}

declare global {
  interface HTMLElementTagNameMap {
    "snapshot-figure": SnapshotFigure;
  }
}
