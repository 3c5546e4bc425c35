// What earlier visits kept in the origin's private file system: which copies there are, whether they may be used, and
// room for more. What is inside a copy is Rust's affair (src/load/store.rs); whether its files have changed on their server too.
//
// A copy is one file. It begins with 32 bytes, written last: until then, and so for ever if the tab is closed in between,
// they are zeros, and the copy is none. A file that is being written has one handle, which the browser gives to nobody
// else: that is all the locking there is. Whoever gets no handle does without the copy, and nobody waits.
//
// Without such a file system (an insecure page, a private window, a setting), or when it refuses, a load is what it is
// without; the console says so once.

import { listFiles, type ModelFiles } from "../api/source.js";
import type { WasmKeeping } from "./pkg/candlescope.js";

/** A file and which state of it: no identity where there was none. */
export type Origin = { address: string; identity?: string };
export type Label = { dtype: string; address: string; origins: Origin[] };
/** A model kept in the browser. */
export interface StoredModel {
  /** the folder that it was loaded from, or its config.json if that has another name */
  address: string;
  dtype: string;
  bytes: number;
  lastUsed: Date;
}

const FOLDER = "candlescope-models";
/** Another format of copies, another name. A copy in an older one is no copy. */
const MAGIC = "cscope02";
/** The magic, the file's length and the time of the last use as f64, the label's length and a checksum as u32. */
const HEAD_BYTES = 32;
/** A label is some addresses: of a model in 500 files they are some 200 kB. */
const MAX_LABEL_BYTES = 1 << 18;
const DTYPES = ["f32", "f16", "q8", "q4"];
/** Copies leave this share of what the browser allows to the rest of the site. */
const SHARE = 0.9;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The copies' folder, made if need be. */
async function folder(): Promise<FileSystemDirectoryHandle> {
  return (await navigator.storage.getDirectory()).getDirectoryHandle(FOLDER, { create: true });
}

/** The name of a model's copy: the same addresses and dtype have the same. */
async function nameOf(files: ModelFiles, dtype: string) {
  const what = [dtype, ...listFiles(files).map((file) => file?.address ?? "")].join("\n");
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(what)));
  return [...digest.subarray(0, 16)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function addressOf({ config }: ModelFiles) {
  return config.address?.replace(/(?<=\/)config\.json$/, "");
}

/** Whether a model can have a copy: its files have addresses, which can be asked again. */
export function canBeKept(files: ModelFiles) {
  return listFiles(files).every((file) => file === undefined || file.address !== undefined);
}

/** The copy of a model, opened, or undefined. */
export async function find(files: ModelFiles, dtype: string): Promise<Copy | undefined> {
  try {
    const directory = await folder();
    const name = await nameOf(files, dtype);
    const file = await directory.getFileHandle(name).catch(() => undefined);
    if (!file) return undefined;
    // Several tabs may read at once where the browser knows this mode. Elsewhere the second gets no handle.
    const handle = await (file as any).createSyncAccessHandle({ mode: "read-only" });
    const read = headOf((at, length) => {
      const bytes = new Uint8Array(length);
      return bytes.subarray(0, handle.read(bytes, { at }));
    }, handle.getSize());
    const copy = new Copy(directory, name, handle, read);
    if (read?.label.dtype === dtype && read.label.address === addressOf(files)) return copy;
    copy.close("discarded");
  } catch {
    // refused, or in use
  }
  return undefined;
}

/**
 * Writes a copy of a model, a little at a time, if there is room or room can be made.
 * @param goOn asked between two pieces
 */
export async function keep(
  files: ModelFiles,
  dtype: string,
  keeping: WasmKeeping,
  goOn: () => boolean,
) {
  const name = await nameOf(files, dtype).catch(() => "");
  beingWritten.add(name);
  try {
    const directory = await folder();
    const label = encoder.encode(
      JSON.stringify({ dtype, address: addressOf(files), origins: keeping.origins }),
    );
    const start = HEAD_BYTES + label.length;
    const length = start + keeping.length;
    if (!(await makeRoom(directory, name, length)))
      return note("there is no room for it in the browser's storage");
    const file = await directory.getFileHandle(name, { create: true });
    const handle = await openToWrite(directory, file);
    const copy = new Copy(directory, name, handle, {
      start,
      length: keeping.length,
      label: { dtype, address: "", origins: [] },
    });
    const whole = await write(copy, handle, label, length, keeping, goOn).catch((error) => {
      copy.close("discarded");
      throw error;
    });
    copy.close(whole ? "written" : "discarded");
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) throw error; // the worker must be replaced
    if (!isInUse(error)) note(String(error));
  } finally {
    beingWritten.delete(name);
  }
}

