// <neurons-view>: the places of a text in which a neuron, or another channel of an activation, is most active, and what the neuron
// does to the logits.

import { css, html } from "lit";

import type { Model } from "../../api/model.js";
import { formatShort } from "../../draw/format.js";
import { announced, type Token } from "../../draw/token.js";
import { effortOf } from "../../session/effort.js";
import { EXCERPT } from "../../session/excerpt.js";
import { parseIds } from "../../session/ids.js";
import { findMostActive, type ActivePlaces, type Channel } from "../../session/most-active.js";
import { matchHooks, shownPoint } from "../../session/hook-match.js";
import { neuronAt, neuronEffect, type NeuronEffect } from "../../session/neuron-effect.js";
import type { Reading } from "../../session/reading.js";
import "../define/bar-list.js";
import "../define/color-legend.js";
import "../define/signed-tokens.js";
import { HookBox, type HookBoxState, hookBoxStyles } from "../hook-box.js";
import { choiceOf, controlStyles, numberOf } from "./controls.js";
import {
  choiceStyles,
  FigureView,
  type FigureState,
  NO_RESULT,
  type Request,
  type ViewModule,
} from "./view.js";

type Source = "excerpt" | "prompt" | "pasted";

interface Settings {
  /** What selects the hook point. Empty for the neurons of the first layer, or the heads' outputs if the model has no MLPs. */
  at: string;
  /** Which of several points is searched; the first, if it is none of them. */
  point: string;
  head: number | null;
  index: number;
  /** How many places are listed. */
  count: number;
  /** Which text is searched. */
  search: Source;
  /** The pasted text. */
  text: string;
  /** At most this many tokens are searched. */
  tokens: number;
}

interface Result extends ActivePlaces {
  channel: Channel;
  /** Of the hook point. */
  axes: readonly string[];
  /** The tokens around each place. */
  contexts: (readonly Token[])[];
  effect: { raised: Effect[]; lowered: Effect[] } | null;
  /** How many tokens the text has. */
  length: number;
  title: string;
  /** The model has a final LayerNorm. */
  hasNorm: boolean;
  ignoresInterventions: boolean;
}

type Effect = { key: string; name: string; token: Token; value: number };

/** Tokens at each end of the effect on the logits. */
const EFFECT_TOKENS = 8;
const MAX_COUNT = 100;

const SEARCHES = [
  ["excerpt", "Macbeth"],
  ["prompt", "the text above"],
  ["pasted", "a text that you paste"],
] as const;

export class NeuronsView extends FigureView<Settings, Result> {
  override sentence =
    "Where a neuron is most active: the places of a text with its largest values, each with the tokens around it. Other channels of any activation work the same way.";
  override paper = {
    title: "Bills et al. 2023",
    href: "https://openaipublic.blob.core.windows.net/neuron-explainer/paper/index.html",
  };

  static override styles = [
    ...FigureView.styles,
    choiceStyles,
    controlStyles,
    hookBoxStyles,
    css`
      .paste {
        display: block;
        width: 100%;
        min-height: 6rem;
        margin: 0 0 0.7rem;
        padding: 0.5rem;
        border: 1px solid var(--line);
        border-radius: 5px;
        background: var(--sheet);
        font-family: var(--mono);
        font-size: 0.86rem;
        resize: vertical;
      }
      .place {
        display: grid;
        grid-template-columns: 5rem minmax(0, 1fr);
        gap: 0.2rem 0.8rem;
        align-items: start;
        padding: 0.25rem 0;
        border-top: 1px solid var(--line);
        --token-size: 0.84rem;
      }
      .place b {
        text-align: right;
        font-weight: 500;
        font-size: 0.86rem;
        padding-top: 0.35rem;
      }
      .place .where {
        display: block;
        font-size: 0.76rem;
        font-weight: 400;
      }
      ol {
        list-style: none;
        margin: 0;
        padding: 0;
      }
      .readout {
        min-height: 1.5em;
        margin: 0.2rem 0 0.3rem;
        font-size: 0.88rem;
      }
      .below {
        font-size: 0.85rem;
        margin-bottom: 0.3rem;
      }
      .effects {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: 0.4rem 1.6rem;
      }
      @container figure (min-width: 700px) {
        .effects {
          grid-template-columns: minmax(0, 1fr) minmax(0, 1fr);
        }
      }
    `,
  ];

