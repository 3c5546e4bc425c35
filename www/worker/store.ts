// The models that are kept in the origin's private file system: finds, writes, lists and removes their files.
//
// While a file is written or read, the worker holds the only access handle of it. That is the only lock: a load that gets no
// handle does without the file and does not wait.
//
// If there is no such file system (an insecure page, a private window, a setting), or if it refuses, a model is loaded as if
// nothing were kept. The console says so once.

import { haveAddresses, listFiles, type ModelFiles } from "../api/model-files.js";
import type { StoredModel } from "../api/worker-api.js";
import {
  CachedFile,
  encodeHeader,
  encodeLabel,
  HEADER_BYTES,
  type Header,
  type Label,
  MAX_HEADER_BYTES,
  openHandle,
  readHeader,
  type SyncAccessHandle,
} from "./cached-file.js";
import type { Origin } from "./network.js";

const FOLDER = "candlescope-models";
const DTYPES = ["f32", "f16", "q8", "q4"];
/** Stored models take at most this share of the origin's quota. */
const MAX_QUOTA_SHARE = 0.9;

/** The folder of the files, which is created if necessary. */
async function openFolder(): Promise<FileSystemDirectoryHandle> {
  return (await navigator.storage.getDirectory()).getDirectoryHandle(FOLDER, { create: true });
}

/** The name of a model's file: a hash of where it comes from and how it was read. */
export async function nameOf(
  files: ModelFiles,
  { dtype, config = "" }: { dtype: string; config?: string },
): Promise<string> {
  if (files.stored !== undefined) return files.stored;
  const addresses = listFiles(files).map(({ address = "" }) => address);
  return hashOf([dtype, config, ...addresses].join("\n"));
}

/** The name of the file of a model that has no address: a hash of what it holds. */
export function nameOfContents(dtype: string, fingerprint: string): Promise<string> {
  return hashOf(`${dtype}\n${fingerprint}`);
}

async function hashOf(text: string) {
  const digest = new Uint8Array(
    await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)),
  );
  return [...digest.subarray(0, 16)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * The file of a model, opened; undefined if there is none or it cannot be opened. Files from this machine have no copy that
 * can be found, because their names and sizes do not say what they hold.
 */
export async function findStored(
  files: ModelFiles,
  request: { dtype: string; config?: string },
): Promise<CachedFile | undefined> {
  if (files.stored === undefined && !haveAddresses(files)) return undefined;
  try {
    const directory = await openFolder();
    const name = await nameOf(files, request);
    const file = await directory.getFileHandle(name).catch(() => undefined);
    if (!file) return undefined;
    const handle = await openHandle(file, { mode: "read-only" });
    const header = readHeader((at, length) => {
      const bytes = new Uint8Array(length);
      return bytes.subarray(0, handle.read(bytes, { at }));
    }, handle.getSize());
    const cached = new CachedFile(directory, name, handle, header);
    const isOther = files.stored === undefined && header?.label.address !== files.address;
    if (header?.label.dtype === request.dtype && !isOther) return cached;
    cached.close("discarded");
  } catch {
    // refused, or in use
  }
  return undefined;
}

/** What the file with this name holds; undefined if there is none. */
export async function labelOf(name: string): Promise<Label | undefined> {
  try {
    const handle = await (await openFolder()).getFileHandle(name);
    return (await entryOf(name, handle)).header?.label;
  } catch {
    return undefined;
  }
}

// ---- writing ----

/** A checkpoint that Rust writes in steps. */
export interface PendingSave {
  readonly origins: Origin[];
  /** bytes */
  readonly length: number;
  /** Writes some megabytes; false if nothing is left to write. */
  step(file: CachedFile): boolean;
  /** Frees its memory. */
  free(): void;
}

/** The names of files that this worker is about to write: makeRoom() must not take one for an incomplete file. */
const beingWritten: Set<string> = new Set();

/**
 * Writes the file of a model in steps, if there is room or other models can be removed.
 * @param name of the file
 * @param facts the label without the origins, which `pending` knows
 * @param shouldContinue called between two steps
 */
export async function save(
  name: string,
  facts: Omit<Label, "origins">,
  pending: PendingSave,
  shouldContinue: () => boolean,
): Promise<void> {
  beingWritten.add(name);
  try {
    const directory = await openFolder();
    const label = encodeLabel({ ...facts, origins: pending.origins });
    const start = HEADER_BYTES + label.length;
    if (!(await makeRoom(directory, name, start + pending.length)))
      return reportNotStored("there is no room for it in the browser's storage");
    const file = await directory.getFileHandle(name, { create: true });
    const handle = await openToWrite(directory, file);
    const cached = new CachedFile(directory, name, handle, { start, length: pending.length });
    try {
      const isComplete = await write(cached, handle, label, pending, shouldContinue);
      cached.close(isComplete ? "written" : "discarded");
    } catch (error) {
      cached.close("discarded");
      throw error;
    }
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) throw error; // the worker must be replaced
    if (!isInUse(error)) reportNotStored(String(error));
  } finally {
    beingWritten.delete(name);
  }
}

