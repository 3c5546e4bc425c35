// What the attributes of <candle-scope> say and no view, model or dtype has: the sentences about it, and what is drawn in its place.

import { nearest, type SelectablePoint } from "../../api/hook-names.js";
import { type Architecture, whyAbsent } from "../../session/architecture.js";
import { matchHooks } from "../../session/hook-match.js";
import { isExpression, textOf } from "../../session/selector-text.js";
import { chosenSettings, complete, isEqual, type Field } from "../../state/fields.js";
import { fromStart, missingPart } from "../../state/indices.js";
import { type LabIntervention, whyNoInterventions } from "../../state/interventions.js";
import { VIEWS } from "../views/index.js";
import { ALL_FIELDS, SETTINGS, type ScopeValues, type ViewValues } from "./fields.js";
import { attribute, listed, range } from "./words.js";

/** The properties as they were written; a text that is no value of its field is still a text. */
export type Written = Readonly<Record<string, unknown>> & { readonly views?: ViewValues };

/** What is needed of a model. */
export interface Fitting {
  config: Architecture & { n_layer: number; n_head: number };
  hookPoints?: readonly SelectablePoint[];
  hasTokenizer?: boolean;
}

/** What is drawn: each value is one that there is. */
export interface Fitted extends ScopeValues {
  views: ViewValues;
  problems: readonly string[];
}

/** The properties of an element as plain data. */
export function written(element: object): Written {
  const names = ["views", ...Object.keys(ALL_FIELDS)];
  return Object.fromEntries(names.map((name) => [name, (element as Written)[name]]));
}

/** What is drawn in place of a value that does not fit. */
const INSTEAD: Readonly<Record<string, string>> = {
  view: "The attention is drawn.",
  layer: "The most telling head of the text is drawn.",
  head: "The most telling head of the text is drawn.",
};

/**
 * @param model null while it is not there, so that its layers and heads are not known
 * @param length how many tokens the text has; null while it is not read
 */
export function fitted(written: Written, model: Fitting | null, length: number | null): Fitted {
  const problems = Object.entries<Field<unknown>>(ALL_FIELDS).flatMap(([name, field]) =>
    field.accepts(written[name]) ? [] : [unfit(name, written[name], field)],
  );
  const values = complete(ALL_FIELDS, written);
  const views = fittedViews(written.views ?? {}, problems);
  const isHeadWrong = ["layer", "head"].some(
    (name) => !ALL_FIELDS[name as "layer" | "head"].accepts(written[name]),
  );
  if (isHeadWrong) Object.assign(values, NO_HEAD);
  if (values.interventions.some(isDisabledScript))
    problems.push(
      "An intervention in JavaScript is switched off, because an attribute runs no code: set the property `interventions` from a script.",
    );
  const { parts } = values;
  if (parts.includes("sentence") && !parts.includes("pattern"))
    problems.push(
      `${attribute("parts", parts.join(" "))} shows no sentence, because the sentence stands above the picture: add \`pattern\`.`,
    );
  if (values.beside !== "" && values.beside === values.view) {
    problems.push(
      `${attribute("beside", values.beside)} is the view that is drawn already. It is ignored.`,
    );
    values.beside = "";
  }
  if (values.corrupted === "") {
    problems.push("`corrupted` is empty: write the second prompt, or leave the attribute out.");
    values.corrupted = null;
  }
  if (model) checkModel(values, model, problems);
  // Until the model is there, an index that counts from the end is not known.
  else if ((values.layer ?? 0) < 0 || (values.head ?? 0) < 0) Object.assign(values, NO_HEAD);
  if (length !== null) checkText(values, length, problems);
  return { ...values, views, problems };
}

function isDisabledScript({ do: recipe, disabled }: LabIntervention) {
  return disabled === true && typeof recipe === "object" && "js" in recipe;
}

/** The same, with the former value of each field that has an equal one, so that nothing is drawn again for it. */
export function unchanged(next: Fitted, former: Fitted | null): Fitted {
  if (!former) return next;
  const kept = Object.entries(next).map(([name, value]) => {
    const before = former[name as keyof Fitted];
    return [name, isEqual(value, before) ? before : value];
  });
  return Object.fromEntries(kept);
}

/** The hook point that is drawn; the residual stream after the last layer if none is named. */
export function hookOf(hook: string, model: Fitting | null) {
  return hook || (model ? `blocks.${model.config.n_layer - 1}.hook_resid_post` : "");
}

const NO_HEAD = { layer: null, head: null };

