// The changes of the state. A pure function: the former state stays as it is, and a change that changes nothing returns it.

import { isEqual, type ViewFields } from "./fields.js";
import type { LabIntervention } from "./interventions.js";
import { OPENING, withHead, type LabState } from "./state.js";

export type Action =
  /** sets fields; `views` has only the settings that change */
  | { type: "choose"; choice: Partial<LabState> }
  | { type: "set-view"; view: string; settings: Readonly<Record<string, unknown>> }
  | { type: "add-intervention"; intervention: LabIntervention }
  | { type: "remove-intervention" | "toggle-intervention"; at: number }
  | { type: "move-intervention"; at: number; to: number }
  | { type: "edit-intervention"; at: number; intervention: LabIntervention }
  /** another state as a whole, such as a lesson's; what it leaves out has its default */
  | { type: "open"; state: Partial<LabState> };

/** @param views the settings of each view: those with their default value are not kept */
export function reduce(state: LabState, action: Action, views: ViewFields = {}): LabState {
  switch (action.type) {
    case "choose": {
      const { views: settings = {}, ...fields } = action.choice;
      return Object.entries(settings).reduce(
        (chosen, [view, own]) => withSettings(chosen, view, own, views),
        assign(state, fields),
      );
    }
    case "set-view":
      return withSettings(state, action.view, action.settings, views);
    case "open": {
      const { views: settings = {}, ...fields } = action.state;
      const opened = Object.entries(settings).reduce(
        (next, [view, own]) => withSettings(next, view, own, views),
        OPENING,
      );
      return assign(state, { ...opened, ...defined(fields) });
    }
    default:
      return assign(state, { interventions: changed(state.interventions, action) });
  }
}

type ListAction = Exclude<Action, { type: "choose" | "set-view" | "open" }>;

/** The list after a change. A place that it does not have changes nothing. */
function changed(list: readonly LabIntervention[], action: ListAction) {
  if (action.type === "add-intervention") return [...list, action.intervention];
  const { at } = action;
  const one = list[at];
  if (one === undefined) return list;
  const replaced = [...list];
  switch (action.type) {
    case "remove-intervention":
      replaced.splice(at, 1);
      break;
    case "toggle-intervention":
      replaced[at] = toggled(one);
      break;
    case "edit-intervention":
      replaced[at] = action.intervention;
      break;
    case "move-intervention":
      replaced.splice(at, 1);
      replaced.splice(Math.max(0, action.to), 0, one);
  }
  return replaced;
}

function toggled({ disabled, ...others }: LabIntervention): LabIntervention {
  return disabled ? others : { ...others, disabled: true };
}

/** The state with these settings of a view. Those with their default value are left out. */
function withSettings(
  state: LabState,
  view: string,
  settings: Readonly<Record<string, unknown>>,
  views: ViewFields,
): LabState {
  const fields = Object.hasOwn(views, view) ? views[view] : {};
  const isChosen = (name: string, value: unknown) =>
    value !== undefined && !(Object.hasOwn(fields, name) && isEqual(value, fields[name].fallback));
  const all = Object.entries({ ...state.views[view], ...settings });
  const own = Object.fromEntries(all.filter(([name, value]) => isChosen(name, value)));
  const { [view]: _, ...others } = state.views;
  return assign(state, {
    views: Object.keys(own).length > 0 ? { ...others, [view]: own } : others,
  });
}

/** The state with these fields; the same object if none of them differs. Fields that are undefined stay as they are. */
function assign(state: LabState, fields: Partial<LabState>): LabState {
  const different = Object.entries(defined(fields)).filter(
    ([name, value]) => !isEqual(state[name as keyof LabState], value),
  );
  if (different.length === 0) return state;
  const next = withHead({ ...state, ...Object.fromEntries(different) });
  return isEqual(next, state) ? state : next;
}

function defined(fields: Partial<LabState>): Partial<LabState> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
