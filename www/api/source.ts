// Resolves a model source to the addresses or blobs of the model's files. This module sends no request.
//
// A text that begins with "hf:" is a Hugging Face id: "hf:owner/name" or "hf:owner/name@revision". Every other text is the
// address of a folder or of a file of weights, relative to the page. A request is never sent to a host that the caller did
// not name.

import { absolute, fromAddress, fromHub } from "./addresses.js";
import { createError, describe } from "./errors.js";
import { fromFileList } from "./file-list.js";
import { nearest } from "./hook-names.js";
import { INDEX_NAME, type ModelFile, type ModelFiles, modelName } from "./model-files.js";
import { isBlob, isBuffer, isIterable, isUrl } from "./realms.js";

/** A file as the caller gives it: an address, or its bytes. */
export type SourceFile = string | URL | Blob | ArrayBuffer | ArrayBufferView;

/** The files of a model as the caller gives them. */
export interface SourceFiles {
  /** without it, the weights and the option `config` of loadModel must say the config */
  config?: SourceFile;
  /** one file or several, such as vocab.json and merges.txt */
  tokenizer?: SourceFile | readonly SourceFile[];
  /** one file, or the files that the weights are in */
  weights: SourceFile | readonly SourceFile[];
}

/** A model that the browser keeps, as storedModels() lists it. */
export interface StoredSource {
  /** names the copy */
  readonly key: string;
  readonly name: string;
  readonly dtype: string;
}

/**
 * Where a model is loaded from: the address of a folder or of a file of weights, "hf:owner/name" or
 * "hf:owner/name@revision", its files, the `File`s of a folder that the user chose or dropped, or a model that the browser
 * keeps.
 */
export type Source = string | URL | SourceFiles | StoredSource | Iterable<File>;

const EXPECTED =
  'the address of a folder or of a file of weights, a Hugging Face id as "hf:owner/name", { config, tokenizer, weights } as address, URL, File, Blob or bytes, an array of Files, or a stored model';

/**
 * The files of the model that `source` names.
 * @param base the address that others are relative to
 * @param checkpoint which of several in a folder
 * @throws InputError
 */
export function resolveSource(source: Source, base: string, checkpoint?: string): ModelFiles {
  if (typeof source === "string") return fromText(source.trim(), base, checkpoint);
  if (isUrl(source)) return fromAddress(source.href, base, checkpoint);
  if (isIterable(source)) return fromFileList(source, checkpoint);
  if (source !== null && typeof source === "object") {
    if (checkpoint !== undefined)
      throw createError(
        "InputError",
        "`checkpoint` chooses one of a folder's checkpoints, but the source names its files: leave it out",
      );
    if (isStored(source)) return fromStored(source);
    if ("weights" in source || "config" in source) return fromSourceFiles(source, base);
  }
  throw createError("InputError", `cannot load ${describe(source)}: expected ${EXPECTED}`);
}

/** Whether a source is a model that the browser keeps. */
export function isStored(source: Source): source is StoredSource {
  return typeof source === "object" && source !== null && "key" in source;
}

function fromText(text: string, base: string, checkpoint: string | undefined): ModelFiles {
  if (text === "")
    throw createError("InputError", `the model's name is empty: expected ${EXPECTED}`);
  return text.startsWith("hf:")
    ? fromHub(text.slice("hf:".length), checkpoint)
    : fromAddress(text, base, checkpoint);
}

function fromStored({ key, name }: StoredSource): ModelFiles {
  if (typeof key !== "string" || !/^[0-9a-f]{32}$/.test(key))
    throw createError(
      "InputError",
      `the key of the stored model is ${describe(key)}, expected one of storedModels()`,
    );
  return { name: String(name), config: [], tokenizer: [], weights: [], stored: key };
}

// ---- files ----

const KEYS: readonly string[] = ["config", "tokenizer", "weights"] satisfies (keyof SourceFiles)[];

function fromSourceFiles(files: SourceFiles, base: string): ModelFiles {
  const unknown = Object.entries(files).find(
    ([key, value]) => value !== undefined && !KEYS.includes(key),
  );
  if (unknown)
    throw createError(
      "InputError",
      `the source has no file ${describe(unknown[0])}, did you mean \`${nearest(unknown[0], KEYS)[0]}\`? Expected ${KEYS.join(", ")}`,
    );
  const config = listOf("config", files.config).map((one) => modelFile("config.json", one, base));
  const tokenizer = tokenizerFiles(files.tokenizer, base);
  if (files.weights === undefined || files.weights === null)
    throw createError(
      "InputError",
      `\`weights\` is ${describe(files.weights)}, expected a file of weights or several`,
    );
  const weights = listOf("weights", files.weights).map((one) =>
    modelFile("model.safetensors", one, base),
  );
  const [first] = weights;
  const isIndex = weights.length === 1 && INDEX_NAME.test(pathOf(first));
  const address = (config[0] ?? first).address?.replace(/(?<=\/)config\.json$/, "");
  return {
    name: modelName(address ?? first.name),
    ...(address !== undefined && { address }),
    config,
    tokenizer: tokenizer.length > 0 ? [tokenizer] : [],
    weights: [isIndex ? { index: first } : { files: weights }],
  };
}

/** Without the query of an address. */
function pathOf({ name, address }: ModelFile) {
  return address === undefined ? name : new URL(address).pathname;
}

/** The files of a tokenizer. Their contents decide what they are. @throws InputError */
export function tokenizerFiles(tokenizer: unknown, base: string): ModelFile[] {
  return listOf("tokenizer", tokenizer).map((one, at) =>
    modelFile(at === 0 ? "tokenizer.json" : `file ${at + 1} of the tokenizer`, one, base),
  );
}

function listOf<T>(name: string, value: T | readonly T[] | undefined | null): readonly T[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) return [value as T];
  if (value.length === 0)
    throw createError("InputError", `\`${name}\` is an empty array, expected one file or more`);
  if (name === "config" && value.length > 1)
    throw createError("InputError", "`config` is an array of files, expected one file");
  return value as readonly T[];
}

function modelFile(name: string, value: unknown, base: string): ModelFile {
  if (typeof value === "string" || isUrl(value)) {
    const address = absolute(String(value), base, "the address of a file").href;
    return { name: address.startsWith("data:") ? name : address, address };
  }
  if (isBlob(value)) return { name: "name" in value ? String(value.name) : name, blob: value };
  if (isBuffer(value) || ArrayBuffer.isView(value)) return { name, blob: blobOf(name, value) };
  throw createError(
    "InputError",
    `${name} is ${describe(value)}, expected an address, a File, a Blob or bytes`,
  );
}

/** A copy of bytes, which may be shared memory. */
function blobOf(name: string, bytes: ArrayBuffer | ArrayBufferView) {
  try {
    const isShared = ArrayBuffer.isView(bytes) && !isBuffer(bytes.buffer);
    return new Blob([
      (isShared
        ? Uint8Array.from(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength))
        : bytes) as BlobPart,
    ]);
  } catch (error) {
    throw createError(
      "InputError",
      `the bytes of ${name} cannot be read (${(error as Error).message}): were they transferred to a worker?`,
    );
  }
}
