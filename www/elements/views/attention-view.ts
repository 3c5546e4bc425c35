// <attention-view>: the pattern of one head, and a sentence about what it does.

import { css, html } from "lit";

import { NOT_A_NUMBER } from "../../draw/format.js";
import type { Pair } from "../../draw/matrix.js";
import type { Stretch } from "../../draw/scale.js";
import { truncate } from "../../draw/token.js";
import type { Reading } from "../../session/reading.js";
import { includesHead, isSameHead } from "../heads.js";
import { FigureView, type FigureState, type ViewModule } from "./view.js";

export class AttentionView extends FigureView {
  static override styles = [
    ...FigureView.styles,
    css`
      .chip {
        color: var(--ink);
        background: var(--glow);
        border-radius: 3px;
        padding: 0.05em 0.25em;
        font-size: 0.86em;
        white-space: pre;
      }
      h2 {
        margin: 0 0 0.35rem;
        font-size: 1rem;
        font-weight: 600;
      }
      .pinned {
        font-weight: 400;
        font-size: 0.85rem;
        color: var(--soft);
      }
      .off {
        color: var(--flame);
      }
    `,
  ];

  override draw(figure: FigureState, reading: Reading) {
    const { layer, head } = figure.shownHead;
    const pattern = reading.patterns[layer];
    const isPreview = !isSameHead(figure.shownHead, figure);
    return html`
      <h2>Head ${layer}.${head} <span class="pinned">${isPreview ? "preview; click to keep it" : ""}</span>${includesHead(figure.off, { layer, head }) ? html` <span class="pinned off">switched off: its output is replaced with zero</span>` : ""} <slot name="head"></slot></h2>
      ${
        pattern
          ? html`<attention-pattern
            .pattern=${pattern}
            .head=${head}
            .tokens=${reading.tokens}
            .scale=${figure.scale}
            .lock=${figure.lock}
            .highlight=${this.#highlight(figure)}
            label="head ${layer}.${head}"
            @cell-hover=${(event: CustomEvent<Pair | null>) => this.hover({ hoveredCell: event.detail })}
            @cell-lock=${(event: CustomEvent<Pair | null>) => this.choose({ lock: event.detail })}
            @scale-change=${(event: CustomEvent<Stretch>) => this.choose({ scale: event.detail })}
          ></attention-pattern>`
          : html`<p class="soft">Reading layer ${layer} …</p>`
      }
    `;
  }

  /** The part of the pattern that is highlighted, if the pointer is not on the pattern and nothing is locked. */
  #highlight({ hoveredToken, lock, focused, hovered }: FigureState) {
    if (hoveredToken !== null) return hovered;
    return lock ? null : focused;
  }

  /** One line in words, for visitors who cannot read such a picture yet. */
  override says({ described }: FigureState, reading: Reading) {
    if (!described) return "";
    const { score, does, evidence, notNumbers } = described;
    const name = `${score.layer}.${score.head}`;
    if (notNumbers > 0) {
      return html`<strong>Head ${name} ${does}.</strong> <span class="soft">${notNumbers} of its values are ${NOT_A_NUMBER} (striped), so what it attends to is unknown.</span>`;
    }
    const token = (at: number) =>
      html`<span class="chip mono">${truncate(reading.tokens[at] ?? "", 20)}</span>`;
    const parts = evidence.map((part) => (typeof part === "string" ? part : token(part.token)));
    return html`<strong>Head ${name} ${does}.</strong> <span class="soft">${parts}</span>`;
  }
}

export const view: ViewModule = {
  tag: "attention-view",
  element: AttentionView,
  hasHeadSlot: true,
};

declare global {
  interface HTMLElementTagNameMap {
    "attention-view": AttentionView;
  }
}
