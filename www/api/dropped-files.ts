// The files of folders that are dropped on the page, each with its path. A file that was picked with `webkitdirectory` has
// the path in `webkitRelativePath`; a dropped one has none, so it is attached here.

import { createError } from "./errors.js";

/** A file with its path in the folder that was dropped. */
export type FileWithPath = File & { readonly path?: string };

/** More files than any folder of a model has. A longer list is refused before it is read to its end. */
export const MAX_FILES = 10_000;

/**
 * The files that were dropped, those in folders included, for loadModel. Call it before the event handler returns or waits,
 * because the browser then empties the list of what was dropped.
 * @throws InputError if there are too many, or one cannot be read
 */
export async function filesWithPaths(dropped: DataTransfer): Promise<FileWithPath[]> {
  const files = [...dropped.files];
  const entries = [...dropped.items]
    .filter(({ kind }) => kind === "file")
    .map((item) => item.webkitGetAsEntry?.() ?? null);
  if (!entries.some((entry) => entry?.isDirectory)) return files;
  const found: FileWithPath[] = [];
  for (const entry of entries) if (entry) await collect(entry, found);
  return found;
}

/** The path of a file in the folder that was chosen; its name if it was chosen without a folder. */
export function pathOf(file: FileWithPath): string {
  return (file.webkitRelativePath || file.path || file.name).replace(/\\/g, "/");
}

async function collect(entry: FileSystemEntry, found: FileWithPath[]): Promise<void> {
  if (isFile(entry)) {
    const file = await new Promise<File>((resolve, reject) => entry.file(resolve, reject)).catch(
      (error) => {
        throw unreadable(entry, error);
      },
    );
    if (found.push(withPath(file, entry.fullPath.replace(/^\//, ""))) > MAX_FILES)
      throw createError(
        "InputError",
        `the folder has more than ${MAX_FILES} files, expected those of one model`,
      );
  } else {
    for (const inner of await entriesOf(entry as FileSystemDirectoryEntry))
      await collect(inner, found);
  }
}

/** A reader gives its entries in parts, of a hundred in Chrome. */
async function entriesOf(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const entries: FileSystemEntry[] = [];
  for (;;) {
    const part = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    ).catch((error) => {
      throw unreadable(folder, error);
    });
    if (part.length === 0) return entries;
    entries.push(...part);
  }
}

function isFile(entry: FileSystemEntry): entry is FileSystemFileEntry {
  return entry.isFile;
}

function withPath(file: File, path: string): FileWithPath {
  return Object.defineProperty(file, "path", { value: path, enumerable: true });
}

function unreadable({ fullPath }: FileSystemEntry, { message }: Error) {
  return createError(
    "InputError",
    `${fullPath} cannot be read (${message}): drop the folder again, or choose its files`,
  );
}
