// The files of the model in use, for a live HTML file: the files that its load read, under the names that `loadModel` knows them by, and
// what was answered when it was loaded. They lie in one folder then, so that one config and one checkpoint are there.

import { createError, messageOf } from "../../api/errors.js";
import {
  type ModelFile,
  type ModelFiles,
  sibling,
  type WeightFiles,
} from "../../api/model-files.js";
import { resolveSource, tokenizerFiles } from "../../api/source.js";
import { formatBytes } from "../../draw/format.js";
import type { Choice } from "../../elements/model-chooser.js";
import { isPage } from "../../worker/network/web-page.js";
import { OPTIONS } from "../standalone/contents.js";
import { request, unreachable } from "./requests.js";

/** A larger file is slow to open, because a browser reads it as a page. */
export const MAX_MODEL_BYTES = 100e6;

/** A model that was loaded. */
export interface ModelInUse {
  choice: Choice;
  /** the files of a tokenizer that was added later */
  tokenizer: readonly File[] | null;
  /** of its files; null if that is not known */
  bytes: number | null;
}

/** A file in the HTML file. */
export interface Content {
  name: string;
  blob: Blob;
}

/** Why a model cannot be put into an HTML file; null if it can, as far as is known before it is read. */
export function whyNotContained({ choice: { source, answer }, bytes }: ModelInUse): string | null {
  if (typeof source === "object" && !Array.isArray(source))
    return "the model is from the copy in this browser, which has other files than a checkpoint: choose its files again";
  const size = Array.isArray(source)
    ? sizeOf(resolveSource(source, document.baseURI, answer?.checkpoint))
    : bytes;
  return size !== null && size > MAX_MODEL_BYTES ? tooLarge(size).message : null;
}

/**
 * @param signal ends the requests
 * @throws NetworkError; InputError if the model is too large
 */
export async function modelContents(
  { choice: { source, answer = {} }, tokenizer }: ModelInUse,
  signal: AbortSignal,
): Promise<Content[]> {
  const files = resolveSource(source, document.baseURI, answer.checkpoint);
  const read = reader(signal);
  const weights = await weightsOf(files, read);
  const config = await firstOf(
    files.config.map((one) => [one]),
    read,
  );
  const sets = tokenizer ? [tokenizerFiles([...tokenizer], "")] : files.tokenizer;
  const found = [...config, ...(await firstOf(sets, read)), ...weights];
  if (!answer.config) return found;
  return [...found, { name: OPTIONS, blob: new Blob([JSON.stringify({ config: answer.config })]) }];
}

type Read = (file: ModelFile) => Promise<Content | null>;

/** The files of the first set whose first file exists. */
async function firstOf(sets: readonly (readonly ModelFile[])[], read: Read): Promise<Content[]> {
  for (const [first, ...others] of sets) {
    const found = await read(first);
    if (!found) continue;
    const rest: (Content | null)[] = [];
    for (const other of others) rest.push(await read(other));
    return [found, ...rest.filter((one) => one !== null)];
  }
  return [];
}

/** @throws NetworkError if they are not where they were */
async function weightsOf({ name, weights, shards }: ModelFiles, read: Read): Promise<Content[]> {
  for (const place of weights) {
    const [first, ...others] = filesOf(place);
    const found = await read(first);
    if (!found) continue;
    const wanted = "index" in place ? await listedIn(found, first, shards) : others;
    const rest: Content[] = [];
    for (const one of wanted) rest.push((await read(one)) ?? missing(one.name));
    return [found, ...rest];
  }
  return missing(name);
}

function filesOf(place: WeightFiles) {
  return "index" in place ? [place.index] : place.files;
}

/** The files that an index lists. */
async function listedIn({ blob }: Content, index: ModelFile, shards?: readonly ModelFile[]) {
  const { weight_map: map } = JSON.parse(await blob.text()) as { weight_map: object };
  return [...new Set(Object.values(map))].map((name) => sibling(index, name, shards));
}

function missing(name: string): never {
  throw createError(
    "NetworkError",
    `${name} cannot be found again: load the model again, then export it`,
  );
}

/** Reads files until they are too large together. */
function reader(signal: AbortSignal): Read {
  let left = MAX_MODEL_BYTES;
  const take = (bytes: number) => {
    left -= bytes;
    if (left < 0) throw tooLarge(MAX_MODEL_BYTES - left);
  };
  return async ({ name, address, blob }) => {
    if (blob) {
      take(blob.size);
      return { name: lastPart(name), blob };
    }
    const response = await request(address ?? "", signal);
    const received =
      response &&
      (await bytesOf(response, take).catch((error) => {
        if (signal.aborted || (error as Error).name === "InputError") throw error;
        throw unreachable(address ?? "", messageOf(error));
      }));
    if (!received || isPage([new Uint8Array(await received.slice(0, 512).arrayBuffer())]))
      return null;
    return { name: lastPart(decodeURIComponent(new URL(address ?? "").pathname)), blob: received };
  };
}

/** The header says how many bytes are sent, which are fewer than there are if they are compressed. */
async function bytesOf({ body }: Response, take: (bytes: number) => void): Promise<Blob> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  const stream = body?.getReader();
  for (;;) {
    const { done, value } = (await stream?.read()) ?? { done: true, value: undefined };
    if (done || !value) return new Blob(chunks);
    take(value.length);
    chunks.push(value);
  }
}

function sizeOf({ config, tokenizer, weights, shards = [] }: ModelFiles) {
  const all = [...config, ...tokenizer.flat(), ...weights.flatMap(filesOf), ...shards];
  return all.reduce((sum, { blob }) => sum + (blob?.size ?? 0), 0);
}

function tooLarge(bytes: number) {
  return createError(
    "InputError",
    `the model has ${formatBytes(bytes)} or more, and an HTML file can have one of at most ${formatBytes(MAX_MODEL_BYTES)}: export the HTML file without the model`,
  );
}

function lastPart(path: string) {
  return path.split("/").at(-1) ?? path;
}
