// The files of a model, as the page resolves them and the worker opens them. This module sends no request.

import { createError, describe } from "./errors.js";

/** A file of a model. */
export interface ModelFile {
  /** for messages */
  name: string;
  address?: string;
  /** the bytes, if there is no address */
  blob?: Blob;
  /** the model may load without it */
  optional?: boolean;
  /** what to do if a server does not have it */
  hint?: string;
}

/** Where the weights may be: one file, several in this order, or a list of files (index) beside which they lie. */
export type WeightFiles = { files: ModelFile[] } | { index: ModelFile };

/** The files of a model: for each part, the places where it may be, in the order in which they are tried. */
export interface ModelFiles {
  /** for people: the end of its address or path */
  name: string;
  /** of its folder, or of its file of weights */
  address?: string;
  /** the first that exists is used; without one, the weights say the config */
  config: ModelFile[];
  /** sets of files that make a tokenizer together; the first set whose first file exists is used */
  tokenizer: ModelFile[][];
  /** the first that exists is used */
  weights: WeightFiles[];
  /** the files that an index may name, if they have no addresses */
  shards?: ModelFile[];
  /** if the weights are nowhere: files whose presence says what the folder is instead */
  markers?: ModelFile[];
  /** paths of files that were given and are no part of the model */
  ignored?: string[];
  /** names the copy in the browser's storage from which the model is opened: it has no other files */
  stored?: string;
}

/** For people: the id of a Hugging Face model, or the last part of an address or a path. */
export function modelName(path: string): string {
  const hub = /^https:\/\/huggingface\.co\/(.+?)\/resolve\/[^/]+\/?$/.exec(path)?.[1];
  const last = path
    .replace(/[?#].*$/, "")
    .split("/")
    .filter(Boolean)
    .at(-1);
  return hub ?? last ?? path;
}

/** Every file of a model that is known before its index is read. */
export function listFiles({ config, tokenizer, weights, shards = [] }: ModelFiles): ModelFile[] {
  const all = weights.flatMap((one) => ("index" in one ? [one.index] : one.files));
  return [...config, ...tokenizer.flat(), ...all, ...shards];
}

/** Whether all files have addresses, which can be requested again. */
export function haveAddresses(files: ModelFiles): boolean {
  return files.stored === undefined && listFiles(files).every(({ address }) => address);
}

/** A key that sources with the same addresses share; undefined for bytes, which are never shared. */
export function sourceKey(files: ModelFiles): string | undefined {
  if (files.stored !== undefined) return `stored ${files.stored}`;
  return haveAddresses(files)
    ? listFiles(files)
        .map(({ address }) => address)
        .join(" ")
    : undefined;
}

/** The formats of weights, by the end of a file's name. Their first bytes decide (src/checkpoint/format/). */
export const WEIGHT_NAME = /\.(safetensors|bin|pt|pth|ckpt|msgpack|npz|gguf)$/i;
/** A list of the files that the weights are in. */
export const INDEX_NAME = /\.index\.json$/i;

/**
 * The file called `name`, which an index lists, beside `index` or among `shards`.
 * @throws WeightsError
 */
export function sibling(
  index: ModelFile,
  name: string,
  shards: readonly ModelFile[] = [],
): ModelFile {
  const isPlain =
    typeof name === "string" &&
    /^[^/\\\0]+$/.test(name) &&
    WEIGHT_NAME.test(name) &&
    !name.startsWith("..");
  if (!isPlain)
    throw createError(
      "WeightsError",
      `${index.name} names ${describe(name)}, expected a file of weights in its own folder`,
    );
  if (index.address === undefined) {
    const found = shards.find((file) => file.name.split("/").at(-1) === name);
    if (found) return found;
    throw createError(
      "WeightsError",
      `${index.name} names ${describe(name)}, which is not among the files: choose all files of the folder`,
    );
  }
  const address = new URL(index.address);
  address.pathname = address.pathname.replace(/[^/]*$/, encodeURIComponent(name));
  return { name: address.href, address: address.href };
}