  readonly #box = new HookBox(this, {
    name: "at",
    label: "hook point",
    choose: (at) => this.remember({ at, index: 0, head: null }),
    choosePoint: (point) => this.remember({ point }),
  });

  /** What is said about the hovered token of a context. */
  #said = "";

  /** Nothing, while the box selects no point: former places are not about it. */
  override get result() {
    const { figure } = this;
    const isNone = figure && this.#box.match(boxState(figure, this.settings)).names.length === 0;
    return isNone ? NO_RESULT : super.result;
  }

  override draw(figure: FigureState) {
    const { search, text, count, tokens } = this.settings;
    const { value } = this.result;
    const box = boxState(figure, this.settings);
    const isNone = this.#box.match(box).names.length === 0;
    const problem = isNone ? null : problemOf(figure, this.settings);
    return html`
      ${this.#box.render(box)}
      ${this.#channelControls(figure)}
      <div class="controls">
        ${choiceOf("search in", figure.hasTokenizer ? SEARCHES : SEARCHES.slice(1), sourceOf(figure, search), (one) => this.remember({ search: one }))}
        ${numberOf("places", { name: "count", value: count, min: 1, max: MAX_COUNT }, (one) => this.remember({ count: one }))}
        ${numberOf("at most tokens", { name: "tokens", value: tokens, min: 1 }, (one) => this.remember({ tokens: one }))}
      </div>
      ${search === "pasted" ? html`<textarea class="paste" name="text" aria-label=${figure.hasTokenizer ? "the text to search" : "the token ids to search"} placeholder=${figure.hasTokenizer ? "Paste a text here" : "Token ids, separated by spaces"} spellcheck="false" .value=${text} @change=${(event: Event) => this.remember({ text: (event.target as HTMLTextAreaElement).value })}></textarea>` : ""}
      ${isNone ? "" : problem ? html`<p class="note" role="status">${problem}</p>` : value ? this.#places(value) : ""}
    `;
  }

  /** The head and the index of the channel. */
  #channelControls(figure: FigureState) {
    const { at, head, index } = channelOf(figure, this.settings);
    const point = pointOf(figure, at);
    const size = point ? sizeOfLast(figure, point.axes) : undefined;
    return html`<div class="controls">
      ${point?.axes.includes("head") ? numberOf("head", { name: "head", value: head ?? 0, min: 0, max: (figure.architecture.n_head ?? 1) - 1 }, (one) => this.remember({ head: one })) : ""}
      ${numberOf(/hook_(pre|post)$/.test(at) ? "neuron" : "index", { name: "index", value: index, min: 0, max: size === undefined ? undefined : size - 1 }, (one) => this.remember({ index: one }))}
      ${size === undefined ? "" : html`<span class="mono soft">of ${size}</span>`}
      <button ?disabled=${index <= 0} @click=${() => this.remember({ index: index - 1 })}>← previous</button>
      <button ?disabled=${size !== undefined && index >= size - 1} @click=${() => this.remember({ index: index + 1 })}>next →</button>
    </div>`;
  }

  #places(result: Result) {
    const { places, contexts, notFinite, tokens, pieces, pieceLength, length, title } = result;
    const max = Math.max(
      0,
      ...places.flatMap(({ values }) => Array.from(values, Math.abs).filter(Number.isFinite)),
    );
    const end = formatShort(max || 1, 3);
    return html`
      <p class="note">${this.#found(result)} among ${tokens} tokens${tokens < length ? ` (the first of ${length})` : ""} of ${title}${pieces > 1 ? `, read in ${pieces} pieces of at most ${pieceLength} tokens, each without what comes before it` : ""}.
        ${notFinite > 0 ? html`<strong>${notFinite} of the values ${notFinite === 1 ? "is" : "are"} infinite or not a number.</strong>` : ""}</p>
      ${result.ignoresInterventions ? html`<p class="note warning" role="status">The interventions do not apply here: the texts are read by the model as it is.</p>` : ""}
      <p class="readout mono">${this.#said}</p>
      <div class="below"><color-legend signed from="−${end}" to=${end} text="value at each token; the outlined token is the place"></color-legend></div>
      <ol aria-label="most active places, largest first">
        ${places.map(
          (
            { value, position, text, values, first },
            at,
          ) => html`<li class="place" data-value=${value} data-text=${text} data-position=${position}>
            <b class="mono" title=${formatShort(value, 7)}>${formatShort(value, 4)}<span class="where soft">${pieces > 1 ? `piece ${text}, ` : ""}token ${position}</span></b>
            <signed-tokens
              quiet
              .tokens=${contexts[at]}
              .values=${values}
              .first=${first}
              .mark=${position}
              .max=${max}
              label="place ${at + 1}, value ${formatShort(value, 4)} at ${announced(contexts[at][position - first] ?? "")}"
              @token-hover=${(event: CustomEvent<number | null>) => this.#say(result, at, event.detail)}
            ></signed-tokens>
          </li>`,
        )}
      </ol>
      ${result.effect ? this.#effect(result.effect, result.hasNorm) : ""}
    `;
  }

  #found({ places, channel }: Result) {
    const name = html`<span class="mono">${nameOf(channel)}</span>`;
    if (places.length === 0) return html`There is no largest value of ${name}`;
    const count = places.length === 1 ? "largest value" : `${places.length} largest values`;
    return html`The ${count} of ${name}`;
  }

  #say({ places, contexts }: Result, at: number, position: number | null) {
    const { values, first } = places[at];
    this.#said =
      position === null
        ? ""
        : `token ${position} ${announced(contexts[at][position - first] ?? "")}, ${formatShort(values[position - first], 7)}`;
    this.requestUpdate();
  }

  #effect({ raised, lowered }: { raised: Effect[]; lowered: Effect[] }, hasNorm: boolean) {
    return html`<h2>What the neuron does to the logits directly</h2>
      <p class="note soft">Its row of W_out through ${hasNorm ? "the final LayerNorm and " : ""}the unembedding, as if the stream held nothing else. Later layers are left out.</p>
      <div class="effects">
        <div><p class="note soft">raises most when it is active</p><bar-list class="raised" .bars=${raised} label="tokens whose logits the neuron raises" unit="logits"></bar-list></div>
        <div><p class="note soft">lowers most</p><bar-list class="lowered" .bars=${lowered} label="tokens whose logits the neuron lowers" unit="logits"></bar-list></div>
      </div>`;
  }
}

