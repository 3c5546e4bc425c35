// The fields of <intervention-panel>, as templates. Each input has the name of a field of the draft.

import { html, nothing } from "lit";

import type { HookPoint } from "../../api/generated.js";
import { truncate, type Token } from "../../draw/token.js";
import { plural } from "../../session/architecture.js";
import {
  KINDS,
  kindsAt,
  pointsFor,
  type Kind,
  type PointChoice,
  VECTORS,
  vectorsAt,
} from "../../session/hook-choices.js";
import { inLayers, matchHooks } from "../../session/hook-match.js";
import {
  axesOf,
  type Draft,
  type DraftField,
  layersOf,
  type Problems,
} from "../../session/intervention-draft.js";
import type { Sizes } from "../../state/indices.js";
import { HOOK_HINT, hookFeedback, hookNames } from "../hook-box.js";

/** What a model has, which says which indices exist. */
export interface ModelSizes extends Sizes {
  hasTokenizer: boolean;
}

export interface FormState {
  draft: Draft;
  problems: Problems;
  choices: readonly PointChoice[];
  points: readonly HookPoint[];
  sizes: ModelSizes;
  corrupted: string | null;
}

// ---- one field ----

interface FieldOptions {
  label: string;
  placeholder?: string;
  hint?: string;
  className?: string;
}

/** A label, an input, and below them what is wrong with it. */
function wrap(
  { problems }: FormState,
  name: DraftField,
  { label, hint, className = "" }: FieldOptions,
  input: unknown,
) {
  const problem = problems[name];
  return html`<div class="field ${className}">
    <label for=${name}>${label}</label>
    ${input}
    ${hint ? html`<span class="hint" id="${name}-hint">${hint}</span>` : ""}
    ${problem ? html`<span class="problem" id="${name}-problem">${problem}</span>` : ""}
  </div>`;
}

function describedBy({ problems }: FormState, name: DraftField, hint: string | undefined) {
  const ids = [hint && `${name}-hint`, problems[name] && `${name}-problem`].filter(Boolean);
  return ids.length > 0 ? ids.join(" ") : nothing;
}

function text(state: FormState, name: DraftField, options: FieldOptions) {
  return wrap(
    state,
    name,
    options,
    html`<input id=${name} name=${name} class="mono" autocomplete="off" spellcheck="false" placeholder=${options.placeholder ?? ""} aria-invalid=${state.problems[name] ? "true" : "false"} aria-describedby=${describedBy(state, name, options.hint)} .value=${String(state.draft[name])} />`,
  );
}

function area(state: FormState, name: DraftField, options: FieldOptions & { rows: number }) {
  return wrap(
    state,
    name,
    options,
    html`<textarea id=${name} name=${name} class="mono" rows=${options.rows} spellcheck="false" placeholder=${options.placeholder ?? ""} aria-invalid=${state.problems[name] ? "true" : "false"} aria-describedby=${describedBy(state, name, options.hint)} .value=${String(state.draft[name])}></textarea>`,
  );
}

/** A slider and a box for the same number, which may lie outside of the slider's range. */
function slider(
  state: FormState,
  name: "scale" | "times",
  { label, min, max, step }: { label: string; min: number; max: number; step: number },
) {
  const value = state.draft[name];
  return wrap(
    state,
    name,
    { label, className: "wide" },
    html`<span class="slider">
      <input type="range" name=${name} aria-label="${label}, slider" min=${min} max=${max} step=${step} .value=${value} />
      <input id=${name} name=${name} class="mono" inputmode="decimal" autocomplete="off" aria-invalid=${state.problems[name] ? "true" : "false"} aria-describedby=${describedBy(state, name, undefined)} .value=${value} />
    </span>`,
  );
}

function select(
  state: FormState,
  name: DraftField,
  options: FieldOptions,
  choices: Readonly<Record<string, unknown>>,
) {
  const chosen = String(state.draft[name]);
  return wrap(
    state,
    name,
    options,
    html`<select id=${name} name=${name} .value=${chosen}>
      ${Object.entries(choices).map(([value, title]) => html`<option value=${value} ?selected=${value === chosen}>${title}</option>`)}
    </select>`,
  );
}

// ---- what is done ----

export function actionFields(state: FormState) {
  const possible = possibleKinds(state);
  const kinds = Object.fromEntries(possible.map((kind) => [kind, KINDS[kind]]));
  return html`
    ${select(state, "kind", { label: "what", className: "wide" }, kinds)}
    ${recipeFields(state)}
  `;
}

