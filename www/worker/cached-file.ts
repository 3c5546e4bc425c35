// The file of a stored model in the origin's private file system. It begins with a header; the checkpoint that follows is
// written and read by Rust (src/load/store.rs), which calls `CachedFile` by its names.
//
// The header is written last, after a flush. Until then it consists of zeros, so a partially written file is ignored.

import type { ModelFiles } from "../api/model-files.js";
import type { Origin } from "./network.js";

/** What the browser calls FileSystemSyncAccessHandle; TypeScript's DOM library declares it for workers only. */
export interface SyncAccessHandle {
  read(into: ArrayBufferView, options: { at: number }): number;
  write(bytes: ArrayBufferView, options: { at: number }): number;
  truncate(size: number): void;
  getSize(): number;
  flush(): void;
  close(): void;
}

/** A file that a worker can open for synchronous access. */
interface WorkerFileHandle extends FileSystemFileHandle {
  createSyncAccessHandle(options?: { mode: "read-only" }): Promise<SyncAccessHandle>;
}

/**
 * Opens a file. Several tabs can read at once if the browser has the mode "read-only"; otherwise only one has the file.
 * @throws DOMException if another tab has it
 */
export function openHandle(
  file: FileSystemFileHandle,
  options?: { mode: "read-only" },
): Promise<SyncAccessHandle> {
  return (file as WorkerFileHandle).createSyncAccessHandle(options);
}

/** Which model a file holds. */
export interface Label {
  /** for people */
  name: string;
  dtype: string;
  /** of the model's folder or file; undefined for files from this machine */
  address?: string;
  /** the model's files, if they have addresses, so that the copy can be renewed */
  files?: ModelFiles;
  /** the option `config` that it was loaded with */
  config?: string;
  family: string;
  format: string;
  parameterCount: number;
  /** the state of the files that the model was loaded from */
  origins: Origin[];
}

/** The header of a complete file. */
export interface Header {
  /** the offset of the checkpoint */
  start: number;
  /** the bytes of the checkpoint */
  length: number;
  /** in milliseconds, as Date.now() */
  lastUsed: number;
  label: Label;
}

/** used: it was read; written: it is complete; discarded: it can never be used again. */
export type Outcome = "used" | "written" | "discarded";

/** An open file. Rust reads and writes it by these names. */
export class CachedFile {
  #directory;
  #name;
  #handle;

  /** the offset of the checkpoint */
  readonly start: number;
  /** the bytes of the checkpoint */
  readonly length: number;
  readonly origins: Origin[];

  /** @param header undefined for a file that is not complete */
  constructor(
    directory: FileSystemDirectoryHandle,
    name: string,
    handle: SyncAccessHandle,
    header: { start: number; length: number; label?: Label } | undefined,
  ) {
    this.#directory = directory;
    this.#name = name;
    this.#handle = handle;
    this.start = header?.start ?? 0;
    this.length = header?.length ?? 0;
    this.origins = header?.label?.origins ?? [];
  }

  /** @returns how many bytes were read */
  read(into: Uint8Array, at: number): number {
    return this.#handle.read(into, { at });
  }

  /** @returns how many bytes were written */
  write(bytes: Uint8Array, at: number): number {
    return this.#handle.write(bytes, { at });
  }

  /** Lets the event loop run once. A message has no minimum delay; that of a timer is 4 ms. */
  pause(): Promise<void> {
    return new Promise((resolve) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        port1.close();
        resolve();
      };
      port2.postMessage(0);
    });
  }

  close(outcome: Outcome): void {
    this.#handle.close();
    if (outcome === "discarded") this.#directory.removeEntry(this.#name).catch(() => {});
    if (outcome === "used") this.#recordUse().catch(() => {}); // another tab has it open
  }

  async #recordUse() {
    const handle = await openHandle(await this.#directory.getFileHandle(this.#name));
    handle.write(new Float64Array([Date.now()]), { at: LAST_USED_AT });
    handle.close();
  }
}

