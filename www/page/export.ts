// The export menu: its entries, the sizes that it says before, and the files that it saves. Each file of exports/ has some
// entries; its code that makes files is loaded when an entry is chosen.

import { formatBytes } from "../draw/format.js";
import "../elements/define/export-menu.js";
import type { ExportMenu } from "../elements/export-menu.js";
import { saveFile } from "../elements/save-file.js";
import { copyText } from "./copying.js";
import { showError } from "./errors.js";
import { type PageExport, proposedCaption } from "./exports/entry.js";
import { SNAPSHOT_EXPORTS } from "./exports/snapshot.js";
import { query, session, store } from "./state.js";

/** The entries in the order of the menu. A file of exports/ adds its own here. */
const EXPORTS: readonly PageExport[] = [...SNAPSHOT_EXPORTS];

const menu = () => query<ExportMenu>("export-menu");

/** Shows the entries; their sizes follow. */
export async function showExports() {
  const shown = menu();
  shown.placeholder = proposedCaption();
  const known = new Map(shown.entries.map(({ name, size }) => [name, size]));
  shown.entries = EXPORTS.map((entry) => entryOf(entry, known.get(entry.name) ?? null));
  const own = ++turn;
  const sizes = await Promise.all(EXPORTS.map(sizeOf));
  if (own === turn) shown.entries = EXPORTS.map((entry, at) => entryOf(entry, sizes[at]));
}

/** Counts the calls of `showExports`: the sizes of an older one are out of date. */
let turn = 0;

function entryOf({ name, group, title, says, absent }: PageExport, size: string | null) {
  const reason = session.reading && session.isRead ? (absent?.() ?? null) : "no text is read yet";
  return { name, group, title, says, size: reason ? null : size, absent: reason };
}

/** An entry whose size cannot be said now has none; making it reports why. */
async function sizeOf({ size, absent }: PageExport): Promise<string | null> {
  if (!size || !session.reading || absent?.()) return null;
  const bytes = await size().catch(() => null);
  return bytes === null ? null : formatBytes(bytes);
}

/** Makes the file of an entry and saves it. */
async function exportAs(name: string) {
  const entry = EXPORTS.find((one) => one.name === name);
  const shown = menu();
  if (!entry || shown.busy) return;
  Object.assign(shown, { busy: name, note: "" });
  try {
    const made = await entry.make({ caption: shown.caption || proposedCaption() });
    if ("text" in made) await copyText(async () => made.text, shown);
    else {
      saveFile(made.name, made.blob);
      shown.note = `saved ${made.name}, ${formatBytes(made.blob.size)}`;
    }
  } catch (error) {
    showError(error);
  } finally {
    shown.busy = "";
  }
}

menu().addEventListener("export-choose", ({ detail }) => exportAs(detail));
menu().addEventListener("caption-change", ({ detail }) => {
  menu().caption = detail;
});
store.subscribe(updateExports);

let timer: ReturnType<typeof setTimeout> | undefined;

/** Updates the open menu after what changed has been drawn. */
export function updateExports() {
  if (query("#sharing").hidden) return;
  clearTimeout(timer);
  timer = setTimeout(() => showExports().catch(showError), 200);
}
