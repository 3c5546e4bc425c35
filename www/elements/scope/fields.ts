// What <candle-scope> shows, as the fields of the page's state: its properties and its attributes are derived from them. An
// attribute has the name and the form that the page's address has, so "view=patching&patching.at=z" is view="patching"
// patching.at="z". HTML ignores the case of attributes.

import type { PropertyDeclaration } from "lit";

import { choice, list, text, type Field, type Fields, type ValuesOf } from "../../state/fields.js";
import { withoutScripts, type Head } from "../../state/interventions.js";
import { FIELDS } from "../../state/state.js";
import { VIEWS } from "../views/index.js";

/** A head as `1.3`. */
const head: Field<Head> = {
  fallback: { layer: 0, head: 0 },
  parse: (written) => {
    const found = /^\s*(\d+)\.(\d+)\s*$/.exec(written);
    return found ? { layer: Number(found[1]), head: Number(found[2]) } : undefined;
  },
  write: (value) => `${value.layer}.${value.head}`,
  accepts: (value) => {
    const { layer, head: index } = (value ?? {}) as Partial<Head>;
    return [layer, index].every((at) => Number.isSafeInteger(at) && (at as number) >= 0);
  },
  expected: "a head such as 1.0",
};

// A page's own fields mean nothing in a figure: files on a disk, the tree of the model, and the lessons.
const { files, tree, treeSearch, lesson, step, model, prompt, interventions, ...shared } = FIELDS;
/** Their names. */
export const PAGE_FIELDS = Object.keys({ files, tree, treeSearch, lesson, step });

/** The fields of a figure. */
export const SCOPE_FIELDS = {
  ...shared,
  model: { ...model, fallback: "" },
  prompt: { ...prompt, fallback: "" },
  view: choice(Object.keys(VIEWS), "attention"),
  beside: choice(["", ...Object.keys(VIEWS)], ""),
  interventions: {
    ...interventions,
    // An attribute runs no code, as a link does not: sites that take HTML from strangers may allow attributes.
    parse: (written) => {
      const found = interventions.parse(written);
      return found && withoutScripts(found).interventions;
    },
  } satisfies typeof interventions,
  /** heads that are switched off, in front of the interventions */
  off: list(head, "heads, separated by commas, as in 1.0,1.1"),
} satisfies Fields;

/** What a figure consists of, from top to bottom. */
const PARTS = ["tokens", "tabs", "heads", "sentence", "pattern"] as const;
export type Part = (typeof PARTS)[number];

const parts = list<Part>(
  choice(PARTS, "tokens"),
  `some of ${PARTS.join(", ")}, separated by spaces`,
);

/** What only an element has: how it stands on its page. */
export const OWN_FIELDS = {
  /** when the model is loaded: near the screen, at once, or when the reader asks */
  loading: choice(["lazy", "eager", "on-request"], "lazy"),
  /** what a reader can press besides tokens, heads and cells */
  controls: choice(["few", "all", "none"], "few"),
  /** the parts that are shown; empty for all */
  parts: {
    ...parts,
    // An empty attribute is no choice: it would show everything.
    parse: (written: string) =>
      written.trim() === "" ? undefined : parts.parse(written.trim().replace(/[\s,]+/g, ",")),
  },
  theme: choice(["auto", "light", "dark"], "auto"),
  /** the address of a snapshot, which is drawn without a model */
  src: text(""),
  /** when the model of a snapshot is loaded: when the reader asks, as soon as the snapshot is drawn, or never */
  live: choice(["button", "auto", "none"], "button"),
} satisfies Fields;

/** All properties that have an attribute. */
export const ALL_FIELDS = { ...SCOPE_FIELDS, ...OWN_FIELDS };

/**
 * The parts of the figure that are hidden.
 * @param wanted empty for all
 */
export function hiddenParts({
  controls,
  parts: wanted,
}: Pick<ValuesOf<typeof OWN_FIELDS>, "controls" | "parts">): string[] {
  const shown = wanted.length > 0 ? wanted : PARTS;
  const parts = PARTS.filter(
    (part) => !shown.includes(part) || (part === "tabs" && controls === "none"),
  );
  return [
    ...parts,
    ...(controls === "all" ? [] : ["tools", "choices"]),
    ...(controls === "none" ? ["buttons"] : []),
  ];
}

export type ScopeValues = ValuesOf<typeof ALL_FIELDS>;
/** The settings of each view, by the view's name. */
export type ViewValues = Record<string, Record<string, unknown>>;

/** The value of an attribute. A text that is none stays as it is, so that it can be named (attributes.ts). */
export function readAttribute({ parse, fallback }: Field<unknown>, text: string | null): unknown {
  return text === null ? fallback : (parse(text) ?? text);
}

/**
 * The value of a property. Frameworks set the text of an attribute, and null or undefined for one that is gone; a value that does not
 * fit stays as it is, so that it can be named.
 */
export function readProperty(field: Field<unknown>, value: unknown): unknown {
  if (field.accepts(value)) return value;
  if (value === null || value === undefined) return field.fallback;
  const isPlain = ["string", "number", "boolean"].includes(typeof value);
  return isPlain ? (field.parse(String(value)) ?? value) : value;
}

/** The accessor that Lit makes for a property, with a setter that reads as `readProperty`. */
export function readingAccessor(name: PropertyKey, made: PropertyDescriptor | undefined) {
  const field = Object.hasOwn(ALL_FIELDS, name)
    ? (ALL_FIELDS[name as keyof typeof ALL_FIELDS] as Field<unknown>)
    : null;
  const set = made?.set;
  if (!field || !set) return made;
  return {
    ...made,
    set(this: unknown, value: unknown) {
      set.call(this, readProperty(field, value));
    },
  };
}

/** Lit's declarations of the properties. */
export const SCOPE_PROPERTIES: Record<string, PropertyDeclaration> = Object.fromEntries(
  Object.entries<Field<unknown>>(ALL_FIELDS).map(([name, field]) => [
    name,
    {
      attribute: name.toLowerCase(),
      converter: { fromAttribute: (text: string | null) => readAttribute(field, text) },
    },
  ]),
);

/** A setting of a view. */
export interface Setting {
  view: string;
  name: string;
  field: Field<unknown>;
}

/** The settings of all views, by the names of their attributes. */
export const SETTINGS: ReadonlyMap<string, Setting> = new Map(
  Object.entries(VIEWS).flatMap(([view, { settings }]) =>
    Object.entries(settings).map(([name, field]): [string, Setting] => [
      `${view}.${name}`.toLowerCase(),
      { view, name, field },
    ]),
  ),
);

/** The settings with that of one attribute, or without it if the attribute was removed. */
export function withSetting(
  views: ViewValues,
  { view, name, field }: Setting,
  text: string | null,
) {
  const { [name]: _former, ...others } = views?.[view] ?? {};
  return {
    ...views,
    [view]: text === null ? others : { ...others, [name]: readAttribute(field, text) },
  };
}
