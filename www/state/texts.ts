// A small history of texts: picking a next token or generating makes a branch, which can be left again. Plain data, newest first.

import { isRecord } from "./state.js";

export interface TextEntry {
  text: string;
  /** The text is a list of token ids. */
  isIds: boolean;
  /** The text that this one continues; null if it was typed. */
  parent: string | null;
  /** Tokens from this position on were written by the model; null if none were. */
  generated: number | null;
}

/** Older texts are forgotten. */
const MAX_TEXTS = 30;
/** Longer texts are not kept: a browser stores some 5 MB for a page. */
const MAX_LENGTH = 50_000;

/** The list with a text in front. A text that it has already moves there, and keeps the text that it continues. */
export function addText(list: readonly TextEntry[], entry: TextEntry): readonly TextEntry[] {
  if (entry.text === "" || entry.text.length > MAX_LENGTH) return list;
  const former = findText(list, entry);
  const parent = entry.parent ?? former?.parent ?? null;
  const generated = entry.generated ?? former?.generated ?? null;
  const others = list.filter((one) => one !== former);
  return [{ ...entry, parent, generated }, ...others].slice(0, MAX_TEXTS);
}

export function findText(
  list: readonly TextEntry[],
  { text, isIds }: Pick<TextEntry, "text" | "isIds">,
): TextEntry | undefined {
  return list.find((one) => one.text === text && one.isIds === isIds);
}

/** The texts in stored data; what is not one is left out. */
export function textsIn(data: unknown): readonly TextEntry[] {
  return (Array.isArray(data) ? data : []).filter(isEntry).slice(0, MAX_TEXTS);
}

function isEntry(value: unknown): value is TextEntry {
  if (!isRecord(value)) return false;
  const { text, isIds, parent, generated } = value;
  return (
    typeof text === "string" &&
    typeof isIds === "boolean" &&
    (parent === null || typeof parent === "string") &&
    (generated === null || Number.isSafeInteger(generated))
  );
}

/** How much of a text its label shows before and after the place where it begins to differ. */
const BEFORE = 16;
const AFTER = 44;

/** What tells a text from another: its part around the first difference. */
export function firstDifference(text: string, other: string): { before: string; after: string } {
  const [own, theirs] = [[...text], [...other]];
  const found = own.findIndex((character, at) => character !== theirs[at]);
  // A text that the other one begins with differs at its end.
  const at = found < 0 ? own.length : found;
  const start = Math.max(0, at - BEFORE);
  const end = Math.min(own.length, at + AFTER);
  return {
    before: (start > 0 ? "…" : "") + own.slice(start, at).join(""),
    after: own.slice(at, end).join("") + (end < own.length ? "…" : ""),
  };
}
