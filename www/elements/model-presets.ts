// <model-presets>: the GPT-2s of the Hugging Face hub, with what each downloads, how long that takes, and its memory in each
// dtype, all known before anything is requested.

import { css, html, nothing } from "lit";

import { formatBytes } from "../draw/format.js";
import { roundedCount } from "../session/architecture.js";
import { type Dtype, DTYPES, memoryAfterLoad, parameterCountOf } from "../session/memory.js";
import {
  bytesPerSecond,
  formatDuration,
  MEGABITS,
  type Preset,
  PRESETS,
  secondsToLoad,
  secondsToRead,
  whyTooLarge,
} from "../session/presets.js";
import { TypedElement } from "./base.js";
import type { Choice } from "./model-chooser.js";
import { base } from "./styles.js";

export interface ModelPresetsEvents {
  "model-choose": Choice;
}

/** What times are given at before a download was measured. */
const USUAL_MEGABITS = 50;

export class ModelPresets extends TypedElement<ModelPresetsEvents> {
  static override properties = {
    presets: { attribute: false },
    dtype: { type: String },
    current: { type: String },
    currentDtype: { type: String },
    measured: { type: Number },
    rate: { state: true },
  };

  static override styles = [
    base,
    css`
      :host {
        container: presets / inline-size;
      }
      table {
        width: 100%;
        border-collapse: collapse;
        font-size: 0.88rem;
      }
      th {
        font-weight: 400;
        text-align: left;
      }
      thead th {
        color: var(--soft);
        font-size: 0.82rem;
        vertical-align: bottom;
      }
      th,
      td {
        padding: 0.3rem 0.7rem 0.3rem 0;
        vertical-align: top;
      }
      tbody tr {
        border-top: 1px solid var(--line);
      }
      .name {
        font-weight: 600;
      }
      .number {
        text-align: right;
        white-space: nowrap;
      }
      .chosen {
        background: var(--glow);
      }
      .large {
        color: var(--soft);
        text-decoration: line-through;
      }
      button {
        font-size: 0.82rem;
        padding: 0.1em 0.8em;
      }
      select {
        font-size: 0.82rem;
      }
      p {
        margin: 0.3rem 0 0;
        color: var(--soft);
        font-size: 0.85rem;
      }
      .why {
        color: var(--ink);
      }
      .small {
        display: block;
        font-size: 0.82rem;
      }
      .unit {
        display: none;
        color: var(--soft);
      }
      @container presets (max-width: 719px) {
        thead tr:not(.rates) {
          position: absolute;
          width: 1px;
          height: 1px;
          overflow: hidden;
          clip-path: inset(50%);
        }
        table,
        thead,
        tbody,
        tr,
        th,
        td {
          display: block;
        }
        tbody tr {
          display: flex;
          flex-wrap: wrap;
          gap: 0.1rem 0.9rem;
          padding: 0.45rem 0;
        }
        th,
        td {
          padding: 0;
        }
        tbody th {
          flex: 1 0 100%;
        }
        .number {
          text-align: left;
        }
        .unit {
          display: inline;
        }
      }
    `,
  ];

  declare presets: readonly Preset[];
  /** In which a model is loaded. */
  declare dtype: Dtype;
  /** The source of the model in use, and its dtype. */
  declare current: string;
  declare currentDtype: string;
  /** Bytes a second of the last download of this browser; 0 if there was none. */
  declare measured: number;
  /** What the times are given at: megabits a second; 0 for what was measured; null for the default. */
  declare rate: number | null;

  constructor() {
    super();
    this.presets = PRESETS;
    this.dtype = "f32";
    this.current = "";
    this.currentDtype = "";
    this.measured = 0;
    this.rate = null;
  }

  get #perSecond() {
    const rate = this.rate ?? (this.measured > 0 ? 0 : USUAL_MEGABITS);
    return rate === 0 ? this.measured : bytesPerSecond(rate);
  }

  override render() {
    return html`
      <table>
        <thead>
          <tr>
            <th scope="col">model</th>
            <th scope="col" class="number">download</th>
            <th scope="col" class="number">time to load</th>
            ${DTYPES.map((dtype) => html`<th scope="col" class="number ${dtype === this.dtype ? "chosen" : ""}">memory, ${dtype}</th>`)}
            <th scope="col"><span class="visually-hidden">load</span></th>
          </tr>
        </thead>
        <tbody>${this.presets.map((one) => this.#row(one))}</tbody>
      </table>
      <p>
        <label>Times at ${this.#rates()}</label>. Memory is what the tab takes after the load; a long text takes more. Choosing a model asks
        huggingface.co for its files.
      </p>
      <p>The TinyStories models of roneneldan are GPT-Neo, which attends to a local window in every other layer: this page computes GPT-2, and does not load them.</p>
    `;
  }

  #rates() {
    const chosen = this.rate ?? (this.measured > 0 ? 0 : USUAL_MEGABITS);
    const change = (event: Event) =>
      (this.rate = Number((event.target as HTMLSelectElement).value));
    return html`<select name="rate" @change=${change}>
      ${this.measured > 0 ? html`<option value="0" ?selected=${chosen === 0}>${formatBytes(Math.round(this.measured))} a second, as measured here</option>` : nothing}
      ${MEGABITS.map((rate) => html`<option value=${rate} ?selected=${rate === chosen}>${rate} Mbit a second</option>`)}
    </select>`;
  }

  #row(preset: Preset) {
    const { source, name, note, sizes, downloadBytes } = preset;
    const { dtype } = this;
    const why = whyTooLarge(preset, dtype);
    const isInUse = source === this.current && dtype === this.currentDtype;
    const read = secondsToRead(sizes, dtype);
    const choose = () => this.emit("model-choose", { source, name, dtype });
    return html`<tr>
      <th scope="row">
        <span class="name">${name}</span> <span class="soft">${roundedCount(parameterCountOf(sizes))} parameters${note ? `, ${note}` : ""}${isInUse ? ", in use" : ""}</span>
        ${why ? html`<span class="small why">${name} ${why}. Choose a smaller precision.</span>` : nothing}
        ${!why && read !== null ? html`<span class="small soft">reads 64 tokens in ${formatReading(read)}, one thread of a 2.8 GHz Xeon</span>` : nothing}
      </th>
      <td class="number mono">${formatBytes(downloadBytes)}</td>
      <td class="number">${formatDuration(secondsToLoad(downloadBytes, this.#perSecond))}</td>
      ${DTYPES.map((one) => this.#memory(preset, one))}
      <td><button aria-label="load ${name} in ${dtype}" ?disabled=${why !== null || isInUse} @click=${choose}>load</button></td>
    </tr>`;
  }

  #memory(preset: Preset, dtype: Dtype) {
    const isTooLarge = whyTooLarge(preset, dtype) !== null;
    const classes = `number mono ${dtype === this.dtype ? "chosen" : ""}`;
    const size = formatBytes(memoryAfterLoad(preset.sizes, dtype));
    return html`<td class=${classes}><span class="unit">${dtype} </span>${isTooLarge ? html`<span class="large">${size}</span><span class="visually-hidden">, too large</span>` : size}</td>`;
  }
}

/** "0.7 s", "9 s": an estimate has one or two digits. */
function formatReading(seconds: number) {
  return `about ${seconds < 2 ? seconds.toFixed(1) : Math.round(seconds)} s`;
}

declare global {
  interface HTMLElementTagNameMap {
    "model-presets": ModelPresets;
  }
}
