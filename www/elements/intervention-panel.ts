// <intervention-panel>: the form that makes an intervention, or edits one.

import { html } from "lit";

import type { Band } from "../draw/matrix.js";
import type { Token } from "../draw/token.js";
import type { HookPoint } from "../api/generated.js";
import type { LabIntervention } from "../state/interventions.js";
import {
  kindsAt,
  pointChoices,
  preferredPoint,
  vectorsAt,
  type PointChoice,
} from "../session/hook-choices.js";
import {
  axesOf,
  draftOf,
  edgeText,
  EMPTY_DRAFT,
  interventionOf,
  positionsOf,
  type Draft,
  type Problems,
} from "../session/intervention-draft.js";
import { TypedElement } from "./base.js";
import { withCode } from "./code.js";
import {
  actionFields,
  fits,
  hasPositions,
  moreFields,
  placeFields,
  tokenButtons,
  type FormState,
  type ModelSizes,
} from "./interventions/fields.js";
import { clamp, Interaction } from "./interaction.js";
import { panelStyles } from "./interventions/styles.js";
import { base, code } from "./styles.js";

/** What the form begins with: the head and the cell or token that the figure shows. */
export interface Chosen {
  layer: number;
  head: number;
  lock: Band | null;
}

export interface InterventionPanelEvents {
  /** The form holds a whole intervention; the owner tries it, and then closes the form or sets `error`. */
  "intervention-submit": LabIntervention;
  "intervention-cancel": undefined;
}

/** More tokens than this are chosen by typing their positions. */
const MAX_TOKENS = 400;

export class InterventionPanel extends TypedElement<InterventionPanelEvents> {
  static override properties = {
    intervention: { attribute: false },
    points: { attribute: false },
    sizes: { attribute: false },
    tokens: { attribute: false },
    chosen: { attribute: false },
    corrupted: { attribute: false },
    checking: { type: Boolean },
    error: { type: String },
    draft: { state: true },
    problems: { state: true },
    focusedToken: { state: true },
  };

  static override styles = [base, code, panelStyles];

  /** The intervention to edit; null for a new one. */
  declare intervention: LabIntervention | null;
  /** The model's hook points. */
  declare points: readonly HookPoint[];
  declare sizes: ModelSizes;
  /** The text under study. */
  declare tokens: readonly Token[];
  declare chosen: Chosen;
  /** The second prompt. */
  declare corrupted: string | null;
  /** The owner tries the intervention. */
  declare checking: boolean;
  /** Why the model refused it. */
  declare error: string;
  declare draft: Draft;
  declare problems: Problems;
  declare focusedToken: number;

  #choices: readonly PointChoice[] = [];
  readonly interaction: Interaction<number> = new Interaction<number>(this, {
    start: () => this.focusedToken,
    move: (from, { rows, columns }) =>
      columns === 0 || rows !== 0 ? null : clamp(from + columns, this.tokens.length),
    onHover: (at) => {
      if (at !== null) this.focusedToken = at;
    },
    onSelect: (at) => this.#togglePosition(at),
    elements: {
      placeOf: ({ dataset }) => (dataset?.at === undefined ? null : Number(dataset.at)),
      elementOf: (at) => this.renderRoot.querySelector(`[data-at="${at}"]`),
    },
  });

  constructor() {
    super();
    this.intervention = null;
    this.points = [];
    this.sizes = { layers: 0, heads: 0, width: 0, neurons: 0, hasTokenizer: true };
    this.tokens = [];
    this.chosen = { layer: 0, head: 0, lock: null };
    this.corrupted = null;
    this.checking = false;
    this.error = "";
    this.draft = EMPTY_DRAFT;
    this.problems = {};
    this.focusedToken = 0;
  }

  override willUpdate(changed: Map<string, unknown>) {
    if (changed.has("points")) this.#choices = pointChoices(this.points);
    if (!this.hasUpdated || changed.has("intervention")) this.#start();
    else if (changed.has("chosen")) this.#pickCell(changed.get("chosen") as Chosen);
    if (this.focusedToken >= this.tokens.length) this.focusedToken = 0;
  }

  /** Puts the intervention into the form, or what the figure shows. */
  #start() {
    const { layer, head, lock } = this.chosen;
    const isCell = lock?.query !== undefined && lock.key !== undefined;
    const position = isCell ? undefined : (lock?.query ?? lock?.key);
    this.problems = {};
    this.draft = this.intervention
      ? draftOf(this.intervention, this.#choices)
      : {
          ...EMPTY_DRAFT,
          point: preferredPoint("zero", this.#choices),
          layer: `${layer}`,
          head: `${head}`,
          positions: position === undefined ? "" : `${position}`,
          edges: isCell ? edgeText(lock) : "",
          vectorHead: `${layer}.${head}`,
        };
  }

  /** A cell that was clicked in the pattern is one more edge of the head that the pattern belongs to. */
  #pickCell(former: Chosen) {
    const { layer, head, lock } = this.chosen;
    if (former.lock?.query === lock?.query && former.lock?.key === lock?.key) return;
    const { kind, edges } = this.draft;
    if (kind !== "knockOut" || lock?.query === undefined || lock.key === undefined) return;
    const edge = edgeText(lock);
    const words = edges.split(",").map((word) => word.trim());
    if (words.includes(edge)) return;
    const all = words.filter((word) => word !== "");
    this.#update({ edges: [...all, edge].join(", "), layer: `${layer}`, head: `${head}` });
  }