/** The kinds of actions for which the model has a hook point. */
export function possibleKinds({ choices }: Pick<FormState, "choices">): Kind[] {
  return (Object.keys(KINDS) as Kind[]).filter((kind) => pointsFor(kind, choices).length > 0);
}

function recipeFields(state: FormState) {
  const { draft, corrupted, sizes } = state;
  const prompt = sizes.hasTokenizer ? "a text" : "token ids, such as 17 4 92";
  switch (draft.kind) {
    case "scale":
      return slider(state, "scale", { label: "factor", min: -2, max: 3, step: 0.05 });
    case "set":
      return text(state, "set", {
        label: "number, or one for each index of the last axis",
        placeholder: "0",
        className: "wide",
      });
    case "texts":
      return area(state, "texts", {
        label: "reference texts",
        rows: 3,
        placeholder: prompt,
        hint: "One a line; \\n is a new line in a text. The mean is over all of their positions.",
        className: "wide",
      });
    case "from":
      return html`
        ${select(state, "source", { label: "from", className: "wide" }, { corrupted: `the second prompt${corrupted === null ? " (there is none yet)" : ""}`, prompt: "a prompt of its own" })}
        ${draft.source === "prompt" ? text(state, "prompt", { label: "its text", placeholder: prompt, className: "wide" }) : ""}
        ${text(state, "fromPositions", { label: "its positions", placeholder: "the same", hint: "One for each position that is changed." })}
      `;
    case "knockOut":
      return html`
        ${text(state, "edges", { label: "edges: query → key", placeholder: "4 → 2, * → 0", hint: "Click a cell of the large pattern to add it; * stands for every query or key.", className: "wide" })}
        ${isPattern(state) ? html`<div class="field check"><label><input type="checkbox" name="renormalize" .checked=${draft.renormalize} /> scale the rest of the row back to a sum of 1</label></div>` : ""}
      `;
    case "js":
      return area(state, "js", {
        label: "function",
        rows: 3,
        hint: "This runs code in the worker with the rights of this page: network and storage. Do not run code that you do not trust. (x, { show }) => show() shows the values below the list and changes nothing.",
        className: "wide code",
      });
    case "add":
      return vectorFields(state);
    default:
      return "";
  }
}

/** Attention scores are always normalized by the softmax after them. */
function isPattern({ draft }: FormState) {
  return draft.point !== "attn.hook_attn_scores";
}

function vectorFields(state: FormState) {
  const { draft, choices, sizes } = state;
  const possible = vectorsAt(axesOf(draft.point, choices), sizes.neurons > 0);
  const vectors = Object.fromEntries(possible.map((vector) => [vector, VECTORS[vector]]));
  const prompt = sizes.hasTokenizer ? "a text" : "token ids";
  const fields = {
    difference: () => html`
      ${text(state, "more", { label: "after this prompt", placeholder: prompt })}
      ${text(state, "less", { label: "minus after this one", placeholder: prompt, hint: "The values at the chosen hook point, each at its last token." })}`,
    head: () => html`
      ${text(state, "vectorHead", { label: "head", placeholder: `0.0 to ${sizes.layers - 1}.${sizes.heads - 1}` })}
      ${text(state, "vectorPosition", { label: "at position", placeholder: "the last" })}`,
    neuron: () =>
      text(state, "vectorNeuron", {
        label: "neuron",
        placeholder: `0.0 to ${sizes.layers - 1}.${sizes.neurons - 1}`,
      }),
    token: () => html`
      ${text(state, "token", { label: "token", placeholder: sizes.hasTokenizer ? " Romeo" : "350", hint: sizes.hasTokenizer ? "With its leading space, if it has one; or # and its id." : "" })}
      ${select(state, "of", { label: "direction" }, { W_U: "towards predicting it (W_U)", W_E: "its embedding (W_E)" })}`,
    numbers: () =>
      text(state, "numbers", { label: "numbers", placeholder: "0.1, -0.2, …", className: "wide" }),
  };
  return html`
    ${select(state, "vector", { label: "vector", className: "wide" }, vectors)}
    ${fields[draft.vector]()}
    ${slider(state, "times", { label: "times", min: -20, max: 20, step: 0.5 })}
  `;
}

// ---- where ----

