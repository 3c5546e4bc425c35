// A zip file of several files, in parts: no array holds all of it.

import { Zip, ZipDeflate, ZipPassThrough } from "fflate";

import { createError } from "../errors.js";

/** A file in parts, so that numbers are not copied. */
export interface ZipEntry {
  path: string;
  parts: readonly Uint8Array<ArrayBuffer>[];
}

/** The format's sizes have 32 bits without the Zip64 extension, which fflate does not write. */
const MAX_BYTES = 2 ** 32 - 1;
/** Bytes that are compressed before the page's thread is free again. */
const CHUNK = 2 ** 21;
/** No entry has a date, so that equal contents are equal files. It is the first that the format can say. */
const DATE = new Date(1980, 0, 1);

/**
 * @param isCompressed deflated; otherwise stored as they are
 * @throws InputError if the file would have 4 GiB or more
 */
export async function zipFile(entries: Iterable<ZipEntry>, isCompressed: boolean): Promise<Blob> {
  const list = [...entries];
  checkSize(list);
  const chunks: BlobPart[] = [];
  let failure: Error | null = null;
  const zip = new Zip((error, chunk) => {
    failure ??= error;
    if (chunk?.length) chunks.push(chunk as Uint8Array<ArrayBuffer>);
  });
  for (const { path, parts } of list) {
    const entry = isCompressed ? new ZipDeflate(path) : new ZipPassThrough(path);
    entry.mtime = DATE;
    zip.add(entry);
    const pieces = parts.flatMap(chunked);
    for (const piece of pieces) {
      entry.push(piece);
      await new Promise((resolve) => setTimeout(resolve));
    }
    entry.push(new Uint8Array(0), true);
  }
  zip.end();
  if (failure) throw failure;
  return new Blob(chunks, { type: "application/zip" });
}

function chunked(part: Uint8Array<ArrayBuffer>) {
  const count = Math.ceil(part.length / CHUNK);
  return Array.from({ length: count }, (_, i) => part.subarray(i * CHUNK, (i + 1) * CHUNK));
}

/** Headers of an entry and of the directory: less than 200 bytes and twice the path. */
function checkSize(entries: readonly ZipEntry[]) {
  const bytes = entries.reduce(
    (sum, { path, parts }) =>
      parts.reduce((all, { length }) => all + length, sum + 200 + 6 * path.length),
    0,
  );
  if (bytes > MAX_BYTES)
    throw createError(
      "InputError",
      `a zip file of ${bytes} bytes: expected less than 4 GiB, which is all that the format can say; capture fewer activations, or use toSafetensors`,
    );
}
