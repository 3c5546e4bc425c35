// <attribution-view>: how much each part of the residual stream adds to a logit: by component, by head and its source tokens, or
// by neuron.

import { css, html } from "lit";

import { byMagnitude, decimalsFor, formatSigned, sumOf } from "../../draw/bars.js";
import { formatNumber, formatShort } from "../../draw/format.js";
import { truncate, type Token } from "../../draw/token.js";
import {
  attribute,
  largestShares,
  sumsByKind,
  wordsFor,
  type Attributed,
  type By,
  type LayerNormScale,
  type Share,
  type SourcePart,
} from "../../session/attributed.js";
import { plural } from "../../session/architecture.js";
import { effortOf } from "../../session/effort.js";
import "../define/bar-list.js";
import "../define/head-grid.js";
import "../define/signed-tokens.js";
import type { Bar } from "../bar-list.js";
import type { Head } from "../heads.js";
import { choiceOf, controlStyles, numberOf, partStyles } from "./controls.js";
import {
  choiceStyles,
  FigureView,
  type FigureState,
  type Request,
  type ViewModule,
} from "./view.js";

interface Settings {
  by: By;
  layerNorm: LayerNormScale;
  /** How many bars are listed. */
  count: number;
}

interface Result extends Attributed {
  answer: Token;
  against: Token | null;
  tokens: readonly Token[];
}

/** The largest difference between the sum of the shares and the logit that is rounding, as a share of their magnitudes. */
const ROUNDING = 1e-4;

export class AttributionView extends FigureView<Settings, Result> {
  override sentence =
    "Why this token? What each part of the model adds to its logit, or to the difference from another token's. Bars to the right speak for it, bars to the left against it.";
  override paper = {
    title: "Elhage et al. 2021",
    href: "https://transformer-circuits.pub/2021/framework/index.html",
  };

  static override styles = [
    ...FigureView.styles,
    choiceStyles,
    controlStyles,
    partStyles,
    css`
      .components {
        --bar-name: 17rem;
      }
      .sources {
        grid-column: 1 / -1;
      }
    `,
  ];

  override draw(figure: FigureState) {
    const { by, layerNorm, count } = this.settings;
    const { value } = this.result;
    const hasNeurons = !figure.architecture.attn_only;
    const hasNorm = figure.architecture.normalization_type !== "none";
    return html`
      <div class="controls">
        ${choiceOf("by", BY, by, (one) => this.remember({ by: one }))}
        ${hasNorm ? choiceOf("scale of the final LayerNorm", LAYER_NORMS, layerNorm, (one) => this.remember({ layerNorm: one })) : ""}
        ${by === "component" ? "" : numberOf("bars", { name: "count", value: count, min: 1, max: MAX_COUNT }, (one) => this.remember({ count: one }))}
      </div>
      ${
        by === "neuron" && !hasNeurons
          ? html`<p class="note" role="status">This model has no MLPs, so it has no neurons. Its logits can be attributed by component or by head.</p>`
          : value
            ? [this.#target(value), this.#parts(figure, value)]
            : ""
      }
    `;
  }

