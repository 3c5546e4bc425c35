// <scores-view>: how much each head is of one kind, on the text or on random tokens that repeat once.

import { html } from "lit";

import type { Reading } from "../../session/reading.js";
import { measurable } from "../../session/scores.js";
import type { Head } from "../heads.js";
import {
  choiceStyles,
  FigureView,
  staleClass,
  type FigureState,
  type ViewDefinition,
} from "./view.js";

interface Settings {
  /** Which score is shown. */
  scoreKind: string;
}

const isCurrent = ({ measured, random, reading }: FigureState) =>
  measured === "text" || random?.interventions === reading?.interventions;

/** Random tokens that repeat once have positions for every score. */
const ALL_KINDS = measurable([0, 0, 0]);

export class ScoresView extends FigureView<Settings> {
  static override styles = [...FigureView.styles, choiceStyles];

  override draw(figure: FigureState, reading: Reading) {
    const isOnText = figure.measured === "text";
    const table = isOnText ? reading.table : (figure.random?.table ?? null);
    return html`
      <p class="says"><strong>How much each head is of one kind${isOnText ? ", on this text" : ", on random tokens that repeat once"}.</strong>
        <span class="soft">${isOnText ? "The mean attention that it gives to such tokens." : "Random tokens can be predicted only from their first occurrence, so this is the usual test for heads that look back."} Choosing a head shows its attention.</span></p>
      <div class="board">
        <div class=${`whole ${staleClass(isCurrent(figure), figure)}`}>
          ${
            table
              ? html`<head-scores
                .scores=${table}
                .measurable=${isOnText ? this.#measurable(reading) : ALL_KINDS}
                .kind=${this.settings.scoreKind ?? "induction"}
                .layer=${figure.layer}
                .head=${figure.head}
                .off=${figure.off}
                @kind-change=${(event: CustomEvent<string>) => this.remember({ scoreKind: event.detail })}
                @head-hover=${(event: CustomEvent<Head | null>) => this.hover({ hoveredHead: event.detail })}
                @head-select=${(event: CustomEvent<Head>) => this.choose({ ...event.detail, view: "attention" })}
                >${this.#measuredOn(figure)}</head-scores
              >`
              : html`<p class="soft" role="status">Measuring the heads …</p>`
          }
        </div>
        ${this.aside()}
      </div>
    `;
  }

  #measuredOn({ measured }: FigureState) {
    return html`<span class="choice" role="group" aria-label="measured on">
      <button aria-pressed=${measured === "text"} @click=${() => this.choose({ measured: "text" })}>this text</button>
      <button aria-pressed=${measured === "random"} @click=${() => this.choose({ measured: "random" })}>random tokens</button>
    </span>`;
  }

  /** The scores that the text has a position for, computed once for each text. */
  #measurable({ ids }: Reading) {
    if (this.#kinds?.ids !== ids) this.#kinds = { ids, kinds: measurable(ids) };
    return this.#kinds.kinds;
  }

  #kinds: { ids: Uint32Array; kinds: Set<string> } | null = null;
}

export const scores: ViewDefinition = {
  tag: "scores-view",
  element: ScoresView,
  title: "head scores",
  tokenColors: "attention",
  needs: (figure) => (isCurrent(figure) ? null : "random"),
  render: (figure, slots) => html`<scores-view .figure=${figure}>${slots}</scores-view>`,
};

declare global {
  interface HTMLElementTagNameMap {
    "scores-view": ScoresView;
  }
}
