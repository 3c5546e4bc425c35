// What an entry of the export menu is, and what entries share.

import type { ExportEntry } from "../../elements/export-menu.js";
import { entryOf } from "../../elements/views/index.js";
import { page, state } from "../state.js";

/** A file to save, or a text to copy. */
export type Exported = { name: string; blob: Blob } | { text: string };

/** An entry of the menu. */
export interface PageExport extends Pick<ExportEntry, "name" | "group" | "title" | "says"> {
  /** why it cannot be made now; null if it can */
  absent?: () => string | null;
  /** how many bytes the file will have; null if that is not known before */
  size?: () => Promise<number | null>;
  make: (context: ExportContext) => Promise<Exported>;
}

export interface ExportContext {
  /** what the visitor wrote, or the caption that the page proposes */
  caption: string;
}

/** What the figure shows, in words: the caption of a file without another one. */
export function proposedCaption(): string {
  const { view, layer, head } = page.figure;
  const { usesHead, title } = entryOf(view);
  const what = usesHead ? `${title} of head ${layer}.${head}` : title;
  return `${what}, ${state.name}`;
}

/** A part of a file's name without characters that file systems refuse. */
export function fileName(...parts: readonly string[]) {
  return parts
    .join("-")
    .replace(/[^\p{L}\p{N}.-]+/gu, "-")
    .slice(0, 100);
}
