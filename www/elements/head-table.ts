// <head-table>: the scores of heads as a table that is sorted by any column.

import { css, html } from "lit";

import { formatSignificant } from "../draw/format.js";
import { sorted, type Column, type HeadRow } from "../session/head-table.js";
import { TypedElement } from "./base.js";
import { headElements, includesHead, isSameHead, type Head } from "./heads.js";
import { titleOf } from "./score-names.js";
import { clamp, Interaction } from "./interaction.js";
import { base } from "./styles.js";

export interface HeadTableEvents {
  "head-hover": Head | null;
  "head-select": Head;
  /** The owner sets `sort` and `descending`. */
  "sort-change": { sort: Column; descending: boolean };
}

export class HeadTable extends TypedElement<HeadTableEvents> {
  static override properties = {
    rows: { attribute: false },
    columns: { attribute: false },
    missing: { attribute: false },
    layer: { type: Number },
    head: { type: Number },
    off: { attribute: false },
    sort: { type: String },
    descending: { type: Boolean },
  };

  static override styles = [
    base,
    css`
      .scroll {
        max-height: 26rem;
        overflow: auto;
        scrollbar-width: thin;
        border: 1px solid var(--line);
        border-radius: 4px;
      }
      table {
        border-collapse: collapse;
        width: 100%;
        max-width: 46rem;
        font-size: 0.86rem;
      }
      th {
        position: sticky;
        top: 0;
        padding: 0.2rem 0.3rem;
        background: var(--paper);
        text-align: right;
        font-weight: 400;
      }
      th button {
        padding: 0.1em 0.6em;
        font-size: 0.82rem;
      }
      td {
        padding: 0.12rem 0.9rem;
        text-align: right;
        border-top: 1px solid var(--line);
      }
      tbody tr {
        cursor: pointer;
      }
      tbody tr:hover,
      tbody tr[aria-selected="true"] {
        background: var(--glow);
      }
      tbody tr:focus-visible {
        outline-offset: -2px;
      }
      .off {
        text-decoration: line-through;
      }
      .none {
        color: var(--soft);
      }
    `,
  ];

  /** The heads that are shown. */
  declare rows: readonly HeadRow[];
  /** The names of the scores. */
  declare columns: readonly string[];
  /** By the name of a score: why a head may have none. */
  declare missing: Readonly<Record<string, string>>;
  /** The selected head. */
  declare layer: number;
  declare head: number;
  /** Heads that are switched off. */
  declare off: readonly Head[];
  declare sort: Column;
  declare descending: boolean;

  readonly interaction: Interaction<Head> = new Interaction(this, {
    start: () => this.#sorted.find((row) => isSameHead(row, this)) ?? this.#sorted[0] ?? this,
    move: (from, { rows, columns }) => {
      const all = this.#sorted;
      const at = all.findIndex((row) => isSameHead(row, from));
      const step = rows !== 0 ? rows : Number.isFinite(columns) ? 0 : columns;
      const to = all[clamp(at + step, all.length)];
      return to ? { layer: to.layer, head: to.head } : null;
    },
    onHover: (head) => this.emit("head-hover", head),
    onSelect: (head) => this.emit("head-select", head),
    elements: headElements(this),
    shiftSteps: 5,
  });

  constructor() {
    super();
    this.rows = [];
    this.columns = [];
    this.missing = {};
    this.layer = 0;
    this.head = 0;
    this.off = [];
    this.sort = "layer";
    this.descending = false;
  }

  get #sorted() {
    return sorted(this.rows, this.sort, this.descending);
  }

  override render() {
    const rows = this.#sorted;
    const hasSelected = rows.some((row) => isSameHead(row, this));
    return html`<div class="scroll">
      <table class="mono" role="grid" aria-label="scores of ${rows.length} heads" aria-rowcount=${rows.length + 1} @keydown=${this.interaction.onKeyDown} @focusout=${this.interaction.onFocusOut} @pointerleave=${this.interaction.leave}>
        <thead><tr role="row">${["layer", "head", ...this.columns].map((column) => this.#renderHeader(column))}</tr></thead>
        <tbody>${rows.map((row, at) => this.#renderRow(row, hasSelected ? isSameHead(row, this) : at === 0))}</tbody>
      </table>
    </div>`;
  }

  #renderHeader(column: Column) {
    const isSorted = column === this.sort;
    const direction = this.descending ? "descending" : "ascending";
    const next = { sort: column, descending: isSorted ? !this.descending : isScore(column) };
    return html`<th scope="col" role="columnheader" aria-sort=${isSorted ? direction : "none"}>
      <button aria-pressed=${isSorted} @click=${() => this.emit("sort-change", next)}>${titleOf(column)}${isSorted ? (this.descending ? " ↓" : " ↑") : ""}</button>
    </th>`;
  }

  #renderRow(row: HeadRow, isInTabOrder: boolean) {
    const { layer, head, scores } = row;
    const place = { layer, head };
    const value = (name: string) =>
      Number.isNaN(scores[name])
        ? html`<td class="none" role="gridcell" title=${this.missing[name] ?? ""}>–</td>`
        : html`<td role="gridcell">${formatSignificant(scores[name], 4)}</td>`;
    return html`<tr
      role="row"
      class=${includesHead(this.off, place) ? "off" : ""}
      tabindex=${isInTabOrder ? 0 : -1}
      aria-selected=${isSameHead(row, this)}
      data-layer=${layer}
      data-head=${head}
      @pointerenter=${() => this.interaction.hover(place)}
      @focus=${() => this.interaction.hover(place)}
      @click=${() => this.interaction.choose(place)}
    ><td role="gridcell">${layer}</td><td role="gridcell">${layer}.${head}</td>${this.columns.map(value)}</tr>`;
  }
}

/** Scores are sorted with the greatest first, unless the visitor turns the order. */
function isScore(column: Column) {
  return column !== "layer" && column !== "head";
}

declare global {
  interface HTMLElementTagNameMap {
    "head-table": HeadTable;
  }
}
