// Loads a model into the page's worker, and manages the models that are kept in the browser.

import { abortable, connect } from "./connection.js";
import { createError, describe } from "./errors.js";
import { type ConfigFields, configJson, headerList, type LoadRequest } from "./load-request.js";
import { Model } from "./model.js";
import { handleOf } from "./model-from-files.js";
import { CANCELLABLE, type Cancellable, checkOptions, rule } from "./options.js";
import type { ModelFiles } from "./model-files.js";
import type { CustomFetch } from "./page-fetch.js";
import { platform } from "./platform.js";
import { isStored, resolveSource, type Source } from "./source.js";
import type { Progress, StoredModel } from "./worker-api.js";

export interface LoadOptions extends Cancellable {
  /** what weight matrices are kept in @default "f32" */
  dtype?: "f32" | "f16" | "q8" | "q4";
  /**
   * Use the copy that an earlier visit kept in the browser, if the files have not changed since, and keep a copy; see
   * storedModels. A copy of files from this machine is used only if it is loaded by its entry in storedModels(). Node.js has
   * no such storage: there, true is an InputError.
   * @default true for addresses in a browser, otherwise false
   */
  keep?: boolean;
  /**
   * Fields of the config, under the names of config.json, that the files do not say or that replace theirs, such as
   * `{ n_head: 4, position_embedding: "none" }`. The model's report lists them.
   */
  config?: ConfigFields;
  /** Which of several checkpoints in a folder: the name of its folder or file, such as "checkpoint-500". */
  checkpoint?: string;
  /**
   * Headers of each request for a file of the model, such as `{ authorization: "Bearer …" }`. They are sent to the hosts of the
   * model's own addresses only, and are not stored. A model that is loaded with them is not kept in the browser.
   */
  headers?: HeadersInit;
  /**
   * Requests the files in place of the browser's fetch(), on the caller's thread. A model that is loaded with it is not kept in
   * the browser.
   */
  fetch?: CustomFetch;
  onProgress?: (progress: Progress) => void;
  /**
   * Download the rest of the program once the model is there, so that no later call waits for it. If false, the first call that
   * needs it downloads it: what `<candle-scope>` does. Loads of the same model share what the first of them said.
   * @default true
   */
  prefetch?: boolean;
  /**
   * The load fails after this many milliseconds without a byte from a server; Infinity waits forever. Transient failures are
   * retried within it.
   * @default 30000
   */
  timeout?: number;
}

const DTYPES: readonly string[] = ["f32", "f16", "q8", "q4"];

/**
 * Loads a model. Loading the same address again gives the same weights without another download, unless all of its models
 * were disposed of.
 * @param source the address of a folder or of a file of weights, relative to the page, or in Node.js its path or file: address;
 *   a Hugging Face id as "hf:owner/name" or "hf:owner/name@revision"; `{ config, tokenizer, weights }` as address, URL, File, Blob or bytes; the Files of a folder; or
 *   one of storedModels()
 * @throws NetworkError, WeightsError, TokenizerError, MemoryError; AbortError; ConfigError, with `missing` if the files do not
 *   say the config; InputError, with `checkpoints` if a folder has several
 */
export async function loadModel(source: Source, options?: LoadOptions): Promise<Model> {
  const {
    dtype = isStored(source) ? source.dtype : "f32",
    keep,
    timeout = 30_000,
    config,
    checkpoint,
    headers,
    fetch,
    prefetch = true,
    onProgress,
    signal,
  } = checkOptions("loadModel", options, {
    dtype: rule.text,
    keep: rule.flag,
    config: rule.any, // checked by configJson
    checkpoint: rule.text,
    headers: rule.any, // checked by headerList
    fetch: rule.listener,
    prefetch: rule.flag,
    timeout: rule.timeout,
    onProgress: rule.listener,
    signal: rule.signal,
  });
  if (!DTYPES.includes(dtype))
    throw createError(
      "InputError",
      `\`dtype\` is ${describe(dtype)}, expected one of ${DTYPES.map(describe).join(", ")}`,
    );
  const files = resolveSource(source, platform.baseAddress(), checkpoint);
  const request = {
    dtype,
    keep: keepOf(keep),
    timeout,
    config: configJson(config),
    headers: headerList(headers),
    hasFetch: fetch !== undefined,
    prefetch,
  };
  checkTogether(files, request);
  const handle = handleOf(files, request, fetch);
  return new Model(handle, await handle.join(signal, onProgress), {
    folder: folderOf(source),
    address: portableAddress(source, platform.baseAddress()),
  });
}

/** @throws InputError where models cannot be kept */
function keepOf(keep: boolean | undefined): boolean | undefined {
  if (platform.keepsModels) return keep;
  if (keep)
    throw createError(
      "InputError",
      "`keep` is true, but models are kept in a browser's storage only, and this is not a browser: leave `keep` out, and save the files yourself",
    );
  return false;
}

/** @throws InputError for options that exclude each other */
function checkTogether(files: ModelFiles, { keep, headers, hasFetch, config }: LoadRequest) {
  const isPrivate = hasFetch ? "`fetch`" : headers ? "`headers`" : undefined;
  if (keep && isPrivate)
    throw createError(
      "InputError",
      `\`keep\` is true beside ${isPrivate}: a copy in the browser could be read without them. Leave \`keep\` out`,
    );
  if (files.stored !== undefined && config)
    throw createError(
      "InputError",
      "`config` cannot change a model that the browser keeps: load it from its source again",
    );
}

/** The model's folder for toPython: its address or id, or a placeholder if the page has only files. */
function folderOf(source: Source): string {
  if (typeof source === "string") return source.trim().replace(/^hf:/, "");
  return source instanceof URL ? source.href : "the model's folder";
}

/** What loads the same model on any page; null for files from this machine. */
function portableAddress(source: Source, base: string): string | null {
  if (source instanceof URL) return source.href;
  if (typeof source !== "string") return null;
  const text = source.trim();
  return text.startsWith("hf:") ? text : new URL(text, base).href;
}

/**
 * The models that this browser keeps for this site, the last used first. The one that was not used for longest is removed
 * if another needs the room; the browser may remove all of them.
 * @returns none if the browser keeps nothing
 * @throws AbortError; NetworkError, WorkerError
 */
export async function storedModels(options?: Cancellable): Promise<StoredModel[]> {
  const { signal } = checkOptions("storedModels", options, CANCELLABLE);
  const connection = await abortable(connect(), signal, "storedModels");
  return connection.call((api) => api.stored(), { signal, name: "storedModels" });
}

/**
 * Removes the copies of a model, in every dtype, or of all models. A model that is loaded stays usable.
 * @param source as for loadModel
 * @returns how many were removed
 * @throws AbortError; InputError; NetworkError, WorkerError
 */
export async function forgetStored(source?: Source, options?: Cancellable): Promise<number> {
  const { signal } = checkOptions("forgetStored", options, CANCELLABLE);
  const files = source === undefined ? undefined : resolveSource(source, platform.baseAddress());
  const connection = await abortable(connect(), signal, "forgetStored");
  return connection.call((api) => api.forgetStored(files), { signal, name: "forgetStored" });
}
