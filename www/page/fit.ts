// What a state asks for and a model does not have.

import { whyAbsent } from "../session/architecture.js";
import { matchHooks } from "../session/hook-match.js";
import { isExpression, textOf } from "../session/selector-text.js";
import { countedFromStart, fromStart, missingPart } from "../state/indices.js";
import { isSameHead, zeroedHead, type Head, type LabIntervention } from "../state/interventions.js";
import { OPENING, type LabState } from "../state/state.js";
import { headExists, sizesOf } from "./interventions.js";
import type { Model } from "./state.js";

export interface Fit {
  /** The fields that take the place of those that do not fit. */
  choice: Partial<LabState>;
  /** A sentence about each missing part. */
  problems: string[];
}

/** Who asks, if a link or an address does. */
export const ADDRESS = "The address asks for";

/**
 * Makes a state fit a model: indices that count from the end are resolved, what the model does not have is reset, and
 * interventions on heads and points that it does not have are disabled.
 * @param subject what asks for it: "The address asks for"
 */
export function fit(lab: LabState, model: Model, subject: string): Fit {
  const { hook, interventions, ids, prompt } = lab;
  const sizes = sizesOf(model);
  const layer = lab.layer === null ? null : fromStart(lab.layer, sizes.layers);
  const head = lab.head === null ? null : fromStart(lab.head, sizes.heads);
  const choice: Partial<LabState> = {};
  const problems: string[] = [];
  const missing: Head[] = [];
  const note = (one: Head) => {
    if (!missing.some((other) => isSameHead(other, one))) missing.push(one);
  };
  const fitted = interventions.map((written) => {
    const one = countedFromStart(written, sizes, model.hookPoints);
    const { name: _, disabled, ...plain } = one;
    const zeroed = zeroedHead(plain);
    if (zeroed && headExists(zeroed)) return one;
    const missing = missingPart(one, sizes);
    if (!zeroed && missing === null && hasPoint(model, one)) return one;
    if (!disabled && zeroed) note(zeroed);
    else if (!disabled && missing !== null)
      problems.push(
        `${subject} an intervention on ${missing.part}, but this model has ${missing.has}`,
      );
    else if (!disabled) problems.push(absent(subject, textOf(one.at), model));
    return { ...one, disabled: true as const };
  });
  if (fitted.some((one, at) => one !== interventions[at])) choice.interventions = fitted;
  if (layer !== lab.layer || head !== lab.head) Object.assign(choice, { layer, head });
  if (layer !== null && head !== null && !headExists({ layer, head })) {
    note({ layer, head });
    Object.assign(choice, { layer: null, head: null });
  }
  if (missing.length > 0) {
    const names = missing.map((one) => `${one.layer}.${one.head}`).join(", ");
    const { n_layer, n_head } = model.config;
    problems.unshift(
      `${subject} head ${names}, but this model has ${n_layer} layers of ${n_head} heads, counted from 0`,
    );
  }
  // A view with a box for it says itself that there is none, and what may be meant.
  const hasBox = [lab.view, lab.beside].some((view) => WITH_HOOK_BOX.includes(view));
  if (hook !== "" && !hasBox && !selectsAny(model, hook)) {
    problems.push(absent(subject, hook, model));
    choice.hook = "";
  }
  if (subject === ADDRESS && !model.hasTokenizer && ids === null && prompt !== OPENING.prompt)
    problems.push(`${subject} a text, which this model cannot read because it has no tokenizer`);
  return { choice, problems };
}

const WITH_HOOK_BOX = ["activations", "two-prompts"];

/** Whether a text selects a hook point of the model. */
export function selectsAny({ hookPoints, config }: Model, text: string) {
  return matchHooks(text, hookPoints, config).names.length > 0;
}

/** Whether the model has a point of an intervention. It matches regular expressions itself, when the text is read. */
function hasPoint(model: Model, { at }: LabIntervention) {
  return isExpression(at) || selectsAny(model, textOf(at));
}

function absent(subject: string, hook: string, { config }: Model) {
  const reason = whyAbsent(hook, config);
  return `${subject} the hook point "${hook.slice(0, 80)}", which this model does not have${reason === null ? "" : `: ${reason}`}`;
}
