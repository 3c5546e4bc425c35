// <two-prompts-view>: two prompts side by side, and one thing in which their runs differ: corrupted minus clean.

import { css, html } from "lit";

import { formatLogProb, formatShort, formatSignificant } from "../../draw/format.js";
import type { Tensor } from "../../draw/matrix.js";
import type { Stretch } from "../../draw/scale.js";
import type { Cell } from "../../draw/signed-heatmap.js";
import { announced, truncate, type Token } from "../../draw/token.js";
import { plural } from "../../session/architecture.js";
import { unequalParts } from "../../session/align.js";
import type { Reading } from "../../session/reading.js";
import {
  activationDifference,
  alignedPrompts,
  attentionDifference,
  captureBoth,
  labelOf,
  lensDifference,
  lossDifference,
  nextTokens,
  patternsOfBoth,
  placesOf,
  type Difference,
  type LensPair,
  type LensQuantity,
  type NextTokens,
  type Prompts,
  type PromptTokens,
  tokensOf,
} from "../../session/two-prompts.js";
import "../define/aligned-prompts.js";
import "../define/heat-table.js";
import { HookBox, hookBoxStyles } from "../hook-box.js";
import {
  comparedPoint,
  hookOf,
  LENS_TITLES,
  pairWords,
  TITLES,
  whyNot,
  type ComparisonSettings,
  type Of,
} from "./comparison.js";
import {
  choiceStyles,
  FigureView,
  type FigureState,
  type Request,
  type ViewModule,
  NO_RESULT,
} from "./view.js";

type Settings = ComparisonSettings;
type Result = { prompts: PromptTokens } & (
  | { of: "attention"; layer: number; patterns: readonly [Tensor, Tensor] }
  | { of: "lens"; lens: LensPair; answer: string | number | null }
  | { of: "activations"; hook: string; values: readonly [Tensor, Tensor] }
  | { of: "tokens"; next: NextTokens }
);

const NO_ROW = [""];

export class TwoPromptsView extends FigureView<Settings, Result> {
  override sentence =
    "Two prompts that differ in what matters, token under token, and what that changes in the model: corrupted minus clean.";
  override paper = { title: "Zhang and Nanda 2024", href: "https://arxiv.org/abs/2309.16042" };

  static override styles = [
    ...FigureView.styles,
    choiceStyles,
    hookBoxStyles,
    css`
      .controls {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 0.4rem 1rem;
        margin: 0.9rem 0 0.7rem;
        font-size: 0.88rem;
      }
      .controls label {
        display: inline-flex;
        align-items: center;
        gap: 0.4rem;
        min-width: 0;
      }
      .note {
        margin: 0.5rem 0;
        font-size: 0.9rem;
        max-width: 46rem;
      }
      ol {
        list-style: none;
        margin: 0.4rem 0;
        padding: 0;
        max-width: 38rem;
      }
      li {
        display: grid;
        grid-template-columns: minmax(4rem, 8rem) 1fr 5.5rem 5.5rem 5.5rem;
        align-items: center;
        gap: 0.5rem;
        padding: 0.06rem 0.3rem;
        font-size: 0.84rem;
      }
      .name {
        white-space: pre;
        overflow: hidden;
        text-overflow: ellipsis;
      }
      .value {
        text-align: right;
      }
      .bar {
        display: block;
        height: 0.34rem;
        min-width: 1px;
        background: var(--flame);
        print-color-adjust: exact;
      }
      .bar.other {
        margin-top: 2px;
        background: var(--soft);
      }
      @container figure (max-width: 480px) {
        li {
          grid-template-columns: minmax(2rem, 1fr) repeat(3, 4.75rem);
          gap: 0.35rem;
        }
        .value {
          font-size: 0.78rem;
        }
        .bars {
          display: none;
        }
      }
      @container figure (max-width: 320px) {
        li {
          grid-template-columns: minmax(2rem, 1fr) repeat(3, 4.35rem);
        }
        .value {
          font-size: 0.72rem;
        }
      }
    `,
  ];

