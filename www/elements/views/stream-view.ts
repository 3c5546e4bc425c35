// <stream-view>: the residual stream in parts, as the norm of each part at each position.

import { html } from "lit";

import type { ResidualOptions } from "../../api/generated.js";
import { formatShort } from "../../draw/format.js";
import type { Table } from "../../draw/heat-table.js";
import type { Stretch } from "../../draw/scale.js";
import type { Cell } from "../../draw/signed-heatmap.js";
import { truncate, type Token } from "../../draw/token.js";
import { normsOf, positionsThatFit } from "../../session/norms.js";
import "../define/heat-table.js";
import { controlStyles } from "./controls.js";
import {
  choiceStyles,
  FigureView,
  type FigureState,
  type Request,
  type ViewModule,
} from "./view.js";

type Stack = "decomposed" | "accumulated" | "heads";

interface Settings {
  stack: Stack;
  layerNorm: "none" | "frozen";
}

interface Result {
  /** The norm of each part (row) at each position (column). */
  table: Table;
  parts: readonly string[];
  tokens: readonly Token[];
  /** The position of the first column. */
  first: number;
}

const STACKS: Readonly<Record<Stack, string>> = {
  decomposed: "what was written",
  accumulated: "the stream so far",
  heads: "heads",
};

export class StreamView extends FigureView<Settings, Result> {
  override sentence =
    "The residual stream in parts: how much each part writes at each position, as the length of its vector.";
  override paper = {
    title: "Elhage et al. 2021",
    href: "https://transformer-circuits.pub/2021/framework/index.html",
  };

  static override styles = [...FigureView.styles, choiceStyles, controlStyles];

  override draw({ scale, architecture }: FigureState) {
    const { stack, layerNorm } = this.settings;
    const { value } = this.result;
    const stackButton = ([name, title]: [string, string]) =>
      html`<button aria-pressed=${stack === name} @click=${() => this.remember({ stack: name as Stack })}>${title}</button>`;
    const normButton = (name: Settings["layerNorm"], title: string) =>
      html`<button aria-pressed=${layerNorm === name} @click=${() => this.remember({ layerNorm: name })}>${title}</button>`;
    return html`
      <p class="controls">
        <span class="choice" role="group" aria-label="parts">${Object.entries(STACKS).map(stackButton)}</span>
        ${
          architecture.normalization_type === "none"
            ? ""
            : html`<span class="choice" role="group" aria-label="as the unembedding reads it">${normButton("none", "as written")}${normButton("frozen", "after the final LayerNorm")}</span>`
        }
      </p>
      ${value ? this.#map(value, scale) : ""}
    `;
  }

  #map(result: Result, scale: Stretch) {
    const { table, parts, tokens, first } = result;
    return html`
      ${first > 0 ? html`<p class="soft">Only the last ${tokens.length} positions are shown, because the parts of all of them need more memory.</p>` : ""}
      <heat-table
        .table=${table}
        .rows=${parts}
        .columns=${tokens}
        rowTitle="part"
        columnTitle="position"
        label="norm of each part of the residual stream at each position"
        quantity="Euclidean norm"
        sequential
        .scale=${scale}
        .sentence=${(cell: Cell) => sentenceOf(result, cell)}
        @cell-hover=${(event: CustomEvent<Cell | null>) => this.hover({ hoveredToken: event.detail ? event.detail.column + first : null })}
        @scale-change=${(event: CustomEvent<Stretch>) => this.choose({ scale: event.detail })}
      ></heat-table>
    `;
  }
}

function sentenceOf({ table, parts, tokens, first }: Result, { row, column }: Cell) {
  const value = formatShort(table.data[row * table.columns + column], 6);
  return `${parts[row]}, position ${first + column} ${truncate(tokens[column] ?? "", 20)}: ${value}`;
}

function request(
  { reading, architecture }: FigureState,
  settings: Readonly<Record<string, unknown>>,
): Request<Result> | null {
  const { stack, layerNorm } = settings as unknown as Settings;
  const { n_layer: layers = 0, n_head: heads = 0, n_embd: width = 0 } = architecture;
  if (!reading) return null;
  const hasNorm = architecture.normalization_type !== "none" && layerNorm === "frozen";
  const parts = stack === "heads" ? layers * heads : 2 * layers + 3;
  const count = positionsThatFit(reading.ids.length, parts * width);
  const first = reading.ids.length - count;
  return {
    key: `${stack} ${hasNorm}`,
    compute: async (model, { interventions, signal, onProgress }) => {
      const options: ResidualOptions = {
        stack,
        ...(hasNorm && { layerNorm: "frozen" }),
        ...(first > 0 && { positions: Array.from({ length: count }, (_, at) => first + at) }),
        interventions,
      };
      const { parts } = await model.residual(reading.ids, { ...options, signal, onProgress });
      const names = parts.labels.component ?? [];
      return { table: normsOf(parts), parts: names, tokens: reading.tokens.slice(first), first };
    },
  };
}

export const view: ViewModule = { tag: "stream-view", element: StreamView, request };

declare global {
  interface HTMLElementTagNameMap {
    "stream-view": StreamView;
  }
}
