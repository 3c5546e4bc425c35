// What an entry of the export menu is, and what entries share.

import type { ExportEntry } from "../../elements/export-menu.js";
import { entryOf } from "../../elements/views/index.js";
import { settingsOf } from "../../elements/views/view.js";
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
  /** what the visitor wrote; empty for nothing */
  written: string;
}

/** What the figure shows, in words: the caption of a file without another one. */
export function proposedCaption(): string {
  const { view } = page.figure;
  const head = headOf(view);
  const { changes = "" } = page.figure.reading ?? {};
  return `${entryOf(view).title}${head ? ` of head ${head}` : ""}, ${state.name}${changes ? `, with ${changes}` : ""}`;
}

/** The head that a view is about, such as "1.3"; undefined if it is about none, or about all. */
export function headOf(view: string): string | undefined {
  const { layer, head, views } = page.figure;
  const entry = entryOf(view);
  const { show, of, receivers } = settingsOf(entry, views[view]);
  const isOfAll =
    show === "rollout" ||
    receivers === "logits" ||
    (view === "two-prompts" && of !== "attention" && of !== "activations");
  return entry.usesHead && !isOfAll ? `${layer}.${head}` : undefined;
}

/** A part of a file's name without characters that file systems refuse. */
export function fileName(...parts: readonly string[]) {
  return parts
    .join("-")
    .replace(/[^\p{L}\p{N}.-]+/gu, "-")
    .slice(0, 100);
}