/**
 * Copies that this worker is about to write: makeRoom() must not take one for the rest of an older writing.
 */
const beingWritten: Set<string> = new Set();

async function openToWrite(directory: FileSystemDirectoryHandle, file: any): Promise<any> {
  try {
    return await file.createSyncAccessHandle();
  } catch (error) {
    if (!isInUse(error)) await remove(directory, file.name);
    throw error;
  }
}

/** Another tab has the file. */
function isInUse(error: unknown) {
  return error instanceof DOMException && error.name === "NoModificationAllowedError";
}

/** @returns false when it was left off */
async function write(
  copy: Copy,
  handle: any,
  label: Uint8Array<ArrayBuffer>,
  length: number,
  keeping: WasmKeeping,
  goOn: () => boolean,
): Promise<boolean> {
  handle.truncate(0);
  handle.truncate(length); // fails now if it does not fit
  handle.write(label, { at: HEAD_BYTES });
  for (let more = true; more; await copy.pause()) {
    if (!goOn()) return false;
    more = keeping.step(copy as any);
  }
  handle.flush(); // all of it is there before the head says so
  const head = new DataView(new ArrayBuffer(HEAD_BYTES));
  encoder.encodeInto(MAGIC, new Uint8Array(head.buffer));
  head.setFloat64(8, length, true);
  head.setFloat64(16, Date.now(), true);
  head.setUint32(24, label.length, true);
  head.setUint32(28, checksumOf(head, label), true);
  handle.write(head, { at: 0 });
  handle.flush();
  return true;
}

/** A copy's file, opened. Rust reads and writes it by these names. */
export class Copy {
  #directory;
  #name;
  #handle;

  start: any;
  length: any;
  origins: Origin[];

  constructor(
    directory: FileSystemDirectoryHandle,
    name: string,
    handle: any,
    head: Head | undefined,
  ) {
    this.#directory = directory;
    this.#name = name;
    this.#handle = handle;
    this.start = head?.start ?? 0;
    this.length = head?.length ?? 0;
    this.origins = head?.label.origins ?? [];
  }

  read(into: Uint8Array, at: number) {
    return this.#handle.read(into, { at });
  }

  write(bytes: Uint8Array, at: number) {
    return this.#handle.write(bytes, { at });
  }

  /** A turn of the event loop: a timer would wait for 4 ms. */
  pause(): Promise<void> {
    return new Promise((resolve) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => (port1.close(), resolve());
      port2.postMessage(0);
    });
  }

  /** @param outcome discarded: the copy can never be used again */
  close(outcome: "used" | "written" | "discarded") {
    this.#handle.close();
    if (outcome === "discarded") this.#directory.removeEntry(this.#name).catch(() => {});
    if (outcome === "used") this.#touch().catch(() => {}); // another tab has it open
  }

  async #touch() {
    const file = await this.#directory.getFileHandle(this.#name);
    const handle = await (file as any).createSyncAccessHandle();
    handle.write(new Float64Array([Date.now()]), { at: 16 });
    handle.close();
  }
}

export type Whole = { start: number; length: number; lastUsed: number; label: Label };
export type Head = { start: number; length: number; label: Label };

/** What a file says of itself, or undefined if it is no whole copy. */
function headOf(
  read: (at: number, length: number) => Uint8Array<ArrayBuffer>,
  size: number,
): Whole | undefined {
  const bytes = read(0, HEAD_BYTES);
  if (bytes.length < HEAD_BYTES || decoder.decode(bytes.subarray(0, 8)) !== MAGIC) return undefined;
  const head = new DataView(bytes.buffer, bytes.byteOffset);
  const labelBytes = head.getUint32(24, true);
  const start = HEAD_BYTES + labelBytes;
  if (head.getFloat64(8, true) !== size || start > size || labelBytes > MAX_LABEL_BYTES)
    return undefined;
  const text = read(HEAD_BYTES, labelBytes);
  if (checksumOf(head, text) !== head.getUint32(28, true)) return undefined;
  try {
    const label = JSON.parse(decoder.decode(text));
    return isLabel(label)
      ? { start, length: size - start, lastUsed: timeOf(head.getFloat64(16, true)), label }
      : undefined;
  } catch {
    return undefined;
  }
}

