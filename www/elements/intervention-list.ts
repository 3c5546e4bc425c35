// <intervention-list>: the interventions of a run in their order, with buttons that change the list, and the form for one of
// them. The owner keeps the list: every change is an event.

import { css, html } from "lit";

import type { HookPoint } from "../api/generated.js";
import { formatShort } from "../draw/format.js";
import type { Token } from "../draw/token.js";
import { nameOf, whatItDoes, whereItActs } from "../session/intervention-words.js";
import { NOTHING_SHOWN, type ShownValues } from "../session/shown-values.js";
import { missingPart } from "../state/indices.js";
import type { LabIntervention } from "../state/interventions.js";
import { TypedElement } from "./base.js";
import type { InterventionPanel, Chosen } from "./intervention-panel.js";
import type { ModelSizes } from "./interventions/fields.js";
import { base } from "./styles.js";

export type CopyForm = "json" | "javascript" | "python";

export interface InterventionListEvents {
  "intervention-toggle": number;
  "intervention-remove": number;
  "intervention-move": { at: number; to: number };
  /** Replaces an intervention with one that was not tried yet. */
  "intervention-edit": { at: number; intervention: LabIntervention };
  /** Adds one that was not tried yet. */
  "intervention-add": LabIntervention;
  "interventions-clear": undefined;
  "interventions-copy": CopyForm;
}

/** What the form is about: an intervention of the list, or a new one. */
type Editing = number | "new" | null;

export class InterventionList extends TypedElement<InterventionListEvents> {
  static override properties = {
    interventions: { attribute: false },
    points: { attribute: false },
    sizes: { attribute: false },
    tokens: { attribute: false },
    chosen: { attribute: false },
    corrupted: { attribute: false },
    checking: { type: Boolean },
    error: { type: String },
    disabled: { type: Boolean },
    note: { type: String },
    shown: { attribute: false },
    stale: { type: Boolean },
    editing: { state: true },
  };

  static override styles = [
    base,
    css`
      :host {
        font-size: 0.92rem;
      }
      .head {
        display: flex;
        flex-wrap: wrap;
        align-items: baseline;
        gap: 0.3rem 0.5rem;
      }
      h2 {
        margin: 0;
        font-size: 0.92rem;
        font-weight: 600;
      }
      .copies {
        margin-left: auto;
        display: flex;
        flex-wrap: wrap;
        align-items: baseline;
        gap: 0.3rem;
        color: var(--soft);
        font-size: 0.84rem;
      }
      button {
        font-size: 0.82rem;
        padding: 0.08em 0.65em;
      }
      ol {
        list-style: none;
        margin: 0.35rem 0 0;
        padding: 0;
        max-height: 11rem;
        overflow: auto;
      }
      li {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 0.15rem 0.5rem;
        padding: 0.12rem 0;
        border-top: 1px solid var(--line);
      }
      .what {
        flex: 1 1 14rem;
        min-width: 0;
        overflow-wrap: anywhere;
      }
      .off .what {
        text-decoration: line-through;
        color: var(--soft);
      }
      .missing {
        display: inline-block; /* so that it is not struck through with the rest of the row */
        width: 100%;
        color: var(--ink);
      }
      code {
        display: inline-block; /* so that it is not struck through with the rest of the row */
        width: 100%;
        color: var(--ink);
        max-height: 5.5rem;
        overflow: auto;
        white-space: pre-wrap;
        font-size: 0.8rem;
        border-left: 3px solid var(--flame);
        padding-left: 0.5rem;
      }
      .slider {
        display: flex;
        align-items: center;
        gap: 0.35rem;
      }
      .slider input {
        width: 7rem;
        padding: 0;
        accent-color: var(--flame);
      }
      .slider span {
        min-width: 3.2rem;
        text-align: right;
        font-size: 0.82rem;
      }
      input[type="checkbox"] {
        accent-color: var(--flame);
      }
      .buttons {
        display: flex;
        gap: 0.2rem;
      }
      .buttons button {
        padding: 0.08em 0.5em;
      }
      intervention-panel {
        margin-top: 0.5rem;
      }
      @media (pointer: coarse) {
        .buttons button {
          min-width: 2rem;
          min-height: 1.8rem;
        }
      }
    `,
  ];