  /** What is explained, and that the shares add up to it. */
  #target({ target, answer, against, shares, sum, tokens }: Result) {
    const { position, logit, isLikeliest } = target;
    const chip = (token: Token) => html`<span class="chip">${truncate(token, 24)}</span>`;
    const broken = shares.filter(({ value }) => !Number.isFinite(value)).length;
    const magnitudes = sumOf(shares.map(({ value }) => Math.abs(value)));
    const isRounding = Math.abs(sum - logit) <= ROUNDING * Math.max(1, magnitudes);
    const digits = decimalsFor(Math.max(Math.abs(logit), Math.abs(sum)));
    const difference =
      broken > 0
        ? html`${broken} of the shares are not finite, so they have no sum.`
        : isRounding
          ? html`The ${shares.length} shares add up to <b class="mono sum">${formatSigned(sum, digits)}</b>.`
          : html`The ${shares.length} shares add up to <b class="mono sum">${formatSigned(sum, digits)}</b>, which differs by ${formatShort(sum - logit, 3)}.`;
    return html`<p class="note target">The logit of ${chip(answer)}${isLikeliest ? ", the likeliest next token," : ""}${against === null ? "" : html` less that of ${chip(against)}`}
      after token ${position} ${chip(tokens[position] ?? "")} is <b class="mono logit">${formatSigned(logit, digits)}</b>. ${difference}</p>`;
  }

  #parts(figure: FigureState, result: Result) {
    if (result.by === "component") return this.#components(figure, result);
    if (result.by === "head") return this.#heads(figure, result);
    return this.#neurons(result);
  }

  #components({ layer }: FigureState, { shares }: Result) {
    const bars = shares.map((share) => barOf(share));
    return html`<bar-list
      class="components"
      .bars=${bars}
      label="shares by component, in the order in which they are written"
      unit="logits"
      selectable
      selected=${`${layer}_attn_out`}
      @bar-select=${(event: CustomEvent<string>) => this.#chooseLayer(shares, event.detail)}
    ></bar-list>
    <p class="note soft screen-only">Choosing a layer's attention or MLP chooses the layer for the other views.</p>`;
  }

  /** The embeddings and the last biases have no layer. */
  #chooseLayer(shares: readonly Share[], label: string) {
    const layer = shares.find((share) => share.label === label)?.layer;
    if (layer !== undefined) this.choose({ layer });
  }

  #heads({ layer, head }: FigureState, result: Result) {
    const { shares, heads, layerNorm, sources } = result;
    const { largest, others } = this.#largest(shares, "head");
    const select = (chosen: Head) => this.choose({ layer: chosen.layer, head: chosen.head });
    return html`<div class="parts">
      <div>
        <h2>Heads by layer</h2>
        <head-grid
          .values=${heads}
          .layer=${layer}
          .head=${head}
          label="share of the logit"
          unit="logits"
          @head-hover=${(event: CustomEvent<Head | null>) => this.hover({ hoveredHead: event.detail })}
          @head-select=${(event: CustomEvent<Head>) => select(event.detail)}
        ></head-grid>
        ${this.#summary(shares)}
      </div>
      <div>
        <h2>Heads, farthest from zero first</h2>
        <bar-list
          .bars=${largest.map(barOf)}
          label="shares of heads, farthest from zero first"
          unit="logits"
          selectable
          selected=${`L${layer}H${head}`}
          @bar-select=${(event: CustomEvent<string>) => {
            const found = largest.find((share) => share.label === event.detail);
            if (found) select(found as Head);
          }}
        ></bar-list>
        ${othersNote(others, "heads")}
      </div>
      ${sources ? this.#sources(sources, result, layerNorm) : ""}
    </div>`;
  }

  /** What each key position contributes to the share of one head. */
  #sources(sources: SourcePart, { tokens, target }: Result, layerNorm: LayerNormScale) {
    const { layer, head, shares, pattern, share, rest } = sources;
    const name = `${layer}.${head}`;
    const order = byMagnitude(shares);
    const shown = order.slice(0, this.settings.count);
    const left = order.slice(this.settings.count).map((at) => shares[at]);
    const digits = decimalsFor(Math.max(Math.abs(share), ...Array.from(shares, Math.abs)));
    return html`<section class="sources" aria-label="head ${name} by source token">
      <h2>Head ${name} by source token${Number.isFinite(share) ? html`: where its ${layerNorm === "recomputed" ? "frozen share of " : ""}<span class="mono">${formatSigned(share, digits)}</span> comes from` : ""}</h2>
      <p class="note soft">The head moves the value of each token that it attends to. Each share is the attention times what that value adds to the logit${layerNorm === "recomputed" ? ", here with the scale of the whole stream (frozen), because only then the shares of tokens add up" : ""}.</p>
      <div class="parts">
        <signed-tokens
          .tokens=${tokens.slice(0, target.position + 1)}
          .values=${shares}
          .mark=${target.position}
          label="tokens up to the query, by their share through head ${name}"
          unit="logits"
          legend="share of the logit, logits"
          @token-hover=${(event: CustomEvent<number | null>) => this.hover({ hoveredToken: event.detail })}
        ></signed-tokens>
        <div>
          <bar-list
            class="by-source"
            .bars=${shown.map((at) => ({ key: String(at), name: String(at), token: tokens[at] ?? "", value: shares[at], detail: `attention ${formatShort(pattern[at], 4)}` }))}
            label="shares of source tokens through head ${name}, farthest from zero first"
            unit="logits"
            @bar-hover=${(event: CustomEvent<string | null>) => this.hover({ hoveredToken: event.detail === null ? null : Number(event.detail) })}
          ></bar-list>
          ${othersNote({ count: left.length, sum: sumOf(left) }, "tokens")}
          <p class="note soft">${plural(shares.length, "token")} together: <span class="mono">${formatSigned(sumOf(shares), digits)}</span>; the rest of the head's share: <span class="mono">${formatRest(rest)}</span>${restWords(rest, share)}.</p>
        </div>
      </div>
    </section>`;
  }

  #neurons(result: Result) {
    const { shares } = result;
    const { largest, others } = this.#largest(shares, "neuron");
    return html`<div class="parts">
      <div>
        <h2>Neurons, farthest from zero first</h2>
        <bar-list
          .bars=${largest.map(barOf)}
          label="shares of neurons, farthest from zero first"
          unit="logits"
          selectable
          @bar-select=${(event: CustomEvent<string>) => this.#openNeuron(largest, event.detail)}
        ></bar-list>
        ${othersNote(others, "neurons")}
        <p class="note soft screen-only">Choosing a neuron shows where it is most active.</p>
      </div>
      <div><h2>All parts</h2>${this.#summary(shares)}</div>
    </div>`;
  }

  #openNeuron(neurons: readonly Share[], label: string) {
    const found = neurons.find((share) => share.label === label);
    if (!found) return;
    const { views = {} } = this.figure ?? {};
    const chosen = { at: `blocks.${found.layer}.mlp.hook_post`, index: found.neuron };
    const { head: _, ...former } = views.neurons ?? {};
    this.choose({ view: "neurons", views: { ...views, neurons: { ...former, ...chosen } } });
  }

  /** What each kind of part adds up to, so that the whole can be checked. */
  #summary(shares: readonly Share[]) {
    const bars = sumsByKind(shares).map(({ kind, sum }) => ({ key: kind, name: kind, value: sum }));
    return html`<bar-list class="summary" .bars=${bars} label="shares by kind of part" unit="logits"></bar-list>`;
  }

  /** The largest shares of one kind. Sorted once for each result, because a model has many neurons. */
  #largest(shares: readonly Share[], kind: "head" | "neuron") {
    const { count } = this.settings;
    if (
      this.#sorted?.shares !== shares ||
      this.#sorted.kind !== kind ||
      this.#sorted.count !== count
    ) {
      const all = shares.filter((share) => share[kind] !== undefined);
      this.#sorted = { shares, kind, count, ...largestShares(all, count) };
    }
    return this.#sorted;
  }

  #sorted:
    | ({ shares: readonly Share[]; kind: string; count: number } & ReturnType<typeof largestShares>)
    | null = null;
}