async function openToWrite(directory: FileSystemDirectoryHandle, file: FileSystemFileHandle) {
  try {
    return await openHandle(file);
  } catch (error) {
    if (!isInUse(error)) await remove(directory, file.name);
    throw error;
  }
}

/** Whether another tab has the file. */
function isInUse(error: unknown) {
  return error instanceof DOMException && error.name === "NoModificationAllowedError";
}

/** @returns false if it was stopped */
async function write(
  file: CachedFile,
  handle: SyncAccessHandle,
  label: Uint8Array<ArrayBuffer>,
  pending: PendingSave,
  shouldContinue: () => boolean,
): Promise<boolean> {
  const fileLength = file.start + file.length;
  handle.truncate(0);
  handle.truncate(fileLength); // fails now if it does not fit
  handle.write(label, { at: HEADER_BYTES });
  for (let more = true; more; await file.pause()) {
    if (!shouldContinue()) return false;
    more = pending.step(file);
  }
  handle.flush(); // everything is on disk before the header says so
  handle.write(encodeHeader(label, fileLength), { at: 0 });
  handle.flush();
  return true;
}

// ---- all files ----

interface Entry {
  name: string;
  /** bytes */
  size: number;
  /** undefined if the file is not complete */
  header: Header | undefined;
}

/** Every file in the folder. */
async function entriesOf(directory: FileSystemDirectoryHandle): Promise<Entry[]> {
  const found: Entry[] = [];
  for await (const [name, handle] of directory.entries()) {
    if (!(handle instanceof FileSystemFileHandle)) continue;
    const entry = await entryOf(name, handle).catch(() => undefined); // another tab removed it
    if (entry) found.push(entry);
  }
  return found;
}

async function entryOf(name: string, handle: FileSystemFileHandle): Promise<Entry> {
  const file = await handle.getFile();
  const start = new Uint8Array(await file.slice(0, MAX_HEADER_BYTES).arrayBuffer());
  const header = readHeader((at, length) => start.slice(at, at + length), file.size);
  return { name, size: file.size, header };
}

/**
 * Removes incomplete files, and then the models that were not used for longest, until `length` bytes fit.
 * @param name of the file that is to be written
 */
async function makeRoom(directory: FileSystemDirectoryHandle, name: string, length: number) {
  const before = [...beingWritten];
  const others = (await entriesOf(directory)).filter(
    (entry) => entry.name !== name && ![...before, ...beingWritten].includes(entry.name),
  );
  const { quota = Infinity, usage = 0 } = await navigator.storage.estimate();
  const own = await directory
    .getFileHandle(name)
    .then((handle) => handle.getFile())
    .catch(() => ({ size: 0 }));
  let room = quota * MAX_QUOTA_SHARE - usage + own.size;
  others.sort((a, b) => (a.header?.lastUsed ?? 0) - (b.header?.lastUsed ?? 0));
  // No model is removed if all of them together are too small.
  const possible = room + others.reduce((sum, { size }) => sum + size, 0);
  for (const { name, size, header } of others) {
    if (header && (room >= length || possible < length)) break;
    if (await remove(directory, name)) room += size;
  }
  return room >= length;
}

/** False if another tab uses it. */
function remove(directory: FileSystemDirectoryHandle, name: string) {
  return directory.removeEntry(name).then(
    () => true,
    () => false,
  );
}

/** The models that are stored, the last used first. */
export async function listStored(): Promise<StoredModel[]> {
  const all = await openFolder()
    .then(entriesOf)
    .catch(() => []);
  const models = all.flatMap(({ name: key, size, header }): StoredModel[] => {
    if (!header) return [];
    const { name, address, dtype, family, format, parameterCount } = header.label;
    const lastUsed = new Date(header.lastUsed);
    return [{ key, name, address, dtype, family, format, parameterCount, bytes: size, lastUsed }];
  });
  return models.sort((a, b) => Number(b.lastUsed) - Number(a.lastUsed));
}

/** Removes the files of a model in every dtype, or of all models; gives how many were complete. */
export async function forgetStored(files?: ModelFiles): Promise<number> {
  const directory = await openFolder().catch(() => undefined);
  if (!directory) return 0;
  const address = files?.stored === undefined ? files?.address : undefined;
  // A damaged file has no address, but its name.
  const names = files && (await Promise.all(DTYPES.map((dtype) => nameOf(files, { dtype }))));
  let count = 0;
  for (const { name, header } of await entriesOf(directory).catch(() => [])) {
    const isMeant = address !== undefined && header?.label.address === address;
    if (names && !isMeant && !names.includes(name)) continue;
    if ((await remove(directory, name)) && header) count += 1;
  }
  return count;
}

let isReported = false;

/** Says once on the console that models are not stored, which is not an error. */
function reportNotStored(reason: string) {
  if (!isReported) console.info(`candlescope: the model is not kept for the next visit: ${reason}`);
  isReported = true;
}