  readonly #box = new HookBox(this, {
    name: "hook",
    label: "at",
    choose: (hook) => this.choose({ hook }),
    choosePoint: (point) => this.remember({ point }),
  });

  /** The differences of a result: a figure is drawn again whenever something is hovered. */
  #known: WeakMap<object, Map<string, unknown>> = new WeakMap();

  #once<T>(of: object, key: string, make: () => T): T {
    const known = this.#known.get(of) ?? new Map<string, unknown>();
    this.#known.set(of, known);
    if (!known.has(key)) known.set(key, make());
    return known.get(key) as T;
  }

  /** Nothing, while something that it needs is missing: neither a former picture nor a former failure is about this. */
  override get result() {
    return this.figure && (!this.figure.corrupted || whyNot(this.figure, this.settings))
      ? NO_RESULT
      : super.result;
  }

  override draw(figure: FigureState, reading: Reading) {
    const { corrupted } = figure;
    if (!corrupted)
      return html`<p class="note" role="status">Choose a second prompt first, the corrupted one: a text that differs from the first in what matters.</p>`;
    const prompts = alignedPrompts(reading, corrupted);
    const isOfHook = this.settings.of === "activations";
    const { points, architecture } = figure;
    const box = { text: hookOf(figure), point: this.settings.point, points, architecture };
    const isNone = isOfHook && this.#box.match(box).names.length === 0;
    const why = isNone ? "" : whyNot(figure, this.settings);
    return html`
      <aligned-prompts
        .clean=${reading.tokens}
        .corrupted=${corrupted.tokens}
        .pairs=${prompts.pairs}
        .chosen=${prompts.pairs.findIndex(({ clean }) => clean === (figure.position ?? reading.ids.length - 1))}
        @pair-hover=${(event: CustomEvent<number | null>) => this.#onPair(prompts, event.detail)}
        @pair-choose=${(event: CustomEvent<number>) => this.#choosePosition(prompts, event.detail)}
      ></aligned-prompts>
      ${this.#lengths(prompts)}
      <div class="controls">${this.#controls(figure)}</div>
      ${isOfHook ? this.#box.render(box) : ""}
      ${why ? html`<p class="note" role="status">${why}</p>` : isNone ? "" : this.#difference(figure, prompts)}
    `;
  }

  /** How the prompts are aligned, and what that means for patching. */
  #lengths({ clean, corrupted, pairs }: Prompts) {
    const different = pairs.filter(({ isSame }) => !isSame).length;
    const both =
      clean.interventions.length > 0
        ? " The interventions of the list act on the clean prompt only."
        : "";
    if (clean.ids.length === corrupted.ids.length)
      return html`<p class="note soft">Both prompts have ${plural(clean.ids.length, "token")}, so they are compared position by position; ${different} differ.${both}</p>`;
    const alone = pairs.filter((pair) => pair.clean === null || pair.corrupted === null).length;
    const [first] = unequalParts(pairs);
    const shown = ({ tokens }: Reading, at: readonly number[]) =>
      at.length === 0 ? "nothing" : at.map((one) => truncate(tokens[one], 14)).join("|");
    const example = first
      ? ` (${shown(clean, first.clean)} against ${shown(corrupted, first.corrupted)})`
      : "";
    return html`<p class="note soft">The clean prompt has ${plural(clean.ids.length, "token")} and the corrupted one ${corrupted.ids.length}${example}. ${alone} have no partner, and nothing is drawn for them. Patching takes values position by position, so it needs as many tokens in both.${both}</p>`;
  }

  #controls(figure: FigureState) {
    const { of, lens } = this.settings;
    const { layer, head } = figure;
    return html`
      <span class="choice" role="group" aria-label="what is compared">${Object.entries(TITLES).map(([name, title]) => html`<button aria-pressed=${of === name} @click=${() => this.remember({ of: name as Of })}>${title}</button>`)}</span>
      ${of === "attention" ? html`<span class="soft">of head ${layer}.${head}, chosen at the left</span>` : ""}
      ${
        of === "lens"
          ? html`<label>of <select name="lens" @change=${(event: Event) => this.remember({ lens: (event.target as HTMLSelectElement).value as LensQuantity })}>${Object.entries(LENS_TITLES).map(([name, title]) => html`<option value=${name} ?selected=${lens === name} .selected=${lens === name}>${title}</option>`)}</select></label>`
          : ""
      }
    `;
  }

  #labels(prompts: PromptTokens): Token[] {
    return this.#once(prompts, "labels", () => prompts.pairs.map((pair) => labelOf(prompts, pair)));
  }

  #numbered(prefix: string, count: number): string[] {
    return this.#once(this, `${prefix} ${count}`, () =>
      Array.from({ length: count }, (_, at) => `${prefix}${at}`),
    );
  }

  /** The picture of the difference. The log-probabilities come with the readings. */
  #difference(figure: FigureState, prompts: Prompts) {
    const { of, lens } = this.settings;
    if (of === "loss")
      return this.#table(
        figure,
        prompts,
        this.#once(prompts, "loss", () => lossDifference(prompts)),
        {
          ...{ rows: NO_ROW, rowTitle: "", label: "log-probability of each token" },
          words: ({ column }) => pairWords(prompts, prompts.pairs[column]),
          note: this.#losses(prompts),
        },
      );
    const { value } = this.result;
    if (value?.of !== of) return "";
    const { pairs } = value.prompts;
    const labels = this.#labels(value.prompts);
    const at = (pair: number) => pairWords(value.prompts, pairs[pair]);
    switch (value.of) {
      case "attention":
        return this.#table(
          figure,
          value.prompts,
          this.#once(value, `head ${figure.head}`, () =>
            attentionDifference(value.prompts, value.patterns, figure.head),
          ),
          {
            ...{ rows: labels, rowTitle: "query", columnTitle: "key" },
            label: `attention of head ${value.layer}.${figure.head}`,
            words: ({ row, column }) => `query ${at(row)}, key ${at(column)}`,
            empty: "the key is after the query, or has no partner",
          },
        );
      case "lens": {
        const found = this.#once(value, lens, () =>
          lensDifference(value.prompts, value.lens, lens),
        );
        if (!found)
          return html`<p class="note" role="status">Choose an answer first: the token whose probability is compared.</p>`;
        const next =
          lens === "nextProbability" ? "; where the next tokens differ, nothing is drawn" : "";
        return this.#table(figure, value.prompts, found, {
          ...{ rows: this.#numbered("L", found.table.rows), rowTitle: "layer" },
          label: `${LENS_TITLES[lens]} by the lens`,
          words: ({ row, column }) => `after layer ${row}, ${at(column)}`,
          empty: `no partner${next}`,
        });
      }
      case "activations": {
        const found = this.#once(value, `head ${figure.head}`, () =>
          activationDifference(value.prompts, value.values, figure.head),
        );
        const hasHead = value.values[0].axes.includes("head");
        return this.#table(figure, value.prompts, found, {
          ...{ rows: labels, rowTitle: "position", columnTitle: found.columnTitle },
          ...(!found.isByKey && {
            columns: this.#numbered("", found.table.columns),
          }),
          label: `${value.hook}${hasHead ? `, head ${figure.head}` : ""}`,
          words: ({ row, column }) =>
            `${at(row)}, ${found.isByKey ? `key ${at(column)}` : `${found.columnTitle} ${column}`}`,
        });
      }
      case "tokens":
        return this.#nextTokens(value.prompts, value.next);
    }
  }

  #table(
    figure: FigureState,
    prompts: PromptTokens,
    { table, clean, corrupted }: Difference,
    text: {
      rows: readonly Token[];
      rowTitle: string;
      columns?: readonly Token[];
      columnTitle?: string;
      label: string;
      words: (cell: Cell) => string;
      empty?: string;
      note?: unknown;
    },
  ) {
    const columns = text.columns ?? this.#labels(prompts);
    const sentence = (cell: Cell) => {
      const at = cell.row * table.columns + cell.column;
      const exact = (value: number) => formatShort(value, 7);
      return table.absent?.[at]
        ? `${text.words(cell)}: nothing to compare`
        : `${text.words(cell)}: corrupted ${exact(corrupted[at])} minus clean ${exact(clean[at])} is ${exact(table.data[at])}`;
    };
    const hasEmpty = this.#once(table, "empty", () => Array.from(table.absent ?? []).includes(1));
    return html`${text.note ?? ""}<heat-table
      .table=${table}
      .rows=${text.rows}
      .columns=${columns}
      rowTitle=${text.rowTitle}
      columnTitle=${text.columnTitle ?? "position"}
      label="difference of ${text.label}"
      quantity="${text.label}: corrupted minus clean"
      empty=${hasEmpty ? (text.empty ?? "no partner") : ""}
      .scale=${figure.scale}
      .sentence=${sentence}
      @cell-hover=${({ detail: cell }: CustomEvent<Cell | null>) => this.#onPair(prompts, cell && (text.columns ? cell.row : cell.column))}
      @scale-change=${(event: CustomEvent<Stretch>) => this.choose({ scale: event.detail })}
    ></heat-table>`;
  }

  #losses({ clean, corrupted }: Prompts) {
    const loss = ({ loss }: Reading) => (loss === null ? "none (one token)" : formatLogProb(loss));
    return html`<p class="note">Loss: clean <span class="mono">${loss(clean)}</span>, corrupted <span class="mono">${loss(corrupted)}</span> nats per token. Each column is the log-probability of the prompt's own token: where tokens differ, those of two different ones.</p>`;
  }

  #nextTokens({ clean, corrupted }: PromptTokens, { list, kl, at: [at, other] }: NextTokens) {
    if (list.length === 0)
      return html`<p class="note" role="status">The logits are not finite, so no token is the likeliest.</p>`;
    const width = (value: number) => `width: ${(100 * value).toFixed(1)}%`;
    const digits = (value: number) => formatSignificant(value, 3);
    return html`
      <p class="note">After ${at} <span class="mono">${truncate(clean.tokens[at], 16)}</span> in the clean prompt and ${other} <span class="mono">${truncate(corrupted.tokens[other], 16)}</span> in the corrupted one. KL divergence of the corrupted prediction from the clean one: <span class="mono kl">${formatShort(kl, 5)}</span> nats.</p>
      <ol aria-label="next tokens of both prompts">
        <li class="soft"><span>token</span><span class="bars"></span><span class="value">clean</span><span class="value">corrupted</span><span class="value">difference</span></li>
        ${list.map((one) => {
          const change = one.corrupted - one.clean;
          return html`<li data-id=${one.id} aria-label="${announced(one.string)}: clean ${digits(one.clean)}, corrupted ${digits(one.corrupted)}">
            <span class="name mono">${truncate(one.string, 14)}</span>
            <span class="bars" aria-hidden="true"><span class="bar" .style=${width(one.clean)}></span><span class="bar other" .style=${width(one.corrupted)}></span></span>
            <span class="value mono">${digits(one.clean)}</span><span class="value mono">${digits(one.corrupted)}</span>
            <span class="value mono">${change > 0 ? "+" : ""}${digits(change)}</span>
          </li>`;
        })}
      </ol>
    `;
  }

  #onPair({ pairs }: PromptTokens, at: number | null) {
    const prompts = this.renderRoot.querySelector("aligned-prompts");
    if (prompts) prompts.here = at ?? -1;
    this.hover({ hoveredToken: at === null ? null : (pairs[at]?.clean ?? null) });
  }

  #choosePosition({ pairs }: Prompts, at: number) {
    const { clean } = pairs[at];
    if (clean !== null) this.choose({ position: clean });
  }
}