const pointOf = ({ points }: FigureState, at: string) => points.find(({ name }) => name === at);

/** The length of the last axis, if the config says it. */
function sizeOfLast({ architecture }: FigureState, axes: readonly string[]): number | undefined {
  const { n_embd: width, n_head: heads, n_inner: inner } = architecture;
  if (width === undefined || heads === undefined) return undefined;
  const sizes: Record<string, number> = {
    d_model: width,
    d_head: width / heads,
    d_mlp: inner ?? 4 * width,
  };
  return sizes[axes.at(-1) ?? ""];
}

/** The box of the hook point. Without a text it has the neurons of the first layer, or its heads if there are no neurons. */
function boxState({ points, architecture }: FigureState, { at, point }: Settings): HookBoxState {
  const usual = architecture.attn_only ? "blocks.0.attn.hook_z" : "blocks.0.mlp.hook_post";
  const offered = points.filter(({ axes }) => axes[1] === "pos");
  return { text: at === "" ? usual : at, point, points, offered, architecture };
}

/** The channel of the settings; of the text itself, if it selects no hook point. */
function channelOf(figure: FigureState, settings: Settings): Channel {
  const { text, point, points, architecture } = boxState(figure, settings);
  const name = shownPoint(matchHooks(text, points, architecture), point) ?? text;
  const hasHeads = pointOf(figure, name)?.axes.includes("head") ?? false;
  return { at: name, head: hasHeads ? (settings.head ?? 0) : null, index: settings.index };
}