  declare interventions: readonly LabIntervention[];
  /** The model's hook points; none without a model. */
  declare points: readonly HookPoint[];
  declare sizes: ModelSizes;
  declare tokens: readonly Token[];
  declare chosen: Chosen;
  /** The second prompt. */
  declare corrupted: string | null;
  /** The owner tries the intervention of the form. */
  declare checking: boolean;
  /** Why the intervention of the form was refused. */
  declare error: string;
  declare disabled: boolean;
  /** The status message of a copy. */
  declare note: string;
  /** What functions of the list showed while the text was read. */
  declare shown: ShownValues;
  /** What they showed is of a former text or of other interventions. */
  declare stale: boolean;
  declare editing: Editing;

  /** The button that gets the focus after the list has changed. */
  #focusNext: { at: number; button: string } | null = null;

  constructor() {
    super();
    this.interventions = [];
    this.points = [];
    this.sizes = { layers: 0, heads: 0, width: 0, neurons: 0, hasTokenizer: true };
    this.tokens = [];
    this.chosen = { layer: 0, head: 0, lock: null };
    this.corrupted = null;
    this.checking = false;
    this.error = "";
    this.disabled = false;
    this.note = "";
    this.shown = NOTHING_SHOWN;
    this.stale = false;
    this.editing = null;
  }

  /** Opens the form for an intervention of the list, or for a new one. */
  async edit(editing: Exclude<Editing, null>) {
    this.editing = editing;
    this.error = "";
    await this.updateComplete;
    const panel = this.renderRoot.querySelector<InterventionPanel>("intervention-panel");
    await panel?.updateComplete;
    panel?.focus();
  }

  /** Closes the form, and gives the focus back to the button that opened it. */
  async close() {
    const { editing } = this;
    if (editing === null) return;
    const hadFocus = this.renderRoot.querySelector("intervention-panel:focus-within") !== null;
    this.editing = null;
    this.error = "";
    if (!hadFocus) return;
    await this.updateComplete;
    const button =
      editing === "new"
        ? this.renderRoot.querySelector<HTMLElement>(".add")
        : this.#button(editing, "edit");
    (button ?? this.renderRoot.querySelector<HTMLElement>(".add"))?.focus();
  }

  override willUpdate(changed: Map<string, unknown>) {
    if (changed.has("points") && changed.get("points") !== undefined) this.editing = null;
    if (changed.has("interventions")) this.note = "";
    if (typeof this.editing === "number" && this.editing >= this.interventions.length)
      this.editing = null;
  }

