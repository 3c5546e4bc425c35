// <paths-view>: path patching. Every head is a sender; its change reaches only the logits, or one input of the chosen head.

import { html } from "lit";

import { formatShort } from "../../draw/format.js";
import type { Stretch } from "../../draw/scale.js";
import type { Cell } from "../../draw/signed-heatmap.js";
import type { Reading } from "../../session/reading.js";
import { tableOf, type SweepTopic } from "../../session/sweep-table.js";
import { pathWorkOf, sweepRequest, type Sweep } from "../../session/sweeps.js";
import "../define/heat-table.js";
import type { Head } from "../heads.js";
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

type To = "logits" | "q" | "k" | "v";

interface Settings extends SweepSettings {
  /** The logits, or an input of the chosen head. */
  receivers: To;
  mlps: "frozen" | "recomputed";
}

interface Result {
  sweep: Sweep;
  topic: SweepTopic;
  receivers: To;
  /** the receiving head */
  head: Head;
}

const INPUTS: Readonly<Record<To, string>> = {
  logits: "the logits",
  q: "queries",
  k: "keys",
  v: "values",
};

export class PathsView extends FigureView<Settings, Result> {
  override sentence =
    "Which heads act on the logits, or on the chosen head, directly: each head's output is taken from the other run, and reaches only there.";
  override paper = { title: "Wang et al. 2022", href: "https://arxiv.org/abs/2211.00593" };

  static override styles = [...FigureView.styles, ...sweepStyles];

  /** Nothing, while something that it needs is missing: neither a former picture nor a former failure is about this. */
  override get result() {
    return this.figure && whyNot(this.figure, this.settings) ? NO_RESULT : super.result;
  }

  override draw(figure: FigureState, _reading: Reading) {
    const { value } = this.result;
    const why = whyNot(figure, this.settings);
    return html`
      <div class="controls">${this.#controls(figure)}</div>
      ${why ? html`<p class="why" role="status">${why}</p>` : value ? this.#map(figure, value) : ""}
    `;
  }

  #controls({ layer, head, architecture }: FigureState) {
    const { receivers, mlps } = this.settings;
    const to = (name: To) =>
      html`<button aria-pressed=${receivers === name} @click=${() => this.remember({ receivers: name })}>${INPUTS[name]}</button>`;
    const path = (name: Settings["mlps"], title: string) =>
      html`<button title=${title} aria-pressed=${mlps === name} @click=${() => this.remember({ mlps: name })}>MLPs ${name}</button>`;
    return html`
      <span class="choice" role="group" aria-label="receivers: the logits, or an input of head ${layer}.${head}">${to("logits")}${to("q")}${to("k")}${to("v")}</span>
      <span class="soft">${receivers === "logits" ? "" : `of head ${layer}.${head}`}</span>
      ${
        architecture.attn_only
          ? ""
          : html`<span class="choice" role="group" aria-label="MLPs between sender and receiver">${path("frozen", "MLPs keep the output of the patched run: only the residual stream carries the change")}${path("recomputed", "paths through MLPs count as direct, as in Wang et al.")}</span>`
      }
      ${sweepControls(this.settings, this.result.value?.sweep.normalized !== null, (settings) => this.remember(settings))}
    `;
  }

  #map(figure: FigureState, result: Result) {
    const { sweep, topic } = result;
    const isNormalized = this.settings.normalized && sweep.normalized !== null;
    const values = (isNormalized && sweep.normalized) || sweep.raw;
    const { table, rows, columns } = tableOf(values, topic);
    const isDenoise = topic.direction === "denoise";
    const middle = isNormalized ? Number(!isDenoise) : isDenoise ? sweep.corrupted : sweep.clean;
    const to = receiverWords(result);
    const count = figure.reading?.interventions.length ?? 0;
    return html`
      ${runsSentence(sweep, topic, `Each cell is a head whose output comes from the other run, and reaches only ${to}; every other head keeps its output.${count > 0 ? ` The sweep is without the interventions of the list (${count}).` : ""}`)}
      <heat-table
        .table=${table}
        .rows=${rows}
        .columns=${columns}
        rowTitle="layer of the sender"
        columnTitle="head"
        label="${topic.metric} if each head's change reaches only ${to}"
        quantity=${isNormalized ? "0: corrupted run, 1: clean run" : topic.metric}
        .middle=${Number.isFinite(middle) ? middle : 0}
        middleText=${Number.isFinite(middle) ? "paper: no effect," : ""}
        .scale=${figure.scale}
        .sentence=${(cell: Cell) => pathWords(result, cell)}
        @cell-hover=${(event: CustomEvent<Cell | null>) => this.#onHover(event.detail)}
        @scale-change=${(event: CustomEvent<Stretch>) => this.choose({ scale: event.detail })}
      ></heat-table>
    `;
  }

  #onHover(cell: Cell | null) {
    this.hover({ hoveredHead: cell && { layer: cell.row, head: cell.column } });
  }
}

