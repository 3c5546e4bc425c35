// <lens-view>: the logit lens, a row for each layer and a column for each token.

import { html } from "lit";

import type { LogitLens, LogitLensOptions } from "../../api/generated.js";
import { lensKey } from "../../api/snapshot/keys.js";
import type { Stretch } from "../../draw/scale.js";
import type { Token } from "../../draw/token.js";
import type { Reading } from "../../session/reading.js";
import "../define/logit-lens.js";
import type { LensShow, Place } from "../logit-lens.js";
import { FigureView, type FigureState, type Request, type ViewModule } from "./view.js";

/** Which state of the stream is read, as the option `of` names it. */
type Of = NonNullable<LogitLensOptions["of"]>;
const POINTS: readonly Of[] = ["resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out"];

interface Settings {
  of: Of;
  /** What the cells show. */
  show: LensShow;
}

interface Result {
  lens: Omit<LogitLens, "topStrings"> & { topStrings: readonly Token[] };
  /** of the text that the lens is about */
  tokens: readonly Token[];
  /** the token whose probability is followed */
  answer: Token | null;
}

/** How many of the likeliest tokens the lens lists. */
const LENS_TOKENS = 5;

export class LensView extends FigureView<Settings, Result> {
  override sentence =
    "What the model would predict if it stopped after each layer. A column shows, from top to bottom, where the prediction appears; each cell is the likeliest token, coloured by its probability, or a number that you choose.";
  override paper = {
    title: "nostalgebraist 2020",
    href: "https://www.lesswrong.com/posts/AcKRB8wDpdaN6v6ru/interpreting-gpt-the-logit-lens",
  };

  /** The locked cell. It is released when another part of the figure is locked. */
  #locked: Place | null = null;

  override draw(figure: FigureState, _reading: Reading) {
    const { lock, scale } = figure;
    const { value } = this.result;
    if (!value) return this.#pointChoice(figure); // a point that the model lacks can be left again
    const isLocked = lock?.key === undefined && lock?.query === this.#locked?.position;
    return html`<logit-lens
      .lens=${value.lens}
      .tokens=${value.tokens}
      .scale=${scale}
      .lock=${isLocked ? this.#locked : null}
      .show=${this.settings.show}
      .answer=${value.answer}
      @show-change=${(event: CustomEvent<LensShow>) => this.remember({ show: event.detail })}
      @cell-hover=${(event: CustomEvent<Place | null>) => this.hover({ hoveredToken: event.detail?.position ?? null })}
      @cell-lock=${this.#onLock}
      @scale-change=${(event: CustomEvent<Stretch>) => this.choose({ scale: event.detail })}
    >${this.#pointChoice(figure)}</logit-lens>`;
  }

  /** Which state of the stream is read; those that the model lacks cannot be chosen. */
  #pointChoice({ points }: FigureState) {
    const exists = (of: Of) => points.some(({ name }) => name.endsWith(`.hook_${of}`));
    const option = (of: Of) =>
      html`<option value=${of} ?disabled=${points.length > 0 && !exists(of)} .selected=${this.settings.of === of}>${of}</option>`;
    const offered = POINTS.filter((of) => this.offers({ of }));
    if (offered.length < 2) return "";
    return html`<label>of
      <select name="of" @change=${(event: Event) => this.remember({ of: (event.target as HTMLSelectElement).value as Of })}>${offered.map(option)}</select>
    </label>`;
  }

  #onLock({ detail: place }: CustomEvent<Place | null>) {
    this.#locked = place;
    this.choose({ lock: place && { query: place.position } });
  }
}

function request({ answer }: FigureState, settings: object): Request<Result> {
  const { of } = settings as Settings;
  return {
    key: lensKey(of, answer),
    compute: async (model, { reading, interventions, signal, onProgress, spell }) => {
      const top = Math.min(LENS_TOKENS, model.config.vocab_size);
      const options = { top, of, ...(answer !== null && { answer }), interventions };
      const lens = await model.logitLens(reading.ids, { ...options, signal, onProgress });
      const topStrings = await spell(lens.topIds.data);
      const [name] = typeof answer === "number" ? await spell([answer]) : [answer];
      return { lens: { ...lens, topStrings }, tokens: reading.tokens, answer: name };
    },
  };
}

export const view: ViewModule = { tag: "lens-view", element: LensView, request };

declare global {
  interface HTMLElementTagNameMap {
    "lens-view": LensView;
  }
}
