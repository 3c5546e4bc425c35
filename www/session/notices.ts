// The report of a load in groups: what changes or may change the result first, what is only written differently last.

import type { Notice } from "../api/generated.js";

/** A notice, also of a kind that another version of the page knows. from: keys in the file */
export type AnyNotice = Omit<Notice, "kind" | "from"> & {
  kind: string;
  from?: readonly string[] | null;
};

export interface KindInfo {
  kind: string;
  /** the kind in a word, as in "3 assumed" */
  title: string;
  /** what it means */
  note: string;
  /** whether a reader of the results should know of it */
  matters: boolean;
}

/** The kinds, in the order in which a reader wants to know of them. */
export const KINDS: readonly KindInfo[] = [
  {
    kind: "nonFinite",
    title: "not a number",
    note: "These tensors hold NaN or infinity.",
    matters: true,
  },
  {
    kind: "unknown",
    title: "unknown",
    note: "What these are is not known, and the model does not use them.",
    matters: true,
  },
  {
    kind: "assumed",
    title: "assumed",
    note: "The files do not say these: check that they are right.",
    matters: true,
  },
  {
    kind: "ignored",
    title: "not used",
    note: "The files hold these, and the model does not use them.",
    matters: true,
  },
  {
    kind: "used",
    title: "used",
    note: "The model uses these, whatever the config says.",
    matters: true,
  },
  {
    kind: "replaced",
    title: "replaced",
    note: "`withParameters` gave these other numbers than the files.",
    matters: true,
  },
  {
    kind: "filled",
    title: "filled in",
    note: "The files do not hold these, so they are zeros.",
    matters: false,
  },
  {
    kind: "tied",
    title: "tied",
    note: "One tensor is used in two places.",
    matters: false,
  },
  {
    kind: "joined",
    title: "joined",
    note: "Several stored tensors make one.",
    matters: false,
  },
  {
    kind: "transposed",
    title: "transposed",
    note: "Stored as [out, in], used as [in, out].",
    matters: false,
  },
  {
    kind: "renamed",
    title: "renamed",
    note: "The files use other names.",
    matters: false,
  },
];

export interface Group extends KindInfo {
  notices: readonly AnyNotice[];
}

/** The notices by kind, in the order of `KINDS`; a kind that is not listed there matters and comes first. */
export function groupNotices(notices: readonly AnyNotice[]): Group[] {
  const known = new Set(KINDS.map(({ kind }) => kind));
  const others = [...new Set(notices.map(({ kind }) => kind))]
    .filter((kind) => !known.has(kind))
    .map((kind) => ({ kind, title: kind, note: "", matters: true }));
  return [...others, ...KINDS]
    .map((info) => ({ ...info, notices: notices.filter(({ kind }) => kind === info.kind) }))
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
