// <code-panel>: JavaScript that runs against the model in the page: a text to edit, what it printed, and where it failed. It is
// off until the visitor turns it on. Its owner runs the code.

import { css, html, nothing } from "lit";

import type { Printed } from "../session/printed.js";
import { TypedElement } from "./base.js";
import { base } from "./styles.js";

export interface CodePanelEvents {
  "code-enable": undefined;
  /** the code to run */
  "code-run": string;
  "code-stop": undefined;
  /** the code of what the page shows is wanted */
  "code-current": undefined;
  /** the visitor changed the code */
  "code-edit": string;
}

export class CodePanel extends TypedElement<CodePanelEvents> {
  static override properties = {
    enabled: { type: Boolean },
    code: { type: String },
    running: { type: Boolean },
    results: { attribute: false },
    drawn: { state: true },
    former: { state: true },
  };

  static override styles = [
    base,
    css`
      :host {
        font-size: 0.92rem;
      }
      p {
        margin: 0.3rem 0 0.6rem;
        max-width: 44rem;
      }
      .warning {
        padding: 0.45rem 0.8rem;
        border-left: 3px solid var(--flame);
        border-radius: 3px;
        background: var(--glow);
      }
      .editor {
        display: grid;
        grid-template-columns: auto minmax(0, 1fr);
        border: 1px solid var(--line);
        border-radius: 5px;
        background: var(--sheet);
        font-family: var(--mono);
        font-size: 0.82rem;
        line-height: 1.45;
      }
      .numbers {
        padding: 0.4rem 0.5rem;
        border-right: 1px solid var(--line);
        color: var(--soft);
        text-align: right;
        user-select: none;
      }
      .numbers div.failed {
        border-radius: 3px;
        background: var(--glow);
        color: var(--ink);
        font-weight: 600;
      }
      textarea {
        padding: 0.4rem 0.6rem;
        border: 0;
        background: none;
        font: inherit;
        line-height: inherit;
        white-space: pre;
        overflow-x: auto;
        overflow-y: hidden;
        resize: none;
        field-sizing: content;
        min-height: calc(6lh + 0.8rem);
        tab-size: 2;
      }
      .buttons {
        display: flex;
        flex-wrap: wrap;
        align-items: baseline;
        gap: 0.35rem 0.6rem;
        margin: 0.5rem 0;
      }
      .buttons .end {
        margin-left: auto;
      }
      ol {
        margin: 0;
        padding: 0;
        list-style: none;
      }
      li {
        padding: 0.35rem 0;
        border-top: 1px solid var(--line);
        overflow-wrap: anywhere;
      }
      pre {
        margin: 0;
        font-family: var(--mono);
        font-size: 0.82rem;
        white-space: pre-wrap;
      }
      .failure {
        padding: 0.35rem 0.7rem;
        border-left: 3px solid var(--flame);
        border-radius: 3px;
        background: var(--glow);
      }
      .quoted {
        color: var(--soft);
      }
      kbd {
        font-family: var(--mono);
        font-size: 0.85em;
      }
      button {
        font-size: 0.85rem;
      }
      li button {
        font-size: 0.8rem;
        padding: 0.05em 0.6em;
      }
    `,
  ];

  /** The visitor turned the panel on. */
  declare enabled: boolean;
  declare code: string;
  declare running: boolean;
  /** What the last run printed, and how it failed. */
  declare results: readonly Printed[];
  /** The results that are drawn as heat maps. */
  declare drawn: ReadonlySet<number>;
  /** The code before it was replaced; null if it was not. */
  declare former: string | null;

  constructor() {
    super();
    this.enabled = false;
    this.code = "";
    this.running = false;
    this.results = [];
    this.drawn = new Set();
    this.former = null;
  }

  override willUpdate(changed: Map<string, unknown>) {
    if (changed.has("running") && this.running) this.drawn = new Set();
  }

  /** Replaces the code. What was written before can be taken back. */
  replace(code: string) {
    if (this.code !== "" && this.code !== code) this.former = this.code;
    this.code = code;
  }

  override render() {
    return this.enabled ? this.#panel() : this.#offer();
  }