function request(
  figure: FigureState,
  chosen: Readonly<Record<string, unknown>>,
): Request<Result> | null {
  const settings = chosen as unknown as Settings;
  const { of, lens } = settings;
  const { reading, corrupted, layer, position } = figure;
  if (!reading || !corrupted || of === "loss" || whyNot(figure, settings)) return null;
  const hook = comparedPoint(figure, settings) ?? "";
  const answer = lens === "answerProbability" ? figure.answer : null;
  const about = { attention: layer, lens: answer, activations: hook, tokens: position }[of];
  return {
    key: JSON.stringify([of, about]),
    usesCorrupted: true,
    compute: async (model, context): Promise<Result> => {
      const { signal, onProgress } = context;
      const prompts = alignedPrompts(context.reading, context.corrupted ?? corrupted);
      const kept = tokensOf(prompts);
      switch (of) {
        case "attention":
          return {
            ...{ of, prompts: kept, layer },
            patterns: await patternsOfBoth(model, prompts, layer, signal),
          };
        case "activations":
          return {
            ...{ of, prompts: kept, hook },
            values: await captureBoth(model, prompts, hook, signal),
          };
        case "tokens": {
          const places = placesOf(prompts, position);
          if (!places) throw new Error("the position has no partner in the corrupted prompt");
          return { of, prompts: kept, next: await nextTokens(model, prompts, places, context) };
        }
        case "lens": {
          const lensOf = ({ ids, interventions }: Reading, before: number) =>
            model.logitLens(ids, {
              ...{ top: 1, signal, ...(answer !== null && { answer }) },
              ...(interventions.length > 0 && { interventions }),
              onProgress: ({ done, total }) =>
                onProgress({ done: before * total + done, total: 2 * total }),
            });
          const clean = await lensOf(prompts.clean, 0);
          const other = await lensOf(prompts.corrupted, 1);
          return { of, prompts: kept, answer, lens: { clean, corrupted: other } };
        }
      }
    },
  };
}

export const view: ViewModule = { tag: "two-prompts-view", element: TwoPromptsView, request };

declare global {
  interface HTMLElementTagNameMap {
    "two-prompts-view": TwoPromptsView;
  }
}
