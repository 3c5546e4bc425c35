// <scores-view>: how much each head is of each kind, on the text or on random tokens that repeat once: as a grid, as a table that can
// be sorted, or as a scatter of two scores.

import { css, html } from "lit";

import { NOT_A_NUMBER } from "../../draw/format.js";
import { headMatrix, type Tensor } from "../../draw/matrix.js";
import { filtered, headRows, type Column, type HeadRow } from "../../session/head-table.js";
import type { LabelledTensor, Reading } from "../../session/reading.js";
import { NO_RESULT } from "../../session/results.js";
import { measurable } from "../../session/scores.js";
import "../define/head-scatter.js";
import "../define/head-scores.js";
import "../define/head-table.js";
import type { Head } from "../heads.js";
import { titleOf } from "../score-names.js";
import {
  choiceStyles,
  FigureView,
  type FigureState,
  type Request,
  type ViewModule,
} from "./view.js";

type As = "grid" | "table" | "scatter";

interface Settings {
  /** Which score the grid shows, and the minimum is about. */
  kind: string;
  as: As;
  /** Only this layer; null for all. */
  layer: number | null;
  /** Only heads whose score is at least this. */
  minimum: number;
  sort: Column;
  descending: boolean;
  /** How the attention of each head is compared with that of the chosen one; "none" for no comparison. */
  measure: "none" | "mul" | "abs";
}

/** Scores, and whether they are about the text. */
interface Result {
  isOnText: boolean;
  table: LabelledTensor;
}

const NO_PLACE = "no place in this text to measure it";

/** Random tokens that repeat once have positions for every score. */
const ALL_KINDS = measurable([0, 0, 0]);

export class ScoresView extends FigureView<Settings, Result> {
  override paper = {
    title: "Olsson et al. 2022",
    href: "https://transformer-circuits.pub/2022/in-context-learning-and-induction-heads/index.html",
  };

  static override styles = [
    ...FigureView.styles,
    choiceStyles,
    css`
      .tools {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 0.4rem 0.9rem;
        margin-bottom: 0.6rem;
        font-size: 0.86rem;
      }
      .tools label {
        display: inline-flex;
        align-items: center;
        gap: 0.35rem;
        max-width: 100%;
      }
      .tools select {
        min-width: 0;
        max-width: 100%;
      }
      .tools input {
        width: 4.6rem;
      }
    `,
  ];

  /** Scores on the text come with its reading, except for the similarity to a head. */
  override get result() {
    const isOnText = this.figure?.measured === "text";
    if (isOnText && this.settings.measure === "none") return NO_RESULT;
    const found = super.result;
    return found.value && found.value.isOnText !== isOnText ? { ...found, value: null } : found;
  }

