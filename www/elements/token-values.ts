// The colours of a text's tokens in <scope-figure>, and what a screen reader says about each.

import { formatAttention, formatLogProb, NOT_A_NUMBER } from "../draw/format.js";
import { headMatrix, masked } from "../draw/matrix.js";
import { announced } from "../draw/token.js";
import type { Reading } from "../session/reading.js";
import type { FigureState } from "./views/view.js";

/** What `<token-strip>` draws. */
export interface TokenValues {
  /** One value from 0 to 1 for each token; null for no colour. */
  values: (number | null)[] | null;
  /** The marked token, and the one that it attends to most. */
  position: number;
  target: number;
}

/** A row of the shown head's pattern, or a column. A masked edge has no colour. */
export function attentionValues(figure: FigureState, reading: Reading): TokenValues {
  const { direction, focused } = figure;
  const { layer, head } = figure.shownHead;
  const pattern = reading.patterns[layer];
  const isFrom = direction === "from";
  const position = (isFrom ? focused?.query : focused?.key) ?? -1;
  const target = (isFrom ? focused?.key : focused?.query) ?? -1;
  if (!pattern || position < 0) return { position, target, values: null };
  const matrix = headMatrix(pattern, head);
  const values = reading.tokens.map((_, other) => {
    const [query, key] = isFrom ? [position, other] : [other, position];
    return query >= matrix.rows || masked(matrix, query, key)
      ? null
      : matrix.data[query * matrix.columns + key];
  });
  return { position, target, values };
}

/** The surprisal of each token, as a share of a uniform guess's. */
export function surprisalValues(figure: FigureState, reading: Reading): TokenValues {
  const max = guessLoss(figure.vocabulary);
  const values = [null, ...Array.from(reading.logProbs, (value) => -value / max)];
  return { position: figure.hoveredToken ?? figure.lock?.query ?? -1, target: -1, values };
}

/** The loss of a uniform guess, in nats. */
export function guessLoss(vocabulary: number) {
  return Math.log(Math.max(2, vocabulary));
}

/** What a screen reader says about a token in a view that colours tokens by attention. */
export function attentionSentence(figure: FigureState, reading: Reading, position: number) {
  const token = `token ${position} ${announced(reading.tokens[position])}`;
  const { values } = attentionValues(figure, reading);
  if (values?.some((value) => Number.isNaN(value))) return `${token}, attention ${NOT_A_NUMBER}`;
  const best = (values ?? []).reduce(
    (most: number, value, at) => ((value ?? -1) > ((values ?? [])[most] ?? -1) ? at : most),
    -1,
  );
  if (!values || best < 0) return token;
  const verb = figure.direction === "from" ? "attends most to" : "is attended to most by";
  return `${token} ${verb} ${best} ${announced(reading.tokens[best])}, ${formatAttention(values[best] ?? NaN)}`;
}

/** The same in other views. */
export function surprisalSentence(reading: Reading, position: number) {
  const token = `token ${position} ${announced(reading.tokens[position])}`;
  return position === 0
    ? `${token}, the first`
    : `${token}, log-probability ${formatLogProb(reading.logProbs[position - 1])}`;
}
