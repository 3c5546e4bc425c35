// <patching-view>: activation patching as a heat map. A click on a cell applies its patch to the text.

import { css, html } from "lit";

import { formatShort } from "../../draw/format.js";
import type { Stretch } from "../../draw/scale.js";
import type { Cell } from "../../draw/signed-heatmap.js";
import { whyAbsent } from "../../session/architecture.js";
import { parseIds } from "../../session/ids.js";
import type { Reading } from "../../session/reading.js";
import {
  cellWords,
  largestEffects,
  patchAt,
  patchWords,
  tableOf,
  type SweepTopic,
} from "../../session/sweep-table.js";
import {
  hookOf,
  isOfHeads,
  metricOfReading,
  patchOf,
  sweepRequest,
  TARGETS,
  workOf,
  type Sweep,
  type Target,
} from "../../session/sweeps.js";
import type { LabState } from "../../state/state.js";
import "../define/heat-table.js";
import {
  measureOf,
  metricWords,
  promptsOf,
  runsSentence,
  sweepControls,
  sweepStyles,
  tokensOfBoth,
  type SweepSettings,
} from "./sweeps.js";
import { FigureView, NO_RESULT, type FigureState, type Request, type ViewModule } from "./view.js";

interface Settings extends SweepSettings {
  at: Target;
  method: "activation" | "attribution";
  eachPosition: boolean;
  /** Of the neurons. */
  layer: number;
}

interface Result {
  sweep: Sweep;
  topic: SweepTopic;
  position: number | null;
}

/** How many neurons are listed. */
const LISTED = 20;

export class PatchingView extends FigureView<Settings, Result> {
  override sentence =
    "What each activation is responsible for: it is taken from the run of the other prompt, and the answer's logit shows what that changes.";
  override paper = {
    title: "Heimersheim and Nanda 2024",
    href: "https://arxiv.org/abs/2404.15255",
  };

  static override properties = { ...FigureView.properties, applied: { state: true } };

  static override styles = [
    ...FigureView.styles,
    ...sweepStyles,
    css`
      ol {
        list-style: none;
        margin: 0;
        padding: 0;
        columns: 15rem auto;
        column-gap: 1.4rem;
        font-size: 0.84rem;
      }
      .one {
        display: grid;
        grid-template-columns: 1fr 5rem;
        gap: 0.5rem;
        width: 100%;
        padding: 0.08rem 0.4rem;
        border-color: transparent;
        border-radius: 4px;
        background: none;
        text-align: left;
      }
      .one .value {
        text-align: right;
      }
    `,
  ];

  /** The patch that was applied last, and the number of its cell. */
  declare applied: { words: string; cell: Cell; value: number; raw: Sweep["raw"] } | null;

  constructor() {
    super();
    this.applied = null;
  }

  /** Nothing, while something that it needs is missing: neither a former picture nor a former failure is about this. */
  override get result() {
    return this.figure && whyNot(this.figure, this.settings) ? NO_RESULT : super.result;
  }

  override draw(figure: FigureState, reading: Reading) {
    const { value } = this.result;
    const why = whyNot(figure, this.settings);
    return html`
      <div class="controls">${this.#controls(figure)}</div>
      ${why ? html`<p class="why" role="status">${why}</p>` : value ? this.#map(figure, value) : ""}
      ${why ? "" : this.#applied(reading, value)}
    `;
  }

