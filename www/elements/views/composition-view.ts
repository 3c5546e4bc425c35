// <composition-view>: how much each head writes into what later heads read, as lines between heads.

import { css, html } from "lit";

import { compositionsOf, randomBaseline, type Composition } from "../../draw/composition.js";
import { formatShort } from "../../draw/format.js";
import type { Tensor } from "../../draw/matrix.js";
import type { Model } from "../../api/model.js";
import { effortFor } from "../../session/effort.js";
import "../define/bar-list.js";
import "../define/composition-lines.js";
import type { Head } from "../heads.js";
import { choiceOf, controlStyles, numberOf } from "./controls.js";
import {
  choiceStyles,
  FigureView,
  type FigureState,
  type Request,
  type ViewModule,
} from "./view.js";

type Path = "q" | "k" | "v";

interface Settings {
  path: Path;
  /** How many lines are drawn and listed. */
  count: number;
  /** Whether lines may skip layers. */
  layers: "all" | "next";
}

interface Result {
  path: Path;
  scores: Tensor;
  /** d_model */
  width: number;
}

const PATHS = [
  ["q", "Q"],
  ["k", "K"],
  ["v", "V"],
] as const;
const LAYERS = [
  ["all", "all later layers"],
  ["next", "the next layer"],
] as const;
const MAX_COUNT = 1000;

/** What the reader does with what it reads. */
const PATH_WORDS: Record<Path, string> = {
  q: "its queries, so the writer decides where it looks from",
  k: "its keys, so the writer decides which tokens it finds",
  v: "its values, so the writer's output is moved once more",
};

export class CompositionView extends FigureView<Settings, Result> {
  override sentence =
    "How much each head writes into what later heads read. It follows from the weights alone and does not depend on the text.";
  override paper = {
    title: "Elhage et al. 2021",
    href: "https://transformer-circuits.pub/2021/framework/index.html#analyzing-a-two-layer-model",
  };

  static override styles = [
    ...FigureView.styles,
    choiceStyles,
    controlStyles,
    css`
      .parts {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: 0.4rem 1.6rem;
        align-items: start;
      }
      .list {
        position: relative;
        max-height: 34rem;
        overflow-y: auto;
        scrollbar-width: thin;
      }
      .formula {
        white-space: nowrap;
      }
      .small {
        font-size: 0.85rem;
        font-weight: 400;
      }
      @container figure (min-width: 820px) {
        .parts {
          grid-template-columns: minmax(0, 1.7fr) minmax(0, 1fr);
        }
      }
    `,
  ];

  #marked: Composition | null = null;
  #pairs: { scores: Tensor; all: Composition[] } | null = null;

  override draw(figure: FigureState) {
    const { path, count, layers } = this.settings;
    const { value } = this.result;
    return html`
      <div class="controls">
        ${choiceOf("path", PATHS, path, (one) => this.remember({ path: one }))}
        ${choiceOf("readers in", LAYERS, layers, (one) => this.remember({ layers: one }))}
        ${numberOf("strongest", { name: "count", value: count, min: 1, max: MAX_COUNT }, (one) => this.remember({ count: one }))}
      </div>
      ${(figure.architecture.n_layer ?? 2) < 2 ? html`<p class="note" role="status">This model has one layer, so no head can read what another one writes.</p>` : value ? this.#picture(figure, value) : ""}
    `;
  }

  /** The pairs that the setting allows, strongest first. */
  #allowed({ scores }: Result) {
    if (this.#pairs?.scores !== scores) this.#pairs = { scores, all: compositionsOf(scores) };
    const { layers } = this.settings;
    return layers === "all"
      ? this.#pairs.all
      : this.#pairs.all.filter(({ writer, reader }) => reader.layer === writer.layer + 1);
  }