// ---- the header ----
//
// offset 0: the magic; 8: the file's length, f64; 16: the time of the last use, f64; 24: the label's length, u32; 28: a checksum,
// u32; 32: the label, JSON. Little endian.

/** A file of another format has another magic, and is not complete. */
const MAGIC = "cscope03";
export const HEADER_BYTES = 32;
/** A label consists of addresses: those of a model in 500 files take 200 kB. */
const MAX_LABEL_BYTES = 1 << 18;
/** The header with the longest label. */
export const MAX_HEADER_BYTES = HEADER_BYTES + MAX_LABEL_BYTES;
const LAST_USED_AT = 16;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The bytes of a header without its label, and of the label. */
export function encodeHeader(label: Uint8Array, fileLength: number): DataView<ArrayBuffer> {
  const header = new DataView(new ArrayBuffer(HEADER_BYTES));
  encoder.encodeInto(MAGIC, new Uint8Array(header.buffer));
  header.setFloat64(8, fileLength, true);
  header.setFloat64(LAST_USED_AT, Date.now(), true);
  header.setUint32(24, label.length, true);
  header.setUint32(28, checksumOf(header, label), true);
  return header;
}

export function encodeLabel(label: Label): Uint8Array<ArrayBuffer> {
  return encoder.encode(JSON.stringify(label));
}

/**
 * The header of a file; undefined if the file is not complete.
 * @param read gives fewer bytes at the file's end
 */
export function readHeader(
  read: (at: number, length: number) => Uint8Array<ArrayBuffer>,
  fileLength: number,
): Header | undefined {
  const bytes = read(0, HEADER_BYTES);
  if (bytes.length < HEADER_BYTES || decoder.decode(bytes.subarray(0, 8)) !== MAGIC)
    return undefined;
  const header = new DataView(bytes.buffer, bytes.byteOffset);
  const labelBytes = header.getUint32(24, true);
  const start = HEADER_BYTES + labelBytes;
  if (
    header.getFloat64(8, true) !== fileLength ||
    start > fileLength ||
    labelBytes > MAX_LABEL_BYTES
  )
    return undefined;
  const text = read(HEADER_BYTES, labelBytes);
  if (checksumOf(header, text) !== header.getUint32(28, true)) return undefined;
  try {
    const label: unknown = JSON.parse(decoder.decode(text));
    const lastUsed = validTime(header.getFloat64(LAST_USED_AT, true));
    return isLabel(label) ? { start, length: fileLength - start, lastUsed, label } : undefined;
  } catch {
    return undefined;
  }
}

/** CRC-32 of the header and the label, without the time of the last use, which changes, and the checksum itself. */
function checksumOf(header: DataView, label: Uint8Array) {
  let crc = -1;
  const update = (byte: number) => {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  };
  for (let at = 0; at < HEADER_BYTES; at++)
    if (at < LAST_USED_AT || (at >= 24 && at < 28)) update(header.getUint8(at));
  label.forEach(update);
  return ~crc >>> 0;
}

function isLabel(value: unknown): value is Label {
  const isText = (text: unknown) => typeof text === "string";
  const isOrigin = (origin: Partial<Record<keyof Origin, unknown>> | null) =>
    isText(origin?.address) && (origin?.identity === undefined || isText(origin.identity));
  const label = value as Partial<Record<keyof Label, unknown>> | null;
  return (
    [label?.name, label?.dtype, label?.family, label?.format].every(isText) &&
    [label?.address, label?.config].every((text) => text === undefined || isText(text)) &&
    typeof label?.parameterCount === "number" &&
    Array.isArray(label.origins) &&
    label.origins.every(isOrigin)
  );
}

/** The checksum does not cover the time of the last use, which only orders the files. */
function validTime(time: number) {
  return time >= 0 && time <= 8.64e15 ? time : 0;
}
