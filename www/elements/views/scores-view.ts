// <scores-view>: how much each head is of one kind, on the text or on random tokens that repeat once.

import { html } from "lit";

import type { LabelledTensor, Reading } from "../../session/reading.js";
import { measurable } from "../../session/scores.js";
import "../define/head-scores.js";
import type { Head } from "../heads.js";
import {
  choiceStyles,
  FigureView,
  type FigureState,
  type Request,
  type ViewModule,
} from "./view.js";

interface Settings {
  /** Which score is shown. */
  kind: string;
}

/** Random tokens that repeat once have positions for every score. */
const ALL_KINDS = measurable([0, 0, 0]);

export class ScoresView extends FigureView<Settings, LabelledTensor> {
  static override styles = [...FigureView.styles, choiceStyles];

  override draw(figure: FigureState, reading: Reading) {
    const isOnText = figure.measured === "text";
    const table = isOnText ? reading.table : this.result.value;
    return table
      ? html`<head-scores
          .scores=${table}
          .measurable=${isOnText ? this.#measurable(reading) : ALL_KINDS}
          .kind=${this.settings.kind}
          .layer=${figure.layer}
          .head=${figure.head}
          .off=${figure.off}
          @kind-change=${(event: CustomEvent<string>) => this.remember({ kind: event.detail })}
          @head-hover=${(event: CustomEvent<Head | null>) => this.hover({ hoveredHead: event.detail })}
          @head-select=${(event: CustomEvent<Head>) => this.choose({ ...event.detail, view: "attention" })}
          >${this.#measuredOn(figure)}</head-scores
        >`
      : html`<p class="soft" role="status">Measuring the heads …</p>`;
  }

  override says({ measured }: FigureState) {
    const isOnText = measured === "text";
    return html`<strong>How much each head is of one kind${isOnText ? ", on this text" : ", on random tokens that repeat once"}.</strong>
      <span class="soft">${isOnText ? "The mean attention that it gives to such tokens." : "Random tokens can be predicted only from their first occurrence, so this is the usual test for heads that look back."} Choosing a head shows its attention.</span> ${this.source()}`;
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

/** Scores on the text come with its reading. */
function request({ measured }: FigureState): Request<LabelledTensor> | null {
  if (measured === "text") return null;
  return {
    key: "random tokens",
    compute: async (model, { interventions, signal, onProgress }) => {
      const options = { interventions, signal, onProgress };
      return (await model.headScores(undefined, options)).scores;
    },
  };
}

export const view: ViewModule = { tag: "scores-view", element: ScoresView, request };

declare global {
  interface HTMLElementTagNameMap {
    "scores-view": ScoresView;
  }
}