/** The excerpt needs a tokenizer. */
function sourceOf({ hasTokenizer }: FigureState, search: Source): Source {
  return search === "excerpt" && !hasTokenizer ? "prompt" : search;
}

function nameOf({ at, head, index }: Channel) {
  return `${at}${head === null ? "" : `, head ${head}`}, ${/hook_(pre|post)$/.test(at) ? "neuron" : "index"} ${index}`;
}

/** Why there is nothing to compute. */
function problemOf(figure: FigureState, settings: Settings): string | null {
  const { at, index } = channelOf(figure, settings);
  const point = pointOf(figure, at);
  if (!point) return "Nothing is searched, because the box selects no hook point.";
  if (point.axes[1] !== "pos")
    return `${at} has no value for each position: its axes are ${point.axes.join(" ")}. Choose a point with an axis pos.`;
  const size = sizeOfLast(figure, point.axes);
  if (size !== undefined && index >= size)
    return `${at} has ${size} channels, from 0 to ${size - 1}: there is no ${index}.`;
  if (settings.search === "pasted" && settings.text.trim() === "")
    return "Paste a text into the box, and leave the box to search it.";
  return null;
}

/** The ids that are searched, and what the text is called. */
async function idsOf(
  model: Model,
  reading: Reading,
  source: Source,
  pasted: string,
): Promise<{ ids: Uint32Array; title: string }> {
  if (source === "prompt") return { ids: reading.ids, title: "the text above" };
  const title = source === "excerpt" ? EXCERPT.title : "the pasted text";
  const text = source === "excerpt" ? EXCERPT.text : pasted;
  const ids = model.hasTokenizer
    ? (await model.tokenize(text)).ids
    : parseIds(text, model.config.vocab_size);
  return { ids, title };
}

async function effectOf(
  found: NeuronEffect,
  spell: (ids: number[]) => Promise<Token[]>,
): Promise<{ raised: Effect[]; lowered: Effect[] }> {
  const named = async (list: NeuronEffect["raised"]) => {
    const tokens = await spell(list.map(({ id }) => id));
    return list.map(({ id, value }, at) => ({
      ...{ key: String(id), name: "", token: tokens[at], value },
    }));
  };
  return { raised: await named(found.raised), lowered: await named(found.lowered) };
}

function request(
  figure: FigureState,
  chosen: Readonly<Record<string, unknown>>,
): Request<Result> | null {
  const settings = chosen as unknown as Settings;
  if (problemOf(figure, settings)) return null;
  const channel = channelOf(figure, settings);
  const axes = pointOf(figure, channel.at)?.axes ?? [];
  const { count, text, tokens: limit } = settings;
  const source = sourceOf(figure, settings.search);
  const length = source === "prompt" ? (figure.reading?.ids.length ?? 0) : limit;
  const { isLong, estimate } = effortOf(1.5, figure.parameterCount, Math.min(limit, length));
  return {
    key: JSON.stringify([channel, count, source, source === "pasted" ? text : "", limit]),
    isLong,
    estimate: estimate.replace(/^[^,]*/, "the whole search"),
    compute: async (model, { reading, interventions, signal, onProgress, spell }) => {
      const { ids, title } = await idsOf(model, reading, source, text);
      const searched = ids.slice(0, limit);
      const options = { ...channel, count, signal, onProgress };
      const found = await findMostActive(model, searched, options);
      const contexts = [];
      for (const place of found.places) contexts.push(await spell(place.ids));
      const neuron = neuronAt(channel.at, channel.index);
      const effect =
        neuron && (await effectOf(await neuronEffect(model, neuron, EFFECT_TOKENS, signal), spell));
      return {
        ...{ ...found, channel, axes, contexts, effect, title, length: ids.length },
        hasNorm: model.config.normalization_type !== "none",
        ignoresInterventions: interventions.length > 0,
      };
    },
  };
}

export const view: ViewModule = { tag: "neurons-view", element: NeuronsView, request };

declare global {
  interface HTMLElementTagNameMap {
    "neurons-view": NeuronsView;
  }
}