function receiverWords({ receivers, head: { layer, head } }: Pick<Result, "receivers" | "head">) {
  return receivers === "logits"
    ? INPUTS.logits
    : `the ${INPUTS[receivers]} of head ${layer}.${head}`;
}

/** What a cell says: its numbers and the path. */
function pathWords(result: Result, { row: layer, column: head }: Cell): string {
  const { sweep, topic, receivers } = result;
  const { raw, normalized, clean, corrupted } = sweep;
  const at = layer * raw.shape[1] + head;
  const exact = (value: number) => formatShort(value, 7);
  const isBefore = receivers === "logits" || layer < result.head.layer;
  const note = isBefore ? "" : " (not before the receiver, so there is no path)";
  const share = normalized ? `; normalized ${exact(normalized.data[at])}` : "";
  return `head ${layer}.${head} to ${receiverWords(result)}${note}: ${topic.metric} ${exact(raw.data[at])}${share} (clean run ${exact(clean)}, corrupted run ${exact(corrupted)})`;
}

/** Why there is no sweep; empty if there can be one. */
function whyNot(figure: FigureState, settings: Settings): string {
  const prompts = promptsOf(figure, settings);
  if ("why" in prompts) return prompts.why;
  if (settings.receivers !== "logits" && figure.layer === 0)
    return `Head 0.${figure.head} is in the first layer, so no head comes before it. Choose a receiving head in a later layer at the left, or the logits.`;
  return "";
}

function request(
  figure: FigureState,
  chosen: Readonly<Record<string, unknown>>,
): Request<Result> | null {
  const settings = chosen as unknown as Settings;
  const { receivers: to, mlps, direction, loss } = settings;
  const prompts = promptsOf(figure, settings);
  if ("why" in prompts || whyNot(figure, settings)) return null;
  const { layer, head, architecture } = figure;
  const receivers = to === "logits" ? to : [{ layer, head, input: to }];
  const options = { receivers, mlps } as const;
  const measure = measureOf(figure, loss);
  const sweep = sweepRequest(
    prompts,
    { measure, direction },
    {
      name: "pathPatching",
      options,
      work: pathWorkOf(receivers, architecture, prompts.reading.ids.length),
    },
    (model, all, hooks) => model.pathPatching({ ...all, ...hooks }),
  );
  if (!sweep) return null;
  const topic: SweepTopic = {
    ...{ at: "z" as const, direction, layer, metric: metricWords(measure) },
    ...tokensOfBoth(prompts),
    isEstimate: false,
  };
  return {
    ...sweep,
    compute: async (model, context) => ({
      ...{ sweep: await sweep.compute(model, context), topic },
      ...{ receivers: to, head: { layer, head } },
    }),
  };
}

export const view: ViewModule = { tag: "paths-view", element: PathsView, request };

declare global {
  interface HTMLElementTagNameMap {
    "paths-view": PathsView;
  }
}