  override draw(figure: FigureState, reading: Reading) {
    const isOnText = figure.measured === "text";
    const table = this.result.value?.table ?? (isOnText ? reading.table : null);
    if (!table)
      return isOnText ? html`<p class="soft" role="status">Measuring the heads …</p>` : "";
    const rows = headRows(table);
    const kept = filtered(rows, { ...this.settings, kind: this.#kind(table) });
    return html`
      ${this.#renderTools(figure, rows.length, kept.length, table)}
      ${this.#renderScores(figure, table, kept, isOnText ? new Set([...this.#measurable(reading), "similarity"]) : ALL_KINDS)}
    `;
  }

  /** The chosen score; without a comparison there is no similarity. */
  #kind({ labels }: LabelledTensor) {
    return labels.score.includes(this.settings.kind) ? this.settings.kind : "induction";
  }

  #renderScores(
    { layer, head, off }: FigureState,
    table: LabelledTensor,
    kept: readonly HeadRow[],
    kinds: ReadonlySet<string>,
  ) {
    const { as, sort, descending } = this.settings;
    const kind = this.#kind(table);
    const onHover = (event: CustomEvent<Head | null>) => this.hover({ hoveredHead: event.detail });
    const onSelect = (event: CustomEvent<Head>) =>
      this.choose({ ...event.detail, view: "attention" });
    if (as === "scatter")
      return html`<head-scatter .rows=${kept} .layers=${table.shape[1]} .layer=${layer} .head=${head} .off=${off} @head-hover=${onHover} @head-select=${onSelect}></head-scatter>`;
    const missing = Object.fromEntries(
      table.labels.score.map((name) => [name, kinds.has(name) ? NOT_A_NUMBER : NO_PLACE]),
    );
    if (as === "table")
      return html`<head-table
          .rows=${kept}
          .columns=${table.labels.score}
          .missing=${missing}
          .layer=${layer}
          .head=${head}
          .off=${off}
          .sort=${sort}
          .descending=${descending}
          @sort-change=${(event: CustomEvent<{ sort: Column; descending: boolean }>) => this.remember(event.detail)}
          @head-hover=${onHover}
          @head-select=${onSelect}
        ></head-table>
        ${this.#renderMissing(kept, table.labels.score, missing)}`;
    return html`<head-scores
      .scores=${table}
      .measurable=${kinds}
      .kind=${kind}
      .layer=${layer}
      .head=${head}
      .off=${off}
      .kept=${kept.length < table.shape[1] * table.shape[2] ? kept : null}
      @kind-change=${(event: CustomEvent<string>) => this.remember({ kind: event.detail })}
      @head-hover=${onHover}
      @head-select=${onSelect}
    ></head-scores>`;
  }

  /** How the scores are shown, what they are measured on, and which heads are kept. */
  #renderTools(figure: FigureState, count: number, kept: number, table: LabelledTensor) {
    const { as, layer, minimum } = this.settings;
    const kind = this.#kind(table);
    const shows: [As, string][] = [
      ["grid", "grid"],
      ["table", "table"],
      ["scatter", "scatter"],
    ];
    const written = (event: Event) => (event.target as HTMLInputElement).value;
    const onMinimum = (event: Event) => {
      const value = Number(written(event));
      this.remember({ minimum: Number.isFinite(value) ? Math.max(0, Math.min(1, value)) : 0 });
    };
    const layers = Array.from({ length: table.shape[1] }, (_, at) => at);
    return html`<div class="tools">
      <span class="choice" role="group" aria-label="shown as">${shows.map(([name, title]) => html`<button aria-pressed=${as === name} @click=${() => this.remember({ as: name })}>${title}</button>`)}</span>
      ${this.#measuredOn(figure)}
      <label>layer
        <select name="layer" @change=${(event: Event) => this.remember({ layer: written(event) === "" ? null : Number(written(event)) })}>
          <option value="" .selected=${layer === null}>all</option>
          ${layers.map((at) => html`<option value=${at} .selected=${layer === at}>${at}</option>`)}
        </select>
      </label>
      <label>at least <input name="minimum" type="number" min="0" max="1" step="0.05" .value=${String(minimum)} @change=${onMinimum} /></label>
      <label>of
        <select name="kind" aria-label="the score that the minimum is about" @change=${(event: Event) => this.remember({ kind: written(event) })}>
          ${table.labels.score.map((name) => html`<option value=${name} .selected=${kind === name}>${titleOf(name)}</option>`)}
        </select>
      </label>
      ${figure.measured === "text" ? this.#renderMeasure(figure) : ""}
      <span class="soft" role="status">${kept < count ? `${kept} of ${count} heads` : `all ${count} heads`}</span>
      ${layer !== null && layer >= layers.length ? html`<span role="status">This model has no layer ${layer}.</span>` : ""}
    </div>`;
  }

  #renderMeasure({ layer, head }: FigureState) {
    const measures: [Settings["measure"], string][] = [
      ["none", "nothing"],
      ["mul", `head ${layer}.${head}: share of attention on its edges`],
      ["abs", `head ${layer}.${head}: 1 minus the mean difference of a row`],
    ];
    const offered = measures.filter(([measure]) => this.offers({ measure }));
    if (offered.length < 2) return "";
    const onChange = (event: Event) =>
      this.remember({ measure: (event.target as HTMLSelectElement).value as Settings["measure"] });
    return html`<label>similarity to
      <select name="measure" @change=${onChange}>${offered.map(([name, title]) => html`<option value=${name} .selected=${this.settings.measure === name}>${title}</option>`)}</select>
    </label>`;
  }

  /** Why a column has no numbers. */
  #renderMissing(
    rows: readonly HeadRow[],
    names: readonly string[],
    missing: Readonly<Record<string, string>>,
  ) {
    return names
      .map((name) => ({
        name,
        count: rows.filter(({ scores }) => Number.isNaN(scores[name])).length,
      }))
      .filter(({ count }) => count > 0)
      .map(
        ({ name, count }) =>
          html`<p class="soft">– in ${titleOf(name)}, at ${count} heads: ${missing[name]}.</p>`,
      );
  }

  override says({ measured }: FigureState) {
    const isOnText = measured === "text";
    return html`<strong>How much each head is of one kind${isOnText ? ", on this text" : ", on random tokens that repeat once"}.</strong>
      <span class="soft">${isOnText ? "The mean attention that it gives to such tokens." : "Random tokens can be predicted only from their first occurrence, so this is the usual test for heads that look back."} Choosing a head shows its attention.</span> ${this.source()}`;
  }

  #measuredOn({ measured, offers }: FigureState) {
    if (!offers({ measured: measured === "text" ? "random" : "text" })) return "";
    return html`<span class="choice" role="group" aria-label="measured on">
      <button aria-pressed=${measured === "text"} @click=${() => this.choose({ measured: "text" })}>this text</button>
      <button aria-pressed=${measured === "random"} @click=${() => this.choose({ measured: "random" })}>random tokens</button>
    </span>`;
  }

  /** The scores that the text has a position for, computed once for each text. */
  #measurable({ ids }: Reading) {
    if (this.#kinds?.ids !== ids) this.#kinds = { ids, kinds: measurable(ids) };
    return this.#kinds.kinds;
  }

  #kinds: { ids: Uint32Array; kinds: Set<string> } | null = null;
}