  override updated() {
    this.toggleAttribute("filled", this.interventions.length > 0 || this.editing !== null);
    if (!this.#focusNext) return;
    const { at, button } = this.#focusNext;
    this.#focusNext = null;
    const place = Math.min(at, this.interventions.length - 1);
    // At an end of the list, the button of the other direction takes the focus.
    const names = button === "down" ? ["down", "up"] : button === "up" ? ["up", "down"] : [button];
    const usable = names
      .map((name) => this.#button(place, name) as HTMLButtonElement | null)
      .find((found) => found && !found.disabled);
    (usable ?? this.renderRoot.querySelector<HTMLElement>(".add"))?.focus();
  }

  #button(at: number, name: string) {
    return this.renderRoot.querySelector<HTMLElement>(`li[data-at="${at}"] [data-do="${name}"]`);
  }

  override render() {
    const { interventions, editing, disabled } = this;
    const isEmpty = interventions.length === 0;
    return html`<section aria-label="interventions">
      <div class="head">
        ${isEmpty ? "" : html`<h2>Interventions</h2>`}
        <button class="add" aria-expanded=${editing === "new"} ?disabled=${disabled || this.points.length === 0} title="Change what the model computes: switch off, scale, steer, patch" @click=${this.#onAdd}>+ intervention</button>
        ${
          isEmpty
            ? ""
            : html`<button data-do="clear" ?disabled=${disabled} @click=${this.#onClear}>clear all</button>
              <span class="copies"><span role="status">${this.note}</span> copy as
                <button @click=${() => this.emit("interventions-copy", "json")}>JSON</button>
                <button @click=${() => this.emit("interventions-copy", "javascript")}>JavaScript</button>
                <button @click=${() => this.emit("interventions-copy", "python")}>TransformerLens</button>
              </span>`
        }
      </div>
      ${isEmpty ? "" : html`<ol>${interventions.map((lab, at) => this.#renderRow(lab, at))}</ol>`}
      ${isEmpty ? "" : html`<shown-list .shown=${this.shown} .tokens=${this.tokens} ?stale=${this.stale}></shown-list>`}
      ${editing === null ? "" : this.#renderPanel(editing)}
    </section>`;
  }

  #renderPanel(editing: Exclude<Editing, null>) {
    return html`<intervention-panel
      .intervention=${editing === "new" ? null : this.interventions[editing]}
      .points=${this.points}
      .sizes=${this.sizes}
      .tokens=${this.tokens}
      .chosen=${this.chosen}
      .corrupted=${this.corrupted}
      .checking=${this.checking}
      .error=${this.error}
      @intervention-submit=${this.#onSubmit}
      @intervention-cancel=${this.#onCancel}
    ></intervention-panel>`;
  }

  #renderRow(lab: LabIntervention, at: number) {
    const name = nameOf(lab);
    const { disabled } = this;
    const isOn = lab.disabled !== true;
    const missing = this.points.length > 0 ? missingPart(lab, this.sizes) : null;
    const last = this.interventions.length - 1;
    const button = (what: string, glyph: string, label: string, act: () => void, off = false) =>
      html`<button data-do=${what} aria-label="${label}: ${name}" title=${label} ?disabled=${disabled || off} @click=${act}>${glyph}</button>`;
    return html`<li data-at=${at} class=${isOn ? "" : "off"}>
      <input type="checkbox" data-do="toggle" aria-label="on: ${name}" title="on or off" .checked=${isOn} ?disabled=${disabled} @change=${() => this.emit("intervention-toggle", at)} />
      <span class="what">${lab.name ? html`<b>${lab.name}</b> ` : ""}${whatItDoes(lab.do)} <span class="soft">at ${whereItActs(lab)}</span>${typeof lab.do === "object" && "js" in lab.do ? html` <code class="mono" title="switched on, this code runs with the rights of this page">${lab.do.js}</code>` : ""}${missing === null ? "" : html` <span class="missing">This model has no ${missing.part}: it has ${missing.has}.</span>`}</span>
      ${this.#renderSlider(lab, at)}
      <span class="buttons">
        ${button("up", "↑", "move up", () => this.#move(at, at - 1, "up"), at === 0)}
        ${button("down", "↓", "move down", () => this.#move(at, at + 1, "down"), at === last)}
        ${button("edit", "✎", "edit", () => this.edit(at))}
        ${button("remove", "✕", "remove", () => this.#remove(at))}
      </span>
    </li>`;
  }

  /** The number of an intervention that has one, changed in place. */
  #renderSlider(lab: LabIntervention, at: number) {
    const recipe = lab.do;
    if (typeof recipe === "string" || !("scale" in recipe || "times" in recipe)) return "";
    const isScale = "scale" in recipe;
    const value = isScale ? recipe.scale : recipe.times;
    const [min, max, step] = isScale ? [-2, 3, 0.05] : [-20, 20, 0.5];
    const change = (event: Event) => {
      const number = Number((event.target as HTMLInputElement).value);
      const next = isScale ? { ...recipe, scale: number } : { ...recipe, times: number };
      this.emit("intervention-edit", { at, intervention: { ...lab, do: next } as LabIntervention });
    };
    return html`<label class="slider"><span class="visually-hidden">${isScale ? "factor" : "times"} of ${nameOf(lab)}</span>
      <input type="range" data-do="slide" min=${Math.min(min, value)} max=${Math.max(max, value)} step=${step} .value=${String(value)} ?disabled=${this.disabled} @change=${change} />
      <span class="mono" aria-hidden="true">${formatShort(value, 4)}</span></label>`;
  }

  #onAdd = () => (this.editing === "new" ? this.close() : this.edit("new"));

  #onClear = () => {
    this.editing = null;
    this.#focusNext = { at: 0, button: "edit" };
    this.emit("interventions-clear");
  };

  #remove(at: number) {
    if (this.editing !== null && this.editing !== "new") this.editing = null;
    this.#focusNext = { at, button: "remove" };
    this.emit("intervention-remove", at);
  }

  #move(at: number, to: number, button: string) {
    if (this.editing === at) this.editing = to;
    else if (this.editing === to) this.editing = at;
    this.#focusNext = { at: to, button };
    this.emit("intervention-move", { at, to });
  }

  #onSubmit = (event: CustomEvent<LabIntervention>) => {
    event.stopPropagation();
    const { editing } = this;
    if (typeof editing === "number")
      this.emit("intervention-edit", { at: editing, intervention: event.detail });
    else this.emit("intervention-add", event.detail);
  };

  #onCancel = (event: Event) => {
    event.stopPropagation();
    this.close();
  };
}

declare global {
  interface HTMLElementTagNameMap {
    "intervention-list": InterventionList;
  }
}
