// <loss-view>: the log-probability of each token as a column, and their mean in words; or its rank, or the entropy of its
// prediction.

import { html } from "lit";

import { TOKEN_SCORES } from "../../api/snapshot/keys.js";
import { formatLogProb, NOT_A_NUMBER } from "../../draw/format.js";
import { countNotFinite } from "../../draw/not-finite.js";
import type { Reading } from "../../session/reading.js";
import "../define/token-losses.js";
import type { Quantity, Scores } from "../token-losses.js";
import {
  choiceStyles,
  FigureView,
  type FigureState,
  NO_RESULT,
  type Request,
  type ViewModule,
} from "./view.js";

interface Settings {
  show: Quantity;
}

const TITLES: Readonly<Record<Quantity, string>> = {
  loss: "surprisal",
  rank: "rank",
  entropy: "entropy",
};

/** What the height of a column says. */
const MEANINGS: Readonly<Record<Quantity, string>> = {
  loss: "Tall columns are unexpected tokens. Where the text repeats and the model copies, the columns are short.",
  rank: "Tall columns are tokens before which the model ranked many others; the likeliest token has no height.",
  entropy:
    "Tall columns are predictions that are spread over many tokens, whether the token that came was likely or not.",
};

export class LossView extends FigureView<Settings, Scores> {
  static override styles = [...FigureView.styles, choiceStyles];

  /** The loss comes with the reading. */
  override get result() {
    return this.settings.show === "loss" ? NO_RESULT : super.result;
  }

  override draw(figure: FigureState, reading: Reading) {
    const { show } = this.settings;
    const { value } = this.result;
    const choice = ([name, title]: [string, string]) =>
      html`<button aria-pressed=${show === name} @click=${() => this.remember({ show: name as Quantity })}>${title}</button>`;
    const titles = Object.entries(TITLES).filter(([name]) =>
      this.offers({ show: name as Quantity }),
    );
    return html`
      ${titles.length > 1 ? html`<p class="work"><span class="choice" role="group" aria-label="what the columns show">${titles.map(choice)}</span></p>` : ""}
      <token-losses
        .tokens=${reading.tokens}
        .logProbs=${reading.logProbs}
        .scores=${value}
        .show=${this.#shown}
        .loss=${meanLoss(reading)}
        .vocabulary=${figure.vocabulary}
        .position=${figure.hoveredToken ?? figure.lock?.query ?? -1}
        @token-hover=${this.#onTokenHover}
      ></token-losses>
    `;
  }

  /** The quantity that is drawn: until the others are computed, the loss. */
  get #shown(): Quantity {
    return this.result.value ? this.settings.show : "loss";
  }

  override says(_figure: FigureState, reading: Reading) {
    return reading.logProbs.length > 0
      ? this.#summary(reading, meanLoss(reading))
      : "A text of one token has no log-probability, because no token comes before it.";
  }

  #summary({ logProbs }: Reading, mean: number) {
    const broken = countNotFinite(logProbs);
    return broken > 0
      ? html`<strong>The log-probability of ${broken} of ${logProbs.length} tokens is ${NOT_A_NUMBER} or infinite.</strong> <span class="soft">Their mean is ${formatLogProb(-mean)}. Columns with stripes have no height.</span>`
      : html`<strong>On average the model gave the true next token a log-probability of ${formatLogProb(-mean)}.</strong>
      <span class="soft">${MEANINGS[this.#shown]}</span>`;
  }

  #onTokenHover(event: CustomEvent<number | null>) {
    event.stopPropagation();
    this.hover({ hoveredToken: event.detail });
  }
}

function meanLoss({ loss, logProbs }: Reading) {
  return loss ?? -average(logProbs);
}

function average(values: ArrayLike<number>) {
  return Array.from(values).reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}

function request(_: FigureState, { show }: Partial<Settings>): Request<Scores> | null {
  if (show === "loss") return null;
  return {
    key: TOKEN_SCORES,
    compute: (model, { reading, interventions, signal, onProgress }) =>
      model.tokenScores(reading.ids, { interventions, signal, onProgress }),
  };
}

export const view: ViewModule = { tag: "loss-view", element: LossView, request };

declare global {
  interface HTMLElementTagNameMap {
    "loss-view": LossView;
  }
}
