// The files of a tokenizer that is added to a model: their bytes, read on the caller's thread.

import { createError, describe } from "./errors.js";
import type { SourceFile } from "./source.js";
import type { TokenizerFile } from "./worker-api.js";

/**
 * Reads the files. An address is relative to the page.
 * @throws InputError, NetworkError; AbortError by the signal's reason
 */
export async function readTokenizerFiles(
  files: SourceFile | readonly SourceFile[],
  signal?: AbortSignal,
): Promise<TokenizerFile[]> {
  const list: readonly unknown[] = Array.isArray(files) ? files : [files];
  if (list.length === 0)
    throw createError("InputError", "the tokenizer has no files, expected one file or more");
  return Promise.all(list.map((file, at) => read(file, at, signal)));
}

async function read(file: unknown, at: number, signal?: AbortSignal): Promise<TokenizerFile> {
  const name = at === 0 ? "tokenizer.json" : `file ${at + 1} of the tokenizer`;
  if (typeof file === "string" || file instanceof URL) return fetchFile(String(file), signal);
  try {
    if (isBlob(file))
      return {
        name: "name" in file ? String(file.name) : name,
        bytes: new Uint8Array(await file.arrayBuffer()),
      };
    if (ArrayBuffer.isView(file))
      return {
        name,
        bytes: Uint8Array.from(new Uint8Array(file.buffer, file.byteOffset, file.byteLength)),
      };
    if (Object.prototype.toString.call(file) === "[object ArrayBuffer]")
      return { name, bytes: Uint8Array.from(new Uint8Array(file as ArrayBuffer)) };
  } catch (error) {
    throw createError("InputError", `${name} cannot be read (${(error as Error).message})`);
  }
  throw createError(
    "InputError",
    `${name} is ${describe(file)}, expected an address, a File, a Blob or bytes`,
  );
}

/** Also of another frame, whose Blobs are of another class. */
function isBlob(value: unknown): value is Blob {
  return ["[object Blob]", "[object File]"].includes(Object.prototype.toString.call(value));
}

async function fetchFile(address: string, signal?: AbortSignal): Promise<TokenizerFile> {
  try {
    const { href } = new URL(address, globalThis.document?.baseURI ?? location.href);
    const response = await fetch(href, { signal });
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    const path = new URL(response.url || href).pathname;
    return { name: path, bytes: new Uint8Array(await response.arrayBuffer()) };
  } catch (error) {
    if (signal?.aborted) throw error;
    throw createError(
      "NetworkError",
      `${address} cannot be loaded (${(error as Error).message}): check the address of the tokenizer's file`,
    );
  }
}