  #picture({ layer, head }: FigureState, result: Result) {
    const { width, scores, path } = result;
    const baseline = randomBaseline(width);
    const allowed = this.#allowed(result);
    const lines = allowed.slice(0, this.settings.count);
    const above = allowed.filter(({ score }) => score > baseline).length;
    const shown = lines.at(-1)?.score ?? 0;
    const bars = lines.map((line) => ({
      key: nameOf(line),
      name: `${line.writer.layer}.${line.writer.head} → ${line.reader.layer}.${line.reader.head}`,
      value: line.score,
      detail: `${formatShort(line.score / baseline, 3)} times the random baseline`,
    }));
    return html`
      <p class="note">A line from one head down to a later one: what the upper head writes reaches ${PATH_WORDS[path]}. Two random heads have about <b class="mono baseline">${formatShort(baseline, 4)}</b>, <span class="formula">1/√d_model</span>; ${above} of ${allowed.length} pairs are above it. Drawn are the ${lines.length} strongest, from ${formatShort(lines[0]?.score ?? 0, 4)} down to ${formatShort(shown, 4)}; lines are thicker and clearer the farther they are above the baseline.</p>
      <div class="parts">
        <composition-lines
          .scores=${scores}
          .lines=${lines}
          .baseline=${baseline}
          .layer=${layer}
          .head=${head}
          .marked=${this.#marked}
          @head-hover=${(event: CustomEvent<Head | null>) => this.hover({ hoveredHead: event.detail })}
          @head-select=${(event: CustomEvent<Head>) => this.choose({ layer: event.detail.layer, head: event.detail.head })}
        ></composition-lines>
        <div>
          <h2>Strongest first <span class="soft small">(dashed: the random baseline)</span></h2>
          <div class="list">
            <bar-list
              .bars=${bars}
              label="pairs of heads by composition score, strongest first; choosing one chooses the reader"
              unsigned
              selectable
              .reference=${baseline}
              @bar-hover=${(event: CustomEvent<string | null>) => this.#mark(lines, event.detail)}
              @bar-select=${(event: CustomEvent<string>) => {
                const line = lines.find((one) => nameOf(one) === event.detail);
                if (line) this.choose({ layer: line.reader.layer, head: line.reader.head });
              }}
            ></bar-list>
          </div>
        </div>
      </div>
    `;
  }

  #mark(lines: readonly Composition[], name: string | null) {
    this.#marked = lines.find((line) => nameOf(line) === name) ?? null;
    this.requestUpdate();
  }
}

function nameOf({ writer, reader }: Composition) {
  return `${writer.layer}.${writer.head}-${reader.layer}.${reader.head}`;
}

/** The scores depend on the weights only, so they are computed once for each model. */
const known: WeakMap<Model, Map<Path, Tensor>> = new WeakMap();
/** The models, by their config, and the paths whose scores are known. */
const knownPaths: WeakMap<object, Set<Path>> = new WeakMap();

/** The products of all pairs of layers. */
function secondsFor({ architecture }: FigureState) {
  const { n_layer: layers = 1, n_embd: width = 1 } = architecture;
  const pairs = (layers * (layers - 1)) / 2;
  return (pairs * 2 * width ** 3 + layers * 8 * width ** 3) / 1e10;
}

function request(
  figure: FigureState,
  chosen: Readonly<Record<string, unknown>>,
): Request<Result> | null {
  const { path } = chosen as unknown as Settings;
  const { architecture } = figure;
  if ((architecture.n_layer ?? 2) < 2) return null;
  const { isLong, estimate } = effortFor(secondsFor(figure), "every pair of heads");
  return {
    key: path,
    isLong: isLong && !knownPaths.get(architecture)?.has(path),
    estimate,
    compute: async (model, { signal, onProgress }) => {
      const width = model.config.n_embd;
      const former = known.get(model)?.get(path);
      if (former) return { path, scores: former, width };
      const { scores } = await model.compositionScores({ path, signal, onProgress });
      known.set(model, (known.get(model) ?? new Map()).set(path, scores));
      knownPaths.set(architecture, (knownPaths.get(architecture) ?? new Set()).add(path));
      return { path, scores, width };
    },
  };
}

export const view: ViewModule = { tag: "composition-view", element: CompositionView, request };

declare global {
  interface HTMLElementTagNameMap {
    "composition-view": CompositionView;
  }
}