  #controls(figure: FigureState) {
    const { at, method, eachPosition, layer } = this.settings;
    const { n_layer: layers = 1 } = figure.architecture;
    const isByUnit = isOfHeads(at) || at === "post";
    return html`
      <label>patch <select name="at" @change=${(event: Event) => this.remember({ at: (event.target as HTMLSelectElement).value as Target })}>
        ${Object.entries(TARGETS).map(([name, { title }]) => html`<option value=${name} ?selected=${name === at} .selected=${name === at}>${title}</option>`)}
      </select></label>
      ${at === "post" ? html`<label>layer <input type="number" name="layer" min="0" max=${layers - 1} step="1" .value=${String(layer)} @change=${this.#onLayer} /></label>` : ""}
      ${isByUnit ? html`<label><input type="checkbox" name="eachPosition" .checked=${eachPosition} @change=${(event: Event) => this.remember({ eachPosition: (event.target as HTMLInputElement).checked })} /> each position</label>` : ""}
      <span class="choice" role="group" aria-label="method">
        <button title="a run for each patch: exact" aria-pressed=${method === "activation"} @click=${() => this.remember({ method: "activation" })}>activation</button>
        <button title="one backward pass: an estimate of every patch" aria-pressed=${method === "attribution"} @click=${() => this.remember({ method: "attribution" })}>attribution</button>
      </span>
      ${sweepControls(this.settings, this.result.value?.sweep.normalized !== null, (settings) => this.remember(settings))}
    `;
  }

  #onLayer = (event: Event) => {
    const input = event.target as HTMLInputElement;
    if (input.value !== "" && input.validity.valid) this.remember({ layer: Number(input.value) });
    else input.value = String(this.settings.layer);
  };

  #map(figure: FigureState, { sweep, topic }: Result) {
    const isNormalized = this.settings.normalized && sweep.normalized !== null;
    const values = (isNormalized && sweep.normalized) || sweep.raw;
    const { table, ...labels } = tableOf(values, topic);
    const isDenoise = topic.direction === "denoise";
    const base = isDenoise ? sweep.corrupted : sweep.clean;
    const middle = isNormalized ? (isDenoise ? 0 : 1) : base;
    const { applied } = this;
    return html`
      ${runsSentence(sweep, topic, this.#advice(figure, topic))}
      <heat-table
        .table=${table}
        .rows=${labels.rows}
        .columns=${labels.columns}
        rowTitle=${labels.rowTitle}
        columnTitle=${labels.columnTitle}
        label="${topic.metric} under each patch of the ${TARGETS[topic.at].title}"
        quantity=${isNormalized ? "0: corrupted run, 1: clean run" : topic.metric}
        .middle=${Number.isFinite(middle) ? middle : 0}
        middleText=${Number.isFinite(middle) ? "paper: no effect," : ""}
        .scale=${figure.scale}
        action="applies the patch"
        .lock=${applied?.raw === sweep.raw ? applied.cell : null}
        .sentence=${(cell: Cell) => cellWords(sweep, topic, cell)}
        @cell-hover=${(event: CustomEvent<Cell | null>) => this.#onHover(sweep, topic, event.detail)}
        @cell-choose=${(event: CustomEvent<Cell>) => this.#apply(figure, sweep, topic, event.detail)}
        @scale-change=${(event: CustomEvent<Stretch>) => this.choose({ scale: event.detail })}
      ></heat-table>
      ${topic.at === "post" ? this.#neurons(sweep, topic, base) : ""}
    `;
  }

  /** What a click does. */
  #advice({ reading }: FigureState, { direction }: SweepTopic) {
    const count = reading?.interventions.length ?? 0;
    const how =
      direction === "noise"
        ? "A click on a cell, or Enter, applies its patch to the text."
        : "A click on a cell, or Enter, applies its patch; the two prompts then change places, because the corrupted one is patched.";
    const others =
      count > 0 ? ` The sweep is without the interventions of the list (${count}).` : "";
    return how + others;
  }

  /** The neurons with the largest effects. */
  #neurons(sweep: Sweep, topic: SweepTopic, base: number) {
    const { columns } = tableOf(sweep.raw, topic).table;
    const cells = largestEffects(sweep.raw, base, LISTED).map(({ at, effect }) => ({
      cell: { row: Math.floor(at / columns), column: at % columns },
      effect,
    }));
    return html`
      <p class="runs">The largest effects: how far a patch moves the metric.</p>
      <ol aria-label="neurons with the largest effects">${cells.map(({ cell, effect }) => {
        const { neuron, position } = patchAt(sweep.raw, topic, cell);
        const place = position === undefined ? "" : ` at position ${position}`;
        return html`<li><button class="one" title=${cellWords(sweep, topic, cell)} @click=${() => this.figure && this.#apply(this.figure, sweep, topic, cell)}>
          <span>neuron <span class="mono">${neuron}</span>${place}</span><span class="value mono">${effect > 0 ? "+" : ""}${formatShort(effect, 4)}</span>
        </button></li>`;
      })}</ol>
    `;
  }

  #onHover({ raw }: Sweep, topic: SweepTopic, cell: Cell | null) {
    const position = cell && patchAt(raw, topic, cell).position;
    this.hover({ hoveredToken: position ?? null });
  }

  /** Applies the patch of a cell to the text; the prompts change places if it is a patch of the corrupted one. */
  #apply(figure: FigureState, sweep: Sweep, topic: SweepTopic, cell: Cell) {
    const { reading, corrupted } = figure;
    const { isCurrent, value } = this.result;
    if (!reading || !corrupted || !isCurrent || value?.sweep !== sweep) return;
    const { raw } = sweep;
    const patch = patchAt(raw, topic, cell);
    const columns = tableOf(raw, topic).table.columns;
    const number = raw.data[cell.row * columns + cell.column];
    this.applied = { words: patchWords(topic, patch), cell, value: number, raw };
    if (topic.direction === "denoise") {
      const ids = Array.from(reading.isIds ? parseIds(corrupted.text, figure.vocabulary) : []);
      const choice: Partial<LabState> = {
        ...(reading.isIds ? { ids } : { prompt: corrupted.text }),
        corrupted: reading.text,
        views: { [this.name]: { ...figure.views[this.name], direction: "noise" } },
      };
      this.dispatchEvent(
        new CustomEvent("figure-change", { detail: choice, bubbles: true, composed: true }),
      );
    }
    this.emit("intervention-add", patchOf(topic.at, patch));
  }

  /** The patch that was applied, and the number that the text has now. */
  #applied(reading: Reading, result: Result | null) {
    const { applied } = this;
    if (!applied || !result || applied.raw !== result.sweep.raw) return "";
    const now = metricOfReading(reading, result.sweep, result.position);
    const count = reading.interventions.length;
    const exact = (value: number) => html`<span class="mono">${formatShort(value, 7)}</span>`;
    return html`<p class="applied" role="status">Applied: ${applied.words}. The cell says ${exact(applied.value)}${
      count === 0 || now === null
        ? "."
        : html`; the text now has <span class="now">${exact(now)}</span>${count > 1 ? `, with all ${count} interventions of the list` : ""}.`
    }${result.topic.isEstimate ? " The cell is an estimate, the text a run." : ""}</p>`;
  }
}

/** Why there is no sweep; empty if there can be one. */
function whyNot(figure: FigureState, settings: Settings): string {
  const { at, layer } = settings;
  const absent = whyAbsent(hookOf(at, 0), figure.architecture);
  if (absent)
    return `There is nothing to patch there: ${absent.replace(/^it/, "the model")}. Choose another activation.`;
  const { n_layer: layers } = figure.architecture;
  if (at === "post" && layers !== undefined && layer >= layers)
    return `The model has no layer ${layer}: its layers are 0 to ${layers - 1}.`;
  const prompts = promptsOf(figure, settings);
  return "why" in prompts ? prompts.why : "";
}

function request(
  figure: FigureState,
  chosen: Readonly<Record<string, unknown>>,
): Request<Result> | null {
  const settings = chosen as unknown as Settings;
  const { at, method, direction, layer, loss } = settings;
  const prompts = promptsOf(figure, settings);
  if ("why" in prompts || whyNot(figure, settings)) return null;
  const isByUnit = isOfHeads(at) || at === "post";
  const eachPosition = isByUnit && settings.eachPosition;
  const options = { at, method, eachPosition, ...(at === "post" && { layer }) };
  const measure = measureOf(figure, loss);
  const { vocabulary, architecture, position } = figure;
  const size = { tokens: prompts.reading.ids.length, vocabulary, isLoss: loss };
  const sweep = sweepRequest(
    prompts,
    { measure, direction },
    { name: "patching", options, work: workOf(options, architecture, size) },
    (model, all, hooks) => model.patching({ ...all, ...hooks }),
  );
  if (!sweep) return null;
  const topic: SweepTopic = {
    ...{ at, direction, layer, metric: metricWords(measure), ...tokensOfBoth(prompts) },
    isEstimate: method === "attribution",
  };
  return {
    ...sweep,
    compute: async (model, context) => {
      return { sweep: await sweep.compute(model, context), topic, position };
    },
  };
}

export const view: ViewModule = { tag: "patching-view", element: PatchingView, request };

declare global {
  interface HTMLElementTagNameMap {
    "patching-view": PatchingView;
  }
}
