// <model-report>: what a load reports: the family, the format and the sizes of a model, what its files say and do not say, and
// tensor by tensor how they became the model. Numbers that are not finite are visible at once, the rest on request.

import { css, html, LitElement, nothing } from "lit";

import { formatCount } from "../draw/format.js";
import { type ModelSummary, plural } from "../session/architecture.js";
import type { AnyNotice } from "../session/notice.js";
import { filterNotices, type Group, groupNotices, keysOf } from "../session/notices.js";
import { withCode } from "./code.js";
import { base, code } from "./styles.js";

/** A group shows this many notices at once; the table has all of them. */
const MAX_SHOWN = 6;

export class ModelReport extends LitElement {
  static override properties = {
    notices: { attribute: false },
    summary: { attribute: false },
    bits: { attribute: false },
    open: { type: Boolean },
    words: { state: true },
    kind: { state: true },
    isTableOpen: { state: true },
  };

  static override styles = [
    base,
    code,
    css`
      :host {
        font-size: 0.92rem;
      }
      .warning,
      .report {
        margin: 0.4rem 0;
        padding: 0.45rem 0.8rem;
        border: 1px solid var(--line);
        border-radius: 5px;
      }
      .report[open] {
        background: var(--sheet);
      }
      .warning {
        border: 0;
        border-left: 3px solid var(--flame);
        background: var(--glow);
      }
      p,
      h2 {
        margin: 0 0 0.25rem;
        font-weight: 600;
        font-size: inherit;
      }
      h2 .soft,
      .differences {
        font-weight: 400;
      }
      ul {
        margin: 0;
        padding: 0;
        list-style: none;
      }
      .warning ul {
        max-height: 9rem;
        overflow: auto;
      }
      li {
        padding: 0.12rem 0;
        overflow-wrap: anywhere;
      }
      .kind {
        padding: 0 0.4em;
        border: 1px solid var(--line);
        border-radius: 3px;
        font-size: 0.82rem;
        color: var(--soft);
        white-space: nowrap;
      }
      .kind.matters {
        border-color: var(--flame);
        color: var(--ink);
      }
      summary {
        cursor: pointer;
      }
      .head {
        display: inline-flex;
        flex-wrap: wrap;
        gap: 0.15rem 0.5rem;
        max-width: calc(100% - 1.4rem);
        vertical-align: top;
      }
      dl {
        display: grid;
        grid-template-columns: auto minmax(0, 1fr);
        gap: 0.15rem 0.9rem;
        margin: 0.6rem 0;
      }
      dt {
        color: var(--soft);
      }
      dd {
        margin: 0;
      }
      section {
        margin: 0.7rem 0;
      }
      .name,
      .from {
        font-size: 0.84rem;
      }
      form {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 0.4rem 0.8rem;
        margin: 0.5rem 0;
        font-size: 0.85rem;
      }
      form label {
        display: inline-flex;
        align-items: center;
        gap: 0.4rem;
        min-width: 0;
      }
      form input {
        flex: 1;
        font-family: var(--mono);
        font-size: 0.82rem;
      }
      .table {
        max-height: 24rem;
        overflow: auto;
        border: 1px solid var(--line);
        border-radius: 4px;
      }
      table {
        width: 100%;
        min-width: 32rem;
        border-collapse: collapse;
        font-size: 0.82rem;
      }
      th,
      td {
        padding: 0.2rem 0.6rem;
        text-align: left;
        vertical-align: top;
        font-weight: 400;
        border-top: 1px solid var(--line);
        overflow-wrap: anywhere;
      }
      thead th {
        position: sticky;
        top: 0;
        border-top: 0;
        background: var(--sheet);
        color: var(--soft);
      }
      td.mono {
        min-width: 12rem;
      }
      td .from {
        display: block;
        color: var(--soft);
      }
      @media (max-width: 480px) {
        dl {
          grid-template-columns: minmax(0, 1fr);
          gap: 0;
        }
        dd {
          margin-bottom: 0.3rem;
        }
      }
    `,
  ];

  /** What the load reports: `model.report`. */
  declare notices: readonly AnyNotice[];
  declare summary: ModelSummary | null;
  /** How many bits the weights in the file have, if it was rounded; null if that is not known. */
  declare bits: number | null;
  /** All is shown, not only the first line. */
  declare open: boolean;
  /** The filter of the table. */
  declare words: string;
  declare kind: string;
  declare isTableOpen: boolean;

  constructor() {
    super();
    this.notices = [];
    this.summary = null;
    this.bits = null;
    this.open = false;
    this.words = "";
    this.kind = "";
    this.isTableOpen = false;
  }

  override willUpdate(changed: Map<string, unknown>) {
    if (changed.has("notices")) Object.assign(this, { words: "", kind: "", isTableOpen: false });
  }

