// The tokens of <scope-figure>, coloured as the open view asks.

import { html } from "lit";

import { formatLogProb } from "../draw/format.js";
import type { Reading } from "../session/reading.js";
import {
  attentionSentence,
  attentionValues,
  guessLoss,
  surprisalSentence,
  surprisalValues,
} from "./token-values.js";
import type { FigureState, ViewEntry } from "./views/view.js";

export interface TokenOptions {
  /** what colours the tokens */
  colors: ViewEntry["tokenColors"];
  /** tokens from this position on were generated */
  generated: number;
  hover: (event: CustomEvent<number | null>) => void;
  lock: (event: CustomEvent<number | null>) => void;
}

export function figureTokens(
  figure: FigureState,
  reading: Reading,
  { colors, generated, hover, lock }: TokenOptions,
) {
  const isAttention = colors === "attention";
  const { position, target, values } = isAttention
    ? attentionValues(figure, reading)
    : surprisalValues(figure, reading);
  const locked = figure.direction === "from" ? figure.lock?.query : figure.lock?.key;
  const legend = {
    from: "0",
    to: formatLogProb(guessLoss(figure.vocabulary)),
    text: "surprisal: minus the log-probability of the token, given those before it; the far end is a uniform guess, or worse",
  };
  const sentence = (at: number) =>
    isAttention ? attentionSentence(figure, reading, at) : surprisalSentence(reading, at);
  return html`
    <token-strip
      .tokens=${reading.tokens}
      .values=${colors === "none" ? null : values}
      .scale=${isAttention ? figure.scale : "linear"}
      .position=${position}
      .target=${target}
      .locked=${locked ?? -1}
      .generated=${generated}
      .sentences=${sentence}
      .legend=${colors === "surprisal" ? legend : null}
      @token-hover=${hover}
      @token-lock=${lock}
    ></token-strip>
  `;
}