/** The settings that fit. */
function fittedViews(written: ViewValues, problems: string[]): ViewValues {
  for (const [attribute, { view, name, field }] of SETTINGS) {
    const own = written[view] ?? {};
    if (Object.hasOwn(own, name) && !field.accepts(own[name]))
      problems.push(unfit(attribute, own[name], field));
  }
  return Object.fromEntries(
    Object.entries(written).flatMap(([view, own]) =>
      Object.hasOwn(VIEWS, view) ? [[view, chosenSettings(own, VIEWS[view].settings)]] : [],
    ),
  );
}

function unfit(name: string, value: unknown, field: Field<unknown>) {
  const { fallback } = field;
  const isNone = fallback === null || fallback === "" || typeof fallback === "object";
  const instead = INSTEAD[name] ?? (isNone ? "It is ignored." : `\`${fallback}\` is used.`);
  const reason = name === "interventions" ? whyNoInterventions(value) : "";
  if (reason) return `${attribute(name, value)} does not fit: ${reason}. ${instead}`;
  return `${attribute(name, value)} does not fit: expected ${field.expected}. ${instead}`;
}

/** Takes away what the model does not have. */
function checkModel(values: ScopeValues, model: Fitting, problems: string[]) {
  const { n_layer: layers, n_head: heads } = model.config;
  const { hook, view, ids } = values;
  const counted = (index: number | null, count: number) => index && fromStart(index, count);
  const [layer, head] = [counted(values.layer, layers), counted(values.head, heads)];
  Object.assign(values, { layer, head });
  const exists = (index: number | null, count: number) =>
    index === null || (index >= 0 && index < count);
  if (!exists(layer, layers) || !exists(head, heads)) {
    const asked = [
      ...(layer === null ? [] : [attribute("layer", layer)]),
      ...(head === null ? [] : [attribute("head", head)]),
    ];
    problems.push(
      `There is no ${asked.join(" ")}: the model has ${range("layer", layers)} and ${range("head", heads)}. ${INSTEAD.head}`,
    );
    Object.assign(values, NO_HEAD);
  }
  checkInterventions(values, model, problems);
  // The view of activations says itself that there is no such point.
  if (hook !== "" && view !== "activations" && !hasPoint(model, hook))
    problems.push(absent("hook", hook, model));
  if (ids !== null && model.hasTokenizer !== false)
    problems.push(
      "`ids` is for a model without a tokenizer. This one has a tokenizer, and reads `prompt`.",
    );
}

/** Leaves out the interventions on what the model does not have; the others act. */
function checkInterventions(values: ScopeValues, model: Fitting, problems: string[]) {
  const { n_layer: layers, n_head: heads } = model.config;
  const off = values.off.filter(({ layer, head }) => layer < layers && head < heads);
  for (const { layer, head } of values.off.filter((one) => !off.includes(one)))
    problems.push(
      `There is no head ${layer}.${head}, which \`off\` names: the model has ${range("layer", layers)} and ${range("head", heads)}. It is left out.`,
    );
  const sizes = { layers, heads, neurons: Number.POSITIVE_INFINITY, width: 0 };
  const interventions = values.interventions.filter((one, at) => {
    if (one.disabled) return true;
    const missing = missingPart(one, sizes);
    const isThere = isExpression(one.at) || hasPoint(model, textOf(one.at));
    const which = `Intervention ${at + 1} of \`interventions\` is left out.`;
    if (missing) problems.push(`The model has no ${missing.part}: it has ${missing.has}. ${which}`);
    else if (!isThere) problems.push(`${absent("at", textOf(one.at), model)} ${which}`);
    return !missing && isThere;
  });
  if (off.length < values.off.length) values.off = off;
  if (interventions.length < values.interventions.length) values.interventions = interventions;
}

/** Takes away what the text does not have. */
function checkText(values: ScopeValues, length: number, problems: string[]) {
  const { lock, position } = values;
  const count = `the text has ${length === 1 ? "only token 0" : `tokens 0 to ${length - 1}`}`;
  if (lock && Math.max(lock.query ?? 0, lock.key ?? 0) >= length) {
    problems.push(
      `There is no ${attribute("lock", ALL_FIELDS.lock.write(lock))}: ${count}. Nothing is locked.`,
    );
    values.lock = null;
  }
  if (position !== null && position >= length) {
    problems.push(
      `There is no ${attribute("position", position)}: ${count}. The last token is studied.`,
    );
    values.position = null;
  }
}

/** Also true for a model that does not say which points it has. */
function hasPoint({ hookPoints, config }: Fitting, hook: string) {
  return !hookPoints || matchHooks(hook, hookPoints, config).names.length > 0;
}

function absent(name: string, hook: string, { config, hookPoints = [] }: Fitting) {
  const reason = whyAbsent(hook, config);
  const names = hookPoints.map(({ name }) => name);
  return reason
    ? `The model has no ${attribute(name, hook)}, because ${reason}.`
    : `The model has no ${attribute(name, hook)}. The nearest are ${listed(nearest(hook, names))}.`;
}