  override render() {
    const groups = groupNotices(this.notices);
    const broken = groups.find(({ kind }) => kind === "nonFinite");
    return html`
      ${
        broken
          ? html`<div class="warning" role="status"><p>This model holds numbers that are not finite.</p><ul tabindex="0" aria-label="tensors with numbers that are not finite">${broken.notices.map((one) => this.#item(one, broken))}</ul></div>`
          : ""
      }
      ${this.summary || groups.length > (broken ? 1 : 0) ? this.#report(groups) : ""}
    `;
  }

  #report(groups: readonly Group[]) {
    const { summary } = this;
    const toggle = ({ target }: Event) => (this.open = (target as HTMLDetailsElement).open);
    return html`<details class="report" ?open=${this.open} @toggle=${toggle}>
      <summary><span class="head">
        <span>${summary ? `${summary.family}, ${summary.format}` : "This model's files"}</span>
        ${this.bits === null ? "" : html`<span class="kind matters">by its name: ${this.bits}-bit weights</span>`}
        ${groups.map(({ notices, title, matters }) => html`<span class="kind ${matters ? "matters" : ""}">${formatCount(notices.length)} ${title}</span>`)}
        ${groups.length === 0 ? html`<span class="soft">every tensor is used as it is stored</span>` : ""}
      </span></summary>
      ${this.open ? html`${summary ? this.#facts(summary) : ""}${groups.map((group) => this.#group(group))}${groups.length > 0 ? this.#all(groups) : ""}` : ""}
    </details>`;
  }

  #facts({ family, format, sizes, parameterCount, tensorCount, differences }: ModelSummary) {
    return html`<dl>
      <dt>family</dt><dd>${family}</dd>
      <dt>format</dt><dd>${format}</dd>
      <dt>sizes</dt><dd>${sizes}</dd>
      <dt>parameters</dt><dd><span class="mono">${formatCount(parameterCount)}</span> in ${plural(tensorCount, "tensor")}</dd>
      ${differences.length > 0 ? html`<dt>unlike GPT-2</dt><dd>${differences.join(" ")}</dd>` : ""}
    </dl>`;
  }

  /** A kind that matters lists its notices; of the others the number is enough. */
  #group(group: Group) {
    const { notices, title, note, matters } = group;
    const shown = matters ? notices.slice(0, MAX_SHOWN) : [];
    const more = notices.length - shown.length;
    return html`<section>
      <h2>${formatCount(notices.length)} ${title} <span class="soft">${note}</span></h2>
      ${shown.length > 0 ? html`<ul>${shown.map((one) => this.#item(one, group))}</ul>` : ""}
      ${shown.length > 0 && more > 0 ? html`<span class="soft">and ${formatCount(more)} more in the table</span>` : ""}
    </section>`;
  }

  #item(notice: AnyNotice, { title, matters }: Group) {
    return html`<li><span class="kind ${matters ? "matters" : ""}">${title}</span> <span class="name mono">${notice.name}</span>${countOf(notice)} ${withCode(notice.message)}</li>`;
  }

  /** All notices as a table with a filter. */
  #all(groups: readonly Group[]) {
    const toggle = ({ target }: Event) => (this.isTableOpen = (target as HTMLDetailsElement).open);
    return html`<details class="all" ?open=${this.isTableOpen} @toggle=${toggle}>
      <summary>Line by line</summary>
      ${this.isTableOpen ? this.#table(groups) : ""}
    </details>`;
  }

  #table(groups: readonly Group[]) {
    const ordered = groups.flatMap(({ notices }) => notices);
    const shown = filterNotices(ordered, this);
    const titles = new Map(groups.map(({ kind, title }) => [kind, title]));
    return html`
      <form @submit=${(event: Event) => event.preventDefault()}>
        <label>filter <input type="search" .value=${this.words} placeholder="h.0 bias" autocomplete="off" spellcheck="false" @input=${(event: Event) => (this.words = (event.target as HTMLInputElement).value)} /></label>
        <label>kind <select @change=${(event: Event) => (this.kind = (event.target as HTMLSelectElement).value)}>
          <option value="" ?selected=${this.kind === ""}>all</option>
          ${groups.map(({ kind, title }) => html`<option value=${kind} ?selected=${this.kind === kind}>${title}</option>`)}
        </select></label>
        <span class="soft" role="status">${formatCount(shown.length)} of ${formatCount(ordered.length)}</span>
      </form>
      <div class="table" tabindex="0" role="region" aria-label="notices about the model's files">
        <table>
          <thead><tr><th scope="col">kind</th><th scope="col">name, and key in the file</th><th scope="col">what was done</th></tr></thead>
          <tbody>${shown.map(
            (notice) => html`<tr>
            <td><span class="kind">${titles.get(notice.kind)}</span></td>
            <td class="mono">${notice.name}${keysOf(notice) ? html`<span class="from">${keysOf(notice)}</span>` : nothing}</td>
            <td>${withCode(notice.message)}${countOf(notice)}</td>
          </tr>`,
          )}</tbody>
        </table>
      </div>`;
  }
}

/** How many values or names a notice is about. */
function countOf({ count }: AnyNotice) {
  return count === undefined || count === null
    ? ""
    : html` <span class="soft">(${formatCount(count)})</span>`;
}

declare global {
  interface HTMLElementTagNameMap {
    "model-report": ModelReport;
  }
}