/** Scores on the text come with its reading. The similarity to the chosen head is one more score. */
function request(figure: FigureState, settings: object): Request<Result> | null {
  const { measured, reading, layer, head } = figure;
  const { measure } = settings as Settings;
  if (measured === "random")
    return {
      key: "random tokens",
      compute: async (model, { interventions, signal, onProgress }) => {
        const options = { interventions, signal, onProgress };
        return { isOnText: false, table: (await model.headScores(undefined, options)).scores };
      },
    };
  const pattern = reading?.patterns[layer];
  if (measure === "none" || !pattern) return null;
  return {
    key: `${measure} ${layer}.${head}`,
    compute: async (model, { reading: { ids }, interventions, signal, onProgress }) => {
      const { data, rows, columns } = headMatrix(pattern, head);
      const wanted = Array.from({ length: rows }, (_, row) =>
        data.subarray(row * columns, (row + 1) * columns),
      );
      const options = { pattern: wanted, measure, interventions, signal, onProgress };
      const { scores, similarity } = await model.headScores(ids, options);
      return { isOnText: true, table: similarity ? withSimilarity(scores, similarity) : scores };
    },
  };
}

/** The scores with one more, "similarity". */
function withSimilarity(scores: LabelledTensor, { data }: Tensor): LabelledTensor {
  const [count, layers, heads] = scores.shape;
  const all = new Float32Array(scores.data.length + data.length);
  all.set(scores.data);
  all.set(data, scores.data.length);
  const labels = { ...scores.labels, score: [...scores.labels.score, "similarity"] };
  return { data: all, shape: [count + 1, layers, heads], axes: scores.axes, labels };
}

export const view: ViewModule = { tag: "scores-view", element: ScoresView, request };

declare global {
  interface HTMLElementTagNameMap {
    "scores-view": ScoresView;
  }
}