/**
 * CRC-32 of the head but for the time of the last use, which changes, and the checksum itself; and of the label.
 */
function checksumOf(head: DataView, label: Uint8Array) {
  let crc = -1;
  const update = (byte: number) => {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  };
  for (let at = 0; at < HEAD_BYTES; at++)
    if (at < 16 || (at >= 24 && at < 28)) update(head.getUint8(at));
  label.forEach(update);
  return ~crc >>> 0;
}

function isLabel(label: any): label is Label {
  const isText = (value: unknown) => typeof value === "string";
  const isOrigin = (origin: any) =>
    isText(origin?.address) && (origin.identity === undefined || isText(origin.identity));
  return (
    isText(label?.dtype) &&
    isText(label.address) &&
    Array.isArray(label.origins) &&
    label.origins.every(isOrigin)
  );
}

/** No checksum covers the time of the last use, which only orders the copies. */
function timeOf(time: number) {
  return time >= 0 && time <= 8.64e15 ? time : 0;
}

// ---- which copies there are ----

export type Entry = { name: string; size: number; head: Whole | undefined };

/** Every file of ours, the copies that are whole and those that are not. */
async function entries(directory: FileSystemDirectoryHandle): Promise<Entry[]> {
  const found = [];
  for await (const [name, handle] of (directory as any).entries()) {
    const entry = await entryOf(name, handle).catch(() => undefined); // another tab took it away
    if (entry) found.push(entry);
  }
  return found;
}

async function entryOf(name: string, handle: FileSystemFileHandle): Promise<Entry> {
  const file = await handle.getFile();
  const start = new Uint8Array(await file.slice(0, HEAD_BYTES + MAX_LABEL_BYTES).arrayBuffer());
  return {
    name,
    size: file.size,
    head: headOf((at, length) => start.slice(at, at + length), file.size),
  };
}

/**
 * Removes what is no whole copy, and then the copies that were not used for longest, until `length` bytes fit.
 * @param name of the copy that is to be written
 */
async function makeRoom(directory: FileSystemDirectoryHandle, name: string, length: number) {
  const before = [...beingWritten];
  const others = (await entries(directory)).filter(
    (entry) => entry.name !== name && ![...before, ...beingWritten].includes(entry.name),
  );
  const { quota = Infinity, usage = 0 } = await navigator.storage.estimate();
  const own = await directory
    .getFileHandle(name)
    .then((handle) => handle.getFile())
    .catch(() => ({ size: 0 }));
  let room = quota * SHARE - usage + own.size;
  others.sort((a, b) => (a.head?.lastUsed ?? 0) - (b.head?.lastUsed ?? 0));
  // Nothing is gained by removing copies when all of them together are too small.
  const possible = room + others.reduce((sum, { size }) => sum + size, 0);
  for (const { name, size, head } of others) {
    if (head && (room >= length || possible < length)) break;
    if (await remove(directory, name)) room += size;
  }
  return room >= length;
}

/** False where another tab uses it. */
function remove(directory: FileSystemDirectoryHandle, name: string) {
  return directory.removeEntry(name).then(
    () => true,
    () => false,
  );
}

/** The models that are kept, the last used first. */
export async function list(): Promise<StoredModel[]> {
  const all = await folder()
    .then(entries)
    .catch(() => []);
  const models = all.flatMap(({ size, head }) =>
    head
      ? [
          {
            address: head.label.address,
            dtype: head.label.dtype,
            bytes: size,
            lastUsed: new Date(head.lastUsed),
          },
        ]
      : [],
  );
  return models.sort((a, b) => Number(b.lastUsed) - Number(a.lastUsed));
}

/** Removes the copies of this model, or all; gives how many. */
export async function forget(files?: ModelFiles): Promise<number> {
  const directory = await folder().catch(() => undefined);
  if (!directory) return 0;
  const address = files && addressOf(files);
  // A damaged copy has no address, but its name.
  const names = files && (await Promise.all(DTYPES.map((dtype) => nameOf(files, dtype))));
  let count = 0;
  for (const { name, head } of await entries(directory).catch(() => [])) {
    if (names && head?.label.address !== address && !names.includes(name)) continue;
    if ((await remove(directory, name)) && head) count += 1;
  }
  return count;
}

let noted = false;

/** A refusal is no failure. */
function note(reason: string) {
  if (!noted) console.info(`candlescope: the model is not kept for the next visit: ${reason}`);
  noted = true;
}
