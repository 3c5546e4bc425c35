// <two-prompts-view>: two prompts side by side, and one thing in which their runs differ: corrupted minus clean.

import { css, html } from "lit";

import { formatLogProb, formatShort, formatSignificant } from "../../draw/format.js";
import type { Tensor } from "../../draw/matrix.js";
import type { Stretch } from "../../draw/scale.js";
import type { Cell } from "../../draw/signed-heatmap.js";
import { announced, truncate, type Token } from "../../draw/token.js";
import { whyAbsent } from "../../session/architecture.js";
import { unequalParts, type AlignedPair } from "../../session/align.js";
import type { Reading } from "../../session/reading.js";
import {
  activationDifference,
  alignedPrompts,
  attentionDifference,
  captureBoth,
  hasPositions,
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
} from "../../session/two-prompts.js";
import "../define/aligned-prompts.js";
import "../define/heat-table.js";
import {
  choiceStyles,
  FigureView,
  type FigureState,
  type Request,
  type ViewModule,
} from "./view.js";

type Of = "attention" | "lens" | "activations" | "tokens" | "loss";

interface Settings {
  /** What the two runs are compared in. */
  of: Of;
  /** The number of the lens. */
  lens: LensQuantity;
}

type Result = { prompts: Prompts } & (
  | { of: "attention"; layer: number; patterns: readonly [Tensor, Tensor] }
  | { of: "lens"; lens: LensPair; answer: string | number | null }
  | { of: "activations"; hook: string; values: readonly [Tensor, Tensor] }
  | { of: "tokens"; next: NextTokens }
);

const TITLES: Readonly<Record<Of, string>> = {
  attention: "attention",
  lens: "lens",
  activations: "activations",
  tokens: "next tokens",
  loss: "log-probability",
};
const LENS_TITLES: Readonly<Record<LensQuantity, string>> = {
  nextProbability: "probability of the next token",
  answerProbability: "probability of the answer",
  kl: "KL divergence from the final prediction, in nats",
};

/** The values of the residual stream after the last layer, if no hook point was chosen. */
function hookOf({ hook, architecture }: FigureState) {
  return hook || `blocks.${(architecture.n_layer ?? 1) - 1}.hook_resid_post`;
}

export class TwoPromptsView extends FigureView<Settings, Result> {
  static override properties = { ...FigureView.properties, here: { state: true } };

  static override styles = [
    ...FigureView.styles,
    choiceStyles,
    css`
      .controls {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 0.4rem 1rem;
        margin: 0.9rem 0 0.7rem;
        font-size: 0.88rem;
      }
      .controls input {
        width: 17rem;
        max-width: 100%;
        font-family: var(--mono);
        font-size: 0.84rem;
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
          grid-template-columns: minmax(4rem, 6rem) 4.4rem 4.4rem 1fr;
        }
        .bars {
          display: none;
        }
      }
    `,
  ];

  /** The pair under the pointer. */
  declare here: number;
  #prompts: Prompts | null = null;

  constructor() {
    super();
    this.here = -1;
  }