/** @param usePattern writes another selector */
export function placeFields(state: FormState, usePattern: (text: string) => void) {
  const { draft, choices, sizes } = state;
  const fitting = pointsFor(draft.kind, choices);
  const groups = [...new Set(fitting.map(({ group }) => group))];
  const choice = choices.find(({ key }) => key === draft.point);
  const axes = axesOf(draft.point, choices);
  const last = axes.at(-1);
  const all = (count: number) => `all: 0 to ${count - 1}`;
  const isAt = (...names: string[]) => names.some((axis) => axes.includes(axis));
  return html`
    ${wrap(
      state,
      "point",
      { label: "where", className: "wide" },
      html`<select id="point" name="point" .value=${draft.point}>
        ${groups.map((group) => html`<optgroup label=${group}>${fitting.filter((one) => one.group === group).map(({ key, title }) => html`<option value=${key} ?selected=${key === draft.point}>${title} — ${key}</option>`)}</optgroup>`)}
        <option value="" ?selected=${draft.point === ""}>another: a name or a pattern …</option>
      </select>`,
    )}
    ${draft.point === "" ? patternField(state, usePattern) : ""}
    ${!choice || choice.layers.length > 0 ? text(state, "layer", { label: "layer", placeholder: all(sizes.layers) }) : ""}
    ${isAt("head") ? text(state, "head", { label: "head", placeholder: all(sizes.heads) }) : ""}
    ${isAt("d_mlp") ? text(state, "neuron", { label: "neuron", placeholder: all(sizes.neurons) }) : ""}
    ${isAt("d_model", "d_head") ? text(state, "dim", { label: "dimension", placeholder: all(last === "d_head" ? sizes.width / sizes.heads : sizes.width) }) : ""}
    ${isAt("pos", "query") ? text(state, "positions", { label: isAt("query") ? "positions of queries" : "positions", placeholder: "all, and generated ones" }) : ""}
  `;
}

/** The hook points that the intervention changes, as a text; below it, which they are. */
function patternField(state: FormState, use: (text: string) => void) {
  const { draft, problems, points, sizes } = state;
  const architecture = sizes.neurons === 0 ? ATTENTION_ONLY : NO_ARCHITECTURE;
  const match = matchHooks(draft.pattern, points, architecture);
  const names = inLayers(match.names, layersOf(draft.layer));
  const isNone = match.names.length > 0 && names.length === 0;
  const problem = isNone
    ? `None of the ${plural(match.names.length, "hook point")} is in layer ${draft.layer.trim()}.`
    : match.problem;
  const title = "all of which are changed";
  const isEmpty = draft.pattern.trim() === "" && !problems.pattern;
  return html`<div class="field wide">
    <label for="pattern">hook points</label>
    <input id="pattern" name="pattern" class="mono" list="points" autocomplete="off" spellcheck="false" placeholder="blocks.*.hook_resid_*" aria-invalid=${problems.pattern ? "true" : "false"} aria-describedby=${isEmpty ? "pattern-hint" : "pattern-hint found"} .value=${draft.pattern} />
    ${hookNames(points)}
    <span class="hint" id="pattern-hint">${HOOK_HINT}</span>
    ${isEmpty ? "" : hookFeedback({ ...match, names, problem }, points, { use, title })}
  </div>`;
}

const NO_ARCHITECTURE = {};
const ATTENTION_ONLY = { attn_only: true };

/** Whether positions can be chosen at the point. */
export function hasPositions({ draft, choices }: FormState) {
  return axesOf(draft.point, choices).some((axis) => axis === "pos" || axis === "query");
}

/** The least used fields. */
export function moreFields(state: FormState) {
  return html`
    ${text(state, "step", { label: "steps of a generation", placeholder: "all", hint: "The prompt is step 0; each new token is one more." })}
    ${text(state, "name", { label: "name", placeholder: "your words for it" })}
  `;
}

/** Tokens that are pressed to choose their positions. One of them is in the tab order. */
export function tokenButtons(
  tokens: readonly Token[],
  {
    chosen,
    focused,
    toggle,
  }: { chosen: readonly number[]; focused: number; toggle: (at: number) => void },
) {
  return tokens.map(
    (token, at) =>
      html`<button type="button" class="token mono" data-at=${at} tabindex=${at === focused ? 0 : -1} aria-pressed=${chosen.includes(at)} title="position ${at}" @click=${() => toggle(at)}>${truncate(token, 16)}</button>`,
  );
}

/** Whether the action can be done at the point; the form then turns to one where it can. */
export function fits({ draft, choices }: Pick<FormState, "draft" | "choices">) {
  return draft.point === "" || kindsAt(axesOf(draft.point, choices)).includes(draft.kind);
}
