// <gradients-view>: integrated gradients: what each token of the text contributes to a logit, or to the loss.

import { html } from "lit";

import { byMagnitude, decimalsFor, sumOf } from "../../draw/bars.js";
import { formatNumber, formatShort } from "../../draw/format.js";
import { truncate, type Token } from "../../draw/token.js";
import { effortOf, WITH_BACKWARD } from "../../session/effort.js";
import { findTarget } from "../../session/target.js";
import "../define/bar-list.js";
import "../define/signed-tokens.js";
import { choiceOf, controlStyles, numberOf, partStyles } from "./controls.js";
import {
  choiceStyles,
  FigureView,
  type FigureState,
  type Request,
  type ViewModule,
} from "./view.js";

interface Settings {
  /** The loss of the text instead of a logit. */
  loss: boolean;
  baseline: "zero" | "corrupted";
  steps: number;
  /** How many bars are listed. */
  count: number;
}

interface Result {
  shares: Float32Array;
  metric: number;
  baseline: number;
  error: number;
  tokens: readonly Token[];
  /** Null for the loss. */
  target: {
    position: number;
    answer: Token;
    against: Token | null;
    isLikeliest: boolean;
  } | null;
  steps: number;
  /** The run had interventions, which the gradients do not. */
  ignoresInterventions: boolean;
}

/** The completeness error is small below this share of the metric's change. */
const SMALL_ERROR = 0.02;

export class GradientsView extends FigureView<Settings, Result> {
  override sentence =
    "What each token of the text contributes to the prediction: the gradients of the metric are summed on the way from a baseline to the embeddings of the text.";
  override paper = { title: "Sundararajan et al. 2017", href: "https://arxiv.org/abs/1703.01365" };

  static override styles = [...FigureView.styles, choiceStyles, controlStyles, partStyles];

  override draw(figure: FigureState) {
    const { loss, baseline, steps, count } = this.settings;
    const { value } = this.result;
    const why = whyNot(figure, this.settings);
    return html`
      <div class="controls">
        ${choiceOf("metric", METRICS, loss ? "loss" : "logit", (one) => this.remember({ loss: one === "loss" }))}
        ${choiceOf("baseline", BASELINES, baseline, (one) => this.remember({ baseline: one }))}
        ${numberOf("steps", { name: "steps", value: steps, min: 1, max: MAX_STEPS }, (one) => this.remember({ steps: one }))}
        ${numberOf("bars", { name: "count", value: count, min: 1, max: MAX_COUNT }, (one) => this.remember({ count: one }))}
      </div>
      ${why ? html`<p class="note" role="status">${why}</p>` : value ? this.#picture(value) : ""}
    `;
  }

  #picture(result: Result) {
    const { shares, tokens } = result;
    const order = byMagnitude(shares);
    const { count } = this.settings;
    const left = order.slice(count).map((at) => shares[at]);
    const unit = result.target ? "logits" : "nats";
    return html`
      ${this.#change(result)}
      ${result.ignoresInterventions ? html`<p class="note warning" role="status">The interventions do not apply here: integrated gradients are those of the model as it is.</p>` : ""}
      <div class="parts">
        <signed-tokens
          .tokens=${tokens}
          .values=${shares}
          .mark=${result.target?.position ?? -1}
          label="tokens by their share"
          unit=${unit}
          .legend=${`share of the change, ${unit}`}
          @token-hover=${(event: CustomEvent<number | null>) => this.hover({ hoveredToken: event.detail })}
        ></signed-tokens>
        <div>
          <bar-list
            .bars=${order.slice(0, count).map((at) => ({ key: String(at), name: String(at), token: tokens[at] ?? "", value: shares[at] }))}
            label="tokens, farthest from zero first"
            unit=${unit}
            @bar-hover=${(event: CustomEvent<string | null>) => this.hover({ hoveredToken: event.detail === null ? null : Number(event.detail) })}
          ></bar-list>
          ${left.length === 0 ? "" : html`<p class="note soft">${left.length} other tokens together: <span class="mono">${formatShort(sumOf(left), 4)}</span></p>`}
        </div>
      </div>
    `;
  }

  /** What changed from the baseline to the text, and whether the shares explain all of it. */
  #change({ metric, baseline, error, target, tokens, shares, steps }: Result) {
    const chip = (token: Token) => html`<span class="chip">${truncate(token, 24)}</span>`;
    const change = metric - baseline;
    const digits = decimalsFor(Math.max(Math.abs(metric), Math.abs(baseline)));
    const value = (number: number) =>
      html`<b class="mono">${formatNumber(number, (finite) => finite.toFixed(digits))}</b>`;
    const what = target
      ? html`The logit of ${chip(target.answer)}${target.isLikeliest ? ", the likeliest next token," : ""}${target.against === null ? "" : html` less that of ${chip(target.against)}`} after token ${target.position} ${chip(tokens[target.position] ?? "")}`
      : "The mean loss of the text";
    return html`<p class="note">${what} changes from ${value(baseline)} at the baseline to ${value(metric)} here.
      The ${shares.length} shares add up to ${value(sumOf(shares))}: ${completeness(error, change, steps)}</p>`;
  }
}