const BY = [
  ["component", "component"],
  ["head", "head"],
  ["neuron", "neuron"],
] as const;
const LAYER_NORMS = [
  ["frozen", "frozen"],
  ["recomputed", "recomputed"],
] as const;
const MAX_COUNT = 500;

function barOf(share: Share): Bar {
  const { label, value } = share;
  return { key: label, name: wordsFor(label), value, detail: label };
}

function othersNote({ count, sum }: { count: number; sum: number }, what: string) {
  return count === 0
    ? ""
    : html`<p class="note soft">${count} other ${what} together: <span class="mono">${formatShort(sum, 4)}</span></p>`;
}

/** Why the source tokens do not add up to the share of the head. */
function restWords(rest: number, share: number) {
  if (!Number.isFinite(rest)) return "";
  return Math.abs(rest) <= ROUNDING * Math.max(1, Math.abs(share))
    ? " (rounding)"
    : ", because an intervention changed what the head writes, or because the weights have few bits";
}

function formatRest(rest: number) {
  return formatNumber(rest, (finite) => (finite === 0 ? "0" : finite.toPrecision(2)));
}

function request(
  figure: FigureState,
  settings: Readonly<Record<string, unknown>>,
): Request<Result> | null {
  const { by, layerNorm } = settings as unknown as Settings;
  const { position, answer, against, layer, head, architecture, parameterCount } = figure;
  if (by === "neuron" && architecture.attn_only) return null;
  const runs = by === "head" ? (layerNorm === "frozen" ? 4 : 5) : 1;
  const { isLong, estimate } = effortOf(runs, parameterCount, figure.reading?.ids.length ?? 0);
  const options = { by, layerNorm, position, answer, against, layer, head };
  return {
    key: JSON.stringify([
      ...[by, layerNorm, position, answer, against],
      ...(by === "head" ? [layer, head] : []),
    ]),
    isLong,
    estimate,
    compute: async (model, { reading, interventions, signal, spell }) => {
      const { ids, logits, tokens } = reading;
      const found = await attribute(model, { ids, logits, interventions, signal }, options);
      const { target } = found;
      const [name, other] = await spell([
        target.answer,
        ...(target.against === null ? [] : [target.against]),
      ]);
      return { ...found, answer: name, against: other ?? null, tokens };
    },
  };
}

export const view: ViewModule = { tag: "attribution-view", element: AttributionView, request };

declare global {
  interface HTMLElementTagNameMap {
    "attribution-view": AttributionView;
  }
}
