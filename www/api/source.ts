// Resolves a model source to the addresses or blobs of the model's files. This module sends no request.
//
// A text that begins with "hf:" is a Hugging Face id: "hf:owner/name" or "hf:owner/name@revision". Every other text is the
// address of a folder, relative to the page. A request is never sent to a host that the caller did not name.

import { createError, describe } from "./errors.js";
import { nearest } from "./hook-names.js";

/** A file of a model. */
export interface ModelFile {
  /** for messages */
  name: string;
  address?: string;
  /** the bytes, if there is no address */
  blob?: Blob;
  /** the model loads without it */
  optional?: boolean;
  /** what to do if a server does not have it */
  hint?: string;
}

/** The files of a model. */
export interface ModelFiles {
  config: ModelFile;
  tokenizer?: ModelFile;
  weights: ModelFile;
  /** the other files of weights in several */
  more?: ModelFile[];
  /** the list of files of weights, which is read if `weights` does not exist */
  index?: ModelFile;
}

/** A file as the caller gives it: an address, or its bytes. */
export type SourceFile = string | URL | Blob | ArrayBuffer | ArrayBufferView;

/** The files of a model as the caller gives them. */
export interface SourceFiles {
  config: SourceFile;
  tokenizer?: SourceFile;
  /** one file, or the files that the weights are in */
  weights: SourceFile | readonly SourceFile[];
}

/**
 * Where a model is loaded from: the address of a folder, "hf:owner/name" or "hf:owner/name@revision", its files, or the
 * `File`s of a folder that the user chose.
 */
export type Source = string | URL | SourceFiles | Iterable<File>;

const HUB = "https://huggingface.co";
/** The name of an owner or a model, as the hub allows it. */
const HUB_NAME = /^[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9_])?$/;
/** A branch, tag or commit, which may have slashes. */
const HUB_REVISION = /^[\w.+-]+(?:\/[\w.+-]+)*$/;
const EXPECTED =
  'expected a folder address, a Hugging Face id as "hf:owner/name", { config, tokenizer, weights } as address, URL, File, Blob or bytes, or an array of Files';
/** More files than any folder of a model has. A longer list is refused before it is read to its end. */
const MAX_FILES = 10_000;

/**
 * The files of the model that `source` names.
 * @param base the address that others are relative to
 * @throws InputError
 */
export function resolveSource(source: Source, base: string): ModelFiles {
  if (typeof source === "string") return fromText(source.trim(), base);
  if (isUrl(source)) return folder(absolute(source.href, base));
  if (isIterable(source)) return fromFileList(listOf(source));
  if (source !== null && typeof source === "object" && "config" in source)
    return fromSourceFiles(source, base);
  throw createError("InputError", `cannot load ${describe(source)}: ${EXPECTED}`);
}

/** Every file of a model that is known before its index is read. */
export function listFiles({
  config,
  tokenizer,
  weights,
  more = [],
}: ModelFiles): (ModelFile | undefined)[] {
  return [config, tokenizer, weights, ...more];
}

/** A key that sources with the same addresses share; undefined for bytes, which are never shared. */
export function sourceKey(files: ModelFiles): string | undefined {
  const all = listFiles(files);
  return all.some((file) => file?.blob) ? undefined : all.map((file) => file?.address).join(" ");
}

/**
 * The file called `name`, which an index lists, in the folder of `file`.
 * @throws WeightsError
 */
export function sibling(file: ModelFile, name: string): ModelFile {
  const isPlain = /^[^/\\\0]+\.safetensors$/.test(name) && !name.startsWith("..");
  if (!isPlain || file.address === undefined)
    throw createError(
      "WeightsError",
      `${file.name} names ${describe(name)}, expected a *.safetensors file in its own folder`,
    );
  const address = new URL(file.address);
  address.pathname = address.pathname.replace(/[^/]*$/, encodeURIComponent(name));
  return { name: address.href, address: address.href };
}

// ---- addresses ----