  get #state(): FormState {
    const { draft, problems, sizes, corrupted, points } = this;
    return { draft, problems, sizes, corrupted, points, choices: this.#choices };
  }

  override render() {
    const state = this.#state;
    const what = this.intervention ? "Change the intervention" : "New intervention";
    return html`<form aria-label=${what} @input=${this.#onInput} @change=${this.#onInput} @submit=${this.#onSubmit} @keydown=${this.#onKeyDown} novalidate>
      <h2>${what}</h2>
      <div class="columns">
        <div class="fields">${actionFields(state)}</div>
        <div class="fields">${placeFields(state, (pattern) => this.#update({ pattern }))}${this.#renderTokens(state)}</div>
      </div>
      <details ?open=${state.draft.step !== "" || state.draft.name !== ""}><summary>name, steps</summary><div class="fields">${moreFields(state)}</div></details>
      <p class="refused" role="alert">${this.error ? withCode(this.error) : ""}</p>
      <div class="buttons">
        <button type="submit" class="lit" ?disabled=${this.checking}>${this.checking ? "trying it …" : this.intervention ? "Apply" : "Add"}</button>
        <button type="button" @click=${() => this.emit("intervention-cancel")}>Cancel</button>
      </div>
    </form>`;
  }

  #renderTokens(state: FormState) {
    if (!hasPositions(state) || this.tokens.length === 0 || this.tokens.length > MAX_TOKENS)
      return "";
    const chosen = positionsOf(state.draft.positions, this.tokens.length);
    return html`<div class="tokens" role="group" aria-label="tokens whose positions are changed; none chosen means all" @keydown=${this.#onTokenKey}>
      ${tokenButtons(this.tokens, { chosen, focused: this.focusedToken, toggle: (at) => this.#togglePosition(at) })}
    </div>`;
  }

  /** Escape closes the form. */
  #onTokenKey = (event: KeyboardEvent) => {
    if (event.key !== "Escape") this.interaction.onKeyDown(event);
  };

  #togglePosition(at: number) {
    this.focusedToken = at;
    const chosen = positionsOf(this.draft.positions, this.tokens.length);
    const now = chosen.includes(at) ? chosen.filter((one) => one !== at) : [...chosen, at];
    this.#update({ positions: now.sort((a, b) => a - b).join(", ") });
  }

  /** Changes the draft. What no longer fits beside the change turns to what does. */
  #update(change: Partial<Draft>) {
    let draft = { ...this.draft, ...change };
    const choices = this.#choices;
    if ("kind" in change && !fits({ draft, choices }))
      draft = { ...draft, point: preferredPoint(draft.kind, choices) };
    if ("point" in change && !fits({ draft, choices }))
      draft = { ...draft, kind: kindsAt(axesOf(draft.point, choices))[0] };
    const isUntouched = draft.point === preferredPoint("zero", choices) && !this.intervention;
    if ("kind" in change && draft.kind === "add" && isUntouched)
      draft = { ...draft, point: preferredPoint("add", choices) };
    const vectors = vectorsAt(axesOf(draft.point, choices), this.sizes.neurons > 0);
    if (!vectors.includes(draft.vector)) draft = { ...draft, vector: vectors[0] };
    this.draft = draft;
    this.problems = Object.fromEntries(
      Object.entries(this.problems).filter(([name]) => !(name in change)),
    );
    this.error = "";
  }

  #onInput = (event: Event) => {
    const input = event.target as HTMLInputElement;
    const name = input.name as keyof Draft;
    const value = input.type === "checkbox" ? input.checked : input.value;
    if (Object.hasOwn(this.draft, name) && this.draft[name] !== value)
      this.#update({ [name]: value });
  };

  #onSubmit = (event: Event) => {
    event.preventDefault();
    if (this.checking) return;
    const { intervention, problems } = interventionOf(this.draft, this.#choices);
    this.problems = problems ?? {};
    this.error = "";
    if (!intervention) return this.#showProblem();
    const isDisabled = this.intervention?.disabled === true;
    this.emit("intervention-submit", {
      ...intervention,
      ...(isDisabled && { disabled: true as const }),
    });
  };

  /** Moves the focus to the first field that has a problem. */
  async #showProblem() {
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }

  #onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    event.preventDefault();
    event.stopPropagation();
    this.emit("intervention-cancel");
  };

  /** Moves the focus to the first field. */
  override focus() {
    this.renderRoot.querySelector<HTMLElement>("select")?.focus();
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "intervention-panel": InterventionPanel;
  }
}
