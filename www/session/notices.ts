// The report of a load in groups: what changes or may change the result first, what is only written differently last.

import { type AnyNotice, matters } from "./notice.js";

export interface KindInfo {
  kind: string;
  /** the kind in a word, as in "3 assumed" */
  title: string;
  /** what it means */
  note: string;
}

/** The kinds, in the order in which a reader wants to know of them. */
export const KINDS: readonly KindInfo[] = [
  {
    kind: "nonFinite",
    title: "not a number",
    note: "These tensors hold NaN or infinity.",
  },
  {
    kind: "unknown",
    title: "unknown",
    note: "What these are is not known, and the model does not use them.",
  },
  {
    kind: "assumed",
    title: "assumed",
    note: "The files do not say these: check that they are right.",
  },
  {
    kind: "ignored",
    title: "not used",
    note: "The files hold these, and the model does not use them.",
  },
  {
    kind: "used",
    title: "used",
    note: "The model uses these, whatever the config says.",
  },
  {
    kind: "replaced",
    title: "replaced",
    note: "`withParameters` gave these other numbers than the files.",
  },
  {
    kind: "filled",
    title: "filled in",
    note: "The files do not hold these, so they are zeros.",
  },
  {
    kind: "tied",
    title: "tied",
    note: "One tensor is used in two places.",
  },
  {
    kind: "joined",
    title: "joined",
    note: "Several stored tensors make one.",
  },
  {
    kind: "transposed",
    title: "transposed",
    note: "Stored as [out, in], used as [in, out].",
  },
  {
    kind: "renamed",
    title: "renamed",
    note: "The files use other names.",
  },
];

export interface Group extends KindInfo {
  /** whether a reader of the results should know of it */
  matters: boolean;
  notices: readonly AnyNotice[];
}

/** The notices by kind, in the order of `KINDS`; a kind that is not listed there matters and comes first. */
export function groupNotices(notices: readonly AnyNotice[]): Group[] {
  const known = new Set(KINDS.map(({ kind }) => kind));
  const others = [...new Set(notices.map(({ kind }) => kind))]
    .filter((kind) => !known.has(kind))
    .map((kind) => ({ kind, title: kind, note: "" }));
  return [...others, ...KINDS]
    .map((info) => ({
      ...info,
      matters: matters(info),
      notices: notices.filter(({ kind }) => kind === info.kind),
    }))
    .filter(({ notices }) => notices.length > 0);
}

/** The notices that hold every word of a filter, and are of its kind. */
export function filterNotices(
  notices: readonly AnyNotice[],
  { words, kind }: { words: string; kind: string },
): AnyNotice[] {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  return notices.filter((one) => {
    const text = [one.name, ...(one.from ?? []), one.message].join(" ").toLowerCase();
    return (kind === "" || one.kind === kind) && wanted.every((word) => text.includes(word));
  });
}

/** More keys of one tensor are counted. */
const MAX_KEYS = 4;

/** The keys in the file that a tensor was made from, if they are not its name. */
export function keysOf({ name, from }: AnyNotice): string {
  const keys = from ?? [];
  if (keys.length === 0 || (keys.length === 1 && keys[0] === name)) return "";
  const more = keys.length - MAX_KEYS;
  return [...keys.slice(0, MAX_KEYS), ...(more > 0 ? [`${more} more`] : [])].join(", ");
}
