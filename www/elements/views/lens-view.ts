// <lens-view>: the logit lens, a row for each layer and a column for each token.

import { html } from "lit";

import type { Band } from "../../draw/matrix.js";
import type { Stretch } from "../../draw/scale.js";
import type { Place } from "../logit-lens.js";
import { FigureView, staleClass, type FigureState, type ViewDefinition } from "./view.js";

interface Settings {
  /** The locked cell of the lens, while the figure's lock is the one that came with it. */
  lensLock: { place: Place; lock: Band } | null;
}

const isCurrent = ({ lens, reading }: FigureState) => lens?.reading === reading;

export class LensView extends FigureView<Settings> {
  override draw(figure: FigureState) {
    const { lens, lock, scale } = figure;
    const { lensLock } = this.settings;
    return html`
      <p class="says"><strong>What the model would say next, if it stopped after each layer.</strong>
        <span class="soft">A column shows, from top to bottom, where the prediction appears. Each cell is the likeliest token, coloured by its probability.</span></p>
      <div class="board">
        <div class=${`whole ${staleClass(isCurrent(figure), figure)}`}>
          ${
            lens
              ? html`<logit-lens
                .lens=${lens.lens}
                .tokens=${lens.reading.tokens}
                .scale=${scale}
                .lock=${lock && lensLock?.lock === lock ? lensLock.place : null}
                @cell-hover=${(event: CustomEvent<Place | null>) => this.hover({ hoveredToken: event.detail?.position ?? null })}
                @cell-lock=${this.#onLock}
                @scale-change=${(event: CustomEvent<Stretch>) => this.choose({ scale: event.detail })}
              ></logit-lens>`
              : html`<p class="soft" role="status">Reading each layer …</p>`
          }
        </div>
        ${this.aside()}
      </div>
    `;
  }

  #onLock({ detail: place }: CustomEvent<Place | null>) {
    const lock = place && { query: place.position };
    this.remember({ lensLock: place && lock && { place, lock } });
    this.choose({ lock });
  }
}

export const lens: ViewDefinition = {
  tag: "lens-view",
  element: LensView,
  title: "lens",
  tokenColors: "surprisal",
  needs: (figure) => (isCurrent(figure) ? null : "lens"),
  render: (figure, slots) => html`<lens-view .figure=${figure}>${slots}</lens-view>`,
};

declare global {
  interface HTMLElementTagNameMap {
    "lens-view": LensView;
  }
}