  #offer() {
    return html`
      <p class="warning">The code panel runs JavaScript on the model of this page. Code has all rights of the page: it can send requests
        anywhere, and read and delete what this site keeps in the browser. Do not paste code that you do not understand. No address
        and no lesson puts code here or runs it.</p>
      <button @click=${this.#enable}>turn on the code panel</button>
    `;
  }

  async #enable() {
    this.emit("code-enable");
    await this.updateComplete;
    this.renderRoot.querySelector("textarea")?.focus();
  }

  #panel() {
    const lines = this.code.split("\n");
    const failed = this.results.find((one) => one.kind === "error")?.line ?? null;
    return html`
      <p class="soft">The variables <kbd>model</kbd>, <kbd>reading</kbd> and <kbd>state</kbd> are those of the page; <kbd>print(…)</kbd> shows values
        below, and so does what the code returns. <kbd>signal</kbd> ends calls of the model when you press stop. A loop that never waits for
        anything holds the page and cannot be stopped. Code has all rights of the page: do not paste what you do not understand.</p>
      <div class="editor">
        <div class="numbers" aria-hidden="true">${lines.map((_, at) => html`<div class=${at + 1 === failed ? "failed" : ""}>${at + 1}</div>`)}</div>
        <textarea aria-label="JavaScript" rows=${Math.max(6, lines.length)} wrap="off" spellcheck="false" autocomplete="off" autocapitalize="off"
          aria-describedby="keys" .value=${this.code} @input=${this.#onInput} @keydown=${this.#onKey}></textarea>
      </div>
      <div class="buttons">
        ${
          this.running
            ? html`<button class="stop" @click=${() => this.emit("code-stop")}>stop</button>`
            : html`<button class="run" @click=${this.#run}>run</button>`
        }
        <span id="keys" class="soft"><kbd>Ctrl</kbd> + <kbd>Enter</kbd> runs</span>
        <button class="end" @click=${() => this.emit("code-current")}>write the code of what is shown</button>
        ${this.former === null ? nothing : html`<button @click=${this.#takeBack}>take my code back</button>`}
      </div>
      <div role="status" class="visually-hidden">${this.#announcement()}</div>
      <ol aria-label="results">${this.results.map((one, at) => html`<li>${this.#result(one, at, lines)}</li>`)}</ol>
    `;
  }

  #announcement() {
    if (this.running) return "running";
    const failure = this.results.find((one) => one.kind === "error");
    if (failure) return `failed: ${failure.message}`;
    return this.results.length > 0 ? `${this.results.length} printed` : "";
  }

  #result(one: Printed, at: number, lines: readonly string[]) {
    if (one.kind === "text") return html`<pre>${one.text}</pre>`;
    if (one.kind === "error") return this.#failure(one, lines);
    const { title, preview, tensor } = one;
    const isDrawn = this.drawn.has(at);
    const toggle = () => {
      this.drawn = isDrawn
        ? new Set([...this.drawn].filter((other) => other !== at))
        : new Set([...this.drawn, at]);
    };
    return html`<strong>${title}</strong>
      <button aria-expanded=${isDrawn} aria-label="${isDrawn ? "hide" : "draw"} ${title}" @click=${toggle}>${isDrawn ? "hide" : "draw"}</button>
      <pre>${preview}</pre>
      ${isDrawn ? html`<tensor-view .tensor=${tensor} .name=${title}></tensor-view>` : nothing}`;
  }

  #failure({ name, message, line }: Extract<Printed, { kind: "error" }>, lines: readonly string[]) {
    const source = line === null ? undefined : lines[line - 1]?.trim();
    return html`<div class="failure">
      <strong>${line === null ? "" : `line ${line}: `}${name}</strong> ${message}
      ${line !== null && source ? html`<pre class="quoted">${source}</pre>` : nothing}
      ${line === null ? nothing : html`<button @click=${() => this.#select(line)}>go to line ${line}</button>`}
    </div>`;
  }

  #select(line: number) {
    const area = this.renderRoot.querySelector("textarea");
    if (!area) return;
    const lines = this.code.split("\n");
    const start = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
    area.focus();
    area.setSelectionRange(start, start + (lines[line - 1]?.length ?? 0));
  }

  #takeBack() {
    const { former, code } = this;
    if (former === null) return;
    this.code = former;
    this.former = code;
    this.emit("code-edit", former);
  }

  #onInput(event: Event) {
    this.code = (event.target as HTMLTextAreaElement).value;
    this.emit("code-edit", this.code);
  }

  #onKey(event: KeyboardEvent) {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    if (!this.running) this.#run();
  }

  #run() {
    this.emit("code-run", this.code);
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "code-panel": CodePanel;
  }
}