  override draw(figure: FigureState, reading: Reading) {
    const { corrupted } = figure;
    if (!corrupted)
      return html`<p class="note" role="status">Choose a second prompt first, the corrupted one: a text that differs from the first in what matters.</p>`;
    if (this.#prompts?.clean !== reading || this.#prompts.corrupted !== corrupted)
      this.#prompts = alignedPrompts(reading, corrupted);
    const prompts = this.#prompts;
    const why = whyNot(figure, this.settings);
    return html`
      <aligned-prompts
        .clean=${reading.tokens}
        .corrupted=${corrupted.tokens}
        .pairs=${prompts.pairs}
        .chosen=${prompts.pairs.findIndex(({ clean }) => clean === (figure.position ?? reading.ids.length - 1))}
        .here=${this.here}
        @pair-hover=${(event: CustomEvent<number | null>) => this.#onPair(event.detail)}
        @pair-choose=${(event: CustomEvent<number>) => this.#choosePosition(prompts, event.detail)}
      ></aligned-prompts>
      ${this.#lengths(prompts)}
      <div class="controls">${this.#controls(figure)}</div>
      ${why ? html`<p class="note" role="status">${why}</p>` : this.#difference(figure, prompts)}
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
      return html`<p class="note soft">Both prompts have ${clean.ids.length} tokens, so they are compared position by position; ${different} differ.${both}</p>`;
    const alone = pairs.filter((pair) => pair.clean === null || pair.corrupted === null).length;
    const [first] = unequalParts(pairs);
    const shown = ({ tokens }: Reading, at: readonly number[]) =>
      at.length === 0 ? "nothing" : at.map((one) => truncate(tokens[one], 14)).join("|");
    const example = first
      ? ` (${shown(clean, first.clean)} against ${shown(corrupted, first.corrupted)})`
      : "";
    return html`<p class="note soft">The clean prompt has ${clean.ids.length} tokens and the corrupted one ${corrupted.ids.length}${example}. ${alone} have no partner, and nothing is drawn for them. Patching takes values position by position, so it needs as many tokens in both.${both}</p>`;
  }

  #controls(figure: FigureState) {
    const { of, lens } = this.settings;
    const { layer, head, points } = figure;
    return html`
      <span class="choice" role="group" aria-label="what is compared">${Object.entries(TITLES).map(([name, title]) => html`<button aria-pressed=${of === name} @click=${() => this.remember({ of: name as Of })}>${title}</button>`)}</span>
      ${of === "attention" ? html`<span class="soft">of head ${layer}.${head}, chosen at the left</span>` : ""}
      ${
        of === "lens"
          ? html`<label>of <select name="lens" @change=${(event: Event) => this.remember({ lens: (event.target as HTMLSelectElement).value as LensQuantity })}>${Object.entries(LENS_TITLES).map(([name, title]) => html`<option value=${name} ?selected=${lens === name} .selected=${lens === name}>${title}</option>`)}</select></label>`
          : ""
      }
      ${
        of === "activations"
          ? html`<label>at <input list="points" name="hook" spellcheck="false" autocomplete="off" .value=${hookOf(figure)} @change=${this.#onHook} /></label><datalist id="points">${points.map(({ name }) => html`<option value=${name}></option>`)}</datalist>`
          : ""
      }
    `;
  }

  #onHook = (event: Event) =>
    this.choose({ hook: (event.target as HTMLInputElement).value.trim() });

  /** The picture of the difference. The log-probabilities come with the readings. */
  #difference(figure: FigureState, prompts: Prompts) {
    const { of, lens } = this.settings;
    if (of === "loss")
      return this.#table(figure, prompts, lossDifference(prompts), {
        ...{ rows: [""], rowTitle: "", label: "log-probability of each token" },
        words: ({ column }) => pairWords(prompts, prompts.pairs[column]),
        note: this.#losses(prompts),
      });
    const { value } = this.result;
    if (value?.of !== of) return "";
    const { pairs } = value.prompts;
    const layers = (count: number) => Array.from({ length: count }, (_, at) => `L${at}`);
    const labels = pairs.map((pair) => labelOf(value.prompts, pair));
    const at = (pair: number) => pairWords(value.prompts, pairs[pair]);
    switch (value.of) {
      case "attention":
        return this.#table(
          figure,
          value.prompts,
          attentionDifference(value.prompts, value.patterns, figure.head),
          {
            ...{ rows: labels, rowTitle: "query", columnTitle: "key" },
            label: `attention of head ${value.layer}.${figure.head}`,
            words: ({ row, column }) => `query ${at(row)}, key ${at(column)}`,
          },
        );
      case "lens": {
        const found = lensDifference(value.prompts, value.lens, lens);
        if (!found)
          return html`<p class="note" role="status">Choose an answer first: the token whose probability is compared.</p>`;
        const next =
          lens === "nextProbability" ? "; where the next tokens differ, nothing is drawn" : "";
        return this.#table(figure, value.prompts, found, {
          ...{ rows: layers(found.table.rows), rowTitle: "layer" },
          label: `${LENS_TITLES[lens]} by the lens`,
          words: ({ row, column }) => `after layer ${row}, ${at(column)}`,
          empty: `no partner${next}`,
        });
      }
      case "activations": {
        const found = activationDifference(value.prompts, value.values, figure.head);
        const hasHead = value.values[0].axes.includes("head");
        return this.#table(figure, value.prompts, found, {
          ...{ rows: labels, rowTitle: "position", columnTitle: found.columnTitle },
          ...(!found.isByKey && {
            columns: Array.from({ length: found.table.columns }, (_, i) => String(i)),
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
    { pairs, ...readings }: Prompts,
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
    const columns = text.columns ?? pairs.map((pair) => labelOf({ pairs, ...readings }, pair));
    const sentence = (cell: Cell) => {
      const at = cell.row * table.columns + cell.column;
      const exact = (value: number) => formatShort(value, 7);
      return table.absent?.[at]
        ? `${text.words(cell)}: nothing to compare`
        : `${text.words(cell)}: corrupted ${exact(corrupted[at])} minus clean ${exact(clean[at])} is ${exact(table.data[at])}`;
    };
    return html`${text.note ?? ""}<heat-table
      .table=${table}
      .rows=${text.rows}
      .columns=${columns}
      rowTitle=${text.rowTitle}
      columnTitle=${text.columnTitle ?? "position"}
      label="difference of ${text.label}"
      quantity="${text.label}: corrupted minus clean"
      empty=${text.empty ?? "no partner"}
      .scale=${figure.scale}
      .sentence=${sentence}
      @cell-hover=${(event: CustomEvent<Cell | null>) => this.#onCell(event.detail, text.columns !== undefined)}
      @scale-change=${(event: CustomEvent<Stretch>) => this.choose({ scale: event.detail })}
    ></heat-table>`;
  }

  #losses({ clean, corrupted }: Prompts) {
    const loss = ({ loss }: Reading) => (loss === null ? "none (one token)" : formatLogProb(loss));
    return html`<p class="note">Loss: clean <span class="mono">${loss(clean)}</span>, corrupted <span class="mono">${loss(corrupted)}</span> nats per token. Each column is the log-probability of the prompt's own token: where tokens differ, those of two different ones.</p>`;
  }

  #nextTokens({ clean, corrupted }: Prompts, { list, kl, at: [at, other] }: NextTokens) {
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
            <span class="bars" aria-hidden="true"><span class="bar" style=${width(one.clean)}></span><span class="bar other" style=${width(one.corrupted)}></span></span>
            <span class="value mono">${digits(one.clean)}</span><span class="value mono">${digits(one.corrupted)}</span>
            <span class="value mono">${change > 0 ? "+" : ""}${digits(change)}</span>
          </li>`;
        })}
      </ol>
    `;
  }

  #onPair(at: number | null) {
    this.here = at ?? -1;
    this.hover({ hoveredToken: at === null ? null : (this.#prompts?.pairs[at].clean ?? null) });
  }

  #onCell(cell: Cell | null, isByRow: boolean) {
    this.#onPair(cell && (isByRow ? cell.row : cell.column));
  }

  #choosePosition({ pairs }: Prompts, at: number) {
    const { clean } = pairs[at];
    if (clean !== null) this.choose({ position: clean });
  }
}

/** A pair in words: its positions and tokens. */
function pairWords({ clean, corrupted }: Prompts, pair: AlignedPair) {
  const side = ({ tokens }: Reading, at: number | null) =>
    at === null ? "none" : `${at} ${announced(tokens[at])}`;
  const [mine, theirs] = [side(clean, pair.clean), side(corrupted, pair.corrupted)];
  return mine === theirs ? mine : `${mine} (clean) and ${theirs} (corrupted)`;
}

/** Why there is no difference; empty if there is one. */
function whyNot(figure: FigureState, { of, lens }: Settings): string {
  const { reading, corrupted, points, architecture, answer, position } = figure;
  if (!reading || !corrupted) return "";
  if (of === "activations") {
    const hook = hookOf(figure);
    const point = points.find(({ name }) => name === hook);
    const absent = whyAbsent(hook, architecture);
    if (!point)
      return `This model has no hook point ${hook.slice(0, 80)}${absent ? `: ${absent}` : ""}.`;
    if (!hasPositions(point)) return `The values at ${hook} have no positions to align.`;
  }
  if (of === "lens" && lens === "answerProbability" && answer === null)
    return "Choose an answer first: the token whose probability is compared.";
  if (of === "tokens" && placesOf(alignedPrompts(reading, corrupted), position) === null)
    return position !== null && position >= reading.ids.length
      ? `The text has no position ${position}: its last is ${reading.ids.length - 1}.`
      : `Position ${position} of the clean prompt has no partner in the corrupted one. Choose another token above.`;
  return "";
}

function request(
  figure: FigureState,
  chosen: Readonly<Record<string, unknown>>,
): Request<Result> | null {
  const { of, lens } = chosen as unknown as Settings;
  const { reading, corrupted, layer, position } = figure;
  if (!reading || !corrupted || of === "loss" || whyNot(figure, { of, lens })) return null;
  const hook = hookOf(figure);
  const answer = lens === "answerProbability" ? figure.answer : null;
  const about = { attention: layer, lens: answer, activations: hook, tokens: position }[of];
  return {
    key: JSON.stringify([of, about]),
    usesCorrupted: true,
    compute: async (model, context): Promise<Result> => {
      const { signal, onProgress } = context;
      const prompts = alignedPrompts(context.reading, context.corrupted ?? corrupted);
      switch (of) {
        case "attention":
          return {
            of,
            prompts,
            layer,
            patterns: await patternsOfBoth(model, prompts, layer, signal),
          };
        case "activations":
          return { of, prompts, hook, values: await captureBoth(model, prompts, hook, signal) };
        case "tokens": {
          const places = placesOf(prompts, position);
          if (!places) throw new Error("the position has no partner in the corrupted prompt");
          return { of, prompts, next: await nextTokens(model, prompts, places, context) };
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
          return { of, prompts, answer, lens: { clean, corrupted: other } };
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
