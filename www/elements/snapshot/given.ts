// What the attributes of a figure choose of its snapshot, and which of them a snapshot cannot follow.

import { isEqual } from "../../state/fields.js";
import { ALL_FIELDS, OWN_FIELDS, SCOPE_FIELDS, SETTINGS } from "../scope/fields.js";
import { listed } from "../scope/words.js";

/** What can be chosen of a snapshot. */
export const CHOSEN = [
  ...(["view", "beside", "layer", "head"] as const),
  ...(["lock", "scale", "direction"] as const),
] as const;
type Chosen = (typeof CHOSEN)[number];

/** What "run live" loads in place of the snapshot's model. */
const LOADED = ["model", "dtype"] as const;
type Loaded = (typeof LOADED)[number];

/** The choices that were made; a value may be one that does not fit. */
export type Given = Readonly<Partial<Record<Chosen | Loaded, unknown>>>;

/** What an element chooses, by its attributes or its properties. */
export function givenBy(element: HTMLElement & Record<Chosen | Loaded, unknown>): Given {
  const names = [...CHOSEN, ...LOADED].filter(
    (name) => element.hasAttribute(name) || !isEqual(element[name], ALL_FIELDS[name].fallback),
  );
  return Object.fromEntries(names.map((name) => [name, element[name]]));
}

const WITHOUT_MODEL: readonly string[] = [...CHOSEN, ...LOADED, ...Object.keys(OWN_FIELDS)];
const WITH_MODEL: ReadonlySet<string> = new Set([
  ...Object.keys(SCOPE_FIELDS)
    .filter((name) => !WITHOUT_MODEL.includes(name))
    .map((name) => name.toLowerCase()),
  ...SETTINGS.keys(),
  "editable",
]);

/** A sentence about the attributes that have no effect on a snapshot. */
export function needingModel(names: readonly string[]): string[] {
  const found = names.filter((name) => WITH_MODEL.has(name));
  if (found.length === 0) return [];
  const need = found.length === 1 ? "needs a model and has" : "need a model and have";
  return [
    `${listed(found)} ${need} no effect on a snapshot: change it on the page before the export.`,
  ];
}
