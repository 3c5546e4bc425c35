// Models that are loaded from files. All who load the same addresses with the same dtype share one.

import * as Comlink from "comlink";

import { connect } from "./connection.js";
import { abortError } from "./errors.js";
import { type ModelFiles, sourceKey } from "./model-files.js";
import type { LoadRequest } from "./load-request.js";
import { dispose, type HostedModel, ModelHandle } from "./model-handle.js";
import { notify } from "./options.js";
import { type CustomFetch, pageFetch } from "./page-fetch.js";
import type { LoadedModel, Progress, WorkerApi } from "./worker-api.js";

type Listener = (progress: Progress) => void;

/** By dtype, config, headers and addresses. */
const shared: Map<string, ModelFromFiles> = new Map();

/**
 * The handle of the model, which is new unless the same addresses are loaded already, with the same options and headers.
 * @param fetch the caller's, in place of the browser's. Its answers may be others for each caller, so they are not shared.
 */
export function handleOf(
  files: ModelFiles,
  request: LoadRequest,
  fetch: CustomFetch | undefined,
): ModelFromFiles {
  const source = sourceKey(files);
  if (source === undefined || fetch) return new ModelFromFiles(files, request, fetch);
  const { dtype, config = "", headers = [] } = request;
  const key = JSON.stringify([dtype, config, headers, source]);
  const known = shared.get(key);
  if (known) return known;
  const handle = new ModelFromFiles(files, request, undefined, () => {
    if (shared.get(key) === handle) shared.delete(key);
  });
  shared.set(key, handle);
  return handle;
}

let lastJob = 0;

/** A model that is loaded from files. */
export class ModelFromFiles extends ModelHandle {
  #listeners: Set<Listener> = new Set();
  /** Aborts the load under way, if there is one. */
  #abort = () => {};

  constructor(
    files: ModelFiles,
    request: LoadRequest,
    fetch: CustomFetch | undefined,
    onEnd: () => void = () => {},
  ) {
    super(
      () => this.#loadFrom(files, request, fetch),
      () => {
        onEnd();
        this.#abort();
      },
    );
  }

  /** @param listener gets the progress of the load */
  override async join(signal?: AbortSignal, listener?: Listener): Promise<LoadedModel> {
    if (listener) this.#listeners.add(listener);
    try {
      return await super.join(signal);
    } finally {
      if (listener) this.#listeners.delete(listener);
    }
  }

  async #loadFrom(
    files: ModelFiles,
    request: LoadRequest,
    fetch: CustomFetch | undefined,
  ): Promise<HostedModel> {
    const job = ++lastJob;
    const controller = new AbortController();
    this.#abort = () => controller.abort();
    const { signal } = controller;
    const connection = await connect();
    if (signal.aborted) throw abortError("loading", signal);
    signal.addEventListener("abort", () => {
      connection.call((api) => api.abort(job)).catch(() => {});
    });
    const onProgress = Comlink.proxy((progress: Progress) => {
      for (const listener of this.#listeners) notify(listener, progress);
    });
    try {
      const fetcher = fetch && Comlink.proxy(pageFetch(fetch));
      const load = (api: WorkerApi) => api.load(files, request, job, onProgress, fetcher);
      const onLate = (loaded: LoadedModel) => {
        dispose({ connection, loaded }).catch(() => {});
      };
      const loaded = await connection.call(load, {
        signal,
        name: "loading",
        isLoad: true,
        onLate,
      });
      return { connection, loaded };
    } finally {
      this.#abort = () => {};
    }
  }
}
