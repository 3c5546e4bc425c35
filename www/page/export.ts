// The export menu: its entries, the sizes that it says before, and the files that it saves. Each file of exports/ has some
// entries; its code that makes files is loaded when an entry is chosen.

import { createError } from "../api/errors.js";
import { formatBytes } from "../draw/format.js";
import "../elements/define/export-menu.js";
import type { ExportMenu } from "../elements/export-menu.js";
import { saveFile } from "../elements/save-file.js";
import { copyText } from "./copying.js";
import { showError } from "./errors.js";
import { CACHE_EXPORTS, CACHE_FIELDS } from "./exports/cache.js";
import { EMBED_EXPORTS, EMBED_FIELDS } from "./exports/embed.js";
import { type PageExport, proposedCaption } from "./exports/entry.js";
import { chooseField, fieldOf, type PageField } from "./exports/fields.js";
import { FIGURE_EXPORTS, FIGURE_FIELDS } from "./exports/figure.js";
import { HTML_EXPORTS } from "./exports/html.js";
import { NUMBER_EXPORTS, NUMBER_FIELDS } from "./exports/numbers.js";
import { watchShown, whyNotRead } from "./exports/shown.js";
import { SNAPSHOT_EXPORTS } from "./exports/snapshot.js";
import { query, store } from "./state.js";

/** The entries in the order of the menu. A file of exports/ adds its own here. */
const EXPORTS: readonly PageExport[] = [
  ...FIGURE_EXPORTS,
  ...SNAPSHOT_EXPORTS,
  ...HTML_EXPORTS,
  ...EMBED_EXPORTS,
  ...NUMBER_EXPORTS,
  ...CACHE_EXPORTS,
];
/** What the visitor chooses for the entries of a group. */
const FIELDS: readonly PageField[] = [
  ...FIGURE_FIELDS,
  ...EMBED_FIELDS,
  ...NUMBER_FIELDS,
  ...CACHE_FIELDS,
];

const menu = () => query<ExportMenu>("export-menu");

/** Shows the entries; their sizes follow. */
export async function showExports() {
  const shown = menu();
  shown.placeholder = proposedCaption();
  shown.fields = whyNotRead() ? [] : FIELDS.map(fieldOf).filter((field) => field !== null);
  const known = new Map(shown.entries.map(({ name, size }) => [name, size]));
  shown.entries = EXPORTS.map((entry) => entryOf(entry, known.get(entry.name) ?? null));
  const own = ++turn;
  const sizes = await Promise.all(EXPORTS.map(sizeOf));
  if (own === turn) shown.entries = EXPORTS.map((entry, at) => entryOf(entry, sizes[at]));
}

/** Counts the calls of `showExports`: the sizes of an older one are out of date. */
let turn = 0;

function entryOf({ name, group, title, says, absent }: PageExport, size: string | null) {
  const reason = whyNotRead() ?? absent?.() ?? null;
  return { name, group, title, says, size: reason ? null : size, absent: reason };
}

/** An entry whose size cannot be said now has none; making it reports why. */
async function sizeOf({ size, absent }: PageExport): Promise<string | null> {
  if (!size || whyNotRead() || absent?.()) return null;
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
    const why = whyNotRead() ?? entry.absent?.() ?? null;
    if (why) throw createError("InputError", `“${entry.title}” was not exported: ${why}`);
    const isSame = watchShown();
    const written = shown.caption;
    const made = await entry.make({ caption: written || proposedCaption(), written });
    if (whyNotRead() || !isSame())
      throw createError(
        "InputError",
        `“${entry.title}” was not exported, because what the page shows changed meanwhile: export it again`,
      );
    if ("text" in made) await copyText(async () => made.text, shown);
    else {
      saveFile(made.name, made.blob);
      shown.note = `saved ${made.name}, ${formatBytes(made.blob.size)}`;
    }
  } catch (error) {
    showError(error);
    shown.note = `not exported: ${(error as Error).message}`;
  } finally {
    shown.busy = "";
  }
}

menu().addEventListener("export-choose", ({ detail }) => exportAs(detail));
menu().addEventListener("caption-change", ({ detail }) => {
  menu().caption = detail;
});
menu().addEventListener("field-change", ({ detail: { name, value } }) => {
  chooseField(name, value);
  showExports().catch(showError);
});
store.subscribe(updateExports);

let timer: ReturnType<typeof setTimeout> | undefined;

/** Updates the open menu after what changed has been drawn. */
export function updateExports() {
  if (query("#sharing").hidden) return;
  clearTimeout(timer);
  timer = setTimeout(() => showExports().catch(showError), 200);
}
