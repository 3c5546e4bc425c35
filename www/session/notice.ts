// A notice of the report of a load. The words about the kinds are in notices.ts, which a figure loads only if it shows a report.

import type { Notice } from "../api/generated.js";

/** A notice, also of a kind that another version of the page knows. from: keys in the file */
export type AnyNotice = Omit<Notice, "kind" | "from"> & {
  kind: string;
  from?: readonly string[] | null;
};

/** Kinds that say how a tensor is written in the files, and change no result. */
const MINOR: readonly string[] = ["filled", "tied", "joined", "transposed", "renamed"];

/** Whether a reader of the results should know of it. A kind that is not known matters. */
export function matters({ kind }: Pick<AnyNotice, "kind">): boolean {
  return !MINOR.includes(kind);
}
