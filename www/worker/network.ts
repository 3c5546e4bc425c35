// Downloads a model's files. Comes in: addresses or blobs. Goes out: `OpenableFiles`, which Rust opens and reads by these names
// (src/load/fetch.rs, src/load/download.rs), and `revalidate`, which compares a stored copy with its servers.

import { type ModelFile, type ModelFiles, sibling } from "../api/source.js";
import { Download } from "./network/download.js";
import type { LoadContext } from "./network/load-context.js";
import { RetryBudget } from "./network/retry-budget.js";

export type { LoadContext } from "./network/load-context.js";
export { type Freshness, type Origin, revalidate } from "./network/revalidation.js";

/** A file that a load can open. */
export class RemoteFile {
  #file;
  #context;
  #budget;
  #prefetched: Promise<Download> | undefined;

  /** for messages */
  readonly name: string;
  readonly address: string | undefined;
  readonly optional: boolean;

  constructor(file: ModelFile, context: LoadContext) {
    this.#file = file;
    this.#context = context;
    this.#budget = new RetryBudget(context, file.name);
    this.name = file.name;
    this.address = file.address;
    this.optional = file.optional ?? false;
  }

  /** Sends the request before open() is called. */
  prefetch(): void {
    this.#prefetched = this.#open();
    this.#prefetched.catch(() => {}); // open() reports it
  }

  /** @throws NetworkError, AbortError; InputError for a blob that cannot be read */
  open(): Promise<Download> {
    const prefetched = this.#prefetched;
    this.#prefetched = undefined;
    return prefetched ?? this.#open();
  }

  async #open() {
    const download = new Download(this.#file, this.#context, this.#budget);
    await download.start();
    return download;
  }
}

/** The files of a model. */
export interface OpenableFiles {
  config: RemoteFile;
  tokenizer?: RemoteFile;
  weights: RemoteFile;
  more: RemoteFile[];
  index?: RemoteFile;
  /**
   * A file of weights that the index lists.
   * @throws WeightsError
   */
  shard(name: string): RemoteFile;
}

/** The same files, which can be opened. */
export function openable(
  { config, tokenizer, weights, more = [], index }: ModelFiles,
  context: LoadContext,
): OpenableFiles {
  const shards: Map<string, RemoteFile> = new Map();
  const remote = (file: ModelFile) => new RemoteFile(file, context);
  return {
    config: remote(config),
    ...(tokenizer && { tokenizer: remote(tokenizer) }),
    weights: remote(weights),
    more: more.map(remote),
    ...(index && { index: remote(index) }),
    // The same object for the same name, so that attempts are counted across restarts.
    shard(name) {
      const known = shards.get(name) ?? remote(sibling(index ?? weights, name));
      shards.set(name, known);
      return known;
    },
  };
}

/** Sends the requests for a model's files while the wasm module is still on its way. */
export function prefetch({ config, tokenizer, weights }: OpenableFiles): void {
  for (const file of [config, weights, tokenizer]) file?.prefetch();
}