function fromText(text: string, base: string): ModelFiles {
  if (text === "") throw createError("InputError", `the model's name is empty: ${EXPECTED}`);
  if (text.startsWith("hf:"))
    return folder(
      hubFolder(text.slice("hf:".length)),
      "check the name; private and gated models cannot be loaded",
    );
  const hint = isHubId(text) ? `if you mean the Hugging Face model, write "hf:${text}"` : undefined;
  return folder(absolute(text, base), hint);
}

function hubFolder(id: string): URL {
  if (!isHubId(id))
    throw createError(
      "InputError",
      `${describe(id)} is not a Hugging Face id: expected "hf:owner/name" or "hf:owner/name@revision"`,
    );
  const [name, revision = "main"] = id.split("@");
  return new URL(`${HUB}/${name}/resolve/${encodeURIComponent(revision)}`);
}

function isHubId(text: string) {
  const [name, revision, ...more] = text.split("@");
  const segments = name.split("/");
  const isName = segments.length <= 2 && segments.every((segment) => HUB_NAME.test(segment));
  return (
    isName &&
    more.length === 0 &&
    !text.includes("..") &&
    (revision === undefined || (HUB_REVISION.test(revision) && !/(^|\/)\.(\/|$)/.test(revision)))
  );
}

function folder(address: URL, hint?: string): ModelFiles {
  if (address.protocol === "data:" || address.protocol === "blob:") {
    throw createError(
      "InputError",
      `a ${address.protocol} address is one file, expected the address of a folder: give { config, tokenizer, weights } instead`,
    );
  }
  const file = (name: string, more?: Partial<ModelFile>): ModelFile => {
    const { href } = Object.assign(new URL(address), {
      hash: "",
      pathname: address.pathname.replace(/\/?$/, `/${name}`),
    });
    return { name: href, address: href, ...(hint && { hint }), ...more };
  };
  return {
    config: file("config.json"),
    tokenizer: file("tokenizer.json", { optional: true }),
    weights: file("model.safetensors"),
    index: file("model.safetensors.index.json"),
  };
}

function absolute(address: string, base: string): URL {
  const url = parsed(address, base);
  if (!url) throw createError("InputError", `${describe(address)} is not an address: ${EXPECTED}`);
  if (url.username || url.password)
    throw createError(
      "InputError",
      `the address of ${url.host}${url.pathname} holds a user name or password, which a browser does not send: remove it`,
    );
  if (!isFetchable(url, base))
    throw createError(
      "InputError",
      `${describe(address)} begins with "${url.protocol}", expected an http: or https: address; files on this machine are given as Files`,
    );
  return url;
}

function parsed(address: string, base: string): URL | undefined {
  try {
    return new URL(address, base);
  } catch {
    return undefined;
  }
}

/**
 * Whether fetch() may know the scheme: the usual ones, or that of the page itself (an app, an extension).
 */
function isFetchable({ protocol }: URL, base: string) {
  if (protocol === "file:") return false;
  return ["http:", "https:", "data:", "blob:"].includes(protocol) || base.startsWith(protocol);
}

// ---- files and lists of files ----

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
  const { config, tokenizer, weights } = files;
  const all: readonly unknown[] = Array.isArray(weights) ? weights : [weights];
  if (all.length === 0)
    throw createError("InputError", "`weights` is an empty array, expected one file or more");
  const [first, ...more] = all.map((one) => modelFile("model.safetensors", one, base));
  return {
    config: modelFile("config.json", config, base),
    ...(tokenizer === undefined || tokenizer === null
      ? {}
      : { tokenizer: modelFile("tokenizer.json", tokenizer, base) }),
    weights: first,
    ...(more.length > 0 && { more }),
  };
}

