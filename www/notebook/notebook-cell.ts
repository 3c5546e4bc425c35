// <notebook-cell>: one cell of the notebook: the Python that it replaces, its code to edit and run, and what came out.

import { html, nothing } from "lit";

import { formatCount } from "../draw/format.js";
import { TypedElement } from "../elements/base.js";
import { withCode } from "../elements/code.js";
import { base, code } from "../elements/styles.js";
import { countLines } from "./cell.js";
import "./notebook-attention.js";
import type { CellState, Status } from "./notebook.js";
import type { Output } from "./outputs.js";
import { cellStyles } from "./styles.js";

export interface NotebookCellEvents {
  "cell-run": { next: boolean };
  "cell-edit": string;
  "cell-reset": undefined;
  "cell-stop": undefined;
}

const WORDS: Readonly<Record<Status, string>> = {
  fresh: "not run yet",
  waiting: "waiting",
  running: "running",
  done: "",
  failed: "failed",
  stale: "changed since it ran",
};

export class NotebookCell extends TypedElement<NotebookCellEvents> {
  static override properties = {
    state: { attribute: false },
    number: { type: Number },
    busy: { type: Boolean },
    lab: { type: String },
  };

  static override styles = [base, code, cellStyles];

  /** Its owner requests an update when the state changes. */
  declare state: CellState | null;
  declare number: number;
  /** Some cell of the notebook is running. */
  declare busy: boolean;
  /** The address of the lab that shows the same; empty if there is none. */
  declare lab: string;

  constructor() {
    super();
    this.state = null;
    this.number = 1;
    this.busy = false;
    this.lab = "";
  }

  /** Puts the cursor into the code. */
  edit() {
    this.renderRoot.querySelector("textarea")?.focus();
  }

  override render() {
    if (!this.state) return nothing;
    const { cell, code, status, outputs, took } = this.state;
    const lines = Math.max(1, code.split("\n").length);
    const failed = outputs.find((one) => one.kind === "error");
    return html`
      <h2 id="title"><span class="number" aria-hidden="true">${this.number}</span>${cell.title}</h2>
      <p class="prose">${withCode(cell.prose)}</p>
      <div class="sides">
        <section class="python" aria-label="Python of ${cell.title}">
          <p class="side"><strong>Python</strong> ${cell.libraries} <span class="count">${linesOf(cell.python)}</span></p>
          <pre tabindex="0" aria-label="the Python that the cell replaces">${cell.python}</pre>
        </section>
        <section class="ours" aria-label="JavaScript of ${cell.title}">
          <p class="side"><strong>JavaScript</strong> Candlescope <span class="count">${linesOf(code)}</span></p>
          <textarea aria-label="code of ${cell.title}" rows=${lines} wrap="off" spellcheck="false" autocomplete="off" autocapitalize="off"
            .value=${code} @input=${this.#onInput} @keydown=${this.#onKey}></textarea>
          <div class="buttons">
            ${
              status === "running"
                ? html`<button class="run" @click=${() => this.emit("cell-stop")}>stop</button>`
                : html`<button class="run" ?disabled=${this.busy} aria-label="run ${cell.title}" title="Ctrl+Enter runs, Shift+Enter runs and goes to the next cell" @click=${() => this.#run(false)}>run</button>`
            }
            ${code === cell.code ? nothing : html`<button aria-label="reset ${cell.title}" @click=${() => this.emit("cell-reset")}>reset</button>`}
            <span class="status ${status}" role="status">${WORDS[status]}${status === "done" && took !== null ? timeOf(took) : ""}</span>
            ${this.lab === "" ? nothing : html`<a class="lab" href=${this.lab}>open in the lab</a>`}
          </div>
        </section>
        <section class="results ${status}" aria-label="result of ${cell.title}">
          ${outputs.map((one) => html`<div class="output ${one.kind}">${this.#output(one)}</div>`)}
        </section>
      </div>
      <p class="visually-hidden" aria-live="polite">${failed?.kind === "error" ? `cell ${this.number} failed: ${failed.message}` : ""}</p>
    `;
  }

  #output(one: Output) {
    switch (one.kind) {
      case "text":
      case "written":
        return html`<pre>${one.text}</pre>`;
      case "attention":
        return html`<p class="what">${one.title}</p>
          <notebook-attention .patterns=${one.patterns} .tokens=${one.tokens} .chosen=${one.chosen}></notebook-attention>`;
      case "tensor":
        return one.tensor.data.length < 2
          ? html`<pre>${one.preview}</pre>`
          : html`<p class="what">${one.title}</p><tensor-view .tensor=${one.tensor} .name=${one.title}></tensor-view>`;
      case "error":
        return this.#failure(one);
    }
  }

  #failure({ name, message, line }: Extract<Output, { kind: "error" }>) {
    const source = line === null ? undefined : this.state?.code.split("\n")[line - 1]?.trim();
    return html`<strong>cell ${this.number}${line === null ? "" : `, line ${line}`}: ${name}</strong> ${message}
      ${source ? html`<pre class="quoted">${source}</pre>` : nothing}`;
  }

  #onInput(event: Event) {
    this.emit("cell-edit", (event.target as HTMLTextAreaElement).value);
  }

  #onKey(event: KeyboardEvent) {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey || event.shiftKey)) return;
    event.preventDefault();
    this.#run(event.shiftKey);
  }

  #run(next: boolean) {
    if (!this.busy) this.emit("cell-run", { next });
  }
}

function linesOf(code: string) {
  const count = countLines(code);
  return `${count} ${count === 1 ? "line" : "lines"}`;
}

function timeOf(took: number) {
  return took < 1000 ? `${formatCount(Math.round(took))} ms` : `${(took / 1000).toFixed(1)} s`;
}

declare global {
  interface HTMLElementTagNameMap {
    "notebook-cell": NotebookCell;
  }
}
