// The state as the fragment of an address: #prompt=…&layer=1&view=patching&patching.at=z&interventions=[…]

import { chosenSettings, isEqual, type Field, type ViewFields } from "./fields.js";
import {
  isSameHead,
  withoutScripts,
  zeroedHead,
  zeroHead,
  type LabIntervention,
} from "./interventions.js";
import { FIELDS, OPENING, withHead, type LabState } from "./state.js";

/** Names of earlier addresses. */
const FORMER_NAMES: Readonly<Record<string, string>> = { look: "direction" };

/** Fields that an address does not carry. */
const LOCAL: readonly string[] = ["files"];

const names = Object.keys(FIELDS).filter((name) => !LOCAL.includes(name));
const fieldOf = (name: string) => FIELDS[name as keyof typeof FIELDS] as Field<unknown>;

/**
 * Writes a state. What has its default value is left out.
 * @param views the settings of each view
 * @returns without the leading #
 */
export function write(state: LabState, views: ViewFields): string {
  const params = new URLSearchParams();
  for (const name of names) {
    const value = state[name as keyof LabState];
    if (name === "interventions") writeInterventions(params, state.interventions);
    else if (!isDefault(name, value)) params.set(name, fieldOf(name).write(value));
  }
  for (const [view, fields] of Object.entries(views)) {
    for (const [name, value] of Object.entries(state.views[view] ?? {})) {
      if (Object.hasOwn(fields, name)) params.set(`${view}.${name}`, fields[name].write(value));
    }
  }
  return params.toString();
}

function isDefault(name: string, value: unknown) {
  return isEqual(value, OPENING[name as keyof LabState]);
}

/** Heads that are switched off have a short form: off=1.1,0.2 */
function writeInterventions(params: URLSearchParams, list: readonly LabIntervention[]) {
  if (list.length === 0) return;
  const heads = list.map(zeroedHead);
  const words = heads.map((head) => head && `${head.layer}.${head.head}`);
  if (!words.includes(null) && new Set(words).size === words.length)
    params.set("off", words.join(","));
  else params.set("interventions", FIELDS.interventions.write(list));
}

export interface Address {
  state: LabState;
  /** the names that the address has, as fields of the state */
  named: ReadonlySet<string>;
  /** a sentence about each name and value that is not known or does not fit; the state has the default in its place */
  problems: string[];
}

/**
 * Reads an address, which may have been typed by hand.
 * @param hash with or without its #
 * @param views the settings of each view
 */
export function read(hash: string, views: ViewFields): Address {
  const state: Record<string, unknown> = { ...OPENING };
  const settings: Record<string, Record<string, unknown>> = {};
  const problems: string[] = [];
  const named: Set<string> = new Set();
  const heads: LabIntervention[] = [];
  for (const [written, value] of new URLSearchParams(hash.replace(/^#/, ""))) {
    const name = Object.hasOwn(FORMER_NAMES, written) ? FORMER_NAMES[written] : written;
    if (named.has(name)) {
      problems.push(`The address names ${quoted(written)} more than once; the first value counts`);
      continue;
    }
    named.add(name);
    if (name === "off") heads.push(...readHeads(value, problems));
    else if (names.includes(name)) {
      const found = readValue(fieldOf(name), name, value, problems);
      if (found !== undefined) state[name] = found;
    } else {
      const [view, setting] = settingOf(name, views);
      const field = view === undefined ? undefined : views[view][setting];
      const found = field && readValue(field, name, value, problems);
      if (view === undefined)
        problems.push(`The address has the name ${quoted(written)}, which this page does not know`);
      else if (found !== undefined) settings[view] = { ...settings[view], [setting]: found };
    }
  }
  const all = [...heads, ...(state.interventions as LabIntervention[])];
  const { interventions, hasScripts } = withoutScripts(all);
  if (hasScripts)
    problems.push(
      "The address has an intervention in JavaScript, which is switched off: read its code before you switch it on",
    );
  const read = { ...state, interventions } as LabState;
  checkViews(read, views, problems);
  return { state: withHead({ ...read, views: withoutDefaults(settings, views) }), named, problems };
}

function readValue(field: Field<unknown>, name: string, value: string, problems: string[]) {
  const found = field.parse(value);
  if (found === undefined)
    problems.push(`The address has ${quoted(value)} for ${name}, expected ${field.expected}`);
  return found;
}

/** The view and the setting that "patching.at" names, if there is such a setting. */
function settingOf(name: string, views: ViewFields): [string, string] | [undefined, string] {
  const at = name.lastIndexOf(".");
  const [view, setting] = [name.slice(0, Math.max(0, at)), name.slice(at + 1)];
  const isKnown = Object.hasOwn(views, view) && Object.hasOwn(views[view], setting);
  return [isKnown ? view : undefined, setting];
}

function readHeads(value: string, problems: string[]): LabIntervention[] {
  const heads = value.split(",").flatMap((word) => {
    const found = /^(\d+)\.(\d+)$/.exec(word);
    if (!found)
      problems.push(`The address has ${quoted(word)} for off, expected a head such as 1.0`);
    return found ? [{ layer: Number(found[1]), head: Number(found[2]) }] : [];
  });
  const isFirst = (head: (typeof heads)[number], at: number) =>
    heads.findIndex((other) => isSameHead(other, head)) === at;
  return heads.filter(isFirst).map(zeroHead);
}

/** A view that the page does not have is not opened. */
function checkViews(state: LabState, views: ViewFields, problems: string[]) {
  for (const name of ["view", "beside"] as const) {
    const view = state[name];
    if (view === OPENING[name] || Object.hasOwn(views, view)) continue;
    problems.push(`The address asks for the view ${quoted(view)}, which this page does not have`);
    state[name] = OPENING[name];
  }
}

function withoutDefaults(settings: LabState["views"], views: ViewFields): LabState["views"] {
  const chosen = Object.entries(settings).flatMap(([view, own]) => {
    const kept = chosenSettings(own, views[view]);
    return Object.keys(kept).length > 0 ? [[view, kept]] : [];
  });
  return Object.fromEntries(chosen);
}

function quoted(word: string) {
  return JSON.stringify(word.length > 80 ? `${word.slice(0, 79)}…` : word);
}