function modelFile(name: string, value: unknown, base: string): ModelFile {
  if (typeof value === "string" || isUrl(value)) {
    const address = absolute(String(value), base).href;
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

function fromFileList(files: readonly File[]): ModelFiles {
  const other = files.find((file) => !isBlob(file) || typeof file.name !== "string");
  if (other !== undefined)
    throw createError(
      "InputError",
      `the files hold ${describe(other)}, expected only File objects`,
    );
  const folders = new Set(files.filter(({ name }) => isOfModel(name)).map(folderOf));
  if (folders.size > 1)
    throw createError(
      "InputError",
      `the files of models lie in ${folders.size} folders (${[...folders]
        .slice(0, 8)
        .map((name) => name || "the folder itself")
        .join(", ")}), expected those of one model: choose one folder`,
    );
  const repeated = files.find(
    ({ name }, i) => files.findIndex((other) => other.name === name) < i && isOfModel(name),
  );
  if (repeated)
    throw createError(
      "InputError",
      `the files hold "${repeated.name}" twice, expected the files of one model`,
    );
  const named = (name: string) => files.find((file) => file.name === name);
  const config = named("config.json");
  const weights = files.filter(({ name }) => name.endsWith(".safetensors"));
  const isWhole = weights.length === 1 && !SHARD.test(weights[0].name);
  if (!config || !(isWhole || areShards(weights))) {
    const found =
      files
        .slice(0, 20)
        .map((file) => file.name)
        .join(", ") || "none";
    throw createError(
      "InputError",
      `expected the files config.json and one *.safetensors, or all of *-00001-of-0000N.safetensors (and tokenizer.json for text), found ${found}`,
    );
  }
  return fromSourceFiles({ config, tokenizer: named("tokenizer.json"), weights }, "");
}

/** The path of a file's folder in the chosen one; "" for a file that was chosen without a folder. */
function folderOf({ webkitRelativePath = "" }: File) {
  return webkitRelativePath.split("/").slice(0, -1).join("/");
}

function isOfModel(name: string) {
  return name === "config.json" || name === "tokenizer.json" || name.endsWith(".safetensors");
}

/** A file of weights in several: stem, number, count. */
const SHARD = /^(.*)-(\d+)-of-(\d+)\.safetensors$/;

/** Whether the names are those of all the files of one checkpoint. */
function areShards(files: readonly File[]) {
  const [, stem, , count] = SHARD.exec(files[0]?.name ?? "") ?? [];
  const numbers = files
    .map(({ name }) => SHARD.exec(name))
    .map((shard) => (shard?.[1] === stem && shard?.[3] === count ? Number(shard?.[2]) : 0));
  return (
    new Set(numbers).size === Number(count) &&
    numbers.every((number) => number >= 1 && number <= Number(count))
  );
}

function listOf(files: Iterable<File>) {
  const list: File[] = [];
  for (const file of files) {
    if (list.push(file) > MAX_FILES)
      throw createError(
        "InputError",
        `the list has more than ${MAX_FILES} files, expected those of one model`,
      );
  }
  return list;
}

// ---- types ----
//
// `instanceof` fails for an object of another frame, which has other classes. The getters of the platform accept it.

function hasGetter(prototype: object, property: string): (value: unknown) => boolean {
  const getter = Object.getOwnPropertyDescriptor(prototype, property)?.get;
  return (value) => {
    try {
      getter?.call(value);
      return getter !== undefined;
    } catch {
      return false;
    }
  };
}

const isUrl = hasGetter(URL.prototype, "href") as (value: unknown) => value is URL;
const isBlob = hasGetter(Blob.prototype, "size") as (value: unknown) => value is Blob;
const isBuffer = hasGetter(ArrayBuffer.prototype, "byteLength") as (
  value: unknown,
) => value is ArrayBuffer;
export const isAbortSignal = hasGetter(AbortSignal.prototype, "aborted") as (
  value: unknown,
) => value is AbortSignal;

function isIterable(value: unknown): value is Iterable<File> {
  return (
    typeof value === "object" &&
    value !== null &&
    Symbol.iterator in value &&
    !ArrayBuffer.isView(value)
  );
}
