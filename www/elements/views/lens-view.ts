// <lens-view>: the logit lens, a row for each layer and a column for each token.

import { html } from "lit";

import type { LogitLens } from "../../api/generated.js";
import type { Stretch } from "../../draw/scale.js";
import type { Token } from "../../draw/token.js";
import type { Reading } from "../../session/reading.js";
import "../define/logit-lens.js";
import type { Place } from "../logit-lens.js";
import { FigureView, type FigureState, type Request, type ViewModule } from "./view.js";

interface Result {
  lens: Omit<LogitLens, "topStrings"> & { topStrings: readonly Token[] };
  /** of the text that the lens is about */
  tokens: readonly Token[];
}

/** How many of the likeliest tokens the lens lists. */
const LENS_TOKENS = 5;

export class LensView extends FigureView<object, Result> {
  /** The locked cell. It is released when another part of the figure is locked. */
  #locked: Place | null = null;

  override draw({ lock, scale }: FigureState, _reading: Reading) {
    const { value } = this.result;
    if (!value) return "";
    const isLocked = lock?.key === undefined && lock?.query === this.#locked?.position;
    return html`<logit-lens
      .lens=${value.lens}
      .tokens=${value.tokens}
      .scale=${scale}
      .lock=${isLocked ? this.#locked : null}
      @cell-hover=${(event: CustomEvent<Place | null>) => this.hover({ hoveredToken: event.detail?.position ?? null })}
      @cell-lock=${this.#onLock}
      @scale-change=${(event: CustomEvent<Stretch>) => this.choose({ scale: event.detail })}
    ></logit-lens>`;
  }

  #onLock({ detail: place }: CustomEvent<Place | null>) {
    this.#locked = place;
    this.choose({ lock: place && { query: place.position } });
  }
}

function request(): Request<Result> {
  return {
    key: "lens",
    compute: async (model, { reading, interventions, signal, onProgress, spell }) => {
      const top = Math.min(LENS_TOKENS, model.config.vocab_size);
      const options = { top, interventions, signal, onProgress };
      const lens = await model.logitLens(reading.ids, options);
      const topStrings = await spell(lens.topIds.data);
      return { lens: { ...lens, topStrings }, tokens: reading.tokens };
    },
  };
}

export const view: ViewModule = { tag: "lens-view", element: LensView, request };

declare global {
  interface HTMLElementTagNameMap {
    "lens-view": LensView;
  }
}
