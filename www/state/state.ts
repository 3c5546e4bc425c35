// The state of the lab as one plain object: what undo, the address, a reload, lessons and copies use. Its names are those of the
// API. Each of its fields is declared once, in FIELDS.

import type { Answer } from "../api/generated.js";
import type { Band } from "../draw/matrix.js";
import {
  choice,
  chosenSettings,
  complete,
  flag,
  json,
  list,
  number,
  optional,
  text,
  whole,
  type Field,
  type ViewFields,
} from "./fields.js";
import { isIntervention, type LabIntervention, withoutScripts } from "./interventions.js";

export interface LabState {
  /** a folder address, or a Hugging Face id as "hf:owner/name"; empty for files on a disk */
  model: string;
  /** the model's id in the gallery, if it came from files on a disk; an address does not carry it */
  files: string;
  dtype: "f32" | "f16" | "q8" | "q4";
  /** the text; with two prompts, the clean one */
  prompt: string;
  /** the text of a model without a tokenizer; null for the ids that the page opens such a model with */
  ids: readonly number[] | null;
  /** the second prompt */
  corrupted: string | null;
  view: string;
  /** a second view on wide screens; empty for none */
  beside: string;
  /** null for the strongest induction head, as `head`; negative ones count from the end until a model is there */
  layer: number | null;
  head: number | null;
  /** the hook point whose values are drawn; empty for the residual stream after the last layer */
  hook: string;
  scale: "linear" | "sqrt";
  /** tokens show what the focused one attends to ("from"), or what attends to it ("to") */
  direction: "from" | "to";
  /** a cell, a row or a column of the pattern */
  lock: Band | null;
  /** what head scores are measured on */
  measured: "text" | "random";
  /** whose next token is studied; null for the last one */
  position: number | null;
  /** a token's text, or its id */
  answer: Answer | null;
  /** the token that the answer is compared with */
  against: Answer | null;
  interventions: readonly LabIntervention[];
  doSample: boolean;
  temperature: number;
  /** null for all tokens */
  topK: number | null;
  topP: number | null;
  seed: number;
  maxNewTokens: number;
  /** the weight or hook point that the tree of the model shows; empty for none */
  tree: string;
  /** what is searched for in the tree */
  treeSearch: string;
  /** the open lesson; empty for none */
  lesson: string;
  /** counted from 1 */
  step: number;
  /** what was chosen in each view, by the view's name; settings with their default value are left out */
  views: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

const SENTENCE =
  "You are gentlemen of brave metal; you would lift the moon out of her sphere, if she would continue in it five weeks without changing.";

/** "query,key", of which one may be absent. */
const lock: Field<Band | null> = {
  fallback: null,
  parse: (written) => {
    const found = /^(\d*),(\d*)$/.exec(written);
    if (!found || written === ",") return undefined;
    const [query, key] = found.slice(1).map((digits) => (digits === "" ? undefined : +digits));
    return { ...(query !== undefined && { query }), ...(key !== undefined && { key }) };
  },
  write: (value) => `${value?.query ?? ""},${value?.key ?? ""}`,
  accepts: (value) => {
    if (value === null) return true;
    if (typeof value !== "object") return false;
    const [keys, isPlace] = [Object.keys(value), whole(0).accepts];
    return (
      keys.length > 0 &&
      Object.entries(value).every(([name, at]) => /^(query|key)$/.test(name) && isPlace(at))
    );
  },
  expected: "a query and a key as in 31,12, of which one may be absent",
};

/** A token's text, or its id. A text that reads as an id stands in quotation marks. */
const answer: Field<Answer | null> = {
  fallback: null,
  parse: (written) => {
    if (/^\d+$/.test(written)) return whole(0).parse(written);
    return written.startsWith('"') ? json("", text("").accepts, "").parse(written) : written;
  },
  write: (value) =>
    typeof value === "string" && /^(\d+$|")/.test(value) ? JSON.stringify(value) : String(value),
  accepts: (value) => value === null || typeof value === "string" || whole(0).accepts(value),
  expected: "a token's text or its id",
};

type FieldsOf<State> = { readonly [Name in keyof State]: Field<State[Name]> };

/** The fields of the state, apart from those of the views. */
export const FIELDS: FieldsOf<Omit<LabState, "views">> = {
  model: text("models/shakespeare"),
  files: text(""),
  dtype: choice(["f32", "f16", "q8", "q4"], "f32"),
  // A sentence twice, so that an induction head can copy.
  prompt: text(`${SENTENCE} ${SENTENCE}`),
  ids: optional(list(whole(0), "token ids, separated by commas")),
  corrupted: optional(text("")),
  view: text("attention"),
  beside: text(""),
  // Negative ones count from the end: `fit` in www/page/fit.ts resolves them once the model is known.
  layer: optional(whole(0, { min: Number.MIN_SAFE_INTEGER })),
  head: optional(whole(0, { min: Number.MIN_SAFE_INTEGER })),
  hook: text(""),
  scale: choice(["linear", "sqrt"], "linear"),
  direction: choice(["from", "to"], "from"),
  lock,
  measured: choice(["text", "random"], "text"),
  position: optional(whole(0)),
  answer,
  against: answer,
  interventions: json<readonly LabIntervention[]>(
    [],
    (value) => Array.isArray(value) && value.every(isIntervention),
    'interventions as JSON, such as [{"at":"blocks.1.attn.hook_z","head":0,"do":"zero"}]',
  ),
  doSample: flag(true),
  // With these the bundled model continues the opening text with two short speeches: docs/decisions/page.md.
  temperature: number(0.5, { min: 0 }),
  topK: optional(whole(1, { min: 1 })),
  topP: optional(number(1, { min: 0, max: 1 })),
  seed: whole(116),
  maxNewTokens: whole(44, { min: 1 }),
  tree: text(""),
  treeSearch: text(""),
  lesson: text(""),
  step: whole(1, { min: 1 }),
};

/** What the page opens with. */
export const OPENING: LabState = { ...complete(FIELDS), views: {} };

/**
 * The state that plain data describes, such as that of an earlier visit. What is missing or does not fit has its default; so has
 * a setting of a view that `views` does not list. Stored data run no code: interventions in JavaScript are disabled.
 */
export function completeState(data: unknown, views: ViewFields): LabState {
  const values = isRecord(data) ? data : {};
  const chosen = isRecord(values.views) ? values.views : {};
  const settings = Object.entries(views).flatMap(([view, fields]) => {
    const own = chosen[view];
    const kept = isRecord(own) ? chosenSettings(own, fields) : {};
    return Object.keys(kept).length > 0 ? [[view, kept]] : [];
  });
  const state = complete(FIELDS, values);
  const { interventions } = withoutScripts(state.interventions);
  return withHead({ ...state, interventions, views: Object.fromEntries(settings) });
}

/** A layer without a head means its head 0, and a head without a layer that of layer 0. */
export function withHead(state: LabState): LabState {
  const { layer, head } = state;
  if ((layer === null) === (head === null)) return state;
  return { ...state, layer: layer ?? 0, head: head ?? 0 };
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