/** The completeness error in words. */
function completeness(error: number, change: number, steps: number) {
  if (!Number.isFinite(error))
    return "some of the numbers are not finite, so nothing can be said about the error.";
  const size = `an error of ${formatShort(error, 3)}`;
  if (change === 0) return `${size}; the metric does not change at all.`;
  const share = Math.abs(error / change);
  const percent = `${formatShort(100 * share, 2)} % of the change`;
  return share <= SMALL_ERROR
    ? `${size}, ${percent}, which is small.`
    : `${size}, ${percent}. ${steps < MAX_STEPS ? "More steps make it smaller." : ""}`;
}

const METRICS = [
  ["logit", "logit"],
  ["loss", "loss of the text"],
] as const;
const BASELINES = [
  ["zero", "zero embeddings"],
  ["corrupted", "second prompt"],
] as const;
const MAX_STEPS = 512;
const MAX_COUNT = 1000;

/** Why there is nothing to compute. */
function whyNot({ reading, corrupted }: FigureState, { loss, baseline }: Settings): string | null {
  const length = reading?.ids.length ?? 0;
  if (loss && length < 2)
    return "A text of one token has no loss, because no token comes before it: choose the logit.";
  if (baseline === "zero") return null;
  if (!corrupted)
    return "There is no second prompt yet. Write one with as many tokens as the text, or start from zero embeddings.";
  return corrupted.ids.length === length
    ? null
    : `The second prompt has ${corrupted.ids.length} tokens and the text ${length}. Both need the same number, because each token's embedding moves to that of the other.`;
}

function request(
  figure: FigureState,
  chosen: Readonly<Record<string, unknown>>,
): Request<Result> | null {
  const settings = chosen as unknown as Settings;
  if (whyNot(figure, settings)) return null;
  const { loss, baseline, steps } = settings;
  const { position, answer, against, parameterCount, reading } = figure;
  const passes = WITH_BACKWARD * steps + 2;
  const { isLong, estimate } = effortOf(passes, parameterCount, reading?.ids.length ?? 0);
  return {
    key: JSON.stringify([loss, baseline, steps, ...(loss ? [] : [position, answer, against])]),
    usesCorrupted: baseline === "corrupted",
    isLong,
    estimate: estimate.replace(/^\d+ runs/, `${steps} steps`),
    compute: async (model, { reading, corrupted, interventions, signal, onProgress, spell }) => {
      const { ids, tokens } = reading;
      const plain = interventions.length > 0 ? (reading.plain?.logits ?? null) : reading.logits;
      const text = { ids, logits: plain, interventions: [], signal };
      const target = loss ? null : await findTarget(model, text, { position, answer, against });
      const metric = target
        ? {
            answer: target.answer,
            position: target.position,
            ...(target.against !== null && { against: target.against }),
          }
        : { loss: true };
      const found = await model.integratedGradients(ids, {
        ...metric,
        ...(baseline === "corrupted" && corrupted && { baseline: corrupted.ids }),
        ...{ steps, signal, onProgress },
      });
      const named = target
        ? await spell([target.answer, ...(target.against === null ? [] : [target.against])])
        : [];
      return {
        ...{ ...found, shares: found.shares.data, tokens, steps },
        ignoresInterventions: interventions.length > 0,
        target: target && {
          position: target.position,
          isLikeliest: target.isLikeliest,
          answer: named[0],
          against: named[1] ?? null,
        },
      };
    },
  };
}

export const view: ViewModule = { tag: "gradients-view", element: GradientsView, request };

declare global {
  interface HTMLElementTagNameMap {
    "gradients-view": GradientsView;
  }
}
