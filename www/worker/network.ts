// Downloads a model's files. Comes in: addresses or blobs. Goes out: `OpenableFiles`, which Rust opens and reads by these names
// (src/load/files.rs, src/load/download.rs), and `revalidate`, which compares a stored copy with its servers.

import { type ModelFile, type ModelFiles, sibling } from "../api/model-files.js";
import { Download } from "./network/download.js";
import type { LoadContext } from "./network/load-context.js";
import { RetryBudget } from "./network/retry-budget.js";

export type { LoadContext } from "./network/load-context.js";
export { pageFetcher, plainFetcher, privateFetcher } from "./network/fetcher.js";
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

  /**
   * A file that this index lists, beside it or among `shards`.
   * @throws WeightsError
   */
  sibling(name: string, shards: readonly ModelFile[] | undefined): RemoteFile {
    return new RemoteFile(sibling(this.#file, name, shards), this.#context);
  }

  async #open() {
    const download = new Download(this.#file, this.#context, this.#budget);
    await download.start();
    return download;
  }
}

/** The files of a model, as `ModelFiles`. */
export interface OpenableFiles {
  config: RemoteFile[];
  tokenizer: RemoteFile[][];
  weights: { files?: RemoteFile[]; index?: RemoteFile }[];
  markers: RemoteFile[];
  ignored: string[];
  /**
   * A file of weights that the index lists.
   * @throws WeightsError
   */
  shard(index: RemoteFile, name: string): RemoteFile;
}

/** The same files, which can be opened. */
export function openable(files: ModelFiles, context: LoadContext): OpenableFiles {
  const shards: Map<string, RemoteFile> = new Map();
  const remote = (file: ModelFile) => new RemoteFile(file, context);
  return {
    config: files.config.map(remote),
    tokenizer: files.tokenizer.map((set) => set.map(remote)),
    weights: files.weights.map((one) =>
      "index" in one ? { index: remote(one.index) } : { files: one.files.map(remote) },
    ),
    markers: (files.markers ?? []).map(remote),
    ignored: files.ignored ?? [],
    // The same object for the same name, so that attempts are counted across restarts.
    shard(index, name) {
      const key = `${index.name}\n${name}`;
      const known = shards.get(key) ?? index.sibling(name, files.shards);
      shards.set(key, known);
      return known;
    },
  };
}

/** Sends the requests for the usual files of a model while the wasm module is still on its way. */
export function prefetch({ config, tokenizer, weights }: OpenableFiles): void {
  const [first] = weights;
  for (const file of [config[0], first?.files?.[0] ?? first?.index, tokenizer[0]?.[0]])
    file?.prefetch();
}
